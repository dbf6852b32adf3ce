/*
 * The schema, as a table of scripts by version: repeats the limits of limits.h in SQL, so that no path, not even a hand
 * with sqlite3, can break them. Decides what each version has; how a database gets there, migrate.c does.
 */
#include "store.h"

/* clang-format off */

/* What version 2 says otherwise, as version 1 said it. */
#define ISSUER_URL_1 \
"length(url) BETWEEN 9 AND 600 AND instr(url, char(0)) = 0" \
"    AND (url GLOB 'https://?*' OR (allow_http = 1 AND url GLOB 'http://?*'))" \
"    AND url NOT GLOB '*[' || char(1) || '-' || char(32) || '\\#]*' AND instr(url, '?') = 0"
#define KEY_SET_1 "length(CAST(document AS BLOB)) BETWEEN 2 AND 65536"
#define OPERATION_1 "operation IN ('create', 'replace', 'delete', 'fetch')"

/*
 * length() counts characters but stops at the first U+0000: therefore instr(x, char(0)) beside it.
 * AUTOINCREMENT: row ids stand in caches and logs, and must never be given to another object.
 * Lists are lines, each with its line feed: JSON functions are not allowed in a schema that is not trusted.
 */
static const char tables_1[] =
"CREATE TABLE setting ("
"  id INTEGER PRIMARY KEY CHECK (id = 1),"
"  credentials_per_identity INTEGER NOT NULL CHECK (credentials_per_identity BETWEEN 1 AND 10000)"
") STRICT;"
"INSERT INTO setting VALUES (1, 20);"

"CREATE TABLE issuer ("
"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
"  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 3 AND 120 AND instr(name, char(0)) = 0"
"    AND name GLOB '[A-Za-z0-9]*' AND name NOT GLOB '*[^A-Za-z0-9_-]*'),"
"  url TEXT NOT NULL CHECK (" ISSUER_URL_1 "),"
"  allow_http INTEGER NOT NULL CHECK (allow_http IN (0, 1)),"
"  allow_private_addresses INTEGER NOT NULL CHECK (allow_private_addresses IN (0, 1)),"
"  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),"
"  key_source INTEGER NOT NULL CHECK (key_source IN (1, 2, 3))," /* enum rely_key_source */
"  jwks_uri TEXT CHECK ((jwks_uri IS NOT NULL) = (key_source = 2) AND (jwks_uri IS NULL OR ("
"    length(jwks_uri) BETWEEN 9 AND 600 AND instr(jwks_uri, char(0)) = 0"
"    AND (jwks_uri GLOB 'https://?*' OR (allow_http = 1 AND jwks_uri GLOB 'http://?*'))"
"    AND jwks_uri NOT GLOB '*[' || char(1) || '-' || char(32) || '\\#]*'))),"
"  discovery_url TEXT CHECK (discovery_url IS NULL OR (key_source = 1"
"    AND length(discovery_url) BETWEEN 9 AND 600 AND instr(discovery_url, char(0)) = 0"
"    AND (discovery_url GLOB 'https://?*' OR (allow_http = 1 AND discovery_url GLOB 'http://?*'))"
"    AND discovery_url NOT GLOB '*[' || char(1) || '-' || char(32) || '\\#]*')),"
"  ca_bundle TEXT CHECK (ca_bundle IS NULL OR (length(CAST(ca_bundle AS BLOB)) <= 65536"
"    AND instr(ca_bundle, '-----BEGIN CERTIFICATE-----') > 0)),"
"  algorithms INTEGER NOT NULL CHECK (algorithms BETWEEN 2 AND 2046 AND algorithms & 1 = 0)," /* bits 1u << rely_alg */
"  types TEXT NOT NULL CHECK (length(types) - length(replace(types, char(10), '')) BETWEEN 1 AND 8),"
"  leeway_s INTEGER NOT NULL CHECK (leeway_s BETWEEN 0 AND 300),"
"  max_lifetime_s INTEGER CHECK (max_lifetime_s IS NULL OR max_lifetime_s BETWEEN 1 AND 100000000000),"
"  description TEXT CHECK (description IS NULL OR (length(description) <= 600 AND instr(description, char(0)) = 0)),"
"  keys_generation INTEGER NOT NULL DEFAULT 0,"
"  created_at INTEGER NOT NULL,"
"  updated_at INTEGER NOT NULL,"
"  revision INTEGER NOT NULL DEFAULT 0"
") STRICT;"
"CREATE INDEX issuer_url ON issuer (url);"

"CREATE TABLE key_set ("
"  issuer_id INTEGER PRIMARY KEY REFERENCES issuer ON DELETE CASCADE,"
"  document TEXT NOT NULL CHECK (" KEY_SET_1 "),"
"  source_url TEXT," /* NULL: uploaded */
"  fetched_at INTEGER NOT NULL"
") STRICT;"

"CREATE TABLE identity ("
"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
"  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 3 AND 120 AND instr(name, char(0)) = 0"
"    AND name GLOB '[A-Za-z0-9]*' AND name NOT GLOB '*[^A-Za-z0-9_-]*'),"
"  uid TEXT NOT NULL UNIQUE CHECK (length(uid) = 36),"
"  username TEXT NOT NULL CHECK (length(username) BETWEEN 1 AND 253 AND instr(username, char(0)) = 0),"
"  is_username_subject INTEGER NOT NULL CHECK (is_username_subject IN (0, 1)),"
"  groups TEXT NOT NULL CHECK (length(groups) - length(replace(groups, char(10), '')) <= 64),"
"  extra TEXT NOT NULL,"
"  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),"
"  description TEXT CHECK (description IS NULL OR (length(description) <= 600 AND instr(description, char(0)) = 0)),"
"  created_at INTEGER NOT NULL,"
"  updated_at INTEGER NOT NULL,"
"  revision INTEGER NOT NULL DEFAULT 0"
") STRICT;"

"CREATE TABLE credential ("
"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
"  uuid TEXT NOT NULL CHECK (length(uuid) = 36)," /* random; an index over a million of them would only cost */
"  identity_id INTEGER NOT NULL REFERENCES identity ON DELETE CASCADE,"
"  issuer_id INTEGER NOT NULL REFERENCES issuer ON DELETE RESTRICT,"
"  name TEXT NOT NULL CHECK (length(name) BETWEEN 3 AND 120 AND instr(name, char(0)) = 0"
"    AND name GLOB '[A-Za-z0-9]*' AND name NOT GLOB '*[^A-Za-z0-9_-]*'),"
"  subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 600 AND instr(subject, char(0)) = 0),"
"  audiences TEXT NOT NULL CHECK (length(audiences) - length(replace(audiences, char(10), '')) BETWEEN 1 AND 10),"
"  description TEXT CHECK (description IS NULL OR (length(description) <= 600 AND instr(description, char(0)) = 0)),"
"  created_at INTEGER NOT NULL,"
"  updated_at INTEGER NOT NULL,"
"  revision INTEGER NOT NULL DEFAULT 0,"
"  UNIQUE (identity_id, name),"
"  UNIQUE (identity_id, issuer_id, subject)"
") STRICT;"
"CREATE INDEX credential_subject ON credential (issuer_id, subject);"
/* For explain: finds the same subject elsewhere, and one that differs only in letter case. */
"CREATE INDEX credential_subject_nocase ON credential (subject COLLATE NOCASE, issuer_id);"

"CREATE TABLE change_log ("
"  revision INTEGER PRIMARY KEY AUTOINCREMENT,"
"  at INTEGER NOT NULL,"
"  actor TEXT NOT NULL,"
"  object TEXT NOT NULL,"
"  name TEXT NOT NULL,"
"  operation TEXT NOT NULL CHECK (" OPERATION_1 "),"
"  before TEXT," /* JSON, as the REST interface shows the object */
"  after TEXT"
") STRICT;";

/* A CHECK may have no subquery, a trigger may: each line of a list. NUL is not a line's end: see above. */
#define LINES_OF(text) \
"WITH RECURSIVE part (line, rest) AS (SELECT NULL, " text " UNION ALL" \
"  SELECT substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1) FROM part" \
"  WHERE instr(rest, char(10)) > 0) "
#define LINES_STAY_GOOD(name, event, table, column, maximum) \
"CREATE TRIGGER " name " BEFORE " event " ON " table " WHEN instr(NEW." column ", char(0)) > 0 OR EXISTS (" \
LINES_OF("NEW." column) \
"  SELECT 1 FROM part WHERE (line IS NOT NULL AND length(line) NOT BETWEEN 1 AND " maximum ")" \
"    OR (instr(rest, char(10)) = 0 AND rest <> ''))" \
" BEGIN SELECT RAISE(ABORT, '" table "." column " has an item out of bounds'); END;"
#define EXTRA_STAYS_GOOD(name, event) \
"CREATE TRIGGER " name " BEFORE " event " ON identity WHEN instr(NEW.extra, char(0)) > 0 OR EXISTS (" \
LINES_OF("NEW.extra") \
"  SELECT 1 FROM part WHERE (line IS NOT NULL AND (instr(line, char(9)) < 2 OR length(line) - instr(line, char(9)) > 600))" \
"    OR (instr(rest, char(10)) = 0 AND rest <> ''))" \
" OR (" LINES_OF("NEW.extra") "SELECT count(DISTINCT substr(line, 1, instr(line, char(9)))) FROM part) > 32" \
" OR EXISTS (" LINES_OF("NEW.extra") \
"  SELECT 1 FROM part WHERE line IS NOT NULL GROUP BY substr(line, 1, instr(line, char(9))) HAVING count(*) > 16)" \
" BEGIN SELECT RAISE(ABORT, 'identity.extra is out of bounds'); END;"
#define STAYS(table, column) \
"CREATE TRIGGER " table "_" column "_stays BEFORE UPDATE OF " column " ON " table \
" WHEN NEW." column " IS NOT OLD." column " BEGIN SELECT RAISE(ABORT, '" table "." column " is immutable'); END;"

static const char triggers_1[] =
"CREATE TRIGGER credential_quota BEFORE INSERT ON credential"
" WHEN (SELECT count(*) FROM credential WHERE identity_id = NEW.identity_id)"
"   >= (SELECT credentials_per_identity FROM setting)"
" BEGIN SELECT RAISE(ABORT, 'too_many_credentials'); END;"
STAYS("credential", "identity_id") /* moving would go round the quota */
STAYS("credential", "name")
STAYS("credential", "uuid")
STAYS("issuer", "name")
STAYS("issuer", "url")
STAYS("identity", "name")
STAYS("identity", "uid")
LINES_STAY_GOOD("credential_audiences_insert", "INSERT", "credential", "audiences", "600")
LINES_STAY_GOOD("credential_audiences_update", "UPDATE OF audiences", "credential", "audiences", "600")
LINES_STAY_GOOD("identity_groups_insert", "INSERT", "identity", "groups", "253")
LINES_STAY_GOOD("identity_groups_update", "UPDATE OF groups", "identity", "groups", "253")
LINES_STAY_GOOD("issuer_types_insert", "INSERT", "issuer", "types", "127")
LINES_STAY_GOOD("issuer_types_update", "UPDATE OF types", "issuer", "types", "127")
EXTRA_STAYS_GOOD("identity_extra_insert", "INSERT")
EXTRA_STAYS_GOOD("identity_extra_update", "UPDATE OF extra")
"CREATE TRIGGER change_log_stays BEFORE UPDATE ON change_log"
" BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END;"
"CREATE TRIGGER change_log_is_kept BEFORE DELETE ON change_log"
" BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END;";

/* An issuer is any text, unless its keys are discovered: then relyd asks the URL that it is. */
#define ISSUER_URL_2 \
"length(url) BETWEEN 1 AND 600 AND instr(url, char(0)) = 0" \
"    AND url NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'" \
"    AND (key_source <> 1 OR (" ISSUER_URL_1 "))"
#define KEY_SET_2 "length(CAST(document AS BLOB)) BETWEEN 2 AND 8388608" /* the most that keys.max_bytes may be */
/* The same words: for IN, SQLite filled a table of its own with every row of the log, a twelfth of a write. */
#define OPERATION_2 \
"operation = 'create' OR operation = 'replace' OR operation = 'delete' OR operation = 'fetch'"

static const struct rely_check_edit edits_2[] = {
    {"issuer", ISSUER_URL_1, ISSUER_URL_2},
    {"key_set", KEY_SET_1, KEY_SET_2},
    {"change_log", OPERATION_1, OPERATION_2},
};

/* clang-format on */

const struct rely_migration rely_migrations[RELY_SCHEMA_VERSION] = {
    {.scripts = {tables_1, triggers_1}},
    {.edits = edits_2, .edit_count = sizeof edits_2 / sizeof edits_2[0]},
};

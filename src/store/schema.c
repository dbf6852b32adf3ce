/*
 * The schema, printed from the table of fields: repeats its limits in SQL, so that no path, not even a hand with
 * sqlite3, can break them. Decides what SQL says of a field; beside it stand here what concerns several columns, and
 * the tables that are no kind of object. How a database gets there, migrate.c does.
 */
#include "inside.h"
#include <stdio.h>

/*
 * length() counts characters but stops at the first U+0000: therefore instr(x, char(0)) beside it.
 * AUTOINCREMENT: row ids stand in caches and logs, and must never be given to another object.
 * Lists are lines, each with its line feed: JSON functions are not allowed in a schema that is not trusted.
 */

/* --- what no field says alone ------------------------------------------------------------------------- */

#define IS_URL(column)                                                                                                 \
    "(" column " GLOB 'https://?*' OR (allow_http = 1 AND " column " GLOB 'http://?*'))"                               \
    " AND " column " NOT GLOB '*[' || char(1) || '-' || char(32) || '\\#]*'"

/* Behind a column: a condition beside the field's own, or what it refers to. */
static const struct {
    const char *table, *column, *condition, *reference;
} beside[] = {
    /* An issuer is any text, unless its keys are discovered: then relyd asks the URL that it is. */
    {"issuer", "url",
     "url NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'"
     " AND (key_source <> 1 OR (" IS_URL("url") " AND instr(url, '?') = 0))",
     ""},
    {"issuer", "trust_domain",
     "(url IS NOT NULL OR (trust_domain IS NOT NULL AND key_source <> 1))"
     " AND (trust_domain IS NULL OR trust_domain NOT GLOB '*[^a-z0-9._-]*')",
     ""},
    {"issuer", "jwks_uri",
     "(key_source = 1 OR (jwks_uri IS NOT NULL) = (key_source = 2)) AND (jwks_uri IS NULL OR (" IS_URL("jwks_uri") "))",
     ""},
    {"issuer", "keys_pem", "(keys_pem IS NOT NULL) = (key_source = 4)", ""},
    {"issuer", "keys_file",
     "(keys_file IS NOT NULL) = (key_source = 5) AND (keys_file IS NULL OR (keys_file NOT GLOB '*[^A-Za-z0-9._-]*' AND "
     "keys_file NOT GLOB '.*'))",
     ""},
    {"issuer", "discovery_url", "discovery_url IS NULL OR (key_source = 1 AND " IS_URL("discovery_url") ")", ""},
    {"issuer", "ca_bundle", "ca_bundle IS NULL OR instr(ca_bundle, '-----BEGIN CERTIFICATE-----') > 0", ""},
    {"issuer", "bearer_file",
     "bearer_file IS NULL OR bearer_file = '@pod' OR (bearer_file NOT GLOB '*[^A-Za-z0-9._-]*' AND bearer_file NOT "
     "GLOB '.*')",
     ""},
    {"issuer", "proxy", "proxy IS NULL OR proxy GLOB 'http://*:[0-9]*'", ""},
    {"route", "audiences", "audiences <> '' OR name = 'default'", ""}, /* RELY_BUILT_IN_ROUTE */
    {"route", "caller_audiences", "caller_audiences = 1 OR audiences <> ''", ""},
    {"route", "user", "user = 1 OR name <> 'default'", ""}, /* RELY_BUILT_IN_ROUTE */
    {"route", "response_headers",
     "response_headers = '' OR (response_headers GLOB 'x-*' AND response_headers NOT GLOB '*' || char(10) || '[^x]*')",
     ""},
    {"revocation", "reason",
     "(jti IS NOT NULL) + (subject IS NOT NULL) + (account_uid IS NOT NULL) + (pod_uid IS NOT NULL)"
     " + (secret_uid IS NOT NULL) + (node_uid IS NOT NULL) + (kid IS NOT NULL) + (identity IS NOT NULL)"
     " BETWEEN issuer_name IS NULL AND 1",
     ""},
    {"credential", "issuer_id", NULL, " REFERENCES issuer ON DELETE RESTRICT"},
    {"credential", "group_id", "(issuer_id IS NULL) <> (group_id IS NULL)",
     " REFERENCES issuer_group ON DELETE RESTRICT"},
    {"credential", "expression", "(subject IS NULL) <> (expression IS NULL)", ""},
    {"issuer_group_member", "issuer_id", NULL, " REFERENCES issuer ON DELETE RESTRICT"},
};

static const struct {
    const char *table, *columns;
} unique_together[] = {
    {"credential", "identity_id, issuer_id, subject"},
    {"issuer_group_member", "group_id, issuer_id"},
};

/* Tables that hold no objects; beside them what else there is. */
static const struct rely_schema_item other_items[] = {
    {"table", "setting",
     "CREATE TABLE setting (\n"
     "  id INTEGER PRIMARY KEY CHECK (id = 1),\n"
     "  credentials_per_identity INTEGER NOT NULL CHECK (credentials_per_identity BETWEEN 1 AND 10000)\n) STRICT"},
    {"table", "key_set",
     "CREATE TABLE key_set (\n"
     "  issuer_id INTEGER PRIMARY KEY REFERENCES issuer ON DELETE CASCADE,\n"
     "  document TEXT NOT NULL CHECK (length(CAST(document AS BLOB)) BETWEEN 2 AND 8388608),\n" /* RELY_JWKS_BYTES_MAX
                                                                                                 */
     "  source_url TEXT,\n"                                                                     /* NULL: uploaded */
     "  fetched_at INTEGER NOT NULL\n) STRICT"},
    /* For IN over words SQLite fills a table of its own with every row of the log, a twelfth of a write. */
    {"table", "change_log",
     "CREATE TABLE change_log (\n"
     "  revision INTEGER PRIMARY KEY AUTOINCREMENT,\n"
     "  at INTEGER NOT NULL,\n"
     "  actor TEXT NOT NULL,\n"
     "  object TEXT NOT NULL,\n"
     "  name TEXT NOT NULL,\n"
     "  operation TEXT NOT NULL CHECK (operation = 'create' OR operation = 'replace' OR operation = 'delete'"
     " OR operation = 'fetch' OR operation = 'pin'),\n"
     "  before TEXT,\n" /* JSON, as the REST interface shows the object */
     "  after TEXT\n) STRICT"},
    {"index", "credential_subject", "CREATE INDEX credential_subject ON credential (issuer_id, subject)"},
    /* An index, as the table may be older than its column: its own constraints cannot be made later. */
    {"index", "credential_group",
     "CREATE UNIQUE INDEX credential_group ON credential (group_id, subject, identity_id) WHERE group_id IS NOT NULL"},
    {"index", "credential_expression",
     "CREATE UNIQUE INDEX credential_expression ON credential (identity_id, coalesce(issuer_id, -group_id), expression)"
     " WHERE expression IS NOT NULL"},
    {"index", "credential_match",
     "CREATE INDEX credential_match ON credential (coalesce(issuer_id, -group_id), match_prefix, match_key)"
     " WHERE expression IS NOT NULL"},
    /* For explain: finds the same subject elsewhere, and one that differs only in letter case. */
    {"index", "credential_subject_nocase",
     "CREATE INDEX credential_subject_nocase ON credential (subject COLLATE NOCASE, issuer_id)"},
    {"index", "identity_certificates",
     "CREATE INDEX identity_certificates ON identity (certificates) WHERE certificates <> ''"},
    {"index", "identity_owners", "CREATE INDEX identity_owners ON identity (owners) WHERE owners <> ''"},
    {"index", "identity_roles", "CREATE INDEX identity_roles ON identity (roles) WHERE roles <> 0"},
    {"index", "issuer_trust_domain",
     "CREATE UNIQUE INDEX issuer_trust_domain ON issuer (trust_domain) WHERE trust_domain IS NOT NULL"},
    {"index", "issuer_aliases", "CREATE INDEX issuer_aliases ON issuer (aliases) WHERE aliases <> ''"},
    {"index", "issuer_shared", "CREATE INDEX issuer_shared ON issuer (is_shared) WHERE is_shared = 1"},
    /* Clusters report at any time, and how many they have is asked each time. */
    {"index", "revocation_tombstone",
     "CREATE INDEX revocation_tombstone ON revocation (issuer_name, until_at)"
     " WHERE issuer_name IS NOT NULL AND " RELY_IS_TOMBSTONE},
    {"trigger", "credential_quota",
     "CREATE TRIGGER credential_quota BEFORE INSERT ON credential"
     " WHEN (SELECT count(*) FROM credential WHERE identity_id = NEW.identity_id)"
     "   >= (SELECT credentials_per_identity FROM setting)"
     " BEGIN SELECT RAISE(ABORT, 'too_many_credentials'); END"},
    /* Rows are counted only when there may be so many. */
    {"trigger", "issuer_quota",
     "CREATE TRIGGER issuer_quota BEFORE INSERT ON issuer"
     " WHEN (SELECT max(id) FROM issuer) >= 100000" /* RELY_ISSUERS_MAX */
     "   AND (SELECT count(*) FROM issuer) >= 100000"
     " BEGIN SELECT RAISE(ABORT, 'too_many_issuers'); END"},
    {"trigger", "revocation_quota",
     "CREATE TRIGGER revocation_quota BEFORE INSERT ON revocation"
     " WHEN (SELECT max(id) FROM revocation) >= 1000000" /* RELY_REVOCATIONS_MAX */
     "   AND (SELECT count(*) FROM revocation) >= 1000000"
     " BEGIN SELECT RAISE(ABORT, 'too_many_revocations'); END"},
    {"trigger", "issuer_group_quota",
     "CREATE TRIGGER issuer_group_quota BEFORE INSERT ON issuer_group"
     " WHEN (SELECT count(*) FROM issuer_group) >= 10000" /* RELY_ISSUER_GROUPS_MAX */
     " BEGIN SELECT RAISE(ABORT, 'too_many_issuer_groups'); END"},
    {"trigger", "issuer_group_member_quota",
     "CREATE TRIGGER issuer_group_member_quota BEFORE INSERT ON issuer_group_member"
     " WHEN (SELECT count(*) FROM issuer_group_member WHERE group_id = NEW.group_id) >= 10000"
     /* RELY_ISSUERS_PER_GROUP_MAX */
     " BEGIN SELECT RAISE(ABORT, 'too_many_issuers'); END"},
    {"trigger", "issuer_group_member_groups",
     "CREATE TRIGGER issuer_group_member_groups BEFORE INSERT ON issuer_group_member"
     " WHEN (SELECT count(*) FROM issuer_group_member WHERE issuer_id = NEW.issuer_id) >= 16"
     /* RELY_GROUPS_PER_ISSUER_MAX */
     " BEGIN SELECT RAISE(ABORT, 'too_many_groups'); END"},
    {"trigger", "route_quota",
     "CREATE TRIGGER route_quota BEFORE INSERT ON route WHEN (SELECT count(*) FROM route) >= 10000" /* RELY_ROUTES_MAX */
     " BEGIN SELECT RAISE(ABORT, 'too_many_routes'); END"},
    {"trigger", "route_default_stays",
     "CREATE TRIGGER route_default_stays BEFORE DELETE ON route WHEN OLD.name = 'default'"
     " BEGIN SELECT RAISE(ABORT, 'the route default is always there'); END"},
    {"trigger", "change_log_stays",
     "CREATE TRIGGER change_log_stays BEFORE UPDATE ON change_log"
     " BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END"},
    {"trigger", "change_log_is_kept",
     "CREATE TRIGGER change_log_is_kept BEFORE DELETE ON change_log"
     " BEGIN SELECT RAISE(ABORT, 'the change log is append-only'); END"},
};

/* --- columns -------------------------------------------------------------------------------------------- */

static bool stands_in_table(const struct rely_field *field)
{
    return field->column != NULL && (field->flags & RELY_FIELD_JOINED) == 0;
}

static bool is_text(const struct rely_field *field)
{
    return field->type == RELY_FIELD_NAME || field->type == RELY_FIELD_UUID || field->type == RELY_FIELD_TEXT ||
           field->type == RELY_FIELD_LIST || field->type == RELY_FIELD_MAP;
}

static bool may_be_null(const struct rely_field *field)
{
    return (field->flags & RELY_FIELD_ZERO_IS_NONE) != 0 ||
           (field->type == RELY_FIELD_TEXT && (field->flags & (RELY_FIELD_REQUIRED | RELY_FIELD_NEVER_NONE)) == 0);
}

static bool stays(const struct rely_field *field)
{
    return field->type == RELY_FIELD_NAME || field->type == RELY_FIELD_UUID ||
           (field->flags & RELY_FIELD_IMMUTABLE) != 0;
}

static void put_text_check(struct rely_buf *out, const struct rely_field *field)
{
    const char *name = field->column;
    if ((field->flags & RELY_FIELD_BYTES) != 0)
        rely_buf_printf(out, "length(CAST(%s AS BLOB))", name);
    else
        rely_buf_printf(out, "instr(%s, char(0)) = 0 AND length(%s)", name, name);
    rely_buf_printf(out, " BETWEEN %lld AND %lld", (long long)field->least, (long long)field->most);
    if (field->type == RELY_FIELD_NAME)
        rely_buf_printf(out, " AND %s GLOB '[A-Za-z0-9]*' AND %s NOT GLOB '*[^A-Za-z0-9_-]*'", name, name);
}

static void put_number_check(struct rely_buf *out, const struct rely_field *field)
{
    const char *name = field->column;
    int64_t most = field->type == RELY_FIELD_WORD ? rely_field_count_words(field) : field->most;
    if (most == INT64_MAX)
        rely_buf_printf(out, "%s >= %lld", name, (long long)field->least);
    else
        rely_buf_printf(out, "%s BETWEEN %lld AND %lld", name, (long long)field->least, (long long)most);
    if (field->type == RELY_FIELD_BITS)
        rely_buf_printf(out, " AND %s & %lld = %s", name, (long long)field->most, name);
}

/* Of one field alone. */
static void put_check(struct rely_buf *out, const struct rely_field *field)
{
    bool is_free = field->type == RELY_FIELD_MAP || field->least == INT64_MIN; /* a map's triggers say all */
    if (is_free)
        return;
    rely_buf_printf(out, " CHECK (");
    if (may_be_null(field))
        rely_buf_printf(out, "%s IS NULL OR ", field->column);
    if (field->type == RELY_FIELD_LIST)
        rely_buf_printf(out, "length(%s) - length(replace(%s, char(10), '')) BETWEEN %lld AND %lld", field->column,
                        field->column, (long long)field->least, (long long)field->most);
    else if (is_text(field))
        put_text_check(out, field);
    else
        put_number_check(out, field);
    rely_buf_putc(out, ')');
}

static void put_beside(struct rely_buf *out, const struct rely_kind *kind, const char *column)
{
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++)
        if (strcmp(beside[i].table, kind->table) == 0 && strcmp(beside[i].column, column) == 0) {
            if (beside[i].condition != NULL)
                rely_buf_printf(out, " CHECK (%s)", beside[i].condition);
            rely_buf_printf(out, "%s", beside[i].reference);
        }
}

/* What a row reads that is older than its column. A column that may be null needs none; what has no default cannot come
 * later. */
static void print_default(struct rely_buf *out, const struct rely_field *field)
{
    if (is_text(field))
        rely_buf_printf(out, "'%s'", field->type == RELY_FIELD_TEXT && field->words != NULL ? field->words : "");
    else
        rely_buf_printf(out, "%lld", (long long)field->value);
}

static const struct rely_field *find_column(const struct rely_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (stands_in_table(&kind->fields[i]) && strcmp(kind->fields[i].column, name) == 0)
            return &kind->fields[i];
    return NULL;
}

static void print_column(struct rely_buf *out, const struct rely_kind *kind, const struct rely_column *column)
{
    const struct rely_field *field = find_column(kind, column->name);
    if (strcmp(column->name, "id") == 0) {
        rely_buf_printf(out, "id INTEGER PRIMARY KEY AUTOINCREMENT");
        return;
    }
    rely_buf_printf(out, "%s %s%s", column->name, field != NULL && is_text(field) ? "TEXT" : "INTEGER",
                    field != NULL && may_be_null(field) ? "" : " NOT NULL");
    if (column->value != NULL)
        rely_buf_printf(out, " DEFAULT %s", column->value);
    if (field == NULL) {
        if (kind->parent_column != NULL && strcmp(column->name, kind->parent_column) == 0)
            rely_buf_printf(out, " REFERENCES %s ON DELETE CASCADE", rely_kind_of(kind->parent)->table);
        return;
    }
    bool is_unique =
        (field->flags & RELY_FIELD_UNIQUE) != 0 || (field->type == RELY_FIELD_NAME && kind->parent_column == NULL);
    rely_buf_printf(out, "%s", is_unique ? " UNIQUE" : "");
    put_check(out, field);
    put_beside(out, kind, column->name);
}

/* --- which columns a table has -------------------------------------------------------------------------------- */

static void add_column(struct rely_columns *columns, const char *name, const char *value)
{
    RELY_ASSERT(columns->count < RELY_COLUMNS_MAX);
    columns->items[columns->count++] = (struct rely_column){.name = name, .value = value};
}

static bool has_column(const struct rely_columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->count; i++)
        if (strcmp(columns->items[i].name, name) == 0)
            return true;
    return false;
}

static void want_column(struct rely_columns *columns, const char *name, const char *value)
{
    if (!has_column(columns, name))
        add_column(columns, name, value);
}

/* Old rows have a value for it that its limits allow, and no index must be made of nothing. */
static bool may_come_later(const struct rely_field *field)
{
    bool is_unique =
        field->type == RELY_FIELD_NAME || field->type == RELY_FIELD_UUID || (field->flags & RELY_FIELD_UNIQUE) != 0;
    bool is_given = field->type == RELY_FIELD_TEXT && field->words != NULL;
    bool has_default = is_text(field) ? field->least == 0 || is_given : field->least <= field->value;
    return !is_unique && (may_be_null(field) || has_default);
}

static const char *default_of(const struct rely_field *field, bool is_later, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    bool is_possible = !is_later || may_come_later(field);
    RELY_ASSERT(is_possible);
    if (may_be_null(field) || !(is_later || (field->flags & RELY_FIELD_VOLATILE) != 0))
        return NULL;
    print_default(&text, field);
    return rely_table_keep(&text, pool);
}

bool rely_schema_knows(const struct rely_kind *kind, const char *column)
{
    bool is_head = strcmp(column, "id") == 0 || strcmp(column, "revision") == 0 ||
                   (kind->parent_column != NULL && strcmp(column, kind->parent_column) == 0);
    return is_head || find_column(kind, column) != NULL;
}

void rely_schema_complete(const struct rely_kind *kind, struct rely_columns *columns, struct rely_pool *pool)
{
    bool is_later = columns->count > 0;
    want_column(columns, "id", NULL);
    if (kind->parent_column != NULL)
        want_column(columns, kind->parent_column, NULL);
    for (size_t i = 0; i < kind->field_count; i++)
        if (stands_in_table(&kind->fields[i]) && !has_column(columns, kind->fields[i].column))
            add_column(columns, kind->fields[i].column, default_of(&kind->fields[i], is_later, pool));
    want_column(columns, "revision", "0");
}

static void put_first_value(struct rely_buf *out, const struct rely_kind *kind, const struct rely_field *field)
{
    if (field->type == RELY_FIELD_NAME)
        rely_buf_printf(out, "'%s'", kind->built_in);
    else if (field->type == RELY_FIELD_TIME)
        rely_buf_printf(out, "unixepoch()");
    else if (may_be_null(field))
        rely_buf_printf(out, "NULL");
    else
        print_default(out, field);
}

const char *rely_schema_insert_built_in(const struct rely_kind *kind, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "INSERT INTO %s (revision", kind->table);
    for (size_t i = 0; i < kind->field_count; i++)
        if (stands_in_table(&kind->fields[i]))
            rely_buf_printf(&text, ", %s", kind->fields[i].column);
    rely_buf_printf(&text, ") VALUES (0");
    for (size_t i = 0; i < kind->field_count; i++)
        if (stands_in_table(&kind->fields[i])) {
            rely_buf_printf(&text, ", ");
            put_first_value(&text, kind, &kind->fields[i]);
        }
    rely_buf_putc(&text, ')');
    return rely_table_keep(&text, pool);
}

const char *rely_schema_add_column(const struct rely_kind *kind, const struct rely_column *column,
                                   struct rely_pool *pool)
{
    const struct rely_field *field = find_column(kind, column->name);
    bool is_null = column->value == NULL;
    return rely_pool_printf(pool, "ALTER TABLE %s ADD COLUMN %s %s%s%s", kind->table, column->name,
                            field != NULL && is_text(field) ? "TEXT" : "INTEGER", is_null ? "" : " NOT NULL DEFAULT ",
                            is_null ? "" : column->value)
        .ptr;
}

/* --- the texts ------------------------------------------------------------------------------------------------- */

static void add_item(struct rely_schema *schema, const char *type, const char *name, const char *text)
{
    RELY_ASSERT(schema->count < RELY_SCHEMA_ITEMS_MAX);
    schema->items[schema->count++] = (struct rely_schema_item){.type = type, .name = name, .text = text};
}

static const char *print_table(const struct rely_kind *kind, const struct rely_columns *columns, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "CREATE TABLE %s (", kind->table);
    for (size_t i = 0; i < columns->count; i++) {
        rely_buf_printf(&text, "%s\n  ", i == 0 ? "" : ",");
        print_column(&text, kind, &columns->items[i]);
    }
    if (kind->parent_column != NULL)
        rely_buf_printf(&text, ",\n  UNIQUE (%s, name)", kind->parent_column);
    for (size_t i = 0; i < sizeof unique_together / sizeof unique_together[0]; i++)
        if (strcmp(unique_together[i].table, kind->table) == 0)
            rely_buf_printf(&text, ",\n  UNIQUE (%s)", unique_together[i].columns);
    rely_buf_printf(&text, "\n) STRICT");
    return rely_table_keep(&text, pool);
}

static void add_index(struct rely_schema *schema, const struct rely_kind *kind, const char *column)
{
    const char *name = rely_pool_printf(&schema->texts, "%s_%s", kind->table, column).ptr;
    add_item(schema, "index", name,
             rely_pool_printf(&schema->texts, "CREATE INDEX %s ON %s (%s)", name, kind->table, column).ptr);
}

/* A column that is never written again, also not by moving a row to another parent, which would go round the quota. */
static void add_stays(struct rely_schema *schema, const struct rely_kind *kind, const char *column)
{
    const char *name = rely_pool_printf(&schema->texts, "%s_%s_stays", kind->table, column).ptr;
    struct rely_buf text = {0};
    rely_buf_printf(&text,
                    "CREATE TRIGGER %s BEFORE UPDATE OF %s ON %s WHEN NEW.%s IS NOT OLD.%s"
                    " BEGIN SELECT RAISE(ABORT, '%s.%s is immutable'); END",
                    name, column, kind->table, column, column, kind->table, column);
    add_item(schema, "trigger", name, rely_table_keep(&text, &schema->texts));
}

/* A CHECK may have no subquery, a trigger may: each line of a list. NUL is not a line's end: see above. */
static void put_lines_of(struct rely_buf *out, const char *column)
{
    rely_buf_printf(out,
                    "WITH RECURSIVE part (line, rest) AS (SELECT NULL, NEW.%s UNION ALL"
                    " SELECT substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1)"
                    " FROM part WHERE instr(rest, char(10)) > 0) ",
                    column);
}

static void put_bad_lines(struct rely_buf *out, const struct rely_field *field)
{
    rely_buf_printf(out, "instr(NEW.%s, char(0)) > 0 OR EXISTS (", field->column);
    put_lines_of(out, field->column);
    rely_buf_printf(out, "SELECT 1 FROM part WHERE (line IS NOT NULL AND ");
    if (field->type == RELY_FIELD_LIST)
        rely_buf_printf(out, "length(line) NOT BETWEEN %lld AND %lld", (long long)field->item_least,
                        (long long)field->item_most);
    else
        rely_buf_printf(out, "(instr(line, char(9)) < 2 OR length(line) - instr(line, char(9)) > %lld)",
                        (long long)field->item_most);
    rely_buf_printf(out, ") OR (instr(rest, char(10)) = 0 AND rest <> ''))");
}

static void put_bad_keys(struct rely_buf *out, const struct rely_field *field)
{
    rely_buf_printf(out, " OR (");
    put_lines_of(out, field->column);
    rely_buf_printf(out, "SELECT count(DISTINCT substr(line, 1, instr(line, char(9)))) FROM part) > %lld OR EXISTS (",
                    (long long)field->most);
    put_lines_of(out, field->column);
    rely_buf_printf(out,
                    "SELECT 1 FROM part WHERE line IS NOT NULL GROUP BY substr(line, 1, instr(line, char(9)))"
                    " HAVING count(*) > %lld)",
                    (long long)field->values_most);
}

static void add_lines_stay_good(struct rely_schema *schema, const struct rely_kind *kind,
                                const struct rely_field *field, bool is_update)
{
    const char *name =
        rely_pool_printf(&schema->texts, "%s_%s_%s", kind->table, field->column, is_update ? "update" : "insert").ptr;
    struct rely_buf text = {0};
    rely_buf_printf(&text, "CREATE TRIGGER %s BEFORE %s%s ON %s WHEN ", name, is_update ? "UPDATE OF " : "INSERT",
                    is_update ? field->column : "", kind->table);
    put_bad_lines(&text, field);
    if (field->type == RELY_FIELD_MAP)
        put_bad_keys(&text, field);
    rely_buf_printf(&text, " BEGIN SELECT RAISE(ABORT, '%s.%s has an item out of bounds'); END", kind->table,
                    field->column);
    add_item(schema, "trigger", name, rely_table_keep(&text, &schema->texts));
}

static void add_field_items(struct rely_schema *schema, const struct rely_kind *kind, const struct rely_field *field)
{
    if (!stands_in_table(field))
        return;
    if ((field->flags & RELY_FIELD_INDEXED) != 0)
        add_index(schema, kind, field->column);
    if (stays(field))
        add_stays(schema, kind, field->column);
    if (field->type == RELY_FIELD_LIST || field->type == RELY_FIELD_MAP) {
        add_lines_stay_good(schema, kind, field, false);
        add_lines_stay_good(schema, kind, field, true);
    }
}

void rely_schema_add_kind(struct rely_schema *schema, const struct rely_kind *kind, const struct rely_columns *columns)
{
    RELY_ASSERT(kind->since <= RELY_SCHEMA_VERSION);
    add_item(schema, "table", kind->table, print_table(kind, columns, &schema->texts));
    if (kind->parent_column != NULL)
        add_stays(schema, kind, kind->parent_column);
    for (size_t i = 0; i < kind->field_count; i++)
        add_field_items(schema, kind, &kind->fields[i]);
}

void rely_schema_add_others(struct rely_schema *schema)
{
    for (size_t i = 0; i < sizeof other_items / sizeof other_items[0]; i++)
        add_item(schema, other_items[i].type, other_items[i].name, other_items[i].text);
}

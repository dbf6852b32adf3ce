/*
 * Faults C6 and C9: a registry that relyd 0.1 made is carried over whole, in one transaction; a disk that fails at any
 * moment leaves the old one. The file was printed from a database of the released program.
 */
#include "faulty_disk.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *read_old_registry(void)
{
    FILE *file = fopen(RELYD_VECTORS "/registry/registry-0.1.sql", "r");
    assert_non_null(file);
    char *text = rely_alloc(1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    assert_true(len > 20000);
    fclose(file);
    return text;
}

/* Put 0.1's database in the place of the fixture's. */
static void take_old_registry(struct fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[128];
    char *text = read_old_registry();
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    sqlite3_close(fixture->other);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(sqlite3_open(fixture->path, &fixture->other), SQLITE_OK);
    sqlite3_extended_result_codes(fixture->other, 1);
    if (sqlite3_exec(fixture->other, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(fixture->other));
    free(text);
}

static char *collect_text(struct fixture *fixture, const char *sql)
{
    struct rely_buf out = {0};
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fixture->other, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            rely_buf_printf(&out, "%s|", text == NULL ? "NULL" : text);
        }
    sqlite3_finalize(stmt);
    return out.ptr;
}

/* Those of 0.1. */
#define ISSUER_COLUMNS                                                                                                 \
    "id, name, url, allow_http, allow_private_addresses, is_enabled, key_source, jwks_uri, discovery_url, ca_bundle,"  \
    " algorithms, types, leeway_s, max_lifetime_s, description, keys_generation, created_at, updated_at, revision"
#define IDENTITY_COLUMNS                                                                                               \
    "id, name, uid, username, is_username_subject, groups, extra, description, is_enabled, created_at, updated_at,"    \
    " revision"

#define CREDENTIAL_COLUMNS                                                                                             \
    "id, uuid, identity_id, issuer_id, name, subject, audiences, description, created_at, updated_at, revision"

static char *collect_rows(struct fixture *fixture)
{
    static const char *const tables[] = {"setting",    "issuer",     "key_set",        "identity",
                                         "credential", "change_log", "sqlite_sequence"};
    struct rely_buf out = {0};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[512];
        const char *columns = strcmp(tables[i], "issuer") == 0       ? ISSUER_COLUMNS
                              : strcmp(tables[i], "identity") == 0   ? IDENTITY_COLUMNS
                              : strcmp(tables[i], "credential") == 0 ? CREDENTIAL_COLUMNS
                                                                     : "*";
        bool is_sequence = strcmp(tables[i], "sqlite_sequence") == 0; /* later kinds' own are beside them */
        snprintf(sql, sizeof sql, "SELECT %s FROM %s %s ORDER BY 1", columns, tables[i],
                 is_sequence ? "WHERE name <> 'route'" : "");
        char *rows = collect_text(fixture, sql);
        rely_buf_printf(&out, "%s: %s\n", tables[i], rows);
        free(rows);
    }
    return out.ptr;
}

/* The whole schema line by line, in an order that does not depend on that of the columns, nor on which of them came
 * later and say what older rows have. */
#define SCHEMA_LINES                                                                                                   \
    "WITH RECURSIVE part (type, name, line, rest) AS (SELECT type, name, NULL, sql || char(10) FROM sqlite_schema"     \
    " WHERE sql IS NOT NULL UNION ALL SELECT type, name, substr(rest, 1, instr(rest, char(10)) - 1),"                  \
    " substr(rest, instr(rest, char(10)) + 1) FROM part WHERE rest <> '')"                                             \
    " SELECT type, name, replace(replace(replace(replace(replace(rtrim(line, ','), ' DEFAULT 0', ''), ' DEFAULT 1', "  \
    "''),"                                                                                                             \
    " ' DEFAULT ''''', ''), ' DEFAULT ''sub''', ''), ' DEFAULT 50', '') FROM part"                                     \
    " WHERE line IS NOT NULL ORDER BY 1, 2, 3"

static void test_c6_c9_carries_an_old_registry_over(void **state)
{
    struct fixture *fixture = *state;
    char *fresh_schema = collect_text(fixture, SCHEMA_LINES);
    take_old_registry(fixture);
    char *before = collect_rows(fixture);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), 1);
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), SCHEMA_VERSION);
    char *schema = collect_text(fixture, SCHEMA_LINES);
    char *after = collect_rows(fixture);
    assert_string_equal(schema, fresh_schema);
    assert_string_equal(after, before);
    char *check = collect_text(fixture, "PRAGMA integrity_check");
    assert_string_equal(check, "ok|");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential WHERE is_enabled = 1 AND mode = 1 AND"
                                         " not_after IS NULL"),
                     3);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer WHERE subject_claim = 'sub'"), 4);
    assert_int_equal(rely_registry_revision(fixture->registry), 18);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"next\",\"issuer\":\"https://next.example\"}");
    assert_string_equal(fixture->result.etag, "\"13\"");
    assert_int_equal(count_rows(fixture, "SELECT id FROM issuer WHERE name = 'next'"), 6);
    assert_hardened(fixture);
    free(fresh_schema);
    free(before);
    free(schema);
    free(after);
    free(check);
}

static void put_old_set(struct fixture *fixture, const char *name, const char *entry)
{
    char sql[4096];
    snprintf(sql, sizeof sql,
             "INSERT INTO key_set (issuer_id, document, fetched_at) SELECT id, '%s', 1 FROM issuer WHERE name = '%s'"
             " ON CONFLICT DO UPDATE SET document = excluded.document",
             entry, name);
    assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
}

static int count_costly(struct fixture *fixture)
{
    return (int)count_rows(fixture, "SELECT count(*) FROM issuer WHERE allow_costly_keys = 1");
}

#define RSA_OF(characters, e)                                                                                          \
    "'||'{"                                                                                                            \
    "\"keys\":[{\"kty\":\"EC\"},{\"kty\":\"RSA\",\"n\":\"'||replace(hex(zeroblob(" characters                          \
    ")),'00','A')||'\",\"e\":\"" e "\"}]}"

/* configuration.md section 5: stored keys that a new rule would skip go on counting; others' records stay strict, and
 * what an administrator says later is not undone. */
static void test_costly_keys_that_were_in_force_go_on(void **state)
{
    static const struct {
        const char *document;
        int costly;
    } rows[] = {{RSA_OF("683", "AQAB"), 0}, {RSA_OF("684", "AQAB"), 1}, {RSA_OF("342", "AQAD"), 1},
                {RSA_OF("342", "Aw"), 0},   {"{\"keys\":7}", 0},        {"no JSON at all", 0},
                {"{\"keys\":[7,null]}", 0}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        take_old_registry(fixture);
        put_old_set(fixture, "prod", rows[i].document);
        reopen_registry(fixture);
        assert_int_equal(count_costly(fixture), rows[i].costly);
        assert_int_equal(run_sql(fixture, "UPDATE issuer SET allow_costly_keys = 0"), SQLITE_OK);
        reopen_registry(fixture);
        assert_int_equal(count_costly(fixture), 0);
    }
}

static void test_c9_gives_a_full_net_after_the_migration(void **state)
{
    struct fixture *fixture = *state;
    take_old_registry(fixture);
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET document = zeroblob(0)"), SQLITE_CONSTRAINT_DATATYPE);
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET document = hex(zeroblob(32769))"), SQLITE_CONSTRAINT_CHECK);
    reopen_registry(fixture);
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET document = hex(zeroblob(4194304))"), SQLITE_OK);
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET document = hex(zeroblob(4194305))"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET key_source = 1 WHERE name = 'prod'"), SQLITE_OK);
    assert_int_equal(run_sql(fixture, "UPDATE change_log SET at = 0"), SQLITE_CONSTRAINT_TRIGGER);
    assert_int_equal(
        run_sql(fixture,
                "INSERT INTO change_log (at, actor, object, name, operation) VALUES (0, 'a', 'b', 'c', 'fetch')"),
        SQLITE_OK);
    assert_int_equal(
        run_sql(fixture,
                "INSERT INTO change_log (at, actor, object, name, operation) VALUES (0, 'a', 'b', 'c', 'other')"),
        SQLITE_CONSTRAINT_CHECK);
}

/* The disk dies for good at the n-th write: the process ends, and the next one finds the old registry or the new. */
static bool migrate_on_a_dying_disk(struct fixture *fixture, int n, const char *rows)
{
    struct rely_err err = {0};
    take_old_registry(fixture);
    disk_fail(DISK_WRITE, n, false, SQLITE_IOERR_WRITE);
    fixture->registry = rely_registry_open(&fixture->options, &err);
    bool is_migrated = fixture->registry != NULL;
    disk_mend();
    if (!is_migrated)
        assert_int_equal(err.code, RELY_ERR_IO);
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    int64_t version = count_rows(fixture, "PRAGMA user_version");
    char *found = collect_rows(fixture);
    assert_string_equal(found, rows);
    assert_true(version == SCHEMA_VERSION || (version == 1 && !is_migrated));
    char *check = collect_text(fixture, "PRAGMA integrity_check");
    assert_string_equal(check, "ok|");
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), SCHEMA_VERSION);
    free(found);
    free(check);
    return is_migrated;
}

static void test_c9_leaves_the_old_registry_when_the_disk_dies(void **state)
{
    struct fixture *fixture = *state;
    take_old_registry(fixture);
    char *rows = collect_rows(fixture);
    int n = 0;
    while (!migrate_on_a_dying_disk(fixture, n, rows))
        n += long_run_pace(5);
    assert_in_range(n, 5, 200); /* so many moments were tried */
    free(rows);
}

static void test_c9_refuses_a_registry_that_a_hand_has_changed(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    take_old_registry(fixture);
    assert_int_equal(run_sql(fixture, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
                                      " replace(sql, '65536', '99') WHERE name = 'key_set'; PRAGMA writable_schema ="
                                      " RESET"),
                     SQLITE_OK);
    assert_null(rely_registry_open(&fixture->options, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    char *sentence =
        format_body("migration to schema version %d: table key_set is not as an earlier relyd", SCHEMA_VERSION);
    assert_non_null(strstr(err.message, sentence));
    free(sentence);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), 1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%key_source <> 1%'"), 0);
}

/* --- version 2, which edited three CHECKs of version 1 ----------------------------------------------------- */

#define EDIT(table, before, after)                                                                                     \
    "UPDATE sqlite_schema SET sql = replace(sql, '" before "', '" after "') WHERE name = '" table "';"
#define ISSUER_URL                                                                                                     \
    "length(url) BETWEEN 9 AND 600 AND instr(url, char(0)) = 0    AND (url GLOB ''https://?*'' OR (allow_http = 1"     \
    " AND url GLOB ''http://?*''))    AND url NOT GLOB ''*['' || char(1) || ''-'' || char(32) || ''\\#]*''"            \
    " AND instr(url, ''?'') = 0"
#define ANY_ISSUER                                                                                                     \
    "length(url) BETWEEN 1 AND 600 AND instr(url, char(0)) = 0    AND url NOT GLOB ''*['' || char(1) || ''-'' ||"      \
    " char(31) || char(127) || '']*''    AND (key_source <> 1 OR (" ISSUER_URL "))"

static void take_registry_of_version_2(struct fixture *fixture)
{
    take_old_registry(fixture);
    assert_int_equal(
        run_sql(
            fixture,
            "PRAGMA writable_schema = ON;" EDIT("issuer", ISSUER_URL, ANY_ISSUER) EDIT("key_set", "BETWEEN 2 AND 65536",
                                                                                       "BETWEEN 2 AND 8388608")
                EDIT("change_log",
                     "operation IN (''create'', ''replace'', ''delete'',"
                     " ''fetch'')",
                     "operation = ''create'' OR operation = ''replace'' OR operation ="
                     " ''delete'' OR operation = ''fetch''") "PRAGMA user_version = 2; PRAGMA writable_schema = RESET"),
        SQLITE_OK);
}

static void test_c9_carries_version_2_over(void **state)
{
    struct fixture *fixture = *state;
    char *fresh_schema = collect_text(fixture, SCHEMA_LINES);
    take_registry_of_version_2(fixture);
    char *before = collect_rows(fixture);
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_int_equal(rely_registry_opening(fixture->registry)->schema_before, 2);
    char *schema = collect_text(fixture, SCHEMA_LINES);
    char *after = collect_rows(fixture);
    assert_string_equal(schema, fresh_schema);
    assert_string_equal(after, before);
    free(fresh_schema);
    free(before);
    free(schema);
    free(after);
}

/* A credential of a relyd that knew no modes goes on letting in whom it let in. */
static void test_gives_old_credentials_a_mode(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"main\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
    char *before = read_object(fixture, credential_path("web", "main"));
    assert_int_equal(run_sql(fixture, "ALTER TABLE credential DROP COLUMN mode;"
                                      " ALTER TABLE credential DROP COLUMN not_after;"
                                      " ALTER TABLE credential DROP COLUMN is_enabled"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_true(rely_registry_opening(fixture->registry)->is_carried_over);
    char *after = read_object(fixture, credential_path("web", "main"));
    assert_string_equal(after, before);
    assert_int_equal(run_sql(fixture, "UPDATE credential SET mode = 0"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE credential SET mode = 3"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE credential SET not_after = 0"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE credential SET is_enabled = 2"), SQLITE_CONSTRAINT_CHECK);
    must_replace(fixture, credential_path("web", "main"),
                 "{\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"],\"enabled\":false,"
                 "\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\"}");
    reopen_registry(fixture);
    free(after);
    after = read_object(fixture, credential_path("web", "main"));
    assert_non_null(strstr(after, "\"enabled\":false,\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\""));
    free(before);
    free(after);
}

/* --- fields that come later ---------------------------------------------------------------------------------- */

static void test_gives_old_rows_the_default_of_a_new_field(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"ops\"],\"description\":\"d\"}");
    assert_int_equal(run_sql(fixture, "DROP TRIGGER identity_groups_insert; DROP TRIGGER identity_groups_update;"
                                      " ALTER TABLE identity DROP COLUMN groups;"
                                      " ALTER TABLE identity DROP COLUMN description;"
                                      " ALTER TABLE issuer DROP COLUMN leeway_s"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_true(rely_registry_opening(fixture->registry)->is_carried_over);
    char *issuer = read_object(fixture, issuer_path("cluster")), *identity = read_object(fixture, identity_path("web"));
    assert_non_null(strstr(issuer, "\"leewaySeconds\":60"));
    assert_non_null(strstr(identity, "\"groups\":[]"));
    assert_null(strstr(identity, "description"));
    /* With their limits, and in force. */
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET leeway_s = 301"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE identity SET groups = 'g'"), SQLITE_CONSTRAINT_TRIGGER);
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"dev\"],\"description\":\"e\"}");
    assert_member(fixture, "groups", "[\"dev\"]");
    reopen_registry(fixture);
    assert_false(rely_registry_opening(fixture->registry)->is_carried_over);
    char *check = collect_text(fixture, "PRAGMA integrity_check");
    assert_string_equal(check, "ok|");
    free(issuer);
    free(identity);
    free(check);
}

static void test_refuses_a_field_that_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    assert_int_equal(run_sql(fixture, "ALTER TABLE issuer ADD COLUMN tier INTEGER"), SQLITE_OK);
    rely_registry_close(fixture->registry);
    fixture->registry = rely_registry_open(&fixture->options, &err);
    assert_null(fixture->registry);
    assert_int_equal(err.code, RELY_ERR_INVALID);
    assert_non_null(strstr(err.message, "its table issuer has a column tier, which this relyd does not know"));
}

/* What a hand has taken away from the net is put back. */
static void test_puts_limits_back(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_int_equal(run_sql(fixture, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
                                      " replace(sql, 'leeway_s BETWEEN 0 AND 300', 'leeway_s BETWEEN 0 AND 999')"
                                      " WHERE name = 'issuer'; PRAGMA writable_schema = RESET;"
                                      " DROP TRIGGER credential_quota; DROP INDEX issuer_url"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET leeway_s = 301"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM sqlite_schema WHERE name IN ('credential_quota',"
                                         " 'issuer_url')"),
                     2);
}

/* A table that is gone is not made anew: empty, it would give row ids a second time. */
static void test_refuses_a_registry_that_lost_a_table(void **state)
{
    static const char *const tables[] = {"credential", "change_log", "setting"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct rely_err err = {0};
        char *sql = format_body("ALTER TABLE %s RENAME TO away", tables[i]);
        char *back = format_body("ALTER TABLE away RENAME TO %s", tables[i]);
        char *sentence = format_body("its table %s is missing", tables[i]);
        assert_int_equal(run_sql(fixture, "DROP TRIGGER IF EXISTS credential_quota"), SQLITE_OK);
        assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
        rely_registry_close(fixture->registry);
        fixture->registry = rely_registry_open(&fixture->options, &err);
        assert_null(fixture->registry);
        assert_int_equal(err.code, RELY_ERR_DAMAGED);
        if (strstr(err.message, sentence) == NULL)
            fail_msg("%s", err.message);
        assert_int_equal(run_sql(fixture, back), SQLITE_OK);
        free(sql);
        free(back);
        free(sentence);
    }
    reopen_registry(fixture);
}

static void test_puts_the_quota_back(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(run_sql(fixture, "DELETE FROM setting"), SQLITE_OK);
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "SELECT credentials_per_identity FROM setting"), 20);
}

int run_migration_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_c6_c9_carries_an_old_registry_over),
        A_TEST(test_c9_gives_a_full_net_after_the_migration),
        A_TEST(test_costly_keys_that_were_in_force_go_on),
        A_TEST(test_c9_leaves_the_old_registry_when_the_disk_dies),
        A_TEST(test_c9_refuses_a_registry_that_a_hand_has_changed),
        A_TEST(test_c9_carries_version_2_over),
        A_TEST(test_gives_old_rows_the_default_of_a_new_field),
        A_TEST(test_gives_old_credentials_a_mode),
        A_TEST(test_refuses_a_field_that_it_does_not_know),
        A_TEST(test_puts_limits_back),
        A_TEST(test_refuses_a_registry_that_lost_a_table),
        A_TEST(test_puts_the_quota_back),
    };
    return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}

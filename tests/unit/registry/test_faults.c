/*
 * The n-th SQL statement, or the n-th write to the disk, fails: n walks over a whole life of a registry, from its first start to
 * a removal. Each time: a clear error, nothing half-written, and the very next call is answered as if nothing had been.
 */
#include "faulty_disk.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS "{\"keys\":[{\"kty\":\"OKP\",\"kid\":\"a\"}]}"

/* --- statements: the test's binary is linked with --wrap for these two ------------------------------------------- */

int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **message);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **message);

static sqlite3 *spared;      /* the test's own connection */
static int until_fault = -1; /* statements to go; -1: none fails */

static bool is_to_fail(sqlite3 *db)
{
    if (db == spared)
        return false;
    return until_fault >= 0 && until_fault-- == 0;
}

/* SQLite's own words for what it is told: the connection must hold them, too. */
static int fail_statement(sqlite3 *db)
{
    sqlite3_stmt *unused = NULL;
    sqlite3_prepare_v2(db, "a fault of the test's", -1, &unused, NULL);
    return SQLITE_ERROR;
}

int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    sqlite3 *db = sqlite3_db_handle(stmt);
    return is_to_fail(db) ? fail_statement(db) : __real_sqlite3_step(stmt);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **message)
{
    return is_to_fail(db) ? fail_statement(db) : __real_sqlite3_exec(db, sql, row, context, message);
}

/* --- a life ---------------------------------------------------------------------------------------------------- */

static const char credential_body[] =
    "{\"name\":\"main\",\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":[\"x\"]}";

static bool create_issuer(struct fixture *fixture)
{
    return try_create(fixture, issuer_path(NULL),
                      "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\",\"keys\":{\"discovery\":true}}");
}

static bool create_identity(struct fixture *fixture)
{
    return try_create(fixture, identity_path(NULL),
                      "{\"name\":\"web\",\"groups\":[\"a\",\"b\"],\"extra\":{\"example.com/k\":[\"v\"]}}");
}

static bool create_credential(struct fixture *fixture)
{
    return try_create(fixture, credential_path("web", NULL), credential_body);
}

static bool replace_identity(struct fixture *fixture)
{
    return try_replace(fixture, identity_path("web"), "{\"groups\":[\"c\"]}", NULL);
}

static bool store_keys(struct fixture *fixture)
{
    const struct rely_fetched_keys fetched = {.issuer_id = 1,
                                              .record_revision = 1,
                                              .jwks = RELY_LIT(KEYS),
                                              .source_url = RELY_LIT("https://issuer.example/keys"),
                                              .at_s = 1700000001};
    struct rely_stored_keys stored;
    fixture->err = (struct rely_err){0};
    rely_write_result_fini(&fixture->result);
    return rely_registry_put_keyset(fixture->registry, &fetched, &stored, &fixture->err);
}

static bool upload_keys(struct fixture *fixture)
{
    return try_replace(fixture, issuer_path("cluster"),
                       "{\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwks\":" KEYS "}}", NULL);
}

static bool delete_credential(struct fixture *fixture)
{
    return try_delete(fixture, credential_path("web", "main"), NULL, false);
}

static bool delete_identity_with_all(struct fixture *fixture)
{
    return try_delete(fixture, identity_path("web"), NULL, true);
}

static bool (*const life[])(struct fixture *fixture) = {
    create_issuer, create_identity,   create_credential, replace_identity,         store_keys,
    upload_keys,   delete_credential, create_credential, delete_identity_with_all,
};
#define STEPS (sizeof life / sizeof life[0])

/* Every row of every table that has objects, keys or the change log, as text. */
static char *dump(struct fixture *fixture)
{
    struct rely_buf out = {0};
    sqlite3_stmt *tables = NULL;
    int code = sqlite3_prepare_v2(fixture->other,
                                  "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                                  -1, &tables, NULL);
    rely_buf_put(&out, RELY_LIT("rows:"));
    while (code == SQLITE_OK && sqlite3_step(tables) == SQLITE_ROW) {
        char sql[200];
        sqlite3_stmt *rows = NULL;
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1", sqlite3_column_text(tables, 0));
        assert_int_equal(sqlite3_prepare_v2(fixture->other, sql, -1, &rows, NULL), SQLITE_OK);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            rely_buf_printf(&out, "\n%s", sqlite3_column_text(tables, 0));
            for (int i = 0; i < sqlite3_column_count(rows); i++) {
                const char *text = (const char *)sqlite3_column_text(rows, i);
                rely_buf_printf(&out, "|%s", text == NULL ? "" : text);
            }
        }
        sqlite3_finalize(rows);
    }
    sqlite3_finalize(tables);
    return out.ptr;
}

static void remove_files(struct fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[128];
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    sqlite3_close(fixture->other);
    fixture->other = spared = NULL;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[i]);
        unlink(path);
    }
}

static void assert_told(const struct rely_err *err, size_t step, int n)
{
    if (err->code == RELY_ERR_NONE || strlen(err->message) < 10)
        fail_msg("step %zu, fault %d: \"%s\" (%d) tells nothing", step, n, err->message, err->code);
}

/* A start that fails says why, and the next one succeeds. */
static void start_or_start_again(struct fixture *fixture, int n)
{
    struct rely_err err = {0};
    fixture->registry = rely_registry_open(&fixture->options, &err);
    if (fixture->registry == NULL) {
        assert_told(&err, 0, n);
        err = (struct rely_err){0};
        fixture->registry = rely_registry_open(&fixture->options, &err);
    }
    if (fixture->registry == NULL)
        fail_msg("fault %d at the start: and then %s", n, err.message);
}

/* Done, or refused with nothing changed and done the second time. */
static void live_a_step(struct fixture *fixture, size_t step, int n)
{
    char *before = dump(fixture);
    uint64_t revision = rely_registry_revision(fixture->registry);
    bool is_done = life[step](fixture);
    char *after = dump(fixture);
    if (!is_done) {
        assert_told(&fixture->err, step, n);
        assert_string_equal(after, before);
        assert_int_equal(rely_registry_revision(fixture->registry), revision);
        if (!life[step](fixture))
            fail_msg("step %zu after fault %d: %s", step, n, fixture->err.message);
    }
    assert_true(rely_registry_revision(fixture->registry) > revision);
    free(before);
    free(after);
}

/* A whole life from an empty folder; the database at its end, to be freed. */
static char *live(struct fixture *fixture, int n)
{
    remove_files(fixture);
    start_or_start_again(fixture, n);
    assert_int_equal(sqlite3_open(fixture->path, &fixture->other), SQLITE_OK);
    spared = fixture->other;
    for (size_t i = 0; i < STEPS; i++)
        live_a_step(fixture, i, n);
    rely_registry_close(fixture->registry);
    start_or_start_again(fixture, n);
    return dump(fixture);
}

/* Ids are random, and so is what has them. */
static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void test_survives_every_failed_statement(void **state)
{
    struct fixture *fixture = *state;
    char *whole = live(fixture, -1);
    int n = 0;
    for (;; n += long_run_pace(20)) {
        until_fault = n;
        char *found = live(fixture, n);
        bool is_over = until_fault >= 0;
        assert_int_equal(count_lines(found), count_lines(whole));
        free(found);
        until_fault = -1;
        if (is_over)
            break;
    }
    assert_true(n > 60); /* each statement has had its turn */
    free(whole);
    spared = NULL;
}

static void test_survives_every_failed_write(void **state)
{
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_FSYNC};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        bool is_hit = true;
        int n = (int)i;
        for (; is_hit; n += long_run_pace(20)) {
            disk_fail(DISK_WRITE, n, true, codes[i]);
            char *found = live(fixture, n);
            is_hit = disk_mend() > n;
            free(found);
        }
        assert_true(n > 60);
    }
    spared = NULL;
}

int run_fault_tests(void)
{
    const struct CMUnitTest tests[] = {A_TEST(test_survives_every_failed_statement),
                                       A_TEST(test_survives_every_failed_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

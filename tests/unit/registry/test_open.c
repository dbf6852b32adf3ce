/*
 * Opening: modes, durability, migrations, strangers' files, a second relyd.
 */
#include "../../../src/registry/inside.h"

#include "../../../src/store/inside.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void opens_a_new_file_with_mode_0600(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(rely_registry_revision(fixture->registry), 0);
    assert_int_equal(count_rows(fixture, "PRAGMA application_id"), 0x52454C59);
    assert_int_equal(count_rows(fixture, "PRAGMA user_version"), SCHEMA_VERSION);
}

static void keeps_everything_over_a_reopening(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    char *before = read_object(fixture, issuer_path("cluster"));
    reopen_registry(fixture);
    char *after = read_object(fixture, issuer_path("cluster"));
    assert_string_equal(before, after);
    assert_int_equal(rely_registry_revision(fixture->registry), 2);
    free(before);
    free(after);
}

static void refuses_a_second_relyd(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    assert_null(rely_registry_open(&fixture->options, &err));
    assert_int_equal(err.code, RELY_ERR_IO);
    char whole[160];
    snprintf(whole, sizeof whole,
             ": another relyd uses it (process %d): stop that one first, or give this one a registry.path of its own",
             getpid());
    assert_non_null(strstr(err.message, whole));
}

/* Close the registry, change the file, and try to open it. */
static void refuse_opening_after(struct fixture *fixture, const char *sql, const char *message)
{
    struct rely_err err = {0};
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
    assert_null(rely_registry_open(&fixture->options, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    if (strstr(err.message, message) == NULL)
        fail_msg("%s", err.message);
}

static void assert_pragma(struct fixture *fixture, const char *pragma, int64_t expected)
{
    struct rely_err err = {0};
    int64_t value = -1;
    assert_true(rely_sql_integer(&fixture->registry->store->sql, pragma, &value, &err));
    if (value != expected)
        fail_msg("%s is %lld", pragma, (long long)value);
}

static void assert_switch(struct fixture *fixture, int which, int expected)
{
    int value = -1;
    assert_int_equal(sqlite3_db_config(fixture->registry->store->sql.db, which, -1, &value), SQLITE_OK);
    assert_int_equal(value, expected);
}

/* The registry's own connection may neither rewrite the schema nor pass by a CHECK, whatever its opening did. */
void assert_hardened(struct fixture *fixture)
{
    struct rely_sql *sql = &fixture->registry->store->sql;
    struct rely_err err = {0};
    assert_false(rely_sql_exec(
        sql, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql WHERE name = 'issuer'", &err));
    assert_non_null(strstr(err.message, "may not be modified"));
    assert_int_equal(sqlite3_exec(sql->db, "UPDATE setting SET credentials_per_identity = -1", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(sqlite3_exec(sql->db, "SELECT \"no_column\" FROM setting", NULL, NULL, NULL), SQLITE_ERROR);
    assert_switch(fixture, SQLITE_DBCONFIG_DEFENSIVE, 1);
    assert_switch(fixture, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
    assert_switch(fixture, SQLITE_DBCONFIG_DQS_DML, 0);
    assert_switch(fixture, SQLITE_DBCONFIG_DQS_DDL, 0);
    assert_pragma(fixture, "PRAGMA ignore_check_constraints", 0);
    assert_pragma(fixture, "PRAGMA foreign_keys", 1);
    assert_pragma(fixture, "PRAGMA cell_size_check", 1);
    assert_pragma(fixture, "PRAGMA synchronous", 2);
    assert_pragma(fixture, "PRAGMA cache_size", -16384);
    assert_pragma(fixture, "PRAGMA temp_store", 2);
    assert_pragma(fixture, "PRAGMA busy_timeout", 5000);
}

static void hardens_its_connection(void **state)
{
    struct fixture *fixture = *state;
    assert_hardened(fixture);
    reopen_registry(fixture); /* nothing is migrated, and the database is inspected */
    assert_hardened(fixture);
}

/* Fault D: what SQLite reads beside the file counts as much as the file, also where it leads to nothing yet. */
static void refuses_companions_that_are_no_files(void **state)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    struct fixture *fixture = *state;
    char name[256], message[300];
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        struct rely_err err = {0};
        snprintf(name, sizeof name, "%s%s", fixture->path, suffixes[i]);
        snprintf(message, sizeof message, "%s is no file", name);
        assert_int_equal(symlink("/nowhere", name), 0);
        assert_null(rely_registry_open(&fixture->options, &err));
        assert_int_equal(err.code, RELY_ERR_INVALID);
        if (strstr(err.message, message) == NULL)
            fail_msg("%s", err.message);
        assert_int_equal(unlink(name), 0);
    }
}

static void refuses_a_newer_schema(void **state)
{
    char *next = format_body("PRAGMA user_version = %d", SCHEMA_VERSION + 1);
    refuse_opening_after(*state, next, "a newer relyd has written it");
    free(next);
}

static void refuses_a_strangers_database(void **state)
{
    refuse_opening_after(*state, "PRAGMA application_id = 77", "another program's SQLite database");
}

static void refuses_an_unmarked_database_with_tables(void **state)
{
    refuse_opening_after(*state, "PRAGMA application_id = 0", "another program's SQLite database");
}

/* As if it were new, a table that is gone would be made again, empty. */
static void refuses_tables_without_a_version(void **state)
{
    refuse_opening_after(*state, "PRAGMA user_version = 0", "it has tables, and no schema version");
    refuse_opening_after(*state, "DROP TABLE credential", "it has tables, and no schema version");
}

static void refuses_a_file_that_is_no_database(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/notes.txt", fixture->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++)
        fputs("this is no database at all\n", file);
    fclose(file);
    struct rely_registry_options options = fixture->options;
    options.path = path;
    assert_null(rely_registry_open(&options, &err));
    assert_int_equal(err.code, RELY_ERR_DAMAGED);
    assert_non_null(strstr(err.message, "this is no relyd database, or its beginning is damaged"));
    unlink(path);
}

static void refuses_a_missing_folder(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    struct rely_registry_options options = fixture->options;
    options.path = "/nonexistent/relyd.db";
    assert_null(rely_registry_open(&options, &err));
    assert_int_equal(err.code, RELY_ERR_IO);
    assert_non_null(strstr(err.message, "No such file"));
}

static void opens_in_memory(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    struct rely_registry_options options = fixture->options;
    options.path = ":memory:";
    struct rely_registry *registry = rely_registry_open(&options, &err);
    assert_non_null(registry);
    rely_registry_close(registry);
}

static void takes_the_quota_from_the_options(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.credentials_per_identity = 2;
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "SELECT credentials_per_identity FROM setting"), 2);
    fixture->options.credentials_per_identity = 20;
    reopen_registry(fixture);
    assert_int_equal(count_rows(fixture, "SELECT credentials_per_identity FROM setting"), 20);
}

int run_open_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(opens_a_new_file_with_mode_0600),
        A_TEST(keeps_everything_over_a_reopening),
        A_TEST(refuses_a_second_relyd),
        A_TEST(hardens_its_connection),
        A_TEST(refuses_companions_that_are_no_files),
        A_TEST(refuses_a_newer_schema),
        A_TEST(refuses_a_strangers_database),
        A_TEST(refuses_an_unmarked_database_with_tables),
        A_TEST(refuses_tables_without_a_version),
        A_TEST(refuses_a_file_that_is_no_database),
        A_TEST(refuses_a_missing_folder),
        A_TEST(opens_in_memory),
        A_TEST(takes_the_quota_from_the_options),
    };
    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}

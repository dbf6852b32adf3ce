/*
 * Kept statements: compiled once, lent to one user at a time, and never left open behind a commit.
 */
#include "fixture.h"

#include "../../../src/store/sql.h"
#include <stdio.h>

/* A connection of its own, to a database in memory. */
static void open_memory(struct rely_sql *sql)
{
    *sql = (struct rely_sql){0};
    assert_int_equal(sqlite3_open(":memory:", &sql->db), SQLITE_OK);
}

static void lends_one_text_twice(void **state)
{
    (void)state;
    static const char text[] = "SELECT ?1";
    struct rely_sql sql;
    struct rely_err err = {0};
    open_memory(&sql);
    struct rely_stmt *first = rely_sql_prepare(&sql, text, &err);
    rely_sql_bind(first, "i", (int64_t)1);
    struct rely_stmt *second = rely_sql_prepare(&sql, text, &err);
    assert_ptr_not_equal(first, second);
    rely_sql_bind(second, "i", (int64_t)2);
    assert_int_equal(rely_sql_step(first, &err), RELY_SQL_ROW);
    assert_int_equal(rely_sql_step(second, &err), RELY_SQL_ROW);
    assert_int_equal(sqlite3_column_int64(first->raw, 0), 1);
    assert_int_equal(sqlite3_column_int64(second->raw, 0), 2);
    rely_sql_return_at(&second);
    assert_int_equal(sqlite3_column_int64(first->raw, 0), 1);
    rely_sql_return_at(&first);
    assert_int_equal(sql.kept_count, 2);
    rely_sql_close(&sql);
}

static void forgets_parameters_and_rows(void **state)
{
    (void)state;
    static const char text[] = "SELECT ?1";
    struct rely_sql sql;
    struct rely_err err = {0};
    open_memory(&sql);
    struct rely_stmt *stmt = rely_sql_prepare(&sql, text, &err), *before = stmt;
    rely_sql_bind(stmt, "t", RELY_LIT("somebody else's"));
    assert_int_equal(rely_sql_step(stmt, &err), RELY_SQL_ROW);
    rely_sql_return_at(&stmt);
    stmt = rely_sql_prepare(&sql, text, &err);
    assert_ptr_equal(stmt, before);
    assert_false(sqlite3_stmt_busy(stmt->raw));
    assert_int_equal(rely_sql_step(stmt, &err), RELY_SQL_ROW);
    assert_int_equal(sqlite3_column_type(stmt->raw, 0), SQLITE_NULL);
    rely_sql_return_at(&stmt);
    rely_sql_close(&sql);
}

/* One buffer, ever new texts: never an old statement for a new text, and no more of them than there is room for. */
static void keeps_no_more_than_its_limit(void **state)
{
    (void)state;
    char text[32];
    int64_t value = -1;
    struct rely_sql sql;
    struct rely_err err = {0};
    open_memory(&sql);
    for (int i = 0; i < RELY_SQL_KEPT_MAX + 10; i++) {
        snprintf(text, sizeof text, "SELECT %d", i);
        assert_true(rely_sql_integer(&sql, text, &value, &err));
        assert_int_equal(value, i);
    }
    assert_int_equal(sql.kept_count, RELY_SQL_KEPT_MAX);
    rely_sql_close(&sql);
}

static void survives_a_changed_schema(void **state)
{
    (void)state;
    static const char text[] = "SELECT count(*) FROM thing";
    int64_t value = -1;
    struct rely_sql sql;
    struct rely_err err = {0};
    open_memory(&sql);
    assert_true(rely_sql_exec(&sql, "CREATE TABLE thing (a)", &err));
    assert_true(rely_sql_integer(&sql, text, &value, &err));
    assert_true(
        rely_sql_exec(&sql, "DROP TABLE thing; CREATE TABLE thing (a, b); INSERT INTO thing VALUES (1, 2)", &err));
    assert_true(rely_sql_integer(&sql, text, &value, &err));
    assert_int_equal(value, 1);
    assert_true(rely_sql_exec(&sql, "DROP TABLE thing", &err));
    assert_false(rely_sql_integer(&sql, text, &value, &err));
    assert_int_equal(err.code, RELY_ERR_IO);
    rely_sql_close(&sql);
}

/* A statement left at a row would be a reader: the log could not be emptied, and would grow for ever. */
static void leaves_no_reader_behind(void **state)
{
    struct fixture *fixture = *state;
    struct rely_object_page page = {.limit = 1};
    const struct rely_object_path path = identity_path(NULL);
    make_issuer_and_identity(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"web2\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web3\"}");
    assert_true(rely_registry_list(fixture->registry, &path, &page, &fixture->err));
    assert_true(page.has_more);
    rely_json_free(page.array);
    assert_false(try_create(fixture, identity_path(NULL), "{\"name\":\"web2\"}"));
    assert_refused(fixture, RELY_ERR_CONFLICT, "already_exists");
    must_replace(fixture, identity_path("web3"), "{\"groups\":[\"a\"]}");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity"), 3);
    int left = -1;
    assert_int_equal(sqlite3_wal_checkpoint_v2(fixture->other, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, NULL),
                     SQLITE_OK);
    assert_int_equal(left, 0);
}

int run_sql_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lends_one_text_twice),
        cmocka_unit_test(forgets_parameters_and_rows),
        cmocka_unit_test(keeps_no_more_than_its_limit),
        cmocka_unit_test(survives_a_changed_schema),
        A_TEST(leaves_no_reader_behind),
    };
    return cmocka_run_group_tests_name("kept statements", tests, NULL, NULL);
}

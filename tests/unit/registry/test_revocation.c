/*
 * Revocations: what each must say, what it names, when it ends if nobody says, and that it is deleted then.
 */
#include "fixture.h"
#include "relyd/limits.h"
#include "relyd/text.h"
#include "relyd/tombstones.h"
#include <stdlib.h>

static const struct rely_object_path collection = {.object = RELY_OBJECT_REVOCATION};

static struct rely_slice last_id(const struct fixture *fixture)
{
    return rely_json_text(rely_json_get(fixture->result.object, "id"));
}

#define NOW 1700000000 /* of the fixture's writer */

/* A time so many seconds behind the writer's now. */
static const char *time_behind(int64_t seconds)
{
    static char text[RELY_TIME_SIZE];
    rely_time_print(NOW + seconds, text);
    return text;
}

static void shows_what_was_given(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, collection,
                "{\"podUid\":\"u-1\",\"issuerName\":\"cluster\",\"issuedBefore\":\"2026-11-30T10:00:00.9+01:00\","
                "\"reason\":\"INC-1\",\"until\":\"2999-01-01T00:00:00Z\"}");
    assert_member(fixture, "podUid", "u-1");
    assert_member(fixture, "issuerName", "cluster");
    assert_member(fixture, "issuedBefore", "2026-11-30T09:00:00Z");
    assert_member(fixture, "until", "2999-01-01T00:00:00Z");
    assert_member(fixture, "reason", "INC-1");
    assert_null(rely_json_get(fixture->result.object, "jti"));
    assert_null(rely_json_get(fixture->result.object, "token"));
    assert_int_equal(last_id(fixture).len, 36);
    assert_int_equal(fixture->result.changes.count, 1);
}

static void refuses_bad_revocations(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    static const char *const selectors[] = {"jti",     "subject", "serviceAccountUid", "podUid", "secretUid",
                                            "nodeUid", "kid",     "identity"};
    static const char *const cases[][3] = {
        {"{\"reason\":\"r\"}", "jti", "exactly_one"},
        {"{\"reason\":\"r\",\"issuedBefore\":\"2026-01-01T00:00:00Z\"}", "jti", "exactly_one"},
        {"{\"jti\":\"a\"}", "reason", "required"},
        {"{\"jti\":\"a\",\"reason\":\"\"}", "reason", "too_short"},
        {"{\"jti\":\"\",\"reason\":\"r\"}", "jti", "too_short"},
        {"{\"jti\":5,\"reason\":\"r\"}", "jti", "wrong_type"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"id\":\"abc\"}", "id", "read_only"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"token\":\"a.b.c\"}", "token", "not_allowed"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"until\":\"tomorrow\"}", "until", "invalid_value"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"until\":\"2001-09-09T01:46:40Z\"}", "until", "out_of_range"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"until\":\"2023-11-14T22:13:20Z\"}", "until", "out_of_range"}, /* now */
        {"{\"jti\":\"a\",\"reason\":\"r\",\"issuedBefore\":null}", "issuedBefore", "wrong_type"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"issuerName\":\"unknown\"}", "issuerName", "not_registered"},
        {"{\"issuerName\":\"unknown\",\"reason\":\"r\"}", "issuerName", "not_registered"},
        {"{\"identity\":\"unknown\",\"reason\":\"r\"}", "identity", "not_registered"},
        {"{\"jti\":\"a\",\"reason\":\"r\",\"name\":\"abc\"}", "name", "unknown_field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse_create(fixture, collection, cases[i][0], cases[i][1], cases[i][2]);
    for (size_t i = 1; i < sizeof selectors / sizeof selectors[0]; i++) {
        char *body = format_body("{\"jti\":\"a\",\"%s\":\"web\",\"reason\":\"r\"}", selectors[i]);
        refuse_create(fixture, collection, body, selectors[i], "exactly_one");
        free(body);
    }
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM revocation"), 0);
}

/* The schema says the same to a hand with sqlite3. */
static void sql_wants_exactly_one(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *columns, *values;
        bool is_good;
    } rows[] = {{"jti", "'a'", true},
                {"issuer_name", "'a'", true},
                {"jti, issuer_name", "'a', 'a'", true},
                {"jti, kid", "'a', 'a'", false},
                {"subject, node_uid, issuer_name", "'a', 'a', 'a'", false},
                {"issued_before", "5", false},
                {"jti, until_at", "'a', 0", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *sql = format_body("INSERT INTO revocation (name, reason, created_at, updated_at, %s)"
                                " VALUES ('row-%zu', 'r', 1, 1, %s)",
                                rows[i].columns, i, rows[i].values);
        assert_int_equal(run_sql(fixture, sql) == SQLITE_OK, rows[i].is_good);
        free(sql);
    }
}

static void visit_nothing(const union rely_any_record *record, void *context)
{
    (void)record;
    (void)context;
}

/* A hand that has SQL take it all the same has not revoked anything: one of its marks would hit, and all be shown. */
static void two_marks_in_a_row_are_damage(void **state)
{
    static const struct {
        const char *columns, *values;
        bool is_good;
    } rows[] = {{"jti, issuer_name", "'a', 'a'", true},
                {"issuer_name", "'a'", true},
                {"jti, subject", "'a', 'a'", false},
                {"kid, identity, issuer_name", "'a', 'a', 'a'", false},
                {"issued_before", "5", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rely_err err = {0};
        assert_int_equal(drop_fixture(state), 0);
        assert_int_equal(make_fixture(state), 0);
        struct fixture *fixture = *state;
        char *sql = format_body("PRAGMA ignore_check_constraints = ON;"
                                " INSERT INTO revocation (name, reason, created_at, updated_at, %s)"
                                " VALUES ('row', 'r', 1, 1, %s)",
                                rows[i].columns, rows[i].values);
        assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
        free(sql);
        bool is_read = rely_registry_each(fixture->registry, RELY_OBJECT_REVOCATION, visit_nothing, NULL, &err);
        assert_int_equal(is_read, rows[i].is_good);
        assert_int_equal(err.code, rows[i].is_good ? 0 : RELY_ERR_DAMAGED);
    }
}

/* A token of now may be accepted for as long as it may live, from an `iat` ahead by the leeway until as much behind. */
static void ends_with_the_last_token_of_now(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, collection, "{\"issuerName\":\"cluster\",\"reason\":\"no limit\"}");
    assert_null(rely_json_get(fixture->result.object, "until"));
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"limited\",\"issuer\":\"https://limited.example\",\"maxTokenLifetimeSeconds\":1000,"
                "\"leewaySeconds\":30}");
    must_create(fixture, collection, "{\"issuerName\":\"limited\",\"subject\":\"s\",\"reason\":\"r\"}");
    assert_member(fixture, "until", time_behind(1060));
    must_create(fixture, collection, "{\"issuerName\":\"limited\",\"subject\":\"s\",\"reason\":\"r\",\"until\":null}");
    assert_null(rely_json_get(fixture->result.object, "until"));
    must_create(fixture, collection,
                "{\"issuerName\":\"limited\",\"subject\":\"s\",\"reason\":\"r\",\"until\":\"2999-01-01T00:00:00Z\"}");
    assert_member(fixture, "until", "2999-01-01T00:00:00Z");
}

/* A record that is made anew under its name, and an identity, are hit as before. */
static void outlives_what_it_names(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, collection, "{\"issuerName\":\"cluster\",\"reason\":\"r\"}");
    must_create(fixture, collection, "{\"identity\":\"web\",\"reason\":\"r\"}");
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, false));
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM revocation WHERE issuer_name = 'cluster'"), 1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM revocation WHERE identity = 'web'"), 1);
}

static size_t sweep_at(struct fixture *fixture, int64_t now_s, struct rely_changes *changes)
{
    size_t count = 77;
    assert_true(rely_registry_sweep(fixture->registry, now_s, changes, &count, &fixture->err));
    return count;
}

static void what_is_over_is_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct rely_changes changes = {0};
    for (int i = 0; i < 3; i++) {
        char *body = format_body("{\"jti\":\"j-%d\",\"reason\":\"r\",\"until\":\"%s\"}", i, time_behind(10 + i));
        must_create(fixture, collection, body);
        free(body);
    }
    must_create(fixture, collection, "{\"jti\":\"for-ever\",\"reason\":\"r\"}");
    uint64_t revision = rely_registry_revision(fixture->registry);
    assert_int_equal(sweep_at(fixture, NOW + 9, &changes), 0);
    assert_int_equal(changes.count, 0);
    assert_int_equal(sweep_at(fixture, NOW + 11, &changes), 2);
    assert_int_equal(changes.count, 2);
    assert_int_equal(changes.revision, revision + 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(changes.items[i].object == RELY_OBJECT_REVOCATION && changes.items[i].record == NULL);
    assert_int_equal(count_rows(fixture,
                                "SELECT count(*) FROM change_log WHERE actor = 'sweep' AND operation = 'delete'"
                                " AND object = 'revocation' AND before LIKE '%\"jti\":\"j-%' AND after IS NULL"),
                     2);
    assert_int_equal(sweep_at(fixture, 1900000000, &changes), 1);
    assert_int_equal(sweep_at(fixture, 1900000000, &changes), 0);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM revocation WHERE jti = 'for-ever'"), 1);
    rely_changes_fini(&changes);
}

/* Many that end at once do not hold up the writers behind them. */
static void so_many_go_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct rely_changes changes = {0};
    assert_int_equal(run_sql(fixture, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 201)"
                                      " INSERT INTO revocation (name, jti, reason, until_at, created_at, updated_at)"
                                      " SELECT 'row-' || i, 'j', 'r', 5, 1, 1 FROM n"),
                     SQLITE_OK);
    assert_int_equal(sweep_at(fixture, 6, &changes), RELY_SWEPT_AT_ONCE);
    assert_int_equal(sweep_at(fixture, 6, &changes), 1);
    assert_int_equal(changes.count, 201);
    rely_changes_fini(&changes);
}

/* The limit is written down in SQL; that there may be a million is for the long tests to see. */
static void rows_are_counted_when_there_may_be_so_many(void **state)
{
    struct fixture *fixture = *state;
    char *sql = format_body("SELECT count(*) FROM sqlite_schema WHERE name = 'revocation_quota'"
                            " AND sql LIKE '%%max(id) FROM revocation) >= %d %%count(*) FROM revocation) >= %d %%'",
                            RELY_REVOCATIONS_MAX, RELY_REVOCATIONS_MAX);
    assert_int_equal(count_rows(fixture, sql), 1);
    free(sql);
    assert_int_equal(run_sql(fixture, "INSERT INTO revocation (id, name, jti, reason, created_at, updated_at)"
                                      " VALUES (1000000, 'row-1', 'j', 'r', 1, 1)"),
                     SQLITE_OK);
    must_create(fixture, collection, "{\"jti\":\"more\",\"reason\":\"r\"}");
    assert_int_equal(run_sql(fixture, "CREATE TRIGGER full BEFORE INSERT ON revocation"
                                      " BEGIN SELECT RAISE(ABORT, 'too_many_revocations'); END"),
                     SQLITE_OK);
    assert_false(try_create(fixture, collection, "{\"jti\":\"last\",\"reason\":\"r\"}"));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_revocations");
}

/* In: count - of one and the same uid. */
static bool bury_so_many(struct fixture *fixture, size_t count, struct rely_write_result *result, struct rely_err *err)
{
    static const struct rely_writer writer = {.actor = {"cluster:cluster", 15}, .now_s = NOW};
    struct rely_tombstone stones[8];
    for (size_t i = 0; i < count; i++)
        stones[i] = (struct rely_tombstone){"podUid", RELY_LIT("u")};
    const struct rely_burial burial = {
        .issuer_name = RELY_LIT("cluster"), .writer = &writer, .stones = stones, .count = count};
    return rely_registry_bury(fixture->registry, &burial, result, err);
}

/* What is over, of another record, or no tombstone counts for none; and a report that is too long is none at all. */
static void one_cluster_has_so_many_tombstones(void **state)
{
    struct fixture *fixture = *state;
    struct rely_write_result result = {.is_created = false};
    struct rely_err err = {0};
    make_issuer_and_identity(fixture);
    char *sql = format_body("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                            " INSERT INTO revocation (name, pod_uid, issuer_name, reason, created_at, updated_at)"
                            " SELECT 'row-' || i, i, 'cluster', 'r', 1, 1 FROM n",
                            RELY_TOMBSTONES_MAX - 2);
    assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
    free(sql);
    assert_int_equal(
        run_sql(fixture,
                "INSERT INTO revocation (name, pod_uid, issuer_name, jti, reason, until_at, created_at, updated_at)"
                " VALUES ('over', 'u', 'cluster', NULL, 'r', 5, 1, 1),"
                " ('other', 'u', 'another', NULL, 'r', NULL, 1, 1),"
                " ('jti', NULL, 'cluster', 'j', 'r', NULL, 1, 1)"),
        SQLITE_OK);
    assert_false(bury_so_many(fixture, 3, &result, &err));
    assert_int_equal(err.code, RELY_ERR_LIMIT);
    assert_string_equal(result.code, "too_many_revocations");
    assert_int_equal(result.changes.count, 0);
    assert_true(bury_so_many(fixture, 2, &result, &err));
    assert_int_equal(result.changes.count, 2);
    assert_false(bury_so_many(fixture, 1, &result, &err));
    rely_write_result_fini(&result);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE actor = 'cluster:cluster'"), 2);
}

int run_revocation_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(shows_what_was_given),
        A_TEST(refuses_bad_revocations),
        A_TEST(sql_wants_exactly_one),
        A_TEST(ends_with_the_last_token_of_now),
        A_TEST(outlives_what_it_names),
        A_TEST(what_is_over_is_deleted),
        A_TEST(so_many_go_at_once),
        A_TEST(rows_are_counted_when_there_may_be_so_many),
        A_TEST(one_cluster_has_so_many_tombstones),
        A_TEST(two_marks_in_a_row_are_damage),
    };
    return cmocka_run_group_tests_name("revocations", tests, NULL, NULL);
}

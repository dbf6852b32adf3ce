/*
 * Groups of issuers: which records are in them, one by one and as a whole, what that is in the change log, credentials
 * for them, and that an administrator is left.
 */
#include "fixture.h"
#include "relyd/snapshot.h"
#include <stdio.h>
#include <stdlib.h>

#define RULE "\"subject\":\"s\",\"audiences\":[\"a\"]"

static void must_change(struct fixture *fixture, const char *group, const char *issuer, bool is_join)
{
    if (!try_member(fixture, group, issuer, is_join))
        fail_msg("%s/%s: %s", group, issuer, fixture->err.message);
}

static void make_issuer(struct fixture *fixture, const char *name)
{
    char *body = format_body("{\"name\":\"%s\",\"issuer\":\"https://%s.example\"}", name, name);
    must_create(fixture, issuer_path(NULL), body);
    free(body);
}

static void make_group(struct fixture *fixture)
{
    make_issuer(fixture, "one");
    make_issuer(fixture, "two");
    make_issuer(fixture, "three");
    must_create(fixture, group_path(NULL), "{\"name\":\"prod\",\"issuers\":[\"two\",\"one\"]}");
}

static void assert_shows(struct fixture *fixture, struct rely_object_path path, const char *part)
{
    char *shown = read_object(fixture, path);
    if (strstr(shown, part) == NULL)
        fail_msg("%s is not in %s", part, shown);
    free(shown);
}

static void assert_log(struct fixture *fixture, const char *where, int64_t count)
{
    char *sql = format_body("SELECT count(*) FROM change_log WHERE %s", where);
    assert_int_equal(count_rows(fixture, sql), count);
    free(sql);
}

/* --- the group -------------------------------------------------------------------------------------------------- */

static void shows_both_sides(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    assert_member(fixture, "issuers", "[\"one\",\"two\"]");
    assert_shows(fixture, issuer_path("one"), "\"issuerGroups\":[\"prod\"]");
    assert_shows(fixture, issuer_path("three"), "\"issuerGroups\":[]");
    must_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"one\"],\"description\":\"of all\"}");
    assert_shows(fixture, issuer_path("one"), "\"issuerGroups\":[\"all\",\"prod\"]");
    reopen_registry(fixture);
    assert_shows(fixture, group_path("all"), "{\"name\":\"all\",\"issuers\":[\"one\"],\"description\":\"of all\",");
    assert_log(fixture, "object = 'issuerGroup' AND operation = 'create' AND after NOT LIKE '%issuers%'", 2);
    assert_log(fixture, "object = 'issuerGroupMember' AND operation = 'create'", 3);
    assert_log(fixture, "name = 'prod/two' AND before IS NULL AND after LIKE '{\"name\":\"two\",\"createdAt\":%'", 1);
    assert_log(fixture, "object = 'issuer' AND after LIKE '%issuerGroups%'", 0);
}

static void refuses_bad_groups(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    static const char *const cases[][3] = {
        {"\"issuers\":[\"one\",\"nobody\"]", "issuers[1]", "not_registered"},
        {"\"issuers\":[\"one\",\"two\",\"one\"]", "issuers[2]", "duplicate"},
        {"\"issuers\":\"one\"", "issuers", "wrong_type"},
        {"\"issuers\":[1]", "issuers[0]", "wrong_type"},
        {"\"issuers\":[\"ab\"]", "issuers[0]", "too_short"},
        {"\"issuers\":null", "issuers", "wrong_type"},
        {"\"issuer\":\"one\"", "issuer", "unknown_field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"name\":\"more\",%s}", cases[i][0]);
        refuse_create(fixture, group_path(NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

/* What GET shows may be put back, and says nothing else. */
static void takes_its_groups_back_and_no_others(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    char *shown = read_object(fixture, issuer_path("one"));
    must_replace(fixture, issuer_path("one"), shown);
    free(shown);
    static const char *const others[] = {"[]", "[\"all\"]", "[\"prod\",\"all\"]", "null", "\"prod\"", "[1]"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char *body = format_body("{\"issuer\":\"https://one.example\",\"issuerGroups\":%s}", others[i]);
        refuse_replace(fixture, issuer_path("one"), body, "issuerGroups", "read_only");
        free(body);
    }
    refuse_create(fixture, issuer_path(NULL), "{\"name\":\"new\",\"issuer\":\"https://n.example\",\"issuerGroups\":[]}",
                  "issuerGroups", "read_only");
    must_replace(fixture, issuer_path("one"), "{\"issuer\":\"https://one.example\",\"enabled\":false}");
    assert_member(fixture, "issuerGroups", "[\"prod\"]");
}

static void changes_many_with_a_row_each(void **state)
{
    struct fixture *fixture = *state;
    char etag[32];
    make_group(fixture);
    snprintf(etag, sizeof etag, "%s", fixture->result.etag);
    must_replace(fixture, group_path("prod"), "{\"issuers\":[\"one\",\"two\"]}"); /* as it was, in whatever order */
    assert_string_equal(fixture->result.etag, etag);
    assert_int_equal(fixture->result.changes.count, 0);
    must_replace(fixture, group_path("prod"), "{\"issuers\":[\"three\",\"one\"]}");
    assert_member(fixture, "issuers", "[\"one\",\"three\"]");
    assert_string_not_equal(fixture->result.etag, etag);
    assert_log(fixture, "object = 'issuerGroup' AND operation = 'replace'", 0);
    assert_log(fixture, "name = 'prod/two' AND operation = 'delete' AND after IS NULL", 1);
    assert_log(fixture, "name = 'prod/three' AND operation = 'create'", 1);
    assert_log(fixture, "name = 'prod/one'", 1);
    assert_false(try_replace(fixture, group_path("prod"), "{\"issuers\":[]}", etag));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    must_replace(fixture, group_path("prod"), "{\"description\":\"none\"}");
    assert_member(fixture, "issuers", "[]");
    assert_log(fixture, "object = 'issuerGroup' AND operation = 'replace'", 1);
    assert_log(fixture, "object = 'issuerGroupMember' AND operation = 'delete'", 3);
    assert_int_equal(count_rows(fixture, "SELECT revision = (SELECT max(revision) FROM change_log) FROM issuer_group"),
                     1);
}

/* --- one by one -------------------------------------------------------------------------------------------------- */

static void joins_and_leaves(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    int64_t rows = count_rows(fixture, "SELECT count(*) FROM change_log");
    must_change(fixture, "prod", "one", true);
    must_change(fixture, "prod", "three", false);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log"), rows);
    must_change(fixture, "prod", "three", true);
    assert_int_equal(fixture->result.changes.count, 1);
    assert_shows(fixture, group_path("prod"), "[\"one\",\"three\",\"two\"]");
    must_change(fixture, "prod", "one", false);
    assert_null(fixture->result.changes.items[0].record);
    assert_shows(fixture, group_path("prod"), "[\"three\",\"two\"]");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log"), rows + 2);
    must_change(fixture, "prod", "nobody", false); /* it is not in it, whoever it is */
    assert_false(try_member(fixture, "prod", "nobody", true));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
    assert_false(try_member(fixture, "none", "one", true));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
    assert_false(try_member(fixture, "none", "one", false));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
    fixture->as.if_match = RELY_LIT("\"1\"");
    assert_false(try_member(fixture, "prod", "one", true));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    fixture->as.if_match = (struct rely_slice){0};
    fixture->as.is_owner_only = true;
    fixture->as.identity = RELY_LIT("web");
    assert_false(try_member(fixture, "prod", "one", true));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
}

static void holds_the_limits(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    for (int i = 1; i < RELY_GROUPS_PER_ISSUER_MAX; i++) {
        char *body = format_body("{\"name\":\"more%d\",\"issuers\":[\"one\"]}", i);
        must_create(fixture, group_path(NULL), body);
        free(body);
    }
    must_create(fixture, group_path(NULL), "{\"name\":\"last\",\"issuers\":[\"two\"]}");
    assert_false(try_member(fixture, "last", "one", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_groups");
    assert_false(try_replace(fixture, group_path("last"), "{\"issuers\":[\"one\",\"two\"]}", NULL));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_groups");
    assert_shows(fixture, group_path("last"), "[\"two\"]");
    assert_int_equal(run_sql(fixture, "INSERT INTO issuer_group_member SELECT 999, g.id, 'one', i.id, 0, 0, 0 FROM"
                                      " issuer_group g, issuer i WHERE g.name = 'last' AND i.name = 'one'"),
                     SQLITE_CONSTRAINT_TRIGGER);
    fill_table(fixture, "WITH RECURSIVE n (i) AS (SELECT 17 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)"
                        " INSERT INTO issuer_group (name, description, created_at, updated_at, revision)"
                        " SELECT 'filled' || i, NULL, 0, 0, 0 FROM n");
    must_create(fixture, group_path(NULL), "{\"name\":\"tenthousandth\"}");
    assert_false(try_create(fixture, group_path(NULL), "{\"name\":\"onemore\"}"));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_objects");
}

/* Where one moves to another group as where it is written anew. */
static void holds_one_subject_in_a_group(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"test\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"aaa\",\"issuerGroup\":\"prod\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"bbb\",\"issuerGroup\":\"test\"," RULE "}");
    assert_false(try_replace(fixture, credential_path("web", "bbb"), "{\"issuerGroup\":\"prod\"," RULE "}", NULL));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
}

/* The group is said to be full, and not the registry. */
static void holds_so_many_records(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    make_issuer(fixture, "four");
    fill_table(fixture, "PRAGMA foreign_keys = OFF; WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n"
                        " WHERE i < 10996) INSERT INTO issuer_group_member SELECT i, g.id, 'filled' || i, i, 0, 0, 0"
                        " FROM issuer_group g, n; PRAGMA foreign_keys = ON");
    must_change(fixture, "prod", "three", true);
    assert_false(try_member(fixture, "prod", "four", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_objects");
    assert_non_null(strstr(fixture->err.message, "group prod has 10000 records"));
}

/* --- credentials -------------------------------------------------------------------------------------------------- */

static void binds_credentials_to_a_group(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"fleet\",\"issuerGroup\":\"prod\"," RULE "}");
    assert_member(fixture, "issuerGroup", "prod");
    assert_member(fixture, "issuer", "absent");
    assert_member(fixture, "issuerName", "absent");
    static const char *const cases[][3] = {
        {"\"issuerGroup\":\"none\"", "issuerGroup", "not_registered"},
        {"\"issuerGroup\":7", "issuerGroup", "wrong_type"},
        {"\"issuerGroup\":\"prod\",\"issuerName\":\"one\"", "issuerGroup", "exactly_one"},
        {"\"issuerGroup\":\"prod\",\"issuer\":\"https://one.example\"", "issuerGroup", "exactly_one"},
        {"\"description\":\"of nobody\"", "issuer", "required"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"name\":\"more\"," RULE ",%s}", cases[i][0]);
        refuse_create(fixture, credential_path("web", NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
    assert_false(
        try_create(fixture, credential_path("web", NULL), "{\"name\":\"more\",\"issuerGroup\":\"prod\"," RULE "}"));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"more\",\"issuerName\":\"one\"," RULE "}");
    assert_false(try_replace(fixture, credential_path("web", "more"), "{\"issuerGroup\":\"prod\"," RULE "}", NULL));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    must_replace(fixture, credential_path("web", "fleet"), "{\"issuerName\":\"two\"," RULE "}");
    assert_member(fixture, "issuerGroup", "absent");
    assert_int_equal(run_sql(fixture, "UPDATE credential SET group_id = 1"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE credential SET issuer_id = NULL"), SQLITE_CONSTRAINT_CHECK);
}

static void deletes_what_goes_with_it(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"fleet\",\"issuerGroup\":\"prod\"," RULE "}");
    assert_true(try_delete(fixture, issuer_path("one"), NULL, false));
    assert_int_equal(fixture->result.changes.count, 2);
    assert_shows(fixture, group_path("prod"), "\"issuers\":[\"two\"]");
    assert_log(fixture, "name = 'prod/one' AND operation = 'delete'", 1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer_group WHERE revision = (SELECT revision FROM"
                                         " change_log WHERE name = 'prod/one' AND operation = 'delete')"),
                     1);
    assert_false(try_delete(fixture, group_path("prod"), NULL, false));
    assert_refused(fixture, RELY_ERR_CONFLICT, "group_in_use");
    assert_true(try_delete(fixture, group_path("prod"), NULL, true));
    assert_int_equal(fixture->result.changes.count, 3);
    assert_log(fixture, "name = 'web/fleet' AND operation = 'delete' AND before LIKE '%\"issuerGroup\":\"prod\"%'", 1);
    assert_log(fixture, "name = 'prod/two' AND operation = 'delete'", 1);
    assert_log(fixture, "object = 'issuerGroup' AND name = 'prod' AND operation = 'delete'", 1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 0);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer_group_member"), 0);
    assert_shows(fixture, issuer_path("two"), "\"issuerGroups\":[]");
}

/* --- powers --------------------------------------------------------------------------------------------------------- */

static void refuse_last(struct fixture *fixture, bool is_done)
{
    assert_false(is_done);
    assert_refused(fixture, RELY_ERR_CONFLICT, "last_admin");
}

static void keeps_the_last_administrator(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"empty\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"ops\",\"roles\":[\"admin\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"second\",\"roles\":[\"admin\"]}");
    must_create(fixture, credential_path("ops", NULL), "{\"name\":\"fleet\",\"issuerGroup\":\"prod\"," RULE "}");
    must_create(fixture, credential_path("second", NULL), "{\"name\":\"fleet\",\"issuerGroup\":\"empty\"," RULE "}");
    fixture->as = (struct rely_writer){.may_end_admins = false};
    refuse_last(fixture, try_member(fixture, "prod", "one", false));
    refuse_last(fixture, try_replace(fixture, group_path("prod"), "{\"issuers\":[\"one\"]}", NULL));
    refuse_last(fixture, try_delete(fixture, group_path("prod"), NULL, true));
    refuse_last(fixture, try_delete(fixture, issuer_path("one"), NULL, true));
    refuse_last(fixture, try_delete(fixture, credential_path("ops", "fleet"), NULL, true));
    must_change(fixture, "prod", "three", true);
    must_change(fixture, "empty", "three", true); /* from now on the second one comes in, too */
    must_change(fixture, "prod", "one", false);
    must_change(fixture, "prod", "two", false);
    /* Both come in by this one record: each is free to go while the other is there, and both would go. */
    refuse_last(fixture, try_delete(fixture, issuer_path("three"), NULL, true));
    assert_shows(fixture, group_path("prod"), "\"issuers\":[\"three\"]");
    fixture->as = (struct rely_writer){.may_end_admins = true};
    assert_true(try_delete(fixture, issuer_path("three"), NULL, true));
}

static void keeps_others_subjects_from_an_owner(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"shares\",\"issuers\":[\"one\",\"three\"]}");
    must_create(fixture, group_path(NULL), "{\"name\":\"apart\",\"issuers\":[\"three\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"boss\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"mine\",\"owners\":[\"boss\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"third\"}");
    must_create(fixture, credential_path("other", NULL), "{\"name\":\"own\",\"issuerName\":\"two\"," RULE "}");
    must_create(fixture, credential_path("third", NULL),
                "{\"name\":\"own\",\"issuerGroup\":\"shares\",\"subject\":\"t\",\"audiences\":[\"a\"]}");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"twin\",\"issuer\":\"https://two.example\"}");
    must_create(fixture, group_path(NULL), "{\"name\":\"twins\",\"issuers\":[\"twin\"]}");
    static const struct {
        const char *scope, *subject;
        bool may;
    } cases[] = {
        {"\"issuerGroup\":\"prod\"", "s", false},   {"\"issuerGroup\":\"apart\"", "s", true},
        {"\"issuerGroup\":\"twins\"", "s", false},  {"\"issuerName\":\"two\"", "s", false},
        {"\"issuerGroup\":\"prod\"", "t", false},   {"\"issuerName\":\"one\"", "t", false},
        {"\"issuerGroup\":\"shares\"", "t", false}, {"\"issuerName\":\"two\"", "t", true},
        {"\"issuerGroup\":\"prod\"", "u", true},
    };
    fixture->as = (struct rely_writer){.identity = RELY_LIT("boss"), .is_owner_only = true};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{%s,\"subject\":\"%s\",\"audiences\":[\"a\"]}", cases[i].scope, cases[i].subject);
        bool is_done = try_replace(fixture, credential_path("mine", "rule"), body, NULL);
        if (is_done != cases[i].may)
            fail_msg("%s: %s", body, is_done ? "taken" : fixture->err.message);
        if (!is_done)
            assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        free(body);
    }
    assert_false(try_create(fixture, group_path(NULL), "{\"name\":\"bosses\"}"));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
}

int run_issuer_group_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_both_sides, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(refuses_bad_groups, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(takes_its_groups_back_and_no_others, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(changes_many_with_a_row_each, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(joins_and_leaves, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(holds_the_limits, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(binds_credentials_to_a_group, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(holds_one_subject_in_a_group, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(holds_so_many_records, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(deletes_what_goes_with_it, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(keeps_the_last_administrator, make_fixture, drop_fixture),
        cmocka_unit_test_setup_teardown(keeps_others_subjects_from_an_owner, make_fixture, drop_fixture),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}

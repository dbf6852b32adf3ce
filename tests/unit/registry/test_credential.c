/*
 * Federated credentials: which issuer they are bound to, uniqueness, the quota, and what goes with a deletion.
 */
#include "fixture.h"
#include <stdlib.h>

#define BODY(name, subject)                                                                                            \
    "{\"name\":\"" name "\",\"issuer\":\"https://issuer.example/a\",\"subject\":\"" subject "\",\"audiences\":[\"x\"]" \
    "}"

static void shows_entras_shape(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, credential_path("web", NULL), BODY("ci-main", "repo:a"));
    assert_member(fixture, "name", "ci-main");
    assert_member(fixture, "issuer", "https://issuer.example/a");
    assert_member(fixture, "issuerName", "cluster");
    assert_member(fixture, "subject", "repo:a");
    assert_member(fixture, "audiences", "[\"x\"]");
    assert_member(fixture, "description", "null");
    assert_int_equal(rely_json_text(rely_json_get(fixture->result.object, "id")).len, 36);
    char *shown = read_object(fixture, credential_path("web", "ci-main"));
    must_replace(fixture, credential_path("web", "ci-main"), shown);
    assert_int_equal(fixture->result.changes.count, 0);
    free(shown);
}

static void refuses_bad_credentials(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    const char *const cases[][3] = {
        {"\"issuer\":\"https://issuer.example/a\",\"audiences\":[\"x\"]", "subject", "required"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"\",\"audiences\":[\"x\"]", "subject", "too_short"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":null,\"audiences\":[\"x\"]", "subject", "wrong_type"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"a\\tb\",\"audiences\":[\"x\"]", "subject",
         "invalid_text"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\"", "audiences", "required"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":[]", "audiences", "too_few"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":\"x\"", "audiences", "wrong_type"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":[\"x\",\"\"]", "audiences[1]",
         "too_short"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":[\"x\",\"x\"]", "audiences[1]",
         "duplicate"},
        {"\"subject\":\"s\",\"audiences\":[\"x\"]", "issuer", "required"},
        {"\"issuer\":\"https://unknown.example\",\"subject\":\"s\",\"audiences\":[\"x\"]", "issuer", "not_registered"},
        {"\"issuerName\":\"unknown\",\"subject\":\"s\",\"audiences\":[\"x\"]", "issuerName", "not_registered"},
        {"\"issuerName\":\"cluster\",\"issuer\":\"https://issuer.example/A\",\"subject\":\"s\",\"audiences\":[\"x\"]",
         "issuer", "issuer_mismatch"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audience\":[],\"audiences\":[\"x\"]", "audience",
         "unknown_field"},
        {"\"issuer\":\"https://issuer.example/a\",\"subject\":\"s\",\"audiences\":[\"x\"],\"id\":\"x\"", "id",
         "read_only"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"name\":\"ci-main\",%s}", cases[i][0]);
        refuse_create(fixture, credential_path("web", NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

static void names_the_issuer_with_the_other_slash(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    refuse_create(fixture, credential_path("web", NULL),
                  "{\"name\":\"ci-main\",\"issuer\":\"https://issuer.example/a/\",\"subject\":\"s\",\"audiences\":["
                  "\"x\"]}",
                  "issuer", "not_registered");
    assert_non_null(strstr(fixture->result.problems.items[0].message, "without the trailing slash: cluster"));
}

static void needs_the_name_where_records_share_a_url(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"another\",\"issuer\":\"https://issuer.example/a\"}");
    refuse_create(fixture, credential_path("web", NULL), BODY("ci-main", "s"), "issuerName", "required");
    assert_non_null(strstr(fixture->result.problems.items[0].message, "another, cluster"));
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"ci-main\",\"issuerName\":\"another\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
    assert_member(fixture, "issuerName", "another");
    assert_member(fixture, "issuer", "https://issuer.example/a");
    /* The same subject of the other cluster is another credential. */
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"ci-other\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
}

static void lists_at_most_five_names(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (int i = 0; i < 4; i++) {
        char *body = format_body("{\"name\":\"extra-%d\",\"issuer\":\"https://issuer.example/a\"}", i);
        must_create(fixture, issuer_path(NULL), body);
        free(body);
    }
    refuse_create(fixture, credential_path("web", NULL), BODY("ci-main", "s"), "issuerName", "required");
    assert_string_equal(fixture->result.problems.items[0].message,
                        "several records have this issuer; issuerName must say which: cluster, extra-0, extra-1, "
                        "extra-2, extra-3");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"extra-4\",\"issuer\":\"https://issuer.example/a\"}");
    refuse_create(fixture, credential_path("web", NULL), BODY("ci-main", "s"), "issuerName", "required");
    assert_non_null(
        strstr(fixture->result.problems.items[0].message, "cluster, extra-0, extra-1, extra-2, extra-3, ..."));
}

static void keeps_issuer_and_subject_unique_within_an_identity(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    must_create(fixture, credential_path("web", NULL), BODY("first", "s"));
    must_create(fixture, credential_path("web", NULL), BODY("second", "S"));
    assert_false(try_create(fixture, credential_path("web", NULL), BODY("third", "s")));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    assert_non_null(strstr(fixture->err.message, "first"));
    assert_false(try_replace(fixture, credential_path("web", "second"), BODY("second", "s"), NULL));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"other\",\"issuer\":\"https://issuer.example/other\"}");
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"third\",\"issuerName\":\"other\",\"subject\":\"s\",\"audiences\":[\"a\"]}");
    assert_false(try_replace(fixture, credential_path("web", "third"), BODY("third", "s"), NULL)); /* moved */
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    must_replace(fixture, credential_path("web", "third"),
                 "{\"issuerName\":\"other\",\"subject\":\"t\",\"audiences\":[\"a\"]}");
    assert_false(try_create(fixture, credential_path("web", NULL), BODY("first", "t")));
    assert_refused(fixture, RELY_ERR_CONFLICT, "already_exists");
    must_create(fixture, credential_path("api", NULL), BODY("first", "s"));
}

static void needs_an_identity(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_false(try_create(fixture, credential_path("nobody", NULL), BODY("first", "s")));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
    assert_false(try_delete(fixture, credential_path("nobody", "first"), NULL, false));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
}

static void keeps_an_issuer_that_is_in_use(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, credential_path("web", NULL), BODY("first", "s"));
    must_create(fixture, credential_path("web", NULL), BODY("second", "t"));
    assert_false(try_delete(fixture, issuer_path("cluster"), NULL, false));
    assert_refused(fixture, RELY_ERR_CONFLICT, "issuer_in_use");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 2);
    assert_false(try_delete(fixture, issuer_path("cluster"), "\"ff\"", false)); /* what it is now is looked at first */
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, true));
    assert_int_equal(fixture->result.changes.count, 3);
    assert_int_equal(fixture->result.changes.items[0].object, RELY_OBJECT_CREDENTIAL);
    assert_true(fixture->result.changes.items[0].record == NULL);
    assert_int_equal(fixture->result.changes.items[2].object, RELY_OBJECT_ISSUER);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 0);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE operation = 'delete'"), 3);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE operation = 'delete'"
                                         " AND (name = 'web/first' OR name = 'web/second' OR name = 'cluster')"),
                     3);
}

static void deletes_an_identity_with_its_credentials(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    must_create(fixture, credential_path("web", NULL), BODY("first", "s"));
    must_create(fixture, credential_path("api", NULL), BODY("first", "s"));
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
    assert_int_equal(fixture->result.changes.count, 2);
    assert_int_equal(fixture->result.changes.items[1].object, RELY_OBJECT_IDENTITY);
    assert_int_equal(fixture->result.changes.revision, rely_registry_revision(fixture->registry));
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 1);
    assert_int_equal(
        count_rows(fixture, "SELECT count(*) FROM change_log WHERE name = 'web/first' AND operation = 'delete'"), 1);
    assert_false(try_delete(fixture, identity_path("web"), NULL, false));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
}

/* What was made stays made then, whoever writes it again. */
static void keeps_when_it_was_made(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    make_issuer_and_identity(fixture);
    RELY_JSON_OWNED struct rely_json *body = rely_json_parse(RELY_LIT("{\"groups\":[\"g\"]}"), &err);
    const struct rely_write write = {
        .path = identity_path("web"), .body = body, .writer = {.actor = RELY_LIT("uid:0"), .now_s = 1700000060}};
    rely_write_result_fini(&fixture->result);
    assert_true(rely_registry_replace(fixture->registry, &write, &fixture->result, &err));
    assert_member(fixture, "createdAt", "2023-11-14T22:13:20Z");
    assert_member(fixture, "updatedAt", "2023-11-14T22:14:20Z");
    assert_int_equal(count_rows(fixture, "SELECT created_at FROM identity"), 1700000000);
    assert_int_equal(count_rows(fixture, "SELECT updated_at FROM identity"), 1700000060);
}

static void stays_bound_when_its_issuer_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, credential_path("web", NULL), BODY("first", "s"));
    must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\",\"leewaySeconds\":5}");
    char *shown = read_object(fixture, credential_path("web", "first"));
    assert_non_null(strstr(shown, "\"issuerName\":\"cluster\""));
    free(shown);
}

int run_credential_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(shows_entras_shape),
        A_TEST(refuses_bad_credentials),
        A_TEST(names_the_issuer_with_the_other_slash),
        A_TEST(needs_the_name_where_records_share_a_url),
        A_TEST(lists_at_most_five_names),
        A_TEST(keeps_issuer_and_subject_unique_within_an_identity),
        A_TEST(needs_an_identity),
        A_TEST(keeps_an_issuer_that_is_in_use),
        A_TEST(deletes_an_identity_with_its_credentials),
        A_TEST(keeps_when_it_was_made),
        A_TEST(stays_bound_when_its_issuer_is_replaced),
    };
    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}

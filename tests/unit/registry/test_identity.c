/*
 * Identities: defaults, usernames, groups, extra, and what is refused.
 */
#include "fixture.h"
#include "relyd/snapshot.h"
#include <stdlib.h>

static void fills_in_the_defaults_of_an_identity(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    assert_member(fixture, "username", "web");
    assert_member(fixture, "usernameFrom", "absent");
    assert_member(fixture, "groups", "[]");
    assert_member(fixture, "extra", "{}");
    assert_member(fixture, "enabled", "true");
    assert_member(fixture, "description", "absent");
    assert_int_equal(rely_json_text(rely_json_get(fixture->result.object, "uid")).len, 36);
}

static void gives_every_identity_a_uid_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    char *first = rely_strdup_slice(rely_json_text(rely_json_get(fixture->result.object, "uid")));
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    struct rely_slice second = rely_json_text(rely_json_get(fixture->result.object, "uid"));
    assert_false(rely_slice_equal(second, rely_slice_of(first)));
    /* Row ids stand in caches: they are not given out twice either. */
    assert_int_equal(count_rows(fixture, "SELECT id FROM identity"), 2);
    free(first);
}

static void keeps_all_fields(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"web\",\"username\":\"Web \xf0\x9f\x98\x80\",\"groups\":[\"a\",\"b c\"],"
                "\"extra\":{\"example.com/team\":[\"x\",\"\"],\"example.com/z\":[\"y\"]},\"description\":\"d\","
                "\"enabled\":false}");
    assert_member(fixture, "username", "Web \xf0\x9f\x98\x80");
    assert_member(fixture, "groups", "[\"a\",\"b c\"]");
    assert_member(fixture, "extra", "{\"example.com/team\":[\"x\",\"\"],\"example.com/z\":[\"y\"]}");
    assert_member(fixture, "description", "d");
    assert_member(fixture, "enabled", "false");
}

static void takes_the_username_from_the_subject(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"usernameFrom\":\"subject\"}");
    assert_member(fixture, "usernameFrom", "subject");
    assert_member(fixture, "username", "absent");
}

static void refuses_bad_identities(void **state)
{
    struct fixture *fixture = *state;
    const char *const cases[][3] = {
        {"\"username\":\"\"", "username", "too_short"},
        {"\"username\":null", "username", "wrong_type"},
        {"\"username\":\"a\\nb\"", "username", "invalid_text"},
        {"\"username\":\"system:admin\"", "username", "not_allowed"},
        {"\"usernameFrom\":\"email\"", "usernameFrom", "invalid_value"},
        {"\"usernameFrom\":\"subject\",\"username\":\"x\"", "username", "not_allowed"},
        {"\"groups\":[\"system:masters\"]", "groups[0]", "not_allowed"},
        {"\"groups\":[\"a\",\"\"]", "groups[1]", "too_short"},
        {"\"groups\":[\"a\",\"a\"]", "groups[1]", "duplicate"},
        {"\"groups\":[null]", "groups[0]", "wrong_type"},
        {"\"groups\":\"a\"", "groups", "wrong_type"},
        {"\"groups\":[\"a\\u0085b\"]", "groups[0]", "invalid_text"},
        {"\"extra\":[]", "extra", "wrong_type"},
        {"\"extra\":{\"team\":[\"x\"]}", "extra.team", "invalid_name"},
        {"\"extra\":{\"example.com/Team\":[\"x\"]}", "extra.example.com/Team", "invalid_name"},
        {"\"extra\":{\"example.com/\":[\"x\"]}", "extra.example.com/", "invalid_name"},
        {"\"extra\":{\"/team\":[\"x\"]}", "extra./team", "invalid_name"},
        {"\"extra\":{\"example/team.x\":[\"x\"]}", "extra.example/team.x", "invalid_name"},
        {"\"extra\":{\"example.com/a\":\"x\"}", "extra.example.com/a", "wrong_type"},
        {"\"extra\":{\"example.com/a\":[]}", "extra.example.com/a", "too_few"},
        {"\"extra\":{\"example.com/a\":[7]}", "extra.example.com/a[0]", "wrong_type"},
        {"\"extra\":{\"authentication.kubernetes.io/pod-name\":[\"x\"]}", "extra.authentication.kubernetes.io/pod-name",
         "not_allowed"},
        {"\"extra\":{\"k8s.io/x\":[\"x\"]}", "extra.k8s.io/x", "not_allowed"},
        {"\"extra\":{\"K8s.IO/x\":[\"x\"]}", "extra.K8s.IO/x", "not_allowed"},
        {"\"extra\":{\"relyd.io/issuer\":[\"x\"]}", "extra.relyd.io/issuer", "not_allowed"}, /* fault B21 */
        {"\"extra\":{\"relyd.io/other\":[\"x\"]}", "extra.relyd.io/other", "not_allowed"},
        {"\"extra\":{\"a.b.relyd.io/x\":[\"x\"]}", "extra.a.b.relyd.io/x", "not_allowed"},
        {"\"extra\":{\"Relyd.Io/Issuer\":[\"x\"]}", "extra.Relyd.Io/Issuer", "not_allowed"},
        {"\"extra\":{\"relyd.io./issuer\":[\"x\"]}", "extra.relyd.io./issuer", "not_allowed"},
        {"\"extra\":{\"relyd.io\":[\"x\"]}", "extra.relyd.io", "not_allowed"},
        {"\"uid\":\"6ba7b810-9dad-41d1-80b4-00c04fd430c8\"", "uid", "read_only"},
        {"\"Groups\":[]", "Groups", "unknown_field"},
        {"\"enabled\":null", "enabled", "wrong_type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"name\":\"web\",%s}", cases[i][0]);
        refuse_create(fixture, identity_path(NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

static void allows_system_names_only_by_configuration(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.may_use_system_names = true;
    reopen_registry(fixture);
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"web\",\"username\":\"system:serviceaccount:a:b\",\"groups\":[\"system:masters\"],"
                "\"extra\":{\"authentication.kubernetes.io/x\":[\"y\"]}}");
    assert_member(fixture, "groups", "[\"system:masters\"]");
    refuse_create(fixture, identity_path(NULL), "{\"name\":\"own\",\"extra\":{\"relyd.io/issuer\":[\"x\"]}}",
                  "extra.relyd.io/issuer", "not_allowed");
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"like\",\"extra\":{\"notrelyd.io/x\":[\"x\"],\"relyd.io.example.com/x\":[\"x\"]}}");
}

static void note_extra(const union rely_any_record *record, void *context)
{
    struct rely_identity *row = rely_identity_of_record(&record->identity);
    *(size_t *)context = row->extra_count;
    for (size_t i = 0; i < row->extra_count; i++)
        assert_memory_equal(row->extra[i].key.ptr, "example.com/team", 16);
    free(row);
}

/* Fault B21: relyd 0.1 took them; given out beside relyd's own they would be there twice. */
static void test_b21_leaves_stored_keys_of_relyds_own_out_of_editions(void **state)
{
    struct fixture *fixture = *state;
    size_t count = 0;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"extra\":{\"example.com/team\":[\"x\",\"y\"]}}");
    assert_int_equal(run_sql(fixture,
                             "UPDATE identity SET extra = 'relyd.io/issuer' || char(9) || 'x' || char(10) || extra"
                             " || 'a.relyd.io/b' || char(9) || 'z' || char(10)"),
                     SQLITE_OK);
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_IDENTITY, note_extra, &count, &fixture->err));
    assert_int_equal(count, 1);
    char *shown = read_object(fixture, identity_path("web"));
    assert_non_null(strstr(shown, "\"relyd.io/issuer\":[\"x\"]"));
    free(shown);
}

static void lets_a_shown_identity_be_put_back(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"web\",\"groups\":[\"a\"],\"extra\":{\"example.com/a\":[\"x\"]}}");
    char *shown = read_object(fixture, identity_path("web"));
    must_replace(fixture, identity_path("web"), shown);
    assert_int_equal(fixture->result.changes.count, 0);
    refuse_replace(fixture, identity_path("web"), "{\"uid\":\"6ba7b810-9dad-41d1-80b4-00c04fd430c8\"}", "uid",
                   "read_only");
    /* What is left out goes back to its default. */
    must_replace(fixture, identity_path("web"), "{}");
    assert_member(fixture, "groups", "[]");
    assert_int_equal(fixture->result.changes.count, 1);
    free(shown);
}

static void puts_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}");
    assert_true(fixture->result.is_created);
    assert_member(fixture, "name", "web");
    refuse_replace(fixture, identity_path("a"), "{}", "name", "too_short");
    refuse_replace(fixture, identity_path("-ab"), "{}", "name", "invalid_name");
    refuse_replace(fixture, identity_path("a/b"), "{}", "name", "invalid_name");
}

static void refuses_a_name_twice(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    assert_false(try_create(fixture, identity_path(NULL), "{\"name\":\"web\"}"));
    assert_refused(fixture, RELY_ERR_CONFLICT, "already_exists");
    must_create(fixture, identity_path(NULL), "{\"name\":\"Web\"}");
}

int run_identity_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(fills_in_the_defaults_of_an_identity),
        A_TEST(gives_every_identity_a_uid_of_its_own),
        A_TEST(keeps_all_fields),
        A_TEST(takes_the_username_from_the_subject),
        A_TEST(refuses_bad_identities),
        A_TEST(allows_system_names_only_by_configuration),
        A_TEST(test_b21_leaves_stored_keys_of_relyds_own_out_of_editions),
        A_TEST(lets_a_shown_identity_be_put_back),
        A_TEST(puts_what_is_not_there),
        A_TEST(refuses_a_name_twice),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}

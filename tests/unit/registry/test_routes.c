/*
 * Routes beside what they name: a name must be somebody's when a route is written, and whoever is named stays.
 */
#include "fixture.h"
#include <stdlib.h>

#define BODY "{\"audiences\":[\"a\"]"

static struct rely_object_path route_path(const char *name)
{
    return (struct rely_object_path){.object = RELY_OBJECT_ROUTE, .name = rely_slice_of(name)};
}

static void make_named(struct fixture *fixture)
{
    make_issuer_and_identity(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"envoy\"}");
    must_create(fixture, group_path(NULL), "{\"name\":\"prod\",\"issuers\":[\"cluster\"]}");
}

static void takes_only_who_is_there(void **state)
{
    struct fixture *fixture = *state;
    make_named(fixture);
    /* Each list looks among its own kind alone. */
    static const char *const cases[][3] = {
        {"\"identities\":[\"nobody\"]", "identities[0]", "not_registered"},
        {"\"identities\":[\"web\",\"cluster\"]", "identities[1]", "not_registered"},
        {"\"issuers\":[\"cluster\",\"nobody\"]", "issuers[1]", "not_registered"},
        {"\"issuers\":[\"prod\"]", "issuers[0]", "not_registered"},
        {"\"issuerGroups\":[\"cluster\"]", "issuerGroups[0]", "not_registered"},
        {"\"issuerGroups\":[\"prod\",\"web\"]", "issuerGroups[1]", "not_registered"},
        {"\"callers\":[\"web\",\"envoy\",\"nobody\"]", "callers[2]", "not_registered"},
        {"\"callers\":[\"prod\"]", "callers[0]", "not_registered"},
        {"\"callers\":[\"web\",7]", "callers[1]", "wrong_type"}, /* of which nobody is looked for */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body(BODY ",%s}", cases[i][0]);
        refuse_replace(fixture, route_path("shop"), body, cases[i][1], cases[i][2]);
        free(body);
    }
    must_replace(fixture, route_path("shop"),
                 BODY ",\"identities\":[\"web\",\"envoy\"],\"issuers\":[\"cluster\"],\"callers\":[\"envoy\"]}");
    must_replace(fixture, route_path("groups"), BODY ",\"issuerGroups\":[\"prod\"]}");
    must_replace(fixture, route_path("all"), BODY "}");
}

static void names_all_who_are_not_there(void **state)
{
    struct fixture *fixture = *state;
    make_named(fixture);
    static const char *const fields[] = {"identities[0]", "issuers[0]", "issuers[2]", "callers[0]"};
    assert_false(try_replace(fixture, route_path("shop"),
                             BODY ",\"identities\":[\"who\"],\"issuers\":[\"none\",\"cluster\",\"other\"],"
                                  "\"callers\":[\"who\"]}",
                             NULL));
    assert_refused(fixture, RELY_ERR_INVALID, "invalid_body");
    assert_int_equal(fixture->result.problems.count, sizeof fields / sizeof fields[0]);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_string_equal(fixture->result.problems.items[i].field, fields[i]);
        assert_string_equal(fixture->result.problems.items[i].code, "not_registered");
    }
}

static void refuse_delete(struct fixture *fixture, struct rely_object_path path, const char *words, size_t users)
{
    assert_false(try_delete(fixture, path, NULL, true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "in_use");
    if (strstr(fixture->err.message, words) == NULL)
        fail_msg("%s is not in: %s", words, fixture->err.message);
    assert_int_equal(rely_json_size(fixture->result.users), users);
    for (size_t i = 0; i < users; i++) {
        const struct rely_json *user = rely_json_at(fixture->result.users, i);
        assert_true(rely_slice_equal(rely_json_text(rely_json_get(user, "object")), RELY_LIT("route")));
        assert_true(rely_slice_starts(rely_json_text(rely_json_get(user, "name")), RELY_LIT("shop")));
    }
}

/* Also with all that depends on it: no list becomes empty, and so none lets everything pass. */
static void keeps_who_is_named(void **state)
{
    static const struct {
        const char *list, *name, *words;
        struct rely_object_path (*path)(const char *name);
    } cases[] = {
        {"identities", "web", "route shop names this identity", identity_path},
        {"callers", "web", "route shop names this identity", identity_path},
        {"issuers", "cluster", "route shop names this issuer", issuer_path},
        {"issuerGroups", "prod", "route shop names this issuerGroup", group_path},
    };
    struct fixture *fixture = *state;
    make_named(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body(BODY ",\"%s\":[\"%s\"]}", cases[i].list, cases[i].name);
        must_replace(fixture, route_path("shop"), body);
        refuse_delete(fixture, cases[i].path(cases[i].name), cases[i].words, 1);
        free(body);
    }
    assert_true(try_delete(fixture, identity_path("envoy"), NULL, false)); /* whom none names */
    assert_true(try_delete(fixture, route_path("shop"), NULL, false));
    assert_true(try_delete(fixture, group_path("prod"), NULL, false));
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, false));
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
}

static void shows_ten_of_those_who_name_it(void **state)
{
    struct fixture *fixture = *state;
    make_named(fixture);
    for (size_t i = 1; i <= 11; i++) {
        char *name = format_body("shop%02zu", i);
        must_replace(fixture, route_path(name), BODY ",\"identities\":[\"web\"]}");
        refuse_delete(fixture, identity_path("web"), i == 1 ? "route shop01 names " : "route shop01 and others name ",
                      i < 10 ? i : 10);
        free(name);
    }
}

static void keeps_the_built_in_one(void **state)
{
    struct fixture *fixture = *state;
    must_replace(fixture, route_path("default"), "{\"description\":\"for all\"}");
    assert_false(try_delete(fixture, route_path("default"), NULL, false));
    assert_refused(fixture, RELY_ERR_CONFLICT, "built_in");
    assert_non_null(strstr(fixture->err.message, "the route default is always there"));
    must_replace(fixture, route_path("defaults"), BODY "}");
    assert_true(try_delete(fixture, route_path("defaults"), NULL, false));
}

static void holds_so_many_routes(void **state)
{
    struct fixture *fixture = *state;
    must_replace(fixture, route_path("first"), BODY "}");
    int64_t there = count_rows(fixture, "SELECT count(*) FROM route");
    char *fill = format_body("CREATE TEMP TABLE filled AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM"
                             " n WHERE i < %lld) SELECT r.* FROM n, route r WHERE r.name = 'first';"
                             "UPDATE filled SET id = rowid + 1000, name = 'filled' || rowid;"
                             "INSERT INTO route SELECT * FROM filled",
                             (long long)(RELY_ROUTES_MAX - 1 - there));
    fill_table(fixture, fill);
    free(fill);
    must_replace(fixture, route_path("last"), BODY "}");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM route"), RELY_ROUTES_MAX);
    assert_false(try_replace(fixture, route_path("onemore"), BODY "}", NULL));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_objects");
    assert_non_null(strstr(fixture->err.message, "there are 10000 routes, which is the most that there may be"));
    must_replace(fixture, route_path("last"), BODY ",\"description\":\"as many as before\"}");
    assert_true(try_delete(fixture, route_path("first"), NULL, false));
    must_replace(fixture, route_path("onemore"), BODY "}");
}

int run_route_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(takes_only_who_is_there),        A_TEST(names_all_who_are_not_there), A_TEST(keeps_who_is_named),
        A_TEST(shows_ten_of_those_who_name_it), A_TEST(keeps_the_built_in_one),      A_TEST(holds_so_many_routes),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}

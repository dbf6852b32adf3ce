/*
 * Targets as they are sent, the routes that they name, and query strings: pure functions. Faults A1, A2 and A3.
 */
#include "head.h"
#include "relyd/pool.h"
#include "relyd/route.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static void assert_text(struct rely_slice found, const char *expected)
{
    if (expected == NULL) {
        assert_null(found.ptr);
        return;
    }
    assert_non_null(found.ptr);
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

/* --- targets ---------------------------------------------------------------------------------------- */

static const struct {
    const char *target, *authority, *path, *query;
} targets[] = {
    {"/", NULL, "/", NULL},
    {"/a/b?c=d?e", NULL, "/a/b", "c=d?e"},
    {"/a?", NULL, "/a", ""},
    {"/?a", NULL, "/", "a"},
    {"//a/b", NULL, "//a/b", NULL},
    {"/a/../b/%2e%2e/c%2Fd;x#y", NULL, "/a/../b/%2e%2e/c%2Fd;x#y", NULL},
    {"/a%3Fb", NULL, "/a%3Fb", NULL},
    {"/\xff\\", NULL, "/\xff\\", NULL},
    {"http://h/a?b", "h", "/a", "b"},
    {"HTTPS://user@h:1/a/../b", "user@h:1", "/a/../b", NULL},
    {"http://h", "h", "/", NULL},
    {"http://h?b", "h", "/", "b"},
    {"http:///a", "", "/a", NULL},
    {"http://h#x/a", "h#x", "/a", NULL},
    {"http://h\\/a", "h\\", "/a", NULL},
    {"http:/a", NULL, NULL, NULL},
    {"ftp://h/a", NULL, NULL, NULL},
    {"*", NULL, NULL, NULL},
    {"h:443", NULL, NULL, NULL},
    {"a/b", NULL, NULL, NULL},
    {"?a", NULL, NULL, NULL},
    {"%2fa", NULL, NULL, NULL},
    {"", NULL, NULL, NULL},
};

static void test_a1_targets_stay_as_they_were_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct rely_http_target found;
        rely_http_read_target(rely_slice_of(targets[i].target), &found);
        assert_text(found.authority, targets[i].authority);
        assert_text(found.path, targets[i].path);
        assert_text(found.query, targets[i].query);
    }
}

/* --- routes ----------------------------------------------------------------------------------------- */

static const struct row {
    struct rely_route route;
    int number;
} rows[] = {
    {{"GET", "/v1/issuers", "limit after"}, 0},
    {{"POST", "/v1/issuers", ""}, 1},
    {{"GET", "/v1/issuers/{}", ""}, 2},
    {{"PUT", "/v1/issuers/{}", ""}, 3},
    {{"DELETE", "/v1/issuers/{}", ""}, 4},
    {{"GET", "/v1/issuers/{}/keys", ""}, 5},
    {{"PUT", "/v1/identities/{}/credentials/{}", ""}, 6},
    {{"POST", "/v1/explain", ""}, 7},
};

/* `row` is -1 on 404 and 405. */
static const struct {
    const char *method, *path;
    int status, row;
    const char *first, *second, *allow;
} routes[] = {
    {"GET", "/v1/issuers", 200, 0, NULL, NULL, ""},
    {"HEAD", "/v1/issuers", 200, 0, NULL, NULL, ""},
    {"POST", "/v1/issuers", 200, 1, NULL, NULL, ""},
    {"PUT", "/v1/issuers", 405, -1, NULL, NULL, "GET, HEAD, POST"},
    {"get", "/v1/issuers", 405, -1, NULL, NULL, "GET, HEAD, POST"},
    {"", "/v1/issuers", 405, -1, NULL, NULL, "GET, HEAD, POST"},
    {"GET", "/v1/issuers/prod", 200, 2, "prod", NULL, ""},
    {"PUT", "/v1/issuers/prod", 200, 3, "prod", NULL, ""},
    {"PATCH", "/v1/issuers/prod", 405, -1, NULL, NULL, "GET, HEAD, PUT, DELETE"},
    {"GET", "/v1/issuers/prod/keys", 200, 5, "prod", NULL, ""},
    {"GET", "/v1/issuers/keys", 200, 2, "keys", NULL, ""},
    {"PUT", "/v1/identities/a/credentials/b", 200, 6, "a", "b", ""},
    {"HEAD", "/v1/explain", 405, -1, NULL, NULL, "POST"},
    {"GET", "/v1/issuers/a.b", 200, 2, "a.b", NULL, ""}, /* no name: whoever looks it up says so */
    {"GET", "/v1/issuers/..", 200, 2, "..", NULL, ""},
    /* escapes: of what names are made of, or nothing */
    {"GET", "/v1/issuers/pr%6fd", 200, 2, "prod", NULL, ""},
    {"GET", "/v1/issuers/a%2Db%5f", 200, 2, "a-b_", NULL, ""},
    {"GET", "/v1/%69ssuers/a", 200, 2, "a", NULL, ""},
    {"DELETE", "/v1/issuers/..%2Fissuers%2Fspare", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%2fb", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%252Fb", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/%2e%2e", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%2e", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%00", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%20", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%c3%a9", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%3Fwith", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%23", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%6", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/a%zz", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1%2Fissuers/a", 404, -1, NULL, NULL, ""},
    {"DELETE", "%2Fv1/issuers/a", 404, -1, NULL, NULL, ""},
    /* nothing is resolved or merged */
    {"DELETE", "/v1/identities/../issuers/spare", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/./issuers/spare", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1//issuers/spare", 404, -1, NULL, NULL, ""},
    {"DELETE", "//v1/issuers/spare", 404, -1, NULL, NULL, ""},
    {"DELETE", "/x/../v1/issuers/spare", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/spare/", 404, -1, NULL, NULL, ""},
    {"DELETE", "/v1/issuers/spare/.", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuers/", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuers//keys", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuers/a/keys/", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuers/a/key", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuersx", 404, -1, NULL, NULL, ""},
    {"GET", "/v1/issuer", 404, -1, NULL, NULL, ""},
    {"GET", "/V1/issuers", 404, -1, NULL, NULL, ""},
    {"GET", "v1/issuers", 404, -1, NULL, NULL, ""},
    {"GET", "/", 404, -1, NULL, NULL, ""},
    {"GET", "", 404, -1, NULL, NULL, ""},
    {"GET", NULL, 404, -1, NULL, NULL, ""},
};

static void test_a2_paths_are_split_as_they_were_sent(void **state)
{
    (void)state;
    struct rely_pool pool;
    rely_pool_init(&pool);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct rely_http_request request = {
            .method = rely_slice_of(routes[i].method), .path = rely_slice_of(routes[i].path), .scratch = &pool};
        struct rely_routed found;
        int status = rely_route_find(&RELY_ROUTE_TABLE(rows), &request, &found);
        if (status != routes[i].status || strcmp(found.allow, routes[i].allow) != 0)
            fail_msg("%s %s: %d, allow %s", routes[i].method, routes[i].path, status, found.allow);
        if (status != 200)
            continue;
        assert_int_equal(((const struct row *)found.row)->number, routes[i].row);
        assert_text(found.names[0], routes[i].first);
        assert_text(found.names[1], routes[i].second);
    }
    rely_pool_fini(&pool);
}

/* --- queries ---------------------------------------------------------------------------------------- */

/* `wrong`: the codes and fields of the problems, "code:field " each; "" when it is read. */
static const struct {
    const char *query, *aud, *identity, *wrong;
} queries[] = {
    {NULL, NULL, NULL, ""},
    {"", NULL, NULL, ""},
    {"aud=a", "a", NULL, ""},
    {"aud=api%3A%2F%2Fx", "api://x", NULL, ""},
    {"aud=a+b%2Bc", "a b+c", NULL, ""},
    {"identity=b&aud=a", "a", "b", ""},
    {"aud", "", NULL, ""},
    {"aud=", "", NULL, ""},
    {"aud==a=b", "=a=b", NULL, ""},
    {"%61%75d=hidden", "hidden", NULL, ""},
    {"aud=gr%C3%B6%C3%9Fe",
     "gr\xc3\xb6\xc3\x9f"
     "e",
     NULL, ""},
    {"aud=a;identity=b", "a;identity=b", NULL, ""},
    {"aud=a?identity=b", "a?identity=b", NULL, ""},
    {"aud=a&aud=b", NULL, NULL, "duplicate:aud "},
    {"aud=a&aud=a", NULL, NULL, "duplicate:aud "},
    {"aud=a&%61ud=b", NULL, NULL, "duplicate:aud "},
    {"aud=a&aud", NULL, NULL, "duplicate:aud "},
    {"identity=a&identity=b&identity=c", NULL, NULL, "duplicate:identity duplicate:identity "},
    {"audience=a", NULL, NULL, "unknown_field:audience "},
    {"Aud=a", NULL, NULL, "unknown_field:Aud "},
    {"aud[]=a", NULL, NULL, "unknown_field:aud[] "},
    {"aud%20=a", NULL, NULL, "unknown_field:aud  "},
    {"x", NULL, NULL, "unknown_field:x "},
    {"au=a&audx=b", NULL, NULL, "unknown_field:au unknown_field:audx "},
    {"aud identity=a", NULL, NULL, "unknown_field:aud identity "},
    {"=a", NULL, NULL, "invalid_value: "},
    {"&aud=a", NULL, NULL, "invalid_value: "},
    {"aud=a&", NULL, NULL, "invalid_value: "},
    {"aud=a&&identity=b", NULL, NULL, "invalid_value: "},
    {"&", NULL, NULL, "invalid_value: invalid_value: "},
    {"aud=%zz", NULL, NULL, "invalid_value:aud "},
    {"aud=a%2", NULL, NULL, "invalid_value:aud "},
    {"aud=%", NULL, NULL, "invalid_value:aud "},
    {"aud=a%4", NULL, NULL, "invalid_value:aud "},
    {"aud=%41", "A", NULL, ""},
    {"aud=a%00b", NULL, NULL, "invalid_value:aud "},
    {"aud=%ff", NULL, NULL, "invalid_value:aud "},
    {"aud=\xff", NULL, NULL, "invalid_value:aud "},
    {"aud=%ed%a0%80", NULL, NULL, "invalid_value:aud "},
    {"aud%=a", NULL, NULL, "invalid_value:aud% "},
    {"aud%00=a", NULL, NULL, "invalid_value:aud%00 "},
};

static void test_a3_queries_are_read_whole_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct rely_pool pool;
        rely_pool_init(&pool);
        struct rely_problems problems = {0};
        struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
        char wrong[256] = "";
        size_t len = queries[i].query == NULL ? 0 : strlen(queries[i].query);
        char *exact = queries[i].query == NULL ? NULL : malloc(len); /* AddressSanitizer sees whoever reads on */
        if (len > 0)
            memcpy(exact, queries[i].query, len);
        bool is_read = rely_route_read_query(rely_slice(exact, len), "aud identity", &pool, values, &problems);
        for (size_t at = 0; at < problems.count; at++)
            snprintf(wrong + strlen(wrong), sizeof wrong - strlen(wrong), "%s:%s ", problems.items[at].code,
                     problems.items[at].field);
        if (strcmp(wrong, queries[i].wrong) != 0 || is_read != (queries[i].wrong[0] == '\0'))
            fail_msg("%s: %s", queries[i].query, wrong);
        if (is_read) {
            assert_text(values[0], queries[i].aud);
            assert_text(values[1], queries[i].identity);
        }
        free(exact);
        rely_pool_fini(&pool);
    }
}

static void test_a_nul_in_a_query(void **state)
{
    (void)state;
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_problems problems = {0};
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    assert_false(rely_route_read_query(RELY_LIT("aud=a\0&b"), "aud", &pool, values, &problems));
    assert_string_equal(problems.items[0].code, "invalid_value");
    assert_string_equal(problems.items[0].message, "the query parameter \"aud\" is badly encoded");
    rely_pool_fini(&pool);
}

/* As many as a target holds: the problems that are kept are bounded. */
static void test_many_parameters(void **state)
{
    (void)state;
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_problems problems = {0};
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    struct rely_buf query = {0};
    for (int i = 0; i < 30000; i++)
        rely_buf_put(&query, RELY_LIT("x&"));
    assert_false(rely_route_read_query(rely_buf_slice(&query), "aud", &pool, values, &problems));
    assert_int_equal(problems.count, 30001);
    rely_buf_fini(&query);
    rely_pool_fini(&pool);
}

/* --- forms -------------------------------------------------------------------------------------------- */

/* In: token, hint - NULL: absent. wrong - NULL: it is good, and a part of what is said otherwise. */
static const struct {
    const char *form, *token, *hint, *wrong;
} forms[] = {
    {"token=a.b.c", "a.b.c", NULL, NULL},
    {"token=a&hint=b", "a", "b", NULL},
    {"hint=b&token=a", "a", "b", NULL},
    {"", NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL},
    {"token", NULL, NULL, NULL},
    {"token=", NULL, NULL, NULL},
    {"other=1&more&token=a&x=", "a", NULL, NULL},
    {"Token=b&token=a&token%20=c&tokens=d", "a", NULL, NULL},
    {"%74oken=a%2Eb%2e%63", "a.b.c", NULL, NULL},
    {"token=a+b%2B%20c", "a b+ c", NULL, NULL},
    {"token=a=b==", "a=b==", NULL, NULL},
    {"token=\xc3\xa4%C3%A4", "\xc3\xa4\xc3\xa4", NULL, NULL},
    {"token=a;hint=b", "a;hint=b", NULL, NULL},
    {"token=a\r\n", "a\r\n", NULL, NULL},
    {"token=a&token=a", NULL, NULL, "more than once"},
    {"token=a&%74oken=b", NULL, NULL, "more than once"},
    {"token=&token=a", NULL, NULL, "more than once"},
    {"token&token=a", NULL, NULL, "more than once"},
    {"token=a&x=1&y=2&x=1", NULL, NULL, "more than once"},
    {"token=a&", NULL, NULL, "no name"},
    {"&token=a", NULL, NULL, "no name"},
    {"token=a&&hint=b", NULL, NULL, "no name"},
    {"token=a&=b", NULL, NULL, "no name"},
    {"=", NULL, NULL, "no name"},
    {"token=a&x=%zz", NULL, NULL, "badly encoded"},
    {"token=a&%=1", NULL, NULL, "badly encoded"},
    {"token=a%2", NULL, NULL, "badly encoded"},
    {"token=a%", NULL, NULL, "badly encoded"},
    {"token=a%00", NULL, NULL, "badly encoded"},
    {"token=a&x%00=1", NULL, NULL, "badly encoded"},
    {"token=\xff", NULL, NULL, "badly encoded"},
    {"token=%c3", NULL, NULL, "badly encoded"},
    {"token=%ed%a0%80", NULL, NULL, "badly encoded"},
    {"token=%c0%80", NULL, NULL, "badly encoded"},
};

static void test_forms_are_read_whole_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct rely_pool pool;
        rely_pool_init(&pool);
        struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
        const char *why = "unset";
        size_t len = forms[i].form == NULL ? 0 : strlen(forms[i].form);
        char *exact = forms[i].form == NULL ? NULL : malloc(len); /* AddressSanitizer sees whoever reads on */
        if (len > 0)
            memcpy(exact, forms[i].form, len);
        bool is_read = rely_route_read_form(rely_slice(exact, len), "token hint", &pool, values, &why);
        if (is_read != (forms[i].wrong == NULL) || is_read != (why == NULL) ||
            (!is_read && strstr(why, forms[i].wrong) == NULL))
            fail_msg("%s: %s", forms[i].form, why);
        if (is_read) {
            assert_text(values[0], forms[i].token);
            assert_text(values[1], forms[i].hint);
        }
        free(exact);
        rely_pool_fini(&pool);
    }
}

static void test_a_nul_in_a_form(void **state)
{
    (void)state;
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    const char *why;
    assert_false(rely_route_read_form(RELY_LIT("token=a\0"), "token", &pool, values, &why));
    assert_string_equal(why, "a parameter is badly encoded");
    rely_pool_fini(&pool);
}

/* In: count - of parameters, the last of them the token. */
static bool read_many(size_t count, const char **why)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    struct rely_buf form = {0};
    for (size_t i = 1; i < count; i++)
        rely_buf_printf(&form, "x%zu=1&", i);
    rely_buf_put(&form, RELY_LIT("token=a"));
    bool is_read = rely_route_read_form(rely_buf_slice(&form), "token", &pool, values, why);
    assert_true(!is_read || rely_slice_equal(values[0], RELY_LIT("a")));
    rely_buf_fini(&form);
    rely_pool_fini(&pool);
    return is_read;
}

static void test_many_parameters_of_a_form(void **state)
{
    (void)state;
    const char *why;
    assert_true(read_many(RELY_ROUTE_FORM_PARAMETERS_MAX, &why));
    for (size_t count = RELY_ROUTE_FORM_PARAMETERS_MAX + 1; count < 40000; count = 2 * count + 1) {
        assert_false(read_many(count, &why));
        assert_string_equal(why, "there are too many parameters");
    }
}

const struct CMUnitTest route_tests[] = {
    cmocka_unit_test(test_a1_targets_stay_as_they_were_sent),
    cmocka_unit_test(test_a2_paths_are_split_as_they_were_sent),
    cmocka_unit_test(test_a3_queries_are_read_whole_or_not),
    cmocka_unit_test(test_a_nul_in_a_query),
    cmocka_unit_test(test_many_parameters),
    cmocka_unit_test(test_forms_are_read_whole_or_not),
    cmocka_unit_test(test_a_nul_in_a_form),
    cmocka_unit_test(test_many_parameters_of_a_form),
};
const size_t route_count = sizeof(route_tests) / sizeof(route_tests[0]);

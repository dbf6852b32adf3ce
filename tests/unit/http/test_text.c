/*
 * Query parameters, bearer values, problems and status phrases: pure functions.
 */
#include "head.h"
#include "server.h"

static void assert_slice(struct rely_slice found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

static void check_bearer(const char *value, enum rely_bearer expected, const char *token)
{
    struct rely_slice found = {NULL, 0};
    assert_int_equal(rely_http_read_bearer(rely_slice_of(value), &found), expected);
    if (token == NULL)
        assert_null(found.ptr);
    else
        assert_slice(found, token);
}

static void test_bearer_rows(void **state)
{
    (void)state;
    check_bearer("Bearer abc.def.ghi", RELY_BEARER_TOKEN, "abc.def.ghi");
    check_bearer("bEARER   abc", RELY_BEARER_TOKEN, "abc");
    check_bearer("Bearer abc \t ", RELY_BEARER_TOKEN, "abc");
    check_bearer("Bearer a-._~+/=", RELY_BEARER_TOKEN, "a-._~+/=");
    /* one token or not: the token reader says */
    check_bearer("Bearer a, Bearer b", RELY_BEARER_TOKEN, "a, Bearer b");
    check_bearer("Bearer \tabc", RELY_BEARER_TOKEN, "\tabc");
    check_bearer("Bearer \xff", RELY_BEARER_TOKEN, "\xff");
    check_bearer("", RELY_BEARER_NONE, NULL);
    check_bearer("Basic YWxhZGRpbg==", RELY_BEARER_NONE, NULL);
    check_bearer("Bearerx abc", RELY_BEARER_NONE, NULL);
    check_bearer("Bear", RELY_BEARER_NONE, NULL);
    check_bearer("Bearer", RELY_BEARER_BAD, NULL);
    check_bearer("Bearer    ", RELY_BEARER_BAD, NULL);
    check_bearer("Bearer\tabc", RELY_BEARER_BAD, NULL);
    check_bearer("Bearer,a", RELY_BEARER_BAD, NULL);
}

static void test_bearer_with_nul(void **state)
{
    (void)state;
    struct rely_slice token = {NULL, 0};
    assert_int_equal(rely_http_read_bearer(RELY_LIT("Bearer a\0b"), &token), RELY_BEARER_TOKEN);
    assert_int_equal(token.len, 3); /* no C string: the token reader sees the NUL */
}

/* Every byte at every place: the check takes sixteen at a time, and the ends overlap. */
static void test_control_characters(void **state)
{
    (void)state;
    char text[50];
    assert_false(rely_http_has_control(rely_slice(NULL, 0)));
    for (size_t len = 1; len <= sizeof(text); len++)
        for (size_t at = 0; at < len; at++)
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'a', sizeof(text));
                text[at] = (char)byte;
                bool is_control = (byte < ' ' && byte != '\t') || byte == 0x7f;
                assert_int_equal(rely_http_has_control(rely_slice(text, len)), is_control);
                if (len < sizeof(text)) /* what stands behind does not count */
                    text[len] = '\n';
                assert_int_equal(rely_http_has_control(rely_slice(text, len)), is_control);
            }
}

static void check_query(const char *query, const char *name, size_t item, const char *expected)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_slice out = {NULL, 0};
    bool found = rely_http_query_at(rely_slice_of(query), rely_slice_of(name), item, &pool, &out);
    assert_int_equal(found, expected != NULL);
    if (expected != NULL)
        assert_slice(out, expected);
    rely_pool_fini(&pool);
}

static void test_query_rows(void **state)
{
    (void)state;
    check_query("aud=a", "aud", 0, "a");
    check_query("x=1&aud=api%3A%2F%2Fx&y", "aud", 0, "api://x");
    check_query("aud=a+b%2Bc", "aud", 0, "a b+c");
    check_query("aud=a&aud=b&aud=", "aud", 1, "b");
    check_query("aud=a&aud=b&aud=", "aud", 2, "");
    check_query("aud=a&aud=b&aud=", "aud", 3, NULL);
    check_query("aud", "aud", 0, "");
    check_query("aud==a=b", "aud", 0, "=a=b");
    check_query("%61%75d=hidden", "aud", 0, "hidden");
    check_query("&&&aud=a", "aud", 0, "a");
    check_query("audx=a&au=b&Aud=c", "aud", 0, NULL);
    check_query("", "aud", 0, NULL);
    check_query("aud%=a", "aud", 0, NULL);
}

/* A restriction that cannot be read must not look like no restriction. */
static void test_bad_encoding_stays_as_sent(void **state)
{
    (void)state;
    check_query("aud=%zz", "aud", 0, "%zz");
    check_query("aud=a%2", "aud", 0, "a%2");
    check_query("aud=%", "aud", 0, "%");
    check_query("aud=a%00b", "aud", 0, "a%00b");
    check_query("aud=%zz&aud=b", "aud", 1, "b");
}

static void test_query_count(void **state)
{
    (void)state;
    struct rely_slice query = RELY_LIT("aud=a&x&%61ud&AUD=b&aud=%zz");
    assert_int_equal(rely_http_query_count(query, RELY_LIT("aud")), 3);
    assert_int_equal(rely_http_query_count(query, RELY_LIT("y")), 0);
    assert_int_equal(rely_http_query_count((struct rely_slice){NULL, 0}, RELY_LIT("aud")), 0);
}

static void test_absent_query(void **state)
{
    (void)state;
    struct rely_slice out = {"untouched", 9};
    assert_false(rely_http_query((struct rely_slice){NULL, 0}, RELY_LIT("aud"), NULL, &out));
    assert_slice(out, "untouched");
}

static void test_problem_body(void **state)
{
    (void)state;
    struct rely_problems problems = {0};
    rely_problems_add(&problems, "audiences[2]", "too_long", "at most %d", 600);
    rely_problems_add(&problems, "name", "required", "a \"name\"");
    struct rely_buf body = {0};
    rely_http_print_problem(&body, 422, "invalid_fields", "no", &problems);
    assert_string_equal(body.ptr, "{\"type\":\"https://relyd.dev/problems/invalid_fields\",\"title\":\"Unprocessable "
                                  "Content\",\"status\":422,\"code\":\"invalid_fields\",\"detail\":\"no\",\"errors\":["
                                  "{\"field\":\"audiences[2]\",\"code\":\"too_long\",\"message\":\"at most 600\"},"
                                  "{\"field\":\"name\",\"code\":\"required\",\"message\":\"a \\\"name\\\"\"}]}\n");
    rely_buf_fini(&body);
}

static void test_problem_without_fields(void **state)
{
    (void)state;
    struct rely_buf body = {0};
    struct rely_problems none = {0};
    rely_http_print_problem(&body, 404, "not_found", NULL, &none);
    assert_string_equal(body.ptr, "{\"type\":\"https://relyd.dev/problems/not_found\",\"title\":\"Not Found\","
                                  "\"status\":404,\"code\":\"not_found\"}\n");
    rely_buf_fini(&body);
}

/* More problems are counted than kept. */
static void test_problem_overflow(void **state)
{
    (void)state;
    struct rely_problems problems = {0};
    for (int i = 0; i < RELY_PROBLEMS_MAX + 5; i++)
        rely_problems_add(&problems, "f", "required", "m");
    struct rely_buf body = {0};
    rely_http_print_problem(&body, 422, "invalid_fields", "d", &problems);
    size_t seen = 0;
    for (const char *at = body.ptr; (at = strstr(at, "\"field\"")) != NULL; at++)
        seen++;
    assert_int_equal(seen, RELY_PROBLEMS_MAX);
    rely_buf_fini(&body);
}

static void test_phrases(void **state)
{
    (void)state;
    assert_string_equal(rely_http_phrase(200), "OK");
    assert_string_equal(rely_http_phrase(431), "Request Header Fields Too Large");
    assert_string_equal(rely_http_phrase(299), "Unknown");
}

const struct CMUnitTest text_tests[] = {
    cmocka_unit_test(test_bearer_rows),
    cmocka_unit_test(test_bearer_with_nul),
    cmocka_unit_test(test_control_characters),
    cmocka_unit_test(test_query_rows),
    cmocka_unit_test(test_bad_encoding_stays_as_sent),
    cmocka_unit_test(test_query_count),
    cmocka_unit_test(test_absent_query),
    cmocka_unit_test(test_problem_body),
    cmocka_unit_test(test_problem_without_fields),
    cmocka_unit_test(test_problem_overflow),
    cmocka_unit_test(test_phrases),
};
const size_t text_count = sizeof(text_tests) / sizeof(text_tests[0]);

/*
 * Bearer values, problems and status phrases: pure functions.
 */
#include "head.h"
#include "server.h"

#include <stdlib.h>

static void assert_slice(struct rely_slice found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

static void check_bearer(const char *value, enum rely_bearer expected, const char *token)
{
    struct rely_slice found = {NULL, 0};
    size_t len = strlen(value);
    char *exact = malloc(len); /* AddressSanitizer sees whoever reads on */
    memcpy(exact, value, len);
    assert_int_equal(rely_http_read_bearer(rely_slice(exact, len), &found), expected);
    if (token == NULL)
        assert_null(found.ptr);
    else
        assert_slice(found, token);
    free(exact);
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
    check_bearer("Beare", RELY_BEARER_NONE, NULL);
    check_bearer("B", RELY_BEARER_NONE, NULL);
    check_bearer("Bearer", RELY_BEARER_NONE, NULL); /* fault D: nothing was sent */
    check_bearer("Bearer    ", RELY_BEARER_NONE, NULL);
    check_bearer("bearer\t", RELY_BEARER_NONE, NULL);
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
    cmocka_unit_test(test_problem_body),
    cmocka_unit_test(test_problem_without_fields),
    cmocka_unit_test(test_problem_overflow),
    cmocka_unit_test(test_phrases),
};
const size_t text_count = sizeof(text_tests) / sizeof(text_tests[0]);

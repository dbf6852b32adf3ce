/*
 * Kinds of values: what each takes, and that nothing reaches beyond its place; and how templates are filled.
 */
#include "tests.h"

static char long_text[602], two_bytes[1200];

static const struct {
    const char *kind, *value;
    bool is_good;
} values[] = {
    {"word", "eu-west-1", true},
    {"word", "a", true},
    {"word", ".github", true},
    {"word", "A_b.C-9", true},
    {"word", "", false},
    {"word", ".", false},
    {"word", "..", false},
    {"word", "-._", false},
    {"word", "a/b", false},
    {"word", "a b", false},
    {"word", "a'b", false},
    {"word", "a*", false},
    {"word", "a?", false},
    {"word", "a\"", false},
    {"word", "a{b}", false},
    {"word", "a\n", false},
    {"word", "\na", false},
    {"word", "a:b", false},
    {"word", "a@b", false},
    {"word", "a#b", false},
    {"word", "a%2fb", false},
    {"word", "\xc3\xbc", false},
    {"host", "gitlab.example", true},
    {"host", "localhost", true},
    {"host", "a-1.example:8443", true},
    {"host", "example.", false},
    {"host", ".example", false},
    {"host", "a..example", false},
    {"host", "-a.example", false},
    {"host", "a-.example", false},
    {"host", "a.example:", false},
    {"host", "a.example:0", false},
    {"host", "a.example:65536", false},
    {"host", "a.example:000443", false},
    {"host", "a.example:1x", false},
    {"host", "a.example/path", false},
    {"host", "a.example?", false},
    {"host", "u@a.example", false},
    {"host", "a_b.example", false},
    {"host", "https://a.example", false},
    {"host", "", false},
    {"uuid", "0fe1a2b3-1234-4abc-8def-0123456789ab", true},
    {"uuid", "0FE1A2B3-1234-4abc-8def-0123456789ab", false},
    {"uuid", "0fe1a2b3-1234-4abc-8def-0123456789a", false},
    {"uuid", "0fe1a2b3-1234-4abc-8def-0123456789abc", false},
    {"uuid", "0fe1a2b31-234-4abc-8def-0123456789ab", false},
    {"uuid", "0fe1a2b3-1234-4abc-8def-0123456789ag", false},
    {"uuid", "0fe1a2b3_1234-4abc-8def-0123456789ab", false},
    {"uuid", "{fe1a2b3-1234-4abc-8def-0123456789a}", false},
    {"hex", "A1b2", true},
    {"hex", "", false},
    {"hex", "A1g2", false},
    {"hex", "0x12", false},
    {"hex", "12 ", false},
    {"url", "https://gitlab.example", true},
    {"url", "http://gitlab.example:8080/", true},
    {"url", "https://example.com/a/b.c", true},
    {"url", "https://example.com/a//b", false},
    {"url", "https://example.com/a/../b", false},
    {"url", "https://example.com/.", false},
    {"url", "https://example.com?x", false},
    {"url", "https://example.com/a?x", false},
    {"url", "https://example.com/#x", false},
    {"url", "https://u@example.com/", false},
    {"url", "https://example.com/a%2fb", false},
    {"url", "https://exa'mple.com/", false},
    {"url", "https://", false},
    {"url", "ftp://example.com", false},
    {"url", "http:/aa.example.com", false},
    {"url", "HTTPS://example.com", false},
    {"url", "example.com", false},
    {"text", "refs/heads/main", true},
    {"text", "it's \xc3\xbc*", true},
    {"text", "", false},
    {"text", "a\nb", false},
    {"text", "\xff", false},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        enum rely_value_kind kind = rely_value_find_kind(rely_slice_of(values[i].kind));
        assert_int_not_equal(kind, 0);
        if ((rely_value_judge(kind, rely_slice_of(values[i].value)) == NULL) != values[i].is_good)
            fail_msg("%s \"%s\" should be %s", values[i].kind, values[i].value, values[i].is_good ? "good" : "refused");
    }
    assert_int_equal(rely_value_find_kind(RELY_LIT("wort")), 0);
    assert_int_equal(rely_value_find_kind(RELY_LIT("")), 0);
    assert_non_null(rely_value_judge(RELY_VALUE_WORD, rely_slice("a\0b", 3)));
    assert_non_null(rely_value_judge(RELY_VALUE_WORD, rely_slice("a\0", 2)));
    assert_non_null(rely_value_judge(RELY_VALUE_TEXT, rely_slice("a\0", 2)));
    assert_non_null(rely_value_judge(RELY_VALUE_WORD, (struct rely_slice){0}));
}

static void test_lengths(void **state)
{
    static const struct {
        enum rely_value_kind kind;
        size_t most;
    } limits[] = {{RELY_VALUE_WORD, 120}, {RELY_VALUE_HEX, 120}, {RELY_VALUE_TEXT, 600}, {RELY_VALUE_HOST, 63}};
    (void)state;
    memset(long_text, 'a', sizeof long_text);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        assert_null(rely_value_judge(limits[i].kind, rely_slice(long_text, limits[i].most)));
        assert_non_null(rely_value_judge(limits[i].kind, rely_slice(long_text, limits[i].most + 1)));
    }
    assert_true(rely_template_is_name(rely_slice(long_text, 32)));
    assert_false(rely_template_is_name(rely_slice(long_text, 33)));
    for (size_t i = 0; i < 600; i++)
        memcpy(two_bytes + 2 * i, "\xc3\xbc", 2);
    assert_null(rely_value_judge(RELY_VALUE_TEXT, rely_slice(two_bytes, sizeof two_bytes)));
    memset(long_text + 8, 'a', 592);
    memcpy(long_text, "https://", 8);
    for (size_t i = 0; i < 592; i++) /* segments of 30 */
        long_text[8 + i] = i == 30 ? '/' : i % 31 == 30 ? '/' : 'a';
    long_text[599] = 'b';
    assert_null(rely_value_judge(RELY_VALUE_URL, rely_slice(long_text, 600)));
    long_text[600] = 'b';
    assert_non_null(rely_value_judge(RELY_VALUE_URL, rely_slice(long_text, 601)));
    memset(long_text, 'a', sizeof long_text);
    for (size_t i = 63; i < 253; i += 64)
        long_text[i] = '.';
    assert_null(rely_value_judge(RELY_VALUE_HOST, rely_slice(long_text, 253)));
    assert_non_null(rely_value_judge(RELY_VALUE_HOST, rely_slice(long_text, 254)));
}

static const struct {
    const char *template, *filled;
} templates[] = {
    {"\"repo:{owner}/{repo}\"", "\"repo:acme/{owner}\""}, /* what stands in a value is not looked at again */
    {"\"{{owner}}:*\"", "\"{acme}:*\""},
    {"\"{unknown} {owner}{owner}\"", "\"{unknown} acmeacme\""},
    {"\"{owner\"", "\"{owner\""},
    {"\"}{\"", "\"}{\""},
    {"\"{}\"", "\"{}\""},
    {"\"{Owner}{owner-x}{own er}\"", "\"{Owner}{owner-x}{own er}\""},
    {"\"\"", "\"\""},
    {"[1,true,false,{\"{owner}\":[\"{owner}\"]}]", "[1,true,false,{\"{owner}\":[\"acme\"]}]"},
    {"\"{quote}\"", "\"\\\"}\""},
};

static void test_templates(void **state)
{
    struct rely_err err = {0};
    RELY_JSON_OWNED struct rely_json *given =
        rely_json_parse(RELY_LIT("{\"owner\":\"acme\",\"repo\":\"{owner}\",\"quote\":\"\\\"}\"}"), &err);
    (void)state;
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
        struct rely_buf text = {0};
        RELY_JSON_OWNED struct rely_json *wrapped = NULL;
        rely_buf_printf(&text, "[%s]", templates[i].template);
        wrapped = rely_json_parse(rely_buf_slice(&text), &err);
        assert_non_null(wrapped);
        RELY_JSON_OWNED struct rely_json *filled = rely_template_fill(rely_json_at(wrapped, 0), given);
        rely_buf_fini(&text);
        rely_json_print(filled, &text);
        assert_string_equal(text.ptr, templates[i].filled);
        rely_buf_fini(&text);
    }
}

int run_value_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_templates),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}

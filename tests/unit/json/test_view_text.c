/*
 * view: strings, escapes, UTF-8 and numbers.
 */
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/text.h"
#include "relyd/view.h"
#include "texts.h"

#include <stdlib.h>

static int open_pool(void **state)
{
    static struct rely_pool pool;
    rely_pool_init(&pool);
    *state = &pool;
    return 0;
}

static int close_pool(void **state)
{
    rely_pool_fini(*state);
    return 0;
}

/* {"a":VALUE}; the index of VALUE is 2. Returns the fault or NULL. */
static const char *parse_value(struct rely_pool *pool, struct rely_slice value, struct rely_view *view)
{
    const char *fault = NULL;
    struct rely_slice text = make_joined(pool, TEXT("{\"a\":"), value, TEXT("}"));
    return rely_view_parse(text, pool, view, &fault) ? NULL : fault;
}

static void expect_text(struct rely_pool *pool, struct rely_slice value, struct rely_slice wanted)
{
    struct rely_view view;
    const char *fault = parse_value(pool, value, &view);
    if (fault != NULL)
        fail_msg("%.*s: %s", RELY_ARG(value), fault);
    assert_int_equal(rely_view_type(&view, 2), RELY_VIEW_STRING);
    assert_non_null(view.nodes[2].text.ptr); /* empty is not absent */
    if (!rely_slice_equal(view.nodes[2].text, wanted))
        fail_msg("%.*s: read as %.*s", RELY_ARG(value), RELY_ARG(view.nodes[2].text));
}

static void expect_text_fault(struct rely_pool *pool, struct rely_slice value, const char *wanted)
{
    struct rely_view view;
    const char *fault = parse_value(pool, value, &view);
    if (fault == NULL)
        fail_msg("accepted: %.*s", RELY_ARG(value));
    if (strcmp(fault, wanted) != 0)
        fail_msg("%.*s: \"%s\" wanted, found \"%s\"", RELY_ARG(value), wanted, fault);
}

static void test_strings(void **state)
{
    static const struct {
        struct rely_slice text, wanted;
    } rows[] = {
        {TEXT("\"\""), TEXT("")},
        {TEXT("\"plain text, longer than a word\""), TEXT("plain text, longer than a word")},
        {TEXT("\"\x7f\""), TEXT("\x7f")},
        {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\/\b\f\n\r\t")},
        {TEXT("\"\\u0061\\u00E9\\u20ac\\uFFFF\""), TEXT("a\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBF")},
        {TEXT("\"\\u0001\\u007f\\u0080\\u07ff\\u0800\""), TEXT("\x01\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80")},
        {TEXT("\"\\uD7FF\\uE000\""), TEXT("\xED\x9F\xBF\xEE\x80\x80")},
        {TEXT("\"\\ud83d\\ude00 \\uD800\\uDC00 \\uDBFF\\uDFFF\""),
         TEXT("\xF0\x9F\x98\x80 \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF")},
        {TEXT("\"before \\n between \\u003cp\\u003e behind\""), TEXT("before \n between <p> behind")},
        {TEXT("\"\\\\u0000\""), TEXT("\\u0000")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_text(*state, rows[i].text, rows[i].wanted);
}

static void test_bad_strings(void **state)
{
    static const struct {
        struct rely_slice text;
        const char *fault;
    } rows[] = {
        {TEXT("\"raw\nline\""), "control character in a string"},
        {TEXT("\"raw\0nul\""), "control character in a string"},
        {TEXT("\"\x1f\""), "control character in a string"},
        {TEXT("\"\\x41\""), "bad escape"},
        {TEXT("\"\\a\""), "bad escape"},
        {TEXT("\"\\\0\""), "bad escape"},
        {TEXT("\"\\U0041\""), "bad escape"},
        {TEXT("\"\\u004\""), "bad escape"},
        {TEXT("\"\\u004g\""), "bad escape"},
        {TEXT("\"\\u+041\""), "bad escape"},
        {TEXT("\"\\u 041\""), "bad escape"},
        {TEXT("\"\\u\""), "bad escape"},
        {TEXT("\"aud\\u0000evil\""), "U+0000"},
        {TEXT("\"\\ud800\""), "lone surrogate"},
        {TEXT("\"\\ud800x\""), "lone surrogate"},
        {TEXT("\"\\ud800\\n\""), "lone surrogate"},
        {TEXT("\"\\ud800\\u0041\""), "lone surrogate"},
        {TEXT("\"\\ud800\\ud800\""), "lone surrogate"},
        {TEXT("\"\\ud800\\ue000\""), "lone surrogate"},
        {TEXT("\"\\udc00\""), "lone surrogate"},
        {TEXT("\"\\udc00\\ud800\""), "lone surrogate"},
        {TEXT("\"open"), "unterminated string"},
        {TEXT("\"open\\\""), "unterminated string"},
        {TEXT("\"\\n open"), "unterminated string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_text_fault(*state, rows[i].text, rows[i].fault);
}

/* At every place relative to the eight bytes that are read at once. */
static void test_utf8_at_every_offset(void **state)
{
    static const struct {
        struct rely_slice bytes;
        bool is_right;
    } rows[] = {
        {TEXT("\xC2\x80"), true},
        {TEXT("\xDF\xBF"), true},
        {TEXT("\xE0\xA0\x80"), true},
        {TEXT("\xE1\x80\x80"), true},
        {TEXT("\xED\x9F\xBF"), true},
        {TEXT("\xEE\x80\x80"), true},
        {TEXT("\xEF\xBF\xBF"), true},
        {TEXT("\xF0\x90\x80\x80"), true},
        {TEXT("\xF1\x80\x80\x80"), true},
        {TEXT("\xF3\xBF\xBF\xBF"), true},
        {TEXT("\xF4\x8F\xBF\xBF"), true},
        {TEXT("\xFF"), false},
        {TEXT("\xFE"), false},
        {TEXT("\x80"), false},
        {TEXT("\xBF"), false},
        {TEXT("\xC0\x80"), false},
        {TEXT("\xC1\xBF"), false},
        {TEXT("\xC2"), false},
        {TEXT("\xC2\x41"), false},
        {TEXT("\xC2\xC2"), false},
        {TEXT("\xE0\x9F\xBF"), false},
        {TEXT("\xE0\x80\x80"), false},
        {TEXT("\xE2\x82"), false},
        {TEXT("\xE2\x82\x41"), false},
        {TEXT("\xED\xA0\x80"), false},
        {TEXT("\xED\xBF\xBF"), false},
        {TEXT("\xF0\x8F\xBF\xBF"), false},
        {TEXT("\xF0\x9F\x98"), false},
        {TEXT("\xF0\x9F\x98\x41"), false},
        {TEXT("\xF0\x9F\x41\x80"), false},
        {TEXT("\xF4\x90\x80\x80"), false},
        {TEXT("\xF5\x80\x80\x80"), false},
        {TEXT("\xF8\x88\x80\x80\x80"), false},
    };
    struct rely_pool *pool = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t before = 0; before < 18; before++) {
            rely_pool_reset(pool);
            struct rely_slice filled = make_repeated(pool, TEXT("x"), before);
            struct rely_slice inner = make_joined(pool, filled, rows[i].bytes, TEXT(""));
            struct rely_slice value = make_joined(pool, TEXT("\""), inner, TEXT("\""));
            if (rows[i].is_right)
                expect_text(pool, value, inner);
            else
                expect_text_fault(pool, value, "invalid UTF-8");
        }
    }
}

/* Every byte, at every place relative to the eight bytes that are read at once, in front of plain text. */
static void test_every_byte(void **state)
{
    struct rely_pool *pool = *state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t before = 0; before < 18; before++) {
            char c = (char)byte;
            rely_pool_reset(pool);
            struct rely_slice filled = make_repeated(pool, TEXT("x"), before);
            struct rely_slice inner = make_joined(pool, filled, rely_slice(&c, 1), TEXT("nnnnnnnnn"));
            struct rely_slice value = make_joined(pool, TEXT("\""), inner, TEXT("\""));
            if (byte < 0x20)
                expect_text_fault(pool, value, "control character in a string");
            else if (byte >= 0x80)
                expect_text_fault(pool, value, "invalid UTF-8");
            else if (byte == '"')
                expect_text_fault(pool, value, "comma or } expected");
            else if (byte != '\\')
                expect_text(pool, value, inner);
            else
                expect_text(pool, value, make_joined(pool, filled, TEXT("\n"), TEXT("nnnnnnnn")));
        }
    }
}

static void test_escaped_strings_keep_apart(void **state)
{
    struct rely_view view;
    const char *fault = NULL;
    assert_true(
        rely_view_parse(TEXT("{\"\\u0061\":\"x\\ny\",\"plain\":\"p\",\"b\\t\":[\"\\u00e9\",\"\\\\\",\"\\/end\"]}"),
                        *state, &view, &fault));
    uint32_t list = rely_view_member(&view, 0, RELY_LIT("b\t"));
    assert_int_equal(list, 6);
    assert_true(rely_slice_equal(view.nodes[rely_view_member(&view, 0, RELY_LIT("a"))].text, RELY_LIT("x\ny")));
    assert_true(rely_slice_equal(view.nodes[rely_view_member(&view, 0, RELY_LIT("plain"))].text, RELY_LIT("p")));
    assert_true(rely_slice_equal(view.nodes[list + 1].text, RELY_LIT("\xC3\xA9")));
    assert_true(rely_slice_equal(view.nodes[list + 2].text, RELY_LIT("\\")));
    assert_true(rely_slice_equal(view.nodes[list + 3].text, RELY_LIT("/end")));
}

/* A thousand strings with an escape each need the room of the text once, not a thousand times. */
static void test_escapes_share_one_block(void **state)
{
    struct rely_pool *pool = *state;
    struct rely_slice items = make_repeated(pool, TEXT("\"\\n\","), 1000);
    struct rely_slice value = make_joined(pool, TEXT("["), items, TEXT("\"\\t\"]"));
    struct rely_view view;
    assert_null(parse_value(pool, value, &view));
    assert_int_equal(view.nodes[2].count, 1001);
    const char *first = view.nodes[3].text.ptr;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(rely_slice_equal(view.nodes[3 + i].text, RELY_LIT("\n")));
        assert_ptr_equal(view.nodes[3 + i].text.ptr, first + i);
    }
    assert_true(rely_slice_equal(view.nodes[1003].text, RELY_LIT("\t")));
}

static void test_numbers(void **state)
{
    static const struct {
        struct rely_slice text;
        double wanted;
    } rows[] = {
        {TEXT("0"), 0},
        {TEXT("-0"), 0},
        {TEXT("7"), 7},
        {TEXT("-12"), -12},
        {TEXT("1795319000"), 1795319000},
        {TEXT("999999999999999999"), 1e18},
        {TEXT("-999999999999999999"), -1e18},
        {TEXT("9007199254740993"), 9007199254740992.0},
        {TEXT("18446744073709551616"), 18446744073709551616.0},
        {TEXT("1795319000.75"), 1795319000.75},
        {TEXT("1.795319e9"), 1795319000},
        {TEXT("1795319E+3"), 1795319000},
        {TEXT("1795319000e-3"), 1795319},
        {TEXT("1e308"), 1e308},
        {TEXT("0.1"), 0.1},
        {TEXT("0e5"), 0},
        {TEXT("1e-400"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rely_view view;
        double found = 77;
        assert_null(parse_value(*state, rows[i].text, &view));
        assert_int_equal(rely_view_type(&view, 2), RELY_VIEW_NUMBER);
        assert_true(rely_slice_equal(view.nodes[2].text, rows[i].text)); /* as written */
        assert_true(rely_view_number(&view, 2, &found));
        if (found != rows[i].wanted)
            fail_msg("%.*s: read as %.17g", RELY_ARG(rows[i].text), found);
    }
}

static void test_bad_numbers(void **state)
{
    static const struct {
        struct rely_slice text;
        const char *fault;
    } rows[] = {
        {TEXT("0123"), "comma or } expected"},
        {TEXT("-01"), "comma or } expected"},
        {TEXT("0x1F"), "comma or } expected"},
        {TEXT("1_000"), "comma or } expected"},
        {TEXT("+1"), "value expected"},
        {TEXT(".5"), "value expected"},
        {TEXT("-"), "bad number"},
        {TEXT("--1"), "bad number"},
        {TEXT("-.5"), "bad number"},
        {TEXT("1."), "bad number"},
        {TEXT("1.e5"), "bad number"},
        {TEXT("1e"), "bad number"},
        {TEXT("1e+"), "bad number"},
        {TEXT("1e.5"), "bad number"},
        {TEXT("1.5.5"), "comma or } expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_text_fault(*state, rows[i].text, rows[i].fault);
}

static void test_what_is_no_double(void **state)
{
    static const struct rely_slice rows[] = {TEXT("1e400"), TEXT("-1e400"), TEXT("\"1\""), TEXT("null"),
                                             TEXT("true"),  TEXT("[1]"),    TEXT("{}")};
    struct rely_view view;
    double found = 77;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(parse_value(*state, rows[i], &view));
        assert_false(rely_view_number(&view, 2, &found));
    }
    assert_false(rely_view_number(&view, 0, &found));
    assert_true(found == 77); /* written only on true */
}

static void test_ten_thousand_digits(void **state)
{
    struct rely_view view;
    double found = 77;
    struct rely_slice digits = make_repeated(*state, TEXT("9"), 10000);
    assert_null(parse_value(*state, digits, &view));
    assert_false(rely_view_number(&view, 2, &found));
    assert_null(parse_value(*state, make_joined(*state, TEXT("0."), digits, TEXT("")), &view));
    assert_true(rely_view_number(&view, 2, &found));
    assert_true(found == 1.0);
}

int run_view_text_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strings, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_bad_strings, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_utf8_at_every_offset, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_every_byte, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_escaped_strings_keep_apart, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_escapes_share_one_block, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_numbers, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_bad_numbers, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_what_is_no_double, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_ten_thousand_digits, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("view_text", tests, NULL, NULL);
}

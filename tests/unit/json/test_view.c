/*
 * view: the structure of a JSON text, what is refused and by which words, duplicates, depth, and walking about.
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

#include <stdio.h>
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

static void expect_fault(struct rely_pool *pool, struct rely_slice text, const char *wanted)
{
    struct rely_view view = {(const struct rely_view_node *)pool, 77};
    const char *fault = NULL;
    /* A block of exactly this size, so that ASan sees one byte too far. */
    char *exact = malloc(text.len == 0 ? 1 : text.len);
    memcpy(exact, text.ptr, text.len);
    if (rely_view_parse(rely_slice(exact, text.len), pool, &view, &fault))
        fail_msg("accepted: %.*s", RELY_ARG(text));
    if (strcmp(fault, wanted) != 0)
        fail_msg("%.*s: \"%s\" wanted, found \"%s\"", RELY_ARG(text), wanted, fault);
    assert_int_equal(view.count, 77); /* written only on true */
    free(exact);
}

static void expect_accepted(struct rely_pool *pool, struct rely_slice text, struct rely_view *view)
{
    const char *fault = NULL;
    if (!rely_view_parse(text, pool, view, &fault))
        fail_msg("%.*s: %s", RELY_ARG(text), fault);
    assert_int_equal(view->nodes[0].type, RELY_VIEW_OBJECT);
    assert_int_equal(view->nodes[0].next, view->count);
}

static void test_refused_texts(void **state)
{
    static const struct {
        struct rely_slice text;
        const char *fault;
    } rows[] = {
        {TEXT(""), "not an object"},
        {TEXT("   "), "not an object"},
        {TEXT("[]"), "not an object"},
        {TEXT("\"a\""), "not an object"},
        {TEXT("null"), "not an object"},
        {TEXT("1"), "not an object"},
        {TEXT("\xEF\xBB\xBF{}"), "not an object"},
        {TEXT("{\0}\0"), "member name expected"},
        {TEXT("{"), "member name expected"},
        {TEXT("{\"a\""), "colon expected"},
        {TEXT("{\"a\" 1}"), "colon expected"},
        {TEXT("{\"a\":"), "value expected"},
        {TEXT("{\"a\":}"), "value expected"},
        {TEXT("{\"a\":1"), "comma or } expected"},
        {TEXT("{\"a\":1 \"b\":2}"), "comma or } expected"},
        {TEXT("{\"a\":1,}"), "member name expected"},
        {TEXT("{,\"a\":1}"), "member name expected"},
        {TEXT("{'a':1}"), "member name expected"},
        {TEXT("{a:1}"), "member name expected"},
        {TEXT("{1:1}"), "member name expected"},
        {TEXT("{\"a\":[1,]}"), "value expected"},
        {TEXT("{\"a\":[,1]}"), "value expected"},
        {TEXT("{\"a\":[1 2]}"), "comma or ] expected"},
        {TEXT("{\"a\":[1}"), "comma or ] expected"},
        {TEXT("{\"a\":[}"), "value expected"},
        {TEXT("{\"a\":/**/1}"), "value expected"},
        {TEXT("{\"a\":1}//"), "text behind the object"},
        {TEXT("{}{}"), "text behind the object"},
        {TEXT("{} x"), "text behind the object"},
        {TEXT("{}\0"), "text behind the object"},
        {TEXT("{}\v"), "text behind the object"},
        {TEXT("{\f}"), "member name expected"},
        {TEXT("{\"a\":tru}"), "unknown word"},
        {TEXT("{\"a\":True}"), "value expected"},
        {TEXT("{\"a\":nul"), "unknown word"},
        {TEXT("{\"a\":nulll}"), "comma or } expected"},
        {TEXT("{\"a\":falsf}"), "unknown word"},
        {TEXT("{\"a\":NaN}"), "value expected"},
        {TEXT("{\"a\":Infinity}"), "value expected"},
        {TEXT("{\"a\":-Infinity}"), "bad number"},
        {TEXT("{\"a\":undefined}"), "value expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_fault(*state, rows[i].text, rows[i].fault);
}

static void test_every_prefix_is_refused(void **state)
{
    const struct rely_slice whole =
        TEXT("{\"a\":[1,-2.5e+3,true,false,null,{\"b\":\"x\\n\\ud83d\\ude00\xC3\xA9\"},[],{}],\"c\":\"\"}");
    struct rely_view view;
    expect_accepted(*state, whole, &view);
    for (size_t len = 0; len < whole.len; len++) {
        const char *fault = NULL;
        char *exact = malloc(len + 1);
        memcpy(exact, whole.ptr, len);
        assert_false(rely_view_parse(rely_slice(exact, len), *state, &view, &fault));
        assert_non_null(fault);
        free(exact);
    }
}

static void test_walks_about(void **state)
{
    struct rely_view view;
    expect_accepted(*state, TEXT(" {\t\"a\" : [ 1 , [ ] , \"x\" ] ,\r\n\"b\":{\"c\":null,\"d\":{}},\"e\":true} "),
                    &view);
    assert_int_equal(view.nodes[0].count, 3);

    uint32_t list = rely_view_member(&view, 0, RELY_LIT("a"));
    assert_int_equal(rely_view_type(&view, list), RELY_VIEW_ARRAY);
    assert_int_equal(view.nodes[list].count, 3);
    uint32_t at = rely_view_first(&view, list);
    assert_int_equal(rely_view_type(&view, at), RELY_VIEW_NUMBER);
    at = rely_view_next(&view, list, at);
    assert_int_equal(rely_view_type(&view, at), RELY_VIEW_ARRAY);
    assert_int_equal(rely_view_first(&view, at), 0);
    at = rely_view_next(&view, list, at);
    assert_int_equal(rely_view_type(&view, at), RELY_VIEW_STRING);
    assert_int_equal(rely_view_next(&view, list, at), 0);

    uint32_t object = rely_view_member(&view, 0, RELY_LIT("b"));
    assert_int_equal(rely_view_type(&view, object), RELY_VIEW_OBJECT);
    uint32_t name = rely_view_first(&view, object);
    assert_true(rely_slice_equal(view.nodes[name].text, RELY_LIT("c")));
    assert_int_equal(rely_view_type(&view, name + 1), RELY_VIEW_NULL);
    name = rely_view_next(&view, object, name + 1);
    assert_true(rely_slice_equal(view.nodes[name].text, RELY_LIT("d")));
    assert_int_equal(rely_view_type(&view, name + 1), RELY_VIEW_OBJECT);
    assert_int_equal(rely_view_next(&view, object, name + 1), 0);
    assert_int_equal(rely_view_type(&view, rely_view_member(&view, 0, RELY_LIT("e"))), RELY_VIEW_TRUE);
}

static void test_absent_members(void **state)
{
    struct rely_view view;
    expect_accepted(*state, TEXT("{\"a\":\"b\",\"n\":{\"c\":1},\"l\":[\"c\",1],\"f\":false}"), &view);
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("A")), 0);
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("")), 0);
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("b")), 0); /* a value, no name */
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("c")), 0); /* one level deeper */
    uint32_t list = rely_view_member(&view, 0, RELY_LIT("l"));
    assert_int_equal(rely_view_member(&view, list, RELY_LIT("c")), 0); /* no object */
    assert_int_equal(rely_view_type(&view, 0), RELY_VIEW_ABSENT);
    assert_int_equal(rely_view_type(&view, rely_view_member(&view, 0, RELY_LIT("f"))), RELY_VIEW_FALSE);
}

static void test_empty_object(void **state)
{
    struct rely_view view;
    expect_accepted(*state, TEXT("{ }"), &view);
    assert_int_equal(view.count, 1);
    assert_int_equal(rely_view_first(&view, 0), 0);
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("")), 0);
    expect_accepted(*state, TEXT("{\"\":1}"), &view);
    assert_int_equal(rely_view_member(&view, 0, RELY_LIT("")), 2);
}

static void test_duplicates(void **state)
{
    static const struct rely_slice rows[] = {
        TEXT("{\"sub\":\"attacker\",\"sub\":\"builder\"}"),
        TEXT("{\"sub\":1,\"s\\u0075b\":2}"),
        TEXT("{\"s\\u0075b\":1,\"sub\":2}"),
        TEXT("{\"\":1,\"\":2}"),
        TEXT("{\"x\":{\"a\":1,\"b\":[{}],\"a\":1}}"),
        TEXT("{\"x\":[1,{\"a\":[],\"a\":1}]}"),
        TEXT("{\"a\":1,\"\xC3\xA9\":1,\"\\u00e9\":2}"),
        TEXT("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}"),
        TEXT("{\"a\":1,\"b\":{\"a\":1},\"c\":[2],\"a\":3}"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_fault(*state, rows[i], "duplicate member");
    struct rely_view view;
    expect_accepted(*state, TEXT("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}],\"A\":1,\"aa\":1,\"\":1}"),
                    &view);
}

/* An object of `count` members m0, m1, ..., and then `last`. */
static struct rely_slice make_wide_object(struct rely_pool *pool, size_t count, const char *last)
{
    struct rely_buf buf = {0};
    rely_buf_putc(&buf, '{');
    for (size_t i = 0; i < count; i++)
        rely_buf_printf(&buf, "\"m%zu\":%zu,", i, i);
    rely_buf_printf(&buf, "\"%s\":[]}", last);
    struct rely_slice copy = rely_pool_copy(pool, rely_buf_slice(&buf));
    rely_buf_fini(&buf);
    return copy;
}

/* On both sides of the change from comparing to hashing, and far above: quadratic work would be 4e9 comparisons. */
static void test_wide_objects(void **state)
{
    static const size_t counts[] = {1, 2, 14, 15, 16, 17, 31, 63, 64, 1000, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct rely_view view;
        char first[] = "m0", last[32];
        snprintf(last, sizeof last, "m%zu", counts[i] - 1);
        expect_accepted(*state, make_wide_object(*state, counts[i], "other"), &view);
        assert_int_equal(view.nodes[0].count, counts[i] + 1);
        assert_int_equal(rely_view_member(&view, 0, RELY_LIT("other")), 2 * counts[i] + 2);
        const char *fault = NULL;
        assert_false(rely_view_parse(make_wide_object(*state, counts[i], first), *state, &view, &fault));
        assert_string_equal(fault, "duplicate member");
        assert_false(rely_view_parse(make_wide_object(*state, counts[i], last), *state, &view, &fault));
        assert_string_equal(fault, "duplicate member");
    }
}

static void test_wide_list(void **state)
{
    struct rely_slice zeros = make_repeated(*state, TEXT("[7],"), 5000);
    struct rely_view view;
    expect_accepted(*state, make_joined(*state, TEXT("{\"a\":["), zeros, TEXT("8]}")), &view);
    uint32_t list = rely_view_member(&view, 0, RELY_LIT("a")), seen = 0;
    for (uint32_t at = rely_view_first(&view, list); at != 0; at = rely_view_next(&view, list, at), seen++)
        if (seen < 5000)
            assert_true(rely_slice_equal(view.nodes[rely_view_first(&view, at)].text, RELY_LIT("7")));
        else
            assert_true(rely_slice_equal(view.nodes[at].text, RELY_LIT("8")));
    assert_int_equal(seen, 5001);
    assert_int_equal(view.count, 3 + 2 * 5000 + 1);
}

static struct rely_slice make_nested(struct rely_pool *pool, struct rely_slice open, struct rely_slice close,
                                     size_t depth)
{
    return make_joined(pool, make_repeated(pool, open, depth), TEXT("1"), make_repeated(pool, close, depth));
}

static void test_depth(void **state)
{
    struct rely_view view;
    /* The root is the first level. */
    struct rely_slice lists = make_nested(*state, TEXT("["), TEXT("]"), RELY_JSON_DEPTH_MAX - 1);
    expect_accepted(*state, make_joined(*state, TEXT("{\"a\":"), lists, TEXT("}")), &view);
    lists = make_nested(*state, TEXT("["), TEXT("]"), RELY_JSON_DEPTH_MAX);
    expect_fault(*state, make_joined(*state, TEXT("{\"a\":"), lists, TEXT("}")), "nested too deep");
    expect_accepted(*state, make_nested(*state, TEXT("{\"a\":"), TEXT("}"), RELY_JSON_DEPTH_MAX), &view);
    expect_fault(*state, make_nested(*state, TEXT("{\"a\":"), TEXT("}"), RELY_JSON_DEPTH_MAX + 1), "nested too deep");
    expect_fault(*state, make_nested(*state, TEXT("{\"a\":"), TEXT("}"), 10000), "nested too deep");
    lists = make_repeated(*state, TEXT("["), 100000);
    expect_fault(*state, make_joined(*state, TEXT("{\"a\":"), lists, TEXT("")), "nested too deep");
    /* Side by side is not nested. */
    lists = make_repeated(*state, TEXT("[[[]]],"), 100);
    expect_accepted(*state, make_joined(*state, TEXT("{\"a\":["), lists, TEXT("1]}")), &view);
}

/* A long text of short values would be read into much memory. */
static void test_values_are_counted(void **state)
{
    struct rely_slice text = TEXT("{\"a\":[1,2,[3],\"4\"],\"b\":{\"c\":null}}");
    struct rely_view view;
    const char *fault = NULL;
    assert_true(rely_view_parse_within(text, 12, *state, &view, &fault));
    assert_int_equal(view.count, 12);
    for (uint32_t most = 0; most < 12; most++) {
        fault = NULL;
        assert_false(rely_view_parse_within(text, most, *state, &view, &fault));
        assert_string_equal(fault, "too many values");
    }
}

int run_view_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused_texts, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_every_prefix_is_refused, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_walks_about, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_values_are_counted, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_absent_members, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_empty_object, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_duplicates, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_wide_objects, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_wide_list, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_depth, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}

/* The wrapper over jansson: strictness, reading, building. */
#include "tests.h"

#include "relyd/compose.h"
#include "relyd/json.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void only_strict_json_is_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "{",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":1,\"\\u0061\":2}",
                                        "[1,]",
                                        "{} x",
                                        "\"\\u0000\"",
                                        "[\"\xff\"]",
                                        "nul",
                                        "{'a':1}",
                                        "[01]"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rely_err err = {0};
        assert_null(rely_json_parse(rely_slice_of(wrong[i]), &err));
        assert_int_equal(err.code, RELY_ERR_INVALID);
    }
}

static void a_raw_nul_is_refused_wherever_it_stands(void **state)
{
    static const struct rely_slice texts[] = {{"{\"a\":164\0}", 10}, {"{\"a\":true\0}", 11}, {"{}\0", 3}, {"\0{}", 3}};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rely_err err = {0};
        assert_null(rely_json_parse(texts[i], &err));
        assert_string_equal(err.message, "JSON holds a NUL byte");
    }
}

static void nesting_is_limited(void **state)
{
    char text[400] = "";
    struct rely_err err = {0};
    (void)state;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_null(rely_json_parse(rely_slice(text, 130), &err));
    assert_string_equal(err.message, "JSON is nested deeper than 64");
    struct rely_json *value = rely_json_parse(rely_slice(text + 1, 128), &(struct rely_err){0});
    assert_non_null(value);
    rely_json_free(value);
    value =
        rely_json_parse(RELY_LIT("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\"]"),
                        &(struct rely_err){0});
    assert_non_null(value);
    rely_json_free(value);
}

/* fault B4: an issuer's document of nothing but empty objects would take ninety times its bytes. */
static void values_are_limited(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_buf text = {0};
    rely_buf_put(&text, RELY_LIT("[0"));
    for (size_t i = 0; i < 3000; i++)
        rely_buf_put(&text, RELY_LIT(",{}"));
    rely_buf_put(&text, RELY_LIT("]"));
    struct rely_json *value = rely_json_parse(rely_buf_slice(&text), &err); /* 1.15 MB by the estimate */
    assert_non_null(value);
    rely_json_free(value);
    text.len--;
    for (size_t i = 3000; i < 10000; i++)
        rely_buf_put(&text, RELY_LIT(",{}"));
    rely_buf_put(&text, RELY_LIT("]"));
    assert_null(rely_json_parse(rely_buf_slice(&text), &err));
    assert_string_equal(err.message, "JSON has too many values for its 30003 bytes");
    text.ptr[1] = '"'; /* what stands in a string is no value */
    text.ptr[text.len - 2] = '"';
    value = rely_json_parse(rely_buf_slice(&text), &(struct rely_err){0});
    assert_non_null(value);
    rely_json_free(value);
    rely_buf_fini(&text);
}

static void values_are_read_by_type(void **state)
{
    struct rely_err err = {0};
    RELY_JSON_OWNED struct rely_json *value =
        rely_json_parse(RELY_LIT("{\"a\":[1,\"x\",true,null,1.5],\"b\":{}}"), &err);
    (void)state;
    const struct rely_json *a = rely_json_get(value, "a");
    assert_int_equal(rely_json_size(a), 5);
    assert_int_equal(rely_json_integer(rely_json_at(a, 0)), 1);
    assert_true(rely_slice_equal(rely_json_text(rely_json_at(a, 1)), RELY_LIT("x")));
    assert_true(rely_json_true(rely_json_at(a, 2)));
    assert_int_equal(rely_json_type(rely_json_at(a, 3)), RELY_JSON_NULL);
    assert_int_equal(rely_json_type(rely_json_at(a, 4)), RELY_JSON_REAL);
    assert_int_equal(rely_json_type(rely_json_get(value, "c")), RELY_JSON_ABSENT);
    assert_null(rely_json_text(rely_json_at(a, 0)).ptr);
    assert_string_equal(rely_json_next_name(value, NULL), "a");
    assert_string_equal(rely_json_next_name(value, "a"), "b");
    assert_null(rely_json_next_name(value, "b"));
}

static void what_is_built_is_printed_in_order(void **state)
{
    struct rely_buf out = {0};
    RELY_JSON_OWNED struct rely_json *object = rely_json_object();
    struct rely_json *list = rely_json_array();
    (void)state;
    rely_json_append(list, rely_json_of_integer(-3));
    rely_json_append(list, rely_json_of_text(RELY_LIT("bad \xff byte")));
    rely_json_set(object, "z", list);
    rely_json_set(object, "a", rely_json_of_bool(false));
    rely_json_set(object, "n", rely_json_of_null());
    rely_json_print(object, &out);
    assert_string_equal(out.ptr, "{\"z\":[-3,\"bad \xef\xbf\xbd byte\"],\"a\":false,\"n\":null}");
    rely_buf_fini(&out);
}

static void what_is_read_is_printed_again(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "{\"b\":[1,-2,[],{}],\"a\":{\"\":null,\"t\":true}}",
        "[9223372036854775807,-9223372036854775808,0.5,1e100]",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\"",
        "\"\xc3\xa9 \xf0\x9f\x98\x80\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rely_err err = {0};
        struct rely_buf out = {0};
        char wrapped[128];
        snprintf(wrapped, sizeof wrapped, "[%s]", texts[i]);
        RELY_JSON_OWNED struct rely_json *value = rely_json_parse(rely_slice_of(wrapped), &err);
        assert_non_null(value);
        rely_json_print(value, &out);
        assert_string_equal(out.ptr, wrapped);
        rely_buf_fini(&out);
    }
}

int run_document_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_strict_json_is_read),
        cmocka_unit_test(a_raw_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(values_are_limited),
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(what_is_built_is_printed_in_order),
        cmocka_unit_test(what_is_read_is_printed_again),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

/* Faults, pool, growing text, problems, reasons. */
#include "tests.h"

#include "relyd/base.h"
#include "relyd/pool.h"
#include "relyd/reason.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void first_fault_wins_and_context_goes_in_front(void **state)
{
    struct rely_err err = {0};
    (void)state;
    assert_false(rely_err_set(&err, RELY_ERR_IO, "disk %d", 7));
    assert_false(rely_err_set(&err, RELY_ERR_INVALID, "later"));
    assert_int_equal(err.code, RELY_ERR_IO);
    rely_err_prefix(&err, "registry %s", "a.db");
    assert_string_equal(err.message, "registry a.db: disk 7");
}

static void pool_gives_aligned_memory_and_keeps_its_first_chunk(void **state)
{
    struct rely_pool pool;
    (void)state;
    rely_pool_init(&pool);
    char *first = rely_pool_alloc(&pool, 1);
    assert_int_equal((uintptr_t)first % 16, 0);
    char *big = rely_pool_alloc(&pool, 100000);
    memset(big, 1, 100000);
    rely_pool_reset(&pool);
    assert_ptr_equal(rely_pool_alloc(&pool, 1), first);
    assert_string_equal(rely_pool_printf(&pool, "%d-%s", 5, "x").ptr, "5-x");
    rely_pool_fini(&pool);
}

static void json_strings_are_escaped(void **state)
{
    struct rely_buf buf = {0};
    (void)state;
    rely_buf_put_json(&buf, RELY_LIT("a\"\\\n\x01\x7f\xff\xe2\x80\xa8\xc3\xa9"));
    assert_string_equal(buf.ptr, "\"a\\\"\\\\\\n\\u0001\\u007f\xef\xbf\xbd\\u2028\xc3\xa9\"");
    buf.len = 0;
    rely_buf_put_json(&buf, rely_slice("a\0b", 3));
    assert_string_equal(buf.ptr, "\"a\\u0000b\"");
    rely_buf_fini(&buf);
}

/* fault D: C1 controls and bidirectional overrides went raw into the log. */
static void plain_json_strings_are_printable_ascii(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a\"\\\n\x01\x7f /b", "\"a\\\"\\\\\\n\\u0001\\u007f /b\""},
        {"\xc2\x80\xc2\x9b\xc2\x9f", "\"\\u0080\\u009b\\u009f\""},         /* C1 */
        {"\xe2\x80\xae\xe2\x81\xa6\xd8\x9c", "\"\\u202e\\u2066\\u061c\""}, /* overrides, isolates, marks */
        {"\xd7\x90\xcc\x81\xe2\x80\x8b", "\"\\u05d0\\u0301\\u200b\""},     /* RTL letter, combining, invisible */
        {"\xef\xbb\xbf\xc3\x9b\xe2\x80\xa8", "\"\\ufeff\\u00db\\u2028\""}, /* BOM; C3 9B holds an 8-bit CSI */
        {"\xf0\x90\x80\x80\xf3\xa0\x81\x81\xf4\x8f\xbf\xbf",
         "\"\\ud800\\udc00\\udb40\\udc41\\udbff\\udfff\""},                  /* tags */
        {"\x9b\xff\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* no UTF-8 */
    };
    struct rely_buf buf = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf.len = 0;
        rely_buf_put_json_plainly(&buf, rely_slice_of(cases[i].text));
        assert_string_equal(buf.ptr, cases[i].expected);
    }
    rely_buf_fini(&buf);
}

static void problems_beyond_the_limit_are_counted(void **state)
{
    struct rely_problems problems = {0};
    (void)state;
    for (int i = 0; i < RELY_PROBLEMS_MAX + 3; i++)
        rely_problems_add(&problems, "name", "too_long", "number %d", i);
    assert_int_equal(problems.count, RELY_PROBLEMS_MAX + 3);
    assert_string_equal(problems.items[RELY_PROBLEMS_MAX - 1].message, "number 31");
}

static void zero_is_never_a_yes(void **state)
{
    (void)state;
    assert_int_equal(RELY_UNDECIDED, 0);
    assert_int_equal(RELY_OK, 1);
    assert_int_equal(rely_reason_status(RELY_UNDECIDED), 503);
    for (int reason = 0; reason < RELY_REASON_COUNT; reason++) {
        assert_true(strlen(rely_reason_word((enum rely_reason)reason)) > 1);
        assert_true(strlen(rely_reason_sentence((enum rely_reason)reason)) > 10);
        assert_int_equal(rely_reason_status((enum rely_reason)reason) == 200, reason == RELY_OK);
    }
}

int run_base_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fault_wins_and_context_goes_in_front),
        cmocka_unit_test(pool_gives_aligned_memory_and_keeps_its_first_chunk),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(plain_json_strings_are_printable_ascii),
        cmocka_unit_test(problems_beyond_the_limit_are_counted),
        cmocka_unit_test(zero_is_never_a_yes),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

/*
 * What a token says in any claim: which values are texts, and where a pointer leads.
 */
#include "claims_tests.h"
#include "relyd/pool.h"
#include "relyd/said.h"
#include "relyd/view.h"

#include <stdio.h>
#include <string.h>

/* As expressions write a claim; with `|` between the texts, and `none` for none. */
static void assert_said(const char *payload, const char *name, const char *expected)
{
    struct rely_pool pool;
    struct rely_view view;
    struct rely_slice claim;
    struct rely_expression_fault wrong;
    const char *fault = NULL;
    struct rely_buf text = {0};
    rely_pool_init(&pool);
    if (!rely_view_parse(rely_slice_of(payload), &pool, &view, &fault))
        fail_msg("%s: %s", payload, fault);
    assert_true(rely_claim_parse(rely_slice_of(name), &pool, &claim, &wrong));
    struct rely_claim_value value = rely_claim_said(&view, claim, &pool);
    for (size_t i = 0; i < value.count; i++)
        rely_buf_printf(&text, "%s%.*s", i == 0 ? "" : "|", RELY_ARG(value.texts[i]));
    rely_buf_printf(&text, "%s", value.count == 0 ? "none" : "");
    assert_string_equal(text.ptr, expected);
    rely_buf_fini(&text);
    rely_pool_fini(&pool);
}

#define PAYLOAD                                                                                                        \
    "{\"a\":\"x\",\"n\":1e3,\"z\":-0.50,\"t\":true,\"f\":false,\"u\":null,\"e\":\"\",\"o\":{\"a\":\"in\",\"0\":"       \
    "\"zero\"},"                                                                                                       \
    "\"l\":[\"p\",7,null,[\"deep\"],{\"k\":\"v\"},true,\"q\"],\"m\":[],\"s/"                                           \
    "l\":\"slash\",\"t~e\":\"tilde\",\"\":\"empty\","                                                                  \
    "\"d\":[{\"x\":[\"one\",\"two\"]}],\"\\u00e9\":\"\\u00fc\"}"

static void takes_what_is_a_text(void **state)
{
    static const char *const cases[][2] = {
        {"a", "x"},
        {"n", "1e3"},
        {"z", "-0.50"},
        {"t", "true"},
        {"f", "false"},
        {"u", "none"},
        {"e", ""},
        {"o", "none"},
        {"m", "none"},
        {"missing", "none"},
        {"A", "none"},
        {"l", "p|7|true|q"},
        {"\xc3\xa9", "\xc3\xbc"},
        {"s/l", "slash"},
        {"t~e", "tilde"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_said(PAYLOAD, cases[i][0], cases[i][1]);
}

static void follows_pointers(void **state)
{
    static const char *const cases[][2] = {
        {"/a", "x"},
        {"/o/a", "in"},
        {"/o/0", "zero"},
        {"/o", "none"},
        {"/o/b", "none"},
        {"/l/0", "p"},
        {"/l/1", "7"},
        {"/l/2", "none"},
        {"/l/3", "deep"},
        {"/l/3/0", "deep"},
        {"/l/4/k", "v"},
        {"/l/6", "q"},
        {"/l/7", "none"},
        {"/l/00", "none"},
        {"/l/01", "none"},
        {"/l/-", "none"},
        {"/l/-1", "none"},
        {"/l/1e0", "none"},
        {"/l/4294967296", "none"},
        {"/l/", "none"},
        {"/a/0", "none"},
        {"/a/b", "none"},
        {"/u/a", "none"},
        {"/s~1l", "slash"},
        {"/t~0e", "tilde"},
        {"/", "empty"},
        {"/d/0/x", "one|two"},
        {"/d/0/x/1", "two"},
        {"/d/1/x", "none"},
        {"/m/0", "none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_said(PAYLOAD, cases[i][0], cases[i][1]);
    assert_said("{}", "a", "none");
    assert_said("{}", "/a/b", "none");
}

/* --- once --------------------------------------------------------------------------------------------------------- */

static int set_up_payload(void **state)
{
    static struct rely_pool pool;
    rely_pool_init(&pool);
    *state = &pool;
    return 0;
}

static int tear_down_payload(void **state)
{
    rely_pool_fini(*state);
    return 0;
}

static struct rely_said_once ask_once(const char *payload, struct rely_pool *pool)
{
    const char *fault = NULL;
    struct rely_view *view = rely_pool_alloc(pool, sizeof *view);
    assert_true(rely_view_parse(rely_slice_of(payload), pool, view, &fault));
    return (struct rely_said_once){.view = view, .pool = pool};
}

static void says_each_text_once(void **state)
{
    struct rely_said_once once = ask_once(
        "{\"l\":[\"b\",\"a\",\"b\",1,\"1\",null,\"a\",true,\"\",\"\",\"true\"],\"t\":\"a\",\"u\":null}", *state);
    const struct rely_claim_value list = rely_claim_said_once(&once, RELY_LIT("l"));
    static const char *const expected[] = {"b", "a", "1", "true", ""};
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(rely_slice_equal(list.texts[i], rely_slice_of(expected[i])));
    assert_ptr_equal(rely_claim_said_once(&once, RELY_LIT("l")).texts, list.texts); /* it is not made anew */
    assert_int_equal(rely_claim_said_once(&once, RELY_LIT("t")).count, 1);
    assert_int_equal(rely_claim_said_once(&once, RELY_LIT("u")).count, 0);
    assert_int_equal(rely_claim_said_once(&once, RELY_LIT("missing")).count, 0); /* one of them may have its place */
}

/* More claims than are remembered at a time: each is still its own. */
static void tells_many_claims_apart(void **state)
{
    struct rely_buf payload = {0};
    char name[16];
    rely_buf_printf(&payload, "{\"c\":[]");
    for (int i = 0; i < 500; i++)
        rely_buf_printf(&payload, ",\"c%d\":[\"%d\",\"%d\",\"x\"]", i, i, i);
    rely_buf_printf(&payload, "}");
    struct rely_said_once once = ask_once(payload.ptr, *state);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 500; i++) {
            snprintf(name, sizeof name, "c%d", i);
            struct rely_slice claim = rely_pool_copy(*state, rely_slice_of(name));
            const struct rely_claim_value value = rely_claim_said_once(&once, claim);
            assert_int_equal(value.count, 2);
            assert_true(rely_slice_equal(value.texts[0], rely_slice_of(name + 1)));
            assert_true(rely_slice_equal(value.texts[1], RELY_LIT("x")));
        }
    assert_int_equal(rely_claim_said_once(&once, RELY_LIT("c")).count, 0);
    rely_buf_fini(&payload);
}

int run_said_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_a_text),
        cmocka_unit_test(follows_pointers),
        cmocka_unit_test_setup_teardown(says_each_text_once, set_up_payload, tear_down_payload),
        cmocka_unit_test_setup_teardown(tells_many_claims_apart, set_up_payload, tear_down_payload),
    };
    return cmocka_run_group_tests_name("said", tests, NULL, NULL);
}

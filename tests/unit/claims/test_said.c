/*
 * What a token says in any claim: which values are texts, and where a pointer leads.
 */
#include "claims_tests.h"
#include "relyd/pool.h"
#include "relyd/said.h"
#include "relyd/view.h"

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

int run_said_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_a_text),
        cmocka_unit_test(follows_pointers),
    };
    return cmocka_run_group_tests_name("said", tests, NULL, NULL);
}

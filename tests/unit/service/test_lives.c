/*
 * What a cluster's answer means: only one that says plainly that this very account is authenticated is a yes. And how often
 * it is asked.
 */
#include "lives.h"

#include "relyd/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEGIN "{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\","
#define USER "\"user\":{\"username\":\"system:serviceaccount:n:a\",\"uid\":\"u\"}"
#define TRUE "\"authenticated\":true"
#define FOR "\"audiences\":[\"x\",\"relyd\"]"
#define OF(status) BEGIN "\"status\":{" status "}}"

static const struct {
    const char *body;
    enum rely_live_word word;
} answers[] = {
    {OF(TRUE "," USER "," FOR), RELY_LIVE_YES},
    {OF(TRUE "," USER "," FOR ",\"error\":\"\",\"more\":1"), RELY_LIVE_YES},
    {OF("\"user\":{},\"error\":\"invalid bearer token\""), RELY_LIVE_NO},
    {OF("\"authenticated\":false,\"user\":{}"), RELY_LIVE_NO},
    {OF(USER "," FOR), RELY_LIVE_NO},
    {OF(TRUE "," FOR ",\"user\":{\"username\":\"system:serviceaccount:n:a\",\"uid\":\"v\"}"), RELY_LIVE_NO},
    {OF(TRUE "," FOR ",\"user\":{\"username\":\"system:serviceaccount:n:ab\",\"uid\":\"u\"}"), RELY_LIVE_NO},
    {OF(TRUE "," FOR ",\"user\":{\"username\":\"system:anonymous\"}"), RELY_LIVE_NO},
    {OF(TRUE "," FOR ",\"user\":{\"username\":\"system:serviceaccount:n:a\",\"uid\":7}"), RELY_LIVE_NO},
    {OF(TRUE "," FOR), RELY_LIVE_NOTHING},
    {OF(TRUE "," FOR ",\"user\":\"a\""), RELY_LIVE_NOTHING},
    {OF(TRUE "," USER), RELY_LIVE_NOTHING},
    {OF(TRUE "," USER ",\"audiences\":[]"), RELY_LIVE_NOTHING},
    {OF(TRUE "," USER ",\"audiences\":\"relyd\""), RELY_LIVE_NOTHING},
    {OF(TRUE "," USER ",\"audiences\":[\"rely\",null,1]"), RELY_LIVE_NOTHING},
    {OF(TRUE "," USER "," FOR ",\"error\":\"but\""), RELY_LIVE_NOTHING},
    {OF("\"authenticated\":1," USER "," FOR), RELY_LIVE_NOTHING},
    {OF("\"authenticated\":null," USER "," FOR), RELY_LIVE_NOTHING},
    {OF("\"authenticated\":false," TRUE "," USER "," FOR), RELY_LIVE_NOTHING},
    {BEGIN "\"status\":null}", RELY_LIVE_NOTHING},
    {BEGIN "\"status\":\"Failure\"}", RELY_LIVE_NOTHING},
    {BEGIN "\"spec\":{}}", RELY_LIVE_NOTHING},
    {"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"code\":401}", RELY_LIVE_NOTHING},
    {"{\"apiVersion\":\"authentication.k8s.io/v1\",\"status\":{}}", RELY_LIVE_NOTHING},
    {"{\"kind\":\"TokenReview\",\"status\":{}}", RELY_LIVE_NOTHING},
    {"<html>", RELY_LIVE_NOTHING},
    {"[]", RELY_LIVE_NOTHING},
    {"null", RELY_LIVE_NOTHING},
    {"", RELY_LIVE_NOTHING},
    {BEGIN "\"status\":{" TRUE, RELY_LIVE_NOTHING},
};

static void what_an_answer_means(void **state)
{
    const struct rely_live_expected expected = {RELY_LIT("system:serviceaccount:n:a"), RELY_LIT("u"),
                                                RELY_LIT("[\"relyd\",\"vault\"]")};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct rely_err err = {.code = RELY_ERR_NONE};
        enum rely_live_word word = rely_live_read(rely_slice_of(answers[i].body), &expected, &err);
        if (word != answers[i].word)
            fail_msg("%s: %d", answers[i].body, (int)word);
        assert_int_equal(err.code != RELY_ERR_NONE, word == RELY_LIVE_NOTHING);
    }
}

static size_t take_all(struct rely_live_rate *rate, int64_t now_ms)
{
    size_t count = 0;
    while (count < 100 && rely_live_rate_take(rate, 5, now_ms))
        count++;
    return count;
}

static void a_cluster_is_asked_so_often(void **state)
{
    struct rely_live_rate rate = {0};
    int64_t now_ms = 50000;
    (void)state;
    assert_int_equal(take_all(&rate, now_ms), 5);
    assert_int_equal(take_all(&rate, now_ms + 199), 0);
    assert_int_equal(take_all(&rate, now_ms + 200), 1);
    assert_int_equal(take_all(&rate, now_ms + 1000), 4);
    assert_true(rely_live_rate_take(&rate, 5, now_ms + 60000));
    assert_int_equal(take_all(&rate, now_ms + 120000), 5); /* what was not used is not saved up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_answer_means),
                                       cmocka_unit_test(a_cluster_is_asked_so_often)};
    rely_json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

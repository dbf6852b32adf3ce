/* Batches: how long one turn of the loop is, who has the next, what they hold, how they wait, and how they end. */
#include "../mint/mint.h"
#include "relyd/clock.h"
#include "worker.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define LONG_US 600  /* two looks at the clock are more than a turn */
#define SHORT_US 300 /* four are */

static struct rely_http_request requests[300];
static size_t request_count;

/* A request of its own, whose body is gone when its handler returns. */
static void ask_batch(struct worker *worker, const char *const *tokens, size_t count)
{
    struct rely_buf body = {0};
    struct rely_http_request *request = &requests[request_count++];
    *request = worker->request;
    rely_buf_put(&body, RELY_LIT("{\"audiences\":[\"relyd\",\"other\"],\"identity\":\"app\",\"tokens\":"));
    for (size_t i = 0; i < count; i++)
        rely_buf_printf(&body, "%s\"%s\"", i == 0 ? "[" : ",", tokens[i]);
    rely_buf_put(&body, RELY_LIT("]}"));
    request->body = rely_buf_slice(&body);
    rely_review_handle(&worker->reviewer, request, &(struct rely_place){0});
    memset(body.ptr, 'z', body.len);
    rely_buf_fini(&body);
    rely_pool_reset(&worker->scratch);
}

/* Whatever the machine's own time lets a turn do. */
static void run_messages(void)
{
    while (run_message())
        continue;
}

static void ask_many(struct worker *worker, const char *token, size_t count)
{
    const char *tokens[RELY_BATCH_TOKENS_MAX];
    for (size_t i = 0; i < count; i++)
        tokens[i] = token;
    ask_batch(worker, tokens, count);
}

static size_t count_said(const char *words)
{
    size_t count = 0;
    for (const char *at = sent_body.ptr; at != NULL && (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static int begin_batches(void **state)
{
    request_count = 0;
    int failed = set_up_worker(state);
    sent_count = 0;
    return failed;
}

static void expect_nothing_left(const struct worker *worker)
{
    const struct rely_batch_list *list = &worker->reviewer.batches;
    assert_int_equal(list->bytes + list->tokens + held_bytes, 0);
    assert_null(list->ready.first);
    assert_null(list->idle.first);
    assert_int_equal(worker->reviewer.waiting.count + worker->reviewer.waiting.bytes, 0);
    assert_null(worker->reviewer.waiting.oldest);
}

/* --- turns ------------------------------------------------------------------------------------------------------- */

static void test_what_one_turn_has_time_for_is_answered_at_once(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    const char *tokens[] = {make_token(0), "x", make_token(1)};
    clock_step_us = 1;
    ask_batch(worker, tokens, 3);
    assert_int_equal(sent_status, 200);
    assert_int_equal(count_said("\"reason\":\"ok\""), 2);
    assert_true(strncmp(sent_body.ptr, "{\"value\":[{\"decision\":\"allow\"", 28) == 0);
    assert_string_equal(sent_body.ptr + sent_body.len - 4, "}]}\n");
    assert_true(strstr(sent_body.ptr, "malformed_token") > strstr(sent_body.ptr, "\"ok\""));
    assert_null(last_gone);
    assert_true(run_message()); /* the turn is over */
    assert_false(run_message());
    expect_nothing_left(worker);
}

static void test_a_millisecond_of_each_turn(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    const char *token = make_token(0);
    clock_step_us = SHORT_US;
    ask_many(worker, token, 10);
    for (size_t before = 0; sent_count == 0; before = count_reviews(worker)) {
        size_t reviewed = count_reviews(worker) - before;
        assert_true(reviewed <= 2);
        assert_true(held_bytes > 0 || count_reviews(worker) == 0);
        assert_true(run_message());
    }
    assert_int_equal(sent_status, 200);
    assert_int_equal(count_said("\"reason\":\"ok\""), 10);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_REVIEW][RELY_OK], 10);
    expect_nothing_left(worker);
}

/* Of all together, not of each. */
static void test_the_second_of_a_turn_has_none_left(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    clock_step_us = LONG_US;
    ask_many(worker, make_token(0), 3);
    uint64_t reviewed = count_reviews(worker);
    assert_int_equal(reviewed, 1);
    for (int i = 0; i < 5; i++)
        ask_many(worker, make_token(0), 3);
    assert_int_equal(count_reviews(worker), reviewed);
    assert_true(run_message()); /* the rest of this turn: nothing */
    assert_int_equal(count_reviews(worker), reviewed);
    while (sent_count < 6)
        assert_true(run_message());
    expect_nothing_left(worker);
}

static void test_what_was_done_at_once_has_used_up_time(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    clock_step_us = SHORT_US;
    ask_many(worker, make_token(0), 1);
    assert_int_equal(sent_count, 1);
    ask_many(worker, make_token(0), 5);
    assert_int_equal(count_reviews(worker), 2);
}

static void test_they_go_by_turns(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    const char *token = make_token(0);
    clock_step_us = LONG_US;
    ask_many(worker, token, 8);
    ask_many(worker, token, 2);
    while (sent_count < 1)
        assert_true(run_message());
    assert_int_equal(count_said("\"reason\":\"ok\""), 2);
    while (sent_count < 2)
        assert_true(run_message());
    assert_int_equal(count_said("\"reason\":\"ok\""), 8);
}

/* One that comes while others stand in line stands behind them, however little it asks for. */
static void test_who_comes_later_stands_behind(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    clock_step_us = LONG_US;
    ask_many(worker, make_token(0), 4);
    run_message();
    uint64_t reviewed = count_reviews(worker);
    ask_many(worker, make_token(0), 1);
    assert_int_equal(count_reviews(worker), reviewed);
    assert_int_equal(sent_count, 0);
}

/* Each token is judged on the snapshot of its turn. */
static void test_the_snapshot_of_its_turn(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    clock_step_us = LONG_US;
    ask_many(worker, make_token(0), 4);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_REVIEW][RELY_OK], 1);
    scene_change_issuer(&worker->scene, worker->issuer, is_enabled, false);
    while (sent_count == 0)
        assert_true(run_message());
    assert_int_equal(count_said("\"reason\":\"ok\""), 1);
    assert_int_equal(count_said("\"decision\":\"deny\""), 3);
    assert_true(strstr(sent_body.ptr, "deny") > strstr(sent_body.ptr, "allow"));
}

/* --- what they hold ----------------------------------------------------------------------------------------------- */

static void test_beyond_the_bytes_they_are_refused(void **state)
{
    struct worker *worker = *state;
    bring_key(worker, worker->issuer);
    worker->reviewer.batch_bytes_max = 30000;
    clock_step_us = LONG_US;
    const char *token = make_token(3000);
    ask_many(worker, token, 5);
    assert_int_equal(sent_count, 0);
    assert_true(held_bytes > 4 * 3000 && held_bytes < 30000);
    assert_int_equal(held_bytes, worker->reviewer.batches.bytes);
    ask_many(worker, token, 5);
    assert_int_equal(sent_status, 503);
    assert_int_equal(count_said("\"code\":\"overloaded\""), 1);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_REVIEW][RELY_OVERLOADED], 1);
    while (sent_count < 2)
        assert_true(run_message());
    assert_int_equal(sent_status, 200);
    expect_nothing_left(worker);
    clock_step_us = 1;
    run_message();
    ask_many(worker, token, 5); /* what is done at once holds nothing */
    assert_int_equal(sent_status, 200);
}

static void test_beyond_the_tokens_they_are_refused(void **state)
{
    struct worker *worker = *state;
    size_t most = RELY_BATCHED_TOKENS_MAX / RELY_BATCH_TOKENS_MAX;
    clock_step_us = 2000;
    ask_many(worker, "x", 2); /* has this turn */
    assert_int_equal(worker->reviewer.batches.tokens, 1);
    for (size_t i = 0; i < most; i++)
        ask_many(worker, "x", RELY_BATCH_TOKENS_MAX);
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent_status, 503);
    assert_int_equal(worker->reviewer.batches.tokens, (most - 1) * RELY_BATCH_TOKENS_MAX + 1);
}

static void test_who_leaves_holds_nothing(void **state)
{
    struct worker *worker = *state;
    clock_step_us = LONG_US;
    ask_many(worker, "x", 5);
    assert_true(held_bytes > 0);
    uint64_t reviewed = count_reviews(worker);
    last_gone(last_context);
    expect_nothing_left(worker);
    run_message();
    assert_int_equal(count_reviews(worker), reviewed);
    assert_int_equal(sent_count, 0);
    assert_false(run_message());
}

static void test_answers_have_a_limit_together(void **state)
{
    struct worker *worker = *state;
    struct rely_identity *identity = scene_edit_identity(&worker->scene, worker->issuer + 1);
    bring_key(worker, worker->issuer);
    identity->username = rely_slice_of(mint_print("%.*s", 100000, mint_repeat('u', 100001).ptr));
    const char *token = make_token(0);
    ask_many(worker, token, 150);
    while (sent_count == 0)
        assert_true(run_message());
    assert_int_equal(sent_status, 200);
    ask_many(worker, token, 200);
    while (sent_count == 1)
        assert_true(run_message());
    assert_int_equal(sent_status, 503);
    assert_int_equal(count_said("too long together"), 1);
    expect_nothing_left(worker);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void test_keys_are_asked_for_together_and_waited_for_once(void **state)
{
    struct worker *worker = *state;
    const char *other = add_other(worker, 1);
    const char *tokens[] = {make_token(0), make_token_of(other, 0), "x", make_token_of(other, 1), make_token(1)};
    ask_batch(worker, tokens, 5);
    run_messages();
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(worker->counters.key_waits, 4);
    assert_int_equal(worker->reviewer.waiting.count, 1); /* the place of a batch */
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    run_messages();
    assert_int_equal(sent_count, 0);
    run_timers_of(150);
    run_messages();
    assert_int_equal(sent_count, 1);
    assert_int_equal(count_said("\"reason\":\"ok\""), 2);
    const char *first = strstr(sent_body.ptr, "\"reason\":");
    static const char *const reasons[] = {"\"ok\"", "\"keys_unavailable\"", "\"malformed_token\"",
                                          "\"keys_unavailable\"", "\"ok\""};
    for (size_t i = 0; i < 5; i++, first = strstr(first + 1, "\"reason\":"))
        assert_memory_equal(first + 9, reasons[i], strlen(reasons[i]));
    assert_int_equal(asked_for_keys, 2);
    expect_nothing_left(worker);
}

/* The key has come for all of them: no more than a turn's worth of reviews at once. */
static void test_those_that_waited_are_reviewed_by_turns(void **state)
{
    struct worker *worker = *state;
    ask_many(worker, make_token(0), 12);
    run_messages();
    assert_int_equal(count_reviews(worker), 12);
    bring_key(worker, worker->issuer);
    clock_step_us = SHORT_US;
    settle(worker, worker->issuer);
    assert_int_equal(count_reviews(worker), 12);
    for (size_t before = 12; sent_count == 0; before = count_reviews(worker)) {
        assert_true(run_message());
        assert_true(count_reviews(worker) - before <= 2);
    }
    assert_int_equal(count_said("\"reason\":\"ok\""), 12);
    assert_int_equal(count_reviews(worker), 24);
    expect_nothing_left(worker);
}

/* A fetch that had begun when the batch came is no fetch for it; one that began for its first token is one for all. */
static void test_one_fetch_is_for_all_of_its_tokens(void **state)
{
    struct worker *worker = *state;
    clock_step_us = 10;
    int64_t before_us =
        rely_clock_monotonic_us(); /* the batch comes 10 us later, its first token is reviewed after 20 */
    ask_many(worker, make_token(0), 5);
    assert_int_equal(asked_for_keys, 1);
    rely_reviewer_keys_answered(&worker->reviewer, worker->issuer, &(struct rely_key_notice){before_us, 0});
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(sent_count, 0);
    rely_reviewer_keys_answered(&worker->reviewer, worker->issuer, &(struct rely_key_notice){before_us + 15, 0});
    run_messages();
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(count_said("\"reason\":\"keys_unavailable\""), 5);
}

static void test_who_leaves_waits_no_more(void **state)
{
    struct worker *worker = *state;
    ask_many(worker, make_token(0), 5);
    run_messages();
    assert_int_equal(worker->reviewer.waiting.count, 1);
    assert_int_equal(running_count, 5);
    last_gone(last_context);
    expect_nothing_left(worker);
    assert_int_equal(running_count, 0);
    settle(worker, worker->issuer);
    run_messages();
    assert_int_equal(sent_count, 0);
}

/* Batches that wait for one issuer hold no more than half of what may wait, as single requests do. */
static void test_what_waits_has_its_limit(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(40000);
    size_t limit = RELY_WAITING_BYTES_MAX / 2;
    ask_many(worker, token, 15);
    run_messages();
    size_t each = worker->reviewer.waiting.bytes / 15;
    assert_true(each > 40000);
    for (int i = 0; i < 9; i++)
        ask_many(worker, token, 15);
    run_messages();
    assert_true(worker->reviewer.waiting.bytes <= limit && worker->reviewer.waiting.bytes > limit - each);
    assert_true(worker->counters.reviews[RELY_ENDPOINT_REVIEW][RELY_KEYS_UNAVAILABLE] > 0);
    run_timers_of(150);
    run_messages();
    assert_int_equal(sent_count, 10);
    expect_nothing_left(worker);
}

/* Some wait, some stand in line, and the loop ends: whatever is left is the worker's to free. */
static void test_the_end_of_the_worker(void **state)
{
    struct worker *worker = *state;
    ask_many(worker, make_token(0), 5);
    run_messages();
    clock_step_us = LONG_US;
    ask_many(worker, "x", 5);
    ask_many(worker, make_token(0), 5);
    assert_non_null(worker->reviewer.batches.idle.first);
    assert_non_null(worker->reviewer.batches.ready.first);
    assert_int_equal(sent_count, 0);
}

#define BATCH_TEST(name) cmocka_unit_test_setup_teardown(name, begin_batches, tear_down_worker)

int run_batch_tests(void)
{
    const struct CMUnitTest tests[] = {
        BATCH_TEST(test_what_one_turn_has_time_for_is_answered_at_once),
        BATCH_TEST(test_a_millisecond_of_each_turn),
        BATCH_TEST(test_the_second_of_a_turn_has_none_left),
        BATCH_TEST(test_what_was_done_at_once_has_used_up_time),
        BATCH_TEST(test_they_go_by_turns),
        BATCH_TEST(test_who_comes_later_stands_behind),
        BATCH_TEST(test_the_snapshot_of_its_turn),
        BATCH_TEST(test_beyond_the_bytes_they_are_refused),
        BATCH_TEST(test_beyond_the_tokens_they_are_refused),
        BATCH_TEST(test_who_leaves_holds_nothing),
        BATCH_TEST(test_answers_have_a_limit_together),
        BATCH_TEST(test_keys_are_asked_for_together_and_waited_for_once),
        BATCH_TEST(test_those_that_waited_are_reviewed_by_turns),
        BATCH_TEST(test_one_fetch_is_for_all_of_its_tokens),
        BATCH_TEST(test_who_leaves_waits_no_more),
        BATCH_TEST(test_what_waits_has_its_limit),
        BATCH_TEST(test_the_end_of_the_worker),
    };
    return cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}

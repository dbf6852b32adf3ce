/* The loop of these tests is this file: timers and messages are lists of its own, the clock jumps where it is told to,
 * and requests are carried by a transport of its own. */
#include "worker.h"
#include "../mint/mint.h"
#include "relyd/clock.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* --- the loop --------------------------------------------------------------------------------------------------- */

static struct running {
    struct rely_timer *timer;
    int delay_ms;
} running[2 * WAITING_MAX];
size_t running_count;

void __wrap_rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int delay_ms);
void __wrap_rely_timer_cancel(struct rely_loop *loop, struct rely_timer *timer);

void __wrap_rely_timer_cancel(struct rely_loop *loop, struct rely_timer *timer)
{
    (void)loop;
    for (size_t i = 0; i < running_count; i++)
        if (running[i].timer == timer)
            running[i--] = running[--running_count];
}

void __wrap_rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int delay_ms)
{
    __wrap_rely_timer_cancel(loop, timer);
    running[running_count++] = (struct running){timer, delay_ms};
}

/* --- messages, and what handlers hold -------------------------------------------------------------------------- */

static struct rely_message *posted;
size_t held_bytes;

void __wrap_rely_loop_post(struct rely_loop *loop, struct rely_message *message);
void __wrap_rely_loop_hold(struct rely_loop *loop, size_t bytes);

void __wrap_rely_loop_post(struct rely_loop *loop, struct rely_message *message)
{
    (void)loop;
    assert_null(posted); /* one is enough */
    posted = message;
}

void __wrap_rely_loop_hold(struct rely_loop *loop, size_t bytes)
{
    (void)loop;
    held_bytes = bytes;
}

bool run_message(void)
{
    struct rely_message *message = posted;
    posted = NULL;
    if (message != NULL)
        message->run(message);
    return message != NULL;
}

/* --- the clock ----------------------------------------------------------------------------------------------------- */

int64_t clock_step_us;
static int64_t clock_skew_us, stopped_us;

int64_t __real_rely_clock_monotonic_us(void);
int64_t __wrap_rely_clock_monotonic_us(void);

int64_t __wrap_rely_clock_monotonic_us(void)
{
    if (clock_step_us == 0)
        return __real_rely_clock_monotonic_us() + clock_skew_us;
    if (stopped_us == 0)
        stopped_us = __real_rely_clock_monotonic_us();
    clock_skew_us += clock_step_us;
    return stopped_us + clock_skew_us;
}

/* --- timers -------------------------------------------------------------------------------------------------------- */

void run_timers_of(int delay_ms)
{
    struct rely_timer *due[2 * WAITING_MAX];
    size_t count = 0;
    for (size_t i = 0; i < running_count; i++)
        if (running[i].delay_ms <= delay_ms)
            due[count++] = running[i].timer;
    for (size_t i = 0; i < count; i++) {
        __wrap_rely_timer_cancel(NULL, due[i]);
        due[i]->run(due[i]);
    }
}

void (*last_gone)(void *context);
void *last_context;

static void note_deferred(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    (void)request;
    last_gone = gone;
    last_context = context;
}

size_t handled_again;

static void note_again(struct rely_http_request *request)
{
    request->is_again = true;
    handled_again++;
}

static void name_nobody(const struct rely_http_request *request, char *out)
{
    (void)request;
    out[0] = '\0';
}

struct rely_slice sent_header, sent_value;

static struct rely_slice find_sent(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    (void)request;
    bool is_there = rely_slice_equal(name, sent_header);
    if (count != NULL)
        *count = is_there;
    return is_there ? sent_value : rely_slice(NULL, 0);
}

int sent_status;
size_t sent_count;
struct rely_buf sent_body;

static void note_response(struct rely_http_request *request, const struct rely_http_response *response)
{
    (void)request;
    sent_status = response->status;
    sent_count++;
    sent_body.len = 0;
    rely_buf_put(&sent_body, response->body);
}

/* No connection: nothing is read of it, and what is sent is looked at. */
static const struct rely_http_transport nowhere = {.find_header = find_sent,
                                                   .respond = note_response,
                                                   .defer = note_deferred,
                                                   .put_off = note_deferred,
                                                   .handle_again = note_again,
                                                   .peer = name_nobody};

/* --- a worker ------------------------------------------------------------------------------------------------------
 */

size_t answered[RELY_REASON_COUNT], answered_count, asked_for_keys;

void note_answer(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_answer *answer)
{
    (void)reviewer;
    (void)request;
    answered[answer->review->decision.reason]++;
    answered_count++;
}

static void note_question(void *service, int64_t issuer_id)
{
    (void)service;
    (void)issuer_id;
    asked_for_keys++;
}

static void ignore_table(void *service, int64_t issuer_id, uint64_t key_serial)
{
    (void)service;
    (void)issuer_id;
    (void)key_serial;
}

size_t asked_for_pins;
struct rely_pin last_pin;

size_t asked_for_life;
struct rely_bound last_bound;

static void note_life(void *service, const struct rely_live_question *question)
{
    (void)service;
    assert_true(question->token.len > 0 && question->claims->audience_count > 0);
    last_bound = question->bound;
    asked_for_life++;
}

static void note_pin(void *service, const struct rely_pin *pin)
{
    (void)service;
    last_pin = *pin;
    asked_for_pins++;
}

int set_up_worker(void **state)
{
    struct worker *worker = aligned_alloc(64, (sizeof *worker + 63) / 64 * 64);
    struct rely_err err = {0};
    memset(worker, 0, sizeof *worker);
    memset(answered, 0, sizeof answered);
    answered_count = asked_for_keys = running_count = 0;
    asked_for_pins = asked_for_life = held_bytes = 0;
    clock_step_us = sent_status = 0;
    stopped_us = 0;
    sent_count = 0;
    last_gone = NULL;
    posted = NULL;
    scene_init(&worker->scene);
    worker->scene.snapshot->token_max_bytes = RELY_TOKEN_BYTES_MAX;
    rely_pool_init(&worker->scratch);
    worker->request.scratch = &worker->scratch;
    worker->request.transport = &nowhere;
    worker->log =
        rely_log_start(&(struct rely_log_options){.fd = -1, .allows_fd = -1, .decisions = RELY_LOG_NO_DECISIONS}, &err);
    assert_non_null(worker->log);
    worker->reviewer = (struct rely_reviewer){.snapshot = worker->scene.snapshot,
                                              .counters = &worker->counters,
                                              .ring = rely_log_ring_new(worker->log),
                                              .hooks = {worker, note_question, ignore_table, note_pin, note_life},
                                              .key_wait_ms = 150,
                                              .batch_bytes_max = (size_t)64 * 1024 * 1024,
                                              .tries = {.limit = 100}};
    rely_reviewer_init(&worker->reviewer);
    worker->issuer = scene_add_issuer(&worker->scene, "issuer", URL, NULL);
    scene_add_credential(&worker->scene, worker->issuer, scene_add_identity(&worker->scene, "app"), "app", "relyd");
    *state = worker;
    return 0;
}

int tear_down_worker(void **state)
{
    struct worker *worker = *state;
    rely_reviewer_fini(&worker->reviewer);
    rely_buf_fini(&sent_body);
    rely_log_stop(worker->log);
    rely_pool_fini(&worker->scratch);
    scene_free(&worker->scene);
    free(worker);
    mint_reset();
    return 0;
}

/* A token that is right as soon as its key is there, with so many bytes more. */
const char *make_token_of(const char *iss, size_t more)
{
    time_t now = time(NULL);
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":\"relyd\",\"exp\":%lld,\"more\":\"%.*s\"}",
                                 iss, (long long)now + 3600, (int)more, mint_repeat('x', more + 1).ptr));
}

const char *make_token(size_t more)
{
    return make_token_of(URL, more);
}

/* The iss of another record, which has no keys either. */
const char *add_other(struct worker *worker, int number)
{
    const char *iss = mint_print("https://issuer-%d.example", number);
    scene_add_issuer(&worker->scene, "other", iss, NULL);
    return iss;
}

void ask(struct worker *worker, const char *token)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = note_answer};
    asked.review.token = rely_slice_of(token);
    asked.review.is_single = true;
    rely_reviewer_ask(&worker->reviewer, &worker->request, &asked);
    rely_pool_reset(&worker->scratch);
}

void bring_key(struct worker *worker, int64_t issuer)
{
    scene_change_issuer(&worker->scene, issuer, keyset,
                        scene_add_keyset(&worker->scene, mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), NULL)));
}

void settle(struct worker *worker, int64_t issuer)
{
    rely_reviewer_keys_answered(&worker->reviewer, issuer,
                                &(struct rely_key_notice){rely_clock_monotonic_us() + 1, 1000});
}

/* A fetch is over that had begun before anybody came; the next may be asked for in so many milliseconds. */
void end_earlier_fetch(struct worker *worker, int64_t miss_ms)
{
    rely_reviewer_keys_answered(&worker->reviewer, worker->issuer, &(struct rely_key_notice){1, miss_ms});
}

uint64_t count_reviews(const struct worker *worker)
{
    return worker->counters.cache_hits + worker->counters.cache_misses;
}

/*
 * Requests of the control plane that wait for a key or a uid of their caller's: how many, for how long, and what wakes
 * them. Everything that they call is this file.
 */
#include "service.h"

#include "relyd/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM 32
#define WAIT_MS 150

static struct rely_config config;
static struct rely_service service = {.config = &config};
static struct rely_control_thread thread;
static struct {
    struct rely_http_request request;
    struct rely_timer *timer; /* NULL: it does not wait */
    int delay_ms;
    void (*gone)(void *context);
    void *context;
    int handled; /* again */
} asked[ROOM + 1];
static size_t begun;
static struct rely_timer *last_started;

void rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int ms)
{
    (void)loop;
    last_started = timer;
    for (size_t i = 0; i < begun; i++)
        if (asked[i].timer == timer)
            asked[i].delay_ms = ms;
}

void rely_timer_cancel(struct rely_loop *loop, struct rely_timer *timer)
{
    (void)loop;
    for (size_t i = 0; i < begun; i++)
        if (asked[i].timer == timer)
            asked[i].timer = NULL;
}

void rely_http_put_off(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    assert_ptr_equal(request, &asked[begun].request);
    asked[begun].timer = last_started;
    asked[begun].delay_ms = WAIT_MS;
    asked[begun].gone = gone;
    asked[begun].context = context;
    begun++;
}

static void handle_again(struct rely_http_request *request)
{
    for (size_t i = 0; i < begun; i++)
        if (&asked[i].request == request) {
            assert_null(asked[i].timer); /* it waits no more: it may be put off anew */
            asked[i].handled++;
        }
}

static const struct rely_http_transport transport = {.handle_again = handle_again};

static int set_up_waits(void **state)
{
    (void)state;
    memset(asked, 0, sizeof asked);
    for (size_t i = 0; i <= ROOM; i++)
        asked[i].request.transport = &transport;
    begun = 0;
    config.key_miss_wait_ms = WAIT_MS;
    thread = (struct rely_control_thread){.service = &service};
    return 0;
}

static int tear_down_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < begun; i++)
        if (asked[i].timer != NULL)
            asked[i].gone(asked[i].context);
    assert_int_equal(thread.wait_count, 0);
    assert_null(thread.waits);
    return 0;
}

static struct rely_issuer issuers[2] = {{.id = 1}, {.id = 2}};
static struct rely_issuer uploaded = {.id = 3, .has_uploaded_keys = true};

/* Refused because keys of these are missing. */
static struct rely_review missing(const struct rely_issuer *first, const struct rely_issuer *second)
{
    struct rely_review review = {.decision.reason = RELY_KEY_UNKNOWN};
    review.candidates[0].issuer = first;
    review.candidates[1].issuer = second;
    review.candidate_count = second == NULL ? 1 : 2;
    return review;
}

static bool begin(const struct rely_review *review)
{
    return rely_waits_begin(&thread, &asked[begun].request, review);
}

static void run(size_t i)
{
    struct rely_timer *timer = asked[i].timer;
    timer->run(timer);
}

static void a_key_wakes_who_waits_for_it(void **state)
{
    (void)state;
    struct rely_review one = missing(&issuers[0], NULL), other = missing(&issuers[1], NULL),
                       both = missing(&issuers[0], &issuers[1]);
    assert_true(begin(&one));
    assert_true(begin(&other));
    assert_true(begin(&both));
    assert_int_equal(thread.wait_count, 3);
    rely_waits_note_keys(&thread, 1);
    assert_int_equal(asked[0].delay_ms, 0); /* behind whoever has said so */
    assert_int_equal(asked[1].delay_ms, WAIT_MS);
    assert_int_equal(asked[2].delay_ms, 0);
    assert_int_equal(asked[0].handled, 0);
    run(0);
    run(2);
    run(1); /* its time is up */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(asked[i].handled, 1);
}

static void a_uid_wakes_who_waits_for_it(void **state)
{
    (void)state;
    const struct rely_credential credential = {.id = 1};
    struct rely_review pinning = {.decision.reason = RELY_PIN_PENDING, .unpinned = &credential};
    struct rely_review key = missing(&issuers[0], NULL);
    assert_true(begin(&pinning));
    assert_true(begin(&key));
    rely_waits_note_pin(&thread, 2);
    assert_int_equal(asked[0].delay_ms, WAIT_MS);
    rely_waits_note_pin(&thread, 1);
    assert_int_equal(asked[0].delay_ms, 0);
}

static void a_cluster_wakes_who_waits_for_it(void **state)
{
    (void)state;
    const struct rely_bound one = {1, {2, 3}}, other = {1, {2, 4}};
    struct rely_review wanting = {.decision.reason = RELY_LIVENESS_UNAVAILABLE, .live = {.bound = one}};
    struct rely_review silent = {.decision.reason = RELY_LIVENESS_UNAVAILABLE,
                                 .live = {.life = RELY_LIFE_UNAVAILABLE, .bound = one}};
    assert_true(begin(&wanting));
    assert_false(begin(&silent));
    rely_waits_note_life(&thread, &other);
    assert_int_equal(asked[0].delay_ms, WAIT_MS);
    rely_waits_note_life(&thread, &one);
    assert_int_equal(asked[0].delay_ms, 0);
}

static void nothing_is_waited_for_in_vain(void **state)
{
    (void)state;
    struct rely_review wrong = {.decision.reason = RELY_EXPIRED}, good = {.decision.reason = RELY_OK};
    struct rely_review given = missing(&uploaded, NULL), mixed = missing(&uploaded, &issuers[1]);
    assert_false(begin(&wrong));
    assert_false(begin(&good));
    assert_false(begin(&given));
    asked[0].request.is_again = true;
    assert_false(begin(&mixed));
    asked[0].request.is_again = false;
    config.key_miss_wait_ms = 0;
    assert_false(begin(&mixed));
    config.key_miss_wait_ms = WAIT_MS;
    assert_true(begin(&mixed));
    rely_waits_note_keys(&thread, 3);
    assert_int_equal(asked[0].delay_ms, WAIT_MS);
    rely_waits_note_keys(&thread, 2);
    assert_int_equal(asked[0].delay_ms, 0);
}

/* Of one iss as many as they leave to others. */
static void so_many_wait(void **state)
{
    (void)state;
    struct rely_review review = missing(&issuers[0], NULL), other = missing(&issuers[1], NULL);
    review.name = RELY_LIT("https://one.example");
    other.name = RELY_LIT("https://other.example");
    for (size_t i = 0; i < ROOM / 2; i++)
        assert_true(begin(&review));
    assert_false(begin(&review));
    assert_true(begin(&other));
    assert_false(begin(&review));
    asked[5].gone(asked[5].context); /* its client has left */
    assert_true(begin(&review));
    assert_false(begin(&review));
    assert_int_equal(asked[5].handled, 0);
    for (size_t i = 1; i < ROOM / 4; i++)
        assert_true(begin(&other));
    assert_false(begin(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_wakes_who_waits_for_it, set_up_waits, tear_down_waits),
        cmocka_unit_test_setup_teardown(a_uid_wakes_who_waits_for_it, set_up_waits, tear_down_waits),
        cmocka_unit_test_setup_teardown(a_cluster_wakes_who_waits_for_it, set_up_waits, tear_down_waits),
        cmocka_unit_test_setup_teardown(nothing_is_waited_for_in_vain, set_up_waits, tear_down_waits),
        cmocka_unit_test_setup_teardown(so_many_wait, set_up_waits, tear_down_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

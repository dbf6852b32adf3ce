/*
 * What the control thread asks the registry of its own accord: uids to be written down, and revocations that are over.
 * How many are on their way, who is told, and when the next look is. Everything that they call is this file.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/guards.h"
#include "relyd/objects.h"
#include "relyd/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ON_THEIR_WAY_MAX 1000
#define WORKERS 3
#define LONG_MS 10000
#define SOON_MS 1000

static struct rely_work *asked[ON_THEIR_WAY_MAX + 1];
static size_t asked_count, told_count, logged_count, swept;
static int64_t told_id, waits_told_id;
static bool is_told_written;
static int delay_ms; /* of the timer; -1: it is not set */
static struct rely_snapshot snapshot;

void rely_registry_thread_ask(struct rely_registry_thread *thread, struct rely_work *work)
{
    (void)thread;
    asked[asked_count++] = work;
}

bool rely_registry_pin(struct rely_registry *registry, const struct rely_pin *pin, int64_t now_s,
                       struct rely_changes *changes, struct rely_err *err)
{
    (void)registry;
    (void)now_s;
    (void)changes;
    return pin->issuer_id != 0 || rely_err_set(err, RELY_ERR_IO, "no room");
}

bool rely_registry_sweep(struct rely_registry *registry, int64_t now_s, struct rely_changes *changes, size_t *count,
                         struct rely_err *err)
{
    (void)registry;
    (void)now_s;
    (void)changes;
    (void)err;
    *count = swept;
    return true;
}

void rely_loop_post(struct rely_loop *loop, struct rely_message *message)
{
    (void)loop;
    message->run(message);
}

void rely_reviewer_pin_answered(struct rely_reviewer *reviewer, int64_t credential_id, bool is_written)
{
    assert_int_equal(reviewer->pins_asked[0].credential_id, told_count); /* each worker's own */
    told_count++;
    told_id = credential_id;
    is_told_written = is_written;
}

/* Administrators' requests, on this thread. */
void rely_waits_note_pin(const struct rely_control_thread *thread, int64_t credential_id)
{
    (void)thread;
    assert_int_equal(told_count, 0);
    waits_told_id = credential_id;
}

void rely_log_event(struct rely_log_ring *ring, enum rely_level level, const char *event, const char *format, ...)
{
    (void)ring;
    (void)level;
    (void)event;
    (void)format;
    logged_count++;
}

void rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int ms)
{
    (void)loop;
    (void)timer;
    delay_ms = ms;
}

int64_t rely_clock_now_s(void)
{
    return 1800000000;
}

const struct rely_snapshot *rely_control_snapshot(const struct rely_control *control)
{
    (void)control;
    return &snapshot;
}

static struct rely_worker workers[WORKERS];
static struct rely_service service;

static int set_up_asks(void **state)
{
    struct rely_control_thread *thread = &service.control_thread;
    for (size_t i = 0; i < WORKERS; i++)
        workers[i].reviewer.pins_asked[0].credential_id = (int64_t)i;
    service.workers = workers;
    service.worker_count = WORKERS;
    *thread = (struct rely_control_thread){.service = &service};
    asked_count = told_count = logged_count = swept = 0;
    *state = thread;
    return 0;
}

/* What the registry's thread and the commit do with it. */
static void end(struct rely_work *work, const struct rely_err *err)
{
    work->run(work, NULL);
    work->done(work, err);
}

static void each_worker_is_told_of_a_pin(void **state)
{
    static const struct rely_err failed = {.code = RELY_ERR_IO};
    const struct rely_pin good = {.credential_id = 7, .issuer_id = 1}, bad = {.credential_id = 8};
    const struct rely_pin *const pins[] = {&good, &bad, &good};
    for (size_t i = 0; i < 3; i++) {
        rely_pins_ask(*state, pins[i]);
        told_count = 0;
        end(asked[i], i == 2 ? &failed : NULL);
        assert_int_equal(told_count, WORKERS);
        assert_int_equal(told_id, pins[i]->credential_id);
        assert_int_equal(waits_told_id, pins[i]->credential_id);
        assert_int_equal(is_told_written, i == 0);
        assert_int_equal(logged_count, i);
    }
}

static void so_many_pins_are_on_their_way(void **state)
{
    const struct rely_pin pin = {.credential_id = 7, .issuer_id = 1};
    for (int round = 0; round < 2; round++) {
        asked_count = 0;
        for (int i = 0; i <= ON_THEIR_WAY_MAX; i++)
            rely_pins_ask(*state, &pin);
        assert_int_equal(asked_count, ON_THEIR_WAY_MAX);
        for (int i = 0; i < ON_THEIR_WAY_MAX; i++, told_count = 0)
            end(asked[i], NULL);
    }
}

static void revocations_are_looked_at_from_time_to_time(void **state)
{
    struct rely_control_thread *thread = *state;
    struct rely_timer *timer = &thread->sweeper.timer;
    static const struct {
        size_t there, swept;
        int next_ms; /* when it is over */
    } looks[] = {{0, 0, LONG_MS}, {1, 0, LONG_MS}, {1, 1, LONG_MS}, {1, RELY_SWEPT_AT_ONCE, SOON_MS}};
    rely_sweeper_start(&thread->sweeper, thread);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        assert_int_equal(delay_ms, LONG_MS);
        snapshot.revocations_by_id.count = looks[i].there;
        swept = looks[i].swept;
        asked_count = logged_count = 0;
        timer->run(timer);
        assert_int_equal(delay_ms, LONG_MS);
        assert_int_equal(asked_count, looks[i].there);
        if (asked_count > 0)
            end(asked[0], NULL);
        assert_int_equal(logged_count, looks[i].swept > 0);
        assert_int_equal(delay_ms, looks[i].next_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_worker_is_told_of_a_pin, set_up_asks),
        cmocka_unit_test_setup(so_many_pins_are_on_their_way, set_up_asks),
        cmocka_unit_test_setup(revocations_are_looked_at_from_time_to_time, set_up_asks),
    };
    return cmocka_run_group_tests_name("what the control thread asks", tests, NULL, NULL);
}

/*
 * Revocations that are over are deleted, from time to time: nothing waits for it, as a review looks at the time itself.
 * Decides when. Called by control_thread.c.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/objects.h"
#include "relyd/snapshot.h"

#include <stdlib.h>

#define EVERY_MS 10000
#define NEXT_MS 1000 /* there may be more than one look deletes: others write in between */

/* One look, on its way to the registry's thread and back. */
struct sweep {
    struct rely_work work; /* first */
    struct rely_control_thread *thread;
    int64_t now_s;
    size_t count;
    struct rely_err err;
};

static void sweep_registry(struct rely_work *work, struct rely_registry *registry)
{
    struct sweep *sweep = (struct sweep *)work;
    rely_drop(rely_registry_sweep(registry, sweep->now_s, &work->changes, &sweep->count, &sweep->err));
}

/* A fault is said by whoever writes next, too; this one comes again. */
static void end_sweep(struct rely_work *work, const struct rely_err *err)
{
    struct sweep *sweep = (struct sweep *)work;
    struct rely_control_thread *thread = sweep->thread;
    if (err == NULL && sweep->count > 0)
        rely_log_event(thread->ring, RELY_LOG_INFO, "revocations_over", "%zu revocations are over and deleted",
                       sweep->count);
    if (err == NULL && sweep->count == RELY_SWEPT_AT_ONCE)
        rely_timer_start(thread->loop, &thread->sweeper.timer, NEXT_MS);
    free(sweep);
}

static void ring_sweep(struct rely_timer *timer)
{
    struct rely_sweeper *sweeper = (struct rely_sweeper *)timer;
    struct rely_control_thread *thread = sweeper->thread;
    const struct rely_snapshot *snapshot = rely_control_snapshot(thread->control);
    if (snapshot->revocations_by_id.count > 0) {
        struct sweep *sweep = rely_alloc(sizeof *sweep);
        *sweep = (struct sweep){.work = {.is_write = true, .run = sweep_registry, .done = end_sweep},
                                .thread = thread,
                                .now_s = rely_clock_now_s()};
        rely_registry_thread_ask(&thread->registry, &sweep->work);
    }
    rely_timer_start(thread->loop, &sweeper->timer, EVERY_MS);
}

void rely_sweeper_start(struct rely_sweeper *sweeper, struct rely_control_thread *thread)
{
    sweeper->timer.run = ring_sweep;
    sweeper->thread = thread;
    rely_timer_start(thread->loop, &sweeper->timer, EVERY_MS);
}

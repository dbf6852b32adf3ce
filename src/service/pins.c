/*
 * Uids that reviews ask to have written down: from a worker to the registry's thread and, when they are durable and
 * live, back to every worker. Decides how many are on their way; a review that finds none coming says pin_pending.
 * Called by worker.c, and by callers.c for administrators' own tokens.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/guards.h"
#include "relyd/objects.h"

#include <stdlib.h>

/* However fast reviews ask, the registry's thread has no more than these before it. */
#define PINS_ON_THEIR_WAY_MAX 1000

/* One pin, on its way to the registry's thread and back. */
struct pinning {
    struct rely_work work; /* first */
    struct rely_control_thread *thread;
    struct rely_pin pin;
    int64_t now_s;
    struct rely_err err;
    bool is_done;
};

static void pin_in_registry(struct rely_work *work, struct rely_registry *registry)
{
    struct pinning *pinning = (struct pinning *)work;
    pinning->is_done = rely_registry_pin(registry, &pinning->pin, pinning->now_s, &work->changes, &pinning->err);
}

/* To one worker: whoever waits for it is reviewed once more. */
struct pin_notice {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    int64_t credential_id;
    bool is_written;
};

static void note_pin_on_worker(struct rely_message *message)
{
    struct pin_notice *notice = (struct pin_notice *)message;
    rely_reviewer_pin_answered(&notice->worker->reviewer, notice->credential_id, notice->is_written);
    free(notice);
}

static void drop_pin_notice(struct rely_message *message)
{
    free(message);
}

static void tell_workers_of_pin(const struct rely_control_thread *thread, int64_t credential_id, bool is_written)
{
    struct rely_service *service = thread->service;
    rely_waits_note_pin(thread, credential_id);
    for (size_t i = 0; i < service->worker_count && !thread->are_workers_gone; i++) {
        struct pin_notice *notice = rely_alloc(sizeof *notice);
        *notice = (struct pin_notice){
            {.run = note_pin_on_worker, .drop = drop_pin_notice}, &service->workers[i], credential_id, is_written};
        rely_loop_post(service->workers[i].loop, &notice->message);
    }
}

static void end_pinning(struct rely_work *work, const struct rely_err *err)
{
    struct pinning *pinning = (struct pinning *)work;
    struct rely_control_thread *thread = pinning->thread;
    bool is_written = err == NULL && pinning->is_done;
    thread->pins_on_their_way--;
    if (!is_written)
        rely_log_event(thread->ring, RELY_LOG_ERROR, "uid_not_pinned",
                       "the uid of a service account could not be written down, and what waits for it is refused as "
                       "pin_pending: %s",
                       err != NULL ? err->message : pinning->err.message);
    tell_workers_of_pin(thread, pinning->pin.credential_id, is_written);
    free(pinning);
}

void rely_pins_ask(struct rely_control_thread *thread, const struct rely_pin *pin)
{
    if (thread->pins_on_their_way == PINS_ON_THEIR_WAY_MAX)
        return;
    struct pinning *pinning = rely_alloc(sizeof *pinning);
    *pinning = (struct pinning){.work = {.is_write = true, .run = pin_in_registry, .done = end_pinning},
                                .thread = thread,
                                .pin = *pin,
                                .now_s = rely_clock_now_s()};
    thread->pins_on_their_way++;
    rely_registry_thread_ask(&thread->registry, &pinning->work);
}

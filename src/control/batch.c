/*
 * Group commit: administrators' writes that come close together share a transaction, and so one fsync, one edition and
 * one message to each worker. Decides when a batch ends; nothing of it is answered before. Called by control.c, for
 * admin/, and by the key keeper.
 */
#include "../service/service.h"

#include <stdlib.h>

/* From one commit to the next, while more writes may still come: a commit costs more CPU time than a write, and a
 * worker may want this core. Too short to be felt; a first write does not wait. */
#define COMMIT_INTERVAL_MS 2

struct rely_batch_answer {
    struct rely_batch_answer *next;
    void (*done)(void *context, const struct rely_err *err);
    void *context;
};

static void tell_all(struct rely_batch_answer *answer, const struct rely_err *err)
{
    while (answer != NULL) {
        struct rely_batch_answer *next = answer->next;
        answer->done(answer->context, err);
        free(answer);
        answer = next;
    }
}

static void tell_all_live(void *first)
{
    tell_all(first, NULL);
}

/* The key keeper looks after touched issuers. */
static void note_issuers(struct rely_control *control, const struct rely_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].object == RELY_OBJECT_ISSUER)
            rely_keeper_note_issuer(control->keeper, changes->items[i].id, changes->items[i].record == NULL);
}

bool rely_batch_settle(struct rely_control *control, struct rely_err *err)
{
    struct rely_batch *batch = &control->batch;
    if (!batch->is_open)
        return true;
    struct rely_batch_answer *first = batch->first;
    struct rely_changes changes = batch->changes;
    rely_timer_cancel(control->loop, &batch->timer);
    *batch = (struct rely_batch){0}; /* answers may bring the next write */
    bool is_kept = rely_control_commit(control, &changes, tell_all_live, first, err);
    batch->last_commit_ms = rely_service_now_ms();
    if (is_kept) {
        note_issuers(control, &changes);
    } else {
        rely_log_event(control->ring, RELY_LOG_ERROR, "commit_failed", "%s", err->message);
        tell_all(first, err);
    }
    rely_changes_fini(&changes);
    return is_kept;
}

static void end_batch(struct rely_timer *timer)
{
    struct rely_err err = {0};
    struct rely_control *control = (struct rely_control *)((char *)timer - offsetof(struct rely_control, batch.timer));
    rely_drop(rely_batch_settle(control, &err)); /* those who wait have been told */
}

bool rely_batch_begin(struct rely_control *control, struct rely_err *err)
{
    struct rely_batch *batch = &control->batch;
    if (batch->is_open)
        return true;
    if (!rely_registry_begin(control->registry, err))
        return false;
    int64_t wait_ms = batch->last_commit_ms + COMMIT_INTERVAL_MS - rely_service_now_ms();
    batch->is_open = true;
    batch->timer.run = end_batch;
    rely_timer_start(control->loop, &batch->timer, wait_ms < 0 ? 0 : (int)wait_ms);
    return true;
}

void rely_batch_join(struct rely_control *control, struct rely_changes *changes,
                     void (*done)(void *context, const struct rely_err *err), void *context)
{
    struct rely_batch *batch = &control->batch;
    struct rely_batch_answer *answer = rely_alloc(sizeof *answer);
    *answer = (struct rely_batch_answer){.done = done, .context = context};
    *(batch->last == NULL ? &batch->first : &batch->last->next) = answer;
    batch->last = answer;
    rely_changes_move(&batch->changes, changes);
    batch->count++;
    if (batch->count >= rely_loop_connections(control->loop))
        rely_timer_start(control->loop, &batch->timer, 0); /* nobody is left who could join */
}

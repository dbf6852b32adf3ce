/*
 * Group commit: administrators' writes that come close together share a transaction, and so one fsync, one edition and
 * one message to each worker. Decides when a batch ends; nothing of it is answered before. Called by service/, for
 * admin/ and for the key keeper.
 */
#include "inside.h"

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

/* The key keeper looks after touched issuers. What a batch wrote and removed again was never there. */
static void note_issuers(const struct rely_control *control, const struct rely_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct rely_change *change = &changes->items[i];
        bool is_removed = rely_snapshot_issuer(control->snapshot, change->id) == NULL;
        if (change->object == RELY_OBJECT_ISSUER)
            control->hooks.note_issuer(control->hooks.context, change->id, is_removed);
    }
}

/* Commit what is open and publish it; `done` never runs when it fails, nor is anything published. */
static bool commit_batch(struct rely_control *control, const struct rely_changes *changes,
                         struct rely_batch_answer *first, struct rely_err *err)
{
    if (!control->hooks.commit_writes(control->hooks.context, err))
        return false;
    if (changes->count > 0)
        rely_publish_edition(control, rely_edition_carry(control, changes), tell_all_live, first);
    else
        tell_all(first, NULL);
    return true;
}

bool rely_control_settle(struct rely_control *control, struct rely_err *err)
{
    struct rely_batch *batch = &control->batch;
    if (!batch->is_open)
        return true;
    struct rely_batch_answer *first = batch->first;
    struct rely_changes changes = batch->changes;
    control->hooks.cancel_timer(control->hooks.context, &control->batch_timer);
    *batch = (struct rely_batch){0}; /* answers may bring the next write */
    bool is_kept = commit_batch(control, &changes, first, err);
    batch->last_commit_ms = control->hooks.now_ms(control->hooks.context);
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
    struct rely_control *control = (struct rely_control *)((char *)timer - offsetof(struct rely_control, batch_timer));
    rely_drop(rely_control_settle(control, &err)); /* those who wait have been told */
}

static void end_batch_in(struct rely_control *control, int64_t delay_ms)
{
    control->batch_timer.run = end_batch;
    control->hooks.start_timer(control->hooks.context, &control->batch_timer, delay_ms < 0 ? 0 : (int)delay_ms);
}

bool rely_control_begin(struct rely_control *control, struct rely_err *err)
{
    struct rely_batch *batch = &control->batch;
    if (batch->is_open)
        return true;
    if (!control->hooks.begin_writes(control->hooks.context, err))
        return false;
    batch->is_open = true;
    end_batch_in(control, batch->last_commit_ms + COMMIT_INTERVAL_MS - control->hooks.now_ms(control->hooks.context));
    return true;
}

void rely_control_join(struct rely_control *control, struct rely_changes *changes,
                       void (*done)(void *context, const struct rely_err *err), void *context)
{
    struct rely_batch *batch = &control->batch;
    struct rely_batch_answer *answer = rely_alloc(sizeof *answer);
    *answer = (struct rely_batch_answer){.done = done, .context = context};
    *(batch->last == NULL ? &batch->first : &batch->last->next) = answer;
    batch->last = answer;
    rely_changes_move(&batch->changes, changes);
    batch->count++;
    if (batch->count >= control->hooks.count_writers(control->hooks.context))
        end_batch_in(control, 0); /* nobody is left who could join */
}

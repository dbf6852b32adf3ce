/*
 * How what is in force gets stored: when, in which order and how often it is tried. A few sets are handed over at a
 * time, the others wait for their turn. An answer is for the record as it was when the set was handed over: one that
 * comes when the record is another one says nothing of what is pending by then. Called by force.c with what is news,
 * by keeper.c when a record changes, and by start.c at the end.
 */
#include "kept.h"

#include "relyd/key_times.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

static void count_unstored(struct rely_keeper *keeper, int step)
{
    uint64_t *count = &keeper->counts.unstored;
    __atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + (uint64_t)step, __ATOMIC_RELAXED);
}

static void clear_unstored(struct rely_keeper_issuer *issuer)
{
    struct rely_unstored *unstored = &issuer->unstored;
    if (unstored->jwks != NULL)
        count_unstored(issuer->keeper, -1);
    free(unstored->jwks);
    free(unstored->source_url);
    *unstored = (struct rely_unstored){0};
}

static uint64_t count_changes(const struct rely_unstored *unstored)
{
    return unstored->jwks == NULL ? 0 : unstored->merged_count + 1;
}

/* --- turns ------------------------------------------------------------------------------------------- */

static void queue_for_storing(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = issuer->keeper;
    struct rely_store_turn *turn = &issuer->turn;
    if (turn->is_queued)
        return;
    *turn = (struct rely_store_turn){.is_queued = true, .previous = keeper->last_queued};
    *(turn->previous == NULL ? &keeper->first_queued : &turn->previous->turn.next) = issuer;
    keeper->last_queued = issuer;
}

static void leave_queue(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = issuer->keeper;
    const struct rely_store_turn turn = issuer->turn;
    if (!turn.is_queued)
        return;
    *(turn.previous == NULL ? &keeper->first_queued : &turn.previous->turn.next) = turn.next;
    *(turn.next == NULL ? &keeper->last_queued : &turn.next->turn.previous) = turn.previous;
    issuer->turn = (struct rely_store_turn){0};
}

void rely_keeper_drop_unstored(struct rely_keeper_issuer *issuer)
{
    clear_unstored(issuer);
    leave_queue(issuer);
    issuer->storing.change_count = 0; /* nothing that is pending stands for them */
    issuer->status.store_error[0] = '\0';
    rely_keeper_cancel_timer(issuer->keeper, &issuer->store_timer);
}

/* What is pending is what is in force, but for guests. */
static void print_seen(const struct rely_keeper_issuer *issuer, struct rely_buf *out)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (issuer->unstored.jwks != NULL && record != NULL && record->keyset != NULL)
        rely_keyset_print_seen(record->keyset, out);
}

/* The answer may come before this returns. */
static void store_pending(struct rely_keeper_issuer *issuer)
{
    const struct rely_unstored *unstored = &issuer->unstored;
    struct rely_buf seen = {0};
    RELY_ASSERT(unstored->is_pending);
    print_seen(issuer, &seen);
    const struct rely_fetched_keys fetched = {.issuer_id = issuer->id,
                                              .record_revision = unstored->record_revision,
                                              .jwks = {unstored->jwks, unstored->jwks_len},
                                              .source_url = rely_slice_of(unstored->source_url),
                                              .at_s = unstored->at_s,
                                              .merged_count = unstored->merged_count,
                                              .seen = rely_buf_slice(&seen)};
    issuer->storing = (struct rely_storing){.is_underway = true,
                                            .record_revision = unstored->record_revision,
                                            .change_count = count_changes(unstored),
                                            .at_s = unstored->at_s};
    issuer->keeper->storing_count++;
    issuer->keeper->hooks.store(issuer->keeper->hooks.context, &fetched);
    rely_buf_fini(&seen);
}

/* One loop for all: an answer that comes before `store` returns only makes place for the next round. */
static void store_in_turn(struct rely_keeper *keeper)
{
    if (keeper->is_handing_over)
        return;
    keeper->is_handing_over = true;
    while (keeper->first_queued != NULL && keeper->storing_count < RELY_STORINGS_MAX) {
        struct rely_keeper_issuer *issuer = keeper->first_queued;
        leave_queue(issuer);
        store_pending(issuer);
    }
    keeper->is_handing_over = false;
}

static void try_to_store(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = issuer->keeper;
    int64_t wait_ms = rely_plan_row_wait_ms(&issuer->log_rows, rely_keeper_now_ms(keeper));
    if (issuer->storing.is_underway)
        return; /* its answer comes back here */
    if (issuer->unstored.jwks != NULL && wait_ms > 0) {
        rely_keeper_start_timer(keeper, &issuer->store_timer, wait_ms);
        return;
    }
    queue_for_storing(issuer);
    store_in_turn(keeper);
}

static void store_when_due(struct rely_timer *timer)
{
    try_to_store((struct rely_keeper_issuer *)((char *)timer - offsetof(struct rely_keeper_issuer, store_timer)));
}

static void try_later(struct rely_keeper_issuer *issuer, int failures)
{
    struct rely_keeper *keeper = issuer->keeper;
    rely_keeper_start_timer(keeper, &issuer->store_timer, rely_plan_backoff_ms(failures, rely_keeper_random(keeper)));
}

void rely_keeper_store(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    struct rely_unstored *unstored = &issuer->unstored;
    uint64_t merged_count = count_changes(unstored);
    int failures = unstored->failures;
    clear_unstored(issuer);
    *unstored = (struct rely_unstored){.is_pending = true,
                                       .record_revision = fetched->record_revision,
                                       .generation = rely_keeper_newest(issuer)->keys_generation,
                                       .at_s = fetched->at_s,
                                       .merged_count = merged_count,
                                       .failures = failures};
    if (fetched->jwks.ptr != NULL) {
        unstored->jwks = rely_strdup_slice(fetched->jwks);
        unstored->jwks_len = fetched->jwks.len;
        unstored->source_url = rely_strdup_slice(fetched->source_url);
        count_unstored(issuer->keeper, 1);
    }
    issuer->store_timer.run = store_when_due;
    issuer->storing.is_outdated = issuer->storing.is_underway;
    if (failures == 0) /* else its time comes: an issuer that changes its keys does not make the disk better */
        try_to_store(issuer);
}

/* --- what came of it ---------------------------------------------------------------------------------- */

static void note_kept(struct rely_keeper_issuer *issuer, const struct rely_storing *storing,
                      const struct rely_stored_keys *stored)
{
    issuer->noted_s = storing->at_s;
    if (storing->is_outdated) {
        issuer->unstored.merged_count -= storing->change_count;
        issuer->unstored.generation = stored->generation;
        issuer->unstored.failures = 0;
    } else {
        rely_keeper_drop_unstored(issuer);
    }
    if (stored->revision != 0)
        rely_keeper_renew(issuer, rely_keeper_newest(issuer)->keys_fetched_s, stored);
    if (storing->is_outdated)
        try_to_store(issuer);
}

static void note_not_kept(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    struct rely_slice name = rely_keeper_newest(issuer)->name;
    issuer->unstored.failures++;
    snprintf(issuer->status.store_error, sizeof issuer->status.store_error, "%.250s", err->message);
    rely_log_event(issuer->keeper->ring, RELY_LOG_ERROR, "keys_not_stored",
                   "the keys of issuer %.*s are in force, and could not be stored: a restart would bring the older "
                   "ones back until they are fetched again: %s",
                   RELY_ARG(name), err->message);
    try_later(issuer, issuer->unstored.failures);
}

/* The registry has another record than the newest edition shows: a write that is on its way here, and
 * rely_keeper_follow_record will say what it means for what is pending. Should it be undone, this is tried again. */
static void note_refused(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    if (issuer->unstored.was_refused) {
        note_not_kept(issuer, err); /* no write came */
        return;
    }
    issuer->unstored.was_refused = true;
    try_later(issuer, 1);
}

static bool is_refusal(const struct rely_err *err)
{
    return err->code == RELY_ERR_CONFLICT || err->code == RELY_ERR_NOT_FOUND;
}

static void note_answer(struct rely_keeper_issuer *issuer, const struct rely_stored_keys *stored,
                        const struct rely_err *err)
{
    const struct rely_storing storing = issuer->storing;
    bool is_of_record_before = storing.record_revision != issuer->unstored.record_revision;
    issuer->storing = (struct rely_storing){0};
    if (stored != NULL && stored->revision != 0)
        rely_plan_take_row(&issuer->log_rows, rely_keeper_now_ms(issuer->keeper));
    if (issuer->is_removed || !issuer->unstored.is_pending)
        return; /* its keys were dropped meanwhile */
    if (stored == NULL && !is_refusal(err))
        note_not_kept(issuer, err);
    else if (is_of_record_before)
        try_to_store(issuer); /* neither its generation nor its refusal is of what is pending */
    else if (stored != NULL)
        note_kept(issuer, &storing, stored);
    else
        note_refused(issuer, err);
}

static void note_answer_at_end(const struct rely_keeper *keeper, const struct rely_stored_keys *stored,
                               const struct rely_err *err)
{
    if (stored == NULL)
        rely_log_event(keeper->ring, RELY_LOG_ERROR, "keys_not_stored", "%s", err->message);
}

void rely_keeper_note_stored(struct rely_keeper *keeper, int64_t issuer_id, const struct rely_stored_keys *stored,
                             const struct rely_err *err)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    if (keeper->is_stopping) {
        note_answer_at_end(keeper, stored, err);
        return;
    }
    keeper->storing_count--;
    if (issuer != NULL)
        note_answer(issuer, stored, err);
    store_in_turn(keeper);
}

/* --- the record, and the end ----------------------------------------------------------------------------- */

void rely_keeper_follow_record(struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    struct rely_unstored *unstored = &issuer->unstored;
    if (!unstored->is_pending)
        return;
    if (record == NULL || record->keyset == NULL || record->keys_generation != unstored->generation) {
        rely_keeper_drop_unstored(issuer);
        return;
    }
    unstored->record_revision = record->revision;
    if (unstored->was_refused) { /* that was because of this very write */
        unstored->was_refused = false;
        unstored->failures = 0;
        rely_keeper_cancel_timer(issuer->keeper, &issuer->store_timer);
        try_to_store(issuer);
    }
}

void rely_keeper_store_last(struct rely_keeper_issuer *issuer)
{
    if (issuer->unstored.is_pending && (!issuer->storing.is_underway || issuer->storing.is_outdated))
        store_pending(issuer);
    rely_keeper_drop_unstored(issuer); /* whoever stores has it now: not two of each */
}

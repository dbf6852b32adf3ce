/*
 * What becomes of a fetched key set: it is in force in every worker first, and stored second. A full disk delays the
 * storing, which is tried again; logins go on. Keys that are in force already are no news, however the document is
 * written; and an issuer that changes its keys all the time gets a bounded number of rows in the change log. Called by
 * fetch.c with what was judged good, and by keeper.c and start.c.
 */
#include "kept.h"

#include "relyd/edition.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

/* At most 4 at once and one more every 450 s: no hour sees more than 12 rows of one issuer. */
#define LOG_ROWS_AT_ONCE 4
#define LOG_ROW_REFILL_MS 450000
/* How exact the age of a key set in force is. */
#define RENEW_EVERY_S 60

static void release_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

static const struct rely_issuer *find_newest(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *newest = rely_keeper_record(issuer);
    RELY_ASSERT(newest != NULL);
    return newest;
}

/* --- in force ------------------------------------------------------------------------------------- */

static void set_times(const struct rely_keeper_issuer *issuer, struct rely_issuer *copy, int64_t fetched_s)
{
    int64_t max_age_s = issuer->keeper->config->key_max_age_s;
    copy->keys_fetched_s = fetched_s;
    copy->keys_until_s = rely_accept_until_s(fetched_s, max_age_s, rely_keeper_now_s(issuer->keeper));
}

static void accept_edition(const struct rely_keeper *keeper, struct rely_snapshot *next)
{
    keeper->hooks.accept(keeper->hooks.context, next);
}

static void put_in_force(struct rely_keeper_issuer *issuer, struct rely_keyset *keyset, int64_t fetched_s)
{
    const struct rely_snapshot *newest = rely_keeper_snapshot(issuer->keeper);
    struct rely_snapshot *next = rely_snapshot_next(newest, newest->revision);
    struct rely_issuer copy = *find_newest(issuer);
    if (copy.keyset != NULL)
        rely_retired_add(&next->retired, rely_as_owner(copy.keyset), release_keyset);
    copy.keyset = keyset;
    set_times(issuer, &copy, fetched_s);
    rely_snapshot_put_issuer(next, rely_issuer_copy(&copy));
    accept_edition(issuer->keeper, next);
}

/* The same keys in force: with another time, or under the generation and revision that storing them has made. */
static void renew_in_force(struct rely_keeper_issuer *issuer, int64_t fetched_s, const struct rely_stored_keys *stored)
{
    const struct rely_snapshot *newest = rely_keeper_snapshot(issuer->keeper);
    uint64_t revision = stored->revision > newest->revision ? stored->revision : newest->revision;
    struct rely_snapshot *next = rely_snapshot_next(newest, revision);
    struct rely_issuer copy = *find_newest(issuer);
    copy.keys_generation = stored->generation;
    set_times(issuer, &copy, fetched_s);
    rely_snapshot_renew_issuer(next, rely_issuer_copy(&copy));
    accept_edition(issuer->keeper, next);
}

/* --- storing -------------------------------------------------------------------------------------- */

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

void rely_keeper_drop_unstored(struct rely_keeper_issuer *issuer)
{
    clear_unstored(issuer);
    issuer->storing.change_count = 0; /* nothing that is pending stands for them */
    issuer->status.store_error[0] = '\0';
    rely_keeper_cancel_timer(issuer->keeper, &issuer->store_timer);
}

static uint64_t count_changes(const struct rely_unstored *unstored)
{
    return unstored->jwks == NULL ? 0 : unstored->merged_count + 1;
}

/* The answer may come before this returns. */
static void store_pending(struct rely_keeper_issuer *issuer)
{
    const struct rely_unstored *unstored = &issuer->unstored;
    const struct rely_fetched_keys fetched = {.issuer_id = issuer->id,
                                              .record_revision = unstored->record_revision,
                                              .jwks = {unstored->jwks, unstored->jwks_len},
                                              .source_url = rely_slice_of(unstored->source_url),
                                              .at_s = unstored->at_s,
                                              .merged_count = unstored->merged_count};
    issuer->storing = (struct rely_storing){.is_underway = true,
                                            .record_revision = unstored->record_revision,
                                            .change_count = count_changes(unstored),
                                            .at_s = unstored->at_s};
    issuer->keeper->hooks.store(issuer->keeper->hooks.context, &fetched);
}

/* No batch is open. */
static void try_to_store(struct rely_keeper_issuer *issuer)
{
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper);
    int64_t wait_ms = rely_bucket_wait_ms(&issuer->log_rows, LOG_ROWS_AT_ONCE, LOG_ROW_REFILL_MS, now_ms);
    if (issuer->storing.is_underway)
        return; /* its answer comes back here */
    if (issuer->unstored.jwks != NULL && wait_ms > 0)
        rely_keeper_start_timer(issuer->keeper, &issuer->store_timer, wait_ms);
    else
        store_pending(issuer);
}

static void store_when_due(struct rely_timer *timer)
{
    struct rely_keeper_issuer *issuer =
        (struct rely_keeper_issuer *)((char *)timer - offsetof(struct rely_keeper_issuer, store_timer));
    struct rely_keeper *keeper = issuer->keeper;
    int64_t id = issuer->id;
    rely_keeper_settle_writes(keeper); /* it may remove this very issuer */
    issuer = rely_keeper_find(keeper, id);
    if (issuer != NULL && !issuer->is_removed && issuer->unstored.is_pending)
        try_to_store(issuer);
}

/* --- what came of storing --------------------------------------------------------------------------- */

static void note_kept(struct rely_keeper_issuer *issuer, const struct rely_storing *storing,
                      const struct rely_stored_keys *stored)
{
    if (stored->revision != 0)
        rely_bucket_take(&issuer->log_rows, LOG_ROW_REFILL_MS, rely_keeper_now_ms(issuer->keeper));
    issuer->noted_s = storing->at_s;
    if (storing->is_outdated) {
        issuer->unstored.merged_count -= storing->change_count;
        issuer->unstored.generation = stored->generation;
        issuer->unstored.failures = 0;
    } else {
        rely_keeper_drop_unstored(issuer);
    }
    if (stored->revision != 0)
        renew_in_force(issuer, find_newest(issuer)->keys_fetched_s, stored);
    if (storing->is_outdated)
        try_to_store(issuer);
}

static void note_not_kept(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    struct rely_keeper *keeper = issuer->keeper;
    struct rely_unstored *unstored = &issuer->unstored;
    struct rely_slice name = find_newest(issuer)->name;
    unstored->failures++;
    snprintf(issuer->status.store_error, sizeof issuer->status.store_error, "%.250s", err->message);
    rely_log_event(keeper->ring, RELY_LOG_ERROR, "keys_not_stored",
                   "the keys of issuer %.*s are in force, and could not be stored: a restart would bring the older "
                   "ones back until they are fetched again: %s",
                   RELY_ARG(name), err->message);
    rely_keeper_start_timer(keeper, &issuer->store_timer,
                            rely_plan_backoff_ms(unstored->failures, rely_keeper_random(keeper)));
}

/* It was for a record that is not there any more. What is pending by now may be for the one that is. */
static void note_refused(struct rely_keeper_issuer *issuer, const struct rely_storing *storing)
{
    if (issuer->unstored.record_revision == storing->record_revision)
        rely_keeper_drop_unstored(issuer);
    else
        try_to_store(issuer);
}

static void note_stored_last(const struct rely_keeper *keeper, const struct rely_stored_keys *stored,
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
        note_stored_last(keeper, stored, err);
        return;
    }
    if (issuer == NULL)
        return;
    const struct rely_storing storing = issuer->storing;
    issuer->storing = (struct rely_storing){0};
    if (issuer->is_removed || !issuer->unstored.is_pending)
        return; /* its keys were dropped meanwhile */
    if (stored != NULL)
        note_kept(issuer, &storing, stored);
    else if (err->code == RELY_ERR_CONFLICT || err->code == RELY_ERR_NOT_FOUND)
        note_refused(issuer, &storing);
    else
        note_not_kept(issuer, err);
}

void rely_keeper_store_last(struct rely_keeper_issuer *issuer)
{
    rely_keeper_cancel_timer(issuer->keeper, &issuer->store_timer);
    if (issuer->unstored.is_pending && (!issuer->storing.is_underway || issuer->storing.is_outdated))
        store_pending(issuer);
}

void rely_keeper_follow_record(struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (!issuer->unstored.is_pending)
        return;
    if (record != NULL && record->keyset != NULL && record->keys_generation == issuer->unstored.generation)
        issuer->unstored.record_revision = record->revision;
    else
        rely_keeper_drop_unstored(issuer);
}

/* --- taking --------------------------------------------------------------------------------------- */

static void wait_to_be_stored(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    struct rely_unstored *unstored = &issuer->unstored;
    uint64_t merged_count = count_changes(unstored);
    int failures = unstored->failures;
    clear_unstored(issuer);
    *unstored = (struct rely_unstored){.is_pending = true,
                                       .record_revision = fetched->record_revision,
                                       .generation = find_newest(issuer)->keys_generation,
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

/* The keys in force were fetched again: they are younger now, and so is the stored set when they are the same. */
static void renew_keys(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    const struct rely_issuer *record = find_newest(issuer);
    int64_t store_every_s = issuer->keeper->config->key_max_age_s / 100;
    struct rely_fetched_keys again = *fetched;
    again.jwks = (struct rely_slice){0};
    if (rely_plan_is_renewal_due(record->keys_fetched_s, RENEW_EVERY_S, fetched->at_s))
        renew_in_force(issuer, fetched->at_s, &(struct rely_stored_keys){.generation = record->keys_generation});
    if (issuer->unstored.is_pending)
        issuer->unstored.at_s = fetched->at_s;
    else if (rely_plan_is_renewal_due(issuer->noted_s, store_every_s, fetched->at_s))
        wait_to_be_stored(issuer, &again);
}

/* As many lines as rows; the next one says how many were left out. */
static void say_accepted(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    char left_out[80] = "";
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper);
    if (rely_bucket_wait_ms(&issuer->log_lines, LOG_ROWS_AT_ONCE, LOG_ROW_REFILL_MS, now_ms) > 0) {
        issuer->lines_left_out++;
        return;
    }
    rely_bucket_take(&issuer->log_lines, LOG_ROW_REFILL_MS, now_ms);
    if (issuer->lines_left_out > 0)
        snprintf(left_out, sizeof left_out, ", and %llu others were since the last line",
                 (unsigned long long)issuer->lines_left_out);
    issuer->lines_left_out = 0;
    rely_log_event(issuer->keeper->ring, RELY_LOG_INFO, "keys_accepted", "a new key set from %.*s is in force%s",
                   RELY_ARG(fetched->source_url), left_out);
}

void rely_keeper_take(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                      struct rely_keyset *keyset)
{
    const struct rely_keyset *in_force = find_newest(issuer)->keyset;
    bool has_news = keyset != NULL && (in_force == NULL || !rely_keyset_has_same_keys(in_force, keyset));
    issuer->has_news = has_news || find_newest(issuer)->keys_until_s < rely_keeper_now_s(issuer->keeper);
    if (keyset == NULL || (!has_news && rely_keyset_is_same(in_force, keyset))) {
        rely_keyset_free(keyset);
        renew_keys(issuer, fetched);
        return;
    }
    put_in_force(issuer, keyset, fetched->at_s);
    if (!has_news) {
        renew_keys(issuer, fetched);
        return;
    }
    say_accepted(issuer, fetched);
    wait_to_be_stored(issuer, fetched);
}

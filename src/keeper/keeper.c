/*
 * When keys are fetched: regularly before they grow old, soon after a change of the record, and when a worker misses a
 * key, with one fetch in flight per issuer and buckets for those that strangers can cause. What was accepted last
 * stays in force whatever fails, until it is too old. Called by control's messages, and by fetch.c and start.c.
 */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t hash_issuer_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

struct rely_keeper_issuer *rely_keeper_find(struct rely_keeper *keeper, int64_t id)
{
    size_t cursor = 0;
    return rely_as_owner(rely_map_find(&keeper->issuers, hash_issuer_id(id), &cursor));
}

static void fetch_when_due(struct rely_timer *timer)
{
    rely_keeper_fetch((struct rely_keeper_issuer *)((char *)timer - offsetof(struct rely_keeper_issuer, timer)));
}

struct rely_keeper_issuer *rely_keeper_add(struct rely_keeper *keeper, int64_t id)
{
    struct rely_keeper_issuer *issuer = rely_alloc(sizeof *issuer);
    issuer->id = id;
    issuer->keeper = keeper;
    issuer->timer.run = fetch_when_due;
    issuer->added_s = rely_keeper_now_s(keeper);
    rely_map_put(&keeper->issuers, &(struct rely_edit){1, &keeper->unused}, hash_issuer_id(id), issuer);
    return issuer;
}

static void forget_issuer(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = issuer->keeper;
    rely_keeper_cancel_timer(keeper, &issuer->timer);
    rely_keeper_drop_unstored(issuer);
    rely_keeper_forget_fetched(issuer);
    rely_keeper_forget_held(issuer);
    rely_keeper_forget_course(issuer);
    rely_keeper_tell_waiters(issuer, false);
    free(issuer->names);
    rely_map_remove(&keeper->issuers, &(struct rely_edit){1, &keeper->unused}, hash_issuer_id(issuer->id), issuer);
    free(issuer);
}

void rely_keeper_schedule(struct rely_keeper_issuer *issuer, int64_t delay_ms)
{
    struct rely_keeper *keeper = issuer->keeper;
    issuer->due_ms = rely_keeper_now_ms(keeper) + delay_ms;
    issuer->status.next_fetch_s = rely_keeper_now_s(keeper) + delay_ms / 1000;
    rely_keeper_start_timer(keeper, &issuer->timer, delay_ms);
}

void rely_keeper_hasten(struct rely_keeper_issuer *issuer)
{
    if (issuer->is_fetching)
        issuer->is_stale = true;
    else
        rely_keeper_schedule(issuer, 0);
}

static int64_t time_until(int64_t then_ms, int64_t now_ms)
{
    return then_ms > now_ms ? then_ms - now_ms : 0;
}

/* --- telling the workers ------------------------------------------------------------------------ */

/* In: asked_until_us - who came before that has been answered. */
static void tell_of_issuer(struct rely_keeper_issuer *issuer, int64_t asked_until_us, int64_t wait_ms)
{
    const struct rely_keeper_hooks *hooks = &issuer->keeper->hooks;
    const struct rely_key_notice notice = {asked_until_us, wait_ms};
    hooks->tell(hooks->context, issuer->id, &notice);
    issuer->told_until_ms = rely_keeper_now_ms(issuer->keeper) + wait_ms;
    issuer->is_asked = false;
}

/* All who have come until now, whatever they came for. */
static void tell_all_of_issuer(struct rely_keeper_issuer *issuer, int64_t wait_ms)
{
    tell_of_issuer(issuer, rely_keeper_now_us(issuer->keeper), wait_ms);
}

static void tell_of_nobody(const struct rely_keeper *keeper, int64_t issuer_id)
{
    int64_t cooldown_ms = keeper->config->key_miss_cooldown_ms;
    const struct rely_key_notice notice = {rely_keeper_now_us(keeper), cooldown_ms};
    keeper->hooks.tell(keeper->hooks.context, issuer_id, &notice);
}

/* --- fetches that workers ask for --------------------------------------------------------------------- */

/* Until a missing key may cause a fetch. A fetch that will be anyway is not hastened: whoever makes up keys must not go
 * round the back-off of an issuer that does not answer. */
static int64_t time_until_askable(const struct rely_keeper_issuer *issuer, int64_t now_ms)
{
    if (issuer->failures > 0 || issuer->is_owed)
        return time_until(issuer->due_ms, now_ms);
    return rely_plan_own_wait_ms(&issuer->asker, issuer->keeper->config->key_miss_cooldown_ms, now_ms);
}

/* Fetch because of a missing key: now, or as soon as the buckets give it. Returns how long that is. */
static int64_t owe_fetch(struct rely_keeper_issuer *issuer, int64_t now_ms)
{
    struct rely_keeper *keeper = issuer->keeper;
    if (issuer->failures > 0 || issuer->is_owed)
        return time_until_askable(issuer, now_ms);
    int64_t cooldown_ms = keeper->config->key_miss_cooldown_ms;
    int64_t wait_ms = rely_plan_ask(&keeper->asks, &issuer->asker, cooldown_ms, now_ms);
    issuer->is_owed = true;
    if (now_ms + wait_ms < issuer->due_ms)
        rely_keeper_schedule(issuer, wait_ms);
    return time_until(issuer->due_ms, now_ms);
}

void rely_keeper_ask(struct rely_keeper *keeper, int64_t issuer_id)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    int64_t now_ms = rely_keeper_now_ms(keeper);
    if (issuer == NULL || issuer->is_removed) {
        tell_of_nobody(keeper, issuer_id);
        return;
    }
    if (issuer->is_fetching) {
        issuer->is_asked = true;
        return;
    }
    int64_t wait_ms = owe_fetch(issuer, now_ms);
    if (wait_ms <= keeper->config->key_miss_wait_ms)
        issuer->is_asked = true; /* near enough to be waited for */
    else
        tell_all_of_issuer(issuer, wait_ms);
    if (wait_ms == 0)
        rely_keeper_fetch(issuer);
}

/* --- the end of a fetch ------------------------------------------------------------------------------- */

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * When the next ordinary fetch is due. One that only said that nothing has changed does not put it off: an issuer whose
 * entity-tags do not change with its keys would be believed for as long as somebody asks for keys that it has not.
 * After such an answer the document itself is fetched as soon as keys.refresh_min_s allows.
 */
static int64_t plan_refresh(struct rely_keeper_issuer *issuer, int64_t fresh_s)
{
    const struct rely_config *config = issuer->keeper->config;
    const struct rely_issuer *record = rely_keeper_record(issuer);
    /* A set must be fetched again before it is too old to count, and once more when that fails. */
    int64_t max_age_s = record == NULL ? config->key_refresh_max_s
                                       : rely_accept_max_age_s(rely_keeper_snapshot(issuer->keeper), record);
    int64_t longest_s = lesser(config->key_refresh_max_s, max_age_s);
    int64_t least_s = lesser(config->key_refresh_min_s, max_age_s / 2);
    uint64_t random = rely_keeper_random(issuer->keeper);
    int64_t delay_ms = issuer->is_settled ? rely_plan_refresh_ms(least_s, longest_s, fresh_s, random)
                                          : rely_plan_first_refresh_ms(least_s, longest_s, fresh_s, random);
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper), soonest_ms = issuer->whole_ms + least_s * 1000;
    if (issuer->whole_ms == rely_keeper_begun_ms(issuer))
        issuer->whole_due_ms = now_ms + delay_ms;
    else if (soonest_ms < issuer->whole_due_ms && !rely_keeper_reads_file(issuer))
        issuer->whole_due_ms = soonest_ms;
    int64_t left_ms = time_until(issuer->whole_due_ms, now_ms);
    return left_ms < delay_ms ? left_ms : delay_ms;
}

/* From a failed fetch to the next; one comes when the keys in force have just become too old, so that others who have
 * done without them get them then. */
static int64_t plan_retry(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    int64_t delay_ms = rely_plan_backoff_ms(issuer->failures, rely_keeper_random(issuer->keeper));
    int64_t left_s = record == NULL ? -1 : record->keys_until_s - rely_keeper_now_s(issuer->keeper);
    return left_s >= 0 && left_s < delay_ms / 1000 ? (left_s + 1) * 1000 : delay_ms;
}

static void schedule_after_fetch(struct rely_keeper_issuer *issuer, int64_t fresh_s)
{
    int64_t delay_ms;
    if (issuer->failures > 0)
        delay_ms = plan_retry(issuer);
    else
        delay_ms =
            issuer->held.why != RELY_HELD_NOT ? rely_keeper_plan_second_sight(issuer) : plan_refresh(issuer, fresh_s);
    rely_keeper_schedule(issuer, rely_keeper_plan_look(issuer, delay_ms));
    issuer->is_settled = issuer->failures == 0;
}

static void note_fetch_outcome(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    struct rely_keeper *keeper = issuer->keeper;
    rely_count(err == NULL ? &keeper->counts.fetches_ok : &keeper->counts.fetches_failed, 1);
    issuer->status.last_attempt_s = rely_keeper_now_s(keeper);
    if (err == NULL) {
        issuer->status.last_success_s = issuer->status.last_attempt_s;
        issuer->status.last_error[0] = '\0';
        issuer->failures = 0;
        return;
    }
    issuer->failures++;
    rely_count(&keeper->counts.failed_by[err->cause], 1);
    bool is_known = rely_keeper_reads_file(issuer) && strcmp(issuer->status.last_error, err->message) == 0;
    snprintf(issuer->status.last_error, sizeof issuer->status.last_error, "%s", err->message);
    if (!is_known) /* a file is looked at every few seconds */
        rely_log_event(keeper->ring, RELY_LOG_WARNING, "key_fetch_failed", "%s", err->message);
    rely_keeper_warn_of_end(issuer);
}

/* An uploaded key set has nothing to fetch: it changes by a write. */
void rely_keeper_rest(struct rely_keeper_issuer *issuer)
{
    issuer->is_fetching = issuer->is_owed = issuer->is_stale = issuer->is_ordered = false;
    issuer->status.next_fetch_s = 0;
    issuer->is_refreshing = false;
    rely_keeper_forget_course(issuer);
    rely_keeper_follow_conditions(issuer);
    rely_keeper_tell_waiters(issuer, true);
    if (issuer->is_asked)
        tell_all_of_issuer(issuer, issuer->keeper->config->key_miss_cooldown_ms);
    rely_keeper_offer_keys_of(issuer); /* of the set before */
}

/* Overtaken by a change of the record: no failure of the issuer's. Whoever waits goes on waiting. */
static void finish_overtaken(struct rely_keeper_issuer *issuer)
{
    if (issuer->is_removed && issuer->is_asked)
        tell_all_of_issuer(issuer, 0);
    if (issuer->is_removed)
        forget_issuer(issuer);
    else
        rely_keeper_schedule(issuer, 0);
}

void rely_keeper_finish(struct rely_keeper_issuer *issuer, int64_t fresh_s, const struct rely_course *course,
                        const struct rely_err *err)
{
    bool is_overtaken = issuer->is_stale || issuer->is_removed || (err != NULL && err->code == RELY_ERR_CONFLICT);
    bool was_owed = issuer->is_owed;
    issuer->is_fetching = issuer->is_owed = issuer->is_stale = false;
    if (is_overtaken) {
        finish_overtaken(issuer);
        return;
    }
    issuer->is_ordered = false;
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper);
    if (was_owed) {
        rely_plan_note_ask(&issuer->asker, issuer->has_news, now_ms);
        rely_plan_charge_keys(&issuer->keeper->asks, &issuer->asker, issuer->judged_keys, now_ms);
    }
    note_fetch_outcome(issuer, err);
    if (err == NULL || err->cause != RELY_CAUSE_NONE) /* of relyd's own faults nothing is said of the issuer */
        rely_keeper_note_course(issuer, course);
    rely_keeper_follow_conditions(issuer);
    schedule_after_fetch(issuer, fresh_s);
    rely_keeper_tell_waiters(issuer, err == NULL);
    rely_keeper_offer_after_fetch(issuer);
    if (issuer->is_asked || issuer->told_until_ms > now_ms)
        tell_of_issuer(issuer, issuer->begun_us, time_until_askable(issuer, now_ms));
}

/* --- the record ------------------------------------------------------------------------------------------ */

/* The record is another one, or gone: what is known of its fetches is of the one before. */
static void begin_anew(struct rely_keeper_issuer *issuer, bool is_removed)
{
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper);
    issuer->is_removed = is_removed;
    issuer->failures = 0; /* of another source, or of one that has been mended */
    issuer->asker = (struct rely_asker){0};
    issuer->is_ordered = issuer->is_settled = false;
    rely_keeper_forget_held(issuer);
    rely_keeper_follow_record(issuer);
    rely_keeper_follow_conditions(issuer);
    if (issuer->told_until_ms > now_ms || (is_removed && issuer->told_until_ms != 0))
        tell_of_issuer(issuer, is_removed ? rely_keeper_now_us(issuer->keeper) : 0, 0); /* nobody waits in vain */
    if (is_removed && !issuer->is_fetching)
        finish_overtaken(issuer);
    else
        rely_keeper_hasten(issuer);
}

void rely_keeper_note_issuer(struct rely_keeper *keeper, int64_t issuer_id, bool is_removed)
{
    const struct rely_issuer *record = rely_snapshot_issuer(rely_keeper_snapshot(keeper), issuer_id);
    struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    if (issuer == NULL && is_removed)
        return;
    if (issuer == NULL)
        issuer = rely_keeper_add(keeper, issuer_id);
    struct rely_kept_names *freed = rely_keeper_follow_names(issuer, record);
    begin_anew(issuer, is_removed); /* the record may be another one afterwards, and the issuer is gone when it is */
    rely_keeper_offer_freed(keeper, freed);
    free(freed);
}

bool rely_keeper_status(struct rely_keeper *keeper, int64_t issuer_id, struct rely_key_status *out)
{
    const struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    if (issuer == NULL)
        return false;
    *out = issuer->status;
    rely_keeper_show_held(issuer, out);
    if (out->last_error[0] == '\0')
        snprintf(out->last_error, sizeof out->last_error, "%.250s", issuer->repeats);
    return true;
}

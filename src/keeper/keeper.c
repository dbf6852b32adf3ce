/*
 * When keys are fetched: regularly before they grow old, soon after a change of the record, and when a worker misses a
 * key, with one fetch in flight per issuer and buckets for those that strangers can cause. What was accepted last
 * stays in force whatever fails, until it is too old. On the control thread.
 */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>

/* At the start issuers without keys are fetched within this, before the others. */
#define URGENT_START_MS 200

static uint64_t hash_issuer_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

struct rely_keeper_issuer *rely_keeper_find(struct rely_control *control, int64_t id)
{
    size_t cursor = 0;
    return (struct rely_keeper_issuer *)rely_map_find(&control->keeper.issuers, hash_issuer_id(id), &cursor);
}

static void fetch_when_due(struct rely_timer *timer)
{
    rely_keeper_fetch((struct rely_keeper_issuer *)((char *)timer - offsetof(struct rely_keeper_issuer, timer)));
}

static struct rely_keeper_issuer *keep_issuer(struct rely_control *control, int64_t id)
{
    struct rely_keeper *keeper = &control->keeper;
    struct rely_keeper_issuer *issuer = rely_alloc(sizeof *issuer);
    issuer->id = id;
    issuer->control = control;
    issuer->timer.run = fetch_when_due;
    rely_map_put(&keeper->issuers, &(struct rely_edit){1, &keeper->unused}, hash_issuer_id(id), issuer);
    return issuer;
}

static void forget_issuer(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = &issuer->control->keeper;
    rely_timer_cancel(issuer->control->loop, &issuer->timer);
    rely_keeper_drop_unstored(issuer);
    rely_keeper_forget_fetched(issuer);
    rely_map_remove(&keeper->issuers, &(struct rely_edit){1, &keeper->unused}, hash_issuer_id(issuer->id), issuer);
    free(issuer);
}

static void schedule_fetch(struct rely_keeper_issuer *issuer, int64_t delay_ms)
{
    issuer->due_ms = rely_service_now_ms() + delay_ms;
    issuer->status.next_fetch_s = rely_service_now_s() + delay_ms / 1000;
    rely_timer_start(issuer->control->loop, &issuer->timer, (int)delay_ms);
}

static int64_t time_until(int64_t then_ms, int64_t now_ms)
{
    return then_ms > now_ms ? then_ms - now_ms : 0;
}

/* --- telling the workers ------------------------------------------------------------------------ */

struct settlement {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    int64_t issuer_id;
    struct rely_cooldowns cooldowns;
};

static void settle_on_worker(struct rely_message *message)
{
    struct settlement *settlement = (struct settlement *)message;
    rely_reviewer_keys_settled(&settlement->worker->reviewer, settlement->issuer_id, &settlement->cooldowns);
    free(settlement);
}

static void drop_settlement(struct rely_message *message)
{
    free(message);
}

static void tell_workers(struct rely_control *control, int64_t issuer_id, const struct rely_cooldowns *cooldowns)
{
    struct rely_service *service = control->service;
    for (size_t i = 0; i < service->worker_count && !control->are_workers_gone; i++) {
        struct settlement *settlement = rely_alloc(sizeof *settlement);
        *settlement = (struct settlement){
            {.run = settle_on_worker, .drop = drop_settlement}, &service->workers[i], issuer_id, *cooldowns};
        rely_loop_post(service->workers[i].loop, &settlement->message);
    }
}

/* How long the last fetch stays too young for a bad signature to be a reason for the next. */
static int64_t time_until_old(const struct rely_keeper_issuer *issuer, int64_t now_ms)
{
    int64_t cooldown_ms = issuer->control->service->config->key_miss_cooldown_ms;
    return issuer->fetched_ms == 0 ? 0 : time_until(issuer->fetched_ms + cooldown_ms, now_ms);
}

static void tell_of_issuer(struct rely_keeper_issuer *issuer, int64_t wait_ms, int64_t now_ms)
{
    struct rely_cooldowns cooldowns = {.miss_ms = wait_ms, .replaced_ms = time_until_old(issuer, now_ms)};
    int64_t longest_ms = wait_ms > cooldowns.replaced_ms ? wait_ms : cooldowns.replaced_ms;
    tell_workers(issuer->control, issuer->id, &cooldowns);
    issuer->told_until_ms = now_ms + longest_ms;
    issuer->is_asked = false;
}

/* --- fetches that workers ask for --------------------------------------------------------------------- */

/* Until a missing key may cause a fetch. A fetch that will be anyway is not hastened: whoever makes up keys must not go
 * round the back-off of an issuer that does not answer. */
static int64_t time_until_askable(const struct rely_keeper_issuer *issuer, int64_t now_ms)
{
    if (issuer->failures > 0 || issuer->is_owed)
        return time_until(issuer->due_ms, now_ms);
    return rely_plan_own_wait_ms(&issuer->asker, issuer->control->service->config->key_miss_cooldown_ms, now_ms);
}

/* Fetch because of a missing key: now, or as soon as the buckets give it. Returns how long that is. */
static int64_t owe_fetch(struct rely_keeper_issuer *issuer, int64_t now_ms)
{
    struct rely_control *control = issuer->control;
    if (issuer->failures > 0 || issuer->is_owed)
        return time_until_askable(issuer, now_ms);
    int64_t cooldown_ms = control->service->config->key_miss_cooldown_ms;
    int64_t wait_ms = rely_plan_ask(&control->keeper.asks, &issuer->asker, cooldown_ms, now_ms);
    issuer->is_owed = true;
    if (now_ms + wait_ms < issuer->due_ms)
        schedule_fetch(issuer, wait_ms);
    return time_until(issuer->due_ms, now_ms);
}

void rely_keeper_ask(struct rely_control *control, int64_t issuer_id, bool is_replaced)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(control, issuer_id);
    int64_t now_ms = rely_service_now_ms();
    if (issuer == NULL || issuer->is_removed) {
        int64_t cooldown_ms = control->service->config->key_miss_cooldown_ms;
        tell_workers(control, issuer_id, &(struct rely_cooldowns){cooldown_ms, cooldown_ms});
        return;
    }
    if (issuer->is_fetching) {
        issuer->is_asked = true;
        return;
    }
    if (is_replaced && time_until_old(issuer, now_ms) > 0) {
        tell_of_issuer(issuer, time_until_askable(issuer, now_ms), now_ms);
        return;
    }
    int64_t wait_ms = owe_fetch(issuer, now_ms);
    if (wait_ms <= control->service->config->key_miss_wait_ms)
        issuer->is_asked = true; /* near enough to be waited for */
    else
        tell_of_issuer(issuer, wait_ms, now_ms);
    if (wait_ms == 0)
        rely_keeper_fetch(issuer);
}

/* --- the end of a fetch ------------------------------------------------------------------------------- */

/*
 * When the next ordinary fetch is due. One that only said that nothing has changed does not put it off: an issuer whose
 * entity-tags do not change with its keys would be believed for as long as somebody asks for keys that it has not.
 * After such an answer the document itself is fetched as soon as keys.refresh_min_s allows.
 */
static int64_t plan_refresh(struct rely_keeper_issuer *issuer, int64_t fresh_s)
{
    const struct rely_config *config = issuer->control->service->config;
    /* a set must be fetched again before it is too old to count */
    int64_t longest_s =
        config->key_refresh_max_s < config->key_max_age_s ? config->key_refresh_max_s : config->key_max_age_s;
    int64_t delay_ms = rely_plan_refresh_ms(config->key_refresh_min_s, longest_s, fresh_s, rely_keeper_random());
    int64_t now_ms = rely_service_now_ms(), soonest_ms = issuer->whole_ms + config->key_refresh_min_s * 1000;
    if (issuer->whole_ms == issuer->begun_ms)
        issuer->whole_due_ms = now_ms + delay_ms;
    else if (soonest_ms < issuer->whole_due_ms)
        issuer->whole_due_ms = soonest_ms;
    int64_t left_ms = time_until(issuer->whole_due_ms, now_ms);
    return left_ms < delay_ms ? left_ms : delay_ms;
}

static void schedule_after_fetch(struct rely_keeper_issuer *issuer, int64_t fresh_s)
{
    schedule_fetch(issuer, issuer->failures > 0 ? rely_plan_backoff_ms(issuer->failures, rely_keeper_random())
                                                : plan_refresh(issuer, fresh_s));
}

static void note_fetch_outcome(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    struct rely_control *control = issuer->control;
    rely_count(err == NULL ? &control->keeper.fetches_ok : &control->keeper.fetches_failed, 1);
    issuer->status.last_attempt_s = rely_service_now_s();
    if (err == NULL) {
        issuer->status.last_success_s = issuer->status.last_attempt_s;
        issuer->status.last_error[0] = '\0';
        issuer->failures = 0;
        issuer->fetched_ms = issuer->begun_ms;
        return;
    }
    issuer->failures++;
    snprintf(issuer->status.last_error, sizeof issuer->status.last_error, "%s", err->message);
    rely_log_event(control->ring, RELY_LOG_WARNING, "key_fetch_failed", "%s", err->message);
}

/* An uploaded key set has nothing to fetch: it changes by a write. */
void rely_keeper_rest(struct rely_keeper_issuer *issuer)
{
    issuer->is_fetching = issuer->is_owed = issuer->is_stale = false;
    issuer->status.next_fetch_s = 0;
    if (issuer->is_asked)
        tell_of_issuer(issuer, issuer->control->service->config->key_miss_cooldown_ms, rely_service_now_ms());
}

/* Overtaken by a change of the record: no failure of the issuer's. Whoever waits goes on waiting. */
static void finish_overtaken(struct rely_keeper_issuer *issuer)
{
    if (issuer->is_removed && issuer->is_asked)
        tell_of_issuer(issuer, 0, rely_service_now_ms());
    if (issuer->is_removed)
        forget_issuer(issuer);
    else
        schedule_fetch(issuer, 0);
}

void rely_keeper_finish(struct rely_keeper_issuer *issuer, int64_t fresh_s, const struct rely_err *err)
{
    bool is_overtaken = issuer->is_stale || issuer->is_removed || (err != NULL && err->code == RELY_ERR_CONFLICT);
    bool was_owed = issuer->is_owed;
    issuer->is_fetching = issuer->is_owed = issuer->is_stale = false;
    if (is_overtaken) {
        finish_overtaken(issuer);
        return;
    }
    int64_t now_ms = rely_service_now_ms();
    if (was_owed) {
        rely_plan_note_ask(&issuer->asker, issuer->has_news, now_ms);
        rely_plan_charge_keys(&issuer->control->keeper.asks, &issuer->asker, issuer->judged_keys, now_ms);
    }
    note_fetch_outcome(issuer, err);
    schedule_after_fetch(issuer, fresh_s);
    if (issuer->is_asked || issuer->told_until_ms > now_ms)
        tell_of_issuer(issuer, time_until_askable(issuer, now_ms), now_ms);
}

/* --- the record ------------------------------------------------------------------------------------------ */

/* A record that was disabled gives its keys up: those of the same iss that did without them fetch once more. */
static void offer_keys(struct rely_control *control, const struct rely_issuer *record)
{
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(control->snapshot, record->url);
    for (size_t i = 0; i < set->count; i++) {
        struct rely_keeper_issuer *sibling = rely_keeper_find(control, set->members[i]->id);
        if (sibling == NULL || sibling->repeats[0] == '\0')
            continue;
        if (sibling->is_fetching)
            sibling->is_stale = true;
        else
            schedule_fetch(sibling, 0);
    }
}

void rely_keeper_note_issuer(struct rely_control *control, int64_t issuer_id, bool is_removed)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(control, issuer_id);
    if (issuer == NULL && is_removed)
        return;
    if (issuer == NULL)
        issuer = keep_issuer(control, issuer_id);
    int64_t now_ms = rely_service_now_ms();
    issuer->is_removed = is_removed;
    issuer->failures = 0; /* of another source, or of one that has been mended */
    issuer->asker = (struct rely_asker){0};
    issuer->fetched_ms = 0;
    rely_keeper_follow_record(issuer);
    if (issuer->told_until_ms > now_ms || (is_removed && issuer->told_until_ms != 0))
        tell_of_issuer(issuer, 0, now_ms); /* they need not wait, and what is gone they forget */
    if (issuer->is_fetching)
        issuer->is_stale = true;
    else if (is_removed)
        finish_overtaken(issuer);
    else
        schedule_fetch(issuer, 0);
    const struct rely_issuer *record = rely_snapshot_issuer(control->snapshot, issuer_id);
    if (record != NULL && !record->is_enabled)
        offer_keys(control, record);
}

bool rely_keeper_status(struct rely_control *control, int64_t issuer_id, struct rely_key_status *out)
{
    const struct rely_keeper_issuer *issuer = rely_keeper_find(control, issuer_id);
    if (issuer == NULL)
        return false;
    *out = issuer->status;
    if (out->last_error[0] == '\0')
        snprintf(out->last_error, sizeof out->last_error, "%.250s", issuer->repeats);
    return true;
}

/* --- start and stop --------------------------------------------------------------------------------------- */

/* The issuers to fetch at the start. */
struct start_list {
    struct rely_control *control;
    const struct rely_issuer **issuers; /* owned, with room for all */
    size_t count;
};

/* Looking at thousands of uploaded key sets that cannot be fetched would only take time from the first reviews. */
static bool list_for_start(const void *item, void *context)
{
    const struct rely_issuer *row = item;
    struct start_list *list = context;
    keep_issuer(list->control, row->id)->noted_s = row->keys_fetched_s;
    if (!row->has_uploaded_keys)
        list->issuers[list->count++] = row;
    return true;
}

static bool is_in_force(const struct rely_issuer *issuer, int64_t now_s)
{
    return issuer->keyset != NULL && now_s <= issuer->keys_until_s;
}

static int order_by_age(const void *a, const void *b)
{
    const struct rely_issuer *one = *(const struct rely_issuer *const *)a;
    const struct rely_issuer *other = *(const struct rely_issuer *const *)b;
    if (one->keys_fetched_s != other->keys_fetched_s)
        return one->keys_fetched_s < other->keys_fetched_s ? -1 : 1;
    return one->id < other->id ? -1 : 1;
}

/* To the front, in no order, those whose tokens are refused until they have keys; and those that somebody fetched in
 * the future, since nobody knows how old they are. Returns how many. */
static size_t gather_urgent(const struct start_list *list, int64_t now_s)
{
    size_t urgent = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct rely_issuer *issuer = list->issuers[i];
        if (is_in_force(issuer, now_s) && issuer->keys_fetched_s <= now_s)
            continue;
        list->issuers[i] = list->issuers[urgent];
        list->issuers[urgent++] = issuer;
    }
    return urgent;
}

/* First those whose tokens are refused until then, and next the oldest: what is in force longest unseen may have been
 * withdrawn longest. */
static void schedule_start(const struct start_list *list)
{
    int64_t now_s = rely_service_now_s();
    size_t urgent = gather_urgent(list, now_s);
    qsort(list->issuers + urgent, list->count - urgent, sizeof(const struct rely_issuer *), order_by_age);
    for (size_t i = 0; i < list->count; i++) {
        uint64_t random = rely_keeper_random();
        int64_t delay_ms = i < urgent ? (int64_t)(random % URGENT_START_MS)
                                      : URGENT_START_MS + rely_plan_start_ms(i - urgent, list->count - urgent, random);
        schedule_fetch(rely_keeper_find(list->control, list->issuers[i]->id), delay_ms);
    }
}

void rely_keeper_start(struct rely_control *control)
{
    const struct rely_map *issuers = &control->snapshot->issuers_by_id;
    struct start_list list = {control, rely_alloc((issuers->count + 1) * sizeof(const struct rely_issuer *)), 0};
    rely_map_each(issuers, list_for_start, &list);
    schedule_start(&list);
    free(list.issuers);
}

static bool free_kept_issuer(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = (struct rely_keeper_issuer *)item;
    struct rely_control *control = context;
    rely_timer_cancel(control->loop, &issuer->timer);
    rely_keeper_store_last(issuer);
    rely_keeper_forget_fetched(issuer);
    free(issuer);
    return true;
}

void rely_keeper_stop(struct rely_control *control)
{
    rely_map_each(&control->keeper.issuers, free_kept_issuer, control);
    rely_map_fini(&control->keeper.issuers);
}

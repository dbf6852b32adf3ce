/*
 * When keys are fetched: regularly before they grow old, soon after a change of the record, and at once when a worker
 * misses a key, with one fetch in flight per issuer and a cooldown. What was accepted last stays in force whatever
 * fails. On the control thread.
 */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_MAX_S 300

static uint64_t hash_issuer_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

static struct rely_keeper_issuer *find_kept(struct rely_control *control, int64_t id)
{
    size_t cursor = 0;
    return (struct rely_keeper_issuer *)rely_map_find(&control->keeper.issuers, hash_issuer_id(id), &cursor);
}

static void fetch_when_due(struct rely_timer *timer)
{
    struct rely_keeper_issuer *issuer =
        (struct rely_keeper_issuer *)((char *)timer - offsetof(struct rely_keeper_issuer, timer));
    rely_keeper_fetch(issuer);
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
    rely_map_remove(&keeper->issuers, &(struct rely_edit){1, &keeper->unused}, hash_issuer_id(issuer->id), issuer);
    free(issuer);
}

static void schedule_fetch(struct rely_keeper_issuer *issuer, int64_t delay_ms)
{
    issuer->status.next_fetch_s = rely_service_now_s() + delay_ms / 1000;
    rely_timer_start(issuer->control->loop, &issuer->timer, (int)delay_ms);
}

/* Between 90 and 110 percent, so that a thousand issuers do not fall due in the same second. */
static int64_t add_jitter(int64_t ms)
{
    return ms * (90 + random() % 21) / 100;
}

/* --- telling the workers ------------------------------------------------------------------------ */

struct settlement {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    int64_t issuer_id;
    int64_t cooldown_ms;
};

static void settle_on_worker(struct rely_message *message)
{
    struct settlement *settlement = (struct settlement *)message;
    rely_reviewer_keys_settled(&settlement->worker->reviewer, settlement->issuer_id, settlement->cooldown_ms);
    free(settlement);
}

static void drop_settlement(struct rely_message *message)
{
    free(message);
}

static void tell_workers(struct rely_control *control, int64_t issuer_id, int64_t cooldown_ms)
{
    struct rely_service *service = control->service;
    for (size_t i = 0; i < service->worker_count && !control->are_workers_gone; i++) {
        struct settlement *settlement = rely_alloc(sizeof *settlement);
        *settlement = (struct settlement){
            {.run = settle_on_worker, .drop = drop_settlement}, &service->workers[i], issuer_id, cooldown_ms};
        rely_loop_post(service->workers[i].loop, &settlement->message);
    }
}

/* --- the schedule ------------------------------------------------------------------------------- */

static int64_t clamp_refresh_s(const struct rely_config *config, int64_t max_age_s)
{
    if (max_age_s < 0 || max_age_s > config->key_refresh_max_s)
        return config->key_refresh_max_s;
    return max_age_s < config->key_refresh_min_s ? config->key_refresh_min_s : max_age_s;
}

static void schedule_after_fetch(struct rely_keeper_issuer *issuer, int64_t max_age_s, bool is_ok)
{
    const struct rely_config *config = issuer->control->service->config;
    int64_t backoff_s = issuer->failures < 9 ? 1 << issuer->failures : BACKOFF_MAX_S;
    int64_t delay_s = is_ok                       ? clamp_refresh_s(config, max_age_s)
                      : backoff_s > BACKOFF_MAX_S ? BACKOFF_MAX_S
                                                  : backoff_s;
    /* at 80 percent of their life, so that one failed fetch is not yet an old key set */
    int64_t delay_ms = is_ok ? delay_s * 800 : delay_s * 1000;
    schedule_fetch(issuer, issuer->is_stale ? 0 : add_jitter(delay_ms));
    issuer->is_stale = false;
}

static void note_fetch_outcome(struct rely_keeper_issuer *issuer, const struct rely_err *err)
{
    struct rely_control *control = issuer->control;
    if (err != NULL && err->code == RELY_ERR_CONFLICT)
        return; /* overtaken by a change of the record: no failure of the issuer's */
    rely_count(err == NULL ? &control->keeper.fetches_ok : &control->keeper.fetches_failed, 1);
    issuer->status.last_attempt_s = rely_service_now_s();
    if (err == NULL) {
        issuer->status.last_success_s = issuer->status.last_attempt_s;
        issuer->status.last_error[0] = '\0';
        issuer->failures = 0;
        return;
    }
    issuer->failures++;
    snprintf(issuer->status.last_error, sizeof issuer->status.last_error, "%s", err->message);
    rely_log_event(control->ring, RELY_LOG_WARNING, "key_fetch_failed", "%s", err->message);
}

/* An uploaded key set has nothing to fetch: it changes by a write. */
void rely_keeper_rest(struct rely_keeper_issuer *issuer)
{
    struct rely_control *control = issuer->control;
    issuer->is_fetching = false;
    issuer->status.next_fetch_s = 0;
    if (issuer->is_asked)
        tell_workers(control, issuer->id, control->service->config->key_miss_cooldown_ms);
    issuer->is_asked = false;
}

void rely_keeper_finish(struct rely_keeper_issuer *issuer, int64_t max_age_s, const struct rely_err *err)
{
    struct rely_control *control = issuer->control;
    int64_t now_ms = rely_service_now_ms();
    note_fetch_outcome(issuer, err);
    issuer->is_fetching = false;
    if (issuer->is_asked)
        tell_workers(control, issuer->id, issuer->cooldown_until_ms > now_ms ? issuer->cooldown_until_ms - now_ms : 0);
    issuer->is_asked = false;
    if (issuer->is_removed)
        forget_issuer(issuer);
    else
        schedule_after_fetch(issuer, max_age_s, err == NULL);
}

void rely_keeper_ask(struct rely_control *control, int64_t issuer_id)
{
    struct rely_keeper_issuer *issuer = find_kept(control, issuer_id);
    int64_t now_ms = rely_service_now_ms();
    int64_t cooldown_ms = control->service->config->key_miss_cooldown_ms;
    if (issuer == NULL || issuer->is_removed) {
        tell_workers(control, issuer_id, cooldown_ms);
    } else if (issuer->is_fetching) {
        issuer->is_asked = true;
    } else if (now_ms < issuer->cooldown_until_ms) {
        tell_workers(control, issuer_id, issuer->cooldown_until_ms - now_ms);
    } else {
        issuer->is_asked = true;
        issuer->cooldown_until_ms = now_ms + cooldown_ms;
        rely_keeper_fetch(issuer);
    }
}

void rely_keeper_note_issuer(struct rely_control *control, int64_t issuer_id, bool is_removed)
{
    struct rely_keeper_issuer *issuer = find_kept(control, issuer_id);
    if (issuer == NULL && is_removed)
        return;
    if (issuer == NULL)
        issuer = keep_issuer(control, issuer_id);
    issuer->is_removed = is_removed;
    issuer->cooldown_until_ms = 0;
    if (issuer->is_fetching)
        issuer->is_stale = true;
    else if (is_removed)
        forget_issuer(issuer);
    else
        schedule_fetch(issuer, 0);
}

bool rely_keeper_status(struct rely_control *control, int64_t issuer_id, struct rely_key_status *out)
{
    const struct rely_keeper_issuer *issuer = find_kept(control, issuer_id);
    if (issuer == NULL)
        return false;
    *out = issuer->status;
    if (out->last_error[0] == '\0')
        snprintf(out->last_error, sizeof out->last_error, "%.250s", issuer->repeats);
    return true;
}

/* At the start, issuers without keys come first; the others keep what was stored and spread over a minute. Looking at
 * thousands of uploaded key sets that cannot be fetched would only take time from the first reviews. */
static bool schedule_first_fetch(const void *item, void *context)
{
    const struct rely_issuer *row = item;
    struct rely_keeper_issuer *issuer = keep_issuer(context, row->id);
    if (!row->has_uploaded_keys)
        schedule_fetch(issuer, row->keyset == NULL ? random() % 200 : 500 + random() % 60000);
    return true;
}

void rely_keeper_start(struct rely_control *control)
{
    rely_map_each(&control->snapshot->issuers_by_id, schedule_first_fetch, control);
}

static bool free_kept_issuer(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = (struct rely_keeper_issuer *)item;
    struct rely_control *control = context;
    rely_timer_cancel(control->loop, &issuer->timer);
    free(issuer);
    return true;
}

void rely_keeper_stop(struct rely_control *control)
{
    rely_map_each(&control->keeper.issuers, free_kept_issuer, control);
    rely_map_fini(&control->keeper.issuers);
}

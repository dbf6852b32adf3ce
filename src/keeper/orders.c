/*
 * Fetches that an administrator orders: at once, and whole, past caches, whatever the back-off says; but within a bucket,
 * so that no script makes relyd hammer an issuer. Whoever orders while a fetch is under way joins it. Decides how long
 * somebody waits. Called by admin/ and, with what came of a fetch, by keeper.c.
 */
#include "kept.h"

#include "relyd/config.h"

/* Of one issuer so many at once, then one in each keys.miss_cooldown_ms. */
#define ORDERS_AT_ONCE 3

static struct rely_key_waiter *waiter_of(struct rely_timer *timer)
{
    return (struct rely_key_waiter *)((char *)timer - offsetof(struct rely_key_waiter, timer));
}

void rely_keeper_forget_waiter(struct rely_key_waiter *waiter)
{
    struct rely_keeper_issuer *issuer = waiter->issuer;
    if (issuer == NULL)
        return;
    rely_keeper_cancel_timer(issuer->keeper, &waiter->timer);
    *(waiter->previous == NULL ? &issuer->waiters : &waiter->previous->next) = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    waiter->issuer = NULL;
}

static void tell_waiter(struct rely_key_waiter *waiter, struct rely_refreshed *came)
{
    struct rely_keeper_issuer *issuer = waiter->issuer;
    memcpy(came->ms, issuer->course.ms, sizeof came->ms);
    bool is_kept = rely_keeper_conditions(issuer->keeper, issuer->id, &came->conditions);
    rely_keeper_forget_waiter(waiter);
    if (!is_kept)
        came->is_late = true;
    waiter->done(waiter, came);
}

static void give_up_waiting(struct rely_timer *timer)
{
    tell_waiter(waiter_of(timer), &(struct rely_refreshed){.is_late = true});
}

static enum rely_refresh_outcome judge_outcome(const struct rely_keeper_issuer *issuer)
{
    if (issuer->held.why != RELY_HELD_NOT)
        return RELY_REFRESH_HELD_BACK;
    return issuer->has_news ? RELY_REFRESH_ACCEPTED : RELY_REFRESH_UNCHANGED;
}

void rely_keeper_tell_waiters(struct rely_keeper_issuer *issuer, bool is_ok)
{
    enum rely_refresh_outcome outcome = is_ok ? judge_outcome(issuer) : RELY_REFRESH_FAILED;
    while (issuer->waiters != NULL)
        tell_waiter(issuer->waiters, &(struct rely_refreshed){.outcome = outcome});
}

void rely_keeper_drop_waiters(struct rely_keeper_issuer *issuer)
{
    while (issuer->waiters != NULL)
        rely_keeper_forget_waiter(issuer->waiters);
}

/* The next fetch is this one. False: too many were ordered of late. */
static bool order_fetch(struct rely_keeper_issuer *issuer)
{
    const struct rely_keeper *keeper = issuer->keeper;
    int64_t now_ms = rely_keeper_now_ms(keeper), cooldown_ms = keeper->config->key_miss_cooldown_ms;
    int64_t wait_ms = rely_bucket_wait_ms(&issuer->orders, ORDERS_AT_ONCE, cooldown_ms, now_ms);
    if (wait_ms > keeper->config->key_fetch_timeout_ms)
        return false;
    rely_bucket_take(&issuer->orders, cooldown_ms, now_ms);
    issuer->is_refreshing = true;
    if (issuer->status.next_fetch_s == 0 || now_ms + wait_ms < issuer->due_ms)
        rely_keeper_schedule(issuer, wait_ms);
    return true;
}

bool rely_keeper_order(struct rely_keeper *keeper, int64_t issuer_id, struct rely_key_waiter *waiter,
                       struct rely_err *err)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    if (issuer == NULL || issuer->is_removed)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer is gone");
    if (!issuer->is_fetching && !issuer->is_refreshing && !order_fetch(issuer))
        return rely_err_set(err, RELY_ERR_LIMIT, "its keys were fetched by order too often of late: try again later");
    issuer->is_ordered |= waiter->is_believed;
    waiter->issuer = issuer;
    waiter->previous = NULL;
    waiter->next = issuer->waiters;
    if (waiter->next != NULL)
        waiter->next->previous = waiter;
    issuer->waiters = waiter;
    waiter->timer.run = give_up_waiting;
    rely_keeper_start_timer(keeper, &waiter->timer, keeper->config->key_fetch_timeout_ms);
    return true;
}

/*
 * key_orders: an administrator has an issuer's keys fetched now, and waits for what comes of it. On the keeper's thread.
 */
#ifndef RELYD_KEY_ORDERS_H
#define RELYD_KEY_ORDERS_H

#include "relyd/keeper.h"
#include "relyd/timer.h"

enum rely_refresh_outcome {
    RELY_REFRESH_FAILED,
    RELY_REFRESH_UNCHANGED, /* the same keys are in force, or there was nothing to fetch */
    RELY_REFRESH_HELD_BACK, /* a set has come that is not believed yet: rely_key_status tells why */
    RELY_REFRESH_ACCEPTED   /* other keys are in force */
};

/* What came of a fetch that somebody waits for. */
struct rely_refreshed {
    enum rely_refresh_outcome outcome;
    bool is_late; /* it goes on, or the record is gone, and nobody waits any longer; the rest says nothing */
    struct rely_issuer_conditions conditions;
    int32_t ms[RELY_CONDITION_COUNT]; /* how long each step took */
};

struct rely_keeper_issuer;

/* Somebody waits for the end of a fetch: embed it, zero-filled but for the first two. */
struct rely_key_waiter {
    /* Called once, unless it is forgotten before, and never before rely_keeper_order has returned; it is nobody's then. */
    void (*done)(struct rely_key_waiter *waiter, const struct rely_refreshed *came);
    bool is_believed;                        /* what that fetch brings is in force whatever it drops */
    struct rely_key_waiter *next, *previous; /* the keeper's, as the rest */
    struct rely_keeper_issuer *issuer;
    struct rely_timer timer;
};

/**
 * Fetch an issuer's keys whole and now, or join the fetch under way. No more than keys.fetch_timeout_ms are waited.
 *
 * Fails:    RELY_ERR_NOT_FOUND (it is not kept), RELY_ERR_LIMIT (it was ordered too often of late).
 */
RELY_MUST_USE bool rely_keeper_order(struct rely_keeper *keeper, int64_t issuer_id, struct rely_key_waiter *waiter,
                                     struct rely_err *err);
/* Whoever waits does so no longer. Also when it is over. */
void rely_keeper_forget_waiter(struct rely_key_waiter *waiter);
/* Look at every key set in a file now. */
void rely_keeper_look_at_files(struct rely_keeper *keeper);

#endif

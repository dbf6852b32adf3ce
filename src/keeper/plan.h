/*
 * The key keeper's times, as functions of times: no clock, no timer, no state but a bucket's. Inside keeper/ only.
 */
#ifndef RELYD_KEEPER_PLAN_H
#define RELYD_KEEPER_PLAN_H

#include "relyd/base.h"

/* A bucket of `size` tokens that gets one every `refill_ms`; zero-filled it is full. */
struct rely_bucket {
    int64_t full_at_ms; /* when it will be full again */
};

/* How long until a token is there; 0: take one now. */
int64_t rely_bucket_wait_ms(const struct rely_bucket *bucket, int64_t size, int64_t refill_ms, int64_t now_ms);
/* Take one, also one that is not there yet: then it is taken for the moment when it will be. */
void rely_bucket_take(struct rely_bucket *bucket, int64_t refill_ms, int64_t now_ms);

/* Fetches that missing keys cause, of all issuers: those lately asked in vain have a share of their own, so that
 * however many they are, nobody else stands behind them. Zero-filled both are full. */
struct rely_asks {
    struct rely_bucket trusted, doubted;
};

/* How the asks of one issuer went. Zero-filled: nobody has asked. */
struct rely_asker {
    struct rely_bucket bucket;
    int64_t doubted_until_ms; /* the last ask was in vain */
    int64_t excused_until_ms; /* an ask has brought news: what was asked meanwhile was not made up */
};

/* How long the issuer's own bucket keeps an ask waiting. */
int64_t rely_plan_own_wait_ms(const struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms);
/* Ask: taken from both buckets. Returns how long until the fetch may begin, in each class in the order of the asks. */
int64_t rely_plan_ask(struct rely_asks *asks, struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms);
/* A fetch because a key is free that the issuer did without: from its own bucket and that of the doubted, so that
 * nobody stands behind those whom another record's rotations offer keys. Returns how long until it may begin. */
int64_t rely_plan_offer(struct rely_asks *asks, struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms);
bool rely_plan_is_doubted(const struct rely_asker *asker, int64_t now_ms);
/* The fetch that was asked for has ended: with keys that were not in force before, or in vain. */
void rely_plan_note_ask(struct rely_asker *asker, bool has_news, int64_t now_ms);

/* The fetch that was asked for brought so many keys to judge. Many keep the control thread: the issuer's next ask
 * waits for it, and does so among the doubted, whose bucket pays as well. */
void rely_plan_charge_keys(struct rely_asks *asks, struct rely_asker *asker, size_t keys, int64_t now_ms);

/**
 * From a fetch that succeeded to the next ordinary one.
 *
 * In:       min_s, max_s - the bounds; fresh_s - how long the answer is fresh, below 0: it does not say.
 *           random - any number: it moves the time by up to ten percent, so that neither issuers nor replicas fall due
 *           together.
 * Returns:  about 80 percent of the time, so that one failed fetch is not yet an old key set; never less than min_s.
 */
int64_t rely_plan_refresh_ms(int64_t min_s, int64_t max_s, int64_t fresh_s, uint64_t random);
/* The same for those who may have been fetched together with many others: at the start, when a script has changed their
 * records, at the end of an outage. Spread over the whole time between two fetches, so that from then on as many are
 * fetched in one minute as in any other. */
int64_t rely_plan_first_refresh_ms(int64_t min_s, int64_t max_s, int64_t fresh_s, uint64_t random);
/* From the failures-th failed fetch in a row (1 is the first) to the next: 2 s, doubled each time, at most 5 minutes.
 */
int64_t rely_plan_backoff_ms(int failures, uint64_t random);
/* When, after the start, the rank-th of count issuers is fetched: in their order, within a minute. */
int64_t rely_plan_start_ms(size_t rank, size_t count, uint64_t random);

/* The same keys have been fetched again: is it time to note that, after every_s seconds? */
bool rely_plan_is_renewal_due(int64_t noted_s, int64_t every_s, int64_t now_s);

/* How long until one issuer's keys may make the next row of the change log, or line of the log; 0: now. */
int64_t rely_plan_row_wait_ms(const struct rely_bucket *rows, int64_t now_ms);
/* It was made. */
void rely_plan_take_row(struct rely_bucket *rows, int64_t now_ms);

#endif

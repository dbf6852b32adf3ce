/*
 * Between the protocols and the review: takes the clock, counts, logs, and lets a review whose issuer's key is unknown
 * wait for the fetch thread, for a bounded time and a bounded number of requests. Decides nothing. Used by every
 * endpoint.
 */
#include "reviewer.h"

#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A flood of unknown keys must not hold every connection: beyond this many, a worker refuses at once. */
#define WAITING_MAX 1000

/* A deferred request. Owns copies of all that it needs, because the body is gone after the handler. */
struct rely_waiting {
    struct rely_timer timer; /* first: recovered from the callback */
    struct rely_waiting *next, *previous;
    struct rely_reviewer *reviewer;    /* borrowed */
    struct rely_http_request *request; /* borrowed until answered or gone */
    struct rely_asked asked;           /* slices point into `pool` */
    int64_t issuer_ids[RELY_CANDIDATES_MAX];
    size_t issuer_count;
    struct rely_pool pool; /* owned */
};

static int64_t read_wall_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now); /* whole seconds are judged: a tick of 4 ms is exact enough */
    return now.tv_sec;
}

static int64_t read_steady_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void rely_reviewer_init(struct rely_reviewer *reviewer)
{
    uint64_t random;
    rely_random(&random, sizeof random);
    snprintf(reviewer->decision_id, sizeof reviewer->decision_id, "%016llx%016x", (unsigned long long)random, 0);
    rely_pool_init(&reviewer->later);
}

static void free_waiting(struct rely_waiting *waiting)
{
    rely_pool_fini(&waiting->pool);
    free(waiting);
}

void rely_reviewer_fini(struct rely_reviewer *reviewer)
{
    while (reviewer->waiting != NULL) {
        struct rely_waiting *waiting = reviewer->waiting;
        reviewer->waiting = waiting->next;
        free_waiting(waiting);
    }
    rely_cooldowns_fini(reviewer);
    rely_pool_fini(&reviewer->later);
    rely_buf_fini(&reviewer->out);
}

/* --- counting, logging, replying ---------------------------------------------------------------- */

static void count_review(struct rely_counters *counters, const struct rely_answer *answer, uint32_t duration_us)
{
    size_t bucket = 0;
    rely_count(&counters->reviews[answer->asked->endpoint][answer->review->decision.reason], 1);
    while (bucket < RELY_LATENCY_BUCKETS && duration_us > rely_latency_bounds_us[bucket])
        bucket++;
    rely_count(&counters->latency[bucket], 1);
    rely_count(&counters->latency_sum_us, duration_us);
}

static void log_review(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                       const struct rely_answer *answer, uint32_t duration_us)
{
    const struct rely_review *review = answer->review;
    const struct rely_match *match = review->matches.count > 0 ? &review->matches.items[0] : NULL;
    char peer[RELY_PEER_SIZE];
    rely_http_peer(request, peer);
    rely_log_decide(reviewer->ring, &(struct rely_log_decision){
                                        .now_s = review->now_s,
                                        .endpoint = answer->asked->endpoint,
                                        .reason = review->decision.reason,
                                        .detail = rely_slice_of(review->decision.detail.text),
                                        .issuer = review->issuer != NULL ? review->issuer->name : review->token.iss,
                                        .subject = review->claims.subject,
                                        .token_id = review->claims.token_id,
                                        .identity = match != NULL ? match->identity->name : (struct rely_slice){0},
                                        .credential = match != NULL ? match->credential->name : (struct rely_slice){0},
                                        .peer = rely_slice_of(peer),
                                        .decision_id = rely_slice_of(answer->decision_id),
                                        .duration_us = duration_us,
                                    });
}

/* 32 hexadecimal digits: which worker of which process, and its how manieth decision, counted up in place. */
static void advance_decision_id(char id[RELY_DECISION_ID_SIZE])
{
    for (size_t i = RELY_DECISION_ID_SIZE - 2; i >= 16; i--) {
        if (id[i] != 'f') {
            id[i] = (char)(id[i] == '9' ? 'a' : id[i] + 1);
            return;
        }
        id[i] = '0';
    }
}

static void finish_review(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, const struct rely_review *review, int64_t start_us)
{
    struct rely_answer answer = {asked, review, reviewer->decision_id};
    uint32_t duration_us = (uint32_t)(read_steady_clock_us() - start_us);
    advance_decision_id(reviewer->decision_id);
    count_review(reviewer->counters, &answer, duration_us);
    if (rely_log_wants(reviewer->ring, review->decision.reason))
        log_review(reviewer, request, &answer, duration_us);
    reviewer->out.len = 0;
    asked->reply(reviewer, request, &answer);
}

void rely_reviewer_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, enum rely_reason reason, const char *detail)
{
    RELY_ASSERT(reason != RELY_OK);
    struct rely_review review = {.now_s = read_wall_clock_s()};
    review.decision.reason = rely_refuse(&review.decision.detail, reason, "%s", detail);
    finish_review(reviewer, request, asked, &review, read_steady_clock_us());
}

static void review_with_cache(struct rely_reviewer *reviewer, const struct rely_review_request *request,
                              struct rely_pool *pool, struct rely_review *review)
{
    struct rely_review_request bounded = *request;
    bounded.budget = &reviewer->tries;
    bool is_hit = rely_cache_review(reviewer->cache, reviewer->snapshot, &bounded, read_wall_clock_s(), pool, review);
    rely_count(is_hit ? &reviewer->counters->cache_hits : &reviewer->counters->cache_misses, 1);
    if (!is_hit && review->key != NULL && rely_signature_wants_table(review->key))
        reviewer->hooks.ask_for_table(reviewer->hooks.service, review->issuer->id, rely_key_serial(review->key));
}

/* --- waiting for keys ----------------------------------------------------------------------------- */

static void unlink_waiting(struct rely_waiting *waiting)
{
    struct rely_reviewer *reviewer = waiting->reviewer;
    *(waiting->previous == NULL ? &reviewer->waiting : &waiting->previous->next) = waiting->next;
    if (waiting->next != NULL)
        waiting->next->previous = waiting->previous;
    reviewer->waiting_count--;
    rely_timer_cancel(reviewer->loop, &waiting->timer);
}

static void forget_gone_request(void *context)
{
    struct rely_waiting *waiting = context;
    unlink_waiting(waiting);
    free_waiting(waiting);
}

/* Review a request that waited afresh, on the snapshot of this turn. It goes on waiting only while another issuer's
 * keys may still come; `is_last` ends that. */
static void review_waiting(struct rely_waiting *waiting, bool is_last)
{
    struct rely_reviewer *reviewer = waiting->reviewer;
    struct rely_review review;
    int64_t start_us = read_steady_clock_us();
    review_with_cache(reviewer, &waiting->asked.review, &waiting->pool, &review);
    if (rely_review_wants_keys(&review) && waiting->issuer_count > 0 && !is_last)
        return;
    unlink_waiting(waiting);
    finish_review(reviewer, waiting->request, &waiting->asked, &review, start_us);
    free_waiting(waiting);
}

static void answer_after_timeout(struct rely_timer *timer)
{
    review_waiting((struct rely_waiting *)timer, true);
}

static void copy_asked(struct rely_waiting *waiting, const struct rely_asked *asked)
{
    struct rely_pool *pool = &waiting->pool;
    size_t count = asked->review.audience_count;
    struct rely_slice *audiences = rely_pool_alloc(pool, count * sizeof *audiences);
    for (size_t i = 0; i < count; i++)
        audiences[i] = rely_pool_copy(pool, asked->review.audiences[i]);
    waiting->asked = *asked;
    waiting->asked.review.token = rely_pool_copy(pool, asked->review.token);
    waiting->asked.review.audiences = audiences;
    waiting->asked.review.identity = rely_pool_copy(pool, asked->review.identity);
}

/* Ask for the keys of every record that may have signed, where they can be fetched and may be used for this alg; true
 * when at least one answer will come. */
static bool ask_for_missing_keys(struct rely_reviewer *reviewer, const struct rely_review *review)
{
    int64_t now_ms = read_steady_clock_us() / 1000;
    bool is_replaced = rely_review_doubts_keys(review), is_coming = false;
    for (size_t i = 0; i < review->candidate_count; i++) {
        const struct rely_issuer *issuer = review->candidates[i].issuer;
        if (!issuer->has_uploaded_keys && (issuer->algs >> review->token.alg & 1u) != 0)
            is_coming |= rely_cooldown_ask(reviewer, issuer->id, is_replaced, now_ms);
    }
    return is_coming;
}

static void wait_for_keys(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, const struct rely_review *review)
{
    struct rely_waiting *waiting = rely_alloc(sizeof *waiting);
    rely_pool_init(&waiting->pool);
    copy_asked(waiting, asked);
    waiting->reviewer = reviewer;
    waiting->request = request;
    for (size_t i = 0; i < review->candidate_count; i++)
        waiting->issuer_ids[waiting->issuer_count++] = review->candidates[i].issuer->id;
    waiting->next = reviewer->waiting;
    if (waiting->next != NULL)
        waiting->next->previous = waiting;
    reviewer->waiting = waiting;
    reviewer->waiting_count++;
    waiting->timer.run = answer_after_timeout;
    rely_timer_start(reviewer->loop, &waiting->timer, reviewer->key_wait_ms);
    rely_http_defer(request, forget_gone_request, waiting);
    rely_count(&reviewer->counters->key_waits, 1);
}

void rely_reviewer_ask(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_asked *asked)
{
    struct rely_review review;
    int64_t start_us = read_steady_clock_us();
    review_with_cache(reviewer, &asked->review, request->scratch, &review);
    bool may_wait = reviewer->key_wait_ms > 0 && reviewer->waiting_count < WAITING_MAX;
    if (rely_review_wants_keys(&review) && ask_for_missing_keys(reviewer, &review) && may_wait)
        wait_for_keys(reviewer, request, asked, &review);
    else
        finish_review(reviewer, request, asked, &review, start_us);
}

/* Take an issuer off the list of those waited for; false when it was not on it. */
static bool drop_awaited_issuer(struct rely_waiting *waiting, int64_t issuer_id)
{
    for (size_t i = 0; i < waiting->issuer_count; i++) {
        if (waiting->issuer_ids[i] != issuer_id)
            continue;
        waiting->issuer_ids[i] = waiting->issuer_ids[--waiting->issuer_count];
        return true;
    }
    return false;
}

void rely_reviewer_keys_settled(struct rely_reviewer *reviewer, int64_t issuer_id,
                                const struct rely_cooldowns *cooldowns)
{
    rely_cooldown_set(reviewer, issuer_id, cooldowns, read_steady_clock_us() / 1000);
    for (struct rely_waiting *waiting = reviewer->waiting, *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        if (drop_awaited_issuer(waiting, issuer_id))
            review_waiting(waiting, false);
    }
}

/*
 * Between the protocols and the review: takes the clock, counts, logs, and lets a review whose issuer's key is unknown
 * wait (waiting.c). Decides nothing. Used by every endpoint.
 */
#include "reviewer.h"
#include "batch.h"

#include "relyd/clock.h"
#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdio.h>

#define SHADOW_NAME_SIZE (2 * RELY_NAME_MAX + 2) /* with its slash and NUL */

void rely_reviewer_init(struct rely_reviewer *reviewer)
{
    uint64_t random;
    rely_random(&random, sizeof random);
    snprintf(reviewer->decision_id, sizeof reviewer->decision_id, "%016llx%016x", (unsigned long long)random, 0);
    reviewer->live = rely_live_memory_new(rely_clock_monotonic_ms);
    rely_pool_init(&reviewer->later);
    rely_waiting_init(reviewer);
    rely_batches_init(reviewer);
}

void rely_reviewer_take_up(struct rely_reviewer *reviewer, const struct rely_snapshot *snapshot)
{
    reviewer->snapshot = snapshot;
}

void rely_reviewer_fini(struct rely_reviewer *reviewer)
{
    rely_batches_fini(reviewer);
    rely_waiting_fini(reviewer);
    rely_cooldowns_fini(reviewer);
    rely_live_memory_free(reviewer->live);
    rely_pool_fini(&reviewer->later);
    rely_buf_fini(&reviewer->out);
}

/* --- counting, logging, replying ---------------------------------------------------------------- */

static void count_review(struct rely_counters *counters, const struct rely_answer *answer, uint32_t duration_us)
{
    size_t bucket = 0;
    enum rely_reason reason = answer->review->decision.reason;
    rely_count(&counters->reviews[answer->asked->endpoint][reason], 1);
    if (answer->review->matches.shadow.credential != NULL)
        rely_count(&counters->shadow_matches[reason == RELY_OK], 1);
    while (bucket < RELY_LATENCY_BUCKETS && duration_us > rely_latency_bounds_us[bucket])
        bucket++;
    rely_count(&counters->latency[bucket], 1);
    rely_count(&counters->latency_sum_us, duration_us);
}

/* Empty: there is none. */
static struct rely_slice print_shadow(const struct rely_review *review, char out[SHADOW_NAME_SIZE])
{
    const struct rely_match *shadow = &review->matches.shadow;
    out[0] = '\0';
    if (shadow->credential != NULL)
        snprintf(out, SHADOW_NAME_SIZE, "%.*s/%.*s", RELY_ARG(shadow->identity->name),
                 RELY_ARG(shadow->credential->name));
    return rely_slice_of(out);
}

struct rely_slice rely_review_iss(const struct rely_review *review)
{
    struct rely_slice name = review->name; /* empty, or with U+0000 in front where it is no iss */
    return name.len > 0 && name.ptr[0] != '\0' ? name : (struct rely_slice){NULL, 0};
}

struct rely_slice rely_review_alias(const struct rely_review *review)
{
    struct rely_slice iss = rely_review_iss(review);
    bool is_alias = review->issuer != NULL && iss.ptr != NULL && !rely_slice_equal(iss, review->issuer->url);
    return is_alias ? iss : (struct rely_slice){NULL, 0};
}

struct rely_slice rely_review_liveness(const struct rely_review *review)
{
    bool is_assumed = review->decision.reason == RELY_OK && review->live.life == RELY_LIFE_ASSUMED;
    return is_assumed ? RELY_LIT("assumed") : (struct rely_slice){NULL, 0};
}

static void log_review(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                       const struct rely_answer *answer, uint32_t duration_us)
{
    const struct rely_review *review = answer->review;
    const struct rely_match *match = review->matches.count > 0 ? &review->matches.items[0] : NULL;
    char peer[RELY_PEER_SIZE], shadow[SHADOW_NAME_SIZE];
    rely_http_peer(request, peer);
    rely_log_decide(reviewer->ring, &(struct rely_log_decision){
                                        .now_s = review->now_s,
                                        .endpoint = answer->asked->endpoint,
                                        .reason = review->decision.reason,
                                        .detail = rely_slice_of(review->decision.detail.text),
                                        .issuer = review->issuer != NULL ? review->issuer->name : review->token.iss,
                                        .alias = rely_review_alias(review),
                                        .subject = review->claims.subject,
                                        .token_id = review->claims.token_id,
                                        .identity = match != NULL ? match->identity->name : (struct rely_slice){0},
                                        .credential = match != NULL ? match->credential->name : (struct rely_slice){0},
                                        .shadow = print_shadow(review, shadow),
                                        .liveness = rely_review_liveness(review),
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

static struct rely_answer note_review(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                                      const struct rely_asked *asked, const struct rely_review *review,
                                      int64_t start_us)
{
    struct rely_answer answer = {asked, review, reviewer->decision_id};
    uint32_t duration_us = (uint32_t)(rely_clock_monotonic_us() - start_us);
    advance_decision_id(reviewer->decision_id);
    count_review(reviewer->counters, &answer, duration_us);
    if (rely_log_wants(reviewer->ring, review->decision.reason))
        log_review(reviewer, request, &answer, duration_us);
    return answer;
}

void rely_reviewer_finish(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, const struct rely_review *review, int64_t start_us)
{
    struct rely_answer answer = note_review(reviewer, request, asked, review, start_us);
    reviewer->out.len = 0;
    asked->reply(reviewer, request, &answer);
}

static void make_refusal(enum rely_reason reason, const char *detail, struct rely_review *out)
{
    RELY_ASSERT(reason != RELY_OK);
    *out = (struct rely_review){.now_s = rely_clock_coarse_s()};
    out->decision.reason = rely_refuse(&out->decision.detail, reason, "%s", detail);
}

void rely_reviewer_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, enum rely_reason reason, const char *detail)
{
    struct rely_review review;
    make_refusal(reason, detail, &review);
    rely_reviewer_finish(reviewer, request, asked, &review, rely_clock_monotonic_us());
}

void rely_reviewer_note_refused(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                                enum rely_endpoint endpoint, enum rely_reason reason, const char *detail)
{
    struct rely_review review;
    make_refusal(reason, detail, &review);
    note_review(reviewer, request, &(struct rely_asked){.endpoint = endpoint}, &review, rely_clock_monotonic_us());
}

void rely_reviewer_review(struct rely_reviewer *reviewer, const struct rely_review_request *request,
                          struct rely_pool *pool, struct rely_review *review)
{
    struct rely_review_request bounded = *request;
    bounded.budget = &reviewer->tries;
    bounded.turn = reviewer->misses;
    bounded.live = reviewer->live;
    bounded.pool = pool;
    bool is_hit = rely_cache_review(reviewer->cache, reviewer->snapshot, &bounded, rely_clock_coarse_s(), review);
    rely_count(is_hit ? &reviewer->counters->cache_hits : &reviewer->counters->cache_misses, 1);
    if (!is_hit && review->key != NULL && rely_signature_wants_table(review->key))
        reviewer->hooks.ask_for_table(reviewer->hooks.service, review->issuer->id, rely_signature_serial(review->key));
    if (review->live.is_old)
        rely_life_ask(reviewer, review, request->token);
}

void rely_reviewer_ask(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_asked *asked)
{
    struct rely_review review;
    int64_t start_us = rely_clock_monotonic_us();
    rely_reviewer_review(reviewer, &asked->review, request->scratch, &review);
    if (rely_review_wants_more(&review) && rely_waiting_begin(reviewer, request, asked, &review, start_us) != NULL)
        return;
    rely_life_give_up(reviewer, &asked->review, request->scratch, &review);
    rely_reviewer_finish(reviewer, request, asked, &review, start_us);
}

/*
 * Step "keys": which keys of the candidate records may have signed. The algorithm must be one that the record allows
 * and that the key is bound to (RFC 8725 s3.1). What is tried is bounded by its cost, and chosen so that neither order
 * nor a neighbour's many keys decide. Verifies nothing. Called by decide.c.
 */
#include "steps.h"

#include "relyd/keys.h"
#include "relyd/map.h"
#include "relyd/ml_dsa.h"
#include "relyd/text.h"

/* Nobody has seen these keys at their issuer for so long that they may have been withdrawn long ago. */
static enum rely_reason refuse_old_keys(const struct rely_issuer *issuer, int64_t now_s, struct rely_detail *detail)
{
    return rely_refuse(detail, RELY_KEYS_UNAVAILABLE,
                       "the key set of issuer %.*s was last fetched %lld s ago, and counts for %lld s",
                       RELY_ARG(issuer->name), (long long)(now_s - issuer->keys_fetched_s),
                       (long long)(issuer->keys_until_s - issuer->keys_fetched_s));
}

enum rely_reason rely_refuse_unavailable(const struct rely_unverified *token, struct rely_detail *detail)
{
    return rely_refuse(detail, RELY_ALGORITHM_UNAVAILABLE,
                       "%s cannot be verified here: crypto.ml_dsa is off, or OpenSSL has none",
                       rely_alg_name(token->alg));
}

static enum rely_reason find_candidate_keys(struct rely_candidate *candidate, const struct rely_unverified *token,
                                            int64_t now_s, struct rely_detail *detail)
{
    const struct rely_issuer *issuer = candidate->issuer;
    char text[RELY_QUOTED_SIZE];
    candidate->key_count = candidate->try_count = candidate->base_count = 0;
    candidate->cost = candidate->failures = 0;
    candidate->is_left_out = false;
    if (rely_alg_is_unavailable(token->alg))
        return rely_refuse_unavailable(token, detail);
    if ((issuer->algs & 1u << token->alg & RELY_ALGS_ALL) == 0)
        return rely_refuse(detail, RELY_ALGORITHM_NOT_ALLOWED, "issuer %.*s does not allow alg %s",
                           RELY_ARG(issuer->name), rely_quote(token->alg_name, text));
    if (issuer->keyset == NULL)
        return rely_refuse(detail, RELY_KEYS_UNAVAILABLE, "no key set of issuer %.*s has been accepted yet",
                           RELY_ARG(issuer->name));
    if (now_s > issuer->keys_until_s)
        return refuse_old_keys(issuer, now_s, detail);
    enum rely_reason reason = rely_keys_find(issuer->keyset, token, candidate->keys, &candidate->key_count, detail);
    if (reason == RELY_KEY_UNKNOWN)
        candidate->is_left_out = rely_keys_count_fitting(issuer->keyset, token) > RELY_KEY_TRIES_MAX;
    candidate->try_count = candidate->base_count = candidate->key_count;
    for (size_t i = 0; i < candidate->key_count; i++)
        candidate->cost += rely_key_cost(candidate->keys[i]);
    return reason;
}

/* The least cost above `floor` of a record that has keys, and what all records of that cost have together. */
static uint32_t find_next_cost(const struct rely_review *review, uint32_t floor, uint32_t *together)
{
    uint32_t least = UINT32_MAX;
    *together = 0;
    for (size_t i = 0; i < review->candidate_count; i++) {
        uint32_t cost = review->candidates[i].cost;
        if (cost <= floor || cost > least)
            continue;
        *together = cost == least ? *together + cost : cost;
        least = cost;
    }
    return least;
}

/*
 * Leave out what one token may not cost. The cheapest records come first, and those of one cost all together or not at
 * all: so a neighbour with many or costly keys under another's kid leaves out none but itself, and no order decides.
 * Returns whether anything is left to try.
 */
static bool leave_out_costly(struct rely_review *review)
{
    uint32_t spent = 0, together = 0, taken = 0;
    for (uint32_t cost; (cost = find_next_cost(review, taken, &together)) != UINT32_MAX; taken = cost) {
        if (together > RELY_TRY_COST_MAX - spent)
            break;
        spent += together;
    }
    for (size_t i = 0; i < review->candidate_count; i++)
        review->candidates[i].is_left_out |= review->candidates[i].cost > taken;
    return spent > 0;
}

/* Not for want of a key: a fetch would bring the same ones again. */
static enum rely_reason refuse_costly(struct rely_review *review)
{
    review->is_fetch_useless = true;
    if (review->candidate_count > 1)
        return rely_refuse(&review->decision.detail, RELY_AMBIGUOUS_ISSUER,
                           "the keys of %zu records with this iss that may have signed cost more to try than one token "
                           "may",
                           review->candidate_count);
    return rely_refuse(&review->decision.detail, RELY_KEY_UNKNOWN,
                       "the token %s, and the %zu keys of issuer %.*s that fit %s cost more to try than one token may",
                       review->token.kid.ptr == NULL ? "names no kid" : "names a kid that keys share",
                       review->candidates[0].key_count, RELY_ARG(review->candidates[0].issuer->name),
                       rely_alg_name(review->token.alg));
}

enum rely_reason rely_step_keys(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    enum rely_reason refusal = RELY_UNDECIDED;
    bool is_found = false;
    for (size_t i = 0; i < review->candidate_count; i++) {
        struct rely_candidate *candidate = &review->candidates[i];
        struct rely_detail detail;
        enum rely_reason reason = find_candidate_keys(candidate, &review->token, review->now_s, &detail);
        is_found |= reason == RELY_OK;
        if (reason == RELY_OK || refusal != RELY_UNDECIDED)
            continue;
        refusal = reason;
        review->decision.detail = detail;
        review->is_fetch_useless = candidate->is_left_out; /* it has too many */
    }
    if (!is_found)
        return refusal;
    review->is_fetch_useless = false;
    return leave_out_costly(review) ? RELY_OK : refuse_costly(review);
}

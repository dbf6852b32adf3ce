/*
 * Steps "keys" and "signature": which keys of the candidate records may have signed, and which one did. The algorithm
 * must be one that the record allows and that the key is bound to (RFC 8725 s3.1). What is tried is bounded by its
 * cost, and chosen so that neither order nor a neighbour's many keys decide. Called by decide.c.
 */
#include "steps.h"

#include "relyd/text.h"

/* --- keys ------------------------------------------------------------------------------------------------ */

/* Nobody has seen these keys at their issuer for so long that they may have been withdrawn long ago. */
static enum rely_reason refuse_old_keys(const struct rely_issuer *issuer, int64_t now_s, struct rely_detail *detail)
{
    return rely_refuse(detail, RELY_KEYS_UNAVAILABLE,
                       "the key set of issuer %.*s was last fetched %lld s ago, and counts for %lld s",
                       RELY_ARG(issuer->name), (long long)(now_s - issuer->keys_fetched_s),
                       (long long)(issuer->keys_until_s - issuer->keys_fetched_s));
}

static enum rely_reason find_candidate_keys(struct rely_candidate *candidate, const struct rely_unverified *token,
                                            int64_t now_s, struct rely_detail *detail)
{
    const struct rely_issuer *issuer = candidate->issuer;
    char text[RELY_QUOTED_SIZE];
    candidate->key_count = candidate->try_count = candidate->base_count = 0;
    candidate->cost = candidate->failures = 0;
    candidate->is_left_out = false;
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

/* --- signature ---------------------------------------------------------------------------------------------- */

/* Is this key the one that verified already? Keys of one `iss` differ, but for one signature another key that verifies
 * it can be made (duplicate signature key selection): neither record may win by accident. */
static enum rely_reason note_signer(struct rely_review_work *work, const struct rely_candidate *candidate,
                                    const struct rely_verified *verified)
{
    struct rely_review *review = work->review;
    if (review->key != NULL && review->issuer != candidate->issuer)
        return rely_refuse(&review->decision.detail, RELY_AMBIGUOUS_ISSUER,
                           "records %.*s and %.*s share this iss, and the signature verifies under a key of each",
                           RELY_ARG(review->issuer->name), RELY_ARG(candidate->issuer->name));
    work->verified = *verified;
    review->issuer = candidate->issuer;
    review->key = verified->key;
    return RELY_OK;
}

/* The first key of one record that verifies. Reasons: RELY_OK also when none does. */
static enum rely_reason try_candidate(struct rely_review_work *work, struct rely_candidate *candidate)
{
    struct rely_review *review = work->review;
    for (size_t k = 0; k < candidate->try_count; k++) {
        struct rely_verified verified;
        review->tries++;
        enum rely_reason reason =
            rely_signature_verify(&review->token, candidate->keys[k], &verified, &review->decision.detail);
        if (reason == RELY_OK)
            return note_signer(work, candidate, &verified);
        if (reason != RELY_BAD_SIGNATURE)
            return reason;
        if (k >= candidate->base_count)
            candidate->failures += rely_budget_price(&review->token, candidate->keys[k]);
    }
    return RELY_OK;
}

static enum rely_reason refuse_by_budget(struct rely_review *review, const struct rely_candidate *candidate)
{
    return rely_refuse(&review->decision.detail, RELY_OVERLOADED,
                       "the signature does not verify under %zu of the %zu keys of issuer %.*s with this kid, and too "
                       "many tries have failed in this second for the others",
                       candidate->try_count, candidate->key_count, RELY_ARG(candidate->issuer->name));
}

static enum rely_reason try_candidates(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_candidate *shortened = NULL;
    bool is_whole = true;
    for (size_t i = 0; i < review->candidate_count; i++) {
        struct rely_candidate *candidate = &review->candidates[i];
        is_whole &= !candidate->is_left_out;
        if (candidate->try_count < candidate->key_count)
            shortened = candidate;
        enum rely_reason reason = candidate->is_left_out ? RELY_OK : try_candidate(work, candidate);
        if (reason != RELY_OK)
            return reason;
    }
    if (review->key != NULL)
        return RELY_OK;
    if (shortened != NULL)
        return refuse_by_budget(review, shortened);
    return is_whole
               ? RELY_BAD_SIGNATURE
               : rely_refuse(&review->decision.detail, RELY_AMBIGUOUS_ISSUER,
                             "no key that was tried verifies it, and not all records with this iss could be tried");
}

enum rely_reason rely_step_signature(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    struct rely_try_budget *budget = work->request->budget;
    enum rely_reason reason = budget == NULL ? RELY_OK : rely_budget_plan(budget, review);
    if (reason == RELY_OK)
        reason = try_candidates(work);
    if (reason == RELY_OK)
        return RELY_OK;
    if (budget != NULL)
        rely_budget_charge(budget, review);
    review->issuer = review->candidate_count == 1 ? review->candidates[0].issuer : NULL; /* nobody has signed */
    review->key = NULL;
    return reason;
}

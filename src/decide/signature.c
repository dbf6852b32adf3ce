/*
 * Step "signature": which key of those that step "keys" chose has signed. Two records that both could have signed are
 * refused. Decides nothing about how a signature is verified. Called by decide.c.
 */
#include "steps.h"

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

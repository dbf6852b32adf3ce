/*
 * Steps "keys" and "signature": which keys of the candidate records may have signed, and which one did. The algorithm
 * must be one that the record allows and that the key is bound to (RFC 8725 s3.1). Called by decide.c.
 */
#include "steps.h"

#include "relyd/text.h"

static enum rely_reason find_candidate_keys(struct rely_candidate *candidate, const struct rely_unverified *token,
                                            struct rely_detail *detail)
{
    const struct rely_issuer *issuer = candidate->issuer;
    char text[RELY_QUOTED_SIZE];
    if ((issuer->algs & 1u << token->alg & RELY_ALGS_ALL) == 0)
        return rely_refuse(detail, RELY_ALGORITHM_NOT_ALLOWED, "issuer %.*s does not allow alg %s",
                           RELY_ARG(issuer->name), rely_quote(token->alg_name, text));
    if (issuer->keyset == NULL)
        return rely_refuse(detail, RELY_KEYS_UNAVAILABLE, "no key set of issuer %.*s has been accepted yet",
                           RELY_ARG(issuer->name));
    return rely_keys_find(issuer->keyset, token, candidate->keys, &candidate->key_count, detail);
}

enum rely_reason rely_step_keys(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    enum rely_reason refusal = RELY_UNDECIDED;
    bool is_found = false;
    for (size_t i = 0; i < review->candidate_count; i++) {
        struct rely_detail detail;
        enum rely_reason reason = find_candidate_keys(&review->candidates[i], &review->token, &detail);
        is_found |= reason == RELY_OK;
        if (reason == RELY_OK || refusal != RELY_UNDECIDED)
            continue;
        refusal = reason;
        review->decision.detail = detail;
    }
    return is_found ? RELY_OK : refusal;
}

/* Is this key the one that verified already? Two records may hold the same cluster's key: then `iss` and key do not say
 * which record the token belongs to, and neither may win by accident. */
static enum rely_reason note_signer(struct rely_review_work *work, const struct rely_candidate *candidate,
                                    const struct rely_verified *verified)
{
    struct rely_review *review = work->review;
    if (review->key != NULL && review->issuer != candidate->issuer)
        return rely_refuse(&review->decision.detail, RELY_AMBIGUOUS_ISSUER,
                           "records %.*s and %.*s share this iss and the key that signed",
                           RELY_ARG(review->issuer->name), RELY_ARG(candidate->issuer->name));
    work->verified = *verified;
    review->issuer = candidate->issuer;
    review->key = verified->key;
    return RELY_OK;
}

/* The first key of one record that verifies. Reasons: RELY_OK also when none does. */
static enum rely_reason try_candidate(struct rely_review_work *work, const struct rely_candidate *candidate,
                                      size_t *tries)
{
    for (size_t k = 0; k < candidate->key_count && *tries < RELY_KEY_TRIES_MAX; k++, ++*tries) {
        struct rely_verified verified;
        enum rely_reason reason =
            rely_signature_verify(&work->review->token, candidate->keys[k], &verified, &work->review->decision.detail);
        if (reason == RELY_OK)
            return note_signer(work, candidate, &verified);
        if (reason != RELY_BAD_SIGNATURE)
            return reason;
    }
    return RELY_OK;
}

enum rely_reason rely_step_signature(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    size_t tries = 0;
    for (size_t i = 0; i < review->candidate_count; i++) {
        enum rely_reason reason = try_candidate(work, &review->candidates[i], &tries);
        if (reason != RELY_OK)
            return reason;
    }
    return review->key == NULL ? RELY_BAD_SIGNATURE : RELY_OK;
}

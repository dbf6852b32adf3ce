/*
 * The inside of a review: what its steps share. Each step reads what the ones before it found, writes what it finds,
 * and says OK or refuses; none calls another.
 */
#ifndef RELYD_DECIDE_STEPS_H
#define RELYD_DECIDE_STEPS_H

#include "relyd/decide.h"

/* What a cache knows of a token whose signature has verified under the record and key set of this very snapshot.
 * Borrowed. */
struct rely_known_token {
    const struct rely_issuer *issuer;
    const struct rely_key *key;
    const struct rely_claims *claims;
    uint64_t rule_hash;
    struct rely_rules_memo *memo;
};

/* rely_review_run from the claims on. */
void rely_review_known(const struct rely_snapshot *snapshot, const struct rely_review_request *request,
                       const struct rely_known_token *known, int64_t now_s, struct rely_pool *pool,
                       struct rely_review *review);

struct rely_review_work {
    const struct rely_snapshot *snapshot;      /* borrowed */
    const struct rely_review_request *request; /* borrowed */
    struct rely_pool *pool;                    /* borrowed */
    struct rely_review *review;                /* borrowed: where findings go */
    struct rely_verified verified;             /* from RELY_STEP_SIGNATURE */
    const struct rely_known_token *known;      /* NULL: the signature is verified in this review */
};

/* The records that have this `iss`, are enabled and accept this `typ`; several are narrowed by `kid`.
 * Reasons: RELY_MISSING_CLAIM, RELY_UNKNOWN_ISSUER, RELY_ISSUER_DISABLED, RELY_TOKEN_TYPE_NOT_ACCEPTED,
 * RELY_KEY_UNKNOWN (no record of several has the kid), RELY_AMBIGUOUS_ISSUER (too many to tell apart). */
enum rely_reason rely_step_issuer(struct rely_review_work *work);
/* The keys of those records that may have signed.
 * Reasons: RELY_ALGORITHM_NOT_ALLOWED, RELY_KEYS_UNAVAILABLE, RELY_KEY_UNKNOWN, RELY_WEAK_KEY. */
enum rely_reason rely_step_keys(struct rely_review_work *work);
/* Whose key signed. Reasons: RELY_BAD_SIGNATURE, RELY_AMBIGUOUS_ISSUER, RELY_INTERNAL_ERROR. */
enum rely_reason rely_step_signature(struct rely_review_work *work);

#endif

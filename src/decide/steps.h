/*
 * The inside of a review: what its steps share. Each step reads what the ones before it found, writes what it finds,
 * and says OK or refuses; none calls another.
 */
#ifndef RELYD_DECIDE_STEPS_H
#define RELYD_DECIDE_STEPS_H

#include "relyd/decide.h"
#include "relyd/expression.h"
#include "relyd/said.h"
#include "relyd/signature.h"
#include "relyd/snapshot.h"

/* What a token says in a claim that some rule or route asks for. */
struct rely_claim_slot {
    struct rely_slice claim;
    struct rely_claim_value value;
    bool is_mixed; /* rely_claim_is_mixed */
};

/* What a cache knows of a token whose signature has verified, and that has passed the guards, under the record and key
 * set of this very snapshot. Borrowed. */
struct rely_known_token {
    const struct rely_issuer *issuer;
    size_t name; /* of the issuer's names the one in the token */
    const struct rely_key *key;
    const struct rely_claims *claims;
    uint64_t rule_hash;
    uint64_t *spared_edition; /* of the revocations of which none has hit it: read and written */
    struct rely_credentials_memo *memo;
    int64_t *used_s; /* when its key was last noted as used: the cache's */
    const struct rely_claim_slot
        *slots; /* of all claims that are asked for in this snapshot and that it has; without them: none is */
    size_t slot_count;
};

/* rely_review_run from the claims on. */
void rely_review_known(const struct rely_snapshot *snapshot, const struct rely_review_request *request,
                       const struct rely_known_token *known, int64_t now_s, struct rely_review *review);

struct rely_review_work {
    const struct rely_snapshot *snapshot;      /* borrowed */
    const struct rely_review_request *request; /* borrowed */
    struct rely_review *review;                /* borrowed: where findings go */
    struct rely_verified verified;             /* from RELY_STEP_SIGNATURE */
    const struct rely_known_token *known;      /* NULL: the signature is verified in this review */
    bool has_met_over;                         /* a revocation of what the token says is over */
    struct rely_said_once said;                /* from RELY_STEP_CREDENTIALS, of a token that is not known */
};

/* The records that have this `iss`, are enabled and accept this `typ`; several are narrowed by `kid`, or without one by
 * `alg`.
 * Reasons: RELY_MISSING_CLAIM, RELY_UNKNOWN_ISSUER, RELY_ISSUER_DISABLED, RELY_TOKEN_TYPE_NOT_ACCEPTED,
 * RELY_ALGORITHM_NOT_ALLOWED, RELY_ALGORITHM_UNAVAILABLE, RELY_KEYS_UNAVAILABLE, RELY_KEY_UNKNOWN (no record of several
 * has the kid), RELY_AMBIGUOUS_ISSUER (too many to try). */
enum rely_reason rely_step_issuer(struct rely_review_work *work);
/* The keys of those records that may have signed, as far as one token may cost.
 * Reasons: RELY_ALGORITHM_NOT_ALLOWED, RELY_ALGORITHM_UNAVAILABLE, RELY_KEYS_UNAVAILABLE, RELY_KEY_UNKNOWN,
 * RELY_WEAK_KEY, RELY_AMBIGUOUS_ISSUER. */
enum rely_reason rely_step_keys(struct rely_review_work *work);
/* Of a token whose algorithm this process cannot verify: whatever records and their keys say, and no fetch would help.
 * Always RELY_ALGORITHM_UNAVAILABLE. */
enum rely_reason rely_refuse_unavailable(const struct rely_unverified *token, struct rely_detail *detail);
/* Whose key signed. Reasons: RELY_BAD_SIGNATURE, RELY_AMBIGUOUS_ISSUER, RELY_OVERLOADED, RELY_INTERNAL_ERROR. */
enum rely_reason rely_step_signature(struct rely_review_work *work);

/* Is it revoked, by anything but whom it maps to? Reasons: RELY_REVOKED. */
enum rely_reason rely_step_revocations(struct rely_review_work *work);
/* Of the identities that it maps to those that are revoked are no more. Reasons: RELY_REVOKED, when all are. */
enum rely_reason rely_drop_revoked(struct rely_review_work *work);
/* Would this one be among them? */
bool rely_would_drop(struct rely_review_work *work, const struct rely_identity *identity);

/* Is the token what its issuer's guards want? Reasons: RELY_GUARD_REFUSED. */
enum rely_reason rely_judge_guards(struct rely_review_work *work);

/* --- pins.c: uids of service accounts ---------------------------------------------------------------------------- */

/* Must this one wait until the uid of its first use is written down? */
bool rely_match_wants_pin(const struct rely_review *review, const struct rely_match *match);
/* Must any? Sets the review's unpinned. Reasons: RELY_PIN_PENDING. */
enum rely_reason rely_judge_pins(struct rely_review *review);

/* --- liveness.c: what the token's cluster says ------------------------------------------------------------------- */

/* Sets the review's live. Reasons: RELY_TOKEN_NOT_LIVE, RELY_LIVENESS_UNAVAILABLE. */
enum rely_reason rely_judge_liveness(struct rely_review_work *work);
/* Of a judged one. */
bool rely_liveness_lets_pass(const struct rely_review *review);

/* --- route.c: what the route takes ------------------------------------------------------------------------------- */

/* Sets the review's route. Reasons: RELY_UNKNOWN_ROUTE. */
enum rely_reason rely_route_find_asked(struct rely_review_work *work);
/* May a token of this issuer be asked about? Reasons: RELY_ISSUER_NOT_ALLOWED. */
enum rely_reason rely_step_route(struct rely_review_work *work);
/* In: route - NULL: none, which lets everybody pass. */
bool rely_route_lets_pass(const struct rely_named_route *route, const struct rely_identity *identity);
/* Of the identities that the token maps to those that may not pass are no more. Reasons: RELY_IDENTITY_NOT_ALLOWED, when
 * none may. */
enum rely_reason rely_route_choose_identities(struct rely_review *review);
/* Is the answer in this form the token's own account? */
bool rely_route_answers_as_cluster(const struct rely_review_work *work);
/* Is it a service account's token, as its API server makes one? */
bool rely_route_finds_account(const struct rely_review *review);

/* A number for the records, with their editions, among which the signer of a token was looked for: while it stays the
 * same, a review of the same token finds the same signer. In: token - of it only issuer, kid and alg are read. */
uint64_t rely_candidates_mark(const struct rely_snapshot *snapshot, const struct rely_unverified *token);

/* Which of the candidates' keys may be tried: sets try_count and base_count, and sorts the keys. Reasons: RELY_OK,
 * RELY_OVERLOADED (none of a token without kid). */
enum rely_reason rely_budget_plan(struct rely_try_budget *budget, struct rely_review *review);
/* How many ordinary tries a failed one counts as; 0: it was refused before any arithmetic. */
uint32_t rely_budget_price(const struct rely_unverified *token, const struct rely_key *key);
/* The token was refused: charge the candidates' failures. */
void rely_budget_charge(struct rely_try_budget *budget, const struct rely_review *review);

/* --- slots.c: what is remembered of a token's claims ------------------------------------------------------------ */

/* All that a token says in the claims that rules and routes of a snapshot ask for, but the subject. Owned: free(). */
struct rely_claim_slots {
    size_t count;
    size_t bytes; /* of this block */
    struct rely_claim_slot items[];
};

/* In: verified - borrowed. subject - the claim that is its subject. most - bytes. NULL: it would be more, or there are too
 * many claims. */
struct rely_claim_slots *rely_claim_slots_keep(const struct rely_snapshot *snapshot,
                                               const struct rely_verified *verified, struct rely_slice subject,
                                               struct rely_pool *pool, size_t most);

#endif

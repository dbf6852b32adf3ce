/*
 * decide: the review. One pure function over one snapshot: no clock (now is a parameter), no lock, no I/O, no log.
 */
#ifndef RELYD_DECIDE_H
#define RELYD_DECIDE_H

#include "relyd/claims.h"
#include "relyd/credentials.h"
#include "relyd/limits.h"
#include "relyd/liveness.h"
#include "relyd/token.h"

struct rely_claim_value;
struct rely_key;
struct rely_named_route;
struct rely_pin;
struct rely_revocation;

struct rely_try_budget;
struct rely_verified;

/* What an answer says of whom it lets in, where a route has a say in it. */
enum rely_answer_form {
    RELY_ANSWER_IDENTITY = 0, /* nothing but the identity */
    RELY_ANSWER_HEADERS,      /* the route's headers */
    RELY_ANSWER_TOKENREVIEW   /* the caller's audiences, where the route trusts them */
};

/* What is asked, and what whoever asks lends for it. All borrowed. */
struct rely_review_request {
    struct rely_slice token;
    const struct rely_slice *audiences; /* that the caller accepts; none: those of the credentials */
    size_t audience_count;
    struct rely_slice identity; /* that the caller wants; ptr NULL: any */
    /* By the name of the route under which it is asked; ptr NULL: under none, which restricts nothing. */
    struct rely_slice route;
    enum rely_answer_form form;
    bool is_single;                 /* the protocol has room for one identity: several are ambiguous */
    struct rely_try_budget *budget; /* read and written; NULL: no limit */
    /* Where many records may have published the key: which of them are named for fetching. The next ones for the next
     * number, so that whoever counts names all of them. */
    uint64_t turn;
    const struct rely_live_memory *live; /* what clusters have said; NULL: nothing */
    struct rely_pool *pool;              /* for what the review refers to: it must outlive it */
};

/* The steps of a review, in their order. */
enum rely_step {
    RELY_STEP_TOKEN,
    RELY_STEP_ISSUER,
    RELY_STEP_KEYS,
    RELY_STEP_SIGNATURE,
    RELY_STEP_CLAIMS,
    RELY_STEP_ROUTE,
    RELY_STEP_REVOCATIONS,
    RELY_STEP_CREDENTIALS,
    RELY_STEP_DECISION,
    RELY_STEP_COUNT
};
const char *rely_step_name(enum rely_step step);

/* An issuer's record that may have signed, and its keys that may have. Borrowed from the snapshot. */
struct rely_candidate {
    const struct rely_issuer *issuer;
    const struct rely_key *keys[RELY_KEY_TRIES_MAX];
    size_t key_count;
    size_t try_count;  /* of them, from the first: the budget may leave fewer */
    size_t base_count; /* of them, from the first: in the base price, which no budget is charged with */
    uint32_t cost;     /* of trying them all, in rely_key_cost's unit */
    uint32_t failures; /* to be charged: an ordinary key's failed try is 1, beyond the base price */
    bool is_left_out;  /* too many keys, or too costly ones: none of them is tried */
};

/* The outcome. Zero-filled is undecided, which denies. Read `reason == RELY_OK` for a yes, nothing else. */
struct rely_decision {
    enum rely_reason reason;
    int64_t valid_until_s; /* allow: it may be cached until then: exp + leeway, or a credential's earlier notAfter */
    struct rely_detail detail; /* of a refusal, for log and explain; for whoever asked: rely_review_tell */
};

/*
 * One review with all that its steps found: the decision for everyone, the rest for answers, the log and explain. What
 * a step that was not reached would have set is zero.
 */
struct rely_review {
    enum rely_step last_step; /* the step that refused; RELY_STEP_DECISION on an allow */
    int64_t now_s;
    struct rely_unverified token;     /* from RELY_STEP_TOKEN */
    struct rely_slice name;           /* of the token's issuer, by which records were found; borrowed */
    const struct rely_issuer *issuer; /* who signed, from RELY_STEP_SIGNATURE; before: the only candidate, or NULL */
    const struct rely_key *key;
    struct rely_claims claims;                /* from RELY_STEP_CLAIMS */
    uint64_t rule_hash;                       /* of issuer and subject, from RELY_STEP_CLAIMS */
    const struct rely_named_route *route;     /* under which it was asked; NULL: none, or an unknown one */
    const struct rely_credential *unpinned;   /* whose first use this is: RELY_PIN_PENDING */
    const struct rely_revocation *revocation; /* that hit: RELY_REVOKED */
    /* On an allow in the form of headers, where the route has some: what the token says, one for each of them; those of
     * other sources are empty. In the pool, and its texts in the token's payload or the cache. */
    const struct rely_claim_value *header_claims;
    struct rely_live_look live; /* where its issuer's record wants to know, from RELY_STEP_DECISION */
    bool is_guarded;            /* its issuer's guards let it pass, from RELY_STEP_CLAIMS */
    bool is_spared;             /* none hits the token itself, from RELY_STEP_REVOCATIONS */
    size_t candidate_count;
    size_t tries;          /* signatures verified, in vain or not, from RELY_STEP_SIGNATURE */
    bool is_fetch_useless; /* no newer key set would change this refusal */
    struct rely_decision decision;
    /* The long arrays come last: they are not cleared, their counts say how much of them is there. */
    struct rely_candidate candidates[RELY_CANDIDATES_MAX]; /* from RELY_STEP_ISSUER, by id */
    struct rely_matches matches; /* from RELY_STEP_CREDENTIALS; on an allow count >= 1, and 1 for is_single */
};

/*
 * Failed tries that a stranger can have for the price of a request: those of tokens without `kid`, and with one those
 * beyond the base price (budget.c). So many of one record in one second; then, until it is over, tokens without `kid`
 * are refused and the others have little more than their base price. A costly key's try counts as several, one that was
 * refused before any arithmetic not at all. A worker's; handed in with each request, so that the review stays pure.
 * Zero-filled, with the limit set, is unused.
 */
#define RELY_TRY_BUDGET_RECORDS 1024 /* records with failures in one second; what is beyond shares the last place */
struct rely_try_budget {
    uint32_t limit; /* keys.kidless_failures_per_s */
    struct rely_try_place {
        int64_t issuer_id; /* 0: free */
        int64_t second;    /* that failures counts; another one's are forgotten */
        uint32_t failures;
        uint32_t turns; /* tokens since nothing was left */
    } places[RELY_TRY_BUDGET_RECORDS + 1];
};

/**
 * Review one token.
 *
 * In:       snapshot, request - borrowed; now_s - seconds since 1970.
 * Out:      *review - always set whole.
 * Cost:     one public-key operation and a few microseconds; independent of the registry's size.
 */
void rely_review_run(const struct rely_snapshot *snapshot, const struct rely_review_request *request, int64_t now_s,
                     struct rely_review *review);

/* The same for who needs the payload, too. Out: verified - set whole when review->key is; borrowed from the pool. */
void rely_review_new(const struct rely_snapshot *snapshot, const struct rely_review_request *request, int64_t now_s,
                     struct rely_review *review, struct rely_verified *verified);

/* Is the key that the token names there, and refuses it? Then another one may have taken its name since the set was
 * fetched: of another family, or strong where it was weak. */
static inline bool rely_review_doubts_keys(const struct rely_review *review)
{
    enum rely_reason reason = review->decision.reason;
    return reason == RELY_BAD_SIGNATURE || reason == RELY_WEAK_KEY || reason == RELY_ALGORITHM_NOT_ALLOWED ||
           (reason == RELY_ALGORITHM_UNAVAILABLE && !rely_alg_is_ml_dsa(review->token.alg));
}

/* Might a newer key set of its issuer change this refusal? */
static inline bool rely_review_wants_keys(const struct rely_review *review)
{
    enum rely_reason reason = review->decision.reason;
    return (reason == RELY_KEY_UNKNOWN || reason == RELY_KEYS_UNAVAILABLE || rely_review_doubts_keys(review)) &&
           !review->is_fetch_useless;
}

/* Would it pass, if only the uid of its service account were written down? */
static inline bool rely_review_wants_pin(const struct rely_review *review)
{
    return review->decision.reason == RELY_PIN_PENDING;
}

/* Would it pass, if only its cluster said that what it is bound to is still there? */
static inline bool rely_review_wants_life(const struct rely_review *review)
{
    return review->decision.reason == RELY_LIVENESS_UNAVAILABLE && review->live.life == RELY_LIFE_UNKNOWN;
}

/* Is it refused for now alone, and worth waiting for one of these? */
static inline bool rely_review_wants_more(const struct rely_review *review)
{
    return rely_review_wants_keys(review) || rely_review_wants_pin(review) || rely_review_wants_life(review);
}

/* What is to be written down. In: review - one that wants it. */
struct rely_pin rely_review_pin(const struct rely_review *review);

/* Is there an enabled record of this iss with a usable key of this kid, or without kid for this alg? Without reading
 * the token again. In: token - of it only iss, kid and alg are read. */
bool rely_review_has_candidate(const struct rely_snapshot *snapshot, const struct rely_unverified *token);

/* Why it was refused, for whoever asked: before a signature has verified nothing but the reason and what he sent. */
void rely_review_tell(const struct rely_review *review, struct rely_detail *out);

/* Is this identity revoked for who shows no token, but a certificate? What is for the tokens of one issuer is not for
 * him; what is for older tokens is, as a certificate may be older than any time. */
bool rely_identity_is_revoked(const struct rely_snapshot *snapshot, struct rely_slice name, int64_t now_s);

/* May the username that a match yields be given out? Not where it is empty, or a `system:` name that is not allowed. */
bool rely_match_may_be_named(const struct rely_snapshot *snapshot, const struct rely_match *match);

#endif

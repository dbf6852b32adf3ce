/*
 * credentials: which federated credentials a token matches, and what came closest.
 */
#ifndef RELYD_CREDENTIALS_H
#define RELYD_CREDENTIALS_H

#include "relyd/limits.h"
#include "relyd/reason.h"

struct rely_credential;
struct rely_identity;
struct rely_said;
struct rely_issuer;
struct rely_snapshot;

/* What the index answered to a query, for asking again: good for one edition, in which nothing that it points to can
 * change. Zero-filled is empty. */
struct rely_credentials_memo {
    uint64_t edition;                         /* of the snapshot that was asked; 0: empty */
    const struct rely_credential *credential; /* the only one of this issuer, or its groups, and subject */
    const struct rely_identity *identity;     /* its identity */
};

/* What a token and its caller bring. All borrowed. */
struct rely_match_query {
    const struct rely_issuer *issuer;
    struct rely_slice subject;
    uint64_t rule_hash;                 /* rely_rule_hash of issuer and subject */
    const struct rely_slice *audiences; /* of the token */
    size_t audience_count;
    const struct rely_slice *accepted; /* that the caller accepts, at most RELY_REQUEST_AUDIENCES_MAX; none: whatever
                                          the credential accepts */
    size_t accepted_count;
    const struct rely_slice *wanted; /* that the route takes, at most RELY_AUDIENCES_PER_CREDENTIAL_MAX; none: any */
    size_t wanted_count;
    const struct rely_said *said;       /* what the token says in other claims, for expressions; NULL: none matches */
    int64_t now_s;                      /* for notAfter */
    struct rely_slice account_uid;      /* of the token's service account; ptr NULL: it has none */
    struct rely_slice identity;         /* only this identity's credentials count; ptr NULL: all */
    struct rely_credentials_memo *memo; /* of queries with this issuer and subject: read and written; NULL: none */
    void (*make_room)(void *context);   /* takes those out of full matches that cannot pass anyhow; NULL: all may */
    void *context;
};

/* One identity that the token maps to. Borrowed from the snapshot, but for a username that is the subject's. */
struct rely_match {
    const struct rely_credential *credential;
    const struct rely_identity *identity;
    struct rely_slice username; /* that the identity yields; whether it may be given out, the decision says */
    /* By which audiences it counts: bit i for the i-th of `audiences_of`. Never 0. */
    uint32_t audiences;
    const struct rely_slice *audiences_of; /* those that the caller accepts, or, where he names none, the route, or the
                                              credential */
};

struct rely_matches {
    struct rely_match items[RELY_MATCHES_MAX];
    size_t count;
    bool is_truncated;                           /* there were more than RELY_MATCHES_MAX that make_room leaves */
    const struct rely_credential *near_audience; /* matched but for its audiences; NULL: none */
    struct rely_match shadow;                    /* of one in shadow: it would count as one of the items, and changes
                                                    nothing. credential NULL: none */
};

/**
 * Find the federated credentials that a verified token matches.
 *
 * Spec:     design: issuer, or a group that its record is in, and subject byte for byte, and one audience that the token
 *           has, the credential lists and, where they name some, the caller and the route accept. What is disabled, or
 *           behind its notAfter, is not there; what is in shadow neither, but for out->shadow.
 * Out:      *out - always set.
 * Reasons:  RELY_OK (count >= 1), RELY_NO_MATCHING_CREDENTIAL, RELY_UID_CHANGED (one would match, but for the uid of the
 *           service account), RELY_AUDIENCE_MISMATCH (issuer and subject match, no audience does), RELY_IDENTITY_DISABLED (all that match are of disabled identities).
 * Cost:     one map look-up, one for its groups and each of them, and one per match, none with a memo of this edition;
 *           independent of the registry's size.
 */
enum rely_reason rely_credentials_match(const struct rely_snapshot *snapshot, const struct rely_match_query *query,
                                        struct rely_matches *out, struct rely_detail *detail);

#endif

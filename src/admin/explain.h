/*
 * explain: what the files of POST /v1/explain share: the question, the review, and the answer being built.
 */
#ifndef RELYD_ADMIN_EXPLAIN_H
#define RELYD_ADMIN_EXPLAIN_H

#include "call.h"
#include "relyd/decide.h"
#include "relyd/observe.h"

#define RELY_NEAREST_SHOWN 5
#define RELY_NEIGHBOURS_MAX 16 /* with a subject, that the registry is asked for */
#define RELY_NEAR_MAX 48       /* and with an expression */
#define RELY_PLACES_MAX 16     /* where those are looked for */

/* What is asked, and at which door. Slices are borrowed from the request. */
struct rely_explain_question {
    enum rely_endpoint endpoint; /* whose answer is explained */
    struct rely_slice route;
    struct rely_review_request review;
    int64_t at_s; /* before: now, for a question that names no time */
};

/* Read a question. False: with problems. In: pool - for what *out refers to. */
bool rely_explain_read_question(const struct rely_json *body, struct rely_pool *pool, struct rely_explain_question *out,
                                struct rely_problems *problems);

/* Credentials that the registry has found near to a token that none matched. */
struct rely_explain_neighbours {
    struct rely_credential_record *records[RELY_NEAR_MAX]; /* owned */
    size_t count;
};

/* Where rules by expression are looked for that a token nearly matches. Texts are in the question's pool. */
struct rely_explain_places {
    struct rely_near_place items[RELY_PLACES_MAX]; /* those of longer prefixes first */
    size_t count;
    int64_t scopes[1 + RELY_GROUPS_PER_ISSUER_MAX];
    size_t scope_count;
};

struct rely_explanation {
    const struct rely_admin *admin;                   /* borrowed */
    const struct rely_snapshot *snapshot;             /* borrowed */
    const struct rely_explain_question *question;     /* borrowed */
    const struct rely_review_request *request;        /* borrowed */
    const struct rely_review *review;                 /* borrowed */
    const struct rely_verified *verified;             /* borrowed; whole when the signature has verified */
    const struct rely_explain_neighbours *neighbours; /* borrowed; empty: none, or not asked for */
    bool sees_all;                                    /* whoever asks may see every credential */
    struct rely_slice asker;                          /* else those of what this identity owns; borrowed */
    char nearest[800];                                /* one sentence: what came closest; empty: nothing did */
};

/* The steps with what each found. Owner: the caller. Sets explanation->nearest on the way. */
struct rely_json *rely_explain_steps(struct rely_explanation *explanation);

/* explain_rules.c: where to look. The review has come as far as the credentials. */
void rely_explain_find_places(const struct rely_explanation *explanation, struct rely_explain_places *out);

/* explain_near.c: may whoever asks be told of a credential of this identity? */
bool rely_explain_may_show(const struct rely_explanation *explanation, const struct rely_identity *identity);
/* The group that the credential is for; NULL: it is for a record. */
const struct rely_issuer_group *rely_explain_group_of(const struct rely_explanation *explanation,
                                                      const struct rely_credential *credential);
/* The registered issuers nearest to an unknown `iss`, and the credentials nearest to a token that none
 * matched, each compared field by field, nearest first. Owner: the caller. */
struct rely_json *rely_explain_near_issuers(struct rely_explanation *explanation);
struct rely_json *rely_explain_near_credentials(struct rely_explanation *explanation);

#endif

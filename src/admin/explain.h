/*
 * explain: what the files of POST /v1/explain share: the question, the review, and the answer being built.
 */
#ifndef RELYD_ADMIN_EXPLAIN_H
#define RELYD_ADMIN_EXPLAIN_H

#include "call.h"
#include "relyd/decide.h"

#define RELY_NEAREST_SHOWN 5

struct rely_explanation {
    const struct rely_admin *admin;            /* borrowed */
    const struct rely_snapshot *snapshot;      /* borrowed */
    const struct rely_review_request *request; /* borrowed */
    const struct rely_review *review;          /* borrowed */
    char nearest[320];                         /* one sentence: what came closest; empty: nothing did */
};

/* The steps with what each found. Owner: the caller. Sets explanation->nearest on the way. */
struct rely_json *rely_explain_steps(struct rely_explanation *explanation);

/* explain_near.c: the registered issuers nearest to an unknown `iss`, and the credentials nearest to a token that none
 * matched, each compared field by field, nearest first. Owner: the caller. */
struct rely_json *rely_explain_near_issuers(struct rely_explanation *explanation);
struct rely_json *rely_explain_near_credentials(struct rely_explanation *explanation);

#endif

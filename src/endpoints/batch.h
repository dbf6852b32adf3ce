/*
 * batch: many tokens in one native review. Nothing outside this folder includes it.
 */
#ifndef RELYD_ENDPOINTS_BATCH_H
#define RELYD_ENDPOINTS_BATCH_H

#include "relyd/base.h"

struct rely_answer;
struct rely_asked;
struct rely_batch;
struct rely_http_request;
struct rely_pool;
struct rely_review_request;
struct rely_reviewer;
struct rely_view;

/* The tokens of a batch. */
struct rely_batch_tokens {
    const struct rely_slice *items; /* borrowed from the body or the pool */
    size_t count;
};

/**
 * Review many tokens, as many as a turn of the loop has time for in each, and answer with all their answers.
 *
 * In:       asked - what all of them have in common; its token, `batch`, `index` and `reply` are set here.
 * Owner:    what is borrowed is copied when the request has to wait. Where batches hold too much already it is 503.
 */
void rely_batch_ask(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_asked *asked,
                    const struct rely_batch_tokens *tokens);

/* Is one of its tokens waiting? */
bool rely_batch_waits(const struct rely_batch *batch);
/* One of its tokens that waited is to be reviewed again. */
void rely_batch_note_due(struct rely_batch *batch);

void rely_batches_init(struct rely_reviewer *reviewer);
/* Those that are under way are forgotten. */
void rely_batches_fini(struct rely_reviewer *reviewer);

/* body.c: has the body a list of tokens? */
bool rely_body_has_tokens(const struct rely_view *body);
/* Read `tokens`, `audiences` and `identity` of the body's outermost object. What is wrong is noted in *problems. */
void rely_body_read_batch(const struct rely_view *body, struct rely_pool *pool, struct rely_review_request *out,
                          struct rely_batch_tokens *tokens, struct rely_problems *problems);

/* review.c: one answer, as JSON. */
void rely_review_put(struct rely_buf *out, const struct rely_answer *answer);

#endif

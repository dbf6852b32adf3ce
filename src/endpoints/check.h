/*
 * check: what the check says, over HTTP (check.c) and over gRPC (grpc_check.c). Nothing outside this folder includes it.
 */
#ifndef RELYD_ENDPOINTS_CHECK_H
#define RELYD_ENDPOINTS_CHECK_H

#include "relyd/http.h"
#include "relyd/reason.h"

struct rely_answer;
struct rely_caller;
struct rely_named_route;
struct rely_reviewer;

/* The value of WWW-Authenticate, in the pool; ptr NULL: none, because it was not the token that was refused. */
struct rely_slice rely_check_challenge(struct rely_pool *pool, enum rely_reason reason, struct rely_slice sentence);
/* The body of a refusal, appended. In: sentence - rely_answer_sentence's. */
void rely_check_put_refusal(struct rely_buf *out, const struct rely_answer *answer, struct rely_slice sentence);
/* The route, where it is in shadow; by the edition of now, as the request may have waited. Who may not ask has none. */
const struct rely_named_route *rely_check_find_shadow(const struct rely_reviewer *reviewer,
                                                      const struct rely_answer *answer);
/* Where somebody asks, and who. */
struct rely_check_place {
    struct rely_slice route;
    const struct rely_caller *caller; /* borrowed, like the pool */
    struct rely_pool *pool;
};
/* Is there a route of this name, and may he ask there? Out: *route on RELY_OK, else *why, in the pool. */
enum rely_reason rely_check_find_route(struct rely_reviewer *reviewer, const struct rely_check_place *place,
                                       const struct rely_named_route **route, const char **why);
/* What is wrong about what was found of a bearer token. Out: *why unless it is RELY_OK. */
enum rely_reason rely_check_judge_bearer(enum rely_bearer bearer, const char **why);

#endif

/*
 * A revocation by the token itself: what it says stands in the place of the token, which goes no further. Decides
 * whether it verifies; what a good revocation is, registry/ decides. Called by route.c.
 */
#include "call.h"
#include "relyd/decide.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* A body with a token on its way to become one without. All borrowed. */
struct revoking {
    const struct rely_admin_call *call;
    const struct rely_json *body;
    struct rely_problems *problems;
};

/* What the token says already. */
static void check_other_members(const struct revoking *revoking)
{
    for (const char *name = rely_json_next_name(revoking->body, NULL); name != NULL;
         name = rely_json_next_name(revoking->body, name))
        if (strcmp(name, "token") != 0 && strcmp(name, "reason") != 0 && strcmp(name, "until") != 0)
            rely_problems_add(revoking->problems, name, "exactly_one",
                              "token stands in place of all but reason and until; %.60s is said by it", name);
}

static void set_end(const struct rely_review *review, struct rely_json *made)
{
    char text[RELY_TIME_SIZE];
    rely_time_print((int64_t)review->claims.expires + review->issuer->leeway_s, text);
    rely_admin_set_text(made, "until", rely_slice_of(text));
}

/* NULL: noted. Owner: the caller. */
static struct rely_json *make_body(const struct revoking *revoking, const struct rely_review *review)
{
    const struct rely_json *until = rely_json_get(revoking->body, "until");
    const struct rely_json *reason = rely_json_get(revoking->body, "reason");
    bool is_verified = review->key != NULL && review->last_step > RELY_STEP_CLAIMS;
    if (!is_verified || review->claims.token_id.ptr == NULL || review->claims.token_id.len == 0) {
        if (is_verified)
            rely_problems_add(revoking->problems, "token", "no_jti",
                              "the token has no jti: revoke its subject, with issuedBefore where new tokens shall "
                              "pass, or what else it is known by");
        else
            rely_problems_add(revoking->problems, "token", "not_verified",
                              "the token is none that would be accepted: %s: %.200s",
                              rely_reason_word(review->decision.reason), review->decision.detail.text);
        return NULL;
    }
    struct rely_json *made = rely_json_object();
    rely_admin_set_text(made, "jti", review->claims.token_id);
    rely_admin_set_text(made, "issuerName", review->issuer->name);
    if (reason != NULL)
        rely_json_set(made, "reason", rely_json_share(reason));
    if (until != NULL)
        rely_json_set(made, "until", rely_json_share(until));
    else
        set_end(review, made);
    return made;
}

static struct rely_json *review_and_make(const struct revoking *revoking)
{
    const struct rely_admin *admin = revoking->call->admin;
    const struct rely_json *token = rely_json_get(revoking->body, "token");
    struct rely_review *review = rely_alloc(sizeof *review);
    struct rely_json *made = NULL;
    check_other_members(revoking);
    if (rely_json_type(token) != RELY_JSON_STRING) {
        rely_problems_add(revoking->problems, "token", "wrong_type", "token must be a string");
    } else {
        const struct rely_review_request asked = {.token = rely_json_text(token),
                                                  .pool = revoking->call->request->scratch};
        rely_review_run(admin->snapshot(admin->service), &asked, revoking->call->now_s, review);
        made = make_body(revoking, review);
    }
    free(review);
    return made;
}

/* In place of the body; NULL: it has been answered. In: body - taken over. */
static struct rely_json *replace_token(const struct rely_admin_call *call, struct rely_json *body)
{
    struct rely_problems *problems = rely_pool_alloc(call->request->scratch, sizeof *problems);
    const struct revoking revoking = {call, body, problems};
    problems->count = 0;
    struct rely_json *made = review_and_make(&revoking);
    rely_json_free(body);
    if (problems->count == 0)
        return made;
    rely_json_free(made);
    rely_http_problem(call->request, 400, "invalid_body", problems->items[0].message, problems);
    return NULL;
}

void rely_admin_create_revocation(struct rely_admin_call *call)
{
    size_t bytes;
    struct rely_json *body = rely_admin_read_body(call, &bytes);
    if (body != NULL && rely_json_get(body, "token") != NULL)
        body = replace_token(call, body);
    if (body != NULL)
        rely_admin_create_of_body(call, body, bytes);
}

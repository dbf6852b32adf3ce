/*
 * POST /v1/explain: one review of one token with all that its steps found, for the engineer who is asked why a login
 * fails. Runs the same function as the data plane, on the newest snapshot. The token is never repeated or logged.
 * Called by route.c.
 */
#include "explain.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* --- the question ------------------------------------------------------------------------------------ */

static bool read_moment(const struct rely_json *value, int64_t *at_s, struct rely_problems *problems)
{
    enum rely_json_type type = rely_json_type(value);
    bool is_read = type == RELY_JSON_ABSENT;
    if (type == RELY_JSON_INTEGER) {
        *at_s = rely_json_integer(value);
        is_read = *at_s >= 0 && *at_s <= RELY_TIME_MAX_S;
    } else if (type == RELY_JSON_STRING) {
        is_read = rely_time_parse(rely_json_text(value), at_s);
    }
    if (!is_read)
        rely_problems_add(problems, "at", "invalid_value",
                          "at must be a time such as 2026-11-22T10:00:00Z, or seconds since 1970");
    return is_read;
}

static void read_accepted(const struct rely_json *list, struct rely_pool *pool, struct rely_review_request *out,
                          struct rely_problems *problems)
{
    size_t count = rely_json_size(list);
    bool is_good = rely_json_type(list) == RELY_JSON_ARRAY && count <= RELY_REQUEST_AUDIENCES_MAX;
    if (list == NULL)
        return;
    struct rely_slice *accepted = rely_pool_alloc(pool, (is_good ? count : 0) * sizeof *accepted + 1);
    for (size_t i = 0; is_good && i < count; i++) {
        accepted[i] = rely_json_text(rely_json_at(list, i));
        is_good = accepted[i].ptr != NULL;
    }
    if (!is_good)
        rely_problems_add(problems, "audiences", "invalid_value", "audiences must be an array of at most %d strings",
                          RELY_REQUEST_AUDIENCES_MAX);
    out->audiences = accepted;
    out->audience_count = is_good ? count : 0;
}

static void refuse_unknown_members(const struct rely_json *body, struct rely_problems *problems)
{
    static const char *const known[] = {"token", "at", "audiences", "identity"};
    for (const char *name = rely_json_next_name(body, NULL); name != NULL; name = rely_json_next_name(body, name)) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            rely_problems_add(problems, name, "unknown_field", "a question has token, at, audiences and identity");
    }
}

/* The slices of *out are borrowed from the body and the pool. */
static bool read_question(const struct rely_json *body, struct rely_pool *pool, struct rely_review_request *out,
                          int64_t *at_s, struct rely_problems *problems)
{
    const struct rely_json *identity = rely_json_get(body, "identity");
    if (rely_json_type(body) != RELY_JSON_OBJECT) {
        rely_problems_add(problems, "body", "wrong_type", "body must be a JSON object");
        return false;
    }
    refuse_unknown_members(body, problems);
    out->token = rely_json_text(rely_json_get(body, "token"));
    if (out->token.ptr == NULL)
        rely_problems_add(problems, "token", "required", "token is required, and is a string");
    read_moment(rely_json_get(body, "at"), at_s, problems);
    read_accepted(rely_json_get(body, "audiences"), pool, out, problems);
    out->identity = rely_json_text(identity);
    if (identity != NULL && out->identity.ptr == NULL)
        rely_problems_add(problems, "identity", "wrong_type", "identity must be a string");
    return problems->count == 0;
}

/* --- the answer ---------------------------------------------------------------------------------------- */

static struct rely_json *show_matches(const struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_match *match = &review->matches.items[i];
        struct rely_json *item = rely_json_object();
        struct rely_slice username = {NULL, 0};
        rely_admin_set_text(item, "name", match->identity->name);
        rely_admin_set_text(item, "uid", match->identity->uid);
        if (rely_match_username(explanation->snapshot, match, &review->claims, &username))
            rely_admin_set_text(item, "username", username);
        rely_admin_set_text(item, "credential", match->credential->name);
        rely_admin_set_text(item, "issuer", review->issuer->name);
        rely_json_append(list, item);
    }
    return list;
}

static struct rely_json *show_explanation(struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    bool is_allowed = review->decision.reason == RELY_OK;
    struct rely_json *answer = rely_json_object();
    struct rely_json *steps = rely_explain_steps(explanation);
    rely_admin_set_text(answer, "decision", is_allowed ? RELY_LIT("allow") : RELY_LIT("deny"));
    rely_admin_set_text(answer, "reason", rely_slice_of(rely_reason_word(review->decision.reason)));
    if (!is_allowed) {
        rely_admin_set_text(answer, "detail", rely_slice_of(review->decision.detail.text));
        rely_admin_set_text(answer, "meaning", rely_slice_of(rely_reason_sentence(review->decision.reason)));
    }
    if (explanation->nearest[0] != '\0')
        rely_admin_set_text(answer, "nearest", rely_slice_of(explanation->nearest));
    rely_admin_set_time(answer, "at", review->now_s);
    rely_json_set(answer, "revision", rely_json_of_integer((int64_t)explanation->snapshot->revision));
    rely_json_set(answer, "steps", steps);
    rely_json_set(answer, "identities", is_allowed ? show_matches(explanation) : rely_json_array());
    return answer;
}

static void answer_question(struct rely_admin_call *call, const struct rely_review_request *request, int64_t at_s)
{
    struct rely_review *review = rely_alloc(sizeof *review);
    struct rely_explanation explanation = {.admin = call->admin,
                                           .snapshot = call->admin->snapshot(call->admin->service),
                                           .request = request,
                                           .review = review};
    rely_review_run(explanation.snapshot, request, at_s, call->request->scratch, review);
    RELY_JSON_OWNED struct rely_json *answer = show_explanation(&explanation);
    rely_admin_answer_json(call->request, 200, answer, NULL);
    free(review);
}

void rely_admin_handle_explain(struct rely_admin_call *call)
{
    struct rely_review_request request = {.is_single = false};
    int64_t at_s = call->now_s;
    if (!rely_admin_is_method(call->request, "POST")) {
        rely_admin_refuse_method(call->request, "POST");
        return;
    }
    RELY_JSON_OWNED struct rely_json *body = rely_admin_read_body(call);
    if (body == NULL)
        return;
    rely_admin_settle(call);
    struct rely_problems *problems = rely_alloc(sizeof *problems);
    if (read_question(body, call->request->scratch, &request, &at_s, problems))
        answer_question(call, &request, at_s);
    else
        rely_http_problem(call->request, 400, "invalid_body", problems->items[0].message, problems);
    free(problems);
}

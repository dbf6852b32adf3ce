/*
 * POST /v1/explain: one review of one token with all that its steps found, for the engineer who is asked why a login
 * fails. Runs the same function as the data plane, on the newest snapshot, and asks as the endpoint does that is meant.
 * The token is never repeated or logged. Called by route.c.
 */
#include "explain.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* --- the answer ---------------------------------------------------------------------------------------- */

static struct rely_json *show_matches(const struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_match *match = &review->matches.items[i];
        struct rely_json *item = rely_json_object();
        rely_admin_set_text(item, "name", match->identity->name);
        rely_admin_set_text(item, "uid", match->identity->uid);
        if (rely_match_may_be_named(explanation->snapshot, match))
            rely_admin_set_text(item, "username", match->username);
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
    char at[RELY_TIME_SIZE];
    struct rely_json *answer = rely_json_object();
    struct rely_json *steps = rely_explain_steps(explanation);
    rely_admin_set_text(answer, "decision", is_allowed ? RELY_LIT("allow") : RELY_LIT("deny"));
    rely_admin_set_text(answer, "reason", rely_slice_of(rely_reason_word(review->decision.reason)));
    if (!is_allowed) {
        rely_admin_set_text(answer, "detail", rely_slice_of(review->decision.detail.text));
        rely_admin_set_text(answer, "meaning", rely_slice_of(rely_reason_sentence(review->decision.reason)));
        rely_admin_set_text(answer, "whatToDo", rely_slice_of(rely_reason_advice(review->decision.reason)));
    }
    if (explanation->nearest[0] != '\0')
        rely_admin_set_text(answer, "nearest", rely_slice_of(explanation->nearest));
    rely_time_print(review->now_s, at); /* 1970 is a time, too */
    rely_admin_set_text(answer, "at", rely_slice_of(at));
    rely_admin_set_text(answer, "endpoint", rely_slice_of(rely_endpoint_name(explanation->question->endpoint)));
    rely_admin_set_text(answer, "route", explanation->question->route);
    rely_json_set(answer, "single", rely_json_of_bool(explanation->question->review.is_single));
    rely_json_set(answer, "revision", rely_json_of_integer((int64_t)explanation->snapshot->revision));
    rely_json_set(answer, "steps", steps);
    rely_json_set(answer, "identities", is_allowed ? show_matches(explanation) : rely_json_array());
    return answer;
}

static void answer_question(struct rely_admin_call *call, const struct rely_explain_question *question)
{
    struct rely_review *review = rely_alloc(sizeof *review);
    struct rely_explanation explanation = {.admin = call->admin,
                                           .snapshot = call->admin->snapshot(call->admin->service),
                                           .question = question,
                                           .request = &question->review,
                                           .review = review};
    rely_review_run(explanation.snapshot, &question->review, question->at_s, call->request->scratch, review);
    RELY_JSON_OWNED struct rely_json *answer = show_explanation(&explanation);
    rely_admin_answer_json(call->request, 200, answer, NULL);
    free(review);
}

void rely_admin_explain(struct rely_admin_call *call)
{
    struct rely_explain_question question = {.at_s = call->now_s};
    RELY_JSON_OWNED struct rely_json *body = rely_admin_read_body(call);
    if (body == NULL)
        return;
    rely_admin_settle(call);
    struct rely_problems *problems = rely_alloc(sizeof *problems);
    if (rely_explain_read_question(body, call->request->scratch, &question, problems))
        answer_question(call, &question);
    else
        rely_http_problem(call->request, 400, "invalid_body", problems->items[0].message, problems);
    free(problems);
}

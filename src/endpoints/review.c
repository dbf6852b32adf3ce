/*
 * POST /v1/review: relyd's own protocol. The whole decision with all mapped identities, for services that can take more
 * than TokenReview has room for, of one token or of many. A refusal is 200 with "decision": "deny".
 */
#include "batch.h"
#include "reviewer.h"

#include "relyd/text.h"

static void put_identity(struct rely_buf *out, const struct rely_match *match)
{
    const struct rely_identity *identity = match->identity;
    rely_buf_putc(out, '{');
    rely_answer_put_member(out, "name", identity->name);
    rely_answer_put_next_member(out, "uid", identity->uid);
    rely_answer_put_next_member(out, "username", match->username);
    rely_buf_put(out, RELY_LIT(",\"groups\":"));
    rely_answer_put_texts(out, identity->groups, identity->group_count);
    rely_buf_put(out, RELY_LIT(",\"extra\":{"));
    for (size_t i = 0; i < identity->extra_count; i++) {
        rely_buf_put(out, i == 0 ? RELY_LIT("") : RELY_LIT(","));
        rely_buf_put_json(out, identity->extra[i].key);
        rely_buf_putc(out, ':');
        rely_answer_put_texts(out, identity->extra[i].values, identity->extra[i].value_count);
    }
    rely_buf_put(out, RELY_LIT("},"));
    rely_answer_put_member(out, "credential", match->credential->name);
    rely_buf_put(out, RELY_LIT(",\"audiences\":"));
    rely_answer_put_audiences(out, match);
    rely_buf_putc(out, '}');
}

static void put_allowed_members(struct rely_buf *out, const struct rely_review *review)
{
    struct rely_slice alias = rely_review_alias(review);
    char until[RELY_TIME_SIZE];
    rely_time_print((int64_t)review->claims.expires, until);
    rely_answer_put_next_member(out, "subject", review->claims.subject);
    rely_buf_put(out, RELY_LIT(",\"audiences\":"));
    rely_answer_put_texts(out, review->claims.audiences, review->claims.audience_count);
    rely_answer_put_next_member(out, "expiresAt", rely_slice_of(until));
    rely_buf_put(out, RELY_LIT(",\"identities\":["));
    for (size_t i = 0; i < review->matches.count; i++) {
        if (i > 0)
            rely_buf_putc(out, ',');
        put_identity(out, &review->matches.items[i]);
    }
    rely_buf_putc(out, ']');
    if (review->matches.is_truncated)
        rely_buf_put(out, RELY_LIT(",\"isTruncated\":true"));
    if (alias.ptr != NULL)
        rely_answer_put_next_member(out, "iss", alias);
    if (rely_review_liveness(review).ptr != NULL)
        rely_answer_put_next_member(out, "liveness", rely_review_liveness(review));
}

void rely_review_put(struct rely_buf *out, const struct rely_answer *answer)
{
    const struct rely_review *review = answer->review;
    bool is_allowed = review->decision.reason == RELY_OK;
    rely_buf_put(out, is_allowed ? RELY_LIT("{\"decision\":\"allow\",") : RELY_LIT("{\"decision\":\"deny\","));
    rely_answer_put_member(out, "reason", rely_slice_of(rely_reason_word(review->decision.reason)));
    if (!is_allowed) {
        struct rely_detail told;
        rely_review_tell(review, &told);
        rely_answer_put_next_member(out, "detail", rely_slice_of(told.text));
    }
    rely_answer_put_next_member(out, "decisionId", rely_slice_of(answer->decision_id));
    rely_answer_put_next_member(out, "route", answer->asked->review.route);
    if (review->key != NULL) /* until a signature has verified a record's name is nobody's business */
        rely_answer_put_next_member(out, "issuer", review->issuer->name);
    if (is_allowed)
        put_allowed_members(out, review);
    rely_buf_putc(out, '}');
}

static void reply_review(struct rely_reviewer *reviewer, struct rely_http_request *request,
                         const struct rely_answer *answer)
{
    struct rely_buf *out = &reviewer->out;
    rely_review_put(out, answer);
    rely_buf_putc(out, '\n');
    int status = rely_reason_status(answer->review->decision.reason) == 503 ? 503 : 200;
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .body = rely_buf_slice(out)});
}

void rely_review_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_refused *refused)
{
    (void)reviewer;
    if (refused->allow != NULL)
        rely_http_refuse_method(request, refused->allow);
    else if (refused->problems != NULL)
        rely_http_problem(request, refused->status, refused->code, refused->detail, refused->problems);
    else
        rely_http_problem_with(
            request, refused->status, refused->code, refused->detail,
            &(struct rely_http_header){RELY_LIT("www-authenticate"), rely_slice_of(refused->challenge)});
}

/* False: it has been answered. */
static bool read_review(struct rely_http_request *request, struct rely_review_request *out,
                        struct rely_batch_tokens *tokens)
{
    struct rely_view body;
    const char *wrong = NULL;
    if (!rely_view_parse_within(request->body, RELY_REVIEW_VALUES_MAX, request->scratch, &body, &wrong)) {
        wrong = rely_pool_printf(request->scratch, "the body is not a strict JSON object: %s", wrong).ptr;
        rely_http_problem(request, 400, "invalid_body", wrong, NULL);
        return false;
    }
    struct rely_problems *problems = rely_pool_alloc(request->scratch, sizeof *problems);
    problems->count = 0;
    rely_body_refuse_unknown(&body, "token tokens audiences identity", problems);
    if (rely_body_has_tokens(&body))
        rely_body_read_batch(&body, request->scratch, out, tokens, problems);
    else
        rely_body_read_review(&body, 0, request->scratch, out, problems);
    if (problems->count > 0)
        rely_http_problem(request, 400, "invalid_body", problems->items[0].message, problems);
    return problems->count == 0;
}

void rely_review_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_place *place)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_REVIEW, .reply = reply_review};
    asked.review.route = place->route;
    if (!rely_body_is_json(request)) {
        rely_http_problem(request, 415, "unsupported_media_type",
                          "the body must be JSON, with Content-Type: application/json", NULL);
        return;
    }
    struct rely_batch_tokens tokens = {0};
    if (!read_review(request, &asked.review, &tokens))
        return;
    if (tokens.count > 0)
        rely_batch_ask(reviewer, request, &asked, &tokens);
    else
        rely_reviewer_ask(reviewer, request, &asked);
}

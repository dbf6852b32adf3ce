/*
 * OAuth 2.0 token introspection (RFC 7662): for servers that take tokens which they cannot judge, above all Apache with
 * mod_oauth2 or mod_auth_openidc. A refusal is 200 with `active` false and nothing else, whatever its reason is (s2.2):
 * that stands in the log, beside the id that the header has. Errors are those of RFC 6749 s5.2.
 */
#include "reviewer.h"

#include "relyd/route.h"

/* What is in reviewer->out. No cache on the way may keep it. In: second - a header; its value NULL: none. */
static void send_introspection(struct rely_reviewer *reviewer, struct rely_http_request *request, int status,
                               struct rely_http_header second)
{
    const struct rely_http_header headers[] = {{RELY_LIT("cache-control"), RELY_LIT("no-store")}, second};
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = headers,
                                                            .header_count = second.value.ptr != NULL ? 2 : 1,
                                                            .body = rely_buf_slice(&reviewer->out)});
}

/* In: sentence - ptr NULL: none. */
static void put_oauth_error(struct rely_buf *out, const char *error, struct rely_slice sentence)
{
    rely_buf_putc(out, '{');
    rely_answer_put_member(out, "error", rely_slice_of(error));
    if (sentence.ptr != NULL) {
        rely_buf_putc(out, ',');
        rely_answer_put_member(out, "error_description", sentence);
    }
    rely_buf_put(out, RELY_LIT("}\n"));
}

#define put_time(out, name, value) rely_buf_printf((out), ",\"" name "\":%lld", (long long)(value))

/* Whoever remembers an answer does so until `exp`: a credential's end that is earlier is said in its place. */
static int64_t tell_end(const struct rely_review *review)
{
    int64_t expires_s = (int64_t)review->claims.expires, until_s = review->decision.valid_until_s;
    return until_s < expires_s ? until_s : expires_s;
}

static void put_token_claims(struct rely_buf *out, const struct rely_review *review)
{
    const struct rely_claims *claims = &review->claims;
    struct rely_slice iss = rely_review_iss(review);
    if (iss.ptr != NULL) {
        rely_buf_putc(out, ',');
        rely_answer_put_member(out, "iss", iss);
    }
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "sub", claims->subject);
    rely_buf_put(out, RELY_LIT(",\"aud\":"));
    rely_answer_put_texts(out, claims->audiences, claims->audience_count);
    put_time(out, "exp", tell_end(review));
    if (claims->has_issued_at)
        put_time(out, "iat", claims->issued_at);
    if (claims->has_not_before)
        put_time(out, "nbf", claims->not_before);
    if (claims->token_id.ptr != NULL) {
        rely_buf_putc(out, ',');
        rely_answer_put_member(out, "jti", claims->token_id);
    }
}

static void put_active(struct rely_buf *out, const struct rely_review *review)
{
    const struct rely_match *match = &review->matches.items[0];
    rely_buf_put(out, RELY_LIT("{\"active\":true"));
    put_token_claims(out, review);
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "username", match->username);
    rely_buf_put(out, RELY_LIT(",\"token_type\":\"Bearer\","));
    rely_answer_put_member(out, "client_id", match->identity->name);
    rely_buf_put(out, RELY_LIT(",\"relyd\":{"));
    rely_answer_put_member(out, "credential", match->credential->name);
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "issuer", review->issuer->name);
    rely_buf_put(out, RELY_LIT("}}\n"));
}

static void reply_introspection(struct rely_reviewer *reviewer, struct rely_http_request *request,
                                const struct rely_answer *answer)
{
    enum rely_reason reason = answer->review->decision.reason;
    int status = 200;
    if (reason == RELY_OK) {
        put_active(&reviewer->out, answer->review);
    } else if (reason == RELY_NO_TOKEN) {
        status = 400;
        put_oauth_error(&reviewer->out, "invalid_request", RELY_LIT("the form has no token"));
    } else if (rely_reason_status(reason) == 503) {
        status = 503;
        put_oauth_error(&reviewer->out, "temporarily_unavailable", (struct rely_slice){NULL, 0});
    } else {
        rely_buf_put(&reviewer->out, RELY_LIT("{\"active\":false}\n"));
    }
    send_introspection(reviewer, request, status,
                       (struct rely_http_header){RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id)});
}

/* RFC 6749 s5.2, and s4.1.2.1 for who is known and may not. */
static const char *name_oauth_error(const struct rely_refused *refused)
{
    return refused->status == 401   ? "invalid_client"
           : refused->status == 403 ? "access_denied"
           : refused->status == 404 ? refused->code
                                    : "invalid_request";
}

void rely_introspect_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                            const struct rely_refused *refused)
{
    bool is_challenge = refused->challenge != NULL;
    reviewer->out.len = 0;
    put_oauth_error(&reviewer->out, name_oauth_error(refused),
                    rely_answer_plain(rely_slice_of(refused->detail), request->scratch));
    send_introspection(reviewer, request, refused->status,
                       (struct rely_http_header){is_challenge ? RELY_LIT("www-authenticate") : RELY_LIT("allow"),
                                                 rely_slice_of(is_challenge ? refused->challenge : refused->allow)});
}

/* The hint is a guess of the caller's that may be wrong (s2.1); nothing else in a form means anything here. */
static bool read_introspection(struct rely_http_request *request, struct rely_slice *token, struct rely_refused *wrong)
{
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    *wrong = (struct rely_refused){.status = 415};
    if (!rely_body_is_form(request)) {
        wrong->detail = "the body must be a form, with Content-Type: application/x-www-form-urlencoded";
        return false;
    }
    wrong->status = 400;
    if (!rely_route_read_form(request->body, "token", request->scratch, values, &wrong->detail))
        return false;
    *token = values[0];
    return true;
}

void rely_introspect_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                            const struct rely_place *place)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_INTROSPECTION, .reply = reply_introspection};
    struct rely_refused wrong;
    asked.review.is_single = true;
    asked.review.form = RELY_ANSWER_IDENTITY;
    asked.review.route = place->route;
    if (!read_introspection(request, &asked.review.token, &wrong))
        rely_introspect_refuse(reviewer, request, &wrong);
    else if (asked.review.token.len == 0)
        rely_reviewer_refuse(reviewer, request, &asked, RELY_NO_TOKEN, "the form has no token");
    else
        rely_reviewer_ask(reviewer, request, &asked);
}

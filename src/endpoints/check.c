/*
 * The check for API gateways (nginx, Envoy, Traefik, Caddy, HAProxy): any method and path under /check/default,
 * answered 200, 401 or 403 only, since nginx turns anything else into 500. The reason stands in a header as well as in
 * the body, which nginx drops.
 */
#include "reviewer.h"

#include "relyd/bytes.h"

static struct rely_slice percent_encode(struct rely_pool *pool, struct rely_slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = rely_pool_alloc(pool, text.len * 3);
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c > 0x20 && c < 0x7f && c != '%') {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = hex[c >> 4];
        out[at++] = hex[c & 15];
    }
    return rely_slice(out, at);
}

static rely_sixteen mark_unsafe(rely_sixteen part)
{
    return (part <= ' ') | (part == 0x7f) | (part == '%');
}

/* Header values are printable ASCII only: everything else is percent-encoded, so that no subject can end the line. */
static struct rely_slice header_safe(struct rely_pool *pool, struct rely_slice text)
{
    return rely_bytes_find(text.ptr, text.len, mark_unsafe) < text.len ? percent_encode(pool, text) : text;
}

static void reply_allow(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_answer *answer)
{
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    struct rely_pool *pool = &reviewer->later;
    struct rely_slice username = {0};
    RELY_ASSERT(rely_match_username(reviewer->snapshot, match, &review->claims, &username));
    const struct rely_http_header headers[] = {
        {RELY_LIT("x-relyd-identity"), match->identity->name},
        {RELY_LIT("x-relyd-username"), header_safe(pool, username)},
        {RELY_LIT("x-relyd-uid"), match->identity->uid},
        {RELY_LIT("x-relyd-issuer"), review->issuer->name},
        {RELY_LIT("x-relyd-subject"), header_safe(pool, review->claims.subject)},
        {RELY_LIT("x-relyd-credential"), match->credential->name},
        {RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id)},
    };
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .headers = headers,
                                                            .header_count = sizeof headers / sizeof headers[0]});
    rely_pool_reset(pool);
}

/* RFC 6750 s3: no error code when no token was sent; error_description takes no quote and no backslash. */
static struct rely_slice make_challenge(struct rely_pool *pool, enum rely_reason reason, struct rely_slice sentence)
{
    const char *error = rely_reason_status(reason) == 403 ? "insufficient_scope" : "invalid_token";
    if (reason == RELY_NO_TOKEN)
        return RELY_LIT("Bearer realm=\"relyd\"");
    char *plain = rely_pool_alloc(pool, sentence.len);
    for (size_t i = 0; i < sentence.len; i++) {
        char c = sentence.ptr[i];
        bool is_plain = c != '"' && c != '\\' && c >= 0x20 && c <= 0x7e;
        plain[i] = c;
        if (!is_plain)
            plain[i] = '\'';
    }
    return rely_pool_printf(pool, "Bearer realm=\"relyd\", error=\"%s\", error_description=\"%.*s\"", error,
                            (int)sentence.len, plain);
}

static void put_refusal_body(struct rely_buf *out, const struct rely_answer *answer, struct rely_slice sentence)
{
    enum rely_reason reason = answer->review->decision.reason;
    rely_buf_putc(out, '{');
    if (reason != RELY_NO_TOKEN) {
        rely_answer_put_member(out, "error",
                               rely_reason_status(reason) == 403 ? RELY_LIT("insufficient_scope")
                                                                 : RELY_LIT("invalid_token"));
        rely_buf_putc(out, ',');
    }
    rely_answer_put_member(out, "error_description", sentence);
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "reason", rely_slice_of(rely_reason_word(reason)));
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "decisionId", rely_slice_of(answer->decision_id));
    rely_buf_put(out, RELY_LIT("}\n"));
}

static void reply_deny(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_answer *answer)
{
    enum rely_reason reason = answer->review->decision.reason;
    struct rely_pool *pool = &reviewer->later;
    struct rely_slice sentence = rely_answer_sentence(answer, pool);
    struct rely_http_header headers[] = {
        {RELY_LIT("x-relyd-reason"), rely_slice_of(rely_reason_word(reason))},
        {RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id)},
        {RELY_LIT("www-authenticate"), make_challenge(pool, reason, sentence)},
    };
    int status = rely_reason_status(reason);
    put_refusal_body(&reviewer->out, answer, sentence);
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = headers,
                                                            .header_count = status == 503 ? 2 : 3,
                                                            .body = rely_buf_slice(&reviewer->out)});
    rely_pool_reset(pool);
}

static void reply_check(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_answer *answer)
{
    if (answer->review->decision.reason == RELY_OK)
        reply_allow(reviewer, request, answer);
    else
        reply_deny(reviewer, request, answer);
}

/* `aud` (repeated) and `identity` of the query, which the gateway's configuration writes. False: not readable. */
static bool read_check_query(struct rely_http_request *request, struct rely_review_request *review)
{
    if (request->query.ptr == NULL || request->query.len == 0)
        return true;
    struct rely_pool *pool = request->scratch;
    struct rely_slice *audiences = rely_pool_alloc(pool, RELY_REQUEST_AUDIENCES_MAX * sizeof *audiences);
    size_t count = rely_http_query_count(request->query, RELY_LIT("aud"));
    size_t identity_count = rely_http_query_count(request->query, RELY_LIT("identity"));
    if (count > RELY_REQUEST_AUDIENCES_MAX || identity_count > 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!rely_http_query_at(request->query, RELY_LIT("aud"), i, pool, &audiences[i]))
            return false;
    review->audiences = audiences;
    review->audience_count = count;
    return identity_count == 0 || rely_http_query(request->query, RELY_LIT("identity"), pool, &review->identity);
}

void rely_check_handle(struct rely_reviewer *reviewer, struct rely_http_request *request)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_check};
    asked.review.is_single = true;
    enum rely_bearer bearer = rely_http_bearer(request, &asked.review.token);
    if (bearer == RELY_BEARER_NONE)
        rely_reviewer_refuse(reviewer, request, &asked, RELY_NO_TOKEN, "no bearer token in the Authorization header");
    else if (bearer == RELY_BEARER_BAD)
        rely_reviewer_refuse(reviewer, request, &asked, RELY_MALFORMED_TOKEN,
                             "the Authorization header must be one, with one bearer token");
    else if (!read_check_query(request, &asked.review))
        rely_reviewer_refuse(reviewer, request, &asked, RELY_AUDIENCE_MISMATCH,
                             "the check's own query (aud, identity) cannot be read");
    else
        rely_reviewer_ask(reviewer, request, &asked);
}

/*
 * The check for API gateways (nginx, Envoy, Traefik, Caddy, HAProxy): any method and any path that begins with
 * `/check/`, answered 200, 401 or 403 only, since nginx turns anything else into 500. Behind `/check/{route}/` all is
 * the gateway's client's, and not looked at. The reason stands in a header as well as in the body, which nginx drops.
 */
#include "reviewer.h"

#include "relyd/bytes.h"
#include "relyd/digest.h"
#include "relyd/route.h"
#include "relyd/signature.h"
#include "relyd/text.h"

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

#define VALUE_MAX 640
#define HASHED "sha256="

static struct rely_slice hash_value(struct rely_pool *pool, struct rely_slice text)
{
    uint8_t digest[RELY_SHA256_BYTES];
    char encoded[RELY_BASE64_ENCODED(RELY_SHA256_BYTES)];
    bool is_hashed = rely_signature_sha256(text, digest);
    RELY_ASSERT(is_hashed); /* out of memory otherwise */
    rely_base64url_encode(digest, sizeof digest, encoded);
    return rely_pool_printf(pool, HASHED "%s", encoded);
}

/*
 * Header values are printable ASCII only: everything else is percent-encoded, so that no subject can end the line. One
 * that would be longer than VALUE_MAX is its SHA-256: proxies have buffers of 4 KiB for a head, and make 500 of a
 * longer one. A name that begins with `sha256=` by itself has its `=` encoded, so that nobody registers another one's
 * digest.
 */
static struct rely_slice header_value(struct rely_pool *pool, struct rely_slice text, bool *is_hashed)
{
    struct rely_slice value = text;
    *is_hashed = false;
    if (rely_bytes_find(text.ptr, text.len, mark_unsafe) < text.len)
        value = percent_encode(pool, text);
    if (value.len > VALUE_MAX) {
        *is_hashed = true;
        return hash_value(pool, text);
    }
    if (!rely_slice_starts(value, RELY_LIT(HASHED)))
        return value;
    size_t len = sizeof HASHED - 2;
    return rely_pool_printf(pool, "%.*s%%3D%.*s", (int)len, value.ptr, (int)(value.len - len - 1), value.ptr + len + 1);
}

static struct rely_slice name_hashed(bool is_username, bool is_subject)
{
    if (is_username && is_subject)
        return RELY_LIT("x-relyd-username,x-relyd-subject");
    return is_username ? RELY_LIT("x-relyd-username") : RELY_LIT("x-relyd-subject");
}

#define ALLOW_HEADERS 8
/* Names, separators and the proxies' own lines take less than 1,000. */
_Static_assert(1000 + 3 * RELY_NAME_MAX + 2 * VALUE_MAX + RELY_UUID_SIZE + RELY_DECISION_ID_SIZE < 4096,
               "the head of an allow does not fit into a proxy's buffer");

static void reply_allow(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_answer *answer)
{
    bool is_username, is_subject; /* hashed */
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    struct rely_pool *pool = &reviewer->later;
    const struct rely_http_header headers[ALLOW_HEADERS] = {
        {RELY_LIT("x-relyd-identity"), match->identity->name},
        {RELY_LIT("x-relyd-username"), header_value(pool, match->username, &is_username)},
        {RELY_LIT("x-relyd-uid"), match->identity->uid},
        {RELY_LIT("x-relyd-issuer"), review->issuer->name},
        {RELY_LIT("x-relyd-subject"), header_value(pool, review->claims.subject, &is_subject)},
        {RELY_LIT("x-relyd-credential"), match->credential->name},
        {RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id)},
        {RELY_LIT("x-relyd-hashed"), name_hashed(is_username, is_subject)},
    };
    size_t count = is_username || is_subject ? ALLOW_HEADERS : ALLOW_HEADERS - 1;
    rely_http_respond(request, &(struct rely_http_response){.status = 200, .headers = headers, .header_count = count});
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
    bool has_challenge =
        status != 503 && reason != RELY_CALLER_NOT_PERMITTED; /* it is not the token that was refused */
    put_refusal_body(&reviewer->out, answer, sentence);
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = headers,
                                                            .header_count = has_challenge ? 3 : 2,
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

/* --- the question --------------------------------------------------------------------------------------- */

/* Its line of the table of operations. */
#define OPERATION_BELOW(path, rest, query, sentence)                                                                   \
    static const char check_prefix[] = (path);                                                                         \
    static const char check_parameters[] = (query);
#define RELY_OPERATIONS_OF_CHECK
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_CHECK
#undef OPERATION_BELOW

#define PREFIX rely_slice(check_prefix, sizeof check_prefix - 1)
#define ONLY_ROUTE RELY_LIT("/check/default")
#define NAME_SHOWN_MAX 24

bool rely_check_is_asked(const struct rely_http_request *request)
{
    return rely_slice_starts(request->path, PREFIX);
}

/* The query of exactly `/check/{route}` is the gateway's: what it restricts must not be lost. */
static enum rely_reason read_check_query(struct rely_http_request *request, struct rely_review_request *review,
                                         const char **why)
{
    if (request->query.len == 0)
        return RELY_OK;
    struct rely_slice *values = rely_pool_alloc(request->scratch, RELY_ROUTE_PARAMETERS_MAX * sizeof *values);
    struct rely_problems *problems = rely_pool_alloc(request->scratch, sizeof *problems);
    problems->count = 0;
    if (!rely_route_read_query(request->query, check_parameters, request->scratch, values, problems)) {
        *why = problems->items[0].message;
        return RELY_INVALID_QUERY;
    }
    review->audiences = &values[0];
    review->audience_count = values[0].ptr != NULL ? 1 : 0;
    review->identity = values[1];
    return RELY_OK;
}

/* The name may be a token that somebody has put there: only its beginning is said, because it is logged. */
static enum rely_reason refuse_route(struct rely_http_request *request, const char **why)
{
    const char *name = request->path.ptr + PREFIX.len;
    size_t rest = request->path.len - PREFIX.len;
    const char *end = rest == 0 ? NULL : memchr(name, '/', rest);
    size_t len = end == NULL ? rest : (size_t)(end - name);
    bool is_cut = len > NAME_SHOWN_MAX;
    char quoted[RELY_QUOTED_SIZE];
    rely_quote(rely_slice(name, is_cut ? NAME_SHOWN_MAX : len), quoted);
    *why = rely_pool_printf(request->scratch, "no route has the name %s%s", quoted, is_cut ? " and so on" : "").ptr;
    return RELY_UNKNOWN_ROUTE;
}

/* By the route's name as it was sent: a gateway's configuration has written it, and it never needs an escape. */
static enum rely_reason judge_route(struct rely_http_request *request, bool *is_exact, const char **why)
{
    struct rely_slice path = request->path;
    *is_exact = path.len == ONLY_ROUTE.len;
    if (rely_slice_starts(path, ONLY_ROUTE) && (*is_exact || path.ptr[ONLY_ROUTE.len] == '/'))
        return RELY_OK;
    return refuse_route(request, why);
}

static enum rely_reason read_bearer(const struct rely_http_request *request, struct rely_review_request *review,
                                    const char **why)
{
    enum rely_bearer bearer = rely_http_bearer(request, &review->token);
    if (bearer == RELY_BEARER_TOKEN)
        return RELY_OK;
    *why = bearer == RELY_BEARER_NONE ? "no bearer token in the Authorization header"
                                      : "the Authorization header must be one, with one bearer token";
    return bearer == RELY_BEARER_NONE ? RELY_NO_TOKEN : RELY_MALFORMED_TOKEN;
}

void rely_check_handle(struct rely_reviewer *reviewer, struct rely_http_request *request)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_check};
    const char *why = NULL;
    bool is_exact;
    asked.review.is_single = true;
    enum rely_reason reason = judge_route(request, &is_exact, &why);
    if (reason == RELY_OK)
        reason = read_bearer(request, &asked.review, &why);
    if (reason == RELY_OK && is_exact)
        reason = read_check_query(request, &asked.review, &why);
    if (reason == RELY_OK)
        rely_reviewer_ask(reviewer, request, &asked);
    else
        rely_reviewer_refuse(reviewer, request, &asked, reason, why);
}

/* A head that is slow, of another version or with another coding says nothing about a token: it is the question that
 * cannot be read. One that is too long is too long by what a client put into it, in practice the token. */
void rely_check_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_http_refusal *refusal)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_check};
    enum rely_reason reason = refusal->kind == RELY_HTTP_HEAD_TOO_LARGE ? RELY_TOKEN_TOO_LARGE : RELY_INVALID_QUERY;
    rely_reviewer_refuse(reviewer, request, &asked, reason, refusal->detail);
}

void rely_check_refuse_caller(struct rely_reviewer *reviewer, struct rely_http_request *request, const char *why)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_check};
    rely_reviewer_refuse(reviewer, request, &asked, RELY_CALLER_NOT_PERMITTED, why);
}

/*
 * The check for API gateways (nginx, Envoy, Traefik, Caddy, HAProxy): any method and any path that begins with
 * `/check/`, answered 200, 401 or 403 only, since nginx turns anything else into 500. Behind `/check/{route}/` all is
 * the gateway's client's, and not looked at. The reason stands in a header as well as in the body, which nginx drops.
 */
#include "check.h"
#include "headers.h"
#include "reviewer.h"

#include "relyd/route.h"
#include "relyd/text.h"

static void add_strip(struct rely_check_headers *headers, const struct rely_named_route *route)
{
    if (route != NULL && route->strips_authorization)
        rely_headers_add(headers, RELY_LIT("x-envoy-auth-headers-to-remove"), RELY_LIT("authorization"));
}

/* Until its `exp` at most, or a credential's earlier end; not a second where the route says nothing. */
static struct rely_slice cache_control(struct rely_pool *pool, const struct rely_review *review)
{
    int64_t expires_s = (int64_t)review->claims.expires, until_s = review->decision.valid_until_s;
    int64_t left_s = (until_s < expires_s ? until_s : expires_s) - review->now_s;
    int64_t most_s = review->route == NULL ? 0 : review->route->cache_s;
    int64_t age_s = left_s < most_s ? left_s : most_s;
    return age_s <= 0 ? RELY_LIT("no-store") : rely_pool_printf(pool, "private, max-age=%lld", (long long)age_s);
}

static void respond_with(struct rely_http_request *request, const struct rely_check_headers *headers)
{
    rely_http_respond(request, &(struct rely_http_response){
                                   .status = 200, .headers = headers->items, .header_count = headers->count});
}

static void reply_allow(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_answer *answer)
{
    const struct rely_review *review = answer->review;
    struct rely_pool *pool = &reviewer->later;
    struct rely_check_headers headers;
    headers.count = 0;
    rely_headers_add_identity(&headers, answer, pool);
    rely_headers_add(&headers, RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id));
    rely_headers_add(&headers, RELY_LIT("cache-control"), cache_control(pool, review));
    add_strip(&headers, review->route);
    respond_with(request, &headers);
    rely_pool_reset(pool);
}

/* A 200 without a decision that says yes: every identity header is there, and empty. */
static void add_no_identity(struct rely_check_headers *headers, const struct rely_named_route *route)
{
    headers->count = 0;
    rely_headers_add_nobody(headers, route);
    rely_headers_add(headers, RELY_LIT("cache-control"), RELY_LIT("no-store"));
}

static void pass_preflight(struct rely_http_request *request, const struct rely_named_route *route)
{
    struct rely_check_headers headers;
    add_no_identity(&headers, route);
    rely_headers_add(&headers, RELY_LIT("x-relyd-decision-id"), RELY_LIT("")); /* it is none */
    respond_with(request, &headers);
}

/* The token goes no further for being refused. */
static void reply_shadow_deny(struct rely_http_request *request, const struct rely_answer *answer,
                              const struct rely_named_route *route)
{
    struct rely_check_headers headers;
    add_no_identity(&headers, route);
    rely_headers_add(&headers, RELY_LIT("x-relyd-would-deny"),
                     rely_slice_of(rely_reason_word(answer->review->decision.reason)));
    rely_headers_add(&headers, RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id));
    add_strip(&headers, route);
    respond_with(request, &headers);
}

/* RFC 6750 s3: no error code when no token was sent. */
struct rely_slice rely_check_challenge(struct rely_pool *pool, enum rely_reason reason, struct rely_slice sentence)
{
    const char *error = rely_reason_status(reason) == 403 ? "insufficient_scope" : "invalid_token";
    if (rely_reason_status(reason) == 503 || reason == RELY_CALLER_NOT_PERMITTED)
        return (struct rely_slice){NULL, 0};
    if (reason == RELY_NO_TOKEN)
        return RELY_LIT("Bearer realm=\"relyd\"");
    struct rely_slice plain = rely_answer_plain(sentence, pool);
    return rely_pool_printf(pool, "Bearer realm=\"relyd\", error=\"%s\", error_description=\"%.*s\"", error,
                            RELY_ARG(plain));
}

void rely_check_put_refusal(struct rely_buf *out, const struct rely_answer *answer, struct rely_slice sentence)
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
        {RELY_LIT("www-authenticate"), rely_check_challenge(pool, reason, sentence)},
    };
    int status = rely_reason_status(reason);
    rely_check_put_refusal(&reviewer->out, answer, sentence);
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = headers,
                                                            .header_count = headers[2].value.ptr != NULL ? 3 : 2,
                                                            .body = rely_buf_slice(&reviewer->out)});
    rely_pool_reset(pool);
}

const struct rely_named_route *rely_check_find_shadow(const struct rely_reviewer *reviewer,
                                                      const struct rely_answer *answer)
{
    const struct rely_named_route *route = rely_snapshot_route(reviewer->snapshot, answer->asked->review.route);
    return route != NULL && route->is_shadow ? route : NULL;
}

static void reply_check(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_answer *answer)
{
    const struct rely_named_route *route;
    if (answer->review->decision.reason == RELY_OK)
        reply_allow(reviewer, request, answer);
    else if ((route = rely_check_find_shadow(reviewer, answer)) != NULL)
        reply_shadow_deny(request, answer, route);
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
const char *rely_route_describe_unknown(struct rely_slice name, struct rely_pool *pool)
{
    bool is_cut = name.len > NAME_SHOWN_MAX;
    char quoted[RELY_QUOTED_SIZE];
    rely_quote(rely_slice(name.ptr, is_cut ? NAME_SHOWN_MAX : name.len), quoted);
    return rely_pool_printf(pool, "no route has the name %s%s", quoted, is_cut ? " and so on" : "").ptr;
}

/* By the route's name as it was sent: a gateway's configuration has written it, and it never needs an escape. */
static struct rely_slice name_route(const struct rely_http_request *request, bool *is_exact)
{
    const char *name = request->path.ptr + PREFIX.len;
    size_t rest = request->path.len - PREFIX.len;
    const char *end = rest == 0 ? NULL : memchr(name, '/', rest);
    *is_exact = end == NULL;
    return rely_slice(name, end == NULL ? rest : (size_t)(end - name));
}

enum rely_reason rely_check_judge_bearer(enum rely_bearer bearer, const char **why)
{
    if (bearer == RELY_BEARER_TOKEN)
        return RELY_OK;
    *why = bearer == RELY_BEARER_NONE ? "no bearer token in the Authorization header"
                                      : "the Authorization header must be one, with one bearer token";
    return bearer == RELY_BEARER_NONE ? RELY_NO_TOKEN : RELY_MALFORMED_TOKEN;
}

static enum rely_reason read_bearer(const struct rely_http_request *request, struct rely_review_request *review,
                                    const char **why)
{
    return rely_check_judge_bearer(rely_http_bearer(request, &review->token), why);
}

/* Asked under a route that is there, by somebody who may. */
static enum rely_reason read_question(struct rely_http_request *request, bool is_exact,
                                      struct rely_review_request *review, const char **why)
{
    enum rely_reason reason = read_bearer(request, review, why);
    return reason == RELY_OK && is_exact ? read_check_query(request, review, why) : reason;
}

/* Fetch standard: what a browser asks first, and never with a token. */
static bool is_preflight(const struct rely_http_request *request)
{
    size_t origins = 0, methods = 0, tokens = 0;
    rely_http_find_header(request, RELY_LIT("origin"), &origins);
    rely_http_find_header(request, RELY_LIT("access-control-request-method"), &methods);
    rely_http_find_header(request, RELY_LIT("authorization"), &tokens);
    return rely_slice_equal(request->method, RELY_LIT("OPTIONS")) && origins == 1 && methods == 1 && tokens == 0;
}

enum rely_reason rely_check_find_route(struct rely_reviewer *reviewer, const struct rely_check_place *place,
                                       const struct rely_named_route **route, const char **why)
{
    *route = rely_snapshot_route(reviewer->snapshot, place->route);
    if (*route == NULL) {
        *why = rely_route_describe_unknown(place->route, place->pool);
        return RELY_UNKNOWN_ROUTE;
    }
    if (rely_route_lets_ask(*route, place->caller))
        return RELY_OK;
    rely_count(&reviewer->counters->callers[RELY_CALLER_WITHOUT_ROLE], 1);
    *why = "who asks is not among the callers of the route";
    return RELY_CALLER_NOT_PERMITTED;
}

void rely_check_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_caller *caller)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_check};
    const char *why = NULL;
    bool is_exact;
    asked.review.is_single = true;
    asked.review.form = RELY_ANSWER_HEADERS;
    struct rely_slice name = name_route(request, &is_exact);
    const struct rely_check_place place = {name, caller, request->scratch};
    const struct rely_named_route *route;
    enum rely_reason reason = rely_check_find_route(reviewer, &place, &route, &why);
    if (reason == RELY_OK && route->passes_preflight && is_preflight(request)) {
        pass_preflight(request, route);
        return;
    }
    if (reason == RELY_OK) {
        asked.review.route = name;
        reason = read_question(request, is_exact, &asked.review, &why);
    }
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

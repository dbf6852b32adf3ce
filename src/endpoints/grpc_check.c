/*
 * Envoy's question by gRPC (envoy.service.auth.v3.Authorization/Check): the check in other words. Every decision is an
 * answer, and none an error of the call: what Envoy does with one of those (failure_mode_allow), a stranger must not
 * choose. Called by grpc.c.
 */
#include "check.h"
#include "grpc.h"
#include "headers.h"
#include "reviewer.h"

#include "relyd/protobuf.h"
#include "relyd/text.h"

#include <strings.h>

/* Numbers of fields: CheckResponse, OkHttpResponse, DeniedHttpResponse, HeaderValueOption, google.protobuf.Struct. */
enum { CHECK_STATUS = 1, CHECK_DENIED = 2, CHECK_OK = 3, CHECK_METADATA = 4, CHECK_ERROR = 5 };
enum { OK_HEADERS = 2, OK_HEADERS_TO_REMOVE = 5 };
enum { DENIED_STATUS = 1, DENIED_HEADERS = 2, DENIED_BODY = 3 };
enum { OPTION_HEADER = 1, OPTION_APPEND_ACTION = 3, OPTION_KEEP_EMPTY = 4 };
enum { OVERWRITE_OR_ADD = 2 }; /* what a client has sent under the same name must not stand beside it */
enum { STRING_VALUE = 3, LIST_VALUE = 6 };

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* A message of two fields of bytes, 1 and 2, as a field: a header, an entry of a map. */
static void put_pair_of(struct rely_buf *out, unsigned field, struct rely_slice name, struct rely_slice value)
{
    struct rely_buf pair = {0};
    rely_protobuf_put_bytes(&pair, 1, name);
    rely_protobuf_put_bytes(&pair, 2, value);
    rely_protobuf_put_bytes(out, field, rely_buf_slice(&pair));
    rely_buf_fini(&pair);
}

/* `append` is left out: Envoys that know append_action would follow it. */
static void put_header_option(struct rely_buf *out, unsigned field, struct rely_slice name, struct rely_slice value)
{
    struct rely_buf option = {0};
    put_pair_of(&option, OPTION_HEADER, name, value);
    rely_protobuf_put_number(&option, OPTION_APPEND_ACTION, OVERWRITE_OR_ADD);
    rely_protobuf_put_number(&option, OPTION_KEEP_EMPTY, 1);
    rely_protobuf_put_bytes(out, field, rely_buf_slice(&option));
    rely_buf_fini(&option);
}

static void put_string_value(struct rely_buf *out, unsigned field, struct rely_slice text)
{
    struct rely_buf value = {0};
    rely_protobuf_put_bytes(&value, STRING_VALUE, text);
    rely_protobuf_put_bytes(out, field, rely_buf_slice(&value));
    rely_buf_fini(&value);
}

/* An entry of google.protobuf.Struct. In: value - a Value. */
static void put_metadata(struct rely_buf *out, const char *name, struct rely_buf *value)
{
    put_pair_of(out, 1, rely_slice_of(name), rely_buf_slice(value));
    value->len = 0;
}

static void put_metadata_text(struct rely_buf *out, const char *name, struct rely_slice text)
{
    struct rely_buf value = {0};
    rely_protobuf_put_bytes(&value, STRING_VALUE, text);
    put_metadata(out, name, &value);
    rely_buf_fini(&value);
}

static void put_groups(struct rely_buf *out, const struct rely_identity *identity)
{
    struct rely_buf list = {0}, value = {0};
    for (size_t i = 0; i < identity->group_count; i++)
        put_string_value(&list, 1, identity->groups[i]);
    rely_protobuf_put_bytes(&value, LIST_VALUE, rely_buf_slice(&list));
    put_metadata(out, "groups", &value);
    rely_buf_fini(&list);
    rely_buf_fini(&value);
}

/* The first audience by which the token passed. */
static struct rely_slice first_audience(const struct rely_match *match)
{
    for (size_t i = 0; i < 32; i++)
        if ((match->audiences >> i & 1) != 0)
            return match->audiences_of[i];
    return RELY_LIT("");
}

static void put_dynamic_metadata(struct rely_buf *out, const struct rely_answer *answer)
{
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    struct rely_buf fields = {0};
    put_metadata_text(&fields, "identity", match->identity->name);
    put_metadata_text(&fields, "username", match->username);
    put_metadata_text(&fields, "uid", match->identity->uid);
    put_groups(&fields, match->identity);
    put_metadata_text(&fields, "issuer", review->issuer->name);
    put_metadata_text(&fields, "subject", review->claims.subject);
    put_metadata_text(&fields, "audience", first_audience(match));
    put_metadata_text(&fields, "credential", match->credential->name);
    put_metadata_text(&fields, "decisionId", rely_slice_of(answer->decision_id));
    rely_protobuf_put_bytes(out, CHECK_METADATA, rely_buf_slice(&fields));
    rely_buf_fini(&fields);
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

/* In: route - NULL: none. Appended to what is there of the answer. */
static void put_ok(struct rely_buf *out, const struct rely_check_headers *headers, const struct rely_named_route *route)
{
    struct rely_buf ok = {0};
    rely_protobuf_put_bytes(out, CHECK_STATUS, RELY_LIT("")); /* code 0 */
    for (size_t i = 0; i < headers->count; i++)
        put_header_option(&ok, OK_HEADERS, headers->items[i].name, headers->items[i].value);
    if (route != NULL && route->strips_authorization)
        rely_protobuf_put_bytes(&ok, OK_HEADERS_TO_REMOVE, RELY_LIT("authorization"));
    rely_protobuf_put_bytes(out, CHECK_OK, rely_buf_slice(&ok));
    rely_buf_fini(&ok);
}

static void put_let_in(struct rely_reviewer *reviewer, const struct rely_answer *answer)
{
    struct rely_check_headers headers;
    headers.count = 0;
    rely_headers_add_identity(&headers, answer, &reviewer->later);
    rely_headers_add(&headers, RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id));
    put_ok(&reviewer->out, &headers, answer->review->route);
    put_dynamic_metadata(&reviewer->out, answer);
}

/* Let pass without a decision that says yes: every identity header is there, and empty. In: would_deny - "": a preflight. */
static void put_passed(struct rely_buf *out, const struct rely_named_route *route, const char *would_deny,
                       const char *decision_id)
{
    struct rely_check_headers headers;
    headers.count = 0;
    rely_headers_add_nobody(&headers, route);
    if (would_deny[0] != '\0')
        rely_headers_add(&headers, RELY_LIT("x-relyd-would-deny"), rely_slice_of(would_deny));
    rely_headers_add(&headers, RELY_LIT("x-relyd-decision-id"), rely_slice_of(decision_id));
    put_ok(out, &headers, route);
}

static enum rely_grpc_code code_of(int status)
{
    return status == 401   ? RELY_GRPC_UNAUTHENTICATED
           : status == 403 ? RELY_GRPC_PERMISSION_DENIED
                           : RELY_GRPC_UNAVAILABLE;
}

/* DeniedHttpResponse. */
static void put_denied_http(struct rely_buf *out, const struct rely_answer *answer, struct rely_slice sentence,
                            struct rely_pool *pool)
{
    enum rely_reason reason = answer->review->decision.reason;
    struct rely_slice challenge = rely_check_challenge(pool, reason, sentence);
    struct rely_buf inner = {0};
    rely_protobuf_put_number(&inner, 1, (uint64_t)rely_reason_status(reason));
    rely_protobuf_put_bytes(out, DENIED_STATUS, rely_buf_slice(&inner));
    put_header_option(out, DENIED_HEADERS, RELY_LIT("content-type"), RELY_LIT("application/json"));
    put_header_option(out, DENIED_HEADERS, RELY_LIT("x-relyd-reason"), rely_slice_of(rely_reason_word(reason)));
    put_header_option(out, DENIED_HEADERS, RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id));
    if (challenge.ptr != NULL)
        put_header_option(out, DENIED_HEADERS, RELY_LIT("www-authenticate"), challenge);
    inner.len = 0;
    rely_check_put_refusal(&inner, answer, sentence);
    rely_protobuf_put_bytes(out, DENIED_BODY, rely_buf_slice(&inner));
    rely_buf_fini(&inner);
}

static void put_denied(struct rely_reviewer *reviewer, const struct rely_answer *answer)
{
    struct rely_buf inner = {0}, *out = &reviewer->out;
    struct rely_slice sentence = rely_answer_sentence(answer, &reviewer->later);
    int status = rely_reason_status(answer->review->decision.reason);
    rely_protobuf_put_number(&inner, 1, (uint64_t)code_of(status));
    rely_protobuf_put_bytes(&inner, 2, sentence);
    rely_protobuf_put_bytes(out, CHECK_STATUS, rely_buf_slice(&inner));
    inner.len = 0;
    put_denied_http(&inner, answer, sentence, &reviewer->later);
    rely_protobuf_put_bytes(out, status == 503 ? CHECK_ERROR : CHECK_DENIED, rely_buf_slice(&inner));
    rely_buf_fini(&inner);
}

static void reply_grpc(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_answer *answer)
{
    enum rely_reason reason = answer->review->decision.reason;
    const struct rely_named_route *shadow;
    reviewer->out.len = 0;
    if (reason == RELY_OK)
        put_let_in(reviewer, answer);
    else if ((shadow = rely_check_find_shadow(reviewer, answer)) != NULL)
        put_passed(&reviewer->out, shadow, rely_reason_word(reason), answer->decision_id);
    else
        put_denied(reviewer, answer);
    rely_grpc_respond(request, rely_buf_slice(&reviewer->out));
    rely_pool_reset(&reviewer->later);
}

/* --- the question ----------------------------------------------------------------------------------------------------- */

static bool is_header(const struct rely_protobuf_pair *header, struct rely_slice name)
{
    return header->name.len == name.len && strncasecmp(header->name.ptr, name.ptr, name.len) == 0;
}

/* As rely_http_find_header. */
static struct rely_slice find_checked_header(const struct rely_protobuf_check *check, struct rely_slice name,
                                             size_t *count)
{
    struct rely_slice first = {NULL, 0};
    *count = 0;
    for (size_t i = 0; i < check->header_count; i++)
        if (is_header(&check->headers[i], name) && (*count)++ == 0)
            first = check->headers[i].value;
    return first;
}

/* Envoy joins those of one name by commas, which no token has. */
static enum rely_reason read_checked_bearer(const struct rely_protobuf_check *check, struct rely_review_request *review,
                                            const char **why)
{
    size_t count;
    struct rely_slice value = find_checked_header(check, RELY_LIT("authorization"), &count);
    enum rely_bearer bearer = count == 0  ? RELY_BEARER_NONE
                              : count > 1 ? RELY_BEARER_BAD
                                          : rely_http_read_bearer(value, &review->token);
    return rely_check_judge_bearer(bearer, why);
}

static bool is_checked_preflight(const struct rely_protobuf_check *check)
{
    size_t origins, methods, tokens;
    find_checked_header(check, RELY_LIT("origin"), &origins);
    find_checked_header(check, RELY_LIT("access-control-request-method"), &methods);
    find_checked_header(check, RELY_LIT("authorization"), &tokens);
    return rely_slice_equal(check->method, RELY_LIT("OPTIONS")) && origins == 1 && methods == 1 && tokens == 0;
}

/* What the gateway's configuration restricts: each at most once, and none that relyd does not know, lest it be lost. */
struct restrictions {
    struct rely_slice route, audience, identity; /* ptr NULL: not said */
};

static bool is_clean_extension(struct rely_slice text)
{
    size_t count;
    return text.len > 0 && rely_utf8_count(text, &count) && memchr(text.ptr, '\0', text.len) == NULL;
}

static const char *read_restrictions(const struct rely_protobuf_check *check, struct restrictions *out)
{
    const struct {
        struct rely_slice name;
        struct rely_slice *value;
    } known[] = {{RELY_LIT("relyd.route"), &out->route},
                 {RELY_LIT("relyd.aud"), &out->audience},
                 {RELY_LIT("relyd.identity"), &out->identity}};
    for (size_t i = 0; i < check->extension_count; i++) {
        const struct rely_protobuf_pair *extension = &check->extensions[i];
        struct rely_slice *value = NULL;
        if (!rely_slice_starts(extension->name, RELY_LIT("relyd.")))
            continue;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (rely_slice_equal(extension->name, known[k].name))
                value = known[k].value;
        if (value == NULL)
            return "a context_extension that begins with `relyd.` is none of relyd.route, relyd.aud, relyd.identity";
        if (value->ptr != NULL)
            return "a context_extension of relyd's is there twice";
        if (!is_clean_extension(extension->value))
            return "a context_extension of relyd's is empty, not UTF-8, or has a NUL in it";
        *value = extension->value;
    }
    return NULL;
}

static void ask_under_route(struct rely_reviewer *reviewer, struct rely_http_request *request,
                            const struct rely_protobuf_check *check, const struct rely_check_place *place,
                            const struct restrictions *restrictions)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_grpc};
    const struct rely_named_route *route;
    const char *why = NULL;
    enum rely_reason reason = rely_check_find_route(reviewer, place, &route, &why);
    if (reason == RELY_OK && route->passes_preflight && is_checked_preflight(check)) {
        reviewer->out.len = 0;
        put_passed(&reviewer->out, route, "", "");
        rely_grpc_respond(request, rely_buf_slice(&reviewer->out));
        return;
    }
    if (reason == RELY_OK) {
        asked.review.is_single = true;
        asked.review.form = RELY_ANSWER_HEADERS;
        asked.review.route = place->route;
        asked.review.audiences = &restrictions->audience;
        asked.review.audience_count = restrictions->audience.ptr != NULL ? 1 : 0;
        asked.review.identity = restrictions->identity;
        reason = read_checked_bearer(check, &asked.review, &why);
    }
    if (reason == RELY_OK)
        rely_reviewer_ask(reviewer, request, &asked);
    else
        rely_reviewer_refuse(reviewer, request, &asked, reason, why);
}

void rely_grpc_check(const struct rely_data_door *door, struct rely_http_request *request,
                     const struct rely_caller *caller, struct rely_slice message)
{
    struct rely_protobuf_check check;
    struct restrictions restrictions = {.route = {NULL, 0}};
    const char *wrong = rely_protobuf_read_check(message, request->scratch, &check);
    if (wrong == NULL)
        wrong = read_restrictions(&check, &restrictions);
    const struct rely_check_place place = {restrictions.route.ptr != NULL ? restrictions.route : door->route, caller,
                                           request->scratch};
    if (wrong != NULL)
        rely_grpc_check_refuse(door->reviewer, request, RELY_INVALID_QUERY, wrong);
    else
        ask_under_route(door->reviewer, request, &check, &place, &restrictions);
}

void rely_grpc_check_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request, enum rely_reason reason,
                            const char *why)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = reply_grpc};
    rely_reviewer_refuse(reviewer, request, &asked, reason, why);
}

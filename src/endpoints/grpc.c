/*
 * gRPC, as far as its two services need it: Envoy's Authorization, and grpc.health.v1. Decides which method a path is and
 * whether what was sent is one message; what is in it, others read. Called by endpoints.c.
 *
 * Spec: "gRPC over HTTP2" of grpc.io, uncompressed; unary calls, and one that streams: Health/Watch.
 */
#include "grpc.h"
#include "reviewer.h"

#include "relyd/protobuf.h"

#include <strings.h>

#define AUTHORIZATION "envoy.service.auth.v3.Authorization"
#define PREFIX_BYTES 5 /* of a message: is it compressed? its length */

/* --- answers --------------------------------------------------------------------------------------------------- */

static const struct rely_http_header done = {{"grpc-status", 11}, {"0", 1}};

static void put_message_head(char *out, size_t len)
{
    out[0] = 0;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (char)(len >> (24 - 8 * i));
}

void rely_grpc_respond(struct rely_http_request *request, struct rely_slice message)
{
    char *framed = rely_pool_alloc(request->scratch, PREFIX_BYTES + message.len);
    put_message_head(framed, message.len);
    if (message.len > 0)
        memcpy(framed + PREFIX_BYTES, message.ptr, message.len);
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .content_type = RELY_LIT("application/grpc"),
                                                            .body = rely_slice(framed, PREFIX_BYTES + message.len),
                                                            .trailers = &done,
                                                            .trailer_count = 1});
}

/* Trailers alone, in the place of the head: no frame of data stands before them. In: sentence - printable ASCII without
 * `%`, static. */
static void fail_call(struct rely_http_request *request, enum rely_grpc_code code, const char *sentence)
{
    const struct rely_http_header headers[] = {
        {RELY_LIT("grpc-status"), rely_pool_printf(request->scratch, "%d", (int)code)},
        {RELY_LIT("grpc-message"), rely_slice_of(sentence)},
        {RELY_LIT("grpc-accept-encoding"), RELY_LIT("identity")}};
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .content_type = RELY_LIT("application/grpc"),
                                                            .headers = headers,
                                                            .header_count = code == RELY_GRPC_UNIMPLEMENTED ? 3 : 2});
}

/* --- health ------------------------------------------------------------------------------------------------------ */

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static bool is_service(struct rely_slice name)
{
    return name.len == 0 || rely_slice_equal(name, RELY_LIT(AUTHORIZATION));
}

static uint64_t tell_health(const struct rely_http_request *request)
{
    return rely_http_is_ending(request) ? NOT_SERVING : SERVING;
}

static void check_health(struct rely_http_request *request, struct rely_slice message)
{
    struct rely_slice service = {NULL, 0};
    struct rely_buf out = {0};
    const char *wrong = rely_protobuf_read_health(message, request->scratch, &service);
    if (wrong != NULL) {
        fail_call(request, RELY_GRPC_INVALID_ARGUMENT, wrong);
        return;
    }
    if (!is_service(service)) {
        fail_call(request, RELY_GRPC_NOT_FOUND, "there is no such service here");
        return;
    }
    rely_protobuf_put_number(&out, 1, tell_health(request));
    rely_grpc_respond(request, rely_buf_slice(&out));
    rely_buf_fini(&out);
}

/* A HealthCheckResponse, in its frame. */
static void put_health(struct rely_buf *out, uint64_t status)
{
    struct rely_buf message = {0};
    char head[PREFIX_BYTES];
    rely_protobuf_put_number(&message, 1, status);
    put_message_head(head, message.len);
    rely_buf_put(out, rely_slice(head, sizeof head));
    rely_buf_put(out, rely_buf_slice(&message));
    rely_buf_fini(&message);
}

/* The status of now, and at the drain the last one: between the two, nothing changes. The call ends with the service, and
 * so does not as if all were well. */
static void stream_health(struct rely_http_request *request, struct rely_slice service)
{
    static const struct rely_http_header ends[] = {{{"grpc-status", 11}, {"14", 2}},
                                                   {{"grpc-message", 12}, {"relyd stops", 11}}};
    struct rely_buf out = {0};
    bool is_known = is_service(service), is_ending = rely_http_is_ending(request);
    put_health(&out, is_known ? tell_health(request) : SERVICE_UNKNOWN);
    size_t first = out.len;
    if (is_known && !is_ending)
        put_health(&out, NOT_SERVING);
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .content_type = RELY_LIT("application/grpc"),
                                                            .body = rely_buf_slice(&out),
                                                            .trailers = ends,
                                                            .trailer_count = 2,
                                                            .held_from = is_ending ? 0 : first});
    rely_buf_fini(&out);
}

static void watch_health(struct rely_http_request *request, struct rely_slice message)
{
    struct rely_slice service = {NULL, 0};
    const char *wrong = rely_protobuf_read_health(message, request->scratch, &service);
    if (wrong != NULL)
        fail_call(request, RELY_GRPC_INVALID_ARGUMENT, wrong);
    else if (!rely_http_is_ending(request) && !rely_http_may_hold(request))
        fail_call(request, RELY_GRPC_RESOURCE_EXHAUSTED, "this connection watches as much as it may");
    else
        stream_health(request, service);
}

static void list_health(struct rely_http_request *request)
{
    static const struct rely_slice services[] = {{"", 0}, {AUTHORIZATION, sizeof AUTHORIZATION - 1}};
    struct rely_buf out = {0}, entry = {0}, status = {0};
    rely_protobuf_put_number(&status, 1, tell_health(request));
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        entry.len = 0;
        rely_protobuf_put_bytes(&entry, 1, services[i]);
        rely_protobuf_put_bytes(&entry, 2, rely_buf_slice(&status));
        rely_protobuf_put_bytes(&out, 1, rely_buf_slice(&entry));
    }
    rely_grpc_respond(request, rely_buf_slice(&out));
    rely_buf_fini(&out);
    rely_buf_fini(&entry);
    rely_buf_fini(&status);
}

/* --- calls --------------------------------------------------------------------------------------------------------- */

enum method { METHOD_NONE, METHOD_CHECK, METHOD_HEALTH, METHOD_HEALTH_LIST, METHOD_HEALTH_WATCH };

static enum method find_method(const struct rely_http_request *request)
{
    return rely_slice_equal(request->path, RELY_LIT("/" AUTHORIZATION "/Check"))       ? METHOD_CHECK
           : rely_slice_equal(request->path, RELY_LIT("/grpc.health.v1.Health/Check")) ? METHOD_HEALTH
           : rely_slice_equal(request->path, RELY_LIT("/grpc.health.v1.Health/List"))  ? METHOD_HEALTH_LIST
           : rely_slice_equal(request->path, RELY_LIT("/grpc.health.v1.Health/Watch")) ? METHOD_HEALTH_WATCH
                                                                                       : METHOD_NONE;
}

bool rely_grpc_is_asked(const struct rely_http_request *request)
{
    return request->has_trailers && (rely_slice_starts(request->path, RELY_LIT("/" AUTHORIZATION "/")) ||
                                     rely_slice_starts(request->path, RELY_LIT("/grpc.health.v1.Health/")));
}

bool rely_grpc_is_probe(const struct rely_http_request *request)
{
    return request->has_trailers && rely_slice_starts(request->path, RELY_LIT("/grpc.health.v1.Health/"));
}

/* `application/grpc`, and what may stand behind it: application/grpc-web is another protocol. */
static bool is_grpc(const struct rely_http_request *request)
{
    size_t count;
    struct rely_slice type = rely_http_find_header(request, RELY_LIT("content-type"), &count);
    struct rely_slice name = RELY_LIT("application/grpc");
    if (count != 1 || type.len < name.len || strncasecmp(type.ptr, name.ptr, name.len) != 0)
        return false;
    return type.len == name.len || type.ptr[name.len] == '+' || type.ptr[name.len] == ';';
}

/* One message, whole and as it is. Out: *sentence unless it is RELY_GRPC_OK. */
static enum rely_grpc_code read_message(const struct rely_http_request *request, struct rely_slice *message,
                                        const char **sentence)
{
    const unsigned char *prefix = (const unsigned char *)request->body.ptr;
    *sentence = "a call has one message, which is whole";
    if (request->body.len < PREFIX_BYTES)
        return RELY_GRPC_INTERNAL;
    if (prefix[0] != 0) {
        bool is_named = rely_http_find_header(request, RELY_LIT("grpc-encoding"), NULL).ptr != NULL;
        *sentence = "messages are not compressed here";
        return prefix[0] == 1 && is_named ? RELY_GRPC_UNIMPLEMENTED : RELY_GRPC_INTERNAL;
    }
    size_t len = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
    *message = rely_slice(request->body.ptr + PREFIX_BYTES, request->body.len - PREFIX_BYTES);
    return message->len == len ? RELY_GRPC_OK : RELY_GRPC_INTERNAL;
}

void rely_grpc_handle(const struct rely_data_door *door, struct rely_http_request *request,
                      const struct rely_caller *caller)
{
    struct rely_slice message;
    const char *sentence;
    enum method method = find_method(request);
    if (!rely_slice_equal(request->method, RELY_LIT("POST"))) {
        rely_http_refuse_method(request, "POST");
        return;
    }
    if (!is_grpc(request)) {
        rely_http_problem(request, 415, "unsupported_media_type", "gRPC has Content-Type: application/grpc", NULL);
        return;
    }
    if (method == METHOD_NONE) {
        fail_call(request, RELY_GRPC_UNIMPLEMENTED, "there is no such method here");
        return;
    }
    enum rely_grpc_code code = read_message(request, &message, &sentence);
    if (code != RELY_GRPC_OK)
        fail_call(request, code, sentence);
    else if (method == METHOD_CHECK)
        rely_grpc_check(door, request, caller, message);
    else if (method == METHOD_HEALTH)
        check_health(request, message);
    else if (method == METHOD_HEALTH_WATCH)
        watch_health(request, message);
    else
        list_health(request);
}

void rely_grpc_refuse_caller(struct rely_reviewer *reviewer, struct rely_http_request *request, const char *why)
{
    rely_grpc_check_refuse(reviewer, request, RELY_CALLER_NOT_PERMITTED, why);
}

/* Too long is what a client has sent, and the gateway passed on: in practice the token. */
void rely_grpc_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                      const struct rely_http_refusal *refusal)
{
    bool is_large = refusal->kind == RELY_HTTP_HEAD_TOO_LARGE || refusal->kind == RELY_HTTP_BODY_TOO_LARGE;
    rely_grpc_check_refuse(reviewer, request, is_large ? RELY_TOKEN_TOO_LARGE : RELY_INVALID_QUERY, refusal->detail);
}

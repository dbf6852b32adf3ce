/*
 * What handlers do with a request, whatever carries it: read a header, know who asked, keep it, answer it. Decides
 * whether the bytes of an answer are safe to send; does not decide what is answered. Called by handlers.
 */
#include "head.h"
#include "relyd/base.h"
#include "relyd/connection.h"
#include "relyd/observe.h"

#include <stdio.h>

struct rely_slice rely_http_find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    return request->transport->find_header(request, name, count);
}

enum rely_bearer rely_http_bearer(const struct rely_http_request *request, struct rely_slice *token)
{
    return rely_http_bearer_in(request, RELY_LIT("authorization"), token);
}

enum rely_bearer rely_http_bearer_in(const struct rely_http_request *request, struct rely_slice name,
                                     struct rely_slice *token)
{
    size_t count;
    struct rely_slice value = rely_http_find_header(request, name, &count);
    if (count == 0)
        return RELY_BEARER_NONE;
    return count > 1 ? RELY_BEARER_BAD : rely_http_read_bearer(value, token);
}

bool rely_http_peer_is_in(const struct rely_http_request *request, uint32_t group)
{
    return request->is_unix && request->transport->is_in_group(request, group);
}

void rely_http_peer(const struct rely_http_request *request, char out[RELY_PEER_SIZE])
{
    if (request->is_unix)
        snprintf(out, RELY_PEER_SIZE, "unix:%u", request->peer_uid);
    else
        request->transport->peer(request, out);
}

bool rely_http_is_ending(const struct rely_http_request *request)
{
    return rely_loop_is_draining(request->loop);
}

void rely_http_defer(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    request->transport->defer(request, gone, context);
}

void rely_http_put_off(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    RELY_ASSERT(!request->is_again);
    request->transport->put_off(request, gone, context);
}

static bool is_sendable(const struct rely_http_response *response)
{
    bool is_safe = !rely_http_has_control(response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        is_safe = is_safe && !rely_http_has_control(response->headers[i].value);
    return is_safe;
}

/* A fault of relyd's own: whoever wrote the header let a control character through. */
static void say_unsendable(const struct rely_loop *loop, int status)
{
    const struct rely_loop_options *options = rely_loop_get_options(loop);
    rely_count(&options->counters->unsendable, 1);
    if (options->ring != NULL)
        rely_log_event(options->ring, RELY_LOG_ERROR, "unsendable_answer",
                       "an answer with status %d has a control character in a header: it was not sent, but 500",
                       status);
}

void rely_http_respond(struct rely_http_request *request, const struct rely_http_response *response)
{
    static const struct rely_http_response unsendable = {.status = 500};
    bool may_go = is_sendable(response);
    if (!may_go)
        say_unsendable(request->loop, response->status);
    request->transport->respond(request, may_go ? response : &unsendable);
}

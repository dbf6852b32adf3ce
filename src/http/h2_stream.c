/*
 * One request of an HTTP/2 connection, from its first header to its end: keeps what has come of it until it is whole,
 * gives it to the handler, and refuses what is too large, too slow, or has two meanings. Knows nothing of frames. Called
 * by h2_session.c and h2_connection.c.
 */
#include "h2.h"

#include "relyd/clock.h"
#include "relyd/peer.h"
#include "relyd/pool.h"

#include <stdlib.h>

static const struct rely_http_plane *plane_of_stream(const struct rely_h2_stream *stream)
{
    return stream->h2->connection->base.service;
}

static struct rely_http_head *head_of(const struct rely_h2_stream *stream)
{
    return &rely_http_shared_of(stream->h2->connection)->head;
}

/* --- what handlers ask of it ---------------------------------------------------------------------------------- */

static struct rely_slice find_in_stream(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    const struct rely_h2_stream *stream = (const void *)request;
    RELY_ASSERT(stream->phase == RELY_H2_HANDLES); /* else they are another request's */
    return rely_http_head_find(head_of(stream), name, count);
}

static void defer_stream(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    struct rely_h2_stream *stream = (void *)request;
    RELY_ASSERT(stream->phase == RELY_H2_HANDLES);
    stream->gone = gone;
    stream->gone_context = context;
    rely_h2_stream_set_phase(stream, RELY_H2_WAITS);
}

static void put_stream_off(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    defer_stream(request, gone, context);
    ((struct rely_h2_stream *)(void *)request)->is_put_off = true;
}

static void print_stream_peer(const struct rely_http_request *request, char *out)
{
    const struct rely_h2_stream *stream = (const void *)request;
    rely_connection_print_peer(&stream->h2->connection->base, out);
}

static bool is_stream_in_group(const struct rely_http_request *request, uint32_t group)
{
    const struct rely_h2_stream *stream = (const void *)request;
    return rely_connection_peer_is_in(&stream->h2->connection->base, group);
}

/* --- its life ------------------------------------------------------------------------------------------------- */

static unsigned *count_of(struct rely_h2 *h2, enum rely_h2_phase phase)
{
    static unsigned none;
    return phase == RELY_H2_READS      ? &h2->unfinished
           : phase == RELY_H2_WAITS    ? &h2->waiting
           : phase == RELY_H2_ANSWERED ? &h2->answered
           : phase == RELY_H2_HOLDS    ? &h2->holding
                                       : &none;
}

void rely_h2_stream_set_phase(struct rely_h2_stream *stream, enum rely_h2_phase phase)
{
    if (stream->phase != RELY_H2_HANDLES)
        --*count_of(stream->h2, stream->phase);
    if (phase != RELY_H2_HANDLES)
        ++*count_of(stream->h2, phase);
    stream->phase = phase;
}

static size_t limit_of_requests(const struct rely_h2 *h2)
{
    const struct rely_loop_options *options = rely_loop_get_options(h2->connection->base.loop);
    uint64_t held = __atomic_load_n(&options->counters->held_bytes, __ATOMIC_RELAXED);
    return held < options->max_memory_bytes / 8 ? RELY_H2_REQUESTS_BYTES_AT_EASE : RELY_H2_REQUESTS_BYTES;
}

struct rely_h2_stream *rely_h2_stream_open(struct rely_h2 *h2, int32_t id)
{
    bool is_blocked =
        h2->blocked >= RELY_H2_BLOCKED_MAX || (h2->blocked > 0 && h2->answers_bytes >= RELY_H2_ANSWERS_BYTES);
    if (h2->is_leaving || is_blocked || h2->requests_bytes >= limit_of_requests(h2))
        return NULL;
    struct rely_h2_stream *stream = rely_alloc(sizeof *stream);
    stream->h2 = h2;
    stream->id = id;
    stream->since_ms = rely_clock_coarse_ms();
    stream->place = h2->streams_end;
    *h2->streams_end = stream;
    h2->streams_end = &stream->next;
    h2->unfinished++;
    return stream;
}

static void drop_request(struct rely_h2_stream *stream)
{
    rely_buf_fini(&stream->head);
    rely_buf_fini(&stream->body);
    stream->h2->requests_bytes -= stream->counted_bytes;
    stream->counted_bytes = 0;
}

void rely_h2_stream_close(struct rely_h2_stream *stream)
{
    struct rely_h2 *h2 = stream->h2;
    if (stream->phase == RELY_H2_WAITS && stream->gone != NULL)
        stream->gone(stream->gone_context);
    *stream->place = stream->next;
    *(stream->next == NULL ? &h2->streams_end : &stream->next->place) = stream->place;
    drop_request(stream);
    h2->answers_bytes -= stream->answer_len;
    h2->held -= stream->is_held;
    rely_h2_stream_set_phase(stream, RELY_H2_HANDLES); /* out of all counts */
    rely_buf_fini(&stream->trailers);
    free(stream->answer);
    free(stream);
}

/* --- to the handler --------------------------------------------------------------------------------------------- */

static void handle_stream_again(struct rely_http_request *request);

static const struct rely_http_transport stream_transport = {
    .find_header = find_in_stream,
    .respond = rely_h2_respond,
    .defer = defer_stream,
    .may_hold = rely_h2_may_hold,
    .put_off = put_stream_off,
    .handle_again = handle_stream_again,
    .is_in_group = is_stream_in_group,
    .peer = print_stream_peer,
};

static void fill_stream_request(struct rely_h2_stream *stream, struct rely_slice method, struct rely_slice target_text)
{
    const struct rely_connection *base = &stream->h2->connection->base;
    struct rely_http_target target;
    rely_http_read_target(target_text, &target);
    stream->is_head = rely_slice_equal(method, RELY_LIT("HEAD"));
    stream->request = (struct rely_http_request){.transport = &stream_transport,
                                                 .method = method,
                                                 .path = target.path,
                                                 .query = target.query,
                                                 .scratch = rely_loop_scratch(base->loop),
                                                 .loop = base->loop,
                                                 .has_trailers = true,
                                                 .is_unix = base->is_unix,
                                                 .peer_uid = base->peer_uid,
                                                 .is_tls = base->ssl != NULL,
                                                 .certificate = base->certificate};
}

/* It is no more than somebody to answer. */
static void empty_stream_request(struct rely_h2_stream *stream)
{
    struct rely_http_request *request = &stream->request;
    request->method = request->path = request->query = request->body = rely_slice(NULL, 0);
    if (!stream->is_put_off)
        drop_request(stream);
    rely_pool_reset(request->scratch);
}

static void handle_stream(struct rely_h2_stream *stream)
{
    const struct rely_http_plane *plane = plane_of_stream(stream);
    struct rely_slice body = rely_buf_slice(&stream->body);
    stream->request.body = body.len > 0 ? body : rely_slice(NULL, 0);
    rely_h2_stream_set_phase(stream, RELY_H2_HANDLES);
    plane->handle(&stream->request, plane->context);
    RELY_ASSERT(stream->phase == RELY_H2_ANSWERED || stream->phase == RELY_H2_WAITS);
    empty_stream_request(stream);
}

/* It is whole, for the first time. */
static void serve_stream(struct rely_h2_stream *stream)
{
    struct rely_h2 *h2 = stream->h2;
    h2->has_served = true;
    h2->frames -= h2->frames < RELY_H2_FRAMES_OF_A_REQUEST ? h2->frames : RELY_H2_FRAMES_OF_A_REQUEST;
    handle_stream(stream);
}

/* --- refusals ------------------------------------------------------------------------------------------------------ */

/* Method and path as they seem to be: of a head that was too large, the first that came. */
static void peek_packed(struct rely_slice packed, struct rely_slice *method, struct rely_slice *target)
{
    struct rely_slice name, value;
    *method = *target = rely_slice(NULL, 0);
    while (rely_h2_unpack(&packed, &name, &value))
        if (rely_slice_equal(name, RELY_LIT(":method")))
            *method = value;
        else if (rely_slice_equal(name, RELY_LIT(":path")))
            *target = value;
}

void rely_h2_stream_refuse(struct rely_h2_stream *stream, const struct rely_http_fault *fault)
{
    struct rely_slice method, target;
    if (fault->kind == RELY_HTTP_HEAD_TOO_LARGE)
        rely_connection_count_cut(&stream->h2->connection->base, RELY_CUT_HEAD_SIZE);
    peek_packed(rely_buf_slice(&stream->head), &method, &target);
    head_of(stream)->field_count = 0;
    fill_stream_request(stream, method, target);
    rely_h2_stream_set_phase(stream, RELY_H2_HANDLES);
    rely_http_word_refusal(&stream->request, plane_of_stream(stream), fault);
    RELY_ASSERT(stream->phase == RELY_H2_ANSWERED);
    empty_stream_request(stream);
}

bool rely_h2_stream_count_held(struct rely_h2_stream *stream)
{
    struct rely_h2 *h2 = stream->h2;
    if (stream->phase != RELY_H2_READS)
        return true; /* what was answered may not be sent again */
    size_t bytes = sizeof *stream + stream->head.cap + stream->body.cap;
    h2->requests_bytes += bytes - stream->counted_bytes;
    stream->counted_bytes = bytes;
    if (h2->requests_bytes <= 2 * limit_of_requests(h2))
        return true;
    const struct rely_h2_stream *oldest = h2->streams;
    while (oldest != NULL && oldest->phase != RELY_H2_READS)
        oldest = oldest->next;
    return oldest == NULL || oldest == stream;
}

/* --- what comes of it ------------------------------------------------------------------------------------------------ */

/* What its head says about its body, where somebody looks at that. */
static bool judge_stream_body(struct rely_h2_stream *stream, struct rely_http_fault *fault)
{
    const struct rely_http_head *head = head_of(stream);
    stream->max_body_bytes = rely_http_body_limit(plane_of_stream(stream), &stream->request);
    if (head->has_other_expectation)
        *fault = (struct rely_http_fault){RELY_HTTP_EXPECTATION_UNKNOWN, NULL};
    else if (head->length > stream->max_body_bytes)
        *fault = (struct rely_http_fault){RELY_HTTP_BODY_TOO_LARGE, NULL};
    else
        return true;
    return false;
}

/* Out of the fields that were kept: other requests have had the place of those that were read. */
static bool read_stream_head(struct rely_h2_stream *stream, struct rely_http_fault *fault)
{
    struct rely_http_head *head = head_of(stream);
    if (stream->is_head_too_large)
        *fault = (struct rely_http_fault){RELY_HTTP_HEAD_TOO_LARGE, NULL};
    if (stream->is_head_too_large || !rely_h2_read_head(rely_buf_slice(&stream->head), head, fault))
        return false;
    fill_stream_request(stream, head->method, head->target);
    return true;
}

void rely_h2_stream_take_head(struct rely_h2_stream *stream)
{
    const struct rely_http_plane *plane = plane_of_stream(stream);
    struct rely_http_fault fault;
    stream->has_head = true;
    if (!read_stream_head(stream, &fault)) {
        rely_h2_stream_refuse(stream, &fault);
        return;
    }
    bool needs_body = plane->needs_body == NULL || plane->needs_body(&stream->request);
    if (needs_body && !judge_stream_body(stream, &fault))
        rely_h2_stream_refuse(stream, &fault);
    else if (!needs_body || stream->is_ended || stream->request.path.ptr == NULL)
        serve_stream(stream);
    else if (head_of(stream)->expects_continue)
        rely_h2_answer_continue(stream);
}

void rely_h2_stream_take_body(struct rely_h2_stream *stream, struct rely_slice bytes)
{
    const struct rely_http_fault too_large = {RELY_HTTP_BODY_TOO_LARGE, NULL};
    if (stream->phase != RELY_H2_READS)
        return; /* it has been answered from its head, or refused */
    if (bytes.len > stream->max_body_bytes - stream->body.len)
        rely_h2_stream_refuse(stream, &too_large);
    else
        rely_buf_put(&stream->body, bytes);
}

void rely_h2_stream_end(struct rely_h2_stream *stream)
{
    struct rely_http_fault fault;
    stream->is_ended = true;
    if (stream->phase != RELY_H2_READS || !stream->has_head)
        return;
    bool is_read = read_stream_head(stream, &fault);
    RELY_ASSERT(is_read); /* as when it came */
    serve_stream(stream);
}

static void handle_stream_again(struct rely_http_request *request)
{
    struct rely_h2_stream *stream = (void *)request;
    struct rely_http_fault fault;
    RELY_ASSERT(stream->phase == RELY_H2_WAITS && stream->is_put_off);
    bool is_read = read_stream_head(stream, &fault);
    RELY_ASSERT(is_read);
    stream->is_put_off = false;
    request->is_again = true;
    handle_stream(stream);
}

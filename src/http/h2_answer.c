/*
 * Queues the answer to a request of HTTP/2, its body and its trailers. Decides what HEAD, 204 and 304 leave out; does
 * not decide what is answered. Called by request.c, which has looked at the answer, and by h2_stream.c.
 */
#include "h2.h"

#include "relyd/clock.h"
#include "relyd/pool.h"

#include <stdlib.h>

/* What libnghttp2 takes for its own to change, and does not. */
static nghttp2_nv make_pair(struct rely_slice name, struct rely_slice value)
{
    bool is_new_each_time = rely_slice_equal(name, RELY_LIT("x-relyd-decision-id"));
    return (nghttp2_nv){.name = rely_as_owner(name.ptr),
                        .value = rely_as_owner(value.ptr),
                        .namelen = name.len,
                        .valuelen = value.len,
                        .flags = is_new_each_time ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
}

struct pairs {
    nghttp2_nv *items;
    size_t count;
};

/* RFC 9113 s8.2.1: no value begins or ends in a blank; over HTTP/1.1 whoever reads it leaves those out. */
static void put_pair(struct pairs *pairs, struct rely_slice name, struct rely_slice value)
{
    pairs->items[pairs->count++] = make_pair(name, rely_http_trim_blanks(value));
}

static bool leaves_body_out(const struct rely_h2_stream *stream, const struct rely_http_response *response)
{
    return stream->is_head || rely_http_has_no_body(response->status);
}

static struct rely_slice print_in_pool(struct rely_pool *pool, size_t number)
{
    return rely_http_print_number(number, rely_pool_alloc(pool, RELY_HTTP_DIGITS));
}

#define PAIRS_OF_OUR_OWN 4 /* :status, date, content-length, content-type */

static void list_pairs(const struct rely_h2_stream *stream, const struct rely_http_response *response,
                       struct rely_pool *pool, struct pairs *pairs)
{
    bool has_length = response->trailer_count == 0 && !rely_http_has_no_body(response->status);
    pairs->items = rely_pool_alloc(pool, (response->header_count + PAIRS_OF_OUR_OWN) * sizeof *pairs->items);
    pairs->count = 0;
    put_pair(pairs, RELY_LIT(":status"), print_in_pool(pool, (size_t)response->status));
    put_pair(pairs, RELY_LIT("date"), rely_http_date(rely_http_shared_of(stream->h2->connection)));
    if (has_length)
        put_pair(pairs, RELY_LIT("content-length"), print_in_pool(pool, response->body.len));
    if (response->content_type.ptr != NULL)
        put_pair(pairs, RELY_LIT("content-type"), response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        put_pair(pairs, response->headers[i].name, response->headers[i].value);
}

static void queue_trailers(const struct rely_h2_stream *stream)
{
    struct rely_slice rest = rely_buf_slice(&stream->trailers), name, value;
    nghttp2_nv items[RELY_HTTP_TRAILERS_MAX];
    struct pairs pairs = {items, 0};
    while (rely_h2_unpack(&rest, &name, &value))
        put_pair(&pairs, name, value);
    int result = nghttp2_submit_trailer(stream->h2->session, stream->id, pairs.items, pairs.count);
    RELY_ASSERT(result == 0 || result == NGHTTP2_ERR_NOMEM);
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *context)
{
    struct rely_h2_stream *stream = source->ptr;
    size_t due = stream->held_from > 0 ? stream->held_from : stream->answer_len;
    size_t left = due - stream->answer_sent, len = left < size ? left : size;
    (void)session;
    (void)id;
    (void)context;
    if (len > 0)
        memcpy(out, stream->answer + stream->answer_sent, len);
    stream->answer_sent += len;
    if (len < left)
        return (ssize_t)len;
    if (stream->held_from > 0) {
        rely_h2_stream_set_phase(stream, RELY_H2_HOLDS);
        return len > 0 ? (ssize_t)len : NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers.len > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        queue_trailers(stream);
    }
    return (ssize_t)len;
}

static void keep_answer(struct rely_h2_stream *stream, const struct rely_http_response *response)
{
    RELY_ASSERT(response->trailer_count <= RELY_HTTP_TRAILERS_MAX && response->held_from <= response->body.len);
    for (size_t i = 0; i < response->trailer_count; i++)
        rely_h2_pack(&stream->trailers, response->trailers[i].name, response->trailers[i].value);
    if (leaves_body_out(stream, response) || response->body.len == 0)
        return;
    stream->answer = rely_alloc(response->body.len);
    memcpy(stream->answer, response->body.ptr, response->body.len);
    stream->answer_len = response->body.len;
    stream->held_from = response->held_from;
    stream->is_held = stream->held_from > 0;
    stream->h2->held += stream->is_held;
    stream->h2->answers_bytes += stream->answer_len;
}

/* Else there would be no memory to send those that are queued, and the connection would end with all of them. */
static bool has_room_for_pairs(const struct rely_h2 *h2, const struct pairs *pairs)
{
    size_t bytes = h2->library_bytes + RELY_H2_SENDING_BYTES;
    for (size_t i = 0; i < pairs->count; i++)
        bytes += sizeof pairs->items[i] + pairs->items[i].namelen + pairs->items[i].valuelen;
    return bytes <= RELY_H2_LIBRARY_BYTES;
}

void rely_h2_respond(struct rely_http_request *request, const struct rely_http_response *response)
{
    struct rely_h2_stream *stream = (void *)request;
    struct rely_h2 *h2 = stream->h2;
    const nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = read_answer};
    struct pairs pairs;
    RELY_ASSERT(stream->phase == RELY_H2_HANDLES || stream->phase == RELY_H2_WAITS);
    rely_h2_stream_set_phase(stream, RELY_H2_ANSWERED);
    stream->is_put_off = false;
    stream->answered_ms = rely_clock_coarse_ms();
    list_pairs(stream, response, rely_loop_scratch(h2->connection->base.loop), &pairs);
    keep_answer(stream, response);
    bool has_more = stream->answer_len > 0 || stream->trailers.len > 0;
    int result = NGHTTP2_ERR_NOMEM;
    if (has_room_for_pairs(h2, &pairs))
        result = nghttp2_submit_response(h2->session, stream->id, pairs.items, pairs.count, has_more ? &body : NULL);
    if (result != 0) /* there is no memory for it: the client is told */
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
    /* Whoever answers goes on to others that wait, of this connection too: it must not close under his hands. */
    if (!h2->is_at_work)
        rely_connection_want_turn(&h2->connection->base);
}

bool rely_h2_may_hold(const struct rely_http_request *request)
{
    const struct rely_h2_stream *stream = (const void *)request;
    return stream->h2->held < RELY_H2_HELD_MAX;
}

/* Its client has closed a window. */
static bool has_no_way_out(const struct rely_h2_stream *stream)
{
    nghttp2_session *session = stream->h2->session;
    int32_t left = (int32_t)(stream->answer_len - stream->answer_sent);
    return nghttp2_session_get_remote_window_size(session) < left ||
           nghttp2_session_get_stream_remote_window_size(session, stream->id) < left;
}

void rely_h2_release(struct rely_h2_stream *stream)
{
    if (stream->held_from == 0)
        return;
    stream->held_from = 0;
    if (has_no_way_out(stream)) { /* no drain waits for that */
        nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        return;
    }
    rely_h2_stream_set_phase(stream, RELY_H2_ANSWERED);
    stream->answered_ms = rely_clock_coarse_ms();
    /* Not needed, and refused, where its beginning has not gone out: that goes on by itself. */
    nghttp2_session_resume_data(stream->h2->session, stream->id);
}

void rely_h2_answer_continue(struct rely_h2_stream *stream)
{
    const nghttp2_nv status = make_pair(RELY_LIT(":status"), RELY_LIT("100"));
    nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
}

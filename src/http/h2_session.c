/*
 * What libnghttp2 tells of a connection's frames, and what is asked of it: streams begin and end, what a client does for
 * nothing is counted. libnghttp2 sees to framing, HPACK, windows and the form of pseudo-headers (RFC 9113); what it lets
 * pass is looked at here and in h2_head.c. No stream is handled before all is there that its handler looks at, so that
 * to give one up costs the server no more than it costs the client. Called by h2_connection.c.
 */
#include "h2.h"

#include "relyd/clock.h"

#include <stdlib.h>

/* --- memory of its own ------------------------------------------------------------------------------------------- */

/* In front of each piece stands its size. */
#define SIZE_BYTES 16 /* keeps the alignment */

static bool has_room_for(const struct rely_h2 *h2, size_t size)
{
    return size <= RELY_H2_LIBRARY_BYTES && h2->library_bytes <= RELY_H2_LIBRARY_BYTES - size;
}

static size_t size_of(const void *memory)
{
    size_t size = 0;
    memcpy(&size, (const char *)memory - SIZE_BYTES, sizeof size);
    return size;
}

static void give_memory_back(void *memory, void *context)
{
    struct rely_h2 *h2 = context;
    if (memory == NULL)
        return;
    h2->library_bytes -= size_of(memory);
    free((char *)memory - SIZE_BYTES);
}

static void *take_zeroed_memory(size_t count, size_t size, void *context)
{
    struct rely_h2 *h2 = context;
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || !has_room_for(h2, bytes))
        return NULL;
    char *taken = rely_alloc(SIZE_BYTES + bytes);
    memcpy(taken, &bytes, sizeof bytes);
    h2->library_bytes += bytes;
    return taken + SIZE_BYTES;
}

static void *take_memory(size_t size, void *context)
{
    return take_zeroed_memory(1, size, context);
}

static void *resize_memory(void *memory, size_t size, void *context)
{
    void *taken = take_memory(size, context);
    if (taken == NULL || memory == NULL)
        return taken;
    memcpy(taken, memory, size_of(memory) < size ? size_of(memory) : size);
    give_memory_back(memory, context);
    return taken;
}

/* --- what was done for nothing -------------------------------------------------------------------------------------- */

void rely_h2_say_leaving(struct rely_h2 *h2, uint32_t code)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    h2->is_leaving = true;
    int result = code == NGHTTP2_NO_ERROR ? nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, code, NULL, 0)
                                          : nghttp2_session_terminate_session(h2->session, code);
    if (result != 0) /* there is no memory for it, and nothing else would end the session */
        h2->connection->phase = RELY_HTTP_CLOSES;
}

void rely_h2_count(struct rely_h2 *h2, unsigned *count, unsigned limit)
{
    int64_t now_ms = rely_clock_coarse_ms();
    if (now_ms - h2->second_ms >= 1000) {
        h2->second_ms = now_ms;
        h2->frames = h2->resets = h2->refusals = 0;
    }
    if (++*count <= limit || h2->is_leaving)
        return;
    rely_connection_count_cut(&h2->connection->base, RELY_CUT_FRAMES);
    rely_h2_say_leaving(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- frames that come ------------------------------------------------------------------------------------------------- */

static struct rely_h2_stream *find_stream(const struct rely_h2 *h2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* No room: what was not looked at may be sent again (RFC 9113 s8.7). */
static void refuse_stream(struct rely_h2 *h2, int32_t id)
{
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    rely_h2_count(h2, &h2->refusals, RELY_H2_REFUSALS_PER_SECOND);
}

static int note_frame_head(nghttp2_session *session, const nghttp2_frame_hd *head, void *context)
{
    struct rely_h2 *h2 = context;
    (void)session;
    (void)head;
    rely_h2_count(h2, &h2->frames, RELY_H2_FRAMES_PER_SECOND);
    return 0;
}

/* Trailers of a request are nobody's: none of relyd's callers sends any. */
static int note_headers_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct rely_h2 *h2 = context;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct rely_h2_stream *stream = rely_h2_stream_open(h2, id);
    if (stream == NULL)
        refuse_stream(h2, id);
    else
        nghttp2_session_set_stream_user_data(session, id, stream);
    return 0;
}

/* As much as a head of HTTP/1.1 may have, counted as it would stand there. */
static void keep_field(struct rely_h2_stream *stream, struct rely_slice name, struct rely_slice value)
{
    const struct rely_loop_options *options = rely_loop_get_options(stream->h2->connection->base.loop);
    size_t is_pseudo = name.len > 0 && name.ptr[0] == ':';
    if (stream->is_head_too_large)
        return;
    if (stream->head.len + name.len + value.len + 8 > options->max_head_bytes ||
        stream->field_count + 1 - is_pseudo > RELY_HTTP_FIELDS_MAX) {
        stream->is_head_too_large = true;
        return;
    }
    stream->field_count += 1 - is_pseudo;
    rely_h2_pack(&stream->head, name, value);
}

static int note_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                       const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    struct rely_h2_stream *stream = find_stream(context, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (stream != NULL && !stream->has_head)
        keep_field(stream, rely_slice((const char *)name, name_len), rely_slice((const char *)value, value_len));
    return 0;
}

/* A header that is none must not be left out, and the request go on without it: whoever stands in front may have read
 * it. */
static int refuse_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                                 size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    (void)session;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)context;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int note_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                     void *context)
{
    struct rely_h2 *h2 = context;
    struct rely_h2_stream *stream = find_stream(h2, id);
    (void)session;
    (void)flags;
    if (stream == NULL)
        return 0;
    rely_h2_stream_take_body(stream, rely_slice((const char *)data, len));
    if (!rely_h2_stream_count_held(stream))
        refuse_stream(h2, id);
    return 0;
}

static int note_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct rely_h2 *h2 = context;
    uint8_t type = frame->hd.type;
    (void)session;
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA)
        return 0;
    struct rely_h2_stream *stream = find_stream(h2, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (type == NGHTTP2_HEADERS) {
        stream->is_ended = is_last;
        if (rely_h2_stream_count_held(stream))
            rely_h2_stream_take_head(stream);
        else
            refuse_stream(h2, stream->id);
    } else if (is_last)
        rely_h2_stream_end(stream);
    return 0;
}

static int note_stream_end(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct rely_h2_stream *stream = find_stream(context, id);
    (void)session;
    (void)code;
    if (stream != NULL)
        rely_h2_stream_close(stream);
    return 0;
}

/* --- frames that go ---------------------------------------------------------------------------------------------------- */

/* RFC 9113 s8.1: all is answered, and the client need not go on. */
static void end_input_of(struct rely_h2 *h2, int32_t id)
{
    const struct rely_h2_stream *stream = find_stream(h2, id);
    if (stream != NULL && !stream->is_ended)
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static int note_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct rely_h2 *h2 = context;
    (void)session;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        uint32_t code = frame->rst_stream.error_code;
        if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_REFUSED_STREAM)
            rely_h2_count(h2, &h2->resets, RELY_H2_RESETS_PER_SECOND);
    } else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        end_input_of(h2, frame->hd.stream_id);
    return 0;
}

/* --- its settings --------------------------------------------------------------------------------------------------------- */

nghttp2_session_callbacks *rely_h2_make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    RELY_ASSERT(result == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, note_frame_head);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, note_headers_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, note_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, refuse_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, note_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, note_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, note_stream_end);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, note_sent);
    return callbacks;
}

#define SETTINGS_TAKEN_MAX 8 /* in one frame of the client's */
#define ACKS_UNSENT_MAX 100  /* that a client which does not read makes us queue */
#define TABLE_BYTES 4096     /* of HPACK, whatever a client would like */

nghttp2_option *rely_h2_make_option(void)
{
    nghttp2_option *option = NULL;
    int result = nghttp2_option_new(&option);
    RELY_ASSERT(result == 0);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_settings(option, SETTINGS_TAKEN_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_UNSENT_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, TABLE_BYTES);
    nghttp2_option_set_stream_reset_rate_limit(option, RELY_H2_GIVEN_UP_MAX, RELY_H2_GIVEN_UP_PER_SECOND);
    return option;
}

nghttp2_session *rely_h2_make_session(struct rely_h2 *h2)
{
    const struct rely_h2_shared *shared = rely_http_shared_of(h2->connection)->h2;
    const struct rely_loop_options *options = rely_loop_get_options(h2->connection->base.loop);
    nghttp2_mem memory = {.mem_user_data = h2,
                          .malloc = take_memory,
                          .free = give_memory_back,
                          .calloc = take_zeroed_memory,
                          .realloc = resize_memory};
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, RELY_H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->max_head_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_session *session = NULL;
    int result = nghttp2_session_server_new3(&session, shared->callbacks, h2, shared->option, &memory);
    RELY_ASSERT(result == 0);
    result = nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
    RELY_ASSERT(result == 0);
    return session;
}

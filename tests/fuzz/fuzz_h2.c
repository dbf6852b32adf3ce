/*
 * Fuzzes a whole HTTP/2 connection over a made-up loop: what a client sends behind its preface, in any cuts, however little
 * of its answers is taken at once, comes to the same requests in the same order, and to the same answers. What RFC 9113
 * lets depend on time is left out: how far a connection comes that ends in an error, streams that were refused for want
 * of room or reset, and what closed windows keep. The first byte says how it is cut.
 */
#include "made_up_loop.h"

#include "h2.h"

#include <stdlib.h>

#define HANDLED_MAX 1024
#define STREAMS_MAX 1024 /* more than there is input for */
#define WAITING_MAX RELY_H2_STREAMS_MAX

/* --- what comes out ------------------------------------------------------------------------------------------ */

struct answered {
    uint32_t id;
    uint64_t head, body; /* hashes */
    bool has_head, has_ended, is_reset;
};

struct outcome {
    uint64_t handled[HANDLED_MAX]; /* hashes of requests, and of refusals */
    size_t handled_count;
    struct answered streams[STREAMS_MAX];
    size_t stream_count;
    bool has_refused, has_failed, has_ended; /* RST_STREAM for want of room; GOAWAY with and without an error */
};

static struct outcome outcomes[2];
static struct outcome *outcome;

static uint64_t hash_on(uint64_t hash, struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return (hash ^ 256) * 1099511628211u; /* where it ends */
}

static void note_handled(uint64_t hash)
{
    RELY_ASSERT(outcome->handled_count < HANDLED_MAX);
    outcome->handled[outcome->handled_count++] = hash;
}

static struct answered *find_answered(uint32_t id)
{
    RELY_ASSERT(id % 2 == 1);
    for (size_t i = 0; i < outcome->stream_count; i++)
        if (outcome->streams[i].id == id)
            return &outcome->streams[i];
    RELY_ASSERT(outcome->stream_count < STREAMS_MAX);
    outcome->streams[outcome->stream_count] = (struct answered){.id = id};
    return &outcome->streams[outcome->stream_count++];
}

/* --- the handler ---------------------------------------------------------------------------------------------- */

static struct rely_http_request *waiting[WAITING_MAX];
static size_t waiting_count;

static void forget_waiting(void *context)
{
    for (size_t i = 0; i < waiting_count; i++)
        if (waiting[i] == context) {
            waiting[i] = waiting[--waiting_count];
            return;
        }
    RELY_ASSERT(false); /* it was answered, or told before */
}

static void give_answer(struct rely_http_request *request, int status, struct rely_slice body)
{
    const struct rely_http_header trailer = {RELY_LIT("x-end"), RELY_LIT("yes")};
    const struct rely_http_header blank = {RELY_LIT("x-blank"), RELY_LIT(" \tof a claim \t")};
    bool has_trailer = rely_slice_equal(request->path, RELY_LIT("/trailers"));
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .body = body,
                                                            .content_type = RELY_LIT("text/plain"),
                                                            .headers = &blank,
                                                            .header_count = 1,
                                                            .trailers = &trailer,
                                                            .trailer_count = has_trailer});
}

static struct rely_slice body_of(const struct rely_http_request *request)
{
    static const char large[3000];
    size_t count = 0;
    if (rely_slice_equal(request->path, RELY_LIT("/large")))
        return rely_slice(large, sizeof large);
    struct rely_slice host = rely_http_find_header(request, RELY_LIT("host"), &count);
    RELY_ASSERT(count == 1);
    return rely_pool_printf(&world.scratch, "%.*s|%.*s|%.*s|%.*s|%.*s", RELY_ARG(request->method),
                            RELY_ARG(request->path), RELY_ARG(request->query), RELY_ARG(host), RELY_ARG(request->body));
}

static void handle(struct rely_http_request *request, void *context)
{
    (void)context;
    struct rely_slice body = body_of(request);
    note_handled(hash_on(request->method.len, body));
    if (rely_slice_equal(request->path, RELY_LIT("/defer"))) {
        RELY_ASSERT(waiting_count < WAITING_MAX);
        waiting[waiting_count++] = request;
        rely_http_defer(request, forget_waiting, request);
    } else
        give_answer(request, rely_slice_equal(request->path, RELY_LIT("/none")) ? 204 : 200, body);
}

static void refuse(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    (void)context;
    size_t count = 0;
    (void)rely_http_find_header(request, RELY_LIT("host"), &count);
    RELY_ASSERT(count == 0); /* it would be another request's */
    RELY_ASSERT(refusal->status >= 400 && refusal->kind != RELY_HTTP_TOO_SLOW);
    note_handled((uint64_t)refusal->kind);
    give_answer(request, refusal->status, rely_slice_of(refusal->detail));
}

static bool needs_body(const struct rely_http_request *request)
{
    return !rely_slice_starts(request->path, RELY_LIT("/check/"));
}

/* --- the client ------------------------------------------------------------------------------------------------- */

/* RFC 9113 s8.2.1, RFC 9110 s8.6: no value begins or ends in a blank, and 204 has no length. */
static void judge_answer_field(const nghttp2_nv *field, bool *has_no_body)
{
    struct rely_slice name = rely_slice((const char *)field->name, field->namelen);
    struct rely_slice value = rely_slice((const char *)field->value, field->valuelen);
    RELY_ASSERT(value.len == 0 ||
                (strchr(" \t", value.ptr[0]) == NULL && strchr(" \t", value.ptr[value.len - 1]) == NULL));
    *has_no_body = *has_no_body || (name.ptr[0] == ':' && rely_slice_equal(value, RELY_LIT("204")));
    RELY_ASSERT(!*has_no_body || !rely_slice_equal(name, RELY_LIT("content-length")));
}

/* Interim answers depend on what has come by then. */
static void read_answer_head(nghttp2_hd_inflater *inflater, struct answered *stream, struct rely_slice block)
{
    uint64_t hash = stream->head;
    bool is_interim = false, has_no_body = false;
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, (const uint8_t *)block.ptr, block.len, 1);
        RELY_ASSERT(used >= 0);
        block = rely_slice(block.ptr + used, block.len - (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            continue;
        struct rely_slice value = rely_slice((const char *)field.value, field.valuelen);
        judge_answer_field(&field, &has_no_body);
        is_interim = is_interim || (field.name[0] == ':' && rely_slice_equal(value, RELY_LIT("100")));
        hash = hash_on(hash_on(hash, rely_slice((const char *)field.name, field.namelen)), value);
    }
    nghttp2_hd_inflate_end_headers(inflater);
    stream->head = is_interim ? stream->head : hash;
    stream->has_head = stream->has_head || !is_interim;
}

static void read_answer_frame(nghttp2_hd_inflater *inflater, const unsigned char *frame, struct rely_slice payload)
{
    uint32_t id = (uint32_t)frame[5] << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8];
    uint8_t type = frame[3], flags = frame[4];
    if (type == NGHTTP2_GOAWAY) {
        bool is_error = memcmp(payload.ptr + 4, "\0\0\0\0", 4) != 0;
        outcome->has_failed = outcome->has_failed || is_error;
        outcome->has_ended = outcome->has_ended || !is_error;
    }
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA && type != NGHTTP2_RST_STREAM)
        return;
    struct answered *stream = find_answered(id);
    if (type == NGHTTP2_RST_STREAM) {
        stream->is_reset = true;
        outcome->has_refused = outcome->has_refused || payload.ptr[3] == NGHTTP2_REFUSED_STREAM;
        return;
    }
    RELY_ASSERT(!stream->has_ended && !stream->is_reset);
    if (type == NGHTTP2_HEADERS) {
        RELY_ASSERT(flags == NGHTTP2_FLAG_END_HEADERS || flags == (NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM));
        read_answer_head(inflater, stream, payload);
    } else {
        RELY_ASSERT(stream->has_head);
        for (size_t i = 0; i < payload.len; i++) /* however it is cut into frames */
            stream->body = (stream->body ^ (unsigned char)payload.ptr[i]) * 1099511628211u + 1;
    }
    stream->has_ended = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

static void read_answers(struct rely_slice output)
{
    nghttp2_hd_inflater *inflater = NULL;
    int result = nghttp2_hd_inflate_new(&inflater);
    RELY_ASSERT(result == 0);
    while (output.len >= 9) {
        const unsigned char *frame = (const unsigned char *)output.ptr;
        size_t len = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        RELY_ASSERT(len <= 16384);
        if (output.len < 9 + len)
            break; /* it closed while the client took none */
        read_answer_frame(inflater, frame, rely_slice(output.ptr + 9, len));
        output = rely_slice(output.ptr + 9 + len, output.len - 9 - len);
    }
    nghttp2_hd_inflate_del(inflater);
}

/* --- one connection ------------------------------------------------------------------------------------------- */

/* As who waits for keys is answered: all in one go. */
static void answer_waiting(void)
{
    while (waiting_count > 0)
        give_answer(waiting[--waiting_count], 202, RELY_LIT("late"));
}

static void play(struct rely_slice input, size_t step, size_t room, int64_t tick_us)
{
    static char output[OUTPUT_MAX];
    struct rely_http_plane plane = {.handle = handle, .refuse = refuse, .needs_body = needs_body, .speaks_http2 = true};
    struct rely_http_connection *connection = rely_alloc(sizeof *connection);
    connection->base.service = &plane;
    outcome->handled_count = outcome->stream_count = 0;
    outcome->has_refused = outcome->has_failed = outcome->has_ended = false;
    world_begin(input, step, room, output);
    world.tick_us = tick_us;
    for (unsigned turn = 1; !world.has_closed; turn++) {
        if (turn % 4 == 0)
            answer_waiting();
        world_turn(&connection->base);
        RELY_ASSERT(world.has_closed || connection->phase != RELY_HTTP_CLOSES);
    }
    RELY_ASSERT(waiting_count == 0); /* they have been told */
    RELY_ASSERT(world.counters.cuts[RELY_CUT_UNSENT] == 0);
    RELY_ASSERT(world.held_bytes <= RELY_H2_LIBRARY_BYTES + 2 * input.len + OUTPUT_MAX);
    read_answers(rely_slice(output, world.output_len));
}

static void compare_handled(const struct outcome *one, const struct outcome *other)
{
    size_t count = one->handled_count < other->handled_count ? one->handled_count : other->handled_count;
    for (size_t i = 0; i < count; i++)
        RELY_ASSERT(one->handled[i] == other->handled[i]);
}

static void compare_answers(const struct outcome *one)
{
    for (size_t i = 0; i < one->stream_count; i++) {
        const struct answered *stream = &one->streams[i], *same = find_answered(stream->id);
        if (stream->is_reset || same->is_reset || !stream->has_ended || !same->has_ended)
            continue;
        RELY_ASSERT(stream->head == same->head && stream->body == same->body);
    }
}

static bool was_orderly(const struct outcome *one)
{
    return one->has_ended && !one->has_failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[8192 + 32] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const size_t preface = 24;
    if (size < 2 || size > 8192)
        return 0;
    memcpy(bytes + preface, data + 1, size - 1);
    const struct rely_slice input = rely_slice(bytes, preface + size - 1);
    world.options = (struct rely_loop_options){
        .max_head_bytes = 1000, .max_body_bytes = 500, .body_timeout_ms = 1000, .idle_timeout_ms = 1000};
    world.options.counters = &world.counters;
    world.shared = rely_http_protocol.open_loop();
    rely_pool_init(&world.scratch);
    outcome = &outcomes[0];
    play(input, size + preface, OUTPUT_MAX, 0);
    outcome = &outcomes[1];
    play(input, 1 + data[0] % 32u, 9 + data[0] / 32u * 40, 600);
    if (!outcomes[0].has_refused && !outcomes[1].has_refused) {
        compare_handled(&outcomes[0], &outcomes[1]);
        bool is_comparable = was_orderly(&outcomes[0]) && was_orderly(&outcomes[1]);
        RELY_ASSERT(!is_comparable || outcomes[0].handled_count == outcomes[1].handled_count);
        if (is_comparable)
            compare_answers(&outcomes[0]);
    }
    rely_pool_fini(&world.scratch);
    rely_http_protocol.close_loop(world.shared);
    return 0;
}

/*
 * A connection that speaks HTTP/2: takes its bytes to the session, sends what the session has, and says what it is at.
 * Called by connection.c, which has found out what it speaks.
 *
 * What a read brings is taken in pieces, and what is left of it waits for the next turn of the loop when that has taken a
 * millisecond: a hundred requests at once must not make all others wait.
 */
#include "h2.h"

#include "relyd/clock.h"

#include <stdlib.h>

#define PIECE_BYTES ((size_t)1024) /* some forty of the smallest requests */
#define TURN_US 1000
#define OUTPUT_BYTES ((size_t)64 * 1024) /* of one write */

struct rely_h2_shared *rely_h2_open_loop(void)
{
    struct rely_h2_shared *shared = rely_alloc(sizeof *shared);
    shared->callbacks = rely_h2_make_callbacks();
    shared->option = rely_h2_make_option();
    return shared;
}

void rely_h2_close_loop(struct rely_h2_shared *shared)
{
    rely_buf_fini(&shared->output);
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->option);
    free(shared);
}

/* --- what it is at ---------------------------------------------------------------------------------------------- */

static void hold_all(struct rely_h2 *h2)
{
    struct rely_http_connection *connection = h2->connection;
    rely_connection_hold(&connection->base, sizeof *h2 + h2->library_bytes + h2->requests_bytes + h2->answers_bytes +
                                                h2->held * sizeof(struct rely_h2_stream) + connection->input_capacity +
                                                connection->output_len);
}

static enum rely_stage stage_of(const struct rely_h2 *h2)
{
    if (h2->connection->output != NULL)
        return RELY_STAGE_UNSENT;
    if (h2->waiting > 0 && rely_loop_is_draining(h2->connection->base.loop))
        return RELY_STAGE_ANSWER; /* at its end whoever waits is told, whatever else there is */
    if (h2->unfinished > 0)
        return RELY_STAGE_BODY;
    if (h2->answered > 0) /* its window is closed */
        return RELY_STAGE_UNSENT;
    if (h2->waiting > 0)
        return RELY_STAGE_ANSWER;
    return h2->holding > 0 ? RELY_STAGE_LISTENS : RELY_STAGE_IDLE;
}

static void enter_stage(struct rely_h2 *h2)
{
    struct rely_connection *base = &h2->connection->base;
    enum rely_stage stage = stage_of(h2);
    bool is_quiet = stage == RELY_STAGE_IDLE || stage == RELY_STAGE_LISTENS;
    if (base->stage != stage || (is_quiet && h2->has_served))
        rely_connection_enter(base, stage);
    h2->has_served = false;
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static struct rely_buf *output_of(const struct rely_h2 *h2)
{
    return &rely_http_shared_of(h2->connection)->h2->output;
}

/* Take what the session has to say, as much as one write takes: whatever answers it keeps its client does not take. */
static void collect_output(struct rely_h2 *h2)
{
    struct rely_buf *out = output_of(h2);
    h2->is_at_work = true;
    while (out->len < OUTPUT_BYTES && h2->connection->output == NULL) {
        const uint8_t *bytes = NULL;
        ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
        if (len < 0)
            h2->connection->phase = RELY_HTTP_CLOSES;
        if (len <= 0)
            break;
        rely_buf_put(out, rely_slice((const char *)bytes, (size_t)len));
    }
    h2->is_at_work = false;
    h2->blocked = h2->answered;
}

static void send_all(struct rely_h2 *h2)
{
    struct rely_http_connection *connection = h2->connection;
    struct rely_buf *out = output_of(h2);
    for (collect_output(h2); out->len > 0 && connection->phase != RELY_HTTP_CLOSES; collect_output(h2)) {
        ssize_t sent = rely_connection_send(&connection->base, out->ptr, out->len);
        if (sent == RELY_BROKEN)
            connection->phase = RELY_HTTP_CLOSES;
        else if ((size_t)sent < out->len)
            rely_http_keep_output(connection, rely_slice(out->ptr + sent, out->len - (size_t)sent));
        out->len = 0;
    }
    out->len = 0;
}

/* Nothing more comes of it: it was told to end, or it opens no window any more for what it has not taken. */
static bool has_session_ended(const struct rely_h2 *h2)
{
    return (h2->is_leaving && h2->streams == NULL) || (h2->has_ended && h2->waiting == 0) ||
           nghttp2_session_want_read(h2->session) == 0;
}

/* Nothing more will be said: what the client still sends is thrown away for a while, so that it can read the end. By
 * then nothing is held for it, and nobody waits for its sake. */
static void leave_when_done(struct rely_h2 *h2)
{
    struct rely_http_connection *connection = h2->connection;
    if (connection->phase == RELY_HTTP_CLOSES || connection->output != NULL || !has_session_ended(h2) ||
        nghttp2_session_want_write(h2->session))
        return;
    connection->has_unread = !h2->has_ended;
    rely_http_leave(connection);
    rely_h2_free(connection);
}

/* Behind everything that may have queued output or changed what it is at. Frees h2 when there is no more to do. */
static void finish_work(struct rely_h2 *h2)
{
    struct rely_http_connection *connection = h2->connection;
    send_all(h2);
    leave_when_done(h2);
    if (connection->phase != RELY_HTTP_READS)
        return;
    hold_all(h2);
    enter_stage(h2);
    /* Who does not take what there is for him is not read; what he has sent before waits for its turn. */
    rely_connection_want_input(&connection->base,
                               connection->output == NULL && connection->input == NULL && !h2->has_ended);
    if (connection->output == NULL && connection->input != NULL)
        rely_connection_want_turn(&connection->base);
}

void rely_h2_flush(struct rely_http_connection *connection)
{
    if (rely_http_send_kept(connection))
        finish_work(connection->h2);
}

/* --- input ---------------------------------------------------------------------------------------------------------- */

/* What was not whole for longer than it may. In: older_than_ms - by the coarse clock. */
static void refuse_late(struct rely_h2 *h2, int64_t older_than_ms)
{
    const struct rely_http_fault slow = {RELY_HTTP_TOO_SLOW, "The request takes too long."};
    h2->is_at_work = true;
    for (struct rely_h2_stream *stream = h2->streams; stream != NULL; stream = stream->next) {
        if (stream->since_ms > older_than_ms)
            break;
        if (stream->phase == RELY_H2_READS && stream->has_head)
            rely_h2_stream_refuse(stream, &slow);
        else if (stream->phase == RELY_H2_READS) /* of a head that has no end nothing can be answered */
            rely_h2_say_leaving(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    h2->is_at_work = false;
}

/* Answers that were not taken for as long as over HTTP/1.1: whatever else the client does buys them no time. */
static void give_up_untaken(struct rely_h2 *h2)
{
    struct rely_connection *base = &h2->connection->base;
    int64_t untaken_since_ms = rely_clock_coarse_ms() - rely_loop_get_options(base->loop)->idle_timeout_ms;
    for (struct rely_h2_stream *stream = h2->streams; stream != NULL; stream = stream->next)
        if (stream->phase == RELY_H2_ANSWERED && stream->answered_ms <= untaken_since_ms) {
            rely_connection_count_cut(base, RELY_CUT_UNSENT);
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        }
}

static int64_t latest_ms(const struct rely_h2 *h2)
{
    return rely_clock_coarse_ms() - rely_loop_get_options(h2->connection->base.loop)->body_timeout_ms;
}

/* Many answers at once: who takes them has not too many of them. Returns: the client takes what there is, as far as is
 * known. */
static bool send_when_many(struct rely_h2 *h2)
{
    if (h2->answered >= RELY_H2_BLOCKED_MAX)
        collect_output(h2);
    if (output_of(h2)->len >= OUTPUT_BYTES)
        send_all(h2);
    h2->is_at_work = true;
    return h2->connection->output == NULL && h2->connection->phase != RELY_HTTP_CLOSES;
}

/* Returns how many bytes were taken; those behind them wait for the next turn. */
static size_t feed(struct rely_h2 *h2, struct rely_slice bytes)
{
    int64_t end_us = rely_clock_monotonic_us() + TURN_US;
    size_t taken = 0;
    h2->is_at_work = true;
    while (taken < bytes.len) {
        size_t piece = bytes.len - taken < PIECE_BYTES ? bytes.len - taken : PIECE_BYTES;
        ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr + taken, piece);
        if (used < 0) { /* no HTTP/2, a flood, or no memory for it: the client is told */
            rely_h2_say_leaving(h2, NGHTTP2_PROTOCOL_ERROR);
            taken = bytes.len;
            break;
        }
        taken += (size_t)used;
        if (!send_when_many(h2) || rely_clock_monotonic_us() >= end_us)
            break;
    }
    h2->is_at_work = false;
    return taken;
}

void rely_h2_take(struct rely_http_connection *connection, struct rely_slice bytes)
{
    struct rely_h2 *h2 = connection->h2;
    size_t taken = feed(h2, bytes);
    rely_http_keep_input(connection, bytes.ptr + taken, bytes.len - taken);
    if (h2->unfinished > 0)
        refuse_late(h2, latest_ms(h2));
    if (h2->blocked > 0)
        give_up_untaken(h2);
    finish_work(h2);
}

/* The client says no more: what waits is still answered. */
static void end_h2_input(struct rely_h2 *h2)
{
    h2->has_ended = true;
    for (struct rely_h2_stream *stream = h2->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        if (stream->phase == RELY_H2_READS)
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    }
    if (!h2->is_leaving)
        rely_h2_say_leaving(h2, NGHTTP2_NO_ERROR);
    finish_work(h2);
}

void rely_h2_receive(struct rely_http_connection *connection)
{
    if (connection->input != NULL) { /* comes first */
        rely_h2_resume(connection);
        return;
    }
    char *bytes = rely_http_shared_of(connection)->input;
    ssize_t got = rely_connection_receive(&connection->base, bytes, RELY_HTTP_READ_BYTES);
    if (got == RELY_BROKEN || (got == 0 && rely_connection_peek(&connection->base) == RELY_BROKEN))
        connection->phase = RELY_HTTP_CLOSES;
    else if (got == 0)
        end_h2_input(connection->h2);
    else if (got > 0)
        rely_h2_take(connection, rely_slice(bytes, (size_t)got));
}

void rely_h2_resume(struct rely_http_connection *connection)
{
    if (connection->output == NULL && connection->input != NULL)
        rely_h2_take(connection, rely_slice(connection->input + connection->input_from,
                                            connection->input_len - connection->input_from));
    else
        finish_work(connection->h2);
}

/* --- its beginning and its end ------------------------------------------------------------------------------------------ */

void rely_h2_begin(struct rely_http_connection *connection)
{
    struct rely_h2 *h2 = rely_alloc(sizeof *h2);
    h2->connection = connection;
    h2->streams_end = &h2->streams;
    connection->h2 = h2;
    h2->session = rely_h2_make_session(h2);
}

/* The end of a drain: whoever waits is told that none will come. */
static void give_up_all(struct rely_h2 *h2)
{
    h2->is_at_work = true;
    for (struct rely_h2_stream *stream = h2->streams; stream != NULL; stream = stream->next) {
        if (stream->phase != RELY_H2_WAITS)
            continue;
        if (stream->gone != NULL)
            stream->gone(stream->gone_context);
        rely_http_respond(&stream->request, &(struct rely_http_response){.status = 503});
    }
    h2->is_at_work = false;
    rely_h2_say_leaving(h2, NGHTTP2_NO_ERROR);
}

void rely_h2_expire(struct rely_http_connection *connection)
{
    struct rely_h2 *h2 = connection->h2;
    if (connection->base.stage == RELY_STAGE_ANSWER)
        give_up_all(h2);
    else
        refuse_late(h2, latest_ms(h2));
    rely_connection_enter(&connection->base, connection->base.stage); /* those that are younger have their time */
    finish_work(h2);
}

/* RFC 9113 s6.8: there will be no more after those that are on their way. Nobody waits for those that are held. */
void rely_h2_drain(struct rely_http_connection *connection)
{
    struct rely_h2 *h2 = connection->h2;
    if (h2->is_leaving)
        return;
    nghttp2_submit_shutdown_notice(h2->session);
    for (struct rely_h2_stream *stream = h2->streams; stream != NULL; stream = stream->next)
        rely_h2_release(stream);
    finish_work(h2);
}

/* RFC 9113 s6.8: who is closed in the middle is told, where there is room for it, which of his requests nobody has
 * looked at. */
static void say_goodbye(struct rely_h2 *h2)
{
    const struct rely_http_connection *connection = h2->connection;
    if (h2->is_leaving || connection->phase != RELY_HTTP_READS || connection->output != NULL)
        return;
    rely_h2_say_leaving(h2, NGHTTP2_NO_ERROR);
    send_all(h2);
}

void rely_h2_free(struct rely_http_connection *connection)
{
    struct rely_h2 *h2 = connection->h2;
    say_goodbye(h2);
    while (h2->streams != NULL)
        rely_h2_stream_close(h2->streams);
    nghttp2_session_del(h2->session);
    free(h2);
    connection->h2 = NULL;
}

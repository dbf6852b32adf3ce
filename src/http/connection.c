/*
 * One HTTP/1.1 connection: takes in bytes until a request is whole, gives it to the handler of its listener, sends the
 * answer, and goes on or ends. Decides what is read, kept and thrown away, and when; knows nothing of what requests ask
 * for. Called by the loop.
 *
 * A request that comes in one piece is handled where it was read, in a buffer that all connections share; only what is
 * not whole, and what stands behind the request at hand, is copied to the connection.
 */
#include "h2.h"

#include <stdlib.h>

/* What a client may still send after its last answer, while it reads that: closing at once would have the kernel throw
 * the answer away (RFC 9112 s9.6). */
#define THROWN_AWAY_MAX ((size_t)4 * 1024 * 1024)
/* An allocation for each byte that a slow client sends would be work. */
#define INPUT_STEP 256

static struct rely_http_connection *of_base(struct rely_connection *base)
{
    return (struct rely_http_connection *)base;
}

static const struct rely_http_plane *plane_of(const struct rely_http_connection *connection)
{
    return connection->base.service;
}

/* --- the bytes that are kept ---------------------------------------------------------------------------- */

static void drop_input(struct rely_http_connection *connection)
{
    free(connection->input);
    connection->input = NULL;
    connection->input_from = connection->input_len = connection->input_capacity = 0;
    rely_http_count_held(connection);
}

/* Of a long body whose length is known four times as much as is there, so that it is not copied time and again. */
static size_t choose_capacity(const struct rely_http_connection *connection)
{
    size_t capacity = connection->input_capacity;
    size_t whole = connection->head_bytes + (size_t)connection->length;
    if (capacity < RELY_HTTP_READ_BYTES || connection->head_bytes == 0 || connection->is_chunked)
        return capacity + capacity / 2;
    return capacity * 4 < whole ? capacity * 4 : whole;
}

static void reserve_input(struct rely_http_connection *connection, size_t more)
{
    size_t needed = connection->input_len + more;
    if (needed <= connection->input_capacity)
        return;
    size_t capacity = choose_capacity(connection);
    capacity = (capacity < needed ? needed : capacity) + INPUT_STEP - 1;
    connection->input_capacity = capacity - capacity % INPUT_STEP;
    connection->input = rely_realloc(connection->input, connection->input_capacity);
    rely_http_count_held(connection);
}

static void append_input(struct rely_http_connection *connection, const char *bytes, size_t len)
{
    if (connection->input != NULL && connection->input_from > 0) {
        connection->input_len -= connection->input_from;
        memmove(connection->input, connection->input + connection->input_from, connection->input_len);
        connection->input_from = 0;
    }
    reserve_input(connection, len);
    RELY_ASSERT(bytes != NULL && connection->input != NULL);
    memcpy(connection->input + connection->input_len, bytes, len);
    connection->input_len += len;
}

void rely_http_keep_input(struct rely_http_connection *connection, const char *bytes, size_t len)
{
    if (connection->input == NULL && len > 0)
        append_input(connection, bytes, len);
    else if (len == 0)
        drop_input(connection);
    else {
        connection->input_from = (size_t)(bytes - connection->input);
        connection->input_len = connection->input_from + len;
    }
}

/* --- ends ------------------------------------------------------------------------------------------------ */

void rely_http_settle(struct rely_http_connection *connection)
{
    if (connection->phase == RELY_HTTP_CLOSES)
        rely_connection_close(&connection->base);
}

static void free_connection(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->is_deferred && connection->gone != NULL)
        connection->gone(connection->gone_context);
    if (connection->h2 != NULL)
        rely_h2_free(connection);
    free(connection->input);
    free(connection->output);
}

/* Who may still be sending is read for a while. */
void rely_http_leave(struct rely_http_connection *connection)
{
    drop_input(connection);
    if (!connection->has_unread) {
        connection->phase = RELY_HTTP_CLOSES;
        return;
    }
    connection->phase = RELY_HTTP_LEAVES;
    rely_connection_end_output(&connection->base);
    rely_connection_enter(&connection->base, RELY_STAGE_LEAVING);
    rely_connection_want_input(&connection->base, true);
}

static void throw_away(struct rely_http_connection *connection)
{
    char *bytes = rely_http_shared_of(connection)->input;
    ssize_t got = rely_connection_receive(&connection->base, bytes, RELY_HTTP_READ_BYTES);
    if (got > 0)
        connection->thrown_away += (size_t)got;
    if (got == 0 || got == RELY_BROKEN || connection->thrown_away > THROWN_AWAY_MAX)
        connection->phase = RELY_HTTP_CLOSES;
}

/* --- from one request to the next ------------------------------------------------------------------------- */

static void forget_request(struct rely_http_connection *connection)
{
    connection->scan = (struct rely_http_scan){0};
    connection->head_bytes = connection->body_bytes = connection->next = 0;
    connection->chunks = (struct rely_http_chunks){0};
    connection->is_answered = false;
    connection->has_had_request = true;
    connection->phase = RELY_HTTP_READS;
}

/* One request a turn: whoever asks for one thing must not stand behind all that another has sent at once. Until then
 * nothing more of it is read. */
void rely_http_end_request(struct rely_http_connection *connection)
{
    if (connection->is_last) {
        connection->has_unread = connection->has_unread || connection->input != NULL;
        rely_http_leave(connection);
        return;
    }
    forget_request(connection);
    bool has_more = connection->input != NULL;
    rely_connection_enter(&connection->base, has_more ? RELY_STAGE_HEAD : RELY_STAGE_IDLE);
    rely_connection_want_input(&connection->base, !has_more);
    if (has_more)
        rely_connection_want_turn(&connection->base);
}

/* --- a request ------------------------------------------------------------------------------------------- */

/* The bytes at hand, from the first of the request. */
struct bytes {
    char *ptr;
    size_t len;
};

static enum rely_http_progress too_long(struct rely_http_connection *connection, struct rely_http_fault *fault)
{
    rely_connection_count_cut(&connection->base, RELY_CUT_HEAD_SIZE);
    *fault = (struct rely_http_fault){RELY_HTTP_HEAD_TOO_LARGE, NULL};
    return RELY_HTTP_BROKEN;
}

static void see_head(struct rely_http_connection *connection)
{
    const struct rely_http_head *head = &rely_http_shared_of(connection)->head;
    connection->is_http11 = head->is_http11;
    connection->is_last = head->is_last;
    connection->is_head = rely_slice_equal(head->method, RELY_LIT("HEAD"));
    connection->is_chunked = head->is_chunked;
    connection->length = head->length;
    rely_http_fill_request(connection, head->method, head->target);
}

/* Where its length is known and any request's may be so long, nobody is asked. */
static size_t find_body_limit(const struct rely_http_connection *connection, const struct rely_http_head *head)
{
    size_t usual = rely_loop_get_options(connection->base.loop)->max_body_bytes;
    bool is_within = !head->is_chunked && head->length <= usual;
    return is_within ? usual : rely_http_body_limit(plane_of(connection), &connection->request);
}

/* What its head says about its body, where somebody looks at that. */
static enum rely_http_progress judge_body(struct rely_http_connection *connection, struct rely_http_fault *fault)
{
    const struct rely_http_head *head = &rely_http_shared_of(connection)->head;
    size_t max_bytes = find_body_limit(connection, head);
    if (head->has_other_expectation) {
        *fault = (struct rely_http_fault){RELY_HTTP_EXPECTATION_UNKNOWN, NULL};
        return RELY_HTTP_BROKEN;
    }
    if (head->length > max_bytes) {
        *fault = (struct rely_http_fault){RELY_HTTP_BODY_TOO_LARGE, NULL};
        return RELY_HTTP_BROKEN;
    }
    connection->chunks.max_bytes = max_bytes;
    return RELY_HTTP_WHOLE;
}

/* Nobody looks at the body: whatever comes behind the head is never a request. */
static void leave_body_out(struct rely_http_connection *connection)
{
    bool has_body = connection->is_chunked || connection->length > 0;
    connection->is_last = connection->is_last || has_body;
    connection->has_unread = has_body;
    connection->is_chunked = false;
    connection->length = 0;
}

static enum rely_http_progress take_head(struct rely_http_connection *connection, struct bytes bytes,
                                         struct rely_http_fault *fault)
{
    size_t len = 0, max_bytes = rely_loop_get_options(connection->base.loop)->max_head_bytes;
    const struct rely_http_plane *plane = plane_of(connection);
    struct rely_slice input = rely_slice(bytes.ptr, bytes.len < max_bytes ? bytes.len : max_bytes);
    struct rely_http_head *head = &rely_http_shared_of(connection)->head;
    enum rely_http_progress progress = rely_http_measure_head(input, &connection->scan, &len, fault);
    if (progress == RELY_HTTP_UNFINISHED && bytes.len > max_bytes)
        return too_long(connection, fault);
    if (progress != RELY_HTTP_WHOLE)
        return progress;
    if (!rely_http_parse_head(rely_slice(bytes.ptr, len), head, fault))
        return RELY_HTTP_BROKEN;
    connection->head_bytes = len;
    see_head(connection);
    if (plane->needs_body == NULL || plane->needs_body(&connection->request))
        return judge_body(connection, fault);
    leave_body_out(connection);
    return RELY_HTTP_WHOLE;
}

static enum rely_http_progress take_chunks(struct rely_http_connection *connection, struct bytes *bytes,
                                           struct rely_http_fault *fault)
{
    size_t from = connection->head_bytes + connection->body_bytes, len = bytes->len - from, used = 0;
    enum rely_http_progress progress =
        rely_http_read_chunks(&connection->chunks, bytes->ptr + from, &len, &used, fault);
    connection->body_bytes += len;
    connection->next = from + used;
    if (progress == RELY_HTTP_UNFINISHED)
        bytes->len = from + len;
    return progress;
}

static enum rely_http_progress take_body(struct rely_http_connection *connection, struct bytes *bytes,
                                         struct rely_http_fault *fault)
{
    if (connection->is_chunked)
        return take_chunks(connection, bytes, fault);
    size_t there = bytes->len - connection->head_bytes;
    connection->body_bytes = there < connection->length ? there : (size_t)connection->length;
    connection->next = connection->head_bytes + connection->body_bytes;
    return connection->body_bytes == connection->length ? RELY_HTTP_WHOLE : RELY_HTTP_UNFINISHED;
}

/* Its head was read when it came: the slices of that time are gone. */
static void read_head_again(struct rely_http_connection *connection, struct bytes bytes)
{
    struct rely_http_head *head = &rely_http_shared_of(connection)->head;
    struct rely_http_fault fault;
    bool is_read = rely_http_parse_head(rely_slice(bytes.ptr, connection->head_bytes), head, &fault);
    RELY_ASSERT(is_read);
    rely_http_fill_request(connection, head->method, head->target);
}

static void handle_request(struct rely_http_connection *connection, struct bytes bytes)
{
    const struct rely_http_plane *plane = plane_of(connection);
    struct rely_slice body = rely_slice(bytes.ptr + connection->head_bytes, connection->body_bytes);
    connection->request.body = body.len > 0 ? body : rely_slice(NULL, 0);
    connection->phase = RELY_HTTP_HANDLES;
    connection->is_in_handler = true;
    plane->handle(&connection->request, plane->context);
    connection->is_in_handler = false;
    RELY_ASSERT(connection->is_answered || connection->phase == RELY_HTTP_WAITS);
    rely_http_empty_request(connection);
    size_t done = connection->is_put_off ? 0 : connection->next;
    rely_http_keep_input(connection, bytes.ptr + done, bytes.len - done);
    if (connection->phase == RELY_HTTP_HANDLES)
        rely_http_end_request(connection);
    else if (connection->phase == RELY_HTTP_WAITS)
        rely_connection_want_input(&connection->base, true); /* to see whether it breaks */
}

/* A part of it is there, and time runs: from its first byte for the head, from the end of that for the body. */
static void wait_for_more(struct rely_http_connection *connection, struct bytes bytes, bool is_new)
{
    enum rely_stage stage = connection->head_bytes == 0 ? RELY_STAGE_HEAD : RELY_STAGE_BODY;
    bool wants_continue = is_new && stage == RELY_STAGE_BODY && connection->is_http11 &&
                          rely_http_shared_of(connection)->head.expects_continue;
    rely_http_keep_input(connection, bytes.ptr, bytes.len);
    if (connection->base.stage != stage)
        rely_connection_enter(&connection->base, stage);
    rely_connection_want_input(&connection->base, true);
    if (wants_continue)
        rely_http_send_continue(connection);
}

static void advance(struct rely_http_connection *connection, struct bytes bytes)
{
    struct rely_http_fault fault;
    bool is_new = connection->head_bytes == 0;
    enum rely_http_progress progress = is_new ? take_head(connection, bytes, &fault) : RELY_HTTP_WHOLE;
    if (progress == RELY_HTTP_WHOLE)
        progress = take_body(connection, &bytes, &fault);
    if (progress == RELY_HTTP_UNFINISHED) {
        wait_for_more(connection, bytes, is_new);
        return;
    }
    if (progress == RELY_HTTP_BROKEN) {
        rely_http_refuse(connection, rely_slice(bytes.ptr, bytes.len), &fault);
        return;
    }
    if (!is_new)
        read_head_again(connection, bytes);
    handle_request(connection, bytes);
}

/* What the first bytes say, or over TLS the client by ALPN (RFC 9113 s3.2, s3.3). */
static bool begins_http2(const struct rely_http_connection *connection, struct bytes bytes)
{
    struct rely_slice preface = RELY_LIT(RELY_H2_PREFACE);
    if (connection->has_had_request || !plane_of(connection)->speaks_http2)
        return false;
    if (connection->base.ssl != NULL)
        return rely_connection_has_chosen_http2(&connection->base);
    return rely_slice_starts(rely_slice(bytes.ptr, bytes.len), preface);
}

/* --- what the loop calls ------------------------------------------------------------------------------------ */

static struct bytes kept_bytes(const struct rely_http_connection *connection)
{
    return (struct bytes){connection->input + connection->input_from, connection->input_len - connection->input_from};
}

void rely_http_begin_again(struct rely_http_connection *connection)
{
    struct bytes bytes = kept_bytes(connection);
    RELY_ASSERT(connection->phase == RELY_HTTP_WAITS && connection->is_put_off);
    connection->is_deferred = connection->is_put_off = false;
    read_head_again(connection, bytes);
    connection->request.is_again = true;
    handle_request(connection, bytes);
    rely_http_settle(connection);
}

void rely_http_pass_over(struct rely_http_connection *connection)
{
    struct bytes bytes = kept_bytes(connection);
    connection->is_put_off = false;
    rely_http_keep_input(connection, bytes.ptr + connection->next, bytes.len - connection->next);
}

/* Who ends his side in the middle of a request may still read why nothing comes of it. */
static void end_of_input(struct rely_http_connection *connection)
{
    if (connection->input == NULL) {
        connection->phase = RELY_HTTP_CLOSES;
        return;
    }
    const struct rely_http_fault fault = {connection->head_bytes == 0 ? RELY_HTTP_HEAD_MALFORMED
                                                                      : RELY_HTTP_BODY_MALFORMED,
                                          "The request ends before it is complete."};
    struct bytes bytes = kept_bytes(connection);
    rely_http_refuse(connection, rely_slice(bytes.ptr, bytes.len), &fault);
}

/* Of a long body the rest is read to where it stays: room for it is made here. */
static bool reads_long_body(struct rely_http_connection *connection)
{
    if (connection->input_len < RELY_HTTP_READ_BYTES || connection->input_from > 0 || connection->head_bytes == 0 ||
        connection->is_chunked)
        return false;
    uint64_t left = connection->head_bytes + connection->length - connection->input_len;
    reserve_input(connection, left < RELY_HTTP_READ_BYTES ? (size_t)left : RELY_HTTP_READ_BYTES);
    return true;
}

static void read_request(struct rely_http_connection *connection)
{
    bool is_long = reads_long_body(connection);
    struct bytes bytes = {.ptr = is_long ? connection->input + connection->input_len
                                         : rely_http_shared_of(connection)->input};
    size_t room = is_long ? connection->input_capacity - connection->input_len : RELY_HTTP_READ_BYTES;
    ssize_t got = rely_connection_receive(&connection->base, bytes.ptr, room);
    if (got == RELY_AGAIN)
        return;
    if (got == RELY_BROKEN) {
        connection->phase = RELY_HTTP_CLOSES;
        return;
    }
    if (got == 0) {
        end_of_input(connection);
        return;
    }
    bytes.len = (size_t)got;
    if (is_long)
        connection->input_len += bytes.len;
    else if (connection->input != NULL)
        append_input(connection, bytes.ptr, bytes.len);
    if (connection->input != NULL)
        bytes = kept_bytes(connection);
    if (begins_http2(connection, bytes)) {
        rely_h2_begin(connection);
        rely_h2_take(connection, rely_slice(bytes.ptr, bytes.len));
        return;
    }
    advance(connection, bytes);
}

/* The client of a deferred request has sent more, which stays in the kernel, or has ended its side, which does not say
 * that it has left: only a broken connection does. */
static void look_after_client(struct rely_http_connection *connection)
{
    ssize_t there = rely_connection_peek(&connection->base);
    if (there == RELY_BROKEN)
        connection->phase = RELY_HTTP_CLOSES;
    else /* also for nothing: a unix socket has input for who looks, and none, when it is an urgent byte */
        rely_connection_want_input(&connection->base, false); /* it would wake us for ever */
}

static void receive(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->phase == RELY_HTTP_LEAVES)
        throw_away(connection);
    else if (connection->h2 != NULL)
        rely_h2_receive(connection);
    else if (connection->phase == RELY_HTTP_READS)
        read_request(connection);
    else if (connection->phase == RELY_HTTP_WAITS)
        look_after_client(connection);
    rely_http_settle(connection);
}

static void send_more(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->h2 != NULL)
        rely_h2_flush(connection);
    else
        rely_http_flush(connection);
    rely_http_settle(connection);
}

static void resume(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->h2 != NULL)
        rely_h2_resume(connection);
    else if (connection->phase == RELY_HTTP_READS) /* it has not left meanwhile */
        advance(connection, kept_bytes(connection));
    rely_http_settle(connection);
}

/* The request is answered by nobody else any more. */
static void give_up_answer(struct rely_http_connection *connection)
{
    if (connection->gone != NULL)
        connection->gone(connection->gone_context);
    rely_http_respond(&connection->request, &(struct rely_http_response){.status = 503});
}

static void refuse_slow(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->h2 != NULL) {
        rely_h2_expire(connection);
        rely_http_settle(connection);
        return;
    }
    if (base->stage == RELY_STAGE_ANSWER) {
        give_up_answer(connection);
        return;
    }
    const struct rely_http_fault fault = {RELY_HTTP_TOO_SLOW, base->stage == RELY_STAGE_BODY
                                                                  ? "The body of the request takes too long."
                                                                  : "The head of the request takes too long."};
    struct bytes bytes = kept_bytes(connection);
    rely_http_refuse(connection, rely_slice(bytes.ptr, bytes.len), &fault);
    rely_http_settle(connection);
}

static void begin_drain(struct rely_connection *base)
{
    struct rely_http_connection *connection = of_base(base);
    if (connection->h2 == NULL || connection->phase != RELY_HTTP_READS)
        return;
    rely_h2_drain(connection);
    rely_http_settle(connection);
}

static void *open_loop(void)
{
    struct rely_http_shared *shared = rely_alloc(sizeof *shared);
    shared->h2 = rely_h2_open_loop();
    return shared;
}

static void close_loop(void *context)
{
    struct rely_http_shared *shared = context;
    rely_buf_fini(&shared->output);
    rely_h2_close_loop(shared->h2);
    free(shared);
}

const struct rely_protocol rely_http_protocol = {
    .connection_bytes = sizeof(struct rely_http_connection),
    .open_loop = open_loop,
    .close_loop = close_loop,
    .receive = receive,
    .send = send_more,
    .resume = resume,
    .expire = refuse_slow,
    .drain = begin_drain,
    .fini = free_connection,
};

bool rely_http_listen(struct rely_loop *loop, int fd, const struct rely_http_plane *plane, struct rely_err *err)
{
    const struct rely_loop_options *options = rely_loop_get_options(loop);
    RELY_ASSERT(options->protocol == &rely_http_protocol);
    struct rely_http_plane *copy = rely_alloc(sizeof *copy);
    *copy = *plane;
    return rely_loop_listen(loop, fd, copy, err);
}

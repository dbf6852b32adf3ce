/*
 * Fuzzes a whole HTTP/1.1 connection over a made-up loop: however its bytes are cut, and however little of its answers is
 * taken at once, the same requests are handled and the same answers go out. The first byte says how it is cut.
 */
#include "connection.h"

#include <stdlib.h>

#include "relyd/clock.h"
#include "relyd/pool.h"

#define OUTPUT_MAX ((size_t)1 << 20)

/* --- the loop ------------------------------------------------------------------------------------------- */

static struct {
    struct rely_loop_options options;
    struct rely_loop_counters counters;
    void *shared;
    struct rely_pool scratch;
    const char *input;
    size_t input_len, input_at, step, room;
    bool wants_input, wants_output, wants_turn, has_closed, has_ended_output;
    char *output;
    size_t output_len;
    unsigned handled, refused, calls;
    struct rely_http_request *waiting;
    size_t held_bytes;
} world;

ssize_t __wrap_rely_connection_receive(struct rely_connection *connection, char *out, size_t size);
ssize_t __wrap_rely_connection_peek(struct rely_connection *connection);
ssize_t __wrap_rely_connection_send(struct rely_connection *connection, const char *bytes, size_t len);
void __wrap_rely_connection_want_input(struct rely_connection *connection, bool is_wanted);
void __wrap_rely_connection_want_output(struct rely_connection *connection);
void __wrap_rely_connection_want_turn(struct rely_connection *connection);
void __wrap_rely_connection_end_output(struct rely_connection *connection);
void __wrap_rely_connection_close(struct rely_connection *connection);
void __wrap_rely_connection_enter(struct rely_connection *connection, enum rely_stage stage);
void __wrap_rely_connection_hold(struct rely_connection *connection, size_t bytes);
void __wrap_rely_connection_count_cut(struct rely_connection *connection, enum rely_cut cut);
void *__wrap_rely_loop_shared(const struct rely_loop *loop);
struct rely_pool *__wrap_rely_loop_scratch(struct rely_loop *loop);
bool __wrap_rely_loop_is_draining(const struct rely_loop *loop);
const struct rely_loop_options *__wrap_rely_loop_get_options(const struct rely_loop *loop);
int64_t __wrap_rely_clock_coarse_s(void);

ssize_t __wrap_rely_connection_receive(struct rely_connection *connection, char *out, size_t size)
{
    size_t left = world.input_len - world.input_at, len = world.step < size ? world.step : size;
    (void)connection;
    RELY_ASSERT(!world.has_closed);
    if (++world.calls % 3 == 0) /* woken for nothing */
        return RELY_AGAIN;
    len = left < len ? left : len;
    memcpy(out, world.input + world.input_at, len);
    world.input_at += len;
    return (ssize_t)len;
}

ssize_t __wrap_rely_connection_peek(struct rely_connection *connection)
{
    (void)connection;
    return world.input_at < world.input_len;
}

ssize_t __wrap_rely_connection_send(struct rely_connection *connection, const char *bytes, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool is_reading = ((const struct rely_http_connection *)connection)->phase == RELY_HTTP_READS;
    RELY_ASSERT(!world.has_closed && !world.has_ended_output);
    RELY_ASSERT(!is_reading || (len == sizeof go_on - 1 && memcmp(bytes, go_on, len) == 0));
    if (is_reading) /* whether it is said depends on what has come by then */
        return (ssize_t)len;
    len = ++world.calls % 3 == 0 ? 0 : len < world.room ? len : world.room;
    RELY_ASSERT(world.output_len + len <= OUTPUT_MAX);
    memcpy(world.output + world.output_len, bytes, len);
    world.output_len += len;
    return (ssize_t)len;
}

void __wrap_rely_connection_want_input(struct rely_connection *connection, bool is_wanted)
{
    (void)connection;
    world.wants_input = is_wanted;
}

void __wrap_rely_connection_want_output(struct rely_connection *connection)
{
    (void)connection;
    RELY_ASSERT(!world.wants_output);
    world.wants_output = true;
}

void __wrap_rely_connection_want_turn(struct rely_connection *connection)
{
    (void)connection;
    world.wants_turn = true;
}

void __wrap_rely_connection_end_output(struct rely_connection *connection)
{
    (void)connection;
    world.has_ended_output = true;
}

void __wrap_rely_connection_close(struct rely_connection *connection)
{
    RELY_ASSERT(!world.has_closed);
    world.has_closed = true;
    rely_http_protocol.fini(connection);
    free(connection);
}

void __wrap_rely_connection_enter(struct rely_connection *connection, enum rely_stage stage)
{
    connection->stage = stage;
}

void __wrap_rely_connection_hold(struct rely_connection *connection, size_t bytes)
{
    (void)connection;
    world.held_bytes = bytes;
}

void __wrap_rely_connection_count_cut(struct rely_connection *connection, enum rely_cut cut)
{
    (void)connection;
    RELY_ASSERT(cut == RELY_CUT_HEAD_SIZE);
}

void *__wrap_rely_loop_shared(const struct rely_loop *loop)
{
    (void)loop;
    return world.shared;
}

struct rely_pool *__wrap_rely_loop_scratch(struct rely_loop *loop)
{
    (void)loop;
    return &world.scratch;
}

bool __wrap_rely_loop_is_draining(const struct rely_loop *loop)
{
    (void)loop;
    return false;
}

const struct rely_loop_options *__wrap_rely_loop_get_options(const struct rely_loop *loop)
{
    (void)loop;
    return &world.options;
}

int64_t __wrap_rely_clock_coarse_s(void)
{
    return 1700000000;
}

/* --- the handler ---------------------------------------------------------------------------------------- */

static bool needs_body(const struct rely_http_request *request)
{
    return !rely_slice_starts(request->path, RELY_LIT("/check/"));
}

static size_t limit_body(const struct rely_http_request *request)
{
    return rely_slice_equal(request->path, RELY_LIT("/large")) ? 2000 : 500;
}

static void answer(struct rely_http_request *request, int status, struct rely_slice body)
{
    rely_http_respond(request, &(struct rely_http_response){.status = status, .body = body});
}

static void handle(struct rely_http_request *request, void *context)
{
    (void)context;
    size_t count = 0;
    struct rely_slice host = rely_http_find_header(request, RELY_LIT("host"), &count);
    RELY_ASSERT(count <= 1 && (needs_body(request) || request->body.ptr == NULL));
    RELY_ASSERT(request->body.len <= limit_body(request));
    world.handled++;
    if (rely_slice_equal(request->path, RELY_LIT("/defer"))) {
        rely_http_defer(request, NULL, NULL);
        world.waiting = request;
        return;
    }
    answer(request, 200,
           rely_pool_printf(&world.scratch, "%.*s|%.*s|%.*s|%.*s|%.*s", RELY_ARG(request->method),
                            RELY_ARG(request->path), RELY_ARG(request->query), RELY_ARG(host),
                            RELY_ARG(request->body)));
}

static void refuse(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    (void)context;
    world.refused++;
    RELY_ASSERT(refusal->status >= 400 && refusal->kind != RELY_HTTP_TOO_SLOW);
    answer(request, refusal->status, rely_slice_of(refusal->detail));
}

/* --- one connection --------------------------------------------------------------------------------------- */

static void run_turn(struct rely_connection *connection)
{
    if (world.waiting != NULL) {
        struct rely_http_request *request = world.waiting;
        world.waiting = NULL;
        answer(request, 202, RELY_LIT("late"));
    } else if (world.wants_output) {
        world.wants_output = false;
        rely_http_protocol.send(connection);
    } else if (world.wants_turn) {
        world.wants_turn = false;
        rely_http_protocol.resume(connection);
    } else {
        RELY_ASSERT(world.wants_input); /* else nothing would ever happen again */
        rely_http_protocol.receive(connection);
    }
    rely_pool_reset(&world.scratch);
}

static void play(struct rely_slice input, size_t step, size_t room, char *output)
{
    struct rely_http_plane plane = {
        .handle = handle, .refuse = refuse, .needs_body = needs_body, .limit_body = limit_body};
    struct rely_http_connection *connection = rely_alloc(sizeof *connection);
    connection->base.service = &plane;
    world.input = input.ptr;
    world.input_len = input.len;
    world.input_at = world.output_len = world.held_bytes = 0;
    world.step = step;
    world.room = room;
    world.output = output;
    world.wants_input = true;
    world.wants_output = world.wants_turn = world.has_closed = world.has_ended_output = false;
    world.handled = world.refused = world.calls = 0;
    while (!world.has_closed) {
        run_turn(&connection->base);
        RELY_ASSERT(world.has_closed || connection->phase != RELY_HTTP_CLOSES);
    }
    RELY_ASSERT(world.held_bytes <= 2 * input.len + OUTPUT_MAX && world.refused <= 1);
}

static unsigned count_answers(const char *output, size_t len)
{
    unsigned count = 0;
    for (const char *at = output; (at = memmem(at, len - (size_t)(at - output), "\r\nDate: ", 8)) != NULL; at++)
        count++;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char outputs[2][OUTPUT_MAX];
    if (size < 2 || size > 8192)
        return 0;
    world.options = (struct rely_loop_options){.max_head_bytes = 1000, .max_body_bytes = 500};
    world.options.counters = &world.counters;
    world.shared = rely_http_protocol.open_loop();
    rely_pool_init(&world.scratch);
    const struct rely_slice input = rely_slice((const char *)data + 1, size - 1);
    play(input, size, OUTPUT_MAX, outputs[0]);
    size_t len = world.output_len;
    unsigned handled = world.handled, refused = world.refused;
    RELY_ASSERT(count_answers(outputs[0], len) >= handled + refused);
    play(input, 1 + data[0] % 32u, 1 + data[0] / 32u * 40, outputs[1]);
    RELY_ASSERT(world.handled == handled && world.refused == refused);
    RELY_ASSERT(world.output_len == len && memcmp(outputs[0], outputs[1], len) == 0);
    rely_pool_fini(&world.scratch);
    rely_http_protocol.close_loop(world.shared);
    return 0;
}

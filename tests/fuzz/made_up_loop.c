/*
 * The loop that fuzzers of a connection make up. Called by them, and by the connection.
 */
#include "made_up_loop.h"

#include <stdlib.h>

#include "relyd/clock.h"

struct world world;

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
int64_t __wrap_rely_clock_coarse_ms(void);
int64_t __wrap_rely_clock_monotonic_us(void);

ssize_t __wrap_rely_connection_receive(struct rely_connection *connection, char *out, size_t size)
{
    size_t left = world.input_len - world.input_at, len = world.step < size ? world.step : size;
    (void)connection;
    RELY_ASSERT(!world.has_closed);
    if (world.is_broken)
        return RELY_BROKEN;
    if (++world.calls % 3 == 0 || (left == 0 && world.stays_open)) /* woken for nothing */
        return RELY_AGAIN;
    len = left < len ? left : len;
    memcpy(out, world.input + world.input_at, len);
    world.input_at += len;
    return (ssize_t)len;
}

ssize_t __wrap_rely_connection_peek(struct rely_connection *connection)
{
    (void)connection;
    if (world.is_broken)
        return RELY_BROKEN;
    return world.input_at < world.input_len;
}

ssize_t __wrap_rely_connection_send(struct rely_connection *connection, const char *bytes, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct rely_http_connection *http = (const struct rely_http_connection *)connection;
    bool is_reading = http->h2 == NULL && http->phase == RELY_HTTP_READS;
    RELY_ASSERT(!world.has_closed && !world.has_ended_output);
    RELY_ASSERT(!is_reading || (len == sizeof go_on - 1 && memcmp(bytes, go_on, len) == 0));
    if (world.is_broken)
        return RELY_BROKEN;
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
    world.stages++;
}

void __wrap_rely_connection_hold(struct rely_connection *connection, size_t bytes)
{
    (void)connection;
    world.held_bytes = bytes;
}

void __wrap_rely_connection_count_cut(struct rely_connection *connection, enum rely_cut cut)
{
    bool is_h2 = ((const struct rely_http_connection *)connection)->h2 != NULL;
    RELY_ASSERT(is_h2 || cut == RELY_CUT_HEAD_SIZE);
    world.counters.cuts[cut]++;
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
    return world.is_draining;
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

int64_t __wrap_rely_clock_coarse_ms(void)
{
    return 1700000000 + world.later_ms;
}

int64_t __wrap_rely_clock_monotonic_us(void)
{
    return world.now_us += world.tick_us;
}

/* --- one connection ---------------------------------------------------------------------------------------- */

void world_begin(struct rely_slice input, size_t step, size_t room, char *output)
{
    world.input = input.ptr;
    world.input_len = input.len;
    world.input_at = world.output_len = world.held_bytes = 0;
    world.step = step;
    world.room = room;
    world.output = output;
    world.wants_input = true;
    world.wants_output = world.wants_turn = world.has_closed = world.has_ended_output = false;
    world.is_broken = world.is_draining = world.stays_open = false;
    world.later_ms = 0;
    world.calls = world.stages = 0;
}

void world_turn(struct rely_connection *connection)
{
    if (world.wants_output) {
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

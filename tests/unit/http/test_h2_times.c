/*
 * The time that a connection of HTTP/2 takes and has, and its ends: over a loop that is made up.
 */
#include "h2_line.h"

#include <stdio.h>
#include <stdlib.h>

#define NO_WINDOW "\0\4\0\0\0\0" /* SETTINGS_INITIAL_WINDOW_SIZE */

/* --- of a turn -------------------------------------------------------------------------------------------- */

static void put_requests(struct h2_line *line)
{
    static const char body[60];
    for (int i = 0; i < 60; i++)
        h2_body(&line->client, h2_ask_with_body(&line->client, "POST", "/204", ""), rely_slice(body, sizeof body),
                true);
}

/* A kilobyte at a time, until a millisecond is over; what is left waits for its turn, and nothing more is read. */
static void test_a_turn_takes_a_millisecond(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    world.calls = 0; /* it is woken for something */
    world.tick_us = 600;
    put_requests(line);
    size_t len = line->client.out.len;
    assert_in_range(len, 4096, 8192);
    h2_line_turn(line);
    assert_int_equal(line->connection->input_len - line->connection->input_from, len - 2048);
    unsigned handled = (unsigned)atomic_load(&line->handler.handled);
    assert_in_range(handled, 15, 30);
    assert_true(world.wants_turn && !world.wants_input);
    rely_http_protocol.receive(&line->connection->base); /* what was read before comes first */
    assert_in_range(atomic_load(&line->handler.handled), handled + 15, handled + 30);
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.handled), 60);
    assert_true(line->connection->input == NULL && world.wants_input);
    world.calls = 0;
    world.tick_us = 0; /* as fast as they are there: in one */
    put_requests(line);
    h2_line_turn(line);
    assert_int_equal(atomic_load(&line->handler.handled), 120);
    h2_line_end(line);
}

/* --- of requests -------------------------------------------------------------------------------------------- */

static const struct h2_answer *expect_late(struct h2_line *line, uint32_t id)
{
    const struct h2_answer *answer = h2_find(&line->client, id);
    assert_int_equal(answer->status, 408);
    assert_int_equal(line->handler.refused_as, RELY_HTTP_TOO_SLOW);
    return answer;
}

/* Each has its own time; whatever else its client does, and whether the loop or its bytes bring it up. */
static void test_late_requests_and_younger_ones(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    uint32_t old = h2_ask_with_body(&line->client, "POST", "/x", "");
    h2_line_run(line);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_BODY);
    world.later_ms += 6000;
    uint32_t young = h2_ask_with_body(&line->client, "POST", "/x", "");
    h2_line_run(line);
    world.later_ms += 3999;
    assert_int_equal(h2_line_get(line, "/x")->status, 200);
    assert_int_equal(h2_find(&line->client, old)->status, 0);
    world.later_ms += 1;
    assert_int_equal(h2_line_get(line, "/x")->status, 200);
    expect_late(line, old);
    assert_int_equal(h2_find(&line->client, young)->status, 0);
    world.later_ms += 6000;
    unsigned stages = world.stages;
    rely_http_protocol.expire(&line->connection->base);
    assert_true(world.stages > stages);
    h2_line_run(line);
    expect_late(line, young);
    assert_int_equal(line->client.goaway, -1);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_IDLE);
    h2_line_end(line);
}

static void test_answers_that_are_not_taken_in_time(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(RELY_LIT(NO_WINDOW));
    uint32_t kept = h2_ask(&line->client, "GET", "/x", "");
    h2_line_run(line);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_UNSENT);
    world.later_ms += 9999;
    assert_int_equal(h2_line_get(line, "/204")->status, 204); /* buys it no time */
    assert_int_equal(h2_find(&line->client, kept)->reset, -1);
    world.later_ms += 1;
    assert_int_equal(h2_line_get(line, "/204")->status, 204);
    assert_int_equal(h2_find(&line->client, kept)->reset, NGHTTP2_CANCEL);
    assert_int_equal(read_counter(&world.counters.cuts[RELY_CUT_UNSENT]), 1);
    assert_int_equal(line->connection->h2->answers_bytes, 0);
    h2_line_end(line);
}

/* Who serves requests is not idle: its time begins anew with each. */
static void test_who_asks_is_not_idle(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    unsigned stages = world.stages;
    h2_line_send_idle_frames(line, 5);
    assert_int_equal(world.stages, stages);
    h2_line_get(line, "/204");
    assert_int_equal(world.stages, stages + 1);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_IDLE);
    h2_line_end(line);
}

/* --- its end ---------------------------------------------------------------------------------------------------- */

/* Where nothing goes out what is left is not read, and the connection ends when it breaks. */
static void test_a_client_that_reads_nothing(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(RELY_LIT("\0\4\0\x3f\xff\xff"));
    h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, 0, 1 << 30);
    h2_line_run(line);
    world.room = 0;
    h2_ask(&line->client, "GET", "/large", "");
    h2_line_run(line);
    assert_true(line->connection->output != NULL && !world.wants_input);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_UNSENT);
    assert_true(world.held_bytes >= H2_LARGE_BYTES);
    h2_ask(&line->client, "GET", "/x", "");
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.handled), 1);
    rely_http_protocol.resume(&line->connection->base); /* for nothing */
    assert_int_equal(atomic_load(&line->handler.handled), 1);
    world.room = 1000;
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, 1)->body_len, H2_LARGE_BYTES);
    assert_int_equal(h2_find(&line->client, 3)->status, 200);
    h2_line_end(line);
}

/* Found out by writing, by reading, and at the end of what there was to read. */
static void test_a_connection_that_breaks(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct h2_line *line = h2_line_begin(rely_slice("", 0));
        h2_line_get_many(line, "/wait", 5);
        world.is_broken = true;
        if (way == 0) {
            h2_answer_waiting(&line->handler);
            rely_pool_reset(&world.scratch);
            assert_false(world.has_closed); /* not under the hands of who answers */
        } else if (way == 1)
            h2_ask(&line->client, "GET", "/x", "");
        h2_line_run(line);
        assert_true(world.has_closed);
        assert_int_equal(atomic_load(&line->handler.gone), way == 0 ? 0 : 5);
        assert_int_equal(atomic_load(&line->handler.handled), 5);
        h2_line_end(line);
    }
}

/* What no window will open for any more does not hold it. */
static void test_an_end_of_input(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(RELY_LIT(NO_WINDOW));
    assert_int_equal(h2_line_get(line, "/x")->status, 200);
    uint32_t waits = h2_ask(&line->client, "HEAD", "/wait", "");
    uint32_t unfinished = h2_ask_with_body(&line->client, "POST", "/x", "");
    h2_line_run(line);
    world.stays_open = false;
    h2_line_run(line);
    assert_false(world.has_closed);
    assert_false(world.wants_input);
    assert_int_equal(h2_find(&line->client, unfinished)->reset, NGHTTP2_CANCEL);
    assert_int_equal(line->client.goaway, NGHTTP2_NO_ERROR);
    h2_answer_waiting(&line->handler);
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, waits)->status, 202);
    assert_true(world.has_closed);
    h2_line_end(line);
}

/* Told to end, it holds nothing, and what the client still sends is thrown away. */
static void test_an_error_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t type, flags;
        uint32_t id;
        const char *payload;
        size_t len;
        int code;
    } rows[] = {
        {"DATA of no stream", NGHTTP2_DATA, 0, 0, "x", 1, NGHTTP2_PROTOCOL_ERROR},
        {"a stream of ours", NGHTTP2_HEADERS, 5, 2, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
        {"a window of 0", NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR},
        {"too large a window", NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4, NGHTTP2_FLOW_CONTROL_ERROR},
        {"SETTINGS of 5 bytes", NGHTTP2_SETTINGS, 0, 0, "12345", 5, NGHTTP2_FRAME_SIZE_ERROR},
        {"PING of 7 bytes", NGHTTP2_PING, 0, 0, "1234567", 7, NGHTTP2_FRAME_SIZE_ERROR},
        {"a push", NGHTTP2_PUSH_PROMISE, 4, 3, "\0\0\0\2\x82", 5, NGHTTP2_PROTOCOL_ERROR},
        {"no HPACK", NGHTTP2_HEADERS, 5, 3, "\xff\xff\xff\xff\xff\xff", 6, NGHTTP2_COMPRESSION_ERROR},
        {"CONTINUATION of nothing", NGHTTP2_CONTINUATION, 4, 3, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct h2_line *line = h2_line_begin(rely_slice("", 0));
        h2_line_get(line, "/wait");
        h2_frame(&line->client, rows[i].type, rows[i].flags, rows[i].id, rely_slice(rows[i].payload, rows[i].len));
        h2_line_run(line);
        if (line->client.goaway != rows[i].code)
            fail_msg("%s: %d", rows[i].name, line->client.goaway);
        assert_int_equal(line->connection->phase, RELY_HTTP_LEAVES);
        assert_true(line->connection->h2 == NULL && world.held_bytes == 0 && world.has_ended_output);
        assert_int_equal(atomic_load(&line->handler.gone), 1);
        h2_ask(&line->client, "GET", "/x", "");
        h2_line_run(line);
        assert_int_equal(atomic_load(&line->handler.handled), 1);
        rely_http_protocol.drain(&line->connection->base); /* it has been told */
        h2_line_end(line);
    }
}

static void test_a_drain_is_said_once(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    h2_ask(&line->client, "GET", "/wait", "");
    uint32_t unfinished = h2_ask_with_body(&line->client, "POST", "/x", "");
    h2_line_run(line);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_BODY);
    world.is_draining = true;
    rely_http_protocol.drain(&line->connection->base);
    h2_line_run(line);
    assert_int_equal(line->client.goaway_last, 0x7fffffff);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_ANSWER); /* at the end it is told, whatever else */
    rely_http_protocol.expire(&line->connection->base);
    assert_int_equal(atomic_load(&line->handler.gone), 1);
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, 1)->status, 503);
    assert_int_equal(line->client.goaway_last, unfinished);
    unsigned goaways = line->client.goaways;
    rely_http_protocol.drain(&line->connection->base);
    assert_int_equal(h2_line_get(line, "/x")->reset, -1); /* nobody looks at it: its number says so */
    assert_int_equal(line->client.goaways, goaways);
    h2_body(&line->client, unfinished, rely_slice("", 0), true);
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, unfinished)->status, 200);
    assert_int_equal(atomic_load(&line->handler.handled), 2);
    h2_line_end(line);
}

const struct CMUnitTest h2_time_tests[] = {
    cmocka_unit_test(test_a_turn_takes_a_millisecond),
    cmocka_unit_test(test_late_requests_and_younger_ones),
    cmocka_unit_test(test_answers_that_are_not_taken_in_time),
    cmocka_unit_test(test_who_asks_is_not_idle),
    cmocka_unit_test(test_a_client_that_reads_nothing),
    cmocka_unit_test(test_a_connection_that_breaks),
    cmocka_unit_test(test_an_end_of_input),
    cmocka_unit_test(test_an_error_ends_the_connection),
    cmocka_unit_test(test_a_drain_is_said_once),
};
const size_t h2_time_count = sizeof h2_time_tests / sizeof h2_time_tests[0];

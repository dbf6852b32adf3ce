/*
 * What a client of HTTP/2 may do in a second, and hold at once, to the last frame: the clock stands still unless a test
 * moves it.
 */
#include "h2_line.h"

#include <stdio.h>
#include <stdlib.h>

#define ONE_SECOND 1000
#define FIRST_FRAMES 2 /* SETTINGS, and the acknowledgement of ours */

static void expect_calm(const struct h2_line *line)
{
    assert_int_equal(line->client.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(read_counter(&world.counters.cuts[RELY_CUT_FRAMES]), 1);
}

/* --- in a second ------------------------------------------------------------------------------------------- */

static void test_frames_that_lead_to_nothing(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    h2_line_send_idle_frames(line, RELY_H2_FRAMES_PER_SECOND - FIRST_FRAMES);
    world.later_ms += ONE_SECOND - 1; /* it is the same second still */
    assert_int_equal(line->client.goaway, -1);
    world.later_ms += 1;
    h2_line_send_idle_frames(line, RELY_H2_FRAMES_PER_SECOND);
    assert_int_equal(line->client.goaway, -1);
    h2_line_send_idle_frames(line, 1);
    expect_calm(line);
    h2_line_end(line);
}

/* Each that was whole gives back a number of them, and never more than there were. */
static void test_requests_give_frames_back(void **state)
{
    (void)state;
    const unsigned requests = 100, before = 9000;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    h2_line_send_idle_frames(line, before);
    h2_line_get_many(line, "/204", requests);
    unsigned counted = FIRST_FRAMES + before + requests - requests * RELY_H2_FRAMES_OF_A_REQUEST;
    h2_line_send_idle_frames(line, RELY_H2_FRAMES_PER_SECOND - counted);
    assert_int_equal(line->client.goaway, -1);
    h2_line_send_idle_frames(line, 1);
    expect_calm(line);
    h2_line_end(line);
    line = h2_line_begin(rely_slice("", 0));
    h2_line_get_many(line, "/204", requests);
    h2_line_send_idle_frames(line, RELY_H2_FRAMES_PER_SECOND);
    assert_int_equal(line->client.goaway, -1);
    h2_line_send_idle_frames(line, 1);
    expect_calm(line);
    h2_line_end(line);
}

/* One whose body takes all the room that there is. Returns its stream. */
static uint32_t take_all_room(struct h2_line *line)
{
    static const char bytes[15000];
    uint32_t id = h2_ask_with_body(&line->client, "POST", "/204", "");
    for (int i = 0; i < 2; i++)
        h2_body(&line->client, id, rely_slice(bytes, sizeof bytes), false);
    h2_line_run(line);
    assert_true(line->connection->h2->requests_bytes >= RELY_H2_REQUESTS_BYTES);
    return id;
}

static void give_room_back(struct h2_line *line, uint32_t id)
{
    h2_body(&line->client, id, rely_slice("", 0), true);
    h2_line_run(line);
    assert_true(line->connection->h2->requests_bytes == 0);
}

static struct h2_line *begin_short_of_room(void)
{
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    world.options.max_memory_bytes = 1; /* all of it is used */
    world.options.max_body_bytes = 40000;
    return line;
}

/* Requests between them give back the frames that they take, so that it is this limit which is met. */
static void test_streams_that_are_refused_for_want_of_room(void **state)
{
    (void)state;
    struct h2_line *line = begin_short_of_room();
    for (unsigned i = 0; i < 2; i++) {
        uint32_t id = take_all_room(line);
        h2_line_get_many(line, "/x", RELY_H2_REFUSALS_PER_SECOND / 2);
        assert_int_equal(line->client.resets[NGHTTP2_REFUSED_STREAM], (i + 1) * RELY_H2_REFUSALS_PER_SECOND / 2);
        assert_int_equal(line->client.goaway, -1);
        give_room_back(line, id);
        h2_line_get_many(line, "/204", 800);
    }
    take_all_room(line);
    h2_line_get_many(line, "/x", 1);
    expect_calm(line);
    assert_true(line->connection->h2 == NULL || line->connection->h2->frames < RELY_H2_FRAMES_PER_SECOND);
    assert_int_equal(atomic_load(&line->handler.handled), 2 + 2 * 800);
    h2_line_end(line);
}

/* MadeYouReset: whatever they are for. */
static void test_resets_that_it_makes_us_send(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct h2_line *line = h2_line_begin(rely_slice("", 0));
        for (int i = 0; i < 2 * RELY_H2_RESETS_PER_SECOND + 1; i++) {
            assert_int_equal(line->client.goaway, -1);
            if (i == RELY_H2_RESETS_PER_SECOND)
                world.later_ms += ONE_SECOND;
            uint32_t id = h2_ask_with_body(&line->client, "GET", "/wait", kind == 0 ? "X-A: b\n" : "");
            if (kind == 1)
                h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, id, 0x7fffffff);
            h2_line_run(line);
            assert_int_equal(h2_find(&line->client, id)->reset,
                             kind == 0 ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_FLOW_CONTROL_ERROR);
        }
        expect_calm(line);
        assert_int_equal(atomic_load(&line->handler.handled), 0);
        h2_line_end(line);
    }
}

/* Rapid reset: a gateway gives up thousands at once, and others many more. Who waits is told each time. */
static void test_requests_that_are_given_up(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    unsigned given_up = 0;
    for (; given_up < 100000 && line->client.goaway < 0; given_up++) {
        uint32_t id = h2_ask(&line->client, "GET", "/wait", "");
        h2_number(&line->client, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
        h2_line_run(line);
    }
    assert_in_range(given_up, RELY_H2_GIVEN_UP_MAX, 99999);
    assert_int_equal(line->client.goaway, NGHTTP2_INTERNAL_ERROR); /* libnghttp2's word */
    assert_int_equal(atomic_load(&line->handler.gone), atomic_load(&line->handler.handled));
    h2_line_end(line);
}

/* --- at once ------------------------------------------------------------------------------------------------- */

static void test_streams_at_once(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    for (unsigned i = 0; i < RELY_H2_STREAMS_MAX; i++)
        h2_ask(&line->client, "GET", "/wait", "");
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.waiting), RELY_H2_STREAMS_MAX);
    assert_int_equal(line->client.goaway, -1);
    h2_ask(&line->client, "GET", "/wait", ""); /* it has acknowledged that there are no more */
    h2_line_run(line);
    assert_int_equal(line->client.goaway, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(atomic_load(&line->handler.handled), RELY_H2_STREAMS_MAX);
    h2_line_end(line);
}

static struct h2_line *answer_many_with_headers_of(size_t bytes)
{
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    h2_line_get_many(line, "/wait", RELY_H2_STREAMS_MAX);
    assert_int_equal(atomic_load(&line->handler.waiting), RELY_H2_STREAMS_MAX);
    line->handler.header_bytes = bytes;
    h2_answer_waiting(&line->handler);
    rely_pool_reset(&world.scratch);
    return line;
}

/* libnghttp2 copies each head that it will send: who is answered when that memory is used up is told, whatever the last
 * bytes of it were used for. */
static void test_memory_of_the_library(void **state)
{
    (void)state;
    for (size_t bytes = 1500; bytes < 3600; bytes += 31) {
        struct h2_line *line = answer_many_with_headers_of(bytes);
        assert_in_range(line->connection->h2->library_bytes, RELY_H2_LIBRARY_BYTES / 2, RELY_H2_LIBRARY_BYTES);
        h2_line_run(line);
        unsigned answered = 0;
        for (uint32_t id = 1; id < 2 * RELY_H2_STREAMS_MAX; id += 2) {
            const struct h2_answer *answer = h2_find(&line->client, id);
            answered += answer->has_ended;
            if (!answer->has_ended && answer->reset != NGHTTP2_INTERNAL_ERROR)
                fail_msg("stream %u hears nothing, with %zu bytes", id, bytes);
        }
        assert_true(answered >= 40);
        assert_true(bytes < 3000 || line->client.resets[NGHTTP2_INTERNAL_ERROR] > 0);
        assert_int_equal(h2_line_get(line, "/x")->status, 200); /* it has all of it again */
        assert_int_equal(line->client.goaway, -1);
        h2_line_end(line);
    }
}

/* Whatever libnghttp2 wants it for: a connection that cannot even be told so closes. */
static void test_no_memory_of_the_library(void **state)
{
    (void)state;
    for (int is_used_up = 0; is_used_up < 2; is_used_up++) {
        struct h2_line *line = h2_line_begin(rely_slice("", 0));
        struct rely_h2 *h2 = line->connection->h2;
        if (is_used_up)
            h2->library_bytes = RELY_H2_LIBRARY_BYTES;
        h2_ask(&line->client, "GET", "/x", "");
        h2_line_run(line);
        assert_int_equal(atomic_load(&line->handler.handled), !is_used_up);
        assert_int_equal(world.has_closed, is_used_up);
        h2_line_end(line);
    }
    struct h2_line *line = h2_line_begin(rely_slice("", 0)); /* what is queued cannot be sent */
    h2_line_get(line, "/wait");
    h2_answer_waiting(&line->handler);
    rely_pool_reset(&world.scratch);
    line->connection->h2->library_bytes = RELY_H2_LIBRARY_BYTES;
    h2_line_run(line);
    assert_true(world.has_closed);
    assert_int_equal(h2_find(&line->client, 1)->status, 0);
    h2_line_end(line);
}

static void test_requests_that_are_not_whole(void **state)
{
    (void)state;
    struct h2_line *line = begin_short_of_room();
    static const char bytes[9000];
    uint32_t ids[8];
    h2_line_get(line, "/wait"); /* it is whole, and counts no more */
    for (int i = 0; i < 8; i++)
        ids[i] = h2_ask_with_body(&line->client, "POST", "/x", "");
    h2_line_run(line);
    for (int i = 0; i < 8; i++)
        h2_body(&line->client, ids[i], rely_slice(bytes, sizeof bytes), false);
    h2_line_run(line);
    unsigned refused = line->client.resets[NGHTTP2_REFUSED_STREAM];
    assert_in_range(refused, 3, 6); /* twice what there is, for those that were taken */
    assert_true(line->connection->h2->requests_bytes <= 2 * RELY_H2_REQUESTS_BYTES);
    for (int i = 0; i < 3; i++) /* but one goes on always */
        h2_body(&line->client, ids[0], rely_slice(bytes, sizeof bytes), i == 2);
    h2_body(&line->client, ids[7], rely_slice(bytes, sizeof bytes), true); /* to one that was refused */
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, ids[0])->status, 200);
    assert_int_equal(h2_find(&line->client, ids[7])->status, 0);
    h2_line_end(line);
    line = h2_line_begin(rely_slice("", 0)); /* while the loop is at ease they have ten times as much */
    for (int i = 0; i < 80; i++)
        h2_body(&line->client, h2_ask_with_body(&line->client, "POST", "/x", ""), rely_slice(bytes, 900), false);
    h2_line_run(line);
    assert_int_equal(line->client.resets[NGHTTP2_REFUSED_STREAM], 0);
    assert_in_range(line->connection->h2->requests_bytes, 2 * RELY_H2_REQUESTS_BYTES, RELY_H2_REQUESTS_BYTES_AT_EASE);
    h2_line_end(line);
}

/* One that is more than there is room for, with its head alone. */
static void test_a_head_without_room(void **state)
{
    (void)state;
    struct h2_line *line = begin_short_of_room();
    struct rely_buf text = {0};
    uint32_t ids[2];
    world.options.max_head_bytes = 65536;
    for (int i = 0; i < 2; i++) {
        text.len = 0;
        rely_buf_printf(&text, "x-a: %0*d\n", i == 0 ? 11000 : 25000, 0);
        ids[i] = h2_ask_with_body(&line->client, "POST", "/x", text.ptr);
    }
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, ids[1])->reset, NGHTTP2_REFUSED_STREAM);
    h2_body(&line->client, ids[0], rely_slice("", 0), true);
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, ids[0])->status, 200);
    assert_int_equal(atomic_load(&line->handler.handled), 1);
    rely_buf_fini(&text);
    h2_line_end(line);
}

#define NO_WINDOW "\0\4\0\0\0\0" /* SETTINGS_INITIAL_WINDOW_SIZE */

static void test_answers_that_are_not_taken(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(RELY_LIT(NO_WINDOW));
    uint32_t first = line->client.next_id;
    for (int i = 0; i < 20; i++)
        h2_line_get(line, "/x");
    assert_int_equal(line->client.resets[NGHTTP2_REFUSED_STREAM], 20 - RELY_H2_BLOCKED_MAX);
    assert_int_equal(h2_find(&line->client, first)->status, 200);
    assert_int_equal(h2_find(&line->client, first)->body_len, 0);
    h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, first, 5); /* in two pieces */
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, first)->body_len, 5);
    h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, first, 1000);
    h2_line_run(line);
    assert_true(h2_find(&line->client, first)->has_ended);
    assert_int_equal(h2_line_get(line, "/x")->reset, -1); /* in the place of that */
    assert_int_equal(h2_line_get(line, "/x")->reset, NGHTTP2_REFUSED_STREAM);
    h2_line_end(line);
    line = h2_line_begin(RELY_LIT(NO_WINDOW)); /* of large ones one is enough */
    assert_int_equal(h2_line_get(line, "/large")->status, 200);
    assert_int_equal(h2_line_get(line, "/x")->reset, NGHTTP2_REFUSED_STREAM);
    h2_line_end(line);
}

/* As many in one read as may be open: who takes them has not too many. */
static void test_many_answers_at_once(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(RELY_LIT("\0\4\0\x3f\xff\xff"));
    h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, 0, 1 << 30);
    world.step = 32768;
    for (int i = 0; i < 90; i++)
        h2_body(&line->client, h2_ask_with_body(&line->client, "GET", i % 30 == 0 ? "/large" : "/x", ""),
                rely_slice("", 0), true);
    h2_line_run(line);
    for (uint32_t id = 1; id < 180; id += 2)
        assert_true(h2_find(&line->client, id)->has_ended);
    assert_int_equal(line->client.resets[NGHTTP2_REFUSED_STREAM], 0);
    assert_int_equal(h2_find(&line->client, 1)->body_len, H2_LARGE_BYTES);
    h2_line_end(line);
}

/* --- what makes us answer ------------------------------------------------------------------------------------- */

static void test_frames_that_want_an_answer(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        const char *payload;
        size_t len;
    } rows[] = {{NGHTTP2_PING, "12345678", 8}, {NGHTTP2_SETTINGS, "", 0}};
    for (size_t row = 0; row < 2; row++)
        for (int more = 0; more < 2; more++) {
            struct h2_line *line = h2_line_begin(rely_slice("", 0));
            for (int i = 0; i < 100 + more; i++) /* in one read */
                h2_frame(&line->client, rows[row].type, 0, 0, rely_slice(rows[row].payload, rows[row].len));
            h2_line_run(line);
            assert_int_equal(line->client.goaway, more == 0 ? -1 : NGHTTP2_PROTOCOL_ERROR);
            h2_line_end(line);
        }
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct rely_buf settings = {0};
    for (int i = 0; i < 9; i++) /* one more than a frame may have */
        rely_buf_put(&settings, RELY_LIT("\0\4\0\0\xff\xff"));
    h2_frame(&line->client, NGHTTP2_SETTINGS, 0, 0, rely_buf_slice(&settings));
    h2_line_run(line);
    assert_true(line->client.goaway > 0);
    rely_buf_fini(&settings);
    h2_line_end(line);
}

const struct CMUnitTest h2_limit_tests[] = {
    cmocka_unit_test(test_frames_that_lead_to_nothing),
    cmocka_unit_test(test_requests_give_frames_back),
    cmocka_unit_test(test_streams_that_are_refused_for_want_of_room),
    cmocka_unit_test(test_resets_that_it_makes_us_send),
    cmocka_unit_test(test_requests_that_are_given_up),
    cmocka_unit_test(test_streams_at_once),
    cmocka_unit_test(test_memory_of_the_library),
    cmocka_unit_test(test_no_memory_of_the_library),
    cmocka_unit_test(test_requests_that_are_not_whole),
    cmocka_unit_test(test_a_head_without_room),
    cmocka_unit_test(test_answers_that_are_not_taken),
    cmocka_unit_test(test_many_answers_at_once),
    cmocka_unit_test(test_frames_that_want_an_answer),
};
const size_t h2_limit_count = sizeof h2_limit_tests / sizeof h2_limit_tests[0];

/*
 * One request of HTTP/2 and what it comes to: heads that have no meaning or two, bodies and their limits, what is answered
 * before it is whole. Over a loop that is made up.
 */
#include "h2_line.h"

#include <stdio.h>
#include <stdlib.h>

#define USUAL ":method: GET\n:scheme: http\n:authority: a\n:path: /x\n"
#define ALL (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS)

/* --- heads ------------------------------------------------------------------------------------------------- */

/* Reset by libnghttp2, or refused here: never handled, and the connection goes on. */
static void test_malformed_heads(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int status; /* 0: reset */
        const char *word;
    } rows[] = {
        {USUAL ":path: /y\n", 0, NULL},
        {":method: GET\n" USUAL, 0, NULL},
        {USUAL "x-a: b\n:path: /y\n", 0, NULL},
        {":method: GET\n:scheme: http\n:authority: a\n", 0, NULL},
        {":scheme: http\n:authority: a\n:path: /x\n", 0, NULL},
        {USUAL ":status: 200\n", 0, NULL},
        {USUAL ":protocol: websocket\n", 0, NULL},
        {USUAL "X-A: b\n", 0, NULL},
        {USUAL "connection: close\n", 0, NULL},
        {USUAL "keep-alive: 1\n", 0, NULL},
        {USUAL "upgrade: h2c\n", 0, NULL},
        {USUAL "transfer-encoding: chunked\n", 0, NULL},
        {USUAL "te: gzip\n", 0, NULL},
        {USUAL "x-a: b\tc\x7f\n", 0, NULL},
        {USUAL "x-a: b\r\n", 0, NULL},
        {USUAL "x-a:  b\n", 0, NULL},
        {USUAL "x a: b\n", 0, NULL},
        {USUAL "content-length: 1\ncontent-length: 1\n", 0, NULL},
        {USUAL "content-length: +1\n", 0, NULL},
        {":method: GET\n:scheme: http\n:path: /x\n", 0, NULL}, /* no host by either name */
        {USUAL "host: b\n", 400, "names one host in :authority and another in its Host"},
        {USUAL "host: a\nhost: a\n", 0, NULL},
        {":method: GET\n:scheme: ftp\n:authority: a\n:path: /x\n", 400, "neither http nor https"},
        {":method: GET\n:scheme: http\n:authority: b@a\n:path: /x\n", 400, "no host and port"},
        {":method: CONNECT\n:authority: a:443\n", 200, "CONNECT "},
        {USUAL "host: A\n", 200, "host=A"},
        {USUAL "te: trailers\n", 200, "host=a"},
    };
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int handled = atomic_load(&line->handler.handled);
        uint32_t id = h2_open(&line->client, rows[i].fields, ALL);
        h2_line_run(line);
        const struct h2_answer *answer = h2_find(&line->client, id);
        if (answer->status != rows[i].status ||
            answer->reset != (rows[i].status == 0 ? (int)NGHTTP2_PROTOCOL_ERROR : -1))
            fail_msg("row %zu: status %d, reset %d", i, answer->status, answer->reset);
        if (rows[i].word != NULL && strstr(answer->body, rows[i].word) == NULL)
            fail_msg("no '%s' in: %s", rows[i].word, answer->body);
        assert_int_equal(atomic_load(&line->handler.handled), handled + (rows[i].status == 200));
        assert_int_equal(line->client.goaway, -1);
    }
    h2_line_end(line);
}

/* In two frames; and with as much as a head may have, to the byte and to the field. */
static void test_heads_in_pieces_and_large_ones(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    uint32_t id = h2_open(client, USUAL, NGHTTP2_FLAG_END_STREAM);
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.handled), 0);
    h2_frame(client, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, id, rely_slice("", 0));
    h2_line_run(line);
    assert_int_equal(h2_find(client, id)->status, 200);
    for (int more = 0; more < 2; more++) {
        char text[1200];
        int room =
            1000 + more - 4 * 8 - (int)strlen(":method:path:scheme:authorityGET/xhttpa") - (int)strlen("x-a") - 8;
        snprintf(text, sizeof text, "x-a: %0*d\n", room, 0);
        id = h2_ask(client, "GET", "/x", text);
        h2_line_run(line);
        assert_int_equal(h2_find(client, id)->status, more == 0 ? 200 : 431);
        assert_int_equal(read_counter(&world.counters.cuts[RELY_CUT_HEAD_SIZE]), more);
    }
    assert_int_equal(line->handler.refused_as, RELY_HTTP_HEAD_TOO_LARGE);
    world.options.max_head_bytes = 10000;
    for (size_t fields = 99; fields <= 101; fields++) { /* `host` is one of them, which stands in front here */
        struct rely_buf text = {0};
        for (size_t i = 0; i < fields; i++)
            rely_buf_put(&text, RELY_LIT("a: b\n"));
        id = h2_ask(client, "GET", "/x", text.ptr);
        h2_line_run(line);
        assert_int_equal(h2_find(client, id)->status, fields == 99 ? 200 : 431);
        rely_buf_fini(&text);
    }
    h2_line_end(line);
}

/* --- bodies --------------------------------------------------------------------------------------------------- */

static void test_bodies_to_the_byte(void **state)
{
    (void)state;
    static const char bytes[1001];
    char length[40];
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    for (int row = 0; row < 4; row++) {
        bool is_too_large = row % 2 == 1, is_told = row >= 2;
        snprintf(length, sizeof length, "content-length: %d\n", is_too_large ? 1001 : 1000);
        uint32_t id = h2_ask_with_body(client, "POST", "/204", is_told ? length : "");
        h2_line_run(line);
        assert_int_equal(h2_find(client, id)->status, is_told && is_too_large ? 413 : 0);
        h2_body(client, id, rely_slice(bytes, 600), false);
        h2_line_run(line);
        h2_body(client, id, rely_slice(bytes, is_too_large ? 401 : 400), true);
        h2_line_run(line);
        assert_int_equal(h2_find(client, id)->status, is_too_large ? 413 : 204);
    }
    assert_int_equal(line->handler.refused_as, RELY_HTTP_BODY_TOO_LARGE);
    assert_int_equal(atomic_load(&line->handler.handled), 2);
    assert_int_equal(line->connection->h2->requests_bytes, 0);
    h2_line_end(line);
}

/* RFC 9113 s8.1.1: a body that is not as long as was said is no request. */
static void test_bodies_of_another_length(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    for (int row = 0; row < 3; row++) {
        static const struct rely_slice bodies[] = {{"1234", 4}, {"123456", 6}, {"", 0}};
        uint32_t id = h2_ask_with_body(&line->client, "POST", "/x", "content-length: 5\n");
        h2_body(&line->client, id, bodies[row], true);
        h2_line_run(line);
        assert_int_equal(h2_find(&line->client, id)->reset, NGHTTP2_PROTOCOL_ERROR);
    }
    assert_int_equal(atomic_load(&line->handler.handled), 0);
    h2_line_end(line);
}

static void test_what_a_request_expects(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expects;
        bool has_body;
        int status;
        bool is_told_on;
    } rows[] = {
        {"/x", "expect: 100-continue\n", true, 0, true},
        {"/x", "expect: 100-continue\n", false, 200, false},
        {"/x", "", true, 0, false},
        {"/x", "expect: cake\n", true, 417, false},
        {"/bodyless", "expect: cake\n", true, 200, false}, /* nobody looks at it */
        {"/x", "expect: 100-continue\ncontent-length: 5000\n", true, 413, false},
    };
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t id = rows[i].has_body ? h2_ask_with_body(client, "POST", rows[i].path, rows[i].expects)
                                       : h2_ask(client, "POST", rows[i].path, rows[i].expects);
        h2_line_run(line);
        const struct h2_answer *answer = h2_find(client, id);
        assert_int_equal(answer->status, rows[i].status);
        assert_int_equal(answer->was_told_on, rows[i].is_told_on);
        if (rows[i].status != 0)
            continue;
        h2_body(client, id, RELY_LIT("hello"), true);
        h2_line_run(line);
        assert_int_equal(answer->status, 200);
        assert_non_null(strstr(answer->body, "body=hello"));
    }
    h2_line_end(line);
}

/* RFC 9113 s8.1: all is answered, and the client need not go on. What it still sends is thrown away. */
static void test_what_is_answered_from_its_head(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    uint32_t id = h2_ask_with_body(client, "POST", "/bodyless", "content-length: 5000\n");
    h2_body(client, id, RELY_LIT("hello"), false);
    h2_line_run(line);
    const struct h2_answer *answer = h2_find(client, id);
    assert_int_equal(answer->status, 200);
    assert_true(answer->has_ended);
    assert_int_equal(answer->reset, NGHTTP2_NO_ERROR);
    h2_body(client, id, RELY_LIT("hello"), false);
    h2_line_run(line);
    assert_int_equal(h2_line_get(line, "/204")->status, 204);
    uint32_t waits = h2_ask_with_body(client, "POST", "/bodyless", "");
    h2_body(client, waits, RELY_LIT("hello"), true); /* it is whole before its answer is out */
    h2_line_run(line);
    assert_int_equal(h2_find(client, waits)->reset, -1);
    assert_int_equal(h2_find(client, waits)->status, 200);
    assert_int_equal(client->goaway, -1);
    h2_line_end(line);
}

/* A request without a path is the handler's as soon as its head is there: CONNECT, for one. */
static void test_a_request_without_a_path(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    uint32_t id = h2_open(&line->client, ":method: CONNECT\n:authority: a:443\n", NGHTTP2_FLAG_END_HEADERS);
    h2_line_run(line);
    assert_int_equal(h2_find(&line->client, id)->status, 200);
    assert_int_equal(h2_find(&line->client, id)->reset, NGHTTP2_NO_ERROR);
    h2_line_end(line);
}

static void test_trailers_of_a_request(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    uint32_t id = h2_ask_with_body(client, "POST", "/x", "");
    h2_body(client, id, RELY_LIT("hello"), false);
    h2_frame(client, NGHTTP2_HEADERS, ALL, id, RELY_LIT("\0\3x-a\1b"));
    h2_line_run(line);
    assert_int_equal(h2_find(client, id)->reset, NGHTTP2_INTERNAL_ERROR);
    assert_int_equal(atomic_load(&line->handler.handled), 0);
    assert_int_equal(h2_line_get(line, "/204")->status, 204);
    h2_line_end(line);
}

/* --- who has deferred one ----------------------------------------------------------------------------------------- */

static void test_a_wait_that_is_given_up(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    uint32_t unfinished = h2_ask_with_body(client, "POST", "/wait", "");
    uint32_t first = h2_ask(client, "GET", "/wait", ""), second = h2_ask(client, "GET", "/wait", "");
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.waiting), 2);
    h2_number(client, NGHTTP2_RST_STREAM, unfinished, NGHTTP2_CANCEL);
    h2_number(client, NGHTTP2_RST_STREAM, second, NGHTTP2_CANCEL);
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.gone), 1);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_ANSWER);
    h2_number(client, NGHTTP2_RST_STREAM, first, NGHTTP2_NO_ERROR);
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.gone), 2);
    assert_int_equal(line->connection->base.stage, RELY_STAGE_IDLE);
    assert_int_equal(atomic_load(&line->handler.handled), 2); /* the one that was not whole is nobody's */
    h2_line_end(line);
}

/* One client's request answers those of the same connection, while the session is at work. */
static void test_waits_that_another_stream_answers(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    h2_line_get_many(line, "/wait", 30);
    assert_int_equal(h2_line_get(line, "/free")->status, 200);
    for (uint32_t id = 1; id < 60; id += 2)
        assert_int_equal(h2_find(&line->client, id)->status, 202);
    assert_int_equal(atomic_load(&line->handler.gone), 0);
    assert_true(line->connection->h2->streams == NULL);
    h2_line_end(line);
}

/* Put off, each is kept whole, and its handler sees the second time what it saw the first time. */
static void test_requests_that_are_handled_again(void **state)
{
    (void)state;
    struct h2_line *line = h2_line_begin(rely_slice("", 0));
    struct h2_client *client = &line->client;
    uint32_t get = h2_ask(client, "GET", "/again?a=b", "x-twice: 1\nx-twice: 2\n");
    uint32_t post = h2_ask_with_body(client, "POST", "/again", "");
    h2_body(client, post, RELY_LIT("a bo"), false);
    h2_line_run(line);
    h2_body(client, post, RELY_LIT("dy"), true);
    uint32_t bodyless = h2_ask_with_body(client, "POST", "/bodyless/again", "");
    uint32_t left = h2_ask(client, "GET", "/again", ""), answered = h2_ask(client, "GET", "/again", "");
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.waiting), 5);
    assert_true(line->connection->h2->requests_bytes > 0);
    h2_number(client, NGHTTP2_RST_STREAM, left, NGHTTP2_CANCEL);
    h2_line_run(line);
    assert_int_equal(atomic_load(&line->handler.gone), 1);
    assert_int_equal(h2_line_get(line, "/x")->status,
                     200); /* others are served, and their heads are not taken for its */
    struct h2_wait *last = NULL;
    for (size_t i = 0; i < H2_WAITS_MAX; i++)
        if (line->handler.waits[i].request != NULL)
            last = &line->handler.waits[i];
    struct rely_http_request *request = last->request;
    last->request = NULL;
    atomic_fetch_sub(&line->handler.waiting, 1);
    rely_http_respond(request, &(struct rely_http_response){.status = 202}); /* without being handled */
    h2_handle_again(&line->handler);
    h2_line_run(line);
    assert_non_null(strstr(h2_find(client, get)->body, "GET /again query=a=b host=a body= twice=2"));
    assert_non_null(strstr(h2_find(client, post)->body, "POST /again query= host=a body=a body twice=0"));
    assert_non_null(strstr(h2_find(client, bodyless)->body, "POST /bodyless/again"));
    assert_int_equal(h2_find(client, answered)->status, 202);
    assert_int_equal(h2_find(client, left)->status, 0);
    assert_int_equal(atomic_load(&line->handler.gone), 1);
    assert_int_equal(line->connection->h2->requests_bytes, 0);
    h2_line_end(line);
}

const struct CMUnitTest h2_stream_tests[] = {
    cmocka_unit_test(test_malformed_heads),
    cmocka_unit_test(test_heads_in_pieces_and_large_ones),
    cmocka_unit_test(test_bodies_to_the_byte),
    cmocka_unit_test(test_bodies_of_another_length),
    cmocka_unit_test(test_what_a_request_expects),
    cmocka_unit_test(test_what_is_answered_from_its_head),
    cmocka_unit_test(test_a_request_without_a_path),
    cmocka_unit_test(test_trailers_of_a_request),
    cmocka_unit_test(test_a_wait_that_is_given_up),
    cmocka_unit_test(test_waits_that_another_stream_answers),
    cmocka_unit_test(test_requests_that_are_handled_again),
};
const size_t h2_stream_count = sizeof h2_stream_tests / sizeof h2_stream_tests[0];

/*
 * HTTP/2 in a real loop: requests and answers on one connection and on several, who leaves while he waits, and how a
 * connection ends.
 */
#include "h2_client.h"
#include "h2_handler.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server with the handler, and one client of it. */
struct h2_stage {
    struct server server;
    struct h2_handler handler;
    struct rely_http_plane plane;
    struct h2_client client;
};

static struct h2_stage *begin_with(const struct rely_loop_options *with)
{
    struct h2_stage *stage = rely_alloc(sizeof *stage);
    stage->plane = h2_plane(&stage->handler);
    stage->server.plane = &stage->plane;
    pthread_barrier_init(&stage->handler.hold, NULL, 2);
    server_start(&stage->server, with);
    h2_begin(&stage->client, client_connect(stage->server.port), rely_slice("", 0));
    return stage;
}

static void end_stage(struct h2_stage *stage)
{
    h2_end(&stage->client);
    server_stop(&stage->server, 0);
    assert_int_equal(atomic_load(&stage->handler.waiting), 0); /* they have been told */
    pthread_barrier_destroy(&stage->handler.hold);
    free(stage);
}

static const struct h2_answer *get(struct h2_client *client, const char *path)
{
    const struct h2_answer *answer = h2_await(client, h2_ask(client, "GET", path, ""));
    assert_int_equal(answer->reset, -1);
    return answer;
}

/* Asks on a connection of its own. */
static void ask_aside(const struct h2_stage *stage, const char *path)
{
    struct h2_client other;
    h2_begin(&other, client_connect(stage->server.port), rely_slice("", 0));
    assert_int_equal(get(&other, path)->status, 200);
    h2_end(&other);
}

/* --- requests and answers ------------------------------------------------------------------------------- */

static void test_requests_with_and_without_body(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    struct h2_client *client = &stage->client;
    const struct h2_answer *answer = get(client, "/a/%62?x=%31&y");
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "GET /a/%62 query=x=%31&y host=a body= twice=0"));
    assert_non_null(strstr(answer->fields, "content-type: text/plain\n"));
    assert_non_null(strstr(answer->fields, "x-blank: of a claim\n")); /* RFC 9113 s8.2.1 */
    assert_non_null(strstr(get(client, "/peer")->body, "peer=127.0.0.1:"));
    uint32_t id = h2_ask_with_body(client, "POST", "/p", "x-twice: 1\nx-twice: 2\n");
    h2_body(client, id, RELY_LIT("hel"), false);
    assert_true(h2_await_pong(client));
    h2_body(client, id, RELY_LIT("lo"), true);
    answer = h2_await(client, id);
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "POST /p query= host=a body=hello twice=2"));
    assert_int_equal(client->announced[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 100);
    assert_int_equal(client->announced[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 1000);
    assert_int_equal(client->announced[9], 1); /* RFC 9218 s2.1: no priorities */
    assert_int_equal(client->goaway, -1);
    end_stage(stage);
}

static void test_answers_without_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *has, *trailers;
        int status;
        bool has_body, has_length;
    } rows[] = {
        {"HEAD", "/x", "content-type: text/plain\n", "", 200, false, true},
        {"GET", "/204", "x-blank: of a claim\n", "", 204, false, false},
        {"GET", "/304", "x-blank: of a claim\n", "", 304, false, false},
        {"GET", "/trailers", "x-blank: of a claim\n", "x-end: yes\nx-more: \n", 200, true, false},
        {"GET", "/end", "x-blank: of a claim\n", "x-end: yes\nx-more: \n", 200, false, false},
        {"GET", "/split", "content-length: 0\n", "", 500, false, true},
        {"GET", "/x", "content-length: ", "", 200, true, true},
    };
    struct h2_stage *stage = begin_with(&server_options);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct h2_answer *answer =
            h2_await(&stage->client, h2_ask(&stage->client, rows[i].method, rows[i].path, ""));
        assert_int_equal(answer->status, rows[i].status);
        assert_int_equal(answer->body_len > 0, rows[i].has_body);
        assert_non_null(strstr(answer->fields, rows[i].has));
        assert_int_equal(strstr(answer->fields, "content-length: ") != NULL, rows[i].has_length);
        assert_string_equal(answer->trailers, rows[i].trailers);
        assert_true(answer->has_ended && answer->reset == -1);
    }
    assert_int_equal(read_counter(&stage->server.counters.unsendable), 1);
    end_stage(stage);
}

static void test_by_a_unix_socket(void **state)
{
    (void)state;
    char path[] = "/tmp/h2-XXXXXX", address[100], peer[100];
    struct rely_err err = {0};
    assert_true(mkstemp(path) >= 0);
    snprintf(address, sizeof address, "unix:%s", path);
    unlink(path);
    struct h2_handler handler = {.header_bytes = 0};
    struct rely_http_plane plane = h2_plane(&handler);
    struct server server = {.plane = &plane, .fds = {0, rely_loop_bind(address, false, &err), 0}};
    struct h2_client client;
    server_start(&server, &server_options);
    h2_begin(&client, client_connect_unix(path), rely_slice("", 0));
    snprintf(peer, sizeof peer, "peer=unix:%u group=1", getuid());
    assert_non_null(strstr(get(&client, "/peer")->body, peer));
    h2_end(&client);
    server_stop(&server, 0);
    unlink(path);
}

/* Both versions, and only where they are spoken. */
static void test_what_a_connection_speaks(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    assert_int_equal(get(&stage->client, "/x")->status, 200);
    int old = client_connect(stage->server.port);
    client_send(old, GET("/x"));
    client_expect(old, 200, "GET /x");
    client_send(old, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); /* once it has spoken HTTP/1.1 */
    client_expect(old, 505, "unknown_http_version");
    assert_true(client_is_closed(old));
    close(old);
    end_stage(stage);
    struct server server = {0}; /* its plane does not speak HTTP/2 */
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client_expect(fd, 505, "unknown_http_version");
    close(fd);
    server_stop(&server, 0);
}

/* Its output is kept while the client reads nothing, and opens no more than it must. */
static void test_large_answers(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    struct h2_client *client = &stage->client;
    uint32_t ids[20];
    client->opens_windows = true;
    for (int i = 0; i < 20; i++)
        ids[i] = h2_ask(client, "GET", "/large", "");
    h2_number(client, NGHTTP2_WINDOW_UPDATE, 0, 10000000);
    for (int i = 0; i < 20; i++)
        h2_number(client, NGHTTP2_WINDOW_UPDATE, ids[i], H2_LARGE_BYTES);
    h2_flush(client);
    wait_for(&stage->handler.handled, 16); /* that is what is kept: those behind them may wait */
    unsigned refused = 0;
    for (int i = 0; i < 20; i++) {
        const struct h2_answer *answer = h2_await(client, ids[i]);
        refused += answer->reset == NGHTTP2_REFUSED_STREAM;
        assert_true(answer->reset == NGHTTP2_REFUSED_STREAM || answer->body_len == H2_LARGE_BYTES);
    }
    assert_true(refused <= 4);
    assert_int_equal(get(client, "/large")->body_len, H2_LARGE_BYTES);
    end_stage(stage);
}

/* --- who waits -------------------------------------------------------------------------------------------- */

static void test_waits_hold_nobody(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    struct h2_client *client = &stage->client;
    uint32_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = h2_ask(client, "GET", "/wait", "");
    assert_int_equal(get(client, "/x")->status, 200);
    assert_int_equal(atomic_load(&stage->handler.waiting), 5);
    h2_number(client, NGHTTP2_RST_STREAM, ids[1], NGHTTP2_CANCEL);
    assert_true(h2_await_pong(client));
    assert_int_equal(atomic_load(&stage->handler.gone), 1);
    ask_aside(stage, "/free");
    for (int i = 0; i < 5; i++)
        if (i != 1)
            assert_int_equal(h2_await(client, ids[i])->status, 202);
    assert_int_equal(h2_find(client, ids[1])->status, 0);
    assert_int_equal(atomic_load(&stage->handler.gone), 1); /* nobody twice */
    end_stage(stage);
}

/* The whole connection is gone, before or while its waiting requests are answered one after the other. */
static void test_a_connection_that_breaks_while_several_wait(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    for (int round = 0; round < 2; round++) {
        struct h2_client leaves, frees;
        h2_begin(&leaves, client_connect(stage->server.port), rely_slice("", 0));
        h2_begin(&frees, client_connect(stage->server.port), rely_slice("", 0));
        for (int i = 0; i < 20; i++)
            h2_ask(&leaves, "GET", "/wait", "");
        assert_true(h2_await_pong(&leaves));
        if (round == 1) { /* the loop is in the handler, and has not seen it */
            h2_ask(&frees, "GET", "/hold-and-free", "");
            h2_flush(&frees);
            pthread_barrier_wait(&stage->handler.hold);
        }
        client_reset(leaves.fd);
        leaves.fd = -1;
        if (round == 1)
            pthread_barrier_wait(&stage->handler.hold);
        else
            wait_for(&stage->handler.gone, 20);
        assert_int_equal(get(&frees, "/x")->status, 200);
        assert_int_equal(atomic_load(&stage->handler.waiting), 0);
        assert_int_equal(atomic_load(&stage->handler.gone), 20);
        h2_end(&leaves);
        h2_end(&frees);
    }
    end_stage(stage);
}

/* Who ends his side still reads what he waits for, and nothing else. */
static void test_an_end_of_input_while_some_wait(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    struct h2_client *client = &stage->client;
    uint32_t waits = h2_ask(client, "GET", "/wait", "");
    uint32_t unfinished = h2_ask_with_body(client, "POST", "/p", "");
    assert_true(h2_await_pong(client));
    shutdown(client->fd, SHUT_WR);
    assert_int_equal(h2_await(client, unfinished)->reset, NGHTTP2_CANCEL);
    ask_aside(stage, "/free");
    assert_int_equal(h2_await(client, waits)->status, 202);
    h2_await_end(client);
    assert_int_equal(client->goaway, NGHTTP2_NO_ERROR);
    assert_int_equal(client->goaway_last, unfinished);
    assert_int_equal(atomic_load(&stage->handler.gone), 0);
    end_stage(stage);
}

/* --- its time ---------------------------------------------------------------------------------------------- */

static void test_an_idle_connection_is_told(void **state)
{
    (void)state;
    struct rely_loop_options hasty = server_options;
    hasty.idle_timeout_ms = 100;
    struct h2_stage *stage = begin_with(&hasty);
    uint32_t id = h2_ask(&stage->client, "GET", "/x", "");
    h2_await(&stage->client, id);
    h2_await_end(&stage->client);
    assert_int_equal(stage->client.goaway, NGHTTP2_NO_ERROR);
    assert_int_equal(stage->client.goaway_last, id);
    await_counter(&stage->server.counters.cuts[RELY_CUT_IDLE_TIME], 1);
    end_stage(stage);
}

static void test_slow_requests_are_refused(void **state)
{
    (void)state;
    struct rely_loop_options hasty = server_options;
    hasty.body_timeout_ms = 100;
    struct h2_stage *stage = begin_with(&hasty);
    struct h2_client *client = &stage->client;
    const struct h2_answer *answer = h2_await(client, h2_ask_with_body(client, "POST", "/p", ""));
    assert_int_equal(answer->status, 408);
    assert_non_null(strstr(answer->body, "\"request_timeout\""));
    assert_int_equal(get(client, "/x")->status, 200);
    h2_open(client, ":method: GET\n", 0); /* a head without an end: nobody can be answered */
    h2_await_end(client);
    assert_int_equal(client->goaway, NGHTTP2_ENHANCE_YOUR_CALM);
    end_stage(stage);
}

static void test_it_leaves_in_order(void **state)
{
    (void)state;
    struct h2_stage *stage = begin_with(&server_options);
    struct h2_client *client = &stage->client;
    uint32_t waits = h2_ask(client, "GET", "/wait", "");
    h2_ask_with_body(client, "POST", "/p", ""); /* it never ends */
    assert_true(h2_await_pong(client));
    rely_loop_stop(stage->server.loop, 60000);
    while (client->goaway < 0)
        assert_true(h2_await_pong(client));
    assert_int_equal(client->goaway, NGHTTP2_NO_ERROR);
    assert_int_equal(client->goaway_last, 0x7fffffff);
    assert_int_equal(get(client, "/x")->status, 200); /* it was on its way */
    assert_int_equal(h2_find(client, waits)->status, 0);
    rely_loop_stop(stage->server.loop, 0); /* nobody will answer any more */
    assert_int_equal(h2_await(client, waits)->status, 503);
    h2_await_end(client);
    assert_int_equal(client->goaway, NGHTTP2_NO_ERROR);
    assert_int_equal(client->goaway_last, 5);
    assert_int_equal(atomic_load(&stage->handler.gone), 1);
    end_stage(stage);
}

const struct CMUnitTest h2_tests[] = {
    cmocka_unit_test(test_requests_with_and_without_body),
    cmocka_unit_test(test_answers_without_a_body),
    cmocka_unit_test(test_by_a_unix_socket),
    cmocka_unit_test(test_what_a_connection_speaks),
    cmocka_unit_test(test_large_answers),
    cmocka_unit_test(test_waits_hold_nobody),
    cmocka_unit_test(test_a_connection_that_breaks_while_several_wait),
    cmocka_unit_test(test_an_end_of_input_while_some_wait),
    cmocka_unit_test(test_an_idle_connection_is_told),
    cmocka_unit_test(test_slow_requests_are_refused),
    cmocka_unit_test(test_it_leaves_in_order),
};
const size_t h2_count = sizeof h2_tests / sizeof h2_tests[0];

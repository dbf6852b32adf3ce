/*
 * Requests that are put off: their connection keeps them whole, and their handler gets them once more.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define H "Host: a\r\n"

struct order {
    struct rely_message message; /* first */
    struct server *server;
    bool answers; /* in place of having it handled again */
};

static void carry_out(struct rely_message *message)
{
    struct order *order = (struct order *)message;
    struct rely_http_request *request = atomic_exchange(&order->server->kept, NULL);
    if (request != NULL && order->answers)
        rely_http_respond(request, &(struct rely_http_response){.status = 202, .body = RELY_LIT("passed over")});
    else if (request != NULL)
        rely_http_handle_again(request);
    free(order);
}

static void post_order(struct server *server, bool answers)
{
    struct order *order = rely_alloc(sizeof *order);
    *order = (struct order){.message.run = carry_out, .server = server, .answers = answers};
    rely_loop_post(server->loop, &order->message);
}

/* Whatever it looks like, and however it comes: the second time the handler sees what it saw the first time. */
static void test_it_is_handled_whole(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"GET /again?a=b HTTP/1.1\r\n" H "X-Twice: one\r\n\r\n", "GET /again query=a=b body=", "twice=1 "},
        {"POST /again HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody", "body=body bearer", NULL},
        {"POST /again HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n",
         "body=body bearer", NULL},
        {"GET /again HTTP/1.1\r\n" H "Authorization: Bearer t\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n", "bearer=1:t",
         "twice=2 "},
    };
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port), handled = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int cut = 0; cut < 2; cut++) { /* the last byte for itself */
            size_t first = strlen(rows[i][0]) - (size_t)cut;
            assert_int_equal(send(fd, rows[i][0], first, MSG_NOSIGNAL), first);
            if (cut == 1) {
                sleep_ms(5);
                client_send(fd, rows[i][0] + first);
            }
            wait_for(&server.handled_count, ++handled);
            post_order(&server, false);
            char answer[4096];
            assert_int_equal(client_read(fd, answer, sizeof answer, false), 200);
            assert_non_null(strstr(answer, rows[i][1]));
            assert_true(rows[i][2] == NULL || strstr(answer, rows[i][2]) != NULL);
            handled++;
        }
    assert_int_equal(atomic_load(&server.handled_count), handled);
    assert_int_equal(atomic_load(&server.gone_count), 0);
    close(fd);
    server_stop(&server, 0);
}

/* What was sent behind it is the next request, whether it is handled again or answered by whoever has put it off. */
static void test_what_stands_behind_it_comes_next(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    for (int answers = 0; answers < 2; answers++) {
        int fd = client_connect(server.port), handled = atomic_load(&server.handled_count);
        client_send(fd, "POST /again HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody" GET("/second"));
        wait_for(&server.handled_count, handled + 1);
        client_send(fd, GET("/third"));
        post_order(&server, answers == 1);
        client_expect(fd, answers == 1 ? 202 : 200, answers == 1 ? "passed over" : "POST /again query= body=body");
        client_expect(fd, 200, "GET /second");
        client_expect(fd, 200, "GET /third");
        close(fd);
    }
    assert_int_equal(atomic_load(&server.gone_count), 0);
    server_stop(&server, 0);
}

/* Of a body that nobody looks at nothing is kept waiting for; the connection ends with the answer, as ever. */
static void test_one_without_its_body(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, "POST /bodyless/again HTTP/1.1\r\n" H "Content-Length: 5000\r\n\r\nbody");
    wait_for(&server.handled_count, 1);
    post_order(&server, false);
    client_expect(fd, 200, "\r\nConnection: close\r\n");
    assert_true(client_is_closed(fd));
    close(fd);
    server_stop(&server, 0);
}

/* The second time it may wait as any other. */
static void test_it_may_be_deferred_then(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/again/defer") GET("/second"));
    for (int i = 1; i <= 2; i++) {
        wait_for(&server.handled_count, i);
        post_order(&server, i == 2);
    }
    client_expect(fd, 202, NULL);
    client_expect(fd, 200, "GET /second");
    close(fd);
    server_stop(&server, 0);
}

static void test_its_client_leaves(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    for (int i = 1; i <= 3; i++) {
        int fd = client_connect(server.port);
        client_send(fd, i == 2 ? GET("/again") GET("/x") : GET("/again"));
        wait_for(&server.handled_count, i);
        client_reset(fd);
        wait_for(&server.gone_count, i);
        post_order(&server, false); /* finds nothing */
    }
    await_counter(&server.counters.connections, 0);
    await_counter(&server.counters.held_bytes, 0);
    server_stop(&server, 0);
}

/* What it keeps counts as any input does, and is given back. */
static void test_what_it_keeps_is_counted(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    char text[1200];
    snprintf(text, sizeof text, "POST /again HTTP/1.1\r\n" H "Content-Length: 900\r\n\r\n%0900d", 0);
    client_send(fd, text);
    wait_for(&server.handled_count, 1);
    await_at_least(&server.counters.held_bytes, 900);
    post_order(&server, false);
    client_expect(fd, 200, "body=0000");
    await_counter(&server.counters.held_bytes, 0);
    close(fd);
    server_stop(&server, 0);
}

static void test_the_drain_ends_it(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/again") GET("/second"));
    wait_for(&server.handled_count, 1);
    server_stop(&server, 50);
    assert_int_equal(atomic_load(&server.gone_count), 1);
    client_expect(fd, 503, "Connection: close");
    assert_true(client_is_closed(fd));
    assert_int_equal(atomic_load(&server.handled_count), 1);
    close(fd);
}

const struct CMUnitTest again_tests[] = {
    cmocka_unit_test(test_it_is_handled_whole),  cmocka_unit_test(test_what_stands_behind_it_comes_next),
    cmocka_unit_test(test_one_without_its_body), cmocka_unit_test(test_it_may_be_deferred_then),
    cmocka_unit_test(test_its_client_leaves),    cmocka_unit_test(test_what_it_keeps_is_counted),
    cmocka_unit_test(test_the_drain_ends_it),
};
const size_t again_count = sizeof again_tests / sizeof again_tests[0];

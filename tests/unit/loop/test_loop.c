/*
 * A real loop in a thread: keep-alive, pipelining, deferred answers, leaving clients, timers, limits, the drain.
 */
#include "server.h"

#include "relyd/pool.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct rely_loop_options plain = {
    .max_head_bytes = 20000,
    .max_body_bytes = 1000,
    .max_memory_bytes = 1 << 20,
    .head_timeout_ms = 5000,
    .body_timeout_ms = 5000,
    .idle_timeout_ms = 5000,
    .max_connections = 100,
};

static void test_keep_alive(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    for (int i = 0; i < 3; i++) {
        client_send(fd, "GET /a/%62/../c?x=%31&y HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n");
        /* fault A1: the path as it was sent */
        client_expect(fd, 200,
                      "GET /a/%62/../c query=x=%31&y body= bearer=0: twice=2 unix=0:4294967295 peer=127.0.0.1:");
    }
    client_send(fd, "GET HTTP://Host.example/a/../b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    client_expect(fd, 200, "GET /a/../b query=c body= bearer=0:");
    client_send(fd, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    client_expect(fd, 200, "OPTIONS  query= body= bearer=0:");
    client_send(fd, "POST /p HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t.o.k\r\nContent-Length: 5\r\n\r\nhello");
    client_expect(fd, 200, "POST /p query= body=hello bearer=1:t.o.k");
    client_send(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client_expect(fd, 200, "\r\nConnection: close\r\n");
    assert_true(client_is_closed(fd));
    close(fd);
    server_stop(&server, 0);
    assert_int_equal(atomic_load(&server.handled_count), 7);
}

static void test_headers_of_an_answer(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, GET("/x"));
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "\r\ncontent-type: text/plain\r\n"));
    assert_non_null(strstr(answer, "\r\nx-relyd-test: yes\r\n"));
    assert_null(strcasestr(answer, "\r\nserver:"));
    client_send(fd, GET("/204"));
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 204);
    assert_null(strcasestr(answer, "content-length"));
    assert_null(strcasestr(answer, "transfer-encoding"));
    client_send(fd, GET("/problem"));
    client_expect(fd, 422, "\"detail\":\"two\\nlines\",\"errors\":[{\"field\":\"name\",\"code\":\"too_long\"");
    close(fd);
    server_stop(&server, 0);
}

/* A subject with a line end must not write headers of its own. */
static void test_response_splitting(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, GET("/split"));
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 500);
    assert_null(strstr(answer, "set-cookie"));
    client_send(fd, GET("/x"));
    client_expect(fd, 200, "GET /x");
    close(fd);
    server_stop(&server, 0);
    assert_int_equal(server.counters.unsendable, 1); /* fault B22: every 500 is counted */
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" GET("/next"));
    assert_int_equal(client_read(fd, answer, sizeof(answer), true), 200);
    const char *length = strcasestr(answer, "content-length:");
    assert_non_null(length);
    assert_true(atoi(length + 15) > 10);
    client_expect(fd, 200, "GET /next");
    close(fd);
    server_stop(&server, 0);
}

static int read_count(int fd)
{
    char answer[4096];
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    const char *count = strstr(answer, "count=");
    assert_non_null(count);
    return atoi(count + 6);
}

/* Fault B5: whoever asks for one thing is not kept waiting until another connection's 500 pipelined requests are
 * through.
 */
static void test_b5_one_request_a_connection_and_turn(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int greedy = client_connect(server.port), honest = client_connect(server.port);
    client_send(honest, GET("/count"));
    assert_int_equal(read_count(honest), 1);
    char pipelined[sizeof(GET("/hold")) + 500 * sizeof(GET("/count"))] = GET("/hold");
    for (int i = 0; i < 500; i++)
        strcat(pipelined, GET("/count"));
    client_send(greedy, pipelined);
    pthread_barrier_wait(&server.hold); /* the loop is inside a turn, and has read all of them */
    client_send(honest, GET("/count"));
    pthread_barrier_wait(&server.hold);
    assert_in_range(read_count(honest), 3, 6); /* behind "/hold" and at most a few more */
    client_expect(greedy, 200, NULL);
    int last = 0;
    for (int i = 0; i < 500; i++)
        last = read_count(greedy);
    assert_int_equal(last, 503);
    close(greedy);
    close(honest);
    server_stop(&server, 0);
}

/* 40 requests, of which one is answered when the test wants it; none: negative. */
static void send_pipelined(int fd, int held)
{
    char requests[40 * sizeof(GET("/count"))] = "";
    for (int i = 0; i < 40; i++)
        strcat(requests, i == held ? GET("/hold") : GET("/count"));
    client_send(fd, requests);
}

/* Nor is a turn as long as there are connections that pipeline: what comes meanwhile is read after some of them,
 * wherever in their line it comes. */
static void test_b5_a_turn_has_room_for_some(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = plain;
    options.max_connections = 500;
    server_start(&server, &options);
    int greedy[400], first = client_connect(server.port), honest = client_connect(server.port);
    for (int i = 0; i < 400; i++)
        greedy[i] = client_connect(server.port);
    client_send(first, GET("/hold"));
    pthread_barrier_wait(&server.hold);
    for (int i = 0; i < 400; i++)
        send_pipelined(greedy[i], i % 50 == 0 ? 10 + i / 50 * 3 : -1);
    pthread_barrier_wait(&server.hold);
    for (int i = 0; i < 8; i++) {
        pthread_barrier_wait(&server.hold); /* all of them stand in line */
        int handled = atomic_load(&server.handled_count);
        client_send(honest, GET("/count"));
        pthread_barrier_wait(&server.hold);
        assert_in_range(read_count(honest), handled, handled + 300);
    }
    for (int i = 0; i < 400; i++)
        close(greedy[i]);
    close(first);
    close(honest);
    server_stop(&server, 0);
}

static void test_pipelining(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    for (int i = 0; i < 100; i++) {
        char request[128], word[32];
        snprintf(request, sizeof(request), "GET /n%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
        client_send(fd, request);
        if (i % 10 != 9)
            continue;
        for (int j = i - 9; j <= i; j++) {
            snprintf(word, sizeof(word), "GET /n%d query", j);
            client_expect(fd, 200, word);
        }
    }
    close(fd);
    server_stop(&server, 0);
    assert_int_equal(atomic_load(&server.handled_count), 100);
}

/* --- messages, deferred answers ----------------------------------------------------------------- */

struct note {
    struct rely_message message; /* first */
    struct server *server;
    int number;
    int *order;
    atomic_int *count;
};

static void note_order(struct rely_message *message)
{
    struct note *note = (struct note *)message;
    note->order[atomic_load(note->count)] = note->number;
    atomic_fetch_add(note->count, 1);
    free(note);
}

static void test_messages_keep_their_order(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    static int order[2000];
    atomic_int count = 0;
    for (int i = 0; i < 2000; i++) {
        struct note *note = rely_alloc(sizeof(*note));
        *note = (struct note){.message.run = note_order, .number = i, .order = order, .count = &count};
        rely_loop_post(server.loop, &note->message);
    }
    wait_for(&count, 2000);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(order[i], i);
    server_stop(&server, 0);
}

static void answer_kept(struct rely_message *message)
{
    struct note *note = (struct note *)message;
    struct rely_http_request *request = atomic_exchange(&note->server->kept, NULL);
    if (request != NULL) {
        assert_true(request->path.ptr == NULL && request->body.ptr == NULL && request->method.ptr == NULL);
        char *body = rely_alloc(200 + (size_t)note->number);
        snprintf(body, 200, "late %s", note->server->kept_text);
        size_t len = strlen(body);
        memset(body + len, 'x', (size_t)note->number);
        rely_http_respond(
            request, &(struct rely_http_response){.status = 200, .body = rely_slice(body, len + (size_t)note->number)});
        free(body);
    }
    free(note);
}

static void post_long_answer(struct server *server, int more)
{
    struct note *note = rely_alloc(sizeof(*note));
    *note = (struct note){.message.run = answer_kept, .server = server, .number = more};
    rely_loop_post(server->loop, &note->message);
}

static void post_answer(struct server *server)
{
    post_long_answer(server, 0);
}

static void test_deferred_answer(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    for (int i = 1; i <= 3; i++) {
        client_send(fd, "POST /defer HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        wait_for(&server.handled_count, i);
        sleep_ms(5);
        post_answer(&server);
        client_expect(fd, 200, "late /defer body");
    }
    client_send(fd, "GET /defer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    wait_for(&server.handled_count, 4);
    post_answer(&server);
    client_expect(fd, 200, "\r\nConnection: close\r\n");
    assert_true(client_is_closed(fd));
    assert_int_equal(atomic_load(&server.gone_count), 0);
    close(fd);
    server_stop(&server, 0);
}

/* What its client does not take is held as that of any other. */
static void test_long_deferred_answer(void **state)
{
    (void)state;
    struct server server = {0};
    const uint64_t *held = &server.counters.held_bytes;
    struct rely_loop_options options = plain;
    options.max_memory_bytes = 32 << 20;
    server_start(&server, &options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/defer"));
    wait_for(&server.handled_count, 1);
    post_long_answer(&server, 8 << 20);
    for (int i = 0; i < 5000 && read_counter(held) == 0; i++)
        sleep_ms(1);
    assert_in_range(read_counter(held), 1 << 20, 9 << 20);
    close(fd);
    server_stop(&server, 0);
    assert_int_equal(read_counter(held), 0);
}

/* What a handler waits for may be there before it returns; also of the last request of a connection. */
static void test_deferred_and_answered_by_the_handler(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    client_send(fd, GET("/defer-and-answer") GET("/x"));
    client_expect(fd, 200, "at once");
    client_expect(fd, 200, "GET /x");
    client_send(fd, "GET /defer-and-answer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client_expect(fd, 200, "at once");
    assert_true(client_is_closed(fd));
    assert_int_equal(atomic_load(&server.gone_count), 0);
    close(fd);
    server_stop(&server, 0);
}

/* The next request is in the kernel or in the buffer while the first one waits; neither may be lost or mixed up. */
static void test_deferred_with_pipelined(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    client_send(fd, GET("/defer") GET("/second"));
    wait_for(&server.handled_count, 1);
    client_send(fd, GET("/third"));
    sleep_ms(20);
    assert_int_equal(atomic_load(&server.handled_count), 1);
    post_answer(&server);
    client_expect(fd, 200, "late /defer");
    client_expect(fd, 200, "GET /second");
    client_expect(fd, 200, "GET /third");
    assert_int_equal(atomic_load(&server.gone_count), 0);
    close(fd);
    server_stop(&server, 0);
}

static void test_client_leaves_while_deferred(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    for (int i = 1; i <= 4; i++) {
        int fd = client_connect(server.port);
        client_send(fd, GET("/defer"));
        wait_for(&server.handled_count, i);
        client_reset(fd);
        wait_for(&server.gone_count, i);
        assert_null(atomic_load(&server.kept));
        post_answer(&server); /* finds nothing to answer */
    }
    await_counter(&server.counters.connections, 0);
    server_stop(&server, 0);
}

/* Whatever it has sent behind the request that waits, and before. */
static void test_client_leaves_while_deferred_among_others(void **state)
{
    (void)state;
    struct server server = {0};
    static const char *const rows[] = {GET("/x") GET("/defer"), GET("/defer") GET("/x"),
                                       GET("/x") GET("/defer") GET("/x")};
    server_start(&server, &plain);
    for (int i = 0, handled = 0; i < 3; i++) {
        int fd = client_connect(server.port);
        client_send(fd, rows[i]);
        handled += i == 1 ? 1 : 2;
        wait_for(&server.handled_count, handled);
        sleep_ms(20);
        client_reset(fd);
        wait_for(&server.gone_count, i + 1);
    }
    server_stop(&server, 0);
}

/* Fault B20: who ends his side behind the request is answered, also when it waits; who has closed altogether in an
 * orderly way looks the same, and is answered too. */
static void test_b20_half_closed_clients_are_answered(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    for (int i = 1; i <= 4; i++) {
        int fd = client_connect(server.port);
        client_send(fd, GET("/defer"));
        shutdown(fd, SHUT_WR);
        wait_for(&server.handled_count, i);
        sleep_ms(20);
        assert_int_equal(atomic_load(&server.gone_count), 0);
        if (i == 4)
            close(fd);
        post_answer(&server);
        if (i == 4)
            continue;
        client_expect(fd, 200, "late /defer");
        assert_true(client_is_closed(fd));
        close(fd);
    }
    int fd = client_connect(server.port);
    client_send(fd, GET("/x"));
    shutdown(fd, SHUT_WR);
    client_expect(fd, 200, "GET /x");
    assert_true(client_is_closed(fd));
    close(fd);
    await_counter(&server.counters.connections, 0);
    assert_int_equal(atomic_load(&server.gone_count), 0);
    server_stop(&server, 0);
}

/* --- timers ---------------------------------------------------------------------------------------- */

struct alarm {
    struct rely_timer timer; /* first */
    int64_t rang_ms;
    atomic_int *count;
};

static void ring(struct rely_timer *timer)
{
    struct alarm *alarm = (struct alarm *)timer;
    alarm->rang_ms = now_ms();
    atomic_fetch_add(alarm->count, 1);
}

struct alarms {
    struct rely_message message; /* first */
    struct rely_loop *loop;
    struct alarm alarm[4];
};

static void start_alarms(struct rely_message *message)
{
    struct alarms *alarms = (struct alarms *)message;
    rely_timer_start(alarms->loop, &alarms->alarm[0].timer, 60);
    rely_timer_start(alarms->loop, &alarms->alarm[1].timer, 20);
    rely_timer_start(alarms->loop, &alarms->alarm[2].timer, 10);
    rely_timer_cancel(alarms->loop, &alarms->alarm[2].timer);
    rely_timer_start(alarms->loop, &alarms->alarm[3].timer, 3600000);
    rely_timer_start(alarms->loop, &alarms->alarm[3].timer, 0); /* moved */
}

static void test_timers(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    atomic_int count = 0;
    struct alarms alarms = {.message.run = start_alarms, .loop = server.loop};
    for (int i = 0; i < 4; i++)
        alarms.alarm[i] = (struct alarm){.timer.run = ring, .count = &count};
    int64_t start = now_ms();
    rely_loop_post(server.loop, &alarms.message);
    wait_for(&count, 3);
    sleep_ms(20);
    assert_int_equal(atomic_load(&count), 3);
    server_stop(&server, 0);
    assert_in_range(alarms.alarm[0].rang_ms - start, 59, 1000);
    assert_in_range(alarms.alarm[1].rang_ms - start, 19, 1000);
    assert_true(alarms.alarm[1].rang_ms <= alarms.alarm[0].rang_ms);
    assert_int_equal(alarms.alarm[2].rang_ms, 0);
    assert_true(alarms.alarm[3].rang_ms <= alarms.alarm[1].rang_ms);
}

/* --- stopping -------------------------------------------------------------------------------------- */

static void test_stop_finishes_what_is_in_flight(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int idle = client_connect(server.port), busy = client_connect(server.port), late = client_connect(server.port);
    client_send(idle, GET("/x"));
    client_expect(idle, 200, "GET /x");
    client_send(late, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 2);
    sleep_ms(20);
    rely_loop_stop(server.loop, 10000);
    int64_t start = now_ms();
    assert_true(client_is_closed(idle));
    assert_true(now_ms() - start < 2000);
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    close(refused);
    client_send(late, "dy");
    client_expect(late, 200, "\r\nConnection: close\r\n");
    post_answer(&server);
    client_expect(busy, 200, "\r\nConnection: close\r\n"); /* it was parsed before the stop */
    assert_true(client_is_closed(busy));
    assert_int_equal(atomic_load(&server.gone_count), 0);
    pthread_barrier_wait(&server.ready); /* the loop has returned long before its deadline */
    assert_true(now_ms() - start < 5000);
    pthread_join(server.thread, NULL);
    pthread_barrier_destroy(&server.ready);
    close(idle);
    close(busy);
    close(late);
}

static void test_stop_cuts_off_after_the_deadline(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int busy = client_connect(server.port), slow = client_connect(server.port), deaf = client_connect(server.port);
    client_send(slow, "GET /never HTTP/1.1\r\nHos");
    client_send(deaf, GET("/big"));
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 2);
    int64_t start = now_ms();
    server_stop(&server, 100);
    assert_in_range(now_ms() - start, 90, 1900); /* not as long as who leaves may take */
    assert_int_equal(atomic_load(&server.gone_count), 1);
    client_expect(busy, 503, "\r\nConnection: close\r\n");
    assert_true(client_is_closed(busy));
    assert_true(client_is_closed(slow));
    assert_true(client_is_closed(deaf));
    close(busy);
    close(slow);
    close(deaf);
}

/* Whoever is told at the end of a drain that no answer will come has a moment to read that. */
static void test_stop_tells_who_waits(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    client_send(fd, GET("/defer"));
    wait_for(&server.handled_count, 1);
    int64_t start = now_ms();
    server_stop(&server, 50);
    assert_in_range(now_ms() - start, 90, 3000);
    assert_int_equal(atomic_load(&server.gone_count), 1);
    client_expect(fd, 503, "Connection: close");
    assert_true(client_is_closed(fd));
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_DRAIN]), 1);
    close(fd);
}

static void test_second_stop_moves_the_deadline(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int busy = client_connect(server.port);
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 1);
    rely_loop_stop(server.loop, 60000);
    sleep_ms(20);
    int64_t start = now_ms();
    server_stop(&server, 0);
    assert_true(now_ms() - start < 3000);
    close(busy);
}

static void note_drop(struct rely_message *message)
{
    struct note *note = (struct note *)message;
    note->order[atomic_load(note->count)] = -note->number;
    atomic_fetch_add(note->count, 1);
}

static void test_post_after_the_stop(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int order[3] = {0};
    atomic_int count = 0;
    struct note notes[3];
    for (int i = 0; i < 3; i++)
        rely_loop_stop(server.loop, 0);
    sleep_ms(50);
    for (int i = 0; i < 3; i++) {
        notes[i] = (struct note){.message.run = note_order, .number = i + 1, .order = order, .count = &count};
        notes[i].message.drop = i == 1 ? NULL : note_drop;
        rely_loop_post(server.loop, &notes[i].message);
    }
    sleep_ms(20);
    assert_int_equal(atomic_load(&count), 0);
    pthread_barrier_wait(&server.ready); /* now it is freed */
    pthread_join(server.thread, NULL);
    pthread_barrier_destroy(&server.ready);
    assert_int_equal(atomic_load(&count), 2);
    assert_int_equal(order[0], -1);
    assert_int_equal(order[1], -3);
}

/* --- refusals that no handler sees ------------------------------------------------------------------ */

static const struct {
    const char *request;
    int status;
    const char *code;
} refused[] = {
    {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413, "body_too_large"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413, "body_too_large"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n", 400, "malformed_request"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nContent-Length: 2\r\n\r\nhi", 417, "expectation_failed"},
    {"GET /p HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request"},
};

/* Fault D: what libh2o refuses by itself was text/plain. */
static void test_refusals_are_problems(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char answer[4096], word[64], chunk[1002] = "";
        int fd = client_connect(server.port);
        client_send(fd, refused[i].request);
        memset(chunk, 'x', 1001);
        if (strstr(refused[i].request, "3e9") != NULL)
            client_send(fd, chunk);
        assert_int_equal(client_read(fd, answer, sizeof answer, false), refused[i].status);
        snprintf(word, sizeof word, "\"code\":\"%s\"", refused[i].code);
        assert_non_null(strstr(answer, "content-type: application/problem+json\r\n"));
        assert_null(strstr(answer, "text/plain"));
        assert_non_null(strstr(answer, "\r\n\r\n{\"type\":"));
        assert_non_null(strstr(answer, word));
        assert_true(client_is_closed(fd));
        close(fd);
    }
    server_stop(&server, 0);
    assert_int_equal(atomic_load(&server.handled_count), 0);
}

static void reword_refusal(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    (void)context;
    size_t count = 1;
    struct rely_http_header header = {RELY_LIT("x-kind"), RELY_LIT("mine")};
    assert_null(rely_http_find_header(request, RELY_LIT("host"), &count).ptr); /* of whatever request */
    assert_int_equal(count, 0);
    struct rely_slice body =
        rely_pool_printf(request->scratch, "%.*s %d %s", RELY_ARG(request->path), refusal->status, refusal->code);
    rely_http_respond(request,
                      &(struct rely_http_response){.status = 403, .headers = &header, .header_count = 1, .body = body});
}

static void test_refusals_in_the_listeners_own_words(void **state)
{
    (void)state;
    struct server server = {.refuse = reword_refusal};
    server_start(&server, &plain);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char answer[4096], word[64], chunk[1002] = "";
        int fd = client_connect(server.port);
        client_send(fd, refused[i].request);
        memset(chunk, 'x', 1001);
        if (strstr(refused[i].request, "3e9") != NULL)
            client_send(fd, chunk);
        assert_int_equal(client_read(fd, answer, sizeof answer, false), 403);
        snprintf(word, sizeof word, "\r\n\r\n/p %d %s", refused[i].status, refused[i].code);
        assert_non_null(strstr(answer, "\r\nx-kind: mine\r\n"));
        assert_non_null(strstr(answer, word));
        assert_true(client_is_closed(fd));
        close(fd);
    }
    int fd = client_connect(server.port);
    client_send(fd, "HEAD /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    char answer[4096];
    assert_int_equal(client_read(fd, answer, sizeof answer, true), 403);
    assert_true(client_is_closed(fd)); /* and no body came before that */
    close(fd);
    server_stop(&server, 0);
}

/* --- limits ---------------------------------------------------------------------------------------- */

static void test_body_limit(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    int fd = client_connect(server.port);
    client_send(fd, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    client_expect(fd, 413, NULL);
    assert_true(client_is_closed(fd));
    close(fd);
    fd = client_connect(server.port);
    client_send(fd, "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
    char chunk[1002] = "";
    memset(chunk, 'x', sizeof(chunk) - 1);
    client_send(fd, chunk);
    client_expect(fd, 413, NULL);
    close(fd);
    server_stop(&server, 0);
    assert_int_equal(atomic_load(&server.handled_count), 0);
}

/* Out of descriptors, the loop must neither spin nor stop accepting for good. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &plain);
    struct rlimit old, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    client_send(fd, GET("/x"));
    double before = cpu_seconds();
    sleep_ms(300);
    double used = cpu_seconds() - before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(atomic_load(&server.handled_count), 0);
    assert_true(used < 0.15);
    client_expect(fd, 200, "GET /x");
    close(fd);
    server_stop(&server, 0);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

/* libh2o 2.2.5 forgets one end of the pipe that wakes a loop; nothing else may stay open. */
static void test_a_freed_loop_closes_its_descriptors(void **state)
{
    (void)state;
    int before = count_descriptors();
    for (int i = 0; i < 3; i++) {
        struct server server = {0};
        server_start(&server, &plain);
        server_stop(&server, 0);
    }
    assert_in_range(count_descriptors(), before, before + 3);
}

static void test_two_listeners_and_a_unix_socket(void **state)
{
    (void)state;
    struct rely_err err = {0};
    char path[64], address[80];
    snprintf(path, sizeof(path), "/tmp/relyd-loop-%d", (int)getpid());
    snprintf(address, sizeof(address), "unix:%s", path);
    struct server server = {
        .fds = {0, rely_loop_bind("127.0.0.1:0", false, &err), rely_loop_bind(address, false, &err)}};
    assert_true(server.fds[1] >= 0 && server.fds[2] >= 0);
    struct sockaddr_in other;
    socklen_t size = sizeof(other);
    getsockname(server.fds[1], (struct sockaddr *)&other, &size);
    server_start(&server, &plain);
    int tcp = client_connect(server.port), second = client_connect((other.sin_port >> 8) | (other.sin_port & 255) << 8);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path));
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(local, (struct sockaddr *)&name, sizeof(name)), 0);
    char word[64];
    snprintf(word, sizeof(word), "unix=1:%u peer=unix:%u", getuid(), getuid());
    client_send(local, GET("/u"));
    client_expect(local, 200, word);
    client_send(second, GET("/x"));
    client_expect(second, 200, "the other listener");
    client_send(tcp, GET("/x"));
    client_expect(tcp, 200, "unix=0:4294967295");
    client_send(local, GET("/defer"));
    wait_for(&server.handled_count, 3);
    close(local);
    wait_for(&server.gone_count, 1);
    close(tcp);
    close(second);
    server_stop(&server, 0);
    unlink(path);
}

/* --- several loops --------------------------------------------------------------------------------- */

/* Of an urgent byte in a unix socket the kernel says that there is input, and gives none to who only looks. */
static void test_an_urgent_byte_wakes_nobody_for_ever(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char address[128];
    snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/relyd-urgent-%d", (int)getpid());
    snprintf(address, sizeof(address), "unix:%s", name.sun_path);
    struct server server = {.fds = {0, -1, rely_loop_bind(address, false, &err)}};
    assert_true(server.fds[2] >= 0);
    server_start(&server, &plain);
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(local, (struct sockaddr *)&name, sizeof(name)), 0);
    client_send(local, GET("/defer"));
    wait_for(&server.handled_count, 1);
    sleep_ms(20);
    if (send(local, "!", 1, MSG_OOB) == 1) { /* an older kernel does not have it */
        double before = cpu_seconds();
        sleep_ms(500);
        assert_true(cpu_seconds() - before < 0.1);
    }
    post_answer(&server);
    client_expect(local, 200, "late /defer");
    client_send(local, GET("/x"));
    client_expect(local, 200, "GET /x");
    close(local);
    server_stop(&server, 0);
    unlink(name.sun_path);
}

static void test_several_loops(void **state)
{
    (void)state;
    struct server servers[3] = {0};
    for (int i = 0; i < 3; i++)
        server_start(&servers[i], &plain);
    for (int round = 0; round < 30; round++)
        for (int i = 0; i < 3; i++) {
            int fd = client_connect(servers[i].port);
            client_send(fd, GET("/x") GET("/defer"));
            client_expect(fd, 200, "GET /x");
            wait_for(&servers[i].handled_count, 2 * round + 2);
            post_answer(&servers[i]);
            client_expect(fd, 200, "late /defer");
            close(fd);
        }
    for (int i = 0; i < 3; i++)
        server_stop(&servers[i], 1000);
}

const struct CMUnitTest loop_tests[] = {
    cmocka_unit_test(test_keep_alive),
    cmocka_unit_test(test_headers_of_an_answer),
    cmocka_unit_test(test_response_splitting),
    cmocka_unit_test(test_head_has_no_body),
    cmocka_unit_test(test_b5_a_turn_has_room_for_some),
    cmocka_unit_test(test_pipelining),
    cmocka_unit_test(test_b5_one_request_a_connection_and_turn),
    cmocka_unit_test(test_messages_keep_their_order),
    cmocka_unit_test(test_deferred_answer),
    cmocka_unit_test(test_long_deferred_answer),
    cmocka_unit_test(test_deferred_and_answered_by_the_handler),
    cmocka_unit_test(test_deferred_with_pipelined),
    cmocka_unit_test(test_client_leaves_while_deferred),
    cmocka_unit_test(test_client_leaves_while_deferred_among_others),
    cmocka_unit_test(test_b20_half_closed_clients_are_answered),
    cmocka_unit_test(test_timers),
    cmocka_unit_test(test_stop_finishes_what_is_in_flight),
    cmocka_unit_test(test_stop_cuts_off_after_the_deadline),
    cmocka_unit_test(test_stop_tells_who_waits),
    cmocka_unit_test(test_second_stop_moves_the_deadline),
    cmocka_unit_test(test_post_after_the_stop),
    cmocka_unit_test(test_refusals_are_problems),
    cmocka_unit_test(test_refusals_in_the_listeners_own_words),
    cmocka_unit_test(test_body_limit),
    cmocka_unit_test(test_out_of_descriptors),
    cmocka_unit_test(test_a_freed_loop_closes_its_descriptors),
    cmocka_unit_test(test_two_listeners_and_a_unix_socket),
    cmocka_unit_test(test_an_urgent_byte_wakes_nobody_for_ever),
    cmocka_unit_test(test_several_loops),
};
const size_t loop_count = sizeof(loop_tests) / sizeof(loop_tests[0]);

/*
 * Who is cut off, when, and who stays: heads, bodies and silence by time, heads by size, the largest by the budget, the
 * longest idle when there is no room. Each by the counter of its limit.
 */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct rely_loop_options far = {
    .max_head_bytes = 20000,
    .max_body_bytes = 300000,
    .max_memory_bytes = 1 << 26,
    .head_timeout_ms = 20000,
    .body_timeout_ms = 20000,
    .idle_timeout_ms = 20000,
    .max_connections = 100,
    .max_name = "a.setting",
};

static void fill(int fd, size_t count)
{
    char *bytes = rely_alloc(count);
    memset(bytes, 'a', count);
    for (size_t sent = 0; sent < count;) {
        ssize_t part = send(fd, bytes + sent, count - sent, MSG_NOSIGNAL);
        if (part <= 0)
            break; /* cut off */
        sent += (size_t)part;
    }
    free(bytes);
}

/* --- time (fault B4) -------------------------------------------------------------------------------- */

static void test_b4_slow_head_is_cut_off(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.head_timeout_ms = 200;
    server_start(&server, &options);
    int slow = client_connect(server.port), idle = client_connect(server.port), body = client_connect(server.port);
    assert_int_equal(client_ask(slow, GET("/before")), 200);
    client_send(body, POST_OF("10"));
    int64_t start = now_ms();
    client_send(slow, "GET / HTTP/1.1\r\nX: ");
    while (now_ms() - start < 5000 && read_counter(&server.counters.cuts[RELY_CUT_HEAD_TIME]) == 0) {
        sleep_ms(20);
        (void)!send(slow, "a", 1, MSG_NOSIGNAL); /* one byte after the other does not buy time */
    }
    assert_in_range(now_ms() - start, 150, 3000);
    char answer[4096];
    assert_int_equal(client_read(slow, answer, sizeof(answer), false), 408);
    assert_non_null(strstr(answer, "\"code\":\"request_timeout\""));
    assert_true(client_is_closed(slow));
    client_send(body, "0123456789"); /* other times are others' */
    assert_int_equal(client_read(body, answer, sizeof(answer), false), 200);
    assert_int_equal(client_ask(idle, GET("/x")), 200);
    assert_int_equal(sum_cuts(&server), 1);
    close(slow);
    close(idle);
    close(body);
    server_stop(&server, 0);
}

static void test_b4_slow_body_is_cut_off(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.body_timeout_ms = 200;
    server_start(&server, &options);
    int slow = client_connect(server.port), chunked = client_connect(server.port), head = client_connect(server.port);
    client_send(head, "GET / HTTP/1.1\r\nHost: ");
    client_send(slow, POST_OF("10") "01234");
    client_send(chunked, "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    int64_t start = now_ms();
    char answer[4096];
    assert_int_equal(client_read(slow, answer, sizeof(answer), false), 408);
    assert_int_equal(client_read(chunked, answer, sizeof(answer), false), 408);
    assert_true(client_is_closed(slow));
    assert_true(client_is_closed(chunked));
    assert_in_range(now_ms() - start, 150, 3000);
    await_counter(&server.counters.cuts[RELY_CUT_BODY_TIME], 2);
    assert_int_equal(client_ask(head, "a\r\n\r\n"), 200);
    assert_int_equal(sum_cuts(&server), 2);
    close(slow);
    close(chunked);
    close(head);
    server_stop(&server, 0);
}

/* What belongs to which time: a head may end in the middle of its last line end, and a body may bring the beginning of
 * the next head with it. */
static void test_b4_each_part_of_a_request_has_its_own_time(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.head_timeout_ms = 1000;
    server_start(&server, &options);
    int split = client_connect(server.port), next = client_connect(server.port);
    client_send(split, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r");
    client_send(next, POST_OF("3") "ab");
    sleep_ms(300); /* a look comes every 100 ms */
    client_send(split, "\na");
    client_send(next, "cGET / HTTP/1.1\r\nX: ");
    await_counter(&server.counters.cuts[RELY_CUT_HEAD_TIME], 1);
    sleep_ms(500);
    char answer[4096];
    client_send(split, "bc");
    assert_int_equal(client_read(split, answer, sizeof(answer), false), 200);
    assert_int_equal(sum_cuts(&server), 1);
    close(split);
    close(next);
    server_stop(&server, 0);
}

static void block_loop(struct rely_message *message)
{
    (void)message;
    sleep_ms(500);
}

/* Whose bytes are there and wait for their turn is not slow, however long our turn takes. */
static void test_b4_who_waits_for_a_turn_is_not_slow(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.head_timeout_ms = 100;
    server_start(&server, &options);
    struct rely_message block = {.run = block_loop};
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, GET("/hold") GET("/second") GET("/third"));
    pthread_barrier_wait(&server.hold);
    rely_loop_post(server.loop, &block); /* runs behind the second, before time is looked at */
    pthread_barrier_wait(&server.hold);
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    sleep_ms(300);
    assert_int_equal(client_ask(fd, GET("/fourth")), 200);
    assert_int_equal(sum_cuts(&server), 0);
    close(fd);
    server_stop(&server, 0);
}

/* Whoever waits for an answer of ours is not idle. */
static void test_b4_who_waits_for_an_answer_is_not_idle(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.idle_timeout_ms = 300;
    server_start(&server, &options);
    int waiting = client_connect(server.port);
    client_send(waiting, GET("/defer"));
    wait_for(&server.handled_count, 1);
    sleep_ms(900);
    assert_int_equal(sum_cuts(&server), 0);
    assert_int_equal(atomic_load(&server.gone_count), 0);
    close(waiting);
    server_stop(&server, 0);
}

/* A connection that asks now and then stays; the silent ones go, whether they have ever asked or not. */
static void test_b4_idle_connection_is_closed(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.idle_timeout_ms = 400;
    server_start(&server, &options);
    int silent = client_connect(server.port), once = client_connect(server.port), asking = client_connect(server.port);
    int head = client_connect(server.port);
    client_send(head, "GET / HTTP/1.1\r\nHost: ");
    assert_int_equal(client_ask(once, GET("/x")), 200);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(client_ask(asking, GET("/x")), 200);
        sleep_ms(100);
    }
    await_counter(&server.counters.cuts[RELY_CUT_IDLE_TIME], 2);
    assert_true(client_is_closed(silent));
    assert_true(client_is_closed(once));
    assert_int_equal(client_ask(asking, GET("/x")), 200);
    assert_int_equal(client_ask(head, "a\r\n\r\n"), 200);
    assert_true(client_is_closed(asking)); /* also without anything else that happens */
    close(silent);
    close(once);
    close(asking);
    close(head);
    server_stop(&server, 0);
}

/* --- sizes (fault B4) ------------------------------------------------------------------------------- */

/* A preface, settings, and a request for /held; this much comes of it: settings, an acknowledgement, a head, five bytes. */
static int begin_listening(const struct server *server)
{
    static const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                "\0\0\0\4\0\0\0\0\0"
                                "\0\0\14\1\5\0\0\0\1"
                                "\202\206\4\5/held\101\1a";
    int fd = client_connect(server->port);
    char answer[512];
    size_t len = 0;
    assert_int_equal(send(fd, bytes, sizeof bytes - 1, MSG_NOSIGNAL), sizeof bytes - 1);
    while (len < 5 || memcmp(answer + len - 5, "now, ", 5) != 0) {
        ssize_t got = recv(fd, answer + len, sizeof answer - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
    }
    return fd;
}

/* He says as little as the idle, and is heard of no more: he has longer, but not for ever. */
static void test_b4_who_listens_has_longer(void **state)
{
    (void)state;
    struct server server = {.speaks_http2 = true};
    struct rely_loop_options options = far;
    options.idle_timeout_ms = 30;
    server_start(&server, &options);
    int64_t start = now_ms();
    int listens = begin_listening(&server), idle = client_connect(server.port);
    assert_true(client_is_closed(idle));
    await_counter(&server.counters.cuts[RELY_CUT_IDLE_TIME], 1);
    close(idle);
    int later = client_connect(server.port); /* is looked at in its own time */
    assert_true(client_is_closed(later));
    assert_in_range(now_ms() - start, 30, 1400);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_IDLE_TIME]), 2);
    close(later);
    await_counter(&server.counters.cuts[RELY_CUT_IDLE_TIME], 3);
    assert_in_range(now_ms() - start, 1400, 5000);
    close(listens);
    assert_int_equal(sum_cuts(&server), 3);
    server_stop(&server, 0);
}

/* Its place is another's as soon as there is none left, and a drain does not wait for it. */
static void test_b18_who_listens_makes_room(void **state)
{
    (void)state;
    struct server server = {.speaks_http2 = true};
    struct rely_loop_options options = far;
    options.max_connections = 2;
    server_start(&server, &options);
    int first = begin_listening(&server), second = begin_listening(&server), third = begin_listening(&server);
    assert_true(client_is_closed(first));
    await_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS], 1);
    int64_t start = now_ms();
    server_stop(&server, 20000);
    assert_in_range(now_ms() - start, 0, 5000);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_DRAIN]), 0);
    close(first);
    close(second);
    close(third);
}

static void test_b4_head_is_limited_while_it_comes(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &far);
    int fd = client_connect(server.port), body = client_connect(server.port);
    client_send(fd, "GET / HTTP/1.1\r\nX: ");
    fill(fd, 20000);
    await_counter(&server.counters.cuts[RELY_CUT_HEAD_SIZE], 1);
    char answer[4096];
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 431);
    assert_true(client_is_closed(fd));
    client_send(body, POST_OF("100000")); /* behind a head there may be more */
    fill(body, 99999);
    sleep_ms(300);
    assert_int_equal(client_ask(body, "a"), 200);
    assert_int_equal(sum_cuts(&server), 1);
    char whole[24000]; /* its end, in one piece with it, makes it no shorter */
    int len =
        snprintf(whole, sizeof(whole), "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX: %020000d\r\n\r\n", 0);
    int late = client_connect(server.port);
    assert_int_equal(send(late, whole, (size_t)len, MSG_NOSIGNAL), len);
    await_counter(&server.counters.cuts[RELY_CUT_HEAD_SIZE], 2);
    close(fd);
    close(body);
    close(late);
    server_stop(&server, 0);
}

/* What is allocated for a connection counts, not what it has filled of it. */
static void test_b4_what_is_allocated_counts_as_held(void **state)
{
    (void)state;
    struct server server = {0};
    const uint64_t *held = &server.counters.held_bytes;
    server_start(&server, &far);
    int head = client_connect(server.port), body = client_connect(server.port);
    client_send(head, "G");
    await_counter(held, 256);
    client_send(body, POST_OF("300") "a");
    await_counter(held, 512);
    fill(body, 298);
    await_counter(held, 256 + 512);
    assert_int_equal(client_ask(body, "a"), 200);
    await_counter(held, 256);
    close(head);
    await_counter(held, 0);
    close(body);
    server_stop(&server, 0);
}

/* And what handlers keep counts with it: others have so much less, and it is not theirs that is cut off. */
static void test_what_handlers_hold_counts_as_held(void **state)
{
    (void)state;
    struct server server = {0};
    const uint64_t *held = &server.counters.held_bytes;
    struct rely_loop_options options = far;
    options.max_memory_bytes = 1 << 20;
    server_start(&server, &options);
    int keeper = client_connect(server.port), large[2];
    assert_int_equal(client_ask(keeper, GET("/keep")), 200);
    await_counter(held, 600000);
    for (int i = 0; i < 2; i++) {
        large[i] = client_connect(server.port);
        client_send(large[i], POST_OF("290000"));
        fill(large[i], 280000);
    }
    await_counter(&server.counters.cuts[RELY_CUT_MEMORY], 1);
    assert_int_equal(client_ask(keeper, GET("/let-go")), 200);
    close(large[0]);
    close(large[1]);
    await_counter(held, 0);
    close(keeper);
    server_stop(&server, 0);
}

/* What is asked of the kernel: little unread, and an end to what nobody takes. */
static void test_b4_the_kernel_keeps_little(void **state)
{
    (void)state;
    struct server server = {0};
    int bytes = 0, timeout_ms = 0;
    socklen_t size = sizeof(int);
    server_start(&server, &far);
    assert_int_equal(getsockopt(server.fds[0], SOL_SOCKET, SO_RCVBUF, &bytes, &size), 0);
    assert_int_equal(bytes, 2 * 16 * 1024); /* socket(7): twice of what was asked for */
    assert_int_equal(getsockopt(server.fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &size), 0);
    assert_int_equal(timeout_ms, 15000);
    assert_int_equal(getsockopt(server.fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, &size), 0);
    assert_int_equal(bytes, 2 * 32 * 1024);
    server_stop(&server, 0);
}

static int port_of_end(int fd, int (*read_end)(int fd, struct sockaddr *address, socklen_t *size))
{
    struct sockaddr_in address = {.sin_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    bool is_known = read_end(fd, (struct sockaddr *)&address, &size) == 0 && address.sin_family == AF_INET;
    return is_known ? ntohs(address.sin_port) : -1;
}

/* The descriptor of the server that this client talks to: it is in this process. -1: not yet. */
static int find_other_end(int client)
{
    for (int fd = 3; fd < 1024; fd++)
        if (port_of_end(fd, getpeername) == port_of_end(client, getsockname))
            return fd;
    return -1;
}

/* What the kernel may keep unread of this client, in bytes asked for. 0: the server does not know it yet. */
static int read_room(int client)
{
    int bytes = 0;
    socklen_t size = sizeof(bytes);
    (void)!getsockopt(find_other_end(client), SOL_SOCKET, SO_RCVBUF, &bytes, &size);
    return bytes / 2;
}

static void await_wide(int client)
{
    int64_t start = now_ms();
    while (now_ms() - start < 5000 && read_room(client) != 64 * 1024)
        sleep_ms(1);
    assert_int_equal(read_room(client), 64 * 1024);
}

static int begin_long_body(const struct server *server)
{
    int fd = client_connect(server->port);
    client_send(fd, POST_OF("290000"));
    fill(fd, 100000);
    return fd;
}

static void end_long_body(int fd)
{
    char answer[4096];
    fill(fd, 190000);
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
}

/* Nor more of many at once: 64 that send long bodies have more room, and whose body is short has no need of it. */
static void test_b4_few_have_more_room(void **state)
{
    (void)state;
    struct server server = {0};
    int wide[64];
    server_start(&server, &far);
    int small = client_connect(server.port);
    client_send(small, POST_OF("8000"));
    await_at_least(&server.counters.held_bytes, 1); /* the head is there, and what follows is the body */
    fill(small, 8000);
    client_expect(small, 200, NULL);
    assert_int_equal(read_room(small), 16 * 1024);
    for (int i = 0; i < 64; i++) {
        wide[i] = begin_long_body(&server);
        await_wide(wide[i]);
    }
    int late = begin_long_body(&server);
    end_long_body(late);
    assert_int_equal(read_room(late), 16 * 1024);
    end_long_body(wide[0]);
    assert_int_equal(read_room(wide[0]), 64 * 1024);
    close(wide[0]);
    await_counter(&server.counters.connections, 65);
    close(late);
    int next = begin_long_body(&server);
    await_wide(next);
    close(next);
    close(small);
    for (int i = 1; i < 64; i++)
        close(wide[i]);
    server_stop(&server, 0);
}

/* Twelve times up to 300 kB in 1 MiB: the largest go, until the rest fits; the small and the idle stay. */
static void test_b4_budget_cuts_off_the_largest(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_memory_bytes = 1 << 20;
    server_start(&server, &options);
    int large[12], small = client_connect(server.port), idle = client_connect(server.port);
    client_send(small, POST_OF("3") "ab");
    for (int i = 0; i < 12; i++) {
        large[i] = client_connect(server.port);
        client_send(large[i], POST_OF("290000"));
        fill(large[i], 200000);
    }
    await_at_least(&server.counters.cuts[RELY_CUT_MEMORY], 7);
    sleep_ms(300); /* a look comes every 100 ms */
    assert_in_range(read_counter(&server.counters.held_bytes), 1, 1 << 20);
    assert_in_range(read_counter(&server.counters.cuts[RELY_CUT_MEMORY]), 7, 12);
    assert_int_equal(client_ask(small, "c"), 200);
    assert_int_equal(client_ask(idle, GET("/x")), 200);
    assert_int_equal(sum_cuts(&server), read_counter(&server.counters.cuts[RELY_CUT_MEMORY]));
    for (int i = 0; i < 12; i++)
        close(large[i]);
    close(small);
    close(idle);
    await_counter(&server.counters.held_bytes, 0);
    server_stop(&server, 0);
}

/* An answer that nobody takes is held, too: 4 MiB each. */
static void test_b4_answers_count_as_held(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_memory_bytes = 16 << 20;
    server_start(&server, &options);
    int deaf[8];
    for (int i = 0; i < 8; i++) {
        deaf[i] = client_connect(server.port);
        client_send(deaf[i], GET("/big"));
    }
    for (int i = 0; i < 5000 && read_counter(&server.counters.cuts[RELY_CUT_MEMORY]) == 0; i++)
        sleep_ms(1);
    assert_in_range(read_counter(&server.counters.cuts[RELY_CUT_MEMORY]), 1, 8);
    for (int i = 0; i < 8; i++)
        close(deaf[i]);
    server_stop(&server, 0);
}

/* --- room (faults B17, B18) -------------------------------------------------------------------------- */

/* Three that hold their places with a first byte, and a fourth that has just come and is about to ask: it stays. */
static void test_b17_first_bytes_hold_no_place(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 4;
    server_start(&server, &options);
    int slow[4];
    for (int i = 0; i < 3; i++) {
        slow[i] = client_connect(server.port);
        assert_int_equal(client_ask(slow[i], GET("/x")), 200); /* one a turn: an accept may take in two */
        client_send(slow[i], "GET / HTTP/1.1\r\nHo");
    }
    sleep_ms(1300);
    int honest = client_connect(server.port);
    await_counter(&server.counters.connections, 4);
    slow[3] = client_connect(server.port);
    client_send(slow[3], "GET / HTTP/1.1\r\nHo");
    await_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS], 1);
    assert_int_equal(client_ask(honest, GET("/x")), 200);
    assert_true(client_is_closed(slow[0]));
    for (int i = 0; i < 4; i++)
        close(slow[i]);
    close(honest);
    server_stop(&server, 0);
}

static void test_b18_longest_idle_makes_room(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 3;
    server_start(&server, &options);
    int old = client_connect(server.port), asking = client_connect(server.port), mute = client_connect(server.port);
    assert_int_equal(client_ask(old, GET("/1")), 200);
    assert_int_equal(client_ask(asking, GET("/2")), 200);
    await_counter(&server.counters.connections, 3);
    assert_int_equal(client_ask(old, GET("/3")), 200);
    assert_int_equal(client_ask(asking, GET("/4")), 200);
    int fourth = client_connect(server.port);
    assert_int_equal(client_ask(fourth, GET("/5")), 200); /* at once: `mute` has never asked */
    assert_true(client_is_closed(mute));
    int fifth = client_connect(server.port);
    assert_int_equal(client_ask(fifth, GET("/6")), 200);
    assert_true(client_is_closed(old));
    assert_int_equal(client_ask(asking, GET("/7")), 200);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 2);
    await_counter(&server.counters.connections, 3);
    int all[] = {old, asking, mute, fourth, fifth};
    for (size_t i = 0; i < 5; i++)
        close(all[i]);
    server_stop(&server, 0);
}

/* Who goes next is written down, and looked at again: one that has asked meanwhile stays, one that has left is gone. */
static void test_b18_who_has_asked_meanwhile_stays(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 4;
    server_start(&server, &options);
    int fds[8];
    for (int i = 0; i < 5; i++) {
        fds[i] = client_connect(server.port);
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
    }
    assert_true(client_is_closed(fds[0]));
    assert_int_equal(client_ask(fds[1], GET("/x")), 200); /* was next */
    fds[5] = client_connect(server.port);
    assert_int_equal(client_ask(fds[5], GET("/x")), 200);
    assert_true(client_is_closed(fds[2]));
    close(fds[3]); /* is next */
    await_counter(&server.counters.connections, 3);
    for (int i = 6; i < 8; i++) {
        fds[i] = client_connect(server.port);
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
    }
    assert_true(client_is_closed(fds[4]));
    assert_int_equal(client_ask(fds[1], GET("/x")), 200);
    for (int i = 0; i < 8; i++)
        if (i != 3)
            close(fds[i]);
    server_stop(&server, 0);
}

/* Of more than are written down the longest idle are, in whatever order they stand. */
static void test_b18_the_longest_idle_of_very_many(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    enum { ALL = 70, BUSY = 66 };
    options.max_connections = ALL;
    server_start(&server, &options);
    int fds[ALL + 1];
    for (int i = 0; i < ALL; i++) {
        fds[i] = client_connect(server.port);
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
    }
    for (int i = 0; i < BUSY; i++)
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
    fds[ALL] = client_connect(server.port);
    assert_int_equal(client_ask(fds[ALL], GET("/x")), 200);
    assert_true(client_is_closed(fds[BUSY]));
    assert_int_equal(client_ask(fds[0], GET("/x")), 200);
    for (int i = 0; i <= ALL; i++)
        close(fds[i]);
    server_stop(&server, 0);
}

/* Unfinished requests go after the idle, the latest after both, and what is being answered never: then new ones wait.
 */
static void test_b18_who_is_answered_stays(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    char byte;
    options.max_connections = 3;
    server_start(&server, &options);
    int slow = client_connect(server.port), busy = client_connect(server.port), idle = client_connect(server.port);
    client_send(slow, "GET / HTTP/1.1\r\nHo");
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 1);
    await_counter(&server.counters.connections, 3);
    sleep_ms(1300); /* a second, and the time between two looks */
    int fourth = client_connect(server.port);
    client_send(fourth, GET("/defer"));
    wait_for(&server.handled_count, 2);
    assert_true(client_is_closed(idle));
    int fifth = client_connect(server.port);
    client_send(fifth, GET("/defer"));
    wait_for(&server.handled_count, 3);
    assert_true(client_is_closed(slow));
    int sixth = client_connect(server.port); /* all three are being answered */
    client_send(sixth, GET("/x"));
    sleep_ms(300);
    assert_int_equal(recv(sixth, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(atomic_load(&server.handled_count), 3);
    client_reset(busy);
    assert_int_equal(client_ask(sixth, ""), 200);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 2);
    int rest[] = {slow, idle, fourth, fifth, sixth};
    for (size_t i = 0; i < 5; i++)
        close(rest[i]);
    server_stop(&server, 0);
}

/* Clients that take no answer hold their places for a second, not until the kernel gives them up. */
static void test_b17_who_takes_no_answer_makes_room(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 2;
    server_start(&server, &options);
    int deaf[2];
    for (int i = 0; i < 2; i++) {
        deaf[i] = client_connect(server.port);
        client_send(deaf[i], GET("/big"));
    }
    wait_for(&server.handled_count, 2);
    int64_t start = now_ms();
    int third = client_connect(server.port);
    assert_int_equal(client_ask(third, GET("/x")), 200);
    assert_in_range(now_ms() - start, 500, 4000);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 1);
    for (int i = 0; i < 2; i++)
        close(deaf[i]);
    close(third);
    server_stop(&server, 0);
}

/* Out of descriptors is out of room, too: whatever has used them up. */
static void test_b18_out_of_descriptors_the_longest_idle_goes(void **state)
{
    (void)state;
    struct server server = {0};
    struct rlimit old, few;
    server_start(&server, &far);
    int idle = client_connect(server.port), asking = client_connect(server.port);
    assert_int_equal(client_ask(idle, GET("/x")), 200);
    assert_int_equal(client_ask(asking, GET("/x")), 200);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int free_fd = dup(late); /* all below are taken */
    close(free_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)free_fd, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(connect(late, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(client_ask(late, GET("/x")), 200);
    assert_true(client_is_closed(idle));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(client_ask(asking, GET("/x")), 200);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 1);
    close(idle);
    close(asking);
    close(late);
    server_stop(&server, 0);
}

/* Of five, two are kept for the unix socket: TCP gets three, and whoever comes by the socket closes nobody's connection
 * as long as there are two. */
static void test_b17_unix_socket_has_a_share(void **state)
{
    (void)state;
    struct rely_err err = {0};
    char folder[] = "/tmp/relyd-test-XXXXXX", address[64];
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/sock", folder);
    struct server server = {.fds = {0, -1, rely_loop_bind(address, false, &err)}};
    struct rely_loop_options options = far;
    options.max_connections = 5;
    options.kept_for_unix = 2;
    server_start(&server, &options);
    int tcp[4], local[3];
    for (int i = 0; i < 3; i++) {
        tcp[i] = client_connect(server.port);
        assert_int_equal(client_ask(tcp[i], GET("/x")), 200);
    }
    tcp[3] = client_connect(server.port);
    assert_int_equal(client_ask(tcp[3], GET("/x")), 200);
    assert_true(client_is_closed(tcp[0])); /* a fourth of TCP's three */
    for (int i = 0; i < 2; i++) {
        local[i] = client_connect_unix(address + 5);
        assert_int_equal(client_ask(local[i], GET("/x")), 200);
    }
    await_counter(&server.counters.connections, 5);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 1);
    for (int i = 1; i < 4; i++)
        assert_int_equal(client_ask(tcp[i], GET("/x")), 200); /* now the longest idle are the socket's */
    int fifth = client_connect(server.port);
    assert_int_equal(client_ask(fifth, GET("/x")), 200);
    assert_true(client_is_closed(tcp[1])); /* but they have a share */
    close(tcp[1]);
    tcp[1] = fifth;
    for (int i = 0; i < 2; i++)
        assert_int_equal(client_ask(local[i], GET("/x")), 200);
    local[2] = client_connect_unix(address + 5);
    assert_int_equal(client_ask(local[2], GET("/x")), 200);
    assert_true(client_is_closed(tcp[2])); /* the longest idle of all */
    for (int i = 0; i < 4; i++)
        close(tcp[i]);
    for (int i = 0; i < 3; i++)
        close(local[i]);
    server_stop(&server, 0);
    unlink(address + 5);
    rmdir(folder);
}

/* Whom one of the socket's could have closed is not whom one of TCP's may. */
static void test_b17_share_holds_after_one_of_its_own_went(void **state)
{
    (void)state;
    struct rely_err err = {0};
    char folder[] = "/tmp/relyd-test-XXXXXX", address[64];
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/sock", folder);
    struct server server = {.fds = {0, -1, rely_loop_bind(address, false, &err)}};
    struct rely_loop_options options = far;
    options.max_connections = 4;
    options.kept_for_unix = 2;
    server_start(&server, &options);
    int tcp[3], local[3];
    for (int i = 0; i < 2; i++) {
        local[i] = client_connect_unix(address + 5);
        assert_int_equal(client_ask(local[i], GET("/x")), 200);
    }
    for (int i = 0; i < 2; i++) {
        tcp[i] = client_connect(server.port);
        assert_int_equal(client_ask(tcp[i], GET("/x")), 200);
    }
    local[2] = client_connect_unix(address + 5);
    assert_int_equal(client_ask(local[2], GET("/x")), 200);
    assert_true(client_is_closed(local[0])); /* the longest idle of all; local[1] is the next */
    tcp[2] = client_connect(server.port);
    assert_int_equal(client_ask(tcp[2], GET("/x")), 200);
    assert_true(client_is_closed(tcp[0]));
    assert_int_equal(client_ask(local[1], GET("/x")), 200);
    for (int i = 0; i < 3; i++) {
        close(tcp[i]);
        close(local[i]);
    }
    server_stop(&server, 0);
    unlink(address + 5);
    rmdir(folder);
}

static void test_room_of_its_own(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct server server = {.fds = {0, rely_loop_bind("127.0.0.1:0", false, &err), -1}, .other_room = 1};
    struct rely_loop_options options = far;
    options.max_connections = 1;
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    assert_int_equal(getsockname(server.fds[1], (struct sockaddr *)&name, &size), 0);
    server_start(&server, &options);
    int first = client_connect(server.port), other = client_connect(ntohs(name.sin_port));
    assert_int_equal(client_ask(first, GET("/1")), 200);
    assert_int_equal(client_ask(other, GET("/")), 200); /* though the loop is full */
    int another = client_connect(ntohs(name.sin_port));
    assert_int_equal(client_ask(another, GET("/")), 200);
    assert_true(client_is_closed(other)); /* its own neighbour goes, and no other's */
    assert_int_equal(client_ask(first, GET("/2")), 200);
    close(first);
    close(other);
    close(another);
    server_stop(&server, 0);
}

/* --- the drain (fault B19) --------------------------------------------------------------------------- */

/* Who asks again while the loop drains is answered, and told to close; who does not is closed at the end of a short
 * time, not at once. */
static void test_b19_drain_answers_and_says_close(void **state)
{
    (void)state;
    struct server server = {0};
    char answer[4096];
    server_start(&server, &far);
    int asking = client_connect(server.port), idle = client_connect(server.port);
    assert_int_equal(client_ask(asking, GET("/x")), 200);
    assert_int_equal(client_ask(idle, GET("/x")), 200);
    rely_loop_stop(server.loop, 10000);
    int64_t start = now_ms();
    sleep_ms(200);
    client_send(asking, GET("/x"));
    assert_int_equal(client_read(asking, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    for (int i = 0; i < 3; i++) { /* what it was about to send breaks nothing */
        client_send(asking, GET("/x"));
        sleep_ms(20);
    }
    assert_true(client_is_closed(asking));
    assert_true(client_is_closed(idle));
    assert_in_range(now_ms() - start, 900, 4000);
    server_stop(&server, 10000);
    assert_int_equal(sum_cuts(&server), 0);
    close(asking);
    close(idle);
}

/* A full loop does not go back to accepting when somebody leaves it during the drain. */
static void test_b19_drain_of_a_full_loop(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 1;
    server_start(&server, &options);
    int busy = client_connect(server.port);
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 1);
    int waiting = client_connect(server.port);
    sleep_ms(150); /* nobody is let in */
    rely_loop_stop(server.loop, 10000);
    assert_int_equal(client_ask(waiting, GET("/x")), 200); /* it had connected */
    client_reset(busy);
    server_stop(&server, 10000);
    assert_int_equal(sum_cuts(&server), 0);
    close(waiting);
}

/* What the kernel has connected before the stop is answered, though nobody had accepted it. */
static void test_b19_drain_takes_in_who_has_connected(void **state)
{
    (void)state;
    struct server server = {0};
    int fds[40];
    server_start(&server, &far);
    int first = client_connect(server.port);
    client_send(first, GET("/hold"));
    pthread_barrier_wait(&server.hold); /* the loop is inside a turn, and accepts nobody */
    for (int i = 0; i < 40; i++) {
        fds[i] = client_connect(server.port);
        client_send(fds[i], GET("/x"));
    }
    rely_loop_stop(server.loop, 10000);
    pthread_barrier_wait(&server.hold);
    for (int i = 0; i < 40; i++) {
        char answer[4096];
        assert_int_equal(client_read(fds[i], answer, sizeof(answer), false), 200);
        assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
        close(fds[i]);
    }
    close(first);
    server_stop(&server, 10000);
}

const struct CMUnitTest watch_tests[] = {
    cmocka_unit_test(test_b4_slow_head_is_cut_off),
    cmocka_unit_test(test_b4_slow_body_is_cut_off),
    cmocka_unit_test(test_b4_each_part_of_a_request_has_its_own_time),
    cmocka_unit_test(test_b4_who_waits_for_a_turn_is_not_slow),
    cmocka_unit_test(test_b4_who_waits_for_an_answer_is_not_idle),
    cmocka_unit_test(test_b4_idle_connection_is_closed),
    cmocka_unit_test(test_b4_who_listens_has_longer),
    cmocka_unit_test(test_b18_who_listens_makes_room),
    cmocka_unit_test(test_b4_head_is_limited_while_it_comes),
    cmocka_unit_test(test_b4_what_is_allocated_counts_as_held),
    cmocka_unit_test(test_what_handlers_hold_counts_as_held),
    cmocka_unit_test(test_b4_the_kernel_keeps_little),
    cmocka_unit_test(test_b4_few_have_more_room),
    cmocka_unit_test(test_b4_budget_cuts_off_the_largest),
    cmocka_unit_test(test_b4_answers_count_as_held),
    cmocka_unit_test(test_b17_first_bytes_hold_no_place),
    cmocka_unit_test(test_b18_longest_idle_makes_room),
    cmocka_unit_test(test_b18_who_has_asked_meanwhile_stays),
    cmocka_unit_test(test_b18_the_longest_idle_of_very_many),
    cmocka_unit_test(test_b18_who_is_answered_stays),
    cmocka_unit_test(test_b17_who_takes_no_answer_makes_room),
    cmocka_unit_test(test_b18_out_of_descriptors_the_longest_idle_goes),
    cmocka_unit_test(test_b17_unix_socket_has_a_share),
    cmocka_unit_test(test_b17_share_holds_after_one_of_its_own_went),
    cmocka_unit_test(test_room_of_its_own),
    cmocka_unit_test(test_b19_drain_answers_and_says_close),
    cmocka_unit_test(test_b19_drain_of_a_full_loop),
    cmocka_unit_test(test_b19_drain_takes_in_who_has_connected),
};
const size_t watch_count = sizeof(watch_tests) / sizeof(watch_tests[0]);

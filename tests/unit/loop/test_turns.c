/*
 * What a loop does with its connections beside serving them: whose turn it is, when it looks again, in each room for
 * itself, and at the end.
 */
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct rely_loop_options far = {
    .max_head_bytes = 20000,
    .max_body_bytes = 300000,
    .max_memory_bytes = 1 << 26,
    .head_timeout_ms = 20000,
    .body_timeout_ms = 20000,
    .idle_timeout_ms = 20000,
    .max_connections = 100,
};

static void fill(int fd, size_t count)
{
    static char bytes[1000];
    for (size_t sent = 0; sent < count && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0; sent += sizeof bytes)
        continue;
}

/* --- turns ------------------------------------------------------------------------------------------- */

#define PIPELINED 300

static void send_many(int fd, const char *first)
{
    char text[100 + PIPELINED * sizeof(GET("/count"))];
    snprintf(text, sizeof text, "%s", first);
    for (int i = 0; i < PIPELINED; i++)
        strcat(text, GET("/count"));
    client_send(fd, text);
}

/* How many of them were answered. */
static int read_many(int fd)
{
    char answer[4096];
    int count = 0;
    while (count < PIPELINED && client_read(fd, answer, sizeof answer, false) == 200)
        count++;
    return count;
}

/* A turn may take longer than a head may: of who has sent all of it that is not the fault. */
static void test_b5_who_waits_for_his_turn_is_not_slow(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.head_timeout_ms = 150;
    server_start(&server, &options);
    int many = client_connect(server.port), slow = client_connect(server.port);
    assert_int_equal(client_ask(slow, GET("/x")), 200);
    send_many(many, GET("/hold"));
    pthread_barrier_wait(&server.hold); /* the loop is inside a turn */
    client_send(slow, GET("/x") GET("/x") GET("/hold"));
    pthread_barrier_wait(&server.hold);
    pthread_barrier_wait(&server.hold); /* inside another, in which `many` has had its turn before */
    sleep_ms(400);
    pthread_barrier_wait(&server.hold);
    assert_int_equal(client_ask(many, ""), 200);
    assert_int_equal(read_many(many), PIPELINED);
    assert_int_equal(sum_cuts(&server), 0);
    close(many);
    close(slow);
    server_stop(&server, 0);
}

/* Each gets every answer, but for the one that has to make room. */
static void test_b5_several_wait_for_their_turns(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 4;
    server_start(&server, &options);
    int fds[4], answered = 0;
    for (int i = 0; i < 4; i++) {
        fds[i] = client_connect(server.port);
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
    }
    send_many(fds[0], GET("/hold") GET("/x") GET("/hold"));
    pthread_barrier_wait(&server.hold);
    for (int i = 1; i < 4; i++)
        send_many(fds[i], "");
    pthread_barrier_wait(&server.hold);
    pthread_barrier_wait(&server.hold); /* now all four have been read, and wait for the next turn */
    int fifth = client_connect(server.port);
    pthread_barrier_wait(&server.hold);
    assert_int_equal(client_ask(fifth, GET("/x")), 200);
    char answer[4096];
    for (int i = 0; i < 3; i++) /* before its many; who had to make room has lost them */
        (void)client_read(fds[0], answer, sizeof answer, false);
    for (int i = 0; i < 4; i++)
        answered += read_many(fds[i]) == PIPELINED;
    assert_int_equal(answered, 3);
    assert_int_equal(read_counter(&server.counters.cuts[RELY_CUT_CONNECTIONS]), 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(fifth);
    server_stop(&server, 0);
}

/* --- looks ------------------------------------------------------------------------------------------- */

/* Time is kept of each stage, also when it is the only one that there is, and when nothing was to be looked at before.
 */
static void test_b4_a_look_comes_for_each_stage(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.head_timeout_ms = options.body_timeout_ms = 200;
    server_start(&server, &options);
    int idle = client_connect(server.port);
    client_send(idle, "GET /x HT");
    sleep_ms(20);
    assert_int_equal(client_ask(idle, "TP/1.1\r\nHost: a\r\n\r\n"), 200);
    for (int i = 0; i < 2; i++) {
        static const char *const parts[] = {POST_OF("10") "01234", "GET / HTTP/1.1\r\nHo"};
        static const char *const details[] = {"The body of the request takes too long.",
                                              "The head of the request takes too long."};
        char answer[4096];
        sleep_ms(400); /* until nobody is looked at */
        int fd = client_connect(server.port);
        client_send(fd, parts[i]);
        assert_int_equal(client_read(fd, answer, sizeof answer, false), 408);
        assert_non_null(strstr(answer, details[i]));
        await_counter(&server.counters.connections, 1); /* also of who was told, and stays */
        close(fd);
    }
    close(idle);
    server_stop(&server, 0);
}

/* Of a unix socket the kernel ends nothing. */
static void test_b4_who_takes_no_answer_of_a_unix_socket(void **state)
{
    (void)state;
    struct rely_err err = {0};
    char folder[] = "/tmp/relyd-test-XXXXXX", address[64];
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/sock", folder);
    struct server server = {.fds = {0, -1, rely_loop_bind(address, false, &err)}};
    struct rely_loop_options options = far;
    options.idle_timeout_ms = 300;
    server_start(&server, &options);
    int deaf = client_connect_unix(address + 5);
    client_send(deaf, GET("/big"));
    await_counter(&server.counters.cuts[RELY_CUT_UNSENT], 1);
    await_counter(&server.counters.connections, 0);
    close(deaf);
    server_stop(&server, 0);
    unlink(address + 5);
    rmdir(folder);
}

/* --- the budget --------------------------------------------------------------------------------------- */

/* Whoever fills it up is looked for once for an eighth of it. */
static void test_b4_an_eighth_of_the_budget_is_freed(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    int fds[60], count = 0;
    const uint64_t *cuts = &server.counters.cuts[RELY_CUT_MEMORY];
    options.max_memory_bytes = 1 << 20;
    server_start(&server, &options);
    while (count < 60 && read_counter(cuts) == 0) {
        uint64_t before = read_counter(&server.counters.held_bytes);
        fds[count] = client_connect(server.port);
        client_send(fds[count], POST_OF("25000"));
        fill(fds[count++], 24000);
        for (int i = 0;
             i < 1000 && read_counter(cuts) == 0 && read_counter(&server.counters.held_bytes) < before + 24000; i++)
            sleep_ms(1);
    }
    await_at_least(cuts, 3);
    sleep_ms(50); /* and then no more */
    assert_in_range(read_counter(cuts), 3, 10);
    assert_in_range(read_counter(&server.counters.held_bytes), 1, (1 << 20) / 8 * 7 + 40000); /* and one goes on */
    for (int i = 0; i < count; i++)
        close(fds[i]);
    server_stop(&server, 0);
}

/* What the kernel has taken of an answer is memory, too, and goes at once. */
static void test_b4_who_is_cut_off_for_memory_is_reset(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    uint64_t resets = 0, cuts = 0;
    int deaf[8];
    options.max_memory_bytes = 16 << 20;
    server_start(&server, &options);
    for (int i = 0; i < 8; i++) {
        deaf[i] = client_connect(server.port);
        client_send(deaf[i], GET("/big"));
    }
    for (int i = 0; i < 5000 && (cuts == 0 || resets < cuts); i++) {
        sleep_ms(1);
        for (int k = 0; k < 8; k++) {
            int fault = 0;
            socklen_t size = sizeof fault;
            assert_int_equal(getsockopt(deaf[k], SOL_SOCKET, SO_ERROR, &fault, &size), 0); /* and forgets it */
            resets += fault == ECONNRESET;
        }
        cuts = read_counter(&server.counters.cuts[RELY_CUT_MEMORY]);
    }
    for (int i = 0; i < 8; i++)
        close(deaf[i]);
    assert_true(resets > 0);
    assert_int_equal(resets, cuts);
    server_stop(&server, 0);
}

/* --- rooms -------------------------------------------------------------------------------------------- */

/* Also who has just begun goes, if there is nobody else. */
static void test_b18_unfinished_newcomers_make_room(void **state)
{
    (void)state;
    struct server server = {0};
    struct rely_loop_options options = far;
    options.max_connections = 2;
    server_start(&server, &options);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = client_connect(server.port);
        assert_int_equal(client_ask(fds[i], GET("/x")), 200);
        client_send(fds[i], "GET / HTTP/1.1\r\nHo");
    }
    await_counter(&server.counters.held_bytes, 512);
    int64_t start = now_ms();
    int third = client_connect(server.port);
    assert_int_equal(client_ask(third, GET("/x")), 200);
    assert_in_range(now_ms() - start, 0, 800);
    assert_true(client_is_closed(fds[0]));
    for (int i = 0; i < 2; i++)
        close(fds[i]);
    close(third);
    server_stop(&server, 0);
}

static int start_two(struct server *server, const struct rely_loop_options *options)
{
    struct rely_err err = {0};
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    *server = (struct server){.fds = {0, rely_loop_bind("127.0.0.1:0", false, &err), -1}, .other_room = 5};
    assert_int_equal(getsockname(server->fds[1], (struct sockaddr *)&name, &size), 0);
    server_start(server, options);
    return ntohs(name.sin_port);
}

static void test_time_is_kept_in_every_room(void **state)
{
    (void)state;
    struct server server;
    struct rely_loop_options options = far;
    options.idle_timeout_ms = 300;
    int port = start_two(&server, &options);
    int first = client_connect(server.port), other = client_connect(port);
    assert_int_equal(client_ask(first, GET("/x")), 200);
    assert_int_equal(client_ask(other, GET("/x")), 200);
    await_counter(&server.counters.cuts[RELY_CUT_IDLE_TIME], 2);
    assert_true(client_is_closed(first));
    assert_true(client_is_closed(other));
    close(first);
    close(other);
    server_stop(&server, 0);
}

static void test_the_drain_ends_all_rooms(void **state)
{
    (void)state;
    struct server server;
    int port = start_two(&server, &far);
    int first = client_connect(server.port), other = client_connect(port);
    assert_int_equal(client_ask(first, GET("/x")), 200);
    assert_int_equal(client_ask(other, GET("/x")), 200);
    int64_t start = now_ms();
    rely_loop_stop(server.loop, 600);
    await_counter(&server.counters.connections, 0);
    assert_in_range(now_ms() - start, 50, 3000);
    server_stop(&server, 600);
    assert_int_equal(sum_cuts(&server), 0);
    close(first);
    close(other);
}

/* Where all are being answered, new ones wait: in that room. */
static void test_a_full_room_holds_up_no_other(void **state)
{
    (void)state;
    struct server server;
    struct rely_loop_options options = far;
    options.max_connections = 1;
    int port = start_two(&server, &options);
    int busy = client_connect(server.port);
    client_send(busy, GET("/defer"));
    wait_for(&server.handled_count, 1);
    int waiting = client_connect(server.port);
    double before = cpu_seconds();
    sleep_ms(300);
    assert_true(cpu_seconds() - before < 0.03); /* also on a busy machine */
    int64_t start = now_ms();
    for (int i = 0; i < 20; i++) {
        int other = client_connect(port);
        assert_int_equal(client_ask(other, GET("/x")), 200);
        close(other);
    }
    assert_in_range(now_ms() - start, 0, 1000); /* and not a rest from accepting for each */
    client_reset(busy);
    assert_int_equal(client_ask(waiting, GET("/x")), 200);
    close(waiting);
    server_stop(&server, 0);
}

/* --- the drain ------------------------------------------------------------------------------------------ */

/* Who was told to leave is not waited for, and not counted: nothing is lost. */
static void test_b19_who_leaves_anyway(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &far);
    int fd = client_connect(server.port);
    assert_int_equal(client_ask(fd, "no request\r\n\r\n"), 400);
    int64_t start = now_ms();
    server_stop(&server, 100);
    assert_in_range(now_ms() - start, 50, 1500);
    assert_int_equal(sum_cuts(&server), 0);
    close(fd);
}

/* Who is told that no answer will come has a moment to read that, also if he has sent more: the kernel throws an answer
 * away that stands before a close with something unread. */
static void test_b19_who_is_told_at_the_end_can_read_it(void **state)
{
    (void)state;
    struct server server = {0};
    char answer[4096];
    server_start(&server, &far);
    int fd = client_connect(server.port);
    client_send(fd, GET("/defer"));
    wait_for(&server.handled_count, 1);
    client_send(fd, GET("/x"));
    server_stop(&server, 100);
    assert_int_equal(client_read(fd, answer, sizeof answer, false), 503);
    int fault = -1;
    socklen_t size = sizeof fault;
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size), 0);
    assert_int_equal(fault, 0); /* no reset */
    assert_int_equal(sum_cuts(&server), 1);
    close(fd);
}

/* An answer that says keep-alive was written before the stop, and is taken long behind it. */
static void test_b19_who_is_idle_later_is_closed_too(void **state)
{
    (void)state;
    struct server server = {0};
    static char answer[5 << 20];
    server_start(&server, &far);
    int fd = client_connect(server.port);
    client_send(fd, GET("/big"));
    wait_for(&server.handled_count, 1);
    rely_loop_stop(server.loop, 10000);
    sleep_ms(1300);
    assert_int_equal(client_read(fd, answer, sizeof answer, false), 200);
    int64_t start = now_ms();
    assert_true(client_is_closed(fd));
    assert_in_range(now_ms() - start, 0, 1000);
    server_stop(&server, 10000);
    assert_int_equal(sum_cuts(&server), 0);
    close(fd);
}

const struct CMUnitTest turns_tests[] = {
    cmocka_unit_test(test_b5_who_waits_for_his_turn_is_not_slow),
    cmocka_unit_test(test_b5_several_wait_for_their_turns),
    cmocka_unit_test(test_b4_a_look_comes_for_each_stage),
    cmocka_unit_test(test_b4_who_takes_no_answer_of_a_unix_socket),
    cmocka_unit_test(test_b4_an_eighth_of_the_budget_is_freed),
    cmocka_unit_test(test_b4_who_is_cut_off_for_memory_is_reset),
    cmocka_unit_test(test_b18_unfinished_newcomers_make_room),
    cmocka_unit_test(test_time_is_kept_in_every_room),
    cmocka_unit_test(test_the_drain_ends_all_rooms),
    cmocka_unit_test(test_a_full_room_holds_up_no_other),
    cmocka_unit_test(test_b19_who_leaves_anyway),
    cmocka_unit_test(test_b19_who_is_told_at_the_end_can_read_it),
    cmocka_unit_test(test_b19_who_is_idle_later_is_closed_too),
};
const size_t turns_count = sizeof turns_tests / sizeof turns_tests[0];

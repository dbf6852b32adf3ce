/*
 * One connection between its first byte and its last: limits to the byte, what is asked of the client and when, what is
 * held and given back, and how it ends.
 */
#include "server.h"

#include "relyd/pool.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define H "Host: a\r\n"

static void expect_silence(int fd)
{
    char byte;
    sleep_ms(30);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

/* --- limits ------------------------------------------------------------------------------------------- */

/* In one piece, and with the last byte for itself. */
static void check_limit(struct server *server, const char *text, int status)
{
    for (int cut = 0; cut < 2; cut++) {
        int fd = client_connect(server->port);
        size_t first = strlen(text) - (size_t)cut;
        assert_int_equal(send(fd, text, first, MSG_NOSIGNAL), first);
        if (cut == 1) {
            sleep_ms(20);
            client_send(fd, text + first);
        }
        client_expect(fd, status, NULL);
        close(fd);
    }
}

static void test_limits_are_exact(void **state)
{
    (void)state;
    struct server server = {0};
    char text[4096];
    server_start(&server, &server_options);
    for (int more = 0; more <= 1; more++) {
        const char front[] = "GET /x HTTP/1.1\r\n" H "X: ";
        snprintf(text, sizeof text, "%s%0*d\r\n\r\n", front, 1000 - (int)strlen(front) - 4 + more, 0);
        check_limit(&server, text, more == 0 ? 200 : 431);
        snprintf(text, sizeof text, "POST /x HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n%0*d", 1000 + more, 1000 + more,
                 0);
        check_limit(&server, text, more == 0 ? 200 : 413);
        snprintf(text, sizeof text,
                 "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1f4\r\n%0500d\r\n%x\r\n%0*d\r\n0\r\n\r\n",
                 0, 500 + more, 500 + more, 0);
        check_limit(&server, text, more == 0 ? 200 : 413);
    }
    server_stop(&server, 0);
}

/* Of one path; the others' stays what it was. */
static void test_a_path_may_have_a_limit_of_its_own(void **state)
{
    (void)state;
    struct server server = {.has_large_bodies = true};
    static const char *const paths[] = {"/large", "/x", "/larger"};
    char text[4096];
    server_start(&server, &server_options);
    for (int i = 0; i < 6; i++) {
        int more = i % 2, length = (i / 2 == 0 ? 2000 : 1000) + more, status = more == 0 ? 200 : 413;
        snprintf(text, sizeof text, "POST %s HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n%0*d", paths[i / 2], length,
                 length, 0);
        check_limit(&server, text, status);
        snprintf(text, sizeof text,
                 "POST %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n%x\r\n%0*d\r\n0\r\n\r\n", paths[i / 2],
                 (unsigned)length, length, 0);
        check_limit(&server, text, status);
    }
    server_stop(&server, 0);
}

/* --- what the client is told meanwhile ----------------------------------------------------------------- */

static void test_100_is_said_once_and_to_whom_it_is_for(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int asking = client_connect(server.port), other = client_connect(server.port), old = client_connect(server.port);
    client_send(other, GET("/x"));
    client_expect(other, 200, NULL);
    client_send(asking, "POST /p HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client_expect(asking, 100, NULL);
    client_send(other, "GET /x HTT"); /* the head that was read last has asked for it */
    expect_silence(other);
    client_send(asking, "he");
    expect_silence(asking);
    client_send(asking, "llo");
    client_expect(asking, 200, "body=hello");
    client_send(old, "POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"); /* RFC 9110 s10.1.1 */
    expect_silence(old);
    client_send(old, "hello");
    client_expect(old, 200, "body=hello");
    close(asking);
    close(other);
    close(old);
    server_stop(&server, 0);
}

static void test_a_body_that_nobody_reads(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    static const struct {
        const char *head;
        bool is_last;
    } rows[] = {
        {"GET /bodyless HTTP/1.1\r\n" H "\r\n", false},
        {"GET /bodyless HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", false},
        {"GET /bodyless HTTP/1.1\r\n" H "Connection: close\r\n\r\n", true},
        {"GET /bodyless HTTP/1.0\r\n\r\n", true},
        {"GET /bodyless HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", true},
        {"GET /bodyless HTTP/1.1\r\n" H "Content-Length: 5000\r\n\r\n", true},
        {"GET /bodyless HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", true},
        {"GET /bodyless HTTP/1.1\r\n" H "Expect: cake\r\nContent-Length: 5\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = client_connect(server.port);
        client_send(fd, rows[i].head);
        client_send(fd, GET("/next"));
        client_expect(fd, 200, rows[i].is_last ? "\r\nConnection: close\r\n" : "\r\nConnection: keep-alive\r\n");
        if (rows[i].is_last)
            assert_true(client_is_closed(fd));
        else
            client_expect(fd, 200, "GET /next");
        close(fd);
    }
    server_stop(&server, 0);
}

/* --- what an answer says -------------------------------------------------------------------------------- */

static void check_date(int fd)
{
    char answer[4096], now[2][64];
    for (int i = 0; i < 2; i++) { /* the coarse clock may be a tick behind */
        time_t second = time(NULL) - 1 + i;
        struct tm parts;
        gmtime_r(&second, &parts);
        strftime(now[i], sizeof now[i], "\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    }
    client_send(fd, GET("/x"));
    assert_int_equal(client_read(fd, answer, sizeof answer, false), 200);
    if (strstr(answer, now[0]) == NULL && strstr(answer, now[1]) == NULL)
        fail_msg("not of now: %s", answer);
}

static void test_the_date_is_that_of_now(void **state)
{
    (void)state;
    struct server server = {0};
    const char *zone = getenv("TZ");
    setenv("TZ", "UTC-9", 1);
    tzset();
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    check_date(fd);
    sleep_ms(2100);
    check_date(fd);
    close(fd);
    server_stop(&server, 0);
    if (zone == NULL)
        unsetenv("TZ");
    else
        setenv("TZ", zone, 1);
    tzset();
}

static void test_what_has_no_body(void **state)
{
    (void)state;
    struct server server = {0};
    char answer[4096];
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/304") GET("/next"));
    assert_int_equal(client_read(fd, answer, sizeof answer, false), 304);
    assert_null(strcasestr(answer, "content-length"));
    client_expect(fd, 200, "GET /next");
    client_send(fd, "HEAD /x HTTP/1.1\r\n" H H "\r\n"); /* refused before anybody has seen its method */
    assert_int_equal(client_read(fd, answer, sizeof answer, true), 400);
    assert_true(strstr(answer, "\r\n\r\n")[4] == '\0' && recv(fd, answer, 1, 0) == 0);
    close(fd);
    server_stop(&server, 0);
}

static void test_who_asks_and_what(void **state)
{
    (void)state;
    struct server server = {0};
    char word[64];
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    client_send(fd, "GET /x HTTP/1.1\r\n" H "X-Twice: one\r\nx-twice: two\r\n\r\n");
    snprintf(word, sizeof word, "peer=127.0.0.1:%d first=one", ntohs(name.sin_port));
    client_expect(fd, 200, word);
    client_send(fd, "GET /x HTTP/1.1\r\n" H H "\r\n");
    client_expect(fd, 400, "The request must have one Host header.");
    close(fd);
    server_stop(&server, 0);
}

/* --- what is held ---------------------------------------------------------------------------------------- */

static void test_what_is_held_is_given_back(void **state)
{
    (void)state;
    struct server server = {0};
    static char answer[5 << 20];
    const uint64_t *held = &server.counters.held_bytes;
    server_start(&server, &server_options);
    int broken = client_connect(server.port), greedy = client_connect(server.port), deaf = client_connect(server.port);
    client_send(broken, "GET / HTTP/1.1\r\n");
    await_counter(held, 256);
    client_send(broken, "Host: a\n");
    client_expect(broken, 400, NULL);
    await_counter(held, 0); /* it may still be sending, for much longer, and nothing of that is kept */
    assert_int_equal(read_counter(&server.counters.connections), 3);
    client_send(greedy, "G");
    for (int i = 0; i < 50; i++) { /* always with the next one's first byte */
        client_send(greedy, "ET / HTTP/1.1\r\n" H "\r\nG");
        client_expect(greedy, 200, NULL);
    }
    assert_in_range(read_counter(held), 1, 512);
    client_send(greedy, "ET / HTTP/1.1\r\n" H "\r\n");
    client_expect(greedy, 200, NULL);
    await_counter(held, 0);
    client_send(deaf, GET("/big"));
    await_at_least(held, 1 << 20); /* a handler is counted before it has answered */
    assert_int_equal(client_read(deaf, answer, sizeof answer, false), 200);
    await_counter(held, 0);
    client_send(deaf, "GET /big HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    assert_int_equal(client_read(deaf, answer, sizeof answer, false), 200);
    assert_true(client_is_closed(deaf));
    close(broken);
    close(greedy);
    close(deaf);
    server_stop(&server, 0);
}

/* Who takes no answer and sends more costs nothing, and when it breaks off it is gone. */
static void test_who_takes_no_answer(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int deaf = client_connect(server.port);
    client_send(deaf, GET("/big"));
    await_at_least(&server.counters.held_bytes, 1 << 20);
    client_send(deaf, GET("/x"));
    sleep_ms(20);
    double before = cpu_seconds();
    sleep_ms(300);
    assert_true(cpu_seconds() - before < 0.03); /* on a busy machine, too, whoever is woken for ever takes more */
    client_reset(deaf);
    await_counter(&server.counters.connections, 0);
    await_counter(&server.counters.held_bytes, 0);
    server_stop(&server, 0);
}

/* --- how it ends ------------------------------------------------------------------------------------------ */

static void fill(int fd, size_t count)
{
    static char bytes[1 << 16];
    for (size_t sent = 0; sent < count; sent += sizeof bytes) {
        assert_int_equal(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), sizeof bytes);
        sleep_ms(2); /* so that it is read meanwhile */
    }
}

/* Whoever reads only when all is sent must not find a broken connection in place of its answer. */
static void test_who_is_still_sending_can_finish(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int large = client_connect(server.port), unread = client_connect(server.port),
        closing = client_connect(server.port);
    client_send(large, "POST /p HTTP/1.1\r\n" H "Content-Length: 3000000\r\n\r\n");
    fill(large, 3000000);
    client_expect(large, 413, NULL);
    assert_true(client_is_closed(large));
    client_send(unread, "POST /bodyless HTTP/1.1\r\n" H "Content-Length: 3000000\r\n\r\n");
    wait_for(&server.handled_count, 1); /* before the first byte of its body is there */
    fill(unread, 3000000);
    client_expect(unread, 200, NULL);
    assert_true(client_is_closed(unread));
    client_send(closing, "GET /x HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET("/y"));
    for (int i = 0; i < 3; i++) {
        sleep_ms(20);
        client_send(closing, GET("/z"));
    }
    client_expect(closing, 200, "GET /x");
    assert_true(client_is_closed(closing));
    close(large);
    close(unread);
    close(closing);
    server_stop(&server, 0);
    assert_int_equal(atomic_load(&server.handled_count), 2);
}

/* But not for ever. */
static void test_who_goes_on_sending_is_cut_off(void **state)
{
    (void)state;
    struct server server = {0};
    static char bytes[1 << 16];
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/x") "no request\r\n\r\n");
    size_t sent = 0;
    while (sent < 64 << 20 && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        sent += sizeof bytes;
    assert_in_range(sent, 1 << 20, 16 << 20); /* 4 MiB, and what the kernel takes */
    close(fd);
    await_counter(&server.counters.connections, 0);
    server_stop(&server, 0);
}

/* Also when it was read together with another one, and so handled in a later turn. */
static void test_the_last_of_several_requests_ends_it(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &server_options);
    int fd = client_connect(server.port);
    client_send(fd, GET("/x") GET("/y") "GET /z HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    client_expect(fd, 200, "GET /x");
    client_expect(fd, 200, "GET /y");
    client_expect(fd, 200, "GET /z");
    assert_true(client_is_closed(fd));
    close(fd);
    server_stop(&server, 0);
}

const struct CMUnitTest connection_tests[] = {
    cmocka_unit_test(test_limits_are_exact),
    cmocka_unit_test(test_a_path_may_have_a_limit_of_its_own),
    cmocka_unit_test(test_100_is_said_once_and_to_whom_it_is_for),
    cmocka_unit_test(test_a_body_that_nobody_reads),
    cmocka_unit_test(test_the_date_is_that_of_now),
    cmocka_unit_test(test_what_has_no_body),
    cmocka_unit_test(test_who_asks_and_what),
    cmocka_unit_test(test_what_is_held_is_given_back),
    cmocka_unit_test(test_who_takes_no_answer),
    cmocka_unit_test(test_who_is_still_sending_can_finish),
    cmocka_unit_test(test_who_goes_on_sending_is_cut_off),
    cmocka_unit_test(test_the_last_of_several_requests_ends_it),
};
const size_t connection_count = sizeof connection_tests / sizeof connection_tests[0];

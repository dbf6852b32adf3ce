/*
 * Hostile requests as bytes: each is sent on its own connection with a good request pipelined behind it, whose path
 * /smuggled tells whether one request was answered as two, or a refused connection went on. A good request on a new
 * connection must always be answered afterwards.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum after { CLOSES, GOES_ON };

struct row {
    const char *name;
    const char *bytes;
    size_t len;      /* 0: strlen */
    int statuses[3]; /* allowed; 0 ends the list, -1: closed without an answer */
    enum after after;
};

#define H "Host: a\r\n"
#define POST "POST /p HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define BAD {400, 0}, CLOSES
#define NO_CODING {501, 0}, CLOSES
#define NO_VERSION {505, 0}, CLOSES

static const struct row rows[] = {
    {"CL and TE", POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 0, BAD},
    {"TE and CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG", 0, BAD},
    {"two CL", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 0, BAD},
    {"two equal CL", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 0, BAD},
    {"zero CL, then another", POST "Content-Length: 0\r\nContent-Length: 40\r\n\r\n", 0, BAD},
    {"CL list", POST "Content-Length: 5, 6\r\n\r\nhello", 0, BAD},
    {"CL -1", POST "Content-Length: -1\r\n\r\nhello", 0, BAD},
    {"CL +5", POST "Content-Length: +5\r\n\r\nhello", 0, BAD},
    {"CL 0x5", POST "Content-Length: 0x5\r\n\r\nhello", 0, BAD},
    {"CL 5 5", POST "Content-Length: 5 5\r\n\r\nhello", 0, BAD},
    {"CL empty", POST "Content-Length:\r\n\r\nhello", 0, BAD},
    {"CL abc", POST "Content-Length: abc\r\n\r\nhello", 0, BAD},
    {"CL 2^64", POST "Content-Length: 18446744073709551616\r\n\r\nhello", 0, {400, 413}, CLOSES},
    {"CL huge", POST "Content-Length: 99999999999999999999999\r\n\r\nhello", 0, {400, 413}, CLOSES},
    {"CL 5;", POST "Content-Length: 5;\r\n\r\nhello", 0, BAD},
    {"CL 5.0", POST "Content-Length: 5.0\r\n\r\nhello", 0, BAD},
    {"CL 10 GB", POST "Content-Length: 10000000000\r\n\r\n", 0, {413}, CLOSES},
    {"TE chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 0, NO_CODING},
    {"TE identity", POST "Transfer-Encoding: identity\r\n\r\n", 0, NO_CODING},
    {"TE xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, NO_CODING},
    {"TE chunked VT", POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n", 0, BAD},
    {"TE gzip", POST "Transfer-Encoding: gzip\r\n\r\n", 0, NO_CODING},
    {"TE chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 0, NO_CODING},
    {"TE blank before colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 0, BAD},
    {"two TE", POST "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NO_CODING},
    {"two TE chunked", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, BAD},
    {"TE in HTTP/1.0", "POST /p HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, BAD},
    {"chunk size overflow", CHUNKED "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n", 0, {400, 413}, CLOSES},
    {"chunk size -1", CHUNKED "-1\r\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk size blank 5", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk size g", CHUNKED "g\r\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk size empty", CHUNKED "\r\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk without CRLF", CHUNKED "5\r\nhelloX0\r\n\r\n", 0, BAD},
    {"chunk size 0x5", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk ended by LF", CHUNKED "5\nhello\r\n0\r\n\r\n", 0, BAD},
    {"chunk with extension", CHUNKED "5;a=b\r\nhello\r\n0\r\n\r\n", 0, {200}, GOES_ON},
    {"trailer with Authorization", CHUNKED "0\r\nAuthorization: Bearer evil\r\n\r\n", 0, BAD},
    {"bare LF", "GET /x HTTP/1.1\nHost: a\n\n", 0, BAD},
    {"bare LF in a header", "GET /x HTTP/1.1\r\n" H "X: a\nAuthorization: Bearer evil\r\n\r\n", 0, BAD},
    {"bare CR in a header", "GET /x HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 0, BAD},
    {"NUL in a header", "GET /x HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", sizeof("GET /x HTTP/1.1\r\n" H "X: a0b\r\n\r\n") - 1,
     BAD},
    {"obs-fold", "GET /x HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 0, BAD},
    {"obs-fold of TE", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 0, {400, 501}, CLOSES},
    {"no colon", "GET /x HTTP/1.1\r\n" H "Xa\r\n\r\n", 0, BAD},
    {"empty name", "GET /x HTTP/1.1\r\n" H ": a\r\n\r\n", 0, BAD},
    {"blank in a name", "GET /x HTTP/1.1\r\n" H "X Y: a\r\n\r\n", 0, BAD},
    {"blank before the first header", "GET /x HTTP/1.1\r\n X: a\r\n" H "\r\n", 0, BAD},
    {"no Host", "GET /x HTTP/1.1\r\n\r\n", 0, BAD},
    {"two Hosts", "GET /x HTTP/1.1\r\n" H "Host: b\r\n\r\n", 0, BAD},
    {"HTTP/2.0", "GET /x HTTP/2.0\r\n" H "\r\n", 0, NO_VERSION},
    {"HTTP/9.9", "GET /x HTTP/9.9\r\n" H "\r\n", 0, NO_VERSION},
    {"http/1.1", "GET /x http/1.1\r\n" H "\r\n", 0, BAD},
    {"word behind the version", "GET /x HTTP/1.1 x\r\n" H "\r\n", 0, BAD},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, NO_VERSION},
    {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, BAD},
    {"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, BAD},
    {"Expect garbage", POST "Expect: cake\r\nContent-Length: 2\r\n\r\nhi", 0, {417}, CLOSES},
    {"good GET", "GET /x HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"CRLF in front", "\r\nGET /x HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"empty Host", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", 0, {200}, GOES_ON},
    {"good POST", POST "Content-Length: 5\r\n\r\nhello", 0, {200}, GOES_ON},
    {"POST without length", POST "\r\n", 0, {200}, GOES_ON},
    {"Upgrade: h2c",
     "GET /x HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
     0,
     {200},
     GOES_ON},
    {"lower-case method", "get /x HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"absolute form", "GET http://evil.example/x HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"star", "GET * HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"NUL in the path", "GET /%00 HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"bad escape in the path", "GET /%zz HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
    {"above the root", "GET /../../../etc/passwd HTTP/1.1\r\n" H "\r\n", 0, {200}, GOES_ON},
};

static const struct rely_loop_options options = {
    .max_head_bytes = 160 * 1024,
    .max_body_bytes = 1000,
    .max_memory_bytes = 1 << 24,
    .head_timeout_ms = 1000,
    .body_timeout_ms = 1000,
    .idle_timeout_ms = 1000,
    .max_connections = 100,
};

static bool is_allowed(const struct row *row, int status)
{
    for (int i = 0; i < 3 && row->statuses[i] != 0; i++)
        if (row->statuses[i] == status)
            return true;
    return false;
}

static void check_row(int port, const struct row *row)
{
    static char answer[65536];
    int fd = client_connect(port);
    size_t len = row->len == 0 ? strlen(row->bytes) : row->len;
    char sent[1024];
    memcpy(sent, row->bytes, len);
    len += (size_t)sprintf(sent + len, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(send(fd, sent, len, MSG_NOSIGNAL), len);
    int status = client_read(fd, answer, sizeof(answer), false);
    if (!is_allowed(row, status))
        fail_msg("%s: answered %d: %s", row->name, status, answer);
    if (strstr(answer, "/smuggled") != NULL)
        fail_msg("%s: the second request was answered as the first", row->name);
    if ((strstr(answer, "\r\nConnection: close\r\n") != NULL) != (row->after == CLOSES))
        fail_msg("%s: what becomes of the connection is not said: %s", row->name, answer);
    status = client_read(fd, answer, sizeof(answer), false);
    if (status != (row->after == GOES_ON ? 200 : 0))
        fail_msg("%s: then answered %d: %s", row->name, status, answer);
    if (row->after == GOES_ON && strstr(answer, "GET /smuggled") == NULL)
        fail_msg("%s: the next request was lost", row->name);
    if (row->after == CLOSES && !client_is_closed(fd))
        fail_msg("%s: the connection goes on", row->name);
    close(fd);
}

static void check_alive(int port)
{
    char answer[4096];
    int fd = client_connect(port);
    client_send(fd, "GET /alive HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    close(fd);
}

static void test_rows(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(server.port, &rows[i]);
        check_alive(server.port);
    }
    server_stop(&server, 0);
}

/* Right chunked bodies are taken, even one byte at a time: kubectl create --raw sends them. */
static void test_chunked_body(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    int fd = client_connect(server.port);
    const char *bytes = CHUNKED "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n";
    for (const char *at = bytes; *at != '\0'; at++)
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
    char answer[4096];
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "body=abcdefgh bearer"));
    assert_non_null(strstr(answer, "\r\nConnection: keep-alive\r\n"));
    client_send(fd, CHUNKED "5\r\nagain\r\n0\r\n\r\n");
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "body=again bearer"));
    close(fd);
    server_stop(&server, 0);
}

static void check_big(int port, const char *front, size_t fill, const char *back, int expected)
{
    static char answer[65536];
    int fd = client_connect(port);
    client_send(fd, front);
    char *bytes = rely_alloc(fill + 1);
    memset(bytes, 'a', fill);
    /* The server may close before all is sent. */
    if (send(fd, bytes, fill, MSG_NOSIGNAL) == (ssize_t)fill)
        (void)!send(fd, back, strlen(back), MSG_NOSIGNAL);
    free(bytes);
    int status = client_read(fd, answer, sizeof(answer), false);
    if (status != expected && !(status == 0 && expected != 200))
        fail_msg("%s + %zu: answered %d", front, fill, status);
    close(fd);
    check_alive(port);
}

static void test_floods(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    check_big(server.port, "GET /x HTTP/1.1\r\n" H "X: ", 100000, "\r\n\r\n", 200);
    check_big(server.port, "GET /x HTTP/1.1\r\n" H "X: ", 200000, "\r\n\r\n", 431);
    check_big(server.port, "GET /x HTTP/1.1\r\n" H "X: ", 1000000, "\r\n\r\n", 431);
    check_big(server.port, "GET /", 1000000, " HTTP/1.1\r\n" H "\r\n", 431);
    check_big(server.port, CHUNKED "5;", 1000000, "\r\nhello\r\n0\r\n\r\n", 400);
    server_stop(&server, 0);
}

static void test_many_headers(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, "GET /x HTTP/1.1\r\n" H);
    for (int i = 0; i < 101; i++)
        client_send(fd, "x: y\r\n");
    client_send(fd, "\r\n");
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 431);
    close(fd);
    check_alive(server.port);
    server_stop(&server, 0);
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    int fd = client_connect(server.port);
    char answer[4096];
    client_send(fd, POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 100);
    client_send(fd, "hello");
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "body=hello"));
    close(fd);
    server_stop(&server, 0);
}

static void check_authorization(int port, const char *headers, enum rely_bearer expected)
{
    char request[1024], answer[4096], word[32];
    int fd = client_connect(port);
    snprintf(request, sizeof(request), "GET /x?access_token=q HTTP/1.1\r\n" H "%s\r\n", headers);
    client_send(fd, request);
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), 200);
    snprintf(word, sizeof(word), " bearer=%d:", (int)expected);
    if (strstr(answer, word) == NULL)
        fail_msg("%s: %s", headers, answer);
    close(fd);
}

static void test_authorization_headers(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server, &options);
    check_authorization(server.port, "", RELY_BEARER_NONE);
    check_authorization(server.port, "Cookie: access_token=c\r\n", RELY_BEARER_NONE);
    check_authorization(server.port, "Authorization: Basic eA==\r\n", RELY_BEARER_NONE);
    check_authorization(server.port, "aUTHORIZATION:Bearer t\r\n", RELY_BEARER_TOKEN);
    check_authorization(server.port, "Authorization: Bearer\r\n", RELY_BEARER_NONE);
    check_authorization(server.port, "Authorization: Bearer\tt\r\n", RELY_BEARER_BAD);
    check_authorization(server.port, "Authorization: Bearer a b\r\n", RELY_BEARER_TOKEN);
    check_authorization(server.port, "Authorization: Bearer a, Bearer b\r\n", RELY_BEARER_TOKEN);
    check_authorization(server.port, "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", RELY_BEARER_BAD);
    check_authorization(server.port, "Authorization: Bearer a\r\nX: y\r\nauthorization: Basic b\r\n", RELY_BEARER_BAD);
    server_stop(&server, 0);
}

const struct CMUnitTest hostile_tests[] = {
    cmocka_unit_test(test_rows),
    cmocka_unit_test(test_chunked_body),
    cmocka_unit_test(test_floods),
    cmocka_unit_test(test_many_headers),
    cmocka_unit_test(test_expect_continue),
    cmocka_unit_test(test_authorization_headers),
};
const size_t hostile_count = sizeof(hostile_tests) / sizeof(hostile_tests[0]);

/*
 * Heads with two meanings, judged as bytes: each row names the fault that it must be refused for.
 */
#include "head.h"
#include "server.h"

#include <stdlib.h>

#define HEAD_MAX ((size_t)10000)

static void check_head(const char *head, bool is_http11, int expected, const char *word)
{
    struct rely_http_framing framing = {0};
    const char *fault = NULL;
    assert_int_equal(rely_http_check_head(rely_slice_of(head), HEAD_MAX, is_http11, &framing, &fault), expected);
    if (word == NULL)
        assert_null(fault);
    else
        assert_non_null(strstr(fault, word));
}

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static void test_good_heads(void **state)
{
    (void)state;
    check_head(LINE HOST "\r\n", true, 0, NULL);
    check_head("\r\n" LINE HOST "\r\n", true, 0, NULL);
    check_head("GET / HTTP/1.0\r\n\r\n", false, 0, NULL);
    check_head(LINE "hOST:\r\nX-Host: b\r\nHosts: c\r\nContent-Length-X: 1\r\n\r\n", true, 0, NULL);
    check_head(LINE HOST "\r\nHost: in the body\r\nbare\nlines\r\n", true, 0, NULL);
}

static void test_framing_is_told(void **state)
{
    (void)state;
    struct rely_http_framing framing = {0};
    const char *fault = NULL;
    assert_int_equal(rely_http_check_head(RELY_LIT(LINE HOST "tRANSFER-Encoding: chunked\r\n\r\n"), HEAD_MAX, true,
                                          &framing, &fault),
                     0);
    assert_true(framing.is_chunked);
    assert_false(framing.has_length);
    assert_int_equal(
        rely_http_check_head(RELY_LIT(LINE HOST "content-length: 1\r\n\r\nx"), HEAD_MAX, true, &framing, &fault), 0);
    assert_false(framing.is_chunked);
    assert_true(framing.has_length);
}

static void test_refused_heads(void **state)
{
    (void)state;
    check_head("", true, 400, "empty");
    check_head(LINE, true, 400, "no end");
    check_head(LINE HOST, true, 400, "no end");
    check_head(LINE "\r\n", true, 400, "one Host");
    check_head(LINE HOST "X: y\r\n" HOST "\r\n", true, 400, "one Host");
    check_head("GET / HTTP/1.0\r\n" HOST HOST "\r\n", false, 400, "one Host");
    check_head(LINE HOST "content-length: 5\r\nContent-Length: 6\r\n\r\n", true, 400, "more than one Content-Length");
    check_head(LINE HOST "content-length: 5\r\ncontent-length: 5\r\n\r\n", true, 400, "more than one Content-Length");
    check_head(LINE HOST "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", true, 400, "both");
    check_head(LINE HOST "transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n", true, 400,
               "more than one Transfer-Encoding");
    check_head("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", false, 400, "HTTP/1.0");
    check_head(LINE HOST "X: a\r\n b\r\n\r\n", true, 400, "folded");
    check_head(LINE HOST "X: a\r\n\tb\r\n\r\n", true, 400, "folded");
    check_head("GET / HTTP/1.1\n" HOST "\r\n", true, 400, "bare line feed");
    check_head(LINE HOST "X: a\nAuthorization: b\r\n\r\n", true, 400, "bare line feed");
    check_head(LINE HOST "\n", true, 400, "bare line feed");
    check_head("\n" LINE HOST "\r\n", true, 400, "bare line feed");
}

static void test_long_head(void **state)
{
    (void)state;
    size_t size = HEAD_MAX + 100;
    char *head = rely_alloc(size + 1);
    memset(head, 'a', size);
    memcpy(head, LINE HOST "X: ", sizeof(LINE HOST "X: ") - 1);
    memcpy(head + size - 4, "\r\n\r\n", 4);
    check_head(head, true, 431, "too long");
    memcpy(head + HEAD_MAX - 4, "\r\n\r\n", 4); /* the longest that is taken, with a body behind */
    check_head(head, true, 0, NULL);
    head[HEAD_MAX] = '\0';
    check_head(head, true, 0, NULL);
    head[HEAD_MAX - 1] = 'a'; /* what is no longer than it may be has another fault */
    check_head(head, true, 400, "no end");
    free(head);
}

const struct CMUnitTest head_tests[] = {
    cmocka_unit_test(test_good_heads),
    cmocka_unit_test(test_framing_is_told),
    cmocka_unit_test(test_refused_heads),
    cmocka_unit_test(test_long_head),
};
const size_t head_count = sizeof(head_tests) / sizeof(head_tests[0]);

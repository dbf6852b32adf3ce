/*
 * Heads and chunks, judged as bytes: each row names the fault that it must be refused for. However a head or a body is
 * cut, it comes out the same.
 */
#include "head.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

/* --- heads ---------------------------------------------------------------------------------------------- */

static enum rely_http_progress measure(struct rely_slice input, size_t step, size_t *len, struct rely_http_fault *fault)
{
    struct rely_http_scan scan = {0};
    enum rely_http_progress progress = RELY_HTTP_UNFINISHED;
    for (size_t at = step; progress == RELY_HTTP_UNFINISHED; at += step) {
        progress = rely_http_measure_head(rely_slice(input.ptr, at < input.len ? at : input.len), &scan, len, fault);
        if (at >= input.len)
            break;
    }
    return progress;
}

/* Measures in pieces of every length up to seven, and whole, and reads what is whole. */
static enum rely_http_progress read_head(struct rely_slice input, struct rely_http_head *head,
                                         struct rely_http_fault *fault)
{
    size_t len = 0;
    enum rely_http_progress progress = measure(input, input.len + 1, &len, fault);
    for (size_t step = 1; step <= 7; step++) {
        size_t len_again = 0;
        struct rely_http_fault fault_again = {0};
        assert_int_equal(measure(input, step, &len_again, &fault_again), progress);
        assert_int_equal(len_again, len);
        assert_ptr_equal(fault_again.detail, progress == RELY_HTTP_BROKEN ? fault->detail : NULL);
    }
    if (progress != RELY_HTTP_WHOLE)
        return progress;
    memset(head, 0xab, sizeof *head); /* nothing of an earlier request may be left */
    return rely_http_parse_head(rely_slice(input.ptr, len), head, fault) ? RELY_HTTP_WHOLE : RELY_HTTP_BROKEN;
}

static void check_good(const char *text)
{
    static struct rely_http_head head;
    struct rely_http_fault fault = {0};
    if (read_head(rely_slice_of(text), &head, &fault) != RELY_HTTP_WHOLE)
        fail_msg("refused: %s: %s", text, fault.detail == NULL ? "?" : fault.detail);
}

static void check_bad_bytes(struct rely_slice text, enum rely_http_refusal_kind kind, const char *word)
{
    static struct rely_http_head head;
    struct rely_http_fault fault = {0};
    enum rely_http_progress progress = read_head(text, &head, &fault);
    if (progress != RELY_HTTP_BROKEN || fault.kind != kind)
        fail_msg("%.*s: progress %d, kind %d", RELY_ARG(text), (int)progress, (int)fault.kind);
    if (word == NULL ? fault.detail != NULL : fault.detail == NULL || strstr(fault.detail, word) == NULL)
        fail_msg("%.*s: %s", RELY_ARG(text), fault.detail == NULL ? "no detail" : fault.detail);
}

static void check_bad(const char *text, const char *word)
{
    check_bad_bytes(rely_slice_of(text), RELY_HTTP_HEAD_MALFORMED, word);
}

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static void test_good_heads(void **state)
{
    (void)state;
    check_good(LINE HOST "\r\n");
    check_good("\r\n" LINE HOST "\r\n");
    check_good("GET / HTTP/1.0\r\n\r\n");
    check_good("GET / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    check_good("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" HOST "\r\n");
    check_good("GET /\xff\xc3\xa4\"<>\\^`{|}#[] HTTP/1.1\r\n" HOST "\r\n");
    check_good("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    check_good("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n");
    check_good(LINE "hOST:\r\nX-Host: b\r\nHosts: c\r\nContent-Length-X: 1\r\nExpects: cake\r\n\r\n");
    check_good(LINE HOST "X:\r\nY: \t \r\nZ: a\tb \xff\x80\r\n\r\n");
    check_good(LINE HOST "\r\nHost: in the body\r\nbare\nlines\r\n");
    check_good(LINE "Host: [::1%25eth0]:8080\r\n\r\n");
    check_good(LINE "Host: a_b-c.example~!$&'()*+,;=:443\r\n\r\n");
}

static void test_what_a_head_says(void **state)
{
    (void)state;
    static struct rely_http_head head;
    struct rely_http_fault fault = {0};
    const char *text = "PUT /a?b HTTP/1.1\r\nhost:\t h:1 \t\r\nConnection: x , ClosE\r\ncontent-length: 0042\r\n"
                       "eXPECT: 100-Continue\r\nX:  two  words  \r\n\r\n";
    assert_int_equal(read_head(rely_slice_of(text), &head, &fault), RELY_HTTP_WHOLE);
    assert_true(rely_slice_equal(head.method, RELY_LIT("PUT")) && rely_slice_equal(head.target, RELY_LIT("/a?b")));
    assert_true(head.is_http11 && head.is_last && head.expects_continue);
    assert_false(head.is_chunked || head.has_other_expectation);
    assert_int_equal(head.length, 42);
    assert_int_equal(head.field_count, 5);
    assert_true(rely_slice_equal(head.fields[0].name, RELY_LIT("host")));
    assert_true(rely_slice_equal(head.fields[0].value, RELY_LIT("h:1")));
    assert_true(rely_slice_equal(head.fields[4].value, RELY_LIT("two  words")));
    text =
        LINE HOST "Transfer-Encoding: CHUNKED\r\nExpect: 100-continue, cake\r\nConnection: keep-alive, closed\r\n\r\n";
    assert_int_equal(read_head(rely_slice_of(text), &head, &fault), RELY_HTTP_WHOLE);
    assert_true(head.is_chunked && head.has_other_expectation);
    assert_false(head.is_last || head.expects_continue);
    assert_int_equal(head.length, 0);
    text = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"; /* not spoken: it would be a second way to frame */
    assert_int_equal(read_head(rely_slice_of(text), &head, &fault), RELY_HTTP_WHOLE);
    assert_true(head.is_last && !head.is_http11);
    text = LINE HOST "Content-Length: 18446744073709551616\r\n\r\n";
    assert_int_equal(read_head(rely_slice_of(text), &head, &fault), RELY_HTTP_WHOLE);
    assert_true(head.length == UINT64_MAX);
    text = LINE HOST "Content-Length: 18446744073709551614\r\n\r\n";
    assert_int_equal(read_head(rely_slice_of(text), &head, &fault), RELY_HTTP_WHOLE);
    assert_true(head.length == UINT64_MAX - 1);
}

static void test_unfinished_heads(void **state)
{
    (void)state;
    static struct rely_http_head head;
    struct rely_http_fault fault = {0};
    const char *text = "\r\n" LINE HOST "X: y\r\n\r\n";
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(read_head(rely_slice(text, len), &head, &fault), RELY_HTTP_UNFINISHED);
}

static void test_refused_heads(void **state)
{
    (void)state;
    check_bad("\r\n\r\n", "method");
    check_bad(" " LINE, "method");
    check_bad("\n" LINE HOST "\r\n", "method");
    check_bad("\r\r\n" LINE HOST "\r\n", "method");
    check_bad("\x16\x03\x01", "method");
    check_bad_bytes(rely_slice("\0\0\0", 3), RELY_HTTP_HEAD_MALFORMED, "method");
    check_bad("GE(T / HTTP/1.1\r\n" HOST "\r\n", "method");
    check_bad("GET\t/ HTTP/1.1\r\n" HOST "\r\n", "method");
    check_bad("GET\r\n" HOST "\r\n", "method");
    check_bad("GET  / HTTP/1.1\r\n" HOST "\r\n", "target");
    check_bad("GET /\t HTTP/1.1\r\n" HOST "\r\n", "target");
    check_bad("GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "target");
    check_bad("GET /\r HTTP/1.1\r\n" HOST "\r\n", "target");
    check_bad("GET /\r\n" HOST "\r\n", "target");
    check_bad("GET /  HTTP/1.1\r\n" HOST "\r\n", "version");
    check_bad("GET / HTTP/1.1 \r\n" HOST "\r\n", "version");
    check_bad("GET / http/1.1\r\n" HOST "\r\n", "version");
    check_bad("GET / HTTP/1.10\r\n" HOST "\r\n", "version");
    check_bad("GET / HTTP/1,1\r\n" HOST "\r\n", "version");
    check_bad("GET / XTTP/1.1\r\n" HOST "\r\n", "version");
    check_bad(LINE "\r\n", "one Host");
    check_bad(LINE HOST "X: y\r\n" HOST "\r\n", "one Host");
    check_bad("GET / HTTP/1.0\r\n" HOST HOST "\r\n", "one Host");
    check_bad(LINE "Host: a/b\r\n\r\n", "host and port");
    check_bad(LINE "Host: a b\r\n\r\n", "host and port");
    check_bad(LINE "Host: user@a\r\n\r\n", "host and port");
    check_bad(LINE "Host: a?\r\n\r\n", "host and port");
    check_bad(LINE "Host: a#\r\n\r\n", "host and port");
    check_bad(LINE "Host: \xc3\xa4\r\n\r\n", "host and port");
    check_bad(LINE HOST "content-length: 5\r\nContent-Length: 6\r\n\r\n", "more than one Content-Length");
    check_bad(LINE HOST "content-length: 5\r\ncontent-length: 5\r\n\r\n", "more than one Content-Length");
    check_bad(LINE HOST "content-length: 5, 5\r\n\r\n", "not one number");
    check_bad(LINE HOST "content-length: +5\r\n\r\n", "not one number");
    check_bad(LINE HOST "content-length:\r\n\r\n", "not one number");
    check_bad(LINE HOST "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", "both");
    check_bad(LINE HOST "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
              "more than one Transfer-Encoding");
    check_bad("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.0");
    check_bad(LINE HOST "X: a\r\n b\r\n\r\n", "folded");
    check_bad(LINE HOST "X: a\r\n\tb\r\n\r\n", "folded");
    check_bad(LINE " X: a\r\n" HOST "\r\n", "folded");
    check_bad(LINE HOST ": a\r\n\r\n", "no name");
    check_bad(LINE HOST "X : a\r\n\r\n", "no name");
    check_bad(LINE HOST "X\r\n\r\n", "no name");
    check_bad(LINE HOST "X Y: a\r\n\r\n", "no name");
    check_bad(LINE HOST "X\xff: a\r\n\r\n", "no name");
    check_bad(LINE HOST "X: a\rb\r\n\r\n", "control");
    check_bad(LINE HOST "X: a\r\r\n\r\n", "control");
    check_bad(LINE HOST "X: \x1f\r\n\r\n", "control");
    check_bad(LINE HOST "X: \x7f\r\n\r\n", "control");
    check_bad_bytes(RELY_LIT(LINE HOST "X: a\0b\r\n\r\n"), RELY_HTTP_HEAD_MALFORMED, "control");
    check_bad("GET / HTTP/1.1\n" HOST "\r\n", "bare line feed");
    check_bad(LINE HOST "X: a\nAuthorization: b\r\n\r\n", "bare line feed");
    check_bad(LINE HOST "\n", "bare line feed");
}

static void test_other_refusals(void **state)
{
    (void)state;
    check_bad_bytes(RELY_LIT("GET / HTTP/2.0\r\n\r\n"), RELY_HTTP_VERSION_UNKNOWN, NULL);
    check_bad_bytes(RELY_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), RELY_HTTP_VERSION_UNKNOWN, NULL);
    check_bad_bytes(RELY_LIT("GET / HTTP/1.2\r\n" HOST "\r\n"), RELY_HTTP_VERSION_UNKNOWN, NULL);
    check_bad_bytes(RELY_LIT("GET / HTTP/0.9\r\n" HOST "\r\n"), RELY_HTTP_VERSION_UNKNOWN, NULL);
    static const char *const codings[] = {"identity", "gzip",     "chunked, identity", "chunked, chunked", "xchunked",
                                          "",         "chunked,", "gzip, chunked",     "chunked;q=1",      "cow"};
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, LINE HOST "Transfer-Encoding: %s\r\n\r\n", codings[i]);
        check_bad_bytes(rely_slice_of(text), RELY_HTTP_CODING_UNKNOWN, NULL);
    }
}

static void check_fields(int count, bool is_good)
{
    char text[4096] = LINE HOST;
    for (int i = 1; i < count; i++)
        strcat(text, "x: y\r\n");
    strcat(text, "\r\n");
    if (is_good)
        check_good(text);
    else
        check_bad_bytes(rely_slice_of(text), RELY_HTTP_HEAD_TOO_LARGE, "100 headers");
}

static void test_as_many_headers_as_there_is_room_for(void **state)
{
    (void)state;
    check_fields(RELY_HTTP_FIELDS_MAX, true);
    check_fields(RELY_HTTP_FIELDS_MAX + 1, false);
}

static void test_what_a_broken_line_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *method, *target;
    } rows[] = {
        {"GET /check/a HTTP/9.9\r\n", "GET", "/check/a"},
        {"\r\nPOST /x", "POST", "/x"},
        {"GET", "GET", NULL},
        {"GET ", "GET", ""},
        {"\x16\x03", NULL, NULL},
        {"", NULL, NULL},
        {"GET /a\x7f", "GET", "/a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rely_slice method, target;
        rely_http_peek_line(rely_slice_of(rows[i].text), &method, &target);
        assert_int_equal(method.ptr == NULL, rows[i].method == NULL);
        assert_int_equal(target.ptr == NULL, rows[i].target == NULL);
        assert_true(rows[i].method == NULL || rely_slice_equal(method, rely_slice_of(rows[i].method)));
        assert_true(rows[i].target == NULL || rely_slice_equal(target, rely_slice_of(rows[i].target)));
    }
}

/* --- chunks ---------------------------------------------------------------------------------------------- */

#define BODY_MAX 40

/* Reads in pieces of `step` bytes; the body is in out. */
static enum rely_http_progress read_chunks(const char *text, size_t step, char out[256], size_t *used_in_all,
                                           struct rely_http_fault *fault)
{
    struct rely_http_chunks chunks = {.max_bytes = BODY_MAX};
    size_t have = 0, all = strlen(text);
    enum rely_http_progress progress = RELY_HTTP_UNFINISHED;
    *used_in_all = 0;
    for (size_t at = 0; at < all && progress == RELY_HTTP_UNFINISHED; at += step) {
        size_t len = all - at < step ? all - at : step, used = 0, given = len;
        memcpy(out + have, text + at, len);
        progress = rely_http_read_chunks(&chunks, out + have, &len, &used, fault);
        if (progress == RELY_HTTP_BROKEN)
            break;
        assert_true(used == given || progress == RELY_HTTP_WHOLE);
        have += len;
        *used_in_all += used;
    }
    out[have] = '\0';
    return progress;
}

static void check_chunks(const char *text, const char *body, size_t rest)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        char out[256];
        size_t used;
        struct rely_http_fault fault = {0};
        if (read_chunks(text, step, out, &used, &fault) != RELY_HTTP_WHOLE)
            fail_msg("%s in steps of %zu: %s", text, step, fault.detail == NULL ? "unfinished" : fault.detail);
        assert_string_equal(out, body);
        assert_int_equal(strlen(text) - used, rest);
    }
}

static void check_bad_chunks(const char *text, enum rely_http_refusal_kind kind, const char *word)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        char out[256];
        size_t used;
        struct rely_http_fault fault = {0};
        if (read_chunks(text, step, out, &used, &fault) != RELY_HTTP_BROKEN || fault.kind != kind)
            fail_msg("%s in steps of %zu is taken, or for another reason", text, step);
        if (word != NULL && (fault.detail == NULL || strstr(fault.detail, word) == NULL))
            fail_msg("%s: %s", text, fault.detail == NULL ? "no detail" : fault.detail);
    }
}

static void test_good_chunks(void **state)
{
    (void)state;
    check_chunks("0\r\n\r\n", "", 0);
    check_chunks("5\r\nhello\r\n0\r\n\r\nGET /", "hello", 5);
    check_chunks("1\r\na\r\n02\r\nbc\r\n00a\r\n0123456789\r\n000\r\n\r\n", "abc0123456789", 0);
    check_chunks("A;a=\"b\";c\r\n\r\n\r\n\r\n\r\n\r\n\r\n0;x\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n", 0);
    check_chunks("3\r\nabc\r\n0\r\n\r\nZ", "abc", 1);
    check_chunks("28\r\n0123456789012345678901234567890123456789\r\n0\r\n\r\n",
                 "0123456789012345678901234567890123456789", 0);
}

static void test_refused_chunks(void **state)
{
    (void)state;
    static const char *const sizes[] = {"\r\n",   "g\r\n",  "-1\r\n", "+1\r\n", "0x5\r\n",
                                        " 5\r\n", "5 \r\n", ";\r\n",  "\n"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_bad_chunks(sizes[i], RELY_HTTP_BODY_MALFORMED, "hexadecimal");
    check_bad_chunks("5\nhello", RELY_HTTP_BODY_MALFORMED, "hexadecimal");
    check_bad_chunks("5\r\rhello", RELY_HTTP_BODY_MALFORMED, "CR LF");
    check_bad_chunks("5\r\nhelloX", RELY_HTTP_BODY_MALFORMED, "CR LF");
    check_bad_chunks("5\r\nhello\n0\r\n\r\n", RELY_HTTP_BODY_MALFORMED, "CR LF");
    check_bad_chunks("5\r\nhello\rX", RELY_HTTP_BODY_MALFORMED, "CR LF");
    check_bad_chunks("00000000000000005", RELY_HTTP_BODY_MALFORMED, "16 digits");
    static const char *const extensions[] = {"5;a\nhello", "5;a\x01", "5;a=b ", "5; a", "5;\t", "5;\xff", "5;\x7f"};
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        check_bad_chunks(extensions[i], RELY_HTTP_BODY_MALFORMED, "visible");
    static const char *const trailers[] = {"0\r\nX: y\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nGET / HTTP/1.1\r\n",
                                           "0\r\n\n"};
    for (size_t i = 0; i < sizeof trailers / sizeof trailers[0]; i++)
        check_bad_chunks(trailers[i], RELY_HTTP_BODY_MALFORMED, "trailers");
    check_bad_chunks("0\r\n\rX", RELY_HTTP_BODY_MALFORMED, "CR LF");
    check_bad_chunks("29\r\n", RELY_HTTP_BODY_TOO_LARGE, NULL);
    check_bad_chunks("28\r\n0123456789012345678901234567890123456789\r\n1\r\n", RELY_HTTP_BODY_TOO_LARGE, NULL);
    check_bad_chunks("ffffffffffffffff\r\n", RELY_HTTP_BODY_TOO_LARGE, NULL);
    check_bad_chunks("1\r\na\r\nffffffffffffffff\r\n", RELY_HTTP_BODY_TOO_LARGE, NULL);
}

/* Those of all chunks together. */
static void test_long_extensions(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct rely_http_chunks chunks = {.max_bytes = BODY_MAX};
        struct rely_http_fault fault = {0};
        size_t size = RELY_HTTP_CHUNK_EXTENSIONS_MAX + 100, used = 0;
        char *text = rely_alloc(size);
        int len = snprintf(text, size, "1;%02000d\r\na\r\n0;%0*d\r\n\r\n", 0,
                           RELY_HTTP_CHUNK_EXTENSIONS_MAX - 2000 + more, 0);
        size_t in = (size_t)len;
        enum rely_http_progress progress = rely_http_read_chunks(&chunks, text, &in, &used, &fault);
        assert_int_equal(progress, more == 0 ? RELY_HTTP_WHOLE : RELY_HTTP_BROKEN);
        assert_true(more == 0 || strstr(fault.detail, "too long") != NULL);
        free(text);
    }
}

const struct CMUnitTest head_tests[] = {
    cmocka_unit_test(test_good_heads),
    cmocka_unit_test(test_what_a_head_says),
    cmocka_unit_test(test_unfinished_heads),
    cmocka_unit_test(test_refused_heads),
    cmocka_unit_test(test_other_refusals),
    cmocka_unit_test(test_as_many_headers_as_there_is_room_for),
    cmocka_unit_test(test_what_a_broken_line_says),
    cmocka_unit_test(test_good_chunks),
    cmocka_unit_test(test_refused_chunks),
    cmocka_unit_test(test_long_extensions),
};
const size_t head_count = sizeof(head_tests) / sizeof(head_tests[0]);

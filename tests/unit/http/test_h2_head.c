/*
 * Heads of HTTP/2, judged as packed fields: each row names what it must be refused for. Whatever was read before, it comes
 * out the same.
 */
#include "h2.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

/* --- fields, as rows write them: "name: value", a line each --------------------------------------------------- */

static void pack_line(struct rely_buf *out, struct rely_slice line)
{
    const char *colon = memchr(line.ptr + 1, ':', line.len - 1); /* a pseudo-header begins with one */
    assert_non_null(colon);
    size_t name_len = (size_t)(colon - line.ptr);
    rely_h2_pack(out, rely_slice(line.ptr, name_len), rely_slice(colon + 2, line.len - name_len - 2));
}

static void pack_lines(struct rely_buf *out, struct rely_slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        assert_non_null(end);
        struct rely_slice line = rely_slice(text.ptr, (size_t)(end - text.ptr));
        pack_line(out, line);
        text = rely_slice(end + 1, text.len - line.len - 1);
    }
}

/* What was read last, and the fields that its slices are of. */
static struct rely_http_head head;
static struct rely_buf packed;

static bool read_packed(struct rely_http_fault *fault)
{
    memset(&head, 0xab, sizeof head); /* nothing of an earlier request may be left */
    return rely_h2_read_head(rely_buf_slice(&packed), &head, fault);
}

static bool read_lines(struct rely_slice text, struct rely_http_fault *fault)
{
    packed.len = 0;
    pack_lines(&packed, text);
    return read_packed(fault);
}

static void check_good_lines(const char *text)
{
    struct rely_http_fault fault = {0};
    if (!read_lines(rely_slice_of(text), &fault))
        fail_msg("refused: %s: %s", text, fault.detail);
    assert_true(head.is_http11);
    assert_false(head.is_last || head.is_chunked);
}

static void check_bad_slice(struct rely_slice text, const char *word)
{
    struct rely_http_fault fault = {0};
    bool is_read = read_lines(text, &fault);
    if (is_read || fault.kind != RELY_HTTP_HEAD_MALFORMED || strstr(fault.detail, word) == NULL)
        fail_msg("%.*s: %s", RELY_ARG(text), is_read ? "read" : fault.detail);
}

static void check_bad_lines(const char *text, const char *word)
{
    check_bad_slice(rely_slice_of(text), word);
}

#define PSEUDO ":method: GET\n:scheme: http\n:authority: a\n:path: /\n"
#define NO_HOST ":method: GET\n:scheme: http\n:path: /\n"

/* --- packing ------------------------------------------------------------------------------------------------------ */

static void test_fields_come_out_as_they_went_in(void **state)
{
    (void)state;
    packed.len = 0;
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    rely_h2_pack(&packed, RELY_LIT("name"), rely_slice(bytes, sizeof bytes));
    rely_h2_pack(&packed, RELY_LIT(""), RELY_LIT(""));
    rely_h2_pack(&packed, RELY_LIT("n"), RELY_LIT(""));
    struct rely_slice rest = rely_buf_slice(&packed), name, value;
    assert_true(rely_h2_unpack(&rest, &name, &value));
    assert_true(rely_slice_equal(name, RELY_LIT("name")));
    assert_true(rely_slice_equal(value, rely_slice(bytes, sizeof bytes)));
    assert_true(rely_h2_unpack(&rest, &name, &value));
    assert_int_equal(name.len + value.len, 0);
    assert_true(rely_h2_unpack(&rest, &name, &value));
    assert_true(rely_slice_equal(name, RELY_LIT("n")));
    assert_int_equal(value.len, 0);
    assert_false(rely_h2_unpack(&rest, &name, &value));
    assert_int_equal(packed.len, 3 * 8 + 4 + 256 + 1); /* what keep_field counts */
}

/* --- heads ---------------------------------------------------------------------------------------------------------- */

static void test_what_a_head_says(void **state)
{
    (void)state;
    check_good_lines(
        ":method: POST\n:scheme: https\n:authority: relyd:8443\n:path: /v1/review?a=b\ncontent-length: 12\n"
        "authorization: Bearer x\nx-a: \t\x80\n");
    struct rely_http_fault fault = {0};
    size_t count = 0;
    assert_true(read_lines(RELY_LIT(":method: POST\n:scheme: https\n:authority: relyd:8443\n:path: /v1/review?a=b\n"
                                    "content-length: 12\nauthorization: Bearer x\nauthorization: Bearer y\n"),
                           &fault));
    assert_true(rely_slice_equal(head.method, RELY_LIT("POST")));
    assert_true(rely_slice_equal(head.target, RELY_LIT("/v1/review?a=b")));
    assert_int_equal(head.length, 12);
    assert_int_equal(head.field_count, 4); /* host is one */
    assert_true(rely_slice_equal(rely_http_head_find(&head, RELY_LIT("host"), &count), RELY_LIT("relyd:8443")));
    assert_int_equal(count, 1);
    assert_true(rely_slice_equal(rely_http_head_find(&head, RELY_LIT("authorization"), &count), RELY_LIT("Bearer x")));
    assert_int_equal(count, 2);
    assert_false(head.expects_continue || head.has_other_expectation);
}

static void test_expectations(void **state)
{
    (void)state;
    check_good_lines(PSEUDO "expect: 100-Continue\n");
    assert_true(head.expects_continue && !head.has_other_expectation);
    check_good_lines(PSEUDO "expect: 100-continue2\n");
    assert_true(!head.expects_continue && head.has_other_expectation);
    check_good_lines(PSEUDO "expect: x\nexpect: 100-continue\n");
    assert_true(head.expects_continue && head.has_other_expectation);
    check_good_lines(PSEUDO "expect: 100-continue\nexpect: x\n");
    assert_true(head.expects_continue && head.has_other_expectation);
}

static void test_methods(void **state)
{
    (void)state;
    check_good_lines(":method: !#$%&'*+-.^_`|~09azAZ\n:scheme: http\n:authority: a\n:path: /\n");
    static const char *const bad[] = {"", "GE T", "G\x01T", "GET/", "G(T", "G\x80T"};
    char text[128];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, ":method: %s\n:scheme: http\n:authority: a\n:path: /\n", bad[i]);
        check_bad_lines(text, ":method");
    }
    check_bad_lines(":scheme: http\n:authority: a\n:path: /\n", ":method");
    check_bad_slice(RELY_LIT(":method: G\0T\n:scheme: http\n:authority: a\n:path: /\n"), ":method");
}

static void test_schemes(void **state)
{
    (void)state;
    check_good_lines(":method: GET\n:scheme: HTTPS\n:authority: a\n:path: /\n");
    static const char *const bad[] = {"", "ftp", "httpx", "htt", "http:", "https ", "h2c"};
    char text[128];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, ":method: GET\n:scheme: %s\n:authority: a\n:path: /\n", bad[i]);
        check_bad_lines(text, ":scheme");
    }
    check_bad_lines(":method: GET\n:authority: a\n:path: /\n", ":scheme");
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"/",      "*",     "/a?b#c",   "//x",
                                       "/../..", "/\xff", "http://b/"}; /* as over HTTP/1.1 */
    static const char *const bad[] = {"", " ", "/a b", "/a\tb", "/\x7f", "/\x01"};
    char text[128];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, ":method: GET\n:scheme: http\n:authority: a\n:path: %s\n", good[i]);
        check_good_lines(text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, ":method: GET\n:scheme: http\n:authority: a\n:path: %s\n", bad[i]);
        check_bad_lines(text, ":path");
    }
    check_bad_lines(":method: GET\n:scheme: http\n:authority: a\n", ":path");
    check_bad_slice(RELY_LIT(":method: GET\n:scheme: http\n:authority: a\n:path: /\0\n"), ":path");
}

static void test_connect_has_neither_scheme_nor_path(void **state)
{
    (void)state;
    check_good_lines(":method: CONNECT\n:authority: a:443\n");
    assert_null(head.target.ptr);
    check_bad_lines(":method: CONNECT\n:authority: a b\n", ":authority");
    check_bad_lines(":method: connect\n:authority: a:443\n", ":scheme");
    check_bad_lines(":method: CONNECTS\n:authority: a:443\n", ":scheme");
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "A.example:80", "[::1]:443", "127.0.0.1", "a_b~c", "%41", ""};
    static const char *const bad[] = {"a b", "a/b", "u@h", "u:p@h", "a?b", "a#b", "a\\b", "\xc3\xa4"};
    char text[128];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, ":method: GET\n:scheme: http\n:authority: %s\n:path: /\n", good[i]);
        check_good_lines(text);
        assert_true(rely_slice_equal(rely_http_head_find(&head, RELY_LIT("host"), NULL), rely_slice_of(good[i])));
        snprintf(text, sizeof text, NO_HOST "host: %s\n", good[i]);
        check_good_lines(text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, ":method: GET\n:scheme: http\n:authority: %s\n:path: /\n", bad[i]);
        check_bad_lines(text, ":authority");
        snprintf(text, sizeof text, NO_HOST "host: %s\n", bad[i]);
        check_bad_lines(text, ":authority");
    }
}

static void test_one_host(void **state)
{
    (void)state;
    size_t count = 0;
    check_good_lines(PSEUDO "host: A\n");
    assert_true(rely_slice_equal(rely_http_head_find(&head, RELY_LIT("host"), &count), RELY_LIT("A")));
    assert_int_equal(count, 1);
    check_bad_lines(PSEUDO "host: b\n", "another");
    check_bad_lines(PSEUDO "host: a:80\n", "another");
    check_bad_lines(PSEUDO "host: \n", "another");
    check_bad_lines(":method: GET\n:scheme: http\n:authority: \n:path: /\nhost: a\n", "another");
    check_bad_lines(PSEUDO "host: a\nhost: a\n", "one Host");
    check_bad_lines(NO_HOST "host: a\nhost: b\n", "one Host");
}

static void test_lengths(void **state)
{
    (void)state;
    check_good_lines(PSEUDO "content-length: 0\n");
    assert_int_equal(head.length, 0);
    check_good_lines(PSEUDO "content-length: 99999999999999999999999\n");
    assert_true(head.length == UINT64_MAX);
    static const char *const bad[] = {"", "x", "1x", "-1", "+1", "1 ", " 1", "1,1", "0x1", "1.0"};
    char text[160];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, PSEUDO "content-length: %s\n", bad[i]);
        check_bad_lines(text, "Content-Length");
    }
}

static void test_controls_in_values(void **state)
{
    (void)state;
    char text[] = PSEUDO "x-a: a?b\n";
    for (int byte = 0; byte < 256; byte++) {
        bool is_control = (byte < ' ' && byte != '\t') || byte == 0x7f;
        if (byte == '\n') /* ends a line of the rows */
            continue;
        text[sizeof PSEUDO - 1 + 6] = (char)byte;
        struct rely_http_fault fault = {0};
        assert_int_equal(read_lines(rely_slice(text, sizeof text - 1), &fault), !is_control);
        assert_true(!is_control || strstr(fault.detail, "control character") != NULL);
    }
    struct rely_http_fault fault = {0};
    packed.len = 0;
    pack_lines(&packed, RELY_LIT(PSEUDO));
    rely_h2_pack(&packed, RELY_LIT("x-a"), RELY_LIT("a\nb"));
    assert_false(read_packed(&fault));
}

/* --- limits ---------------------------------------------------------------------------------------------------------- */

static bool read_many(const char *pseudo, size_t count, struct rely_http_fault *fault)
{
    packed.len = 0;
    pack_lines(&packed, rely_slice_of(pseudo));
    for (size_t i = 0; i < count; i++)
        rely_h2_pack(&packed, RELY_LIT("x"), RELY_LIT("y"));
    return read_packed(fault);
}

static void test_a_hundred_headers(void **state)
{
    (void)state;
    struct rely_http_fault fault = {0};
    assert_true(read_many(PSEUDO, RELY_HTTP_FIELDS_MAX - 1, &fault)); /* the host is one more */
    assert_int_equal(head.field_count, RELY_HTTP_FIELDS_MAX);
    assert_false(read_many(PSEUDO, RELY_HTTP_FIELDS_MAX, &fault));
    assert_int_equal(fault.kind, RELY_HTTP_HEAD_TOO_LARGE);
    assert_true(read_many(NO_HOST "host: a\n", RELY_HTTP_FIELDS_MAX - 1, &fault));
    fault = (struct rely_http_fault){0};
    assert_false(read_many(NO_HOST "host: a\n", RELY_HTTP_FIELDS_MAX, &fault));
    assert_int_equal(fault.kind, RELY_HTTP_HEAD_TOO_LARGE);
    assert_non_null(strstr(fault.detail, "100 headers"));
}

const struct CMUnitTest h2_head_tests[] = {
    cmocka_unit_test(test_fields_come_out_as_they_went_in),
    cmocka_unit_test(test_what_a_head_says),
    cmocka_unit_test(test_expectations),
    cmocka_unit_test(test_methods),
    cmocka_unit_test(test_schemes),
    cmocka_unit_test(test_paths),
    cmocka_unit_test(test_connect_has_neither_scheme_nor_path),
    cmocka_unit_test(test_hosts),
    cmocka_unit_test(test_one_host),
    cmocka_unit_test(test_lengths),
    cmocka_unit_test(test_controls_in_values),
    cmocka_unit_test(test_a_hundred_headers),
};
const size_t h2_head_count = sizeof(h2_head_tests) / sizeof(h2_head_tests[0]);

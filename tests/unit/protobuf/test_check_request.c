/*
 * Envoy's CheckRequest and a probe's question: what is read in either of their two lists, what is refused and by which
 * words, what is passed over; and how fields are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/pool.h"
#include "relyd/protobuf.h"

#include <stdlib.h>

#define UNREADABLE "the CheckRequest cannot be read: it is cut off or none, or has too many fields"
#define SEVERAL "the CheckRequest has a field several times that may be there once"

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* By the numbers of fields, from the outermost in: `attributes` is 1 of a CheckRequest. */
enum { ATTRIBUTES = 1, REQUEST = 4, EXTENSION = 10, HTTP = 2, METHOD = 2, HEADER = 3, HEADER_MAP = 13, MAPPED = 1 };
enum { KEY = 1, VALUE = 2, RAW_VALUE = 3 };

static struct request {
    struct rely_buf pair, mapped, map, http, request, attributes, message;
    struct rely_pool pool;
} request;

static void put_length(struct rely_buf *out, size_t len)
{
    for (; len >= 0x80; len >>= 7)
        rely_buf_putc(out, (char)(len | 0x80));
    rely_buf_putc(out, (char)len);
}

static void put_part(struct rely_buf *out, unsigned number, struct rely_slice bytes)
{
    put_length(out, number << 3 | 2);
    put_length(out, bytes.len);
    rely_buf_put(out, bytes);
}

/* The inner one is empty afterwards. */
static void put_whole(struct rely_buf *out, unsigned number, struct rely_buf *inner)
{
    put_part(out, number, rely_buf_slice(inner));
    inner->len = 0;
}

/* Into `http` or, with RAW_VALUE, into `map`; an extension into `attributes`. */
static void put_entry(struct rely_buf *out, unsigned number, const char *key, unsigned value_number,
                      struct rely_slice value)
{
    put_part(&request.pair, KEY, rely_slice_of(key));
    put_part(&request.pair, value_number, value);
    put_whole(out, number, &request.pair);
}

static void wrap_request(void)
{
    if (request.map.len > 0)
        put_whole(&request.http, HEADER_MAP, &request.map);
    put_whole(&request.request, HTTP, &request.http);
    put_whole(&request.attributes, REQUEST, &request.request);
    put_whole(&request.message, ATTRIBUTES, &request.attributes);
}

static int open_request(void **state)
{
    (void)state;
    request = (struct request){0};
    rely_pool_init(&request.pool);
    return 0;
}

static int close_request(void **state)
{
    struct rely_buf *const all[] = {&request.pair,    &request.mapped,     &request.map,    &request.http,
                                    &request.request, &request.attributes, &request.message};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rely_buf_fini(all[i]);
    rely_pool_fini(&request.pool);
    return 0;
}

/* From a block of exactly this size; the message is empty afterwards. */
static const char *read_message(struct rely_protobuf_check *out)
{
    size_t len = request.message.len;
    char *exact = malloc(len == 0 ? 1 : len);
    assert_non_null(exact);
    if (len > 0)
        memcpy(exact, request.message.ptr, len);
    const char *wrong = rely_protobuf_read_check(rely_slice(exact, len), &request.pool, out);
    free(exact); /* what was read is in the pool */
    request.message.len = 0;
    return wrong;
}

static void expect_refused(const char *wanted)
{
    struct rely_protobuf_check out = {.header_count = 77};
    const char *wrong = read_message(&out);
    if (wrong == NULL || strcmp(wrong, wanted) != 0)
        fail_msg("\"%s\" wanted, found \"%s\"", wanted, wrong == NULL ? "accepted" : wrong);
    assert_int_equal(out.header_count, 77); /* written only when it is read */
}

static void expect_pair(const struct rely_protobuf_pair *pair, const char *name, struct rely_slice value)
{
    if (!rely_slice_equal(pair->name, rely_slice_of(name)) || !rely_slice_equal(pair->value, value))
        fail_msg("%s: %.*s=%.*s", name, RELY_ARG(pair->name), RELY_ARG(pair->value));
    assert_non_null(pair->name.ptr);
    assert_non_null(pair->value.ptr);
}

/* --- what is read ------------------------------------------------------------------------------------------------- */

static void test_both_lists_are_one(void **state)
{
    (void)state;
    struct rely_protobuf_check out;
    put_part(&request.http, METHOD, RELY_LIT("PUT"));
    put_entry(&request.http, HEADER, "b", VALUE, RELY_LIT("1"));
    put_entry(&request.http, HEADER, "a", VALUE, RELY_LIT("2"));
    put_entry(&request.map, MAPPED, "b", RAW_VALUE, rely_slice("\0\xff", 2));
    put_entry(&request.map, MAPPED, "c", VALUE, RELY_LIT("4"));
    put_entry(&request.attributes, EXTENSION, "x", VALUE, RELY_LIT("5"));
    put_entry(&request.attributes, EXTENSION, "x", VALUE, RELY_LIT(""));
    wrap_request();
    assert_null(read_message(&out));
    assert_true(rely_slice_equal(out.method, RELY_LIT("PUT")));
    assert_int_equal(out.header_count, 4);
    expect_pair(&out.headers[0], "b", RELY_LIT("1"));
    expect_pair(&out.headers[1], "a", RELY_LIT("2"));
    expect_pair(&out.headers[2], "b", rely_slice("\0\xff", 2)); /* any bytes: whoever needs a text looks at them */
    expect_pair(&out.headers[3], "c", RELY_LIT("4"));
    assert_int_equal(out.extension_count, 2);
    expect_pair(&out.extensions[0], "x", RELY_LIT("5"));
    expect_pair(&out.extensions[1], "x", RELY_LIT(""));
}

static void test_nothing_need_be_there(void **state)
{
    (void)state;
    for (int depth = 0; depth < 4; depth++) {
        struct rely_protobuf_check out;
        if (depth == 3)
            put_part(&request.request, HTTP, RELY_LIT(""));
        if (depth >= 2)
            put_whole(&request.attributes, REQUEST, &request.request);
        if (depth >= 1)
            put_whole(&request.message, ATTRIBUTES, &request.attributes);
        assert_null(read_message(&out));
        assert_true(out.method.ptr != NULL && out.method.len == 0);
        assert_int_equal(out.header_count + out.extension_count, 0);
    }
}

/* As protobuf leaves out what is empty. */
static void test_pairs_without_their_parts(void **state)
{
    (void)state;
    struct rely_protobuf_check out;
    put_part(&request.http, HEADER, RELY_LIT(""));
    put_part(&request.map, MAPPED, RELY_LIT(""));
    put_part(&request.attributes, EXTENSION, RELY_LIT(""));
    wrap_request();
    assert_null(read_message(&out));
    assert_int_equal(out.header_count, 2);
    expect_pair(&out.headers[0], "", RELY_LIT(""));
    expect_pair(&out.headers[1], "", RELY_LIT(""));
    assert_int_equal(out.extension_count, 1);
    expect_pair(&out.extensions[0], "", RELY_LIT(""));
}

/* Above all metadata_context, which contains itself, and the path, the body, the source. */
static void test_other_fields_are_passed_over(void **state)
{
    (void)state;
    struct rely_protobuf_check out;
    put_part(&request.attributes, 11, RELY_LIT("\x0a\xff"));
    put_part(&request.attributes, 1, RELY_LIT("\xff"));
    put_part(&request.http, 4, RELY_LIT("/path"));
    put_part(&request.http, 4, RELY_LIT("/path"));
    put_length(&request.http, 9 << 3 | 0); /* size, a number */
    put_length(&request.http, 300);
    put_part(&request.pair, 9, RELY_LIT("x"));
    put_entry(&request.http, HEADER, "a", VALUE, RELY_LIT("1"));
    wrap_request();
    put_part(&request.message, 99, RELY_LIT("x"));
    assert_null(read_message(&out));
    assert_int_equal(out.header_count, 1);
    expect_pair(&out.headers[0], "a", RELY_LIT("1"));
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

/* Of two readers one may take the first and one the last, and protobuf-c would merge messages. */
static void test_twice_what_is_there_once(void **state)
{
    (void)state;
    struct rely_buf *const messages[] = {&request.message, &request.attributes, &request.request, &request.http};
    static const unsigned numbers[] = {ATTRIBUTES, REQUEST, HTTP, METHOD};
    for (size_t i = 0; i < 4; i++) {
        struct rely_protobuf_check out;
        bool is_wrapped = i < 3; /* wrap_request puts the second one */
        put_part(messages[i], numbers[i], RELY_LIT(""));
        if (!is_wrapped) {
            wrap_request();
            assert_null(read_message(&out));
            put_part(messages[i], numbers[i], RELY_LIT(""));
            put_part(messages[i], numbers[i], RELY_LIT(""));
        }
        wrap_request();
        expect_refused(SEVERAL);
    }
    put_part(&request.http, HEADER_MAP, RELY_LIT(""));
    put_part(&request.http, HEADER_MAP, RELY_LIT(""));
    wrap_request();
    expect_refused(SEVERAL);
}

static void test_pairs_that_say_two_things(void **state)
{
    (void)state;
    static const unsigned places[] = {HEADER, MAPPED, EXTENSION};
    static const struct {
        unsigned first, second;
        bool is_of_maps; /* there alone */
    } twos[] = {{KEY, KEY, false}, {VALUE, VALUE, false}, {VALUE, RAW_VALUE, true}, {RAW_VALUE, RAW_VALUE, true}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof twos / sizeof twos[0]; k++) {
            struct rely_buf *const lists[] = {&request.http, &request.map, &request.attributes};
            struct rely_protobuf_check out;
            put_entry(lists[i], places[i], "a", VALUE, RELY_LIT("1")); /* a good one in front */
            put_part(&request.pair, twos[k].first, RELY_LIT("x"));
            put_part(&request.pair, twos[k].second, RELY_LIT("x"));
            put_whole(lists[i], places[i], &request.pair);
            wrap_request();
            if (twos[k].is_of_maps && places[i] != MAPPED)
                assert_null(read_message(&out)); /* no field of theirs */
            else
                expect_refused(SEVERAL);
        }
}

static void test_bytes_that_are_no_message(void **state)
{
    (void)state;
    static const struct rely_slice bad[] = {
        {"\x0a", 1},    {"\x0a\x05x", 3}, {"\x08\x01", 2}, {"\x0b\x0c", 2}, {"\xff\xff\xff\xff\xff\xff", 6},
        {"\x02\x00", 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rely_buf_put(&request.message, bad[i]);
        expect_refused(UNREADABLE);
    }
    put_length(&request.http, HEADER << 3 | 0); /* a header that is a number */
    put_length(&request.http, 5);
    wrap_request();
    expect_refused(UNREADABLE);
}

/* At every byte: one message holds all others. */
static void test_cut_off_anywhere(void **state)
{
    (void)state;
    struct rely_protobuf_check out;
    put_part(&request.http, METHOD, RELY_LIT("GET"));
    put_entry(&request.http, HEADER, "a", VALUE, RELY_LIT("1"));
    put_entry(&request.map, MAPPED, "b", RAW_VALUE, RELY_LIT("2"));
    put_entry(&request.attributes, EXTENSION, "x", VALUE, RELY_LIT("3"));
    wrap_request();
    struct rely_buf whole = request.message;
    for (size_t len = 1; len < whole.len; len++) {
        request.message = (struct rely_buf){0};
        rely_buf_put(&request.message, rely_slice(whole.ptr, len));
        if (read_message(&out) == NULL)
            fail_msg("%zu of %zu bytes", len, whole.len);
        rely_buf_fini(&request.message);
    }
    request.message = whole;
    assert_null(read_message(&out));
}

/* A hundred headers, which is what Envoy lets in, are read. Empty entries would take the pool 40 times their bytes. */
static void test_more_fields_than_are_read(void **state)
{
    (void)state;
    struct rely_buf *const lists[] = {&request.http, &request.map, &request.attributes};
    static const unsigned places[] = {HEADER, MAPPED, EXTENSION};
    for (size_t i = 0; i < 3; i++) {
        struct rely_protobuf_check out;
        for (int k = 0; k < 100; k++)
            put_entry(lists[i], places[i], "x-some-name", places[i] == MAPPED ? RAW_VALUE : VALUE,
                      RELY_LIT("some value of it"));
        wrap_request();
        assert_null(read_message(&out));
        assert_int_equal(out.header_count + out.extension_count, 100);
        while (lists[i]->len < 65536)
            put_part(lists[i], places[i], RELY_LIT(""));
        wrap_request();
        expect_refused(UNREADABLE);
    }
}

/* --- a probe ---------------------------------------------------------------------------------------------------------- */

static void test_which_service_a_probe_asks_about(void **state)
{
    (void)state;
    static const struct {
        struct rely_slice message;
        const char *service; /* NULL: it cannot be read */
    } cases[] = {{{"", 0}, ""},
                 {{"\x0a\0", 2}, ""},
                 {{"\x0a\1a", 3}, "a"},
                 {{"\x12\1a\x0a\1b", 6}, "b"},
                 {{"\x0a\1a\x0a\1a", 6}, NULL},
                 {{"\x0a\2a", 3}, NULL},
                 {{"\x08\1", 2}, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_slice service = {NULL, 77};
        const char *wrong = rely_protobuf_read_health(cases[i].message, &request.pool, &service);
        if (cases[i].service == NULL) {
            assert_string_equal(wrong, "the HealthCheckRequest cannot be read");
            assert_int_equal(service.len, 77);
        } else {
            assert_null(wrong);
            assert_true(rely_slice_equal(service, rely_slice_of(cases[i].service)));
        }
    }
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

static void expect_written(const char *bytes, size_t len)
{
    assert_int_equal(request.message.len, len);
    assert_memory_equal(request.message.ptr, bytes, len);
    request.message.len = 0;
}

static void test_numbers_are_written(void **state)
{
    (void)state;
    static const struct {
        unsigned field;
        uint64_t number;
        const char *bytes;
        size_t len;
    } cases[] = {
        {1, 0, "\x08\0", 2},
        {1, 127, "\x08\x7f", 2},
        {1, 128, "\x08\x80\1", 3},
        {15, 403, "\x78\x93\3", 3},
        {16, 16383, "\x80\1\xff\x7f", 4},
        {2047, 16384, "\xf8\x7f\x80\x80\1", 5},
        {1, UINT64_MAX, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rely_protobuf_put_number(&request.message, cases[i].field, cases[i].number);
        expect_written(cases[i].bytes, cases[i].len);
    }
}

static void test_bytes_are_written(void **state)
{
    (void)state;
    char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    rely_protobuf_put_bytes(&request.message, 1, rely_slice("a\0b", 3));
    expect_written("\x0a\3a\0b", 5);
    rely_protobuf_put_bytes(&request.message, 16, RELY_LIT(""));
    expect_written("\x82\1\0", 3);
    rely_protobuf_put_bytes(&request.message, 2, rely_slice(long_text, 127));
    assert_memory_equal(request.message.ptr, "\x12\x7fx", 3);
    assert_int_equal(request.message.len, 129);
    request.message.len = 0;
    rely_protobuf_put_bytes(&request.message, 2, rely_slice(long_text, 300)); /* behind what is there */
    rely_protobuf_put_number(&request.message, 3, 1);
    assert_memory_equal(request.message.ptr, "\x12\xac\2x", 4);
    assert_memory_equal(request.message.ptr + 302, "x\x18\1", 3);
    assert_int_equal(request.message.len, 305);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_request, close_request)
    const struct CMUnitTest tests[] = {
        TEST(test_both_lists_are_one),        TEST(test_nothing_need_be_there),
        TEST(test_pairs_without_their_parts), TEST(test_other_fields_are_passed_over),
        TEST(test_twice_what_is_there_once),  TEST(test_pairs_that_say_two_things),
        TEST(test_bytes_that_are_no_message), TEST(test_cut_off_anywhere),
        TEST(test_more_fields_than_are_read), TEST(test_which_service_a_probe_asks_about),
        TEST(test_numbers_are_written),       TEST(test_bytes_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

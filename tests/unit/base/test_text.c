/* base64url, UTF-8, times, quoting, hashes. Vectors: RFC 4648 s10, RFC 3629, RFC 3339 s5.8. */
#include "tests.h"

#include "relyd/bytes.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void base64url_vectors_both_ways(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xfe", "_-_-"}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint8_t out[32];
        char text[32];
        size_t len = 99;
        assert_true(rely_base64url_decode(rely_slice_of(pairs[i][1]), out, &len));
        assert_int_equal(len, strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], len);
        assert_int_equal(rely_base64url_encode(out, len, text), strlen(pairs[i][1]));
        assert_string_equal(text, pairs[i][1]);
    }
}

static void base64url_has_one_spelling_only(void **state)
{
    static const char *const wrong[] = {"Zg==", "Zm8=",  "Z",   "Zm9vY", "Zh",    "Zm9",      "Zm9vYmF", "+/+/",
                                        "Zm 9", "Zm9\n", "Zg ", " Zg",   "Zm9v.", "Zm9v\xc3", "Zm9vYg\t"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t out[32];
        size_t len = 99;
        assert_false(rely_base64url_decode(rely_slice_of(wrong[i]), out, &len));
        assert_int_equal(len, 99);
    }
}

/* Every byte at every place: sixteen are looked at together, and the ends overlap. */
static void plain_text_is_measured_exactly(void **state)
{
    char text[200];
    (void)state;
    assert_int_equal(rely_bytes_measure_plain("", 0), 0);
    for (size_t len = 1; len <= sizeof text; len += len < 50 ? 1 : 11)
        for (size_t at = 0; at < len; at++)
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'a', sizeof text);
                text[at] = (char)byte;
                bool is_plain = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
                if (len < sizeof text)
                    text[len] = '"'; /* what stands behind does not count */
                assert_int_equal(rely_bytes_measure_plain(text, len), is_plain ? len : at);
            }
}

static void code_points_are_counted_not_bytes(void **state)
{
    size_t count = 0;
    (void)state;
    assert_true(rely_utf8_count(RELY_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), &count));
    assert_int_equal(count, 4);
    static const char *const wrong[] = {"\xff",     "\xc0\x80", "\xed\xa0\x80",    "\xf4\x90\x80\x80",
                                        "\xe2\x82", "\x80",     "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(rely_utf8_count(rely_slice_of(wrong[i]), &count));
    assert_true(rely_text_has_control(RELY_LIT("a\nb")));
    assert_true(rely_text_has_control(RELY_LIT("\xc2\x85")));
    assert_false(rely_text_has_control(RELY_LIT("r\xc3\xa9sum\xc3\xa9 \xf0\x9f\x98\x80")));
}

static void times_are_read_and_printed(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_s;
    } right[] = {{"1970-01-01T00:00:00Z", 0},
                 {"1985-04-12T23:20:50.52Z", 482196050},
                 {"1996-12-19T16:39:57-08:00", 851042397},
                 {"2026-11-22T10:00:00+01:00", 1795338000},
                 {"2024-02-29t00:00:00z", 1709164800},
                 {"1990-12-31T23:59:60Z", 662688000},
                 {"1990-12-31T15:59:60-08:00", 662688000}};
    static const char *const wrong[] = {"",
                                        "2026-11-22",
                                        "2026-11-22T10:00:00",
                                        "2026-13-22T10:00:00Z",
                                        "2026-02-30T10:00:00Z",
                                        "2025-02-29T00:00:00Z",
                                        "2026-02-30T23:59:60Z",
                                        "2026-11-22T10:00:60Z",
                                        "1990-12-31T23:59:60-08:00",
                                        "2026-11-22T24:00:00Z",
                                        "2026-11-22T10:00:00Zx",
                                        "2026-11-22T10:00:00.Z",
                                        "2026-11-22T10:00:00+25:00"};
    char out[RELY_TIME_SIZE];
    int64_t found = 0;
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(rely_time_parse(rely_slice_of(right[i].text), &found));
        assert_int_equal(found, right[i].unix_s);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(rely_time_parse(rely_slice_of(wrong[i]), &found));
    rely_time_print(1795322819, out);
    assert_string_equal(out, "2026-11-22T04:46:59Z");
    rely_time_print(100000000000, out); /* RELY_TIME_MAX_S */
    assert_string_equal(out, "5138-11-16T09:46:40Z");
}

/* Fault D: the year 7 was printed as 7. */
static void test_d_every_printed_time_reads_back_equal(void **state)
{
    static const struct {
        int64_t unix_s;
        const char *text;
    } times[] = {{-62167219200, "0000-01-01T00:00:00Z"},
                 {-61946294400, "0007-01-01T00:00:00Z"},
                 {-30610224000, "1000-01-01T00:00:00Z"},
                 {-1, "1969-12-31T23:59:59Z"},
                 {0, "1970-01-01T00:00:00Z"},
                 {253402300799, "9999-12-31T23:59:59Z"}};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char out[RELY_TIME_SIZE];
        int64_t found = 0;
        rely_time_print(times[i].unix_s, out);
        assert_string_equal(out, times[i].text);
        assert_true(rely_time_parse(rely_slice_of(out), &found));
        assert_int_equal(found, times[i].unix_s);
    }
}

/* Against the C library: each day of 800 years, and every eleventh of ten thousand. */
static void test_d_times_are_the_c_librarys(void **state)
{
    const int64_t first_s = -62167219200, last_s = 253402300799, day_s = 86400;
    char out[RELY_TIME_SIZE], other[RELY_TIME_SIZE * 4];
    (void)state;
    for (int64_t at_s = first_s; at_s <= last_s;
         at_s += (at_s > -11676096000 && at_s < 13569465600 ? 1 : 11) * day_s + 7) {
        time_t when = (time_t)at_s;
        struct tm parts;
        gmtime_r(&when, &parts);
        snprintf(other, sizeof other, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                 parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        rely_time_print(at_s, out);
        assert_string_equal(out, other);
    }
    rely_time_print(first_s - 1, out);
    assert_string_equal(out, "-62167219201");
    rely_time_print(last_s + 1, out);
    assert_string_equal(out, "253402300800");
}

static void strangers_text_is_quoted(void **state)
{
    char out[RELY_QUOTED_SIZE];
    char longest[400];
    (void)state;
    assert_string_equal(rely_quote(RELY_LIT("a\"\\\n\x80"), out), "\"a\\x22\\x5c\\x0a\\x80\"");
    memset(longest, 0, sizeof longest);
    assert_true(strlen(rely_quote(rely_slice(longest, sizeof longest), out)) < RELY_QUOTED_SIZE);
    assert_string_equal(out + 2 + 320 - 1, "\"...");
}

static void hashes_depend_on_every_byte_and_the_seed(void **state)
{
    char text[40];
    (void)state;
    memset(text, 'a', sizeof text);
    uint64_t whole = rely_hash(rely_slice(text, sizeof text), 1);
    assert_true(whole == rely_hash(rely_slice(text, sizeof text), 1));
    assert_true(whole != rely_hash(rely_slice(text, sizeof text), 2));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = 'b';
        assert_true(whole != rely_hash(rely_slice(text, sizeof text), 1));
        assert_true(whole != rely_hash(rely_slice(text, i), 1));
        text[i] = 'a';
    }
}

static void uuids_are_version_4_and_differ(void **state)
{
    char one[RELY_UUID_SIZE], two[RELY_UUID_SIZE];
    (void)state;
    rely_uuid_new(one);
    rely_uuid_new(two);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), 36);
    assert_int_equal(one[14], '4');
    assert_non_null(strchr("89ab", one[19]));
}

static void texts_are_ordered_byte_by_byte(void **state)
{
    static const struct {
        struct rely_slice a, b;
        int order;
    } cases[] = {{{"a", 1}, {"b", 1}, -1}, {{"ab", 2}, {"abc", 3}, -1},    {{"abc", 3}, {"abc", 3}, 0},
                 {{NULL, 0}, {"", 0}, 0},  {{NULL, 0}, {"a", 1}, -1},      {{"a\0b", 3}, {"a\0a", 3}, 1},
                 {{"Z", 1}, {"a", 1}, -1}, {{"\xc3\xa4", 2}, {"z", 1}, 1}, {{"b", 1}, {"aa", 2}, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int forth = rely_slice_compare(&cases[i].a, &cases[i].b), back = rely_slice_compare(&cases[i].b, &cases[i].a);
        assert_int_equal((forth > 0) - (forth < 0), cases[i].order);
        assert_int_equal((back > 0) - (back < 0), -cases[i].order);
    }
}

int run_text_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_vectors_both_ways),
        cmocka_unit_test(base64url_has_one_spelling_only),
        cmocka_unit_test(code_points_are_counted_not_bytes),
        cmocka_unit_test(plain_text_is_measured_exactly),
        cmocka_unit_test(times_are_read_and_printed),
        cmocka_unit_test(test_d_every_printed_time_reads_back_equal),
        cmocka_unit_test(test_d_times_are_the_c_librarys),
        cmocka_unit_test(strangers_text_is_quoted),
        cmocka_unit_test(hashes_depend_on_every_byte_and_the_seed),
        cmocka_unit_test(uuids_are_version_4_and_differ),
        cmocka_unit_test(texts_are_ordered_byte_by_byte),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

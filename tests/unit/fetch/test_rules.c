/*
 * The rules of fetch that need no network: special addresses, URLs and redirects, Cache-Control.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests.h"
#include "transfer.h"

static enum rely_address_verdict judge_text(const struct rely_fetch_rules *rules, const char *text,
                                            bool may_use_special)
{
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof(storage));
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&storage;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        return rely_address_judge(rules, &storage, may_use_special);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
    six->sin6_family = AF_INET6;
    return rely_address_judge(rules, &storage, may_use_special);
}

static bool is_special(const char *text)
{
    enum rely_address_verdict verdict = judge_text(NULL, text, false);
    assert_int_equal(judge_text(NULL, text, true), RELY_ADDRESS_GOOD);
    assert_true(verdict == RELY_ADDRESS_GOOD || verdict == RELY_ADDRESS_SPECIAL);
    return verdict == RELY_ADDRESS_SPECIAL;
}

static void test_special_addresses(void **state)
{
    (void)state;
    const char *const special[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "169.254.0.0",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::169.254.169.254",
        "::ffff:10.0.0.1",
        "::ffff:168.63.129.16",
        "::ffff:0:8.8.8.8",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::0.0.0.0",
        "64:ff9b::168.63.129.16",
        "64:ff9b::100.100.100.200",
        "64:ff9b::224.0.0.1",
        "64:ff9b:1::1",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:0:1::8.8.8.8",
        "64:ff9b:ffff::8.8.8.8",
        "168.63.129.16",
        "100.100.100.200",
        "169.254.170.2",
        "2001:0:808:808::1",
        "2002:a00:1::1",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:101::",
        "2002:a83f:8110::1",
        "2600::5efe:10.0.0.1",
        "2600::200:5efe:169.254.169.254",
        "2600:1:2:3:0:5efe:127.0.0.1",
        "fe80::5efe:8.8.8.8",
        "2001:e41:a00:1::1",
        "2602:300:a000:10::1",
        "2602:a:0:100::1",
        "2602:100:c0a8:101::1",
        "2a01:e02:8000:0040::1",
        "2a02:120a:9fea:9fe0::1",
        "fd20:ce::254",
        "fd00:42::42",
        "100::1",
        "2001::1",
        "2001:1::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2002:7f00:1::",
        "2002:ffff::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    };
    const char *const plain[] = {
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.0",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.0",
        "198.51.101.0",
        "203.0.112.0",
        "203.0.114.0",
        "223.255.255.255",
        "8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2001:db9::1",
        "2003::1",
        "2600::1",
        "2a00::1",
        "3ffe::1",
        /* fault C7: what is inside is public */
        "64:ff9b::8.8.8.8",
        "64:ff9b::1.0.0.0",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "2002:0808:0808:1234::5",
        "2600::5efe:8.8.8.8",
        "2600::200:5efe:1.1.1.1",
        "2600::1:5efe:a00:1",
        "2602:304:ce3f:1::1",
        "2a01:e34:ec00:1::1",
        "168.63.129.15",
        "168.63.129.17",
    };
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
        if (!is_special(special[i]))
            fail_msg("%s is not special", special[i]);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (is_special(plain[i]))
            fail_msg("%s is special", plain[i]);
    struct sockaddr_un unix_socket = {.sun_family = AF_UNIX, .sun_path = "/x"};
    assert_int_equal(rely_address_judge(NULL, &unix_socket, true), RELY_ADDRESS_SPECIAL);
    struct sockaddr unknown = {.sa_family = 77};
    assert_int_equal(rely_address_judge(NULL, &unknown, true), RELY_ADDRESS_SPECIAL);
}

static void add_range(struct rely_cidr *ranges, size_t *count, const char *text)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    assert_true(rely_cidr_parse(rely_slice_of(text), &ranges[(*count)++], &err));
}

/* fault C7: fetch.deny_ranges and fetch.allow_ranges. */
static void test_ranges_of_settings(void **state)
{
    (void)state;
    static struct rely_fetch_rules rules;
    add_range(rules.deny, &rules.deny_count, "10.1.0.0/16");
    add_range(rules.deny, &rules.deny_count, "8.8.4.0/24");
    add_range(rules.deny, &rules.deny_count, "2600:dead::/32");
    add_range(rules.allow, &rules.allow_count, "10.0.0.0/8");
    add_range(rules.allow, &rules.allow_count, "fd12::/16");
    add_range(rules.allow, &rules.allow_count, "64:ff9b:1::/48");
    const struct {
        const char *address;
        enum rely_address_verdict by_default, when_private;
    } cases[] = {
        {"10.2.0.1", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        {"10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED}, /* deny wins over allow, and over the record */
        {"192.168.0.1", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
        {"169.254.169.254", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
        {"8.8.4.4", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"8.8.8.8", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        /* What is inside is judged by the same ranges. */
        {"::ffff:10.2.0.1", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        {"::ffff:10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"64:ff9b::10.2.0.1", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        {"64:ff9b::10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"64:ff9b::8.8.4.4", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"64:ff9b::192.168.0.1", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
        {"64:ff9b:1::192.168.0.1", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD}, /* a range of its own was allowed */
        {"64:ff9b:1::10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"64:ff9b:2::8.8.8.8", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
        {"::10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"::10.2.0.1", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
        {"2002:a01:1::", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"2002:a02:1::", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        {"2600::5efe:10.1.0.1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"2600:dead::1", RELY_ADDRESS_DENIED, RELY_ADDRESS_DENIED},
        {"fd12::1", RELY_ADDRESS_GOOD, RELY_ADDRESS_GOOD},
        {"fd13::1", RELY_ADDRESS_SPECIAL, RELY_ADDRESS_GOOD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (judge_text(&rules, cases[i].address, false) != cases[i].by_default ||
            judge_text(&rules, cases[i].address, true) != cases[i].when_private)
            fail_msg("%s: %d, %d", cases[i].address, judge_text(&rules, cases[i].address, false),
                     judge_text(&rules, cases[i].address, true));
    }
}

/* fault C13 */
static void test_proxy_variables(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    char found[160];
    for (size_t i = 0; i < 8; i++)
        unsetenv(names[i]);
    assert_false(rely_fetch_find_proxy_variables(found, sizeof(found)));
    assert_string_equal(found, "");
    setenv("HTTPS_PROXY", "", 1);
    assert_false(rely_fetch_find_proxy_variables(found, sizeof(found)));
    setenv("HTTPS_PROXY", "http://p:1", 1);
    assert_true(rely_fetch_find_proxy_variables(found, sizeof(found)));
    assert_string_equal(found, "HTTPS_PROXY");
    for (size_t i = 0; i < 8; i++)
        setenv(names[i], "x", 1);
    assert_true(rely_fetch_find_proxy_variables(found, sizeof(found)));
    assert_string_equal(found,
                        "http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY");
    for (size_t i = 0; i < 8; i++)
        unsetenv(names[i]);
}

static void test_cache_control(void **state)
{
    (void)state;
    const struct {
        const char *value;
        int64_t expected;
    } cases[] = {
        {"max-age=300", 300},
        {"public, max-age=300, must-revalidate", 300},
        {"Max-Age=300", 300},
        {"max-age=\"300\"", 300},
        {" \tmax-age=300\t ", 300},
        {",,max-age=300,", 300},
        {"max-age=0", 0},
        {"max-age=300, max-age=60", 60},
        {"max-age=300, max-age=junk", 300},
        {"no-store", 0},
        {"No-Cache", 0},
        {"no-cache=\"set-cookie\", max-age=300", 0},
        {"max-age=300, no-store", 0},
        {"max-age=315360000", 315360000},
        {"max-age=315360001", 315360000},
        {"max-age=99999999999999999999999999", 315360000},
        {"max-age=-1", -1},
        {"max-age=", -1},
        {"max-age", -1},
        {"max-age=\"", -1},
        {"max-age=\"\"", -1},
        {"max-age=1.5", -1},
        {"max-age= 300", -1},
        {"max-age=300s", -1},
        {"xmax-age=300", -1},
        {"s-maxage=300", -1},
        {"max-agee=300", -1},
        {"no-stored", -1},
        {"", -1},
        {",", -1},
        {"=", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* In a block of exactly this size, so that ASan sees one byte too far. */
        size_t len = strlen(cases[i].value);
        char *exact = malloc(len == 0 ? 1 : len);
        memcpy(exact, cases[i].value, len);
        int64_t found = rely_cache_control_read(rely_slice(exact, len));
        free(exact);
        if (found != cases[i].expected)
            fail_msg("%s: %lld", cases[i].value, (long long)found);
    }
}

/* fault C5: RFC 9111 s4.2.1 and s4.2.3. */
static void test_freshness(void **state)
{
    (void)state;
    const int64_t now = 1700000000, none = FETCH_NO_TIME;
    const struct {
        struct freshness answer;
        int64_t expected;
    } cases[] = {
        /* max-age, Expires, Date, Age, now, delay */
        {{3600, none, none, 0, now, 0}, 3600},
        {{3600, none, none, 3590, now, 0}, 10},
        {{3600, none, none, 3590, now, 4}, 6},
        {{3600, none, none, 3600, now, 0}, 0},
        {{3600, none, none, 9999999, now, 0}, 0},
        {{3600, none, now, 3590, now, 0}, 10},
        {{3600, none, now - 3000, 0, now, 0}, 600},    /* apparent_age */
        {{3600, none, now - 3000, 3100, now, 2}, 498}, /* the greater of both */
        {{3600, none, now - 9000, 0, now, 0}, 0},
        {{3600, none, now + 500, 0, now, 0}, 3600}, /* a clock ahead makes nobody younger */
        {{3600, none, now + 500, 100, now, 0}, 3500},
        {{0, none, now, 0, now, 0}, 0},
        {{-1, now + 600, now, 0, now, 0}, 600},       /* Expires less Date */
        {{-1, now + 600, now - 100, 0, now, 0}, 600}, /* 700, of which 100 are over */
        {{-1, now + 600, now, 250, now, 0}, 350},
        {{-1, now + 600, none, 0, now, 0}, 600},
        {{-1, now - 1, now, 0, now, 0}, 0},
        {{-1, 0, now, 0, now, 0}, 0},            /* Expires: 0 */
        {{300, now + 600, now, 0, now, 0}, 300}, /* max-age wins, s5.3 */
        {{300, 0, now, 100, now, 0}, 200},
        {{-1, none, now - 3000, 100, now, 0}, -1},
        {{315360000, none, none, 0, now, 0}, 315360000},
        {{-1, INT64_MAX, now, 0, now, 0}, 315360000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (rely_fresh_left(&cases[i].answer) != cases[i].expected)
            fail_msg("case %zu: %lld", i, (long long)rely_fresh_left(&cases[i].answer));
}

static void test_age_and_dates(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t expected;
    } ages[] = {{"3590", 3590},
                {"0", 0},
                {"12, 99", 12},
                {"12 ,99", 12},
                {"", 0},
                {"-5", 0},
                {"+5", 0},
                {"5.5", 0},
                {"abc", 0},
                {",5", 0},
                {"5 5", 0},
                {"0x5", 0},
                {"99999999999999999999999", FETCH_MAX_AGE_S_MAX}};
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
        if (rely_age_read(rely_slice_of(ages[i].text)) != ages[i].expected)
            fail_msg("%s: %lld", ages[i].text, (long long)rely_age_read(rely_slice_of(ages[i].text)));
    const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                 "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
        assert_int_equal(rely_http_date_read(dates[i]), 784111777);
    const char *const others[] = {"0",
                                  "",
                                  "-1",
                                  "now",
                                  "1700000000",
                                  "Sun, 06 Nov 1994",
                                  "08:49:37",
                                  "Sun, 66 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 08:49:37 PST",
                                  "garbage, at 10:00:00 of day GMT"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (rely_http_date_read(others[i]) != FETCH_NO_TIME)
            fail_msg("%s: %lld", others[i], (long long)rely_http_date_read(others[i]));
}

static void test_etags(void **state)
{
    (void)state;
    char longest[RELY_FETCH_ETAG_BYTES_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[0] = longest[RELY_FETCH_ETAG_BYTES_MAX - 3] = '"';
    const char *const good[] = {"\"\"", "\"abc\"", "W/\"abc\"", "\"!#~\""};
    const char *const bad[] = {"",      "abc",     "\"",       "\"abc",         "abc\"",        "w/\"abc\"",
                               "W/abc", "\"a b\"", "\"a\"b\"", "\"a\r\nX: y\"", "\"\xc3\xa4\"", "\"a\", \"b\"",
                               "*"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(rely_etag_is_good(rely_slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (rely_etag_is_good(rely_slice_of(bad[i])))
            fail_msg("%s is taken", bad[i]);
    assert_true(rely_etag_is_good(rely_slice(longest, RELY_FETCH_ETAG_BYTES_MAX - 2)));
    longest[RELY_FETCH_ETAG_BYTES_MAX - 3] = 'x';
    longest[RELY_FETCH_ETAG_BYTES_MAX - 2] = '"';
    assert_false(rely_etag_is_good(rely_slice(longest, RELY_FETCH_ETAG_BYTES_MAX - 1)));
}

static void expect_origin(const char *url, const char *origin)
{
    char *found = rely_url_origin(url);
    assert_string_equal(found, origin);
    free(found);
}

static void test_origins(void **state)
{
    (void)state;
    expect_origin("https://example.com/a?b", "https://example.com:443");
    expect_origin("HTTPS://EXAMPLE.com:443", "https://example.com:443");
    expect_origin("http://example.com", "http://example.com:80");
    expect_origin("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443");
    expect_origin("", "");
    expect_origin("not a URL", "");
}

static void expect_url(const char *url, bool may_use_http, const char *why)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    bool is_good = rely_url_check(url, may_use_http, &err);
    assert_int_equal(is_good, why == NULL);
    assert_int_equal(err.code, why == NULL ? RELY_ERR_NONE : RELY_ERR_INVALID);
    if (why != NULL && strstr(err.message, why) == NULL)
        fail_msg("%s: found: %s\nexpected: %s", url, err.message, why);
}

static void test_urls(void **state)
{
    (void)state;
    expect_url("https://example.com/a?b=c", false, NULL);
    expect_url("HTTPS://example.com:8443", false, NULL);
    expect_url("https://[2001:db8::1]/", false, NULL);
    expect_url("http://example.com/", true, NULL);
    expect_url("http://example.com/", false, "http is not allowed for this issuer, only https");
    expect_url("file:///etc/passwd", true, "not a URL with a scheme and a host");
    expect_url("ftp://example.com/", true, "only https URLs are fetched");
    expect_url("gopher://example.com/", true, "only https URLs are fetched");
    expect_url("https://me@example.com/", false, "a user or password in a URL is not allowed");
    expect_url("https://:secret@example.com/", false, "a user or password in a URL is not allowed");
    expect_url("https://example.com/#x", false, "a fragment (#...) in a URL is not allowed");
    expect_url("", false, "a URL is 1 to 2048 printable ASCII characters");
    expect_url("https://example.com/\r\nX: y", false, "a URL is 1 to 2048 printable ASCII characters");
    expect_url("https://ex\xc3\xa4mple.com/", false, "a URL is 1 to 2048 printable ASCII characters");
    expect_url("https://", false, "not a URL");
    expect_url("https://example.com:99999/", false, "not a URL");
    char url[2100] = "https://example.com/";
    memset(url + strlen(url), 'x', 2048 - strlen(url));
    expect_url(url, false, NULL);
    strcat(url, "x");
    expect_url(url, false, "a URL is 1 to 2048 printable ASCII characters");
}

static void expect_follow(const char *location, const char *next, const char *why)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    bool is_away = false;
    char *found = rely_url_follow("https://example.com/a/b?c", location, true, &is_away, &err);
    assert_int_equal(is_away, strstr(err.message, "redirected to another origin") != NULL);
    if (next == NULL) {
        assert_null(found);
        if (strstr(err.message, why) == NULL)
            fail_msg("%s: found: %s\nexpected: %s", location, err.message, why);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, next);
    assert_int_equal(err.code, RELY_ERR_NONE);
    free(found);
}

static void test_redirects(void **state)
{
    (void)state;
    expect_follow("/x", "https://example.com/x", NULL);
    expect_follow("x?y", "https://example.com/a/x?y", NULL);
    expect_follow("../x", "https://example.com/x", NULL);
    expect_follow("https://example.com:443/x", "https://example.com:443/x", NULL);
    expect_follow("https://EXAMPLE.com/x", "https://EXAMPLE.com/x", NULL);
    const char *const elsewhere[] = {
        "https://example.org/",     "http://example.com/",       "//example.org/x",          "https://example.com:8443",
        "https://example.com.:443", "https://example.com@evil/", "https://sub.example.com/", "ftp://example.com/"};
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        expect_follow(elsewhere[i], NULL, "redirected to another origin");
    expect_follow("https://me@example.com/", NULL, "a user or password in a URL is not allowed");
    expect_follow("/x#y", NULL, "a fragment (#...) in a URL is not allowed");
    expect_follow("", NULL, "which is not a URL");
    expect_follow("/a b", NULL, "which is not a URL");
    expect_follow("https:///x", NULL, "redirected to");
    expect_follow("file:///etc/passwd", NULL, "redirected to");
}

static void test_shown_url(void **state)
{
    (void)state;
    char out[SHOWN_URL_SIZE];
    assert_string_equal(rely_url_show("https://a/b?secret=1", out), "https://a/b");
    assert_string_equal(rely_url_show("https://a/\n\xff", out), "https://a/??");
    char url[400];
    memset(url, 'u', sizeof(url));
    url[399] = '\0';
    assert_int_equal(strlen(rely_url_show(url, out)), SHOWN_URL_SIZE - 1);
    assert_string_equal(out + SHOWN_URL_SIZE - 5, "u...");
}

int run_rule_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_of_settings),
        cmocka_unit_test(test_proxy_variables),
        cmocka_unit_test(test_special_addresses),
        cmocka_unit_test(test_cache_control),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_shown_url),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_age_and_dates),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}

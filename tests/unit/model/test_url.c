/*
 * Which URLs an issuer may have. Internal header: the rule is a pure function.
 */
#include "../../../src/model/field.h"
#include "tests.h"

static void assert_url(const char *url, enum rely_url_use use, const char *code)
{
    struct rely_problems problems = {0};
    bool is_good = rely_field_check_url(rely_slice_of(url), "issuer", use, false, &problems);
    if (is_good != (code == NULL))
        fail_msg("%s is %s", url, is_good ? "accepted" : problems.items[0].message);
    if (code != NULL)
        assert_string_equal(problems.items[0].code, code);
}

static void takes_good_urls(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://a",
        "https://issuer.example",
        "https://issuer.example/",
        "https://issuer.example/a/b/",
        "https://issuer.example:8443/a",
        "https://issuer.example:65535",
        "https://[2001:db8::1]/a",
        "https://[::1]:8443",
        "https://kubernetes.default.svc.cluster.local",
        "https://under_score.example/~tilde/%20",
        "https://token.actions.githubusercontent.com",
        "https://issuer.example/@path",
        "https://issuer.example/\xc3\xbc",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_url(good[i], RELY_URL_ISSUER, NULL);
    assert_url("https://issuer.example/k?v=1", RELY_URL_FETCHED, NULL);
    assert_url("https://issuer.example?v=1", RELY_URL_FETCHED, NULL);
}

static void refuses_bad_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "https",
        "https://",
        "https:///path",
        "https://:443",
        "HTTPS://issuer.example",
        "ftp://issuer.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        " https://issuer.example",
        "https://issuer.example ",
        "https://issuer.example/a b",
        "https://issuer.example/\t",
        "https://issuer.example\n",
        "https://user@issuer.example",
        "https://user:pw@issuer.example",
        "https://good.example@evil.example/",
        "https://issuer.example/a?b",
        "https://issuer.example/a#b",
        "https://issuer.example\\@evil.example",
        "https://issuer.example:",
        "https://issuer.example:0",
        "https://issuer.example:65536",
        "https://issuer.example:8443x",
        "https://issuer.example:-1",
        "https://[::1",
        "https://[]",
        "https://[zz::1]",
        "https://[::1]x",
        "https://iss\xc3\xbc"
        "r.example",
        "https://issuer.example/\xe2\x80\x8b",
        "https://issuer.example/\xc2\xa0",
        "https://issuer.example/\xef\xbb\xbf",
        "https://issuer.example/\xe2\x80\xae",
        "https://issuer.example/<a>",
        "https://issuer.example/<a",
        "https://issuer.example/a>",
        "https://issuer.example/\"a",
        "https://issuer.example/a\x7f",
        "https://issuer.example/\xc2\xad",     /* soft hyphen */
        "https://issuer.example/\xc2\x80",     /* the first and the last of each range */
        "https://issuer.example/\xe2\x80\x80", /* U+2000 */
        "https://issuer.example/\xe2\x80\x8f",
        "https://issuer.example/\xe2\x80\xa8", /* U+2028 */
        "https://issuer.example/\xe2\x80\xaf",
        "https://issuer.example/\xe2\x81\x9f", /* U+205F */
        "https://issuer.example/\xe2\x81\xa6", /* U+2066, turns the direction of writing */
        "https://issuer.example/\xe2\x81\xaf",
        "https://issuer.example/\xe3\x80\x80", /* U+3000 */
        "https://issuer.example:4294967739",   /* 443 and 2^32 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_url(bad[i], RELY_URL_ISSUER, "invalid_url");
    assert_url("http://issuer.example", RELY_URL_ISSUER, "not_allowed");
    assert_url("https://issuer.example/k#x", RELY_URL_FETCHED, "invalid_url");
}

int run_url_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_good_urls),
        cmocka_unit_test(refuses_bad_urls),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}

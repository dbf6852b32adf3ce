/*
 * Ranges of addresses and proxies, as settings spell them (faults C7, C13). Beside the tests of config, which is the
 * folder that complains with them.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relyd/address.h"

static void expect_range(const char *text, const char *prefix, int bits)
{
    struct rely_cidr range;
    struct rely_err err = {.code = RELY_ERR_NONE};
    char shown[INET6_ADDRSTRLEN];
    if (!rely_cidr_parse(rely_slice_of(text), &range, &err))
        fail_msg("%s: %s", text, err.message);
    inet_ntop(range.is_ipv6 ? AF_INET6 : AF_INET, range.prefix, shown, sizeof(shown));
    assert_string_equal(shown, prefix);
    assert_int_equal(range.bits, bits);
}

static void expect_no_range(struct rely_slice text, const char *why)
{
    struct rely_cidr range;
    struct rely_err err = {.code = RELY_ERR_NONE};
    assert_false(rely_cidr_parse(text, &range, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    if (strncmp(err.message, why, strlen(why)) != 0)
        fail_msg("%.*s: found: %s", RELY_ARG(text), err.message);
}

static void test_ranges(void **state)
{
    (void)state;
    expect_range("10.0.0.0/8", "10.0.0.0", 8);
    expect_range("0.0.0.0/0", "0.0.0.0", 0);
    expect_range("192.168.1.7", "192.168.1.7", 32);
    expect_range("192.168.1.7/32", "192.168.1.7", 32);
    expect_range("172.16.0.0/12", "172.16.0.0", 12);
    expect_range("2001:DB8::/32", "2001:db8::", 32);
    expect_range("::/0", "::", 0);
    expect_range("fd00::1", "fd00::1", 128);
    expect_range("64:ff9b::10.0.0.0/104", "64:ff9b::a00:0", 104);
    expect_range("::ffff:10.0.0.0/104", "10.0.0.0", 8);
    expect_range("::ffff:10.1.2.3", "10.1.2.3", 32);
    expect_range("::ffff:0.0.0.0/96", "0.0.0.0", 0);
    expect_range("::/95", "::", 95);
    const char *const words[] = {"",          "/8",           "10.0.0",    "10.0.0.0.0/8", "010.0.0.0/8",
                                 "localhost", "10.0.0.0 /8",  "[::1]/128", "fe80::1%eth0", "1.2.3.4:80",
                                 "::g/8",     "0x7f.0.0.1/32"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        expect_no_range(rely_slice_of(words[i]), "not an address: expected a range like 10.0.0.0/8 or 2001:db8::/32");
    expect_no_range(RELY_LIT("10.0.0.0\0"), "not an address");
    const char *const bits[] = {"10.0.0.0/",    "10.0.0.0/33",        "10.0.0.0/-1",  "10.0.0.0/08", "10.0.0.0/8 ",
                                "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0/256", "0.0.0.0/00"};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        expect_no_range(rely_slice_of(bits[i]), "the prefix has not 0 to 32 bits");
    expect_no_range(RELY_LIT("::/129"), "the prefix has not 0 to 128 bits");
    const char *const behind[] = {"10.0.0.1/8",     "10.128.0.0/8", "0.0.0.1/0",
                                  "2001:db8::1/32", "::1/127",      "::ffff:10.0.0.1/104"};
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++)
        expect_no_range(rely_slice_of(behind[i]), "the address has bits behind the prefix");
}

static bool holds(const char *range_text, const char *address)
{
    struct rely_cidr range;
    struct rely_err err = {.code = RELY_ERR_NONE};
    uint8_t bytes[16];
    assert_true(rely_cidr_parse(rely_slice_of(range_text), &range, &err));
    assert_int_equal(inet_pton(range.is_ipv6 ? AF_INET6 : AF_INET, address, bytes), 1);
    return rely_cidr_holds(&range, bytes);
}

static void test_what_a_range_holds(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("172.16.0.0/12", "172.31.255.255"));
    assert_false(holds("172.16.0.0/12", "172.32.0.0"));
    assert_false(holds("172.16.0.0/12", "172.15.255.255"));
    assert_true(holds("0.0.0.0/0", "255.255.255.255"));
    assert_true(holds("1.2.3.4", "1.2.3.4"));
    assert_false(holds("1.2.3.4", "1.2.3.5"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1", "::2"));
    assert_true(holds("::/0", "ff02::1"));
}

static void expect_proxy(const char *text, const char *normal)
{
    char out[RELY_PROXY_SIZE];
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_proxy_parse(rely_slice_of(text), out, &err))
        fail_msg("%s: %s", text, err.message);
    assert_string_equal(out, normal);
}

static void expect_no_proxy(const char *text, const char *why)
{
    char out[RELY_PROXY_SIZE];
    struct rely_err err = {.code = RELY_ERR_NONE};
    assert_false(rely_proxy_parse(rely_slice_of(text), out, &err));
    if (strstr(err.message, why) == NULL)
        fail_msg("%s: found: %s", text, err.message);
}

static void test_proxies(void **state)
{
    (void)state;
    expect_proxy("http://proxy.example:3128", "http://proxy.example:3128");
    expect_proxy("http://proxy.example:3128/", "http://proxy.example:3128");
    expect_proxy("http://127.0.0.1:1", "http://127.0.0.1:1");
    expect_proxy("http://[2001:db8::1]:65535", "http://[2001:db8::1]:65535");
    const char *const schemes[] = {"", "proxy.example:3128", "https://proxy.example:3128",
                                   "socks5://proxy.example:1080", "HTTP://x:1"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        expect_no_proxy(schemes[i], "only an http proxy can be used: expected http://HOST:PORT, found ");
    const char *const ports[] = {
        "http://",          "http://proxy.example", "http://proxy.example:", "http://proxy.example:0",
        "http://p:65536",   "http://p:80x",         "http://p:080",          "http://p:123456",
        "http://p:80/path", "http://p:80?x",        "http://[::1]"};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        expect_no_proxy(ports[i], "the proxy's port is missing or no number from 1 to 65535");
    const char *const hosts[] = {"http://:80",   "http://a b:80",      "http://a/b:80", "http://[::1:80",
                                 "http://[]:80", "http://[x]:80",      "http://::1:80", "http://-p:80",
                                 "http://.p:80", "http://p\xc3\xa4:80"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        expect_no_proxy(hosts[i], "the proxy's host is no name and no address");
    expect_no_proxy("http://me:geheim@proxy.example:3128", "a user or password in the proxy's URL is not allowed");
    struct rely_err err = {.code = RELY_ERR_NONE};
    char out[RELY_PROXY_SIZE];
    assert_false(rely_proxy_parse(RELY_LIT("http://me:geheim@p:1"), out, &err));
    assert_null(strstr(err.message, "geheim"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_what_a_range_holds),
        cmocka_unit_test(test_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Listening addresses: what is read, what is local, and the exact reason of each refusal. Beside the tests of config,
 * which is the folder that complains with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relyd/address.h"

static struct rely_address parse_good(const char *text)
{
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    memset(&address, 0xff, sizeof(address));
    bool is_good = rely_address_parse(rely_slice_of(text), &address, &err);
    if (!is_good)
        print_error("%s: %s\n", text, err.message);
    assert_true(is_good);
    assert_int_equal(err.code, RELY_ERR_NONE);
    return address;
}

static void expect_refusal(struct rely_slice text, const char *why)
{
    struct rely_address address = {.port = 77};
    struct rely_err err = {.code = RELY_ERR_NONE};
    assert_false(rely_address_parse(text, &address, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    assert_int_equal(address.port, 77);
    if (strncmp(err.message, why, strlen(why)) != 0)
        print_error("found: %s\nexpected: %s\n", err.message, why);
    assert_int_equal(strncmp(err.message, why, strlen(why)), 0);
}

static void expect_tcp(const char *text, const char *host, int port, bool is_ipv6, bool is_local)
{
    struct rely_address address = parse_good(text);
    assert_false(address.is_unix);
    assert_string_equal(address.host, host);
    assert_int_equal(address.port, port);
    assert_int_equal(address.is_ipv6, is_ipv6);
    assert_int_equal(address.is_local, is_local);
}

static void test_tcp(void **state)
{
    (void)state;
    expect_tcp("127.0.0.1:8480", "127.0.0.1", 8480, false, true);
    expect_tcp("127.255.255.254:1", "127.255.255.254", 1, false, true);
    expect_tcp("localhost:65535", "127.0.0.1", 65535, false, true);
    expect_tcp("[::1]:0", "::1", 0, true, true);
    expect_tcp("0.0.0.0:80", "0.0.0.0", 80, false, false);
    expect_tcp("128.0.0.1:80", "128.0.0.1", 80, false, false);
    expect_tcp("[::]:80", "::", 80, true, false);
    expect_tcp("[2001:db8::1]:80", "2001:db8::1", 80, true, false);
    /* Fault D: mapped is the IPv4 address; other addresses with one inside are what they are. */
    expect_tcp("[::ffff:127.0.0.1]:80", "127.0.0.1", 80, false, true);
    expect_tcp("[::ffff:7f02:3]:80", "127.2.0.3", 80, false, true);
    expect_tcp("[::FFFF:10.0.0.1]:80", "10.0.0.1", 80, false, false);
    expect_tcp("[::ffff:0.0.0.0]:80", "0.0.0.0", 80, false, false);
    expect_tcp("[::127.0.0.1]:80", "::127.0.0.1", 80, true, false);
    expect_tcp("[::ffff:0:127.0.0.1]:80", "::ffff:0:127.0.0.1", 80, true, false);
    expect_tcp("[64:ff9b::127.0.0.1]:80", "64:ff9b::127.0.0.1", 80, true, false);
    expect_tcp("[2002:7f00:1::]:80", "2002:7f00:1::", 80, true, false);
    expect_tcp("[0:0:0:0:0:0:0:1]:80", "0:0:0:0:0:0:0:1", 80, true, true);
}

static void test_unix(void **state)
{
    (void)state;
    struct rely_address address = parse_good("unix:/run/relyd/a:b.sock");
    assert_true(address.is_unix);
    assert_true(address.is_local);
    assert_string_equal(address.path, "/run/relyd/a:b.sock");
    char text[200] = "unix:/";
    memset(text + 6, 'x', 106);
    assert_int_equal(strlen(parse_good(text).path), 107);
    text[112] = 'x';
    expect_refusal(rely_slice_of(text), "the path of a unix socket has 108 bytes, and the kernel allows at most 107");
    expect_refusal(RELY_LIT("unix:"), "the path of a unix socket must be absolute");
    expect_refusal(RELY_LIT("unix:relyd.sock"), "the path of a unix socket must be absolute");
    expect_refusal(RELY_LIT("unix:@abstract"), "the path of a unix socket must be absolute");
    expect_refusal(RELY_LIT("unix:/a\0b"), "the path of a unix socket has a NUL byte");
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal(rely_slice(NULL, 0), "not an address with a port");
    expect_refusal(RELY_LIT("127.0.0.1"), "not an address with a port");
    const char *const ports[] = {"127.0.0.1:",      "127.0.0.1:65536", "127.0.0.1:-1",  "127.0.0.1:+1",
                                 "127.0.0.1:08480", "127.0.0.1:8 ",    "127.0.0.1:0x1", "[::1]",
                                 "127.0.0.1:http",  "127.0.0.1:000001"};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        expect_refusal(rely_slice_of(ports[i]), "the port is not a number from 0 to 65535");
    const char *const hosts[] = {
        ":8480",      "*:8480",        "::1:8480",        "127.1:8480",         "0x7f.0.0.1:80",
        "[::1:8480",  "[]:80",         "[127.0.0.1]:80",  "LOCALHOST:80",       "[fe80::1%eth0]:80",
        "example:80", "127.0.0.01:80", " 127.0.0.1:8480", "http://127.0.0.1:80"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        expect_refusal(rely_slice_of(hosts[i]), "the host is not an IP address");
    expect_refusal(RELY_LIT("127.0.0.1\0:80"), "the host is not an IP address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

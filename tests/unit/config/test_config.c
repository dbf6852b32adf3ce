/*
 * The configuration: what is read, every complaint with its exact position and text, and the documents that come out of
 * the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "relyd/config.h"

/* Parses text and compares the complaints to the byte; "" means that it must be accepted. */
static void expect_complaints(const char *text, const char *expected)
{
    struct rely_config config;
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    bool is_good = rely_config_parse(&config, "r.yaml", rely_slice_of(text), &complaints);
    const char *found = complaints.ptr == NULL ? "" : complaints.ptr;
    if (strcmp(found, expected) != 0)
        print_error("--- of\n%s\n--- found\n%s\n--- expected\n%s\n", text, found, expected);
    assert_string_equal(found, expected);
    assert_int_equal(is_good, expected[0] == '\0');
    rely_buf_fini(&complaints);
    rely_config_fini(&config);
}

static void test_defaults(void **state)
{
    (void)state;
    struct rely_config config;
    rely_config_init(&config);
    assert_int_equal(config.listen.count, 1);
    assert_string_equal(config.listen.items[0], "127.0.0.1:8480");
    assert_false(config.may_be_unauthenticated);
    assert_string_equal(config.admin_socket, "/run/relyd/admin.sock");
    assert_string_equal(config.admin_listen, "");
    assert_int_equal(config.token_max_bytes, 16384); /* fault C10 */
    assert_int_equal(config.log_level, 1);
    assert_int_equal(config.log_decisions, 1);
    assert_true(config.has_error_on_refusal);
    rely_config_fini(&config);
}

static void test_empty_files_are_all_defaults(void **state)
{
    (void)state;
    expect_complaints("", "");
    expect_complaints("\n\n", "");
    expect_complaints("# only a comment\n", "");
    expect_complaints("---\n", "");
    expect_complaints("{}\n", "");
}

static void test_values_are_read(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    assert_true(rely_config_parse(&config, "r.yaml",
                                  RELY_LIT("listen: [\"unix:/run/relyd/relyd.sock\", '[::1]:8480', localhost:1]\n"
                                           "workers: 3\n"
                                           "admin:\n  socket: \"\"\n  listen: 127.0.0.1:8481\n"
                                           "issuers: {allow_http: true}\n"
                                           "log:\n  level: debug\n  decisions: \"all\"\n"
                                           "tokenreview:\n  error_on_refusal: false\n"),
                                  &complaints));
    assert_int_equal(complaints.len, 0);
    assert_int_equal(config.listen.count, 3);
    assert_string_equal(config.listen.items[0], "unix:/run/relyd/relyd.sock");
    assert_string_equal(config.listen.items[1], "[::1]:8480");
    assert_int_equal(config.workers, 3);
    assert_string_equal(config.admin_socket, "");
    assert_string_equal(config.admin_listen, "127.0.0.1:8481");
    assert_true(config.may_use_http);
    assert_int_equal(config.log_level, 0);
    assert_int_equal(config.log_decisions, 2);
    assert_false(config.has_error_on_refusal);
    rely_config_fini(&config);
}

static void test_numbers_are_strict(void **state)
{
    (void)state;
    expect_complaints("keys:\n  miss_wait_ms: 10s\n",
                      "r.yaml:2:17: keys.miss_wait_ms: expected a number of ms from 0 to 10000, found \"10s\"\n");
    expect_complaints("keys:\n  miss_wait_ms: 10001\n",
                      "r.yaml:2:17: keys.miss_wait_ms: expected a number of ms from 0 to 10000, found \"10001\"\n");
    expect_complaints("keys:\n  miss_wait_ms: 10000\n", "");
    expect_complaints("keys:\n  miss_wait_ms: 0\n", "");
    const char *const wrong[] = {"010", "0x10", "1_0", "+5", "-1", "1e2", "5.0", "99999999999999999999", "yes"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[64];
        char expected[160];
        snprintf(text, sizeof(text), "workers: %s\n", wrong[i]);
        snprintf(expected, sizeof(expected),
                 "r.yaml:1:10: workers: expected a number of threads from 0 to 256, found \"%s\"\n", wrong[i]);
        expect_complaints(text, expected);
    }
    expect_complaints("workers: \"5\"\n",
                      "r.yaml:1:10: workers: expected a number of threads from 0 to 256, found \"5\"\n");
    expect_complaints("workers: [5]\n",
                      "r.yaml:1:10: workers: expected a number of threads from 0 to 256, found a list\n");
    expect_complaints("workers:\n", "r.yaml:1:9: workers: expected a number of threads from 0 to 256, found nothing\n");
}

static void test_booleans_are_strict(void **state)
{
    (void)state;
    expect_complaints("allow_unauthenticated: yes\n",
                      "r.yaml:1:24: allow_unauthenticated: expected true or false, found \"yes\"\n");
    expect_complaints("allow_unauthenticated: 'true'\n",
                      "r.yaml:1:24: allow_unauthenticated: expected true or false, found \"true\"\n");
    expect_complaints("allow_unauthenticated: True\n",
                      "r.yaml:1:24: allow_unauthenticated: expected true or false, found \"True\"\n");
    expect_complaints("allow_unauthenticated: {}\n",
                      "r.yaml:1:24: allow_unauthenticated: expected true or false, found a mapping\n");
}

static void test_words_and_texts(void **state)
{
    (void)state;
    expect_complaints("log: {level: loud}\n",
                      "r.yaml:1:14: log.level: expected one of debug|info|warning|error, found \"loud\"\n");
    expect_complaints("log: {level: debug|info}\n",
                      "r.yaml:1:14: log.level: expected one of debug|info|warning|error, found \"debug|info\"\n");
    expect_complaints("registry: {path: ~}\n",
                      "r.yaml:1:18: registry.path: expected a text (\"\" for none), found \"~\"\n");
    expect_complaints("registry: {path: \"a\\0b\"}\n",
                      "r.yaml:1:18: registry.path: expected a text without control characters, found \"a\\x00b\"\n");
    expect_complaints("registry: {path: \"\"}\n",
                      "r.yaml:1:18: registry.path: expected the path of a file, found nothing\n");
    char text[256] = "admin:\n  socket: /";
    memset(text + strlen(text), 'x', 100);
    expect_complaints(text, "r.yaml:2:11: admin.socket: expected at most 100 bytes, found 101\n");
}

/* "registry: {path: /xxx}", `len` bytes of path. */
static void write_path(char text[2048], size_t len)
{
    snprintf(text, 2048, "registry: {path: /%0*d}\n", (int)len - 1, 0);
}

static void test_the_longest_texts(void **state)
{
    (void)state;
    char text[2048];
    write_path(text, 1024);
    expect_complaints(text, "");
    write_path(text, 1025);
    expect_complaints(text, "r.yaml:1:18: registry.path: expected at most 1024 bytes, found 1025\n");
    /* of a list's items none that is good is so long */
    snprintf(text, sizeof(text), "keys: {proxy: \"\"}\nfetch: {deny_ranges: [%01025d]}\n", 0);
    expect_complaints(text, "r.yaml:2:23: fetch.deny_ranges[0]: expected at most 1024 bytes, found 1025\n");
}

static void test_lists(void **state)
{
    (void)state;
    expect_complaints("listen: 127.0.0.1:1\n",
                      "r.yaml:1:9: listen: expected a list (- item, one a line), found \"127.0.0.1:1\"\n");
    expect_complaints("listen:\n  - [a]\n  - null\n",
                      "r.yaml:2:5: listen[0]: expected a text (\"\" for none), found a list\n"
                      "r.yaml:3:5: listen[1]: expected a text (\"\" for none), found \"null\"\n");
    expect_complaints("listen: []\n", "r.yaml:1:9: listen: expected at least one address, found none\n");
    expect_complaints("listen: [unix:/1, unix:/2, unix:/3, unix:/4, unix:/5, unix:/6, unix:/7, unix:/8]\n", "");
    expect_complaints("listen: [unix:/1, unix:/2, unix:/3, unix:/4, unix:/5, unix:/6, unix:/7, unix:/8, x, y]\n",
                      "r.yaml:1:82: listen: expected at most 8 items, found more\n");
}

static void test_unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    expect_complaints("worker: 2\n", "r.yaml:1:1: worker: unknown key, did you mean workers?\n");
    expect_complaints("toekn:\n  max_bytes: 4096\n", "r.yaml:1:1: toekn: unknown key, did you mean token?\n");
    expect_complaints("token:\n  max_byte: 4096\n",
                      "r.yaml:2:3: token.max_byte: unknown key, did you mean token.max_bytes?\n");
    expect_complaints("refresh_min_s: 60\n",
                      "r.yaml:1:1: refresh_min_s: unknown key, did you mean keys.refresh_min_s?\n");
    expect_complaints("token.max_bytes: 4096\n",
                      "r.yaml:1:1: token.max_bytes: unknown key, write token: and under it, indented, max_bytes:\n");
    expect_complaints("zzzzzzzzzzzzzz: 1\n", "r.yaml:1:1: zzzzzzzzzzzzzz: unknown key\n");
    expect_complaints("\"a b\": 1\n", "r.yaml:1:1: \"a b\": unknown key\n");
    expect_complaints("<<: {workers: 1}\n", "r.yaml:1:1: \"<<\": unknown key\n");
    expect_complaints("workers:\n  x: 1\n",
                      "r.yaml:2:3: workers: expected a number of threads from 0 to 256, found a mapping\n");
    expect_complaints("token: 5\n", "r.yaml:1:8: token: expected settings under it, indented, found \"5\"\n");
    expect_complaints("token:\n", "r.yaml:1:7: token: expected settings under it, indented, found nothing\n");
}

/* What 0.1 called http.request_timeout_ms is http.idle_timeout_ms. */
static void test_old_names_are_taken_and_said(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    assert_true(
        rely_config_parse(&config, "r.yaml", rely_slice_of("http:\n  request_timeout_ms: 2000\n"), &complaints));
    assert_int_equal(config.http_idle_timeout_ms, 2000);
    assert_int_equal(config.notes.count, 1);
    assert_string_equal(config.notes.items[0].sentence,
                        "http.request_timeout_ms is an old name: write http.idle_timeout_ms");
    assert_string_equal(config.notes.items[0].event, "old_setting");
    assert_int_equal(config.notes.items[0].line, 2);
    assert_int_equal(config.notes.items[0].column, 3);
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
    expect_complaints("http:\n  request_timeout_ms: 2000\n  idle_timeout_ms: 2000\n",
                      "r.yaml:3:3: http.idle_timeout_ms: set twice, before in line 2: leave one\n");
    expect_complaints("http:\n  request_timeout_ms: 5\n",
                      "r.yaml:2:23: http.idle_timeout_ms: expected a number of ms from 1000 to 3600000, found \"5\"\n"
                      "r.yaml:2:3: http.request_timeout_ms: is the old name of http.idle_timeout_ms: write that\n");
    expect_complaints("http:\n  idle_timeout_ms: 2000\n  request_timeout_ms: 2000\n",
                      "r.yaml:3:3: http.idle_timeout_ms: set twice, before in line 2: leave one\n"
                      "r.yaml:3:3: http.request_timeout_ms: is the old name of http.idle_timeout_ms: write that\n");
}

static void expect_note(const char *text, const char *event, size_t line, const char *sentence)
{
    struct rely_config config;
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    assert_true(rely_config_parse(&config, "r.yaml", rely_slice_of(text), &complaints));
    assert_int_equal(config.notes.count, sentence == NULL ? 0 : 1);
    if (sentence != NULL) {
        assert_string_equal(config.notes.items[0].event, event);
        assert_int_equal(config.notes.items[0].line, line);
        assert_string_equal(config.notes.items[0].sentence, sentence);
    }
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
}

/* What is taken and probably not meant. */
static void test_doubts(void **state)
{
    (void)state;
    expect_note("", NULL, 0, NULL);
    expect_note("token:\n  max_bytes: 61440\n", NULL, 0, NULL);
    expect_note(
        "token:\n  max_bytes: 65536\n", "setting_doubted", 2,
        "token.max_bytes is 65536 and http.head_max_bytes, which a check's token has to fit into with all other "
        "headers, 65536: longer tokens are refused there all the same; raise http.head_max_bytes to 69632 at "
        "least, or lower token.max_bytes");
    expect_note("token:\n  max_bytes: 65536\nhttp:\n  head_max_bytes: 69632\n", NULL, 0, NULL);
    expect_note(
        "http:\n  head_max_bytes: 16384\n", "setting_doubted", 2,
        "token.max_bytes is 16384 and http.head_max_bytes, which a check's token has to fit into with all other "
        "headers, 16384: longer tokens are refused there all the same; raise http.head_max_bytes to 20480 at "
        "least, or lower token.max_bytes");
    expect_note("admin:\n  socket: \"\"\n", "no_control_plane", 2,
                "neither admin.socket nor admin.listen is set, and none of listeners serves control: nobody can "
                "register an issuer or change anything until one is");
    expect_note("admin:\n  socket: \"\"\n  listen: 127.0.0.1:8481\n", "control_plane_open", 3,
                "admin.listen is set: every local user is an administrator at 127.0.0.1:8481");
}

static void test_duplicates(void **state)
{
    (void)state;
    expect_complaints("workers: 1\nworkers: 2\n", "r.yaml:2:1: workers: set twice, before in line 1: leave one\n");
    expect_complaints("log:\n  level: info\nworkers: 1\nlog:\n  decisions: all\n",
                      "r.yaml:4:1: log: set twice, before in line 1: join the two\n");
    expect_complaints("log:\n  level: info\n  level: info\n",
                      "r.yaml:3:3: log.level: set twice, before in line 2: leave one\n");
}

static void test_yaml_that_hides_things(void **state)
{
    (void)state;
    expect_complaints("workers: &a 1\n", "r.yaml:1:10: anchors (&name) are not allowed: write the value out\n");
    expect_complaints("listen: &a [x]\n", "r.yaml:1:9: anchors (&name) are not allowed: write the value out\n");
    expect_complaints("log: &a {level: info}\n", "r.yaml:1:6: anchors (&name) are not allowed: write the value out\n");
    expect_complaints("workers: *a\n", "r.yaml:1:10: aliases (*name) are not allowed: write the value out\n");
    expect_complaints("workers: !!int 1\n", "r.yaml:1:10: tags (!name) are not allowed: write the plain value\n");
    expect_complaints("!!map {workers: 1}\n", "r.yaml:1:1: tags (!name) are not allowed: write the plain value\n");
    expect_complaints("workers: 1\n---\nworkers: 2\n", "r.yaml:2:1: a second document begins here: one is allowed\n");
    expect_complaints("[[[[[[[[[1]]]]]]]]]\n", "r.yaml:1:9: nested deeper than 8 levels\n");
    expect_complaints("? [a]\n: 1\n", "r.yaml:1:3: a key must be a word, found a list or a mapping\n");
    expect_complaints("- a\n", "r.yaml:1:1: expected settings (key: value), found a list\n");
    expect_complaints("hello\n", "r.yaml:1:1: expected settings (key: value), found \"hello\"\n");
}

static void test_syntax(void **state)
{
    (void)state;
    expect_complaints("workers: 1\n\tx: 2\n",
                      "r.yaml:2:1: not YAML: found a tab character that violates indentation, while scanning a plain "
                      "scalar: a tab is here; indent by spaces\n");
    expect_complaints("token:\n\tmax_bytes: 2048\n",
                      "r.yaml:2:1: not YAML: found character that cannot start any token, while scanning for the next "
                      "token: a tab is here; indent by spaces\n");
    expect_complaints("workers: 1\nlog: {level: info\n",
                      "r.yaml:3:1: not YAML: did not find expected ',' or '}', while parsing a flow mapping\n");
    expect_complaints("workers: 1\nx: \xff\n", "r.yaml:2:4: not YAML: invalid leading UTF-8 octet\n");
}

static void test_every_complaint_is_shown(void **state)
{
    (void)state;
    expect_complaints("wrokers: 2\ntoken:\n  max_bytes: 1\nlog:\n  level: x\n",
                      "r.yaml:1:1: wrokers: unknown key, did you mean workers?\n"
                      "r.yaml:3:14: token.max_bytes: expected a number of bytes from 1024 to 65536, found \"1\"\n"
                      "r.yaml:5:10: log.level: expected one of debug|info|warning|error, found \"x\"\n");
}

static void test_complaints_are_bounded(void **state)
{
    (void)state;
    struct rely_buf text = {0};
    struct rely_buf complaints = {0};
    struct rely_config config;
    for (int i = 0; i < 5000; i++)
        rely_buf_printf(&text, "qqqqqqq%d: 1\n", i);
    rely_config_init(&config);
    assert_false(rely_config_parse(&config, "r.yaml", rely_buf_slice(&text), &complaints));
    assert_non_null(strstr(complaints.ptr, "r.yaml:100:1: qqqqqqq99: unknown key\nr.yaml: there are more"));
    assert_null(strstr(complaints.ptr, "r.yaml:101:1"));
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
    rely_buf_fini(&text);
}

static void test_passed_sockets_and_routes(void **state)
{
    static const char *const wrong[] = {"fd:", "fd:a:b", "fd:a/b", "fd:a b"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[100], complaint[200];
        snprintf(text, sizeof text, "listeners: [{address: \"%s\"}]\n", wrong[i]);
        snprintf(complaint, sizeof complaint,
                 "r.yaml:1:23: listeners[0].address: expected fd: and the FileDescriptorName of a socket unit, found "
                 "%s\n",
                 wrong[i]);
        expect_complaints(text, complaint);
    }
    expect_complaints("listeners: [{address: \"fd:data\", callers: anyone}]\n", "");
    expect_complaints("listeners: [{address: \"unix:/a\", route: orders}]\n", "");
    expect_complaints("listeners: [{address: \"127.0.0.1:1\", route: _x}]\n",
                      "r.yaml:1:45: listeners[0].route: expected a name of 3-120 of A-Z a-z 0-9 _ - that begins with a "
                      "letter or digit\n");
    expect_complaints("listeners: [{address: \"unix:/a\", serves: control, route: orders}]\n",
                      "r.yaml:1:58: listeners[0].route: expected none: only the data plane has routes\n");
}

static void test_listeners(void **state)
{
    (void)state;
    expect_complaints("listen: [\"0.0.0.0:8480\"]\n",
                      "r.yaml:1:10: listen[0]: 0.0.0.0:8480 is reachable from other machines, and relyd neither "
                      "encrypts nor asks who it is there: write it as an item of listeners with tls and callers: "
                      "reviewers, listen on loopback or unix:/path, or set allow_unauthenticated: true\n");
    expect_complaints("allow_unauthenticated: true\nlisten: [\"0.0.0.0:8480\", \"[::]:8480\"]\n", "");
    expect_complaints("listen:\n  - 127.0.0.1:1\n  - example.com:80\n",
                      "r.yaml:3:5: listen[1]: the host is not an IP address: expected 127.0.0.1:8480, [::1]:8480, "
                      "localhost:8480 or unix:/path, found \"example.com:80\"\n");
    expect_complaints("listen:\n  - unix:/a\n  - unix:/a\n",
                      "r.yaml:3:5: listen[1]: unix:/a stands here twice: leave one\n");
}

#define LISTENERS(items) "listeners:\n" items

static void test_a_list_of_listeners(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_listener_list all;
    struct rely_buf complaints = {0};
    static const char text[] = "health: {listen: [10.0.0.1:1]}\n" LISTENERS(
        "  - {address: 127.0.0.1:1}\n  - address: unix:/a\n    serves: control\n    socket_mode: \"0600\"\n"
        "    socket_group: adm\n  - {address: 0.0.0.0:2, serves: health}\n");
    rely_config_init(&config);
    assert_true(rely_config_parse(&config, "r.yaml", RELY_LIT(text), &complaints));
    assert_int_equal(config.listen.count, 0); /* the default is one where nothing serves data */
    rely_config_list_listeners(&config, &all);
    static const struct {
        const char *address;
        enum rely_serves serves;
    } expected[] = {{"unix:/run/relyd/admin.sock", RELY_SERVES_CONTROL},
                    {"10.0.0.1:1", RELY_SERVES_HEALTH},
                    {"127.0.0.1:1", RELY_SERVES_DATA},
                    {"unix:/a", RELY_SERVES_CONTROL},
                    {"0.0.0.0:2", RELY_SERVES_HEALTH}};
    assert_int_equal(all.count, 5);
    for (size_t i = 0; i < all.count; i++) {
        assert_string_equal(all.items[i].address, expected[i].address);
        assert_int_equal(all.items[i].serves, expected[i].serves);
        assert_string_equal(all.items[i].socket_mode, i == 3 ? "0600" : "0660");
        assert_string_equal(all.items[i].socket_group, i == 3 ? "adm" : "");
    }
    assert_int_equal(rely_listeners_count(&all, RELY_SERVES_DATA), 1);
    assert_int_equal(rely_listeners_count(&all, RELY_SERVES_CONTROL), 2);
    rely_listeners_fini(&all);
    struct rely_buf printed = {0}, printed_again = {0};
    rely_config_print(&config, &printed);
    rely_config_fini(&config);
    rely_config_init(&config);
    if (!rely_config_parse(&config, "printed.yaml", rely_buf_slice(&printed), &complaints))
        fail_msg("%s", complaints.ptr);
    rely_config_print(&config, &printed_again);
    assert_string_equal(printed_again.ptr, printed.ptr);
    assert_null(strstr(printed.ptr, " \n"));
    rely_buf_fini(&printed);
    rely_buf_fini(&printed_again);
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
    expect_complaints("listen: []\n", "r.yaml:1:9: listen: expected at least one address, found none\n");
    expect_complaints("listen: []\n" LISTENERS("  - {address: unix:/a}\n"), "");
    expect_complaints("admin: {socket: \"\"}\n" LISTENERS("  - {address: unix:/a, serves: control}\n"), "");
}

static void test_wrong_listeners(void **state)
{
    (void)state;
    expect_complaints(LISTENERS("  - 127.0.0.1:1\n"),
                      "r.yaml:2:5: listeners[0]: expected settings (address: ...), found \"127.0.0.1:1\"\n");
    expect_complaints("listeners: 127.0.0.1:1\n", "r.yaml:1:12: listeners: expected a list (- address: ..., one a "
                                                  "listener), found \"127.0.0.1:1\"\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1}\n  - {serves: data}\n"),
                      "r.yaml:3:5: listeners[1].address: is needed: host:port, [v6]:port, unix:/path or fd:NAME\n");
    expect_complaints(LISTENERS("  - {address: x}\n"),
                      "r.yaml:2:15: listeners[0].address: not an address with a port: expected 127.0.0.1:8480, "
                      "[::1]:8480, localhost:8480 or unix:/path, found \"x\"\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serve: data}\n"),
                      "r.yaml:2:28: listeners[0].serve: unknown key, did you mean serves?\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serves: all}\n"),
                      "r.yaml:2:36: listeners[0].serves: expected one of data|control|health, found \"all\"\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, address: 127.0.0.1:2}\n"),
                      "r.yaml:2:28: listeners[0].address: set twice, before in line 2: leave one\n");
    expect_complaints(
        LISTENERS("  - {address: 0.0.0.0:1}\n"),
        "r.yaml:2:15: listeners[0].address: 0.0.0.0:1 is reachable from other machines, and nothing is encrypted "
        "there: set tls, or allow_unauthenticated: true\n");
    expect_complaints(
        LISTENERS("  - {address: 0.0.0.0:1, callers: anyone}\n"),
        "r.yaml:2:15: listeners[0].address: 0.0.0.0:1 is reachable from other machines, and relyd neither "
        "encrypts nor asks who it is there: set tls and callers: reviewers, or allow_unauthenticated: "
        "true\n");
    expect_complaints("allow_unauthenticated: true\n" LISTENERS("  - {address: 0.0.0.0:1}\n"), "");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serves: control}\n"), "");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serves: control, callers: anyone}\n"), "");
    expect_complaints(LISTENERS("  - {address: 0.0.0.0:1, serves: control, tls: {certificate: /c, key: /k}}\n"), "");
    expect_complaints(
        LISTENERS("  - {address: 0.0.0.0:1, serves: control, callers: anyone, tls: {certificate: /c, key: /k}}\n"),
        "r.yaml:2:52: listeners[0].callers: anyone may administer only at a loopback address, where every local user "
        "can: expected administrators\n");
    expect_complaints(
        LISTENERS("  - {address: unix:/a, serves: control, callers: anyone}\n"),
        "r.yaml:2:50: listeners[0].callers: anyone may administer only at a loopback address, where every local user "
        "can: expected administrators\n");
    expect_complaints("allow_unauthenticated: true\n" LISTENERS("  - {address: 0.0.0.0:1, serves: control}\n"),
                      "r.yaml:3:15: listeners[0].address: 0.0.0.0:1 is reachable from other machines: a control plane "
                      "there needs tls\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, callers: administrators}\n"),
                      "r.yaml:2:37: listeners[0].callers: expected anyone or reviewers, of the data plane\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serves: control, callers: reviewers}\n"),
                      "r.yaml:2:54: listeners[0].callers: expected administrators or anyone, of the control plane\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, serves: health, callers: reviewers}\n"),
                      "r.yaml:2:53: listeners[0].callers: expected anyone: nothing there names a subject or a token\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, socket_mode: \"0600\"}\n"),
                      "r.yaml:2:41: listeners[0].socket_mode: is of unix sockets, and 127.0.0.1:1 is none: leave it "
                      "out\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, tls: {certificate: /c}}\n"),
                      "r.yaml:2:47: listeners[0].tls: a certificate and its key are both needed: tls.key is not set\n");
    expect_complaints(
        LISTENERS("  - {address: 127.0.0.1:1, tls: {key: /k, min_version: \"1.3\"}}\n"),
        "r.yaml:2:39: listeners[0].tls: a certificate and its key are both needed: tls.certificate is not set\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, tls: {certificate: /c, key: /k}}\n"), "");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, tls: {certificat: /c}}\n"),
                      "r.yaml:2:34: listeners[0].tls.certificat: unknown key, did you mean tls.certificate?\n");
    expect_complaints(LISTENERS("  - {address: 0.0.0.0:1, tls: {certificate: /c, key: /k}}\n"), "");
    expect_complaints(
        LISTENERS("  - {address: 0.0.0.0:1, callers: anyone, tls: {certificate: /c, key: /k}}\n"),
        "r.yaml:2:15: listeners[0].address: 0.0.0.0:1 is reachable from other machines, and nobody is asked "
        "who he is there: set callers: reviewers, or allow_unauthenticated: true\n");
    expect_complaints(
        LISTENERS("  - {address: 127.0.0.1:1, tls: {client_ca: /a}}\n"),
        "r.yaml:2:45: listeners[0].tls.client_ca: needs tls.certificate: in clear text nobody shows one\n");
    expect_complaints(
        LISTENERS("  - {address: 127.0.0.1:1, tls: {certificate: /c, key: /k, client_certificates: required}}\n"),
        "r.yaml:2:81: listeners[0].tls.client_certificates: needs tls.client_ca, the authorities whose certificates "
        "are "
        "taken\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, tls: {certificate: /c, key: /k, client_ca: /a, "
                                "client_certificates: none}}\n"),
                      "r.yaml:2:96: listeners[0].tls.client_certificates: is none, and tls.client_ca is set: leave one "
                      "of them out\n");
    expect_complaints(LISTENERS("  - {address: 127.0.0.1:1, tls: {certificate: /c, key: /k, client_ca: /a}}\n"), "");
    static const char *const modes[] = {"\"600\"", "\"0400\"", "\"0698\"", "\"1660\"", "\"\"", "rwxr"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char text[100], complaint[300], found[8] = "";
        sscanf(modes[i], "%*[\"]%7[^\"]", found);
        snprintf(text, sizeof text, "listeners:\n  - {address: unix:/a, socket_mode: %s}\n", modes[i]);
        snprintf(complaint, sizeof complaint,
                 "r.yaml:2:37: listeners[0].socket_mode: expected four octal digits in quotes that let relyd itself "
                 "read and write, such as \"0660\", found %s\n",
                 modes[i][0] == '"' ? found : modes[i]);
        expect_complaints(text, complaint);
    }
    static const char *const taken[] = {"listen: [unix:/a]\n", "health: {listen: [unix:/a]}\n",
                                        "admin: {socket: /a}\n"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "%slisteners: [{address: unix:/b}, {address: unix:/a}]\n", taken[i]);
        expect_complaints(text,
                          "r.yaml:2:43: listeners[1].address: unix:/a is another listener's already: leave one, or "
                          "choose another\n");
    }
    expect_complaints("listeners: [{address: unix:/a}, {address: unix:/a}]\n",
                      "r.yaml:1:43: listeners[1].address: unix:/a is another listener's already: leave one, or choose "
                      "another\n");
    struct rely_buf many = {0};
    rely_buf_put(&many, RELY_LIT("listeners:\n"));
    for (int i = 0; i < 17; i++)
        rely_buf_printf(&many, "  - {address: 127.0.0.1:%d}\n", i + 1);
    expect_complaints(many.ptr, "r.yaml:18:5: listeners: expected at most 16 items, found more\n");
    rely_buf_fini(&many);
}

static void test_health_may_stand_open(void **state)
{
    (void)state;
    expect_complaints("health:\n  listen: [\"0.0.0.0:8482\", \"[::]:8482\", unix:/h, 10.0.0.1:1]\n", "");
    expect_complaints("health: {listen: [a:1, b:1, c:1, d:1, e:1]}\n",
                      "r.yaml:1:39: health.listen: expected at most 4 items, found more\n");
    expect_complaints("health: {listen: [example.com:80]}\n",
                      "r.yaml:1:19: health.listen[0]: the host is not an IP address: expected 127.0.0.1:8480, "
                      "[::1]:8480, localhost:8480 or unix:/path, found \"example.com:80\"\n");
    expect_complaints("health: {listen: [127.0.0.1:1, 127.0.0.1:1]}\n",
                      "r.yaml:1:32: health.listen[1]: 127.0.0.1:1 stands here twice: leave one\n");
    expect_complaints("health: {listen: [127.0.0.1:8480]}\n",
                      "r.yaml:1:19: health.listen[0]: 127.0.0.1:8480 is the data plane's listen[0]: choose another\n");
    expect_complaints("admin: {listen: 127.0.0.1:1}\nhealth: {listen: [127.0.0.1:1]}\n",
                      "r.yaml:2:19: health.listen[0]: 127.0.0.1:1 is the control plane's, which has these paths "
                      "already\n");
    expect_complaints("health: {listen: [unix:/run/relyd/admin.sock]}\n",
                      "r.yaml:1:19: health.listen[0]: unix:/run/relyd/admin.sock is the control plane's, which has "
                      "these paths already\n");
}

static void test_admin_is_local(void **state)
{
    (void)state;
    expect_complaints("admin: {listen: 10.0.0.1:8481}\nallow_unauthenticated: true\n",
                      "r.yaml:1:17: admin.listen: expected a loopback address, found 10.0.0.1:8481: there is no "
                      "authentication on it, and other machines could administer relyd\n");
    expect_complaints("admin: {listen: unix:/a}\n",
                      "r.yaml:1:17: admin.listen: expected a TCP address, found unix:/a: use admin.socket\n");
    expect_complaints("admin: {listen: x}\n",
                      "r.yaml:1:17: admin.listen: not an address with a port: expected 127.0.0.1:8480, [::1]:8480, "
                      "localhost:8480 or unix:/path, found \"x\"\n");
    expect_complaints("admin: {listen: 127.0.0.1:8480}\n",
                      "r.yaml:1:17: admin.listen: 127.0.0.1:8480 is the data plane's listen[0]: choose another\n");
    expect_complaints("admin: {socket: unix:/a}\n",
                      "r.yaml:1:17: admin.socket: expected an absolute path (without unix:), found unix:/a\n");
}

#define DIGEST "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static void test_callers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rely_callers expected;
    } cases[] = {
        {"127.0.0.1:1", RELY_CALLERS_ANYONE},
        {"\"[::1]:1\"", RELY_CALLERS_ANYONE},
        {"unix:/a", RELY_CALLERS_ANYONE},
        {"0.0.0.0:1", RELY_CALLERS_REVIEWERS},
        {"127.0.0.1:1, callers: reviewers", RELY_CALLERS_REVIEWERS},
        {"0.0.0.0:1, callers: anyone", RELY_CALLERS_ANYONE},
        {"127.0.0.1:1, serves: control", RELY_CALLERS_ADMINISTRATORS},
        {"unix:/a, serves: control", RELY_CALLERS_ADMINISTRATORS},
        {"0.0.0.0:1, serves: health", RELY_CALLERS_ANYONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_config config;
        struct rely_buf complaints = {0};
        char text[200];
        snprintf(text, sizeof text, "allow_unauthenticated: true\nlisteners: [{address: %s}]\n", cases[i].text);
        rely_config_init(&config);
        if (!rely_config_parse(&config, "r.yaml", rely_slice_of(text), &complaints))
            fail_msg("%s", complaints.ptr);
        assert_int_equal(config.listeners.items[0].callers, cases[i].expected);
        rely_config_fini(&config);
        rely_buf_fini(&complaints);
    }
}

/* The short forms ask as they did in 0.1. */
static void test_callers_of_short_forms(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_buf complaints = {0};
    struct rely_listener_list all;
    rely_config_init(&config);
    assert_true(rely_config_parse(&config, "r.yaml",
                                  rely_slice_of("allow_unauthenticated: true\nlisten: [0.0.0.0:1]\n"
                                                "admin: {socket: /a, socket_group: ops, listen: 127.0.0.1:2}\n"
                                                "health: {listen: [127.0.0.1:3]}\n"),
                                  &complaints));
    rely_config_list_listeners(&config, &all);
    assert_int_equal(all.items[0].callers, RELY_CALLERS_ANYONE);
    assert_int_equal(all.items[1].callers, RELY_CALLERS_ADMINISTRATORS);
    assert_string_equal(all.items[1].socket_group, "ops");
    assert_int_equal(all.items[2].callers, RELY_CALLERS_ANYONE);
    assert_int_equal(all.items[3].callers, RELY_CALLERS_ANYONE);
    rely_listeners_fini(&all);
    rely_config_fini(&config);
}

static void test_who_asks(void **state)
{
    (void)state;
    uint8_t digest[RELY_BOOTSTRAP_DIGEST_BYTES];
    expect_complaints("auth: {audience: \"\"}\n",
                      "r.yaml:1:18: auth.audience: expected an audience, found nothing: any "
                      "token would do\n");
    expect_complaints("auth:\n  bootstrap_tokens:\n    - " DIGEST "\n    - " DIGEST "0\n",
                      "r.yaml:4:7: auth.bootstrap_tokens[1]: expected 64 hexadecimal digits, as relyd --bootstrap "
                      "prints them beside the token\n");
    expect_complaints("auth: {bootstrap_tokens: [\"" DIGEST "\"]}\n", "");
    expect_note("auth: {bootstrap_tokens: [\"" DIGEST "\"]}\n", "bootstrap_token_set", 1,
                "auth.bootstrap_tokens is set: whoever has such a token is an administrator; take it out as soon as "
                "there is another one");
    expect_note("admin: {listen: 127.0.0.1:2}\n", "control_plane_open", 1,
                "admin.listen is set: every local user is an administrator at 127.0.0.1:2");
    expect_note("listeners:\n  - {address: \"127.0.0.1:2\", serves: control,\n     callers: anyone}\n",
                "control_plane_open", 3,
                "listeners[0].callers is anyone: every local user is an administrator at 127.0.0.1:2");
    expect_note("listeners: [{address: \"127.0.0.1:2\", serves: control}]\n", NULL, 0, NULL);
    expect_note("listeners: [{address: \"127.0.0.1:2\"}]\n", NULL, 0, NULL);
    assert_true(rely_config_read_digest(DIGEST, digest));
    assert_int_equal(digest[0], 0x01);
    assert_int_equal(digest[13], 0xab);
    assert_int_equal(digest[31], 0xef);
    assert_false(rely_config_read_digest("g123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef", digest));
}

/* One place has many spellings. */
static void test_an_address_is_the_same_however_it_is_written(void **state)
{
    (void)state;
    expect_complaints("listen: [127.0.0.1:1, \"[::ffff:127.0.0.1]:1\", localhost:1]\n",
                      "r.yaml:1:23: listen[1]: [::ffff:127.0.0.1]:1 stands here twice: leave one\n"
                      "r.yaml:1:47: listen[2]: localhost:1 stands here twice: leave one\n"
                      "r.yaml:1:47: listen[2]: localhost:1 stands here twice: leave one\n");
    expect_complaints("listen: [\"[::1]:1\"]\nadmin: {listen: \"[0:0::1]:1\"}\n",
                      "r.yaml:2:17: admin.listen: [0:0::1]:1 is the data plane's listen[0]: choose another\n");
    expect_complaints("listen: [127.0.0.1:0, 127.0.0.1:0]\n", "");
}

static void test_refresh_order(void **state)
{
    (void)state;
    expect_complaints("keys:\n  refresh_min_s: 600\n  refresh_max_s: 300\n",
                      "r.yaml:2:18: keys.refresh_min_s: expected at most keys.refresh_max_s, which is 300, found "
                      "600\n");
    expect_complaints("keys:\n  refresh_min_s: 3601\n",
                      "r.yaml:2:18: keys.refresh_min_s: expected at most keys.refresh_max_s, which is 3600, found "
                      "3601\n");
    expect_complaints("keys:\n  refresh_min_s: 3600\n", "");
    expect_complaints("keys:\n  refresh_min_s: 1801\n  max_age_s: 3600\n",
                      "r.yaml:2:18: keys.refresh_min_s: expected at most half of keys.max_age_s, which is 3600, found "
                      "1801\n");
    expect_complaints("keys:\n  refresh_min_s: 1800\n  max_age_s: 3600\n", "");
}

/* faults C7, C13 */
static void test_fetching(void **state)
{
    (void)state;
    expect_complaints("fetch:\n  deny_ranges: [10.1.0.0/16, \"2001:db8::/32\"]\n  allow_ranges: [192.168.7.0/24]\n"
                      "keys:\n  proxy: http://proxy.example:3128\n",
                      "");
    expect_complaints(
        "fetch:\n  deny_ranges: [10.1.0.0/16, 10.1.0.1/16]\n",
        "r.yaml:2:30: fetch.deny_ranges[1]: the address has bits behind the prefix: expected a range like "
        "10.0.0.0/8 or 2001:db8::/32, found \"10.1.0.1/16\"\n");
    expect_complaints("fetch:\n  allow_ranges:\n    - internal\n",
                      "r.yaml:3:7: fetch.allow_ranges[0]: not an address: expected a range like 10.0.0.0/8 or "
                      "2001:db8::/32, found \"internal\"\n");
    expect_complaints("keys:\n  proxy: https://proxy.example:3128\n",
                      "r.yaml:2:10: keys.proxy: only an http proxy can be used: expected http://HOST:PORT, found "
                      "\"https://proxy.example:3128\"\n");
    struct rely_buf text = {0};
    rely_buf_put(&text, RELY_LIT("fetch:\n  deny_ranges:\n"));
    for (int i = 0; i < 64; i++)
        rely_buf_printf(&text, "    - 10.%d.0.0/16\n", i);
    expect_complaints(text.ptr, "");
    rely_buf_put(&text, RELY_LIT("    - 11.0.0.0/16\n"));
    expect_complaints(text.ptr, "r.yaml:67:7: fetch.deny_ranges: expected at most 64 items, found more\n");
    rely_buf_fini(&text);
}

static void test_size_limit(void **state)
{
    (void)state;
    size_t len = ((size_t)1 << 20) + 1;
    char *text = malloc(len);
    memset(text, '\n', len);
    struct rely_buf complaints = {0};
    struct rely_config config;
    rely_config_init(&config);
    assert_false(rely_config_parse(&config, "r.yaml", rely_slice(text, len), &complaints));
    assert_string_equal(complaints.ptr, "r.yaml: expected at most 1048576 bytes, found more\n");
    rely_buf_fini(&complaints);
    assert_true(rely_config_parse(&config, "r.yaml", rely_slice(text, len - 1), &complaints));
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
    free(text);
}

static void test_files(void **state)
{
    (void)state;
    struct rely_buf complaints = {0};
    struct rely_config config;
    rely_config_init(&config);
    assert_false(rely_config_load(&config, "/nonexistent/r.yaml", &complaints));
    assert_string_equal(complaints.ptr, "/nonexistent/r.yaml: cannot be opened: No such file or directory\n");
    complaints.len = 0;
    assert_false(rely_config_load(&config, "/", &complaints));
    assert_string_equal(complaints.ptr, "/: cannot be read: Is a directory\n");
    complaints.len = 0;
    assert_true(rely_config_load(&config, RELYD_SOURCE "/conf/relyd.yaml", &complaints));
    assert_int_equal(complaints.len, 0);
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
}

/* What is printed is read back to the same, also texts that YAML would take for something else. */
static void test_print_round_trip(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_config again;
    struct rely_buf complaints = {0};
    struct rely_buf first = {0};
    struct rely_buf second = {0};
    rely_config_init(&config);
    assert_true(rely_config_parse(&config, "r.yaml",
                                  RELY_LIT("registry: {path: \"/a: #\\\"b\\\\ \\u00e9\\u2028x\"}\nworkers: 7\n"
                                           "listen: ['unix:/a, b', \"unix:/true\"]\nlog: {decisions: none}\n"),
                                  &complaints));
    rely_config_print(&config, &first);
    rely_config_init(&again);
    assert_true(rely_config_parse(&again, "r.yaml", rely_buf_slice(&first), &complaints));
    rely_config_print(&again, &second);
    assert_string_equal(first.ptr, second.ptr);
    assert_string_equal(again.registry_path, config.registry_path);
    assert_string_equal(again.listen.items[0], "unix:/a, b");
    assert_int_equal(again.workers, 7);
    assert_int_equal(again.log_decisions, 0);
    rely_config_fini(&config);
    rely_config_fini(&again);
    rely_buf_fini(&first);
    rely_buf_fini(&second);
    rely_buf_fini(&complaints);
}

static void expect_file(const char *path, const struct rely_buf *expected)
{
    static char found[200000];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(found, 1, sizeof(found) - 1, file);
    fclose(file);
    found[len] = '\0';
    assert_string_equal(found, expected->ptr);
}

/* The documents in the repository are what the table says. */
/* --- differences --- */

struct noted {
    size_t count;
    const char *key;
    bool is_taken_up;
};

static void note_difference(void *context, const char *key, bool is_taken_up)
{
    struct noted *noted = context;
    noted->count++;
    noted->key = key;
    noted->is_taken_up = is_taken_up;
}

/* The one difference of these two, and that it is the same in the other direction. */
static void expect_difference(const struct rely_config *a, const struct rely_config *b, const char *key)
{
    struct noted there = {0}, back = {0};
    rely_config_compare(a, b, note_difference, &there);
    rely_config_compare(b, a, note_difference, &back);
    assert_int_equal(there.count, 1);
    assert_int_equal(back.count, 1);
    assert_string_equal(there.key, key);
    assert_string_equal(back.key, key);
}

/* Every setting: one that nobody compares could be changed without a word. */
static void test_every_difference_is_noted(void **state)
{
    (void)state;
    struct rely_config a, b;
    struct noted noted = {0};
    char other[] = "other", *items[] = {other, other, other};
    struct rely_listener_config listeners[2];
    memset(listeners, 0, sizeof listeners);
    rely_config_init(&a);
    rely_config_init(&b);
    rely_config_compare(&a, &b, note_difference, &noted);
    assert_int_equal(noted.count, 0);
#define EXPECT_OTHER(key, field, value)                                                                                \
    do {                                                                                                               \
        struct rely_config changed = b;                                                                                \
        changed.field = value;                                                                                         \
        expect_difference(&a, &changed, key);                                                                          \
    } while (0);
#define SETTING_INT(key, field, minimum, maximum, default, unit, sentence) EXPECT_OTHER(key, field, b.field + 1)
#define SETTING_BOOL(key, field, default, sentence) EXPECT_OTHER(key, field, !b.field)
#define SETTING_TEXT(key, field, max_bytes, default, sentence) EXPECT_OTHER(key, field, other)
#define SETTING_LIST(key, field, max_items, first, sentence)                                                           \
    EXPECT_OTHER(key, field, ((struct rely_text_list){items, 3}))
#define SETTING_ENUM(key, field, values, default, sentence) EXPECT_OTHER(key, field, b.field + 1)
#define SETTING_LISTENERS(key, field, max_items, sentence)                                                             \
    EXPECT_OTHER(key, field, ((struct rely_listener_list){listeners, 2}))
#include "relyd/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
    rely_config_fini(&a);
    rely_config_fini(&b);
}

static void read_text(struct rely_config *config, const char *text)
{
    struct rely_buf complaints = {0};
    rely_config_init(config);
    assert_true(rely_config_parse(config, "r.yaml", rely_slice_of(text), &complaints));
    rely_buf_fini(&complaints);
}

static void test_differences_within_lists(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"listen: [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n", "listen: [\"127.0.0.1:1\", \"127.0.0.1:3\"]\n"},
        {"listeners: [{address: \"127.0.0.1:1\"}]\n", "listeners: [{address: \"127.0.0.1:2\"}]\n"},
        {"listeners: [{address: \"127.0.0.1:1\", serves: control}]\n",
         "listeners: [{address: \"127.0.0.1:1\", serves: health}]\n"},
        {"listeners: [{address: \"127.0.0.1:1\", callers: anyone}]\n",
         "listeners: [{address: \"127.0.0.1:1\", callers: reviewers}]\n"}};
    static const char *const keys[] = {"listen", "listeners", "listeners", "listeners"};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct rely_config a, b;
        struct noted noted = {0};
        read_text(&a, pairs[i][0]);
        read_text(&b, pairs[i][1]);
        rely_config_compare(&a, &b, note_difference, &noted);
        assert_int_equal(noted.count, 1);
        assert_string_equal(noted.key, keys[i]);
        assert_false(noted.is_taken_up);
        rely_config_fini(&b);
        read_text(&b, pairs[i][0]);
        noted.count = 0;
        rely_config_compare(&a, &b, note_difference, &noted);
        assert_int_equal(noted.count, 0);
        rely_config_fini(&a);
        rely_config_fini(&b);
    }
}

static void test_documents(void **state)
{
    (void)state;
    struct rely_config config;
    struct rely_buf out = {0};
    rely_config_init(&config);
    rely_config_print(&config, &out);
    expect_file(RELYD_SOURCE "/conf/relyd.yaml", &out);
    out.len = 0;
    rely_config_print_docs(&out);
    expect_file(RELYD_SOURCE "/docs/settings.md", &out);
    rely_config_fini(&config);
    rely_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_empty_files_are_all_defaults),
        cmocka_unit_test(test_values_are_read),
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_booleans_are_strict),
        cmocka_unit_test(test_words_and_texts),
        cmocka_unit_test(test_the_longest_texts),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_unknown_keys_name_the_nearest),
        cmocka_unit_test(test_old_names_are_taken_and_said),
        cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_yaml_that_hides_things),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_every_complaint_is_shown),
        cmocka_unit_test(test_fetching),
        cmocka_unit_test(test_complaints_are_bounded),
        cmocka_unit_test(test_passed_sockets_and_routes),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_a_list_of_listeners),
        cmocka_unit_test(test_wrong_listeners),
        cmocka_unit_test(test_health_may_stand_open),
        cmocka_unit_test(test_admin_is_local),
        cmocka_unit_test(test_callers),
        cmocka_unit_test(test_callers_of_short_forms),
        cmocka_unit_test(test_who_asks),
        cmocka_unit_test(test_an_address_is_the_same_however_it_is_written),
        cmocka_unit_test(test_refresh_order),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_print_round_trip),
        cmocka_unit_test(test_every_difference_is_noted),
        cmocka_unit_test(test_differences_within_lists),
        cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Listening sockets: what is local, who may replace a socket file, and its mode.
 */
#include "server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_local(void **state)
{
    (void)state;
    assert_true(rely_loop_is_local("127.0.0.1:1"));
    assert_true(rely_loop_is_local("127.9.9.9:1"));
    assert_true(rely_loop_is_local("[::1]:1"));
    assert_true(rely_loop_is_local("unix:/run/x.sock"));
    assert_false(rely_loop_is_local("0.0.0.0:1"));
    assert_false(rely_loop_is_local("[::]:1"));
    assert_false(rely_loop_is_local("10.0.0.1:1"));
    assert_false(rely_loop_is_local("127.0.0.1"));
    assert_false(rely_loop_is_local("127.0.0.1.evil.example:1"));
    assert_false(rely_loop_is_local(""));
    assert_false(rely_loop_is_local("unix:"));
}

static void check_refused(const char *address, enum rely_err_code code, const char *word)
{
    struct rely_err err = {0};
    assert_int_equal(rely_loop_bind(address, false, &err), -1);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, word));
}

static void test_tcp(void **state)
{
    (void)state;
    struct rely_err err = {0};
    int first = rely_loop_bind("127.0.0.1:0", false, &err);
    assert_true(first >= 0);
    assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
    int six = rely_loop_bind("[::1]:0", true, &err);
    if (six >= 0) /* a machine may have no IPv6 */
        close(six);
    check_refused("127.0.0.1", RELY_ERR_INVALID, "port");
    check_refused("example.org:80", RELY_ERR_INVALID, "not an IP address");
    close(first);
}

static int port_of_listener(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    return (((unsigned char *)&name)[2] << 8) | ((unsigned char *)&name)[3];
}

static void test_tcp_address_in_use(void **state)
{
    (void)state;
    struct rely_err err = {0};
    int shared = rely_loop_bind("127.0.0.1:0", true, &err);
    assert_true(shared >= 0);
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port_of_listener(shared));
    int again = rely_loop_bind(address, true, &err);
    assert_true(again >= 0);
    check_refused(address, RELY_ERR_CONFLICT, "in use");
    close(shared);
    close(again);
}

/* How many of so many connections a listener was given. */
static int count_taken(int fd)
{
    int count = 0, taken;
    while ((taken = accept(fd, NULL, NULL)) >= 0) {
        close(taken);
        count++;
    }
    return count;
}

/* Whoever was first has the address alone, until he shares it himself; whoever comes is told. */
static void test_shared_only_by_the_first(void **state)
{
    (void)state;
    enum { CALLERS = 64 };
    struct rely_err err = {0};
    int first = rely_loop_bind("127.0.0.1:0", false, &err), callers[CALLERS];
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port_of_listener(first));
    assert_int_equal(rely_loop_bind(address, true, &err), -1); /* from its first moment */
    check_refused(address, RELY_ERR_CONFLICT,
                  "bind: Address already in use: another process listens there, perhaps another relyd (ss -ltnp shows "
                  "which): stop that one, or give this one another address");
    assert_true(rely_loop_share(first, &err));
    int second = rely_loop_bind(address, true, &err);
    assert_true(second >= 0);
    check_refused(address, RELY_ERR_CONFLICT, "in use");
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    assert_int_equal(getsockname(first, (struct sockaddr *)&name, &size), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(callers[i], (struct sockaddr *)&name, size), 0);
    }
    int taken = count_taken(first), others = count_taken(second);
    assert_int_equal(taken + others, CALLERS);
    assert_true(taken > 0 && others > 0); /* none at all: once in 2^63 */
    for (size_t i = 0; i < CALLERS; i++)
        close(callers[i]);
    close(first);
    close(second);
}

static void test_unix(void **state)
{
    (void)state;
    char dir[] = "/tmp/relyd-bind-XXXXXX", address[128], path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(address, sizeof(address), "unix:%s", path);
    struct rely_err err = {0};
    mode_t old = umask(0);
    int fd = rely_loop_bind(address, false, &err);
    umask(old);
    assert_true(fd >= 0);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
    check_refused(address, RELY_ERR_CONFLICT, "another process listens");
    close(fd);
    old = umask(0077);
    fd = rely_loop_bind(address, false, &err); /* stale: replaced */
    umask(old);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
    close(fd);
    unlink(path);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    close(file);
    check_refused(address, RELY_ERR_CONFLICT, "not a socket");
    assert_int_equal(access(path, F_OK), 0); /* and left alone */
    unlink(path);
    rmdir(dir);
    check_refused(address, RELY_ERR_IO,
                  "bind: No such file or directory: its folder is not there, and relyd makes none: mkdir it");
}

static void set_owner(const char *address, const char *group, const char *fault)
{
    struct rely_err err = {0};
    assert_int_equal(rely_loop_set_owner(address, "0640", group, &err), fault == NULL);
    if (fault != NULL && strstr(err.message, fault) == NULL)
        fail_msg("%s has not: %s", err.message, fault);
}

/* Whose a socket is, and who may use it. */
static void test_owners(void **state)
{
    (void)state;
    char dir[] = "/tmp/relyd-owner-XXXXXX", address[128];
    struct rely_err err = {0};
    struct stat found;
    uint32_t group = 1;
    assert_non_null(mkdtemp(dir));
    snprintf(address, sizeof(address), "unix:%s/s", dir);
    set_owner(address, "", "chmod: No such file or directory");
    int fd = rely_loop_bind(address, false, &err);
    set_owner(address, "", NULL);
    assert_int_equal(stat(&address[5], &found), 0);
    assert_int_equal(found.st_mode & 0777, 0640);
    set_owner(address, "nobody-has-it", "there is no group nobody-has-it on this machine");
    if (geteuid() == 0)
        set_owner(address, "root", NULL);
    set_owner("127.0.0.1:1", "nobody-has-it", NULL); /* has none */
    set_owner("nothing", "", "port");
    assert_true(rely_loop_find_group("root", &group, &err));
    assert_int_equal(group, 0);
    close(fd);
    unlink(&address[5]);
    rmdir(dir);
}

/* Where the kernel has chosen the port, the log must say which. */
static void test_bound_addresses(void **state)
{
    (void)state;
    char out[RELY_BOUND_SIZE], expected[64];
    struct rely_err err = {0};
    int fd = rely_loop_bind("127.0.0.1:0", false, &err);
    rely_loop_bound(fd, "127.0.0.1:0", out);
    snprintf(expected, sizeof(expected), "127.0.0.1:%d", port_of_listener(fd));
    assert_string_equal(out, expected);
    rely_loop_bound(fd, "unix:/run/x.sock", out);
    assert_string_equal(out, "unix:/run/x.sock");
    rely_loop_bound(fd, "127.0.0.1:8480", out);
    assert_string_equal(out, "127.0.0.1:8480");
    close(fd);
}

static void test_listen_wants_a_listener(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_loop_counters counters = {0};
    struct rely_loop_options options = {.protocol = &rely_http_protocol,
                                        .max_head_bytes = 1,
                                        .max_body_bytes = 1,
                                        .max_memory_bytes = 1,
                                        .head_timeout_ms = 1,
                                        .body_timeout_ms = 1,
                                        .idle_timeout_ms = 1,
                                        .max_connections = 1,
                                        .counters = &counters};
    struct rely_loop *loop = rely_loop_new(&options, &err);
    assert_non_null(loop);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(rely_http_listen(loop, fd, &(struct rely_http_plane){.handle = NULL}, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over: closed */
    rely_loop_free(loop);
}

static void test_loop_wants_limits(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_loop_options options = {.protocol = &rely_http_protocol,
                                        .max_head_bytes = 1,
                                        .max_body_bytes = 1,
                                        .max_memory_bytes = 1,
                                        .head_timeout_ms = 1,
                                        .body_timeout_ms = 1,
                                        .idle_timeout_ms = 1,
                                        .max_connections = 0};
    assert_null(rely_loop_new(&options, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
}

const struct CMUnitTest bind_tests[] = {
    cmocka_unit_test(test_local),
    cmocka_unit_test(test_tcp),
    cmocka_unit_test(test_tcp_address_in_use),
    cmocka_unit_test(test_shared_only_by_the_first),
    cmocka_unit_test(test_unix),
    cmocka_unit_test(test_owners),
    cmocka_unit_test(test_bound_addresses),
    cmocka_unit_test(test_listen_wants_a_listener),
    cmocka_unit_test(test_loop_wants_limits),
};
const size_t bind_count = sizeof(bind_tests) / sizeof(bind_tests[0]);

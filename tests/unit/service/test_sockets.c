/*
 * Sockets that somebody else has opened: by name, each once, and only where what they serve may be reached.
 */
#include "service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_each_is_taken_once(void **state)
{
    (void)state;
    struct rely_sockets sockets = {NULL, 0};
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = open("/dev/null", O_RDONLY);
        rely_sockets_add(&sockets, i == 1 ? "fd:other" : "fd:data", fds[i]);
    }
    assert_int_equal(rely_sockets_take(&sockets, "fd:none"), -1);
    assert_int_equal(rely_sockets_take(&sockets, "fd:data"), fds[0]);
    assert_int_equal(rely_sockets_take(&sockets, "fd:data"), fds[2]);
    assert_int_equal(rely_sockets_take(&sockets, "fd:data"), -1);
    rely_sockets_close(&sockets);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1); /* nobody has taken it */
    assert_true(fcntl(fds[0], F_GETFD) >= 0);
    assert_true(fcntl(fds[2], F_GETFD) >= 0);
    close(fds[0]);
    close(fds[2]);
}

/* For another process they are not: whoever has started that one has left the variables behind. */
static void test_those_of_others_are_left(void **state)
{
    (void)state;
    struct rely_sockets sockets = {NULL, 0};
    const char *const wrong[] = {"1", "", "x", "99999999999999999999"};
    setenv("LISTEN_FDS", "1", 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setenv("LISTEN_PID", wrong[i], 1);
        rely_sockets_read_passed(&sockets);
        assert_int_equal(sockets.count, 0);
        assert_non_null(getenv("LISTEN_FDS"));
    }
    unsetenv("LISTEN_PID");
    rely_sockets_read_passed(&sockets);
    assert_int_equal(sockets.count, 0);
    unsetenv("LISTEN_FDS");
}

/* In: address - where it is bound; nobody listens. may - without TLS and proof. */
static void find_at(in_addr_t address, struct rely_listener_config *listener, bool may)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct rely_err err = {0};
    struct rely_config config = {.admin_socket = (char[]){""}};
    struct rely_service service = {.config = &config, .listeners = {listener, 1}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), found = -1;
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    rely_sockets_add(&service.left, listener->address, fd);
    assert_int_equal(rely_sockets_find(&service, 0, &found, &err), may);
    assert_int_equal(found, fd);
    if (!may)
        assert_non_null(strstr(err.message, "fd:data is reachable from other machines: that needs tls"));
    config.may_be_unauthenticated = true;
    service.left.items[0].is_taken = false;
    assert_int_equal(rely_sockets_find(&service, 0, &found, &err), may || listener->serves == RELY_SERVES_DATA);
    assert_true(rely_sockets_find(&service, 0, &found, &err)); /* there is no other one */
    assert_int_equal(found, -1);
    rely_sockets_close(&service.left);
    close(fd);
}

static void test_what_is_open_to_others_is_proven(void **state)
{
    (void)state;
    char data[] = "fd:data", certificate[] = "tls.crt", none[] = "";
    for (int serves = RELY_SERVES_DATA; serves <= RELY_SERVES_HEALTH; serves++)
        for (int has_tls = 0; has_tls < 2; has_tls++)
            for (int callers = RELY_CALLERS_ANYONE; callers <= RELY_CALLERS_REVIEWERS; callers++) {
                struct rely_listener_config listener = {.address = data,
                                                        .serves = serves,
                                                        .callers = callers,
                                                        .tls_certificate = has_tls ? certificate : none};
                bool is_proven = has_tls && callers != RELY_CALLERS_ANYONE;
                find_at(INADDR_LOOPBACK, &listener, true);
                find_at(INADDR_ANY, &listener, serves == RELY_SERVES_HEALTH || is_proven);
            }
}

static void test_a_name_is_no_address(void **state)
{
    (void)state;
    struct rely_err err = {0};
    assert_true(rely_sockets_may_be_bound("127.0.0.1:1", &err));
    assert_true(rely_sockets_may_be_bound("unix:/run/fd:x", &err));
    assert_false(rely_sockets_may_be_bound("fd:data", &err));
    assert_non_null(strstr(err.message, "needs FileDescriptorName=data"));
}

static void test_a_copy_is_kept_where_somebody_may_follow(void **state)
{
    (void)state;
    char none[] = "", some[] = "/run/admin.sock";
    struct rely_config config = {.admin_socket = none};
    struct rely_service service = {.config = &config};
    int fd = open("/dev/null", O_RDONLY);
    rely_sockets_keep(&service, "127.0.0.1:1", fd);
    assert_int_equal(service.kept.count, 0);
    config.admin_socket = some;
    rely_sockets_keep(&service, "127.0.0.1:1", fd);
    assert_int_equal(service.kept.count, 1);
    int copy = service.kept.items[0].fd;
    assert_int_not_equal(copy, fd);
    assert_int_equal(fcntl(copy, F_GETFD), FD_CLOEXEC);
    rely_sockets_close(&service.kept);
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_taken_once),
        cmocka_unit_test(test_those_of_others_are_left),
        cmocka_unit_test(test_what_is_open_to_others_is_proven),
        cmocka_unit_test(test_a_name_is_no_address),
        cmocka_unit_test(test_a_copy_is_kept_where_somebody_may_follow),
    };
    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}

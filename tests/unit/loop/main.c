/*
 * Runs the groups of tests of loop/: its pure parts, and real loops under raw sockets, which speak HTTP.
 */
#include "../http/server.h"

#include <stdlib.h>

static int run_group(const char *name, const struct CMUnitTest *tests, size_t count)
{
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int main(void)
{
    int failed = 0;
    failed += run_group("timer", timer_tests, timer_count);
    failed += run_group("bind", bind_tests, bind_count);
    failed += run_group("loop", loop_tests, loop_count);
    failed += run_group("watch", watch_tests, watch_count);
    failed += run_group("turns", turns_tests, turns_count);
    failed += run_group("tls", tls_tests, tls_count);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

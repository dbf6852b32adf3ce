/*
 * Runs the groups of tests of http/: its pure parts, and real loops under raw sockets.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static int run_group(const char *name, const struct CMUnitTest *tests, size_t count)
{
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int main(void)
{
    int failed = 0;
    failed += run_group("text", text_tests, text_count);
    failed += run_group("route", route_tests, route_count);
    failed += run_group("head", head_tests, head_count);
    failed += run_group("h2_head", h2_head_tests, h2_head_count);
    failed += run_group("hostile", hostile_tests, hostile_count);
    failed += run_group("connection", connection_tests, connection_count);
    failed += run_group("again", again_tests, again_count);
    failed += run_group("h2", h2_tests, h2_count);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Runs the tests of a connection of HTTP/2 over a made-up loop.
 */
#include "h2_line.h"

#include <stdlib.h>

int main(void)
{
    int failed = 0;
    failed += _cmocka_run_group_tests("h2_stream", h2_stream_tests, h2_stream_count, NULL, NULL);
    failed += _cmocka_run_group_tests("h2_limit", h2_limit_tests, h2_limit_count, NULL, NULL);
    failed += _cmocka_run_group_tests("h2_time", h2_time_tests, h2_time_count, NULL, NULL);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

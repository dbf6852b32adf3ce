/* Runs the groups of src/base one after the other; fails when any does. */
#include "tests.h"

int main(void)
{
    int failed = run_base_tests();
    failed += run_text_tests();
    failed += run_map_tests();
    return failed;
}

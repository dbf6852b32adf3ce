/* Runs the groups of src/base one after the other; fails when any does. */
#include "tests.h"

#include "relyd/json.h"

int main(void)
{
    rely_json_init();
    int failed = run_base_tests();
    failed += run_text_tests();
    failed += run_json_tests();
    failed += run_map_tests();
    return failed;
}

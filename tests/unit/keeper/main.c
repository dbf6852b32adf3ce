/* Runs the groups of src/keeper. */
#include "tests.h"

#include "../mint/mint.h"

#include "relyd/json.h"

int main(void)
{
    rely_json_init();
    int failed = run_plan_tests();
    failed += run_refresh_tests();
    failed += run_miss_tests();
    failed += run_store_tests();
    failed += run_record_tests();
    failed += run_hold_tests();
    failed += run_condition_tests();
    failed += run_file_tests();
    mint_reset();
    return failed;
}

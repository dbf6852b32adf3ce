/*
 * The control plane's unit tests.
 */
#include "fixture.h"

int main(void)
{
    rely_json_init();
    return run_rest_tests() + run_guard_tests() + run_admit_tests() + run_health_tests() + run_keys_tests() +
           run_compare_tests() + run_explain_tests() + run_page_tests() + run_preset_tests() + run_pod_tests() +
           run_refresh_tests() + run_revoke_tests() + run_tombstone_tests();
}

/* Runs the groups of src/decide, src/credentials and the snapshot. */
#include "scene.h"

#include "relyd/json.h"

int main(void)
{
    rely_json_init();
    int failed = run_vector_tests();
    failed += run_decision_tests();
    failed += run_snapshot_tests();
    failed += run_cache_tests();
    failed += run_traffic_tests();
    failed += run_fingerprint_tests();
    failed += run_sibling_tests();
    failed += run_budget_tests();
    failed += run_told_tests();
    failed += run_revoked_tests();
    failed += run_force_tests();
    failed += run_issuer_group_tests();
    failed += run_expression_tests();
    failed += run_route_tests();
    failed += run_guard_tests();
    failed += run_subject_claim_tests();
    failed += run_name_tests();
    failed += run_seal_tests();
    failed += run_account_tests();
    failed += run_liveness_tests();
    return failed;
}

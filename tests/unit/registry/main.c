/*
 * The registry's unit tests: real SQLite files, every limit from both sides.
 */
#include "faulty_disk.h"
#include "fixture.h"

int main(void)
{
    rely_json_init();
    disk_install();
    return run_open_tests() + run_issuer_tests() + run_identity_tests() + run_credential_tests() + run_power_tests() +
           run_way_tests() + run_forced_tests() + run_issuer_group_tests() + run_revocation_tests() + run_pin_tests() +
           run_tenant_tests() + run_route_tests() + run_subject_tests() + run_limit_tests() + run_schema_tests() +
           run_change_tests() + run_history_tests() + run_row_tests() + run_batch_tests() + run_sql_tests() +
           run_migration_tests() + run_damage_tests() + run_fault_tests();
}

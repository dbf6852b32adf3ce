/* Runs the groups of src/endpoints. */
#include "worker.h"

int main(void)
{
    int failed = run_waiting_tests();
    failed += run_batch_tests();
    failed += run_check_tests();
    failed += run_header_tests();
    failed += run_tokenreview_tests();
    failed += run_own_protocol_tests();
    failed += run_grpc_tests();
    return failed;
}

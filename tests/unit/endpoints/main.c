/* Runs the groups of src/endpoints. */
#include "worker.h"

int main(void)
{
    return run_waiting_tests() + run_batch_tests();
}

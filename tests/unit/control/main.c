/* Runs the groups of src/control. */
#include "fixture.h"

#include "../mint/mint.h"

int main(void)
{
    rely_json_init();
    int failed = run_batch_tests();
    failed += run_edition_tests();
    mint_reset();
    return failed;
}

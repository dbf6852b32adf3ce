/* Runs the groups of src/json one after the other; fails when any does. */
#include "tests.h"

#include "relyd/json.h"

int main(void)
{
    rely_json_init();
    int failed = run_view_tests();
    failed += run_view_text_tests();
    failed += run_document_tests();
    return failed;
}

/*
 * The unit tests of objects as a table: bodies into records, records as JSON, and what a name or a URL may be.
 */
#include "relyd/json.h"
#include "tests.h"

/* With an argument: only the tests of that name. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    rely_json_init();
    return run_record_tests() + run_url_tests() + run_patch_tests() + run_schema_tests() + run_shorthand_tests();
}

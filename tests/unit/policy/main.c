/*
 * The unit tests of presets: which files are none, what is made of one, and those that are built in.
 */
#include "tests.h"

/* With an argument: only the tests of that name. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    rely_json_init();
    return run_preset_tests() + run_value_tests() + run_built_in_tests();
}

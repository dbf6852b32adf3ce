/*
 * Linked into every unit test that verifies signatures: RELYD_TEST_OWN_ARITHMETIC=false runs it by EVP only, as
 * crypto.own_arithmetic does; otherwise EVP repeats every single verification.
 */
#include "arithmetic.h"

#include <stdlib.h>
#include <string.h>

void choose_arithmetic_of_environment(void)
{
    const char *text = getenv("RELYD_TEST_OWN_ARITHMETIC");
    const struct rely_signature_options options = {.is_evp_only = text != NULL && strcmp(text, "false") == 0,
                                                   .recheck_one_in = 1};
    rely_signature_setup(&options);
}

int choose_own_arithmetic(void **state)
{
    const struct rely_signature_options options = {.recheck_one_in = 1};
    (void)state;
    rely_signature_setup(&options);
    return 0;
}

int choose_evp_only(void **state)
{
    const struct rely_signature_options options = {.is_evp_only = true};
    (void)state;
    rely_signature_setup(&options);
    return 0;
}

int return_to_arithmetic_of_environment(void **state)
{
    (void)state;
    choose_arithmetic_of_environment();
    return 0;
}

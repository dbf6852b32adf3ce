/* By which arithmetic a unit test verifies: as the environment says, but for tests of one of the two ways. */
#ifndef RELYD_TESTS_UNIT_ARITHMETIC_H
#define RELYD_TESTS_UNIT_ARITHMETIC_H

#include "relyd/signature.h"

/* Before main, and after tests that chose for themselves. */
void choose_arithmetic_of_environment(void) __attribute__((constructor));

/* Set-up and tear-down of cmocka. Keys keep what they were made with. */
int choose_own_arithmetic(void **state);
int choose_evp_only(void **state);
int return_to_arithmetic_of_environment(void **state);

#endif

/*
 * What the files of these tests share.
 */
#ifndef TESTS_UNIT_POLICY_H
#define TESTS_UNIT_POLICY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy.h"

int run_preset_tests(void);
int run_value_tests(void);
int run_built_in_tests(void);

#endif

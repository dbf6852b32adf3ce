/* The groups of src/keeper. */
#ifndef RELYD_TESTS_KEEPER_TESTS_H
#define RELYD_TESTS_KEEPER_TESTS_H

#include "world.h"

int run_plan_tests(void);
int run_refresh_tests(void);
int run_miss_tests(void);
int run_store_tests(void);
int run_record_tests(void);
int run_hold_tests(void);
int run_condition_tests(void);
int run_file_tests(void);

#endif

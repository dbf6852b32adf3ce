/*
 * The two halves of the observe tests in one binary.
 */
#ifndef RELYD_TEST_OBSERVE_H
#define RELYD_TEST_OBSERVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* test_log.c; its failures are counted in what it returns. */
int run_log_tests(void);

#endif

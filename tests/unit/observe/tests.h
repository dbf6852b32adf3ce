/*
 * The parts of the observe tests in one binary.
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
/* test_sample.c and test_streams.c, too. */
int run_sample_tests(void);
int run_stream_tests(void);

#endif

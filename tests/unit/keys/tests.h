/* The parts of test_keys; one array of tests for each file. */
#ifndef RELYD_TESTS_KEYS_H
#define RELYD_TESTS_KEYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mint.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"

int run_jwk_tests(void);
int run_set_tests(void);
int run_find_tests(void);
int run_join_tests(void);
int run_pem_tests(void);

/* Parse a set that must be accepted. */
struct rely_keyset *parse_good(const char *jwks);

#endif

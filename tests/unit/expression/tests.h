/*
 * What the tests of src/expression share.
 */
#ifndef RELYD_TESTS_EXPRESSION_TESTS_H
#define RELYD_TESTS_EXPRESSION_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle.h"
#include "relyd/expression.h"
#include "relyd/pool.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Read what must be an expression, into a block of exactly its size, with nothing behind it: so ASan sees a place too
 * far. The caller frees it. */
struct rely_expression *make_expression(struct rely_slice text);

/* A claim that says one text, whatever the term: `context` is a struct rely_slice. */
struct rely_claim_value give_text(void *context, size_t term);

/* `claims['c'] OPERATOR 'text'` against one text. */
bool does_match(const char *operator, struct rely_slice text, struct rely_slice value);

/* Parse with relyd and with the oracle, which must agree in everything; a value is tried on each term. Does it match?
 */
bool compare_with_oracle(struct rely_slice expression, struct rely_slice value);

int run_parse_tests(void);
int run_match_tests(void);
int run_random_tests(void);

#endif

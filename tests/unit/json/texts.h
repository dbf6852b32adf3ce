/*
 * Texts that tests make: repeated and joined, from the pool.
 */
#ifndef RELYD_TESTS_UNIT_TEXTS_H
#define RELYD_TESTS_UNIT_TEXTS_H

#include "relyd/base.h"

/* A row's text may hold NUL bytes. */
#define TEXT(literal) RELY_LIT(literal)

/* `text` repeated, from the pool. */
struct rely_slice make_repeated(struct rely_pool *pool, struct rely_slice text, size_t count);
/* a + b + c, from the pool. */
struct rely_slice make_joined(struct rely_pool *pool, struct rely_slice a, struct rely_slice b, struct rely_slice c);

#endif

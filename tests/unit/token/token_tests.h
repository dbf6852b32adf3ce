/*
 * What the tests of src/token share: the groups, and the making of tokens out of header and payload.
 */
#ifndef RELYD_TESTS_TOKEN_TESTS_H
#define RELYD_TESTS_TOKEN_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/config.h"
#include "relyd/limits.h"
#include "relyd/text.h"
#include "relyd/token.h"
#include "texts.h"

#define GOOD_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"
#define GOOD_PAYLOAD                                                                                                   \
    "{\"iss\":\"https://issuer.example\",\"sub\":\"system:serviceaccount:team-a:builder\",\"aud\":\"relyd\","          \
    "\"exp\":1795322820}"

/* `header.payload.signature` of these bytes, from the pool. */
struct rely_slice make_token(struct rely_pool *pool, struct rely_slice header, struct rely_slice payload);
/* base64url, from the pool. */
struct rely_slice make_base64(struct rely_pool *pool, struct rely_slice bytes);

/* Fail the test, naming the row, unless rely_token_read says exactly this; a refusal must have a detail and leave the
 * output as it was. */
void expect_reason(const char *id, struct rely_slice token, size_t max_bytes, enum rely_reason wanted);

int run_token_tests(void);
int run_token_parts_tests(void);
int run_token_vectors_tests(void);

#endif

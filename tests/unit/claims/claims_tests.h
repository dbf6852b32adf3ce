/*
 * What the tests of src/claims share: payloads, and reading them as if their signature had been verified.
 */
#ifndef RELYD_TESTS_CLAIMS_TESTS_H
#define RELYD_TESTS_CLAIMS_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/claims.h"

/* 2026-11-22T03:47:00Z, when the tokens of tests/vectors were minted. */
#define NOW 1795319220

#define LEFT_OUT ""

/* JSON texts of claims; NULL is the default (right) value, or absent for those that may be; LEFT_OUT is absent. */
struct claims_case {
    const char *id;
    const char *sub, *aud, *exp, *nbf, *iat, *jti;
    const char *more; /* further members */
    enum rely_reason reason;
};

/* Read a payload that must be right JSON. The pool belongs to the tests and is emptied by every call. */
enum rely_reason read_payload(const char *payload, struct rely_claims *out, struct rely_detail *detail);
/* The same with another claim as the subject, as rely_claim_parse makes it. */
enum rely_reason read_payload_by(const char *payload, struct rely_slice subject_claim, struct rely_claims *out,
                                 struct rely_detail *detail);
/* The payload of a case, in a static buffer. */
const char *build_payload(const struct claims_case *row);
/* Fail the test, naming the case, unless rely_claims_read says exactly its reason; a refusal must have a detail and
 * leave the output as it was. */
void expect_claims(const struct claims_case *row, struct rely_claims *out);

int run_registered_tests(void);
int run_kubernetes_tests(void);
int run_time_tests(void);
int run_said_tests(void);
int run_subject_tests(void);
int run_spiffe_tests(void);

#endif

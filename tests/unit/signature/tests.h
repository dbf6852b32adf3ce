/* The parts of test_signature; one array of tests for each file. */
#ifndef RELYD_TESTS_SIGNATURE_H
#define RELYD_TESTS_SIGNATURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../arithmetic.h"

#include "mint.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/signature.h"

int run_broken_tests(void);
int run_verifier_tests(void);
int run_thread_tests(void);
int run_table_tests(void);
int run_attach_tests(void);
int run_rsa_tests(void);

/* A set of this one key, with kid "k". */
struct rely_keyset *set_of(const struct mint_key *key, const char *alg);
/* A token as rely_token_read would give it, without that code: signed bytes, signature and algorithm. */
struct rely_unverified read_parts(const char *token, enum rely_alg alg);
/* Fails the test unless verification ends in this reason and leaves OpenSSL's error queue empty. */
void check_reason(const struct rely_keyset *keyset, const struct rely_unverified *token, enum rely_reason reason);

/* A kind of key for each algorithm. */
struct pairing {
    const char *alg, *kind, *other; /* other: a key of the same kind */
    enum rely_alg number;
};
#define PAIRING_COUNT 10
extern const struct pairing pairings[PAIRING_COUNT];

#define HEADER "{\"alg\":\"x\",\"kid\":\"k\"}"
#define PAYLOAD "{\"sub\":\"s\"}"

#endif

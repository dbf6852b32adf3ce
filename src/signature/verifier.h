/*
 * What every verification under one key needs, made once, when the key's set is accepted: numbers, context, and later a
 * table. keys/ keeps it, and knows no more of it than that.
 */
#ifndef RELYD_SIGNATURE_VERIFIER_H
#define RELYD_SIGNATURE_VERIFIER_H

#include "../keys/verifiable.h"
#include "relyd/signature.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdatomic.h>

/* Immutable, but for the last two, which any thread may change. */
struct rely_verifier {
    uint64_t serial; /* never 0, never used again: a new key at a freed key's address is another key */
    rely_alg_set algs;
    size_t signature_bytes;
    EVP_PKEY *pkey;             /* borrowed from the key, which owns this */
    enum rely_alg prepared_alg; /* the first of algs */
    EVP_PKEY_CTX *prepared;     /* owned; ready to verify with prepared_alg, only duplicated. NULL: made when needed */
    BIGNUM *modulus;            /* owned; these three of RSA keys for RS256 and its like, else NULL and 0 */
    BN_MONT_CTX *by_modulus;    /* owned; Montgomery's arithmetic modulo it */
    uint32_t exponent;          /* odd, at least 3 */
    _Atomic(struct rely_key_table *) table; /* owned; put here once; until then NULL */
    atomic_uint verified_count;             /* EC: up to the number after which a table is made; others: up to 1 */
};

/* Compute what the key's verifications need, so that the first one after a rotation costs no more than the others.
 * NULL: OpenSSL failed. Owner: the key. */
struct rely_verifier *rely_verifier_new(const struct rely_key *key);
void rely_verifier_free(struct rely_verifier *verifier);

/* A context ready to verify with alg, one of the verifier's that has a digest. Owner: the caller, EVP_PKEY_CTX_free. NULL:
 * OpenSSL failed. Thread: any. */
EVP_PKEY_CTX *rely_verifier_context(const struct rely_verifier *verifier, enum rely_alg alg);

/* Which digest: "SHA256", or NULL: EdDSA and ML-DSA hash by themselves. */
const char *rely_alg_digest(enum rely_alg alg);

/* attach.c: a verifier and its table go. */
void rely_key_table_release(struct rely_key_table *table);

#endif

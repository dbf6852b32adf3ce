/* What the files of signature/ share. */
#ifndef RELYD_SIGNATURE_VERIFY_H
#define RELYD_SIGNATURE_VERIFY_H

#include "table.h"
#include "verifier.h"

/* ECDSA-Sig-Value with two integers of 66 bytes: 02 43 00 <66> twice behind 30 81 8a. */
#define RELY_DER_MAX 144

/* R || S, each of half the length, to DER; returns its length. Any number goes, right or not. */
size_t rely_der_of_raw(struct rely_slice raw, uint8_t out[RELY_DER_MAX]);

/* What a thread keeps from one verification to the next. */
struct rely_scratch;
/* This thread's own; made at the first call, freed when the thread ends. NULL: OpenSSL failed. */
struct rely_scratch *rely_scratch_get(void);

/* The digest of `bytes` for alg into out; returns its length, 0 when OpenSSL failed. */
size_t rely_scratch_digest(struct rely_scratch *scratch, enum rely_alg alg, struct rely_slice bytes,
                           uint8_t out[EVP_MAX_MD_SIZE]);
/* A context ready to verify under this key with alg, borrowed until the next call. NULL: OpenSSL failed. */
EVP_PKEY_CTX *rely_scratch_context(struct rely_scratch *scratch, const struct rely_verifier *verifier,
                                   enum rely_alg alg);

/* How many verifications by own arithmetic this thread has until one is repeated; 0: not drawn yet. */
uint32_t *rely_scratch_countdown(struct rely_scratch *scratch);

/* Numbers for this thread's computations. Never NULL. */
BN_CTX *rely_scratch_numbers(struct rely_scratch *scratch);

/**
 * Does an RS256, RS384 or RS512 signature verify?
 *
 * Spec:     RFC 8017 s8.2.2.
 * Returns:  1 yes, 0 no, -1 could not tell: another algorithm or length, no RSA key, or OpenSSL failed (then its error
 *           queue says how). The caller asks EVP.
 */
int rely_rsa_verify(const struct rely_verifier *verifier, enum rely_alg alg, BN_CTX *ctx, struct rely_slice digest,
                    struct rely_slice signature);

/* What this thread needs for tables; made at the first call. NULL: OpenSSL failed. */
struct rely_table_scratch *rely_scratch_tables(struct rely_scratch *scratch);

/* --- setup.c --- */

/* Is this verification by own arithmetic one that EVP repeats? Counts it as repeated. */
bool rely_signature_takes_sample(struct rely_scratch *scratch);

#define RELY_ALGS_ECDSA (1u << RELY_ALG_ES256 | 1u << RELY_ALG_ES384 | 1u << RELY_ALG_ES512)
/* One more signature under this key has verified. */
void rely_verifier_count_success(struct rely_verifier *verifier);

#endif

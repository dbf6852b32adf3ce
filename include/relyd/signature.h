/*
 * signature: does this signature verify under this key, with the algorithm that the key is bound to? The only maker
 * of a verified payload.
 */
#ifndef RELYD_SIGNATURE_H
#define RELYD_SIGNATURE_H

#include "relyd/token.h"

struct rely_key;
struct rely_keyset;
struct rely_keyset_limits;

/* --- by which arithmetic ------------------------------------------------------------------------------- */

struct rely_signature_options {
    /* OpenSSL's EVP alone judges RSA and ECDSA: keys get neither numbers nor tables, and fingerprints are HMAC-SHA-256.
     */
    bool is_evp_only;
    /* Of so many verifications by own arithmetic EVP repeats one, which one nobody can foresee; 0: none. */
    uint32_t recheck_one_in;
};

/**
 * Choose, once for the process. Without it: own arithmetic, and nothing is repeated.
 *
 * Thread:   before the first key is read and the first other thread is there.
 */
void rely_signature_setup(const struct rely_signature_options *options);

/* Was is_evp_only chosen? Thread: any. */
bool rely_signature_is_evp_only(void);

/* How many verifications EVP has repeated. Thread: any. */
uint64_t rely_signature_rechecks(void);

/* --- keys in force ---------------------------------------------------------------------------------------- */

/**
 * Read a key set that is to be in force: rely_keyset_parse_within, and a verifier for each of its keys.
 *
 * In:       limits - NULL: as for a set that has been accepted before (rely_keyset_parse).
 * Out:      the key set, or NULL with the fault. A key for which OpenSSL fails is skipped.
 * Fails:    RELY_ERR_INVALID. Owner:    the caller: rely_keyset_free.
 */
struct rely_keyset *rely_signature_accept(struct rely_slice jwks, const struct rely_keyset_limits *limits,
                                          struct rely_err *err);
/* Take the keys of `present` into a set that is to be in force (rely_keyset_join), with verifiers. False: then one token
 * would have more to try than it may (rely_keyset_keeps_tries), or OpenSSL failed, and the set is good for nothing. */
RELY_MUST_USE bool rely_signature_join(struct rely_keyset *keyset, const struct rely_keyset *present);
/* A key's number: never another key's in the life of the process; 0: its set was not accepted. */
uint64_t rely_signature_serial(const struct rely_key *key);

/* --- verifying ------------------------------------------------------------------------------------------- */

/* A payload whose signature verified. Only rely_signature_verify makes one. Borrowed like the token it came from. */
struct rely_verified {
    struct rely_view claims;
    const struct rely_key *key; /* borrowed from the snapshot: who signed */
};

/**
 * Check a token's signature under one key.
 *
 * Spec:     RFC 7515 s5.2; RFC 7518 s3.3 (PKCS#1 v1.5), s3.4 (ECDSA: R || S of exactly twice the field's length), s3.5
 *           (PSS, salt as long as the digest); RFC 8037 s3.1. The length is checked first; then EVP, whose only yes is
 *           1, or own arithmetic: an RSA key's numbers, an EC key's table. Of the latter EVP repeats a sample; where
 *           the two differ the process says so and ends, and whoever waits gets no answer (docs/decisions/0013).
 * In:       token - borrowed; key - one that rely_keys_find returned for it.
 * Out:      *out - set only on RELY_OK.
 * Reasons:  RELY_OK, RELY_BAD_SIGNATURE, RELY_INTERNAL_ERROR (the library failed for want of memory or the like, or the
 *           key is of a set that rely_signature_accept has not made).
 * Cost:     one public-key operation: 15 us (RSA-2048) to 0.9 ms (P-384 without a table). Leaves OpenSSL's error queue
 *           empty.
 */
enum rely_reason rely_signature_verify(const struct rely_unverified *token, const struct rely_key *key,
                                       struct rely_verified *out, struct rely_detail *detail);

/* What a refusal by rely_signature_verify has cost, in rely_key_cost's unit. 0: the length, or the numbers (ECDSA: r or
 * s not from 1 to n - 1; EdDSA: S not below L) were refused before any arithmetic. In: as for the refusal. */
uint32_t rely_signature_cost_of_refusal(const struct rely_unverified *token, const struct rely_key *key);

/* Has a signature ever verified under this key, since its set was accepted? Strangers cannot make one. Thread: any. */
bool rely_signature_has_verified(const struct rely_key *key);

/* --- tables ------------------------------------------------------------------------------------------- */

/* What makes the verifications under one key of P-256, P-384 or P-521 two to six times as fast. Immutable. */
struct rely_key_table;

/* The public point of an EC key, 04 || x || y: all that a table is made of, so that the key may go meanwhile. */
struct rely_key_point {
    uint8_t bytes[133];
    size_t len; /* tells the curve */
};

/* False: no EC key, and *out stays as it is. */
bool rely_key_point_of(const struct rely_key *key, struct rely_key_point *out);

/* A key asks for a table after this many signatures that verified. Strangers cannot make those. */
#define RELY_KEY_TABLE_SUCCESSES 32

/* Has this key verified so often, and not yet asked for one? True once in a key's life. Thread: any. */
bool rely_signature_wants_table(const struct rely_key *key);

/**
 * Make a table, and prove it against OpenSSL's ordinary multiplication.
 *
 * Out:      the table, or NULL: it cannot be had, and EVP goes on doing the work.
 * Owner:    the caller: rely_key_table_free, or rely_key_table_attach.
 * Cost:     10 to 30 ms, and up to 180 KiB: never on a worker.
 */
struct rely_key_table *rely_key_table_new(const struct rely_key_point *point);
void rely_key_table_free(struct rely_key_table *table);

/* Give a table, taken over, to the key whose point it was made of; it is freed with the key. False: it is another
 * key's, or the key has one; then it is freed now. Thread: the owner of the key set, while any others verify. */
bool rely_key_table_attach(const struct rely_key *key, struct rely_key_table *table);

/* How many tables keys have. Thread: any. */
size_t rely_key_tables_count(void);

#endif

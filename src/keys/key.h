/*
 * What a key is made of. Shared by keys/, which makes keys, and signature/, which uses them; nobody else includes it.
 */
#ifndef RELYD_KEYS_KEY_H
#define RELYD_KEYS_KEY_H

#include "relyd/json.h"
#include "relyd/keys.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdatomic.h>

struct rely_key_table;

/* Immutable after rely_keyset_parse, but for the table and what earns it. */
struct rely_key {
    struct rely_slice kid; /* owned; ptr NULL: it has none */
    char kind[24];
    uint64_t serial; /* never 0, never used again: a new key at a freed key's address is another key */
    rely_alg_set algs;
    size_t signature_bytes;     /* the only right length of a signature; EC: of R || S */
    EVP_PKEY *pkey;             /* owned */
    enum rely_alg prepared_alg; /* the first of algs */
    EVP_PKEY_CTX *prepared;     /* owned; ready to verify with prepared_alg, only duplicated. NULL: made when needed */
    BIGNUM *modulus;            /* owned; these three of RSA keys for RS256 and its like, else NULL and 0 */
    BN_MONT_CTX *by_modulus;    /* owned; Montgomery's arithmetic modulo it */
    uint32_t exponent;          /* odd, at least 3 */
    /* Signature's, which lies above: it hangs a table here, once, while workers read; until then NULL. */
    _Atomic(struct rely_key_table *) table; /* owned */
    void (*free_table)(struct rely_key_table *table);
    atomic_uint verified_count; /* EC: up to the number that earns a table; others: up to 1 */
    /* SHA-256 of the public key's DER (RFC 5280 s4.1.2.7): the same for the same key, whatever its kid and alg. */
    uint8_t material[RELY_MATERIAL_BYTES];
    uint32_t cost; /* rely_key_cost */
    size_t place;  /* in the document's array */
};

/* Where a named key is in its array. */
struct rely_kid_place {
    struct rely_slice kid; /* borrowed from the key */
    uint32_t index;
};

/* The named keys of an array, sorted. */
struct rely_by_kid {
    struct rely_kid_place *places; /* owned: room for the whole array */
    size_t count;
};

struct rely_keyset {
    struct rely_key_marks marks; /* first: snapshots read it there */
    struct rely_key *keys;       /* owned */
    size_t count;
    struct rely_keyset_skipped *skipped; /* owned, with their kids */
    size_t skipped_count;
    size_t taken_out_count; /* of those skipped */
    struct rely_by_kid keys_by_kid, skipped_by_kid;
};

/* Make: add each, in order, then sort. A kid without ptr is left out. */
void rely_by_kid_add(struct rely_by_kid *list, struct rely_slice kid, size_t index);
void rely_by_kid_sort(struct rely_by_kid *list);
/* The first place of a kid; look with the second whether it is there: for (at = find(...); is_at(...); at++). */
size_t rely_by_kid_find(const struct rely_by_kid *list, struct rely_slice kid);
bool rely_by_kid_is_at(const struct rely_by_kid *list, size_t at, struct rely_slice kid);

/* Say why a key is skipped; always returns false, for `return rely_key_skip(...)`. */
bool rely_key_skip(struct rely_keyset_skipped *skipped, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a key that is too weak to be used: a token naming it is told so. */
bool rely_key_skip_weak(struct rely_keyset_skipped *skipped, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read one JWK. *key, zero-filled before, is complete on true (rely_key_fini); *skipped says why on false. */
bool rely_jwk_read(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped);

/* The kty's members to key->pkey, kind, signature_bytes, and algs (all that the family and curve allow). */
bool rely_material_read(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped);

/* Is the modulus one of those that CVE-2017-15361 (ROCA) lets others factor? In: n - big-endian, at least one byte. */
bool rely_rsa_is_roca(struct rely_slice n);

/* Give the key its serial and compute what its verifications need, so that the first one after a rotation costs no
 * more than the others. False: OpenSSL failed. */
bool rely_key_prepare(struct rely_key *key);
/* From now on RSA keys get no numbers: EVP judges all their signatures. Before any other thread is there. */
void rely_key_forgo_numbers(bool is_forgone);
/* A context ready to verify with alg, one of key->algs but EdDSA. Owner: the caller, EVP_PKEY_CTX_free. NULL: OpenSSL
 * failed. Thread: any. */
EVP_PKEY_CTX *rely_key_context(const struct rely_key *key, enum rely_alg alg);
void rely_key_fini(struct rely_key *key);

/* Which digest: "SHA256", or NULL for EdDSA. */
const char *rely_alg_digest(enum rely_alg alg);

#endif

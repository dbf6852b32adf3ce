/*
 * What a key is made of: the inside of keys/. What signature/ sees of it is in verifiable.h.
 */
#ifndef RELYD_KEYS_KEY_H
#define RELYD_KEYS_KEY_H

#include "relyd/json.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/snapshot.h"

#include "verifiable.h"

#include <openssl/evp.h>
#include <stdatomic.h>

/* What is not of the key, but of its life here. */
struct rely_key_times {
    atomic_int_least64_t used_s; /* any thread */
    int64_t first_seen_s;        /* set before a snapshot has the key */
};

/* Immutable after rely_keyset_parse, but for the verifier that a set which is accepted gets once. */
struct rely_key {
    struct rely_slice kid; /* owned; ptr NULL: it has none */
    char kind[24];
    rely_alg_set algs;
    size_t signature_bytes; /* the only right length of a signature; EC: of R || S */
    EVP_PKEY *pkey;         /* owned */
    /* signature/'s, opaque here; NULL until rely_keyset_equip. Owned: `release` frees it. */
    struct rely_verifier *verifier;
    void (*release)(struct rely_verifier *verifier);
    /* SHA-256 of its kind and numbers: the same for the same public key, whatever its kid, alg and spelling. */
    uint8_t material[RELY_MATERIAL_BYTES];
    uint32_t multiplications;     /* modulo n, that an RSA key's exponent asks for: 17 for 65537 */
    uint32_t cost;                /* rely_key_cost */
    const char *costly;           /* static: why it is used only where costly keys may be; NULL: it is not costly */
    size_t place;                 /* in the document's array */
    struct rely_key_times *times; /* owned */
    bool is_guest;                /* rely_key_is_guest */
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
    int64_t refresh_hint_s; /* a SPIFFE bundle's; 0: none */
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

/* The kty's members to key->pkey, kind, signature_bytes, material, multiplications, and algs (all that the family and
 * curve allow). */
bool rely_material_read(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped);
/* A public key by OpenSSL's name of its type. NULL: it is refused. Owner: the caller. */
EVP_PKEY *rely_material_pkey(const char *type, OSSL_PARAM *params);

/* Is the modulus one of those that CVE-2017-15361 (ROCA) lets others factor? In: n - big-endian, at least one byte. */
bool rely_rsa_is_roca(struct rely_slice n);

void rely_key_fini(struct rely_key *key);

/* The same public key, under the same name and for the same algorithms? */
bool rely_key_is_same(const struct rely_key *a, const struct rely_key *b);
/* What a set is searched by, anew. */
void rely_keyset_index(struct rely_keyset *keyset);

/* times.c */
struct rely_key_times *rely_key_times_new(void);
void rely_key_copy_times(struct rely_key *to, const struct rely_key *from);

#endif

/*
 * signature: does this signature verify under this key, with the algorithm that the key is bound to? The only maker
 * of a verified payload.
 */
#ifndef RELYD_SIGNATURE_H
#define RELYD_SIGNATURE_H

#include "relyd/keys.h"

/* A payload whose signature verified. Only rely_signature_verify makes one. Borrowed like the token it came from. */
struct rely_verified {
    struct rely_view claims;
    const struct rely_key *key; /* borrowed from the snapshot: who signed */
};

/**
 * Check a token's signature under one key.
 *
 * Spec:     RFC 7515 s5.2; RFC 7518 s3.3 (PKCS#1 v1.5), s3.4 (ECDSA: R || S of exactly twice the field's length), s3.5
 * (PSS, salt as long as the digest); RFC 8037 s3.1. The length is checked first; then EVP, whose only yes is 1. In:
 * token - borrowed; key - one that rely_keys_find returned for it. Out:      *out - set only on RELY_OK. Reasons:
 * RELY_OK, RELY_BAD_SIGNATURE, RELY_INTERNAL_ERROR (the library failed for want of memory or the like). Cost:     one
 * public-key operation: 15 us (RSA-2048) to 0.5 ms (P-384). Leaves OpenSSL's error queue empty.
 */
enum rely_reason rely_signature_verify(const struct rely_unverified *token, const struct rely_key *key,
                                       struct rely_verified *out, struct rely_detail *detail);

/* --- a token's fingerprint ---------------------------------------------------------------------------- */

/* A secret of one cache, with OpenSSL's state. Not thread-safe. */
struct rely_mac_key;

/* 128 bits that stand for a text as long as the key, and all values made with it, stay inside this process. */
struct rely_mac {
    uint64_t word[2];
};

/* A random key. Owner: the caller: rely_mac_key_free. */
struct rely_mac_key *rely_mac_key_new(void);
void rely_mac_key_free(struct rely_mac_key *key);

/**
 * The keyed fingerprint of a text, for telling whether the very same token was seen.
 *
 * Spec:     Poly1305 (RFC 8439 s2.5) as an almost-universal hash: without the key, two different texts of at most 64
 * KiB collide with a probability of at most 8 * 4096 / 2^106 = 2^-91 (Bernstein 2005, theorem 3.3). That holds because
 * no value ever leaves the process, so the rule of one message a key, which protects published tags, does not apply.
 * Cost:     0.18 us for 1,000 bytes; SHA-256 takes 0.7.
 */
struct rely_mac rely_mac_of(struct rely_mac_key *key, struct rely_slice text);

#endif

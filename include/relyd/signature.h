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

#endif

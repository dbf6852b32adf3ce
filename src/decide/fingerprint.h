/*
 * A token's fingerprint: what the token cache looks tokens up by, and nobody else sees.
 */
#ifndef RELYD_DECIDE_FINGERPRINT_H
#define RELYD_DECIDE_FINGERPRINT_H

#include "relyd/base.h"

/* A secret of one cache. */
struct rely_fingerprint_key;

/* What stands for a text of at most RELY_TOKEN_BYTES_MAX bytes, as long as the key, and all values made with it, stay
 * inside this process. */
struct rely_fingerprint {
    uint64_t word[4];
    uint64_t len; /* of the text: only texts of one length may be compared by the words */
};

/* A random key, of the kind that rely_signature_setup chose. Owner: the caller: rely_fingerprint_key_free. */
struct rely_fingerprint_key *rely_fingerprint_key_new(void);
void rely_fingerprint_key_free(struct rely_fingerprint_key *key);

/**
 * The keyed fingerprint of a text, for telling whether the very same token was seen.
 *
 * Spec:     NH with 64-bit words, twice, the second key shifted by one pair of words (Black, Halevi, Krawczyk, Krovetz,
 * Rogaway: UMAC, 1999, sections 4.2 and 4.3): for any two different texts of one length, chosen without knowing the
 * key, both sums are equal with a probability of at most 2^-128. No MAC: it must not be shown. What a hit rests on,
 * and why that holds even for who knows the key: docs/decisions/0007. EVP only: HMAC-SHA-256.
 * In:       text - at most RELY_TOKEN_BYTES_MAX bytes.  Thread: the key's owner alone.
 * Cost:     0.1 us for 1,000 bytes; Poly1305 takes twice, SHA-256 seven times that.
 */
struct rely_fingerprint rely_fingerprint_of(const struct rely_fingerprint_key *key, struct rely_slice text);
bool rely_fingerprint_is_same(const struct rely_fingerprint *a, const struct rely_fingerprint *b);
/* A number to find a place in a table by: evenly spread, and not to be foreseen without the key. */
uint64_t rely_fingerprint_scatter(const struct rely_fingerprint *print);

#endif

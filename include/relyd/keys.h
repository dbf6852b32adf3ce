/*
 * keys: one public key, and which keys of a set may have signed a token. Key sets are in keyset.h.
 */
#ifndef RELYD_KEYS_H
#define RELYD_KEYS_H

#include "relyd/limits.h"
#include "relyd/token.h"

/* One public key. Immutable; what signature/ prepares for it, and goes on preparing while others verify, is behind an
 * opaque pointer (struct rely_verifier). */
struct rely_key;
struct rely_keyset; /* keyset.h */

/* ptr NULL: it has none. */
struct rely_slice rely_key_kid(const struct rely_key *key);
/* The algorithms that this key may be used with: its family and curve, narrowed by the JWK's `alg`. */
rely_alg_set rely_key_algs(const struct rely_key *key);
/* RELY_MATERIAL_BYTES that are the same for the same public key, whatever its kid, alg and spelling. Borrowed. */
const uint8_t *rely_key_material(const struct rely_key *key);
/* What verifying one signature under this key costs, with one of RSA-2048 as 1. */
uint32_t rely_key_cost(const struct rely_key *key);
/* For people: "RSA 2048", "EC P-256", "OKP Ed25519". */
const char *rely_key_kind(const struct rely_key *key);

/**
 * Collect the keys that may have signed a token.
 *
 * Spec:     RFC 7515 s4.1.4, RFC 8725 s3.1: alg must fit the key. Several keys may share a kid (RFC 7517 s4.5): all are
 *           candidates. Without a kid every key that fits the alg is one. More than RELY_KEY_TRIES_MAX candidates are
 *           refused, not tried in part: which key wins must not depend on their order.
 * In:       token - its alg is known to be allowed by the issuer.
 * Out:      *out, *count - set only on RELY_OK, then count >= 1.
 * Reasons:  RELY_OK; RELY_KEY_UNKNOWN (no such kid, no key fits, or too many do); RELY_ALGORITHM_NOT_ALLOWED (the kid
 * is there, but no key of that name fits the alg); RELY_WEAK_KEY (the kid names a skipped weak key).
 */
enum rely_reason rely_keys_find(const struct rely_keyset *keyset, const struct rely_unverified *token,
                                const struct rely_key *out[RELY_KEY_TRIES_MAX], size_t *count,
                                struct rely_detail *detail);

/* How many keys fit the token, also when rely_keys_find refuses them for being too many. */
size_t rely_keys_count_fitting(const struct rely_keyset *keyset, const struct rely_unverified *token);

#endif

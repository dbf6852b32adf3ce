/*
 * What signature/ sees of a key, and nobody else: what to verify with, and the place where a key keeps the verifier that
 * signature/ makes of it.
 */
#ifndef RELYD_KEYS_VERIFIABLE_H
#define RELYD_KEYS_VERIFIABLE_H

#include "relyd/base.h"

#include <openssl/evp.h>

struct rely_key;
struct rely_keyset;
struct rely_verifier;

/* OpenSSL's public key. Borrowed from the key. */
EVP_PKEY *rely_key_pkey(const struct rely_key *key);
/* The only right length of a signature; EC: of R || S. */
size_t rely_key_signature_bytes(const struct rely_key *key);
/* NULL: the key's set was never accepted. Borrowed from the key. */
struct rely_verifier *rely_key_verifier(const struct rely_key *key);

/**
 * Give every usable key of a set its verifier, but those that have one.
 *
 * In:       keyset - that nobody else has yet; make - NULL from it: the key is skipped; release - frees what it made.
 * Fails:    RELY_ERR_INVALID: that left nothing of the set, as rely_keyset_parse says.
 */
RELY_MUST_USE bool rely_keyset_equip(struct rely_keyset *keyset,
                                     struct rely_verifier *(*make)(const struct rely_key *key),
                                     void (*release)(struct rely_verifier *verifier), struct rely_err *err);

#endif

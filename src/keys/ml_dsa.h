/* What material.c and keyset.c need of ML-DSA's parameter sets. */
#ifndef RELYD_KEYS_ML_DSA_H
#define RELYD_KEYS_ML_DSA_H

#include "relyd/token.h"

#include <openssl/evp.h>

struct rely_ml_dsa {
    enum rely_alg alg;
    size_t key_bytes, signature_bytes; /* the only right lengths */
    uint32_t cost;                     /* rely_key_cost */
};

/* NULL: the algorithm is not ML-DSA. Static. */
const struct rely_ml_dsa *rely_ml_dsa_of(enum rely_alg alg);
/* A public key of an algorithm that is available. In: public_key - key_bytes. NULL: the provider refuses it. Owner: the
 * caller. */
EVP_PKEY *rely_ml_dsa_pkey(const struct rely_ml_dsa *set, struct rely_slice public_key);

#endif

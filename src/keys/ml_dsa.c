/*
 * ML-DSA (FIPS 204) as OpenSSL's providers have it: which parameter sets there are, and which of them this process can
 * verify. OpenSSL 3.5 has them under the names of FIPS 204, oqsprovider under its own; earlier ones have none. Nothing
 * of the algorithm itself is here. Called at the start, by material.c and by decide/.
 */
#include "ml_dsa.h"
#include "key.h"

#include "relyd/ml_dsa.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

/* FIPS 204 table 2. No library of ours verifies: the costs are guesses on the high side, so that what strangers may
 * cause by wrong signatures is rather too little than too much. */
static const struct rely_ml_dsa sets[] = {
    {RELY_ALG_ML_DSA_44, 1312, 2420, 8},
    {RELY_ALG_ML_DSA_65, 1952, 3309, 12},
    {RELY_ALG_ML_DSA_87, 2592, 4627, 16},
};
#define SETS (sizeof sets / sizeof sets[0])

static const char *const names[SETS][2] = {
    {"ML-DSA-44", "mldsa44"}, {"ML-DSA-65", "mldsa65"}, {"ML-DSA-87", "mldsa87"}};

/* Static names, NULL: not offered. Written before there are threads, only read afterwards. */
static const char *offered[SETS];

/* Keys and signatures are two offers, and a provider may have one without the other. */
static bool has_by_name(const char *name)
{
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, name, NULL);
    EVP_SIGNATURE *signatures = EVP_SIGNATURE_fetch(NULL, name, NULL);
    bool has_both = keys != NULL && signatures != NULL;
    EVP_KEYMGMT_free(keys);
    EVP_SIGNATURE_free(signatures);
    return has_both;
}

bool rely_ml_dsa_setup(bool is_wanted)
{
    bool has_any = false;
    for (size_t i = 0; i < SETS; i++) {
        offered[i] = NULL;
        for (size_t n = 0; n < 2 && is_wanted && offered[i] == NULL; n++)
            if (has_by_name(names[i][n]))
                offered[i] = names[i][n];
        has_any |= offered[i] != NULL;
    }
    ERR_clear_error();
    return has_any;
}

bool rely_alg_is_unavailable(enum rely_alg alg)
{
    return rely_alg_is_ml_dsa(alg) && offered[alg - RELY_ALG_ML_DSA_44] == NULL;
}

const struct rely_ml_dsa *rely_ml_dsa_of(enum rely_alg alg)
{
    return rely_alg_is_ml_dsa(alg) ? &sets[alg - RELY_ALG_ML_DSA_44] : NULL;
}

EVP_PKEY *rely_ml_dsa_pkey(const struct rely_ml_dsa *set, struct rely_slice public_key)
{
    const char *name = offered[set->alg - RELY_ALG_ML_DSA_44];
    RELY_ASSERT(name != NULL && public_key.len == set->key_bytes);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, rely_as_owner(public_key.ptr), public_key.len),
        OSSL_PARAM_construct_end(),
    };
    return rely_material_pkey(name, params);
}

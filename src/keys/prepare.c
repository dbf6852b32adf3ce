/*
 * Sets up OpenSSL's contexts once per key and algorithm: looking methods up and setting the padding anew would add
 * 2.5 us to each verification, and take shared locks. Decides nothing: which algorithms a key may be used with has
 * been settled in jwk.c. Called by keyset.c.
 */
#include "key.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

const char *rely_alg_digest(enum rely_alg alg)
{
    switch (alg) {
    case RELY_ALG_RS256:
    case RELY_ALG_PS256:
    case RELY_ALG_ES256:
        return "SHA256";
    case RELY_ALG_RS384:
    case RELY_ALG_PS384:
    case RELY_ALG_ES384:
        return "SHA384";
    case RELY_ALG_RS512:
    case RELY_ALG_PS512:
    case RELY_ALG_ES512:
        return "SHA512";
    default:
        return NULL;
    }
}

static bool set_padding(EVP_PKEY_CTX *ctx, enum rely_alg alg)
{
    if (alg >= RELY_ALG_RS256 && alg <= RELY_ALG_RS512)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    if (alg < RELY_ALG_PS256 || alg > RELY_ALG_PS512)
        return true;
    /* RFC 7518 s3.5: MGF1 with the same digest, and a salt of its length. Not "any length": one rule, one spelling. */
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, rely_alg_digest(alg), NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static EVP_PKEY_CTX *prepare_context(EVP_PKEY *pkey, enum rely_alg alg)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, rely_alg_digest(alg), NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool is_ready = digest != NULL && ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && set_padding(ctx, alg) &&
                    EVP_PKEY_CTX_set_signature_md(ctx, digest) == 1;
    EVP_MD_free(digest);
    if (is_ready)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

bool rely_key_prepare(struct rely_key *key)
{
    static atomic_uint_fast64_t serials;
    key->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    for (enum rely_alg alg = RELY_ALG_RS256; alg < RELY_ALG_COUNT; alg++) {
        if ((key->algs & (1u << alg)) == 0 || rely_alg_digest(alg) == NULL)
            continue;
        key->prepared[alg] = prepare_context(key->pkey, alg);
        if (key->prepared[alg] == NULL) {
            ERR_clear_error();
            return false;
        }
    }
    return true;
}

void rely_key_fini(struct rely_key *key)
{
    for (size_t alg = 0; alg < RELY_ALG_COUNT; alg++)
        EVP_PKEY_CTX_free(key->prepared[alg]);
    EVP_PKEY_free(key->pkey);
    free((char *)key->kid.ptr);
}

/*
 * Computes once per key what every verification needs: RSA's numbers, or OpenSSL's context, since looking methods up
 * and setting the padding anew would add 2.5 us to each verification, and take shared locks. Decides nothing: which
 * algorithms a key may be used with has been settled in jwk.c. Called by keyset.c.
 */
#include "key.h"

#include <openssl/core_names.h>
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
    case RELY_ALG_UNKNOWN:
    case RELY_ALG_EDDSA: /* hashes by itself (RFC 8032 s5.1) */
    case RELY_ALG_COUNT:
        break;
    }
    return NULL;
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

EVP_PKEY_CTX *rely_key_context(const struct rely_key *key, enum rely_alg alg)
{
    return key->prepared != NULL && alg == key->prepared_alg ? EVP_PKEY_CTX_dup(key->prepared)
                                                             : prepare_context(key->pkey, alg);
}

/* Written before there are threads, only read afterwards. */
static bool are_numbers_forgone;

void rely_key_forgo_numbers(bool is_forgone)
{
    are_numbers_forgone = is_forgone;
}

static bool prepare_numbers(struct rely_key *key)
{
    BIGNUM *exponent = NULL;
    BN_CTX *ctx = BN_CTX_new();
    key->by_modulus = BN_MONT_CTX_new();
    bool is_ready = ctx != NULL && key->by_modulus != NULL &&
                    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &key->modulus) == 1 &&
                    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                    BN_MONT_CTX_set(key->by_modulus, key->modulus, ctx) == 1;
    key->exponent = is_ready ? (uint32_t)BN_get_word(exponent) : 0; /* material.c: at most 32 bits */
    BN_free(exponent);
    BN_CTX_free(ctx);
    return is_ready;
}

static enum rely_alg first_alg(rely_alg_set algs)
{
    enum rely_alg alg = RELY_ALG_RS256;
    while (alg < RELY_ALG_COUNT && (algs & (1u << alg)) == 0)
        alg++;
    return alg;
}

/* One context at most, not one for each algorithm: whole fleets sign with one, and memory is what makes ten thousand
 * issuers slow. A worker that needs another makes it itself. */
bool rely_key_prepare(struct rely_key *key)
{
    static atomic_uint_fast64_t serials;
    bool is_ready = true;
    key->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    key->prepared_alg = first_alg(key->algs);
    if (key->prepared_alg <= RELY_ALG_RS512 && !are_numbers_forgone)
        is_ready = prepare_numbers(key);
    else if (key->prepared_alg != RELY_ALG_EDDSA)
        is_ready = (key->prepared = prepare_context(key->pkey, key->prepared_alg)) != NULL;
    if (!is_ready)
        ERR_clear_error();
    return is_ready;
}

void rely_key_fini(struct rely_key *key)
{
    struct rely_key_table *table = atomic_load_explicit(&key->table, memory_order_acquire);
    if (table != NULL)
        key->free_table(table);
    EVP_PKEY_CTX_free(key->prepared);
    BN_MONT_CTX_free(key->by_modulus);
    BN_free(key->modulus);
    EVP_PKEY_free(key->pkey);
    free((char *)key->kid.ptr);
}

/*
 * Computes once per key what every verification needs: RSA's numbers, or OpenSSL's context, since looking methods up
 * and setting the padding anew would add 2.5 us to each verification, and take shared locks. Decides nothing: which
 * algorithms a key may be used with is decided in keys/jwk.c. Called by whoever accepts a key set.
 */
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "verify.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
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
    case RELY_ALG_EDDSA:     /* hashes by itself (RFC 8032 s5.1) */
    case RELY_ALG_ML_DSA_44: /* and so do these (FIPS 204) */
    case RELY_ALG_ML_DSA_65:
    case RELY_ALG_ML_DSA_87:
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

EVP_PKEY_CTX *rely_verifier_context(const struct rely_verifier *verifier, enum rely_alg alg)
{
    return verifier->prepared != NULL && alg == verifier->prepared_alg ? EVP_PKEY_CTX_dup(verifier->prepared)
                                                                       : prepare_context(verifier->pkey, alg);
}

static bool prepare_numbers(struct rely_verifier *verifier)
{
    BIGNUM *exponent = NULL;
    BN_CTX *ctx = BN_CTX_new();
    verifier->by_modulus = BN_MONT_CTX_new();
    bool is_ready = ctx != NULL && verifier->by_modulus != NULL &&
                    EVP_PKEY_get_bn_param(verifier->pkey, OSSL_PKEY_PARAM_RSA_N, &verifier->modulus) == 1 &&
                    EVP_PKEY_get_bn_param(verifier->pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                    BN_MONT_CTX_set(verifier->by_modulus, verifier->modulus, ctx) == 1;
    verifier->exponent = is_ready ? (uint32_t)BN_get_word(exponent) : 0; /* keys/material.c: at most 32 bits */
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
struct rely_verifier *rely_verifier_new(const struct rely_key *key)
{
    static atomic_uint_fast64_t serials;
    struct rely_verifier *verifier = rely_alloc(sizeof *verifier);
    bool is_ready = true;
    verifier->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    verifier->algs = rely_key_algs(key);
    verifier->signature_bytes = rely_key_signature_bytes(key);
    verifier->pkey = rely_key_pkey(key);
    verifier->prepared_alg = first_alg(verifier->algs);
    if (verifier->prepared_alg <= RELY_ALG_RS512 && !rely_signature_is_evp_only())
        is_ready = prepare_numbers(verifier);
    else if (rely_alg_digest(verifier->prepared_alg) != NULL)
        is_ready = (verifier->prepared = prepare_context(verifier->pkey, verifier->prepared_alg)) != NULL;
    if (is_ready)
        return verifier;
    ERR_clear_error();
    rely_verifier_free(verifier);
    return NULL;
}

void rely_verifier_free(struct rely_verifier *verifier)
{
    struct rely_key_table *table = atomic_load_explicit(&verifier->table, memory_order_acquire);
    if (table != NULL)
        rely_key_table_release(table);
    EVP_PKEY_CTX_free(verifier->prepared);
    BN_MONT_CTX_free(verifier->by_modulus);
    BN_free(verifier->modulus);
    free(verifier);
}

struct rely_keyset *rely_signature_accept(struct rely_slice jwks, const struct rely_keyset_limits *limits,
                                          struct rely_err *err)
{
    struct rely_keyset *keyset =
        limits == NULL ? rely_keyset_parse(jwks, err) : rely_keyset_parse_within(jwks, limits, err);
    if (keyset == NULL || rely_keyset_equip(keyset, rely_verifier_new, rely_verifier_free, err))
        return keyset;
    rely_keyset_free(keyset);
    return NULL;
}

bool rely_signature_join(struct rely_keyset *keyset, const struct rely_keyset *present)
{
    size_t skipped = rely_keyset_skipped_count(keyset);
    rely_keyset_join(keyset, present);
    return rely_keyset_equip(keyset, rely_verifier_new, rely_verifier_free, &(struct rely_err){0}) &&
           rely_keyset_skipped_count(keyset) == skipped && rely_keyset_keeps_tries(keyset, present);
}

uint64_t rely_signature_serial(const struct rely_key *key)
{
    const struct rely_verifier *verifier = rely_key_verifier(key);
    return verifier == NULL ? 0 : verifier->serial;
}

/*
 * Sets up OpenSSL's context once per key: looking methods up and setting the padding anew would add
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

EVP_PKEY_CTX *rely_key_context(const struct rely_key *key, enum rely_alg alg)
{
    return alg == key->prepared_alg ? EVP_PKEY_CTX_dup(key->prepared) : prepare_context(key->pkey, alg);
}

/* OpenSSL computes an RSA key's Montgomery constants at its first use: 8 us that the first token after a rotation would
 * pay. Any signature will do; the answer does not matter. */
static bool warm_up(const struct rely_key *key)
{
    static const uint8_t digest[EVP_MAX_MD_SIZE];
    const EVP_MD *method = NULL;
    uint8_t *signature = rely_alloc(key->signature_bytes);
    EVP_PKEY_CTX *ctx = rely_key_context(key, key->prepared_alg);
    bool is_ready = ctx != NULL && EVP_PKEY_CTX_get_signature_md(ctx, &method) == 1;
    signature[key->signature_bytes - 1] = 1;
    if (is_ready)
        (void)EVP_PKEY_verify(ctx, signature, key->signature_bytes, digest, (size_t)EVP_MD_get_size(method));
    ERR_clear_error();
    free(signature);
    EVP_PKEY_CTX_free(ctx);
    return is_ready;
}

static enum rely_alg first_alg(rely_alg_set algs)
{
    enum rely_alg alg = RELY_ALG_RS256;
    while (alg < RELY_ALG_COUNT && (algs & (1u << alg)) == 0)
        alg++;
    return alg;
}

/* One context, not one for each algorithm: whole fleets sign with one, and memory is what makes ten thousand issuers
 * slow. A worker that needs another makes it itself. */
bool rely_key_prepare(struct rely_key *key)
{
    static atomic_uint_fast64_t serials;
    key->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    key->prepared_alg = first_alg(key->algs);
    if (key->prepared_alg == RELY_ALG_EDDSA)
        return true;
    key->prepared = prepare_context(key->pkey, key->prepared_alg);
    bool is_ready = key->prepared != NULL && (key->prepared_alg > RELY_ALG_PS512 || warm_up(key));
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
    EVP_PKEY_free(key->pkey);
    free((char *)key->kid.ptr);
}

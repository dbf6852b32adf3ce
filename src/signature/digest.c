/*
 * SHA-256 and HMAC for those that may not spell OpenSSL. Decides nothing. Called by the check, for values too long for
 * a header, and by decide/fingerprint.c.
 */
#include "relyd/digest.h"

#include "verify.h"

#include <openssl/core_names.h>
#include <stdlib.h>

bool rely_signature_sha256(struct rely_slice bytes, uint8_t out[RELY_SHA256_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct rely_scratch *scratch = rely_scratch_get();
    if (scratch == NULL || rely_scratch_digest(scratch, RELY_ALG_RS256, bytes, digest) != RELY_SHA256_BYTES)
        return false;
    memcpy(out, digest, RELY_SHA256_BYTES);
    return true;
}

struct rely_hmac {
    EVP_MAC_CTX *ctx; /* owned */
};

struct rely_hmac *rely_hmac_new(const uint8_t key[RELY_HMAC_KEY_BYTES])
{
    static char digest[] = "SHA256";
    const OSSL_PARAM options[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                  OSSL_PARAM_construct_end()};
    struct rely_hmac *hmac = rely_alloc(sizeof *hmac);
    EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
    hmac->ctx = method == NULL ? NULL : EVP_MAC_CTX_new(method);
    bool is_ready = hmac->ctx != NULL && EVP_MAC_init(hmac->ctx, key, RELY_HMAC_KEY_BYTES, options) == 1;
    RELY_ASSERT(is_ready);
    EVP_MAC_free(method);
    return hmac;
}

void rely_hmac_free(struct rely_hmac *hmac)
{
    if (hmac == NULL)
        return;
    EVP_MAC_CTX_free(hmac->ctx);
    free(hmac);
}

void rely_hmac_of(struct rely_hmac *hmac, struct rely_slice text, uint8_t out[RELY_SHA256_BYTES])
{
    size_t len = 0;
    bool is_done = EVP_MAC_init(hmac->ctx, NULL, 0, NULL) == 1 &&
                   EVP_MAC_update(hmac->ctx, (const uint8_t *)text.ptr, text.len) == 1 &&
                   EVP_MAC_final(hmac->ctx, out, &len, RELY_SHA256_BYTES) == 1;
    RELY_ASSERT(is_done && len == RELY_SHA256_BYTES);
}

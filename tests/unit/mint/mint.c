/*
 * Signatures and tokens: signs what it is given, right or wrong. The header is never looked at.
 */
#include "mint_private.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static const EVP_MD *digest_of(const char *alg)
{
    if (strcmp(alg, "EdDSA") == 0)
        return NULL;
    if (strcmp(alg, "RS1") == 0)
        return EVP_sha1();
    if (strcmp(alg + 2, "256") == 0)
        return EVP_sha256();
    return strcmp(alg + 2, "384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* DER to R || S (RFC 7518 s3.4). */
static struct rely_slice flatten_der(const struct mint_key *key, const unsigned char *der, size_t len)
{
    int half = (EVP_PKEY_get_bits(key->pkey) + 7) / 8;
    unsigned char *out = (unsigned char *)mint_keep(2 * (size_t)half);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    MINT_CHECK(sig != NULL);
    MINT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half) == half);
    MINT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half) == half);
    ECDSA_SIG_free(sig);
    return rely_slice((char *)out, 2 * (size_t)half);
}

struct rely_slice mint_der(struct rely_slice raw)
{
    int half = (int)raw.len / 2;
    const unsigned char *bytes = (const unsigned char *)raw.ptr;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, half, NULL), *s = BN_bin2bn(bytes + half, half, NULL);
    MINT_CHECK(sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1);
    unsigned char *der = NULL;
    int len = i2d_ECDSA_SIG(sig, &der);
    MINT_CHECK(len > 0);
    struct rely_slice out = mint_copy(rely_slice((char *)der, (size_t)len));
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return out;
}

struct rely_slice mint_sign(const struct mint_key *key, const char *alg, struct rely_slice bytes)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    MINT_CHECK(ctx != NULL && EVP_DigestSignInit(ctx, &pkey_ctx, digest_of(alg), NULL, key->pkey) == 1);
    if (alg[0] == 'P') {
        MINT_CHECK(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1);
        MINT_CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    size_t len = 2048;
    unsigned char *out = (unsigned char *)mint_keep(len);
    MINT_CHECK(EVP_DigestSign(ctx, out, &len, (const unsigned char *)bytes.ptr, bytes.len) == 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(key->pkey, "EC"))
        return flatten_der(key, out, len);
    return rely_slice((char *)out, len);
}

struct rely_slice mint_hmac(const char *alg, struct rely_slice secret, struct rely_slice bytes)
{
    unsigned len = 0;
    unsigned char *out = (unsigned char *)mint_keep(EVP_MAX_MD_SIZE);
    MINT_CHECK(HMAC(digest_of(alg), secret.len == 0 ? "" : secret.ptr, (int)secret.len,
                    (const unsigned char *)bytes.ptr, bytes.len, out, &len) != NULL);
    return rely_slice((char *)out, len);
}

static const char *finish_token(const struct mint_key *key, const char *alg, const char *signed_text)
{
    if (alg == NULL)
        return mint_print("%s.", signed_text);
    return mint_print("%s.%s", signed_text, mint_base64(mint_sign(key, alg, rely_slice_of(signed_text))));
}

const char *mint_token_as_sent(const struct mint_key *key, const char *alg, const char *header_text,
                               const char *payload_text)
{
    return finish_token(key, alg, mint_print("%s.%s", header_text, payload_text));
}

const char *mint_token_bytes(const struct mint_key *key, const char *alg, struct rely_slice header,
                             struct rely_slice payload)
{
    return mint_token_as_sent(key, alg, mint_base64(header), mint_base64(payload));
}

const char *mint_token(const struct mint_key *key, const char *alg, const char *header, const char *payload)
{
    return mint_token_bytes(key, alg, rely_slice_of(header), rely_slice_of(payload));
}

struct rely_slice mint_signed_bytes(const char *header, const char *payload)
{
    return rely_slice_of(mint_print("%s.%s", mint_base64(rely_slice_of(header)), mint_base64(rely_slice_of(payload))));
}

const char *mint_token_around(const char *header, const char *payload, struct rely_slice signature)
{
    return mint_print("%s.%s", mint_signed_bytes(header, payload).ptr, mint_base64(signature));
}

const char *mint_token_hmac(const char *alg, struct rely_slice secret, const char *header, const char *payload)
{
    return mint_token_around(header, payload, mint_hmac(alg, secret, mint_signed_bytes(header, payload)));
}

struct rely_slice mint_part(const char *token, int part)
{
    for (; part > 0; part--) {
        token = strchr(token, '.');
        MINT_CHECK(token != NULL);
        token++;
    }
    return mint_decode(mint_print("%.*s", (int)strcspn(token, "."), token));
}

const char *mint_resign(const char *token, struct rely_slice signature)
{
    const char *last = strrchr(token, '.');
    MINT_CHECK(last != NULL);
    return mint_print("%.*s.%s", (int)(last - token), token, mint_base64(signature));
}

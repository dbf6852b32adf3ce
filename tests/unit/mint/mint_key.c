/*
 * Key pairs by name, made once per process, and their public halves as JWK and in the formats that attacks use.
 */
#include "mint_private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

static const struct mint_key *keys; /* never freed: a key is used by many tests */

static EVP_PKEY *generate_rsa(int bits, unsigned long exponent)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new();
    MINT_CHECK(ctx != NULL && e != NULL && BN_set_word(e, exponent) == 1);
    MINT_CHECK(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) == 1);
    MINT_CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) == 1 && EVP_PKEY_generate(ctx, &pkey) == 1);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *generate(const char *kind)
{
    static const struct {
        const char *kind, *curve;
    } curves[] = {{"p256", "P-256"}, {"p384", "P-384"}, {"p521", "P-521"}, {"secp256k1", "secp256k1"}};
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (strcmp(kind, curves[i].kind) == 0)
            return EVP_EC_gen(curves[i].curve);
    if (strcmp(kind, "ed25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (strcmp(kind, "rsa2048e3") == 0)
        return generate_rsa(2048, 3);
    MINT_CHECK(strncmp(kind, "rsa", 3) == 0);
    return generate_rsa(atoi(kind + 3), 65537);
}

const struct mint_key *mint_key(const char *kind)
{
    for (const struct mint_key *key = keys; key != NULL; key = key->next)
        if (strcmp(key->name, kind) == 0)
            return key;
    struct mint_key *made = calloc(1, sizeof(*made));
    MINT_CHECK(made != NULL);
    char plain[64];
    snprintf(made->name, sizeof(made->name), "%s", kind);
    snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(kind, "#"), kind);
    made->pkey = generate(plain);
    MINT_CHECK(made->pkey != NULL);
    made->next = keys;
    keys = made;
    return made;
}

static struct rely_slice read_number(const struct mint_key *key, const char *param, size_t len)
{
    BIGNUM *number = NULL;
    MINT_CHECK(EVP_PKEY_get_bn_param(key->pkey, param, &number) == 1);
    if (len == 0)
        len = (size_t)BN_num_bytes(number);
    char *out = mint_keep(len);
    MINT_CHECK(BN_bn2binpad(number, (unsigned char *)out, (int)len) == (int)len);
    BN_clear_free(number);
    return rely_slice(out, len);
}

struct rely_slice mint_key_part(const struct mint_key *key, const char *part)
{
    char which = part[0];
    if (EVP_PKEY_is_a(key->pkey, "RSA"))
        return read_number(key, which == 'n' ? OSSL_PKEY_PARAM_RSA_N : which == 'e' ? "e" : "d", 0);
    if (EVP_PKEY_is_a(key->pkey, "ED25519")) {
        size_t len = 32;
        unsigned char *out = (unsigned char *)mint_keep(len);
        MINT_CHECK((which == 'd' ? EVP_PKEY_get_raw_private_key(key->pkey, out, &len)
                                 : EVP_PKEY_get_raw_public_key(key->pkey, out, &len)) == 1);
        return rely_slice((char *)out, len);
    }
    size_t len = (size_t)(EVP_PKEY_get_bits(key->pkey) + 7) / 8;
    return read_number(key,
                       which == 'x'   ? OSSL_PKEY_PARAM_EC_PUB_X
                       : which == 'y' ? OSSL_PKEY_PARAM_EC_PUB_Y
                                      : OSSL_PKEY_PARAM_PRIV_KEY,
                       len);
}

static const char *jwk_curve(const struct mint_key *key)
{
    char name[64];
    MINT_CHECK(EVP_PKEY_get_group_name(key->pkey, name, sizeof(name), NULL) == 1);
    if (strcmp(name, "prime256v1") == 0)
        return "P-256";
    if (strcmp(name, "secp384r1") == 0)
        return "P-384";
    return strcmp(name, "secp521r1") == 0 ? "P-521" : "secp256k1";
}

static const char *jwk_core(const struct mint_key *key)
{
    if (EVP_PKEY_is_a(key->pkey, "RSA"))
        return mint_print("\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", mint_base64(mint_key_part(key, "n")),
                          mint_base64(mint_key_part(key, "e")));
    if (EVP_PKEY_is_a(key->pkey, "ED25519"))
        return mint_print("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", mint_base64(mint_key_part(key, "x")));
    return mint_print("\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"", jwk_curve(key),
                      mint_base64(mint_key_part(key, "x")), mint_base64(mint_key_part(key, "y")));
}

const char *mint_jwk_with(const struct mint_key *key, const char *kid, const char *alg, const char *members)
{
    const char *name = kid == NULL ? "" : mint_print(",\"kid\":\"%s\"", kid);
    const char *use = alg == NULL ? "" : mint_print(",\"alg\":\"%s\"", alg);
    return mint_print("{%s%s%s%s%s}", jwk_core(key), name, use, members[0] == '\0' ? "" : ",", members);
}

const char *mint_jwk(const struct mint_key *key, const char *kid, const char *alg)
{
    return mint_jwk_with(key, kid, alg, "");
}

const char *mint_jwks_of(const char *const *jwks, size_t count)
{
    size_t len = sizeof("{\"keys\":[]}");
    for (size_t i = 0; i < count; i++)
        len += strlen(jwks[i]) + 1;
    char *out = mint_keep(len), *at = out + sprintf(out, "{\"keys\":[");
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s%s", i == 0 ? "" : ",", jwks[i]);
    sprintf(at, "]}");
    return out;
}

const char *mint_jwks(const char *jwk, ...)
{
    const char *jwks[64];
    size_t count = 0;
    va_list args;
    va_start(args, jwk);
    for (; jwk != NULL && count < 64; jwk = va_arg(args, const char *))
        jwks[count++] = jwk;
    va_end(args);
    return mint_jwks_of(jwks, count);
}

struct rely_slice mint_key_public(const struct mint_key *key, const char *format)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MINT_CHECK(bio != NULL);
    if (strcmp(format, "spki-pem") == 0)
        MINT_CHECK(PEM_write_bio_PUBKEY(bio, key->pkey) == 1);
    else if (strcmp(format, "spki-der") == 0)
        MINT_CHECK(i2d_PUBKEY_bio(bio, key->pkey) == 1);
    else {
        unsigned char *der = NULL; /* "pkcs1-pem" */
        int len = i2d_PublicKey(key->pkey, &der);
        MINT_CHECK(len > 0 && PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, len) > 0);
        OPENSSL_free(der);
    }
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    struct rely_slice out = mint_copy(rely_slice(data, (size_t)len));
    BIO_free(bio);
    return out;
}

/*
 * Public keys and certificates in PEM as a key set, once, when they are given: from then on there is one form of key sets
 * and one parser. Decides what may be in such a text; which of its keys are used, material.c does. Of a certificate
 * the key alone counts: its dates, name and signature say nothing here. Called by registry/.
 */
#include "relyd/keyset.h"

#include "relyd/compose.h"
#include "relyd/limits.h"
#include "relyd/text.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define SHA256_BYTES 32

/* One -----BEGIN ...-----. All are OpenSSL's. */
struct block {
    char *name, *header;
    unsigned char *data;
    long len;
};

static void free_block(struct block *block)
{
    OPENSSL_free(block->name);
    OPENSSL_free(block->header);
    OPENSSL_free(block->data);
}
#define BLOCK_OWNED __attribute__((cleanup(free_block))) struct block

static bool is_named_so(const char *a, const char *b)
{
    return rely_slice_equal(rely_slice_of(a), rely_slice_of(b));
}

/* --- a block's key ---------------------------------------------------------------------------------------- */

static EVP_PKEY *take_certificate_key(const unsigned char **at, long len)
{
    X509 *certificate = d2i_X509(NULL, at, len);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    X509_free(certificate);
    return key;
}

/* Owned by the caller; NULL with the fault. */
static EVP_PKEY *read_block(const struct block *block, size_t number, struct rely_err *err)
{
    const unsigned char *at = block->data;
    EVP_PKEY *key = NULL;
    if (is_named_so(block->name, "PUBLIC KEY"))
        key = d2i_PUBKEY(NULL, &at, block->len);
    else if (is_named_so(block->name, "RSA PUBLIC KEY"))
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, block->len);
    else if (is_named_so(block->name, "CERTIFICATE"))
        key = take_certificate_key(&at, block->len);
    else
        rely_err_set(err, RELY_ERR_INVALID,
                     "block %zu is a %.40s, and not a PUBLIC KEY, an RSA PUBLIC KEY or a CERTIFICATE", number,
                     block->name);
    if (key != NULL && at == block->data + block->len)
        return key;
    EVP_PKEY_free(key);
    if (err->code == RELY_ERR_NONE)
        rely_err_set(err, RELY_ERR_INVALID, "block %zu is no %s that OpenSSL can read", number, block->name);
    return NULL;
}

/* --- the same key as a JWK ----------------------------------------------------------------------------------- */

static void set_jwk_bytes(struct rely_json *jwk, const char *name, const uint8_t *bytes, size_t len)
{
    char *text = rely_alloc(RELY_BASE64_ENCODED(len));
    size_t text_len = rely_base64url_encode(bytes, len, text);
    rely_json_set(jwk, name, rely_json_of_text(rely_slice(text, text_len)));
    free(text);
}

/* In: least - of bytes: a coordinate has its full length. A number that is missing is left out, and the key is skipped. */
static void set_jwk_number(struct rely_json *jwk, const char *name, const EVP_PKEY *key, const char *parameter,
                           int least)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1)
        return;
    int len = BN_num_bytes(number) < least ? least : BN_num_bytes(number);
    uint8_t *bytes = rely_alloc((size_t)len);
    if (BN_bn2binpad(number, bytes, len) == len)
        set_jwk_bytes(jwk, name, bytes, (size_t)len);
    free(bytes);
    BN_free(number);
}

static const char *name_curve(const char *group, int *bytes)
{
    static const struct {
        const char *group, *crv;
        int bytes;
    } curves[] = {{"prime256v1", "P-256", 32}, {"secp384r1", "P-384", 48}, {"secp521r1", "P-521", 66}};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (is_named_so(group, curves[i].group)) {
            *bytes = curves[i].bytes;
            return curves[i].crv;
        }
    return group;
}

/* A curve that is spelled out in numbers has a name if OpenSSL knows it by them; else it is none of ours. */
static void set_ec(struct rely_json *jwk, const EVP_PKEY *key)
{
    char group[40] = "";
    int bytes = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return;
    rely_json_set(jwk, "crv", rely_json_of_text(rely_slice_of(name_curve(group, &bytes))));
    set_jwk_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, bytes);
    set_jwk_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes);
}

static void set_okp(struct rely_json *jwk, const EVP_PKEY *key, const char *crv)
{
    uint8_t point[64];
    size_t len = sizeof point;
    rely_json_set(jwk, "crv", rely_json_of_text(rely_slice_of(crv)));
    if (EVP_PKEY_get_raw_public_key(key, point, &len) == 1)
        set_jwk_bytes(jwk, "x", point, len);
}

/* As Kubernetes names the keys of its own: SHA-256 of the SubjectPublicKeyInfo, which has points without compression. */
static bool set_kid(struct rely_json *jwk, EVP_PKEY *key)
{
    uint8_t digest[SHA256_BYTES];
    unsigned char *der = NULL;
    if (EVP_PKEY_is_a(key, "EC"))
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    int len = i2d_PUBKEY(key, &der);
    bool is_made = len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;
    if (is_made)
        set_jwk_bytes(jwk, "kid", digest, sizeof digest);
    OPENSSL_free(der);
    return is_made;
}

/* A kind of key that relyd does not know becomes a JWK that is skipped, as in any set. */
static struct rely_json *make_jwk(EVP_PKEY *key)
{
    struct rely_json *jwk = rely_json_object();
    bool is_rsa = EVP_PKEY_is_a(key, "RSA"), is_ec = EVP_PKEY_is_a(key, "EC");
    bool is_okp = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
    const char *kty = is_rsa ? "RSA" : is_ec ? "EC" : is_okp ? "OKP" : EVP_PKEY_get0_type_name(key);
    rely_json_set(jwk, "kty", rely_json_of_text(rely_slice_of(kty == NULL ? "?" : kty)));
    if (!set_kid(jwk, key)) {
        rely_json_free(jwk);
        return NULL;
    }
    if (is_rsa) {
        set_jwk_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
        set_jwk_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (is_ec) {
        set_ec(jwk, key);
    } else if (is_okp) {
        set_okp(jwk, key, EVP_PKEY_is_a(key, "ED25519") ? "Ed25519" : "Ed448");
    }
    return jwk;
}

/* --- the whole text ------------------------------------------------------------------------------------------ */

/* A key and the certificate that has it are one key. */
static bool has_kid(const struct rely_json *keys, const struct rely_json *jwk)
{
    struct rely_slice kid = rely_json_text(rely_json_get(jwk, "kid"));
    for (size_t i = 0; i < rely_json_size(keys); i++)
        if (rely_slice_equal(rely_json_text(rely_json_get(rely_json_at(keys, i), "kid")), kid))
            return true;
    return false;
}

static bool take_block(const struct block *block, size_t number, struct rely_json *keys, struct rely_err *err)
{
    EVP_PKEY *key = read_block(block, number, err);
    struct rely_json *jwk = key == NULL ? NULL : make_jwk(key);
    EVP_PKEY_free(key);
    if (jwk == NULL)
        return err->code != RELY_ERR_NONE
                   ? false
                   : rely_err_set(err, RELY_ERR_INVALID, "block %zu cannot be written by OpenSSL", number);
    if (has_kid(keys, jwk))
        rely_json_free(jwk);
    else
        rely_json_append(keys, jwk);
    return true;
}

/* False: there is no further block, or (err) a damaged one. */
static bool next_block(BIO *text, size_t number, struct block *out, struct rely_err *err)
{
    if (PEM_read_bio(text, &out->name, &out->header, &out->data, &out->len) == 1)
        return true;
    unsigned long fault = ERR_peek_last_error();
    bool is_end = ERR_GET_LIB(fault) == ERR_LIB_PEM && ERR_GET_REASON(fault) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!is_end)
        rely_err_set(err, RELY_ERR_INVALID, "block %zu is no whole PEM", number);
    return false;
}

static bool take_blocks(BIO *text, size_t max_count, struct rely_json *keys, struct rely_err *err)
{
    for (size_t number = 1;; number++) {
        BLOCK_OWNED block = {.name = NULL};
        if (!next_block(text, number, &block, err))
            return err->code == RELY_ERR_NONE;
        if (number > max_count)
            return rely_err_set(err, RELY_ERR_INVALID, "it has more than %zu keys (keys.max_count)", max_count);
        if (!take_block(&block, number, keys, err))
            return false;
    }
}

bool rely_keyset_of_pem(struct rely_slice pem, const struct rely_keyset_limits *limits, struct rely_buf *out,
                        struct rely_err *err)
{
    if (pem.len > limits->max_bytes || pem.len > RELY_JWKS_BYTES_MAX)
        return rely_err_set(err, RELY_ERR_INVALID, "it has %zu bytes, more than %zu (keys.max_bytes)", pem.len,
                            limits->max_bytes);
    RELY_JSON_OWNED struct rely_json *set = rely_json_object();
    struct rely_json *keys = rely_json_array();
    rely_json_set(set, "keys", keys);
    BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    RELY_ASSERT(text != NULL);
    bool is_read = take_blocks(text, limits->max_count, keys, err);
    BIO_free(text);
    ERR_clear_error();
    if (is_read && rely_json_size(keys) == 0)
        is_read = rely_err_set(err, RELY_ERR_INVALID, "it has no -----BEGIN PUBLIC KEY----- nor a certificate");
    if (is_read)
        rely_json_print(set, out);
    return is_read;
}

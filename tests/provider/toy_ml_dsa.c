/*
 * A provider of OpenSSL that offers a toy under two of ML-DSA's names, for machines whose OpenSSL has none: ML-DSA-65 by
 * the name of FIPS 204, ML-DSA-44 by oqsprovider's, of ML-DSA-87 keys without signatures. Sizes are ML-DSA's; a signature is
 * SHAKE256(public key || message), so that whoever knows the public key can sign. A module for relyd's own OpenSSL to
 * load, and part of the unit tests.
 */
#include "toy_ml_dsa.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

struct toy_key {
    size_t key_bytes, signature_bytes;
    bool has_key;
    uint8_t bytes[1952];
};

struct toy_context {
    const struct toy_key *key;
};

bool toy_ml_dsa_sign(const struct toy_ml_dsa_message *in, uint8_t *out, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_ok = EVP_DigestInit_ex(ctx, EVP_shake256(), NULL) == 1 &&
                 EVP_DigestUpdate(ctx, in->key, in->key_len) == 1 &&
                 EVP_DigestUpdate(ctx, in->text, in->text_len) == 1 && EVP_DigestFinalXOF(ctx, out, len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_ok;
}

/* --- keys --------------------------------------------------------------------------------------------- */

static void *new_key(size_t key_bytes, size_t signature_bytes)
{
    struct toy_key *key = calloc(1, sizeof *key);
    if (key != NULL) {
        key->key_bytes = key_bytes;
        key->signature_bytes = signature_bytes;
    }
    return key;
}

static void *new_key_44(void *provider)
{
    (void)provider;
    return new_key(1312, 2420);
}

static void *new_key_65(void *provider)
{
    (void)provider;
    return new_key(1952, 3309);
}

static int has_key(const void *data, int selection)
{
    const struct toy_key *key = data;
    return key->has_key && (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0;
}

/* A key that begins with 0xff stands for one that a provider refuses. */
static int import_key(void *data, int selection, const OSSL_PARAM params[])
{
    struct toy_key *key = data;
    const OSSL_PARAM *pub = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || pub == NULL || pub->data_size != key->key_bytes ||
        *(const uint8_t *)pub->data == 0xff)
        return 0;
    memcpy(key->bytes, pub->data, pub->data_size);
    key->has_key = true;
    return 1;
}

static const OSSL_PARAM *list_imports(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END};
    (void)selection;
    return types;
}

/* --- signatures --------------------------------------------------------------------------------------- */

static void *new_context(void *provider, const char *properties)
{
    (void)provider;
    (void)properties;
    return calloc(1, sizeof(struct toy_context));
}

static int begin(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
    (void)params;
    ((struct toy_context *)data)->key = key;
    return digest == NULL || *digest == '\0';
}

static int verify(void *data, const unsigned char *signature, size_t len, const unsigned char *text, size_t text_len)
{
    const struct toy_key *key = ((struct toy_context *)data)->key;
    uint8_t expected[3309];
    const struct toy_ml_dsa_message message = {key->bytes, key->key_bytes, text, text_len};
    return len == key->signature_bytes && toy_ml_dsa_sign(&message, expected, len) &&
           memcmp(expected, signature, len) == 0;
}

/* --- the provider ------------------------------------------------------------------------------------- */

#define KEYS_OF(make)                                                                                                  \
    {                                                                                                                  \
        {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))(make)}, {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))free},               \
            {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))has_key}, {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))import_key},  \
            {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))list_imports},                                            \
        {                                                                                                              \
            0, NULL                                                                                                    \
        }                                                                                                              \
    }

static const OSSL_DISPATCH keys_44[] = KEYS_OF(new_key_44), keys_65[] = KEYS_OF(new_key_65);
static const OSSL_DISPATCH signing[] = {{OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))new_context},
                                        {OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))free},
                                        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, (void (*)(void))begin},
                                        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, (void (*)(void))verify},
                                        {0, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *is_volatile)
{
    static const OSSL_ALGORITHM keys[] = {{"mldsa44", "", keys_44, ""},
                                          {"ML-DSA-65", "", keys_65, ""},
                                          {"ML-DSA-87", "", keys_65, ""},
                                          {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM signatures[] = {
        {"mldsa44", "", signing, ""}, {"ML-DSA-65", "", signing, ""}, {NULL, NULL, NULL, NULL}};
    (void)provider;
    *is_volatile = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **provider)
{
    static const OSSL_DISPATCH table[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};
    static int present;
    (void)handle;
    (void)in;
    *out = table;
    *provider = &present;
    return 1;
}

/* What the unit tests use of the toy provider beside OSSL_provider_init. */
#ifndef TOY_ML_DSA_H
#define TOY_ML_DSA_H

#include <openssl/core.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct toy_ml_dsa_message {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *text;
    size_t text_len;
};

/* The toy's signature of `len` bytes. False: OpenSSL failed. */
bool toy_ml_dsa_sign(const struct toy_ml_dsa_message *in, uint8_t *out, size_t len);

/* OpenSSL's name for what a provider module begins with. */
int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **provider);

#endif

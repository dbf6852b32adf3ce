/*
 * demo: a throw-away issuer's key and tokens, shaped as Kubernetes shapes them. For quickstart and for trying things
 * out; relyd itself links none of it.
 */
#ifndef RELYD_DEMO_H
#define RELYD_DEMO_H

#include <openssl/evp.h>

#include "relyd/base.h"

/* SHA-256 in unpadded base64url: 43 characters and the NUL. */
#define DEMO_KID_SIZE 44
#define DEMO_AUDIENCES_MAX 10

/**
 * Make an RSA-2048 key and write it as PEM to a file that does not exist yet (mode 0600).
 *
 * Fails:    RELY_ERR_CONFLICT (the file exists), RELY_ERR_IO, RELY_ERR_INTERNAL.
 */
bool demo_key_make(const char *path, struct rely_err *err);

/* Owner: the caller, EVP_PKEY_free. NULL with the fault. */
EVP_PKEY *demo_key_load(const char *path, struct rely_err *err);

/* base64url(SHA-256(SubjectPublicKeyInfo in DER)), as kube-apiserver names its keys. */
bool demo_key_id(EVP_PKEY *key, char kid[DEMO_KID_SIZE], struct rely_err *err);

/* Append a JWKS with the public half. */
bool demo_key_print_jwks(EVP_PKEY *key, struct rely_buf *out, struct rely_err *err);

/* What the token shall say. All borrowed. */
struct demo_token {
    const char *issuer, *namespace_name, *account;
    const char *pod, *node; /* NULL: not bound to one */
    const char *audiences[DEMO_AUDIENCES_MAX];
    size_t audience_count;
    int64_t issued_s, expires_s;
};

/**
 * Sign a service-account token.
 *
 * Out:      *jwt - owned by the caller, free(); set only on true.
 */
bool demo_token_sign(const struct demo_token *token, EVP_PKEY *key, char **jwt, struct rely_err *err);

#endif

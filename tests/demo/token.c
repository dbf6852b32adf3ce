/*
 * One token in the shape of a bound Kubernetes service-account token, signed by libjwt. It differs from a real one in
 * a single point: libjwt always writes `typ: JWT`, kube-apiserver writes none. Called by mint.c.
 */
#include "demo.h"

#include <jwt.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "relyd/compose.h"
#include "relyd/json.h"
#include "relyd/text.h"

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_jwt(jwt_t **jwt)
{
    jwt_free(*jwt);
}

static struct rely_json *json_of(const char *text)
{
    return rely_json_of_text(rely_slice_of(text));
}

/* The same object has the same uid in every token, as in a cluster, without a place to remember it. */
static struct rely_json *describe_object(const char *kind, const char *namespace_name, const char *name)
{
    char path[1024];
    int len = snprintf(path, sizeof path, "%s/%s/%s", kind, namespace_name, name);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)path, (size_t)len < sizeof path ? (size_t)len : sizeof path - 1, digest);
    char uid[RELY_UUID_SIZE];
    snprintf(uid, sizeof uid, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-8%01x%02x-%02x%02x%02x%02x%02x%02x", digest[0],
             digest[1], digest[2], digest[3], digest[4], digest[5], digest[6] & 15U, digest[7], digest[8] & 15U,
             digest[9], digest[10], digest[11], digest[12], digest[13], digest[14], digest[15]);
    struct rely_json *object = rely_json_object();
    rely_json_set(object, "name", json_of(name));
    rely_json_set(object, "uid", json_of(uid));
    return object;
}

static struct rely_json *describe_binding(const struct demo_token *token)
{
    struct rely_json *binding = rely_json_object();
    rely_json_set(binding, "namespace", json_of(token->namespace_name));
    if (token->node != NULL)
        rely_json_set(binding, "node", describe_object("node", "", token->node));
    if (token->pod != NULL)
        rely_json_set(binding, "pod", describe_object("pod", token->namespace_name, token->pod));
    rely_json_set(binding, "serviceaccount", describe_object("account", token->namespace_name, token->account));
    return binding;
}

static struct rely_json *describe_claims(const struct demo_token *token)
{
    struct rely_json *audiences = rely_json_array();
    for (size_t i = 0; i < token->audience_count; i++)
        rely_json_append(audiences, json_of(token->audiences[i]));
    char subject[700];
    snprintf(subject, sizeof subject, "system:serviceaccount:%s:%s", token->namespace_name, token->account);
    char token_id[RELY_UUID_SIZE];
    rely_uuid_new(token_id);
    struct rely_json *claims = rely_json_object();
    rely_json_set(claims, "aud", audiences);
    rely_json_set(claims, "exp", rely_json_of_integer(token->expires_s));
    rely_json_set(claims, "iat", rely_json_of_integer(token->issued_s));
    rely_json_set(claims, "iss", json_of(token->issuer));
    rely_json_set(claims, "jti", json_of(token_id));
    rely_json_set(claims, "kubernetes.io", describe_binding(token));
    rely_json_set(claims, "nbf", rely_json_of_integer(token->issued_s));
    rely_json_set(claims, "sub", json_of(subject));
    return claims;
}

/* libjwt wants the private key as PEM. */
static bool choose_signer(jwt_t *jwt, EVP_PKEY *key, struct rely_err *err)
{
    __attribute__((cleanup(free_bio))) BIO *pem = BIO_new(BIO_s_mem());
    unsigned char *bytes = NULL;
    if (pem == NULL || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1)
        return rely_err_set(err, RELY_ERR_INTERNAL, "cannot write the key as PEM");
    long len = BIO_get_mem_data(pem, (char **)&bytes);
    return jwt_set_alg(jwt, JWT_ALG_RS256, bytes, (int)len) == 0 ||
           rely_err_set(err, RELY_ERR_INTERNAL, "libjwt does not take the key");
}

bool demo_token_sign(const struct demo_token *token, EVP_PKEY *key, char **out, struct rely_err *err)
{
    char kid[DEMO_KID_SIZE];
    __attribute__((cleanup(free_jwt))) jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libjwt has no memory");
    if (!demo_key_id(key, kid, err) || !choose_signer(jwt, key, err))
        return false;
    RELY_JSON_OWNED struct rely_json *claims = describe_claims(token);
    __attribute__((cleanup(rely_buf_fini))) struct rely_buf text = {0};
    rely_json_print(claims, &text);
    if (jwt_add_header(jwt, "kid", kid) != 0 || jwt_add_grants_json(jwt, text.ptr) != 0)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libjwt does not take the claims");
    char *signed_token = jwt_encode_str(jwt);
    if (signed_token == NULL)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libjwt cannot sign");
    *out = signed_token;
    return true;
}

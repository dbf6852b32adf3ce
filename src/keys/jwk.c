/*
 * Which JWKs may be used at all, and with which algorithms: `use`, `key_ops`, `alg`, `kid` and private members. A
 * member that is null is absent: many libraries write every member they know. The key's own numbers are judged in
 * material.c. Called by keyset.c for each key of a document.
 */
#include "key.h"

#include "relyd/text.h"

#include <stdarg.h>
#include <stdio.h>

bool rely_key_skip(struct rely_keyset_skipped *skipped, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(skipped->why, sizeof(skipped->why), format, args);
    va_end(args);
    return false;
}

bool rely_key_skip_weak(struct rely_keyset_skipped *skipped, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    skipped->is_weak = true;
    vsnprintf(skipped->why, sizeof(skipped->why), format, args);
    va_end(args);
    return false;
}

static bool equals_text(struct rely_slice text, const char *word)
{
    return text.ptr != NULL && rely_slice_equal(text, rely_slice_of(word));
}

static bool check_use(const struct rely_json *jwk, struct rely_keyset_skipped *skipped)
{
    const struct rely_json *use = rely_json_get_given(jwk, "use");
    struct rely_slice text = rely_json_text(use);
    /* "jwt-svid" is what SPIFFE bundles say. */
    if (use == NULL || equals_text(text, "sig") || equals_text(text, "jwt-svid"))
        return true;
    return rely_key_skip(skipped, "its \"use\" is not \"sig\"");
}

static bool check_operations(const struct rely_json *jwk, struct rely_keyset_skipped *skipped)
{
    const struct rely_json *operations = rely_json_get_given(jwk, "key_ops");
    if (operations == NULL)
        return true;
    if (rely_json_type(operations) == RELY_JSON_ARRAY)
        for (size_t i = 0; i < rely_json_size(operations); i++)
            if (equals_text(rely_json_text(rely_json_at(operations, i)), "verify"))
                return true;
    return rely_key_skip(skipped, "its \"key_ops\" do not hold \"verify\"");
}

static bool check_public(const struct rely_json *jwk, struct rely_keyset_skipped *skipped)
{
    const char *secret = rely_json_jwk_secret(jwk);
    skipped->is_private = secret != NULL;
    return secret == NULL ||
           rely_key_skip(skipped, "it has the private member \"%s\": whoever has read the key set can sign with it",
                         secret);
}

static bool check_kid(const struct rely_json *jwk, struct rely_keyset_skipped *skipped)
{
    const struct rely_json *kid = rely_json_get_given(jwk, "kid");
    if (kid != NULL && rely_json_type(kid) != RELY_JSON_STRING)
        return rely_key_skip(skipped, "its \"kid\" is no string");
    if (rely_json_text(kid).len > RELY_KID_BYTES_MAX)
        return rely_key_skip(skipped, "its \"kid\" is longer than %d bytes", RELY_KID_BYTES_MAX);
    return true;
}

/* RFC 8725 s3.1: a key that names its algorithm is used with that one only. */
static bool narrow_algs(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    const struct rely_json *alg = rely_json_get_given(jwk, "alg");
    if (alg == NULL)
        return true;
    char quoted[RELY_QUOTED_SIZE];
    rely_alg_set named = 1u << rely_alg_of(rely_json_text(alg));
    key->algs &= named;
    if (key->algs == 0)
        return rely_key_skip(skipped, "its \"alg\" %.60s is none that relyd uses with %s",
                             rely_quote(rely_json_text(alg), quoted), key->kind);
    return true;
}

bool rely_jwk_read(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    if (rely_json_type(jwk) != RELY_JSON_OBJECT)
        return rely_key_skip(skipped, "it is no JSON object");
    if (!check_kid(jwk, skipped) || !check_use(jwk, skipped) || !check_operations(jwk, skipped) ||
        !check_public(jwk, skipped))
        return false;
    return rely_material_read(jwk, key, skipped) && narrow_algs(jwk, key, skipped);
}

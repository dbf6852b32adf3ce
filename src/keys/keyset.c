/*
 * A JWKS document as a set of usable keys and a list of those that were skipped. Decides when a whole document is
 * refused: an issuer whose new document is useless keeps its last good keys. Called by the control thread.
 */
#include "key.h"

#include <openssl/err.h>
#include <stdlib.h>

static struct rely_json *find_keys(struct rely_json *document, struct rely_err *err)
{
    struct rely_json *keys = rely_json_get(document, "keys");
    if (rely_json_type(keys) != RELY_JSON_ARRAY) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set is no JSON object with an array \"keys\" (RFC 7517 s5)");
        return NULL;
    }
    if (rely_json_size(keys) > RELY_JWKS_KEYS_MAX) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set has %zu keys, more than %d", rely_json_size(keys),
                     RELY_JWKS_KEYS_MAX);
        return NULL;
    }
    return keys;
}

static struct rely_slice copy_kid(const struct rely_json *jwk)
{
    struct rely_slice kid = rely_json_text(rely_json_get(jwk, "kid"));
    if (kid.ptr == NULL || kid.len > RELY_KID_BYTES_MAX)
        return rely_slice(NULL, 0);
    return rely_slice(rely_strdup_slice(kid), kid.len);
}

static void add_key(struct rely_keyset *keyset, const struct rely_json *jwk)
{
    struct rely_key *key = &keyset->keys[keyset->count];
    struct rely_keyset_skipped *skipped = &keyset->skipped[keyset->skipped_count];
    if (rely_jwk_read(jwk, key, skipped)) {
        key->kid = copy_kid(jwk);
        keyset->count++;
        return;
    }
    skipped->kid = copy_kid(jwk);
    keyset->skipped_count++;
    rely_key_fini(key); /* what was made of it before the fault was found */
    memset(key, 0, sizeof(*key));
}

static bool has_weak_key(const struct rely_keyset *keyset)
{
    for (size_t i = 0; i < keyset->skipped_count; i++)
        if (keyset->skipped[i].is_weak)
            return true;
    return false;
}

static struct rely_keyset *read_keys(const struct rely_json *keys)
{
    size_t count = rely_json_size(keys);
    struct rely_keyset *keyset = rely_alloc(sizeof(*keyset));
    keyset->keys = rely_alloc(count * sizeof(*keyset->keys));
    keyset->skipped = rely_alloc(count * sizeof(*keyset->skipped));
    for (size_t i = 0; i < count; i++)
        add_key(keyset, rely_json_at(keys, i));
    ERR_clear_error();
    return keyset;
}

struct rely_keyset *rely_keyset_parse(struct rely_slice jwks, struct rely_err *err)
{
    if (jwks.len > RELY_JWKS_BYTES_MAX) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set has %zu bytes, more than %d", jwks.len, RELY_JWKS_BYTES_MAX);
        return NULL;
    }
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(jwks, err);
    struct rely_json *keys = document == NULL ? NULL : find_keys(document, err);
    if (keys == NULL)
        return NULL;
    struct rely_keyset *keyset = read_keys(keys);
    /* A set of weak keys alone is kept, so that its tokens are told about the weak key and not about a lack of keys. */
    if (keyset->count > 0 || has_weak_key(keyset))
        return keyset;
    if (keyset->skipped_count == 0)
        rely_err_set(err, RELY_ERR_INVALID, "the key set has no keys");
    else
        rely_err_set(err, RELY_ERR_INVALID, "the key set has no usable key; the first one is skipped because %s",
                     keyset->skipped[0].why);
    rely_keyset_free(keyset);
    return NULL;
}

void rely_keyset_free(struct rely_keyset *keyset)
{
    if (keyset == NULL)
        return;
    for (size_t i = 0; i < keyset->count; i++)
        rely_key_fini(&keyset->keys[i]);
    for (size_t i = 0; i < keyset->skipped_count; i++)
        free((char *)keyset->skipped[i].kid.ptr);
    free(keyset->keys);
    free(keyset->skipped);
    free(keyset);
}

size_t rely_keyset_count(const struct rely_keyset *keyset)
{
    return keyset->count;
}

const struct rely_key *rely_keyset_at(const struct rely_keyset *keyset, size_t index)
{
    RELY_ASSERT(index < keyset->count);
    return &keyset->keys[index];
}

size_t rely_keyset_skipped_count(const struct rely_keyset *keyset)
{
    return keyset->skipped_count;
}

const struct rely_keyset_skipped *rely_keyset_skipped_at(const struct rely_keyset *keyset, size_t index)
{
    RELY_ASSERT(index < keyset->skipped_count);
    return &keyset->skipped[index];
}

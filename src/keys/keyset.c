/*
 * A JWKS document as a set of usable keys and a list of those that were skipped. Decides when a whole document is
 * refused: an issuer whose new document is useless keeps its last good keys. Called by the control thread.
 */
#include "key.h"
#include "ml_dsa.h"

#include "relyd/compose.h"

#include <openssl/err.h>
#include <stdlib.h>

static struct rely_json *find_keys(struct rely_json *document, const struct rely_keyset_limits *limits,
                                   struct rely_err *err)
{
    struct rely_json *keys = rely_json_get(document, "keys");
    if (rely_json_type(keys) != RELY_JSON_ARRAY) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set is no JSON object with an array \"keys\" (RFC 7517 s5)");
        rely_err_because(err, RELY_CAUSE_NOT_JSON);
        return NULL;
    }
    if (rely_json_size(keys) > limits->max_count) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set has %zu keys, more than %zu (keys.max_count)",
                     rely_json_size(keys), limits->max_count);
        rely_err_because(err, RELY_CAUSE_TOO_LARGE);
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

/* Measured with OpenSSL 3.0 and no table, where a verification under RSA-2048 with 65537 takes 15 to 25 us: P-256 4,
 * P-384 42 to 60, P-521 33 to 40, Ed25519 7 times that. RSA grows with the square of its length. */
static uint32_t measure_cost(const struct rely_key *key)
{
    if ((key->algs & 1u << RELY_ALG_ES256) != 0)
        return 4;
    if ((key->algs & 1u << RELY_ALG_ES384) != 0)
        return 60;
    if ((key->algs & 1u << RELY_ALG_ES512) != 0)
        return 40;
    if ((key->algs & 1u << RELY_ALG_EDDSA) != 0)
        return 8;
    for (enum rely_alg alg = RELY_ALG_ML_DSA_44; alg < RELY_ALG_COUNT; alg++)
        if ((key->algs & 1u << alg) != 0)
            return rely_ml_dsa_of(alg)->cost;
    uint32_t kilobits = (uint32_t)((key->signature_bytes + 127) / 128);
    uint32_t multiplications = key->multiplications < 17 ? 17 : key->multiplications;
    return kilobits * kilobits * multiplications / (4 * 17);
}

void rely_key_fini(struct rely_key *key)
{
    if (key->verifier != NULL)
        key->release(key->verifier);
    EVP_PKEY_free(key->pkey);
    free(key->times);
    free(rely_as_owner(key->kid.ptr));
}

/* One verification under such a key costs a worker as much as dozens of others, and strangers send tokens. */
static bool check_costly(const struct rely_key *key, bool may_be_costly, struct rely_keyset_skipped *skipped)
{
    return key->costly == NULL || may_be_costly ||
           rely_key_skip_weak(skipped, "%s, and the record does not say allowCostlyKeys", key->costly);
}

static void add_key(struct rely_keyset *keyset, const struct rely_json *jwk, size_t place, bool may_be_costly)
{
    struct rely_key *key = &keyset->keys[keyset->count];
    struct rely_keyset_skipped *skipped = &keyset->skipped[keyset->skipped_count];
    if (rely_jwk_read(jwk, key, skipped) && check_costly(key, may_be_costly, skipped)) {
        key->kid = copy_kid(jwk);
        key->times = rely_key_times_new();
        key->place = place;
        key->cost = measure_cost(key);
        keyset->count++;
        return;
    }
    skipped->kid = copy_kid(jwk);
    skipped->place = place;
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

static bool has_private_key(const struct rely_keyset *keyset)
{
    for (size_t i = 0; i < keyset->skipped_count; i++)
        if (keyset->skipped[i].is_private)
            return true;
    return false;
}

/* Of a set in which every key is skipped. */
static enum rely_cause cause_of_no_key(const struct rely_keyset *keyset)
{
    if (keyset->taken_out_count > 0)
        return RELY_CAUSE_KEYS_OF_ANOTHER_ISSUER;
    if (has_weak_key(keyset))
        return RELY_CAUSE_WEAK_KEYS;
    return has_private_key(keyset) ? RELY_CAUSE_PRIVATE_MEMBERS : RELY_CAUSE_NO_USABLE_KEYS;
}

/* What the index of issuers reads: the usable keys, then the skipped ones. */
static void mark_keys(struct rely_keyset *keyset)
{
    size_t count = keyset->count + keyset->skipped_count;
    struct rely_key_mark *marks = rely_alloc(count * sizeof *marks);
    for (size_t i = 0; i < keyset->count; i++) {
        marks[i] = (struct rely_key_mark){.kid = keyset->keys[i].kid, .algs = keyset->keys[i].algs};
        memcpy(marks[i].material, keyset->keys[i].material, RELY_MATERIAL_BYTES);
    }
    for (size_t i = 0; i < keyset->skipped_count; i++)
        marks[keyset->count + i] = (struct rely_key_mark){.kid = keyset->skipped[i].kid};
    free(rely_as_owner(keyset->marks.items));
    keyset->marks = (struct rely_key_marks){marks, count};
}

static void sort_by_kid(struct rely_keyset *keyset)
{
    keyset->keys_by_kid.count = keyset->skipped_by_kid.count = 0;
    for (size_t i = 0; i < keyset->count; i++)
        rely_by_kid_add(&keyset->keys_by_kid, keyset->keys[i].kid, i);
    for (size_t i = 0; i < keyset->skipped_count; i++)
        rely_by_kid_add(&keyset->skipped_by_kid, keyset->skipped[i].kid, i);
    rely_by_kid_sort(&keyset->keys_by_kid);
    rely_by_kid_sort(&keyset->skipped_by_kid);
}

void rely_keyset_index(struct rely_keyset *keyset)
{
    mark_keys(keyset);
    sort_by_kid(keyset);
}

/* Of a SPIFFE bundle. What is no number of seconds is no hint, and no fault: the keys are what matters. */
static int64_t read_hint(const struct rely_json *document)
{
    const struct rely_json *hint = rely_json_get_given(document, "spiffe_refresh_hint");
    int64_t hint_s = rely_json_type(hint) == RELY_JSON_INTEGER ? rely_json_integer(hint) : -1;
    return hint_s < 0 ? 0 : hint_s == 0 ? 1 : hint_s;
}

static struct rely_keyset *read_keys(const struct rely_json *keys, bool may_be_costly)
{
    size_t count = rely_json_size(keys);
    struct rely_keyset *keyset = rely_alloc(sizeof(*keyset));
    keyset->keys = rely_alloc(count * sizeof(*keyset->keys));
    keyset->skipped = rely_alloc(count * sizeof(*keyset->skipped));
    keyset->keys_by_kid.places = rely_alloc(count * sizeof(*keyset->keys_by_kid.places));
    keyset->skipped_by_kid.places = rely_alloc(count * sizeof(*keyset->skipped_by_kid.places));
    for (size_t i = 0; i < count; i++)
        add_key(keyset, rely_json_at(keys, i), i, may_be_costly);
    ERR_clear_error();
    rely_keyset_index(keyset);
    return keyset;
}

/* A set of weak keys alone is kept, so that its tokens are told about the weak key and not about a lack of keys. */
static bool may_stand(const struct rely_keyset *keyset, struct rely_err *err)
{
    return has_weak_key(keyset) || rely_keyset_check_usable(keyset, err);
}

struct rely_keyset *rely_keyset_parse(struct rely_slice jwks, struct rely_err *err)
{
    const struct rely_keyset_limits most = rely_keyset_most(true);
    return rely_keyset_parse_within(jwks, &most, err);
}

struct rely_keyset *rely_keyset_parse_within(struct rely_slice jwks, const struct rely_keyset_limits *limits,
                                             struct rely_err *err)
{
    if (jwks.len > limits->max_bytes) {
        rely_err_set(err, RELY_ERR_INVALID, "the key set has %zu bytes, more than %zu (keys.max_bytes)", jwks.len,
                     limits->max_bytes);
        rely_err_because(err, RELY_CAUSE_TOO_LARGE);
        return NULL;
    }
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(jwks, err);
    if (document == NULL)
        rely_err_because(err, RELY_CAUSE_NOT_JSON);
    struct rely_json *keys = document == NULL ? NULL : find_keys(document, limits, err);
    if (keys == NULL)
        return NULL;
    struct rely_keyset *keyset = read_keys(keys, limits->may_be_costly);
    keyset->refresh_hint_s = read_hint(document);
    if (may_stand(keyset, err))
        return keyset;
    rely_keyset_free(keyset);
    return NULL;
}

bool rely_keyset_check_usable(const struct rely_keyset *keyset, struct rely_err *err)
{
    if (keyset->count > 0)
        return true;
    if (keyset->skipped_count == 0)
        return rely_err_set(err, RELY_ERR_INVALID, "the key set has no keys") ||
               rely_err_because(err, RELY_CAUSE_EMPTY_SET);
    rely_err_set(err, RELY_ERR_INVALID, "the key set has no usable key; the first one is skipped because %s",
                 keyset->skipped[0].why);
    return rely_err_because(err, cause_of_no_key(keyset));
}

static struct rely_keyset_skipped *skip_usable(struct rely_keyset *keyset, size_t index, const char *why)
{
    struct rely_key *key = &keyset->keys[index];
    struct rely_keyset_skipped *skipped = &keyset->skipped[keyset->skipped_count++];
    *skipped = (struct rely_keyset_skipped){.kid = key->kid, .place = key->place};
    memcpy(skipped->material, key->material, sizeof skipped->material);
    rely_key_skip(skipped, "%s", why);
    key->kid = (struct rely_slice){0};
    rely_key_fini(key);
    keyset->count--;
    memmove(key, key + 1, (keyset->count - index) * sizeof *key);
    memset(&keyset->keys[keyset->count], 0, sizeof *key);
    rely_keyset_index(keyset);
    return skipped;
}

void rely_keyset_take_out(struct rely_keyset *keyset, size_t index, const char *why)
{
    RELY_ASSERT(index < keyset->count);
    skip_usable(keyset, index, why)->is_taken_out = true;
    keyset->taken_out_count++;
}

bool rely_keyset_equip(struct rely_keyset *keyset, struct rely_verifier *(*make)(const struct rely_key *key),
                       void (*release)(struct rely_verifier *verifier), struct rely_err *err)
{
    for (size_t i = keyset->count; i-- > 0;) {
        struct rely_key *key = &keyset->keys[i];
        if (key->verifier != NULL)
            continue; /* it came with one */
        key->release = release;
        key->verifier = make(key);
        if (key->verifier == NULL)
            skip_usable(keyset, i, "OpenSSL cannot prepare it");
    }
    return may_stand(keyset, err);
}

int64_t rely_keyset_refresh_hint_s(const struct rely_keyset *keyset)
{
    return keyset->refresh_hint_s == 0 ? -1 : keyset->refresh_hint_s;
}

size_t rely_keyset_taken_out_count(const struct rely_keyset *keyset)
{
    return keyset->taken_out_count;
}

static bool is_place_taken_out(const struct rely_keyset *keyset, size_t place)
{
    for (size_t i = 0; i < keyset->skipped_count; i++)
        if (keyset->skipped[i].is_taken_out && keyset->skipped[i].place == place)
            return true;
    return false;
}

void rely_keyset_print_rest(const struct rely_keyset *keyset, struct rely_slice jwks, struct rely_buf *out)
{
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(jwks, &(struct rely_err){0});
    const struct rely_json *all = rely_json_get(document, "keys");
    struct rely_json *rest = rely_json_array();
    for (size_t i = 0; i < rely_json_size(all); i++)
        if (!is_place_taken_out(keyset, i))
            rely_json_append(rest, rely_json_share(rely_json_at(all, i)));
    RELY_JSON_OWNED struct rely_json *shown = rely_json_object();
    rely_json_set(shown, "keys", rest);
    rely_json_print(shown, out);
}

void rely_keyset_free(struct rely_keyset *keyset)
{
    if (keyset == NULL)
        return;
    for (size_t i = 0; i < keyset->count; i++)
        rely_key_fini(&keyset->keys[i]);
    for (size_t i = 0; i < keyset->skipped_count; i++)
        free(rely_as_owner(keyset->skipped[i].kid.ptr));
    free(rely_as_owner(keyset->marks.items));
    free(keyset->keys);
    free(keyset->skipped);
    free(keyset->keys_by_kid.places);
    free(keyset->skipped_by_kid.places);
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

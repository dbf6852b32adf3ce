/*
 * Which keys of a set may have signed a token: by kid and algorithm, never by trying more than a few. Does not
 * verify anything. Called by decide/ on every review: a scan over at most RELY_JWKS_KEYS_MAX keys.
 */
#include "key.h"

#include "relyd/text.h"

struct rely_slice rely_key_kid(const struct rely_key *key)
{
    return key->kid;
}

rely_alg_set rely_key_algs(const struct rely_key *key)
{
    return key->algs;
}

uint64_t rely_key_serial(const struct rely_key *key)
{
    return key->serial;
}

const uint8_t *rely_key_material(const struct rely_key *key)
{
    return key->material;
}

uint32_t rely_key_cost(const struct rely_key *key)
{
    return key->cost;
}

const char *rely_key_kind(const struct rely_key *key)
{
    return key->kind;
}

/* A key without a kid has no name: a token that names one does not mean it. */
static bool is_named(struct rely_slice kid, struct rely_slice wanted)
{
    return kid.ptr != NULL && wanted.ptr != NULL && rely_slice_equal(kid, wanted);
}

static const struct rely_keyset_skipped *find_skipped(const struct rely_keyset *keyset, struct rely_slice kid)
{
    const struct rely_keyset_skipped *found = NULL;
    for (size_t i = 0; i < keyset->skipped_count; i++) {
        const struct rely_keyset_skipped *skipped = &keyset->skipped[i];
        if (is_named(skipped->kid, kid) && (found == NULL || skipped->is_weak))
            found = skipped;
    }
    return found;
}

static bool has_usable_kid(const struct rely_keyset *keyset, struct rely_slice kid)
{
    for (size_t i = 0; i < keyset->count; i++)
        if (is_named(keyset->keys[i].kid, kid))
            return true;
    return false;
}

bool rely_keyset_has_kid(const struct rely_keyset *keyset, struct rely_slice kid)
{
    return has_usable_kid(keyset, kid) || find_skipped(keyset, kid) != NULL;
}

/* No key was found: say which of the ways that came about. */
static enum rely_reason refuse_keys(const struct rely_keyset *keyset, const struct rely_unverified *token,
                                    struct rely_detail *detail)
{
    const char *alg = rely_alg_name(token->alg);
    if (token->kid.ptr == NULL)
        return rely_refuse(detail, RELY_KEY_UNKNOWN, "the token names no kid, and no key of the issuer fits %s", alg);
    char kid[RELY_QUOTED_SIZE];
    rely_quote(token->kid, kid);
    if (has_usable_kid(keyset, token->kid))
        return rely_refuse(detail, RELY_ALGORITHM_NOT_ALLOWED, "the key with kid %.100s is not for %s", kid, alg);
    const struct rely_keyset_skipped *skipped = find_skipped(keyset, token->kid);
    if (skipped == NULL)
        return rely_refuse(detail, RELY_KEY_UNKNOWN, "the issuer's key set has no key with kid %.100s", kid);
    return rely_refuse(detail, skipped->is_weak ? RELY_WEAK_KEY : RELY_KEY_UNKNOWN,
                       "the key with kid %.100s is not used: %s", kid, skipped->why);
}

static bool fits_token(const struct rely_key *key, const struct rely_unverified *token)
{
    rely_alg_set wanted = (1u << token->alg) & RELY_ALGS_ALL;
    return (key->algs & wanted) != 0 && (token->kid.ptr == NULL || is_named(key->kid, token->kid));
}

size_t rely_keys_count_fitting(const struct rely_keyset *keyset, const struct rely_unverified *token)
{
    size_t count = 0;
    for (size_t i = 0; i < keyset->count; i++)
        count += fits_token(&keyset->keys[i], token) ? 1 : 0;
    return count;
}

enum rely_reason rely_keys_find(const struct rely_keyset *keyset, const struct rely_unverified *token,
                                const struct rely_key *out[RELY_KEY_TRIES_MAX], size_t *count,
                                struct rely_detail *detail)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX];
    size_t fitting = 0;
    for (size_t i = 0; i < keyset->count; i++) {
        const struct rely_key *key = &keyset->keys[i];
        if (!fits_token(key, token))
            continue;
        if (fitting < RELY_KEY_TRIES_MAX)
            found[fitting] = key;
        fitting++;
    }
    if (fitting == 0)
        return refuse_keys(keyset, token, detail);
    /* Each try is a public-key operation: a stranger's token must not cost a hundred of them. */
    if (fitting > RELY_KEY_TRIES_MAX)
        return rely_refuse(detail, RELY_KEY_UNKNOWN,
                           "the token %s, and %zu keys fit %s: more than the %d that are tried",
                           token->kid.ptr == NULL ? "names no kid" : "names a kid that many keys share", fitting,
                           rely_alg_name(token->alg), RELY_KEY_TRIES_MAX);
    for (size_t i = 0; i < fitting; i++)
        out[i] = found[i];
    *count = fitting;
    return RELY_OK;
}

/*
 * Which keys of a set may have signed a token: by kid and algorithm, never by trying more than a few. Does not
 * verify anything. Called by decide/ on every review that the token cache does not answer. Kids are looked up; only a
 * token without one has all keys looked at, at most RELY_JWKS_KEYS_MAX.
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

EVP_PKEY *rely_key_pkey(const struct rely_key *key)
{
    return key->pkey;
}

size_t rely_key_signature_bytes(const struct rely_key *key)
{
    return key->signature_bytes;
}

struct rely_verifier *rely_key_verifier(const struct rely_key *key)
{
    return key->verifier;
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

static const struct rely_keyset_skipped *find_skipped(const struct rely_keyset *keyset, struct rely_slice kid)
{
    const struct rely_keyset_skipped *found = NULL;
    const struct rely_by_kid *list = &keyset->skipped_by_kid;
    for (size_t at = rely_by_kid_find(list, kid); rely_by_kid_is_at(list, at, kid); at++) {
        const struct rely_keyset_skipped *skipped = &keyset->skipped[list->places[at].index];
        if (found == NULL || skipped->is_weak || (skipped->is_unavailable && !found->is_weak))
            found = skipped;
    }
    return found;
}

static bool has_usable_kid(const struct rely_keyset *keyset, struct rely_slice kid)
{
    const struct rely_by_kid *list = &keyset->keys_by_kid;
    return rely_by_kid_is_at(list, rely_by_kid_find(list, kid), kid);
}

bool rely_keyset_has_kid(const struct rely_keyset *keyset, struct rely_slice kid)
{
    return has_usable_kid(keyset, kid) || find_skipped(keyset, kid) != NULL;
}

static enum rely_reason reason_of_skipped(const struct rely_keyset_skipped *skipped)
{
    if (skipped->is_weak)
        return RELY_WEAK_KEY;
    return skipped->is_unavailable ? RELY_ALGORITHM_UNAVAILABLE : RELY_KEY_UNKNOWN;
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
    return rely_refuse(detail, reason_of_skipped(skipped), "the key with kid %.100s is not used: %s", kid,
                       skipped->why);
}

/* Up to RELY_KEY_TRIES_MAX keys that fit, in the document's order; how many fit in all. A key without a kid has no
 * name: a token that names one does not mean it. */
static size_t collect_fitting(const struct rely_keyset *keyset, const struct rely_unverified *token,
                              const struct rely_key *found[RELY_KEY_TRIES_MAX])
{
    const struct rely_by_kid *list = &keyset->keys_by_kid;
    rely_alg_set wanted = (1u << token->alg) & RELY_ALGS_ALL;
    bool is_named = token->kid.ptr != NULL;
    size_t count = 0;
    for (size_t at = is_named ? rely_by_kid_find(list, token->kid) : 0;
         is_named ? rely_by_kid_is_at(list, at, token->kid) : at < keyset->count; at++) {
        const struct rely_key *key = &keyset->keys[is_named ? list->places[at].index : at];
        if ((key->algs & wanted) == 0)
            continue;
        if (count < RELY_KEY_TRIES_MAX)
            found[count] = key;
        count++;
    }
    return count;
}

size_t rely_keys_count_fitting(const struct rely_keyset *keyset, const struct rely_unverified *token)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX];
    return collect_fitting(keyset, token, found);
}

enum rely_reason rely_keys_find(const struct rely_keyset *keyset, const struct rely_unverified *token,
                                const struct rely_key *out[RELY_KEY_TRIES_MAX], size_t *count,
                                struct rely_detail *detail)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX];
    size_t fitting = collect_fitting(keyset, token, found);
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

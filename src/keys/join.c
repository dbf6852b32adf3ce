/*
 * A set that is in force while its issuer does not show all of its keys any more: those of the present set, which holds,
 * and beside them, as guests, those that came without them. Decides what one token may be tried under, not when a set
 * holds. Called by the key keeper, through signature/.
 */
#include "key.h"

#include "relyd/token.h"

#include <stdlib.h>

struct rely_keyset *rely_keyset_new_empty(void)
{
    return rely_alloc(sizeof(struct rely_keyset));
}

/* The list in a larger one; what is behind it is zero. */
static void *move_to_larger(void *list, size_t bytes, size_t larger_bytes)
{
    void *larger = rely_alloc(larger_bytes);
    if (bytes > 0)
        memcpy(larger, list, bytes);
    free(list);
    return larger;
}

static void make_room(struct rely_keyset *keyset, size_t more)
{
    size_t count = keyset->count + keyset->skipped_count + more, of_places = sizeof(struct rely_kid_place);
    keyset->keys = move_to_larger(keyset->keys, keyset->count * sizeof *keyset->keys, count * sizeof *keyset->keys);
    keyset->skipped = move_to_larger(keyset->skipped, keyset->skipped_count * sizeof *keyset->skipped,
                                     count * sizeof *keyset->skipped);
    keyset->keys_by_kid.places = move_to_larger(keyset->keys_by_kid.places, 0, count * of_places); /* made anew */
    keyset->skipped_by_kid.places = move_to_larger(keyset->skipped_by_kid.places, 0, count * of_places);
}

/* With OpenSSL's key shared, and without the verifier. */
static void add_held_key(struct rely_keyset *keyset, const struct rely_key *from)
{
    struct rely_key *key = &keyset->keys[keyset->count++];
    *key = *from;
    EVP_PKEY_up_ref(from->pkey);
    key->verifier = NULL;
    key->release = NULL;
    key->place = SIZE_MAX; /* of no document */
    if (from->kid.ptr != NULL)
        key->kid.ptr = rely_strdup_slice(from->kid);
    key->times = rely_key_times_new();
    rely_key_copy_times(key, from);
}

static bool holds_key(const struct rely_keyset *present, const struct rely_key *key)
{
    for (size_t i = 0; i < present->count; i++)
        if (!present->keys[i].is_guest && rely_key_is_same(&present->keys[i], key))
            return true;
    return false;
}

void rely_keyset_join(struct rely_keyset *keyset, const struct rely_keyset *present)
{
    make_room(keyset, present->count);
    for (size_t i = 0; i < keyset->count; i++)
        keyset->keys[i].is_guest = !holds_key(present, &keyset->keys[i]);
    for (size_t i = 0; i < present->count; i++)
        if (!present->keys[i].is_guest && !rely_keyset_has_key(keyset, &present->keys[i]))
            add_held_key(keyset, &present->keys[i]);
    rely_keyset_index(keyset);
}

bool rely_key_is_guest(const struct rely_key *key)
{
    return key->is_guest;
}

/* --- tries --------------------------------------------------------------------------------------------------- */

static bool is_tried(const struct rely_keyset *keyset, struct rely_slice kid, enum rely_alg alg)
{
    const struct rely_unverified token = {.kid = kid, .alg = alg};
    const struct rely_key *keys[RELY_KEY_TRIES_MAX];
    struct rely_detail detail;
    size_t count = 0;
    uint32_t cost = 0;
    if (rely_keys_find(keyset, &token, keys, &count, &detail) != RELY_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        cost += keys[i]->cost;
    return cost <= RELY_TRY_COST_MAX;
}

static bool keeps_tries_of(const struct rely_keyset *joined, const struct rely_keyset *present, struct rely_slice kid,
                           rely_alg_set algs)
{
    for (enum rely_alg alg = RELY_ALG_UNKNOWN + 1; alg < RELY_ALG_COUNT; alg++)
        if ((algs & 1u << alg) != 0 && is_tried(present, kid, alg) && !is_tried(joined, kid, alg))
            return false;
    return true;
}

bool rely_keyset_keeps_tries(const struct rely_keyset *joined, const struct rely_keyset *present)
{
    rely_alg_set all = 0;
    for (size_t i = 0; i < present->count; i++) {
        const struct rely_key *key = &present->keys[i];
        if (key->is_guest)
            continue;
        all |= key->algs;
        if (key->kid.ptr != NULL && !keeps_tries_of(joined, present, key->kid, key->algs))
            return false;
    }
    return keeps_tries_of(joined, present, rely_slice(NULL, 0), all);
}

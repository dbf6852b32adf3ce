/*
 * Are two key sets the same in what they let through? Decides when a fetched document is news: an issuer that shuffles
 * its keys, or writes them differently each time, has not changed them. Called by the key keeper.
 */
#include "key.h"

bool rely_key_is_same(const struct rely_key *a, const struct rely_key *b)
{
    return a->algs == b->algs && rely_slice_same(a->kid, b->kid) &&
           memcmp(a->material, b->material, sizeof a->material) == 0;
}

/* Most documents keep their order, so the place is looked at first. */
static bool has_key(const struct rely_keyset *keyset, const struct rely_key *key, size_t place)
{
    if (place < keyset->count && rely_key_is_same(&keyset->keys[place], key))
        return true;
    for (size_t i = 0; i < keyset->count; i++)
        if (rely_key_is_same(&keyset->keys[i], key))
            return true;
    return false;
}

bool rely_keyset_has_key(const struct rely_keyset *keyset, const struct rely_key *key)
{
    return has_key(keyset, key, 0);
}

static bool has_all_keys(const struct rely_keyset *keyset, const struct rely_keyset *of)
{
    for (size_t i = 0; i < of->count; i++)
        if (!has_key(keyset, &of->keys[i], i))
            return false;
    return true;
}

bool rely_keyset_has_same_keys(const struct rely_keyset *a, const struct rely_keyset *b)
{
    return has_all_keys(a, b) && has_all_keys(b, a);
}

/* In place: a set is parsed in the order of its document. */
static bool is_same_skipped(const struct rely_keyset_skipped *a, const struct rely_keyset_skipped *b)
{
    return a->is_weak == b->is_weak && a->is_unavailable == b->is_unavailable && rely_slice_same(a->kid, b->kid) &&
           memcmp(a->material, b->material, sizeof a->material) == 0;
}

bool rely_keyset_is_same(const struct rely_keyset *a, const struct rely_keyset *b)
{
    if (a->skipped_count != b->skipped_count)
        return false;
    for (size_t i = 0; i < a->skipped_count; i++)
        if (!is_same_skipped(&a->skipped[i], &b->skipped[i]))
            return false;
    return rely_keyset_has_same_keys(a, b);
}

/* --- a number for it ------------------------------------------------------------------------------------ */

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *next = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ next[i]) * 0x100000001b3;
    return hash;
}

static uint64_t hash_key(const struct rely_key *key)
{
    uint64_t hash = add_bytes(0xcbf29ce484222325, key->material, sizeof key->material);
    hash = add_bytes(hash, &(uint8_t){key->kid.ptr != NULL}, 1);
    hash = add_bytes(hash, key->kid.ptr, key->kid.len);
    for (int shift = 0; shift < 32; shift += 8)
        hash = add_bytes(hash, &(uint8_t){(uint8_t)(key->algs >> shift)}, 1);
    return hash * 0x9e3779b97f4a7c15;
}

uint64_t rely_keyset_hash(const struct rely_keyset *keyset)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < keyset->count; i++)
        hash += hash_key(&keyset->keys[i]); /* in any order */
    return hash;
}

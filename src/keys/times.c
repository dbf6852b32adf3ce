/*
 * When a key was first fetched, and when it last verified a token. Whoever verifies writes, whoever decides which keys
 * are in use reads; the times go on with the key from one set to the next. Decides nothing. Called by decide/'s cache,
 * and by the key keeper.
 */
#include "key.h"

#include <stdlib.h>

struct rely_key_times *rely_key_times_new(void)
{
    return rely_alloc(sizeof(struct rely_key_times));
}

void rely_key_note_use(const struct rely_key *key, int64_t now_s)
{
    int64_t before_s = atomic_load_explicit(&key->times->used_s, memory_order_relaxed);
    if (now_s < before_s || now_s - before_s >= RELY_KEY_USE_EVERY_S)
        atomic_store_explicit(&key->times->used_s, now_s, memory_order_relaxed);
}

int64_t rely_key_used_s(const struct rely_key *key)
{
    return atomic_load_explicit(&key->times->used_s, memory_order_relaxed);
}

int64_t rely_key_first_seen_s(const struct rely_key *key)
{
    return key->times->first_seen_s;
}

/* Whatever its kid and algorithms: it is the same key. */
static const struct rely_key *find_by_material(const struct rely_keyset *keyset, const struct rely_key *key)
{
    for (size_t i = 0; keyset != NULL && i < keyset->count; i++)
        if (memcmp(keyset->keys[i].material, key->material, RELY_MATERIAL_BYTES) == 0)
            return &keyset->keys[i];
    return NULL;
}

void rely_key_copy_times(struct rely_key *to, const struct rely_key *from)
{
    to->times->first_seen_s = from->times->first_seen_s;
    atomic_store_explicit(&to->times->used_s, rely_key_used_s(from), memory_order_relaxed);
}

size_t rely_keyset_carry_times(struct rely_keyset *keyset, const struct rely_keyset *before, int64_t now_s)
{
    size_t new_count = 0;
    for (size_t i = 0; i < keyset->count; i++) {
        const struct rely_key *known = find_by_material(before, &keyset->keys[i]);
        new_count += known == NULL;
        if (known != NULL)
            rely_key_copy_times(&keyset->keys[i], known);
        else
            keyset->keys[i].times->first_seen_s = now_s;
    }
    return new_count;
}

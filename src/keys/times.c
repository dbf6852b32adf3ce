/*
 * When a key was first fetched, and when it last verified a token. Whoever verifies writes, whoever decides which keys
 * are in use reads; the times go on with the key from one set to the next. Decides nothing. Called by decide/'s cache,
 * and by the key keeper.
 */
#include "key.h"

#include <stdio.h>
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
        else if (keyset->keys[i].times->first_seen_s == 0)
            keyset->keys[i].times->first_seen_s = now_s;
    }
    return new_count;
}

/* --- over a restart ------------------------------------------------------------------------------------------- */

/* Of a key's material so much tells those of one issuer apart: it is a time to look at, and nothing is decided by it. */
#define SEEN_BYTES ((size_t)8)
#define SEEN_DIGITS (2 * SEEN_BYTES)

static void print_material(const struct rely_key *key, char out[SEEN_DIGITS + 1])
{
    for (size_t i = 0; i < SEEN_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", key->material[i]);
}

void rely_keyset_print_seen(const struct rely_keyset *keyset, struct rely_buf *out)
{
    char name[SEEN_DIGITS + 1];
    for (size_t i = 0; i < keyset->count; i++) {
        const struct rely_key *key = &keyset->keys[i];
        if (key->is_guest || key->times->first_seen_s <= 0)
            continue;
        print_material(key, name);
        rely_buf_printf(out, "%s %lld\n", name, (long long)key->times->first_seen_s);
    }
}

/* 0: the line is none of ours. */
static int64_t read_seconds(struct rely_slice digits)
{
    int64_t seconds = 0;
    if (digits.len == 0 || digits.len > 12)
        return 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return 0;
        seconds = seconds * 10 + (digits.ptr[i] - '0');
    }
    return seconds;
}

static int64_t find_seen(struct rely_slice lines, const char *name)
{
    const char *next = lines.ptr, *end = lines.ptr + lines.len, *line_end;
    for (; next < end; next = line_end + 1) {
        line_end = memchr(next, '\n', (size_t)(end - next));
        if (line_end == NULL)
            return 0;
        size_t len = (size_t)(line_end - next);
        if (len > SEEN_DIGITS + 1 && memcmp(next, name, SEEN_DIGITS) == 0 && next[SEEN_DIGITS] == ' ')
            return read_seconds(rely_slice(next + SEEN_DIGITS + 1, len - SEEN_DIGITS - 1));
    }
    return 0;
}

void rely_keyset_recall_seen(struct rely_keyset *keyset, struct rely_slice lines)
{
    char name[SEEN_DIGITS + 1];
    for (size_t i = 0; lines.ptr != NULL && i < keyset->count; i++) {
        print_material(&keyset->keys[i], name);
        keyset->keys[i].times->first_seen_s = find_seen(lines, name);
    }
}

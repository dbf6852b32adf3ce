/*
 * The keyed fingerprint that the token cache looks tokens up by. Decides nothing; says whether two byte strings are the
 * same without keeping either. Called by decide/cache.c.
 */
#include "relyd/signature.h"

#include "relyd/limits.h"
#include "relyd/text.h"

#include <stdlib.h>

#define PAIR_BYTES 16
#define RANDOM_BYTES_MAX 256 /* of one rely_random */
#define SHIFT 2              /* words by which the second sum's key lies behind the first's: one pair */
/* One pair for each 16 bytes, one for the rest, and the shift. */
#define KEY_WORDS (RELY_TOKEN_BYTES_MAX / sizeof(uint64_t) + 2 + SHIFT)

__extension__ typedef unsigned __int128 uint128;

struct rely_mac_key {
    uint64_t word[KEY_WORDS];
};

struct rely_mac_key *rely_mac_key_new(void)
{
    struct rely_mac_key *key = rely_alloc(sizeof *key);
    for (size_t at = 0; at < sizeof key->word; at += RANDOM_BYTES_MAX) {
        size_t left = sizeof key->word - at;
        rely_random((char *)key->word + at, left < RANDOM_BYTES_MAX ? left : RANDOM_BYTES_MAX);
    }
    return key;
}

void rely_mac_key_free(struct rely_mac_key *key)
{
    if (key == NULL)
        return;
    explicit_bzero(key, sizeof *key);
    free(key);
}

/* NH: both words of the text blinded by the key, multiplied, and summed, once for each part of the key. */
static void add_pair(uint128 sums[2], const uint64_t *key, const char *pair)
{
    uint64_t left, right; /* in the machine's own order: no value leaves it */
    memcpy(&left, pair, sizeof left);
    memcpy(&right, pair + sizeof left, sizeof right);
    sums[0] += (uint128)(left + key[0]) * (right + key[1]);
    sums[1] += (uint128)(left + key[SHIFT]) * (right + key[SHIFT + 1]);
}

struct rely_mac rely_mac_of(const struct rely_mac_key *key, struct rely_slice text)
{
    RELY_ASSERT(text.len <= RELY_TOKEN_BYTES_MAX);
    uint128 sums[2] = {0, 0};
    const uint64_t *next = key->word;
    size_t at = 0;
    for (; text.len - at >= PAIR_BYTES; at += PAIR_BYTES, next += 2)
        add_pair(sums, next, text.ptr + at);
    char rest[PAIR_BYTES] = {0};
    if (at < text.len)
        memcpy(rest, text.ptr + at, text.len - at);
    add_pair(sums, next, rest);
    return (struct rely_mac){
        {(uint64_t)sums[0], (uint64_t)(sums[0] >> 64), (uint64_t)sums[1], (uint64_t)(sums[1] >> 64)}, text.len};
}

bool rely_mac_is_same(const struct rely_mac *a, const struct rely_mac *b)
{
    uint64_t difference = a->len ^ b->len;
    for (size_t i = 0; i < sizeof a->word / sizeof a->word[0]; i++)
        difference |= a->word[i] ^ b->word[i];
    return difference == 0;
}

/* The middle bits of a product depend on all of both factors, its lowest ones on the lowest only. */
uint64_t rely_mac_scatter(const struct rely_mac *mac)
{
    uint128 product = (uint128)(mac->word[0] ^ mac->word[3] ^ mac->len) * 0x9e3779b97f4a7c15ULL;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ mac->word[1] ^ mac->word[2];
}

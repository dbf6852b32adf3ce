/*
 * The keyed fingerprint that the token cache looks tokens up by. Decides nothing; says whether two byte strings are the
 * same without keeping either. NH, or HMAC-SHA-256 where own arithmetic is not wanted. Called by cache.c.
 */
#include "fingerprint.h"

#include "relyd/digest.h"
#include "relyd/limits.h"
#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdlib.h>

#define PAIR_BYTES 16
#define RANDOM_BYTES_MAX 256 /* of one rely_random */
#define SHIFT 2              /* words by which the second sum's key lies behind the first's: one pair */
/* One pair for each 16 bytes, one for the rest, and the shift. */
#define KEY_WORDS (RELY_TOKEN_BYTES_MAX / sizeof(uint64_t) + 2 + SHIFT)

__extension__ typedef unsigned __int128 uint128;

struct rely_fingerprint_key {
    size_t nh_end;          /* texts shorter than this are NH's: all that are allowed, or none */
    struct rely_hmac *hmac; /* owned; NULL: NH */
    uint64_t word[KEY_WORDS];
};

struct rely_fingerprint_key *rely_fingerprint_key_new(void)
{
    struct rely_fingerprint_key *key = rely_alloc(sizeof *key);
    for (size_t at = 0; at < sizeof key->word; at += RANDOM_BYTES_MAX) {
        size_t left = sizeof key->word - at;
        rely_random((char *)key->word + at, left < RANDOM_BYTES_MAX ? left : RANDOM_BYTES_MAX);
    }
    if (rely_signature_is_evp_only())
        key->hmac = rely_hmac_new((const uint8_t *)key->word); /* under the first of the random bytes */
    else
        key->nh_end = RELY_TOKEN_BYTES_MAX + 1;
    return key;
}

void rely_fingerprint_key_free(struct rely_fingerprint_key *key)
{
    if (key == NULL)
        return;
    rely_hmac_free(key->hmac);
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

static struct rely_fingerprint compute_hmac(const struct rely_fingerprint_key *key, struct rely_slice text)
{
    struct rely_fingerprint print = {.len = text.len};
    _Static_assert(sizeof print.word == RELY_SHA256_BYTES, "a fingerprint holds a whole HMAC");
    RELY_ASSERT(key->hmac != NULL && text.len <= RELY_TOKEN_BYTES_MAX);
    rely_hmac_of(key->hmac, text, (uint8_t *)print.word);
    return print;
}

struct rely_fingerprint rely_fingerprint_of(const struct rely_fingerprint_key *key, struct rely_slice text)
{
    if (text.len >= key->nh_end)
        return compute_hmac(key, text);
    uint128 sums[2] = {0, 0};
    const uint64_t *next = key->word;
    size_t at = 0;
    for (; text.len - at >= PAIR_BYTES; at += PAIR_BYTES, next += 2)
        add_pair(sums, next, text.ptr + at);
    if (text.len >= PAIR_BYTES) { /* the rest with as much before it as makes a pair: no copy */
        add_pair(sums, next, text.ptr + text.len - PAIR_BYTES);
    } else {
        char rest[PAIR_BYTES] = {0};
        if (text.len > 0)
            memcpy(rest, text.ptr, text.len);
        add_pair(sums, next, rest);
    }
    return (struct rely_fingerprint){
        {(uint64_t)sums[0], (uint64_t)(sums[0] >> 64), (uint64_t)sums[1], (uint64_t)(sums[1] >> 64)}, text.len};
}

bool rely_fingerprint_is_same(const struct rely_fingerprint *a, const struct rely_fingerprint *b)
{
    uint64_t difference = a->len ^ b->len;
    for (size_t i = 0; i < sizeof a->word / sizeof a->word[0]; i++)
        difference |= a->word[i] ^ b->word[i];
    return difference == 0;
}

/* The middle bits of a product depend on all of both factors, its lowest ones on the lowest only. */
uint64_t rely_fingerprint_scatter(const struct rely_fingerprint *print)
{
    uint128 product = (uint128)(print->word[0] ^ print->word[3] ^ print->len) * 0x9e3779b97f4a7c15ULL;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ print->word[1] ^ print->word[2];
}

/*
 * SipHash-1-3 under a random key of this process (Aumasson, Bernstein 2012; the rounds that Rust and Python use for
 * tables), so that nobody outside can prepare subjects that fall on one hash. Not a digest: never decides equality
 * alone. Used by the maps.
 */
#include "relyd/text.h"

#include <pthread.h>

static uint64_t key[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void draw_hash_key(void)
{
    rely_random(key, sizeof key);
}

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void mix_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

static inline void mix_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix_round(v);
    v[0] ^= word;
}

/* All words of the text, the last one with the length in its top byte. */
static inline void mix_text(uint64_t v[4], struct rely_slice text)
{
    const char *next = text.ptr;
    size_t left = text.len;
    for (; left >= 8; left -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        mix_word(v, word);
    }
    uint64_t last = (uint64_t)text.len << 56;
    if (left != 0)
        memcpy(&last, next, left);
    mix_word(v, last);
}

static inline uint64_t finish_word(uint64_t v[4])
{
    for (int i = 0; i < 3; i++)
        mix_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t rely_hash(struct rely_slice text, uint64_t seed)
{
    pthread_once(&once, draw_hash_key);
    uint64_t k0 = key[0] ^ seed;
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
                     key[1] ^ 0x7465646279746573ULL};
    mix_text(v, text);
    v[2] ^= 0xff;
    return finish_word(v);
}

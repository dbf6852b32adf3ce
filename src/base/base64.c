/*
 * Strict base64url (RFC 7515 s2, RFC 4648 s5). One byte string has one spelling: whatever a lenient decoder would
 * forgive is refused here, because a token with two spellings dodges whatever is keyed by its digest. Used for tokens
 * and JWKs.
 */
#include "relyd/text.h"

#include <endian.h>
#include <pthread.h>

#define BAD 0xff
#define BAD_SHARE 0x80000000u

/* clang-format off */
/* The value of each letter plus one, so that all others are 0. */
static const uint8_t places[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};
/* clang-format on */

/* 0 to 63, or BAD. */
static inline uint8_t value_of(uint8_t letter)
{
    return (uint8_t)(places[letter] - 1);
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The last two or three characters: their unused bits must be zero (RFC 4648 s3.5). */
static bool decode_tail(const uint8_t *in, size_t left, uint8_t *out)
{
    uint8_t a = value_of(in[0]);
    uint8_t b = value_of(in[1]);
    uint8_t c = left == 3 ? value_of(in[2]) : 0;
    if (a == BAD || b == BAD || c == BAD)
        return false;
    out[0] = (uint8_t)(a << 2 | b >> 4);
    if (left == 2)
        return (b & 0x0f) == 0;
    out[1] = (uint8_t)(b << 4 | c >> 2);
    return (c & 0x03) == 0;
}

/*
 * What each of four letters adds to their three bytes (the first byte lowest), made once from the table above: four
 * loads and three ORs decode 24 bits. A letter that is none sets the top bit, which no byte uses.
 */
static uint32_t shares[4][256];
static pthread_once_t shares_once = PTHREAD_ONCE_INIT;

static void fill_shares(void)
{
    for (int place = 0; place < 4; place++) {
        for (int letter = 0; letter < 256; letter++) {
            uint32_t value = value_of((uint8_t)letter);
            uint32_t bits = value << (18 - 6 * place); /* of 24, the first byte highest */
            uint32_t swapped = (bits >> 16 & 0xff) | (bits & 0xff00) | (bits & 0xff) << 16;
            shares[place][letter] = value == BAD ? BAD_SHARE : swapped;
        }
    }
}

bool rely_base64url_decode(struct rely_slice text, uint8_t *out, size_t *out_len)
{
    const uint8_t *in = (const uint8_t *)text.ptr;
    size_t whole = text.len / 4;
    size_t left = text.len % 4;
    uint32_t all = 0;
    if (left == 1)
        return false;
    pthread_once(&shares_once, fill_shares);
    for (size_t i = 0; i < whole; i++, in += 4) {
        uint32_t bytes = shares[0][in[0]] | shares[1][in[1]] | shares[2][in[2]] | shares[3][in[3]];
        all |= bytes;
        bytes = htole32(bytes);
        memcpy(out + 3 * i, &bytes,
               4); /* the fourth byte is overwritten by the next group, or lies in the spare three */
    }
    if ((all & BAD_SHARE) != 0 || (left != 0 && !decode_tail(in, left, out + 3 * whole)))
        return false;
    *out_len = 3 * whole + (left == 0 ? 0 : left - 1);
    return true;
}

size_t rely_base64url_encode(const uint8_t *data, size_t len, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        for (size_t k = 0; k <= left; k++)
            out[at++] = letters[bits >> (18 - 6 * k) & 63];
    }
    out[at] = '\0';
    return at;
}

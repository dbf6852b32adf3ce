/*
 * bytes: looking through texts sixteen bytes at a time, for what every request's texts pass through. A mark says of
 * each of sixteen bytes whether it is of some kind: all bits of a byte set, or none.
 */
#ifndef RELYD_BYTES_H
#define RELYD_BYTES_H

#include "relyd/base.h"

#include <endian.h>

/* Compilers compare all sixteen in one instruction. Signed: what is not ASCII stands below zero. */
typedef int8_t rely_sixteen __attribute__((vector_size(16)));

/* The place of the first byte at text that is marked; 16 when none is. */
static inline __attribute__((always_inline)) size_t rely_sixteen_find(const char *text,
                                                                      rely_sixteen (*mark)(rely_sixteen part))
{
    rely_sixteen part;
    uint64_t half[2];
    memcpy(&part, text, sizeof part);
    part = mark(part);
    memcpy(half, &part, sizeof half);
    if (half[0] != 0)
        return (size_t)__builtin_ctzll(le64toh(half[0])) / 8;
    return half[1] == 0 ? sizeof part : 8 + (size_t)__builtin_ctzll(le64toh(half[1])) / 8;
}

/* Is any of the 64 bytes at text marked? */
static inline __attribute__((always_inline)) bool rely_sixteens_have(const char *text,
                                                                     rely_sixteen (*mark)(rely_sixteen part))
{
    rely_sixteen one, two, three, four;
    uint64_t half[2];
    memcpy(&one, text, sizeof one);
    memcpy(&two, text + sizeof one, sizeof two);
    memcpy(&three, text + 2 * sizeof one, sizeof three);
    memcpy(&four, text + 3 * sizeof one, sizeof four);
    one = mark(one) | mark(two) | mark(three) | mark(four);
    memcpy(half, &one, sizeof half);
    return (half[0] | half[1]) != 0;
}

/**
 * Find the first byte of a kind.
 *
 * In:       mark - a static function without state, so that the compiler puts it into the loop.
 * Returns:  its place, len when there is none.
 * Cost:     one look for each 64 bytes, at the end and where one is marked for each sixteen, and one more when that does not come out even: it takes in bytes that are
 *           known not to be marked, which is cheaper than the rest byte by byte.
 */
static inline __attribute__((always_inline)) size_t rely_bytes_find(const char *text, size_t len,
                                                                    rely_sixteen (*mark)(rely_sixteen part))
{
    char both[sizeof(rely_sixteen)] = {0};
    size_t at = 0, half = sizeof both / 2;
    if (len >= sizeof both) {
        while (len - at >= 4 * sizeof both && !rely_sixteens_have(text + at, mark))
            at += 4 * sizeof both;
        for (; len - at > sizeof both; at += sizeof both) {
            size_t first = rely_sixteen_find(text + at, mark);
            if (first < sizeof both)
                return at + first;
        }
        at = len - sizeof both;
        return at + rely_sixteen_find(text + at, mark);
    }
    if (len >= half) {
        memcpy(both, text, half);
        memcpy(both + half, text + len - half, half);
        size_t first = rely_sixteen_find(both, mark);
        return first < half ? first : first + len - sizeof both;
    }
    for (size_t i = 0; i < len; i++)
        both[i] = text[i];
    size_t first = rely_sixteen_find(both, mark);
    return first < len ? first : len;
}

/* How many bytes at the front of a text a JSON string holds as they are (RFC 8259 s7), DEL and what is not ASCII left
 * aside: nearly all of nearly every text. */
size_t rely_bytes_measure_plain(const char *text, size_t len);

#endif

/*
 * bytes: looking at eight or sixteen bytes of a text at once, for what every request's texts pass through. Each mark of
 * eight has the top bit of a byte set where the byte is of the kind; above the lowest set bit there may be false ones,
 * so only "none" and "the first" may be relied on. Marks of sixteen are exact: all bits of a byte, or none.
 */
#ifndef RELYD_BYTES_H
#define RELYD_BYTES_H

#include "relyd/base.h"

#include <endian.h>

#define RELY_BYTES_OF(byte) (0x0101010101010101ULL * (uint64_t)(byte))
#define RELY_BYTES_TOP RELY_BYTES_OF(0x80)

/* Little-endian, so that the first byte is the lowest. */
static inline uint64_t rely_bytes_load(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    return le64toh(bytes);
}

/* Bytes below `limit`, which is at most 0x80. */
static inline uint64_t rely_bytes_below(uint64_t bytes, uint8_t limit)
{
    return (bytes - RELY_BYTES_OF(limit)) & ~bytes & RELY_BYTES_TOP;
}

static inline uint64_t rely_bytes_equal(uint64_t bytes, uint8_t wanted)
{
    return rely_bytes_below(bytes ^ RELY_BYTES_OF(wanted), 1);
}

static inline uint64_t rely_bytes_not_ascii(uint64_t bytes)
{
    return bytes & RELY_BYTES_TOP;
}

/* Compilers compare all sixteen in one instruction. Signed: what is not ASCII stands below zero. */
typedef int8_t rely_sixteen __attribute__((vector_size(16)));

static inline rely_sixteen rely_sixteen_load(const char *text)
{
    rely_sixteen part;
    memcpy(&part, text, sizeof part);
    return part;
}

/* The place of the first byte that is marked; 16 when none is. */
static inline size_t rely_sixteen_first(rely_sixteen marks)
{
    uint64_t half[2];
    memcpy(half, &marks, sizeof half);
    if (half[0] != 0)
        return (size_t)__builtin_ctzll(le64toh(half[0])) / 8;
    return half[1] == 0 ? 16 : 8 + (size_t)__builtin_ctzll(le64toh(half[1])) / 8;
}

/* What a JSON string cannot hold as it is (RFC 8259 s7), with DEL and what is not ASCII: whatever needs a look. */
static inline rely_sixteen rely_sixteen_json(rely_sixteen part)
{
    return (part < ' ') | (part == '"') | (part == '\\') | (part == 0x7f);
}

/* How many bytes at the front of a text need no look: nearly all of nearly every text. */
size_t rely_bytes_measure_plain(const char *text, size_t len);

#endif

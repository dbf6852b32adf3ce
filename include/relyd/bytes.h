/*
 * bytes: looking at eight bytes of a text at once, for what every request's texts pass through. Each mark has the top
 * bit of a byte set where the byte is of the kind; above the lowest set bit there may be false ones, so only "none" and
 * "the first" may be relied on.
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

/* What stands out in a JSON string (RFC 8259 s7): a quote, a backslash, a control character, or no ASCII. */
static inline uint64_t rely_bytes_json(uint64_t bytes)
{
    uint64_t control = bytes - RELY_BYTES_OF(0x20);
    uint64_t quote = (bytes ^ RELY_BYTES_OF('"')) - RELY_BYTES_OF(1);
    uint64_t backslash = (bytes ^ RELY_BYTES_OF('\\')) - RELY_BYTES_OF(1);
    return (control | quote | backslash | bytes) & RELY_BYTES_TOP;
}

#endif

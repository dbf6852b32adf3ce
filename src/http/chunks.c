/*
 * Reads the chunks of a body, strictly, as their bytes come in, however they are cut: what one reader takes for a size
 * and another for the next request is refused. Pure: knows of no connection. Called by connection.c.
 */
#include "head.h"

enum state {
    CHUNK_SIZE, /* its digits */
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    LAST_CR, /* behind the chunk of no bytes */
    LAST_LF,
    CHUNKS_END
};

#define SIZE_DIGITS_MAX 16

static bool fail_chunks(struct rely_http_fault *fault, const char *detail)
{
    *fault = (struct rely_http_fault){RELY_HTTP_BODY_MALFORMED, detail};
    return false;
}

static int read_hex(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool take_size_byte(struct rely_http_chunks *chunks, char byte, struct rely_http_fault *fault)
{
    int digit = read_hex(byte);
    if (digit >= 0) {
        if (++chunks->digits > SIZE_DIGITS_MAX)
            return fail_chunks(fault, "The size of a chunk has more than 16 digits.");
        chunks->left = chunks->left << 4 | (uint64_t)digit;
        return true;
    }
    if (chunks->digits == 0 || (byte != ';' && byte != '\r'))
        return fail_chunks(fault, "A chunk does not begin with its size in hexadecimal digits.");
    chunks->state = byte == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return true;
}

/* Of no use to anybody here, and must have an end. Where a blank may stand in one, readers do not agree: it may not. */
static bool take_extension_byte(struct rely_http_chunks *chunks, char byte, struct rely_http_fault *fault)
{
    if (byte == '\r') {
        chunks->state = CHUNK_SIZE_LF;
        return true;
    }
    if (byte <= ' ' || byte >= 0x7f) /* what is not ASCII is below zero */
        return fail_chunks(fault, "A chunk extension has a byte that is no visible ASCII.");
    return ++chunks->extension_bytes <= RELY_HTTP_CHUNK_EXTENSIONS_MAX ||
           fail_chunks(fault, "The chunk extensions are too long.");
}

static bool end_size(struct rely_http_chunks *chunks, struct rely_http_fault *fault)
{
    if (chunks->left > chunks->max_bytes - chunks->total) {
        *fault = (struct rely_http_fault){RELY_HTTP_BODY_TOO_LARGE, NULL};
        return false;
    }
    chunks->total += chunks->left;
    chunks->digits = 0;
    chunks->state = chunks->left == 0 ? LAST_CR : CHUNK_DATA;
    return true;
}

static bool expect_byte(struct rely_http_chunks *chunks, char byte, char expected, enum state next,
                        struct rely_http_fault *fault)
{
    chunks->state = (int)next;
    return byte == expected || fail_chunks(fault, "A chunk does not end in CR LF.");
}

/* Trailers are headers that come too late for whoever reads a request to its end first, and some would change what it
 * means (RFC 9110 s6.5.1): nobody here takes any. */
static bool end_chunks(struct rely_http_chunks *chunks, char byte, struct rely_http_fault *fault)
{
    chunks->state = LAST_LF;
    return byte == '\r' || fail_chunks(fault, "The chunked body has trailers, which are not taken here.");
}

/* One byte that is not data. */
static bool take_byte(struct rely_http_chunks *chunks, char byte, struct rely_http_fault *fault)
{
    switch ((enum state)chunks->state) {
    case CHUNK_SIZE:
        return take_size_byte(chunks, byte, fault);
    case CHUNK_EXTENSION:
        return take_extension_byte(chunks, byte, fault);
    case CHUNK_SIZE_LF:
        return expect_byte(chunks, byte, '\n', CHUNK_SIZE_LF, fault) && end_size(chunks, fault);
    case CHUNK_DATA_CR:
        return expect_byte(chunks, byte, '\r', CHUNK_DATA_LF, fault);
    case CHUNK_DATA_LF:
        return expect_byte(chunks, byte, '\n', CHUNK_SIZE, fault);
    case LAST_CR:
        return end_chunks(chunks, byte, fault);
    case LAST_LF:
        return expect_byte(chunks, byte, '\n', CHUNKS_END, fault);
    case CHUNK_DATA:
    case CHUNKS_END:
        break;
    }
    RELY_ASSERT(false); /* neither takes a single byte */
}

/* Moves what is data to the front; returns how much there is of it. */
static size_t take_data(struct rely_http_chunks *chunks, char *to, const char *from, size_t len)
{
    size_t part = len < chunks->left ? len : (size_t)chunks->left;
    if (to != from)
        memmove(to, from, part);
    chunks->left -= part;
    if (chunks->left == 0)
        chunks->state = CHUNK_DATA_CR;
    return part;
}

enum rely_http_progress rely_http_read_chunks(struct rely_http_chunks *chunks, char *bytes, size_t *len, size_t *used,
                                              struct rely_http_fault *fault)
{
    size_t at = 0, placed = 0;
    while (at < *len && chunks->state != CHUNKS_END) {
        if (chunks->state == CHUNK_DATA) {
            size_t part = take_data(chunks, bytes + placed, bytes + at, *len - at);
            placed += part;
            at += part;
        } else if (!take_byte(chunks, bytes[at++], fault)) {
            return RELY_HTTP_BROKEN;
        }
    }
    *len = placed;
    *used = at;
    return chunks->state == CHUNKS_END ? RELY_HTTP_WHOLE : RELY_HTTP_UNFINISHED;
}

/*
 * A reader of protobuf that knows nothing but tags and lengths and copies nothing, beside which fuzzers put relyd's.
 */
#ifndef RELYD_TESTS_FUZZ_FIELDS_H
#define RELYD_TESTS_FUZZ_FIELDS_H

#include "relyd/base.h"

#define LENGTH_DELIMITED 2

struct cursor {
    const uint8_t *at, *end;
    size_t *fields; /* all that have been seen, over all messages */
};

struct field {
    uint64_t number;
    unsigned wire;
    struct rely_slice bytes; /* of LENGTH_DELIMITED */
};

static bool take_varint(struct cursor *from, unsigned bytes_max, uint64_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < bytes_max && from->at < from->end; i++) {
        uint8_t byte = *from->at++;
        if (7 * i < 64)
            *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool skip_bytes(struct cursor *from, uint64_t count)
{
    if (count > (size_t)(from->end - from->at))
        return false;
    from->at += count;
    return true;
}

/* The next field; false: there is none, or the bytes are no protobuf (*is_wrong). */
static bool take_field(struct cursor *from, struct field *out, bool *is_wrong)
{
    uint64_t tag, len;
    if (from->at == from->end)
        return false;
    *is_wrong = true;
    ++*from->fields;
    /* Zero is no number of a field; protobuf-c takes it when it is written longer than it need be. */
    if ((*from->at & 0xf8) == 0 || !take_varint(from, 5, &tag))
        return false;
    *out = (struct field){.number = tag >> 3, .wire = (unsigned)tag & 7};
    if (out->wire == 0 && !take_varint(from, 10, &len))
        return false;
    if ((out->wire == 1 && !skip_bytes(from, 8)) || (out->wire == 5 && !skip_bytes(from, 4)))
        return false;
    if (out->wire == LENGTH_DELIMITED) {
        if (!take_varint(from, 5, &len))
            return false;
        len &= UINT32_MAX; /* as protobuf-c does: what a fifth byte has too much is lost */
        if (len > INT32_MAX || len > (size_t)(from->end - from->at))
            return false;
        out->bytes = rely_slice((const char *)from->at, (size_t)len);
        from->at += len;
    } else if (out->wire != 0 && out->wire != 1 && out->wire != 5) {
        return false;
    }
    *is_wrong = false;
    return true;
}

#endif

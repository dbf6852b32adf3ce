/*
 * Writes messages: fields one behind the other, each message in a buffer of its own before it is a field of another.
 * protobuf-c would have a tree of pointers built for every header first. Called by endpoints/grpc.c.
 */
#include "relyd/protobuf.h"

enum { TYPE_VARINT = 0, TYPE_BYTES = 2 };

static void put_varint(struct rely_buf *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        rely_buf_putc(out, (char)(number | 0x80));
    rely_buf_putc(out, (char)number);
}

void rely_protobuf_put_number(struct rely_buf *out, unsigned field, uint64_t number)
{
    put_varint(out, (uint64_t)field << 3 | TYPE_VARINT);
    put_varint(out, number);
}

void rely_protobuf_put_bytes(struct rely_buf *out, unsigned field, struct rely_slice bytes)
{
    put_varint(out, (uint64_t)field << 3 | TYPE_BYTES);
    put_varint(out, bytes.len);
    rely_buf_put(out, bytes);
}

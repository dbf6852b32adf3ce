/*
 * unpack: messages of protobuf-c in the pool of a request, and no more of it than somebody grants. Nothing outside this
 * folder includes it.
 */
#ifndef RELYD_PROTOBUF_UNPACK_H
#define RELYD_PROTOBUF_UNPACK_H

#include <protobuf-c/protobuf-c.h>

#include "relyd/pool.h"

/**
 * Unpack a stranger's bytes into a message.
 *
 * In:       type - must not contain itself, over however many others: protobuf-c goes as deep as the bytes say, on the
 *           stack. Its texts are `bytes`, its fields `repeated` (tokenreview.proto says why).
 *           limit - bytes of the pool that it may take. protobuf-c has no such limit: empty entries take it 40 times
 *           their bytes. What is granted for bytes that are right: RELY_UNPACK_LIMIT.
 * Returns:  the message, in the pool until that is reset, and never freed; NULL: the bytes are none of this type, or it
 *           would take more.
 * Cost:     one pass over the bytes for each level of messages; every field is copied.
 */
const void *rely_protobuf_unpack(const ProtobufCMessageDescriptor *type, struct rely_slice bytes,
                                 struct rely_pool *pool, size_t limit);

/* The bytes of a field; never absent. */
static inline struct rely_slice rely_protobuf_slice(const ProtobufCBinaryData *bytes)
{
    return bytes->len == 0 ? RELY_LIT("") : rely_slice((const char *)bytes->data, bytes->len);
}

/* Every byte once, and a few hundred fields. */
#define RELY_UNPACK_LIMIT(bytes) ((bytes).len + (size_t)16 * 1024)

#endif

/*
 * The allocator of protobuf-c: a pool with a limit, which frees nothing. A message that is too dear is a message that
 * cannot be unpacked. Which messages there are, their readers know (tokenreview.c).
 */
#include "unpack.h"

struct unpack_budget {
    struct rely_pool *pool; /* borrowed */
    size_t left;
};

/* What the pool takes for it (pool.h): each piece is rounded up. */
#define ROUNDED_TO ((size_t)16)

static void *take_from_budget(void *data, size_t size)
{
    struct unpack_budget *budget = data;
    if (size > budget->left)
        return NULL;
    size_t cost = (size + ROUNDED_TO - 1) / ROUNDED_TO * ROUNDED_TO;
    budget->left -= cost < budget->left ? cost : budget->left;
    return rely_pool_alloc(budget->pool, size);
}

static void keep_until_reset(void *data, void *memory)
{
    (void)data;
    (void)memory;
}

const void *rely_protobuf_unpack(const ProtobufCMessageDescriptor *type, struct rely_slice bytes,
                                 struct rely_pool *pool, size_t limit)
{
    struct unpack_budget budget = {pool, limit};
    ProtobufCAllocator allocator = {take_from_budget, keep_until_reset, &budget};
    return protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
}

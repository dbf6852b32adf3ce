/*
 * Makes long texts for the tests of src/json and src/token.
 */
#include "texts.h"

#include "relyd/pool.h"

#include <string.h>

struct rely_slice make_joined(struct rely_pool *pool, struct rely_slice a, struct rely_slice b, struct rely_slice c)
{
    char *out = rely_pool_alloc(pool, a.len + b.len + c.len + 1);
    memcpy(out, a.ptr, a.len);
    memcpy(out + a.len, b.ptr, b.len);
    memcpy(out + a.len + b.len, c.ptr, c.len);
    return rely_slice(out, a.len + b.len + c.len);
}

struct rely_slice make_repeated(struct rely_pool *pool, struct rely_slice text, size_t count)
{
    char *out = rely_pool_alloc(pool, text.len * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * text.len, text.ptr, text.len);
    return rely_slice(out, text.len * count);
}

/*
 * The request pool: an arena that is emptied at once. The first chunk is big enough for an ordinary request and is
 * kept, so that a worker in its stride does not touch the heap. What goes in has been limited by its reader.
 */
#include "relyd/pool.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_CHUNK_BYTES ((size_t)32 * 1024)
#define ALIGNMENT 16

struct rely_pool_chunk {
    struct rely_pool_chunk *next; /* owned: older */
    size_t size;
    _Alignas(ALIGNMENT) char memory[];
};

static void add_pool_chunk(struct rely_pool *pool, size_t size)
{
    struct rely_pool_chunk *chunk = malloc(sizeof *chunk + size);
    RELY_ASSERT(chunk != NULL);
    chunk->size = size;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->next = chunk->memory;
    pool->end = chunk->memory + size;
}

void rely_pool_init(struct rely_pool *pool)
{
    *pool = (struct rely_pool){0};
    add_pool_chunk(pool, FIRST_CHUNK_BYTES);
    pool->first = pool->chunks;
}

static void free_chunks_above(struct rely_pool *pool, const struct rely_pool_chunk *last)
{
    while (pool->chunks != last) {
        struct rely_pool_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        free(chunk);
    }
}

void rely_pool_reset(struct rely_pool *pool)
{
    if (pool->chunks != pool->first)
        free_chunks_above(pool, pool->first);
    pool->next = pool->first->memory;
    pool->end = pool->next + pool->first->size;
}

void rely_pool_fini(struct rely_pool *pool)
{
    free_chunks_above(pool, NULL);
    *pool = (struct rely_pool){0};
}

void *rely_pool_alloc(struct rely_pool *pool, size_t size)
{
    RELY_ASSERT(size < (size_t)1 << 30);
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if ((size_t)(pool->end - pool->next) < rounded)
        add_pool_chunk(pool, rounded > FIRST_CHUNK_BYTES ? rounded : FIRST_CHUNK_BYTES);
    void *memory = pool->next;
    pool->next += rounded;
    return memory;
}

struct rely_slice rely_pool_copy(struct rely_pool *pool, struct rely_slice text)
{
    if (text.ptr == NULL)
        return text;
    char *copy = rely_pool_alloc(pool, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return rely_slice(copy, text.len);
}

struct rely_slice rely_pool_printf(struct rely_pool *pool, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    RELY_ASSERT(len >= 0);
    size_t kept = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    return rely_pool_copy(pool, rely_slice(text, kept));
}

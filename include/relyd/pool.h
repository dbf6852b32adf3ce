/*
 * pool: memory with the lifetime of one request.
 */
#ifndef RELYD_POOL_H
#define RELYD_POOL_H

#include "relyd/base.h"

struct rely_pool_chunk;

/*
 * An arena with the lifetime of one request. The first chunk is kept by reset, so that a worker which
 * resets its pool between requests does not allocate. Not thread-safe.
 */
struct rely_pool {
    char *next;                     /* owned: inside the newest chunk */
    char *end;                      /* owned */
    struct rely_pool_chunk *chunks; /* owned: newest first */
    struct rely_pool_chunk *first;  /* owned: survives reset */
};

/* Init takes no memory; reset keeps the first chunk; fini frees all. What was allocated is gone after either. */
void rely_pool_init(struct rely_pool *pool);
void rely_pool_reset(struct rely_pool *pool);
void rely_pool_fini(struct rely_pool *pool);
/* Memory aligned to 16, not zeroed, valid until reset. */
void *rely_pool_alloc(struct rely_pool *pool, size_t size) __attribute__((returns_nonnull));
struct rely_slice rely_pool_copy(struct rely_pool *pool, struct rely_slice text);
struct rely_slice rely_pool_printf(struct rely_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

/*
 * headers: what the check says in the head of a 200. Nothing outside this folder includes it.
 */
#ifndef RELYD_ENDPOINTS_HEADERS_H
#define RELYD_ENDPOINTS_HEADERS_H

#include "relyd/http.h"
#include "relyd/limits.h"

struct rely_answer;
struct rely_named_route;
struct rely_pool;

#define RELY_CHECK_HEADERS_MAX (RELY_RESPONSE_HEADERS_MAX + 8)

/* They are filled one after the other. */
struct rely_check_headers {
    struct rely_http_header items[RELY_CHECK_HEADERS_MAX];
    size_t count;
};

static inline void rely_headers_add(struct rely_check_headers *headers, struct rely_slice name, struct rely_slice value)
{
    headers->items[headers->count++] = (struct rely_http_header){name, value};
}

/* Who is let in, by the route's own headers or those that there are otherwise; and which values are hashed. In the pool. */
void rely_headers_add_identity(struct rely_check_headers *headers, const struct rely_answer *answer,
                               struct rely_pool *pool);
/* The same headers, and nobody in them. */
void rely_headers_add_nobody(struct rely_check_headers *headers, const struct rely_named_route *route);

#endif

/*
 * Fuzzes the pure readers of http/: raw heads, targets, bearer values, query strings. What they accept must be what
 * they promise.
 */
#include "head.h"
#include "relyd/pool.h"
#include "relyd/route.h"

static void fuzz_head(struct rely_slice input)
{
    struct rely_http_framing framing;
    const char *fault = NULL;
    int status = rely_http_check_head(input, 65536, true, &framing, &fault);
    RELY_ASSERT(status == 0 || ((status == 400 || status == 431) && fault != NULL));
    RELY_ASSERT(status != 0 || memmem(input.ptr, input.len, "\r\n\r\n", 4) != NULL);
    RELY_ASSERT(status != 0 || !(framing.is_chunked && framing.has_length));
}

static void fuzz_bearer(struct rely_slice input)
{
    struct rely_slice token = {NULL, 0};
    if (rely_http_read_bearer(input, &token) != RELY_BEARER_TOKEN) {
        RELY_ASSERT(token.ptr == NULL);
        return;
    }
    RELY_ASSERT(token.len > 0 && token.ptr > input.ptr && token.ptr + token.len <= input.ptr + input.len);
    RELY_ASSERT(token.ptr[0] != ' ' && token.ptr[token.len - 1] != ' ');
}

static void fuzz_query(struct rely_slice input)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_problems problems = {0};
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    bool is_read = rely_route_read_query(input, "aud identity", &pool, values, &problems);
    RELY_ASSERT(is_read == (problems.count == 0));
    for (size_t i = 0; is_read && i < RELY_ROUTE_PARAMETERS_MAX; i++)
        RELY_ASSERT(values[i].ptr == NULL || (values[i].len <= input.len && values[i].ptr[values[i].len] == '\0' &&
                                              memchr(values[i].ptr, '\0', values[i].len) == NULL));
    rely_pool_fini(&pool);
}

static bool is_inside(struct rely_slice part, struct rely_slice whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

/* Whatever a target is, its path is found in it as it stands, and names no slash and no dot segment that was not sent.
 */
static void fuzz_target(struct rely_slice input)
{
    static const struct rely_route rows[] = {{"GET", "/v1/{}", ""}, {"GET", "/v1/{}/x/{}", ""}};
    struct rely_http_target target;
    struct rely_routed routed;
    struct rely_pool pool;
    rely_pool_init(&pool);
    rely_http_read_target(input, &target);
    RELY_ASSERT(target.path.ptr == NULL || target.path.ptr[0] == '/');
    RELY_ASSERT(target.path.ptr == NULL || target.path.len == 1 || is_inside(target.path, input));
    RELY_ASSERT(target.path.ptr == NULL || memchr(target.path.ptr, '?', target.path.len) == NULL);
    struct rely_http_request request = {.method = RELY_LIT("GET"), .path = target.path, .scratch = &pool};
    if (rely_route_find(&RELY_ROUTE_TABLE(rows), &request, &routed) == 200)
        for (size_t i = 0; i < RELY_ROUTE_NAMES_MAX; i++)
            RELY_ASSERT(routed.names[i].ptr == NULL ||
                        (routed.names[i].len > 0 && memchr(routed.names[i].ptr, '/', routed.names[i].len) == NULL));
    rely_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_slice input = rely_slice((const char *)data, size);
    fuzz_head(input);
    fuzz_bearer(input);
    fuzz_query(input);
    fuzz_target(input);
    return 0;
}

/*
 * Fuzzes the pure readers of http/: raw heads, bearer values, query strings. What they accept must be what they
 * promise.
 */
#include "head.h"

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
    struct rely_slice value;
    for (size_t item = 0; item < 3 && rely_http_query_at(input, RELY_LIT("aud"), item, &pool, &value); item++)
        RELY_ASSERT(value.len <= input.len && value.ptr[value.len] == '\0');
    rely_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_slice input = rely_slice((const char *)data, size);
    fuzz_head(input);
    fuzz_bearer(input);
    fuzz_query(input);
    return 0;
}

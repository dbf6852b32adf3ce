/*
 * Fuzzes the pure readers of http/: raw heads, chunks, targets, bearer values, query strings, forms. What they accept must
 * be what they promise.
 */
#include "head.h"
#include "relyd/pool.h"
#include "relyd/route.h"

#include <stdlib.h>

static bool is_inside(struct rely_slice part, struct rely_slice whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void check_head(struct rely_slice input, const struct rely_http_head *head)
{
    RELY_ASSERT(head->method.len > 0 && is_inside(head->method, input));
    RELY_ASSERT(head->target.len > 0 && is_inside(head->target, input) && !rely_http_has_control(head->target));
    RELY_ASSERT(!(head->is_chunked && (head->length > 0 || !head->is_http11)));
    RELY_ASSERT(head->is_last || head->is_http11);
    for (size_t i = 0; i < head->field_count; i++) {
        RELY_ASSERT(head->fields[i].name.len > 0 && is_inside(head->fields[i].name, input));
        RELY_ASSERT(is_inside(head->fields[i].value, input) && !rely_http_has_control(head->fields[i].value));
    }
}

/* Whole, and cut in two: the same. */
static void fuzz_head(struct rely_slice input)
{
    static struct rely_http_head head;
    struct rely_http_scan scan = {0}, scan_of_two = {0};
    struct rely_http_fault fault = {0};
    size_t len = 0, len_of_two = 0, half = input.len / 2;
    enum rely_http_progress progress = rely_http_measure_head(input, &scan, &len, &fault);
    enum rely_http_progress of_two =
        rely_http_measure_head(rely_slice(input.ptr, half), &scan_of_two, &len_of_two, &fault);
    if (of_two == RELY_HTTP_UNFINISHED)
        of_two = rely_http_measure_head(input, &scan_of_two, &len_of_two, &fault);
    RELY_ASSERT(of_two == progress && len_of_two == len);
    if (progress != RELY_HTTP_WHOLE)
        return;
    RELY_ASSERT(memcmp(input.ptr + len - 4, "\r\n\r\n", 4) == 0);
    if (rely_http_parse_head(rely_slice(input.ptr, len), &head, &fault))
        check_head(rely_slice(input.ptr, len), &head);
}

/* Byte by byte, and whole: the same body, and the same end. */
static void fuzz_chunks(struct rely_slice input)
{
    struct rely_http_chunks chunks = {.max_bytes = 1000}, of_bytes = {.max_bytes = 1000};
    struct rely_http_fault fault = {0};
    enum rely_http_progress progress_of_bytes = RELY_HTTP_UNFINISHED;
    size_t len = input.len, used = 0, placed = 0, at = 0;
    if (input.len == 0)
        return;
    char *whole = rely_strdup_slice(input), *bytes = rely_strdup_slice(input);
    enum rely_http_progress progress = rely_http_read_chunks(&chunks, whole, &len, &used, &fault);
    for (; at < input.len && progress_of_bytes == RELY_HTTP_UNFINISHED; at++) {
        size_t one = 1, used_one = 0;
        bytes[placed] = input.ptr[at];
        progress_of_bytes = rely_http_read_chunks(&of_bytes, bytes + placed, &one, &used_one, &fault);
        placed += progress_of_bytes == RELY_HTTP_BROKEN ? 0 : one;
    }
    RELY_ASSERT(progress_of_bytes == progress);
    RELY_ASSERT(progress == RELY_HTTP_BROKEN ||
                (used == at && len == placed && len <= 1000 && memcmp(whole, bytes, len) == 0));
    free(whole);
    free(bytes);
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

/* What is read is what was sent: encoded once more and read again it is the same. */
static void check_form_again(const struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], struct rely_pool *pool)
{
    struct rely_slice again[RELY_ROUTE_PARAMETERS_MAX];
    const char *why;
    struct rely_buf out = {0};
    rely_buf_put(&out, RELY_LIT("token="));
    for (size_t i = 0; i < values[0].len; i++)
        rely_buf_printf(&out, "%%%02x", (unsigned)(unsigned char)values[0].ptr[i]);
    RELY_ASSERT(rely_route_read_form(rely_buf_slice(&out), "token token_type_hint", pool, again, &why));
    RELY_ASSERT(again[0].len == values[0].len && rely_slice_equal(again[0], values[0]));
    rely_buf_fini(&out);
}

static size_t count_byte(struct rely_slice text, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == byte;
    return count;
}

/* What a query takes with the same names a form takes, too, unless it has more than a form may. */
static void fuzz_form(struct rely_slice input)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_problems problems = {0};
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], of_query[RELY_ROUTE_PARAMETERS_MAX];
    const char *why = NULL, *names = "token token_type_hint";
    bool is_read = rely_route_read_form(input, names, &pool, values, &why);
    RELY_ASSERT(is_read == (why == NULL));
    RELY_ASSERT(!is_read || input.len == 0 || count_byte(input, '&') < RELY_ROUTE_FORM_PARAMETERS_MAX);
    for (size_t i = 0; is_read && i < RELY_ROUTE_PARAMETERS_MAX; i++)
        RELY_ASSERT(values[i].ptr == NULL || (values[i].len > 0 && values[i].len < input.len &&
                                              memchr(values[i].ptr, '\0', values[i].len) == NULL));
    if (is_read && values[0].ptr != NULL)
        check_form_again(values, &pool);
    if (rely_route_read_query(input, names, &pool, of_query, &problems))
        RELY_ASSERT(is_read && rely_slice_equal(values[0], of_query[0]) && rely_slice_equal(values[1], of_query[1]));
    rely_pool_fini(&pool);
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
    fuzz_chunks(input);
    fuzz_bearer(input);
    fuzz_query(input);
    fuzz_form(input);
    fuzz_target(input);
    return 0;
}

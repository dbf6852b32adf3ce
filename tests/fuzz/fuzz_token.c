/*
 * token: the compact form, raw or put together from a header and a payload, so that the fuzzer need not find its way
 * through base64url. jansson reads the header and the issuer a second time.
 *
 * Input: `r` and a token; or any other byte and then header, NUL, payload, NUL, signature.
 */
#include <jansson.h>

#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/text.h"
#include "relyd/token.h"

static void put_part(struct rely_buf *token, struct rely_pool *pool, const char *data, size_t size)
{
    char *text = rely_pool_alloc(pool, RELY_BASE64_ENCODED(size));
    size_t len = rely_base64url_encode((const uint8_t *)data, size, text);
    rely_buf_put(token, rely_slice(text, len));
}

static void build_token(struct rely_buf *token, struct rely_pool *pool, const char *data, size_t size)
{
    for (int part = 0; part < 2; part++) {
        const char *end = size == 0 ? NULL : memchr(data, 0, size);
        size_t len = end == NULL ? size : (size_t)(end - data);
        put_part(token, pool, data, len);
        rely_buf_putc(token, '.');
        data = end == NULL ? data + size : end + 1;
        size -= end == NULL ? size : len + 1;
    }
    put_part(token, pool, data, size);
}

/* A part once more, by jansson; NULL when it overflows a number there. */
static json_t *parse_again(struct rely_slice part, struct rely_pool *pool)
{
    json_error_t error = {0};
    uint8_t *bytes = rely_pool_alloc(pool, RELY_BASE64_DECODED(part.len));
    size_t len = 0;
    RELY_ASSERT(rely_base64url_decode(part, bytes, &len));
    json_t *json = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    RELY_ASSERT(json != NULL ? json_is_object(json) : json_error_code(&error) == json_error_numeric_overflow);
    return json;
}

static void compare_member(const json_t *object, const char *name, struct rely_slice found)
{
    const json_t *value = json_object_get(object, name);
    RELY_ASSERT((value == NULL) == (found.ptr == NULL));
    if (value != NULL)
        RELY_ASSERT(json_is_string(value) &&
                    rely_slice_equal(found, rely_slice(json_string_value(value), json_string_length(value))));
}

/* Without `iss`: what stands between spiffe:// and the slash behind it. */
static void compare_trust_domain(const json_t *payload, struct rely_slice found)
{
    const char *scheme = "spiffe://", *sub = json_string_value(json_object_get(payload, "sub"));
    const char *name = sub != NULL && strncmp(sub, scheme, strlen(scheme)) == 0 ? sub + strlen(scheme) : "";
    const char *end = strchr(name, '/');
    bool is_named = end != NULL && end != name;
    RELY_ASSERT(is_named == (found.ptr != NULL));
    if (is_named)
        RELY_ASSERT(found.ptr[0] == '\0' &&
                    rely_slice_equal(rely_slice(found.ptr + 1, found.len - 1), rely_slice(name, (size_t)(end - name))));
}

static void check_token(struct rely_slice text, const struct rely_unverified *token, struct rely_pool *pool)
{
    const char *dot = memchr(text.ptr, '.', text.len);
    RELY_ASSERT(dot != NULL && token->signed_bytes.ptr == text.ptr && text.ptr[token->signed_bytes.len] == '.');
    struct rely_slice head = rely_slice(text.ptr, (size_t)(dot - text.ptr));
    struct rely_slice body = rely_slice(dot + 1, token->signed_bytes.len - head.len - 1);
    struct rely_slice tail = rely_slice(text.ptr + token->signed_bytes.len + 1, text.len - token->signed_bytes.len - 1);
    char *again = rely_pool_alloc(pool, RELY_BASE64_ENCODED(token->signature.len));
    size_t len = rely_base64url_encode((const uint8_t *)token->signature.ptr, token->signature.len, again);
    RELY_ASSERT(rely_slice_equal(tail, rely_slice(again, len)));
    RELY_ASSERT(token->kid.len <= RELY_KID_BYTES_MAX && token->alg == rely_alg_of(token->alg_name));
    json_t *header = parse_again(head, pool), *payload = parse_again(body, pool);
    if (header != NULL) {
        RELY_ASSERT(json_object_get(header, "crit") == NULL && json_object_get(header, "b64") == NULL);
        compare_member(header, "alg", token->alg_name);
        compare_member(header, "kid", token->kid);
        compare_member(header, "typ", token->typ);
    }
    if (payload != NULL)
        compare_member(payload, "iss", token->iss);
    if (payload != NULL && token->iss.ptr != NULL)
        compare_member(payload, "iss", token->issuer);
    else if (payload != NULL)
        compare_trust_domain(payload, token->issuer);
    json_decref(header);
    json_decref(payload);
}

static void read_token(struct rely_slice text, struct rely_pool *pool)
{
    struct rely_unverified token = {0};
    struct rely_detail detail = {""};
    enum rely_reason reason = rely_token_read(text, RELY_TOKEN_BYTES_MAX, pool, &token, &detail);
    switch (reason) {
    case RELY_OK:
        check_token(text, &token, pool);
        RELY_ASSERT(rely_token_read(text, text.len - 1, pool, &token, &detail) == RELY_TOKEN_TOO_LARGE);
        break;
    case RELY_NO_TOKEN:
        RELY_ASSERT(text.len == 0);
        break;
    case RELY_TOKEN_TOO_LARGE:
        RELY_ASSERT(text.len > RELY_TOKEN_BYTES_MAX);
        break;
    default:
        RELY_ASSERT(reason == RELY_MALFORMED_TOKEN || reason == RELY_UNSUPPORTED_CRITICAL_HEADER ||
                    reason == RELY_INVALID_CLAIM);
        RELY_ASSERT(token.signed_bytes.ptr == NULL);
    }
    RELY_ASSERT(reason == RELY_OK || detail.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_pool pool;
    struct rely_buf token = {0};
    if (size == 0)
        return 0;
    rely_pool_init(&pool);
    if (data[0] == 'r') {
        read_token(rely_slice((const char *)data + 1, size - 1), &pool);
    } else {
        build_token(&token, &pool, (const char *)data + 1, size - 1);
        read_token(rely_buf_slice(&token), &pool);
        rely_buf_fini(&token);
    }
    rely_pool_fini(&pool);
    return 0;
}

/*
 * Reads query strings, forms and Authorization values, and finds control characters in what is to become a header:
 * small rules over bytes that strangers send. Decides nothing about what a parameter or a token means. Called by the
 * endpoints, request.c and respond.c.
 */
#include "head.h"

#include "relyd/bytes.h"

#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes one byte at *at and moves it; -1 for a broken escape, and for a NUL, which C strings behind us would end at.
 */
static int decode_byte(struct rely_slice text, size_t *at)
{
    char c = text.ptr[(*at)++];
    if (c == '+')
        return ' ';
    if (c != '%')
        return c == '\0' ? -1 : (unsigned char)c;
    if (text.len - *at < 2)
        return -1;
    int high = hex_value(text.ptr[*at]), low = hex_value(text.ptr[*at + 1]);
    *at += 2;
    int value = high < 0 || low < 0 ? -1 : high * 16 + low;
    return value == 0 ? -1 : value;
}

static struct rely_slice decode_value(struct rely_slice value, struct rely_pool *pool)
{
    char *decoded = rely_pool_alloc(pool, value.len + 1);
    size_t len = 0;
    for (size_t at = 0; at < value.len;) {
        int byte = decode_byte(value, &at);
        if (byte < 0)
            return rely_pool_copy(pool, value);
        decoded[len++] = (char)byte;
    }
    decoded[len] = '\0';
    return rely_slice(decoded, len);
}

/* Does an encoded name spell this one? Nobody may hide a parameter behind `%61ud`. */
static bool is_name(struct rely_slice encoded, struct rely_slice name)
{
    size_t len = 0;
    for (size_t at = 0; at < encoded.len; len++)
        if (len == name.len || decode_byte(encoded, &at) != (unsigned char)name.ptr[len])
            return false;
    return len == name.len;
}

/* Takes the next `name=value` off the front of the rest; false at the end. */
static bool take_parameter(struct rely_slice *rest, struct rely_slice *name, struct rely_slice *value)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '&', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    const char *equals = memchr(rest->ptr, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - rest->ptr);
    *name = rely_slice(rest->ptr, name_len);
    *value = equals == NULL ? rely_slice(rest->ptr + len, 0) : rely_slice(equals + 1, len - name_len - 1);
    size_t taken = end == NULL ? len : len + 1;
    *rest = rely_slice(rest->ptr + taken, rest->len - taken);
    return true;
}

bool rely_http_query_at(struct rely_slice query, struct rely_slice name, size_t item, struct rely_pool *pool,
                        struct rely_slice *out)
{
    struct rely_slice found, value;
    while (take_parameter(&query, &found, &value)) {
        if (!is_name(found, name))
            continue;
        if (item == 0) {
            *out = decode_value(value, pool);
            return true;
        }
        item--;
    }
    return false;
}

size_t rely_http_query_count(struct rely_slice query, struct rely_slice name)
{
    struct rely_slice found, value;
    size_t count = 0;
    while (take_parameter(&query, &found, &value))
        count += is_name(found, name);
    return count;
}

bool rely_http_query(struct rely_slice query, struct rely_slice name, struct rely_pool *pool, struct rely_slice *out)
{
    return rely_http_query_at(query, name, 0, pool, out);
}

static struct rely_slice trim_end(struct rely_slice text)
{
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

enum rely_bearer rely_http_read_bearer(struct rely_slice value, struct rely_slice *token)
{
    struct rely_slice scheme = RELY_LIT("bearer");
    value = trim_end(value);
    if (value.len < scheme.len || strncasecmp(value.ptr, scheme.ptr, scheme.len) != 0)
        return RELY_BEARER_NONE;
    struct rely_slice rest = rely_slice(value.ptr + scheme.len, value.len - scheme.len);
    if (rest.len == 0)
        return RELY_BEARER_BAD;
    if (rest.ptr[0] != ' ') /* a longer word is another scheme; a tab or a comma is a broken one */
        return (unsigned char)rest.ptr[0] < ' ' || rest.ptr[0] == ',' ? RELY_BEARER_BAD : RELY_BEARER_NONE;
    while (rest.ptr[0] == ' ') /* ends: the value does not end in one */
        rest = rely_slice(rest.ptr + 1, rest.len - 1);
    *token = rest;
    return RELY_BEARER_TOKEN;
}

/* A tab may stand in a header, and so may what is not ASCII (below zero). */
static rely_sixteen mark_controls(rely_sixteen part)
{
    return ((part >= 0) & (part < ' ') & (part != '\t')) | (part == 0x7f);
}

bool rely_http_has_control(struct rely_slice text)
{
    return rely_bytes_find(text.ptr, text.len, mark_controls) < text.len;
}

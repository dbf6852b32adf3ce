/*
 * Reads Authorization values, and finds control characters in what is to become a header: small rules over bytes that
 * strangers send. Decides nothing about what a token means. Called by request.c and head.c.
 */
#include "head.h"

#include "relyd/bytes.h"

#include <strings.h>

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
    if (rest.len == 0) /* no token was sent, whatever the scheme promised */
        return RELY_BEARER_NONE;
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

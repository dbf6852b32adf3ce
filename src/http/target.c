/*
 * Takes the target of a request line apart, as it was sent: nothing is decoded and no dot segment resolved, so that
 * what a gateway asked about is what is looked at. Decides nothing about what a path means. Called by exchange.c.
 */
#include "head.h"

#include <strings.h>

/* Takes `http://authority` off the front of an absolute-form; false for any other form. */
static bool take_authority(struct rely_slice *rest, struct rely_slice *authority)
{
    static const struct rely_slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = schemes[i].len, end;
        if (rest->len < len || strncasecmp(rest->ptr, schemes[i].ptr, len) != 0)
            continue;
        for (end = len; end < rest->len && rest->ptr[end] != '/' && rest->ptr[end] != '?';)
            end++;
        *authority = rely_slice(rest->ptr + len, end - len);
        *rest = rely_slice(rest->ptr + end, rest->len - end);
        return true;
    }
    return false;
}

void rely_http_read_target(struct rely_slice target, struct rely_http_target *out)
{
    *out = (struct rely_http_target){.path = {NULL, 0}};
    if (target.len == 0 || (target.ptr[0] != '/' && !take_authority(&target, &out->authority)))
        return;
    const char *mark = target.len == 0 ? NULL : memchr(target.ptr, '?', target.len);
    size_t len = mark == NULL ? target.len : (size_t)(mark - target.ptr);
    out->path = len == 0 ? RELY_LIT("/") : rely_slice(target.ptr, len); /* RFC 9110 s4.2.3 */
    if (mark != NULL)
        out->query = rely_slice(mark + 1, target.len - len - 1);
}

/*
 * Finds the row of a request in its plane's table, on the path as it was sent: what is decoded first and split later
 * lets `%2F` and `..` lead from one resource to another. Decides nothing about what a row does. Called by the handlers
 * of both planes.
 */
#include "relyd/route.h"

#include "head.h"
#include "relyd/pool.h"

#include <stdio.h>

static bool is_name_character(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* The path with its escapes undone, which can only be of name characters: no slash and no dot comes of it, so that it
 * may be split as it is. False: another escape, or a broken one. */
static bool decode_path(struct rely_slice path, struct rely_pool *pool, struct rely_slice *out)
{
    *out = path;
    if (path.len == 0 || memchr(path.ptr, '%', path.len) == NULL)
        return true;
    char *decoded = rely_pool_alloc(pool, path.len);
    size_t len = 0;
    for (size_t at = 0; at < path.len; at++) {
        int c = (unsigned char)path.ptr[at];
        if (c == '%') {
            c = rely_http_hex_byte(rely_slice(path.ptr + at, path.len - at));
            at += 2;
            if (!is_name_character(c))
                return false;
        }
        decoded[len++] = (char)c;
    }
    *out = rely_slice(decoded, len);
    return true;
}

/* Takes one name, up to the next slash or the colon before a verb (`:refresh`), off the front of the rest. */
static bool take_path_name(struct rely_slice *rest, struct rely_slice *name)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '/' && rest->ptr[len] != ':')
        len++;
    *name = rely_slice(rest->ptr, len);
    *rest = rely_slice(rest->ptr + len, rest->len - len);
    return len > 0;
}

static bool match_path(const char *pattern, struct rely_slice path, struct rely_slice names[RELY_ROUTE_NAMES_MAX])
{
    size_t count = 0;
    while (*pattern != '\0') {
        size_t len = strcspn(pattern, "{");
        if (!rely_slice_starts(path, rely_slice(pattern, len)))
            return false;
        path = rely_slice(path.ptr + len, path.len - len);
        pattern += len;
        if (*pattern == '\0')
            break;
        pattern = strchr(pattern, '}');
        RELY_ASSERT(count < RELY_ROUTE_NAMES_MAX && pattern != NULL);
        if (!take_path_name(&path, &names[count++]))
            return false;
        pattern++;
    }
    return path.len == 0;
}

static bool is_let_in(const struct rely_route *row, struct rely_slice method)
{
    return rely_slice_equal(method, rely_slice_of(row->method)) ||
           (rely_slice_equal(method, RELY_LIT("HEAD")) && strcmp(row->method, "GET") == 0);
}

static void allow_method(struct rely_routed *out, const char *method)
{
    size_t len = strlen(out->allow);
    const char *also = strcmp(method, "GET") == 0 ? ", HEAD" : "";
    snprintf(out->allow + len, sizeof out->allow - len, "%s%s%s", len == 0 ? "" : ", ", method, also);
}

int rely_route_find(const struct rely_route_table *table, const struct rely_http_request *request,
                    struct rely_routed *out)
{
    struct rely_slice path;
    *out = (struct rely_routed){.row = NULL};
    if (!decode_path(request->path, request->scratch, &path))
        return 404;
    for (size_t i = 0; i < table->count; i++) {
        const struct rely_route *row = (const void *)((const char *)table->rows + i * table->row_size);
        if (!match_path(row->path, path, out->names))
            continue;
        if (is_let_in(row, request->method)) {
            out->row = row;
            out->allow[0] = '\0';
            return 200;
        }
        if (out->row == NULL)
            out->row = row;
        allow_method(out, row->method);
    }
    return out->row == NULL ? 404 : 405;
}

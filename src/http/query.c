/*
 * Reads query strings and forms against the names that they may have. What is doubled or cannot be read is refused, and
 * in a query what is misspelt, since a parameter that is not seen restricts nothing. Decides nothing about values.
 * Called by the handlers of both planes.
 */
#include "relyd/route.h"

#include "head.h"
#include "relyd/pool.h"
#include "relyd/text.h"

#include <stdio.h>

#define NAME_SHOWN_MAX 24

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int rely_http_hex_byte(struct rely_slice text)
{
    if (text.len < 3 || text.ptr[0] != '%')
        return -1;
    int high = hex_value(text.ptr[1]), low = hex_value(text.ptr[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* False for a broken escape, a NUL (C strings behind us would end there), and what is not UTF-8. */
static bool decode_text(struct rely_slice text, struct rely_pool *pool, struct rely_slice *out)
{
    char *decoded = rely_pool_alloc(pool, text.len + 1);
    size_t len = 0, characters;
    for (size_t at = 0; at < text.len; at++) {
        int c = (unsigned char)text.ptr[at];
        if (c == '%') {
            c = rely_http_hex_byte(rely_slice(text.ptr + at, text.len - at));
            at += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c <= 0)
            return false;
        decoded[len++] = (char)c;
    }
    decoded[len] = '\0';
    *out = rely_slice(decoded, len);
    return rely_utf8_count(*out, &characters);
}

/* Takes what is before the next `&` off the front; at the end rest->ptr becomes NULL. */
static struct rely_slice take_pair(struct rely_slice *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '&', rest->len);
    struct rely_slice pair = *rest;
    *rest = (struct rely_slice){NULL, 0};
    if (end != NULL) {
        size_t len = (size_t)(end - pair.ptr);
        *rest = rely_slice(end + 1, pair.len - len - 1);
        pair.len = len;
    }
    return pair;
}

/* The place of a name in "limit after", or -1. */
static int find_name(const char *names, struct rely_slice name)
{
    for (int place = 0; *names != '\0'; place++) {
        size_t len = strcspn(names, " ");
        if (rely_slice_equal(name, rely_slice(names, len)))
            return place;
        names += len + strspn(names + len, " ");
    }
    return -1;
}

/* What is taken, for a name that is not. */
static const char *list_names(const char *names, struct rely_pool *pool)
{
    if (*names == '\0')
        return "is not known here, and no other is";
    return rely_pool_printf(pool, "is not known here; known: %s", names).ptr;
}

/* The message may be logged, and the name may be a token that somebody has put there: only its beginning is said. */
static void refuse_parameter(struct rely_problems *problems, struct rely_slice name, const char *code, const char *what)
{
    struct rely_problem *problem;
    char field[sizeof problem->field], quoted[RELY_QUOTED_SIZE];
    bool is_cut = name.len > NAME_SHOWN_MAX;
    snprintf(field, sizeof field, "%.*s", (int)(name.len < sizeof field ? name.len : sizeof field - 1), name.ptr);
    rely_quote(rely_slice(name.ptr, is_cut ? NAME_SHOWN_MAX : name.len), quoted);
    rely_problems_add(problems, field, code, "the query parameter %s%s %s", quoted, is_cut ? " and so on" : "", what);
}

/* Out: *name - as it was sent where it cannot be decoded. */
static bool decode_pair(struct rely_slice pair, struct rely_pool *pool, struct rely_slice *name,
                        struct rely_slice *value)
{
    const char *equals = pair.len == 0 ? NULL : memchr(pair.ptr, '=', pair.len);
    size_t len = equals == NULL ? pair.len : (size_t)(equals - pair.ptr);
    struct rely_slice rest = equals == NULL ? (struct rely_slice){"", 0} : rely_slice(equals + 1, pair.len - len - 1);
    struct rely_slice decoded;
    *name = rely_slice(pair.ptr, len);
    if (!decode_text(*name, pool, &decoded) || !decode_text(rest, pool, value))
        return false;
    *name = decoded;
    return true;
}

static void read_pair(struct rely_slice pair, const char *names, struct rely_pool *pool, struct rely_slice *values,
                      struct rely_problems *problems)
{
    struct rely_slice name, value;
    if (!decode_pair(pair, pool, &name, &value)) {
        refuse_parameter(problems, name, "invalid_value", "is badly encoded");
        return;
    }
    int place = find_name(names, name);
    if (name.len == 0)
        rely_problems_add(problems, "", "invalid_value", "the query has a parameter without a name");
    else if (place < 0)
        refuse_parameter(problems, name, "unknown_field", list_names(names, pool));
    else if (values[place].ptr != NULL)
        refuse_parameter(problems, name, "duplicate", "is there more than once");
    else
        values[place] = value;
}

bool rely_route_read_query(struct rely_slice query, const char *names, struct rely_pool *pool,
                           struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], struct rely_problems *problems)
{
    size_t before = problems->count;
    memset(values, 0, RELY_ROUTE_PARAMETERS_MAX * sizeof values[0]);
    if (query.len == 0)
        return true;
    while (query.ptr != NULL)
        read_pair(take_pair(&query), names, pool, values, problems);
    return problems->count == before;
}

bool rely_route_admit_query(const struct rely_route *row, struct rely_http_request *request,
                            struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX])
{
    memset(values, 0, RELY_ROUTE_PARAMETERS_MAX * sizeof values[0]);
    if (row->parameters == NULL || request->query.len == 0)
        return true;
    struct rely_problems *problems = rely_pool_alloc(request->scratch, sizeof *problems);
    problems->count = 0;
    if (rely_route_read_query(request->query, row->parameters, request->scratch, values, problems))
        return true;
    rely_http_problem(request, 400, "invalid_query", problems->items[0].message, problems);
    return false;
}

/* --- forms ------------------------------------------------------------------------------------------------ */

/* In: seen - the names so far, this one the last. Static; NULL: it is good. */
static const char *judge_parameter(const struct rely_slice *seen, size_t count)
{
    struct rely_slice name = seen[count - 1];
    if (name.len == 0)
        return "a parameter has no name";
    return rely_slice_is_among(seen, count - 1, name) ? "a parameter is there more than once" : NULL;
}

bool rely_route_read_form(struct rely_slice form, const char *names, struct rely_pool *pool,
                          struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], const char **why)
{
    struct rely_slice seen[RELY_ROUTE_FORM_PARAMETERS_MAX], value;
    size_t count = 0;
    *why = NULL;
    memset(values, 0, RELY_ROUTE_PARAMETERS_MAX * sizeof values[0]);
    if (form.len == 0)
        return true;
    while (form.ptr != NULL && *why == NULL) {
        struct rely_slice pair = take_pair(&form);
        if (count == RELY_ROUTE_FORM_PARAMETERS_MAX)
            *why = "there are too many parameters";
        else if (!decode_pair(pair, pool, &seen[count++], &value))
            *why = "a parameter is badly encoded";
        else
            *why = judge_parameter(seen, count);
        int place = *why == NULL ? find_name(names, seen[count - 1]) : -1;
        if (place >= 0 && value.len > 0)
            values[place] = value;
    }
    return *why == NULL;
}

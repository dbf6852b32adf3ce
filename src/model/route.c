/*
 * What the table of fields cannot say of a route: that only the one that is always there may take any audience, and what
 * its headers may be called and say; that a caller's audiences give way to some, and that not everybody is
 * answered as by a cluster. Whether what it names is registered, registry/ finds. Called by the reader of
 * bodies.
 */
#include "kind.h"
#include "relyd/response_header.h"

static void check_audiences(const struct rely_body *body, const struct rely_route_record *route)
{
    const struct rely_json *audiences = rely_json_get(body->json, "audiences");
    bool is_empty = rely_json_type(audiences) == RELY_JSON_ARRAY && rely_json_size(audiences) == 0;
    bool may_be_empty = rely_slice_equal(body->name, RELY_LIT(RELY_BUILT_IN_ROUTE));
    if (audiences != NULL && !is_empty)
        return;
    if (may_be_empty && route->caller_audiences == RELY_AUDIENCES_TRUSTED)
        rely_problems_add(body->problems, "audiences", "required",
                          "audiences is required: with callerAudiences \"trusted\" they stand for the caller's");
    if (may_be_empty)
        return;
    rely_problems_add(body->problems, "audiences", "too_few",
                      "audiences must have one item at least: only the route " RELY_BUILT_IN_ROUTE " takes any");
}

static bool is_source(struct rely_slice text)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    bool is_good = rely_header_read_source(text, &pool).source != 0;
    rely_pool_fini(&pool);
    return is_good;
}

static void check_header(const struct rely_body *body, const struct rely_text_entry *header)
{
    char field[64], quoted[RELY_QUOTED_SIZE];
    const char *fault = rely_header_find_fault(header->key);
    snprintf(field, sizeof field, "responseHeaders.%.*s", header->key.len < 45 ? (int)header->key.len : 45,
             header->key.ptr);
    rely_quote(header->key, quoted);
    if (fault != NULL)
        rely_problems_add(body->problems, field, "invalid_name", "no header of a route is called %.100s: %s", quoted,
                          fault);
    if (header->values.count > 0 && !is_source(header->values.items[0]))
        rely_problems_add(body->problems, field, "invalid_value",
                          "%s must be one of identity, username, uid, groups, issuer, subject, audience, credential, "
                          "decisionId and expires, or claim: and a claim's name or pointer",
                          field);
}

/* What is asked under no route is judged under that one, by a kube-apiserver's webhook, too. */
static void check_user(const struct rely_body *body, const struct rely_route_record *route)
{
    if (route->user == RELY_USER_KUBERNETES && rely_slice_equal(body->name, RELY_LIT(RELY_BUILT_IN_ROUTE)))
        rely_problems_add(body->problems, "user", "not_allowed",
                          "user must not be \"kubernetes\" of the route " RELY_BUILT_IN_ROUTE
                          ", under which everybody asks who names none");
}

void rely_route_check(const struct rely_body *body, void *record)
{
    const struct rely_route_record *route = record;
    check_user(body, route);
    check_audiences(body, route);
    for (size_t i = 0; i < route->response_headers.count; i++)
        check_header(body, &route->response_headers.items[i]);
}

bool rely_route_is_whole(const void *record)
{
    const struct rely_text_map *headers = &((const struct rely_route_record *)record)->response_headers;
    for (size_t i = 0; i < headers->count; i++)
        if (rely_header_find_fault(headers->items[i].key) != NULL || headers->items[i].values.count != 1 ||
            !is_source(headers->items[i].values.items[0]))
            return false;
    return true;
}

/*
 * What the table of fields cannot say of a route: that only the one that is always there may take any audience. Whether
 * what it names is registered, registry/ finds. Called by the reader of bodies.
 */
#include "kind.h"

void rely_route_check(const struct rely_body *body, void *record)
{
    const struct rely_json *audiences = rely_json_get(body->json, "audiences");
    bool is_empty = rely_json_type(audiences) == RELY_JSON_ARRAY && rely_json_size(audiences) == 0;
    (void)record;
    if (rely_slice_equal(body->name, RELY_LIT(RELY_BUILT_IN_ROUTE)) || (audiences != NULL && !is_empty))
        return;
    rely_problems_add(body->problems, "audiences", "too_few",
                      "audiences must have one item at least: only the route " RELY_BUILT_IN_ROUTE " takes any");
}

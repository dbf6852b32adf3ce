/*
 * The control plane's routes, from the table of operations: which resource a path names. Decides nothing else. Its
 * handlers are those of every control-plane listener, and of listeners that serve health, which have the table's lines
 * of health and nothing more.
 */
#include "call.h"

#include "operations.h"
#include "path.h"
#include "relyd/clock.h"

struct admin_route {
    struct rely_route route;
    void (*handle)(struct rely_admin_call *call);
    enum rely_object object; /* that the names of the path lead to, or NO_OBJECT */
};

#define OPERATION(method, path, query, takes, gives, object, handler, sentence)                                        \
    {{(method), (path), (query)}, (handler), (object)},

static const struct admin_route health_routes[] = {
#define RELY_OPERATIONS_OF_HEALTH
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_HEALTH
};

static const struct admin_route control_routes[] = {
#define RELY_OPERATIONS_OF_HEALTH
#define RELY_OPERATIONS_OF_CONTROL
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_HEALTH
#undef RELY_OPERATIONS_OF_CONTROL
};

#undef OPERATION

static void answer_call(struct rely_admin *admin, struct rely_http_request *request, const struct rely_routed *routed)
{
    const struct admin_route *row = (const struct admin_route *)routed->row;
    struct rely_admin_call call = {.admin = admin, .request = request, .now_s = rely_clock_now_s()};
    call.path = rely_object_path_read(routed, row->object);
    if (rely_route_admit_query(&row->route, request, call.parameters))
        row->handle(&call);
}

static void answer_by_table(struct rely_admin *admin, struct rely_http_request *request,
                            const struct rely_route_table *table, const char *nothing)
{
    struct rely_routed routed;
    int status = rely_route_find(table, request, &routed);
    if (status == 404)
        rely_http_problem(request, 404, "not_found", nothing, NULL);
    else if (status == 405)
        rely_http_refuse_method(request, routed.allow);
    else
        answer_call(admin, request, &routed);
}

void rely_admin_handle(struct rely_http_request *request, void *context)
{
    if (rely_admin_admit(request))
        answer_by_table(context, request, &RELY_ROUTE_TABLE(control_routes),
                        "no such path on the control plane; see docs/api.md");
}

void rely_health_handle(struct rely_http_request *request, void *context)
{
    answer_by_table(context, request, &RELY_ROUTE_TABLE(health_routes),
                    "there is nothing here but /livez, /readyz and /metrics");
}

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
    enum rely_need needs;
};

#define OPERATION(method, path, query, takes, gives, object, needs, handler, sentence)                                 \
    {{(method), (path), (query)}, (handler), (object), (needs)},

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

static void answer_call(struct rely_admin_call *call, const struct rely_routed *routed)
{
    const struct admin_route *row = (const struct admin_route *)routed->row;
    if (rely_admin_permit(call, row->needs) && rely_route_admit_query(&row->route, call->request, call->parameters))
        row->handle(call);
}

static void answer_unrouted(struct rely_http_request *request, int status, const struct rely_routed *routed,
                            const char *nothing)
{
    if (status == 404)
        rely_http_problem(request, 404, "not_found", nothing, NULL);
    else
        rely_http_refuse_method(request, routed->allow);
}

/* Without a caller: nobody has to be proven, or the resource looks itself. */
static bool is_judged_elsewhere(enum rely_need needs)
{
    return needs == ANYBODY || needs == CLUSTER;
}

/* Who is not proven learns nothing, not even which paths there are; but whoever asks whether relyd lives is told. */
void rely_admin_handle(struct rely_http_request *request, void *context)
{
    const struct rely_admin_door *door = context;
    struct rely_routed routed;
    struct rely_caller caller = {.proof = RELY_PROOF_NONE};
    int status = rely_route_find(&RELY_ROUTE_TABLE(control_routes), request, &routed);
    const struct admin_route *row = (const struct admin_route *)routed.row;
    struct rely_admin_call call = {
        .admin = door->admin, .request = request, .caller = &caller, .now_s = rely_clock_now_s()};
    if (!rely_admin_admit_page(door->admin, request))
        return;
    if ((status != 200 || !is_judged_elsewhere(row->needs)) && !rely_admin_admit(door, request, &caller))
        return;
    if (status == 200) {
        call.path = rely_object_path_read(&routed, row->object);
        answer_call(&call, &routed);
    } else {
        answer_unrouted(request, status, &routed, "no such path on the control plane; see docs/api.md");
    }
}

/* Open to whoever asks: it is a listener that serves nothing else. */
void rely_health_handle(struct rely_http_request *request, void *context)
{
    struct rely_routed routed;
    int status = rely_route_find(&RELY_ROUTE_TABLE(health_routes), request, &routed);
    struct rely_caller caller = rely_caller_of_open(RELY_ROLE_VIEWER);
    struct rely_admin_call call = {
        .admin = context, .request = request, .caller = &caller, .now_s = rely_clock_now_s()};
    if (status == 200)
        answer_call(&call, &routed);
    else
        answer_unrouted(request, status, &routed, "there is nothing here but /livez, /readyz and /metrics");
}

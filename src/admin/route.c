/*
 * The control plane's routes: which resource a path names, in one table. Decides nothing else. Its handlers are those
 * of every control-plane listener, and of listeners that serve health, which have the table's first rows and nothing
 * more.
 */
#include "call.h"

#include <time.h>

struct admin_route {
    struct rely_route route;
    void (*handle)(struct rely_admin_call *call);
    enum rely_object object; /* that the names of the path lead to, or NO_OBJECT */
};

#define NO_OBJECT ((enum rely_object)0)
#define HEALTH_ROUTES 3
#define CREDENTIALS "/v1/identities/{}/federatedIdentityCredentials"

static const struct admin_route routes[] = {
    /* health: probes may say whatever they like */
    {{"GET", "/livez", NULL}, rely_admin_show_live, NO_OBJECT},
    {{"GET", "/readyz", NULL}, rely_admin_show_ready, NO_OBJECT},
    {{"GET", "/metrics", NULL}, rely_admin_show_metrics, NO_OBJECT},

    {{"GET", "/v1/issuers", "limit after"}, rely_admin_list_objects, RELY_OBJECT_ISSUER},
    {{"POST", "/v1/issuers", ""}, rely_admin_create_object, RELY_OBJECT_ISSUER},
    {{"GET", "/v1/issuers/{}", ""}, rely_admin_show_object, RELY_OBJECT_ISSUER},
    {{"PUT", "/v1/issuers/{}", ""}, rely_admin_replace_object, RELY_OBJECT_ISSUER},
    {{"DELETE", "/v1/issuers/{}", "withCredentials"}, rely_admin_delete_object, RELY_OBJECT_ISSUER},
    {{"GET", "/v1/issuers/{}/keys", ""}, rely_admin_show_keys, RELY_OBJECT_ISSUER},

    {{"GET", "/v1/identities", "limit after"}, rely_admin_list_objects, RELY_OBJECT_IDENTITY},
    {{"POST", "/v1/identities", ""}, rely_admin_create_object, RELY_OBJECT_IDENTITY},
    {{"GET", "/v1/identities/{}", ""}, rely_admin_show_object, RELY_OBJECT_IDENTITY},
    {{"PUT", "/v1/identities/{}", ""}, rely_admin_replace_object, RELY_OBJECT_IDENTITY},
    {{"DELETE", "/v1/identities/{}", ""}, rely_admin_delete_object, RELY_OBJECT_IDENTITY},

    {{"GET", CREDENTIALS, "limit after"}, rely_admin_list_objects, RELY_OBJECT_CREDENTIAL},
    {{"POST", CREDENTIALS, ""}, rely_admin_create_object, RELY_OBJECT_CREDENTIAL},
    {{"GET", CREDENTIALS "/{}", ""}, rely_admin_show_object, RELY_OBJECT_CREDENTIAL},
    {{"PUT", CREDENTIALS "/{}", ""}, rely_admin_replace_object, RELY_OBJECT_CREDENTIAL},
    {{"DELETE", CREDENTIALS "/{}", ""}, rely_admin_delete_object, RELY_OBJECT_CREDENTIAL},

    {{"POST", "/v1/explain", ""}, rely_admin_explain, NO_OBJECT},
};

static struct rely_object_path read_object_path(const struct rely_routed *routed, enum rely_object object)
{
    if (object == RELY_OBJECT_CREDENTIAL)
        return (struct rely_object_path){.object = object, .parent = routed->names[0], .name = routed->names[1]};
    return (struct rely_object_path){.object = object, .name = routed->names[0]};
}

static void answer_call(struct rely_admin *admin, struct rely_http_request *request, const struct rely_routed *routed)
{
    const struct admin_route *row = (const struct admin_route *)routed->row;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct rely_admin_call call = {.admin = admin, .request = request, .now_s = now.tv_sec};
    call.path = read_object_path(routed, row->object);
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
        answer_by_table(context, request, &RELY_ROUTE_TABLE(routes),
                        "no such path on the control plane; see docs/api.md");
}

void rely_health_handle(struct rely_http_request *request, void *context)
{
    struct rely_route_table table = RELY_ROUTE_TABLE(routes);
    table.count = HEALTH_ROUTES;
    answer_by_table(context, request, &table, "there is nothing here but /livez, /readyz and /metrics");
}

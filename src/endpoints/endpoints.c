/*
 * The data plane's routes: which protocol a path speaks. What begins with `/check/` is a check and nothing else,
 * whatever its further bytes are: behind Envoy, and behind nginx with $request_uri, they are the client's own, and a
 * path that leads from the check to another resource is a login without a token. The rest is found in the table of
 * operations. The handler of every data-plane listener.
 */
#include "reviewer.h"

#include "relyd/route.h"

struct protocol {
    void (*handle)(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_place *place);
    /* Answers what is not for `handle`: another method, a body too large; in the protocol's own form. */
    void (*refuse)(struct rely_reviewer *reviewer, struct rely_http_request *request,
                   const struct rely_refused *refused);
    enum rely_endpoint endpoint;
    const char *api_version;
};

static const struct protocol review = {rely_review_handle, rely_review_refuse, RELY_ENDPOINT_REVIEW, NULL};
static const struct protocol introspection = {rely_introspect_handle, rely_introspect_refuse,
                                              RELY_ENDPOINT_INTROSPECTION, NULL};
static const struct protocol tokenreview_v1 = {rely_tokenreview_handle, rely_tokenreview_refuse,
                                               RELY_ENDPOINT_TOKENREVIEW, "authentication.k8s.io/v1"};
static const struct protocol tokenreview_v1beta1 = {rely_tokenreview_handle, rely_tokenreview_refuse,
                                                    RELY_ENDPOINT_TOKENREVIEW, "authentication.k8s.io/v1beta1"};

struct data_route {
    struct rely_route route;
    const struct protocol *protocol;
};

static const struct data_route routes[] = {
#define OPERATION(method, path, query, takes, gives, object, needs, handler, sentence)                                 \
    {{(method), (path), (query)}, &(handler)},
#define RELY_OPERATIONS_OF_DATA
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_DATA
#undef OPERATION
};

static int find_data_route(const struct rely_http_request *request, struct rely_routed *routed)
{
    return rely_route_find(&RELY_ROUTE_TABLE(routes), request, routed);
}

/* Counted and logged, and answered in the words of the protocol. */
static void refuse_under_route(struct rely_reviewer *reviewer, struct rely_http_request *request,
                               const struct protocol *protocol, enum rely_reason reason, const char *detail)
{
    bool is_unknown = reason == RELY_UNKNOWN_ROUTE;
    if (!is_unknown)
        rely_count(&reviewer->counters->callers[RELY_CALLER_WITHOUT_ROLE], 1);
    rely_reviewer_note_refused(reviewer, request, protocol->endpoint, reason, detail);
    protocol->refuse(reviewer, request,
                     &(struct rely_refused){.status = is_unknown ? 404 : 403,
                                            .code = is_unknown ? "unknown_route" : "not_permitted",
                                            .detail = detail});
}

/* Under the route of the path, or of the listener. */
static void handle_under_route(const struct rely_data_door *door, struct rely_http_request *request,
                               const struct rely_caller *caller, const struct rely_routed *routed)
{
    struct rely_reviewer *reviewer = door->reviewer;
    const struct protocol *protocol = ((const struct data_route *)routed->row)->protocol;
    struct rely_slice name = strchr(routed->row->path, '{') != NULL ? routed->names[0] : door->route;
    const struct rely_named_route *route = rely_snapshot_route(reviewer->snapshot, name);
    if (route == NULL)
        refuse_under_route(reviewer, request, protocol, RELY_UNKNOWN_ROUTE,
                           rely_route_describe_unknown(name, request->scratch));
    else if (!rely_route_lets_ask(route, caller))
        refuse_under_route(reviewer, request, protocol, RELY_CALLER_NOT_PERMITTED,
                           "who asks is not among the callers of the route");
    else
        protocol->handle(reviewer, request, &(struct rely_place){.api_version = protocol->api_version, .route = name});
}

/* False: it has been answered, in the words of the protocol: a token in a query would stand in other people's logs. */
static bool admit_query(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct data_route *row)
{
    const char *names = row->route.parameters;
    if (names == NULL || request->query.len == 0)
        return true;
    struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX];
    struct rely_problems *problems = rely_pool_alloc(request->scratch, sizeof *problems);
    problems->count = 0;
    if (rely_route_read_query(request->query, names, request->scratch, values, problems))
        return true;
    row->protocol->refuse(
        reviewer, request,
        &(struct rely_refused){
            .status = 400, .code = "invalid_query", .detail = problems->items[0].message, .problems = problems});
    return false;
}

/* With the next step for what is mistaken most: who sets up a gateway or a probe sees little else than this. */
static const char *describe_unknown_path(struct rely_slice path)
{
    if (rely_slice_equal(path, RELY_LIT("/check")))
        return "no such path on the data plane: a check names its route, as /check/default does";
    if (rely_slice_starts(path, RELY_LIT("/envoy.")) || rely_slice_starts(path, RELY_LIT("/grpc.")))
        return "no such path on the data plane: gRPC is over HTTP/2 alone, and its services are "
               "envoy.service.auth.v3.Authorization and grpc.health.v1.Health";
    if (rely_slice_equal(path, RELY_LIT("/livez")) || rely_slice_equal(path, RELY_LIT("/readyz")) ||
        rely_slice_equal(path, RELY_LIT("/metrics")))
        return "no such path on the data plane: probes and metrics are on health.listen and the control plane";
    return "no such path on the data plane; see docs/data-plane.md";
}

static void refuse_unknown_path(struct rely_reviewer *reviewer, struct rely_http_request *request)
{
    if (!rely_tokenreview_refuse_path(reviewer, request))
        rely_http_problem(request, 404, "not_found", describe_unknown_path(request->path), NULL);
}

static void handle_by_table(const struct rely_data_door *door, struct rely_http_request *request,
                            const struct rely_caller *caller)
{
    struct rely_reviewer *reviewer = door->reviewer;
    struct rely_routed routed;
    int status = find_data_route(request, &routed);
    const struct data_route *row = (const struct data_route *)routed.row;
    if (status == 404)
        refuse_unknown_path(reviewer, request);
    else if (status == 405)
        row->protocol->refuse(
            reviewer, request,
            &(struct rely_refused){.status = 405,
                                   .code = "method_not_allowed",
                                   .detail =
                                       rely_pool_printf(request->scratch, "this resource takes %s", routed.allow).ptr,
                                   .allow = routed.allow});
    else if (admit_query(reviewer, request, row))
        handle_under_route(door, request, caller, &routed);
}

/* In the words of the protocol that was asked; of a path that nobody has, as of any: who is not proven learns nothing. */
static void refuse_caller(struct rely_reviewer *reviewer, struct rely_http_request *request, enum rely_proven proven,
                          const struct rely_caller *caller)
{
    struct rely_routed routed = {.row = NULL};
    bool is_known = proven == RELY_CALLER_WITHOUT_ROLE;
    const struct rely_refused refused = {.status = is_known ? 403 : 401,
                                         .code = is_known ? "not_permitted" : "unauthenticated",
                                         .detail = caller->why.text,
                                         .challenge = is_known ? NULL : rely_caller_challenge(proven)};
    if (rely_check_is_asked(request)) {
        rely_check_refuse_caller(reviewer, request, caller->why.text);
        return;
    }
    if (rely_grpc_is_asked(request)) {
        rely_grpc_refuse_caller(reviewer, request, caller->why.text);
        return;
    }
    find_data_route(request, &routed);
    const struct protocol *protocol = routed.row == NULL ? &review : ((const struct data_route *)routed.row)->protocol;
    rely_reviewer_note_refused(reviewer, request, protocol->endpoint, RELY_CALLER_NOT_PERMITTED, caller->why.text);
    protocol->refuse(reviewer, request, &refused);
}

void rely_endpoints_handle(struct rely_http_request *request, void *context)
{
    const struct rely_data_door *door = context;
    struct rely_reviewer *reviewer = door->reviewer;
    struct rely_caller caller;
    bool is_put_off;
    if (!request->is_again)
        rely_count(&reviewer->counters->requests, 1);
    if (rely_grpc_is_probe(request)) {
        rely_grpc_handle(door, request, NULL);
        return;
    }
    enum rely_proven proven = rely_reviewer_admit(door, request, &caller, &is_put_off);
    if (is_put_off)
        return;
    if (proven != RELY_CALLER_PROVEN)
        refuse_caller(reviewer, request, proven, &caller);
    else if (rely_check_is_asked(request))
        rely_check_handle(reviewer, request, &caller);
    else if (rely_grpc_is_asked(request))
        rely_grpc_handle(door, request, &caller);
    else
        handle_by_table(door, request, &caller);
}

bool rely_endpoints_needs_body(const struct rely_http_request *request)
{
    return !rely_check_is_asked(request);
}

size_t rely_endpoints_limit_body(const struct rely_http_request *request)
{
    struct rely_routed routed;
    bool is_known = find_data_route(request, &routed) == 200;
    const struct protocol *protocol = is_known ? ((const struct data_route *)routed.row)->protocol : NULL;
    return protocol == &review ? RELY_REVIEW_BODY_BYTES_MAX : RELY_DATA_BODY_BYTES_MAX;
}

/* What http/ refuses is refused in the form of the protocol that was asked, as far as its path can be told. A head that
 * has two meanings has no path to speak of. */
void rely_endpoints_refuse(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    struct rely_reviewer *reviewer = ((const struct rely_data_door *)context)->reviewer;
    struct rely_routed routed = {.row = NULL};
    rely_count(&reviewer->counters->requests, 1);
    if (refusal->kind == RELY_HTTP_HEAD_MALFORMED) {
        rely_http_problem(request, refusal->status, refusal->code, refusal->detail, NULL);
        return;
    }
    if (rely_check_is_asked(request)) {
        rely_check_refuse(reviewer, request, refusal);
        return;
    }
    if (rely_grpc_is_asked(request)) {
        rely_grpc_refuse(reviewer, request, refusal);
        return;
    }
    find_data_route(request, &routed);
    if (routed.row == NULL)
        rely_http_problem(request, refusal->status, refusal->code, refusal->detail, NULL);
    else
        ((const struct data_route *)routed.row)
            ->protocol->refuse(
                reviewer, request,
                &(struct rely_refused){.status = refusal->status, .code = refusal->code, .detail = refusal->detail});
}

/*
 * The control plane's routes: which resource a path names. Decides nothing else. The handler of every control-plane
 * listener.
 */
#include "call.h"
#include <time.h>

#define SEGMENTS_MAX 6

/* The parts of a path between slashes; 0 when there are too many, or one is empty. */
static size_t split_path(struct rely_slice path, struct rely_slice segments[SEGMENTS_MAX])
{
    size_t count = 0;
    for (size_t start = 1; start <= path.len;) {
        size_t end = start;
        while (end < path.len && path.ptr[end] != '/')
            end++;
        if (end == start || count == SEGMENTS_MAX)
            return 0;
        segments[count++] = rely_slice(path.ptr + start, end - start);
        start = end + 1;
        if (end + 1 == path.len)
            return 0;
    }
    return count;
}

static bool is_segment(const struct rely_slice *segments, size_t count, size_t index, const char *word)
{
    return index < count && rely_slice_equal(segments[index], rely_slice_of(word));
}

/* /v1/issuers[/NAME[/keys]] */
static bool route_issuers(struct rely_admin_call *call, const struct rely_slice *segments, size_t count)
{
    call->path.object = RELY_OBJECT_ISSUER;
    if (count > 2)
        call->path.name = segments[2];
    if (count == 2)
        rely_admin_handle_collection(call);
    else if (count == 3)
        rely_admin_handle_object(call);
    else if (count == 4 && is_segment(segments, count, 3, "keys"))
        rely_admin_handle_keys(call);
    else
        return false;
    return true;
}

/* /v1/identities[/NAME[/federatedIdentityCredentials[/NAME]]] */
static bool route_identities(struct rely_admin_call *call, const struct rely_slice *segments, size_t count)
{
    if (count <= 3) {
        call->path.object = RELY_OBJECT_IDENTITY;
        if (count == 3)
            call->path.name = segments[2];
    } else if (count <= 5 && is_segment(segments, count, 3, "federatedIdentityCredentials")) {
        call->path.object = RELY_OBJECT_CREDENTIAL;
        call->path.parent = segments[2];
        if (count == 5)
            call->path.name = segments[4];
    } else {
        return false;
    }
    if (count % 2 == 0)
        rely_admin_handle_collection(call);
    else
        rely_admin_handle_object(call);
    return true;
}

static bool route_call(struct rely_admin_call *call)
{
    struct rely_slice segments[SEGMENTS_MAX];
    size_t count = split_path(call->request->path, segments);
    if (!is_segment(segments, count, 0, "v1"))
        return false;
    if (is_segment(segments, count, 1, "issuers"))
        return route_issuers(call, segments, count);
    if (is_segment(segments, count, 1, "identities"))
        return route_identities(call, segments, count);
    if (count != 2 || !is_segment(segments, count, 1, "explain"))
        return false;
    rely_admin_handle_explain(call);
    return true;
}

void rely_admin_handle(struct rely_http_request *request, void *context)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct rely_admin_call call = {.admin = context, .request = request, .now_s = now.tv_sec};
    if (!rely_admin_admit(request) || rely_admin_answer_health(context, request))
        return;
    if (!route_call(&call))
        rely_http_problem(request, 404, "not_found", "no such path on the control plane; see docs/api.md", NULL);
}

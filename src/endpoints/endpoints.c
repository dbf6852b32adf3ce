/*
 * The data plane's routes: which protocol a path speaks. Decides nothing else. The handler of every data-plane
 * listener.
 */
#include "reviewer.h"

static bool is_under(struct rely_slice path, struct rely_slice prefix)
{
    return rely_slice_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

void rely_endpoints_handle(struct rely_http_request *request, void *context)
{
    struct rely_reviewer *reviewer = context;
    rely_count(&reviewer->counters->requests, 1);
    if (is_under(request->path, RELY_LIT("/check/default")))
        rely_check_handle(reviewer, request);
    else if (rely_slice_equal(request->path, RELY_LIT("/apis/authentication.k8s.io/v1/tokenreviews")))
        rely_tokenreview_handle(reviewer, request, "authentication.k8s.io/v1");
    else if (rely_slice_equal(request->path, RELY_LIT("/apis/authentication.k8s.io/v1beta1/tokenreviews")))
        rely_tokenreview_handle(reviewer, request, "authentication.k8s.io/v1beta1");
    else if (rely_slice_equal(request->path, RELY_LIT("/v1/review")))
        rely_review_handle(reviewer, request);
    else
        rely_http_problem(request, 404, "not_found", "no such path on the data plane", NULL);
}

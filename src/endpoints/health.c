/*
 * /livez, /readyz and /metrics, the same on both planes. Reads what the service tells; decides nothing.
 */
#include "relyd/endpoints.h"

static void reply_text(struct rely_http_request *request, int status, struct rely_slice type, struct rely_slice text)
{
    rely_http_respond(request, &(struct rely_http_response){.status = status, .content_type = type, .body = text});
}

static void reply_metrics(struct rely_http_request *request, const struct rely_reviewer_hooks *hooks)
{
    struct rely_buf out = {0};
    hooks->print_metrics(hooks->service, &out);
    reply_text(request, 200, RELY_LIT("text/plain; version=0.0.4; charset=utf-8"), rely_buf_slice(&out));
    rely_buf_fini(&out);
}

bool rely_endpoints_handle_health(struct rely_http_request *request, const struct rely_reviewer_hooks *hooks)
{
    static const struct rely_slice plain = {"text/plain; charset=utf-8", 25};
    bool is_live = rely_slice_equal(request->path, RELY_LIT("/livez"));
    bool is_ready = rely_slice_equal(request->path, RELY_LIT("/readyz"));
    bool is_metrics = rely_slice_equal(request->path, RELY_LIT("/metrics"));
    if (!is_live && !is_ready && !is_metrics)
        return false;
    bool may_read =
        rely_slice_equal(request->method, RELY_LIT("GET")) || rely_slice_equal(request->method, RELY_LIT("HEAD"));
    if (!may_read)
        rely_http_problem(request, 405, "method_not_allowed", "only GET and HEAD", NULL);
    else if (is_metrics)
        reply_metrics(request, hooks);
    else if (is_live || hooks->is_ready(hooks->service))
        reply_text(request, 200, plain, RELY_LIT("ok\n"));
    else
        reply_text(request, 503, plain, RELY_LIT("not ready\n"));
    return true;
}

/*
 * /livez, /readyz and /metrics: on the control plane behind its guard, and open on listeners that serve health. Reads
 * what the service tells; decides nothing. They never stand beside the check, whose path is the client's own. Called by
 * route.c, and the handler of health listeners.
 */
#include "call.h"

#define PLAIN_TEXT RELY_LIT("text/plain; charset=utf-8")

static void reply_text(struct rely_http_request *request, int status, struct rely_slice type, struct rely_slice text)
{
    rely_http_respond(request, &(struct rely_http_response){.status = status, .content_type = type, .body = text});
}

static void reply_metrics(struct rely_http_request *request, const struct rely_admin *admin)
{
    struct rely_buf out = {0};
    admin->print_metrics(admin->service, &out);
    reply_text(request, 200, RELY_LIT("text/plain; version=0.0.4; charset=utf-8"), rely_buf_slice(&out));
    rely_buf_fini(&out);
}

/* A detail never makes it 503: tokens are judged as before, and whoever takes this relyd away loses that. */
static void reply_ready(struct rely_http_request *request, const struct rely_admin *admin)
{
    const char *word, *sentence;
    struct rely_buf out = {0};
    if (!admin->find_detail(admin->service, &word, &sentence)) {
        reply_text(request, 200, PLAIN_TEXT, RELY_LIT("ok\n"));
        return;
    }
    rely_buf_printf(&out, "{\"status\":\"ready\",\"details\":[{\"word\":\"%s\",\"sentence\":\"%s\"}]}\n", word,
                    sentence);
    reply_text(request, 200, RELY_LIT("application/json"), rely_buf_slice(&out));
    rely_buf_fini(&out);
}

bool rely_admin_answer_health(const struct rely_admin *admin, struct rely_http_request *request)
{
    bool is_live = rely_slice_equal(request->path, RELY_LIT("/livez"));
    bool is_ready = rely_slice_equal(request->path, RELY_LIT("/readyz"));
    bool is_metrics = rely_slice_equal(request->path, RELY_LIT("/metrics"));
    if (!is_live && !is_ready && !is_metrics)
        return false;
    if (!rely_admin_is_method(request, "GET") && !rely_admin_is_method(request, "HEAD"))
        rely_admin_refuse_method(request, "GET, HEAD");
    else if (is_metrics)
        reply_metrics(request, admin);
    else if (is_live)
        reply_text(request, 200, PLAIN_TEXT, RELY_LIT("ok\n"));
    else if (admin->is_ready(admin->service))
        reply_ready(request, admin);
    else
        reply_text(request, 503, PLAIN_TEXT, RELY_LIT("not ready\n"));
    return true;
}

void rely_health_handle(struct rely_http_request *request, void *context)
{
    if (!rely_admin_answer_health(context, request))
        rely_http_problem(request, 404, "not_found", "there is nothing here but /livez, /readyz and /metrics", NULL);
}

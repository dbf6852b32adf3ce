/*
 * /livez, /readyz and /metrics: on the control plane behind its guard, and open on listeners that serve health. Reads
 * what the service tells; decides nothing. Called by route.c.
 */
#include "call.h"

#define PLAIN_TEXT RELY_LIT("text/plain; charset=utf-8")

static void reply_text(struct rely_http_request *request, int status, struct rely_slice type, struct rely_slice text)
{
    rely_http_respond(request, &(struct rely_http_response){.status = status, .content_type = type, .body = text});
}

void rely_admin_show_live(struct rely_admin_call *call)
{
    reply_text(call->request, 200, PLAIN_TEXT, RELY_LIT("ok\n"));
}

/* A detail never makes it 503: tokens are judged as before, and whoever takes this relyd away loses that. */
static void reply_ready(struct rely_http_request *request, const struct rely_admin *admin)
{
    struct rely_admin_detail detail;
    struct rely_buf out = {0};
    if (!admin->find_detail(admin->service, 0, &detail)) {
        reply_text(request, 200, PLAIN_TEXT, RELY_LIT("ok\n"));
        return;
    }
    rely_buf_put(&out, RELY_LIT("{\"status\":\"ready\",\"details\":["));
    for (size_t i = 0; admin->find_detail(admin->service, i, &detail); i++)
        rely_buf_printf(&out, "%s{\"word\":\"%s\",\"sentence\":\"%s\"}", i == 0 ? "" : ",", detail.word,
                        detail.sentence);
    rely_buf_put(&out, RELY_LIT("]}\n"));
    reply_text(request, 200, RELY_LIT("application/json"), rely_buf_slice(&out));
    rely_buf_fini(&out);
}

void rely_admin_show_ready(struct rely_admin_call *call)
{
    if (call->admin->is_ready(call->admin->service))
        reply_ready(call->request, call->admin);
    else
        reply_text(call->request, 503, PLAIN_TEXT, RELY_LIT("not ready\n"));
}

void rely_admin_show_metrics(struct rely_admin_call *call)
{
    struct rely_buf out = {0};
    call->admin->print_metrics(call->admin->service, &out);
    reply_text(call->request, 200, RELY_LIT("text/plain; version=0.0.4; charset=utf-8"), rely_buf_slice(&out));
    rely_buf_fini(&out);
}

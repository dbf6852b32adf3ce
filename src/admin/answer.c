/*
 * Answers of the control plane: JSON, problems, and the answer of a write, which waits until every worker has the
 * change. Decides which status a refusal has. Called by the resources.
 */
#include "call.h"
#include "relyd/text.h"
#include <stdlib.h>

void rely_admin_set_time(struct rely_json *object, const char *name, int64_t unix_s)
{
    char text[RELY_TIME_SIZE];
    if (unix_s == 0)
        return;
    rely_time_print(unix_s, text);
    rely_admin_set_text(object, name, rely_slice_of(text));
}

void rely_admin_answer_json(struct rely_http_request *request, int status, const struct rely_json *value,
                            const char *etag)
{
    struct rely_buf body = {0};
    struct rely_http_header header = {RELY_LIT("etag"), rely_slice_of(etag)};
    rely_json_print(value, &body);
    rely_buf_putc(&body, '\n');
    struct rely_http_response response = {.status = status,
                                          .content_type = RELY_LIT("application/json"),
                                          .headers = &header,
                                          .header_count = etag == NULL ? 0 : 1,
                                          .body = rely_buf_slice(&body)};
    rely_http_respond(request, &response);
    rely_buf_fini(&body);
}

static int status_of_fault(enum rely_err_code code, const char **word)
{
    switch (code) {
    case RELY_ERR_INVALID:
        *word = "invalid_body";
        return 400;
    case RELY_ERR_NOT_FOUND:
        *word = "not_found";
        return 404;
    case RELY_ERR_CONFLICT:
        *word = "conflict";
        return 409;
    case RELY_ERR_LIMIT:
        *word = "too_many_credentials";
        return 409;
    case RELY_ERR_PRECONDITION:
        *word = "precondition_failed";
        return 412;
    case RELY_ERR_DAMAGED:
        *word = "registry_damaged";
        return 503;
    case RELY_ERR_NONE:
    case RELY_ERR_IO:
    case RELY_ERR_INTERNAL:
        break;
    }
    *word = "internal_error";
    return 500;
}

void rely_admin_answer_fault(const struct rely_admin *admin, struct rely_http_request *request,
                             const struct rely_err *err, const char *word, const struct rely_problems *problems)
{
    const char *general = NULL;
    int status = status_of_fault(err->code, &general);
    if (status >= 500)
        admin->note_fault(admin->service, general, err->message);
    if (request != NULL)
        rely_http_problem(request, status, word != NULL && word[0] != '\0' ? word : general, err->message, problems);
}

void rely_admin_settle(struct rely_admin_call *call)
{
    struct rely_err unused = {0}; /* the writes that it concerns are told */
    call->admin->settle(call->admin->service, &unused);
}

void rely_admin_refuse_write(struct rely_admin_call *call, const struct rely_err *err, const char *word,
                             const struct rely_problems *problems)
{
    struct rely_err fault = {0};
    if (call->admin->settle(call->admin->service, &fault))
        rely_admin_answer_fault(call->admin, call->request, err, word, problems);
    else
        rely_admin_answer_fault(call->admin, call->request, &fault, NULL, NULL);
}

/* --- writes --------------------------------------------------------------------------------------- */

/* An accepted write whose answer waits for its commit and the workers. Owned by itself: freed when it is live. */
struct pending_answer {
    const struct rely_admin *admin;    /* borrowed */
    struct rely_http_request *request; /* borrowed; NULL: the client has left */
    int status;
    char etag[32];
    char *location; /* owned; NULL: none */
    struct rely_buf body;
};

static void send_pending(struct pending_answer *pending)
{
    struct rely_http_header headers[2];
    size_t count = 0;
    if (pending->etag[0] != '\0')
        headers[count++] = (struct rely_http_header){RELY_LIT("etag"), rely_slice_of(pending->etag)};
    if (pending->location != NULL)
        headers[count++] = (struct rely_http_header){RELY_LIT("location"), rely_slice_of(pending->location)};
    struct rely_http_response response = {
        .status = pending->status, .headers = headers, .header_count = count, .body = rely_buf_slice(&pending->body)};
    if (pending->body.len > 0)
        response.content_type = RELY_LIT("application/json");
    rely_http_respond(pending->request, &response);
}

static void finish_pending(void *context, const struct rely_err *err)
{
    struct pending_answer *pending = context;
    if (pending->request != NULL && err == NULL)
        send_pending(pending);
    else if (err != NULL)
        rely_admin_answer_fault(pending->admin, pending->request, err, NULL, NULL);
    rely_buf_fini(&pending->body);
    free(pending->location);
    free(pending);
}

static void forget_client(void *context)
{
    ((struct pending_answer *)context)->request = NULL;
}

void rely_admin_answer_write(struct rely_admin_call *call, int status, struct rely_write_result *result,
                             const char *location)
{
    struct pending_answer *pending = rely_alloc(sizeof *pending);
    pending->admin = call->admin;
    pending->request = call->request;
    pending->status = status;
    if (location != NULL)
        pending->location = rely_strdup_slice(rely_slice_of(location));
    if (result->object != NULL) {
        memcpy(pending->etag, result->etag, sizeof pending->etag);
        rely_json_print(result->object, &pending->body);
        rely_buf_putc(&pending->body, '\n');
    }
    if (result->changes.count == 0) {
        struct rely_err err = {0};
        bool is_settled = call->admin->settle(call->admin->service, &err);
        finish_pending(pending, is_settled ? NULL : &err);
        return;
    }
    rely_http_defer(call->request, forget_client, pending);
    call->admin->publish(call->admin->service, &result->changes, finish_pending, pending);
}

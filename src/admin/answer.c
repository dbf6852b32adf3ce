/*
 * Answers of the control plane: JSON, problems, and the answer of a write. Decides which status a refusal has. Called by
 * the resources.
 */
#include "call.h"
#include "relyd/text.h"

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
    case RELY_ERR_FORBIDDEN:
        *word = "not_permitted";
        return 403;
    case RELY_ERR_LIMIT:
        *word = "too_many_credentials";
        return 409;
    case RELY_ERR_PRECONDITION:
        *word = "precondition_failed";
        return 412;
    case RELY_ERR_AWAY:
        *word = "handing_over";
        return 503;
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
    if (status >= 500 && err->code != RELY_ERR_AWAY)
        admin->note_fault(admin->service, general, err->message);
    if (request != NULL && err->code == RELY_ERR_AWAY)
        rely_http_problem_with(request, status, general, err->message,
                               &(struct rely_http_header){RELY_LIT("retry-after"), RELY_LIT("1")});
    else if (request != NULL)
        rely_http_problem(request, status, word != NULL && word[0] != '\0' ? word : general, err->message, problems);
}

void rely_admin_answer_write(struct rely_http_request *request, int status, const struct rely_write_result *result,
                             const char *location)
{
    struct rely_http_header headers[2];
    struct rely_buf body = {0};
    struct rely_http_response response = {.status = status, .headers = headers};
    if (result->object != NULL) {
        headers[response.header_count++] = (struct rely_http_header){RELY_LIT("etag"), rely_slice_of(result->etag)};
        response.content_type = RELY_LIT("application/json");
        rely_json_print(result->object, &body);
        rely_buf_putc(&body, '\n');
    }
    if (location != NULL)
        headers[response.header_count++] = (struct rely_http_header){RELY_LIT("location"), rely_slice_of(location)};
    response.body = rely_buf_slice(&body);
    rely_http_respond(request, &response);
    rely_buf_fini(&body);
}

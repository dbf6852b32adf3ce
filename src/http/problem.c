/*
 * Prints an RFC 9457 problem: what went wrong, with a stable code, and one entry per wrong field. Decides no status and
 * no code. Called by the admin resources and endpoints through rely_http_problem.
 */
#include "head.h"

#include <stdio.h>

#define PROBLEM_END "}\n"

static void put_problem_member(struct rely_buf *out, const char *name, const char *value)
{
    rely_buf_printf(out, ",\"%s\":", name);
    rely_buf_put_json(out, rely_slice_of(value));
}

static void put_field(struct rely_buf *out, const struct rely_problem *problem)
{
    rely_buf_put(out, RELY_LIT("{\"field\":"));
    rely_buf_put_json(out, rely_slice_of(problem->field));
    put_problem_member(out, "code", problem->code);
    put_problem_member(out, "message", problem->message);
    if (problem->column > 0)
        rely_buf_printf(out, ",\"column\":%zu", problem->column);
    rely_buf_putc(out, '}');
}

static void put_fields(struct rely_buf *out, const struct rely_problems *problems)
{
    size_t kept = problems->count < RELY_PROBLEMS_MAX ? problems->count : RELY_PROBLEMS_MAX;
    rely_buf_put(out, RELY_LIT(",\"errors\":["));
    for (size_t i = 0; i < kept; i++) {
        if (i > 0)
            rely_buf_putc(out, ',');
        put_field(out, &problems->items[i]);
    }
    rely_buf_putc(out, ']');
}

void rely_http_print_problem(struct rely_buf *out, int status, const char *code, const char *detail,
                             const struct rely_problems *problems)
{
    rely_buf_printf(out, "{\"type\":\"https://relyd.dev/problems/%s\"", code);
    put_problem_member(out, "title", rely_http_phrase(status));
    rely_buf_printf(out, ",\"status\":%d", status);
    put_problem_member(out, "code", code);
    if (detail != NULL)
        put_problem_member(out, "detail", detail);
    if (problems != NULL && problems->count > 0)
        put_fields(out, problems);
    rely_buf_put(out, RELY_LIT(PROBLEM_END));
}

static void respond_problem(struct rely_http_request *request, struct rely_http_response *response,
                            struct rely_buf *body)
{
    response->content_type = RELY_LIT("application/problem+json");
    response->body = rely_buf_slice(body);
    rely_http_respond(request, response);
    rely_buf_fini(body);
}

void rely_http_problem(struct rely_http_request *request, int status, const char *code, const char *detail,
                       const struct rely_problems *problems)
{
    struct rely_buf body = {0};
    rely_http_print_problem(&body, status, code, detail, problems);
    respond_problem(request, &(struct rely_http_response){.status = status}, &body);
}

void rely_http_problem_with(struct rely_http_request *request, int status, const char *code, const char *detail,
                            const struct rely_http_header *header)
{
    struct rely_buf body = {0};
    rely_http_print_problem(&body, status, code, detail, NULL);
    respond_problem(request,
                    &(struct rely_http_response){
                        .status = status, .headers = header, .header_count = header->value.ptr == NULL ? 0 : 1},
                    &body);
}

void rely_http_problem_of(struct rely_http_request *request, int status, const char *code, const char *detail,
                          struct rely_slice members)
{
    struct rely_buf body = {0};
    rely_http_print_problem(&body, status, code, detail, NULL);
    body.len -= sizeof PROBLEM_END - 1;
    rely_buf_putc(&body, ',');
    rely_buf_put(&body, members);
    rely_buf_put(&body, RELY_LIT(PROBLEM_END));
    respond_problem(request, &(struct rely_http_response){.status = status}, &body);
}

void rely_http_refuse_method(struct rely_http_request *request, const char *allow)
{
    char detail[128];
    const struct rely_http_header header = {RELY_LIT("allow"), rely_slice_of(allow)};
    snprintf(detail, sizeof detail, "this resource takes %s", allow);
    rely_http_problem_with(request, 405, "method_not_allowed", detail, &header);
}

/*
 * Issuers, identities and federated credentials over REST: the same four verbs for each. Decides about methods, headers
 * and pages; what a good object is, registry/ decides. Called by route.c.
 */
#include "call.h"
#include "path.h"
#include "relyd/limits.h"
#include <stdio.h>

/* --- reading ------------------------------------------------------------------------------------------ */

static bool read_limit(struct rely_slice text, size_t *limit)
{
    *limit = RELY_LIST_DEFAULT;
    if (text.ptr == NULL)
        return true;
    size_t value = 0;
    for (size_t i = 0; i < text.len && i < 5; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (size_t)(text.ptr[i] - '0');
    }
    *limit = value;
    return text.len <= 4 && value >= 1 && value <= RELY_LIST_MAX;
}

static void answer_page(struct rely_admin_call *call, const struct rely_object_page *read)
{
    RELY_JSON_OWNED struct rely_json *page = rely_json_object();
    struct rely_json *value = read->array;
    size_t count = rely_json_size(value);
    struct rely_slice last = rely_json_text(rely_json_get(rely_json_at(value, count == 0 ? 0 : count - 1), "name"));
    rely_json_set(page, "value", value);
    if (read->has_more) {
        char collection[RELY_OBJECT_PATH_SIZE], link[2 * RELY_OBJECT_PATH_SIZE];
        rely_object_path_print(&call->path, (struct rely_slice){0}, collection);
        snprintf(link, sizeof link, "%s?limit=%zu&after=%.*s", collection, read->limit, RELY_ARG(last));
        rely_admin_set_text(page, "nextLink", rely_slice_of(link));
    }
    rely_admin_answer_json(call->request, 200, page, NULL);
}

/* The value of a known parameter is wrong: as for one that is not known. */
static void refuse_parameter_value(struct rely_admin_call *call, const char *name, const char *rule)
{
    struct rely_problems *problems = rely_pool_alloc(call->request->scratch, sizeof *problems);
    problems->count = 0;
    rely_problems_add(problems, name, "invalid_value", "%s must be %s", name, rule);
    rely_http_problem(call->request, 400, "invalid_query", problems->items[0].message, problems);
}

/* Parameters: limit, after. */
void rely_admin_list_objects(struct rely_admin_call *call)
{
    struct rely_err err = {0};
    struct rely_object_page page = {.after = call->parameters[1]};
    if (!read_limit(call->parameters[0], &page.limit)) {
        refuse_parameter_value(call, "limit", "a number of 1 to 1000");
        return;
    }
    rely_admin_settle(call);
    if (rely_registry_list(call->admin->registry, &call->path, &page, &err))
        answer_page(call, &page);
    else
        rely_admin_answer_fault(call->admin, call->request, &err, NULL, NULL);
}

void rely_admin_show_object(struct rely_admin_call *call)
{
    struct rely_err err = {0};
    struct rely_json *object = NULL;
    char etag[32];
    rely_admin_settle(call);
    if (!rely_registry_read(call->admin->registry, &call->path, &object, etag, &err)) {
        rely_admin_answer_fault(call->admin, call->request, &err, NULL, NULL);
        return;
    }
    rely_admin_answer_json(call->request, 200, object, etag);
    rely_json_free(object);
}

/* --- writing ------------------------------------------------------------------------------------------ */

#define ACTOR_SIZE (RELY_PEER_SIZE + 8)

/* Who, when, and If-Match. False: it has been answered. */
static bool prepare_writer(const struct rely_admin_call *call, char actor[ACTOR_SIZE], struct rely_writer *writer)
{
    char peer[RELY_PEER_SIZE];
    size_t count = 0;
    struct rely_slice condition = rely_http_find_header(call->request, RELY_LIT("if-match"), &count);
    if (count > 1) {
        rely_http_problem(call->request, 400, "invalid_header", "more than one If-Match header", NULL);
        return false;
    }
    if (call->request->is_unix) {
        snprintf(actor, ACTOR_SIZE, "uid:%u", call->request->peer_uid);
    } else {
        rely_http_peer(call->request, peer);
        snprintf(actor, ACTOR_SIZE, "tcp:%s", peer);
    }
    *writer = (struct rely_writer){.actor = rely_slice_of(actor), .now_s = call->now_s};
    if (count == 1)
        writer->if_match = condition.ptr == NULL ? RELY_LIT("") : condition;
    return true;
}

static void answer_saved(struct rely_admin_call *call, struct rely_write_result *result)
{
    char location[RELY_OBJECT_PATH_SIZE];
    rely_object_path_print(&call->path, rely_json_text(rely_json_get(result->object, "name")), location);
    rely_admin_answer_write(call, result->is_created ? 201 : 200, result, result->is_created ? location : NULL);
}

static void save_object(struct rely_admin_call *call, bool is_replacement)
{
    char actor[ACTOR_SIZE];
    struct rely_write write = {.path = call->path};
    struct rely_err err = {0};
    struct rely_write_result result = {0};
    if (!prepare_writer(call, actor, &write.writer))
        return;
    RELY_JSON_OWNED struct rely_json *body = rely_admin_read_body(call);
    if (body == NULL)
        return;
    write.body = body;
    struct rely_registry *registry = call->admin->registry;
    bool is_saved = call->admin->begin(call->admin->service, &err) &&
                    (is_replacement ? rely_registry_replace(registry, &write, &result, &err)
                                    : rely_registry_create(registry, &write, &result, &err));
    if (is_saved)
        answer_saved(call, &result);
    else
        rely_admin_refuse_write(call, &err, result.code, &result.problems);
    rely_write_result_fini(&result);
}

/* `If-None-Match: *` on PUT: only create. Nothing can come between: this thread is the only writer. */
static bool is_unwanted_replacement(struct rely_admin_call *call)
{
    struct rely_err err = {0};
    struct rely_json *object = NULL;
    char etag[32];
    struct rely_slice condition = rely_http_find_header(call->request, RELY_LIT("if-none-match"), NULL);
    if (!rely_slice_equal(condition, RELY_LIT("*")))
        return false;
    rely_admin_settle(call);
    if (!rely_registry_read(call->admin->registry, &call->path, &object, etag, &err)) {
        if (err.code == RELY_ERR_NOT_FOUND)
            return false;
        rely_admin_answer_fault(call->admin, call->request, &err, NULL, NULL);
        return true;
    }
    rely_json_free(object);
    rely_http_problem(call->request, 412, "precondition_failed", "the object exists, and If-None-Match was *", NULL);
    return true;
}

/* Deleting more than was meant cannot be taken back: only the exact word says so. */
static bool read_cascade(struct rely_slice text, bool *may_cascade)
{
    *may_cascade = rely_slice_equal(text, RELY_LIT("true"));
    return text.ptr == NULL || *may_cascade || rely_slice_equal(text, RELY_LIT("false"));
}

/* Parameters: withCredentials, of an issuer. */
void rely_admin_delete_object(struct rely_admin_call *call)
{
    char actor[ACTOR_SIZE];
    struct rely_writer writer;
    struct rely_err err = {0};
    struct rely_write_result result = {0};
    if (!prepare_writer(call, actor, &writer))
        return;
    if (!read_cascade(call->parameters[0], &writer.may_cascade)) {
        refuse_parameter_value(call, "withCredentials", "true or false");
        return;
    }
    if (call->admin->begin(call->admin->service, &err) &&
        rely_registry_delete(call->admin->registry, &call->path, &writer, &result, &err))
        rely_admin_answer_write(call, 204, &result, NULL);
    else
        rely_admin_refuse_write(call, &err, result.code, NULL);
    rely_write_result_fini(&result);
}

/* --- methods ------------------------------------------------------------------------------------------ */

void rely_admin_create_object(struct rely_admin_call *call)
{
    save_object(call, false);
}

void rely_admin_replace_object(struct rely_admin_call *call)
{
    if (!is_unwanted_replacement(call))
        save_object(call, true);
}

/*
 * Issuers, identities and federated credentials over REST: the same four verbs for each. Decides about methods, headers
 * and pages; what a good object is, registry/ decides, on its own thread. Called by route.c.
 */
#include "keys.h"
#include "path.h"
#include "pod.h"
#include "relyd/fetched.h"
#include "relyd/limits.h"
#include "relyd/snapshot.h"
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

/* --- a collection --- */

static const char *name_member(const struct rely_admin_wait *wait)
{
    return rely_kind_name_field(rely_kind_of(wait->path.object))->json;
}

struct listing {
    struct rely_admin_wait wait; /* first */
    struct rely_object_page page;
};

static void read_page(struct rely_work *work, struct rely_registry *registry)
{
    struct listing *listing = (struct listing *)work;
    struct rely_admin_wait *wait = &listing->wait;
    wait->is_ok = rely_registry_list(registry, &wait->path, &listing->page, &wait->err);
}

/* Owner: the caller. */
static struct rely_json *show_page(const struct rely_admin_wait *wait, const struct rely_object_page *read)
{
    if (wait->path.object != RELY_OBJECT_ISSUER)
        return rely_json_share(read->array);
    struct rely_json *shown = rely_json_array();
    for (size_t i = 0; i < rely_json_size(read->array); i++)
        rely_json_append(shown, rely_admin_show_issuer(wait->admin, rely_json_at(read->array, i), read->ids[i]));
    return shown;
}

static void answer_page(struct rely_admin_wait *wait)
{
    const struct rely_object_page *read = &((const struct listing *)wait)->page;
    const struct rely_json *value = read->array;
    if (!wait->is_ok) {
        rely_admin_answer_wait_fault(wait, NULL, NULL);
        return;
    }
    RELY_JSON_OWNED struct rely_json *page = rely_json_object();
    size_t count = rely_json_size(value);
    struct rely_slice last =
        rely_json_text(rely_json_get(rely_json_at(value, count == 0 ? 0 : count - 1), name_member(wait)));
    rely_json_set(page, "value", show_page(wait, read));
    if (read->has_more) {
        char collection[RELY_OBJECT_PATH_SIZE], link[2 * RELY_OBJECT_PATH_SIZE];
        rely_object_path_print(&wait->path, (struct rely_slice){0}, collection);
        snprintf(link, sizeof link, "%s?limit=%zu&after=%.*s", collection, read->limit, RELY_ARG(last));
        rely_admin_set_text(page, "nextLink", rely_slice_of(link));
    }
    rely_admin_answer_json(wait->request, 200, page, NULL);
}

static void free_listing(struct rely_admin_wait *wait)
{
    rely_json_free(((struct listing *)wait)->page.array);
}

void rely_admin_refuse_parameter(struct rely_admin_call *call, const char *name, const char *rule)
{
    struct rely_problems *problems = rely_pool_alloc(call->request->scratch, sizeof *problems);
    problems->count = 0;
    rely_problems_add(problems, name, "invalid_value", "%s must be %s", name, rule);
    rely_http_problem(call->request, 400, "invalid_query", problems->items[0].message, problems);
}

/* Deleting more than was meant cannot be taken back: only the exact word says so. */
bool rely_admin_read_yes(struct rely_slice text, bool *is_yes)
{
    *is_yes = rely_slice_equal(text, RELY_LIT("true"));
    return text.ptr == NULL || *is_yes || rely_slice_equal(text, RELY_LIT("false"));
}

/* Parameters: limit, after. */
void rely_admin_list_objects(struct rely_admin_call *call)
{
    size_t limit;
    if (!read_limit(call->parameters[0], &limit)) {
        rely_admin_refuse_parameter(call, "limit", "a number of 1 to 1000");
        return;
    }
    struct listing *listing = rely_admin_wait_new(call, sizeof *listing);
    listing->wait.work.run = read_page;
    listing->wait.answer = answer_page;
    listing->wait.fini = free_listing;
    listing->page.limit = limit;
    if (call->path.object == RELY_OBJECT_ISSUER)
        listing->page.ids = rely_pool_alloc(&listing->wait.pool, limit * sizeof *listing->page.ids);
    listing->page.after = rely_pool_copy(&listing->wait.pool, call->parameters[1]);
    rely_admin_ask(&listing->wait);
}

/* --- one object --- */

static void read_shown_object(struct rely_work *work, struct rely_registry *registry)
{
    struct rely_admin_showing *showing = (struct rely_admin_showing *)work;
    struct rely_admin_wait *wait = &showing->wait;
    wait->is_ok = rely_registry_read(registry, &wait->path, &showing->object, showing->etag, &wait->err) &&
                  (!showing->wants_history ||
                   rely_registry_read_history(registry, wait->path.name, &showing->history, &wait->err));
}

/* One that has gone meanwhile has no status. */
static void answer_issuer(const struct rely_admin_wait *wait, const struct rely_admin_showing *showing)
{
    const struct rely_issuer *issuer =
        rely_admin_find_issuer(wait->admin->snapshot(wait->admin->service), showing->object);
    RELY_JSON_OWNED struct rely_json *shown =
        rely_admin_show_issuer(wait->admin, showing->object, issuer == NULL ? 0 : issuer->id);
    rely_admin_answer_json(wait->request, 200, shown, showing->etag);
}

static void answer_object(struct rely_admin_wait *wait)
{
    const struct rely_admin_showing *showing = (const struct rely_admin_showing *)wait;
    if (!wait->is_ok)
        rely_admin_answer_wait_fault(wait, NULL, NULL);
    else if (wait->path.object == RELY_OBJECT_ISSUER)
        answer_issuer(wait, showing);
    else
        rely_admin_answer_json(wait->request, 200, showing->object, showing->etag);
}

static void free_showing(struct rely_admin_wait *wait)
{
    struct rely_admin_showing *showing = (struct rely_admin_showing *)wait;
    rely_json_free(showing->object);
    rely_json_free(showing->history);
}

void rely_admin_read_into(struct rely_admin_showing *showing, void (*answer)(struct rely_admin_wait *wait))
{
    showing->wait.work.run = read_shown_object;
    showing->wait.answer = answer;
    showing->wait.fini = free_showing;
    rely_admin_ask(&showing->wait);
}

void rely_admin_read_keys(struct rely_admin_call *call, void (*answer)(struct rely_admin_wait *wait))
{
    struct rely_admin_showing *showing = rely_admin_wait_new(call, sizeof *showing);
    showing->wants_history = true;
    rely_admin_read_into(showing, answer);
}

void rely_admin_read_object(struct rely_admin_call *call, void (*answer)(struct rely_admin_wait *wait))
{
    rely_admin_read_into(rely_admin_wait_new(call, sizeof(struct rely_admin_showing)), answer);
}

void rely_admin_show_object(struct rely_admin_call *call)
{
    rely_admin_read_object(call, answer_object);
}

/* --- writing ------------------------------------------------------------------------------------------ */

struct writing {
    struct rely_admin_wait wait; /* first */
    struct rely_json *body;      /* owned; NULL: it is to be deleted */
    bool may_replace;
    bool must_be_new;   /* If-None-Match: * */
    bool is_in_cluster; /* what the body leaves out, the pod says */
    struct rely_write write;
    struct rely_write_result result;
};

static void free_writing(struct rely_admin_wait *wait)
{
    struct writing *writing = (struct writing *)wait;
    rely_json_free(writing->body);
    rely_write_result_fini(&writing->result);
}

/* What is to be written on behalf of whom, when, and on what condition. NULL: it has been answered. */
static struct writing *new_writing(const struct rely_admin_call *call)
{
    char actor[RELY_CALLER_NAME_SIZE];
    const struct rely_caller *caller = call->caller;
    size_t count = 0;
    struct rely_slice condition = rely_http_find_header(call->request, RELY_LIT("if-match"), &count);
    if (count > 1) {
        rely_http_problem(call->request, 400, "invalid_header", "more than one If-Match header", NULL);
        return NULL;
    }
    rely_caller_print(caller, call->request, actor);
    struct writing *writing = rely_admin_wait_new(call, sizeof *writing);
    struct rely_admin_wait *wait = &writing->wait;
    wait->work.is_write = true;
    wait->fini = free_writing;
    writing->write.path = wait->path;
    wait->actor = rely_pool_copy(&wait->pool, rely_slice_of(actor));
    writing->write.writer = (struct rely_writer){.actor = wait->actor,
                                                 .now_s = call->now_s,
                                                 .is_owner_only = (caller->roles & RELY_ROLE_ADMIN) == 0,
                                                 .may_end_admins = caller->identity == NULL ||
                                                                   (*call->admin->caller_rules)->bootstrap_count > 0};
    if (caller->identity != NULL)
        writing->write.writer.identity = rely_pool_copy(&wait->pool, caller->identity->name);
    rely_admin_wait_hold(wait, condition.len);
    if (count == 1)
        writing->write.writer.if_match = rely_pool_copy(&wait->pool, condition.ptr == NULL ? RELY_LIT("") : condition);
    return writing;
}

/* --- saving --- */

static bool has_warnings(const struct rely_kind *kind)
{
    bool is_found = false;
    for (size_t i = 0; i < kind->field_count; i++)
        is_found |= (kind->fields[i].flags & RELY_FIELD_IN_ANSWERS) != 0 && kind->fields[i].words[0] == '\0';
    return is_found;
}

/* What somebody may have meant otherwise: behind the object, and no part of it. */
static void show_warnings(const struct rely_admin_wait *wait, const struct rely_write_result *result)
{
    struct rely_json *list = rely_json_array();
    size_t count = result->warnings.count < RELY_PROBLEMS_MAX ? result->warnings.count : RELY_PROBLEMS_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct rely_problem *warning = &result->warnings.items[i];
        struct rely_json *item = rely_json_object();
        rely_admin_set_text(item, "code", rely_slice_of(warning->code));
        rely_admin_set_text(item, "field", rely_slice_of(warning->field));
        rely_admin_set_text(item, "message", rely_slice_of(warning->message));
        rely_json_append(list, item);
    }
    if (has_warnings(rely_kind_of(wait->path.object)))
        rely_json_set(result->object, "warnings", list);
    else
        rely_json_free(list);
}

/* Nothing can come between the look and the write: one thread has the registry. */
static bool is_free(struct writing *writing, struct rely_registry *registry)
{
    struct rely_json *object = NULL;
    struct rely_err *err = &writing->wait.err;
    char etag[32];
    if (!rely_registry_read(registry, &writing->wait.path, &object, etag, err)) {
        bool is_missing = err->code == RELY_ERR_NOT_FOUND;
        if (is_missing)
            *err = (struct rely_err){0};
        return is_missing;
    }
    rely_json_free(object);
    return rely_err_set(err, RELY_ERR_PRECONDITION, "the object exists, and If-None-Match was *");
}

/* False: what is wrong with that is refused as what is wrong with a body. */
static bool complete_body(struct writing *writing)
{
    struct rely_write_result *result = &writing->result;
    if (!writing->is_in_cluster || rely_pod_complete(writing->body, &result->problems))
        return true;
    snprintf(result->code, sizeof result->code, "invalid_body");
    return rely_err_set(&writing->wait.err, RELY_ERR_INVALID, "%.400s", result->problems.items[0].message);
}

static void save(struct rely_work *work, struct rely_registry *registry)
{
    struct writing *writing = (struct writing *)work;
    struct rely_admin_wait *wait = &writing->wait;
    if (!complete_body(writing) || (writing->must_be_new && !is_free(writing, registry)))
        return;
    wait->is_ok = writing->may_replace ? rely_registry_replace(registry, &writing->write, &writing->result, &wait->err)
                                       : rely_registry_create(registry, &writing->write, &writing->result, &wait->err);
    rely_changes_move(&work->changes, &writing->result.changes);
}

static void answer_saved(struct rely_admin_wait *wait)
{
    const struct writing *writing = (const struct writing *)wait;
    const struct rely_write_result *result = &writing->result;
    char location[RELY_OBJECT_PATH_SIZE];
    if (!wait->is_ok) {
        rely_admin_answer_wait_fault(wait, result->code, &result->problems);
        return;
    }
    rely_object_path_print(&wait->path, rely_json_text(rely_json_get(result->object, name_member(wait))), location);
    show_warnings(wait, result);
    rely_admin_answer_write(wait->request, result->is_created ? 201 : 200, result,
                            result->is_created ? location : NULL);
}

/* For whoever looks through the log for what somebody has taken upon himself. */
static void note_forced(const struct rely_admin_wait *wait)
{
    const struct rely_write_result *result = &((const struct writing *)wait)->result;
    struct rely_buf text = {0};
    struct rely_slice name = wait->path.name;
    if (result->overridden_count == 0)
        return;
    if (result->object != NULL) /* a member has none; of a creation the name stands in the object alone */
        name = rely_json_text(rely_json_get(result->object, name_member(wait)));
    rely_buf_printf(&text, "%.*s has written %s %.*s%s%.*s with force=true, in spite of", RELY_ARG(wait->actor),
                    rely_kind_of(wait->path.object)->word, RELY_ARG(wait->path.parent),
                    wait->path.parent.ptr == NULL ? "" : "/", RELY_ARG(name));
    for (size_t i = 0; i < result->overridden_count && i < RELY_PROBLEMS_MAX; i++)
        rely_buf_printf(&text, "%s %s (%s)", i == 0 ? "" : ",", result->warnings.items[i].code,
                        result->warnings.items[i].field);
    wait->admin->note_forced(wait->admin->service, text.ptr);
    rely_buf_fini(&text);
}

/* Parameters: strict, force, which is an administrator's. False: it has been answered. */
static bool read_write_parameters(struct rely_admin_call *call, struct rely_writer *writer)
{
    if (!rely_admin_read_yes(call->parameters[0], &writer->is_strict))
        rely_admin_refuse_parameter(call, "strict", "true or false");
    else if (!rely_admin_read_yes(call->parameters[1], &writer->may_override))
        rely_admin_refuse_parameter(call, "force", "true or false");
    else
        return !writer->may_override || rely_admin_permit(call, ADMIN);
    return false;
}

/* In: body - taken over. */
static void save_body(struct rely_admin_call *call, struct rely_json *body, size_t bytes, bool may_replace)
{
    struct rely_slice condition = rely_http_find_header(call->request, RELY_LIT("if-none-match"), NULL);
    struct writing *writing = new_writing(call);
    if (writing == NULL) {
        rely_json_free(body);
        return;
    }
    writing->body = body;
    if (!read_write_parameters(call, &writing->write.writer)) {
        rely_admin_wait_free(&writing->wait);
        return;
    }
    rely_admin_wait_hold(&writing->wait, bytes);
    writing->write.body = writing->body;
    writing->write.preset = call->preset;
    writing->is_in_cluster = call->is_in_cluster;
    writing->may_replace = may_replace;
    writing->must_be_new = may_replace && rely_slice_equal(condition, RELY_LIT("*"));
    writing->wait.work.run = save;
    writing->wait.note = note_forced;
    writing->wait.answer = answer_saved;
    rely_admin_ask(&writing->wait);
}

static void save_object(struct rely_admin_call *call, bool may_replace)
{
    size_t bytes;
    struct rely_json *body = rely_admin_read_body(call, &bytes);
    if (body != NULL)
        save_body(call, body, bytes, may_replace);
}

void rely_admin_create_of_body(struct rely_admin_call *call, struct rely_json *body, size_t bytes)
{
    save_body(call, body, bytes, false);
}

void rely_admin_create_object(struct rely_admin_call *call)
{
    save_object(call, false);
}

void rely_admin_replace_object(struct rely_admin_call *call)
{
    save_object(call, true);
}

/* --- deleting --- */

static void delete_object(struct rely_work *work, struct rely_registry *registry)
{
    struct writing *writing = (struct writing *)work;
    struct rely_admin_wait *wait = &writing->wait;
    wait->is_ok = rely_registry_delete(registry, &wait->path, &writing->write.writer, &writing->result, &wait->err);
    rely_changes_move(&work->changes, &writing->result.changes);
}

/* By what it is used. */
static void answer_used(const struct rely_admin_wait *wait, const struct rely_write_result *result)
{
    struct rely_buf members = {0};
    rely_buf_put(&members, RELY_LIT("\"by\":"));
    rely_json_print(result->users, &members);
    rely_http_problem_of(wait->request, 409, result->code, wait->err.message, rely_buf_slice(&members));
    rely_buf_fini(&members);
}

static void answer_done(struct rely_admin_wait *wait)
{
    const struct writing *writing = (const struct writing *)wait;
    if (wait->is_ok)
        rely_admin_answer_write(wait->request, 204, &writing->result, NULL);
    else if (writing->result.users != NULL)
        answer_used(wait, &writing->result);
    else
        rely_admin_answer_wait_fault(wait, writing->result.code, NULL);
}

/* Parameters: withCredentials, of an issuer or a group. */
void rely_admin_delete_object(struct rely_admin_call *call)
{
    struct writing *writing = new_writing(call);
    if (writing == NULL)
        return;
    if (!rely_admin_read_yes(call->parameters[0], &writing->write.writer.may_cascade)) {
        rely_admin_refuse_parameter(call, "withCredentials", "true or false");
        rely_admin_wait_free(&writing->wait);
        return;
    }
    writing->wait.work.run = delete_object;
    writing->wait.answer = answer_done;
    rely_admin_ask(&writing->wait);
}

/* --- one record in one group --- */

static void join_group(struct rely_work *work, struct rely_registry *registry)
{
    struct writing *writing = (struct writing *)work;
    struct rely_admin_wait *wait = &writing->wait;
    wait->is_ok = rely_registry_join_group(registry, &wait->path, &writing->write.writer, &writing->result, &wait->err);
    rely_changes_move(&work->changes, &writing->result.changes);
}

static void leave_group(struct rely_work *work, struct rely_registry *registry)
{
    struct writing *writing = (struct writing *)work;
    struct rely_admin_wait *wait = &writing->wait;
    wait->is_ok =
        rely_registry_leave_group(registry, &wait->path, &writing->write.writer, &writing->result, &wait->err);
    rely_changes_move(&work->changes, &writing->result.changes);
}

/* In: has_parameters - those of a write. */
static void ask_to_change(struct rely_admin_call *call,
                          void (*run)(struct rely_work *work, struct rely_registry *registry), bool has_parameters)
{
    struct writing *writing = new_writing(call);
    if (writing == NULL)
        return;
    if (has_parameters && !read_write_parameters(call, &writing->write.writer)) {
        rely_admin_wait_free(&writing->wait);
        return;
    }
    writing->wait.work.run = run;
    writing->wait.note = note_forced;
    writing->wait.answer = answer_done;
    rely_admin_ask(&writing->wait);
}

void rely_admin_join_group(struct rely_admin_call *call)
{
    ask_to_change(call, join_group, true);
}

void rely_admin_leave_group(struct rely_admin_call *call)
{
    ask_to_change(call, leave_group, false);
}

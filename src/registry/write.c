/*
 * Creating and replacing an object, together with its row of the change log. Decides whether a write is
 * accepted; what a good body is, the kind's save decides. Called by admin/.
 */
#include "relyd/text.h"
#include "store.h"
#include <stdio.h>

const struct rely_object_kind *rely_object_kind(enum rely_object object)
{
    switch (object) {
    case RELY_OBJECT_ISSUER:
        return &rely_issuer_kind;
    case RELY_OBJECT_IDENTITY:
        return &rely_identity_kind;
    case RELY_OBJECT_CREDENTIAL:
        return &rely_credential_kind;
    }
    rely_bug("an object of no kind", __FILE__, __LINE__);
}

bool rely_write_refuse(struct rely_write_result *result, struct rely_err *err, enum rely_err_code code,
                       const char *word, const char *format, ...)
{
    char message[400];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    snprintf(result->code, sizeof result->code, "%s", word);
    return rely_err_set(err, code, "%s", message);
}

void rely_write_result_fini(struct rely_write_result *result)
{
    rely_json_free(result->object);
    rely_changes_fini(&result->changes);
    *result = (struct rely_write_result){0};
}

/* --- what may be written ------------------------------------------------------------------------------- */

static bool refuse_body(struct rely_write *write, struct rely_err *err)
{
    size_t count = write->problems->count;
    if (count == 1)
        return rely_write_refuse(write->result, err, RELY_ERR_INVALID, "invalid_body", "%s",
                                 write->problems->items[0].message);
    return rely_write_refuse(write->result, err, RELY_ERR_INVALID, "invalid_body", "%zu fields are wrong", count);
}

/* The body's own name for a creation, the path's for a replacement; then a name in the body must be the same. */
static bool take_name(struct rely_write *write, bool is_named_by_path)
{
    const struct rely_json *value = rely_json_get(write->body, "name");
    if (is_named_by_path) {
        write->name = write->path->name;
        if (value != NULL &&
            (rely_json_type(value) != RELY_JSON_STRING || !rely_slice_equal(rely_json_text(value), write->path->name)))
            rely_problems_add(write->problems, "name", "immutable", "name must be that of the path, or be left out");
    } else if (rely_json_type(value) != RELY_JSON_STRING) {
        if (value == NULL)
            rely_problems_add(write->problems, "name", "required", "name is required");
        else
            rely_field_wrong_type(value, "name", "a string", write->problems);
        return false;
    } else {
        write->name = rely_json_text(value);
    }
    return rely_field_check_name(write->name, "name", write->problems);
}

static bool check_condition(struct rely_write *write, const struct rely_found *found, struct rely_err *err)
{
    char etag[32];
    struct rely_slice wanted = write->writer->if_match;
    if (wanted.ptr == NULL)
        return true;
    rely_registry_print_etag(found->revision, etag);
    if (found->id != 0 && (rely_slice_equal(wanted, RELY_LIT("*")) || rely_slice_equal(wanted, rely_slice_of(etag))))
        return true;
    return rely_write_refuse(write->result, err, RELY_ERR_PRECONDITION, "precondition_failed",
                             found->id == 0 ? "If-Match was sent, and the object is not there"
                                            : "the object has changed since: its ETag is %s",
                             etag);
}

/* Look up the parent and the object. True: the write may go on. */
static bool find_target(struct rely_write *write, bool may_replace, struct rely_found *found, struct rely_err *err)
{
    if (!rely_registry_find_parent(write->registry, write->path, &write->parent_id, err)) {
        if (err->code == RELY_ERR_NOT_FOUND)
            snprintf(write->result->code, sizeof write->result->code, "not_found");
        return false;
    }
    if (!rely_registry_find(write->registry, write->kind, write->name, write->parent_id, found, err))
        return false;
    write->id = found->id;
    write->before = found->object;
    if (found->id != 0 && !may_replace)
        return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "already_exists", "there is %s of this name",
                                 write->kind->article_word);
    return check_condition(write, found, err);
}

/* --- the transaction ------------------------------------------------------------------------------------ */

static bool read_back(struct rely_write *write, struct rely_found *after, struct rely_err *err)
{
    if (!rely_registry_find(write->registry, write->kind, write->name, write->parent_id, after, err))
        return false;
    if (after->id == write->id)
        return true;
    rely_json_free(after->object);
    return rely_err_set(err, RELY_ERR_INTERNAL, "a stored row cannot be read back");
}

static bool stamp_row(struct rely_write *write, uint64_t revision, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&write->registry->sql, write->kind->touch_sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iii", write->id, (int64_t)revision, write->writer->now_s);
    return rely_sql_run(stmt, err);
}

static bool log_write(struct rely_write *write, struct rely_slice before, struct rely_slice after, uint64_t *revision,
                      struct rely_err *err)
{
    struct rely_log_entry entry = {.at_s = write->writer->now_s,
                                   .actor = write->writer->actor,
                                   .object = write->kind->word,
                                   .parent = write->path->parent,
                                   .name = write->name,
                                   .operation = write->before == NULL ? "create" : "replace",
                                   .before = before,
                                   .after = after};
    return rely_change_log_append(write->registry, &entry, revision, err);
}

static void fill_result(struct rely_write *write, struct rely_found *after)
{
    write->result->is_created = write->before == NULL;
    write->result->object = after->object;
    rely_registry_print_etag(after->revision, write->result->etag);
    after->object = NULL;
}

/* Log the row and stamp it with revision and time. *after becomes the stamped row. */
static bool log_and_stamp(struct rely_write *write, struct rely_slice before_text, struct rely_slice after_text,
                          struct rely_found *after, struct rely_err *err)
{
    char now[RELY_TIME_SIZE];
    uint64_t revision = 0;
    if (!log_write(write, before_text, after_text, &revision, err) || !stamp_row(write, revision, err))
        return false;
    write->result->changes.revision = revision;
    after->revision = revision;
    rely_time_print(write->writer->now_s, now);
    rely_json_set(after->object, "updatedAt", rely_json_of_text(rely_slice_of(now)));
    return true;
}

/* The row is stored: log it, unless nothing has changed. Leaves the transaction open; *is_news tells how to end it. */
static bool finish_row(struct rely_write *write, bool *is_news, struct rely_err *err)
{
    struct rely_found after = {0};
    struct rely_buf before_text = {0}, after_text = {0};
    if (!read_back(write, &after, err))
        return false;
    if (write->before != NULL)
        rely_json_print(write->before, &before_text);
    rely_json_print(after.object, &after_text);
    *is_news = !rely_slice_equal(rely_buf_slice(&before_text), rely_buf_slice(&after_text));
    bool is_good =
        !*is_news || log_and_stamp(write, rely_buf_slice(&before_text), rely_buf_slice(&after_text), &after, err);
    if (is_good)
        fill_result(write, &after);
    rely_json_free(after.object);
    rely_buf_fini(&before_text);
    rely_buf_fini(&after_text);
    return is_good;
}

static bool write_in_transaction(struct rely_write *write, bool may_replace, bool *is_news, struct rely_err *err)
{
    struct rely_found found = {0};
    bool is_found = find_target(write, may_replace, &found, err);
    if (is_found) {
        rely_field_check_members(write->body, write->before, write->kind->members, write->kind->member_count,
                                 write->kind->article_word, write->problems);
        is_found = write->kind->save(write, err);
        /* A problem noted before save (an unknown field) refuses the write as well: it is rolled back. */
        if (write->problems->count > 0 && err->code == RELY_ERR_NONE)
            is_found = refuse_body(write, err);
    }
    is_found = is_found && finish_row(write, is_news, err);
    rely_json_free(found.object);
    write->before = NULL;
    return is_found;
}

static bool end_transaction(struct rely_write *write, bool is_news, struct rely_err *err)
{
    struct rely_registry *registry = write->registry;
    if (!is_news) {
        rely_write_undo(registry);
        return true;
    }
    if (!rely_write_keep(registry, write->result->changes.revision, err))
        return false;
    rely_changes_add(&write->result->changes, write->kind->object, false, write->id);
    return true;
}

static bool run_write(struct rely_write *write, bool may_replace, struct rely_err *err)
{
    bool is_news = false;
    if (rely_json_type(write->body) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(write->body, "body", "a JSON object", write->problems);
        return refuse_body(write, err);
    }
    take_name(write, may_replace);
    if (write->name.ptr == NULL) {
        rely_field_check_members(write->body, NULL, write->kind->members, write->kind->member_count,
                                 write->kind->article_word, write->problems);
        return refuse_body(write, err);
    }
    if (!rely_write_begin(write->registry, err))
        return false;
    if (write_in_transaction(write, may_replace, &is_news, err) && end_transaction(write, is_news, err))
        return true;
    rely_write_undo(write->registry);
    rely_json_free(write->result->object);
    write->result->object = NULL;
    rely_changes_fini(&write->result->changes);
    return false;
}

static bool write_object(struct rely_registry *registry, const struct rely_object_path *path,
                         const struct rely_json *body, const struct rely_writer *writer,
                         struct rely_write_result *result, struct rely_problems *problems, bool may_replace,
                         struct rely_err *err)
{
    struct rely_write write = {.registry = registry,
                               .kind = rely_object_kind(path->object),
                               .path = path,
                               .writer = writer,
                               .body = body,
                               .problems = problems,
                               .result = result};
    return run_write(&write, may_replace, err);
}

bool rely_registry_create(struct rely_registry *registry, const struct rely_object_path *path,
                          const struct rely_json *body, const struct rely_writer *writer,
                          struct rely_write_result *result, struct rely_problems *problems, struct rely_err *err)
{
    return write_object(registry, path, body, writer, result, problems, false, err);
}

bool rely_registry_replace(struct rely_registry *registry, const struct rely_object_path *path,
                           const struct rely_json *body, const struct rely_writer *writer,
                           struct rely_write_result *result, struct rely_problems *problems, struct rely_err *err)
{
    return write_object(registry, path, body, writer, result, problems, true, err);
}

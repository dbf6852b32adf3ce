/*
 * Creating and replacing an object, together with its row of the change log. Decides whether a write is accepted; what
 * a good body is, model/ decides, and what it may not be beside other objects, rules.c. Called by admin/.
 */
#include "inside.h"
#include "relyd/lint.h"
#include "relyd/text.h"
#include <stdio.h>

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
    rely_json_free(result->users);
    rely_changes_fini(&result->changes);
    *result = (struct rely_write_result){0};
}

/* --- what may be written ------------------------------------------------------------------------------- */

static bool refuse_body(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_problems *problems = write->body.problems;
    if (problems->count == 1)
        return rely_write_refuse(write->result, err, RELY_ERR_INVALID, "invalid_body", "%s",
                                 problems->items[0].message);
    return rely_write_refuse(write->result, err, RELY_ERR_INVALID, "invalid_body", "%zu fields are wrong",
                             problems->count);
}

bool rely_write_check_etag(struct rely_write_result *result, const struct rely_writer *writer,
                           const struct rely_record *found, struct rely_err *err)
{
    char etag[32];
    struct rely_slice wanted = writer->if_match;
    if (wanted.ptr == NULL)
        return true;
    rely_registry_print_etag(found->revision, etag);
    if (found->id != 0 && (rely_slice_equal(wanted, RELY_LIT("*")) || rely_slice_equal(wanted, rely_slice_of(etag))))
        return true;
    return rely_write_refuse(result, err, RELY_ERR_PRECONDITION, "precondition_failed",
                             found->id == 0 ? "If-Match was sent, and the object is not there"
                                            : "the object has changed since: its ETag is %s",
                             etag);
}

static struct rely_powers powers_of(const struct rely_writing *write)
{
    return (struct rely_powers){write->registry, write->writer, write->path, write->result};
}

/* Look up the parent and the object. True: the write may go on. */
static bool find_target(struct rely_writing *write, bool may_replace, struct rely_err *err)
{
    int64_t parent_id = 0;
    const struct rely_powers powers = powers_of(write);
    if (!rely_registry_find_parent(write->registry, write->path, &parent_id, err)) {
        if (err->code == RELY_ERR_NOT_FOUND)
            snprintf(write->result->code, sizeof write->result->code, "not_found");
        return false;
    }
    const struct rely_stored_place place = {write->body.kind, parent_id, write->body.name};
    if (!rely_stored_find(write->registry->store, &place, write->body.pool, &write->before, err))
        return false;
    if (!rely_powers_check_place(&powers, parent_id, err))
        return false;
    write->after.record = write->before.record;
    write->after.record.parent_id = parent_id;
    if (write->before.record.id != 0)
        write->body.before = &write->before;
    if (write->body.before != NULL && !may_replace)
        return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "already_exists", "there is %s of this name",
                                 write->body.kind->article_word);
    return rely_write_check_etag(write->result, write->writer, &write->before.record, err);
}

/* --- the transaction ------------------------------------------------------------------------------------ */

static bool log_write(struct rely_writing *write, struct rely_err *err)
{
    struct rely_buf before = {0}, after = {0};
    RELY_JSON_OWNED struct rely_json *old =
        write->body.before == NULL ? NULL : rely_record_show_logged(write->body.kind, &write->before);
    RELY_JSON_OWNED struct rely_json *shown = rely_record_show_logged(write->body.kind, &write->after);
    if (write->body.before != NULL && old == NULL)
        return rely_stored_damaged(write->registry->store, write->body.kind, write->before.record.id, err);
    if (old != NULL)
        rely_json_print(old, &before);
    rely_json_print(shown, &after);
    struct rely_log_entry entry = {.at_s = write->writer->now_s,
                                   .actor = write->writer->actor,
                                   .object = write->body.kind->word,
                                   .parent = write->path->parent,
                                   .name = write->body.name,
                                   .operation = write->body.before == NULL ? "create" : "replace",
                                   .before = rely_buf_slice(&before),
                                   .after = rely_buf_slice(&after)};
    bool is_logged = rely_store_log(write->registry->store, &entry, &write->after.record.revision, err);
    rely_buf_fini(&before);
    rely_buf_fini(&after);
    return is_logged;
}

static bool refuse_full(const struct rely_writing *write, struct rely_err *err)
{
    if (write->path->object == RELY_OBJECT_ISSUER)
        return rely_write_refuse(write->result, err, RELY_ERR_LIMIT, "too_many_objects",
                                 "there are %d issuers, which is the most that there may be", RELY_ISSUERS_MAX);
    if (write->path->object == RELY_OBJECT_ROUTE)
        return rely_write_refuse(write->result, err, RELY_ERR_LIMIT, "too_many_objects",
                                 "there are %d routes, which is the most that there may be", RELY_ROUTES_MAX);
    if (write->path->object == RELY_OBJECT_REVOCATION)
        return rely_write_refuse(write->result, err, RELY_ERR_LIMIT, "too_many_revocations",
                                 "there are %d revocations, which is the most that there may be", RELY_REVOCATIONS_MAX);
    if (write->path->object == RELY_OBJECT_ISSUER_GROUP)
        return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "too_many_objects",
                                 "there are %d issuer groups, which is the most that there may be",
                                 RELY_ISSUER_GROUPS_MAX);
    return rely_write_refuse(write->result, err, RELY_ERR_LIMIT, "too_many_credentials",
                             "the identity has its %d federated credentials: "
                             "registry.max_credentials_per_identity limits them",
                             write->registry->credentials_per_identity);
}

static bool store_record(struct rely_writing *write, struct rely_err *err)
{
    struct rely_err own = {0};
    struct rely_store *store = write->registry->store;
    const struct rely_stored_update update = {write->body.kind, &write->before, &write->after};
    bool is_stored = write->body.before == NULL ? rely_stored_insert(store, update.kind, &write->after, &own)
                                                : rely_stored_change(store, &update, &own);
    if (is_stored)
        return rely_rules_store(write, err) && rely_stored_verify(store, update.kind, &write->after, err);
    if (own.code == RELY_ERR_LIMIT)
        return refuse_full(write, err);
    return rely_err_set(err, own.code, "%s", own.message);
}

/* With the transaction open. */
static bool keep_record(struct rely_writing *write, bool is_news, struct rely_err *err)
{
    struct rely_write_result *result = write->result;
    if (is_news) {
        write->after.record.updated_at = write->writer->now_s;
        if (write->body.before == NULL)
            write->after.record.created_at = write->writer->now_s;
    }
    result->object = rely_record_show(write->body.kind, &write->after);
    RELY_ASSERT(result->object != NULL);
    if (is_news && ((rely_rules_change_record(write) && !log_write(write, err)) || !store_record(write, err)))
        return false;
    result->is_created = write->body.before == NULL;
    rely_registry_print_etag(write->after.record.revision, result->etag);
    return true;
}

static bool may_change(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_powers powers = powers_of(write);
    if (write->path->object == RELY_OBJECT_CREDENTIAL &&
        !rely_powers_check_subject(&powers, write->body.before, &write->after.credential, err))
        return false;
    return write->body.before == NULL || rely_powers_check_change(&powers, &write->before, &write->after, err);
}

/* What stands there already, nobody has to take upon himself again, such as whoever wants less of it. */
static void override_problems(struct rely_writing *write)
{
    bool may = write->writer->may_override && !write->writer->is_owner_only;
    if (may || rely_rules_want_as_before(write))
        rely_override(write->body.problems, &write->result->warnings);
}

/* Of an object that stays as it is, too: whoever asks again is told again. */
static bool warn(struct rely_writing *write, struct rely_err *err)
{
    struct rely_problems *warnings = &write->result->warnings;
    if (!rely_lints_run(write, warnings, err))
        return false;
    if (warnings->count == 0 || !write->writer->is_strict)
        return true;
    *write->body.problems = *warnings;
    return refuse_body(write, err);
}

static bool write_in_transaction(struct rely_writing *write, bool may_replace, bool *is_news, struct rely_err *err)
{
    if (!find_target(write, may_replace, err))
        return false;
    rely_record_check_members(&write->body);
    rely_record_read(&write->body, &write->after);
    if (!rely_rules_bind(write, err))
        return false;
    override_problems(write);
    if (write->body.problems->count > 0)
        return refuse_body(write, err);
    *is_news = write->body.before == NULL || !rely_rules_are_same(write);
    write->result->overridden_count = *is_news && write->writer->may_override ? write->result->warnings.count : 0;
    return may_change(write, err) && rely_rules_check(write, err) && warn(write, err) &&
           keep_record(write, *is_news, err);
}

static bool end_transaction(struct rely_writing *write, bool is_news, struct rely_err *err)
{
    struct rely_changes *changes = &write->result->changes;
    if (!is_news) {
        rely_store_undo_write(write->registry->store);
        return true;
    }
    changes->revision = write->after.record.revision;
    if (!rely_store_keep_write(write->registry->store, changes->revision, err))
        return false;
    rely_changes_add(changes, write->path->object, write->after.record.id,
                     rely_record_copy(write->body.kind, &write->after));
    return true;
}

static bool run_write(struct rely_writing *write, bool may_replace, struct rely_err *err)
{
    bool is_news = false;
    if (!rely_record_check_body(&write->body))
        return refuse_body(write, err);
    if (!rely_record_read_name(&write->body, may_replace ? write->path->name : (struct rely_slice){0})) {
        rely_record_check_members(&write->body);
        return refuse_body(write, err);
    }
    if (!rely_store_begin_write(write->registry->store, err))
        return false;
    if (write_in_transaction(write, may_replace, &is_news, err) && end_transaction(write, is_news, err))
        return true;
    rely_store_undo_write(write->registry->store);
    rely_json_free(write->result->object);
    write->result->object = NULL;
    rely_changes_fini(&write->result->changes);
    return false;
}

static bool write_object(struct rely_registry *registry, const struct rely_write *asked,
                         struct rely_write_result *result, bool may_replace, struct rely_err *err)
{
    struct rely_pool pool;
    struct rely_writing write = {.registry = registry,
                                 .path = &asked->path,
                                 .writer = &asked->writer,
                                 .preset = asked->preset,
                                 .body = {.kind = rely_kind_of(asked->path.object),
                                          .json = asked->body,
                                          .rules = &registry->rules,
                                          .pool = &pool,
                                          .problems = &result->problems},
                                 .result = result};
    rely_pool_init(&pool);
    bool is_written = run_write(&write, may_replace, err);
    rely_pool_fini(&pool);
    return is_written;
}

bool rely_registry_create(struct rely_registry *registry, const struct rely_write *write,
                          struct rely_write_result *result, struct rely_err *err)
{
    return write_object(registry, write, result, false, err);
}

bool rely_registry_replace(struct rely_registry *registry, const struct rely_write *write,
                           struct rely_write_result *result, struct rely_err *err)
{
    return write_object(registry, write, result, true, err);
}

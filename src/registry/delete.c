/*
 * Deleting an object, and what goes with it: all that is below it, and the credentials of an issuer or a group when the
 * writer says so.
 * One transaction, one row of the change log for every object that goes. Called by admin/.
 */
#include "inside.h"
#include <stdio.h>

struct removal {
    struct rely_registry *registry;
    const struct rely_kind *kind;
    const struct rely_object_path *path;
    const struct rely_writer *writer;
    struct rely_write_result *result;
};

/* In: path - of what goes, which may be a dependent. */
static bool log_removal(const struct removal *removal, const struct rely_object_path *path,
                        const union rely_any_record *record, struct rely_err *err)
{
    const struct rely_kind *kind = rely_kind_of(path->object);
    RELY_JSON_OWNED struct rely_json *before = rely_record_show_logged(kind, record);
    if (before == NULL)
        return rely_stored_damaged(removal->registry->store, kind, record->record.id, err);
    struct rely_buf text = {0};
    rely_json_print(before, &text);
    struct rely_log_entry entry = {.at_s = removal->writer->now_s,
                                   .actor = removal->writer->actor,
                                   .object = kind->word,
                                   .parent = path->parent,
                                   .name = path->name,
                                   .operation = "delete",
                                   .before = rely_buf_slice(&text)};
    bool is_logged = rely_store_log(removal->registry->store, &entry, &removal->result->changes.revision, err);
    rely_buf_fini(&text);
    return is_logged;
}

/* --- dependents ---------------------------------------------------------------------------------------------- */

struct logging {
    const struct removal *removal;
    const struct rely_kind *kind;
    struct rely_err *err;
};

static struct rely_powers powers_to_remove(const struct removal *removal)
{
    return (struct rely_powers){removal->registry, removal->writer, removal->path, removal->result};
}

static bool log_dependent(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct logging *logging = context;
    const struct rely_powers powers = powers_to_remove(logging->removal);
    const struct rely_kind *kind = logging->kind;
    const struct rely_object_path path = {kind->object, parent, rely_record_name(kind, record)};
    if (kind->object == RELY_OBJECT_CREDENTIAL && logging->removal->path->object != RELY_OBJECT_IDENTITY &&
        !rely_powers_check_lost(&powers, parent, &record->credential, logging->err))
        return false;
    if (!log_removal(logging->removal, &path, record, logging->err))
        return false;
    rely_changes_add(&logging->removal->result->changes, kind->object, record->record.id, NULL);
    return true;
}

/* Log each of those that are asked for, and note it as removed. */
static bool log_dependents(const struct removal *removal, const struct rely_stored_asked *asked, struct rely_err *err)
{
    struct logging logging = {removal, asked->kind, err};
    return rely_stored_ask(removal->registry->store, asked, &(struct rely_stored_visit){log_dependent, &logging}, err);
}

/* All objects below this one, which themselves go by ON DELETE CASCADE. */
static bool log_children(const struct removal *removal, int64_t id, struct rely_err *err)
{
    struct rely_stored_asked asked = {.question = RELY_STORED_CHILDREN, .number = id};
    for (size_t i = 0; (asked.kind = rely_kind_at(i)) != NULL; i++)
        if (asked.kind->parent == removal->kind->object && !log_dependents(removal, &asked, err))
            return false;
    return true;
}

/* Credentials of an issuer or a group. */
static bool erase_trusting(const struct removal *removal, int64_t id, struct rely_err *err)
{
    int64_t found = 0;
    struct rely_store *store = removal->registry->store;
    bool is_group = removal->kind->object == RELY_OBJECT_ISSUER_GROUP;
    if (!rely_stored_count_trusting(store, removal->kind, id, &found, err))
        return false;
    if (found > 0 && !removal->writer->may_cascade)
        return rely_write_refuse(removal->result, err, RELY_ERR_CONFLICT, is_group ? "group_in_use" : "issuer_in_use",
                                 "%lld federated credential%s this %s; delete %s first, or ask for "
                                 "?withCredentials=true",
                                 (long long)found, found == 1 ? " trusts" : "s trust", is_group ? "group" : "issuer",
                                 found == 1 ? "it" : "them");
    const struct rely_stored_asked asked = {.question = is_group ? RELY_STORED_OF_GROUP : RELY_STORED_OF_ISSUER,
                                            .kind = rely_kind_of(RELY_OBJECT_CREDENTIAL),
                                            .number = id};
    return log_dependents(removal, &asked, err) && rely_stored_erase_trusting(store, removal->kind, id, err);
}

static bool leave_owners(const struct removal *removal, int64_t id, struct rely_err *err)
{
    const struct rely_leaving leaving = {removal->registry, removal->writer, id, removal->path->name,
                                         &removal->result->changes};
    return rely_identities_leave_owners(&leaving, err);
}

static bool leave_groups(const struct removal *removal, int64_t id, struct rely_err *err)
{
    const struct rely_joining joining = {removal->registry, removal->writer, removal->result};
    return rely_members_remove_issuer(&joining, id, err);
}

static bool clear_dependents(const struct removal *removal, int64_t id, struct rely_err *err)
{
    enum rely_object object = removal->path->object;
    bool is_trusted = object == RELY_OBJECT_ISSUER || object == RELY_OBJECT_ISSUER_GROUP;
    return (!is_trusted || erase_trusting(removal, id, err)) &&
           (object != RELY_OBJECT_ISSUER || leave_groups(removal, id, err)) &&
           (object != RELY_OBJECT_IDENTITY || leave_owners(removal, id, err));
}

static bool erase_with_dependents(const struct removal *removal, const union rely_any_record *found,
                                  struct rely_err *err)
{
    const struct rely_object_path *path = removal->path;
    int64_t id = found->record.id;
    if (!(clear_dependents(removal, id, err) && log_children(removal, id, err)) ||
        !rely_stored_erase(removal->registry->store, removal->kind, id, err) || !log_removal(removal, path, found, err))
        return false;
    rely_changes_add(&removal->result->changes, path->object, id, NULL);
    return true;
}

static bool check_not_built_in(const struct removal *removal, struct rely_err *err)
{
    const char *name = removal->kind->built_in;
    if (name == NULL || !rely_slice_equal(removal->path->name, rely_slice_of(name)))
        return true;
    return rely_write_refuse(removal->result, err, RELY_ERR_CONFLICT, "built_in",
                             "the %s %s is always there; it may be changed", removal->kind->word, name);
}

static bool delete_in_transaction(const struct removal *removal, struct rely_pool *pool, struct rely_err *err)
{
    union rely_any_record found;
    const struct rely_object_path *path = removal->path;
    struct rely_stored_place place = {.kind = removal->kind, .name = path->name};
    if (!rely_registry_find_parent(removal->registry, path, &place.parent_id, err) ||
        !rely_stored_find(removal->registry->store, &place, pool, &found, err))
        return false;
    const struct rely_powers powers = powers_to_remove(removal);
    if (!rely_powers_check_place(&powers, place.parent_id, err))
        return false;
    if (found.record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", removal->kind->word);
    return check_not_built_in(removal, err) &&
           rely_write_check_etag(removal->result, removal->writer, &found.record, err) &&
           rely_routes_check_free(removal->registry, path, removal->result, err) &&
           rely_powers_check_change(&powers, &found, NULL, err) && erase_with_dependents(removal, &found, err);
}

bool rely_registry_delete(struct rely_registry *registry, const struct rely_object_path *path,
                          const struct rely_writer *writer, struct rely_write_result *result, struct rely_err *err)
{
    struct rely_pool pool;
    struct removal removal = {
        .registry = registry, .kind = rely_kind_of(path->object), .path = path, .writer = writer, .result = result};
    if (!rely_store_begin_write(registry->store, err))
        return false;
    rely_pool_init(&pool);
    bool is_deleted = delete_in_transaction(&removal, &pool, err) &&
                      rely_store_keep_write(registry->store, result->changes.revision, err);
    rely_pool_fini(&pool);
    if (is_deleted)
        return true;
    rely_store_undo_write(registry->store);
    rely_changes_fini(&result->changes);
    if (err->code == RELY_ERR_NOT_FOUND)
        snprintf(result->code, sizeof result->code, "not_found");
    return false;
}

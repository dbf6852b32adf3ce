/*
 * Deleting an object, and what goes with it: an identity's credentials, and an issuer's when the writer says so. One
 * transaction, one row of the change log for every object that goes. Called by admin/.
 */
#include "store.h"
#include <stdio.h>

struct removal {
    struct rely_registry *registry;
    const struct rely_writer *writer;
    struct rely_write_result *result;
};

static bool log_removal(const struct removal *removal, const struct rely_object_kind *kind, struct rely_slice parent,
                        struct rely_slice name, const struct rely_json *before, struct rely_err *err)
{
    struct rely_buf text = {0};
    rely_json_print(before, &text);
    struct rely_log_entry entry = {.at_s = removal->writer->now_s,
                                   .actor = removal->writer->actor,
                                   .object = kind->word,
                                   .parent = parent,
                                   .name = name,
                                   .operation = "delete",
                                   .before = rely_buf_slice(&text)};
    bool is_logged = rely_change_log_append(removal->registry, &entry, &removal->result->changes.revision, err);
    rely_buf_fini(&text);
    return is_logged;
}

static bool erase_row(struct rely_registry *registry, const struct rely_object_kind *kind, int64_t id,
                      struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, kind->erase_sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", id);
    return rely_sql_run(stmt, err);
}

#define DEPENDENTS                                                                                                     \
    "SELECT o.id, o.revision, o.uuid, o.name, i.url, i.name, o.subject, o.audiences, o.description, o.created_at,"     \
    " o.updated_at, d.name FROM credential o JOIN issuer i ON i.id = o.issuer_id"                                      \
    " JOIN identity d ON d.id = o.identity_id "
static const char dependents_of_issuer[] = DEPENDENTS "WHERE o.issuer_id = ?1";
static const char dependents_of_identity[] = DEPENDENTS "WHERE o.identity_id = ?1";

/* Log each credential under an identity, or bound to an issuer, and note it as removed. */
static bool log_dependents(const struct removal *removal, const char *sql, int64_t owner_id, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&removal->registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", owner_id);
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        RELY_JSON_OWNED struct rely_json *before = rely_credential_kind.show(stmt->raw);
        if (before == NULL)
            return rely_sql_damaged(stmt->sql, err, "the row %lld of federated credentials is damaged",
                                    (long long)sqlite3_column_int64(stmt->raw, 0));
        if (!log_removal(removal, &rely_credential_kind, rely_sql_text(stmt->raw, 11), rely_sql_text(stmt->raw, 3),
                         before, err))
            return false;
        rely_changes_add(&removal->result->changes, RELY_OBJECT_CREDENTIAL, true, sqlite3_column_int64(stmt->raw, 0));
    }
    return step == RELY_SQL_DONE;
}

static bool erase_issuer_dependents(const struct removal *removal, int64_t issuer_id, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *count =
        rely_sql_prepare(&removal->registry->sql, "SELECT count(*) FROM credential WHERE issuer_id = ?1", err);
    RELY_STMT_LENT struct rely_stmt *erase =
        rely_sql_prepare(&removal->registry->sql, "DELETE FROM credential WHERE issuer_id = ?1", err);
    if (count == NULL || erase == NULL)
        return false;
    rely_sql_bind(count, "i", issuer_id);
    rely_sql_bind(erase, "i", issuer_id);
    if (rely_sql_step(count, err) != RELY_SQL_ROW)
        return false;
    long long found = sqlite3_column_int64(count->raw, 0);
    if (found > 0 && !removal->writer->may_cascade)
        return rely_write_refuse(removal->result, err, RELY_ERR_CONFLICT, "issuer_in_use",
                                 "%lld federated credentials trust this issuer; delete them first, or ask for "
                                 "withCredentials=true",
                                 found);
    return log_dependents(removal, dependents_of_issuer, issuer_id, err) && rely_sql_run(erase, err);
}

static bool erase_with_dependents(const struct removal *removal, const struct rely_object_path *path,
                                  const struct rely_found *found, struct rely_err *err)
{
    const struct rely_object_kind *kind = rely_object_kind(path->object);
    bool is_clear = true;
    if (path->object == RELY_OBJECT_ISSUER)
        is_clear = erase_issuer_dependents(removal, found->id, err);
    else if (path->object == RELY_OBJECT_IDENTITY) /* the rows themselves go by ON DELETE CASCADE */
        is_clear = log_dependents(removal, dependents_of_identity, found->id, err);
    if (!is_clear || !erase_row(removal->registry, kind, found->id, err) ||
        !log_removal(removal, kind, path->parent, path->name, found->object, err))
        return false;
    rely_changes_add(&removal->result->changes, path->object, true, found->id);
    return true;
}

static bool check_etag(const struct removal *removal, const struct rely_found *found, struct rely_err *err)
{
    char etag[32];
    struct rely_slice wanted = removal->writer->if_match;
    rely_registry_print_etag(found->revision, etag);
    if (wanted.ptr == NULL || rely_slice_equal(wanted, RELY_LIT("*")) || rely_slice_equal(wanted, rely_slice_of(etag)))
        return true;
    return rely_write_refuse(removal->result, err, RELY_ERR_PRECONDITION, "precondition_failed",
                             "the object has changed since: its ETag is %s", etag);
}

static bool delete_in_transaction(const struct removal *removal, const struct rely_object_path *path,
                                  struct rely_err *err)
{
    int64_t parent_id = 0;
    struct rely_found found = {0};
    const struct rely_object_kind *kind = rely_object_kind(path->object);
    if (!rely_registry_find_parent(removal->registry, path, &parent_id, err) ||
        !rely_registry_find(removal->registry, kind, path->name, parent_id, &found, err))
        return false;
    bool is_done = false;
    if (found.id == 0)
        rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", kind->word);
    else
        is_done = check_etag(removal, &found, err) && erase_with_dependents(removal, path, &found, err);
    rely_json_free(found.object);
    return is_done;
}

bool rely_registry_delete(struct rely_registry *registry, const struct rely_object_path *path,
                          const struct rely_writer *writer, struct rely_write_result *result, struct rely_err *err)
{
    struct removal removal = {.registry = registry, .writer = writer, .result = result};
    if (!rely_write_begin(registry, err))
        return false;
    if (delete_in_transaction(&removal, path, err) && rely_write_keep(registry, result->changes.revision, err))
        return true;
    rely_write_undo(registry);
    rely_changes_fini(&result->changes);
    if (err->code == RELY_ERR_NOT_FOUND)
        snprintf(result->code, sizeof result->code, "not_found");
    return false;
}

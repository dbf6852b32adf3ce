/*
 * Deleting an object, and what goes with it: an identity's credentials, and an issuer's when the writer says so. One
 * transaction, one row of the change log for every object that goes. Called by admin/.
 */
#include "store.h"
#include <stdio.h>

struct removal {
    struct rely_registry *registry;
    const struct rely_table *table;
    const struct rely_object_path *path;
    const struct rely_writer *writer;
    struct rely_write_result *result;
};

static bool log_removal(const struct removal *removal, const struct rely_kind *kind, struct rely_slice parent,
                        struct rely_slice name, const void *record, struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *before = rely_record_show(kind, record);
    if (before == NULL)
        return rely_row_damaged(&removal->registry->sql, kind, ((const struct rely_record *)record)->id, err);
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

static bool erase_row(struct rely_registry *registry, const char *sql, int64_t id, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", id);
    return rely_sql_run(stmt, err);
}

/* --- dependents ---------------------------------------------------------------------------------------------- */

static bool log_dependent(const struct removal *removal, struct rely_stmt *stmt, struct rely_pool *pool,
                          struct rely_err *err)
{
    struct rely_credential_record record;
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_CREDENTIAL);
    if (!rely_table_read(kind, stmt->raw, false, false, pool, &record))
        return rely_row_damaged(stmt->sql, kind, sqlite3_column_int64(stmt->raw, 0), err);
    struct rely_slice parent = rely_sql_text(stmt->raw, sqlite3_column_count(stmt->raw) - 1);
    if (!log_removal(removal, kind, parent, record.name, &record, err))
        return false;
    rely_changes_add(&removal->result->changes, RELY_OBJECT_CREDENTIAL, record.record.id, NULL);
    return true;
}

/* Log each credential under an identity, or bound to an issuer, and note it as removed. */
static bool log_dependents(const struct removal *removal, const char *sql, int64_t owner_id, struct rely_err *err)
{
    struct rely_pool pool;
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&removal->registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", owner_id);
    rely_pool_init(&pool);
    enum rely_sql_step step;
    bool is_logged = true;
    while (is_logged && (step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        is_logged = log_dependent(removal, stmt, &pool, err);
        rely_pool_reset(&pool);
    }
    rely_pool_fini(&pool);
    return is_logged && step == RELY_SQL_DONE;
}

static bool erase_issuer_dependents(const struct removal *removal, int64_t issuer_id, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *count =
        rely_sql_prepare(&removal->registry->sql, "SELECT count(*) FROM credential WHERE issuer_id = ?1", err);
    if (count == NULL)
        return false;
    rely_sql_bind(count, "i", issuer_id);
    if (rely_sql_step(count, err) != RELY_SQL_ROW)
        return false;
    long long found = sqlite3_column_int64(count->raw, 0);
    if (found > 0 && !removal->writer->may_cascade)
        return rely_write_refuse(removal->result, err, RELY_ERR_CONFLICT, "issuer_in_use",
                                 "%lld federated credential%s this issuer; delete %s first, or ask for "
                                 "?withCredentials=true",
                                 found, found == 1 ? " trusts" : "s trust", found == 1 ? "it" : "them");
    return log_dependents(removal, removal->registry->dependents_of_issuer, issuer_id, err) &&
           erase_row(removal->registry, "DELETE FROM credential WHERE issuer_id = ?1", issuer_id, err);
}

static bool erase_with_dependents(const struct removal *removal, const union rely_any_record *found,
                                  struct rely_err *err)
{
    const struct rely_object_path *path = removal->path;
    int64_t id = found->record.id;
    bool is_clear = true;
    if (path->object == RELY_OBJECT_ISSUER)
        is_clear = erase_issuer_dependents(removal, id, err);
    else if (path->object == RELY_OBJECT_IDENTITY) /* the rows themselves go by ON DELETE CASCADE */
        is_clear = log_dependents(removal, removal->registry->dependents_of_identity, id, err);
    if (!is_clear || !erase_row(removal->registry, removal->table->erase, id, err) ||
        !log_removal(removal, removal->table->kind, path->parent, path->name, found, err))
        return false;
    rely_changes_add(&removal->result->changes, path->object, id, NULL);
    return true;
}

static bool delete_in_transaction(const struct removal *removal, struct rely_pool *pool, struct rely_err *err)
{
    int64_t parent_id = 0;
    union rely_any_record found;
    const struct rely_object_path *path = removal->path;
    if (!rely_registry_find_parent(removal->registry, path, &parent_id, err) ||
        !rely_registry_find(removal->registry, removal->table, path->name, parent_id, pool, &found, err))
        return false;
    if (found.record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", removal->table->kind->word);
    return rely_write_check_etag(removal->result, removal->writer, &found.record, err) &&
           erase_with_dependents(removal, &found, err);
}

bool rely_registry_delete(struct rely_registry *registry, const struct rely_object_path *path,
                          const struct rely_writer *writer, struct rely_write_result *result, struct rely_err *err)
{
    struct rely_pool pool;
    struct removal removal = {.registry = registry,
                              .table = rely_registry_table(registry, path->object),
                              .path = path,
                              .writer = writer,
                              .result = result};
    if (!rely_write_begin(registry, err))
        return false;
    rely_pool_init(&pool);
    bool is_deleted =
        delete_in_transaction(&removal, &pool, err) && rely_write_keep(registry, result->changes.revision, err);
    rely_pool_fini(&pool);
    if (is_deleted)
        return true;
    rely_write_undo(registry);
    rely_changes_fini(&result->changes);
    if (err->code == RELY_ERR_NOT_FOUND)
        snprintf(result->code, sizeof result->code, "not_found");
    return false;
}

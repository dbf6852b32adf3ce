/*
 * What is written beside a record's own row: the change log, of which each row is a revision; an issuer's key set; and
 * rows that go. Decides nothing. Called by registry/, within a write.
 */
#include "inside.h"

static bool run_with_row(struct rely_store *store, const char *text, int64_t id, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, text, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", id);
    return rely_sql_run(stmt, err);
}

bool rely_stored_erase(struct rely_store *store, const struct rely_kind *kind, int64_t id, struct rely_err *err)
{
    if (!run_with_row(store, rely_store_table(store, kind)->erase, id, err))
        return false;
    /* A trigger of a hand's own may keep it: it would be back after a restart. */
    return sqlite3_changes(store->sql.db) == 1 || rely_stored_damaged(store, kind, id, err);
}

bool rely_stored_erase_trusting(struct rely_store *store, const struct rely_kind *kind, int64_t id,
                                struct rely_err *err)
{
    return run_with_row(store,
                        kind->object == RELY_OBJECT_ISSUER_GROUP ? "DELETE FROM credential WHERE group_id = ?1"
                                                                 : "DELETE FROM credential WHERE issuer_id = ?1",
                        id, err);
}

static bool put_key_set(struct rely_store *store, const struct rely_issuer_record *issuer, struct rely_err *err)
{
    static const char replace[] = "INSERT INTO key_set (issuer_id, document, source_url, fetched_at)"
                                  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (issuer_id) DO UPDATE SET"
                                  " document = ?2, source_url = ?3, fetched_at = ?4";
    if (issuer->jwks.ptr == NULL)
        return run_with_row(store, "DELETE FROM key_set WHERE issuer_id = ?1", issuer->record.id, err);
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, replace, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "itti", issuer->record.id, issuer->jwks, issuer->jwks_source_url, issuer->jwks_fetched_at);
    return rely_sql_run(stmt, err);
}

bool rely_stored_put_keys(struct rely_store *store, const struct rely_issuer_record *issuer, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &store->sql, "UPDATE issuer SET keys_generation = ?2, keys_seen = ?3, keys_history = ?4 WHERE id = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iitt", issuer->record.id, issuer->keys_generation, issuer->keys_seen, issuer->keys_history);
    return rely_sql_run(stmt, err) && put_key_set(store, issuer, err);
}

bool rely_stored_touch_keys(struct rely_store *store, int64_t issuer_id, int64_t at_s, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql, "UPDATE key_set SET fetched_at = ?2 WHERE issuer_id = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ii", issuer_id, at_s);
    return rely_sql_run(stmt, err);
}

bool rely_store_log(struct rely_store *store, const struct rely_log_entry *entry, uint64_t *revision,
                    struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql,
                         "INSERT INTO change_log (at, actor, object, name, operation, before, after)"
                         " VALUES (?1, ?2, ?3, coalesce(?4 || '/', '') || ?5, ?6, ?7, ?8)",
                         err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ittttttt", entry->at_s, entry->actor, rely_slice_of(entry->object), entry->parent, entry->name,
                  rely_slice_of(entry->operation), entry->before, entry->after);
    if (!rely_sql_run(stmt, err))
        return false;
    *revision = (uint64_t)sqlite3_last_insert_rowid(store->sql.db);
    return true;
}

/*
 * Brings a database to this program's schema: one transaction per version, so that a crash in the middle leaves the old
 * one. Decides which database is ours and which version it has; what the versions are, schema.c says. Called by open.c.
 */
#include "store.h"
#include <stdio.h>

/* "RELY": a file with another number is somebody else's database, and is not touched. */
#define APPLICATION_ID 0x52454C59

/*
 * A CHECK is text in sqlite_schema and nothing in the rows, so that it may be changed there (sqlite.org/lang_altertable
 * section 7 describes it for this case): no row is copied, so that none can be lost, and a registry of any size is
 * carried over at once. The old text must be there once: what a hand has changed is not guessed at.
 */
static bool edit_check(struct rely_sql *sql, const struct rely_check_edit *edit, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(sql,
                         "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE type = 'table' AND name = ?1"
                         " AND length(sql) - length(replace(sql, ?2, '')) = length(?2)",
                         err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ttt", rely_slice_of(edit->table), rely_slice_of(edit->before), rely_slice_of(edit->after));
    if (!rely_sql_run(stmt, err))
        return false;
    return sqlite3_changes(sql->db) == 1 ||
           rely_err_set(err, RELY_ERR_INVALID, "table %s is not as an earlier relyd made it", edit->table);
}

/* Editing needs what DEFENSIVE forbids, on this connection and for this moment. */
static bool allow_editing(struct rely_sql *sql, bool may_edit, struct rely_err *err)
{
    return sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, may_edit ? 0 : 1, (int *)NULL) == SQLITE_OK ||
           rely_sql_fault(sql, err);
}

/* The next number of the schema, so that every other connection reads it anew; then this one does. */
static bool take_up_edits(struct rely_sql *sql, struct rely_err *err)
{
    char text[96];
    int64_t cookie = 0;
    if (!rely_sql_integer(sql, "PRAGMA schema_version", &cookie, err))
        return false;
    snprintf(text, sizeof text, "PRAGMA schema_version = %lld; PRAGMA writable_schema = RESET", (long long)cookie + 1);
    return rely_sql_exec(sql, text, err);
}

static bool edit_schema(struct rely_sql *sql, const struct rely_migration *migration, struct rely_err *err)
{
    bool is_done = rely_sql_exec(sql, "PRAGMA writable_schema = ON", err);
    for (size_t i = 0; i < migration->edit_count && is_done; i++)
        is_done = edit_check(sql, &migration->edits[i], err);
    return is_done && take_up_edits(sql, err);
}

static bool run_migration(struct rely_sql *sql, int64_t version, struct rely_err *err)
{
    const struct rely_migration *migration = &rely_migrations[version - 1];
    char stamp[128];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %lld; COMMIT", APPLICATION_ID,
             (long long)version);
    if (!rely_sql_exec(sql, "BEGIN EXCLUSIVE", err))
        return false;
    for (size_t i = 0; i < RELY_MIGRATION_SCRIPTS_MAX && migration->scripts[i] != NULL; i++)
        if (!rely_sql_exec(sql, migration->scripts[i], err))
            return false;
    return (migration->edit_count == 0 || edit_schema(sql, migration, err)) && rely_sql_exec(sql, stamp, err);
}

static bool apply_migration(struct rely_sql *sql, int64_t version, struct rely_err *err)
{
    struct rely_err unused = {0};
    bool is_done = allow_editing(sql, true, err) && run_migration(sql, version, err);
    if (!is_done) {
        rely_sql_roll_back(sql);
        rely_sql_exec(sql, "PRAGMA writable_schema = RESET", &unused);
        rely_err_prefix(err, "migration to schema version %lld", (long long)version);
    }
    return allow_editing(sql, false, is_done ? err : &unused) && is_done;
}

bool rely_schema_check_owner(struct rely_sql *sql, bool *is_new, struct rely_err *err)
{
    int64_t id = 0, objects = 0;
    if (!rely_sql_integer(sql, "PRAGMA application_id", &id, err) ||
        !rely_sql_integer(sql, "SELECT count(*) FROM sqlite_schema", &objects, err))
        return false;
    *is_new = objects == 0;
    if (id == APPLICATION_ID || (id == 0 && *is_new))
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "this is another program's SQLite database (application_id %lld)",
                        (long long)id);
}

bool rely_schema_migrate(struct rely_sql *sql, int64_t *from, struct rely_err *err)
{
    int64_t version = 0;
    if (!rely_sql_integer(sql, "PRAGMA user_version", &version, err))
        return false;
    *from = version;
    if (version < 0 || version > RELY_SCHEMA_VERSION)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "its schema has version %lld, and this relyd knows versions up to %d: a newer relyd has "
                            "written it; start that one, or put back the copy made before the upgrade",
                            (long long)version, RELY_SCHEMA_VERSION);
    while (version < RELY_SCHEMA_VERSION)
        if (!apply_migration(sql, ++version, err))
            return false;
    return true;
}

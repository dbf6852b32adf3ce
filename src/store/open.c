/*
 * Opens and closes the database. Decides how it is opened (durability, who else may use it); the schema is schema.c's.
 * Called by registry/ once.
 */
#include "inside.h"

#include "relyd/clock.h"
#include "relyd/limits.h"

#include <stdlib.h>
#include <unistd.h>

static bool harden_connection(struct rely_sql *sql, struct rely_err *err)
{
    sqlite3 *db = sql->db;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, RELY_LOCK_WAIT_MS);
    bool is_set = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL) == SQLITE_OK &&
                  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL) == SQLITE_OK &&
                  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL) == SQLITE_OK &&
                  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL) == SQLITE_OK;
    if (!is_set)
        return rely_sql_fault(sql, err);
    /* synchronous=NORMAL may lose the last commits at a power cut: a deleted credential would come back.
     * 16 MiB of pages: at most what this process adds, in a registry of any size. What a savepoint may have to put
     * back stays in memory: a service need not have a folder for temporary files. */
    return rely_sql_exec(sql,
                         "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;"
                         " PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY",
                         err);
}

static bool store_settings(struct rely_store *store, int credentials_per_identity, struct rely_err *err)
{
    /* Without its row there would be no quota. */
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql,
                         "INSERT INTO setting (id, credentials_per_identity) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE"
                         " SET credentials_per_identity = ?1 WHERE credentials_per_identity <> ?1",
                         err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", (int64_t)credentials_per_identity);
    return rely_sql_run(stmt, err);
}

/* Before the first write, which might make damage worse. */
static bool inspect_database(struct rely_store *store, struct rely_err *err)
{
    struct rely_store_opening *opening = &store->opening;
    int64_t start_ms = rely_clock_monotonic_ms();
    bool is_whole = rely_store_inspect(&store->sql, &opening->inspected, err);
    opening->inspection_ms = rely_clock_monotonic_ms() - start_ms;
    return is_whole;
}

static bool prepare_database(struct rely_store *store, int credentials_per_identity, struct rely_err *err)
{
    int64_t revision = 0;
    struct rely_store_opening *opening = &store->opening;
    /* WAL only after the owner is known: switching would write to a stranger's file. */
    if (!harden_connection(&store->sql, err) || !rely_schema_check_owner(&store->sql, &opening->is_new, err) ||
        !(opening->is_new || inspect_database(store, err)) ||
        !rely_schema_migrate(&store->sql, &opening->schema_before, &opening->is_carried_over, err) ||
        !rely_sql_exec(&store->sql, "PRAGMA journal_mode = WAL", err) ||
        !store_settings(store, credentials_per_identity, err) ||
        !rely_sql_integer(&store->sql, "SELECT coalesce(max(revision), 0) FROM change_log", &revision, err))
        return false;
    opening->schema = RELY_SCHEMA_VERSION;
    store->revision = (uint64_t)revision;
    return true;
}

static bool open_database(struct rely_store *store, const struct rely_store_options *options, struct rely_err *err)
{
    const char *path = options->path;
    if (strcmp(path, ":memory:") != 0 && (store->lock_fd = rely_store_lock_file(path, &store->opening, err)) < 0)
        return false;
    /* Counting memory takes a lock at each of the hundreds of allocations of a write. Refused, which is no fault, when
     * SQLite is at work already. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->sql.db, flags, NULL) != SQLITE_OK)
        return rely_err_set(err, RELY_ERR_IO, "%s",
                            store->sql.db == NULL ? "no memory" : sqlite3_errmsg(store->sql.db));
    return prepare_database(store, options->credentials_per_identity, err);
}

static void make_statements(struct rely_store *store)
{
    const struct rely_kind *kind;
    rely_pool_init(&store->texts);
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++)
        rely_table_make(rely_store_table(store, kind), kind, &store->texts);
    rely_store_make_questions(store);
}

struct rely_store *rely_store_open(const struct rely_store_options *options, struct rely_err *err)
{
    struct rely_store *store = rely_alloc(sizeof *store);
    store->lock_fd = -1;
    store->sql.note_context = options->note_context;
    make_statements(store);
    if (open_database(store, options, err)) {
        store->sql.note_damage = options->note_damage;
        return store;
    }
    rely_err_prefix(err, "registry %s%s", options->path,
                    err->code == RELY_ERR_DAMAGED ? " (see DAMAGE in relyd(8))" : "");
    rely_store_close(store);
    return NULL;
}

void rely_store_close(struct rely_store *store)
{
    if (store == NULL)
        return;
    rely_sql_close(&store->sql);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    rely_pool_fini(&store->texts);
    free(store);
}

const struct rely_store_opening *rely_store_opening(const struct rely_store *store)
{
    return &store->opening;
}

void rely_store_limit_wait(struct rely_store *store, int ms)
{
    sqlite3_busy_timeout(store->sql.db, ms);
}

uint64_t rely_store_revision(const struct rely_store *store)
{
    return store->revision;
}

struct rely_table *rely_store_table(struct rely_store *store, const struct rely_kind *kind)
{
    RELY_ASSERT((size_t)kind->object < RELY_KINDS_MAX);
    return &store->tables[kind->object];
}

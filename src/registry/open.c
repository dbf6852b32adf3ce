/*
 * Opens and closes the registry's database. Decides how it is opened (durability, who else may use it); the schema is
 * schema.c's. Called by the service once, and by the tests.
 */
#include "store.h"

#include "relyd/clock.h"
#include <stdlib.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000

static bool harden_connection(struct rely_sql *sql, struct rely_err *err)
{
    sqlite3 *db = sql->db;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
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

static bool store_settings(struct rely_registry *registry, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &registry->sql, "UPDATE setting SET credentials_per_identity = ?1 WHERE credentials_per_identity <> ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", (int64_t)registry->credentials_per_identity);
    return rely_sql_run(stmt, err);
}

/* Before the first write, which might make damage worse. */
static bool inspect_database(struct rely_registry *registry, struct rely_err *err)
{
    struct rely_registry_opening *opening = &registry->opening;
    int64_t start_ms = rely_clock_monotonic_ms();
    bool is_whole = rely_registry_inspect(&registry->sql, &opening->inspected, err);
    opening->inspection_ms = rely_clock_monotonic_ms() - start_ms;
    return is_whole;
}

static bool prepare_database(struct rely_registry *registry, struct rely_err *err)
{
    int64_t revision = 0;
    struct rely_registry_opening *opening = &registry->opening;
    /* WAL only after the owner is known: switching would write to a stranger's file. */
    if (!harden_connection(&registry->sql, err) || !rely_schema_check_owner(&registry->sql, &opening->is_new, err) ||
        !(opening->is_new || inspect_database(registry, err)) ||
        !rely_schema_migrate(&registry->sql, &opening->schema_before, &opening->is_carried_over, err) ||
        !rely_sql_exec(&registry->sql, "PRAGMA journal_mode = WAL", err) || !store_settings(registry, err) ||
        !rely_sql_integer(&registry->sql, "SELECT coalesce(max(revision), 0) FROM change_log", &revision, err))
        return false;
    opening->schema = RELY_SCHEMA_VERSION;
    registry->revision = (uint64_t)revision;
    return true;
}

static bool open_database(struct rely_registry *registry, const char *path, struct rely_err *err)
{
    if (strcmp(path, ":memory:") != 0 &&
        (registry->lock_fd = rely_registry_lock_file(path, &registry->opening, err)) < 0)
        return false;
    /* Counting memory takes a lock at each of the hundreds of allocations of a write. Refused, which is no fault, when
     * SQLite is at work already. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &registry->sql.db, flags, NULL) != SQLITE_OK)
        return rely_err_set(err, RELY_ERR_IO, "%s",
                            registry->sql.db == NULL ? "no memory" : sqlite3_errmsg(registry->sql.db));
    return prepare_database(registry, err);
}

static void make_statements(struct rely_registry *registry)
{
    static const enum rely_object objects[] = {RELY_OBJECT_ISSUER, RELY_OBJECT_IDENTITY, RELY_OBJECT_CREDENTIAL};
    const struct rely_kind *credential = rely_kind_of(RELY_OBJECT_CREDENTIAL);
    rely_pool_init(&registry->texts);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        rely_table_make(rely_registry_table(registry, objects[i]), rely_kind_of(objects[i]), &registry->texts);
    registry->dependents_of_issuer =
        rely_table_select(credential, false, ", d.name",
                          " JOIN identity d ON d.id = o.identity_id WHERE o.issuer_id = ?1", &registry->texts);
    registry->dependents_of_identity =
        rely_table_select(credential, false, ", d.name",
                          " JOIN identity d ON d.id = o.identity_id WHERE o.identity_id = ?1", &registry->texts);
    rely_near_make(registry);
}

struct rely_registry *rely_registry_open(const struct rely_registry_options *options, struct rely_err *err)
{
    struct rely_registry *registry = rely_alloc(sizeof *registry);
    registry->lock_fd = -1;
    registry->credentials_per_identity = options->credentials_per_identity;
    registry->rules = (struct rely_model_rules){options->may_use_http, options->may_use_system_names};
    registry->jwks_max_bytes = options->jwks_max_bytes == 0 ? RELY_JWKS_BYTES_MAX : options->jwks_max_bytes;
    registry->check_jwks = options->check_jwks;
    registry->check_repeats = options->check_repeats;
    registry->check_context = options->check_context;
    registry->sql.note_context = options->note_context;
    make_statements(registry);
    if (open_database(registry, options->path, err)) {
        registry->sql.note_damage = options->note_damage;
        return registry;
    }
    rely_err_prefix(err, "registry %s%s", options->path,
                    err->code == RELY_ERR_DAMAGED ? " (see DAMAGE in relyd(8))" : "");
    rely_registry_close(registry);
    return NULL;
}

void rely_registry_close(struct rely_registry *registry)
{
    if (registry == NULL)
        return;
    rely_sql_close(&registry->sql);
    if (registry->lock_fd >= 0)
        close(registry->lock_fd);
    rely_pool_fini(&registry->texts);
    free(registry);
}

const struct rely_registry_opening *rely_registry_opening(const struct rely_registry *registry)
{
    return &registry->opening;
}

uint64_t rely_registry_revision(const struct rely_registry *registry)
{
    return registry->revision;
}

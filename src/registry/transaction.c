/*
 * Where a write begins and ends: alone it is a transaction, in a batch a savepoint of the batch's one transaction.
 * Decides what is undone when a write is refused, and when a batch cannot be kept. Called by every write of registry/,
 * and by the service for batches.
 */
#include "store.h"

static bool is_open(const struct rely_registry *registry)
{
    return sqlite3_get_autocommit(registry->sql.db) == 0;
}

/* What is written behind the damage might be lost with it, or make it worse. */
static bool check_whole(struct rely_registry *registry, struct rely_err *err)
{
    return registry->sql.damage[0] == '\0' ||
           rely_err_set(err, RELY_ERR_DAMAGED, "writes have stopped: %s", registry->sql.damage);
}

bool rely_write_begin(struct rely_registry *registry, struct rely_err *err)
{
    if (!check_whole(registry, err))
        return false;
    if (!registry->is_batch)
        return rely_sql_do(&registry->sql, "BEGIN IMMEDIATE", err);
    /* A full disk makes SQLite roll back all; a savepoint would then open a transaction of its own. */
    if (!is_open(registry))
        return rely_err_set(err, RELY_ERR_IO, "database: the batch of this write has been undone");
    return rely_sql_do(&registry->sql, "SAVEPOINT one_write", err);
}

bool rely_write_keep(struct rely_registry *registry, uint64_t revision, struct rely_err *err)
{
    if (!rely_sql_do(&registry->sql, registry->is_batch ? "RELEASE one_write" : "COMMIT", err))
        return false;
    if (revision != 0)
        registry->revision = revision;
    return true;
}

void rely_write_undo(struct rely_registry *registry)
{
    struct rely_err unused = {0};
    bool is_undone = registry->is_batch && is_open(registry) &&
                     rely_sql_do(&registry->sql, "ROLLBACK TO one_write", &unused) &&
                     rely_sql_do(&registry->sql, "RELEASE one_write", &unused);
    if (!is_undone)
        rely_sql_roll_back(&registry->sql);
}

bool rely_registry_begin(struct rely_registry *registry, struct rely_err *err)
{
    RELY_ASSERT(!registry->is_batch);
    registry->revision_before = registry->revision;
    registry->is_batch = check_whole(registry, err) && rely_sql_do(&registry->sql, "BEGIN IMMEDIATE", err);
    return registry->is_batch;
}

bool rely_registry_commit(struct rely_registry *registry, struct rely_err *err)
{
    RELY_ASSERT(registry->is_batch);
    struct rely_err fault = {0};
    if (!is_open(registry))
        rely_err_set(&fault, RELY_ERR_IO, "database: the writes have been undone");
    else if (check_whole(registry, &fault) && rely_sql_do(&registry->sql, "COMMIT", &fault)) {
        registry->is_batch = false;
        return true;
    }
    rely_registry_give_up(registry);
    /* Whatever else SQLite calls it: nobody's fault who wrote. */
    return rely_err_set(err, fault.code == RELY_ERR_DAMAGED ? RELY_ERR_DAMAGED : RELY_ERR_IO, "%s", fault.message);
}

void rely_registry_give_up(struct rely_registry *registry)
{
    registry->is_batch = false;
    rely_sql_roll_back(&registry->sql);
    registry->revision = registry->revision_before;
}

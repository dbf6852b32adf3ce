/*
 * Where a write begins and ends: alone it is a transaction, in a batch a savepoint of the batch's one transaction.
 * Decides what is undone when a write is refused, and when a batch cannot be kept. Called by registry/.
 */
#include "inside.h"

static bool is_open(const struct rely_store *store)
{
    return sqlite3_get_autocommit(store->sql.db) == 0;
}

/* What is written behind the damage might be lost with it, or make it worse. */
static bool check_whole(struct rely_store *store, struct rely_err *err)
{
    return store->sql.damage[0] == '\0' ||
           rely_err_set(err, RELY_ERR_DAMAGED, "writes have stopped: %s", store->sql.damage);
}

bool rely_store_begin_write(struct rely_store *store, struct rely_err *err)
{
    if (!check_whole(store, err))
        return false;
    if (!store->is_batch)
        return rely_sql_do(&store->sql, "BEGIN IMMEDIATE", err);
    /* A full disk makes SQLite roll back all; a savepoint would then open a transaction of its own. */
    if (!is_open(store))
        return rely_err_set(err, RELY_ERR_IO, "database: the batch of this write has been undone");
    return rely_sql_do(&store->sql, "SAVEPOINT one_write", err);
}

bool rely_store_keep_write(struct rely_store *store, uint64_t revision, struct rely_err *err)
{
    if (!rely_sql_do(&store->sql, store->is_batch ? "RELEASE one_write" : "COMMIT", err))
        return false;
    if (revision != 0)
        store->revision = revision;
    return true;
}

void rely_store_undo_write(struct rely_store *store)
{
    struct rely_err unused = {0};
    bool is_undone = store->is_batch && is_open(store) && rely_sql_do(&store->sql, "ROLLBACK TO one_write", &unused) &&
                     rely_sql_do(&store->sql, "RELEASE one_write", &unused);
    if (!is_undone)
        rely_sql_roll_back(&store->sql);
}

bool rely_store_begin(struct rely_store *store, struct rely_err *err)
{
    RELY_ASSERT(!store->is_batch);
    store->revision_before = store->revision;
    store->is_batch = check_whole(store, err) && rely_sql_do(&store->sql, "BEGIN IMMEDIATE", err);
    return store->is_batch;
}

bool rely_store_commit(struct rely_store *store, struct rely_err *err)
{
    RELY_ASSERT(store->is_batch);
    struct rely_err fault = {0};
    if (!is_open(store))
        rely_err_set(&fault, RELY_ERR_IO, "database: the writes have been undone");
    else if (check_whole(store, &fault) && rely_sql_do(&store->sql, "COMMIT", &fault)) {
        store->is_batch = false;
        return true;
    }
    rely_store_give_up(store);
    /* Whatever else SQLite calls it: nobody's fault who wrote. */
    return rely_err_set(err, fault.code == RELY_ERR_DAMAGED ? RELY_ERR_DAMAGED : RELY_ERR_IO, "%s", fault.message);
}

void rely_store_give_up(struct rely_store *store)
{
    store->is_batch = false;
    rely_sql_roll_back(&store->sql);
    store->revision = store->revision_before;
}

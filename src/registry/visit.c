/*
 * Records as they stand in rows, one after the other: all of a kind, or those of one statement. Called by the builder
 * of the first snapshot, and by near.c.
 */
#include "store.h"

bool rely_records_visit(const struct rely_kind *kind, struct rely_stmt *stmt,
                        void (*visit)(const union rely_any_record *record, void *context), void *context,
                        struct rely_err *err)
{
    union rely_any_record record;
    struct rely_pool pool;
    enum rely_sql_step step;
    rely_pool_init(&pool);
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW &&
           rely_table_read(kind, stmt->raw, true, false, &pool, &record)) {
        visit(&record, context);
        rely_pool_reset(&pool);
    }
    rely_pool_fini(&pool);
    return step == RELY_SQL_DONE ||
           (step == RELY_SQL_ROW && rely_row_damaged(stmt->sql, kind, sqlite3_column_int64(stmt->raw, 0), err));
}

bool rely_registry_each(struct rely_registry *registry, enum rely_object object,
                        void (*visit)(const union rely_any_record *record, void *context), void *context,
                        struct rely_err *err)
{
    const struct rely_table *table = rely_registry_table(registry, object);
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, table->each, err);
    return stmt != NULL && rely_records_visit(table->kind, stmt, visit, context, err);
}

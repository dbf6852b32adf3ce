/*
 * The change log: one row per changed object, its key is the revision. Append-only, also in SQL (schema.c). Decides
 * nothing. Called within the transaction of a write.
 */
#include "store.h"
#include <stdlib.h>

bool rely_change_log_append(struct rely_registry *registry, const struct rely_log_entry *entry, uint64_t *revision,
                            struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql,
                         "INSERT INTO change_log (at, actor, object, name, operation, before, after)"
                         " VALUES (?1, ?2, ?3, coalesce(?4 || '/', '') || ?5, ?6, ?7, ?8)",
                         err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ittttttt", entry->at_s, entry->actor, rely_slice_of(entry->object), entry->parent, entry->name,
                  rely_slice_of(entry->operation), entry->before, entry->after);
    if (!rely_sql_run(stmt, err))
        return false;
    *revision = (uint64_t)sqlite3_last_insert_rowid(registry->sql.db);
    return true;
}

void rely_changes_add(struct rely_changes *changes, enum rely_object object, int64_t id, void *record)
{
    if (changes->count == changes->cap) {
        changes->cap = changes->cap == 0 ? 4 : changes->cap * 2;
        changes->items = rely_realloc(changes->items, changes->cap * sizeof *changes->items);
    }
    changes->items[changes->count++] = (struct rely_change){.object = object, .id = id, .record = record};
}

void rely_changes_move(struct rely_changes *into, struct rely_changes *from)
{
    for (size_t i = 0; i < from->count; i++)
        rely_changes_add(into, from->items[i].object, from->items[i].id, from->items[i].record);
    if (from->count > 0)
        into->revision = from->revision;
    from->count = 0;
    rely_changes_fini(from);
}

void rely_changes_fini(struct rely_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->items[i].record);
    free(changes->items);
    *changes = (struct rely_changes){0};
}

/*
 * Reading objects: one by its name, or a page of a collection. Decides nothing; an object that is not there is a fault
 * only for whoever asked for it. Called by admin/ and by write.c.
 */
#include "store.h"
#include <stdio.h>

void rely_registry_print_etag(uint64_t revision, char etag[32])
{
    snprintf(etag, 32, "\"%llx\"", (unsigned long long)revision);
}

static bool note_damaged_row(const struct rely_object_kind *kind, const struct rely_stmt *stmt, struct rely_err *err)
{
    return rely_sql_damaged(stmt->sql, err, "the row %lld of %s is damaged",
                            (long long)sqlite3_column_int64(stmt->raw, 0), kind->word);
}

bool rely_registry_find(struct rely_registry *registry, const struct rely_object_kind *kind, struct rely_slice name,
                        int64_t parent_id, struct rely_found *found, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, kind->find_sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ti", name, parent_id);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_ROW) {
        found->id = sqlite3_column_int64(stmt->raw, 0);
        found->revision = (uint64_t)sqlite3_column_int64(stmt->raw, 1);
        found->object = kind->show(stmt->raw);
        if (found->object == NULL)
            return note_damaged_row(kind, stmt, err);
        if (rely_slice_equal(rely_json_text(rely_json_get(found->object, "name")), name))
            return true;
        rely_json_free(found->object);
        *found = (struct rely_found){0};
        return rely_sql_damaged(stmt->sql, err, "an index of the database is damaged: it leads to another %s than %.*s",
                                kind->word, RELY_ARG(name));
    }
    return step != RELY_SQL_FAULT;
}

bool rely_registry_find_parent(struct rely_registry *registry, const struct rely_object_path *path, int64_t *parent_id,
                               struct rely_err *err)
{
    *parent_id = 0;
    if (path->object != RELY_OBJECT_CREDENTIAL)
        return true;
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql, "SELECT id FROM identity WHERE name = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "t", path->parent);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_DONE)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such identity");
    if (step == RELY_SQL_ROW)
        *parent_id = sqlite3_column_int64(stmt->raw, 0);
    return step == RELY_SQL_ROW;
}

bool rely_registry_read(struct rely_registry *registry, const struct rely_object_path *path, struct rely_json **object,
                        char etag[32], struct rely_err *err)
{
    int64_t parent_id = 0;
    struct rely_found found = {0};
    const struct rely_object_kind *kind = rely_object_kind(path->object);
    if (!rely_registry_find_parent(registry, path, &parent_id, err) ||
        !rely_registry_find(registry, kind, path->name, parent_id, &found, err))
        return false;
    if (found.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", kind->word);
    *object = found.object;
    rely_registry_print_etag(found.revision, etag);
    return true;
}

/* A page ends early rather than be larger: uploaded key sets and CA bundles are long. */
#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)

static size_t measure_row(sqlite3_stmt *row)
{
    size_t bytes = 0;
    for (int i = 0; i < sqlite3_data_count(row); i++)
        bytes += sqlite3_column_type(row, i) == SQLITE_TEXT ? (size_t)sqlite3_column_bytes(row, i) : 8;
    return bytes;
}

static bool collect_page(const struct rely_object_kind *kind, struct rely_stmt *stmt, size_t limit,
                         struct rely_json *array, bool *has_more, struct rely_err *err)
{
    size_t bytes = 0;
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW && rely_json_size(array) < limit) {
        bytes += measure_row(stmt->raw);
        if (bytes > PAGE_BYTES_MAX && rely_json_size(array) > 0)
            break;
        struct rely_json *object = kind->show(stmt->raw);
        if (object == NULL)
            return note_damaged_row(kind, stmt, err);
        rely_json_append(array, object);
    }
    *has_more = step == RELY_SQL_ROW;
    return step != RELY_SQL_FAULT;
}

bool rely_registry_list(struct rely_registry *registry, const struct rely_object_path *parent, struct rely_slice after,
                        size_t limit, struct rely_json **array, bool *has_more, struct rely_err *err)
{
    int64_t parent_id = 0;
    const struct rely_object_kind *kind = rely_object_kind(parent->object);
    if (!rely_registry_find_parent(registry, parent, &parent_id, err))
        return false;
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, kind->page_sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "tii", after.ptr == NULL ? RELY_LIT("") : after, parent_id, (int64_t)limit + 1);
    struct rely_json *page = rely_json_array();
    if (collect_page(kind, stmt, limit, page, has_more, err)) {
        *array = page;
        return true;
    }
    rely_json_free(page);
    return false;
}

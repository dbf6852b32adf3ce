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

struct rely_table *rely_registry_table(struct rely_registry *registry, enum rely_object object)
{
    return &registry->tables[object - 1];
}

bool rely_row_damaged(struct rely_sql *sql, const struct rely_kind *kind, int64_t id, struct rely_err *err)
{
    return rely_sql_damaged(sql, err, "the row %lld of %s is damaged", (long long)id, kind->word);
}

/* Every record begins with its head, and then has its name somewhere. */
static struct rely_slice name_of(const struct rely_kind *kind, const void *record)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (kind->fields[i].type == RELY_FIELD_NAME)
            return *(const struct rely_slice *)rely_field_in(&kind->fields[i], record);
    return (struct rely_slice){NULL, 0};
}

static bool check_found_name(const struct rely_kind *kind, const struct rely_stmt *stmt, struct rely_slice found,
                             struct rely_slice name, struct rely_err *err)
{
    return rely_slice_equal(found, name) ||
           rely_sql_damaged(stmt->sql, err, "an index of the database is damaged: it leads to another %s than %.*s",
                            kind->word, RELY_ARG(name));
}

bool rely_registry_find(struct rely_registry *registry, const struct rely_table *table, struct rely_slice name,
                        int64_t parent_id, struct rely_pool *pool, union rely_any_record *record, struct rely_err *err)
{
    record->record = (struct rely_record){0};
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, table->find, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ti", name, parent_id);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step != RELY_SQL_ROW)
        return step == RELY_SQL_DONE;
    if (!rely_table_read(table->kind, stmt->raw, false, true, pool, record))
        return rely_row_damaged(stmt->sql, table->kind, sqlite3_column_int64(stmt->raw, 0), err);
    return check_found_name(table->kind, stmt, name_of(table->kind, record), name, err);
}

bool rely_registry_find_parent(struct rely_registry *registry, const struct rely_object_path *path, int64_t *parent_id,
                               struct rely_err *err)
{
    *parent_id = 0;
    if (rely_kind_of(path->object)->parent_column == NULL)
        return true;
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &registry->sql, "SELECT id, name FROM identity WHERE id = (SELECT id FROM identity WHERE name = ?1)", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "t", path->parent);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_DONE)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such identity");
    if (step == RELY_SQL_FAULT ||
        !check_found_name(rely_kind_of(RELY_OBJECT_IDENTITY), stmt, rely_sql_text(stmt->raw, 1), path->parent, err))
        return false;
    *parent_id = sqlite3_column_int64(stmt->raw, 0);
    return true;
}

static bool find_and_show(struct rely_registry *registry, const struct rely_object_path *path, struct rely_pool *pool,
                          struct rely_json **object, char etag[32], struct rely_err *err)
{
    int64_t parent_id = 0;
    union rely_any_record record;
    const struct rely_table *table = rely_registry_table(registry, path->object);
    if (!rely_registry_find_parent(registry, path, &parent_id, err) ||
        !rely_registry_find(registry, table, path->name, parent_id, pool, &record, err))
        return false;
    if (record.record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", table->kind->word);
    *object = rely_record_show(table->kind, &record);
    if (*object == NULL)
        return rely_row_damaged(&registry->sql, table->kind, record.record.id, err);
    rely_registry_print_etag(record.record.revision, etag);
    return true;
}

bool rely_registry_read(struct rely_registry *registry, const struct rely_object_path *path, struct rely_json **object,
                        char etag[32], struct rely_err *err)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    bool is_read = find_and_show(registry, path, &pool, object, etag, err);
    rely_pool_fini(&pool);
    return is_read;
}

/* --- pages -------------------------------------------------------------------------------------------------- */

/* A page ends early rather than be larger: uploaded key sets and CA bundles are long. */
#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)

static size_t measure_row(sqlite3_stmt *row)
{
    size_t bytes = 0;
    for (int i = 0; i < sqlite3_data_count(row); i++)
        bytes += sqlite3_column_type(row, i) == SQLITE_TEXT ? (size_t)sqlite3_column_bytes(row, i) : 8;
    return bytes;
}

static struct rely_json *show_row(const struct rely_kind *kind, sqlite3_stmt *row)
{
    union rely_any_record record;
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_json *object =
        rely_table_read(kind, row, false, false, &pool, &record) ? rely_record_show(kind, &record) : NULL;
    rely_pool_fini(&pool);
    return object;
}

static bool collect_page(const struct rely_kind *kind, struct rely_stmt *stmt, size_t limit, struct rely_json *array,
                         bool *has_more, struct rely_err *err)
{
    size_t bytes = 0;
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW && rely_json_size(array) < limit) {
        bytes += measure_row(stmt->raw);
        if (bytes > PAGE_BYTES_MAX && rely_json_size(array) > 0)
            break;
        struct rely_json *object = show_row(kind, stmt->raw);
        if (object == NULL)
            return rely_row_damaged(stmt->sql, kind, sqlite3_column_int64(stmt->raw, 0), err);
        rely_json_append(array, object);
    }
    *has_more = step == RELY_SQL_ROW;
    return step != RELY_SQL_FAULT;
}

bool rely_registry_list(struct rely_registry *registry, const struct rely_object_path *parent, struct rely_slice after,
                        size_t limit, struct rely_json **array, bool *has_more, struct rely_err *err)
{
    int64_t parent_id = 0;
    const struct rely_table *table = rely_registry_table(registry, parent->object);
    if (!rely_registry_find_parent(registry, parent, &parent_id, err))
        return false;
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, table->page, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "tii", after.ptr == NULL ? RELY_LIT("") : after, parent_id, (int64_t)limit + 1);
    struct rely_json *page = rely_json_array();
    if (collect_page(table->kind, stmt, limit, page, has_more, err)) {
        *array = page;
        return true;
    }
    rely_json_free(page);
    return false;
}

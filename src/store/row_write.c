/*
 * Records into rows by the table of fields, as row_read.c reads them. Decides which columns an UPDATE names. Called by
 * registry/.
 */
#include "inside.h"
#include <stdio.h>

_Static_assert(sizeof(uint64_t) * 8 >= RELY_FIELDS_MAX, "a set of fields is a word of bits");

#define LISTS_MAX 8

/* A record that is being bound to the parameters of a statement. */
struct row_writing {
    const struct rely_kind *kind;
    uint64_t fields; /* that are written */
    sqlite3_stmt *row;
    int parameter;                    /* the next one, from 1 */
    struct rely_buf lines[LISTS_MAX]; /* one for each list: freed when the statement has run */
    size_t line_count;
};

static void write_text(struct row_writing *writing, struct rely_slice text)
{
    int code = sqlite3_bind_text(writing->row, writing->parameter++, text.ptr, (int)text.len, SQLITE_STATIC);
    RELY_ASSERT(code == SQLITE_OK);
}

static void write_integer(struct row_writing *writing, int64_t value)
{
    int code = sqlite3_bind_int64(writing->row, writing->parameter++, value);
    RELY_ASSERT(code == SQLITE_OK);
}

static struct rely_buf *new_stored_lines(struct row_writing *writing)
{
    RELY_ASSERT(writing->line_count < LISTS_MAX);
    struct rely_buf *lines = &writing->lines[writing->line_count++];
    rely_buf_put(lines, RELY_LIT(""));
    return lines;
}

static void write_list(struct row_writing *writing, const struct rely_texts *texts)
{
    struct rely_buf *lines = new_stored_lines(writing);
    for (size_t i = 0; i < texts->count; i++) {
        rely_buf_put(lines, texts->items[i]);
        rely_buf_putc(lines, '\n');
    }
    write_text(writing, rely_buf_slice(lines));
}

static void write_map(struct row_writing *writing, const struct rely_text_map *map)
{
    struct rely_buf *lines = new_stored_lines(writing);
    for (size_t i = 0; i < map->count; i++)
        for (size_t k = 0; k < map->items[i].values.count; k++) {
            rely_buf_put(lines, map->items[i].key);
            rely_buf_putc(lines, '\t');
            rely_buf_put(lines, map->items[i].values.items[k]);
            rely_buf_putc(lines, '\n');
        }
    write_text(writing, rely_buf_slice(lines));
}

static void write_column(struct row_writing *writing, const struct rely_field *field, const void *record)
{
    const void *at = rely_field_in(field, record);
    switch (field->type) {
    case RELY_FIELD_NAME:
    case RELY_FIELD_UUID:
    case RELY_FIELD_TEXT:
        write_text(writing, *(const struct rely_slice *)at);
        break;
    case RELY_FIELD_BOOL:
        write_integer(writing, *(const bool *)at);
        break;
    case RELY_FIELD_INTEGER:
    case RELY_FIELD_MOMENT:
        if (*(const int64_t *)at == 0 && (field->flags & RELY_FIELD_ZERO_IS_NONE) != 0) {
            write_text(writing, (struct rely_slice){NULL, 0});
            break;
        }
        write_integer(writing, *(const int64_t *)at);
        break;
    case RELY_FIELD_BITS:
    case RELY_FIELD_WORD:
    case RELY_FIELD_TIME:
        write_integer(writing, *(const int64_t *)at);
        break;
    case RELY_FIELD_LIST:
        write_list(writing, at);
        break;
    case RELY_FIELD_MAP:
        write_map(writing, at);
        break;
    case RELY_FIELD_OWN:
        break;
    }
}

/* Bind the fields that are chosen, run, and free the lists. */
static bool run_with_fields(struct row_writing *writing, struct rely_stmt *stmt, const void *record,
                            struct rely_err *err)
{
    const struct rely_kind *kind = writing->kind;
    writing->row = stmt->raw;
    for (size_t i = 0; i < kind->field_count; i++)
        if ((writing->fields >> i & 1) != 0)
            write_column(writing, &kind->fields[i], record);
    bool is_run = rely_sql_run(stmt, err);
    for (size_t i = 0; i < writing->line_count; i++)
        rely_buf_fini(&writing->lines[i]);
    return is_run;
}

static uint64_t choose_stored(const struct rely_kind *kind)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < kind->field_count; i++)
        if (rely_table_stores(&kind->fields[i]))
            fields |= (uint64_t)1 << i;
    return fields;
}

bool rely_stored_insert(struct rely_store *store, const struct rely_kind *kind, void *record, struct rely_err *err)
{
    struct rely_record *head = record;
    bool has_parent = kind->parent_column != NULL;
    struct row_writing writing = {.kind = kind, .fields = choose_stored(kind), .parameter = has_parent ? 3 : 2};
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, rely_store_table(store, kind)->insert, err);
    if (stmt == NULL)
        return false;
    if (has_parent)
        rely_sql_bind(stmt, "ii", (int64_t)head->revision, head->parent_id);
    else
        rely_sql_bind(stmt, "i", (int64_t)head->revision);
    if (!run_with_fields(&writing, stmt, record, err))
        return false;
    head->id = sqlite3_last_insert_rowid(store->sql.db);
    return true;
}

static uint64_t choose_changed(const struct rely_kind *kind, const void *before, const void *after)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        if (rely_table_stores(field) && field->type != RELY_FIELD_TIME && !rely_field_equal(field, before, after))
            fields |= (uint64_t)1 << i;
    }
    return fields;
}

/* Only what differs is named: naming a column writes its indexes anew and runs its triggers. */
static const char *make_update(const struct rely_kind *kind, uint64_t fields, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    int parameter = 4;
    rely_buf_printf(&text, "UPDATE %s SET revision = ?2, updated_at = ?3", kind->table);
    for (size_t i = 0; i < kind->field_count; i++)
        if ((fields >> i & 1) != 0)
            rely_buf_printf(&text, ", %s = ?%d", kind->fields[i].column, parameter++);
    rely_buf_printf(&text, " WHERE id = ?1");
    return rely_table_keep(&text, pool);
}

/* Most writes change the same few fields; when there is no place left, all are named. */
static const char *find_update(struct rely_table *table, uint64_t *fields, struct rely_pool *pool)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < table->update_count; i++)
            if (table->updates[i].fields == *fields)
                return table->updates[i].text;
        if (table->update_count < RELY_UPDATES_KEPT - 1)
            break;
        *fields = choose_stored(table->kind);
    }
    struct rely_update *update = &table->updates[table->update_count++];
    *update = (struct rely_update){*fields, make_update(table->kind, *fields, pool)};
    return update->text;
}

bool rely_stored_change(struct rely_store *store, const struct rely_stored_update *update, struct rely_err *err)
{
    const struct rely_record *head = update->after;
    struct rely_table *table = rely_store_table(store, update->kind);
    struct row_writing writing = {
        .kind = update->kind, .fields = choose_changed(update->kind, update->before, update->after), .parameter = 4};
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql, find_update(table, &writing.fields, &store->texts), err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iii", head->id, (int64_t)head->revision, head->updated_at);
    return run_with_fields(&writing, stmt, update->after, err);
}

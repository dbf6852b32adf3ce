/*
 * The statements of each kind of object, made from the table of fields once the database is open. Knows no kind by name
 * but for what it shows of other tables. Called by open.c, and by query.c for statements of its own.
 */
#include "table.h"
#include "relyd/pool.h"
#include "relyd/text.h"
#include <stdio.h>

bool rely_table_has_column(const struct rely_field *field, enum rely_columns_wanted wanted)
{
    if (field->column == NULL)
        return false;
    if (wanted == RELY_COLUMNS_NAMES)
        return field->type == RELY_FIELD_NAME || (field->flags & RELY_FIELD_INDEXED) != 0;
    if (wanted == RELY_COLUMNS_TIMED && field->type == RELY_FIELD_TIME)
        return true;
    return wanted == RELY_COLUMNS_ALL || (field->flags & RELY_FIELD_REVIEWED) != 0;
}

bool rely_table_stores(const struct rely_field *field)
{
    return field->column != NULL && (field->flags & (RELY_FIELD_JOINED | RELY_FIELD_VOLATILE)) == 0;
}

/* --- statements ------------------------------------------------------------------------------------------- */

/* What a record shows of other tables. */
static const struct joined {
    const char *table, *column, *expression;
} joined[] = {
    {"issuer", "jwks", "k.document"},
    {"issuer", "jwks_fetched_at", "k.fetched_at"},
    {"issuer", "jwks_source_url", "k.source_url"},
    {"issuer", "groups",
     "(SELECT coalesce(group_concat(name || char(10), ''), '') FROM (SELECT g.name FROM issuer_group_member m"
     " JOIN issuer_group g ON g.id = m.group_id WHERE m.issuer_id = o.id ORDER BY g.name))"},
    {"issuer_group", "issuers",
     "(SELECT coalesce(group_concat(name || char(10), ''), '') FROM (SELECT m.name FROM issuer_group_member m"
     " WHERE m.group_id = o.id ORDER BY m.name))"},
    {"credential", "issuer", "i.url"},
    {"credential", "issuer_name", "i.name"},
    {"credential", "issuer_group", "g.name"},
};

static const char *find_join(const struct rely_kind *kind, enum rely_columns_wanted wanted)
{
    if (kind->object == RELY_OBJECT_ISSUER && wanted != RELY_COLUMNS_NAMES)
        return " LEFT JOIN key_set k ON k.issuer_id = o.id";
    return kind->object == RELY_OBJECT_CREDENTIAL && wanted == RELY_COLUMNS_ALL
               ? " LEFT JOIN issuer i ON i.id = o.issuer_id LEFT JOIN issuer_group g ON g.id = o.group_id"
               : "";
}

static void put_column(struct rely_buf *text, const struct rely_kind *kind, const struct rely_field *field)
{
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++)
        if (strcmp(joined[i].table, kind->table) == 0 && strcmp(joined[i].column, field->column) == 0) {
            rely_buf_printf(text, ", %s", joined[i].expression);
            return;
        }
    rely_buf_printf(text, ", o.%s", field->column);
}

const char *rely_table_keep(struct rely_buf *text, struct rely_pool *pool)
{
    const char *kept = rely_pool_copy(pool, rely_buf_slice(text)).ptr;
    rely_buf_fini(text);
    return kept;
}

const char *rely_table_select(const struct rely_selection *selection, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    const struct rely_kind *kind = selection->kind;
    bool has_parent = kind->parent_column != NULL;
    rely_buf_printf(&text, "SELECT o.id, o.revision, %s%s", has_parent ? "o." : "0",
                    has_parent ? kind->parent_column : "");
    for (size_t i = 0; i < kind->field_count; i++)
        if (rely_table_has_column(&kind->fields[i], selection->wanted))
            put_column(&text, kind, &kind->fields[i]);
    rely_buf_printf(&text, "%s FROM %s o%s%s", selection->more_columns, kind->table, find_join(kind, selection->wanted),
                    selection->rest);
    return rely_table_keep(&text, pool);
}

static const char *make_insert(const struct rely_kind *kind, struct rely_pool *pool)
{
    struct rely_buf text = {0};
    int count = kind->parent_column == NULL ? 1 : 2;
    rely_buf_printf(&text, "INSERT INTO %s (revision%s%s", kind->table, count == 1 ? "" : ", ",
                    count == 1 ? "" : kind->parent_column);
    for (size_t i = 0; i < kind->field_count; i++)
        if (rely_table_stores(&kind->fields[i])) {
            rely_buf_printf(&text, ", %s", kind->fields[i].column);
            count++;
        }
    rely_buf_printf(&text, ") VALUES (");
    for (int i = 1; i <= count; i++)
        rely_buf_printf(&text, "%s?%d", i == 1 ? "" : ", ", i);
    rely_buf_putc(&text, ')');
    return rely_table_keep(&text, pool);
}

static const char *make_children(const struct rely_kind *kind, struct rely_pool *pool)
{
    char rest[160];
    const struct rely_selection select = {
        .kind = kind, .wanted = RELY_COLUMNS_ALL, .more_columns = ", d.name", .rest = rest};
    if (kind->parent_column == NULL)
        return NULL;
    snprintf(rest, sizeof rest, " JOIN %s d ON d.id = o.%s WHERE o.%s = ?1", rely_kind_of(kind->parent)->table,
             kind->parent_column, kind->parent_column);
    return rely_table_select(&select, pool);
}

void rely_table_make(struct rely_table *table, const struct rely_kind *kind, struct rely_pool *pool)
{
    const char *parent = kind->parent_column == NULL ? "0" : kind->parent_column;
    const char *of = kind->parent_column == NULL ? "" : "o.";
    bool is_issuer = kind->object == RELY_OBJECT_ISSUER;
    char where[160];
    struct rely_selection select = {.kind = kind, .wanted = RELY_COLUMNS_ALL, .more_columns = "", .rest = where};
    *table = (struct rely_table){.kind = kind};
    /* The row by its id: through the index of names SQLite would read the name from the index, which then could not be
     * found to be wrong. */
    snprintf(where, sizeof where, " WHERE o.id = (SELECT id FROM %s WHERE name = ?1 AND %s = ?2)", kind->table, parent);
    table->find = rely_table_select(&select, pool);
    select.wanted = RELY_COLUMNS_NAMES;
    table->find_name = rely_table_select(&select, pool);
    select.wanted = RELY_COLUMNS_ALL;
    snprintf(where, sizeof where, " WHERE o.name > ?1 AND %s%s = ?2 ORDER BY o.name LIMIT ?3", of, parent);
    table->page = rely_table_select(&select, pool);
    select.rest = " WHERE o.id = ?1";
    table->get = rely_table_select(&select, pool);
    /* In an order that stays the same: of two records with one key the first one keeps it (keeper/repeats.c). */
    select.wanted = RELY_COLUMNS_REVIEWED;
    select.rest = is_issuer ? " ORDER BY o.is_enabled DESC, o.id" : "";
    table->each = rely_table_select(&select, pool);
    table->children = make_children(kind, pool);
    table->insert = make_insert(kind, pool);
    table->erase = rely_pool_printf(pool, "DELETE FROM %s WHERE id = ?1", kind->table).ptr;
}

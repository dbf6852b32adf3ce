/*
 * Rows into records by the table of fields: a list is kept as lines, each with its line feed (no item has a control
 * character, SQL can check each line, and reading needs no parser), a map as lines of key, tabulator, value. Decides
 * whether a row is whole. Called by whoever reads one of the table's statements.
 */
#include "table.h"

#include "relyd/pool.h"
#include "relyd/text.h"

#define HEAD_COLUMNS 3 /* id, revision, parent_id */

static sqlite3_value *column_value(const struct rely_row *reading)
{
    return sqlite3_column_value(reading->stmt, reading->column);
}

static struct rely_slice read_column_text(const struct rely_row *reading, sqlite3_value *value)
{
    struct rely_slice text = rely_sql_value_text(value);
    return reading->is_kept && text.ptr != NULL ? rely_pool_copy(reading->pool, text) : text;
}

static bool is_fitting(struct rely_slice text, const struct rely_field *field)
{
    size_t count = text.len;
    if ((field->flags & RELY_FIELD_BYTES) == 0 && count > (size_t)field->most) /* mostly short enough at a glance */
        if (!rely_utf8_count(text, &count))
            return false;
    return count <= (size_t)field->most && (text.len > 0 || field->least == 0);
}

static bool read_text_column(const struct rely_row *reading, const struct rely_field *field, struct rely_slice *out)
{
    bool may_be_none =
        field->type == RELY_FIELD_TEXT && (field->flags & (RELY_FIELD_REQUIRED | RELY_FIELD_NEVER_NONE)) == 0;
    sqlite3_value *value = column_value(reading);
    int type = sqlite3_value_type(value);
    if (type == SQLITE_NULL && may_be_none)
        return true;
    *out = read_column_text(reading, value);
    return type == SQLITE_TEXT && is_fitting(*out, field);
}

static bool read_integer_column(const struct rely_row *reading, int64_t least, int64_t most, bool may_be_none,
                                int64_t *out)
{
    sqlite3_value *value = column_value(reading);
    int type = sqlite3_value_type(value);
    *out = sqlite3_value_int64(value);
    return (type == SQLITE_NULL && may_be_none) || (type == SQLITE_INTEGER && *out >= least && *out <= most);
}

static bool read_bool_column(const struct rely_row *reading, bool *out)
{
    int64_t value = 0;
    bool is_whole = read_integer_column(reading, 0, 1, false, &value);
    *out = value != 0;
    return is_whole;
}

static bool next_stored_line(struct rely_slice *lines, struct rely_slice *line)
{
    const char *end = lines->len == 0 ? NULL : memchr(lines->ptr, '\n', lines->len);
    if (end == NULL)
        return false;
    *line = rely_slice(lines->ptr, (size_t)(end - lines->ptr));
    lines->ptr += line->len + 1;
    lines->len -= line->len + 1;
    return true;
}

static size_t count_lines(struct rely_slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

static bool read_list_column(const struct rely_row *reading, const struct rely_field *field, struct rely_texts *out)
{
    struct rely_slice lines = read_column_text(reading, column_value(reading));
    size_t count = count_lines(lines);
    if (lines.ptr == NULL || count < (size_t)field->least || count > (size_t)field->most)
        return false;
    struct rely_slice *items = rely_pool_alloc(reading->pool, count * sizeof *items);
    *out = (struct rely_texts){items, count};
    for (size_t i = 0; i < count; i++)
        if (!next_stored_line(&lines, &items[i]) || items[i].len == 0)
            return false;
    return lines.len == 0;
}

static bool next_stored_pair(struct rely_slice *lines, struct rely_slice *key, struct rely_slice *value)
{
    struct rely_slice line;
    const char *tab = next_stored_line(lines, &line) ? memchr(line.ptr, '\t', line.len) : NULL;
    if (tab == NULL || tab == line.ptr)
        return false;
    *key = rely_slice(line.ptr, (size_t)(tab - line.ptr));
    *value = rely_slice(tab + 1, line.len - key->len - 1);
    return true;
}

/* Lines of one key stand together. */
static bool read_map_column(const struct rely_row *reading, const struct rely_field *field, struct rely_text_map *out)
{
    struct rely_slice lines = read_column_text(reading, column_value(reading)), key;
    size_t count = count_lines(lines);
    if (lines.ptr == NULL || count > (size_t)(field->most * field->values_most))
        return false;
    struct rely_slice *values = rely_pool_alloc(reading->pool, count * sizeof *values);
    struct rely_text_entry *entries = rely_pool_alloc(reading->pool, count * sizeof *entries);
    *out = (struct rely_text_map){entries, 0};
    for (size_t i = 0; i < count; i++) {
        if (!next_stored_pair(&lines, &key, &values[i]))
            return false;
        if (out->count == 0 || !rely_slice_equal(entries[out->count - 1].key, key))
            entries[out->count++] = (struct rely_text_entry){.key = key, .values = {&values[i], 0}};
        entries[out->count - 1].values.count++;
    }
    return lines.len == 0;
}

static bool read_column(const struct rely_row *reading, const struct rely_field *field, void *record)
{
    void *at = (char *)record + field->offset;
    bool may_be_none = (field->flags & RELY_FIELD_ZERO_IS_NONE) != 0;
    switch (field->type) {
    case RELY_FIELD_NAME:
    case RELY_FIELD_UUID:
    case RELY_FIELD_TEXT:
        return read_text_column(reading, field, at);
    case RELY_FIELD_BOOL:
        return read_bool_column(reading, at);
    case RELY_FIELD_INTEGER:
    case RELY_FIELD_BITS:
    case RELY_FIELD_TIME:
    case RELY_FIELD_MOMENT:
        return read_integer_column(reading, field->least, field->most, may_be_none, at);
    case RELY_FIELD_WORD:
        return read_integer_column(reading, field->least, rely_field_count_words(field), false, at);
    case RELY_FIELD_LIST:
        return read_list_column(reading, field, at);
    case RELY_FIELD_MAP:
        return read_map_column(reading, field, at);
    case RELY_FIELD_OWN:
        return true;
    }
    return false;
}

bool rely_table_read(struct rely_row *row, void *record)
{
    const struct rely_kind *kind = row->kind;
    struct rely_record *head = record;
    memset(record, 0, kind->record_size);
    head->id = sqlite3_column_int64(row->stmt, 0);
    head->revision = (uint64_t)sqlite3_column_int64(row->stmt, 1);
    head->parent_id = sqlite3_column_int64(row->stmt, 2);
    row->column = HEAD_COLUMNS;
    if (kind->parent_column != NULL && (sqlite3_column_type(row->stmt, 2) != SQLITE_INTEGER || head->parent_id < 1))
        return false;
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!rely_table_has_column(&kind->fields[i], row->wanted))
            continue;
        if (!read_column(row, &kind->fields[i], record))
            return false;
        row->column++;
    }
    return row->wanted == RELY_COLUMNS_NAMES || kind->is_whole == NULL || kind->is_whole(record);
}

/*
 * Columns of a row as JSON and slices, for showing objects and for the snapshot builder. Decides nothing. Used by the
 * three *_rows.c.
 */
#include "rows.h"
#include "relyd/text.h"

void rely_row_show_text(sqlite3_stmt *row, int column, struct rely_json *object, const char *name)
{
    struct rely_slice text = rely_sql_text(row, column);
    if (text.ptr != NULL)
        rely_json_set(object, name, rely_json_of_text(text));
}

void rely_row_show_json(sqlite3_stmt *row, int column, struct rely_json *object, const char *name)
{
    struct rely_err unused = {0};
    struct rely_json *value = rely_json_parse(rely_sql_text(row, column), &unused);
    if (value != NULL)
        rely_json_set(object, name, value);
}

void rely_row_show_time(sqlite3_stmt *row, int column, struct rely_json *object, const char *name)
{
    char text[RELY_TIME_SIZE];
    rely_time_print(sqlite3_column_int64(row, column), text);
    rely_json_set(object, name, rely_json_of_text(rely_slice_of(text)));
}

bool rely_lines_next(struct rely_slice *lines, struct rely_slice *line)
{
    const char *end = lines->len == 0 ? NULL : memchr(lines->ptr, '\n', lines->len);
    if (end == NULL)
        return false;
    *line = rely_slice(lines->ptr, (size_t)(end - lines->ptr));
    lines->ptr += line->len + 1;
    lines->len -= line->len + 1;
    return true;
}

size_t rely_row_lines(struct rely_slice lines, struct rely_slice *out, size_t max)
{
    size_t count = 0;
    while (count < max && rely_lines_next(&lines, &out[count]))
        count++;
    return count;
}

bool rely_lines_are_whole(struct rely_slice lines, size_t min, size_t max)
{
    struct rely_slice line;
    size_t count = 0;
    bool is_whole = lines.ptr != NULL;
    while (is_whole && rely_lines_next(&lines, &line)) {
        count++;
        is_whole = line.len > 0;
    }
    return is_whole && lines.len == 0 && count >= min && count <= max;
}

bool rely_row_has_text(sqlite3_stmt *row, int column, size_t max)
{
    struct rely_slice text = rely_sql_text(row, column);
    size_t count = 0;
    if (sqlite3_column_type(row, column) != SQLITE_TEXT || text.len == 0)
        return false;
    return text.len <= max || (rely_utf8_count(text, &count) && count <= max); /* mostly short enough at a glance */
}

bool rely_row_has_integer(sqlite3_stmt *row, int column, int64_t min, int64_t max)
{
    int64_t value = sqlite3_column_int64(row, column);
    return sqlite3_column_type(row, column) == SQLITE_INTEGER && value >= min && value <= max;
}

void rely_row_show_lines(sqlite3_stmt *row, int column, struct rely_json *object, const char *name)
{
    struct rely_slice lines = rely_sql_text(row, column), line;
    struct rely_json *list = rely_json_array();
    while (rely_lines_next(&lines, &line))
        rely_json_append(list, rely_json_of_text(line));
    rely_json_set(object, name, list);
}

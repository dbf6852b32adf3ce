/*
 * rows: columns of a row as JSON and slices. A list is stored as lines, each with its line feed: no item has
 * a control character, SQL can check each line, and reading needs no parser. Shared by the three *_rows.c.
 */
#ifndef RELYD_REGISTRY_ROWS_H
#define RELYD_REGISTRY_ROWS_H

#include "relyd/json.h"
#include "sql.h"

/* Set a member from a column; NULL leaves it out. */
void rely_row_show_text(sqlite3_stmt *row, int column, struct rely_json *object, const char *name);
void rely_row_show_json(sqlite3_stmt *row, int column, struct rely_json *object, const char *name);
void rely_row_show_time(sqlite3_stmt *row, int column, struct rely_json *object, const char *name);
/* A column of lines as an array. */
void rely_row_show_lines(sqlite3_stmt *row, int column, struct rely_json *object, const char *name);
/* Take the next line (without its line feed) off the front; false at the end. */
bool rely_lines_next(struct rely_slice *lines, struct rely_slice *line);
/* The lines of a column, borrowed from it; returns how many. */
size_t rely_row_lines(struct rely_slice lines, struct rely_slice *out, size_t max);
/* Are these min to max lines, each with its line feed, and none of them empty? */
bool rely_lines_are_whole(struct rely_slice lines, size_t min, size_t max);
/* Is a text there, of 1 to so many characters? */
bool rely_row_has_text(sqlite3_stmt *row, int column, size_t max);
bool rely_row_has_integer(sqlite3_stmt *row, int column, int64_t min, int64_t max);

#endif

/*
 * SQLite in relyd's words: statements that are compiled once and lent, slices in and out, SQLite's result codes
 * as faults. Decides which of SQLite's refusals is the fault of the caller; knows no table. Used by store/ only.
 */
#include "sql.h"
#include "relyd/bytes.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* The schema is the net behind the checks in C: what it refuses is still a refusal, not a broken disk. */
static enum rely_err_code judge_sqlite_code(sqlite3 *db)
{
    int code = sqlite3_extended_errcode(db);
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return RELY_ERR_CONFLICT;
    if (code == SQLITE_CONSTRAINT_TRIGGER && strncmp(sqlite3_errmsg(db), "too_many_", 9) == 0)
        return RELY_ERR_LIMIT;
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        return RELY_ERR_INVALID;
    return RELY_ERR_IO;
}

bool rely_sql_damaged(struct rely_sql *sql, struct rely_err *err, const char *format, ...)
{
    char what[sizeof sql->damage];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    if (sql->damage[0] == '\0') {
        memcpy(sql->damage, what, sizeof what);
        if (sql->note_damage != NULL)
            sql->note_damage(sql->note_context, what);
    }
    return rely_err_set(err, RELY_ERR_DAMAGED, "%s", what);
}

bool rely_sql_fault(struct rely_sql *sql, struct rely_err *err)
{
    int code = sqlite3_extended_errcode(sql->db);
    if ((code & 0xff) == SQLITE_NOTADB)
        return rely_sql_damaged(sql, err, "this is no relyd database, or its beginning is damaged: %s (%d)",
                                sqlite3_errmsg(sql->db), code);
    if ((code & 0xff) == SQLITE_CORRUPT)
        return rely_sql_damaged(sql, err, "the database is damaged: %s (%d)", sqlite3_errmsg(sql->db), code);
    return rely_err_set(err, judge_sqlite_code(sql->db), "database: %s (%d)", sqlite3_errmsg(sql->db), code);
}

/* --- statements ------------------------------------------------------------------------------------------ */

/* The address finds, the text decides: a buffer that has been filled anew is another statement. */
static struct rely_stmt *find_idle_stmt(struct rely_sql *sql, const char *text)
{
    for (size_t i = 0; i < sql->kept_count; i++) {
        struct rely_stmt *stmt = &sql->kept[i];
        if (stmt->text == text && !stmt->is_lent && strcmp(sqlite3_sql(stmt->raw), text) == 0)
            return stmt;
    }
    return NULL;
}

static struct rely_stmt *place_stmt(struct rely_sql *sql, const char *text)
{
    bool is_kept = sql->kept_count < RELY_SQL_KEPT_MAX;
    struct rely_stmt *stmt = is_kept ? &sql->kept[sql->kept_count++] : rely_alloc(sizeof *stmt);
    *stmt = (struct rely_stmt){.text = text, .sql = sql, .is_kept = is_kept};
    return stmt;
}

struct rely_stmt *rely_sql_prepare(struct rely_sql *sql, const char *text, struct rely_err *err)
{
    struct rely_stmt *stmt = find_idle_stmt(sql, text);
    if (stmt == NULL) {
        sqlite3_stmt *raw = NULL;
        if (sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &raw, NULL) != SQLITE_OK) {
            rely_sql_fault(sql, err);
            return NULL;
        }
        stmt = place_stmt(sql, text);
        stmt->raw = raw;
    }
    stmt->is_lent = true;
    return stmt;
}

void rely_sql_return_at(struct rely_stmt **stmt)
{
    struct rely_stmt *lent = *stmt;
    if (lent == NULL)
        return;
    if (lent->is_kept) {
        sqlite3_reset(lent->raw);
        sqlite3_clear_bindings(lent->raw);
        lent->is_lent = false;
    } else {
        sqlite3_finalize(lent->raw);
        free(lent);
    }
}

void rely_sql_close(struct rely_sql *sql)
{
    for (size_t i = 0; i < sql->kept_count; i++) {
        RELY_ASSERT(!sql->kept[i].is_lent);
        sqlite3_finalize(sql->kept[i].raw);
    }
    sqlite3_close(sql->db);
    *sql = (struct rely_sql){0};
}

bool rely_sql_exec(struct rely_sql *sql, const char *text, struct rely_err *err)
{
    return sqlite3_exec(sql->db, text, NULL, NULL, NULL) == SQLITE_OK || rely_sql_fault(sql, err);
}

bool rely_sql_do(struct rely_sql *sql, const char *text, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(sql, text, err);
    return stmt != NULL && rely_sql_run(stmt, err);
}

void rely_sql_roll_back(struct rely_sql *sql)
{
    struct rely_err unused = {0};
    if (sqlite3_get_autocommit(sql->db) == 0)
        rely_drop(
            rely_sql_do(sql, "ROLLBACK", &unused)); /* SQLite rolls back by itself at the latest when it is closed */
}

/* --- parameters, rows, columns --------------------------------------------------------------------------- */

/* Sizes are limited before; what is left is a wrong index. */
void rely_sql_bind_integer(struct rely_stmt *stmt, int parameter, int64_t value)
{
    int code = sqlite3_bind_int64(stmt->raw, parameter, value);
    RELY_ASSERT(code == SQLITE_OK);
}

void rely_sql_bind_text(struct rely_stmt *stmt, int parameter, struct rely_slice text)
{
    int code = sqlite3_bind_text(stmt->raw, parameter, text.ptr, (int)text.len, SQLITE_STATIC);
    RELY_ASSERT(code == SQLITE_OK);
}

void rely_sql_bind(struct rely_stmt *stmt, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    for (int i = 0; types[i] != '\0'; i++)
        if (types[i] == 'i')
            rely_sql_bind_integer(stmt, i + 1, va_arg(values, int64_t));
        else
            rely_sql_bind_text(stmt, i + 1, va_arg(values, struct rely_slice));
    va_end(values);
}

static rely_sixteen mark_beyond_ascii(rely_sixteen part)
{
    return part < 0; /* signed */
}

static bool is_utf8(struct rely_slice text)
{
    size_t unused, ascii = rely_bytes_find(text.ptr, text.len, mark_beyond_ascii);
    return rely_utf8_count(rely_slice(text.ptr + ascii, text.len - ascii), &unused);
}

/* Only damage puts other bytes into a text. They would end the process in jansson's hands, or be answered as JSON. */
static bool has_only_utf8(sqlite3_stmt *row)
{
    for (int i = 0, count = sqlite3_data_count(row); i < count; i++) {
        sqlite3_value *value = sqlite3_column_value(row, i);
        if (sqlite3_value_type(value) == SQLITE_TEXT && !is_utf8(rely_sql_value_text(value)))
            return false;
    }
    return true;
}

enum rely_sql_step rely_sql_step(struct rely_stmt *stmt, struct rely_err *err)
{
    int code = sqlite3_step(stmt->raw);
    if (code == SQLITE_DONE)
        return RELY_SQL_DONE;
    if (code != SQLITE_ROW)
        rely_sql_fault(stmt->sql, err);
    else if (has_only_utf8(stmt->raw))
        return RELY_SQL_ROW;
    else
        rely_sql_damaged(stmt->sql, err, "the database is damaged: a text in it is no UTF-8");
    return RELY_SQL_FAULT;
}

bool rely_sql_run(struct rely_stmt *stmt, struct rely_err *err)
{
    return rely_sql_step(stmt, err) == RELY_SQL_DONE;
}

struct rely_slice rely_sql_text(sqlite3_stmt *row, int column)
{
    return rely_sql_value_text(sqlite3_column_value(row, column));
}

bool rely_sql_integer(struct rely_sql *sql, const char *text, int64_t *out, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(sql, text, err);
    if (stmt == NULL || rely_sql_step(stmt, err) != RELY_SQL_ROW)
        return rely_err_set(err, RELY_ERR_IO, "database: no row from %s", text);
    *out = sqlite3_column_int64(stmt->raw, 0);
    return true;
}

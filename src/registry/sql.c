/*
 * SQLite in the registry's words: statements that are compiled once and lent, slices in and out, SQLite's result codes
 * as faults. Decides which of SQLite's refusals is the fault of the caller; knows no table. Used by registry/ only.
 */
#include "sql.h"
#include <stdlib.h>

/* The schema is the net behind the checks in C: what it refuses is still a refusal, not a broken disk. */
static enum rely_err_code judge_sqlite_code(sqlite3 *db)
{
    int code = sqlite3_extended_errcode(db);
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return RELY_ERR_CONFLICT;
    if (code == SQLITE_CONSTRAINT_TRIGGER && strcmp(sqlite3_errmsg(db), "too_many_credentials") == 0)
        return RELY_ERR_LIMIT;
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        return RELY_ERR_INVALID;
    return RELY_ERR_IO;
}

bool rely_sql_fault(sqlite3 *db, struct rely_err *err)
{
    if ((sqlite3_extended_errcode(db) & 0xff) == SQLITE_NOTADB)
        return rely_err_set(err, RELY_ERR_INVALID, "this is no relyd database: %s", sqlite3_errmsg(db));
    return rely_err_set(err, judge_sqlite_code(db), "database: %s (%d)", sqlite3_errmsg(db),
                        sqlite3_extended_errcode(db));
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
    *stmt = (struct rely_stmt){.text = text, .is_kept = is_kept};
    return stmt;
}

struct rely_stmt *rely_sql_prepare(struct rely_sql *sql, const char *text, struct rely_err *err)
{
    struct rely_stmt *stmt = find_idle_stmt(sql, text);
    if (stmt == NULL) {
        sqlite3_stmt *raw = NULL;
        if (sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &raw, NULL) != SQLITE_OK) {
            rely_sql_fault(sql->db, err);
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
    return sqlite3_exec(sql->db, text, NULL, NULL, NULL) == SQLITE_OK || rely_sql_fault(sql->db, err);
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
        rely_sql_do(sql, "ROLLBACK", &unused);
}

/* --- parameters, rows, columns --------------------------------------------------------------------------- */

void rely_sql_bind(struct rely_stmt *stmt, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    for (int i = 0; types[i] != '\0'; i++) {
        int code = SQLITE_MISUSE;
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(stmt->raw, i + 1, va_arg(values, int64_t));
        } else if (types[i] == 't') {
            struct rely_slice text = va_arg(values, struct rely_slice);
            code = sqlite3_bind_text(stmt->raw, i + 1, text.ptr, (int)text.len, SQLITE_STATIC);
        }
        /* Sizes are limited before; what is left is a wrong index. */
        RELY_ASSERT(code == SQLITE_OK);
    }
    va_end(values);
}

enum rely_sql_step rely_sql_step(struct rely_stmt *stmt, struct rely_err *err)
{
    int code = sqlite3_step(stmt->raw);
    if (code == SQLITE_ROW)
        return RELY_SQL_ROW;
    if (code == SQLITE_DONE)
        return RELY_SQL_DONE;
    rely_sql_fault(sqlite3_db_handle(stmt->raw), err);
    return RELY_SQL_FAULT;
}

bool rely_sql_run(struct rely_stmt *stmt, struct rely_err *err)
{
    return rely_sql_step(stmt, err) == RELY_SQL_DONE;
}

struct rely_slice rely_sql_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return rely_slice(text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(row, column));
}

bool rely_sql_integer(struct rely_sql *sql, const char *text, int64_t *out, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(sql, text, err);
    if (stmt == NULL || rely_sql_step(stmt, err) != RELY_SQL_ROW)
        return rely_err_set(err, RELY_ERR_IO, "database: no row from %s", text);
    *out = sqlite3_column_int64(stmt->raw, 0);
    return true;
}

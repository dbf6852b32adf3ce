/*
 * SQLite in the registry's words: statements with an owner, slices in and out, SQLite's result codes as faults.
 * Decides which of SQLite's refusals is the fault of the caller; knows no table. Used by registry/ only.
 */
#include "sql.h"

void rely_sql_finalize_at(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

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

bool rely_sql_exec(sqlite3 *db, const char *sql, struct rely_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || rely_sql_fault(db, err);
}

sqlite3_stmt *rely_sql_prepare(sqlite3 *db, const char *sql, struct rely_err *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        rely_sql_fault(db, err);
    return stmt;
}

void rely_sql_bind(sqlite3_stmt *stmt, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    for (int i = 0; types[i] != '\0'; i++) {
        int code = SQLITE_MISUSE;
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(stmt, i + 1, va_arg(values, int64_t));
        } else if (types[i] == 't') {
            struct rely_slice text = va_arg(values, struct rely_slice);
            code = sqlite3_bind_text(stmt, i + 1, text.ptr, (int)text.len, SQLITE_STATIC);
        }
        /* Sizes are limited before; what is left is a wrong index. */
        RELY_ASSERT(code == SQLITE_OK);
    }
    va_end(values);
}

enum rely_sql_step rely_sql_step(sqlite3 *db, sqlite3_stmt *stmt, struct rely_err *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        return RELY_SQL_ROW;
    if (code == SQLITE_DONE)
        return RELY_SQL_DONE;
    rely_sql_fault(db, err);
    return RELY_SQL_FAULT;
}

bool rely_sql_run(sqlite3 *db, sqlite3_stmt *stmt, struct rely_err *err)
{
    return rely_sql_step(db, stmt, err) == RELY_SQL_DONE;
}

struct rely_slice rely_sql_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return rely_slice(text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, column));
}

bool rely_sql_integer(sqlite3 *db, const char *sql, int64_t *out, struct rely_err *err)
{
    RELY_STMT_OWNED sqlite3_stmt *stmt = rely_sql_prepare(db, sql, err);
    if (stmt == NULL || rely_sql_step(db, stmt, err) != RELY_SQL_ROW)
        return rely_err_set(err, RELY_ERR_IO, "database: no row from %s", sql);
    *out = sqlite3_column_int64(stmt, 0);
    return true;
}

/*
 * sql: SQLite in the registry's words: statements with an owner, slices in and out, faults as rely_err.
 */
#ifndef RELYD_REGISTRY_SQL_H
#define RELYD_REGISTRY_SQL_H

#include "relyd/base.h"
#include <sqlite3.h>

enum rely_sql_step { RELY_SQL_FAULT = 0, RELY_SQL_ROW, RELY_SQL_DONE };

void rely_sql_finalize_at(sqlite3_stmt **stmt);
/* Cleanup attribute for owners. */
#define RELY_STMT_OWNED __attribute__((cleanup(rely_sql_finalize_at)))

/* Run statements without parameters or rows. */
bool rely_sql_exec(sqlite3 *db, const char *sql, struct rely_err *err);
/* NULL with the fault. Owner: the caller. */
sqlite3_stmt *rely_sql_prepare(sqlite3 *db, const char *sql, struct rely_err *err);
/* Bind from ?1 on: 'i' int64_t, 't' struct rely_slice (borrowed until the statement's end; ptr NULL is NULL). */
void rely_sql_bind(sqlite3_stmt *stmt, const char *types, ...);
enum rely_sql_step rely_sql_step(sqlite3 *db, sqlite3_stmt *stmt, struct rely_err *err);
/* Step a statement that yields no row. */
bool rely_sql_run(sqlite3 *db, sqlite3_stmt *stmt, struct rely_err *err);
/* Borrowed until the next step; ptr NULL for NULL. */
struct rely_slice rely_sql_text(sqlite3_stmt *stmt, int column);
/* The first column of the first row; a fault when there is none. */
bool rely_sql_integer(sqlite3 *db, const char *sql, int64_t *out, struct rely_err *err);
/* Record what SQLite complains of; always false. */
bool rely_sql_fault(sqlite3 *db, struct rely_err *err);

#endif

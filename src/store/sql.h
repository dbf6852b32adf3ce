/*
 * sql: SQLite in relyd's words: statements with an owner, slices in and out, faults as rely_err.
 */
#ifndef RELYD_STORE_SQL_H
#define RELYD_STORE_SQL_H

#include "relyd/base.h"
#include <sqlite3.h>

enum rely_sql_step { RELY_SQL_FAULT = 0, RELY_SQL_ROW, RELY_SQL_DONE };

/* More than the folder has texts; what finds no room is compiled for one use. */
#define RELY_SQL_KEPT_MAX 64

/* One compiled statement, lent to one user at a time. */
struct rely_stmt {
    sqlite3_stmt *raw;    /* owned; its columns are read with SQLite's own functions */
    const char *text;     /* borrowed, and only compared as an address: see rely_sql_prepare */
    struct rely_sql *sql; /* borrowed */
    bool is_lent;
    bool is_kept; /* in rely_sql.kept; otherwise it ends with its use */
};

/* A connection and the statements compiled for it: compiling them anew was most of a write's CPU time. Zero-filled is
 * closed. */
struct rely_sql {
    sqlite3 *db; /* owned */
    struct rely_stmt kept[RELY_SQL_KEPT_MAX];
    size_t kept_count;
    char damage[256]; /* the first damage that was found; empty: none. From then on nothing is written */
    void (*note_damage)(void *context, const char *what); /* once, when it is found; NULL: nobody is told */
    void *note_context;
};

/* Finalize all statements, none of which may be lent, and close. */
void rely_sql_close(struct rely_sql *sql);

/* Give a statement back: reset, so that it holds no read transaction open and no checkpoint back; its borrowed
 * parameters forgotten. */
void rely_sql_return_at(struct rely_stmt **stmt);
/* Cleanup attribute for borrowers. */
#define RELY_STMT_LENT __attribute__((cleanup(rely_sql_return_at)))

/* Run statements without parameters or rows, once: nothing is kept. */
RELY_MUST_USE bool rely_sql_exec(struct rely_sql *sql, const char *text, struct rely_err *err);
/* Run one statement without parameters or rows, and keep it. */
RELY_MUST_USE bool rely_sql_do(struct rely_sql *sql, const char *text, struct rely_err *err);
/* End the transaction, if there is one, without a trace. */
void rely_sql_roll_back(struct rely_sql *sql);
/* NULL with the fault. Lent to the caller; the same text may be asked for again while it is. A text is found by its
 * address, so it should be static. */
struct rely_stmt *rely_sql_prepare(struct rely_sql *sql, const char *text, struct rely_err *err);
/* Bind from ?1 on: 'i' int64_t, 't' struct rely_slice (borrowed until the statement's end; ptr NULL is NULL). */
void rely_sql_bind(struct rely_stmt *stmt, const char *types, ...);
/* One, by its number from 1; the text as above. */
void rely_sql_bind_integer(struct rely_stmt *stmt, int parameter, int64_t value);
void rely_sql_bind_text(struct rely_stmt *stmt, int parameter, struct rely_slice text);
/* Every text of a row is UTF-8: one that is not is damage, and a fault. */
enum rely_sql_step rely_sql_step(struct rely_stmt *stmt, struct rely_err *err);
/* Step a statement that yields no row. */
RELY_MUST_USE bool rely_sql_run(struct rely_stmt *stmt, struct rely_err *err);
/* Of sqlite3_column_value, which may be looked into, since no other thread has the connection: a third of what asking
 * the row for type, text and length takes, and a start reads millions. Borrowed until the next step; ptr NULL for NULL. */
static inline struct rely_slice rely_sql_value_text(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return rely_slice(text, text == NULL ? 0 : (size_t)sqlite3_value_bytes(value));
}
/* The same of a column. */
struct rely_slice rely_sql_text(sqlite3_stmt *row, int column);
/* The first column of the first row; a fault when there is none. */
RELY_MUST_USE bool rely_sql_integer(struct rely_sql *sql, const char *text, int64_t *out, struct rely_err *err);
/* Record what SQLite complains of; always false. */
bool rely_sql_fault(struct rely_sql *sql, struct rely_err *err);
/* Record that what is stored is nothing that relyd has written, RELY_ERR_DAMAGED; always false. */
bool rely_sql_damaged(struct rely_sql *sql, struct rely_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

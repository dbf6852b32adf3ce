/*
 * table: one kind of object in the database: statements made from its fields, rows into records, records into rows.
 */
#ifndef RELYD_REGISTRY_TABLE_H
#define RELYD_REGISTRY_TABLE_H

#include "relyd/model.h"
#include "sql.h"

#define RELY_UPDATES_KEPT 16

/* Which fields an UPDATE names, by their places in the kind's table. */
struct rely_update {
    uint64_t fields;
    const char *text;
};

/* The statements of one kind. All texts are owned by the pool that they were made in. */
struct rely_table {
    const struct rely_kind *kind;
    const char *find; /* ?1 name, ?2 the parent's row (0: none). All fields */
    const char *page; /* ?1 after, ?2 the parent's row, ?3 limit. All fields */
    const char *each; /* what reviews see, of all rows */
    const char *insert;
    const char *erase; /* ?1 row */
    struct rely_update updates[RELY_UPDATES_KEPT];
    size_t update_count;
};

/* Is the field in a statement for rely_table_read? */
bool rely_table_has_column(const struct rely_field *field, bool is_reviewed);
/* Is it written with the record? */
bool rely_table_stores(const struct rely_field *field);
/* Text that was made, with its NUL, in the pool; the buffer is empty afterwards. */
const char *rely_table_keep(struct rely_buf *text, struct rely_pool *pool);
/* A SELECT of all fields, or of what reviews see, for rely_table_read. In: columns, more - put behind the fields (",
 * x") and behind the tables (" JOIN", " WHERE"). In the pool. */
const char *rely_table_select(const struct rely_kind *kind, bool is_reviewed, const char *columns, const char *more,
                              struct rely_pool *pool);
void rely_table_make(struct rely_table *table, const struct rely_kind *kind, struct rely_pool *pool);

/**
 * A row of one of the table's statements as a record.
 *
 * In:       is_reviewed - the statement has only what reviews see; is_kept - texts are copied into the pool, otherwise
 *           they are borrowed from the row until the next step.
 * Returns:  false: the row is none that relyd has written.
 */
bool rely_table_read(const struct rely_kind *kind, sqlite3_stmt *row, bool is_reviewed, bool is_kept,
                     struct rely_pool *pool, void *record);
/* Insert the record; its id is set. */
RELY_MUST_USE bool rely_table_insert(const struct rely_table *table, struct rely_sql *sql, void *record,
                                     struct rely_err *err);
/* Update the columns in which the two differ, revision and time. */
RELY_MUST_USE bool rely_table_update(struct rely_table *table, struct rely_sql *sql, struct rely_pool *pool,
                                     const void *before, const void *after, struct rely_err *err);

#endif

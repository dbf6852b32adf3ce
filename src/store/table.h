/*
 * table: one kind of object in the database: statements made from its fields, rows into records, records into rows.
 */
#ifndef RELYD_STORE_TABLE_H
#define RELYD_STORE_TABLE_H

#include "relyd/model.h"
#include "sql.h"

#define RELY_UPDATES_KEPT 16

/* Which fields a statement reads. */
enum rely_columns_wanted {
    RELY_COLUMNS_ALL = 1,
    RELY_COLUMNS_REVIEWED, /* what reviews and the keeper see */
    RELY_COLUMNS_TIMED,    /* the same, and when it was made and changed */
    RELY_COLUMNS_NAMES     /* what records are looked up by */
};

/* Which fields an UPDATE names, by their places in the kind's table. */
struct rely_update {
    uint64_t fields;
    const char *text;
};

/* The statements of one kind. All texts are owned by the pool that they were made in. */
struct rely_table {
    const struct rely_kind *kind;
    const char *find;      /* ?1 name, ?2 the parent's row (0: none). All fields */
    const char *find_name; /* the same, names only */
    const char *get;       /* ?1 row. All fields */
    const char *page;      /* ?1 after, ?2 the parent's row, ?3 limit. All fields */
    const char *each;      /* what reviews see, of all rows */
    const char *children;  /* ?1 the parent's row. All fields and the parent's name; NULL: it has no parent */
    const char *insert;
    const char *erase; /* ?1 row */
    struct rely_update updates[RELY_UPDATES_KEPT];
    size_t update_count;
};

/* Is the field in a statement for rely_table_read? */
bool rely_table_has_column(const struct rely_field *field, enum rely_columns_wanted wanted);
/* Is it written with the record? */
bool rely_table_stores(const struct rely_field *field);
/* Text that was made, with its NUL, in the pool; the buffer is empty afterwards. */
const char *rely_table_keep(struct rely_buf *text, struct rely_pool *pool);

/* A SELECT for rely_table_read. */
struct rely_selection {
    const struct rely_kind *kind;
    enum rely_columns_wanted wanted;
    const char *more_columns; /* put behind the fields: ", x" */
    const char *rest;         /* put behind the tables: " JOIN", " WHERE" */
};

/* In the pool. */
const char *rely_table_select(const struct rely_selection *selection, struct rely_pool *pool);
void rely_table_make(struct rely_table *table, const struct rely_kind *kind, struct rely_pool *pool);

/* A row on its way to become a record. */
struct rely_row {
    const struct rely_kind *kind;
    sqlite3_stmt *stmt;
    enum rely_columns_wanted wanted;
    bool is_kept;           /* texts are copied into the pool; otherwise borrowed from the row until the next step */
    struct rely_pool *pool; /* borrowed */
    int column;             /* the next one */
};

/* False: the row is none that relyd has written. */
bool rely_table_read(struct rely_row *row, void *record);
#endif

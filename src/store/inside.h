/*
 * inside: what the files of store/ share: the open database, and the tables of the kinds of objects. Nothing outside
 * this folder includes it.
 */
#ifndef RELYD_STORE_INSIDE_H
#define RELYD_STORE_INSIDE_H

#include "relyd/pool.h"
#include "relyd/stored.h"
#include "table.h"

#define RELY_KINDS_MAX 16
#define RELY_QUESTIONS_MAX 40
/* Of a row of revocation: it is by the uid of something that may be deleted. The index and who counts by it must say the
 * same. */
#define RELY_IS_TOMBSTONE                                                                                              \
    "(account_uid IS NOT NULL OR pod_uid IS NOT NULL OR secret_uid IS NOT NULL OR node_uid IS NOT NULL)"

struct rely_store {
    struct rely_sql sql; /* owned */
    int lock_fd;         /* owned: flock on the database file, so that no second relyd serves it; -1 for ":memory:" */
    uint64_t revision;   /* of the last accepted write, in a batch also before its commit */
    struct rely_store_opening opening;
    uint64_t revision_before;                  /* the batch */
    bool is_batch;                             /* between rely_store_begin and rely_store_commit */
    struct rely_pool texts;                    /* owned: the statements' */
    struct rely_table tables[RELY_KINDS_MAX];  /* by object */
    const char *questions[RELY_QUESTIONS_MAX]; /* by enum rely_stored_question */
};

/* Of one kind; owned by the store. */
struct rely_table *rely_store_table(struct rely_store *store, const struct rely_kind *kind);
/* Make the statements of query.c. */
void rely_store_make_questions(struct rely_store *store);

/* Is this our database, or a new one? False with RELY_ERR_INVALID for a stranger's. */
RELY_MUST_USE bool rely_schema_check_owner(struct rely_sql *sql, bool *is_new, struct rely_err *err);
/* Bring a database to this program's schema, in one transaction. *from - the version that it had; *is_changed - it is
 * another one now. */
RELY_MUST_USE bool rely_schema_migrate(struct rely_sql *sql, int64_t *from, bool *is_changed, struct rely_err *err);

/**
 * Look at a whole database, as far as its size lets that be quick.
 *
 * Out:      *how - static: what was looked at, for the log.
 * Fails:    RELY_ERR_DAMAGED, RELY_ERR_IO.
 */
RELY_MUST_USE bool rely_store_inspect(struct rely_sql *sql, const char **how, struct rely_err *err);

/**
 * Make the database's file, or look at the one that is there; then lock it against a second relyd.
 *
 * Out:      opening - is_made, warning.
 * Returns:  the descriptor, which holds the lock; -1 with RELY_ERR_IO, or RELY_ERR_INVALID when somebody else could
 *           change what is in the file.
 */
int rely_store_lock_file(const char *path, struct rely_store_opening *opening, struct rely_err *err);

/* --- schema.c: what this program's schema says. All texts are in the pool that is given ----------------------- */

/* Changed when a limit, a table or a trigger says something else; a new field needs no new number, as a database that
 * has it is refused by a relyd without it. */
#define RELY_SCHEMA_VERSION 7
#define RELY_COLUMNS_MAX (RELY_FIELDS_MAX + 3)
#define RELY_SCHEMA_ITEMS_MAX 128

struct rely_column {
    const char *name;
    const char *value; /* the default, as SQL; NULL: none */
};

/* In the order in which a database has them. */
struct rely_columns {
    struct rely_column items[RELY_COLUMNS_MAX];
    size_t count;
};

/* A row of sqlite_schema. */
struct rely_schema_item {
    const char *type, *name, *text;
};

struct rely_schema {
    struct rely_pool texts; /* owned */
    struct rely_schema_item items[RELY_SCHEMA_ITEMS_MAX];
    size_t count;
};

/* Is there such a column in the table of fields? */
bool rely_schema_knows(const struct rely_kind *kind, const char *column);
/* Put those that are missing behind what a table has; all, when it has none. */
void rely_schema_complete(const struct rely_kind *kind, struct rely_columns *columns, struct rely_pool *pool);
/* The statement that makes the object which is there from the start, with what a body gets that says nothing. */
const char *rely_schema_insert_built_in(const struct rely_kind *kind, struct rely_pool *pool);
const char *rely_schema_add_column(const struct rely_kind *kind, const struct rely_column *column,
                                   struct rely_pool *pool);
/* old_rows.c: what is to be done behind that, once; NULL: nothing. */
const char *rely_schema_fill_old_rows(const struct rely_kind *kind, const char *column);
/* A kind's table with these columns, its indexes and triggers. */
void rely_schema_add_kind(struct rely_schema *schema, const struct rely_kind *kind, const struct rely_columns *columns);
/* All else. */
void rely_schema_add_others(struct rely_schema *schema);

#endif

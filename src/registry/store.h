/*
 * store: what the files of registry/ share: the open database, one write on its way, and the table of the three
 * kinds of objects. Nothing outside this folder includes it.
 */
#ifndef RELYD_REGISTRY_STORE_H
#define RELYD_REGISTRY_STORE_H

#include "relyd/json.h"
#include "relyd/registry.h"
#include "table.h"

#define RELY_NEAR_QUERIES 4

struct rely_registry {
    struct rely_sql sql; /* owned */
    int lock_fd;         /* owned: flock on the database file, so that no second relyd serves it; -1 for ":memory:" */
    uint64_t revision;   /* of the last accepted write, in a batch also before its commit */
    struct rely_registry_opening opening;
    uint64_t revision_before;    /* the batch */
    bool is_batch;               /* between rely_registry_begin and rely_registry_commit */
    struct rely_pool texts;      /* owned: the statements' */
    struct rely_table tables[3]; /* by object */
    const char *near[RELY_NEAR_QUERIES];
    const char *dependents_of_issuer, *dependents_of_identity; /* ?1 row. All fields, then the identity's name */
    int credentials_per_identity;
    struct rely_model_rules rules;
    size_t jwks_max_bytes;
    bool (*check_jwks)(void *context, struct rely_slice jwks, struct rely_err *err);
    bool (*check_repeats)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    void *check_context; /* borrowed */
};

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
RELY_MUST_USE bool rely_registry_inspect(struct rely_sql *sql, const char **how, struct rely_err *err);

/**
 * Make the database's file, or look at the one that is there; then lock it against a second relyd.
 *
 * Out:      opening - is_made, warning.
 * Returns:  the descriptor, which holds the lock; -1 with RELY_ERR_IO, or RELY_ERR_INVALID when somebody else could
 *           change what is in the file.
 */
int rely_registry_lock_file(const char *path, struct rely_registry_opening *opening, struct rely_err *err);

/* --- schema.c: what this program's schema says. All texts are in the pool that is given ----------------------- */

/* Changed when a limit, a table or a trigger says something else; a new field needs no new number, as a database that
 * has it is refused by a relyd without it. */
#define RELY_SCHEMA_VERSION 3
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
const char *rely_schema_add_column(const struct rely_kind *kind, const struct rely_column *column,
                                   struct rely_pool *pool);
/* A kind's table with these columns, its indexes and triggers. */
void rely_schema_add_kind(struct rely_schema *schema, const struct rely_kind *kind, const struct rely_columns *columns);
/* All else. */
void rely_schema_add_others(struct rely_schema *schema);

/* One write on its way through a transaction. All borrowed. */
struct rely_write {
    struct rely_registry *registry;
    struct rely_table *table;
    const struct rely_object_path *path;
    const struct rely_writer *writer;
    struct rely_body body;        /* its pool has both records' texts */
    union rely_any_record before; /* id 0: it is to be created */
    union rely_any_record after;
    struct rely_write_result *result;
};

/* Of one kind; owned by the registry. */
struct rely_table *rely_registry_table(struct rely_registry *registry, enum rely_object object);
/* A row that no relyd has written; always false, as rely_sql_damaged. */
RELY_MUST_USE bool rely_row_damaged(struct rely_sql *sql, const struct rely_kind *kind, int64_t id,
                                    struct rely_err *err);
/* Find by name; a missing object leaves the record's id 0. False only on a fault. */
RELY_MUST_USE bool rely_registry_find(struct rely_registry *registry, const struct rely_table *table,
                                      struct rely_slice name, int64_t parent_id, struct rely_pool *pool,
                                      union rely_any_record *record, struct rely_err *err);
/* The identity's row that a credential's path names, 0 for other objects. RELY_ERR_NOT_FOUND when it is not there. */
RELY_MUST_USE bool rely_registry_find_parent(struct rely_registry *registry, const struct rely_object_path *path,
                                             int64_t *parent_id, struct rely_err *err);
void rely_registry_print_etag(uint64_t revision, char etag[32]);

/* Note the REST interface's code of a refusal and the fault; always false. */
RELY_MUST_USE bool rely_write_refuse(struct rely_write_result *result, struct rely_err *err, enum rely_err_code code,
                                     const char *word, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Is If-Match, when it was sent, what the object has? */
RELY_MUST_USE bool rely_write_check_etag(struct rely_write_result *result, const struct rely_writer *writer,
                                         const struct rely_record *found, struct rely_err *err);

/* --- rules.c: what concerns more than one object. False with the fault ------------------------------------- */

/* Find what the record names; what is wrong with that is noted in the body's problems. */
RELY_MUST_USE bool rely_rules_bind(struct rely_write *write, struct rely_err *err);
/* Is the record free to be so, beside its siblings? */
RELY_MUST_USE bool rely_rules_check(const struct rely_write *write, struct rely_err *err);
/* Would nothing change? */
bool rely_rules_are_same(const struct rely_write *write);
/* Behind the record's own row: those that go with it. */
RELY_MUST_USE bool rely_rules_store(struct rely_write *write, struct rely_err *err);

/* --- transaction.c: one write, alone or in a batch ------------------------------------------------------ */

RELY_MUST_USE bool rely_write_begin(struct rely_registry *registry, struct rely_err *err);
/* revision - of the write, 0 when it has none. After false: undo. */
RELY_MUST_USE bool rely_write_keep(struct rely_registry *registry, uint64_t revision, struct rely_err *err);
void rely_write_undo(struct rely_registry *registry);

/* --- the change log ------------------------------------------------------------------------------- */

struct rely_log_entry {
    int64_t at_s;
    struct rely_slice actor;
    const char *object;
    struct rely_slice parent; /* put before the name with a slash; ptr NULL: none */
    struct rely_slice name;
    const char *operation;
    struct rely_slice before; /* the object's text as JSON; ptr NULL: none */
    struct rely_slice after;
};

RELY_MUST_USE bool rely_change_log_append(struct rely_registry *registry, const struct rely_log_entry *entry,
                                          uint64_t *revision, struct rely_err *err);
/* In: record - taken over; NULL: removed. */
void rely_changes_add(struct rely_changes *changes, enum rely_object object, int64_t id, void *record);

/* --- rows ------------------------------------------------------------------------------------------- */

/* Visits the rows of a statement with what reviews see of a kind. */
RELY_MUST_USE bool rely_records_visit(const struct rely_kind *kind, struct rely_stmt *stmt,
                                      void (*visit)(const union rely_any_record *record, void *context), void *context,
                                      struct rely_err *err);
/* Make the statements of near.c. */
void rely_near_make(struct rely_registry *registry);

/* Put an issuer's key set into its row: its keys_generation grows. An absent document removes it. */
RELY_MUST_USE bool rely_keyset_row_put(struct rely_registry *registry, int64_t issuer_id, struct rely_slice jwks,
                                       struct rely_slice source_url, int64_t now_s, struct rely_err *err);

#endif

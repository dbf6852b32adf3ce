/*
 * store: records in SQLite: the database, its transactions and the change log. Knows the table of fields and no rule:
 * what may be written, registry/ decides. One connection, used by one thread. The only folder that speaks SQL.
 */
#ifndef RELYD_STORE_H
#define RELYD_STORE_H

#include "relyd/model.h"

struct rely_store;

struct rely_store_options {
    const char *path;             /* the database file; its folder must exist. ":memory:" in unit tests */
    int credentials_per_identity; /* what the schema enforces */
    /* Told once, when damage is found while the store is open: nothing is written from then on. May be NULL. */
    void (*note_damage)(void *context, const char *what);
    void *note_context; /* borrowed */
};

/* What opening found, for the log. */
struct rely_store_opening {
    bool is_new;           /* there was none: an empty one has been made */
    bool is_made;          /* nor was there a file */
    int64_t schema_before; /* its version before it was opened; 0 when new */
    int64_t schema;        /* its version now */
    bool is_carried_over;  /* its tables are not as they were before; also when it is new */
    const char *inspected; /* static: what was looked at; NULL: nothing, it is new */
    int64_t inspection_ms;
    char warning[256]; /* a sentence when the file's mode had to be put right; empty otherwise */
};

/**
 * Open the database, making or migrating it to the schema that this program knows.
 *
 * Spec:     WAL, synchronous=FULL, foreign_keys=ON, STRICT tables, trusted_schema=OFF, file mode 0600.
 * Fails:    RELY_ERR_IO; RELY_ERR_INVALID when the schema is newer than the program, when the file is another
 *           program's, or could have been changed by somebody else; RELY_ERR_DAMAGED when it is not whole.
 * Owner:    the caller: rely_store_close.  Thread: all calls from one thread.
 */
struct rely_store *rely_store_open(const struct rely_store_options *options, struct rely_err *err);
void rely_store_close(struct rely_store *store);
const struct rely_store_opening *rely_store_opening(const struct rely_store *store);
/* How long each call waits for a database that another program has locked: RELY_LOCK_WAIT_MS until it is said. */
void rely_store_limit_wait(struct rely_store *store, int ms);
/* Of the last change, in a batch also before its commit; 0 in a new store. */
uint64_t rely_store_revision(const struct rely_store *store);

/**
 * Begin a batch: the writes until rely_store_commit share one transaction, and so one fsync.
 *
 * Each write is still kept or undone by itself, and sees those before it. Reads see the batch as well.
 */
RELY_MUST_USE bool rely_store_begin(struct rely_store *store, struct rely_err *err);
/* End the batch. False (RELY_ERR_IO, RELY_ERR_DAMAGED): none of its writes has happened; the revision is what it was
 * before it. */
RELY_MUST_USE bool rely_store_commit(struct rely_store *store, struct rely_err *err);
/* End the batch the other way: none of its writes has happened. */
void rely_store_give_up(struct rely_store *store);

/* One write: alone it is a transaction, in a batch a part of the batch's. */
RELY_MUST_USE bool rely_store_begin_write(struct rely_store *store, struct rely_err *err);
/* revision - of the write, 0 when it has none. After false: undo. */
RELY_MUST_USE bool rely_store_keep_write(struct rely_store *store, uint64_t revision, struct rely_err *err);
void rely_store_undo_write(struct rely_store *store);

/* One row of the change log. All borrowed. */
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

/* Within a write. Out: *revision - the row's number. */
RELY_MUST_USE bool rely_store_log(struct rely_store *store, const struct rely_log_entry *entry, uint64_t *revision,
                                  struct rely_err *err);

#endif

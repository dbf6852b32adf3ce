/*
 * store: what the files of registry/ share: the open database, one write on its way, and the table of the three
 * kinds of objects. Nothing outside this folder includes it.
 */
#ifndef RELYD_REGISTRY_STORE_H
#define RELYD_REGISTRY_STORE_H

#include "field.h"
#include "relyd/registry.h"
#include "sql.h"

struct rely_registry {
    struct rely_sql sql; /* owned */
    int lock_fd;         /* owned: flock on the database file, so that no second relyd serves it; -1 for ":memory:" */
    uint64_t revision;   /* of the last accepted write, in a batch also before its commit */
    struct rely_registry_opening opening;
    uint64_t revision_before; /* the batch */
    bool is_batch;            /* between rely_registry_begin and rely_registry_commit */
    int credentials_per_identity;
    bool may_use_http;
    bool may_use_system_names;
    size_t jwks_max_bytes;
    bool (*check_jwks)(void *context, struct rely_slice jwks, struct rely_err *err);
    bool (*check_repeats)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    void *check_context; /* borrowed */
};

/* Is this our database, or a new one? False with RELY_ERR_INVALID for a stranger's. */
bool rely_schema_check_owner(struct rely_sql *sql, bool *is_new, struct rely_err *err);
/* Bring a database to this program's schema: one transaction per version. *from - the version that it had. */
bool rely_schema_migrate(struct rely_sql *sql, int64_t *from, struct rely_err *err);

/**
 * Look at a whole database, as far as its size lets that be quick.
 *
 * Out:      *how - static: what was looked at, for the log.
 * Fails:    RELY_ERR_DAMAGED, RELY_ERR_IO.
 */
bool rely_registry_inspect(struct rely_sql *sql, const char **how, struct rely_err *err);

/**
 * Make the database's file, or look at the one that is there; then lock it against a second relyd.
 *
 * Out:      warning - a sentence when something had to be put right; empty otherwise.
 * Returns:  the descriptor, which holds the lock; -1 with RELY_ERR_IO, or RELY_ERR_INVALID when somebody else could
 *           change what is in the file.
 */
int rely_registry_lock_file(const char *path, char warning[256], struct rely_err *err);

/* A part of a table's CHECKs, and what stands there from this version on. */
struct rely_check_edit {
    const char *table;
    const char *before;
    const char *after;
};

/* What takes the schema to a version from the one before it. Never changed once released. All static. */
#define RELY_MIGRATION_SCRIPTS_MAX 2
struct rely_migration {
    const char *scripts[RELY_MIGRATION_SCRIPTS_MAX]; /* run first; NULL: no more */
    const struct rely_check_edit *edits;
    size_t edit_count;
};

#define RELY_SCHEMA_VERSION 2
extern const struct rely_migration rely_migrations[RELY_SCHEMA_VERSION];

struct rely_object_kind;

/* One write on its way through a transaction. All borrowed, but for what a comment says. */
struct rely_write {
    struct rely_registry *registry;
    const struct rely_object_kind *kind;
    const struct rely_object_path *path;
    const struct rely_writer *writer;
    const struct rely_json *body;
    struct rely_json *before; /* owned by the write: the object as it was; NULL when it is to be created */
    int64_t id;               /* the object's row; 0 until it is inserted */
    int64_t parent_id;        /* the identity's row, of a credential; 0 otherwise */
    struct rely_slice name;   /* checked */
    struct rely_problems *problems;
    struct rely_write_result *result;
};

/* One kind of object: how its rows are found, shown and saved. */
struct rely_object_kind {
    enum rely_object object;
    const char *word;         /* in the change log and in sentences */
    const char *article_word; /* the same with its article */
    const char *find_sql;     /* ?1 name, ?2 parent's row (0: none); columns: id, revision, then what show reads */
    const char *page_sql;     /* ?1 after, ?2 parent's row, ?3 limit; the same columns */
    const char *touch_sql;    /* ?1 id, ?2 revision, ?3 time */
    const char *erase_sql;    /* ?1 id */
    const struct rely_member *members;
    size_t member_count;
    struct rely_json *(*show)(sqlite3_stmt *row); /* NULL: the row is damaged */
    /* Check the body, then insert (id 0) or update. False: with problems or err. */
    bool (*save)(struct rely_write *write, struct rely_err *err);
};

extern const struct rely_object_kind rely_issuer_kind;
extern const struct rely_object_kind rely_identity_kind;
extern const struct rely_object_kind rely_credential_kind;
const struct rely_object_kind *rely_object_kind(enum rely_object object);

/* One object as found. Zero-filled is "not there". */
struct rely_found {
    int64_t id;
    uint64_t revision;
    struct rely_json *object; /* owned by whoever asked */
};

/* Find by name; a missing object leaves *found zero. False only on a fault. */
bool rely_registry_find(struct rely_registry *registry, const struct rely_object_kind *kind, struct rely_slice name,
                        int64_t parent_id, struct rely_found *found, struct rely_err *err);
/* The identity's row that a credential's path names, 0 for other objects. RELY_ERR_NOT_FOUND when it is not there. */
bool rely_registry_find_parent(struct rely_registry *registry, const struct rely_object_path *path, int64_t *parent_id,
                               struct rely_err *err);
void rely_registry_print_etag(uint64_t revision, char etag[32]);

/* Note the REST interface's code of a refusal and the fault; always false. */
bool rely_write_refuse(struct rely_write_result *result, struct rely_err *err, enum rely_err_code code,
                       const char *word, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* --- transaction.c: one write, alone or in a batch ------------------------------------------------------ */

bool rely_write_begin(struct rely_registry *registry, struct rely_err *err);
/* revision - of the write, 0 when it has none. After false: undo. */
bool rely_write_keep(struct rely_registry *registry, uint64_t revision, struct rely_err *err);
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

bool rely_change_log_append(struct rely_registry *registry, const struct rely_log_entry *entry, uint64_t *revision,
                            struct rely_err *err);
void rely_changes_add(struct rely_changes *changes, enum rely_object object, bool is_removed, int64_t id);

/* --- rows ------------------------------------------------------------------------------------------- */

/* Where an issuer's keys come from, checked. */
struct rely_issuer_keys {
    enum rely_key_source source;
    struct rely_slice jwks_uri; /* borrowed from the body */
    struct rely_json *shown;    /* owned: the normal form of `keys` */
    struct rely_buf document;   /* owned: the uploaded set; empty otherwise */
};

/* An issuer's body, checked. Slices are borrowed from the body. */
struct rely_issuer_record {
    struct rely_slice url, discovery_url, ca_bundle, description;
    struct rely_issuer_keys keys;
    uint32_t algs;
    struct rely_buf types; /* owned: lines, lower case */
    int64_t leeway_s;
    int64_t max_lifetime_s; /* 0: no limit */
    bool may_use_http, may_use_private_addresses, is_enabled;
};

/* True: neither this nor what was checked before it has a problem. */
bool rely_issuer_record_read(const struct rely_write *write, struct rely_issuer_record *record);
void rely_issuer_record_fini(struct rely_issuer_record *record);
/* Does this write enable a record that was disabled? */
bool rely_issuer_is_woken(const struct rely_write *write);
void rely_issuer_keys_read(const struct rely_write *write, bool may_use_http, struct rely_issuer_keys *keys);

/* NULL for what is no bit of an algorithm. Bits and names are those of enum rely_alg, which is above this folder. */
const char *rely_issuer_alg_name(int bit);
#define RELY_ISSUER_ALGS 10
#define RELY_ISSUER_ALGS_ALL 0x7feu /* bits 1 to 10 */

struct rely_identity_record {
    struct rely_slice username; /* the name when absent */
    bool is_username_subject, is_enabled;
    struct rely_buf groups; /* owned: lines */
    struct rely_buf extra;  /* owned: lines of key, tabulator, value */
    struct rely_slice description;
};

bool rely_identity_record_read(const struct rely_write *write, struct rely_identity_record *record);
void rely_identity_record_fini(struct rely_identity_record *record);

struct rely_credential_record {
    int64_t issuer_id;
    struct rely_slice subject, description;
    struct rely_buf audiences; /* owned: lines */
};

/* The same, but false also when err is set. */
bool rely_credential_record_read(const struct rely_write *write, struct rely_credential_record *record,
                                 struct rely_err *err);
void rely_credential_record_fini(struct rely_credential_record *record);

/* Visits credential rows of one statement whose columns are RELY_CREDENTIAL_COLUMNS. */
#define RELY_CREDENTIAL_COLUMNS "o.id, o.issuer_id, o.identity_id, o.name, o.subject, o.audiences"
bool rely_credential_visit(struct rely_stmt *stmt, void (*visit)(const struct rely_credential *row, void *context),
                           void *context, struct rely_err *err);

/* Read the stored set of an issuer. Out: *jwks - without ptr when there is none; the caller's to empty. */
bool rely_keyset_row_read(struct rely_registry *registry, int64_t issuer_id, struct rely_buf *jwks,
                          struct rely_err *err);
/* Put an issuer's key set into its row: its keys_generation grows. An absent document removes it. */
bool rely_keyset_row_put(struct rely_registry *registry, int64_t issuer_id, struct rely_slice jwks,
                         struct rely_slice source_url, int64_t now_s, struct rely_err *err);

#endif

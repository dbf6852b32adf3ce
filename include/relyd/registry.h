/*
 * registry: issuers, identities and federated credentials, and the rules between them. Used by the control thread only.
 * A refused write changes nothing.
 *
 * Objects go in and out as the JSON of the REST interface; the snapshot builder is given records.
 */
#ifndef RELYD_REGISTRY_H
#define RELYD_REGISTRY_H

#include "relyd/model.h"
#include "relyd/store.h"

struct rely_registry;

/* A key set that is about to be uploaded. All borrowed. */
struct rely_registry_keys {
    struct rely_slice url; /* of the record */
    int64_t issuer_id;     /* its row; 0: it is new */
    struct rely_slice jwks;
};

struct rely_registry_options {
    const char *path;             /* the database file; its folder must exist. ":memory:" in unit tests */
    int credentials_per_identity; /* registry.max_credentials_per_identity */
    bool may_use_http;            /* issuers.allow_http: http URLs when the record's allowHttp is true as well */
    bool may_use_system_names;    /* identities.allow_system_names */
    size_t jwks_max_bytes;        /* keys.max_bytes; 0: RELY_JWKS_BYTES_MAX */
    /* keys/'s judgement of an uploaded set. NULL: all are good. */
    bool (*check_jwks)(void *context, struct rely_slice jwks, struct rely_err *err);
    /* Is no key of an uploaded set another record's with the same URL? Asked when the set is new. NULL: always. */
    bool (*check_repeats)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    void *check_context; /* borrowed: first argument of the two */
    /* Told once, when damage is found while the registry is open: nothing is written from then on. May be NULL. */
    void (*note_damage)(void *context, const char *what);
    void *note_context; /* borrowed */
};

/**
 * Open the registry on its database.
 *
 * Fails:    as rely_store_open.
 * Owner:    the caller: rely_registry_close.  Thread: all calls from one thread.
 */
struct rely_registry *rely_registry_open(const struct rely_registry_options *options, struct rely_err *err);
void rely_registry_close(struct rely_registry *registry);
const struct rely_store_opening *rely_registry_opening(const struct rely_registry *registry);
/* The revision of the last accepted change; 0 in a new registry. */
uint64_t rely_registry_revision(const struct rely_registry *registry);

/* One object that a write touched, to be carried into the next snapshot. */
struct rely_change {
    enum rely_object object;
    int64_t id;
    void *record; /* owned: the kind's record as it is now; NULL: it was removed */
};

/* What one accepted write changed. Zero-filled is empty. */
struct rely_changes {
    uint64_t revision;
    struct rely_change *items; /* owned: rely_changes_fini */
    size_t count;
    size_t cap;
};

/* Free the list; it is empty afterwards. */
void rely_changes_fini(struct rely_changes *changes);
/* Append all of `from`, which is later, to `into`; `from` is empty afterwards. */
void rely_changes_move(struct rely_changes *into, struct rely_changes *from);

/* Which object: `parent` is the identity's name for a credential, absent otherwise. */
struct rely_object_path {
    enum rely_object object;
    struct rely_slice parent;
    struct rely_slice name;
};

/* Who writes, when, and on what condition. */
struct rely_writer {
    struct rely_slice actor; /* for the change log: `uid:0`, `tcp:127.0.0.1`, `fetch` */
    int64_t now_s;
    struct rely_slice if_match; /* the ETag that the object must have now; ptr NULL: no condition */
    bool may_cascade;           /* delete an issuer together with its credentials */
};

/* What a write answers. Zero-filled before the call; rely_write_result_fini after it. */
struct rely_write_result {
    bool is_created;
    struct rely_json *object; /* owned: the object as it is now (NULL after a delete) */
    char etag[32];            /* quoted, as in the header; changes with every change of the object */
    char code[40];            /* of a refusal, for the REST interface: invalid_body, not_found, already_exists,
                               * duplicate_issuer_and_subject, issuer_in_use, too_many_credentials, precondition_failed;
                               * empty for a fault on our side */
    struct rely_changes changes;
};

/* Free the object and the changes. */
void rely_write_result_fini(struct rely_write_result *result);

/**
 * Create an object: the name is the body's `name`.
 *
 * In:       path - its name is ignored; body - borrowed, any JSON.
 * Out:      *result on true. *problems - one entry per wrong field, on RELY_ERR_INVALID.
 * Fails:    RELY_ERR_INVALID; RELY_ERR_NOT_FOUND (the parent); RELY_ERR_CONFLICT (name, uid, or issuer and subject are
 * taken); RELY_ERR_LIMIT (the identity has its 20 credentials); RELY_ERR_IO. On false nothing has changed.
 */
RELY_MUST_USE bool rely_registry_create(struct rely_registry *registry, const struct rely_object_path *path,
                                        const struct rely_json *body, const struct rely_writer *writer,
                                        struct rely_write_result *result, struct rely_problems *problems,
                                        struct rely_err *err);

/* Create or replace the object of this name; a `name` in the body must equal it. When an issuer's record names another
 * source of keys, the stored set is dropped and keys_generation grows: keys in force come from the source named. Fails
 * as create does, and with RELY_ERR_PRECONDITION. A replacement that changes nothing is accepted and is no change. */
RELY_MUST_USE bool rely_registry_replace(struct rely_registry *registry, const struct rely_object_path *path,
                                         const struct rely_json *body, const struct rely_writer *writer,
                                         struct rely_write_result *result, struct rely_problems *problems,
                                         struct rely_err *err);

/* Delete. An identity goes with its credentials; an issuer that has some is RELY_ERR_CONFLICT unless may_cascade. */
RELY_MUST_USE bool rely_registry_delete(struct rely_registry *registry, const struct rely_object_path *path,
                                        const struct rely_writer *writer, struct rely_write_result *result,
                                        struct rely_err *err);

/**
 * Begin a batch: the writes until rely_registry_commit share one transaction, and so one fsync.
 *
 * Each write is still accepted or refused by itself, and sees those before it; a refused one undoes nothing but itself.
 * An accepted one is final only when the commit has succeeded: nobody may be told before. Reads see the batch as well.
 */
RELY_MUST_USE bool rely_registry_begin(struct rely_registry *registry, struct rely_err *err);
/* End the batch. False (RELY_ERR_IO, RELY_ERR_DAMAGED): none of its writes has happened; the revision is what it was
 * before it. */
RELY_MUST_USE bool rely_registry_commit(struct rely_registry *registry, struct rely_err *err);
/* End the batch the other way: none of its writes has happened. */
void rely_registry_give_up(struct rely_registry *registry);

/* Read one object as JSON. *object is owned by the caller; etag takes 32 bytes. */
RELY_MUST_USE bool rely_registry_read(struct rely_registry *registry, const struct rely_object_path *path,
                                      struct rely_json **object, char etag[32], struct rely_err *err);

/* Up to `limit` objects in the order of their names, behind the name `after` (absent: from the start). *array is owned
 * by the caller; *has_more tells whether there are further ones. */
RELY_MUST_USE bool rely_registry_list(struct rely_registry *registry, const struct rely_object_path *parent,
                                      struct rely_slice after, size_t limit, struct rely_json **array, bool *has_more,
                                      struct rely_err *err);

/* --- for the snapshot builder and the key keeper ------------------------------------------------ */

/**
 * Visit every object of a kind, the enabled issuers before the others. Records hold what reviews and the keeper see
 * (RELY_FIELD_REVIEWED), and are borrowed during the visit.
 *
 * Fails:    RELY_ERR_IO, RELY_ERR_DAMAGED.
 */
RELY_MUST_USE bool rely_registry_each(struct rely_registry *registry, enum rely_object object,
                                      void (*visit)(const union rely_any_record *record, void *context), void *context,
                                      struct rely_err *err);

/* A key set that was fetched. All borrowed. */
struct rely_fetched_keys {
    int64_t issuer_id;
    uint64_t record_revision;     /* of the record that asked for it */
    struct rely_slice jwks;       /* the document as received; ptr NULL: the stored one was fetched again */
    struct rely_slice source_url; /* that was asked */
    int64_t at_s;
    uint64_t merged_count; /* changes before this one that were in force and were not stored */
};

/* What storing it has made. */
struct rely_stored_keys {
    uint64_t generation; /* the issuer's keys_generation now */
    uint64_t revision;   /* of its row in the change log; 0: none, the document was stored already */
};

/**
 * Store a key set that was fetched and accepted: one row of the change log (kids, up to 2 KiB of them, not the
 * document), and its keys_generation grows. The issuer's ETag stays: keys are no part of its record. The stored
 * document again, or none, only updates the time of fetching.
 *
 * Fails:    RELY_ERR_NOT_FOUND (the issuer is gone), RELY_ERR_CONFLICT (its record is not the one that asked any
 *           more), RELY_ERR_IO.
 */
RELY_MUST_USE bool rely_registry_put_keyset(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                                            struct rely_stored_keys *stored, struct rely_err *err);

/**
 * Visit the credentials nearest to a subject that matched none, for explain: those with the same subject, or one that
 * differs in letter case, of every issuer; then this issuer's neighbours in the order of subjects. At most `limit`.
 */
RELY_MUST_USE bool rely_registry_each_near(struct rely_registry *registry, int64_t issuer_id, struct rely_slice subject,
                                           size_t limit,
                                           void (*visit)(const union rely_any_record *record, void *context),
                                           void *context, struct rely_err *err);

#endif

/*
 * registry: issuers, identities and federated credentials, and the rules between them. Used by the control thread only.
 *
 * Here: the open registry, its batches, and what a first snapshot is made of. Writing and reading objects is in
 * objects.h, what a write has changed in changes.h, and the key sets of issuers in fetched.h.
 */
#ifndef RELYD_REGISTRY_H
#define RELYD_REGISTRY_H

#include "relyd/model.h"
#include "relyd/store.h"

struct rely_registry;

/* A key set that is about to be uploaded. All borrowed. */
struct rely_registry_keys {
    const struct rely_issuer_record *record; /* as it is to be; its row is 0 where it is new */
    struct rely_slice jwks;
};

struct rely_registry_options {
    const char *path;             /* the database file; its folder must exist. ":memory:" in unit tests */
    int credentials_per_identity; /* registry.max_credentials_per_identity */
    bool may_use_http;            /* issuers.allow_http: http URLs when the record's allowHttp is true as well */
    bool may_use_system_names;    /* identities.allow_system_names */
    bool has_key_folder;          /* keys.folder: files may be named */
    size_t jwks_max_bytes;        /* keys.max_bytes; 0: RELY_JWKS_BYTES_MAX */
    /* keys/'s judgement of an uploaded set. NULL: all are good. */
    RELY_MUST_USE bool (*check_jwks)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    /* Is no key of an uploaded set another record's with one of the same names? Asked when the set is new. NULL: always. */
    RELY_MUST_USE bool (*check_repeats)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
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
/* As rely_store_limit_wait. */
void rely_registry_limit_wait(struct rely_registry *registry, int ms);
/* The revision of the last accepted change; 0 in a new registry. */
uint64_t rely_registry_revision(const struct rely_registry *registry);

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

/**
 * Visit every object of a kind, the enabled issuers before the others. Records hold what reviews and the keeper see
 * (RELY_FIELD_REVIEWED), and are borrowed during the visit.
 *
 * Fails:    RELY_ERR_IO, RELY_ERR_DAMAGED.
 */
RELY_MUST_USE bool rely_registry_each(struct rely_registry *registry, enum rely_object object,
                                      void (*visit)(const union rely_any_record *record, void *context), void *context,
                                      struct rely_err *err);

#endif

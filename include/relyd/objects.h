/*
 * objects: issuers, identities and federated credentials are written, deleted and read here, one at a time or a page.
 * They go in and out as the JSON of the REST interface. A refused write changes nothing.
 */
#ifndef RELYD_OBJECTS_H
#define RELYD_OBJECTS_H

#include "relyd/changes.h"

struct rely_json;
struct rely_pin;
struct rely_registry;

/* Which object: `parent` is the name of its parent, absent where the kind has none. */
struct rely_object_path {
    enum rely_object object;
    struct rely_slice parent;
    struct rely_slice name;
};

/* Who writes, when, and on what condition. */
struct rely_writer {
    struct rely_slice actor; /* for the change log: `uid:0`, `identity:ops`, `tcp:127.0.0.1`, `fetch` */
    int64_t now_s;
    struct rely_slice if_match; /* the ETag that the object must have now; ptr NULL: no condition */
    bool may_cascade;           /* delete an issuer or a group together with its credentials */
    struct rely_slice identity; /* that writes; ptr NULL: root, or another that is none */
    bool is_owner_only;  /* has no role: credentials of identities that name it as an owner, and have no role, alone */
    bool is_strict;      /* a warning is a refusal */
    bool may_override;   /* what may be overridden is a warning; not for whoever is_owner_only */
    bool may_end_admins; /* also the last administrator: somebody can make the next */
};

/* A write as it is asked for. */
struct rely_write {
    struct rely_object_path path;
    const struct rely_json *body; /* borrowed; any JSON */
    struct rely_slice preset;     /* that a new issuer is made from; ptr NULL: none */
    struct rely_writer writer;
};

/* What a write answers. Zero-filled before the call; rely_write_result_fini after it. */
struct rely_write_result {
    bool is_created;
    struct rely_json *object; /* owned: the object as it is now (NULL after a delete) */
    char etag[32];            /* quoted, as in the header; changes with every change of the object */
    char code[40];            /* of a refusal, for the REST interface: invalid_body, not_found, already_exists,
                               * duplicate_issuer_and_subject, certificate_in_use, issuer_in_use, group_in_use, in_use, built_in, last_admin,
                               * too_many_credentials, too_many_revocations, too_many_groups, too_many_objects, precondition_failed, not_permitted; empty for a fault on our
                               * side */
    struct rely_json *users;  /* owned: of in_use: some that use the object, each with `object` and `name`; or NULL */
    struct rely_problems problems; /* of a body that is refused */
    struct rely_problems warnings; /* of one that is accepted */
    size_t overridden_count; /* of the warnings the first: what has been changed in spite of them, by may_override */
    struct rely_changes changes;
};

/* Free what it owns. */
void rely_write_result_fini(struct rely_write_result *result);

/**
 * Create an object: the name is the body's `name`.
 *
 * In:       write - its path's name is ignored.
 * Out:      *result - whole on true; on RELY_ERR_INVALID it has one problem for every wrong field.
 * Fails:    RELY_ERR_INVALID; RELY_ERR_NOT_FOUND (the parent); RELY_ERR_CONFLICT (name, uid, issuer and subject, or a
 * certificate's name are taken, or it is the last administrator); RELY_ERR_FORBIDDEN (it is not for this writer); RELY_ERR_LIMIT (the identity has its 20 credentials); RELY_ERR_IO. On false nothing has changed.
 */
RELY_MUST_USE bool rely_registry_create(struct rely_registry *registry, const struct rely_write *write,
                                        struct rely_write_result *result, struct rely_err *err);

/* Create or replace the object of this name; a `name` in the body must equal it. When an issuer's record names another
 * source of keys, the stored set is dropped and keys_generation grows: keys in force come from the source named. Fails
 * as create does, and with RELY_ERR_PRECONDITION. A replacement that changes nothing is accepted and is no change. */
RELY_MUST_USE bool rely_registry_replace(struct rely_registry *registry, const struct rely_write *write,
                                         struct rely_write_result *result, struct rely_err *err);

/* Delete. What is below an object goes with it, an identity's credentials; an issuer or a group
 * that has some is RELY_ERR_CONFLICT unless may_cascade; an issuer leaves its groups. */
RELY_MUST_USE bool rely_registry_delete(struct rely_registry *registry, const struct rely_object_path *path,
                                        const struct rely_writer *writer, struct rely_write_result *result,
                                        struct rely_err *err);

/* Put an issuer into a group, or take it out. In: path - of a member: the group's name and the issuer's. What is so
 * already is accepted, and is no change: then the result has no changes. Fails as replace and delete do; too_many_groups,
 * too_many_objects and last_admin are conflicts. */
RELY_MUST_USE bool rely_registry_join_group(struct rely_registry *registry, const struct rely_object_path *path,
                                            const struct rely_writer *writer, struct rely_write_result *result,
                                            struct rely_err *err);
RELY_MUST_USE bool rely_registry_leave_group(struct rely_registry *registry, const struct rely_object_path *path,
                                             const struct rely_writer *writer, struct rely_write_result *result,
                                             struct rely_err *err);

/* Delete revocations that are over at that time, RELY_SWEPT_AT_ONCE at most, each as a write of its own. Out: changes -
 * what was done is added; *count - how many went. */
#define RELY_SWEPT_AT_ONCE 200
RELY_MUST_USE bool rely_registry_sweep(struct rely_registry *registry, int64_t now_s, struct rely_changes *changes,
                                       size_t *count, struct rely_err *err);

/* Write down the uid of the service account that is the first to use a credential, if it has none by now and is what the
 * pin was asked for; else nothing is done. Out: changes - what was done is added. */
RELY_MUST_USE bool rely_registry_pin(struct rely_registry *registry, const struct rely_pin *pin, int64_t now_s,
                                     struct rely_changes *changes, struct rely_err *err);

/* Read one object as JSON. *object is owned by the caller; etag takes 32 bytes. */
RELY_MUST_USE bool rely_registry_read(struct rely_registry *registry, const struct rely_object_path *path,
                                      struct rely_json **object, char etag[32], struct rely_err *err);

/* A part of a collection, in the order of names. */
struct rely_object_page {
    struct rely_slice after; /* behind this name; ptr NULL: from the start */
    size_t limit;            /* of objects; large ones end a page earlier */
    struct rely_json *array; /* out: owned by the caller */
    int64_t *ids;            /* borrowed, with room for as many: the row of each is put there; NULL: nobody asks */
    bool has_more;           /* out: there are further ones */
};

/* Read the page of a collection. In: parent - its name is ignored. Out: page - array and has_more. */
RELY_MUST_USE bool rely_registry_list(struct rely_registry *registry, const struct rely_object_path *parent,
                                      struct rely_object_page *page, struct rely_err *err);

/* By what rules by expression are looked up that a token may nearly match. */
struct rely_near_place {
    int64_t scope;
    struct rely_slice prefix; /* that its subject has */
    struct rely_slice claim;  /* by which they are told apart; "": by none */
    struct rely_slice text;   /* what the token says there */
};

/* What explain asks when a subject matched no credential. All borrowed. */
struct rely_near_question {
    int64_t issuer_id;
    struct rely_slice subject;
    size_t limit; /* of credentials with a subject */
    const struct rely_near_place *places;
    size_t place_count;
    const int64_t *scopes; /* the issuer's and its groups' */
    size_t scope_count;
};

/**
 * Visit the credentials nearest to a token, of which some may come twice: those with the same subject, or one that
 * differs in letter case, of every issuer; then the issuer's neighbours in the order of subjects; then those with an
 * expression, a few at each place, and a few of each scope whose prefix is next to the subject. Records are borrowed
 * during the visit.
 */
RELY_MUST_USE bool rely_registry_each_near(struct rely_registry *registry, const struct rely_near_question *question,
                                           void (*visit)(const union rely_any_record *record, void *context),
                                           void *context, struct rely_err *err);

#endif

/*
 * inside: what the files of registry/ share: the open registry, and one write on its way. Nothing outside this folder
 * includes it.
 */
#ifndef RELYD_REGISTRY_INSIDE_H
#define RELYD_REGISTRY_INSIDE_H

#include "relyd/compose.h"
#include "relyd/objects.h"
#include "relyd/patch.h"
#include "relyd/pool.h"
#include "relyd/registry.h"
#include "relyd/stored.h"

struct rely_registry {
    struct rely_store *store; /* owned */
    int credentials_per_identity;
    struct rely_model_rules rules;
    size_t jwks_max_bytes;
    RELY_MUST_USE bool (*check_jwks)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    RELY_MUST_USE bool (*check_repeats)(void *context, const struct rely_registry_keys *keys, struct rely_err *err);
    void *check_context; /* borrowed */
};

/* One write on its way through a transaction. All borrowed. */
struct rely_writing {
    struct rely_registry *registry;
    const struct rely_object_path *path;
    const struct rely_writer *writer;
    struct rely_slice preset;     /* as in struct rely_write */
    struct rely_body body;        /* its pool has both records' texts */
    union rely_any_record before; /* id 0: it is to be created */
    union rely_any_record after;
    struct rely_write_result *result;
};

/* Who writes what, for powers.c. All borrowed. */
struct rely_powers {
    struct rely_registry *registry;
    const struct rely_writer *writer;
    const struct rely_object_path *path;
    struct rely_write_result *result; /* its code is set */
};

/* Who puts records into groups and takes them out. All borrowed. */
struct rely_joining {
    struct rely_registry *registry;
    const struct rely_writer *writer;
    struct rely_write_result *result; /* its changes grow, and their revision */
};

/* A group's row and name. */
struct rely_joined_group {
    int64_t id;
    struct rely_slice name;
};

/* An identity that goes. All borrowed. */
struct rely_leaving {
    struct rely_registry *registry;
    const struct rely_writer *writer;
    int64_t id;
    struct rely_slice name;
    struct rely_changes *changes;
};

/* An issuer's keys become others. All borrowed; ptr NULL: absent. */
struct rely_key_change {
    int64_t at_s;
    const char *operation;         /* as GET .../keys shows it */
    struct rely_slice actor;       /* who gave or dropped them */
    struct rely_slice source_url;  /* where they were fetched */
    struct rely_slice jwks_before; /* the document that they take the place of */
    struct rely_slice seen;        /* as in struct rely_fetched_keys */
    uint64_t merged_count;
};

/* The row of the parent that a path names, 0 for a kind that has none. RELY_ERR_NOT_FOUND when it is not there. */
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
RELY_MUST_USE bool rely_rules_bind(struct rely_writing *write, struct rely_err *err);
/* Is the record free to be so, beside its siblings? */
RELY_MUST_USE bool rely_rules_check(const struct rely_writing *write, struct rely_err *err);
/* Would nothing change? */
bool rely_rules_are_same(const struct rely_writing *write);
/* Does a credential want the same of the same tokens as before? It has been accepted so. */
bool rely_rules_want_as_before(const struct rely_writing *write);
/* Does the record itself change, and not only what has rows of its own? */
bool rely_rules_change_record(const struct rely_writing *write);
/* Behind the record's own row: those that go with it. */
RELY_MUST_USE bool rely_rules_store(struct rely_writing *write, struct rely_err *err);

/* --- history.c ---------------------------------------------------------------------------------------------- */

/* Note the change beside the record, which has its new document already; the texts are the pool's. */
void rely_history_note(const struct rely_key_change *change, struct rely_issuer_record *issuer, struct rely_pool *pool);

/* --- identities.c: false with the fault ---------------------------------------------------------------- */

RELY_MUST_USE bool rely_identities_bind_owners(struct rely_writing *write, struct rely_err *err);
RELY_MUST_USE bool rely_identities_check_certificates(const struct rely_writing *write, struct rely_err *err);
/* This one goes: whom it owned it owns no longer, with a row of the log each. */
RELY_MUST_USE bool rely_identities_leave_owners(const struct rely_leaving *leaving, struct rely_err *err);

/* --- revocations.c --------------------------------------------------------------------------------------- */

RELY_MUST_USE bool rely_revocations_bind(struct rely_writing *write, struct rely_err *err);

/* --- expressions.c: rules by expression beside others. False with the fault ---------------------------------- */

RELY_MUST_USE bool rely_expressions_bind(struct rely_writing *write, struct rely_err *err);
RELY_MUST_USE bool rely_expressions_check(const struct rely_writing *write, struct rely_err *err);
/* By which term a rule is found, as its column has it. Copied into the pool. */
struct rely_slice rely_expressions_print_key(struct rely_slice claim, struct rely_slice text, struct rely_pool *pool);

/* --- subjects.c: which claim is the subject. False with the fault -------------------------------------------- */

/* Of a credential that is bound: its record's, or its group's. */
RELY_MUST_USE bool rely_subjects_bind(struct rely_writing *write, struct rely_err *err);
/* A whole group is written. Out: *claim - its credentials'; absent: it has none. */
RELY_MUST_USE bool rely_subjects_begin_group(const struct rely_writing *write, struct rely_slice *claim,
                                             struct rely_err *err);
/* One more of its records: has it the same? In and out: *claim - those before it; it is the first where that is absent. */
RELY_MUST_USE bool rely_subjects_take_member(const struct rely_writing *write, int64_t issuer_id,
                                             struct rely_slice *claim, bool *is_same, struct rely_err *err);
/* May a record come into a group that stays as it is? */
RELY_MUST_USE bool rely_subjects_check_join(const struct rely_joining *joining, const struct rely_joined_group *group,
                                            int64_t issuer_id, struct rely_pool *pool, struct rely_err *err);
/* Has a record that is there another one from now on? */
bool rely_subjects_is_new_claim(const struct rely_writing *write);
/* May it? */
RELY_MUST_USE bool rely_subjects_check_issuer(const struct rely_writing *write, struct rely_err *err);

/* --- trust_domains.c: false with the fault ------------------------------------------------------------------------ */

RELY_MUST_USE bool rely_trust_domains_check(const struct rely_writing *write, struct rely_err *err);

/* --- groups.c: groups of issuers' records. False with the fault ---------------------------------------------- */

RELY_MUST_USE bool rely_groups_bind(struct rely_writing *write, struct rely_err *err);
/* Has it the same records? */
bool rely_groups_are_same(const struct rely_writing *write);
RELY_MUST_USE bool rely_groups_store(struct rely_writing *write, struct rely_err *err);

/* --- members.c: one record in one group. False with the fault ------------------------------------------------ */

/* Put a record that is not in the group into it. RELY_ERR_NOT_FOUND: there is no such record. */
RELY_MUST_USE bool rely_members_add(const struct rely_joining *joining, const struct rely_joined_group *group,
                                    struct rely_slice issuer, struct rely_err *err);
/* Take out a record, which may not be in it: nothing is done then. */
RELY_MUST_USE bool rely_members_remove(const struct rely_joining *joining, const struct rely_joined_group *group,
                                       struct rely_slice issuer, struct rely_err *err);
/* The group is another one since the last of these: its ETag and when it was changed. */
RELY_MUST_USE bool rely_members_touch_group(const struct rely_joining *joining, int64_t group_id, struct rely_err *err);
/* The record goes: out of all its groups. */
RELY_MUST_USE bool rely_members_remove_issuer(const struct rely_joining *joining, int64_t issuer_id,
                                              struct rely_err *err);

/* --- routes.c: false with the fault ------------------------------------------------------------------------ */

RELY_MUST_USE bool rely_routes_bind(struct rely_writing *write, struct rely_err *err);
/* Does no route name this object, which is to go? */
RELY_MUST_USE bool rely_routes_check_free(struct rely_registry *registry, const struct rely_object_path *path,
                                          struct rely_write_result *result, struct rely_err *err);

/* --- tenants.c: issuers that many tenants share. False with the fault ---------------------------------------- */

/* What would let in every tenant is noted in the body's problems. */
RELY_MUST_USE bool rely_tenants_bind_credential(const struct rely_writing *write, struct rely_err *err);
RELY_MUST_USE bool rely_tenants_bind_issuer(const struct rely_writing *write, struct rely_err *err);
/* This record is about to join the group: a refusal where a credential of the group would let in every tenant. */
RELY_MUST_USE bool rely_tenants_check_member(const struct rely_joining *joining, const struct rely_joined_group *group,
                                             int64_t issuer_id, struct rely_err *err);

/* --- lint.c ---------------------------------------------------------------------------------------------- */

/* What is to be said of what is about to be written. */
RELY_MUST_USE bool rely_lints_run(const struct rely_writing *write, struct rely_problems *warnings,
                                  struct rely_err *err);

/* --- powers.c: may this writer? False with the fault -------------------------------------------------------- */

/* In: parent_id - of a credential: its identity's row. */
RELY_MUST_USE bool rely_powers_check_place(const struct rely_powers *powers, int64_t parent_id, struct rely_err *err);
/* Is what a credential lets in the writer's to let in? In: before - NULL: there was none. */
RELY_MUST_USE bool rely_powers_check_subject(const struct rely_powers *powers,
                                             const struct rely_credential_record *before,
                                             const struct rely_credential_record *after, struct rely_err *err);
/* What is to become of an object that is there. In: after - NULL: it goes. */
RELY_MUST_USE bool rely_powers_check_change(const struct rely_powers *powers, const union rely_any_record *before,
                                            const union rely_any_record *after, struct rely_err *err);
/* A record leaves a group, and so those whom it lets in. */
RELY_MUST_USE bool rely_powers_check_leaving(const struct rely_powers *powers, int64_t group_id, struct rely_err *err);
/* A credential of this identity goes with its issuer or group. */
RELY_MUST_USE bool rely_powers_check_lost(const struct rely_powers *powers, struct rely_slice identity,
                                          const struct rely_credential_record *lost, struct rely_err *err);

/* In: record - taken over; NULL: removed. */
void rely_changes_add(struct rely_changes *changes, enum rely_object object, int64_t id, void *record);

#endif

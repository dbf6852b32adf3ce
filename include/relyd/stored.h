/*
 * stored: records in and out of the store. Reading decides whether a row is whole: one that is not is damage
 * (RELY_ERR_DAMAGED), and from then on nothing is written.
 */
#ifndef RELYD_STORED_H
#define RELYD_STORED_H

#include "relyd/store.h"

/* Where a record is found. All borrowed. */
struct rely_stored_place {
    const struct rely_kind *kind;
    int64_t parent_id; /* 0: the kind has no parents */
    struct rely_slice name;
};

/* A record, with its texts in the pool; one that is missing leaves the record's id 0. False only on a fault. */
RELY_MUST_USE bool rely_stored_find(struct rely_store *store, const struct rely_stored_place *place,
                                    struct rely_pool *pool, union rely_any_record *record, struct rely_err *err);
/* The same, with nothing but what records are looked up by: names, and fields that are indexed. */
RELY_MUST_USE bool rely_stored_find_name(struct rely_store *store, const struct rely_stored_place *place,
                                         struct rely_pool *pool, union rely_any_record *record, struct rely_err *err);

/* Who is given records, one after the other, borrowed during the call. `parent` is the name of the record's parent
 * where the question gives it. False ends the reading, which then fails without a fault of its own. */
struct rely_stored_visit {
    bool (*take)(const union rely_any_record *record, struct rely_slice parent, void *context);
    void *context;
};

/* A part of a collection, in the order of names. */
struct rely_stored_page {
    struct rely_stored_place after; /* its name: behind this one; "": from the start */
    size_t limit;                   /* of records; a page ends early rather than be larger than 8 MiB */
    bool has_more;                  /* out */
};

/* Out: page - has_more. */
RELY_MUST_USE bool rely_stored_read_page(struct rely_store *store, struct rely_stored_page *page,
                                         const struct rely_stored_visit *visit, struct rely_err *err);
/* Every record of a kind, with what reviews and the keeper see (RELY_FIELD_REVIEWED); enabled issuers before others. */
RELY_MUST_USE bool rely_stored_read_all(struct rely_store *store, const struct rely_kind *kind,
                                        const struct rely_stored_visit *visit, struct rely_err *err);

/* What is asked of several records, and in which form they come. */
enum rely_stored_question {
    RELY_STORED_CHILDREN = 1,    /* kind, number: those below one parent, whole, with the parent's name */
    RELY_STORED_OF_ISSUER,       /* number: credentials, whole, with the identity's name */
    RELY_STORED_OF_GROUP,        /* the same of a group */
    RELY_STORED_GROUPS_OF,       /* number: an issuer: its memberships, whole, with the group's name */
    RELY_STORED_BY_URL,          /* text: names of issuers, in any order */
    RELY_STORED_BY_URL_IN_ORDER, /* the same by name */
    RELY_STORED_BY_TRUST_DOMAIN, /* text: the issuer's name */
    RELY_STORED_BY_PAIR,         /* other: the identity, number: the issuer, text: the subject: credentials' names */
    RELY_STORED_BY_EXPRESSION,   /* other: the identity, number: the scope, text: the expression: credentials' names */
    /* number: a scope, text: a prefix, more: a key, or none: credentials' names: of this prefix or a shorter one, found by
     * this key, or by none. At most limit. */
    RELY_STORED_ALIKE,
    /* number: the issuer or 0, other: the group or 0, text: a subject: names of credentials with an expression, as
     * RELY_STORED_BY_SUBJECT asks for them, that may match it. */
    RELY_STORED_MAY_MATCH,
    RELY_STORED_BY_GROUP_PAIR, /* the same; number: the group */
    /* number: the issuer or 0, other: the group or 0, text: the subject: credentials' names, with the identity's name. Of
     * all issuers with a URL that is among theirs, and of all groups with such an issuer: one token may be of each. */
    RELY_STORED_BY_SUBJECT,
    /* number: the issuer, text: a subject. Credentials as reviews see them: with the same subject but for the case of
     * ASCII letters, of this issuer and of the others; then the neighbours in the order of subjects. */
    RELY_STORED_NEAR_OWN,
    RELY_STORED_NEAR_OTHERS,
    RELY_STORED_NEAR_BEFORE,
    RELY_STORED_NEAR_BEHIND,
    /* number: a scope, text: a prefix. Credentials with an expression of this prefix, as reviews see them: those that are
     * found by it alone; more: a key: those of the keys from it on, and before it. */
    RELY_STORED_NEAR_KEYLESS,
    RELY_STORED_NEAR_KEY_BEHIND,
    RELY_STORED_NEAR_KEY_BEFORE,
    /* number: a scope, text: a subject: the same of the prefixes behind it, and before it. */
    RELY_STORED_NEAR_PREFIX_BEHIND,
    RELY_STORED_NEAR_PREFIX_BEFORE,
    RELY_STORED_BY_CERTIFICATE, /* text: the name of a certificate: identities' names */
    RELY_STORED_OWNED,          /* text: an owner's name: identities, whole */
    /* Identities' names: enabled administrators with a way in that does not end by itself; of the one that text names
     * also one that has not ended at number, the time now. What is of the scope other is no way in: an issuer, or, below 0, a group. */
    RELY_STORED_ADMINS,
    /* number: the scope, text: the subject, other: an identity: credentials of others as reviews see them, with the
     * identity's name: of an issuer also those of its groups, of a group those of its issuers. */
    RELY_STORED_OVERLAPPING,
    RELY_STORED_ADMINS_OF_GROUP, /* number: a group: administrators' credentials, whole, with the identity's name */
    /* text: its name: names of routes that name it, in their order. At most limit. */
    RELY_STORED_ROUTES_OF_ISSUER,
    RELY_STORED_ROUTES_OF_GROUP,    /* the same of a group of issuers */
    RELY_STORED_ROUTES_OF_IDENTITY, /* the same */
    RELY_STORED_SHARED,             /* number: an issuer: itself, whole, where many tenants share it */
    RELY_STORED_SHARED_OF_GROUP,    /* number: a group: those of its issuers */
    RELY_STORED_OVER                /* number: a time: revocations' names, of those that are over then */
};

struct rely_stored_asked {
    enum rely_stored_question question;
    const struct rely_kind *kind; /* which has a parent; of most questions it is clear */
    int64_t number, other;
    struct rely_slice text, more;
    size_t limit;
};

/* Visit the records that answer. */
RELY_MUST_USE bool rely_stored_ask(struct rely_store *store, const struct rely_stored_asked *asked,
                                   const struct rely_stored_visit *visit, struct rely_err *err);
/* How many credentials trust an issuer, or a group. In: kind - of what is trusted. */
RELY_MUST_USE bool rely_stored_count_trusting(struct rely_store *store, const struct rely_kind *kind, int64_t id,
                                              int64_t *count, struct rely_err *err);

/* Insert a record; its id is set. RELY_ERR_LIMIT: the schema's quota is full. */
RELY_MUST_USE bool rely_stored_insert(struct rely_store *store, const struct rely_kind *kind, void *record,
                                      struct rely_err *err);

/* A record as it was and as it is to be. */
struct rely_stored_update {
    const struct rely_kind *kind;
    const void *before, *after;
};

/* Update the fields in which the two differ, revision and time. */
RELY_MUST_USE bool rely_stored_change(struct rely_store *store, const struct rely_stored_update *update,
                                      struct rely_err *err);
/* Does the record stand in its row as it was written? Asked before the commit, behind all that belongs to the record.
 * False: RELY_ERR_DAMAGED, or the fault. */
RELY_MUST_USE bool rely_stored_verify(struct rely_store *store, const struct rely_kind *kind, const void *record,
                                      struct rely_err *err);
/* What is below a record goes with it; an issuer's credentials must be gone. */
RELY_MUST_USE bool rely_stored_erase(struct rely_store *store, const struct rely_kind *kind, int64_t id,
                                     struct rely_err *err);
RELY_MUST_USE bool rely_stored_erase_trusting(struct rely_store *store, const struct rely_kind *kind, int64_t id,
                                              struct rely_err *err);

/* Put the key set that an issuer's record has beside it: document (absent: dropped), source, time and generation. */
RELY_MUST_USE bool rely_stored_put_keys(struct rely_store *store, const struct rely_issuer_record *issuer,
                                        struct rely_err *err);
/* The stored set was fetched again: only its time is news. */
RELY_MUST_USE bool rely_stored_touch_keys(struct rely_store *store, int64_t issuer_id, int64_t at_s,
                                          struct rely_err *err);
/* Which row. */
struct rely_stored_row {
    const struct rely_kind *kind;
    int64_t id;
};

/* The record of one row, whole; id 0 when it is gone. */
RELY_MUST_USE bool rely_stored_find_row(struct rely_store *store, const struct rely_stored_row *asked,
                                        struct rely_pool *pool, union rely_any_record *record, struct rely_err *err);
/* A row that no relyd has written; always false. */
RELY_MUST_USE bool rely_stored_damaged(struct rely_store *store, const struct rely_kind *kind, int64_t id,
                                       struct rely_err *err);

#endif

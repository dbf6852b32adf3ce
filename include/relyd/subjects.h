/*
 * subjects: which claim is the subject, as the store has it: a record says so, and the records of one group and its
 * credentials agree in it.
 */
#ifndef RELYD_SUBJECTS_H
#define RELYD_SUBJECTS_H

#include "relyd/store.h"

enum rely_claim_teller {
    RELY_CLAIM_OF_ISSUER = 1, /* a record */
    RELY_CLAIM_OF_MEMBERS,    /* the records of a group */
    RELY_CLAIM_OF_RULES       /* the credentials of a group */
};

/* Who is asked for it. */
struct rely_claim_asked {
    enum rely_claim_teller teller;
    int64_t id;
};

/* Out: *claim - as it is written; in the pool. Absent: there is none to ask. */
RELY_MUST_USE bool rely_stored_subject_claim(struct rely_store *store, const struct rely_claim_asked *asked,
                                             struct rely_pool *pool, struct rely_slice *claim, struct rely_err *err);

/* What means something else once a record has another one. */
enum rely_claim_user { RELY_CLAIM_UNUSED = 0, RELY_CLAIM_OF_CREDENTIAL, RELY_CLAIM_OF_GROUP, RELY_CLAIM_OF_REVOCATION };

struct rely_claim_use {
    enum rely_claim_user user;
    struct rely_slice name; /* in the pool: `identity/credential`; of a group that has other records; of a revocation */
};

/* The first that is found. In: issuer - its head and name. */
RELY_MUST_USE bool rely_stored_find_claim_use(struct rely_store *store, const struct rely_issuer_record *issuer,
                                              struct rely_pool *pool, struct rely_claim_use *use, struct rely_err *err);

#endif

/*
 * revocation: what stops tokens before they expire, as reviews see it. Part of a snapshot.
 */
#ifndef RELYD_REVOCATION_H
#define RELYD_REVOCATION_H

#include "relyd/model.h"

struct rely_snapshot;

/* By what a revocation hits. */
enum rely_revoked_by {
    RELY_REVOKED_JTI,
    RELY_REVOKED_SUBJECT,
    RELY_REVOKED_ACCOUNT_UID,
    RELY_REVOKED_POD_UID,
    RELY_REVOKED_SECRET_UID,
    RELY_REVOKED_NODE_UID,
    RELY_REVOKED_KID,
    RELY_REVOKED_IDENTITY,
    RELY_REVOKED_ISSUER, /* everything of a record */
    RELY_REVOKED_COUNT
};
/* As the REST interface calls it. */
const char *rely_revoked_by_word(enum rely_revoked_by by);

/* Every pointer is owned by this object's one block of memory. */
struct rely_revocation {
    int64_t id;             /* row */
    struct rely_slice name; /* its `id` */
    enum rely_revoked_by by;
    struct rely_slice value;  /* that hits, byte for byte */
    struct rely_slice issuer; /* only tokens of the record of this name; ptr NULL: of all */
    int64_t issued_before_s;  /* only tokens with an earlier `iat`, or none; 0: all */
    int64_t until_s;          /* over from then on; 0: never */
};

/* What reviews see of a record. */
struct rely_revocation *rely_revocation_of_record(const struct rely_revocation_record *record);
/* The cursor-th that hits by this value; NULL at the end. Whom else it spares, the caller looks. */
const struct rely_revocation *rely_snapshot_revocation(const struct rely_snapshot *snapshot, enum rely_revoked_by by,
                                                       struct rely_slice value, size_t *cursor);

#endif

/*
 * issuer_group: which records are one issuer for a credential, as reviews see it. Part of a snapshot.
 */
#ifndef RELYD_ISSUER_GROUP_H
#define RELYD_ISSUER_GROUP_H

#include "relyd/base.h"

struct rely_credential_record;
struct rely_snapshot;

/* A group of issuers' records. Every pointer is owned by this object's one block of memory. */
struct rely_issuer_group {
    int64_t id;
    struct rely_slice name;
};

/* One record in one group. */
struct rely_membership {
    int64_t id;
    int64_t group_id, issuer_id;
};

/* NULL when there is none. Borrowed from the snapshot. */
const struct rely_issuer_group *rely_snapshot_issuer_group(const struct rely_snapshot *snapshot, int64_t id);
/* The cursor-th group that this record is in, in no order; NULL at the end. */
const struct rely_membership *rely_snapshot_membership(const struct rely_snapshot *snapshot, int64_t issuer_id,
                                                       size_t *cursor);
/* Of the record, or the group, that a credential is for: struct rely_credential's scope. */
int64_t rely_scope_of_record(const struct rely_credential_record *record);

#endif

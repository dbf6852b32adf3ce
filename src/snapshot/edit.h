/*
 * The inside of the snapshot: what snapshot.c and issuer_index.c share.
 */
#ifndef RELYD_SNAPSHOT_EDIT_H
#define RELYD_SNAPSHOT_EDIT_H

#include "relyd/edition.h"

/* Ids are our own row numbers, so nobody can choose them: a multiplication spreads them well enough. */
static inline uint64_t rely_snapshot_hash_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

/* The batch of changes that an edition is made of. */
static inline struct rely_edit rely_snapshot_edit(struct rely_snapshot *next)
{
    return (struct rely_edit){next->edition, &next->retired};
}

#endif

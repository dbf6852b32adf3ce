/*
 * edition: how a snapshot is made from the one before it. For the control thread alone; reviews need snapshot.h only.
 */
#ifndef RELYD_EDITION_H
#define RELYD_EDITION_H

#include "relyd/snapshot.h"

/* Deep copies in one block: fill a struct with borrowed slices and copy it. */
struct rely_issuer *rely_issuer_copy(const struct rely_issuer *from);
struct rely_identity *rely_identity_copy(const struct rely_identity *from);
struct rely_credential *rely_credential_copy(const struct rely_credential *from);

/**
 * Begin the next edition: a copy of the maps' roots. Only the control thread.
 *
 * In:       base - the newest edition, or NULL for the first.
 * Owner:    the caller; put/remove change it until it is published, never afterwards.
 */
struct rely_snapshot *rely_snapshot_next(const struct rely_snapshot *base, uint64_t revision);

/* Put takes over the object, and retires the one that it replaces (same id). */
void rely_snapshot_put_issuer(struct rely_snapshot *next, struct rely_issuer *issuer);
/* Put an issuer whose record and keys are those of before, with other times: what was verified under it stays. */
void rely_snapshot_renew_issuer(struct rely_snapshot *next, struct rely_issuer *issuer);
void rely_snapshot_put_identity(struct rely_snapshot *next, struct rely_identity *identity);
void rely_snapshot_put_credential(struct rely_snapshot *next, struct rely_credential *credential);
/* Does an edition hold objects of this kind at all? */
bool rely_snapshot_holds(enum rely_object object);
/* Put what reviews see of a record, of a kind whose objects need nothing but it: issuers have keys. In: record - the
 * kind's, as it was read at the start or carried by a change: only what is RELY_FIELD_REVIEWED is there in both. */
void rely_snapshot_carry(struct rely_snapshot *next, enum rely_object object, const void *record);
/* All records of a kind of which the edition has none yet, such as the first: nothing is looked for that they might
 * replace, and each index is filled once, at the end. */
struct rely_filling {
    struct rely_snapshot *next; /* borrowed; this and the kind are set by the caller, the rest is zero */
    enum rely_object object;    /* that an edition holds, and whose records need nothing beside them */
    const void **items;         /* owned until the end, like the items */
    size_t count, cap;
};
void rely_filling_add(struct rely_filling *filling, const void *record);
void rely_filling_end(struct rely_filling *filling);
/* Retire an object; false: not there. */
bool rely_snapshot_remove(struct rely_snapshot *next, enum rely_object object, int64_t id);

/**
 * Free what only editions older than this one used: what it replaced, and its base's own struct. Call once for every
 * edition, oldest first, when no reader holds an older one.
 */
void rely_snapshot_free_replaced(struct rely_snapshot *edition);
/* Free the last edition with all that it holds (key sets excepted: they are the caller's). Of all others what they replaced has been freed. */
void rely_snapshot_free_all(struct rely_snapshot *last);

#endif

/*
 * buried: how many uids are revoked of one record alone, as the store has it.
 */
#ifndef RELYD_BURIED_H
#define RELYD_BURIED_H

#include "relyd/base.h"

struct rely_store;

/* In force at that time. Cost: a look at every revocation. */
RELY_MUST_USE bool rely_stored_count_tombstones(struct rely_store *store, struct rely_slice issuer_name, int64_t now_s,
                                                size_t *count, struct rely_err *err);

#endif

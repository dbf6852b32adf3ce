/*
 * marks: by what else than their ids and names identities are found: the names of their certificates, and of their
 * owners. What is returned is borrowed from the snapshot.
 */
#ifndef RELYD_MARKS_H
#define RELYD_MARKS_H

#include "relyd/base.h"

struct rely_identity;
struct rely_snapshot;

/* Whose certificate has this name: `dns:gw.example`. */
const struct rely_identity *rely_snapshot_identity_by_certificate(const struct rely_snapshot *snapshot,
                                                                  struct rely_slice name);
/* Does any identity name this one among its owners? */
bool rely_snapshot_is_owner(const struct rely_snapshot *snapshot, struct rely_slice name);
/* Does this one? */
bool rely_identity_has_owner(const struct rely_identity *identity, struct rely_slice name);

#endif

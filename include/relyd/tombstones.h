/*
 * tombstones: what a cluster says is deleted. Each becomes a revocation of its record.
 */
#ifndef RELYD_TOMBSTONES_H
#define RELYD_TOMBSTONES_H

#include "relyd/objects.h"

/* One of them. Borrowed. */
struct rely_tombstone {
    const char *field; /* of a revocation, static: `podUid` */
    struct rely_slice uid;
};

/* Who says what of whom. Borrowed. */
struct rely_burial {
    struct rely_slice issuer_name;
    const struct rely_writer *writer;
    const struct rely_tombstone *stones; /* none of them in force for this record already */
    size_t count;
    size_t more;     /* of the same report that are to be written behind them */
    bool is_counted; /* that they have room was found out before the first of the report was written */
};

/**
 * Write a revocation for each.
 *
 * Out:      *result - its changes; its code, of a refusal.
 * Fails:    RELY_ERR_LIMIT (too_many_revocations: with the report the record would have more than RELY_TOMBSTONES_MAX in
 *           force, and none is written; or the registry is full); else as rely_registry_create: those before it stay.
 */
RELY_MUST_USE bool rely_registry_bury(struct rely_registry *registry, const struct rely_burial *burial,
                                      struct rely_write_result *result, struct rely_err *err);

#endif

/*
 * fetched: a key set that was fetched, and is in force already, is stored beside its issuer.
 */
#ifndef RELYD_FETCHED_H
#define RELYD_FETCHED_H

#include "relyd/base.h"

struct rely_json;
struct rely_registry;

/* A key set that was fetched. All borrowed. */
struct rely_fetched_keys {
    int64_t issuer_id;
    uint64_t record_revision;     /* of the record that asked for it */
    struct rely_slice jwks;       /* the document as received; ptr NULL: the stored one was fetched again */
    struct rely_slice source_url; /* that was asked */
    int64_t at_s;
    uint64_t merged_count;  /* changes before this one that were in force and were not stored */
    struct rely_slice seen; /* rely_keyset_print_seen's lines of the set in force; ptr NULL: nobody knows */
};

/* What storing it has made. */
struct rely_stored_keys {
    uint64_t generation; /* the issuer's keys_generation now */
    uint64_t revision;   /* of its row in the change log; 0: none, the document was stored already */
};

/**
 * Store a key set that was fetched and accepted: one row of the change log (kids, up to 2 KiB of them, not the
 * document), and its keys_generation grows. The issuer's ETag stays: keys are no part of its record. The stored
 * document again, or none, only updates the time of fetching.
 *
 * Fails:    RELY_ERR_NOT_FOUND (the issuer is gone), RELY_ERR_CONFLICT (its record is not the one that asked any
 *           more), RELY_ERR_IO.
 */
RELY_MUST_USE bool rely_registry_put_keyset(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                                            struct rely_stored_keys *stored, struct rely_err *err);

/* What has become of the keys of the issuer of this name, the oldest first, RELY_KEY_HISTORY_MAX at most: objects with
 * `at` in seconds, `operation`, `actor` or `sourceUrl`, `added`, `removed` and `mergedChanges`. Owner of *entries: the
 * caller. Fails: RELY_ERR_IO, RELY_ERR_DAMAGED; an issuer that is not there has none. */
RELY_MUST_USE bool rely_registry_read_history(struct rely_registry *registry, struct rely_slice name,
                                              struct rely_json **entries, struct rely_err *err);

#endif

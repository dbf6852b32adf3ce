/*
 * The inside of control: batch.c says when writes are committed, live.c what comes of it, edition.c and load.c what the
 * next edition is, publish.c how it gets to the workers, uploads.c which key sets may be written.
 */
#ifndef RELYD_CONTROL_INSIDE_H
#define RELYD_CONTROL_INSIDE_H

#include "relyd/accept.h"
#include "relyd/changes.h"
#include "relyd/config.h"
#include "relyd/control.h"
#include "relyd/edition.h"
#include "relyd/loop.h"
#include "relyd/observe.h"
#include "relyd/registry.h"

/* An edition on its way to the workers. */
struct rely_publication;

struct rely_control {
    const struct rely_config *config; /* borrowed */
    struct rely_log_ring *ring;       /* borrowed */
    struct rely_control_hooks hooks;
    struct rely_snapshot *snapshot;           /* owned: the newest edition */
    struct rely_publication *oldest, *newest; /* owned: published and not yet taken up by all, oldest first */
    size_t worker_count;
    uint64_t *acknowledged; /* owned; per worker: the edition it reads */
    bool are_workers_gone;
};

static inline int64_t rely_control_now_s(const struct rely_control *control)
{
    return control->hooks.now_s(control->hooks.context);
}

/* An edition that grows, and what is said when it is whole. */
struct rely_growing {
    struct rely_control *control;
    struct rely_snapshot *next;
    size_t forbidden_count;        /* stored sets that may not be in force */
    struct rely_err forbidden_err; /* of the first */
};

/* A stored key set, prepared. Zero-filled: there is none. */
struct rely_prepared {
    struct rely_keyset *keyset; /* whoever has it */
    struct rely_err err;        /* why it cannot be used */
};

/* --- edition.c ----------------------------------------------------------------------------------------- */

/* The next edition, with the changes: at least one. */
struct rely_snapshot *rely_edition_carry(struct rely_control *control, const struct rely_changes *changes);
/* Prepare the stored document of a record. Thread: any. */
struct rely_prepared rely_prepare_stored(const struct rely_issuer_record *record);
/* Put an issuer into the first edition. In: prepared - taken over: what was made of the record's stored document. */
void rely_edition_enter_issuer(struct rely_growing *growing, const struct rely_issuer_record *record,
                               const struct rely_prepared *prepared);
/* Free the key sets of the last edition, which itself lives on for a moment. */
void rely_edition_free_keysets(struct rely_snapshot *last);

/* --- publish.c ----------------------------------------------------------------------------------------- */

/* As rely_control_publish; `done` (may be NULL) when all workers have taken it up. */
void rely_publish_edition(struct rely_control *control, struct rely_snapshot *next, void (*done)(void *),
                          void *context);

#endif

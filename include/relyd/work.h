/*
 * work: what the registry is asked to do: reads and writes, one after the other, on the one thread that has it, so that
 * a slow disk holds up nobody but those who asked. Writes that come close together share a commit.
 *
 *     control thread: work -> registry's thread: run, (more work), commit -> control thread: next edition, workers, done
 *
 * What a work answers is told when it is durable, and live in every worker if it changed anything.
 */
#ifndef RELYD_WORK_H
#define RELYD_WORK_H

#include "relyd/changes.h"
#include "relyd/loop.h"

struct rely_registry;

/* One read or write; embed it at the start of a struct. Its owner is whoever has it: the asker again from `done` on. */
struct rely_work {
    struct rely_work *next; /* whoever has it */
    int64_t asked_ms;       /* monotonic: it waits for a database that is locked for RELY_LOCK_WAIT_MS from then on */
    bool is_write;          /* else a read, which sees nothing that is not committed */
    bool is_told_first; /* when it is durable, before the changes of its batch are carried on: it is in no edition */
    /* Do it, and note what came of it beside this struct. Thread: the registry's. */
    void (*run)(struct rely_work *work, struct rely_registry *registry);
    /* Once. err: NULL, or why what came of it is void: it has not happened, or stood on what has not. Thread: control. */
    void (*done)(struct rely_work *work, const struct rely_err *err);
    struct rely_changes changes; /* of a write that `run` has accepted: taken over */
};

/* Work that is over, on its way to the control thread. */
struct rely_commit {
    struct rely_message message; /* first */
    void *context;               /* that of the hooks */
    struct rely_changes changes; /* owned: of all its writes */
    struct rely_work *first;     /* in the order in which it was asked for */
    struct rely_err err;         /* code RELY_ERR_NONE: it is durable */
    bool is_begun;               /* false with an err: the work was not even tried */
};

/* What a batch needs of the others. Thread: the registry's. */
struct rely_batch_hooks {
    void *context;                       /* borrowed: first argument of each */
    int64_t (*now_ms)(void *context);    /* monotonic */
    int (*count_writers)(void *context); /* whoever is connected: nobody else can join a commit */
    /* Taken over, for rely_control_take on the control thread, in the order of the calls. */
    void (*hand_over)(void *context, struct rely_commit *commit);
};

/* Work that waits for one commit. Thread: the registry's, all of it. */
struct rely_batch;

/* Owner: the caller: rely_batch_free, when none is open. In: registry - borrowed. hooks - copied. */
struct rely_batch *rely_batch_new(struct rely_registry *registry, const struct rely_batch_hooks *hooks);
void rely_batch_free(struct rely_batch *batch);
/* From now on in this registry; NULL: what is to be done is refused. With no batch open. */
void rely_batch_attach(struct rely_batch *batch, struct rely_registry *registry);
/* Do it: a write within the open batch, or in one that it opens; a read when what is open has been ended. */
void rely_batch_do(struct rely_batch *batch, struct rely_work *work);
/* In how many ms the open batch is to be ended, when nothing more comes: 0: now; -1: none is open. */
int rely_batch_due_ms(const struct rely_batch *batch);
/* Commit what is open, and hand it over. */
void rely_batch_end(struct rely_batch *batch);
/* Of the writes that are not committed. */
const struct rely_changes *rely_batch_changes(const struct rely_batch *batch);

#endif

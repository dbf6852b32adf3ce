/*
 * Group commit: writes that come close together share a transaction, and so one fsync, one edition and one message to
 * each worker. Decides when a batch ends; nothing of it is told before. Called by service/, on the registry's thread.
 */
#include "relyd/limits.h"
#include "relyd/registry.h"
#include "relyd/work.h"

#include <stdlib.h>

/* From one commit to the next, while more writes may still come: a commit costs more CPU time than a write, and a
 * worker may want this core. Too short to be felt; a first write does not wait. */
#define COMMIT_INTERVAL_MS 2

struct rely_batch {
    struct rely_registry *registry; /* borrowed */
    struct rely_batch_hooks hooks;
    struct rely_commit *open; /* owned: what is to be committed; NULL: the registry has no batch open */
    struct rely_work *last;   /* of it */
    int count;
    int64_t last_commit_ms;
};

struct rely_batch *rely_batch_new(struct rely_registry *registry, const struct rely_batch_hooks *hooks)
{
    struct rely_batch *batch = rely_alloc(sizeof *batch);
    *batch = (struct rely_batch){.registry = registry, .hooks = *hooks};
    return batch;
}

void rely_batch_free(struct rely_batch *batch)
{
    RELY_ASSERT(batch == NULL || batch->open == NULL);
    free(batch);
}

static struct rely_commit *new_commit(const struct rely_batch *batch, struct rely_work *first)
{
    struct rely_commit *commit = rely_alloc(sizeof *commit);
    *commit = (struct rely_commit){.context = batch->hooks.context, .first = first, .is_begun = true};
    if (first != NULL)
        first->next = NULL;
    return commit;
}

static void hand_commit_over(const struct rely_batch *batch, struct rely_commit *commit)
{
    batch->hooks.hand_over(batch->hooks.context, commit);
}

static void add_to_batch(struct rely_batch *batch, struct rely_work *work)
{
    work->next = NULL;
    *(batch->last == NULL ? &batch->open->first : &batch->last->next) = work;
    batch->last = work;
    batch->count++;
    rely_changes_move(&batch->open->changes, &work->changes);
}

/* Whoever has waited behind others for a lock does not begin to wait: all give up after the same time, and not one after
 * the other. */
static void limit_wait(const struct rely_batch *batch, const struct rely_work *work)
{
    int64_t left_ms = work->asked_ms + RELY_LOCK_WAIT_MS - batch->hooks.now_ms(batch->hooks.context);
    rely_registry_limit_wait(batch->registry, left_ms < 0 ? 0 : (int)left_ms);
}

/* False: it cannot be begun, and the work has been told so. */
static bool open_batch(struct rely_batch *batch, struct rely_work *work)
{
    struct rely_err err = {0};
    limit_wait(batch, work);
    if (rely_registry_begin(batch->registry, &err)) {
        batch->open = new_commit(batch, NULL);
        return true;
    }
    struct rely_commit *failed = new_commit(batch, work);
    failed->err = err;
    failed->is_begun = false;
    hand_commit_over(batch, failed);
    return false;
}

static void run_in_batch(struct rely_batch *batch, struct rely_work *work)
{
    if (batch->open == NULL && !open_batch(batch, work))
        return;
    work->run(work, batch->registry);
    add_to_batch(batch, work);
}

/* What others have written and is not committed must not show. */
static void run_alone(struct rely_batch *batch, struct rely_work *work)
{
    rely_batch_end(batch);
    limit_wait(batch, work);
    work->run(work, batch->registry);
    hand_commit_over(batch, new_commit(batch, work));
}

void rely_batch_attach(struct rely_batch *batch, struct rely_registry *registry)
{
    RELY_ASSERT(batch->open == NULL);
    batch->registry = registry;
}

static void refuse(struct rely_batch *batch, struct rely_work *work)
{
    struct rely_commit *refused = new_commit(batch, work);
    refused->is_begun = false;
    rely_err_set(&refused->err, RELY_ERR_AWAY,
                 "another relyd takes over from this one, and has the registry: ask again in a moment");
    hand_commit_over(batch, refused);
}

void rely_batch_do(struct rely_batch *batch, struct rely_work *work)
{
    if (batch->registry == NULL) {
        refuse(batch, work);
        return;
    }
    if (work->is_write)
        run_in_batch(batch, work);
    else
        run_alone(batch, work);
}

int rely_batch_due_ms(const struct rely_batch *batch)
{
    if (batch->open == NULL)
        return -1;
    if (batch->count >= batch->hooks.count_writers(batch->hooks.context))
        return 0; /* nobody is left who could join */
    int64_t left_ms = batch->last_commit_ms + COMMIT_INTERVAL_MS - batch->hooks.now_ms(batch->hooks.context);
    return left_ms < 0 ? 0 : (int)left_ms;
}

void rely_batch_end(struct rely_batch *batch)
{
    struct rely_commit *commit = batch->open;
    if (commit == NULL)
        return;
    batch->open = NULL;
    batch->last = NULL;
    batch->count = 0;
    if (!rely_registry_commit(batch->registry, &commit->err))
        rely_changes_fini(&commit->changes);
    batch->last_commit_ms = batch->hooks.now_ms(batch->hooks.context);
    hand_commit_over(batch, commit);
}

const struct rely_changes *rely_batch_changes(const struct rely_batch *batch)
{
    static const struct rely_changes none;
    return batch->open == NULL ? &none : &batch->open->changes;
}

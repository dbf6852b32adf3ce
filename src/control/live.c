/*
 * What was committed becomes live: the next edition, the workers, the keeper, and whoever waits for it. Decides who is
 * told when: nobody of a change that a worker does not have. Called by service/ with what the registry's thread hands
 * over.
 */
#include "inside.h"

#include "relyd/work.h"

#include <stdlib.h>

static void tell_all(struct rely_work *work, const struct rely_err *err)
{
    while (work != NULL) {
        struct rely_work *next = work->next; /* its memory may go with it */
        work->done(work, err);
        work = next;
    }
}

/* Those who must know it before the next edition is made. */
static void tell_first(struct rely_commit *commit)
{
    for (struct rely_work **place = &commit->first; *place != NULL;) {
        struct rely_work *work = *place;
        if (!work->is_told_first) {
            place = &work->next;
            continue;
        }
        *place = work->next;
        work->done(work, NULL);
    }
}

static void tell_all_live(void *first)
{
    tell_all(first, NULL);
}

/* The key keeper looks after touched issuers. What a batch wrote and removed again was never there. */
static void note_issuers(const struct rely_control *control, const struct rely_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct rely_change *change = &changes->items[i];
        bool is_removed = rely_snapshot_issuer(control->snapshot, change->id) == NULL;
        if (change->object == RELY_OBJECT_ISSUER)
            control->hooks.note_issuer(control->hooks.context, change->id, is_removed);
    }
}

static void make_live(struct rely_control *control, struct rely_commit *commit)
{
    tell_first(commit);
    if (commit->changes.count > 0) {
        rely_publish_edition(control, rely_edition_carry(control, &commit->changes), tell_all_live, commit->first);
        note_issuers(control, &commit->changes);
    } else {
        tell_all(commit->first, NULL);
    }
}

void rely_control_take(struct rely_control *control, struct rely_commit *commit)
{
    if (commit->err.code != RELY_ERR_NONE && commit->is_begun)
        rely_log_event(control->ring, RELY_LOG_ERROR, "commit_failed", "%s", commit->err.message);
    if (commit->err.code != RELY_ERR_NONE)
        tell_all(commit->first, &commit->err);
    else
        make_live(control, commit);
    rely_changes_fini(&commit->changes);
    free(commit);
}

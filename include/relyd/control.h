/*
 * control: how a write becomes live. The newest edition and the next, and the editions' way to every worker and back; which
 * writes share a commit is in work.h. Knows neither loop, thread nor connection: what it needs of them are hooks, so that
 * a test can set its clock and be its workers.
 *
 *     a commit (work.h) -> the next edition -> every worker -> all have it -> done
 *
 * All on one thread, the hooks too, unless a comment says otherwise.
 */
#ifndef RELYD_CONTROL_H
#define RELYD_CONTROL_H

#include "relyd/base.h"

struct rely_changes;
struct rely_commit;
struct rely_config;
struct rely_issuer;
struct rely_log_ring;
struct rely_message;
struct rely_registry;
struct rely_registry_keys;
struct rely_snapshot;

struct rely_control;

/* What it needs of the others. Every hook is set. */
struct rely_control_hooks {
    void *context;                   /* borrowed: first argument of each */
    int64_t (*now_s)(void *context); /* since 1970; may jump */
    /* May keys from this URL be in force for the issuer, under today's settings? (rely_accept_source) */
    RELY_MUST_USE bool (*may_be_in_force)(void *context, const struct rely_issuer *issuer, struct rely_slice keys_url,
                                          struct rely_err *err);
    /* Run it on another thread, if there is one, while this one goes on; the second waits for its end. Owner: between
     * the two, what `what` points at is the other thread's. */
    void *(*start_aside)(void *context, void (*run)(void *what), void *what);
    void (*await_aside)(void *context, void *aside);
    /* A committed write has touched an issuer's record, and the newest edition shows it. */
    void (*note_issuer)(void *context, int64_t issuer_id, bool is_removed);
    /* To the thread of the worker-th worker, in the order of the calls: run, or drop when it runs no more. */
    void (*post_to_worker)(void *context, size_t worker, struct rely_message *message);
    /* Back to this one. Thread: the worker's. */
    void (*post_back)(void *context, struct rely_message *message);
    /* From now on it reads this edition. Thread: the worker's. */
    void (*take_up)(void *context, size_t worker, const struct rely_snapshot *snapshot);
};

/**
 * Nothing is loaded yet, and there are so many workers.
 *
 * In:       config - borrowed, as the ring. hooks - copied.
 * Owner:    the caller: rely_control_free, when neither a worker nor a message of post_back is left.
 */
struct rely_control *rely_control_new(const struct rely_config *config, struct rely_log_ring *ring, size_t workers,
                                      const struct rely_control_hooks *hooks);
/* Frees the newest edition with its key sets. NULL is fine. */
void rely_control_free(struct rely_control *control);

/* The first edition, from all records of the registry; stored key sets are prepared again. Fails: as
 * rely_registry_each does; there is no edition then. */
RELY_MUST_USE bool rely_control_load(struct rely_control *control, struct rely_registry *registry,
                                     struct rely_err *err);
/* The newest edition; NULL before the first. */
const struct rely_snapshot *rely_control_snapshot(const struct rely_control *control);

/* What came of work: changes are carried into the next edition, and whoever waits is told; taken over. */
void rely_control_take(struct rely_control *control, struct rely_commit *commit);
/* Has no other record of the URL a key of this uploaded set, be it in force or among changes that are not committed? */
RELY_MUST_USE bool rely_control_check_upload(const struct rely_control *control, const struct rely_changes *open,
                                             const struct rely_registry_keys *keys, struct rely_err *err);

/* keys.max_age_s is another one: what was fetched counts for so long. */
void rely_control_set_max_age(struct rely_control *control, int64_t max_age_s);
/* Hand an edition, made by rely_snapshot_next from the newest, to every worker. It is the newest from now on. */
void rely_control_publish(struct rely_control *control, struct rely_snapshot *next);
/* The workers' loops have ended: nothing is posted to them any more, and whoever waits for them waits no longer. */
void rely_control_forget_workers(struct rely_control *control);

#endif

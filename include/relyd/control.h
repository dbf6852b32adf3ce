/*
 * control: how a write becomes live. The newest edition and the next; writes that share a commit; the editions' way to
 * every worker and back. Knows neither loop, thread nor connection: what it needs of them are hooks, so that a test can
 * set its clock and be its workers.
 *
 *     begin, a write, join -> (more writes) -> commit -> the next edition -> every worker -> all have it -> done
 *
 * All on one thread, the hooks too, unless a comment says otherwise.
 */
#ifndef RELYD_CONTROL_H
#define RELYD_CONTROL_H

#include "relyd/base.h"

struct rely_changes;
struct rely_config;
struct rely_issuer;
struct rely_log_ring;
struct rely_message;
struct rely_registry;
struct rely_registry_keys;
struct rely_snapshot;
struct rely_timer;

struct rely_control;

/* What it needs of the others. Every hook is set. */
struct rely_control_hooks {
    void *context;                    /* borrowed: first argument of each */
    int64_t (*now_ms)(void *context); /* monotonic */
    int64_t (*now_s)(void *context);  /* since 1970; may jump */
    void (*start_timer)(void *context, struct rely_timer *timer, int delay_ms);
    void (*cancel_timer)(void *context, struct rely_timer *timer);
    int (*count_writers)(void *context); /* whoever is connected: nobody else can join a commit */
    /* The registry's open batch: rely_registry_begin, rely_registry_commit. */
    bool (*begin_writes)(void *context, struct rely_err *err);
    bool (*commit_writes)(void *context, struct rely_err *err);
    /* May keys from this URL be in force for the issuer, under today's settings? (rely_accept_source) */
    bool (*may_be_in_force)(void *context, const struct rely_issuer *issuer, struct rely_slice keys_url,
                            struct rely_err *err);
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

/* Before a write of an administrator: opens the batch that it will be in. */
RELY_MUST_USE bool rely_control_begin(struct rely_control *control, struct rely_err *err);
/* Behind a write with changes, which are taken over: `done` runs with err NULL when they are durable and every worker
 * has them, or with the fault of the commit. */
void rely_control_join(struct rely_control *control, struct rely_changes *changes,
                       void (*done)(void *context, const struct rely_err *err), void *context);
/* Commit and publish what is open, without waiting for more. False: it did not happen, and those who wait have been
 * told. */
RELY_MUST_USE bool rely_control_settle(struct rely_control *control, struct rely_err *err);
/* Has no other record of the URL a key of this uploaded set, be it in force or written in the open batch? */
RELY_MUST_USE bool rely_control_check_upload(const struct rely_control *control, const struct rely_registry_keys *keys,
                                             struct rely_err *err);

/* Hand an edition, made by rely_snapshot_next from the newest, to every worker. It is the newest from now on. */
void rely_control_publish(struct rely_control *control, struct rely_snapshot *next);
/* The workers' loops have ended: nothing is posted to them any more, and whoever waits for them waits no longer. */
void rely_control_forget_workers(struct rely_control *control);

#endif

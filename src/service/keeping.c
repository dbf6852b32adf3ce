/*
 * The key keeper's hooks: the control thread's clock, loop, edition and registry, and the way to the workers. Decides
 * nothing. Called by control.c, and by the keeper.
 */
#include "service.h"

#include "relyd/text.h"

#include <stdlib.h>

static int64_t keeping_now_ms(void *context)
{
    (void)context;
    return rely_service_now_ms();
}

static int64_t keeping_now_s(void *context)
{
    (void)context;
    return rely_service_now_s();
}

static uint64_t draw_random(void *context)
{
    uint64_t random;
    (void)context;
    rely_random(&random, sizeof random);
    return random;
}

static void start_keeper_timer(void *context, struct rely_timer *timer, int delay_ms)
{
    const struct rely_control *control = context;
    rely_timer_start(control->loop, timer, delay_ms);
}

static void cancel_keeper_timer(void *context, struct rely_timer *timer)
{
    const struct rely_control *control = context;
    rely_timer_cancel(control->loop, timer);
}

static void fetch_for_keeper(void *context, const struct rely_fetch_request *request, struct rely_key_fetch *fetch)
{
    rely_fetching_begin(context, request, fetch);
}

static void settle_for_keeper(void *context)
{
    rely_drop(rely_batch_settle(context, &(struct rely_err){0})); /* those who wait have been told */
}

static const struct rely_snapshot *show_newest(void *context)
{
    const struct rely_control *control = context;
    return control->snapshot;
}

static void publish_for_keeper(void *context, struct rely_snapshot *next)
{
    rely_control_publish(context, next, NULL, NULL);
}

static void store_for_keeper(void *context, const struct rely_fetched_keys *fetched)
{
    struct rely_control *control = context;
    struct rely_stored_keys stored;
    struct rely_err err = {0};
    bool is_stored = rely_registry_put_keyset(control->registry, fetched, &stored, &err);
    rely_keeper_note_stored(control->keeper, fetched->issuer_id, is_stored ? &stored : NULL, &err);
}

/* --- telling the workers ------------------------------------------------------------------------ */

/* To one worker: the fetch is over. */
struct fetch_notice {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    int64_t issuer_id;
    struct rely_cooldowns cooldowns;
};

static void note_on_worker(struct rely_message *message)
{
    struct fetch_notice *notice = (struct fetch_notice *)message;
    rely_reviewer_keys_answered(&notice->worker->reviewer, notice->issuer_id, &notice->cooldowns);
    free(notice);
}

static void drop_fetch_notice(struct rely_message *message)
{
    free(message);
}

static void tell_workers_of_fetch(void *context, int64_t issuer_id, int64_t miss_ms, int64_t replaced_ms)
{
    const struct rely_control *control = context;
    struct rely_service *service = control->service;
    for (size_t i = 0; i < service->worker_count && !control->are_workers_gone; i++) {
        struct fetch_notice *notice = rely_alloc(sizeof *notice);
        *notice = (struct fetch_notice){{.run = note_on_worker, .drop = drop_fetch_notice},
                                        &service->workers[i],
                                        issuer_id,
                                        {.miss_ms = miss_ms, .replaced_ms = replaced_ms}};
        rely_loop_post(service->workers[i].loop, &notice->message);
    }
}

struct rely_keeper *rely_keeping_new(struct rely_control *control)
{
    const struct rely_keeper_hooks hooks = {.context = control,
                                            .now_ms = keeping_now_ms,
                                            .now_s = keeping_now_s,
                                            .random = draw_random,
                                            .start_timer = start_keeper_timer,
                                            .cancel_timer = cancel_keeper_timer,
                                            .fetch = fetch_for_keeper,
                                            .settle_writes = settle_for_keeper,
                                            .snapshot = show_newest,
                                            .accept = publish_for_keeper,
                                            .store = store_for_keeper,
                                            .tell = tell_workers_of_fetch};
    return rely_keeper_new(control->service->config, control->ring, &hooks);
}

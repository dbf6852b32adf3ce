/*
 * What control/ and keeper/ need of the control thread: its clock, loop, registry and fetcher, each other, and the way to
 * the workers. Decides nothing. Called by control_thread.c, and by the two rooms.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/fetched.h"
#include "relyd/notice.h"
#include "relyd/text.h"

#include <stdlib.h>

static int64_t tell_time_us(void *context)
{
    (void)context;
    return rely_clock_monotonic_us();
}

static int64_t tell_time_s(void *context)
{
    (void)context;
    return rely_clock_now_s();
}

static uint64_t draw_random(void *context)
{
    uint64_t random;
    (void)context;
    rely_random(&random, sizeof random);
    return random;
}

static void start_room_timer(void *context, struct rely_timer *timer, int delay_ms)
{
    const struct rely_control_thread *thread = context;
    rely_timer_start(thread->loop, timer, delay_ms);
}

static void cancel_room_timer(void *context, struct rely_timer *timer)
{
    const struct rely_control_thread *thread = context;
    rely_timer_cancel(thread->loop, timer);
}

static void fetch_for_keeper(void *context, const struct rely_fetch_request *request, struct rely_key_fetch *fetch)
{
    rely_fetching_begin(context, request, fetch);
}

static const struct rely_snapshot *show_newest(void *context)
{
    const struct rely_control_thread *thread = context;
    return rely_control_snapshot(thread->control);
}

static void publish_for_keeper(void *context, struct rely_snapshot *next)
{
    rely_control_publish(((const struct rely_control_thread *)context)->control, next);
}

/* --- storing keys ---------------------------------------------------------------------------------- */

/* A key set in force on its way to the registry, and back. It is told first: a record that was written behind it has its
 * generation already, and a younger set that is in force by now must not give way to it. */
struct storing {
    struct rely_work work; /* first */
    struct rely_control_thread *thread;
    struct rely_fetched_keys fetched;
    char *jwks, *source_url, *seen; /* owned: the texts of fetched */
    struct rely_stored_keys stored;
    struct rely_err err;
    bool is_stored;
};

static void store_keyset(struct rely_work *work, struct rely_registry *registry)
{
    struct storing *storing = (struct storing *)work;
    storing->is_stored = rely_registry_put_keyset(registry, &storing->fetched, &storing->stored, &storing->err);
}

static void tell_stored(struct rely_work *work, const struct rely_err *err)
{
    struct storing *storing = (struct storing *)work;
    bool is_stored = err == NULL && storing->is_stored;
    rely_keeper_note_stored(storing->thread->keeper, storing->fetched.issuer_id, is_stored ? &storing->stored : NULL,
                            err == NULL ? &storing->err : err);
    free(storing->jwks);
    free(storing->source_url);
    free(storing->seen);
    free(storing);
}

static void store_for_keeper(void *context, const struct rely_fetched_keys *fetched)
{
    struct rely_control_thread *thread = context;
    struct storing *storing = rely_alloc(sizeof *storing);
    *storing =
        (struct storing){.work = {.is_write = true, .is_told_first = true, .run = store_keyset, .done = tell_stored},
                         .thread = thread,
                         .fetched = *fetched,
                         .jwks = fetched->jwks.ptr == NULL ? NULL : rely_strdup_slice(fetched->jwks),
                         .source_url = rely_strdup_slice(fetched->source_url),
                         .seen = fetched->seen.ptr == NULL ? NULL : rely_strdup_slice(fetched->seen)};
    storing->fetched.jwks.ptr = storing->jwks;
    storing->fetched.source_url.ptr = storing->source_url;
    storing->fetched.seen.ptr = storing->seen;
    rely_registry_thread_ask(&thread->registry, &storing->work);
}

/* --- telling the workers ------------------------------------------------------------------------ */

/* To one worker: the fetch is over. */
struct fetch_notice {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    int64_t issuer_id;
    struct rely_key_notice notice;
};

static void note_on_worker(struct rely_message *message)
{
    struct fetch_notice *notice = (struct fetch_notice *)message;
    rely_reviewer_keys_answered(&notice->worker->reviewer, notice->issuer_id, &notice->notice);
    free(notice);
}

static void drop_fetch_notice(struct rely_message *message)
{
    free(message);
}

static void tell_workers_of_fetch(void *context, int64_t issuer_id, const struct rely_key_notice *what)
{
    const struct rely_control_thread *thread = context;
    struct rely_service *service = thread->service;
    rely_waits_note_keys(thread, issuer_id);
    for (size_t i = 0; i < service->worker_count && !thread->are_workers_gone; i++) {
        struct fetch_notice *notice = rely_alloc(sizeof *notice);
        *notice = (struct fetch_notice){
            {.run = note_on_worker, .drop = drop_fetch_notice}, &service->workers[i], issuer_id, *what};
        rely_loop_post(service->workers[i].loop, &notice->message);
    }
}

struct rely_keeper *rely_rooms_new_keeper(struct rely_control_thread *thread)
{
    const struct rely_keeper_hooks hooks = {.context = thread,
                                            .now_us = tell_time_us,
                                            .now_s = tell_time_s,
                                            .random = draw_random,
                                            .start_timer = start_room_timer,
                                            .cancel_timer = cancel_room_timer,
                                            .fetch = fetch_for_keeper,
                                            .snapshot = show_newest,
                                            .accept = publish_for_keeper,
                                            .store = store_for_keeper,
                                            .tell = tell_workers_of_fetch};
    return rely_keeper_new(thread->service->config, thread->ring, &hooks);
}

/* --- control/ --------------------------------------------------------------------------------------- */

static bool may_keys_be_in_force(void *context, const struct rely_issuer *issuer, struct rely_slice keys_url,
                                 struct rely_err *err)
{
    const struct rely_control_thread *thread = context;
    return rely_accept_source(thread->service->fetcher, issuer, keys_url, err);
}

/* A thread for one task. */
struct aside {
    pthread_t id;
    void (*run)(void *what);
    void *what;
};

static void *run_aside(void *context)
{
    const struct aside *aside = context;
    pthread_setname_np(pthread_self(), "relyd-load");
    rely_service_yield_to_workers();
    aside->run(aside->what);
    return NULL;
}

static void *start_aside(void *context, void (*run)(void *what), void *what)
{
    struct aside *aside = rely_alloc(sizeof *aside);
    (void)context;
    aside->run = run;
    aside->what = what;
    int failure = pthread_create(&aside->id, NULL, run_aside, aside);
    RELY_ASSERT(failure == 0);
    return aside;
}

static void await_aside(void *context, void *started)
{
    struct aside *aside = started;
    (void)context;
    pthread_join(aside->id, NULL);
    free(aside);
}

static void tell_keeper_of_issuer(void *context, int64_t issuer_id, bool is_removed)
{
    const struct rely_control_thread *thread = context;
    if (!thread->is_keeper_stopped)
        rely_keeper_note_issuer(thread->keeper, issuer_id, is_removed);
}

static void post_to_worker(void *context, size_t worker, struct rely_message *message)
{
    const struct rely_control_thread *thread = context;
    rely_loop_post(thread->service->workers[worker].loop, message);
}

static void post_to_control(void *context, struct rely_message *message)
{
    rely_loop_post(((const struct rely_control_thread *)context)->loop, message);
}

static void give_edition_to_worker(void *context, size_t worker, const struct rely_snapshot *snapshot)
{
    const struct rely_control_thread *thread = context;
    rely_reviewer_take_up(&thread->service->workers[worker].reviewer, snapshot);
}

struct rely_control *rely_rooms_new_control(struct rely_control_thread *thread)
{
    const struct rely_control_hooks hooks = {.context = thread,
                                             .now_s = tell_time_s,
                                             .may_be_in_force = may_keys_be_in_force,
                                             .start_aside = start_aside,
                                             .await_aside = await_aside,
                                             .note_issuer = tell_keeper_of_issuer,
                                             .post_to_worker = post_to_worker,
                                             .post_back = post_to_control,
                                             .take_up = give_edition_to_worker};
    return rely_control_new(thread->service->config, thread->ring, thread->service->worker_count, &hooks);
}

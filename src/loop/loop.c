/*
 * Makes, runs and stops an event loop over libh2o: messages from other threads, timers, and the drain at the end.
 * Decides the order of a turn (sockets, who waits for his turn, messages, timers); knows nothing of requests. Called by
 * the service.
 */
#include "loop.h"

#include <signal.h>

/* How long whoever is told at the end of a drain has to read it. */
#define CUT_AGAIN_MS 50
/* How long a drain leaves idle connections open: a client that asks again meanwhile is answered, and told to close. Of
 * the whole drain at most half. */
#define IDLE_GRACE_MS 1000
#define CLOSE_IDLE_AGAIN_MS 20

uint64_t rely_loop_may_say(const struct rely_loop *loop, struct said *said, uint64_t again_ms)
{
    uint64_t now_ms = rely_timers_now(), count = ++said->unsaid;
    if (loop->options.ring == NULL || (said->at_ms != 0 && now_ms < said->at_ms + again_ms))
        return 0;
    *said = (struct said){.at_ms = now_ms};
    return count;
}

static void ignore_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    (void)messages;
}

struct rely_loop *rely_loop_new(const struct rely_loop_options *options, struct rely_err *err)
{
    if (options->max_head_bytes == 0 || options->max_body_bytes == 0 || options->max_memory_bytes == 0 ||
        options->head_timeout_ms <= 0 || options->body_timeout_ms <= 0 || options->idle_timeout_ms <= 0 ||
        options->max_connections <= options->kept_for_unix) {
        rely_err_set(err, RELY_ERR_INVALID, "a loop needs limits above 0 for sizes, times and connections");
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    RELY_ASSERT(options->counters != NULL && options->protocol != NULL);
    struct rely_loop *loop = rely_alloc(sizeof(*loop));
    loop->options = *options;
    loop->room = (struct rely_room){
        .max = options->max_connections, .kept = options->kept_for_unix, .max_name = options->max_name};
    loop->rooms = &loop->room;
    atomic_init(&loop->stop_ms, -1);
    rely_pool_init(&loop->scratch);
    loop->ready_end = &loop->ready;
    loop->shared = options->protocol->open_loop();
    loop->events = h2o_evloop_create();
    loop->queue = h2o_multithread_create_queue(loop->events);
    h2o_multithread_register_receiver(loop->queue, &loop->wake, ignore_wake);
    loop->accept_timer.run = rely_listeners_resume;
    return loop;
}

const struct rely_loop_options *rely_loop_get_options(const struct rely_loop *loop)
{
    return &loop->options;
}

int rely_loop_connections(const struct rely_loop *loop)
{
    return (int)__atomic_load_n(&loop->options.counters->connections, __ATOMIC_RELAXED);
}

void *rely_loop_shared(const struct rely_loop *loop)
{
    return loop->shared;
}

struct rely_pool *rely_loop_scratch(struct rely_loop *loop)
{
    return &loop->scratch;
}

bool rely_loop_is_draining(const struct rely_loop *loop)
{
    return loop->is_draining;
}

/* --- turns and timers ------------------------------------------------------------------------------- */

void rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int delay_ms)
{
    rely_timers_put(&loop->timers, timer, rely_timers_now() + (uint64_t)(delay_ms < 0 ? 0 : delay_ms));
}

void rely_timer_cancel(struct rely_loop *loop, struct rely_timer *timer)
{
    rely_timers_drop(&loop->timers, timer);
}

static bool run_timers(struct rely_loop *loop)
{
    if (loop->timers.count == 0)
        return false;
    uint64_t now_ms = rely_timers_now();
    bool has_run = false;
    /* No more than were running: one that starts itself again with 0 ms must not hold the loop. */
    for (size_t left = loop->timers.count; left > 0; left--) {
        struct rely_timer *timer = rely_timers_take(&loop->timers, now_ms);
        if (timer == NULL)
            break;
        timer->run(timer);
        rely_pool_reset(&loop->scratch);
        has_run = true;
    }
    return has_run;
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* What the client has sent is still read and answered; then the end of input closes the connection. */
static void end_input(struct rely_connection *connection, void *context)
{
    (void)context;
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
}

static void close_idle(struct rely_timer *timer)
{
    struct rely_loop *loop = H2O_STRUCT_FROM_MEMBER(struct rely_loop, idle_timer, timer);
    rely_connections_each(loop, RELY_STAGE_IDLE, RELY_STAGE_IDLE, end_input, NULL);
    rely_timer_start(loop, timer, CLOSE_IDLE_AGAIN_MS);
}

/* Whoever waits for an answer of ours is told that none will come, and has a moment to read that. */
static void cut_off(struct rely_connection *connection, void *context)
{
    struct rely_loop *loop = context;
    if (connection->stage != RELY_STAGE_LEAVING)
        rely_connection_count_cut(connection, RELY_CUT_DRAIN);
    if (connection->stage == RELY_STAGE_ANSWER)
        loop->options.protocol->expire(connection);
    else
        rely_connection_close(connection);
}

static void cut_off_all(struct rely_timer *timer)
{
    struct rely_loop *loop = H2O_STRUCT_FROM_MEMBER(struct rely_loop, drain_timer, timer);
    rely_connections_each(loop, RELY_STAGE_HANDSHAKE, RELY_STAGE_LEAVING, cut_off, loop);
    rely_timer_start(loop, timer, CUT_AGAIN_MS);
}

static void begin_drain_of(struct rely_connection *connection, void *context)
{
    struct rely_loop *loop = context;
    if (!connection->is_shaking_hands)
        loop->options.protocol->drain(connection);
    rely_pool_reset(&loop->scratch);
}

static void drain_if_told(struct rely_loop *loop)
{
    int drain_ms = atomic_exchange(&loop->stop_ms, -1);
    if (drain_ms < 0)
        return;
    loop->drain_timer.run = cut_off_all;
    rely_timer_start(loop, &loop->drain_timer, drain_ms);
    loop->idle_timer.run = close_idle;
    rely_timer_start(loop, &loop->idle_timer, drain_ms / 2 < IDLE_GRACE_MS ? drain_ms / 2 : IDLE_GRACE_MS);
    if (loop->is_draining)
        return;
    loop->is_draining = true;
    rely_listeners_drain(loop);
    rely_connections_each(loop, RELY_STAGE_LISTENS, RELY_STAGE_UNSENT, begin_drain_of, loop);
}

void rely_loop_run(struct rely_loop *loop)
{
    bool has_run = true;
    while (!loop->is_draining || rely_loop_connections(loop) > 0) {
        h2o_evloop_run(loop->events, has_run ? 0 : rely_timers_wait(&loop->timers));
        has_run = rely_connections_resume(loop);
        has_run = rely_messages_run(loop) || has_run;
        has_run = run_timers(loop) || has_run;
        if (atomic_load_explicit(&loop->stop_ms, memory_order_relaxed) >= 0) {
            drain_if_told(loop);
            has_run = true;
        }
        rely_watch_keep_budget(loop);
    }
    rely_timer_cancel(loop, &loop->drain_timer);
    rely_timer_cancel(loop, &loop->idle_timer);
    rely_timer_cancel(loop, &loop->watch_timer);
}

void rely_loop_free(struct rely_loop *loop)
{
    if (loop == NULL)
        return;
    RELY_ASSERT(rely_loop_connections(loop) == 0);
    rely_messages_await_senders(loop);
    rely_listeners_close(loop);
    while (loop->listeners != NULL) {
        struct rely_listener *listener = loop->listeners;
        loop->listeners = listener->next;
        free(listener->service);
        free(listener);
    }
    rely_messages_drop(loop);
    h2o_multithread_unregister_receiver(loop->queue, &loop->wake);
    h2o_multithread_destroy_queue(loop->queue);
    h2o_evloop_destroy(loop->events);
    loop->options.protocol->close_loop(loop->shared);
    rely_timers_fini(&loop->timers);
    rely_pool_fini(&loop->scratch);
    free(loop);
}

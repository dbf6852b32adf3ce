/*
 * What other threads tell a loop: messages, in the order sent, and the order to stop. Decides when the loop is woken;
 * knows nothing of what they say. Called by any thread (rely_loop_post, rely_loop_stop) and by loop.c.
 */
#include "loop.h"

#include "relyd/pool.h"

#include <sched.h>

/*
 * What another thread sends may end the loop before its own call has returned: the loop's pipe must not be closed, and
 * its number given to another file, while that thread is about to write to it.
 */
static void enter_as_sender(struct rely_loop *loop)
{
    atomic_fetch_add_explicit(&loop->senders, 1, memory_order_relaxed);
}

static void leave_as_sender(struct rely_loop *loop)
{
    atomic_fetch_sub_explicit(&loop->senders, 1, memory_order_release);
}

void rely_messages_await_senders(const struct rely_loop *loop)
{
    while (atomic_load_explicit(&loop->senders, memory_order_acquire) > 0)
        sched_yield();
}

void rely_loop_post(struct rely_loop *loop, struct rely_message *message)
{
    enter_as_sender(loop);
    struct rely_message *newest = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        message->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &newest, message, memory_order_acq_rel,
                                                  memory_order_relaxed));
    if (newest == NULL) /* else whoever posted the first one has woken the loop */
        h2o_multithread_send_message(&loop->wake, NULL);
    leave_as_sender(loop);
}

/* Empties the inbox; the messages in the order they were posted. */
static struct rely_message *take_messages(struct rely_loop *loop)
{
    if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == NULL)
        return NULL;
    struct rely_message *newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
    struct rely_message *oldest = NULL;
    while (newest != NULL) {
        struct rely_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool rely_messages_run(struct rely_loop *loop)
{
    struct rely_message *message = take_messages(loop);
    bool has_run = message != NULL;
    while (message != NULL) {
        struct rely_message *next = message->next; /* the callback may free it */
        message->run(message);
        rely_pool_reset(&loop->scratch);
        message = next;
    }
    return has_run;
}

/* Whoever posted after the last turn learns that it will not run. */
void rely_messages_drop(struct rely_loop *loop)
{
    for (struct rely_message *message = take_messages(loop); message != NULL;) {
        struct rely_message *next = message->next;
        if (message->drop != NULL)
            message->drop(message);
        message = next;
    }
}

void rely_loop_stop(struct rely_loop *loop, int drain_ms)
{
    enter_as_sender(loop);
    atomic_store(&loop->stop_ms, drain_ms < 0 ? 0 : drain_ms);
    h2o_multithread_send_message(&loop->wake, NULL);
    leave_as_sender(loop);
}

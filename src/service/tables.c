/*
 * Tables for the keys that are used often: made on a thread of their own, because one takes up to 40 ms, and hung on
 * the key by the control thread. Decides which keys get one: the first to ask, up to keys.tables. The queue is as long
 * as there are places. Called by worker.c's question and by service.c.
 */
#include "service.h"

#include "relyd/signature.h"
#include "relyd/snapshot.h"

#include <stdlib.h>

/* One table to be made: travels control -> builder -> control. */
struct rely_table_order {
    struct rely_message message; /* first */
    struct rely_table_order *next;
    struct rely_control_thread *thread; /* borrowed */
    int64_t issuer_id;
    uint64_t serial; /* of the key */
    struct rely_key_point point;
    struct rely_key_table *table; /* owned; NULL: not made yet, or it cannot be had */
};

/* --- on the control thread ------------------------------------------------------------------------------ */

/* Keys come and go while a table is made: a key is found again by its serial, or it is gone. */
static const struct rely_key *find_key_by_serial(struct rely_control_thread *thread, int64_t issuer_id, uint64_t serial)
{
    const struct rely_issuer *issuer = rely_snapshot_issuer(rely_control_snapshot(thread->control), issuer_id);
    const struct rely_keyset *keyset = issuer == NULL ? NULL : issuer->keyset;
    for (size_t i = 0; keyset != NULL && i < rely_keyset_count(keyset); i++)
        if (rely_signature_serial(rely_keyset_at(keyset, i)) == serial)
            return rely_keyset_at(keyset, i);
    return NULL;
}

static void drop_order(struct rely_message *message)
{
    struct rely_table_order *order = (struct rely_table_order *)message;
    rely_key_table_free(order->table);
    free(order);
}

static void hang_table_on_key(struct rely_message *message)
{
    struct rely_table_order *order = (struct rely_table_order *)message;
    struct rely_control_thread *thread = order->thread;
    const struct rely_key *key = find_key_by_serial(thread, order->issuer_id, order->serial);
    thread->tables_pending--;
    if (order->table == NULL) {
        rely_log_event(thread->ring, RELY_LOG_WARNING, "key_table_failed",
                       "no table can be made for a key of issuer %lld; it is used without",
                       (long long)order->issuer_id);
    } else if (key != NULL) {
        rely_key_table_attach(key, order->table);
        order->table = NULL;
    }
    drop_order(message);
}

static bool push_order(struct rely_tables *tables, struct rely_table_order *order)
{
    pthread_mutex_lock(&tables->lock);
    bool is_taken = !tables->is_stopping;
    if (is_taken) {
        *(tables->newest == NULL ? &tables->oldest : &tables->newest->next) = order;
        tables->newest = order;
        pthread_cond_signal(&tables->has_order);
    }
    pthread_mutex_unlock(&tables->lock);
    return is_taken;
}

void rely_tables_ask(struct rely_control_thread *thread, int64_t issuer_id, uint64_t serial)
{
    const struct rely_key *key = find_key_by_serial(thread, issuer_id, serial);
    size_t limit = (size_t)thread->service->config->key_tables;
    struct rely_key_point point;
    if (key == NULL || rely_key_tables_count() + thread->tables_pending >= limit || !rely_key_point_of(key, &point))
        return;
    struct rely_table_order *order = rely_alloc(sizeof *order);
    *order = (struct rely_table_order){.thread = thread, .issuer_id = issuer_id, .serial = serial, .point = point};
    if (push_order(&thread->service->tables, order))
        thread->tables_pending++;
    else
        free(order);
}

/* --- the builder thread ---------------------------------------------------------------------------------- */

/* NULL: the service stops. */
static struct rely_table_order *await_order(struct rely_tables *tables)
{
    pthread_mutex_lock(&tables->lock);
    while (tables->oldest == NULL && !tables->is_stopping)
        pthread_cond_wait(&tables->has_order, &tables->lock);
    struct rely_table_order *order = tables->is_stopping ? NULL : tables->oldest;
    if (order != NULL) {
        tables->oldest = order->next;
        if (tables->oldest == NULL)
            tables->newest = NULL;
    }
    pthread_mutex_unlock(&tables->lock);
    return order;
}

static void *build_tables(void *context)
{
    struct rely_tables *tables = context;
    struct rely_table_order *order;
    pthread_setname_np(pthread_self(), "relyd-tables");
    rely_service_yield_to_workers();
    while ((order = await_order(tables)) != NULL) {
        order->table = rely_key_table_new(&order->point);
        order->message.run = hang_table_on_key;
        order->message.drop = drop_order;
        rely_loop_post(order->thread->loop, &order->message);
    }
    return NULL;
}

void rely_tables_start(struct rely_tables *tables)
{
    pthread_mutex_init(&tables->lock, NULL);
    pthread_cond_init(&tables->has_order, NULL);
    int failure = pthread_create(&tables->thread, NULL, build_tables, tables);
    RELY_ASSERT(failure == 0);
}

void rely_tables_stop(struct rely_tables *tables)
{
    pthread_mutex_lock(&tables->lock);
    tables->is_stopping = true;
    pthread_cond_signal(&tables->has_order);
    pthread_mutex_unlock(&tables->lock);
    pthread_join(tables->thread, NULL);
    while (tables->oldest != NULL) {
        struct rely_table_order *order = tables->oldest;
        tables->oldest = order->next;
        drop_order(&order->message);
    }
}

void rely_tables_fini(struct rely_tables *tables)
{
    pthread_cond_destroy(&tables->has_order);
    pthread_mutex_destroy(&tables->lock);
}

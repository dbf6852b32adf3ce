/*
 * The parts of http/ that stand on libh2o: a loop, its listeners, their connections, and the exchange that carries one
 * request to its answer. One libh2o context per loop; a connection knows its listener, so one catch-all handler serves
 * them all.
 */
#ifndef RELYD_HTTP_LOOP_H
#define RELYD_HTTP_LOOP_H

#include <h2o.h>
#include <stdatomic.h>

#include "head.h"

struct rely_exchange;

/* How many connections of some listeners are open, and may be. */
struct rely_room {
    int open, max;
};

struct rely_listener {
    struct rely_loop *loop;     /* borrowed */
    h2o_socket_t *socket;       /* owned */
    rely_http_handler handler;  /* static */
    void *context;              /* borrowed from the caller of rely_loop_listen */
    struct rely_listener *next; /* owned */
    struct rely_room *room;     /* the loop's, or `own` */
    struct rely_room own;
    bool is_unix;
    bool is_paused; /* not accepting */
};

/* Lives from accept until libh2o closes the socket. */
struct rely_connection {
    struct rely_listener *listener; /* borrowed from the loop */
    h2o_socket_t *socket;           /* borrowed from libh2o */
    struct rely_exchange *exchange; /* the one that is deferred, or NULL; borrowed from libh2o's request pool */
    uint64_t turn;                  /* of the loop: the last in which a request of this connection began */
    uint32_t peer_uid;
};

/* One request; in libh2o's pool of that request. */
struct rely_exchange {
    struct rely_http_request request; /* first: what handlers see */
    h2o_req_t *h2o;                   /* borrowed */
    struct rely_connection *connection;
    void (*gone)(void *context);
    void *gone_context;
    struct rely_exchange *next; /* the loop's list of those that wait for the next turn */
    bool is_answered;
};

struct rely_loop {
    h2o_context_t context; /* first: a request's conn->ctx is the loop */
    h2o_globalconf_t config;
    h2o_accept_ctx_t accept;
    h2o_multithread_receiver_t wake; /* only to wake the loop: messages are in `inbox` */
    struct rely_loop_options options;
    struct rely_listener *listeners; /* owned */
    uint64_t turn;
    struct rely_exchange *next_turn, **next_turn_end; /* borrowed: oldest first */
    struct rely_pool scratch;
    struct rely_timers timers;
    struct rely_timer accept_timer; /* accept again after the process ran out of descriptors */
    struct rely_timer drain_timer;  /* cut off what is left */
    struct rely_room room;          /* of the listeners that have none of their own */
    bool is_draining;
    atomic_int senders;                   /* threads that are inside post or stop */
    atomic_int stop_ms;                   /* -1: no order to stop is waiting */
    _Atomic(struct rely_message *) inbox; /* newest first */
};

/* request.c: libh2o's handler; and the end of a deferred exchange whose client has left. */
int rely_exchange_start(h2o_handler_t *self, h2o_req_t *h2o);
/* Begins those that had to wait for this turn; false when there was none. */
bool rely_exchanges_begin(struct rely_loop *loop);
void rely_exchange_abandon(struct rely_exchange *exchange);
/* Ends the watch over the client, before the answer. */
void rely_exchange_unwatch(struct rely_exchange *exchange);

/* listen.c */
void rely_listeners_close(struct rely_loop *loop);
void rely_listeners_resume(struct rely_timer *timer);

static inline struct rely_slice rely_of_iovec(h2o_iovec_t bytes)
{
    return rely_slice(bytes.base, bytes.len);
}

#endif

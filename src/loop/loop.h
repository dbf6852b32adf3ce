/*
 * The inside of a loop: its listeners, their connections, and in what stages these are.
 */
#ifndef RELYD_LOOP_LOOP_H
#define RELYD_LOOP_LOOP_H

#include <h2o/multithread.h>
#include <h2o/socket.h>
#include <stdatomic.h>

#include "timers.h"

#include "relyd/connection.h"
#include "relyd/peer.h"
#include "relyd/pool.h"

/* Connections in one stage, the longest first. */
struct rely_stage_list {
    struct rely_connection *first, *last;
};

enum rely_kind { RELY_KIND_TCP, RELY_KIND_UNIX, RELY_KIND_COUNT };

/* How many connections of some listeners are open, and may be. */
struct rely_room {
    struct rely_stage_list lists[RELY_KIND_COUNT][RELY_STAGE_COUNT];
    struct rely_room *next; /* of the loop's */
    int count[RELY_KIND_COUNT];
    int max;
    int kept;             /* of max: for unix sockets alone */
    const char *max_name; /* static: the setting, for the log */
};

static inline int rely_room_taken(const struct rely_room *room)
{
    return room->count[RELY_KIND_TCP] + room->count[RELY_KIND_UNIX];
}

struct rely_listener {
    struct rely_loop *loop;     /* borrowed */
    h2o_socket_t *socket;       /* owned */
    void *service;              /* owned: the protocol's */
    struct rely_listener *next; /* owned */
    struct rely_room *room;     /* the loop's, or `own` */
    struct rely_room own;
    struct rely_tls *tls; /* borrowed; NULL: clear text */
    bool is_unix;
    bool is_paused; /* not accepting */
    bool is_shared; /* with another process */
};

/* Of what is said once in a while. Zero-filled: never yet. */
struct said {
    uint64_t at_ms;  /* when it was said; 0: never */
    uint64_t unsaid; /* how often it has been so since */
};

struct rely_loop {
    h2o_evloop_t *events;            /* owned */
    h2o_multithread_queue_t *queue;  /* owned */
    h2o_multithread_receiver_t wake; /* only to wake the loop: messages are in `inbox` */
    struct rely_loop_options options;
    struct rely_listener *listeners; /* owned */
    void *shared;                    /* owned: the protocol's */
    struct rely_connection *ready;   /* borrowed: what the next turns resume, first come, first served */
    struct rely_connection **ready_end;
    size_t ready_count;
    struct rely_pool scratch;
    struct rely_timers timers;
    struct rely_room room;   /* of the listeners that have none of their own */
    struct rely_room *rooms; /* borrowed: all of them */
    uint64_t order;
    size_t held_bytes;             /* by all connections, and handlers */
    size_t handlers_bytes;         /* of these */
    size_t wide_count;             /* of connections that are */
    struct rely_timer watch_timer; /* look for those whose time is up */
    bool is_look_near;             /* it runs for those whose time is short */
    struct said cuts_said[RELY_CUT_COUNT], handshakes_said[RELY_HANDSHAKES_COUNT],
        other_protocols_said[RELY_OTHER_PROTOCOLS];
    struct rely_timer accept_timer; /* accept again after the process ran out of descriptors */
    struct rely_timer drain_timer;  /* cut off what is left */
    struct rely_timer idle_timer;   /* of a drain: close who does not ask any more */
    bool is_draining;
    atomic_bool leaves_listeners;         /* to another process */
    atomic_int senders;                   /* threads that are inside post or stop */
    atomic_int stop_ms;                   /* -1: no order to stop is waiting */
    _Atomic(struct rely_message *) inbox; /* newest first */
};

/* loop.c: it has been so once more. Returns how often since it was last said, where it is to be said now; else 0. */
uint64_t rely_loop_may_say(const struct rely_loop *loop, struct said *said, uint64_t again_ms);

/* message.c: run, or drop, those that have been posted; false: there was none. And nobody is inside post any more. */
bool rely_messages_run(struct rely_loop *loop);
void rely_messages_drop(struct rely_loop *loop);
void rely_messages_await_senders(const struct rely_loop *loop);

/* connection.c */
void rely_connection_open(struct rely_listener *listener, h2o_socket_t *socket);
/* Ends it without a word, and gives back at once what the kernel holds of it. */
void rely_connection_reset(struct rely_connection *connection);
/* Resumes those that wanted a turn, as many as one has room for; false: there was none. */
bool rely_connections_resume(struct rely_loop *loop);
/* Of the stages from first to last, each connection of the loop, once. `visit` may close it, or send it to a later
 * stage. */
void rely_connections_each(struct rely_loop *loop, enum rely_stage first, enum rely_stage last,
                           void (*visit)(struct rely_connection *connection, void *context), void *context);

/* watch.c */
void rely_watch_add(struct rely_connection *connection);
void rely_watch_remove(struct rely_connection *connection);
/* At the end of a turn: cuts off the largest when all together hold more than they may. */
void rely_watch_keep_budget(struct rely_loop *loop);
/* For a new connection of this listener, closes the longest idle one of its room; false when all are being answered. */
bool rely_watch_make_room(const struct rely_listener *listener, bool is_out_of_descriptors);

/* listen.c */
void rely_listeners_close(struct rely_loop *loop);
/* Takes in who has connected, and closes. */
void rely_listeners_drain(struct rely_loop *loop);
void rely_listeners_resume(struct rely_timer *timer);
/* A connection has left. */
void rely_listeners_note_close(struct rely_loop *loop);

#endif

/*
 * The inside of a loop: its listeners, their connections, and what a protocol that serves them must be able to do. One
 * libh2o context per loop.
 */
#ifndef RELYD_LOOP_LOOP_H
#define RELYD_LOOP_LOOP_H

#include <h2o.h>
#include <stdatomic.h>

#include "timers.h"

#include "relyd/pool.h"

struct rely_connection;

/* What serves the connections of a loop. All on its thread. */
struct rely_protocol {
    void (*set_up)(struct rely_loop *loop); /* the loop's `config`, before there is a connection */
    /* A new one. From now on the protocol reads and writes its socket. */
    void (*accept)(struct rely_connection *connection);
    /* End the connection's deferred requests, without an answer. */
    void (*abandon)(struct rely_connection *connection);
};

/* How many connections of some listeners are open, and may be. */
struct rely_room {
    int tcp, local; /* open and not cut off: by TCP, by unix sockets */
    int max;
    int kept;             /* of max: for unix sockets alone */
    const char *max_name; /* static: the setting, for the log */
};

static inline int rely_room_taken(const struct rely_room *room)
{
    return room->tcp + room->local;
}

/* What a connection was doing when it was last looked at. */
enum rely_stage {
    RELY_STAGE_IDLE,   /* nothing of a request is there */
    RELY_STAGE_HEAD,   /* a part of a head */
    RELY_STAGE_BODY,   /* a head and not all of its body */
    RELY_STAGE_ANSWER, /* a request is being answered */
    RELY_STAGE_CUT     /* cut off: libh2o closes it when it next looks */
};

struct rely_listener {
    struct rely_loop *loop;     /* borrowed */
    h2o_socket_t *socket;       /* owned */
    void *service;              /* owned: the protocol's */
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
    void *deferred;                 /* the protocol's: what it keeps of deferred requests */
    int deferred_count;             /* requests that wait for their answers */
    uint64_t turn;                  /* of the loop: the last in which a request of this connection began, or its own */
    size_t place;                   /* in the loop's places */
    size_t answer_bytes;            /* of the last answer: held while it is being written */
    uint32_t peer_uid;
    /* watch.c's, of its last look */
    enum rely_stage stage;
    bool is_candidate;   /* it stands in the loop's list of candidates */
    uint64_t since_ms;   /* the stage was first seen */
    uint64_t seen_turn;  /* `turn` then: another one is another request */
    size_t head_scanned; /* bytes of the input without an end of a head */
};

/* A connection among all of its loop, with what a look needs of one that goes on being idle. */
struct rely_place {
    h2o_socket_t *socket;
    struct rely_connection *connection;
    uint64_t idle_since_ms; /* 0: it was not idle at the last look */
    size_t bytes_written;   /* then: no answer since */
};

/* Who goes when there is no room: the longest idle, found many at once. */
#define RELY_CANDIDATES 64
struct rely_candidate {
    struct rely_connection *connection; /* NULL: it has closed meanwhile */
    uint64_t turn;                      /* then; another one now: it has asked since */
    int rank;                           /* then (rank_connection); lower goes first */
};

struct rely_loop {
    h2o_context_t context; /* first: a request's conn->ctx is the loop */
    h2o_globalconf_t config;
    h2o_multithread_receiver_t wake; /* only to wake the loop: messages are in `inbox` */
    struct rely_loop_options options;
    struct rely_listener *listeners; /* owned */
    uint64_t turn;
    struct rely_message *next_turn, **next_turn_end; /* borrowed: oldest first */
    struct rely_pool scratch;
    struct rely_timers timers;
    struct rely_place *places; /* owned: place_count of them, in no order */
    size_t place_count, place_capacity;
    struct rely_candidate candidates[RELY_CANDIDATES]; /* the next to go last */
    size_t candidate_count;
    const struct rely_room *candidates_room;
    bool has_spared_local;         /* of the candidates: none is of a unix socket */
    struct rely_timer watch_timer; /* look at all connections */
    bool is_resting;               /* until something happens, there is nothing to look at but who is idle too long */
    uint64_t said_ms[RELY_CUT_COUNT]; /* when a limit was last said to be reached; 0: never */
    uint64_t unsaid[RELY_CUT_COUNT];  /* how often since */
    struct rely_timer accept_timer;   /* accept again after the process ran out of descriptors */
    struct rely_timer drain_timer;    /* cut off what is left */
    struct rely_timer idle_timer;     /* of a drain: close who does not ask any more */
    struct rely_room room;            /* of the listeners that have none of their own */
    bool is_draining;
    atomic_int senders;                   /* threads that are inside post or stop */
    atomic_int stop_ms;                   /* -1: no order to stop is waiting */
    _Atomic(struct rely_message *) inbox; /* newest first */
};

/* loop.c: run it in the next turn, before the messages of other threads. On the loop's thread. */
void rely_loop_run_next_turn(struct rely_loop *loop, struct rely_message *message);

/* message.c: run, or drop, those that have been posted; false: there was none. And nobody is inside post any more. */
bool rely_messages_run(struct rely_loop *loop);
void rely_messages_drop(struct rely_loop *loop);
void rely_messages_await_senders(const struct rely_loop *loop);

/* watch.c */
void rely_watch_add(struct rely_loop *loop, struct rely_connection *connection);
void rely_watch_remove(struct rely_loop *loop, struct rely_connection *connection);
/* Something happens: look at all connections soon. */
void rely_watch_wake(struct rely_loop *loop);
/* For a new connection of this listener, cuts off the longest idle one of its room; false when all are being answered.
 */
bool rely_watch_make_room(const struct rely_listener *listener, bool is_out_of_descriptors);
/* Ends a connection for a limit: libh2o sees the end of input, and closes. */
void rely_watch_cut(struct rely_loop *loop, struct rely_connection *connection, enum rely_cut cut);

/* listen.c */
void rely_listeners_close(struct rely_loop *loop);
/* Takes in who has connected, and closes. */
void rely_listeners_drain(struct rely_loop *loop);
void rely_listeners_resume(struct rely_timer *timer);

#endif

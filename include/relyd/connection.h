/*
 * connection: one accepted connection of a loop, for the protocol that serves it (http/): its bytes, and what it is at,
 * by which the loop knows whose time is up, who holds how much, and who makes room. All on the loop's thread.
 */
#ifndef RELYD_CONNECTION_H
#define RELYD_CONNECTION_H

#include "relyd/loop.h"

#include <sys/types.h>

struct rely_certificate;
struct rely_listener;
struct st_h2o_socket_t;

/* What a connection is at. Each has its own time, but for the one in which we are at work. */
enum rely_stage {
    RELY_STAGE_HANDSHAKE, /* of TLS: head_timeout_ms */
    RELY_STAGE_LISTENS,   /* as idle, but that it hears when the loop drains: 48 times idle_timeout_ms */
    RELY_STAGE_IDLE,      /* nothing of a request is there: idle_timeout_ms */
    RELY_STAGE_HEAD,      /* a part of a head: head_timeout_ms */
    RELY_STAGE_BODY,      /* a head and not all of its body: body_timeout_ms */
    RELY_STAGE_ANSWER,    /* its request waits for its answer, which is ours */
    RELY_STAGE_UNSENT,    /* its client does not take the answer: idle_timeout_ms */
    RELY_STAGE_LEAVING,   /* its output has ended, and what still comes is thrown away: 2 s */
    RELY_STAGE_COUNT
};

/* The beginning of a protocol's own struct. */
struct rely_connection {
    struct rely_loop *loop; /* borrowed, like all that is below */
    void *service;          /* the listener's */
    bool is_unix;
    uint32_t peer_uid;                    /* of a unix socket: the kernel's word; UINT32_MAX otherwise */
    struct rely_certificate *certificate; /* owned: the client's; NULL: it has shown none, or there is no TLS */
    enum rely_stage stage;
    /* the loop's own */
    struct rely_listener *listener;
    struct st_h2o_socket_t *socket; /* owned */
    struct ssl_st *ssl;             /* owned; NULL: clear text */
    bool is_shaking_hands;
    bool is_wide;                            /* the kernel keeps more of it unread than of others */
    bool wants_turn, has_unread_input;       /* why it is in the list of those that the next turn brings something */
    struct rely_connection *next, *previous; /* in the list of its stage, the longest first */
    struct rely_connection *next_ready, **ready_place;
    uint64_t order;   /* of the entries into a stage, in all of the loop */
    int64_t since_ms; /* it is in this stage */
    size_t held_bytes;
};

/* What serves the connections of a loop. Each may close the connection it is called for (which is gone then), and no
 * other. */
struct rely_protocol {
    size_t connection_bytes;  /* of its own struct, which begins with struct rely_connection; the rest is zero */
    void *(*open_loop)(void); /* what all connections of a loop share; rely_loop_shared */
    void (*close_loop)(void *shared);
    void (*receive)(struct rely_connection *connection); /* there is input, or its end */
    void (*send)(struct rely_connection *connection);    /* there is room for output, which was wanted */
    void (*resume)(struct rely_connection *connection);  /* the next turn has come, which was wanted */
    void (*expire)(struct rely_connection *connection);  /* it has been in HEAD or BODY for too long, or the
                                                            drain ends in ANSWER: nobody will answer but this */
    void (*drain)(struct rely_connection *connection);   /* the loop's drain begins: there is time for a word */
    void (*fini)(struct rely_connection *connection);    /* it closes: free what it holds */
};

/* --- bytes --- */

#define RELY_AGAIN (-1)  /* nothing now */
#define RELY_BROKEN (-2) /* nor ever again */

/* Read at most size bytes; 0 is the end of input; or RELY_AGAIN, RELY_BROKEN. */
ssize_t rely_connection_receive(struct rely_connection *connection, char *out, size_t size);
/* Is there input (1), its end (0), or RELY_AGAIN, RELY_BROKEN? Takes nothing. */
ssize_t rely_connection_peek(struct rely_connection *connection);
/* Write what there is room for; fewer than len: the rest has to wait for `send`; or RELY_BROKEN. */
ssize_t rely_connection_send(struct rely_connection *connection, const char *bytes, size_t len);
/* Is `receive` to be called? From the beginning on it is. */
void rely_connection_want_input(struct rely_connection *connection, bool is_wanted);
/* Call `send` once, when there is room for output. */
void rely_connection_want_output(struct rely_connection *connection);
/* Call `resume` in one of the next turns of the loop, when all who have wanted one before had theirs. */
void rely_connection_want_turn(struct rely_connection *connection);
/* Over TLS: has the client chosen HTTP/2, which it was offered (RFC 7301)? */
bool rely_connection_has_chosen_http2(const struct rely_connection *connection);
/* Nothing more will be sent. */
void rely_connection_end_output(struct rely_connection *connection);
/* Close it; calls `fini` and frees it. */
void rely_connection_close(struct rely_connection *connection);

/* --- what it is at --- */

/* Its time in this stage begins now, also when it is in it already. */
void rely_connection_enter(struct rely_connection *connection, enum rely_stage stage);
/* It holds so many bytes of requests and answers that wait for their client. */
void rely_connection_hold(struct rely_connection *connection, size_t bytes);
/* It has reached this limit: counted, and said when it is one that ordinary clients do not meet. */
void rely_connection_count_cut(struct rely_connection *connection, enum rely_cut cut);

/* --- its loop --- */

/* What open_loop has made. */
void *rely_loop_shared(const struct rely_loop *loop);
/* Reset when the handler, message or timer that runs now returns. */
struct rely_pool *rely_loop_scratch(struct rely_loop *loop);
/* Every answer is the last of its connection. */
bool rely_loop_is_draining(const struct rely_loop *loop);

#endif

/*
 * loop: an event loop with its listening sockets, the connections that they accept, messages from other threads and
 * timers. What the connections say is a protocol's (connection.h, http.h). libh2o is spelled in src/loop/ only.
 */
#ifndef RELYD_LOOP_H
#define RELYD_LOOP_H

#include "relyd/base.h"
#include "relyd/timer.h"

struct rely_log_ring;

struct rely_loop;
struct rely_protocol;

/* The limits at which a connection is cut off. */
enum rely_cut {
    RELY_CUT_HEAD_SIZE,
    RELY_CUT_HEAD_TIME,
    RELY_CUT_BODY_TIME,
    RELY_CUT_IDLE_TIME,
    RELY_CUT_UNSENT,         /* its client takes no answer */
    RELY_CUT_MEMORY,         /* it was the largest when the loop's budget was used up */
    RELY_CUT_CONNECTIONS,    /* it was the longest idle when there was no room for a new one */
    RELY_CUT_HANDSHAKE_TIME, /* its TLS handshake took longer than a head may */
    RELY_CUT_DRAIN,          /* it was open at the end of the drain */
    RELY_CUT_FRAMES,         /* HTTP/2: more in a second than leads to anything */
    RELY_CUT_COUNT
};
/* The word of one in metrics, by its number. */
extern const char *const rely_cut_words[RELY_CUT_COUNT];

/* How a TLS handshake has ended. */
enum rely_handshake_end {
    RELY_HANDSHAKES_DONE,
    RELY_HANDSHAKES_GONE,            /* the client has left */
    RELY_HANDSHAKES_NOT_TLS,         /* what he sent is none */
    RELY_HANDSHAKES_NOTHING_COMMON,  /* no version, cipher, curve or protocol */
    RELY_HANDSHAKES_NO_CERTIFICATE,  /* where one is required */
    RELY_HANDSHAKES_BAD_CERTIFICATE, /* the client's */
    RELY_HANDSHAKES_REFUSED,         /* by the client: an alert of his */
    RELY_HANDSHAKES_OTHER,
    RELY_HANDSHAKES_COUNT
};
extern const char *const rely_handshake_words[RELY_HANDSHAKES_COUNT];

/* What a loop counts. Owned by whoever makes the loop, because others read it (atomically) before the loop is made and
 * after it is freed. Only the loop's thread writes. */
struct rely_loop_counters {
    _Alignas(64) uint64_t connections;          /* open now */
    uint64_t held_bytes;                        /* unfinished requests and answers under way */
    uint64_t cuts[RELY_CUT_COUNT];              /* connections that were cut off, by limit */
    uint64_t handshakes[RELY_HANDSHAKES_COUNT]; /* of TLS, but those whose time was up: a cut */
    uint64_t unsendable;                        /* answers with a header that cannot be sent: 500 in their place */
};

/* All above 0 unless they say otherwise. */
struct rely_loop_options {
    size_t max_head_bytes;   /* from the request line to the empty line; 431 beyond */
    size_t max_body_bytes;   /* 413 beyond */
    size_t max_memory_bytes; /* of unfinished requests and answers under way; beyond it the largest are cut off */
    int head_timeout_ms;     /* from the first byte of a head to its end */
    int body_timeout_ms;     /* from the end of the head to the last byte of the request */
    int idle_timeout_ms;     /* from accept or the last answer to the next request's first byte */
    int max_connections;     /* of this loop: beyond it, the longest idle is closed for each new one */
    int kept_for_unix;       /* of these, for unix sockets alone; may be 0 */
    const char *max_name;    /* static: the setting that max_connections comes from, for the log */
    struct rely_loop_counters *counters;  /* borrowed: outlives the loop */
    struct rely_log_ring *ring;           /* borrowed: of the loop's thread; NULL: limits are reached without a line */
    const struct rely_protocol *protocol; /* static: what serves the connections, such as rely_http_protocol */
};

/**
 * Make an event loop. On the thread that will run it, like everything of a loop (libh2o keeps thread-local buffers).
 *
 * Owner:    the caller: rely_loop_free on the same thread, after rely_loop_run has returned. Freeing leaves one
 *           descriptor and 88 bytes behind (libh2o 2.2.5's), so loops are for the life of the process.
 */
struct rely_loop *rely_loop_new(const struct rely_loop_options *options, struct rely_err *err);
void rely_loop_free(struct rely_loop *loop);
/* Those that it was made with; on the loop's thread. */
const struct rely_loop_options *rely_loop_get_options(const struct rely_loop *loop);

/* Accept on a bound descriptor (taken over, also on failure). On the loop's thread. Several loops may listen on dup()s.
 * `service` is the protocol's: freed with free() when the loop is, also on failure. Callers use the protocol's own
 * function, which knows its type, such as rely_http_listen. */
RELY_MUST_USE bool rely_loop_listen(struct rely_loop *loop, int fd, void *service, struct rely_err *err);
/* Give the listener that was opened last room of its own: its connections, at most max_connections, do not count
 * towards the loop's limit, so that its callers and the others' cannot keep each other out. */
void rely_loop_set_apart(struct rely_loop *loop, int max_connections);

/* Give the listener that was opened last TLS: borrowed until the loop is freed. */
struct rely_tls;
void rely_loop_secure(struct rely_loop *loop, struct rely_tls *tls);

/* Handlers hold so many bytes of requests that they have deferred, all together: they count with what the connections
 * hold, and are nobody's that is cut off. On the loop's thread. */
void rely_loop_hold(struct rely_loop *loop, size_t bytes);

/* Others have the listener that was opened last, too: at the end it is closed as it is, and whoever waits is theirs. */
void rely_loop_share_listener(struct rely_loop *loop);
/* The same of all of the loop's, as soon as it is stopped. Thread: any. */
void rely_loop_leave_listeners(struct rely_loop *loop);

/* Run until rely_loop_stop; then stop listening, finish what is in flight, close the rest after drain_ms, return. */
void rely_loop_run(struct rely_loop *loop);
/* Thread: any, a message or a handler. Called again, it moves the deadline. */
void rely_loop_stop(struct rely_loop *loop, int drain_ms);
/* Open connections; on the loop's thread. Others read the counters that they have given. */
int rely_loop_connections(const struct rely_loop *loop);

/* Something to do on a loop's thread; embed it at the start of a struct. The callback owns it from then on. */
struct rely_message {
    void (*run)(struct rely_message *message);
    void (*drop)(struct rely_message *message); /* instead of run, when the loop is freed first; NULL: nothing to do */
    struct rely_message *next;                  /* the loop's */
};

/* Thread: any, until the loop is freed. Messages of one sender run in the order sent, between requests and never inside
 * one; those that come after rely_loop_run has returned are dropped by rely_loop_free. */
void rely_loop_post(struct rely_loop *loop, struct rely_message *message);

/* Timers of the loop, on the monotonic clock. On the loop's thread. */
void rely_timer_start(struct rely_loop *loop, struct rely_timer *timer, int delay_ms);
void rely_timer_cancel(struct rely_loop *loop, struct rely_timer *timer);

#endif

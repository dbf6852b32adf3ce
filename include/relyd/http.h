/*
 * http: bytes on sockets to struct rely_http_request and back, and the event loop that carries them. libh2o is
 * spelled in src/http/ only. HTTP/1.1; libh2o's HTTP/2 stays off (it is unsafe in 2.2.5).
 */
#ifndef RELYD_HTTP_H
#define RELYD_HTTP_H

#include "relyd/observe.h"
#include "relyd/timer.h"

struct rely_loop;
struct rely_http_request;

/* Answers now (rely_http_respond) or later (rely_http_defer first). Runs on the loop's thread. */
typedef void (*rely_http_handler)(struct rely_http_request *request, void *context);

/* The limits at which a connection is cut off. */
enum rely_cut {
    RELY_CUT_HEAD_SIZE,
    RELY_CUT_HEAD_TIME,
    RELY_CUT_BODY_TIME,
    RELY_CUT_IDLE_TIME,
    RELY_CUT_UNSENT,      /* its client takes no answer */
    RELY_CUT_MEMORY,      /* it was the largest when the loop's budget was used up */
    RELY_CUT_CONNECTIONS, /* it was the longest idle when there was no room for a new one */
    RELY_CUT_DRAIN,       /* it was open at the end of the drain */
    RELY_CUT_COUNT
};
/* The word of one in metrics, by its number. */
extern const char *const rely_cut_words[RELY_CUT_COUNT];

/* What a loop counts. Owned by whoever makes the loop, because others read it (atomically) before the loop is made and
 * after it is freed. Only the loop's thread writes. */
struct rely_loop_counters {
    _Alignas(64) uint64_t connections; /* open now */
    uint64_t held_bytes;               /* unfinished requests and answers under way, when last looked at */
    uint64_t cuts[RELY_CUT_COUNT];     /* connections that were cut off, by limit */
    uint64_t unsendable;               /* answers with a header that cannot be sent: 500 in their place */
};

/* What http/ refuses before it is any handler's: bytes that are no request, or too many. */
enum rely_http_refusal_kind {
    RELY_HTTP_HEAD_MALFORMED,      /* 400 */
    RELY_HTTP_HEAD_TOO_LARGE,      /* 431 */
    RELY_HTTP_BODY_MALFORMED,      /* 400: chunks that cannot be read */
    RELY_HTTP_BODY_TOO_LARGE,      /* 413 */
    RELY_HTTP_EXPECTATION_UNKNOWN, /* 417: another one than 100-continue */
    RELY_HTTP_REFUSAL_COUNT
};
struct rely_http_refusal {
    enum rely_http_refusal_kind kind;
    int status;
    const char *code;   /* static */
    const char *detail; /* static: a sentence */
};

/* Chooses the words of a refusal: answers at once, never with 2xx. The connection ends with it. `context` is the
 * listener's. */
typedef void (*rely_http_refuser)(struct rely_http_request *request, void *context,
                                  const struct rely_http_refusal *refusal);

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
    struct rely_loop_counters *counters; /* borrowed: outlives the loop */
    struct rely_log_ring *ring;          /* borrowed: of the loop's thread; NULL: limits are reached without a line */
    rely_http_refuser refuse;            /* NULL: a problem+json */
};

/* One request. Slices are borrowed until it is answered. */
struct rely_http_request {
    struct rely_slice method;
    struct rely_slice path;    /* as sent: nothing decoded, no dot segment resolved; begins with '/', or ptr NULL */
    struct rely_slice query;   /* as sent, without '?'; ptr NULL: none */
    struct rely_slice body;    /* ptr NULL: none */
    struct rely_pool *scratch; /* the loop's: reset when the handler, message or timer that runs now returns */
    struct rely_loop *loop;
    bool is_unix; /* came by a unix socket; then peer_uid is the kernel's word */
    uint32_t peer_uid;
};

/* The value of the first header of this lower-case name, ptr NULL when there is none; *count (may be NULL) says how
 * many there are: a second Authorization must be refused. */
struct rely_slice rely_http_find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count);

/* Who asked, for logs: "127.0.0.1:5123", "[::1]:5123", "unix:1000" (the uid), or "unknown" when it has left. Formatted
 * only when somebody wants it. */
#define RELY_PEER_SIZE 64
void rely_http_peer(const struct rely_http_request *request, char out[RELY_PEER_SIZE]);

struct rely_http_header {
    struct rely_slice name; /* static, lower case, an RFC 9110 token: written in the source, never from input */
    struct rely_slice value;
};

struct rely_http_response {
    int status;
    struct rely_slice content_type; /* ptr NULL: none */
    const struct rely_http_header *headers;
    size_t header_count;
    struct rely_slice body; /* not sent to HEAD */
};

/* Send the answer; everything in it but header names is copied. Exactly once per request, on the loop's thread. A
 * header value with a control character is never sent: the answer becomes an empty 500, counted and logged, so that no
 * claim of a token can add a header or split the response. */
void rely_http_respond(struct rely_http_request *request, const struct rely_http_response *response);

/* An RFC 9457 application/problem+json: stable code, title from the status, and one entry in `errors` per problem (may
 * be NULL). */
void rely_http_problem(struct rely_http_request *request, int status, const char *code, const char *detail,
                       const struct rely_problems *problems);
/* The problem `method_not_allowed`, 405, with this value of Allow. */
void rely_http_refuse_method(struct rely_http_request *request, const char *allow);

/**
 * Keep a request to answer it later; call inside the handler. The request (with its slices, but without what is in the
 * scratch pool) stays valid until it is answered, or until `gone` runs because the client has closed or the loop stops;
 * never touch it afterwards. A client that closes behind pipelined requests is not noticed.
 */
void rely_http_defer(struct rely_http_request *request, void (*gone)(void *context), void *context);

/* --- the loop ------------------------------------------------------------------------------------- */

/**
 * Make an event loop. On the thread that will run it, like everything of a loop (libh2o keeps thread-local buffers).
 *
 * Owner:    the caller: rely_loop_free on the same thread, after rely_loop_run has returned. Freeing leaves one
 *           descriptor and 88 bytes behind (libh2o 2.2.5's), so loops are for the life of the process.
 */
struct rely_loop *rely_loop_new(const struct rely_loop_options *options, struct rely_err *err);
void rely_loop_free(struct rely_loop *loop);

/**
 * Open a listening socket: "127.0.0.1:8480", "[::1]:8480" or "unix:/path" (mode 0660, a stale socket file is replaced,
 * a live one refused).
 *
 * In:       is_shared - SO_REUSEPORT, to bind the same TCP address once per worker, behind a first one that was bound
 *           without and then given to rely_http_share.
 * Out:      the descriptor, or -1 with the fault.
 */
int rely_http_bind(const char *address, bool is_shared, struct rely_err *err);
/* Let further sockets of this user be bound to the TCP address of one that listens alone: fails where that cannot be.
 */
bool rely_http_share(int fd, struct rely_err *err);
/* The address as it was written, with the port that the kernel has chosen in place of 0. */
#define RELY_BOUND_SIZE 128
void rely_http_bound(int fd, const char *address, char out[RELY_BOUND_SIZE]);
/* Loopback or a unix socket? False also for what cannot be parsed. */
bool rely_http_is_local(const char *address);

/* Accept on a bound descriptor (taken over, also on failure) with this handler. On the loop's thread. Several loops may
 * listen on dup()s. */
bool rely_loop_listen(struct rely_loop *loop, int fd, rely_http_handler handler, void *context, struct rely_err *err);
/* Give the listener that was opened last room of its own: its connections, at most max_connections, do not count
 * towards the loop's limit, so that its callers and the others' cannot keep each other out. */
void rely_loop_set_apart(struct rely_loop *loop, int max_connections);

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

/* --- small HTTP rules --------------------------------------------------------------------------- */

enum rely_bearer { RELY_BEARER_NONE, RELY_BEARER_TOKEN, RELY_BEARER_BAD };
/**
 * The bearer token of a request.
 *
 * Spec:     RFC 6750 s2.1: only the Authorization header, never query or cookie; scheme in any case, then one or more
 *           blanks. NONE also for another scheme, and for this one with nothing behind it. More than one Authorization
 *           header, or no blank behind the scheme, is BAD (a proxy may have judged another one than its backend reads).
 * Out:      *token - all behind the blanks, whatever it is: on TOKEN only. That it is one token, without blank or
 *           comma, rely_token_read judges, whose alphabet has neither.
 */
enum rely_bearer rely_http_bearer(const struct rely_http_request *request, struct rely_slice *token);

#endif

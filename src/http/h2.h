/*
 * The inside of an HTTP/2 connection: libnghttp2's session, its streams, and what each of them holds. A stream is one
 * request; what handlers see of it is the same as over HTTP/1.1.
 */
#ifndef RELYD_HTTP_H2_H
#define RELYD_HTTP_H2_H

#include "connection.h"

#include <nghttp2/nghttp2.h>

/* RFC 9113 s3.4; 16 bytes tell it from every request of HTTP/1. */
#define RELY_H2_PREFACE "PRI * HTTP/2.0\r\n"
#define RELY_H2_STREAMS_MAX 100 /* open at once, of one connection */

/* What a connection holds at most before it takes no further stream: of requests that are not whole, and of answers
 * that the client does not take. Those that it has taken may come to twice as much together, and the oldest that is not
 * whole may be as large as any: so one at least always goes on. A client that sends the heads of a hundred requests
 * before their bodies needs more, and has it while the loop holds less than an eighth of what it may. */
#define RELY_H2_REQUESTS_BYTES ((size_t)24 * 1024)
#define RELY_H2_REQUESTS_BYTES_AT_EASE ((size_t)256 * 1024)
#define RELY_H2_ANSWERS_BYTES ((size_t)32 * 1024)
#define RELY_H2_BLOCKED_MAX 16                     /* answers, however small */
#define RELY_H2_HELD_MAX 4                         /* answers that are held open */
#define RELY_H2_LIBRARY_BYTES ((size_t)256 * 1024) /* of libnghttp2's own: 26 KiB with nothing going on */
#define RELY_H2_SENDING_BYTES ((size_t)32 * 1024)  /* of these: what answers that wait to be sent leave free */

/* What a client may do in a second that leads to nothing, beyond which it is told to calm down and let go. */
#define RELY_H2_FRAMES_PER_SECOND 10000
#define RELY_H2_FRAMES_OF_A_REQUEST 8     /* given back for each request that was whole */
#define RELY_H2_RESETS_PER_SECOND 100     /* of ours, for what it did wrong */
#define RELY_H2_REFUSALS_PER_SECOND 10000 /* of ours, for want of room: may be tried again */
/* Of the client's: a gateway gives up each check that takes too long, and each may do so at the same moment. */
#define RELY_H2_GIVEN_UP_MAX 10000
#define RELY_H2_GIVEN_UP_PER_SECOND 1000

/* How far a request has come. */
enum rely_h2_phase {
    RELY_H2_READS,    /* its head or its body */
    RELY_H2_HANDLES,  /* the handler runs */
    RELY_H2_WAITS,    /* the handler has deferred it */
    RELY_H2_ANSWERED, /* what comes of it still is thrown away */
    RELY_H2_HOLDS     /* the same, and its client has all of the answer that may go out before the loop drains */
};

struct rely_h2_stream {
    struct rely_http_request request;     /* first: what handlers see */
    struct rely_h2 *h2;                   /* borrowed */
    struct rely_h2_stream *next, **place; /* the oldest first */
    int32_t id;
    enum rely_h2_phase phase;
    bool has_head, is_ended; /* the head is whole; the client sends no more */
    bool is_head_too_large, is_head;
    bool is_put_off; /* in WAITS, and all of it is kept */
    size_t field_count;
    struct rely_buf head;        /* owned: fields as h2_head.c packs them */
    struct rely_buf body;        /* owned */
    size_t counted_bytes;        /* of both, in requests_bytes */
    size_t max_body_bytes;       /* since the head is whole */
    int64_t since_ms;            /* it was begun */
    int64_t answered_ms;         /* its answer was queued */
    void (*gone)(void *context); /* of a deferred request; may be NULL */
    void *gone_context;
    char *answer; /* owned: the body of the answer; NULL: none */
    size_t answer_len, answer_sent;
    size_t held_from;         /* of the answer: what waits for the drain; 0: nothing does, or not any more */
    bool is_held;             /* something does, or has */
    struct rely_buf trailers; /* owned: fields behind the body, packed */
};

struct rely_h2 {
    struct rely_http_connection *connection; /* borrowed: it owns this */
    nghttp2_session *session;                /* owned */
    struct rely_h2_stream *streams, **streams_end;
    size_t library_bytes, requests_bytes, answers_bytes;
    unsigned unfinished, waiting, answered, holding; /* streams in READS, in WAITS, in ANSWERED, in HOLDS */
    unsigned held;                                   /* streams that are is_held */
    unsigned blocked;                                /* of these last: their client takes no more of them now */
    bool is_at_work;   /* in a call of libnghttp2, or of a handler: what was queued is sent behind it */
    bool has_served;   /* a request was whole since the stage was last looked at */
    bool is_leaving;   /* the client was told that there will be no more */
    bool has_ended;    /* the client's side has: no more comes */
    int64_t second_ms; /* the one that these count in: */
    unsigned frames, resets, refusals;
};

/* What all sessions of a loop have in common. */
struct rely_h2_shared {
    nghttp2_session_callbacks *callbacks; /* owned */
    nghttp2_option *option;               /* owned */
    struct rely_buf output;               /* what the connection at work will send */
};

/* --- h2_connection.c: what connection.c calls when a connection speaks HTTP/2 ----------------------------- */

struct rely_h2_shared *rely_h2_open_loop(void);
void rely_h2_close_loop(struct rely_h2_shared *shared);
/* The bytes with which it begins are given to the session by rely_h2_take. */
void rely_h2_begin(struct rely_http_connection *connection);
/* Bytes from the client, in the buffer that all connections share or the connection's own. */
void rely_h2_take(struct rely_http_connection *connection, struct rely_slice bytes);
void rely_h2_receive(struct rely_http_connection *connection);
void rely_h2_flush(struct rely_http_connection *connection);
void rely_h2_resume(struct rely_http_connection *connection);
void rely_h2_expire(struct rely_http_connection *connection);
void rely_h2_drain(struct rely_http_connection *connection);
void rely_h2_free(struct rely_http_connection *connection);

/* --- h2_session.c: libnghttp2 ---------------------------------------------------------------------------- */

nghttp2_session_callbacks *rely_h2_make_callbacks(void);
nghttp2_option *rely_h2_make_option(void);
/* Start one, with our settings queued. */
nghttp2_session *rely_h2_make_session(struct rely_h2 *h2);
/* This much has been done for nothing: too much of it ends the connection. */
void rely_h2_count(struct rely_h2 *h2, unsigned *count, unsigned limit);
/* Queue what says that no more streams are served. With NGHTTP2_NO_ERROR those that are open still are; with any other
 * code the session ends. */
void rely_h2_say_leaving(struct rely_h2 *h2, uint32_t code);

/* --- h2_stream.c: one request ------------------------------------------------------------------------------ */

/* NULL: there is no room for it, and the client has been told. */
struct rely_h2_stream *rely_h2_stream_open(struct rely_h2 *h2, int32_t id);
/* It is gone, and whoever has deferred it is told. */
void rely_h2_stream_close(struct rely_h2_stream *stream);
void rely_h2_stream_set_phase(struct rely_h2_stream *stream, enum rely_h2_phase phase);
/* Its head is whole. */
void rely_h2_stream_take_head(struct rely_h2_stream *stream);
void rely_h2_stream_take_body(struct rely_h2_stream *stream, struct rely_slice bytes);
/* No more comes. */
void rely_h2_stream_end(struct rely_h2_stream *stream);
void rely_h2_stream_refuse(struct rely_h2_stream *stream, const struct rely_http_fault *fault);
/* It holds what it holds. False: that is too much beside the others', and the client has been told. */
bool rely_h2_stream_count_held(struct rely_h2_stream *stream);

/* --- h2_answer.c ------------------------------------------------------------------------------------------- */

void rely_h2_respond(struct rely_http_request *request, const struct rely_http_response *response);
bool rely_h2_may_hold(const struct rely_http_request *request);
/* The loop drains: what is held goes out, or the stream ends without it where its client takes nothing. */
void rely_h2_release(struct rely_h2_stream *stream);
/* The client waits for it before it sends a body. */
void rely_h2_answer_continue(struct rely_h2_stream *stream);

/* --- h2_head.c: pure ----------------------------------------------------------------------------------------- */

/* Append a field: its lengths, its name, its value. */
void rely_h2_pack(struct rely_buf *out, struct rely_slice name, struct rely_slice value);
/* Take the next off the front. False: there is none. */
bool rely_h2_unpack(struct rely_slice *rest, struct rely_slice *name, struct rely_slice *value);

/**
 * Read packed fields as the head of a request that has one meaning only.
 *
 * Spec:     RFC 9113 s8.3.1: libnghttp2 has seen to it that each pseudo-header is there once, and in front; here:
 *           `:scheme` http or https, `:authority` a possible host, and `host` the same where both are there, so that
 *           nobody in front has looked at another one.
 * Out:      *out - as of HTTP/1.1, with `host` among its fields. Slices are the packed text's.
 */
RELY_MUST_USE bool rely_h2_read_head(struct rely_slice packed, struct rely_http_head *out,
                                     struct rely_http_fault *fault);

#endif

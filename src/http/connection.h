/*
 * The inside of an HTTP/1.1 connection: what has come of a request, who handles it, and what has to go out. One request
 * at a time, and one a turn of the loop.
 */
#ifndef RELYD_HTTP_CONNECTION_H
#define RELYD_HTTP_CONNECTION_H

#include "relyd/connection.h"

#include "head.h"

enum rely_http_phase {
    RELY_HTTP_READS,   /* a request, or waits for one */
    RELY_HTTP_HANDLES, /* the handler runs */
    RELY_HTTP_WAITS,   /* the handler has deferred it */
    RELY_HTTP_SENDS,   /* what the client has not taken yet */
    RELY_HTTP_LEAVES,  /* nothing more will be sent */
    RELY_HTTP_CLOSES   /* at the end of this call */
};

struct rely_http_connection {
    struct rely_connection base;      /* first */
    struct rely_http_request request; /* what handlers see of the one at hand */
    enum rely_http_phase phase;
    /* Bytes of requests that are not whole, or not their turn yet; NULL: none. From input_from to input_len; of the
     * body at hand they are decoded. */
    char *input; /* owned */
    size_t input_from, input_len, input_capacity;
    /* The request at hand, once its head is whole: */
    struct rely_http_scan scan;     /* before that */
    size_t head_bytes;              /* 0: it is not */
    size_t body_bytes;              /* that are there */
    size_t next;                    /* where the request behind it begins, once its body is whole */
    uint64_t length;                /* of its body, unless that is chunked */
    struct rely_http_chunks chunks; /* in which it is sent */
    bool is_chunked;
    bool is_http11, is_head; /* of HTTP/1.1; its method is HEAD */
    bool is_last;            /* the answer says so, and the connection ends */
    bool has_unread;         /* the client may still be sending what nobody reads */
    bool is_answered, is_deferred;
    bool is_put_off;    /* deferred, and all of it is in input */
    bool is_in_handler; /* which may answer what it has deferred before it returns */
    int status;         /* of the answer */
    char *output;       /* owned; NULL: none */
    size_t output_sent, output_len;
    size_t thrown_away;          /* bytes, since it leaves */
    void (*gone)(void *context); /* of a deferred request; may be NULL */
    void *gone_context;
    bool has_had_request; /* what it speaks is known */
    struct rely_h2 *h2;   /* owned: it speaks HTTP/2, and phase says whether it closes; NULL: it does not */
};

/* What all connections of a loop share, because only one is at work at a time. */
#define RELY_HTTP_READ_BYTES ((size_t)32 * 1024)
struct rely_http_shared {
    struct rely_http_head head; /* of the request that is handled now */
    struct rely_buf output;     /* the answer being written */
    int64_t date_s;
    char date[30];             /* RFC 9110 s5.6.7, of that second */
    struct rely_h2_shared *h2; /* owned */
    char input[RELY_HTTP_READ_BYTES];
};

static inline struct rely_http_shared *rely_http_shared_of(const struct rely_http_connection *connection)
{
    return rely_loop_shared(connection->base.loop);
}

/* How long the body of this request may be. */
static inline size_t rely_http_body_limit(const struct rely_http_plane *plane, const struct rely_http_request *request)
{
    size_t usual = rely_loop_get_options(request->loop)->max_body_bytes;
    return plane->limit_body == NULL ? usual : plane->limit_body(request);
}

/* What waits for its client, whichever way. */
static inline void rely_http_count_held(struct rely_http_connection *connection)
{
    rely_connection_hold(&connection->base, connection->input_capacity + connection->output_len);
}

/* connection.c: closes the connection if it has come to that. At the end of each call from the loop. */
void rely_http_settle(struct rely_http_connection *connection);
/* The answer is out, or will go out without us: on to the next request, or to the end. */
void rely_http_end_request(struct rely_http_connection *connection);
/* Nothing more is said. */
void rely_http_leave(struct rely_http_connection *connection);
/* Those of the bytes at hand that are still needed: they are the connection's own already, or come from the shared
 * buffer. */
void rely_http_keep_input(struct rely_http_connection *connection, const char *bytes, size_t len);

/* The request that was put off goes to its handler. */
void rely_http_begin_again(struct rely_http_connection *connection);
/* It is answered without that: its bytes are no request any more. */
void rely_http_pass_over(struct rely_http_connection *connection);

/* exchange.c: what handlers see of a request. */
extern const struct rely_http_transport rely_http_transport;
void rely_http_fill_request(struct rely_http_connection *connection, struct rely_slice method,
                            struct rely_slice target);
/* It is no more than somebody to answer: its bytes go. */
void rely_http_empty_request(struct rely_http_connection *connection);

/* answer.c */
void rely_http_write_answer(struct rely_http_request *request, const struct rely_http_response *response);
void rely_http_send_continue(struct rely_http_connection *connection);
/* Of this second; borrowed. */
struct rely_slice rely_http_date(struct rely_http_shared *shared);
/* What the client does not take yet: sent when there is room. */
void rely_http_keep_output(struct rely_http_connection *connection, struct rely_slice rest);
/* Send what was kept. True when all of it is out. */
bool rely_http_send_kept(struct rely_http_connection *connection);
/* Is an answer of this status none with a body? */
bool rely_http_has_no_body(int status);
/* A number in decimal digits, inside `digits`. */
#define RELY_HTTP_DIGITS 24
struct rely_slice rely_http_print_number(size_t number, char digits[RELY_HTTP_DIGITS]);
/* Sends what is left of an answer. */
void rely_http_flush(struct rely_http_connection *connection);

/* refuse.c: have the plane, or else a problem, word a refusal as the answer to a request. */
void rely_http_word_refusal(struct rely_http_request *request, const struct rely_http_plane *plane,
                            const struct rely_http_fault *fault);
/* Answer a request that no handler sees, and end its connection. Its first bytes, as far as they have come,
 * say whose words that takes. */
void rely_http_refuse(struct rely_http_connection *connection, struct rely_slice input,
                      const struct rely_http_fault *fault);

#endif

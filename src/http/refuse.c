/*
 * What http/ and libh2o refuse before a request is any handler's, in relyd's own words: a body beyond the limit, chunks
 * that cannot be read, an expectation that nobody knows, a head with two meanings. libh2o's own answers go through an
 * output filter, which puts other bytes in their place. Called by exchange.c and libh2o.
 */
#include "exchange.h"

#include "relyd/pool.h"

static const struct rely_http_refusal refusals[RELY_HTTP_REFUSAL_COUNT] = {
    [RELY_HTTP_HEAD_MALFORMED] = {RELY_HTTP_HEAD_MALFORMED, 400, "malformed_request",
                                  "The head of the request cannot be read."},
    [RELY_HTTP_HEAD_TOO_LARGE] = {RELY_HTTP_HEAD_TOO_LARGE, 431, "head_too_large",
                                  "The head of the request is too long."},
    [RELY_HTTP_BODY_MALFORMED] = {RELY_HTTP_BODY_MALFORMED, 400, "malformed_request",
                                  "The chunks of the body cannot be read."},
    [RELY_HTTP_BODY_TOO_LARGE] = {RELY_HTTP_BODY_TOO_LARGE, 413, "body_too_large",
                                  "The body is larger than this listener takes."},
    [RELY_HTTP_EXPECTATION_UNKNOWN] = {RELY_HTTP_EXPECTATION_UNKNOWN, 417, "expectation_failed",
                                       "The request expects something other than 100-continue."},
};

void rely_exchange_refuse(struct rely_exchange *exchange, enum rely_http_refusal_kind kind, const char *detail)
{
    const struct rely_http_plane *plane = exchange->connection->listener->service;
    struct rely_http_refusal refusal = refusals[kind];
    if (detail != NULL)
        refusal.detail = detail;
    exchange->h2o->http1_is_persistent = 0;
    if (plane->refuse != NULL)
        plane->refuse(&exchange->request, plane->context, &refusal);
    else
        rely_http_problem(&exchange->request, refusal.status, refusal.code, refusal.detail, NULL);
    RELY_ASSERT(exchange->is_answered && exchange->h2o->res.status >= 300);
}

/* --- libh2o's own answers --------------------------------------------------------------------------- */

/* Stands between libh2o's text and the socket. */
struct substitute {
    h2o_ostream_t stream; /* first */
    h2o_iovec_t body;     /* in the request's pool */
};

static void send_substitute(h2o_ostream_t *stream, h2o_req_t *h2o, h2o_iovec_t *bufs, size_t count,
                            h2o_send_state_t state)
{
    struct substitute *substitute = (struct substitute *)stream;
    (void)bufs;
    (void)count;
    h2o_ostream_send_next(stream, h2o, &substitute->body, substitute->body.len > 0 ? 1 : 0, state);
    substitute->body.len = 0; /* once, in however many pieces libh2o's comes */
}

static enum rely_http_refusal_kind kind_of_status(int status)
{
    return status == 413   ? RELY_HTTP_BODY_TOO_LARGE
           : status == 417 ? RELY_HTTP_EXPECTATION_UNKNOWN
                           : RELY_HTTP_BODY_MALFORMED;
}

/* libh2o is about to answer by itself: it has read the head, and no handler will see the request. */
void rely_refusal_start(h2o_filter_t *self, h2o_req_t *h2o, h2o_ostream_t **slot)
{
    (void)self;
    struct rely_connection *connection = h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
    struct rely_exchange *exchange = rely_exchange_make(connection, h2o);
    struct substitute *substitute = (struct substitute *)h2o_add_ostream(h2o, sizeof(*substitute), slot);
    substitute->stream.do_send = send_substitute;
    exchange->substitute = &substitute->body;
    rely_exchange_refuse(exchange, kind_of_status(h2o->res.status), NULL);
    rely_pool_reset(&connection->listener->loop->scratch);
    h2o_setup_next_ostream(h2o, &substitute->stream.next);
}

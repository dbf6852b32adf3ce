/*
 * The parts of http/ that stand on libh2o: the exchange that carries one of its requests to the answer. A connection
 * knows its listener, so one catch-all handler serves them all.
 */
#ifndef RELYD_HTTP_EXCHANGE_H
#define RELYD_HTTP_EXCHANGE_H

#include "../loop/loop.h"
#include "head.h"

/* One request; in libh2o's pool of that request. */
struct rely_exchange {
    struct rely_http_request request; /* first: what handlers see */
    h2o_req_t *h2o;                   /* borrowed */
    struct rely_connection *connection;
    void (*gone)(void *context);
    void *gone_context;
    struct rely_message next_turn; /* where it has to wait for one */
    h2o_iovec_t *substitute;       /* where the body goes when libh2o is answering already; NULL: it is not */
    bool is_answered;
};

/* exchange.c: what handlers see of a request. */
struct rely_exchange *rely_exchange_make(struct rely_connection *connection, h2o_req_t *h2o);
/* Ends the watch over the client of a deferred exchange, before the answer. */
void rely_exchange_unwatch(struct rely_exchange *exchange);

/* respond.c: as struct rely_http_transport has it. */
void rely_exchange_respond(struct rely_http_request *request, const struct rely_http_response *response);

/* refuse.c: answer a request that no handler sees, and end its connection; detail NULL: the kind's own. And the filter
 * that does so in place of libh2o. */
void rely_exchange_refuse(struct rely_exchange *exchange, enum rely_http_refusal_kind kind, const char *detail);
void rely_refusal_start(h2o_filter_t *self, h2o_req_t *h2o, h2o_ostream_t **slot);

static inline struct rely_slice rely_of_iovec(h2o_iovec_t bytes)
{
    return rely_slice(bytes.base, bytes.len);
}

#endif

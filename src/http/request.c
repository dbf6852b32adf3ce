/*
 * Carries one request of libh2o to the listener's handler: refuses heads with two meanings, fills the request that
 * handlers see, and keeps deferred ones until they are answered or their client leaves. Does not route. Called by
 * libh2o.
 */
#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

/* From input.path, which is the target as it was sent: `path` of libh2o has its dot segments resolved and its escapes
 * undone, so that one resource is reached through the path of another. */
struct rely_exchange *rely_exchange_make(struct rely_connection *connection, h2o_req_t *h2o)
{
    struct rely_loop *loop = connection->listener->loop;
    struct rely_http_target target;
    rely_http_read_target(rely_of_iovec(h2o->input.path), &target);
    struct rely_exchange *exchange = h2o_mem_alloc_pool(&h2o->pool, sizeof(*exchange));
    *exchange = (struct rely_exchange){
        .request = {.method = rely_of_iovec(h2o->method),
                    .path = target.path,
                    .query = target.query,
                    .scratch = &loop->scratch,
                    .loop = loop,
                    .is_unix = connection->listener->is_unix,
                    .peer_uid = connection->peer_uid},
        .h2o = h2o,
        .connection = connection,
    };
    if (h2o->entity.len > 0)
        exchange->request.body = rely_of_iovec(h2o->entity);
    return exchange;
}

/*
 * libh2o keeps a request's bytes at the front of the socket's input until it is answered, decodes chunks behind the
 * head and has only lower-cased the names; so the head can be judged as it was sent. What cannot be seen any more is
 * how the chunks were written (2.2.5 takes `0x5` as the last chunk), so a connection ends with its first chunked
 * request: bytes that a proxy took for its body are never answered as a second request.
 */
static int check_framing(h2o_req_t *h2o, const struct rely_connection *connection, const char **fault)
{
    struct rely_slice input = rely_slice(connection->socket->input->bytes, connection->socket->input->size);
    struct rely_http_framing framing;
    size_t max_bytes = connection->listener->loop->options.max_head_bytes;
    int status = rely_http_check_head(input, max_bytes, h2o->version >= 0x101, &framing, fault);
    if (status != 0 || framing.is_chunked)
        h2o->http1_is_persistent = 0;
    return status;
}

static void begin_exchange(struct rely_exchange *exchange)
{
    struct rely_connection *connection = exchange->connection;
    connection->turn = connection->listener->loop->turn;
    const char *fault = NULL;
    int status = check_framing(exchange->h2o, connection, &fault);
    if (status != 0)
        rely_exchange_refuse(exchange, status == 431 ? RELY_HTTP_HEAD_TOO_LARGE : RELY_HTTP_HEAD_MALFORMED, fault);
    else
        connection->listener->handler(&exchange->request, connection->listener->context);
    RELY_ASSERT(exchange->is_answered || connection->exchange == exchange);
    rely_pool_reset(&connection->listener->loop->scratch);
}

/*
 * One request a connection and turn. libh2o goes on with what is pipelined as soon as an answer is written, so that one
 * connection with a full buffer would hold the loop for as long as it can fill it; whoever asks one thing at a time
 * waits behind all of that.
 */
int rely_exchange_start(h2o_handler_t *self, h2o_req_t *h2o)
{
    (void)self;
    struct rely_connection *connection = h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
    struct rely_loop *loop = connection->listener->loop;
    struct rely_exchange *exchange = rely_exchange_make(connection, h2o);
    if (connection->turn != loop->turn) {
        begin_exchange(exchange);
        return 0;
    }
    *loop->next_turn_end = exchange; /* libh2o does not read on before it is answered: it cannot vanish */
    loop->next_turn_end = &exchange->next;
    return 0;
}

bool rely_exchanges_begin(struct rely_loop *loop)
{
    struct rely_exchange *exchange = loop->next_turn;
    bool has_any = exchange != NULL;
    loop->next_turn = NULL;
    loop->next_turn_end = &loop->next_turn;
    while (exchange != NULL) {
        struct rely_exchange *next = exchange->next; /* its memory goes with the answer */
        begin_exchange(exchange);
        exchange = next;
    }
    return has_any;
}

/* RFC 9112 s3.2.2: the authority of an absolute-form counts, and Host does not. */
static struct rely_slice find_authority(const h2o_req_t *h2o)
{
    struct rely_http_target target;
    rely_http_read_target(rely_of_iovec(h2o->input.path), &target);
    return target.authority.ptr != NULL ? target.authority : rely_of_iovec(h2o->input.authority);
}

struct rely_slice rely_http_find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    const h2o_req_t *h2o = ((const struct rely_exchange *)request)->h2o;
    const h2o_headers_t *headers = &h2o->headers;
    struct rely_slice first = {NULL, 0};
    size_t seen = 0;
    if (rely_slice_equal(name, RELY_LIT("host"))) { /* libh2o keeps it apart; head.c has refused a second one */
        first = find_authority(h2o);
        seen = 1;
    }
    for (size_t i = 0; i < headers->size; i++) {
        if (!rely_slice_equal(rely_of_iovec(*headers->entries[i].name), name))
            continue;
        if (seen++ == 0)
            first = rely_of_iovec(headers->entries[i].value);
    }
    if (count != NULL)
        *count = seen;
    return first;
}

enum rely_bearer rely_http_bearer(const struct rely_http_request *request, struct rely_slice *token)
{
    size_t count;
    struct rely_slice value = rely_http_find_header(request, RELY_LIT("authorization"), &count);
    if (count == 0)
        return RELY_BEARER_NONE;
    return count > 1 ? RELY_BEARER_BAD : rely_http_read_bearer(value, token);
}

static void print_address(const struct sockaddr_storage *address, char out[RELY_PEER_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
        snprintf(out, RELY_PEER_SIZE, "%s:%u", host, ntohs(four->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
        snprintf(out, RELY_PEER_SIZE, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        snprintf(out, RELY_PEER_SIZE, "unknown");
    }
}

void rely_http_peer(const struct rely_http_request *request, char out[RELY_PEER_SIZE])
{
    const struct rely_exchange *exchange = (const struct rely_exchange *)request;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    if (request->is_unix) {
        snprintf(out, RELY_PEER_SIZE, "unix:%u", request->peer_uid);
        return;
    }
    if (h2o_socket_getpeername(exchange->connection->socket, (struct sockaddr *)&address) == 0)
        address.ss_family = AF_UNSPEC;
    print_address(&address, out);
}

/* --- deferred answers ------------------------------------------------------------------------------- */

void rely_exchange_unwatch(struct rely_exchange *exchange)
{
    h2o_socket_read_stop(exchange->connection->socket);
    h2o_socket_dont_read(exchange->connection->socket, 0);
    exchange->connection->exchange = NULL;
}

void rely_exchange_abandon(struct rely_exchange *exchange)
{
    if (exchange->gone != NULL)
        exchange->gone(exchange->gone_context);
    /* libh2o has no call to drop a request: an answer to nobody makes it close the connection. */
    exchange->h2o->http1_is_persistent = 0;
    rely_http_respond(&exchange->request, &(struct rely_http_response){.status = 503});
}

/* The socket of a deferred request became readable: with nothing to read, the client has left. */
static void watch_client(h2o_socket_t *socket, const char *error)
{
    (void)error;
    struct rely_connection *connection = socket->on_close.data;
    char byte;
    ssize_t seen = recv(h2o_socket_get_fd(socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen > 0)
        h2o_socket_read_stop(socket); /* a pipelined request: it stays in the kernel, and would wake us for ever */
    else if (seen == 0 || (errno != EAGAIN && errno != EINTR))
        rely_exchange_abandon(connection->exchange);
}

void rely_http_defer(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    struct rely_exchange *exchange = (struct rely_exchange *)request;
    RELY_ASSERT(!exchange->is_answered && exchange->connection->exchange == NULL);
    exchange->gone = gone;
    exchange->gone_context = context;
    exchange->connection->exchange = exchange;
    /* Notified, not read: reading would move the input buffer that the request's slices point into. */
    h2o_socket_dont_read(exchange->connection->socket, 1);
    h2o_socket_read_start(exchange->connection->socket, watch_client);
}

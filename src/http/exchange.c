/*
 * Carries one request of libh2o to the handler of its listener: refuses heads with two meanings, fills the request that
 * handlers see, and keeps deferred ones until they are answered or their client leaves. Does not route. Called by
 * libh2o, and as the loop's protocol.
 */
#include "exchange.h"

#include "relyd/clock.h"
#include "relyd/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <h2o/http1.h>
#include <stdio.h>
#include <sys/time.h>

static const struct rely_http_transport exchange_transport;

/* From input.path, which is the target as it was sent: `path` of libh2o has its dot segments resolved and its escapes
 * undone, so that one resource is reached through the path of another. */
struct rely_exchange *rely_exchange_make(struct rely_connection *connection, h2o_req_t *h2o)
{
    struct rely_loop *loop = connection->listener->loop;
    struct rely_http_target target;
    rely_http_read_target(rely_of_iovec(h2o->input.path), &target);
    struct rely_exchange *exchange = h2o_mem_alloc_pool(&h2o->pool, sizeof(*exchange));
    *exchange = (struct rely_exchange){
        .request = {.transport = &exchange_transport,
                    .method = rely_of_iovec(h2o->method),
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
    const struct rely_http_plane *plane = connection->listener->service;
    connection->turn = connection->listener->loop->turn;
    const char *fault = NULL;
    int status = check_framing(exchange->h2o, connection, &fault);
    if (status != 0)
        rely_exchange_refuse(exchange, status == 431 ? RELY_HTTP_HEAD_TOO_LARGE : RELY_HTTP_HEAD_MALFORMED, fault);
    else
        plane->handle(&exchange->request, plane->context);
    RELY_ASSERT(exchange->is_answered || (connection->deferred_count > 0 && connection->deferred == exchange));
    rely_pool_reset(&connection->listener->loop->scratch);
}

static void begin_waiting_exchange(struct rely_message *message)
{
    begin_exchange(H2O_STRUCT_FROM_MEMBER(struct rely_exchange, next_turn, message));
}

/*
 * One request a connection and turn. libh2o goes on with what is pipelined as soon as an answer is written, so that one
 * connection with a full buffer would hold the loop for as long as it can fill it; whoever asks one thing at a time
 * waits behind all of that.
 */
static int start_exchange(h2o_handler_t *self, h2o_req_t *h2o)
{
    (void)self;
    struct rely_connection *connection = h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
    struct rely_loop *loop = connection->listener->loop;
    struct rely_exchange *exchange = rely_exchange_make(connection, h2o);
    if (connection->turn != loop->turn) {
        begin_exchange(exchange);
        return 0;
    }
    exchange->next_turn.run = begin_waiting_exchange; /* libh2o does not read on before: it cannot vanish */
    rely_loop_run_next_turn(loop, &exchange->next_turn);
    return 0;
}

/* --- what handlers ask ------------------------------------------------------------------------------ */

/* RFC 9112 s3.2.2: the authority of an absolute-form counts, and Host does not. */
static struct rely_slice find_authority(const h2o_req_t *h2o)
{
    struct rely_http_target target;
    rely_http_read_target(rely_of_iovec(h2o->input.path), &target);
    return target.authority.ptr != NULL ? target.authority : rely_of_iovec(h2o->input.authority);
}

static struct rely_slice find_exchange_header(const struct rely_http_request *request, struct rely_slice name,
                                              size_t *count)
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

static void print_address(const struct sockaddr_storage *address, char *out)
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

static void print_exchange_peer(const struct rely_http_request *request, char *out)
{
    const struct rely_exchange *exchange = (const struct rely_exchange *)request;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    if (h2o_socket_getpeername(exchange->connection->socket, (struct sockaddr *)&address) == 0)
        address.ss_family = AF_UNSPEC;
    print_address(&address, out);
}

/* --- deferred answers ------------------------------------------------------------------------------- */

void rely_exchange_unwatch(struct rely_exchange *exchange)
{
    h2o_socket_read_stop(exchange->connection->socket);
    h2o_socket_dont_read(exchange->connection->socket, 0);
    exchange->connection->deferred_count = 0;
}

static void abandon_exchange(struct rely_connection *connection)
{
    struct rely_exchange *exchange = connection->deferred;
    if (exchange->gone != NULL)
        exchange->gone(exchange->gone_context);
    /* libh2o has no call to drop a request: an answer to nobody makes it close the connection. */
    exchange->h2o->http1_is_persistent = 0;
    rely_http_respond(&exchange->request, &(struct rely_http_response){.status = 503});
}

/* The client has ended its side. Whether it has left altogether no one can tell by that: where it may be waiting for its
 * answer, writing will tell. */
static void note_end_of_input(struct rely_connection *connection)
{
    if (rely_loop_get_options(connection->listener->loop)->answers_half_closed)
        h2o_socket_read_stop(connection->socket); /* the end would wake us for ever */
    else
        abandon_exchange(connection);
}

/* The socket of a deferred request became readable. */
static void watch_client(h2o_socket_t *socket, const char *error)
{
    (void)error;
    struct rely_connection *connection = socket->on_close.data;
    char byte;
    ssize_t seen = recv(h2o_socket_get_fd(socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen > 0)
        h2o_socket_read_stop(socket); /* a pipelined request: it stays in the kernel, and would wake us for ever */
    else if (seen == 0)
        note_end_of_input(connection);
    else if (errno != EAGAIN && errno != EINTR)
        abandon_exchange(connection);
}

static void defer_exchange(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    struct rely_exchange *exchange = (struct rely_exchange *)request;
    RELY_ASSERT(!exchange->is_answered && exchange->connection->deferred_count == 0);
    exchange->gone = gone;
    exchange->gone_context = context;
    exchange->connection->deferred = exchange;
    exchange->connection->deferred_count = 1;
    /* Notified, not read: reading would move the input buffer that the request's slices point into. */
    h2o_socket_dont_read(exchange->connection->socket, 1);
    h2o_socket_read_start(exchange->connection->socket, watch_client);
}

static const struct rely_http_transport exchange_transport = {
    .find_header = find_exchange_header,
    .respond = rely_exchange_respond,
    .defer = defer_exchange,
    .peer = print_exchange_peer,
};

/* --- the protocol of a loop ------------------------------------------------------------------------- */

static void set_up_libh2o(struct rely_loop *loop)
{
    h2o_globalconf_t *config = &loop->config;
    const struct rely_loop_options *options = &loop->options;
    config->server_name = h2o_iovec_init("", 0); /* strangers need not know whose holes to look up */
    config->max_request_entity_size = options->max_body_bytes;
    /* One timer for all that comes before an answer, and only in case watch.c, which has one each, does not look. */
    config->http1.req_timeout = (uint64_t)options->idle_timeout_ms + (uint64_t)options->head_timeout_ms +
                                (uint64_t)options->body_timeout_ms + 10000;
    config->http1.upgrade_to_http2 = 0; /* unsafe in 2.2.5: unbounded header lists, rapid reset */
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = start_exchange;
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream = rely_refusal_start;
}

static void accept_http1(struct rely_connection *connection)
{
    struct rely_loop *loop = connection->listener->loop;
    h2o_accept_ctx_t accept = {.ctx = &loop->context, .hosts = loop->config.hosts};
    h2o_http1_accept(&accept, connection->socket, (struct timeval){.tv_sec = rely_clock_now_s()});
}

const struct rely_protocol rely_http_protocol = {
    .set_up = set_up_libh2o,
    .accept = accept_http1,
    .abandon = abandon_exchange,
};

bool rely_http_listen(struct rely_loop *loop, int fd, const struct rely_http_plane *plane, struct rely_err *err)
{
    RELY_ASSERT(loop->options.protocol == &rely_http_protocol);
    struct rely_http_plane *copy = rely_alloc(sizeof *copy);
    *copy = *plane;
    return rely_loop_listen(loop, fd, copy, err);
}

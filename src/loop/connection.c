/*
 * The bytes of one connection, between libh2o's socket, which says when there are some, and the protocol, which reads
 * and writes them itself: how much is read at once, and when reading stops, is not libh2o's to decide. Knows nothing of
 * requests. Called by listen.c, and by protocols.
 */
#include "loop.h"

#include "secure.h"

#include "relyd/observe.h"
#include "relyd/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What OpenSSL holds of a handshake that is not over (58 KiB were measured): strangers can begin as many as there are
 * connections. */
#define HANDSHAKE_BYTES ((size_t)64 * 1024)
/* As many as libh2o has read in one turn: who sends one request after the other must not get more than his share by
 * sending them all at once, and messages and time wait for the end of a turn. */
#define RESUMES_PER_TURN ((size_t)256)
/* Of who sends a long body the kernel may keep four times as much unread as a listener asks for: to make room for the
 * next small piece is dearer than to read the piece. No budget of ours counts what it keeps (up to twice this), so only
 * so many connections of a loop have it at once, 8 MiB together. */
#define WIDE_BYTES (64 * 1024)
#define WIDE_MAX ((size_t)64)
/* Whose pieces are shorter has room enough. */
#define LONG_PIECE_BYTES 8192

static int fd_of(const struct rely_connection *connection)
{
    return h2o_socket_get_fd(connection->socket);
}

/* --- from the loop to the protocol ------------------------------------------------------------------- */

static void take_output_room(h2o_socket_t *socket, const char *error);

/* One step of it; the first bytes of a request may have come with its last. */
static void shake_hands(struct rely_connection *connection)
{
    enum rely_handshake_end end = RELY_HANDSHAKES_OTHER;
    const char *detail = NULL;
    switch (rely_secure_shake_hands(connection->ssl, &end, &detail)) {
    case RELY_HANDSHAKE_WANTS_INPUT:
        rely_connection_want_input(connection, true);
        return;
    case RELY_HANDSHAKE_WANTS_OUTPUT: /* and no input before that is out */
        rely_connection_want_input(connection, false);
        h2o_socket_notify_write(connection->socket, take_output_room);
        return;
    case RELY_HANDSHAKE_FAILED:
        rely_handshake_note(connection, end, detail);
        rely_connection_close(connection);
        return;
    case RELY_HANDSHAKE_DONE:
        rely_handshake_note(connection, RELY_HANDSHAKES_DONE, NULL);
        connection->is_shaking_hands = false;
        connection->certificate = rely_secure_read_certificate(connection->ssl);
        rely_connection_hold(connection, 0);
        rely_connection_enter(connection, RELY_STAGE_IDLE);
        rely_connection_want_input(connection, true);
    }
}

static void take_input(h2o_socket_t *socket, const char *error)
{
    struct rely_connection *connection = socket->data;
    struct rely_loop *loop = connection->loop;
    (void)error; /* reading will tell */
    if (connection->is_shaking_hands)
        shake_hands(connection);
    else
        loop->options.protocol->receive(connection);
    rely_pool_reset(&loop->scratch);
}

static void take_output_room(h2o_socket_t *socket, const char *error)
{
    struct rely_connection *connection = socket->data;
    struct rely_loop *loop = connection->loop;
    (void)error;
    if (connection->is_shaking_hands)
        shake_hands(connection);
    else
        loop->options.protocol->send(connection);
    rely_pool_reset(&loop->scratch);
}

static uint32_t read_peer_uid(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    /* Unknown is nobody, never root. */
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : UINT32_MAX;
}

/* One writer: no locked instruction is needed. */
static void count_connection(struct rely_loop *loop, int change)
{
    uint64_t *count = &loop->options.counters->connections;
    __atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + (uint64_t)(int64_t)change, __ATOMIC_RELAXED);
}

/* Kept by libh2o from the first time on. */
static void read_peer(h2o_socket_t *socket, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (h2o_socket_getpeername(socket, (struct sockaddr *)out) == 0)
        out->ss_family = AF_UNSPEC;
}

void rely_connection_open(struct rely_listener *listener, h2o_socket_t *socket)
{
    struct rely_loop *loop = listener->loop;
    struct sockaddr_storage address;
    struct rely_connection *connection = rely_alloc(loop->options.protocol->connection_bytes);
    connection->loop = loop;
    connection->service = listener->service;
    connection->listener = listener;
    connection->socket = socket;
    connection->is_unix = listener->is_unix;
    connection->peer_uid = listener->is_unix ? read_peer_uid(h2o_socket_get_fd(socket)) : UINT32_MAX;
    socket->data = connection;
    if (listener->tls != NULL) {
        connection->ssl = rely_tls_make(listener->tls, h2o_socket_get_fd(socket));
        connection->is_shaking_hands = true;
        read_peer(socket, &address); /* whoever resets it in the handshake is to be named, too */
    }
    h2o_socket_dont_read(socket, 1);
    count_connection(loop, 1);
    rely_watch_add(connection);
    if (connection->is_shaking_hands)
        rely_connection_hold(connection, HANDSHAKE_BYTES);
    h2o_socket_read_start(socket, take_input);
}

static void leave_ready(struct rely_connection *connection)
{
    struct rely_loop *loop = connection->loop;
    if (connection->ready_place == NULL)
        return;
    *connection->ready_place = connection->next_ready;
    *(connection->next_ready == NULL ? &loop->ready_end : &connection->next_ready->ready_place) =
        connection->ready_place;
    connection->ready_place = NULL;
    connection->next_ready = NULL;
    loop->ready_count--;
}

void rely_connection_close(struct rely_connection *connection)
{
    struct rely_loop *loop = connection->loop;
    leave_ready(connection);
    rely_watch_remove(connection);
    loop->options.protocol->fini(connection);
    if (connection->ssl != NULL && !connection->is_shaking_hands)
        rely_secure_end_output(connection->ssl);
    rely_secure_free(connection->ssl);
    free(connection->certificate);
    loop->wide_count -= connection->is_wide;
    h2o_socket_close(connection->socket);
    free(connection);
    count_connection(loop, -1);
    rely_listeners_note_close(loop);
}

void rely_connection_reset(struct rely_connection *connection)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_of(connection), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    rely_connection_close(connection);
}

/* Its own turn comes before what it has not read: while it waits for that, it wants no input. */
static void bring_turn(struct rely_connection *connection)
{
    const struct rely_protocol *protocol = connection->loop->options.protocol;
    bool is_its_own = connection->wants_turn, is_reading = h2o_socket_is_reading(connection->socket);
    connection->wants_turn = connection->has_unread_input = false;
    if (is_its_own)
        protocol->resume(connection);
    else if (is_reading)
        protocol->receive(connection);
}

bool rely_connections_resume(struct rely_loop *loop)
{
    size_t count = loop->ready_count < RESUMES_PER_TURN ? loop->ready_count : RESUMES_PER_TURN;
    /* Those that want the next turn meanwhile stand behind them. */
    for (size_t left = count; left > 0 && loop->ready != NULL; left--) {
        struct rely_connection *connection = loop->ready;
        leave_ready(connection);
        bring_turn(connection);
        rely_pool_reset(&loop->scratch);
    }
    return count > 0;
}

void rely_connections_each(struct rely_loop *loop, enum rely_stage first, enum rely_stage last,
                           void (*visit)(struct rely_connection *connection, void *context), void *context)
{
    for (struct rely_room *room = loop->rooms; room != NULL; room = room->next)
        for (int kind = 0; kind < RELY_KIND_COUNT; kind++)
            for (int stage = (int)last; stage >= (int)first; stage--)
                for (struct rely_connection *connection = room->lists[kind][stage].first, *next; connection != NULL;
                     connection = next) {
                    next = connection->next;
                    visit(connection, context);
                }
}

/* --- bytes ------------------------------------------------------------------------------------------- */

static ssize_t judge_result(ssize_t result)
{
    if (result >= 0)
        return result;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? RELY_AGAIN : RELY_BROKEN;
}

/* For the rest of its life: what the peer was told that it may send cannot be taken back. */
static void widen(struct rely_connection *connection)
{
    int bytes = WIDE_BYTES;
    connection->is_wide = true;
    connection->loop->wide_count++;
    setsockopt(fd_of(connection), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd_of(connection), IPPROTO_TCP, TCP_WINDOW_CLAMP, &bytes, sizeof bytes); /* the old room has set it */
}

static bool deserves_room(const struct rely_connection *connection, ssize_t got)
{
    return got >= LONG_PIECE_BYTES && connection->stage == RELY_STAGE_BODY && !connection->is_wide &&
           !connection->is_unix && connection->loop->wide_count < WIDE_MAX;
}

ssize_t rely_connection_receive(struct rely_connection *connection, char *out, size_t size)
{
    ssize_t got = connection->ssl != NULL ? rely_secure_receive(connection->ssl, out, size)
                                          : judge_result(recv(fd_of(connection), out, size, 0));
    if (deserves_room(connection, got))
        widen(connection);
    return got;
}

/* Of a unix socket the kernel tells who has left from who only sends no more; of TCP nothing does. */
static bool has_hung_up(const struct rely_connection *connection)
{
    struct pollfd state = {.fd = fd_of(connection)};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

ssize_t rely_connection_peek(struct rely_connection *connection)
{
    char byte;
    ssize_t there = connection->ssl != NULL ? rely_secure_peek(connection->ssl)
                                            : judge_result(recv(fd_of(connection), &byte, 1, MSG_PEEK));
    return there == 0 && has_hung_up(connection) ? RELY_BROKEN : there;
}

ssize_t rely_connection_send(struct rely_connection *connection, const char *bytes, size_t len)
{
    ssize_t sent = connection->ssl != NULL ? rely_secure_send(connection->ssl, bytes, len)
                                           : judge_result(send(fd_of(connection), bytes, len, MSG_NOSIGNAL));
    return sent == RELY_AGAIN ? 0 : sent;
}

static void enter_ready(struct rely_connection *connection)
{
    struct rely_loop *loop = connection->loop;
    if (connection->ready_place != NULL)
        return;
    *loop->ready_end = connection;
    connection->ready_place = loop->ready_end;
    loop->ready_end = &connection->next_ready;
    loop->ready_count++;
}

/* What TLS has read ahead raises no event. */
static void look_for_unread_input(struct rely_connection *connection)
{
    if (connection->ssl == NULL || connection->is_shaking_hands || !rely_secure_has_input(connection->ssl))
        return;
    connection->has_unread_input = true;
    enter_ready(connection);
}

void rely_connection_want_input(struct rely_connection *connection, bool is_wanted)
{
    if (is_wanted)
        look_for_unread_input(connection);
    if (is_wanted == h2o_socket_is_reading(connection->socket))
        return;
    if (is_wanted)
        h2o_socket_read_start(connection->socket, take_input);
    else
        h2o_socket_read_stop(connection->socket);
}

void rely_connection_want_output(struct rely_connection *connection)
{
    h2o_socket_notify_write(connection->socket, take_output_room);
}

void rely_connection_want_turn(struct rely_connection *connection)
{
    connection->wants_turn = true;
    enter_ready(connection);
}

bool rely_connection_has_chosen_http2(const struct rely_connection *connection)
{
    return rely_secure_has_chosen_http2(connection->ssl);
}

void rely_connection_end_output(struct rely_connection *connection)
{
    if (connection->ssl != NULL)
        rely_secure_end_output(connection->ssl);
    shutdown(fd_of(connection), SHUT_WR);
}

/* --- who ---------------------------------------------------------------------------------------------- */

static void print_address(const struct sockaddr_storage *address, char *out)
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
        snprintf(out, RELY_ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(four->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
        snprintf(out, RELY_ADDRESS_TEXT_SIZE, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        snprintf(out, RELY_ADDRESS_TEXT_SIZE, "unknown");
    }
}

void rely_connection_print_peer(const struct rely_connection *connection, char out[RELY_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage address;
    read_peer(connection->socket, &address);
    print_address(&address, out);
}

static bool has_primary_group(int fd, uint32_t group)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.gid == group;
}

bool rely_connection_peer_is_in(const struct rely_connection *connection, uint32_t group)
{
    int fd = fd_of(connection);
    gid_t *groups = NULL;
    socklen_t size = 0;
    bool is_in = has_primary_group(fd, group);
    if (is_in || (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0 && errno != ERANGE))
        return is_in;
    groups = rely_alloc(size);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        for (size_t i = 0; i < size / sizeof *groups; i++)
            is_in = is_in || groups[i] == group;
    free(groups);
    return is_in;
}

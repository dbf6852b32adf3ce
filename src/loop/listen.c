/*
 * Accepts connections up to the loop's limit and gives each to the loop's protocol. Decides when to stop and to go on
 * accepting; knows nothing of requests. Called by protocols (rely_loop_listen) and by loop.c.
 */
#include "loop.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A quarter of the sockets that are read from in one turn: who comes new must not wait long behind all who send. */
#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS 100
/* The kernel ends a connection whose peer takes nothing of what was sent for so long. */
#define UNSENT_TIMEOUT_MS 15000

/* What a listener asks the kernel to keep unread of a connection (it keeps twice as much, and by default megabytes): of
 * ten thousand that send what nobody reads, it would be gigabytes, which no budget of ours counts. */
#define RECEIVE_BUFFER_BYTES (16 * 1024)
/* The same of what it takes of an answer that nobody reads: the rest is ours, and counts. */
#define SEND_BUFFER_BYTES (32 * 1024)

static bool is_full(const struct rely_listener *listener)
{
    const struct rely_room *room = listener->room;
    bool is_share_full = !listener->is_unix && room->count[RELY_KIND_TCP] >= room->max - room->kept;
    return is_share_full || rely_room_taken(room) >= room->max;
}

/* At the limit a listener must not be polled: level-triggered, it would wake the loop for ever. Pauses those of one
 * room, or all (NULL). */
static void pause_accepting(struct rely_loop *loop, const struct rely_room *room)
{
    for (struct rely_listener *listener = loop->listeners; listener != NULL; listener = listener->next) {
        if (room != NULL && listener->room != room)
            continue;
        listener->is_paused = true;
        h2o_socket_read_stop(listener->socket);
    }
}

static void take_connections(h2o_socket_t *socket, const char *error);

static void resume_accepting(struct rely_loop *loop)
{
    if (loop->is_draining)
        return;
    for (struct rely_listener *listener = loop->listeners; listener != NULL; listener = listener->next) {
        if (!listener->is_paused)
            continue;
        listener->is_paused = false;
        h2o_socket_read_start(listener->socket, take_connections);
    }
}

void rely_listeners_resume(struct rely_timer *timer)
{
    resume_accepting(H2O_STRUCT_FROM_MEMBER(struct rely_loop, accept_timer, timer));
}

void rely_listeners_note_close(struct rely_loop *loop)
{
    resume_accepting(loop);
}

/* Nothing can be accepted for a moment: in a room (NULL: anywhere). */
static void rest_from_accepting(struct rely_loop *loop, const struct rely_room *room)
{
    pause_accepting(loop, room);
    rely_timer_start(loop, &loop->accept_timer, ACCEPT_PAUSE_MS);
}

static bool is_out_of_descriptors(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* 0, or why not. */
static int take_connection(struct rely_listener *listener)
{
    h2o_socket_t *accepted = h2o_evloop_socket_accept(listener->socket);
    if (accepted == NULL)
        return errno;
    rely_connection_open(listener, accepted);
    return 0;
}

/* Somebody waits, which is certain for one only: so at a limit one makes room for one, and the next turn goes on. (Out
 * of descriptors the kernel says so without a look whether anybody waits.) */
static void take_connections(h2o_socket_t *socket, const char *error)
{
    struct rely_listener *listener = socket->data;
    struct rely_loop *loop = listener->loop;
    int fault = 0;
    if (error == NULL && is_full(listener) && !rely_watch_make_room(listener, false))
        rest_from_accepting(loop, listener->room);
    for (int i = 0; error == NULL && fault == 0 && i < ACCEPTS_PER_TURN && !is_full(listener); i++) {
        fault = take_connection(listener);
        if (i == 0 && is_out_of_descriptors(fault)) {
            rely_watch_make_room(listener, true);
            rest_from_accepting(loop, NULL); /* until one is closed */
        }
    }
}

static bool is_listening(int fd, int *family)
{
    int is_open = 0;
    socklen_t size = sizeof(is_open);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_open, &size) != 0 || !is_open)
        return false;
    size = sizeof(*family);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, family, &size) == 0;
}

bool rely_loop_listen(struct rely_loop *loop, int fd, void *service, struct rely_err *err)
{
    int family = AF_UNSPEC, timeout_ms = UNSENT_TIMEOUT_MS, buffer_bytes = RECEIVE_BUFFER_BYTES;
    int send_bytes = SEND_BUFFER_BYTES;
    if (!is_listening(fd, &family)) {
        close(fd);
        free(service);
        return rely_err_set(err, RELY_ERR_INVALID, "descriptor %d is not a listening socket", fd);
    }
    if (family != AF_UNIX) { /* inherited by what is accepted, like the TCP_NODELAY that libh2o sets */
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
    }
    struct rely_listener *listener = rely_alloc(sizeof(*listener));
    *listener =
        (struct rely_listener){.loop = loop, .service = service, .next = loop->listeners, .is_unix = family == AF_UNIX};
    listener->room = &loop->room;
    listener->socket = h2o_evloop_socket_create(loop->events, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    loop->listeners = listener;
    listener->is_paused = loop->accept_timer.slot != 0;
    if (!listener->is_paused)
        h2o_socket_read_start(listener->socket, take_connections);
    return true;
}

void rely_loop_set_apart(struct rely_loop *loop, int max_connections)
{
    struct rely_listener *listener = loop->listeners;
    RELY_ASSERT(listener != NULL && max_connections > 0);
    listener->own = (struct rely_room){.max = max_connections, .next = loop->rooms};
    loop->rooms = &listener->own;
    listener->room = &listener->own;
}

void rely_loop_secure(struct rely_loop *loop, struct rely_tls *tls)
{
    RELY_ASSERT(loop->listeners != NULL);
    loop->listeners->tls = tls;
}

void rely_loop_share_listener(struct rely_loop *loop)
{
    RELY_ASSERT(loop->listeners != NULL);
    loop->listeners->is_shared = true;
}

void rely_loop_leave_listeners(struct rely_loop *loop)
{
    atomic_store(&loop->leaves_listeners, true);
}

/* What the kernel has connected but nobody accepted is reset when its listener closes: a client may have sent a request
 * already. So nothing more is let in (the kernel drops what would begin a connection; its client tries again, and is
 * refused or finds a successor), and all who wait are taken, up to the descriptors that there are. A unix socket cannot
 * be told to let nobody in: there a connection of the last microsecond is lost. */
void rely_listeners_drain(struct rely_loop *loop)
{
    struct sock_filter none = {.code = BPF_RET | BPF_K, .k = 0};
    const struct sock_fprog filter = {.len = 1, .filter = &none};
    for (struct rely_listener *listener = loop->listeners; listener != NULL; listener = listener->next) {
        if (listener->socket == NULL || listener->is_shared || atomic_load(&loop->leaves_listeners))
            continue;
        if (!listener->is_unix)
            setsockopt(h2o_socket_get_fd(listener->socket), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
        while (take_connection(listener) == 0)
            continue;
    }
    rely_listeners_close(loop);
}

void rely_listeners_close(struct rely_loop *loop)
{
    rely_timer_cancel(loop, &loop->accept_timer);
    for (struct rely_listener *listener = loop->listeners; listener != NULL; listener = listener->next) {
        if (listener->socket != NULL)
            h2o_socket_close(listener->socket);
        listener->socket = NULL;
    }
}

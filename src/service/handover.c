/*
 * From one relyd to the next without a lost request: the successor gets the listening sockets as they are, when the
 * database has been closed for it, and the one before goes when the successor serves. Never do two have the database.
 * Decides whom to trust with that, and when to give up. Called by service.c.
 *
 *     successor: greeting -> closes the database, a record and a descriptor for each socket, an empty record
 *     successor: opens the database, accepts, READY -> BYE, drains and ends; or an end of the connection -> goes on
 */
#include "service.h"

#include "relyd/bind.h"
#include "relyd/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING "relyd-handover 1\n"
#define READY "ready\n"
#define BYE "bye\n"
#define SUCCESSOR_S 30 /* from the first record to READY */
#define ANSWER_S 10    /* of whoever has nothing to do but to answer */

/* A socket's name, ended by NUL; empty: there are no more. */
struct record {
    char name[RELY_BOUND_SIZE];
};

/* --- the wire -------------------------------------------------------------------------------------------------- */

static void set_limit_s(int fd, int seconds)
{
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static bool say(int fd, const char *word)
{
    size_t len = strlen(word);
    return send(fd, word, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Exactly this, within the time. */
static bool hear(int fd, const char *word)
{
    char heard[32];
    size_t len = strlen(word), got = 0;
    while (got < len) {
        ssize_t more = recv(fd, heard + got, len - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    return memcmp(heard, word, len) == 0;
}

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

/* In: passed - -1: the last record. */
static bool send_record(int fd, const char *name, int passed)
{
    struct record record = {""};
    union control control = {.space = {0}};
    struct iovec part = {.iov_base = &record, .iov_len = sizeof record};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    snprintf(record.name, sizeof record.name, "%s", name);
    if (passed >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof passed);
        memcpy(CMSG_DATA(header), &passed, sizeof passed);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof record;
}

/* Out: *passed - owned; -1: none came with it. False: the connection has ended, or is too slow. */
static bool receive_record(int fd, struct record *record, int *passed)
{
    union control control;
    struct iovec part = {.iov_base = record, .iov_len = sizeof *record};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    *passed = -1;
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    struct cmsghdr *header = got <= 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof *passed))
        memcpy(passed, CMSG_DATA(header), sizeof *passed);
    return got == sizeof *record && memchr(record->name, '\0', sizeof record->name) != NULL;
}

static bool name_socket(const struct rely_service *service, struct sockaddr_un *name)
{
    int len = snprintf(name->sun_path, sizeof name->sun_path, "%s.handover", service->config->admin_socket);
    name->sun_family = AF_UNIX;
    return service->config->admin_socket[0] != '\0' && (size_t)len < sizeof name->sun_path;
}

/* --- the one before ---------------------------------------------------------------------------------------------- */

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static bool pass_sockets(const struct rely_service *service, int fd)
{
    for (size_t i = 0; i < service->kept.count; i++)
        if (!send_record(fd, service->kept.items[i].name, service->kept.items[i].fd))
            return false;
    return send_record(fd, "", -1);
}

/* What has been begun is committed and answered; what has not is refused with a 503 that says when to ask again. */
static bool pass_on(struct rely_service *service, int fd)
{
    rely_log_event(service->ring_of_handover, RELY_LOG_INFO, "handing_over",
                   "another relyd takes over: nothing is written until it serves, or gives up");
    rely_registry_thread_leave(&service->control_thread.registry);
    set_limit_s(fd, SUCCESSOR_S);
    return pass_sockets(service, fd) && hear(fd, READY);
}

static void go_on(struct rely_service *service)
{
    struct rely_err err = {0};
    if (rely_registry_thread_return(&service->control_thread.registry, &err))
        rely_log_event(service->ring_of_handover, RELY_LOG_WARNING, "hand_over_failed",
                       "the other relyd did not come to serve: this one goes on");
    else
        rely_log_event(service->ring_of_handover, RELY_LOG_ERROR, "registry_away",
                       "the other relyd did not come to serve, and the registry cannot be opened again: reviews go on, "
                       "administrators are refused until a restart: %s",
                       err.message);
}

/* The name is the successor's from now on. */
static void leave_to(struct rely_service *service, int fd)
{
    struct sockaddr_un name;
    if (name_socket(service, &name))
        unlink(name.sun_path);
    rely_log_event(service->ring_of_handover, RELY_LOG_INFO, "handed_over", "the other relyd serves: this one ends");
    atomic_store(&service->is_handed_over, true);
    for (size_t i = 0; i < service->worker_count; i++)
        rely_loop_leave_listeners(service->workers[i].loop);
    rely_loop_leave_listeners(service->control_thread.loop);
    say(fd, BYE);
    kill(getpid(), SIGTERM);
}

static void serve_successor(struct rely_service *service, int fd)
{
    set_limit_s(fd, ANSWER_S);
    if (!is_trusted(fd) || !hear(fd, GREETING))
        return;
    if (pass_on(service, fd))
        leave_to(service, fd);
    else
        go_on(service);
}

static void *wait_for_successor(void *context)
{
    struct rely_service *service = context;
    struct rely_handover *handover = &service->handover;
    struct pollfd waited[] = {{.fd = handover->listener, .events = POLLIN},
                              {.fd = handover->wake[0], .events = POLLIN}};
    pthread_setname_np(pthread_self(), "relyd-handover");
    while (!atomic_load(&service->is_handed_over)) {
        if (poll(waited, 2, -1) < 0 && errno != EINTR)
            break;
        if (waited[1].revents != 0)
            break;
        int fd = waited[0].revents == 0 ? -1 : accept4(handover->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve_successor(service, fd);
        close(fd);
    }
    return NULL;
}

/* Without it relyd serves as well; a successor finds nobody. */
void rely_handover_start(struct rely_service *service)
{
    struct rely_handover *handover = &service->handover;
    struct sockaddr_un name;
    char address[sizeof name.sun_path + 8];
    struct rely_err err = {0};
    if (!name_socket(service, &name))
        return;
    snprintf(address, sizeof address, "unix:%s", name.sun_path);
    handover->listener = rely_loop_bind(address, false, &err);
    if (handover->listener < 0 || !rely_loop_set_owner(address, "0600", "", &err) || pipe2(handover->wake, O_CLOEXEC)) {
        rely_log_event(service->ring, RELY_LOG_WARNING, "no_hand_over", "nobody can take over from this relyd: %s",
                       err.message[0] == '\0' ? strerror(errno) : err.message);
        if (handover->listener >= 0)
            close(handover->listener);
        return;
    }
    service->ring_of_handover = rely_log_ring_new(service->log);
    int failure = pthread_create(&handover->thread, NULL, wait_for_successor, service);
    RELY_ASSERT(failure == 0);
    handover->is_started = true;
}

void rely_handover_stop(struct rely_service *service)
{
    struct rely_handover *handover = &service->handover;
    struct sockaddr_un name;
    if (!handover->is_started)
        return;
    (void)!write(handover->wake[1], "", 1);
    pthread_join(handover->thread, NULL);
    if (!atomic_load(&service->is_handed_over) && name_socket(service, &name))
        unlink(name.sun_path);
    close(handover->listener);
    close(handover->wake[0]);
    close(handover->wake[1]);
}

/* --- the successor ------------------------------------------------------------------------------------------------ */

static bool take_sockets(struct rely_service *service)
{
    struct record record;
    int passed;
    for (int i = 0; i <= RELY_SOCKETS_MAX; i++) {
        if (!receive_record(service->predecessor, &record, &passed))
            return false;
        if (record.name[0] == '\0')
            return true;
        if (passed >= 0)
            rely_sockets_add(&service->left, record.name, passed);
    }
    return false;
}

static bool greet(struct rely_service *service, const struct sockaddr_un *name, struct rely_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)name, sizeof *name) != 0) {
        int fault = errno;
        if (fd >= 0)
            close(fd);
        if (fault == ENOENT || fault == ECONNREFUSED)
            return true;
        return rely_err_set(err, RELY_ERR_IO, "cannot take over at %s: %s", name->sun_path, strerror(fault));
    }
    set_limit_s(fd, SUCCESSOR_S);
    service->predecessor = fd;
    return say(fd, GREETING) || rely_err_set(err, RELY_ERR_IO, "the relyd that runs does not answer");
}

bool rely_handover_take(struct rely_service *service, struct rely_err *err)
{
    struct sockaddr_un name;
    if (!name_socket(service, &name))
        return rely_err_set(err, RELY_ERR_INVALID,
                            "--take-over needs admin.socket, beside which the relyd that runs is found");
    if (!greet(service, &name, err))
        return false;
    if (service->predecessor < 0) {
        rely_log_event(service->ring, RELY_LOG_INFO, "nobody_to_take_over_from",
                       "no relyd runs with this admin.socket: an ordinary start");
        return true;
    }
    if (!take_sockets(service))
        return rely_err_set(err, RELY_ERR_IO,
                            "the relyd that runs has not passed its sockets on: another user's, or it has ended");
    rely_log_event(service->ring, RELY_LOG_INFO, "taking_over", "%zu sockets of the relyd that runs",
                   service->left.count);
    return true;
}

void rely_handover_confirm(struct rely_service *service)
{
    if (service->predecessor < 0)
        return;
    set_limit_s(service->predecessor, ANSWER_S);
    if (!say(service->predecessor, READY) || !hear(service->predecessor, BYE))
        rely_log_event(service->ring, RELY_LOG_WARNING, "predecessor_left", "the relyd before has left without a word");
    close(service->predecessor);
    service->predecessor = -1;
}

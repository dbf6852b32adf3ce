/*
 * Listening sockets that somebody else has opened: systemd (socket activation), or the relyd before this one (hand-over).
 * Decides whether one may be used for what a listener serves. Called by service.c, control_thread.c and handover.c.
 */
#include "service.h"

#include "relyd/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3 /* sd_listen_fds(3): SD_LISTEN_FDS_START */

void rely_sockets_add(struct rely_sockets *sockets, const char *name, int fd)
{
    sockets->items = rely_realloc(sockets->items, (sockets->count + 1) * sizeof *sockets->items);
    sockets->items[sockets->count++] =
        (struct rely_socket){.name = rely_strdup_slice(rely_slice_of(name)), .fd = fd, .is_taken = false};
}

int rely_sockets_take(struct rely_sockets *sockets, const char *name)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct rely_socket *one = &sockets->items[i];
        if (one->is_taken || strcmp(one->name, name) != 0)
            continue;
        one->is_taken = true;
        return one->fd;
    }
    return -1;
}

void rely_sockets_close(struct rely_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (!sockets->items[i].is_taken)
            close(sockets->items[i].fd);
        free(sockets->items[i].name);
    }
    free(sockets->items);
    *sockets = (struct rely_sockets){NULL, 0};
}

/* --- from systemd --------------------------------------------------------------------------------------------- */

/* The number in a variable of the environment, -1 when there is none. */
static long read_number(const char *variable)
{
    char *end = NULL;
    const char *text = getenv(variable);
    long number = text == NULL ? -1 : strtol(text, &end, 10);
    return text == NULL || *text == '\0' || *end != '\0' ? -1 : number;
}

/* sd_listen_fds_with_names(3): LISTEN_FDS descriptors from 3 on, of which LISTEN_FDNAMES has the names, for the process
 * LISTEN_PID alone. */
void rely_sockets_read_passed(struct rely_sockets *sockets)
{
    const char *names = getenv("LISTEN_FDNAMES");
    long count = read_number("LISTEN_FDS");
    if (read_number("LISTEN_PID") != (long)getpid())
        return;
    for (long i = 0; i < count && i < RELY_SOCKETS_MAX; i++) {
        char name[RELY_BOUND_SIZE];
        size_t len = names == NULL ? 0 : strcspn(names, ":");
        snprintf(name, sizeof name, RELY_PASSED "%.*s", len > 100 ? 100 : (int)len, names == NULL ? "" : names);
        fcntl(FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC);
        fcntl(FIRST_FD + (int)i, F_SETFL, fcntl(FIRST_FD + (int)i, F_GETFL) | O_NONBLOCK);
        rely_sockets_add(sockets, name, FIRST_FD + (int)i);
        names = names == NULL || names[len] == '\0' ? NULL : names + len + 1;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

/* --- whether it may be used ---------------------------------------------------------------------------------------- */

/* Where such a socket is open the configuration does not say; the same rules hold (config/check.c). */
static bool judge(const struct rely_service *service, size_t item, int fd, struct rely_err *err)
{
    const struct rely_listener_config *listener = &service->listeners.items[item];
    bool is_clear = listener->tls_certificate[0] == '\0', is_open = listener->callers == RELY_CALLERS_ANYONE;
    if (!rely_loop_is_open_to_others(fd) || listener->serves == RELY_SERVES_HEALTH)
        return true;
    if (listener->serves == RELY_SERVES_DATA && service->config->may_be_unauthenticated)
        return true;
    return (!is_clear && !is_open) ||
           rely_err_set(err, RELY_ERR_INVALID,
                        "%s is reachable from other machines: that needs tls, and callers that prove who they are",
                        listener->address);
}

bool rely_sockets_find(struct rely_service *service, size_t item, int *fd, struct rely_err *err)
{
    *fd = rely_sockets_take(&service->left, service->listeners.items[item].address);
    return *fd < 0 || judge(service, item, *fd, err);
}

bool rely_sockets_may_be_bound(const char *address, struct rely_err *err)
{
    return strncmp(address, RELY_PASSED, sizeof RELY_PASSED - 1) != 0 ||
           rely_err_set(err, RELY_ERR_INVALID,
                        "%s: no socket of this name was passed: the systemd socket unit needs FileDescriptorName=%s",
                        address, address + sizeof RELY_PASSED - 1);
}

void rely_sockets_keep(struct rely_service *service, const char *address, int fd)
{
    int copy = service->config->admin_socket[0] == '\0' ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0)
        rely_sockets_add(&service->kept, address, copy);
}

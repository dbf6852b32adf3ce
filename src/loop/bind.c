/*
 * Opens listening sockets: TCP with numeric addresses, and unix sockets that only their owner and group may use.
 * Decides whether a socket file may be replaced; accepts nothing. Called by the service, before it drops privileges.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relyd/address.h"
#include "relyd/bind.h"

#define UNIX_MODE 0660
#define BACKLOG 4096

bool rely_loop_is_local(const char *address)
{
    struct rely_address parsed;
    struct rely_err ignored = {0};
    return rely_address_parse(rely_slice_of(address), &parsed, &ignored) && parsed.is_local;
}

/* What somebody can do about it; "" where nothing is known. */
static const char *advise_on_bind(int fault, bool is_unix)
{
    if (fault == EADDRINUSE)
        return ": another process listens there, perhaps another relyd (ss -ltnp shows which): stop that one, or give "
               "this one another address";
    if (fault == EADDRNOTAVAIL)
        return ": this machine has no such address";
    if (fault == EACCES && !is_unix)
        return ": ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose a higher one";
    if (fault == EACCES)
        return ": relyd's user may not write to that folder";
    return fault == ENOENT && is_unix ? ": its folder is not there, and relyd makes none: mkdir it, for relyd's user"
                                      : "";
}

static int fail_bind(int fd, const char *address, const char *step, struct rely_err *err)
{
    int fault = errno;
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    rely_err_set(err, fault == EADDRINUSE ? RELY_ERR_CONFLICT : RELY_ERR_IO, "cannot listen on %s: %s: %s%s", address,
                 step, strerror(fault), advise_on_bind(fault, is_unix));
    if (fd >= 0)
        close(fd);
    return -1;
}

static socklen_t fill_ip(const struct rely_address *address, struct sockaddr_storage *out)
{
    if (address->is_ipv6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
        inet_pton(AF_INET6, address->host, &six->sin6_addr);
        return sizeof(*six);
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
    inet_pton(AF_INET, address->host, &four->sin_addr);
    return sizeof(*four);
}

static int bind_ip(const char *text, const struct rely_address *address, bool is_shared, struct rely_err *err)
{
    struct sockaddr_storage name = {0};
    socklen_t size = fill_ip(address, &name);
    int on = 1, fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_bind(fd, text, "socket", err);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return fail_bind(fd, text, "SO_REUSEPORT", err);
    if (bind(fd, (struct sockaddr *)&name, size) != 0)
        return fail_bind(fd, text, "bind", err);
    if (listen(fd, BACKLOG) != 0)
        return fail_bind(fd, text, "listen", err);
    return fd;
}

/* Removes a socket file that nobody listens on any more; false, with the fault, for a live one and for other files. */
static bool remove_stale(const struct sockaddr_un *name, struct rely_err *err)
{
    struct stat found;
    if (lstat(name->sun_path, &found) != 0)
        return errno == ENOENT ||
               rely_err_set(err, RELY_ERR_IO, "cannot look at %s: %s%s", name->sun_path, strerror(errno),
                            errno == EACCES ? ": relyd's user may not enter its folder: give that user the folder"
                                            : "");
    if (!S_ISSOCK(found.st_mode))
        return rely_err_set(err, RELY_ERR_CONFLICT, "%s exists and is not a socket: remove it, or choose another path",
                            name->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return rely_err_set(err, RELY_ERR_IO, "cannot open a socket: %s", strerror(errno));
    bool is_dead = connect(fd, (const struct sockaddr *)name, sizeof(*name)) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead)
        return rely_err_set(err, RELY_ERR_CONFLICT,
                            "another process listens on %s, perhaps another relyd (ss -lxp shows which): stop that "
                            "one, or give this one another path",
                            name->sun_path);
    if (unlink(name->sun_path) != 0 && errno != ENOENT)
        return rely_err_set(err, RELY_ERR_IO, "cannot remove %s: %s", name->sun_path, strerror(errno));
    return true;
}

static int bind_unix(const char *text, const struct rely_address *address, struct rely_err *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, address->path, sizeof(name.sun_path));
    if (!remove_stale(&name, err))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_bind(fd, text, "socket", err);
    /* Before bind, so that the file never stands there open to all; after it, because the umask has cut bits off. */
    if (fchmod(fd, UNIX_MODE) != 0)
        return fail_bind(fd, text, "fchmod", err);
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
        return fail_bind(fd, text, "bind", err);
    if (chmod(name.sun_path, UNIX_MODE) != 0)
        return fail_bind(fd, text, "chmod", err);
    if (listen(fd, BACKLOG) != 0)
        return fail_bind(fd, text, "listen", err);
    return fd;
}

bool rely_loop_find_group(const char *name, uint32_t *group, struct rely_err *err)
{
    char memory[4096];
    struct group entry, *found = NULL;
    int fault = getgrnam_r(name, &entry, memory, sizeof memory, &found);
    if (found == NULL)
        return rely_err_set(err, RELY_ERR_INVALID, "there is no group %s on this machine%s%s", name,
                            fault == 0 ? "" : ": ", fault == 0 ? "" : strerror(fault));
    *group = entry.gr_gid;
    return true;
}

bool rely_loop_set_owner(const char *address, const char *mode, const char *group, struct rely_err *err)
{
    struct rely_address parsed;
    gid_t id = (gid_t)-1;
    if (!rely_address_parse(rely_slice_of(address), &parsed, err))
        return false;
    if (!parsed.is_unix)
        return true;
    if (group[0] != '\0' && !rely_loop_find_group(group, &id, err))
        return rely_err_prefix(err, "cannot listen on %s", address);
    if (group[0] != '\0' && chown(parsed.path, (uid_t)-1, id) != 0)
        return rely_err_set(err, RELY_ERR_IO, "cannot listen on %s: its group cannot be %s: %s%s", address, group,
                            strerror(errno), errno == EPERM ? ": relyd's user must be a member of it" : "");
    if (chmod(parsed.path, (mode_t)strtoul(mode, NULL, 8)) != 0)
        return rely_err_set(err, RELY_ERR_IO, "cannot listen on %s: chmod: %s", address, strerror(errno));
    return true;
}

/* A socket that does not share cannot be bound where any listens, and from listening on nobody else can share with it:
 * so of two processes that begin at once one is refused. Only then the others of this process are let in. */
bool rely_loop_share(int fd, struct rely_err *err)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 ||
           rely_err_set(err, RELY_ERR_IO, "SO_REUSEPORT: %s", strerror(errno));
}

int rely_loop_bind(const char *address, bool is_shared, struct rely_err *err)
{
    struct rely_address parsed;
    if (!rely_address_parse(rely_slice_of(address), &parsed, err))
        return -1;
    return parsed.is_unix ? bind_unix(address, &parsed, err) : bind_ip(address, &parsed, is_shared, err);
}

void rely_loop_bound(int fd, const char *address, char out[RELY_BOUND_SIZE])
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    const char *colon = strrchr(address, ':');
    snprintf(out, RELY_BOUND_SIZE, "%s", address);
    if (colon == NULL || strcmp(colon, ":0") != 0 || getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return;
    in_port_t port = name.ss_family == AF_INET6  ? ((const struct sockaddr_in6 *)&name)->sin6_port
                     : name.ss_family == AF_INET ? ((const struct sockaddr_in *)&name)->sin_port
                                                 : 0;
    if (port != 0)
        snprintf(out, RELY_BOUND_SIZE, "%.*s:%u", (int)(colon - address), address, ntohs(port));
}

bool rely_loop_is_open_to_others(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return true;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&name;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&name;
    if (name.ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 != 127;
    if (name.ss_family == AF_INET6)
        return !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) &&
               !(IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
    return name.ss_family != AF_UNIX;
}

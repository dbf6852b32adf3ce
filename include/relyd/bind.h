/*
 * bind: listening sockets, before a loop accepts on them: TCP with numeric addresses, and unix sockets.
 */
#ifndef RELYD_BIND_H
#define RELYD_BIND_H

#include "relyd/base.h"

/**
 * Open a listening socket: "127.0.0.1:8480", "[::1]:8480" or "unix:/path" (mode 0660, a stale socket file is replaced,
 * a live one refused).
 *
 * In:       is_shared - SO_REUSEPORT, to bind the same TCP address once per worker, behind a first one that was bound
 *           without and then given to rely_loop_share.
 * Out:      the descriptor, or -1 with the fault.
 */
int rely_loop_bind(const char *address, bool is_shared, struct rely_err *err);
/* Give a unix socket's file these permissions ("0660") and this group ("": as it is); nothing to do for TCP. */
RELY_MUST_USE bool rely_loop_set_owner(const char *address, const char *mode, const char *group, struct rely_err *err);
/* The number of a group of this machine. */
RELY_MUST_USE bool rely_loop_find_group(const char *name, uint32_t *group, struct rely_err *err);
/* Let further sockets of this user be bound to the TCP address of one that listens alone: fails where that cannot be.
 */
RELY_MUST_USE bool rely_loop_share(int fd, struct rely_err *err);
/* The address as it was written, with the port that the kernel has chosen in place of 0. */
#define RELY_BOUND_SIZE 128
void rely_loop_bound(int fd, const char *address, char out[RELY_BOUND_SIZE]);
/* Is the listening socket one that other machines may reach? True also where that cannot be told. */
bool rely_loop_is_open_to_others(int fd);
/* Loopback or a unix socket? False also for what cannot be parsed. */
bool rely_loop_is_local(const char *address);

#endif

/*
 * address: where to listen, as text: "127.0.0.1:8480", "[::1]:8480", "localhost:8480" or "unix:/path". Pure text: opens
 * nothing, asks no resolver.
 */
#ifndef RELYD_ADDRESS_H
#define RELYD_ADDRESS_H

#include "relyd/base.h"

/* One listening address. */
struct rely_address {
    bool is_unix;   /* then only `path` counts, else `host` and `port` */
    bool is_ipv6;   /* host is for AF_INET6 */
    bool is_local;  /* a unix socket, 127.0.0.0/8 or ::1: nobody on another machine reaches it */
    uint16_t port;  /* 0: the kernel chooses */
    char host[46];  /* numeric, without brackets, as inet_pton reads it; "localhost" becomes 127.0.0.1 */
    char path[108]; /* absolute, NUL-terminated, fits sun_path */
};

/**
 * Read a listening address.
 *
 * Spec:     RFC 3986 s3.2.2 brackets around IPv6, without a zone. Host names other than localhost are refused, so that
 *           what a resolver says never decides whether a listener is local. An IPv4-mapped IPv6 address is never local.
 * In:       text - any bytes.
 * Out:      *out - set only on true.
 * Fails:    RELY_ERR_INVALID: what was found and what is allowed.
 */
bool rely_address_parse(struct rely_slice text, struct rely_address *out, struct rely_err *err);

#endif

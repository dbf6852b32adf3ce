/*
 * address: where to listen, as text: "127.0.0.1:8480", "[::1]:8480", "localhost:8480" or "unix:/path"; ranges of
 * addresses; a proxy's address. Pure text: opens nothing, asks no resolver.
 */
#ifndef RELYD_ADDRESS_H
#define RELYD_ADDRESS_H

#include "relyd/base.h"
#include "relyd/limits.h"

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
 *           what a resolver says never decides whether a listener is local. An IPv4-mapped IPv6 address is the IPv4
 * address. In:       text - any bytes. Out:      *out - set only on true. Fails:    RELY_ERR_INVALID: what was found
 * and what is allowed.
 */
RELY_MUST_USE bool rely_address_parse(struct rely_slice text, struct rely_address *out, struct rely_err *err);
/* Do both name one place, however they are written? Ports that the kernel chooses are never the same. */
bool rely_address_equal(const struct rely_address *one, const struct rely_address *other);

/* A range of addresses: those that begin with the first `bits` bits of `prefix`. */
struct rely_cidr {
    uint8_t prefix[16]; /* of IPv4 the first four bytes, the rest 0 */
    uint8_t bits;       /* 0..32 or 0..128 */
    bool is_ipv6;
};

/**
 * Read a range: "10.0.0.0/8", "2001:db8::/32", or one address.
 *
 * Spec:     RFC 4632 s3.1, RFC 4291 s2.3. Bits behind the prefix are refused: such a range is a mistake in one of its
 *           two parts. A range of IPv4-mapped addresses (::ffff:10.0.0.0/104) is the range of the IPv4 addresses.
 * In:       text - any bytes.
 * Out:      *out - set only on true.
 * Fails:    RELY_ERR_INVALID: what was found and what is allowed.
 */
RELY_MUST_USE bool rely_cidr_parse(struct rely_slice text, struct rely_cidr *out, struct rely_err *err);
/* Is the address in the range? In: address - 4 bytes for a range of IPv4, 16 for one of IPv6, in network order. */
bool rely_cidr_holds(const struct rely_cidr *range, const uint8_t *address);

/**
 * Check the address of an http proxy: "http://proxy.example:3128".
 *
 * Spec:     RFC 3986 s3.2: a host and a port; no user or password, which --print-config would show; no path but "/".
 * Out:      *out - "http://host:port", NUL-terminated, set only on true.
 * Fails:    RELY_ERR_INVALID: what was found and what is allowed.
 */
RELY_MUST_USE bool rely_proxy_parse(struct rely_slice text, char out[RELY_PROXY_SIZE], struct rely_err *err);

#endif

/*
 * Decides whether a text names a listening address, and whether only this machine reaches it. Opens no socket and asks
 * no resolver. Ranges and proxies are range.c's. Called by config (to complain with a position) and by http (to bind).
 */
#include "relyd/address.h"

#include <arpa/inet.h>

#include "relyd/text.h"

static bool refuse_address(struct rely_err *err, struct rely_slice text, const char *why)
{
    char quoted[RELY_QUOTED_SIZE];
    return rely_err_set(err, RELY_ERR_INVALID,
                        "%s: expected 127.0.0.1:8480, [::1]:8480, localhost:8480 or unix:/path, found %s", why,
                        rely_quote(text, quoted));
}

/* Decimal digits only, no sign, no leading zero but "0" itself: one port has one spelling. */
static bool read_port(struct rely_slice text, uint16_t *port)
{
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool read_unix_path(struct rely_slice text, struct rely_slice path, struct rely_address *out,
                           struct rely_err *err)
{
    /* The abstract namespace has no permissions: every local user could connect or squat the name. */
    if (path.len == 0 || path.ptr[0] != '/')
        return refuse_address(err, text, "the path of a unix socket must be absolute");
    if (path.len >= sizeof(out->path))
        return rely_err_set(err, RELY_ERR_INVALID,
                            "the path of a unix socket has %zu bytes, and the kernel allows at most %zu", path.len,
                            sizeof(out->path) - 1);
    if (memchr(path.ptr, '\0', path.len) != NULL)
        return refuse_address(err, text, "the path of a unix socket has a NUL byte");
    struct rely_address address = {.is_unix = true, .is_local = true};
    memcpy(address.path, path.ptr, path.len);
    *out = address;
    return true;
}

/* Fills host, is_ipv6 and is_local from a numeric host, with its brackets when it is IPv6. */
static bool read_numeric_host(struct rely_slice host, struct rely_address *address)
{
    bool has_brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (has_brackets)
        host = rely_slice(host.ptr + 1, host.len - 2);
    if (host.len == 0 || host.len >= sizeof(address->host) || memchr(host.ptr, '\0', host.len) != NULL)
        return false;
    memcpy(address->host, host.ptr, host.len);
    address->host[host.len] = '\0';
    struct in6_addr six;
    struct in_addr four;
    address->is_ipv6 = has_brackets;
    if (has_brackets) {
        if (inet_pton(AF_INET6, address->host, &six) != 1)
            return false;
        address->is_local = memcmp(&six, &in6addr_loopback, sizeof(six)) == 0;
        if (!IN6_IS_ADDR_V4MAPPED(&six))
            return true;
        /* The kernel listens on the IPv4 address; no other address with one inside reaches it (RFC 4291 s2.5.5). */
        address->is_ipv6 = false;
        memcpy(&four, &six.s6_addr[12], sizeof(four));
        inet_ntop(AF_INET, &four, address->host, sizeof(address->host));
    } else if (inet_pton(AF_INET, address->host, &four) != 1) {
        return false;
    }
    address->is_local = (ntohl(four.s_addr) >> 24) == 127;
    return true;
}

bool rely_address_equal(const struct rely_address *one, const struct rely_address *other)
{
    if (one->is_unix || other->is_unix)
        return one->is_unix == other->is_unix && strcmp(one->path, other->path) == 0;
    struct in6_addr a = {0}, b = {0};
    int family = one->is_ipv6 ? AF_INET6 : AF_INET;
    return one->is_ipv6 == other->is_ipv6 && one->port == other->port && one->port != 0 &&
           inet_pton(family, one->host, &a) == 1 && inet_pton(family, other->host, &b) == 1 &&
           memcmp(&a, &b, sizeof(a)) == 0;
}

bool rely_address_parse(struct rely_slice text, struct rely_address *out, struct rely_err *err)
{
    struct rely_slice scheme = RELY_LIT("unix:");
    if (rely_slice_starts(text, scheme))
        return read_unix_path(text, rely_slice(text.ptr + scheme.len, text.len - scheme.len), out, err);
    const char *colon = text.len == 0 ? NULL : memrchr(text.ptr, ':', text.len);
    if (colon == NULL)
        return refuse_address(err, text, "not an address with a port");
    struct rely_address address = {.port = 0};
    struct rely_slice host = rely_slice(text.ptr, (size_t)(colon - text.ptr));
    if (!read_port(rely_slice(colon + 1, (size_t)(text.ptr + text.len - colon - 1)), &address.port))
        return refuse_address(err, text, "the port is not a number from 0 to 65535");
    if (rely_slice_equal(host, RELY_LIT("localhost")))
        host = RELY_LIT("127.0.0.1");
    if (!read_numeric_host(host, &address))
        return refuse_address(err, text, "the host is not an IP address");
    *out = address;
    return true;
}

/*
 * Decides whether a text names a range of addresses, whether an address is in one, and whether a text names an http
 * proxy. Asks no resolver. Called by config (to complain with a position) and by fetch.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "relyd/address.h"
#include "relyd/text.h"

bool rely_cidr_holds(const struct rely_cidr *range, const uint8_t *address)
{
    size_t whole = range->bits / 8;
    int rest = range->bits % 8;
    if (memcmp(address, range->prefix, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return rest == 0 || (address[whole] & mask) == (range->prefix[whole] & mask);
}

static bool refuse_range(struct rely_err *err, struct rely_slice text, const char *why)
{
    char quoted[RELY_QUOTED_SIZE];
    return rely_err_set(err, RELY_ERR_INVALID, "%s: expected a range like 10.0.0.0/8 or 2001:db8::/32, found %s", why,
                        rely_quote(text, quoted));
}

/* Without a slash all bits count: one address. */
static bool read_bits(struct rely_slice text, unsigned most, uint8_t *bits)
{
    unsigned value = 0;
    if (text.ptr == NULL)
        value = most;
    else if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *bits = (uint8_t)value;
    return value <= most;
}

static bool has_bits_behind(const struct rely_cidr *range)
{
    for (size_t bit = range->bits; bit < (range->is_ipv6 ? 128U : 32U); bit++)
        if ((range->prefix[bit / 8] & (0x80 >> bit % 8)) != 0)
            return true;
    return false;
}

/* What connects to ::ffff:a.b.c.d connects to a.b.c.d: one range, however it is spelled. */
static void unmap(struct rely_cidr *range)
{
    static const struct rely_cidr mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, true};
    if (!range->is_ipv6 || range->bits < 96 || !rely_cidr_holds(&mapped, range->prefix))
        return;
    struct rely_cidr four = {.bits = (uint8_t)(range->bits - 96)};
    memcpy(four.prefix, range->prefix + 12, 4);
    *range = four;
}

bool rely_cidr_parse(struct rely_slice text, struct rely_cidr *out, struct rely_err *err)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    size_t len = slash == NULL ? text.len : (size_t)(slash - text.ptr);
    if (len == 0 || len >= sizeof(host) || memchr(text.ptr, '\0', len) != NULL)
        return refuse_range(err, text, "not an address");
    memcpy(host, text.ptr, len);
    host[len] = '\0';
    struct rely_cidr range = {.is_ipv6 = memchr(host, ':', len) != NULL};
    if (inet_pton(range.is_ipv6 ? AF_INET6 : AF_INET, host, range.prefix) != 1)
        return refuse_range(err, text, "not an address");
    struct rely_slice bits = slash == NULL ? rely_slice(NULL, 0) : rely_slice(slash + 1, text.len - len - 1);
    if (!read_bits(bits, range.is_ipv6 ? 128 : 32, &range.bits))
        return refuse_range(err, text,
                            range.is_ipv6 ? "the prefix has not 0 to 128 bits" : "the prefix has not 0 to 32 bits");
    if (has_bits_behind(&range))
        return refuse_range(err, text, "the address has bits behind the prefix");
    unmap(&range);
    *out = range;
    return true;
}

/* --- proxies -------------------------------------------------------------------------------------- */

static bool refuse_proxy(struct rely_err *err, struct rely_slice text, const char *why)
{
    char quoted[RELY_QUOTED_SIZE];
    return rely_err_set(err, RELY_ERR_INVALID, "%s: expected http://HOST:PORT, found %s", why,
                        rely_quote(text, quoted));
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(struct rely_slice host)
{
    char six[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.len == 0 || host.len > 253)
        return false;
    if (host.ptr[0] == '[') {
        if (host.len < 3 || host.len - 2 >= sizeof(six) || host.ptr[host.len - 1] != ']')
            return false;
        snprintf(six, sizeof(six), "%.*s", (int)host.len - 2, host.ptr + 1);
        return inet_pton(AF_INET6, six, &address) == 1;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return host.ptr[0] != '.' && host.ptr[0] != '-';
}

static bool is_port(struct rely_slice port)
{
    unsigned value = 0;
    for (size_t i = 0; i < port.len && i < 5; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(port.ptr[i] - '0');
    }
    return port.len > 0 && port.len <= 5 && port.ptr[0] != '0' && value <= UINT16_MAX;
}

bool rely_proxy_parse(struct rely_slice text, char out[RELY_PROXY_SIZE], struct rely_err *err)
{
    struct rely_slice scheme = RELY_LIT("http://");
    if (!rely_slice_starts(text, scheme))
        return refuse_proxy(err, text, "only an http proxy can be used");
    struct rely_slice rest = rely_slice(text.ptr + scheme.len, text.len - scheme.len);
    if (rest.len > 0 && memchr(rest.ptr, '@', rest.len) != NULL) /* not repeated: it may be a password */
        return rely_err_set(err, RELY_ERR_INVALID,
                            "a user or password in the proxy's URL is not allowed: expected http://HOST:PORT");
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    const char *colon = rest.len == 0 ? NULL : memrchr(rest.ptr, ':', rest.len);
    if (colon == NULL || !is_port(rely_slice(colon + 1, (size_t)(rest.ptr + rest.len - colon - 1))))
        return refuse_proxy(err, text, "the proxy's port is missing or no number from 1 to 65535");
    if (!is_host(rely_slice(rest.ptr, (size_t)(colon - rest.ptr))))
        return refuse_proxy(err, text, "the proxy's host is no name and no address");
    snprintf(out, RELY_PROXY_SIZE, "http://%.*s", RELY_ARG(rest));
    return true;
}

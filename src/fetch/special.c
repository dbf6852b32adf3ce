/*
 * Decides whether an address is in a special range: one that leads to this machine, its networks, a cloud's metadata,
 * or nowhere. Does not look at names. Called at every connection attempt (transfer.c), so that neither a redirect nor a
 * name that resolves differently the second time (DNS rebinding) gets past.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "relyd/fetch.h"

struct range {
    uint8_t prefix[16];
    int bits;
};

/* IANA IPv4 Special-Purpose Address Registry, and multicast. */
static const struct range four_ranges[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* carrier-grade NAT */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local; the metadata service of most clouds */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* IETF protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relay */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};

/* IANA IPv6 Special-Purpose Address Registry; with everything that carries an IPv4 address inside. */
static const struct range six_ranges[] = {
    {{0}, 96},                                        /* ::, ::1, IPv4-compatible */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, /* IPv4-mapped */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96}, /* IPv4-translated */
    {{0x00, 0x64, 0xff, 0x9b}, 32},                   /* NAT64, 64:ff9b::/96 and 64:ff9b:1::/48 */
    {{0x01, 0x00}, 16},                               /* discard-only 100::/64 and its neighbours */
    {{0x20, 0x01, 0x00, 0x00}, 23},                   /* IETF protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},                   /* documentation */
    {{0x20, 0x02}, 16},                               /* 6to4 */
    {{0x3f, 0xff}, 16},                               /* documentation 3fff::/20 and its neighbours */
    {{0x5f, 0x00}, 16},                               /* segment routing */
    {{0xfc}, 7},                                      /* unique local */
    {{0xfe}, 8},                                      /* link-local, site-local, fe00::/9 reserved */
    {{0xff}, 8},                                      /* multicast */
};

static bool is_in_range(const uint8_t *address, const struct range *range)
{
    int whole = range->bits / 8;
    int rest = range->bits % 8;
    if (memcmp(address, range->prefix, (size_t)whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return rest == 0 || (address[whole] & mask) == (range->prefix[whole] & mask);
}

static bool is_in_ranges(const uint8_t *address, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in_range(address, &ranges[i]))
            return true;
    return false;
}

bool rely_address_is_special(const void *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    sa_family_t family;
    memcpy(&family, address, sizeof(family));
    if (family == AF_INET) {
        memcpy(&four, address, sizeof(four));
        return is_in_ranges((const uint8_t *)&four.sin_addr, four_ranges, sizeof(four_ranges) / sizeof(four_ranges[0]));
    }
    if (family == AF_INET6) {
        memcpy(&six, address, sizeof(six));
        return is_in_ranges(six.sin6_addr.s6_addr, six_ranges, sizeof(six_ranges) / sizeof(six_ranges[0]));
    }
    return true;
}

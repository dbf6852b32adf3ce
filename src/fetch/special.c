/*
 * Decides whether an address may be connected to: not when it leads to this machine, its networks, a cloud's metadata,
 * or nowhere; nor when the administrator denies it. Does not look at names. Called at every connection attempt
 * (transfer.c), so that neither a redirect nor a name that resolves differently the second time (DNS rebinding) gets
 * past.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "relyd/fetch.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* IANA IPv4 Special-Purpose Address Registry, multicast, and what clouds put outside of it. */
static const struct rely_cidr four_ranges[] = {
    {{0}, 8, false},                 /* this network */
    {{10}, 8, false},                /* private */
    {{100, 64}, 10, false},          /* carrier-grade NAT; 100.100.100.200 is Alibaba's metadata service */
    {{127}, 8, false},               /* loopback */
    {{168, 63, 129, 16}, 32, false}, /* Azure's wire server: keys and secrets of the machine */
    {{169, 254}, 16, false},         /* link-local; the metadata service of most clouds */
    {{172, 16}, 12, false},          /* private */
    {{192, 0, 0}, 24, false},        /* IETF protocol assignments; 192.0.0.192 is Oracle's metadata service */
    {{192, 0, 2}, 24, false},        /* documentation */
    {{192, 88, 99}, 24, false},      /* 6to4 relay */
    {{192, 168}, 16, false},         /* private */
    {{198, 18}, 15, false},          /* benchmarks */
    {{198, 51, 100}, 24, false},     /* documentation */
    {{203, 0, 113}, 24, false},      /* documentation */
    {{224}, 4, false},               /* multicast */
    {{240}, 4, false},               /* reserved, broadcast */
};

/* IANA IPv6 Special-Purpose Address Registry. */
static const struct rely_cidr six_ranges[] = {
    {{0}, 96, true},                                        /* ::, ::1, IPv4-compatible */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, true}, /* IPv4-translated */
    {{0x00, 0x64, 0xff, 0x9b}, 32, true},                   /* 64:ff9b:1::/48, NAT64 of one's own, and its neighbours */
    {{0x01, 0x00}, 16, true},                               /* discard-only 100::/64 and its neighbours */
    {{0x20, 0x01, 0x00, 0x00}, 23, true},                   /* IETF protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, true},                   /* documentation */
    {{0x3f, 0xff}, 16, true},                               /* documentation 3fff::/20 and its neighbours */
    {{0x5f, 0x00}, 16, true},                               /* segment routing */
    {{0xfc}, 7, true}, /* unique local: fd00:ec2::254 and fd20:ce::254 are metadata services */
    {{0xfe}, 8, true}, /* link-local, site-local, fe00::/9 reserved */
    {{0xff}, 8, true}, /* multicast */
};

/* Where packets to an IPv6 address go to an IPv4 address inside it. */
struct wrapping {
    int at; /* the bit at which the IPv4 address begins */
    struct rely_cidr range;
    bool is_public; /* else the range is special, whatever is inside */
};

static const struct wrapping wrappings[] = {
    {96, {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, true}, true},  /* IPv4-mapped */
    {96, {{0x00, 0x64, 0xff, 0x9b}, 96, true}, true},                    /* NAT64 64:ff9b::/96, RFC 6052 s2.1 */
    {16, {{0x20, 0x02}, 16, true}, true},                                /* 6to4 */
    {96, {{0}, 96, true}, false},                                        /* IPv4-compatible */
    {96, {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, true}, false}, /* IPv4-translated */
    {96, {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, true}, false},       /* NAT64 of one's own, RFC 8215 */
    /* 6rd has no range of its own: each provider's is inside his own prefix. Those that are widely known; for another,
     * fetch.deny_ranges. */
    {32, {{0x20, 0x01, 0x0e, 0x41}, 32, true}, true}, /* Sakura */
    {24, {{0x26, 0x02, 0x00}, 24, true}, true},       /* CenturyLink */
    {32, {{0x26, 0x02, 0x01, 0x00}, 32, true}, true}, /* Charter */
    {28, {{0x26, 0x02, 0x03, 0x00}, 28, true}, true}, /* AT&T */
    {26, {{0x2a, 0x01, 0x0e, 0x00}, 26, true}, true}, /* Free */
    {28, {{0x2a, 0x02, 0x12, 0x00}, 28, true}, true}, /* Swisscom */
};

static bool is_in_ranges(const uint8_t *address, const struct rely_cidr *ranges, size_t count, bool is_ipv6)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].is_ipv6 == is_ipv6 && rely_cidr_holds(&ranges[i], address))
            return true;
    return false;
}

static void read_inside(const uint8_t six[16], int at, uint8_t four[4])
{
    for (int i = 0; i < 4; i++) {
        int byte = at / 8 + i;
        four[i] = (uint8_t)((six[byte] << at % 8) | (at % 8 == 0 ? 0 : six[byte + 1] >> (8 - at % 8)));
    }
}

/* Interface identifiers of ISATAP (RFC 5214 s6.1) stand in any prefix. */
static bool is_isatap(const uint8_t six[16])
{
    return (six[8] == 0x00 || six[8] == 0x02) && six[9] == 0x00 && six[10] == 0x5e && six[11] == 0xfe;
}

static enum rely_address_verdict judge_four(const struct rely_fetch_rules *rules, const uint8_t *four,
                                            bool may_use_special)
{
    if (is_in_ranges(four, rules->deny, rules->deny_count, false))
        return RELY_ADDRESS_DENIED;
    if (may_use_special || is_in_ranges(four, rules->allow, rules->allow_count, false))
        return RELY_ADDRESS_GOOD;
    return is_in_ranges(four, four_ranges, COUNT(four_ranges), false) ? RELY_ADDRESS_SPECIAL : RELY_ADDRESS_GOOD;
}

static enum rely_address_verdict judge_six(const struct rely_fetch_rules *rules, const uint8_t *six,
                                           bool may_use_special)
{
    uint8_t inside[4];
    bool is_public = false;
    enum rely_address_verdict verdict = RELY_ADDRESS_GOOD;
    if (is_in_ranges(six, rules->deny, rules->deny_count, true))
        return RELY_ADDRESS_DENIED;
    bool is_lifted = may_use_special || is_in_ranges(six, rules->allow, rules->allow_count, true);
    for (size_t i = 0; i < COUNT(wrappings) && verdict == RELY_ADDRESS_GOOD; i++) {
        if (!rely_cidr_holds(&wrappings[i].range, six))
            continue;
        is_public = is_public || wrappings[i].is_public;
        read_inside(six, wrappings[i].at, inside);
        verdict = judge_four(rules, inside, is_lifted);
    }
    read_inside(six, 96, inside);
    if (verdict == RELY_ADDRESS_GOOD && is_isatap(six))
        verdict = judge_four(rules, inside, is_lifted);
    if (verdict != RELY_ADDRESS_GOOD || is_lifted || is_public)
        return verdict;
    return is_in_ranges(six, six_ranges, COUNT(six_ranges), true) ? RELY_ADDRESS_SPECIAL : RELY_ADDRESS_GOOD;
}

enum rely_address_verdict rely_address_judge(const struct rely_fetch_rules *rules, const void *sockaddr,
                                             bool may_use_special)
{
    static const struct rely_fetch_rules no_rules;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    sa_family_t family;
    memcpy(&family, sockaddr, sizeof(family));
    if (rules == NULL)
        rules = &no_rules;
    if (family == AF_INET) {
        memcpy(&four, sockaddr, sizeof(four));
        return judge_four(rules, (const uint8_t *)&four.sin_addr, may_use_special);
    }
    if (family == AF_INET6) {
        memcpy(&six, sockaddr, sizeof(six));
        return judge_six(rules, six.sin6_addr.s6_addr, may_use_special);
    }
    return RELY_ADDRESS_SPECIAL;
}

/* Those that libcurl would follow, in both spellings: upper-case HTTP_PROXY too, which it leaves alone. */
bool rely_fetch_find_proxy_variables(char *out, size_t size)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0' && len < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len == 0 ? "" : ", ", names[i]);
    }
    return len > 0;
}

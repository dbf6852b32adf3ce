/*
 * Which refusals are written when a stranger causes more than anybody wants to read. Up to log.refusals_per_s all are;
 * beyond it the first few of each peer and reason in a second, so that a flood from one peer does not hide another's
 * refusals. What is not written is counted. Called by rely_log_decide (log.c) on the thread that logs.
 */
#include "sample.h"

#include "relyd/text.h"

#include <arpa/inet.h>

#define WAYS 4
#define CLOCKS_APART_S 2 /* threads read a coarse clock, and one may be a tick behind; more is a clock that was set */

/* --- who ------------------------------------------------------------------------------------------- */

/* "[address]:port" to the 64 bits that a customer of a network has, or to all of it where IPv4 hides in it. */
static uint64_t hash_ipv6(struct rely_slice peer)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *end = memchr(peer.ptr, ']', peer.len);
    size_t len = end == NULL ? sizeof text : (size_t)(end - peer.ptr) - 1;
    if (len >= sizeof text)
        return rely_hash(peer, 0);
    memcpy(text, peer.ptr + 1, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &address) != 1)
        return rely_hash(peer, 0);
    return rely_hash(rely_slice((const char *)&address, IN6_IS_ADDR_V4MAPPED(&address) ? 16 : 8), 0);
}

/* Never 0. Under the process's random key: nobody can choose peers that share a place. */
static uint64_t hash_peer(struct rely_slice peer)
{
    if (peer.len > 0 && peer.ptr[0] == '[')
        return hash_ipv6(peer) | 1;
    const char *colon = peer.len == 0 ? NULL : memrchr(peer.ptr, ':', peer.len);
    bool is_address = peer.len > 0 && peer.ptr[0] >= '0' && peer.ptr[0] <= '9' && colon != NULL;
    return rely_hash(is_address ? rely_slice(peer.ptr, (size_t)(colon - peer.ptr)) : peer, 0) | 1;
}

static struct sampled_peer *begin_second(struct sampled_peer *peer, uint64_t key, uint32_t second)
{
    uint32_t named_to = peer->key == key ? peer->named_to : 0;
    *peer = (struct sampled_peer){.key = key, .second = second, .named_to = named_to};
    return peer;
}

/* The peer's own place; a free one or that of an earlier second; or the one of all others. */
static struct sampled_peer *find_sampled_peer(struct sampler *sampler, uint64_t key, uint32_t second)
{
    struct sampled_peer *set = &sampler->peers[(key >> 8) & (SAMPLED_PEERS - 1) & ~(uint64_t)(WAYS - 1)];
    struct sampled_peer *place = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return set[i].second == second ? &set[i] : begin_second(&set[i], key, second);
        if (place == NULL && (set[i].key == 0 || set[i].second != second))
            place = &set[i];
    }
    if (place != NULL)
        return begin_second(place, key, second);
    return sampler->others.second == second ? &sampler->others : begin_second(&sampler->others, 1, second);
}

/* --- how many ---------------------------------------------------------------------------------------- */

static bool take_log_line(uint64_t *window, uint32_t second, uint32_t limit)
{
    uint64_t seen = __atomic_load_n(window, __ATOMIC_RELAXED), next;
    do {
        uint32_t of = (uint32_t)(seen >> 32);
        uint32_t current = of - second <= CLOCKS_APART_S ? of : second;
        uint32_t used = of == current ? (uint32_t)seen : 0;
        if (used >= limit)
            return false;
        next = (uint64_t)current << 32 | (used + 1);
    } while (!__atomic_compare_exchange_n(window, &seen, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

/* Of a peer and reason that have had little of this second. */
static bool take_sample(struct sampled_peer *peer, struct allowance *allowance, uint32_t second,
                        enum rely_reason reason)
{
    uint32_t limit = __atomic_load_n(&allowance->lines_per_s, __ATOMIC_RELAXED) / 2 + 2 * SAMPLES_PER_PEER;
    if (peer->by_reason[reason] >= SAMPLES_PER_REASON || peer->samples >= SAMPLES_PER_PEER ||
        !take_log_line(&allowance->samples, second, limit))
        return false;
    peer->samples++;
    return true;
}

/* --- what is left out ---------------------------------------------------------------------------------- */

static void name_peer(struct left_out *left_out, uint32_t report, struct sampled_peer *peer, uint64_t key)
{
    uint32_t count = left_out->report == report ? left_out->peer_count : 0;
    if (left_out->report != report) {
        __atomic_store_n(&left_out->peer_count, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&left_out->report, report, __ATOMIC_RELEASE);
    }
    if (peer->key == key && peer->named_to == report + 1)
        return;
    peer->named_to = report + 1;
    if (count >= LEFT_OUT_PEERS)
        return;
    __atomic_store_n(&left_out->peers[count], key, __ATOMIC_RELAXED);
    __atomic_store_n(&left_out->peer_count, count + 1, __ATOMIC_RELEASE);
}

static void leave_out(struct sampler *sampler, struct allowance *allowance, enum rely_reason reason,
                      struct sampled_peer *peer, uint64_t key)
{
    uint32_t report = __atomic_load_n(&allowance->report, __ATOMIC_ACQUIRE);
    struct left_out *left_out = &sampler->left_out[report & 1];
    name_peer(left_out, report, peer, key);
    rely_count(&left_out->by_reason[reason], 1);
}

bool rely_sample_refusal(struct sampler *sampler, struct allowance *allowance, uint32_t second, enum rely_reason reason,
                         struct rely_slice peer)
{
    uint64_t key = hash_peer(peer);
    struct sampled_peer *who = find_sampled_peer(sampler, key, second);
    uint32_t limit = __atomic_load_n(&allowance->lines_per_s, __ATOMIC_RELAXED);
    bool may_be_written =
        take_log_line(&allowance->general, second, limit) || take_sample(who, allowance, second, reason);
    if (!may_be_written)
        leave_out(sampler, allowance, reason, who, key);
    else if (who->by_reason[reason] < SAMPLES_PER_REASON)
        who->by_reason[reason]++;
    return may_be_written;
}

uint64_t rely_sample_left_out(const struct sampler *sampler)
{
    uint64_t count = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t reason = 0; reason < RELY_REASON_COUNT; reason++)
            count += __atomic_load_n(&sampler->left_out[i].by_reason[reason], __ATOMIC_RELAXED);
    return count;
}

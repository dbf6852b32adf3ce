/*
 * Tells in the log what is not there: refusals that sampling left out, and lines for which there was no room. Once a
 * second at most, for all threads together. Called by the log thread (log.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "ring.h"

void rely_report_close(struct allowance *allowance)
{
    __atomic_store_n(&allowance->report, allowance->report + 1, __ATOMIC_RELEASE);
}

/* --- peers ----------------------------------------------------------------------------------------- */

/* Growing list of peers' keys. */
struct key_list {
    uint64_t *keys; /* owned */
    size_t count;
    bool has_more; /* a thread had no room to name them all */
};

static void add_peers_of(const struct left_out *left_out, uint32_t report, struct key_list *list)
{
    size_t count = __atomic_load_n(&left_out->peer_count, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&left_out->report, __ATOMIC_ACQUIRE) != report || count == 0)
        return;
    list->keys = rely_realloc(list->keys, (list->count + count) * sizeof *list->keys);
    for (size_t i = 0; i < count; i++)
        list->keys[list->count++] = __atomic_load_n(&left_out->peers[i], __ATOMIC_RELAXED);
    list->has_more |= count == LEFT_OUT_PEERS;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A gateway's connections end at several workers: each peer counts once. */
static size_t count_distinct(struct key_list *list)
{
    size_t distinct = list->count > 0 ? 1 : 0;
    if (list->count > 1)
        qsort(list->keys, list->count, sizeof *list->keys, compare_keys);
    for (size_t i = 1; i < list->count; i++)
        distinct += list->keys[i] != list->keys[i - 1];
    return distinct;
}

/* --- the lines ---------------------------------------------------------------------------------------- */

/* New ones since this was asked last; UNDECIDED and INTERNAL_ERROR share a word. */
static uint64_t take_count(struct log_report *report, const struct rely_log_ring *rings, size_t turn, size_t reason)
{
    uint64_t sum = 0;
    for (const struct rely_log_ring *ring = rings; ring != NULL; ring = ring->next)
        sum += __atomic_load_n(&ring->sampler.left_out[turn].by_reason[reason], __ATOMIC_RELAXED);
    uint64_t fresh = sum - report->told[turn][reason];
    report->told[turn][reason] = sum;
    return fresh;
}

/* `"expired":3,"no_token":1`, and the sum. */
static uint64_t list_reasons(struct log_report *report, const struct rely_log_ring *rings, size_t turn,
                             struct rely_buf *out)
{
    uint64_t all = 0, undecided = take_count(report, rings, turn, RELY_UNDECIDED);
    for (size_t reason = RELY_UNDECIDED + 1; reason < RELY_REASON_COUNT; reason++) {
        uint64_t count = take_count(report, rings, turn, reason) + (reason == RELY_INTERNAL_ERROR ? undecided : 0);
        if (count > 0)
            rely_buf_printf(out, "%s\"%s\":%llu", all == 0 ? "" : ",", rely_reason_word((enum rely_reason)reason),
                            (unsigned long long)count);
        all += count;
    }
    return all;
}

/* A peer that was named a moment too late stands in no report; what was left out has one at least. */
static void put_left_out(uint64_t all, struct key_list *list, const char *reasons, int64_t now_s, struct rely_buf *out)
{
    struct rely_buf members = {0};
    char message[160];
    size_t peers = count_distinct(list);
    peers = peers == 0 ? 1 : peers;
    snprintf(message, sizeof message, "%llu refusals of %zu%s peers are not in the log: more than log.refusals_per_s",
             (unsigned long long)all, peers, list->has_more ? " or more" : "");
    rely_buf_printf(&members, ",\"count\":%llu,\"peers\":%zu,\"reasons\":{%s}", (unsigned long long)all, peers,
                    reasons);
    rely_log_format_event(now_s, "refusals_left_out", message, members.ptr, out);
    rely_buf_fini(&members);
}

void rely_report_left_out(struct log_report *report, const struct rely_log_ring *rings,
                          const struct allowance *allowance, int64_t now_s, struct rely_buf *out)
{
    uint32_t closed = allowance->report - 1;
    struct rely_buf reasons = {0};
    uint64_t all = list_reasons(report, rings, closed & 1, &reasons);
    if (all > 0) {
        struct key_list list = {.keys = NULL};
        for (const struct rely_log_ring *ring = rings; ring != NULL; ring = ring->next)
            add_peers_of(&ring->sampler.left_out[closed & 1], closed, &list);
        put_left_out(all, &list, reasons.ptr, now_s, out);
        free(list.keys);
    }
    rely_buf_fini(&reasons);
}

void rely_report_lost(struct log_report *report, uint64_t lost, int64_t now_s, struct rely_buf *out)
{
    char message[160], members[40];
    unsigned long long fresh = lost - report->told_lost;
    if (fresh == 0)
        return;
    report->told_lost = lost;
    snprintf(message, sizeof message, "%llu lines were lost: what reads the log is too slow, or cannot write", fresh);
    snprintf(members, sizeof members, ",\"count\":%llu", fresh);
    rely_log_format_event(now_s, "log_lines_lost", message, members, out);
}

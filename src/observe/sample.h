/*
 * Inside observe only: which refusals are written when there are more than log.refusals_per_s, and the count of those
 * that are not. A sampler is one thread's; the allowance is what all threads share.
 */
#ifndef RELYD_OBSERVE_SAMPLE_H
#define RELYD_OBSERVE_SAMPLE_H

#include "relyd/observe.h"

#define SAMPLED_PEERS 256    /* that one thread tells apart within a second; a power of two */
#define LEFT_OUT_PEERS 256   /* that one thread names to one report; beyond it there are "more" */
#define SAMPLES_PER_REASON 8 /* lines a second of one reason and peer that no flood of others can take away */
#define SAMPLES_PER_PEER 32  /* and of one peer, whatever the reasons */

/* What is left of a second: its number in the upper half, lines that were written in the lower. */
struct allowance {
    uint32_t lines_per_s; /* atomic */
    uint64_t general;     /* atomic: lines_per_s for whoever comes first */
    uint64_t samples;     /* atomic: and half as many again, for peers and reasons that were late */
    uint32_t report;      /* atomic: the number of the report that what is left out now belongs to */
};

/* A peer in one second. */
struct sampled_peer {
    uint64_t key; /* 0: free */
    uint32_t second;
    uint32_t named_to; /* the last report that the peer was named to, plus 1 */
    uint8_t samples;
    uint8_t by_reason[RELY_REASON_COUNT]; /* lines, up to SAMPLES_PER_REASON */
};

/* What was left out; two by turns, so that one can be read while the other is written. Atomic, relaxed: the thread's
 * own to write, the log thread's to read. */
struct left_out {
    uint64_t by_reason[RELY_REASON_COUNT]; /* only grow */
    uint32_t report;                       /* that the peers belong to */
    uint32_t peer_count;
    uint64_t peers[LEFT_OUT_PEERS]; /* keys; one may stand there twice */
};

struct sampler {
    struct sampled_peer peers[SAMPLED_PEERS];
    struct sampled_peer others; /* of a second with more peers than that */
    struct left_out left_out[2];
};

/**
 * May this refusal be written? If not, it is counted as left out.
 *
 * In:       second - the wall clock's; peer - as in the line: a port behind the address is no other peer, nor is
 * another address of the same /64. Thread:   the sampler's.
 */
bool rely_sample_refusal(struct sampler *sampler, struct allowance *allowance, uint32_t second, enum rely_reason reason,
                         struct rely_slice peer);

/* How many were left out since the beginning. Thread: any. */
uint64_t rely_sample_left_out(const struct sampler *sampler);

#endif

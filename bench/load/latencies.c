/*
 * A histogram of latencies: buckets grow with the value, 64 to a power of two. Keeps counts only, so that measuring
 * costs nothing that could be seen. Called by load.c.
 */
#include "load.h"

/* Below 128 every nanosecond has its own bucket; above, the highest seven bits choose it. */
static int bucket_of(int64_t ns)
{
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
    if (value < 2 * LOAD_STEPS)
        return (int)value;
    int shift = 63 - __builtin_clzll(value) - 6;
    int bucket = shift * LOAD_STEPS + (int)(value >> shift);
    return bucket < LOAD_BUCKETS ? bucket : LOAD_BUCKETS - 1;
}

static double value_of(int bucket)
{
    if (bucket < 2 * LOAD_STEPS)
        return bucket;
    int shift = bucket / LOAD_STEPS - 1;
    return (double)((uint64_t)(bucket - shift * LOAD_STEPS) << shift) + (double)(1ULL << shift) / 2;
}

void load_latencies_add(struct load_latencies *latencies, int64_t ns)
{
    latencies->counts[bucket_of(ns)]++;
    latencies->total++;
    latencies->sum_ns += (double)ns;
    if (ns > latencies->max_ns)
        latencies->max_ns = ns;
}

double load_latencies_at(const struct load_latencies *latencies, double share)
{
    double seen = 0;
    for (int i = 0; i < LOAD_BUCKETS; i++) {
        seen += (double)latencies->counts[i];
        if (latencies->counts[i] > 0 && seen >= share * (double)latencies->total)
            return value_of(i) / 1000;
    }
    return (double)latencies->max_ns / 1000;
}

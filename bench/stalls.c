/*
 * bench_stalls: how long the machine itself keeps a thread that never sleeps from running. Looks at the clock as fast
 * as it can for some seconds and keeps the gaps; what is not relyd's cannot be made shorter by relyd. Prints JSON:
 *     bench_stalls SECONDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GAP_MIN_NS 5000 /* below, it is the clock's own cost and the caches' */
#define GAPS_MAX 4000000

static uint64_t gaps[GAPS_MAX];
static size_t gap_count;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

static uint64_t collect_gaps(uint64_t duration_ns)
{
    uint64_t begin = now_ns(), last = begin, now;
    while ((now = now_ns()) - begin < duration_ns) {
        if (now - last >= GAP_MIN_NS && gap_count < GAPS_MAX)
            gaps[gap_count++] = now - last;
        last = now;
    }
    return now - begin;
}

/* A request that comes at a random instant waits at least this long with this probability: the rest of the gap that it
 * falls into. Gaps longest first. */
static double wait_us(uint64_t total_ns, double probability)
{
    double low = 0, high = gap_count == 0 ? 0 : (double)gaps[0];
    for (int round = 0; round < 60; round++) {
        double middle = (low + high) / 2, beyond = 0;
        for (size_t i = 0; i < gap_count && (double)gaps[i] > middle; i++)
            beyond += (double)gaps[i] - middle;
        *(beyond / (double)total_ns > probability ? &low : &high) = middle;
    }
    return high / 1000;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
    if (!(seconds > 0 && seconds <= 3600)) {
        fprintf(stderr, "usage: %s SECONDS\n", argv[0]);
        return EXIT_FAILURE;
    }
    uint64_t total_ns = collect_gaps((uint64_t)(seconds * 1e9)), lost_ns = 0;
    qsort(gaps, gap_count, sizeof *gaps, compare_descending);
    for (size_t i = 0; i < gap_count; i++)
        lost_ns += gaps[i];
    printf("{\"seconds\": %.3f, \"stalls\": %zu, \"lost_share\": %.6f, \"wait_p99_us\": %.1f, \"wait_p999_us\": %.1f, "
           "\"longest_us\": %.1f}\n",
           (double)total_ns / 1e9, gap_count, (double)lost_ns / (double)total_ns, wait_us(total_ns, 0.01),
           wait_us(total_ns, 0.001), gap_count == 0 ? 0 : (double)gaps[0] / 1000);
    return EXIT_SUCCESS;
}

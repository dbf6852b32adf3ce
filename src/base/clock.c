/*
 * The only place that asks the system for the time. Decides nothing. Called by those that run things: loops, threads,
 * endpoints; never by a step of a review, which gets the time handed in.
 */
#include "relyd/clock.h"

#include <time.h>

static struct timespec read_clock(clockid_t clock)
{
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return now;
}

static int64_t read_microseconds(clockid_t clock)
{
    struct timespec now = read_clock(clock);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t rely_clock_now_s(void)
{
    return read_clock(CLOCK_REALTIME).tv_sec;
}

int64_t rely_clock_coarse_s(void)
{
    return read_clock(CLOCK_REALTIME_COARSE).tv_sec;
}

static int64_t read_milliseconds(clockid_t clock)
{
    struct timespec now = read_clock(clock);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t rely_clock_monotonic_ms(void)
{
    return read_milliseconds(CLOCK_MONOTONIC);
}

int64_t rely_clock_coarse_ms(void)
{
    return read_milliseconds(CLOCK_MONOTONIC_COARSE);
}

int64_t rely_clock_monotonic_us(void)
{
    return read_microseconds(CLOCK_MONOTONIC);
}

int64_t rely_clock_cpu_us(void)
{
    return read_microseconds(CLOCK_PROCESS_CPUTIME_ID);
}

void rely_clock_wait(pthread_cond_t *signal, pthread_mutex_t *lock, int ms)
{
    int64_t until_us = rely_clock_monotonic_us() + (int64_t)ms * 1000;
    const struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_clockwait(signal, lock, CLOCK_MONOTONIC, &until); /* whoever waits looks for itself */
}

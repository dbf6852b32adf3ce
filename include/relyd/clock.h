/*
 * clock: what time it is. Nobody else asks the system (tests/house/test_clock.py), so that whoever gets the time as a
 * parameter or a hook can be tested with another one, and the steps of a review get no other.
 */
#ifndef RELYD_CLOCK_H
#define RELYD_CLOCK_H

#include <pthread.h>
#include <stdint.h>

/* Seconds since 1970, by the wall clock, which may be set: what tokens, certificates and people count by. */
int64_t rely_clock_now_s(void);
/* The same, at most a tick of 4 ms ago, and cheaper. */
int64_t rely_clock_coarse_s(void);
/* Since some moment before the process began, never backwards: for durations and timers. */
int64_t rely_clock_monotonic_ms(void);
int64_t rely_clock_monotonic_us(void);
/* The first, at most a tick of 4 ms ago, and cheaper. */
int64_t rely_clock_coarse_ms(void);
/* Processor time that all threads of this process have used. */
int64_t rely_clock_cpu_us(void);
/* pthread_cond_wait for at most so many ms. */
void rely_clock_wait(pthread_cond_t *signal, pthread_mutex_t *lock, int ms);

#endif

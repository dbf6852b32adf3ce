/*
 * The timers of a loop. Knows nothing of libh2o.
 */
#ifndef RELYD_LOOP_TIMERS_H
#define RELYD_LOOP_TIMERS_H

#include "relyd/loop.h"

/* The running timers of a loop: a binary heap by due time, slots from 1. Zero-filled is empty. */
struct rely_timers {
    struct rely_timer **heap; /* owned: the array; the timers are borrowed from their owners */
    size_t count;
    size_t capacity;
};

/* Milliseconds of the monotonic clock: a step of the wall clock fires nothing. */
uint64_t rely_timers_now(void);
void rely_timers_put(struct rely_timers *timers, struct rely_timer *timer, uint64_t due_ms);
void rely_timers_drop(struct rely_timers *timers, struct rely_timer *timer);
/* Takes out and returns the earliest timer that is due, or NULL. */
struct rely_timer *rely_timers_take(struct rely_timers *timers, uint64_t now_ms);
/* Milliseconds to the earliest timer, INT32_MAX when there is none. */
int32_t rely_timers_wait(const struct rely_timers *timers);
void rely_timers_fini(struct rely_timers *timers);

#endif

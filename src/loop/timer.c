/*
 * Keeps the running timers of a loop in a binary heap, because callers want any duration from milliseconds to hours,
 * where libh2o has one sorted list per duration and the wall clock. Knows nothing of sockets. Called by loop.c.
 */
#include "timers.h"

#include "relyd/clock.h"

#include <stdlib.h>

uint64_t rely_timers_now(void)
{
    return (uint64_t)rely_clock_monotonic_ms();
}

static void place_timer(struct rely_timers *timers, size_t slot, struct rely_timer *timer)
{
    timers->heap[slot - 1] = timer;
    timer->slot = slot;
}

static struct rely_timer *timer_at(const struct rely_timers *timers, size_t slot)
{
    return timers->heap[slot - 1];
}

/* Finds the place of a timer from an empty slot upwards. */
static void sift_up(struct rely_timers *timers, size_t slot, struct rely_timer *timer)
{
    while (slot > 1 && timer_at(timers, slot / 2)->due_ms > timer->due_ms) {
        place_timer(timers, slot, timer_at(timers, slot / 2));
        slot /= 2;
    }
    place_timer(timers, slot, timer);
}

static void sift_down(struct rely_timers *timers, size_t slot, struct rely_timer *timer)
{
    for (size_t child = slot * 2; child <= timers->count; child = slot * 2) {
        if (child < timers->count && timer_at(timers, child + 1)->due_ms < timer_at(timers, child)->due_ms)
            child++;
        if (timer_at(timers, child)->due_ms >= timer->due_ms)
            break;
        place_timer(timers, slot, timer_at(timers, child));
        slot = child;
    }
    place_timer(timers, slot, timer);
}

void rely_timers_drop(struct rely_timers *timers, struct rely_timer *timer)
{
    size_t slot = timer->slot;
    if (slot == 0)
        return;
    RELY_ASSERT(slot <= timers->count && timer_at(timers, slot) == timer);
    timer->slot = 0;
    struct rely_timer *last = timer_at(timers, timers->count--);
    if (last == timer)
        return;
    if (slot > 1 && timer_at(timers, slot / 2)->due_ms > last->due_ms)
        sift_up(timers, slot, last);
    else
        sift_down(timers, slot, last);
}

void rely_timers_put(struct rely_timers *timers, struct rely_timer *timer, uint64_t due_ms)
{
    rely_timers_drop(timers, timer);
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the heap is of pointers */
        timers->heap = rely_realloc(timers->heap, timers->capacity * sizeof(*timers->heap));
    }
    timer->due_ms = due_ms;
    timers->count++;
    sift_up(timers, timers->count, timer);
}

struct rely_timer *rely_timers_take(struct rely_timers *timers, uint64_t now_ms)
{
    if (timers->count == 0 || timer_at(timers, 1)->due_ms > now_ms)
        return NULL;
    struct rely_timer *first = timer_at(timers, 1);
    rely_timers_drop(timers, first);
    return first;
}

int32_t rely_timers_wait(const struct rely_timers *timers)
{
    if (timers->count == 0)
        return INT32_MAX;
    uint64_t due_ms = timer_at(timers, 1)->due_ms, now_ms = rely_timers_now();
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms > INT32_MAX ? INT32_MAX : (int32_t)(due_ms - now_ms);
}

void rely_timers_fini(struct rely_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i]->slot = 0;
    free(timers->heap);
    *timers = (struct rely_timers){0};
}

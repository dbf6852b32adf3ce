/*
 * timer: what is to run once, at a time. Embedded in whatever waits for it; a loop runs it, or whoever has a clock.
 */
#ifndef RELYD_TIMER_H
#define RELYD_TIMER_H

#include <stddef.h>
#include <stdint.h>

/* Zero-fill, set `run`, start. Start again to move it; cancelling one that is not running is harmless. Memory: never
 * free or move one that is running. */
struct rely_timer {
    void (*run)(struct rely_timer *timer);
    uint64_t due_ms; /* of whoever runs it, as slot */
    size_t slot;     /* 0: not running */
};

#endif

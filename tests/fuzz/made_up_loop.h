/*
 * A loop that is made up: it brings the bytes of an input to one connection in pieces of any length, takes as little of
 * its output at once as it is told, and wakes it for nothing now and then. Each fuzzer of a connection wraps the loop's
 * functions by these (made_up_loop.cmake), and so do unit tests of it, which also say what time it is.
 */
#ifndef RELYD_TESTS_FUZZ_MADE_UP_LOOP_H
#define RELYD_TESTS_FUZZ_MADE_UP_LOOP_H

#include "connection.h"

#include "relyd/pool.h"

#define OUTPUT_MAX ((size_t)1 << 20)

struct world {
    struct rely_loop_options options;
    struct rely_loop_counters counters;
    void *shared;
    struct rely_pool scratch;
    const char *input;
    size_t input_len, input_at, step, room;
    bool wants_input, wants_output, wants_turn, has_closed, has_ended_output;
    char *output;
    size_t output_len;
    bool stays_open; /* the client may say more */
    bool is_broken;  /* its connection */
    bool is_draining;
    int64_t later_ms;        /* than at the beginning: nobody is slow unless it changes */
    unsigned calls, stages;  /* of them entered */
    int64_t now_us, tick_us; /* what the clock says, and how much later it is each time */
    size_t held_bytes;
};
extern struct world world;

/* Before a connection. In: step - bytes of the input at once; room - of its output. */
void world_begin(struct rely_slice input, size_t step, size_t room, char *output);
/* What its loop would call next. */
void world_turn(struct rely_connection *connection);

#endif

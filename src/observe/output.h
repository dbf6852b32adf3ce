/*
 * Inside observe only: where lines go, without ever waiting for whoever reads there.
 */
#ifndef RELYD_OBSERVE_OUTPUT_H
#define RELYD_OBSERVE_OUTPUT_H

#include "relyd/base.h"

/* One file and the lines on their way to it. The log thread's, but for `lost`. */
struct output {
    int fd;                /* borrowed */
    struct rely_buf lines; /* owned: whole lines */
    size_t written;        /* bytes of them */
    uint64_t lost;         /* atomic, relaxed: lines that the file did not take and never will */
};

/* Has everything been written? */
bool rely_output_is_empty(const struct output *output);
/* Write what the file takes at once. True: something was written. A file that fails loses what is on its way. */
bool rely_output_write(struct output *output);
/* Lose what is on its way. */
void rely_output_give_up(struct output *output);

#endif

/*
 * Writes lines to a file as fast as it takes them, and counts those that it will never take. Knows nothing of what they
 * say. Called by the log thread (log.c).
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "output.h"

#include "relyd/observe.h"

bool rely_output_is_empty(const struct output *output)
{
    return output->lines.len == 0;
}

static bool takes_bytes(const struct output *output)
{
    struct pollfd file = {.fd = output->fd, .events = POLLOUT};
    return poll(&file, 1, 0) > 0;
}

void rely_output_give_up(struct output *output)
{
    for (size_t i = output->written; i < output->lines.len; i++)
        if (output->lines.ptr[i] == '\n')
            rely_count(&output->lost, 1);
    output->lines.len = output->written = 0;
}

/* At most PIPE_BUF bytes at once: a pipe that polls writable takes those without blocking (pipe(7)). */
static bool write_some(struct output *output)
{
    size_t left = output->lines.len - output->written;
    ssize_t done = write(output->fd, output->lines.ptr + output->written, left < PIPE_BUF ? left : PIPE_BUF);
    if (done < 0 && errno != EINTR && errno != EAGAIN)
        rely_output_give_up(output);
    else if (done > 0)
        output->written += (size_t)done;
    if (output->written == output->lines.len)
        output->lines.len = output->written = 0;
    return done > 0;
}

bool rely_output_write(struct output *output)
{
    bool is_any = false;
    while (!rely_output_is_empty(output) && takes_bytes(output) && write_some(output))
        is_any = true;
    return is_any;
}

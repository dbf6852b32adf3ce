/*
 * The log thread, and the two ways to log: an event and a decision. Decides by level and by log.decisions what is
 * dropped at once. The thread looks at the rings every 25 ms, so that a writer never makes a system call.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#define POLL_MS 25
#define STOP_WAIT_MS 500 /* how long a reader of our output that does not read may hold up a stop */

struct rely_log {
    struct rely_log_options options;
    int wake_fd; /* owned: an eventfd, readable once the log is to stop */
    pthread_t thread;
    pthread_mutex_t lock;        /* guards rings */
    struct rely_log_ring *rings; /* owned: newest first; freed by rely_log_stop only */
    bool is_stopping;            /* atomic */
    struct rely_buf batch;       /* owned by the log thread: lines that are not written yet */
    bool has_given_up;           /* the log thread's: stopping, and nobody reads the output */
};

/* --- the log thread ------------------------------------------------------------------------------- */

static bool is_stopping(struct rely_log *log)
{
    return __atomic_load_n(&log->is_stopping, __ATOMIC_ACQUIRE);
}

/* Waits until the output takes bytes. False: give up, because we are stopping and nobody reads. */
static bool await_output(struct rely_log *log)
{
    for (;;) {
        bool is_last = is_stopping(log);
        struct pollfd output = {.fd = log->options.fd, .events = POLLOUT};
        if (poll(&output, 1, STOP_WAIT_MS) > 0)
            return true;
        if (is_last) {
            log->has_given_up = true;
            return false;
        }
    }
}

/* At most PIPE_BUF bytes at once: a pipe that polls writable takes those without blocking (pipe(7)). */
static void write_batch(struct rely_log *log)
{
    size_t done = 0;
    while (done < log->batch.len && !log->has_given_up && await_output(log)) {
        size_t some = log->batch.len - done < PIPE_BUF ? log->batch.len - done : PIPE_BUF;
        ssize_t written = write(log->options.fd, log->batch.ptr + done, some);
        if (written > 0)
            done += (size_t)written;
        else if (written < 0 && errno != EINTR && errno != EAGAIN)
            break;
    }
    log->batch.len = 0;
}

static void drain_ring(struct rely_log *log, struct rely_log_ring *ring)
{
    /* At most one ring's worth, so that a thread that logs without end does not hold up the others. */
    for (size_t drained = 0; drained < RING_BYTES;) {
        const struct record *record = rely_ring_peek(ring);
        if (record == NULL)
            return;
        drained += record->head.size;
        rely_log_format(record, &log->batch);
        rely_ring_drop(ring, record);
        if (log->batch.len >= PIPE_BUF)
            write_batch(log);
    }
}

/* Rings are added in front and never taken out, so the list behind the newest does not change. */
static struct rely_log_ring *newest_ring(struct rely_log *log)
{
    pthread_mutex_lock(&log->lock);
    struct rely_log_ring *ring = log->rings;
    pthread_mutex_unlock(&log->lock);
    return ring;
}

static void drain_rings(struct rely_log *log)
{
    for (struct rely_log_ring *ring = newest_ring(log); ring != NULL; ring = ring->next)
        drain_ring(log, ring);
    write_batch(log);
}

static void *run_log(void *context)
{
    struct rely_log *log = context;
    pthread_setname_np(pthread_self(), "relyd-log");
    struct pollfd wake = {.fd = log->wake_fd, .events = POLLIN};
    for (;;) {
        /* Asked before draining: what was logged before the stop is then in the rings. */
        bool is_last = is_stopping(log);
        drain_rings(log);
        if (is_last)
            return NULL;
        poll(&wake, 1, POLL_MS);
    }
}

/* --- start and stop ------------------------------------------------------------------------------- */

/* Signals are the main thread's business, and SIGPIPE of a closed log must not end the service. */
static int start_quiet_thread(struct rely_log *log)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&log->thread, NULL, run_log, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void free_log(struct rely_log *log)
{
    while (log->rings != NULL) {
        struct rely_log_ring *ring = log->rings;
        log->rings = ring->next;
        free(ring);
    }
    if (log->wake_fd >= 0)
        close(log->wake_fd);
    pthread_mutex_destroy(&log->lock);
    rely_buf_fini(&log->batch);
    free(log);
}

struct rely_log *rely_log_start(const struct rely_log_options *options, struct rely_err *err)
{
    struct rely_log *log = rely_alloc(sizeof(*log));
    log->options = *options;
    if (log->options.fd < 0)
        log->options.fd = STDERR_FILENO;
    pthread_mutex_init(&log->lock, NULL);
    log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = log->wake_fd < 0 ? errno : start_quiet_thread(log);
    if (failure == 0)
        return log;
    rely_err_set(err, RELY_ERR_INTERNAL, "the log thread cannot be started: %s", strerror(failure));
    free_log(log);
    return NULL;
}

void rely_log_stop(struct rely_log *log)
{
    __atomic_store_n(&log->is_stopping, true, __ATOMIC_RELEASE);
    RELY_ASSERT(eventfd_write(log->wake_fd, 1) == 0);
    pthread_join(log->thread, NULL);
    free_log(log);
}

struct rely_log_ring *rely_log_ring_new(struct rely_log *log)
{
    struct rely_log_ring *ring = rely_alloc(sizeof(*ring));
    ring->log = log;
    pthread_mutex_lock(&log->lock);
    ring->next = log->rings;
    log->rings = ring;
    pthread_mutex_unlock(&log->lock);
    return ring;
}

uint64_t rely_log_lost(struct rely_log *log)
{
    uint64_t lost = 0;
    for (const struct rely_log_ring *ring = newest_ring(log); ring != NULL; ring = ring->next)
        lost += __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
    return lost;
}

/* --- writers -------------------------------------------------------------------------------------- */

void rely_log_event(struct rely_log_ring *ring, enum rely_level level, const char *event, const char *format, ...)
{
    if (level < ring->log->options.level)
        return;
    char message[MESSAGE_BYTES_MAX + 8]; /* longer than the cut, so that cut_text sees where a character ends */
    va_list list;
    va_start(list, format);
    int len = vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(message) ? (size_t)len : sizeof(message) - 1;
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    struct record record = {.head = {.kind = RECORD_EVENT, .level = (uint8_t)level}, .now_s = now.tv_sec};
    struct rely_slice texts[FIELD_COUNT] = {
        [FIELD_EVENT] = rely_slice_of(event),
        [FIELD_DETAIL] = {message, kept},
    };
    rely_ring_put(ring, &record, texts);
}

static bool is_wanted(enum rely_log_decisions decisions, enum rely_reason reason)
{
    switch (decisions) {
    case RELY_LOG_NO_DECISIONS:
        return false;
    case RELY_LOG_REFUSALS:
        return reason != RELY_OK;
    case RELY_LOG_ALL_DECISIONS:
        return true;
    }
    return true;
}

bool rely_log_wants(const struct rely_log_ring *ring, enum rely_reason reason)
{
    return is_wanted(ring->log->options.decisions, reason);
}

void rely_log_decide(struct rely_log_ring *ring, const struct rely_log_decision *decision)
{
    if (!is_wanted(ring->log->options.decisions, decision->reason))
        return;
    struct record record = {
        .head = {.kind = RECORD_DECISION,
                 .level = RELY_LOG_INFO,
                 .endpoint = (uint8_t)decision->endpoint,
                 .reason = (uint8_t)decision->reason},
        .now_s = decision->now_s,
        .duration_us = decision->duration_us,
    };
    struct rely_slice texts[FIELD_COUNT] = {
        [FIELD_DETAIL] = decision->detail,     [FIELD_ISSUER] = decision->issuer,
        [FIELD_SUBJECT] = decision->subject,   [FIELD_TOKEN_ID] = decision->token_id,
        [FIELD_IDENTITY] = decision->identity, [FIELD_CREDENTIAL] = decision->credential,
        [FIELD_PEER] = decision->peer,         [FIELD_DECISION_ID] = decision->decision_id,
    };
    rely_ring_put(ring, &record, texts);
}

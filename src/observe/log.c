/*
 * The log thread, and the two ways to log: an event and a decision. Decides by level, by log.decisions and by
 * log.refusals_per_s what is dropped at once. The thread looks at the rings every 25 ms, so that a writer never makes a
 * system call; allows and events go first, and by a file of their own when log.allows says so.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "output.h"

#include "relyd/clock.h"
#include "relyd/thread.h"
#include "ring.h"

#define POLL_MS 25
#define STOP_WAIT_MS 500 /* how long a reader of our output that does not read may hold up a stop */
#define REPORT_MS 900    /* what is left out is told once a second at least */
/* Of each ring in one turn: little enough that nobody waits long behind a flood of refusals. */
#define ALLOW_BYTES ((size_t)32 * 1024)
#define REFUSAL_BYTES ((size_t)8 * 1024)

struct rely_log {
    struct rely_log_options options;
    int wake_fd; /* owned: an eventfd, readable once the log is to stop */
    pthread_t thread;
    pthread_mutex_t lock;        /* guards rings */
    struct rely_log_ring *rings; /* owned: newest first; freed by rely_log_stop only */
    bool is_stopping;            /* atomic */
    struct allowance allowance;  /* of refusals, for all threads */
    /* The log thread's: */
    struct output outputs[2];         /* the second is not used when both kinds of lines go to one file */
    struct output *allows, *refusals; /* of outputs */
    struct log_report report;
    int64_t next_report_ms, next_lost_ms;
    bool is_report_closed; /* and has not been told yet */
};

/* --- the log thread ------------------------------------------------------------------------------- */

static bool is_stopping(struct rely_log *log)
{
    return __atomic_load_n(&log->is_stopping, __ATOMIC_ACQUIRE);
}

/* Rings are added in front and never taken out, so the list behind the newest does not change. */
static struct rely_log_ring *newest_ring(struct rely_log *log)
{
    pthread_mutex_lock(&log->lock);
    struct rely_log_ring *ring = log->rings;
    pthread_mutex_unlock(&log->lock);
    return ring;
}

static bool is_all_written(const struct rely_log *log)
{
    return rely_output_is_empty(log->allows) && rely_output_is_empty(log->refusals);
}

/* True: the ring holds more. */
static bool move_lines(struct byte_ring *ring, struct output *output, size_t bytes)
{
    const struct record *record;
    size_t moved = 0;
    while ((record = rely_ring_peek(ring)) != NULL && moved < bytes) {
        moved += record->head.size;
        rely_log_format(record, &output->lines);
        rely_ring_drop(ring, record);
    }
    return record != NULL;
}

/* A file that has not taken what it got gets no more: its rings fill up, and nothing else waits. True: there is more.
 */
static bool move_all_lines(struct rely_log *log)
{
    size_t allow_bytes = rely_output_is_empty(log->allows) ? ALLOW_BYTES : 0;
    size_t refusal_bytes = rely_output_is_empty(log->refusals) ? REFUSAL_BYTES : 0;
    bool has_more = false;
    struct rely_log_ring *newest = newest_ring(log);
    for (struct rely_log_ring *ring = newest; ring != NULL; ring = ring->next)
        has_more |= move_lines(&ring->allows, log->allows, allow_bytes);
    for (struct rely_log_ring *ring = newest; ring != NULL; ring = ring->next)
        has_more |= move_lines(&ring->refusals, log->refusals, refusal_bytes);
    return has_more;
}

/* Told where allows and events go, however deaf the reader of refusals is. */
static void report_lost_lines(struct rely_log *log, int64_t now_ms, bool is_last)
{
    if (!is_last && (now_ms < log->next_lost_ms || !rely_output_is_empty(log->allows)))
        return;
    log->next_lost_ms = now_ms + REPORT_MS;
    rely_report_lost(&log->report, rely_log_lost(log), rely_clock_now_s(), &log->allows->lines);
}

static void tell_left_out(struct rely_log *log)
{
    rely_report_left_out(&log->report, newest_ring(log), &log->allowance, rely_clock_now_s(), &log->refusals->lines);
    log->is_report_closed = false;
}

/* Closed in one turn and told in a later one, when the file takes it. At the end nobody else is there any more. */
static void report_left_out_refusals(struct rely_log *log, int64_t now_ms, bool is_last)
{
    if (log->is_report_closed && (is_last || rely_output_is_empty(log->refusals)))
        tell_left_out(log);
    if (log->is_report_closed || (now_ms < log->next_report_ms && !is_last))
        return;
    rely_report_close(&log->allowance);
    log->is_report_closed = true;
    log->next_report_ms = now_ms + REPORT_MS;
    if (is_last)
        tell_left_out(log);
}

static void report_what_is_missing(struct rely_log *log, bool is_last)
{
    int64_t now_ms = rely_clock_monotonic_ms();
    report_left_out_refusals(log, now_ms, is_last);
    report_lost_lines(log, now_ms, is_last);
}

static bool write_all_lines(struct rely_log *log)
{
    bool is_any = rely_output_write(log->allows);
    return rely_output_write(log->refusals) || is_any;
}

/* Until a file takes more, or there may be something new. */
static void await_work(struct rely_log *log)
{
    struct pollfd files[3];
    nfds_t count = 0;
    for (size_t i = 0; i < 2; i++)
        if (!rely_output_is_empty(&log->outputs[i]))
            files[count++] = (struct pollfd){.fd = log->outputs[i].fd, .events = POLLOUT};
    if (!is_stopping(log))
        files[count++] = (struct pollfd){.fd = log->wake_fd, .events = POLLIN};
    poll(files, count, POLL_MS);
}

static void *run_log(void *context)
{
    struct rely_log *log = context;
    bool is_last = false;
    int64_t give_up_ms = 0;
    pthread_setname_np(pthread_self(), "relyd-log");
    for (;;) {
        /* Asked before the rings are looked at: what was logged before the stop is then in them. */
        bool is_ending = !is_last && is_stopping(log);
        is_last |= is_ending;
        if (!is_last || is_ending)
            report_what_is_missing(log, is_ending);
        bool has_more = move_all_lines(log), has_written = write_all_lines(log);
        int64_t now_ms = rely_clock_monotonic_ms();
        if (has_written || !is_last)
            give_up_ms = now_ms + STOP_WAIT_MS;
        if (is_last && ((!has_more && is_all_written(log)) || now_ms >= give_up_ms))
            return NULL;
        if (!has_more || !is_all_written(log))
            await_work(log);
    }
}

/* --- start and stop ------------------------------------------------------------------------------- */

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
    rely_buf_fini(&log->outputs[0].lines);
    rely_buf_fini(&log->outputs[1].lines);
    free(log);
}

struct rely_log *rely_log_start(const struct rely_log_options *options, struct rely_err *err)
{
    struct rely_log *log = rely_alloc(sizeof(*log));
    log->options = *options;
    log->allowance.lines_per_s = options->refusals_per_s;
    log->outputs[0].fd = options->allows_fd < 0 ? STDERR_FILENO : options->allows_fd;
    log->outputs[1].fd = options->fd < 0 ? STDERR_FILENO : options->fd;
    log->allows = &log->outputs[0];
    log->refusals = log->outputs[0].fd == log->outputs[1].fd ? log->allows : &log->outputs[1];
    pthread_mutex_init(&log->lock, NULL);
    log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = log->wake_fd < 0 ? errno : rely_thread_start_quietly(&log->thread, run_log, log);
    if (failure == 0)
        return log;
    rely_err_set(err, RELY_ERR_INTERNAL, "the log thread cannot be started: %s", strerror(failure));
    free_log(log);
    return NULL;
}

void rely_log_limit_refusals(struct rely_log *log, uint32_t refusals_per_s)
{
    __atomic_store_n(&log->allowance.lines_per_s, refusals_per_s, __ATOMIC_RELAXED);
}

void rely_log_stop(struct rely_log *log)
{
    __atomic_store_n(&log->is_stopping, true, __ATOMIC_RELEASE);
    int fault = eventfd_write(log->wake_fd, 1);
    RELY_ASSERT(fault == 0);
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
        lost += rely_ring_lost(&ring->allows) + rely_ring_lost(&ring->refusals);
    for (size_t i = 0; i < 2; i++)
        lost += __atomic_load_n(&log->outputs[i].lost, __ATOMIC_RELAXED);
    return lost;
}

uint64_t rely_log_left_out(struct rely_log *log)
{
    uint64_t count = 0;
    for (const struct rely_log_ring *ring = newest_ring(log); ring != NULL; ring = ring->next)
        count += rely_sample_left_out(&ring->sampler);
    return count;
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
    struct record record = {.head = {.kind = RECORD_EVENT, .level = (uint8_t)level}, .now_s = rely_clock_now_s()};
    struct rely_slice texts[FIELD_COUNT] = {
        [FIELD_EVENT] = rely_slice_of(event),
        [FIELD_DETAIL] = {message, kept},
    };
    rely_ring_put(&ring->allows, 0, &record, texts);
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
    bool is_allow = decision->reason == RELY_OK;
    if (!is_wanted(ring->log->options.decisions, decision->reason) ||
        (!is_allow && !rely_sample_refusal(&ring->sampler, &ring->log->allowance, (uint32_t)decision->now_s,
                                           decision->reason, decision->peer)))
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
        [FIELD_DETAIL] = decision->detail,
        [FIELD_ISSUER] = decision->issuer,
        [FIELD_ALIAS] = decision->alias,
        [FIELD_SUBJECT] = decision->subject,
        [FIELD_TOKEN_ID] = decision->token_id,
        [FIELD_IDENTITY] = decision->identity,
        [FIELD_CREDENTIAL] = decision->credential,
        [FIELD_SHADOW] = decision->shadow,
        [FIELD_LIVENESS] = decision->liveness,
        [FIELD_PEER] = decision->peer,
        [FIELD_DECISION_ID] = decision->decision_id,
    };
    rely_ring_put(is_allow ? &ring->allows : &ring->refusals, is_allow ? EVENT_BYTES : 0, &record, texts);
}

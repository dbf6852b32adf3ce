/*
 * fault B14: allows and events apart from refusals. Whatever strangers have refused, and however slow the reader of
 * that is, allows and events are neither lost nor held up.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "relyd/observe.h"

#include "tests.h"

/* A pipe that somebody reads when the test says so. */
struct reader {
    int ends[2];
    struct rely_buf text;
};

static void open_reader(struct reader *reader)
{
    *reader = (struct reader){.text = {0}};
    assert_int_equal(pipe2(reader->ends, O_CLOEXEC), 0);
    rely_buf_reserve(&reader->text, 65536);
}

/* Whatever comes within `wait_ms` after the last that came. */
static void read_lines(struct reader *reader, int wait_ms)
{
    struct pollfd end = {.fd = reader->ends[0], .events = POLLIN};
    while (poll(&end, 1, wait_ms) > 0 && (end.revents & POLLIN) != 0) {
        rely_buf_reserve(&reader->text, 65536);
        ssize_t got = read(reader->ends[0], reader->text.ptr + reader->text.len, 65536);
        if (got <= 0)
            return;
        reader->text.len += (size_t)got;
        reader->text.ptr[reader->text.len] = '\0';
    }
}

static size_t count_of(const struct reader *reader, const char *part)
{
    size_t count = 0;
    for (const char *next = reader->text.ptr; (next = strstr(next, part)) != NULL; next++)
        count++;
    return count;
}

/* Until the text is there; half a minute is for machines that are busy. */
static void await_text(struct reader *reader, const char *part, size_t count)
{
    for (int i = 0; i < 3000 && count_of(reader, part) < count; i++)
        read_lines(reader, 10);
    assert_int_equal(count_of(reader, part), count);
}

/* Of all whole lines of an event. */
static unsigned long long sum_counts(const struct reader *reader, const char *event)
{
    unsigned long long sum = 0, count = 0;
    const char *next = reader->text.ptr;
    while ((next = strstr(next, event)) != NULL && strchr(next, '\n') != NULL) {
        next = strstr(next, "\"count\":");
        assert_int_equal(sscanf(next, "\"count\":%llu", &count), 1);
        sum += count;
    }
    return sum;
}

#define LEFT_OUT "\"event\":\"refusals_left_out\""
#define LOST "\"event\":\"log_lines_lost\""

static void await_sum(struct reader *reader, const char *event, unsigned long long sum)
{
    for (int i = 0; i < 3000 && sum_counts(reader, event) != sum; i++)
        read_lines(reader, 10);
    assert_int_equal(sum_counts(reader, event), sum);
}

static void close_reader(struct reader *reader)
{
    close(reader->ends[0]);
    close(reader->ends[1]);
    rely_buf_fini(&reader->text);
}

static struct rely_log *begin_log(const struct reader *allows, const struct reader *refusals, uint32_t refusals_per_s)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    const struct rely_log_options options = {.fd = refusals->ends[1],
                                             .allows_fd = allows->ends[1],
                                             .level = RELY_LOG_INFO,
                                             .decisions = RELY_LOG_ALL_DECISIONS,
                                             .refusals_per_s = refusals_per_s};
    struct rely_log *log = rely_log_start(&options, &err);
    assert_non_null(log);
    return log;
}

static void decide_often(struct rely_log_ring *ring, enum rely_reason reason, const char *peer, unsigned count)
{
    struct rely_log_decision decision = {
        .now_s = time(NULL), .endpoint = RELY_ENDPOINT_CHECK, .reason = reason, .peer = rely_slice_of(peer)};
    for (unsigned i = 0; i < count; i++)
        rely_log_decide(ring, &decision);
}

static void each_kind_has_its_file(void **state)
{
    struct reader allows, refusals;
    (void)state;
    open_reader(&allows);
    open_reader(&refusals);
    struct rely_log *log = begin_log(&allows, &refusals, 1000);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    decide_often(ring, RELY_OK, "10.0.0.1:1", 2);
    decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 3);
    rely_log_event(ring, RELY_LOG_INFO, "identity_changed", "by somebody");
    rely_log_stop(log);
    read_lines(&allows, 0);
    read_lines(&refusals, 0);
    assert_int_equal(count_of(&allows, "\n"), 3);
    assert_int_equal(count_of(&allows, "\"outcome\":\"allow\""), 2);
    assert_int_equal(count_of(&allows, "\"event\":\"identity_changed\""), 1);
    assert_int_equal(count_of(&refusals, "\n"), 3);
    assert_int_equal(count_of(&refusals, "\"outcome\":\"deny\""), 3);
    close_reader(&allows);
    close_reader(&refusals);
}

/* Nobody reads refusals: allows and events come all the same, all of them, before anybody does. */
static void a_reader_of_refusals_that_sleeps_holds_up_nothing_else(void **state)
{
    struct reader allows, refusals;
    (void)state;
    open_reader(&allows);
    open_reader(&refusals);
    struct rely_log *log = begin_log(&allows, &refusals, 1000000);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 20000);
    assert_true(rely_log_lost(log) > 1000);
    for (int i = 0; i < 20; i++) {
        decide_often(ring, RELY_OK, "10.0.0.1:1", 50);
        rely_log_event(ring, RELY_LOG_INFO, "identity_changed", "%d", i);
        await_text(&allows, "\"event\":\"identity_changed\"", (size_t)i + 1);
        await_text(&allows, "\"outcome\":\"allow\"", (size_t)(i + 1) * 50);
    }
    assert_int_equal(count_of(&allows, "\"outcome\":\"deny\""), 0);
    rely_log_stop(log);
    close_reader(&allows);
    close_reader(&refusals);
}

/* One file for all, and its reader sleeps: what does not fit is refusals, and then allows, and never events. */
static void refusals_and_allows_push_out_no_event(void **state)
{
    struct reader all;
    (void)state;
    open_reader(&all);
    struct rely_log *log = begin_log(&all, &all, 1000000);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 20000);
    uint64_t lost_refusals = rely_log_lost(log);
    assert_true(lost_refusals > 1000);
    decide_often(ring, RELY_OK, "10.0.0.1:1", 100);
    assert_int_equal(rely_log_lost(log), lost_refusals);
    decide_often(ring, RELY_OK, "10.0.0.1:1", 20000);
    uint64_t lost = rely_log_lost(log);
    assert_true(lost > lost_refusals + 1000);
    for (int i = 0; i < 500; i++)
        rely_log_event(ring, RELY_LOG_INFO, "identity_changed", "%d", i);
    assert_int_equal(rely_log_lost(log), lost);
    await_text(&all, "\"event\":\"identity_changed\"", 500);
    await_text(&all, "\"outcome\":\"deny\"", 20000 - lost_refusals);
    await_text(&all, "\"outcome\":\"allow\"", 20100 - (lost - lost_refusals));
    await_sum(&all, LOST, lost); /* and that is said */
    rely_log_stop(log);
    close_reader(&all);
}

/* What is left out is told while nobody else is refused, without a stop, and to the last one. */
static void what_is_left_out_is_told_within_a_second_or_so(void **state)
{
    struct reader allows, refusals;
    (void)state;
    open_reader(&allows);
    open_reader(&refusals);
    struct rely_log *log = begin_log(&allows, &refusals, 10);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    for (unsigned round = 1; round <= 2; round++) {
        decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 5000);
        const char *other = round == 1 ? "10.0.0.2:1" : "10.0.0.3:1";
        decide_often(ring, RELY_NO_TOKEN, other, 5);
        await_text(&refusals, other, 5);
        await_sum(&refusals, LEFT_OUT, rely_log_left_out(log));
        assert_int_equal(count_of(&refusals, "\"outcome\":\"deny\"") + sum_counts(&refusals, LEFT_OUT), 5005 * round);
    }
    assert_int_equal(count_of(&refusals, ",\"peers\":1,\"reasons\":{\"expired\":"),
                     count_of(&refusals, "refusals_left_out"));
    decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 5000);
    uint64_t left_out = rely_log_left_out(log);
    rely_log_stop(log);
    read_lines(&refusals, 0);
    assert_int_equal(sum_counts(&refusals, LEFT_OUT), left_out);
    assert_int_equal(count_of(&refusals, "\"outcome\":\"deny\"") + left_out, 3 * 5000 + 2 * 5);
    close_reader(&allows);
    close_reader(&refusals);
}

/* A disk that is full, a reader that is gone: counted as well. */
static void lines_that_cannot_be_written_are_lost(void **state)
{
    struct reader allows, refusals;
    (void)state;
    open_reader(&allows);
    open_reader(&refusals);
    close(refusals.ends[0]);
    struct rely_log *log = begin_log(&allows, &refusals, 1000);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    decide_often(ring, RELY_EXPIRED, "10.0.0.1:1", 7);
    for (int i = 0; i < 3000 && rely_log_lost(log) < 7; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(rely_log_lost(log), 7);
    await_text(&allows, "\"event\":\"log_lines_lost\",\"message\":\"7 lines were lost: ", 1);
    rely_log_stop(log);
    refusals.ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close_reader(&allows);
    close_reader(&refusals);
}

int run_stream_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_file),
        cmocka_unit_test(a_reader_of_refusals_that_sleeps_holds_up_nothing_else),
        cmocka_unit_test(refusals_and_allows_push_out_no_event),
        cmocka_unit_test(what_is_left_out_is_told_within_a_second_or_so),
        cmocka_unit_test(lines_that_cannot_be_written_are_lost),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}

/*
 * The log: exact lines, what is filtered, hostile texts, a full ring, several writers at once, and a reader of the
 * output that has stopped reading.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "relyd/observe.h"

#include "tests.h"

/* A log into a temporary file. */
struct capture {
    int fd;
    struct rely_log *log;
    struct rely_log_ring *ring;
    char *text; /* owned: after finish_capture */
};

static void begin_capture(struct capture *capture, enum rely_level level, enum rely_log_decisions decisions)
{
    char path[] = "/tmp/relyd-test-log-XXXXXX";
    struct rely_err err = {.code = RELY_ERR_NONE};
    capture->fd = mkstemp(path);
    assert_true(capture->fd >= 0);
    unlink(path);
    struct rely_log_options options = {
        .fd = capture->fd, .allows_fd = capture->fd, .level = level, .decisions = decisions, .refusals_per_s = 1000000};
    capture->log = rely_log_start(&options, &err);
    assert_non_null(capture->log);
    capture->ring = rely_log_ring_new(capture->log);
}

static void finish_capture(struct capture *capture)
{
    rely_log_stop(capture->log);
    off_t len = lseek(capture->fd, 0, SEEK_END);
    assert_true(len >= 0);
    capture->text = calloc(1, (size_t)len + 1);
    assert_int_equal(pread(capture->fd, capture->text, (size_t)len, 0), len);
    close(capture->fd);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void test_event(void **state)
{
    (void)state;
    struct capture capture;
    begin_capture(&capture, RELY_LOG_INFO, RELY_LOG_NO_DECISIONS);
    rely_log_event(capture.ring, RELY_LOG_DEBUG, "hidden", "not shown");
    rely_log_event(capture.ring, RELY_LOG_INFO, "listening", "on %s with \"%d\" workers\n", "127.0.0.1:8480", 2);
    rely_log_event(capture.ring, RELY_LOG_ERROR, "failed", "%s", "");
    finish_capture(&capture);
    int year = 0;
    assert_int_equal(sscanf(capture.text, "{\"time\":\"%d-", &year), 1);
    assert_true(year >= 2024);
    const char *first = strstr(capture.text, "Z\",");
    assert_non_null(first);
    const char *expected = "Z\",\"level\":\"info\",\"event\":\"listening\",\"message\":\"on 127.0.0.1:8480 with "
                           "\\\"2\\\" workers\\n\"}\n";
    assert_int_equal(strncmp(first, expected, strlen(expected)), 0);
    assert_non_null(strstr(capture.text, "\"level\":\"error\",\"event\":\"failed\"}\n"));
    assert_int_equal(count_lines(capture.text), 2);
    free(capture.text);
}

static void test_decision(void **state)
{
    (void)state;
    struct capture capture;
    struct rely_log_decision decision = {
        .now_s = 1700000000,
        .endpoint = RELY_ENDPOINT_CHECK,
        .reason = RELY_EXPIRED,
        .detail = RELY_LIT("expired 5 s ago"),
        .issuer = RELY_LIT("prod"),
        .subject = RELY_LIT("system:serviceaccount:a:b"),
        .token_id = RELY_LIT("j-1"),
        .identity = RELY_LIT("ci"),
        .credential = RELY_LIT("main"),
        .shadow = RELY_LIT("web/new"),
        .peer = RELY_LIT("127.0.0.1:5"),
        .decision_id = RELY_LIT("d-1"),
        .duration_us = 12,
    };
    begin_capture(&capture, RELY_LOG_ERROR, RELY_LOG_ALL_DECISIONS);
    rely_log_decide(capture.ring, &decision);
    struct rely_log_decision allow = {.now_s = 1, .endpoint = RELY_ENDPOINT_REVIEW, .reason = RELY_OK};
    rely_log_decide(capture.ring, &allow);
    struct rely_log_decision zero = {.now_s = 0};
    rely_log_decide(capture.ring, &zero);
    finish_capture(&capture);
    assert_string_equal(
        capture.text,
        /* allows go first */
        "{\"time\":\"1970-01-01T00:00:01Z\",\"level\":\"info\",\"event\":\"decision\",\"endpoint\":\"review\","
        "\"outcome\":\"allow\",\"reason\":\"ok\",\"durationUs\":0}\n"
        "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"info\",\"event\":\"decision\",\"endpoint\":\"check\","
        "\"outcome\":\"deny\",\"reason\":\"expired\",\"detail\":\"expired 5 s ago\",\"issuer\":\"prod\","
        "\"subject\":\"system:serviceaccount:a:b\",\"jti\":\"j-1\",\"identity\":\"ci\",\"credential\":\"main\","
        "\"shadow\":\"web/new\",\"peer\":\"127.0.0.1:5\",\"decisionId\":\"d-1\",\"durationUs\":12}\n"
        "{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"info\",\"event\":\"decision\",\"endpoint\":\"tokenreview\","
        "\"outcome\":\"deny\",\"reason\":\"internal_error\",\"durationUs\":0}\n");
    free(capture.text);
}

static void test_which_decisions(void **state)
{
    (void)state;
    const struct {
        enum rely_log_decisions decisions;
        size_t lines;
    } cases[] = {{RELY_LOG_NO_DECISIONS, 0}, {RELY_LOG_REFUSALS, 1}, {RELY_LOG_ALL_DECISIONS, 2}};
    for (size_t i = 0; i < 3; i++) {
        struct capture capture;
        struct rely_log_decision decision = {.reason = RELY_OK};
        begin_capture(&capture, RELY_LOG_INFO, cases[i].decisions);
        rely_log_decide(capture.ring, &decision);
        decision.reason = RELY_REVOKED;
        rely_log_decide(capture.ring, &decision);
        finish_capture(&capture);
        assert_int_equal(count_lines(capture.text), cases[i].lines);
        if (cases[i].lines > 0)
            assert_non_null(strstr(capture.text, "\"reason\":\"revoked\""));
        free(capture.text);
    }
}

/* A subject that tries to forge a line, is not UTF-8, or is long. */
static void test_hostile_texts(void **state)
{
    (void)state;
    struct capture capture;
    char subject[2000];
    for (size_t i = 0; i + 2 < sizeof(subject); i += 2)
        memcpy(subject + i, "\xc3\xa9", 2);
    struct rely_log_decision decision = {
        .reason = RELY_REVOKED, .issuer = RELY_LIT("a\"}\n{\"outcome\":\"allow\0\xff"), .subject = {subject + 1, 1900}};
    begin_capture(&capture, RELY_LOG_INFO, RELY_LOG_REFUSALS);
    rely_log_decide(capture.ring, &decision);
    decision.subject = rely_slice(subject, 1900);
    rely_log_decide(capture.ring, &decision);
    decision.subject.len = 511;
    rely_log_decide(capture.ring, &decision);
    char message[3000];
    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    rely_log_event(capture.ring, RELY_LOG_INFO, "long", "%s", message);
    finish_capture(&capture);
    assert_int_equal(count_lines(capture.text), 4);
    assert_non_null(strstr(capture.text, "\"issuer\":\"a\\\"}\\n{\\\"outcome\\\":\\\"allow\\u0000\\ufffd\""));
    assert_null(strstr(capture.text, "\"outcome\":\"allow\""));
    /* The line after the event and the first refusal: exactly 256 whole characters, nothing broken at the cut. */
    const char *second = strstr(strstr(capture.text, "\\u0000\\ufffd\""), "\n");
    second = strstr(second, "\"subject\":\"");
    assert_non_null(second);
    second += strlen("\"subject\":\"");
    assert_int_equal(strcspn(second, "\""), 256 * strlen("\\u00e9"));
    /* 511 bytes are below the limit and stay, half a character included. */
    const char *third = strstr(strchr(second, '\n'), "\"subject\":\"") + strlen("\"subject\":\"");
    assert_int_equal(strcspn(third, "\""), 255 * strlen("\\u00e9") + strlen("\\ufffd"));
    assert_null(strstr(capture.text, message));
    message[1024] = '\0';
    assert_non_null(strstr(capture.text, message));
    free(capture.text);
}

/* What /metrics says of the lines that were lost. */
static unsigned long long read_lost_metric(struct rely_log *log)
{
    struct rely_gauges gauges = {.log_lost = rely_log_lost(log)};
    struct rely_buf out = {0};
    unsigned long long lost = 0;
    rely_metrics_print(NULL, 0, &gauges, &out);
    const char *line = strstr(out.ptr, "\nrelyd_log_lines_lost_total ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\nrelyd_log_lines_lost_total %llu\n", &lost), 1);
    rely_buf_fini(&out);
    return lost;
}

/* Nobody reads the output: the writer is never held up, lines are counted as lost (fault D), and the stop does not
 * hang. */
static void test_full_ring(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct rely_err err = {.code = RELY_ERR_NONE};
    struct rely_log_options options = {.fd = ends[1], .allows_fd = ends[1], .level = RELY_LOG_INFO};
    struct rely_log *log = rely_log_start(&options, &err);
    assert_non_null(log);
    struct rely_log_ring *ring = rely_log_ring_new(log);
    for (int i = 0; i < 20000; i++)
        rely_log_event(ring, RELY_LOG_INFO, "flood", "%d", i);
    assert_true(read_lost_metric(log) > 1000);
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    rely_log_stop(log);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec <= 3);
    close(ends[0]);
    close(ends[1]);
}

/* A reader that has gone away must not end the process by SIGPIPE. */
static void test_closed_output(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    struct rely_err err = {.code = RELY_ERR_NONE};
    struct rely_log_options options = {.fd = ends[1], .allows_fd = ends[1], .level = RELY_LOG_INFO};
    struct rely_log *log = rely_log_start(&options, &err);
    assert_non_null(log);
    rely_log_event(rely_log_ring_new(log), RELY_LOG_INFO, "event", "into the void");
    rely_log_stop(log);
    close(ends[1]);
}

#define WRITERS 4
#define LINES_PER_WRITER 20000

struct writer {
    struct rely_log *log;
    int number;
};

static void *write_lines(void *context)
{
    struct writer *writer = context;
    struct rely_log_ring *ring = rely_log_ring_new(writer->log);
    for (int i = 0; i < LINES_PER_WRITER; i++)
        rely_log_event(
            ring, RELY_LOG_INFO, "line", "w%d %d %.*s|", writer->number, i, i % 97,
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    return NULL;
}

/* Reads one line of test_several_writers; false when it is not whole. */
static bool read_written(const char *line, int *number, int *position)
{
    int filler = 0;
    char behind = '\0';
    const char *message = strstr(line, "\"message\":\"w");
    if (message == NULL || sscanf(message, "\"message\":\"w%d %d %n", number, position, &filler) != 2)
        return false;
    size_t len = strspn(message + filler, "x");
    behind = message[filler + (int)len];
    return behind == '|' && len == (size_t)(*position % 97);
}

/* Every line that was not counted as lost arrives once, whole, and in its writer's order. */
static void test_several_writers(void **state)
{
    (void)state;
    struct capture capture;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    int next[WRITERS] = {0};
    begin_capture(&capture, RELY_LOG_INFO, RELY_LOG_NO_DECISIONS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.log = capture.log, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    uint64_t lost = read_lost_metric(capture.log);
    finish_capture(&capture);
    size_t arrived = 0;
    for (char *line = strtok(capture.text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        int number = -1;
        int position = -1;
        if (strstr(line, "\"event\":\"log_lines_lost\"") != NULL)
            continue;
        arrived++;
        assert_true(read_written(line, &number, &position));
        assert_in_range(number, 0, WRITERS - 1);
        assert_true(position >= next[number]);
        next[number] = position + 1;
    }
    assert_int_equal(arrived + lost, WRITERS * LINES_PER_WRITER);
    assert_true(arrived > 1000);
    free(capture.text);
}

/* More than the ring holds, slowly: the ring goes round, and nothing is lost. */
static void test_wrap_around(void **state)
{
    (void)state;
    struct capture capture;
    begin_capture(&capture, RELY_LOG_INFO, RELY_LOG_NO_DECISIONS);
    char filler[901];
    memset(filler, 'f', 900);
    filler[900] = '\0';
    for (int i = 0; i < 1500; i++) {
        rely_log_event(capture.ring, RELY_LOG_INFO, "line", "%d %.*s|", i, i % 900, filler);
        if (i % 150 == 149)
            nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    }
    assert_int_equal(rely_log_lost(capture.log), 0);
    finish_capture(&capture);
    int expected = 0;
    for (char *line = strtok(capture.text, "\n"); line != NULL; line = strtok(NULL, "\n"), expected++) {
        int found = -1;
        const char *message = strstr(line, "\"message\":\"");
        assert_non_null(message);
        assert_int_equal(sscanf(message, "\"message\":\"%d f", &found), 1);
        assert_int_equal(found, expected);
        assert_int_equal(strspn(strchr(message, ' ') + 1, "f"), expected % 900);
    }
    assert_int_equal(expected, 1500);
    free(capture.text);
}

int run_log_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event),           cmocka_unit_test(test_decision),
        cmocka_unit_test(test_which_decisions), cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_full_ring),       cmocka_unit_test(test_closed_output),
        cmocka_unit_test(test_several_writers), cmocka_unit_test(test_wrap_around),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

/*
 * fault B14: refusals are sampled by reason and peer, and what is left out is counted. Time is a parameter.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../../src/observe/ring.h"

#include "tests.h"

#define NOW 1700000000u

/* One thread, its allowance. */
struct sampled_thread {
    struct rely_log_ring *ring;
    struct allowance allowance;
    unsigned asked, written;
};

static struct sampled_thread begin_sampling(uint32_t lines_per_s)
{
    struct sampled_thread thread = {.ring = rely_alloc(sizeof *thread.ring), .allowance = {.lines_per_s = lines_per_s}};
    return thread;
}

static void end_sampling(struct sampled_thread *thread)
{
    assert_int_equal(thread->asked, thread->written + rely_sample_left_out(&thread->ring->sampler));
    free(thread->ring);
}

static bool refuse(struct sampled_thread *thread, uint32_t second, enum rely_reason reason, const char *peer)
{
    bool is_written =
        rely_sample_refusal(&thread->ring->sampler, &thread->allowance, second, reason, rely_slice_of(peer));
    thread->asked++;
    thread->written += is_written;
    return is_written;
}

static unsigned refuse_often(struct sampled_thread *thread, uint32_t second, enum rely_reason reason, const char *peer,
                             unsigned count)
{
    unsigned written = 0;
    for (unsigned i = 0; i < count; i++)
        written += refuse(thread, second, reason, peer);
    return written;
}

static void up_to_the_limit_all_are_written(void **state)
{
    struct sampled_thread thread = begin_sampling(100);
    (void)state;
    for (uint32_t second = NOW; second < NOW + 3; second++)
        assert_int_equal(refuse_often(&thread, second, RELY_EXPIRED, "10.0.0.1:5", 1000), 100);
    assert_int_equal(rely_sample_left_out(&thread.ring->sampler), 2700);
    end_sampling(&thread);
}

static void a_flood_hides_neither_another_peer_nor_another_reason(void **state)
{
    struct sampled_thread thread = begin_sampling(100);
    (void)state;
    for (uint32_t second = NOW; second < NOW + 2; second++) {
        refuse_often(&thread, second, RELY_EXPIRED, "10.0.0.1:5", 100000);
        assert_int_equal(refuse_often(&thread, second, RELY_EXPIRED, "10.0.0.2:5", 20), SAMPLES_PER_REASON);
        assert_int_equal(refuse_often(&thread, second, RELY_REVOKED, "10.0.0.2:6", 20), SAMPLES_PER_REASON);
        assert_int_equal(refuse_often(&thread, second, RELY_REVOKED, "10.0.0.1:5", 20), SAMPLES_PER_REASON);
        assert_int_equal(refuse_often(&thread, second, RELY_REVOKED, "unix:0", 3), 3);
    }
    end_sampling(&thread);
}

/* One peer with every reason there is takes a bounded part of what is kept for those that are late. */
static void a_peer_with_many_reasons_hides_no_other(void **state)
{
    struct sampled_thread thread = begin_sampling(10);
    unsigned samples = 0;
    (void)state;
    refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5", 1000);
    for (unsigned reason = RELY_UNDECIDED; reason < RELY_REASON_COUNT; reason++)
        if (reason != RELY_OK && reason != RELY_EXPIRED)
            samples += refuse_often(&thread, NOW, (enum rely_reason)reason, "10.0.0.1:5", 1000);
    assert_int_equal(samples, SAMPLES_PER_PEER);
    assert_int_equal(refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.2:5", 5), 5);
    end_sampling(&thread);
}

static void ports_and_interface_numbers_make_no_peers(void **state)
{
    static const char *const same[][2] = {
        {"10.0.0.1:1", "10.0.0.1:2"},
        {"[2001:db8::1]:1", "[2001:db8::ffff:1]:2"},
        {"[2001:db8:0:1:aaaa::1]:1", "[2001:db8:0:1:bbbb::2]:1"},
        {"unix:1000", "unix:1000"},
    };
    static const char *const different[][2] = {
        {"10.0.0.1:1", "10.0.0.2:1"},
        {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1"},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:1"},
        {"unix:1000", "unix:1001"},
        {"", "unknown"},
        {"[", "[::1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0] + sizeof different / sizeof different[0]; i++) {
        bool is_same = i < sizeof same / sizeof same[0];
        const char *const *pair = is_same ? same[i] : different[i - sizeof same / sizeof same[0]];
        struct sampled_thread thread = begin_sampling(0);
        assert_int_equal(refuse_often(&thread, NOW, RELY_EXPIRED, pair[0], 100), SAMPLES_PER_REASON);
        assert_int_equal(refuse_often(&thread, NOW, RELY_EXPIRED, pair[1], 100), is_same ? 0 : SAMPLES_PER_REASON);
        end_sampling(&thread);
    }
}

/* However many peers a stranger has: lines and memory are bounded, and everything is counted. */
static void many_peers_write_no_more_than_the_limit_and_half(void **state)
{
    struct sampled_thread thread = begin_sampling(100);
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        refuse(&thread, NOW, RELY_EXPIRED, peer);
    }
    assert_int_equal(thread.written, 100 + 100 / 2 + 2 * SAMPLES_PER_PEER);
    assert_int_equal(refuse_often(&thread, NOW + 1, RELY_EXPIRED, "10.0.0.1:1", 1000), 100);
    end_sampling(&thread);
}

/* More peers than places: those that find none share one, and the next second is theirs again. */
static void more_peers_than_places_share(void **state)
{
    struct sampled_thread thread = begin_sampling(1000000);
    (void)state;
    for (unsigned i = 0; i < 2 * SAMPLED_PEERS; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.1.%u.%u:1", i >> 8, i & 255);
        assert_true(refuse(&thread, NOW, RELY_EXPIRED, peer));
    }
    thread.allowance.lines_per_s = 0;
    assert_int_equal(refuse_often(&thread, NOW + 1, RELY_EXPIRED, "10.2.0.1:1", 10), SAMPLES_PER_REASON);
    end_sampling(&thread);
}

/* Threads read a coarse clock: one that is a tick behind must not begin the old second anew, nor end the new one. A
 * clock that is set back by more begins where it is. */
static void a_second_begins_once(void **state)
{
    struct sampled_thread thread = begin_sampling(10);
    (void)state;
    assert_int_equal(refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5", 100), 10);
    assert_int_equal(refuse_often(&thread, NOW + 1, RELY_EXPIRED, "10.0.0.1:5", 100), 10);
    assert_int_equal(refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5", 100), SAMPLES_PER_REASON);
    assert_int_equal(refuse_often(&thread, NOW + 1, RELY_REVOKED, "10.0.0.1:5", 100), SAMPLES_PER_REASON);
    assert_int_equal(refuse_often(&thread, NOW - 1000, RELY_EXPIRED, "10.0.0.1:5", 100), 10);
    end_sampling(&thread);
}

static void threads_share_the_limit(void **state)
{
    struct sampled_thread one = begin_sampling(10);
    struct rely_log_ring *other = rely_alloc(sizeof *other);
    unsigned written = 0;
    (void)state;
    assert_int_equal(refuse_often(&one, NOW, RELY_EXPIRED, "10.0.0.1:5", 7), 7);
    for (unsigned i = 0; i < 20; i++)
        written += rely_sample_refusal(&other->sampler, &one.allowance, NOW, RELY_EXPIRED, RELY_LIT("10.0.0.1:5"));
    assert_int_equal(written, SAMPLES_PER_REASON); /* 3 of what the first one left, and 5 late ones */
    assert_int_equal(refuse_often(&one, NOW, RELY_EXPIRED, "10.0.0.1:5", 7), 1);
    free(other);
    end_sampling(&one);
}

/* --- the report ---------------------------------------------------------------------------------------- */

static void expect_report(struct sampled_thread *thread, struct log_report *report, const char *expected)
{
    struct rely_buf out = {0};
    rely_report_close(&thread->allowance);
    rely_report_left_out(report, thread->ring, &thread->allowance, NOW, &out);
    assert_string_equal(out.ptr == NULL ? "" : out.ptr, expected);
    rely_buf_fini(&out);
}

#define REPORT(count, peers, reasons)                                                                                  \
    "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"warning\",\"event\":\"refusals_left_out\",\"message\":\"" count    \
    " refusals of " peers " peers are not in the log: more than log.refusals_per_s\",\"count\":" count                 \
    ",\"peers\":" peers ",\"reasons\":{" reasons "}}\n"

static void the_report_says_how_many_of_which_reason_and_how_many_peers(void **state)
{
    struct sampled_thread thread = begin_sampling(0);
    struct log_report report = {.told_lost = 0};
    struct rely_log_ring *other = rely_alloc(sizeof *other);
    (void)state;
    expect_report(&thread, &report, "");
    refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5", 100 + SAMPLES_PER_REASON);
    refuse_often(&thread, NOW, RELY_REVOKED, "10.0.0.1:6", 30 + SAMPLES_PER_REASON);
    refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.2:5", 7 + SAMPLES_PER_REASON);
    refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.3:5", SAMPLES_PER_REASON);
    refuse_often(&thread, NOW, RELY_UNDECIDED, "10.0.0.2:5", 1 + SAMPLES_PER_REASON);
    refuse_often(&thread, NOW, RELY_INTERNAL_ERROR, "10.0.0.2:5", 2 + SAMPLES_PER_REASON);
    other->next = thread.ring; /* the same peer at another thread */
    for (unsigned i = 0; i < 1 + SAMPLES_PER_REASON; i++)
        rely_sample_refusal(&other->sampler, &thread.allowance, NOW, RELY_EXPIRED, RELY_LIT("10.0.0.1:7"));
    struct rely_log_ring *own = thread.ring;
    thread.ring = other;
    expect_report(&thread, &report, REPORT("141", "2", "\"expired\":108,\"revoked\":30,\"internal_error\":3"));
    expect_report(&thread, &report, "");
    thread.ring = own;
    free(other);
    end_sampling(&thread);
}

/* What a thread counts for a report that has just been told is in the next but one. */
static void what_is_counted_late_is_told_late(void **state)
{
    struct sampled_thread thread = begin_sampling(0);
    struct log_report report = {.told_lost = 0};
    (void)state;
    refuse_often(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5", SAMPLES_PER_REASON);
    expect_report(&thread, &report, "");
    uint32_t now = thread.allowance.report;
    thread.allowance.report = now - 1;
    refuse(&thread, NOW, RELY_EXPIRED, "10.0.0.1:5");
    thread.allowance.report = now;
    expect_report(&thread, &report, "");
    expect_report(&thread, &report, REPORT("1", "1", "\"expired\":1"));
    end_sampling(&thread);
}

static void more_peers_than_can_be_named_are_more(void **state)
{
    struct sampled_thread thread = begin_sampling(0);
    struct log_report report = {.told_lost = 0};
    struct rely_buf out = {0};
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.0.%u.%u:1", i >> 8, i & 255);
        refuse(&thread, NOW, RELY_EXPIRED, peer);
    }
    rely_report_close(&thread.allowance);
    rely_report_left_out(&report, thread.ring, &thread.allowance, NOW, &out);
    assert_non_null(strstr(out.ptr, " refusals of 256 or more peers "));
    rely_buf_fini(&out);
    end_sampling(&thread);
}

int run_sample_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_the_limit_all_are_written),
        cmocka_unit_test(a_flood_hides_neither_another_peer_nor_another_reason),
        cmocka_unit_test(a_peer_with_many_reasons_hides_no_other),
        cmocka_unit_test(ports_and_interface_numbers_make_no_peers),
        cmocka_unit_test(many_peers_write_no_more_than_the_limit_and_half),
        cmocka_unit_test(more_peers_than_places_share),
        cmocka_unit_test(a_second_begins_once),
        cmocka_unit_test(threads_share_the_limit),
        cmocka_unit_test(the_report_says_how_many_of_which_reason_and_how_many_peers),
        cmocka_unit_test(what_is_counted_late_is_told_late),
        cmocka_unit_test(more_peers_than_can_be_named_are_more),
    };
    return cmocka_run_group_tests_name("sampled refusals", tests, NULL, NULL);
}

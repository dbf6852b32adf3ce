/*
 * Metrics and the documents of observe: exact lines of the Prometheus text.
 */
#include <stdio.h>

#include "relyd/condition.h"
#include "relyd/observe.h"

#include "tests.h"

static void expect_line(const struct rely_buf *text, const char *line)
{
    const char *found = text->ptr;
    while ((found = strstr(found, line)) != NULL) {
        char behind = found[strlen(line)];
        if ((found == text->ptr || found[-1] == '\n') && behind == '\n')
            return;
        found++;
    }
    print_error("no line: %s\nin:\n%s\n", line, text->ptr);
    fail();
}

static void expect_absent(const struct rely_buf *text, const char *part)
{
    assert_null(strstr(text->ptr, part));
}

static void test_metrics(void **state)
{
    (void)state;
    static struct rely_counters one;
    static struct rely_counters two;
    static const uint64_t cuts[2] = {11, 12};
    static const char *const words[2] = {"one", "other"};
    static const struct rely_key_age ages[2] = {{{"prod", 4}, 90, 5000, 123456789012345}, {{"test", 4}, 0, -30, 7}};
    static const struct rely_clock_skew skews[2] = {{{"prod", 4}, 12}, {{"test", 4}, -3}};
    struct rely_gauges gauges = {.revision = 42,
                                 .held_bytes = 13,
                                 .cuts = cuts,
                                 .cut_words = words,
                                 .cut_count = 2,
                                 .handshakes = cuts,
                                 .handshake_words = words,
                                 .handshake_count = 2,
                                 .issuers = 2,
                                 .identities = 3,
                                 .credentials = 4,
                                 .connections = 5,
                                 .fetches_ok = 6,
                                 .fetches_failed = 7,
                                 .failed_by = {[RELY_CAUSE_NONE] = 3, [RELY_CAUSE_NOT_TLS] = 4},
                                 .log_lost = 9,
                                 .unsendable = 14,
                                 .is_config_bad = true,
                                 .rechecks = 10,
                                 .refusals_left_out = 11,
                                 .key_ages = ages,
                                 .key_age_count = 2,
                                 .key_age_max_s = 90,
                                 .keys_too_old = 14,
                                 .keys_unstored = 15,
                                 .keys_repeated = 16,
                                 .key_left_count = 2,
                                 .key_left_min_s = -30,
                                 .clock_skews = skews,
                                 .clock_skew_count = 2,
                                 .clock_count = 2,
                                 .clock_skew_max_s = 12,
                                 .key_sets_hash = 17,
                                 .keys_new = 18,
                                 .keys_held = 19,
                                 .start_s = 1700000000};
    rely_count(&one.reviews[RELY_ENDPOINT_CHECK][RELY_EXPIRED], 3);
    rely_count(&two.reviews[RELY_ENDPOINT_CHECK][RELY_EXPIRED], 4);
    rely_count(&two.reviews[RELY_ENDPOINT_REVIEW][RELY_OK], 1);
    rely_count(&one.reviews[RELY_ENDPOINT_CHECK][RELY_UNDECIDED], 1);
    rely_count(&one.reviews[RELY_ENDPOINT_CHECK][RELY_INTERNAL_ERROR], 1);
    rely_count(&one.shadow_matches[0], 2);
    rely_count(&two.shadow_matches[0], 3);
    rely_count(&two.shadow_matches[1], 4);
    rely_count(&one.latency[0], 5);
    rely_count(&two.latency[1], 6);
    rely_count(&two.latency[RELY_LATENCY_BUCKETS], 1);
    rely_count(&one.latency_sum_us, 2000000);
    rely_count(&two.latency_sum_us, 55);
    rely_count(&one.requests, 100);
    rely_count(&one.key_waits, 8);
    rely_count(&one.cache_hits, 21);
    rely_count(&one.cache_misses, 22);
    const struct rely_counters *const both[] = {&one, &two};
    struct rely_buf out = {0};
    rely_metrics_print(both, 2, &gauges, &out);
    expect_line(&out, "# TYPE relyd_reviews_total counter");
    expect_line(&out, "relyd_reviews_total{endpoint=\"check\",reason=\"expired\"} 7");
    expect_line(&out, "relyd_reviews_total{endpoint=\"review\",reason=\"ok\"} 1");
    expect_line(&out, "relyd_reviews_total{endpoint=\"check\",reason=\"internal_error\"} 2");
    expect_absent(&out, "endpoint=\"tokenreview\"");
    expect_line(&out, "relyd_shadow_matches_total{outcome=\"allow\"} 4");
    expect_line(&out, "relyd_shadow_matches_total{outcome=\"deny\"} 5");
    expect_line(&out, "# TYPE relyd_review_duration_seconds histogram");
    expect_line(&out, "relyd_review_duration_seconds_bucket{le=\"5e-06\"} 5");
    expect_line(&out, "relyd_review_duration_seconds_bucket{le=\"1e-05\"} 11");
    expect_line(&out, "relyd_review_duration_seconds_bucket{le=\"1\"} 11");
    expect_line(&out, "relyd_review_duration_seconds_bucket{le=\"+Inf\"} 12");
    expect_line(&out, "relyd_review_duration_seconds_sum 2.000055");
    expect_line(&out, "relyd_review_duration_seconds_count 12");
    expect_line(&out, "relyd_http_requests_total 100");
    expect_line(&out, "relyd_key_waits_total 8");
    expect_line(&out, "relyd_cache_lookups_total{outcome=\"hit\"} 21");
    expect_line(&out, "relyd_cache_lookups_total{outcome=\"miss\"} 22");
    expect_line(&out, "relyd_log_lines_lost_total 9");
    expect_line(&out, "relyd_fetches_total{outcome=\"ok\"} 6");
    expect_line(&out, "relyd_fetches_total{outcome=\"failed\"} 7");
    expect_line(&out, "relyd_fetch_failures_total{reason=\"other\"} 3");
    expect_line(&out, "relyd_fetch_failures_total{reason=\"not_tls\"} 4");
    expect_line(&out, "relyd_key_set_age_seconds{issuer=\"prod\"} 90");
    expect_line(&out, "relyd_key_set_age_seconds{issuer=\"test\"} 0");
    expect_line(&out, "relyd_key_set_age_max_seconds 90");
    expect_line(&out, "relyd_key_set_limit_seconds{issuer=\"prod\"} 5000");
    expect_line(&out, "relyd_key_set_limit_seconds{issuer=\"test\"} -30");
    expect_line(&out, "relyd_key_set_limit_min_seconds -30");
    expect_line(&out, "relyd_key_set_hash{issuer=\"prod\"} 123456789012345");
    expect_line(&out, "relyd_key_sets_hash 17");
    expect_line(&out, "relyd_issuer_clock_skew_seconds{issuer=\"prod\"} 12");
    expect_line(&out, "relyd_issuer_clock_skew_seconds{issuer=\"test\"} -3");
    expect_line(&out, "relyd_issuer_clock_skew_max_seconds 12");
    expect_line(&out, "relyd_keys_first_seen_total 18");
    expect_line(&out, "relyd_key_sets_held_back_total 19");
    expect_line(&out, "relyd_key_sets_too_old 14");
    expect_line(&out, "relyd_key_sets_unstored 15");
    expect_line(&out, "relyd_key_sets_repeated 16");
    expect_line(&out, "relyd_revision 42");
    expect_line(&out, "relyd_issuers 2");
    expect_line(&out, "relyd_identities 3");
    expect_line(&out, "relyd_credentials 4");
    expect_line(&out, "relyd_signature_rechecks_total 10");
    expect_line(&out, "relyd_log_refusals_left_out_total 11");
    expect_line(&out, "relyd_connections 5");
    expect_line(&out, "relyd_connections_cut_total{limit=\"one\"} 11");
    expect_line(&out, "relyd_connections_cut_total{limit=\"other\"} 12");
    expect_line(&out, "relyd_http_held_bytes 13");
    expect_line(&out, "relyd_tls_handshakes_total{result=\"one\"} 11");
    expect_line(&out, "relyd_tls_handshakes_total{result=\"other\"} 12");
    expect_line(&out, "relyd_reload_failed{what=\"configuration\"} 1");
    expect_line(&out, "relyd_reload_failed{what=\"certificates\"} 0");
    expect_line(&out, "relyd_unsendable_answers_total 14");
    expect_line(&out, "relyd_build_info{version=\"" RELYD_VERSION "\"} 1");
    expect_line(&out, "process_start_time_seconds 1700000000");
    assert_non_null(strstr(out.ptr, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(out.ptr, "\nprocess_resident_memory_bytes "));
    rely_buf_fini(&out);
}

static void test_metrics_of_nothing(void **state)
{
    (void)state;
    struct rely_gauges gauges = {.revision = 0};
    struct rely_buf out = {0};
    rely_metrics_print(NULL, 0, &gauges, &out);
    expect_line(&out, "# TYPE relyd_reviews_total counter");
    expect_absent(&out, "relyd_reviews_total{");
    expect_line(&out, "relyd_review_duration_seconds_bucket{le=\"+Inf\"} 0");
    rely_buf_fini(&out);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(rely_endpoint_name(RELY_ENDPOINT_TOKENREVIEW), "tokenreview");
    assert_string_equal(rely_endpoint_name(RELY_ENDPOINT_CHECK), "check");
    assert_string_equal(rely_endpoint_name(RELY_ENDPOINT_REVIEW), "review");
    assert_string_equal(rely_endpoint_name(RELY_ENDPOINT_INTROSPECTION), "introspection");
    assert_string_equal(rely_endpoint_name(RELY_ENDPOINT_EXPLAIN), "explain");
    for (size_t i = 1; i < RELY_LATENCY_BUCKETS; i++)
        assert_true(rely_latency_bounds_us[i] > rely_latency_bounds_us[i - 1]);
}

static void expect_file(const char *path, const struct rely_buf *expected)
{
    static char found[200000];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(found, 1, sizeof(found) - 1, file);
    fclose(file);
    found[len] = '\0';
    assert_string_equal(found, expected->ptr);
}

static void test_documents(void **state)
{
    (void)state;
    struct rely_buf out = {0};
    rely_metrics_print_docs(&out);
    expect_file(RELYD_SOURCE "/docs/metrics.md", &out);
    out.len = 0;
    rely_reasons_print_docs(&out);
    expect_file(RELYD_SOURCE "/docs/reasons.md", &out);
    for (size_t i = RELY_UNDECIDED + 1; i < RELY_REASON_COUNT; i++) {
        char heading[64];
        snprintf(heading, sizeof(heading), "## %s", rely_reason_word((enum rely_reason)i));
        expect_line(&out, heading);
    }
    rely_buf_fini(&out);
}

/* Each cause has a row under its condition, and whatever is False has a sentence and what mends it. */
static void test_conditions(void **state)
{
    (void)state;
    struct rely_buf out = {0};
    rely_conditions_print_docs(&out);
    expect_file(RELYD_SOURCE "/docs/conditions.md", &out);
    for (int i = 0; i < RELY_CONDITION_COUNT; i++) {
        char heading[64];
        snprintf(heading, sizeof heading, "## %s", rely_condition_word((enum rely_condition)i));
        expect_line(&out, heading);
    }
    for (int i = RELY_CAUSE_NONE + 1; i < RELY_CAUSE_COUNT; i++) {
        enum rely_cause cause = (enum rely_cause)i;
        bool is_false = rely_cause_status(cause) == RELY_CONDITION_FALSE;
        if (is_false && (rely_cause_sentence(cause)[0] == '\0' || rely_cause_mends(cause)[0] == '\0'))
            fail_msg("%s says nothing, or not what mends it", rely_cause_word(cause));
        for (int k = RELY_CAUSE_NONE + 1; k < i; k++) {
            enum rely_cause other = (enum rely_cause)k;
            if (rely_cause_condition(cause) == rely_cause_condition(other) &&
                strcmp(rely_cause_word(cause), rely_cause_word(other)) == 0)
                fail_msg("%s has two rows", rely_cause_word(cause));
        }
    }
    rely_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),   cmocka_unit_test(test_metrics_of_nothing), cmocka_unit_test(test_names),
        cmocka_unit_test(test_documents), cmocka_unit_test(test_conditions),
    };
    int failed = cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
    return failed + run_log_tests() + run_sample_tests() + run_stream_tests();
}

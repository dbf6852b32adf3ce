/*
 * Sums the threads' counters and writes them as Prometheus text, by metrics.def. Decides nothing and keeps nothing.
 * Called by the handler of /metrics, and by main.c for docs/metrics.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "relyd/clock.h"
#include "relyd/observe.h"

/* Round figures around what was measured: 1 us for a cached token, 15-40 us for a signature, 150 ms for a key wait. */
const uint32_t rely_latency_bounds_us[RELY_LATENCY_BUCKETS] = {5,    10,   25,    50,     100,    250,
                                                               1000, 5000, 25000, 100000, 250000, 1000000};

/* What one scrape shows. */
struct scrape {
    struct rely_counters sum;
    const struct rely_gauges *gauges; /* borrowed */
    struct rely_buf *out;             /* borrowed */
};

const char *rely_endpoint_name(enum rely_endpoint endpoint)
{
    static const char *const names[RELY_ENDPOINT_COUNT] = {
        [RELY_ENDPOINT_TOKENREVIEW] = "tokenreview", [RELY_ENDPOINT_CHECK] = "check",
        [RELY_ENDPOINT_REVIEW] = "review",           [RELY_ENDPOINT_INTROSPECTION] = "introspection",
        [RELY_ENDPOINT_EXPLAIN] = "explain",
    };
    RELY_ASSERT((unsigned)endpoint < RELY_ENDPOINT_COUNT);
    return names[endpoint];
}

static void add_relaxed(uint64_t *sum, const uint64_t *counter)
{
    *sum += __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_counters(struct rely_counters *sum, const struct rely_counters *one)
{
    for (size_t endpoint = 0; endpoint < RELY_ENDPOINT_COUNT; endpoint++)
        for (size_t reason = 0; reason < RELY_REASON_COUNT; reason++)
            add_relaxed(&sum->reviews[endpoint][reason], &one->reviews[endpoint][reason]);
    for (size_t i = 0; i < 2; i++)
        add_relaxed(&sum->shadow_matches[i], &one->shadow_matches[i]);
    for (size_t i = 0; i <= RELY_LATENCY_BUCKETS; i++)
        add_relaxed(&sum->latency[i], &one->latency[i]);
    add_relaxed(&sum->latency_sum_us, &one->latency_sum_us);
    add_relaxed(&sum->requests, &one->requests);
    add_relaxed(&sum->key_waits, &one->key_waits);
    add_relaxed(&sum->cache_hits, &one->cache_hits);
    add_relaxed(&sum->cache_misses, &one->cache_misses);
    add_relaxed(&sum->control_faults, &one->control_faults);
    for (size_t i = 0; i < RELY_CALLER_WORDS_MAX; i++)
        add_relaxed(&sum->callers[i], &one->callers[i]);
}

/* --- one writer per metric ------------------------------------------------------------------------ */

static void put_number(const struct scrape *scrape, const char *name, uint64_t value)
{
    rely_buf_printf(scrape->out, "%s %llu\n", name, (unsigned long long)value);
}

/* UNDECIDED and INTERNAL_ERROR share a word, and two samples with the same labels are not Prometheus text. */
static void put_reviews(const struct scrape *scrape, const char *name)
{
    for (size_t endpoint = 0; endpoint < RELY_ENDPOINT_COUNT; endpoint++)
        for (size_t reason = RELY_UNDECIDED + 1; reason < RELY_REASON_COUNT; reason++) {
            uint64_t count = scrape->sum.reviews[endpoint][reason];
            if (reason == RELY_INTERNAL_ERROR)
                count += scrape->sum.reviews[endpoint][RELY_UNDECIDED];
            if (count > 0)
                rely_buf_printf(scrape->out, "%s{endpoint=\"%s\",reason=\"%s\"} %llu\n", name,
                                rely_endpoint_name((enum rely_endpoint)endpoint),
                                rely_reason_word((enum rely_reason)reason), (unsigned long long)count);
        }
}

static void put_shadow_matches(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s{outcome=\"allow\"} %llu\n%s{outcome=\"deny\"} %llu\n", name,
                    (unsigned long long)scrape->sum.shadow_matches[1], name,
                    (unsigned long long)scrape->sum.shadow_matches[0]);
}

static void put_durations(const struct scrape *scrape, const char *name)
{
    uint64_t count = 0;
    for (size_t i = 0; i < RELY_LATENCY_BUCKETS; i++) {
        count += scrape->sum.latency[i];
        rely_buf_printf(scrape->out, "%s_bucket{le=\"%g\"} %llu\n", name, rely_latency_bounds_us[i] / 1e6,
                        (unsigned long long)count);
    }
    count += scrape->sum.latency[RELY_LATENCY_BUCKETS];
    rely_buf_printf(scrape->out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name,
                    (unsigned long long)count, name, (double)scrape->sum.latency_sum_us / 1e6, name,
                    (unsigned long long)count);
}

static void put_requests(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->sum.requests);
}

static void put_key_waits(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->sum.key_waits);
}

static void put_cache_lookups(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s{outcome=\"hit\"} %llu\n%s{outcome=\"miss\"} %llu\n", name,
                    (unsigned long long)scrape->sum.cache_hits, name, (unsigned long long)scrape->sum.cache_misses);
}

static void put_log_lost(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->log_lost);
}

static void put_key_ages(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->key_age_count; i++) {
        const struct rely_key_age *age = &scrape->gauges->key_ages[i];
        rely_buf_printf(scrape->out, "%s{issuer=\"%.*s\"} %lld\n", name, RELY_ARG(age->issuer), (long long)age->age_s);
    }
}

static void put_key_age_max(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, (uint64_t)scrape->gauges->key_age_max_s);
}

static void put_key_limits(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->key_age_count; i++) {
        const struct rely_key_age *age = &scrape->gauges->key_ages[i];
        rely_buf_printf(scrape->out, "%s{issuer=\"%.*s\"} %lld\n", name, RELY_ARG(age->issuer), (long long)age->left_s);
    }
}

static void put_key_limit_min(const struct scrape *scrape, const char *name)
{
    if (scrape->gauges->key_left_count > 0)
        rely_buf_printf(scrape->out, "%s %lld\n", name, (long long)scrape->gauges->key_left_min_s);
}

static void put_key_hashes(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->key_age_count; i++) {
        const struct rely_key_age *age = &scrape->gauges->key_ages[i];
        rely_buf_printf(scrape->out, "%s{issuer=\"%.*s\"} %llu\n", name, RELY_ARG(age->issuer),
                        (unsigned long long)age->hash);
    }
}

static void put_key_sets_hash(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->key_sets_hash);
}

static void put_clock_skews(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->clock_skew_count; i++) {
        const struct rely_clock_skew *skew = &scrape->gauges->clock_skews[i];
        rely_buf_printf(scrape->out, "%s{issuer=\"%.*s\"} %lld\n", name, RELY_ARG(skew->issuer),
                        (long long)skew->ahead_s);
    }
}

static void put_clock_skew_max(const struct scrape *scrape, const char *name)
{
    if (scrape->gauges->clock_count > 0)
        rely_buf_printf(scrape->out, "%s %lld\n", name, (long long)scrape->gauges->clock_skew_max_s);
}

static void put_keys_new(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->keys_new);
}

static void put_keys_held(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->keys_held);
}

static void put_keys_too_old(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->keys_too_old);
}

static void put_keys_repeated(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->keys_repeated);
}

static void put_keys_unstored(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->keys_unstored);
}

static void put_refusals_left_out(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->refusals_left_out);
}

static void put_fetches(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s{outcome=\"ok\"} %llu\n%s{outcome=\"failed\"} %llu\n", name,
                    (unsigned long long)scrape->gauges->fetches_ok, name,
                    (unsigned long long)scrape->gauges->fetches_failed);
}

static void put_fetch_failures(const struct scrape *scrape, const char *name)
{
    for (int cause = RELY_CAUSE_NONE; cause < RELY_CAUSE_COUNT; cause++)
        if (scrape->gauges->failed_by[cause] > 0)
            rely_buf_printf(scrape->out, "%s{reason=\"%s\"} %llu\n", name,
                            cause == RELY_CAUSE_NONE ? "other" : rely_cause_word((enum rely_cause)cause),
                            (unsigned long long)scrape->gauges->failed_by[cause]);
}

static void put_certificates(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->certificate_count; i++)
        rely_buf_printf(scrape->out, "%s{address=\"%s\"} %lld\n", name, scrape->gauges->certificates[i].address,
                        (long long)scrape->gauges->certificates[i].left_s);
}

static void put_handshakes(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->handshake_count; i++)
        rely_buf_printf(scrape->out, "%s{result=\"%s\"} %llu\n", name, scrape->gauges->handshake_words[i],
                        (unsigned long long)scrape->gauges->handshakes[i]);
}

static void put_unsendable(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->unsendable);
}

static void put_callers(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->caller_count; i++)
        if (scrape->gauges->caller_words[i] != NULL)
            rely_buf_printf(scrape->out, "%s{reason=\"%s\"} %llu\n", name, scrape->gauges->caller_words[i],
                            (unsigned long long)scrape->sum.callers[i]);
}

static void put_control_faults(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->sum.control_faults);
}

static void put_registry_damaged(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->is_registry_damaged ? 1 : 0);
}

static void put_reloads(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s{what=\"configuration\"} %d\n%s{what=\"certificates\"} %d\n", name,
                    scrape->gauges->is_config_bad ? 1 : 0, name, scrape->gauges->are_certificates_bad ? 1 : 0);
}

static void put_revision(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->revision);
}

static void put_issuers(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->issuers);
}

static void put_identities(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->identities);
}

static void put_credentials(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->credentials);
}

static void put_issuer_groups(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->issuer_groups);
}

static void put_routes(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->routes);
}

static void put_revocations(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->revocations);
}

static void put_key_tables(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->key_tables);
}

static void put_rechecks(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->rechecks);
}

static void put_connections(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s %d\n", name, scrape->gauges->connections);
}

static void put_cuts(const struct scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->gauges->cut_count; i++)
        rely_buf_printf(scrape->out, "%s{limit=\"%s\"} %llu\n", name, scrape->gauges->cut_words[i],
                        (unsigned long long)scrape->gauges->cuts[i]);
}

static void put_held(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->held_bytes);
}

static void put_build(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s{version=\"%s\"} 1\n", name, RELYD_VERSION);
}

static void put_start(const struct scrape *scrape, const char *name)
{
    rely_buf_printf(scrape->out, "%s %lld\n", name, (long long)scrape->gauges->start_s);
}

static void put_cpu(const struct scrape *scrape, const char *name)
{
    int64_t used_us = rely_clock_cpu_us();
    rely_buf_printf(scrape->out, "%s %lld.%06lld\n", name, (long long)(used_us / 1000000),
                    (long long)(used_us % 1000000));
}

/* The second number of statm is resident pages (proc(5)); without /proc the sample is left out. */
static void put_memory(const struct scrape *scrape, const char *name)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return;
    const char *second = fgets(line, sizeof(line), file) == NULL ? NULL : strchr(line, ' ');
    fclose(file);
    if (second != NULL)
        put_number(scrape, name, strtoull(second, NULL, 10) * (unsigned long long)sysconf(_SC_PAGESIZE));
}

/* --- the table ------------------------------------------------------------------------------------ */

struct metric {
    void (*put)(const struct scrape *scrape, const char *name);
    const char *name, *type, *labels, *sentence;
};

static const struct metric metrics[] = {
#define METRIC(writer, name, type, labels, sentence) {put_##writer, name, type, labels, sentence},
#include "relyd/metrics.def"
#undef METRIC
};

#define METRIC_COUNT (sizeof(metrics) / sizeof(metrics[0]))

void rely_metrics_print(const struct rely_counters *const *counters, size_t count, const struct rely_gauges *gauges,
                        struct rely_buf *out)
{
    struct scrape scrape = {.gauges = gauges, .out = out};
    for (size_t i = 0; i < count; i++)
        add_counters(&scrape.sum, counters[i]);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        rely_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].sentence, metrics[i].name,
                        metrics[i].type);
        metrics[i].put(&scrape, metrics[i].name);
    }
}

void rely_metrics_print_docs(struct rely_buf *out)
{
    rely_buf_put(out, RELY_LIT("# Metrics\n\n"
                               "Generated by `relyd --print-docs metrics` from `include/relyd/metrics.def`.\n\n"
                               "`GET /metrics` (on the control plane and on `health.listen`) answers Prometheus text\n"
                               "(version 0.0.4). Counters are sums over all workers since the start. The reasons are "
                               "those of [reasons.md](reasons.md).\n\n"
                               "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < METRIC_COUNT; i++)
        rely_buf_printf(out, "| `%s` | %s | %s | %s |\n", metrics[i].name, metrics[i].type, metrics[i].labels,
                        metrics[i].sentence);
}

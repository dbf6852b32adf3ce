/*
 * How old the key sets of a snapshot are, and which, for /metrics: of each issuer while they are few, else the oldest, how
 * many count no more, and a number of all; how many lost keys to another record; and how far clocks are ahead. Decides nothing. Called by service.c, on whatever thread is
 * scraped.
 */
#include "kept.h"

#include "relyd/key_times.h"
#include "relyd/traffic.h"

#include <stdlib.h>

struct reading {
    struct rely_gauges *gauges;
    struct rely_issuer_series series;
    int64_t now_s;
};

static void read_key_age(const struct rely_issuer *issuer, struct reading *reading)
{
    struct rely_gauges *gauges = reading->gauges;
    if (issuer->keyset != NULL && rely_keyset_taken_out_count(issuer->keyset) > 0)
        gauges->keys_repeated++;
    if (issuer->keyset == NULL || issuer->has_uploaded_keys)
        return;
    uint64_t hash = rely_keyset_hash(issuer->keyset) >> 16; /* what a number of Prometheus holds exactly */
    int64_t left_s = issuer->keys_until_s - reading->now_s;
    gauges->key_sets_hash = (gauges->key_sets_hash + hash) & (UINT64_MAX >> 16);
    if (gauges->key_left_count++ == 0 || left_s < gauges->key_left_min_s)
        gauges->key_left_min_s = left_s;
    int64_t age_s = reading->now_s > issuer->keys_fetched_s ? reading->now_s - issuer->keys_fetched_s : 0;
    if (age_s > gauges->key_age_max_s)
        gauges->key_age_max_s = age_s;
    if (reading->now_s > issuer->keys_until_s)
        gauges->keys_too_old++;
    if (reading->series.key_ages != NULL)
        reading->series.key_ages[gauges->key_age_count++] = (struct rely_key_age){issuer->name, age_s, left_s, hash};
}

static void read_clock_skew(const struct rely_issuer *issuer, struct reading *reading)
{
    struct rely_gauges *gauges = reading->gauges;
    const struct rely_traffic_seen seen = rely_traffic_read(issuer->traffic, reading->now_s);
    if (!seen.has_skew)
        return;
    if (gauges->clock_count++ == 0 || seen.ahead_s > gauges->clock_skew_max_s)
        gauges->clock_skew_max_s = seen.ahead_s;
    if (reading->series.clock_skews != NULL)
        reading->series.clock_skews[gauges->clock_skew_count++] = (struct rely_clock_skew){issuer->name, seen.ahead_s};
}

static bool read_issuer(const void *item, void *context)
{
    read_key_age(item, context);
    read_clock_skew(item, context);
    return true;
}

struct rely_issuer_series rely_issuers_measure(const struct rely_snapshot *snapshot, int64_t now_s, size_t series_max,
                                               struct rely_gauges *gauges)
{
    size_t count = snapshot->issuers_by_id.count;
    struct reading reading = {.gauges = gauges, .now_s = now_s};
    if (count > 0 && count <= series_max) {
        reading.series.key_ages = rely_alloc(count * sizeof *reading.series.key_ages);
        reading.series.clock_skews = rely_alloc(count * sizeof *reading.series.clock_skews);
    }
    rely_map_each(&snapshot->issuers_by_id, read_issuer, &reading);
    gauges->key_ages = reading.series.key_ages;
    gauges->clock_skews = reading.series.clock_skews;
    return reading.series;
}

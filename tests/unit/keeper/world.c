/* See world.h. */
#include "issuers.h"

#include "../mint/mint.h"

#include "relyd/accept.h"
#include "relyd/edition.h"
#include "relyd/key_times.h"
#include "relyd/signature.h"
#include "relyd/text.h"
#include "relyd/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EVENTS_MAX 200000 /* in one go, and so many for each issuer: */
#define EVENTS_EACH_MAX 100

struct world_store {
    struct world_store *next;
    struct rely_fetched_keys fetched; /* its texts are owned */
    bool is_done, is_stored;
    struct rely_stored_keys stored;
    struct rely_err err;
};

const char *world_jwks(const char *name)
{
    const struct mint_key *key = mint_key(mint_print("ed25519#%s", name));
    return mint_jwks(mint_jwk(key, name, "EdDSA"), NULL);
}

static size_t index_of(const struct world *world, int64_t id)
{
    return id >= 1 && (size_t)id <= world->count ? (size_t)id - 1 : world->issuers_max;
}

int64_t world_now_s(const struct world *world)
{
    return WORLD_WALL_S + world->wall_offset_s + world->now_ms / 1000;
}

void world_step_clock(struct world *world, int64_t s)
{
    world->wall_offset_s += s;
}

const char *world_published(const struct world *world, size_t i, const char *jwks)
{
    static const char head[] = "{\"keys\":[{";
    if (world->servers[i].is_bare || jwks == NULL || strncmp(jwks, head, sizeof head - 1) != 0)
        return jwks;
    const char *name = mint_print("standby-%zu", i);
    const char *standby = mint_jwk(mint_key(mint_print("ed25519#%s", name)), name, "EdDSA");
    return mint_print("{\"keys\":[%s,{%s", standby, jwks + sizeof head - 1);
}

/* --- hooks ------------------------------------------------------------------------------------------------ */

static int64_t world_clock_us(void *context)
{
    return ((const struct world *)context)->now_ms * 1000;
}

static int64_t world_clock_s(void *context)
{
    return world_now_s(context);
}

static uint64_t world_random(void *context)
{
    struct world *world = context;
    world->random_state = world->random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return world->random_state >> 20;
}

static void world_cancel_timer(void *context, struct rely_timer *timer)
{
    rely_timers_drop(&((struct world *)context)->timers, timer);
}

static void world_start_timer(void *context, struct rely_timer *timer, int delay_ms)
{
    struct world *world = context;
    assert_true(delay_ms >= 0);
    rely_timers_put(&world->timers, timer, (uint64_t)(world->now_ms + delay_ms));
}

static const struct rely_snapshot *world_newest(void *context)
{
    return ((const struct world *)context)->snapshot;
}

static void world_accept(void *context, struct rely_snapshot *next)
{
    struct world *world = context;
    assert_true(next->edition > world->snapshot->edition);
    assert_true(next->revision >= world->snapshot->revision); /* what was shown once is not taken back */
    world->snapshot = next;
    rely_snapshot_free_replaced(next); /* no worker reads an older one */
}

static bool store_row(struct world *world, const struct rely_fetched_keys *fetched, struct rely_stored_keys *stored,
                      struct rely_err *err)
{
    struct world_row *row = &world->rows[index_of(world, fetched->issuer_id)];
    *stored = (struct rely_stored_keys){0};
    if (world->store_fault != RELY_ERR_NONE)
        return rely_err_set(err, world->store_fault, "the disk is full");
    if (row->id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer is gone");
    if (row->revision != fetched->record_revision)
        return rely_err_set(err, RELY_ERR_CONFLICT, "another record");
    stored->generation = row->generation;
    row->fetched_s = fetched->at_s;
    if (fetched->jwks.ptr == NULL || (row->jwks != NULL && rely_slice_equal(fetched->jwks, rely_slice_of(row->jwks)))) {
        row->refreshed++;
        return true;
    }
    free(row->jwks);
    row->jwks = rely_strdup_slice(fetched->jwks);
    snprintf(row->seen, sizeof row->seen, "%.*s", RELY_ARG(fetched->seen));
    row->log_rows++;
    row->merged += fetched->merged_count;
    stored->generation = ++row->generation;
    stored->revision = ++world->revision;
    return true;
}

static void copy_text(struct rely_slice *text)
{
    if (text->ptr != NULL)
        text->ptr = rely_strdup_slice(*text);
}

static void do_store(struct world *world, struct world_store *store)
{
    if (!store->is_done)
        store->is_stored = store_row(world, &store->fetched, &store->stored, &store->err);
    store->is_done = true;
}

static void world_store_keys(void *context, const struct rely_fetched_keys *fetched)
{
    struct world *world = context;
    struct world_store *store = rely_alloc(sizeof *store), **last = &world->stores;
    size_t count = 1;
    assert_false(world->is_handing_over); /* one after the other, not one within the other */
    world->is_handing_over = true;
    store->fetched = *fetched;
    copy_text(&store->fetched.jwks);
    copy_text(&store->fetched.source_url);
    copy_text(&store->fetched.seen);
    if (world->handed_over_count < WORLD_TIMES)
        world->handed_over[world->handed_over_count++] = index_of(world, fetched->issuer_id);
    for (; *last != NULL; count++)
        last = &(*last)->next;
    *last = store;
    if (count > world->most_stores)
        world->most_stores = count;
    if (!world->is_disk_hanging)
        do_store(world, store);
    if (!world->is_disk_hanging && !world->are_stores_held)
        world_answer_stores(world);
    world->is_handing_over = false;
}

void world_do_stores(struct world *world)
{
    for (struct world_store *store = world->stores; store != NULL; store = store->next)
        do_store(world, store);
}

bool world_answer_store(struct world *world)
{
    struct world_store *store = world->stores;
    if (store == NULL)
        return false;
    world->stores = store->next;
    do_store(world, store);
    rely_keeper_note_stored(world->keeper, store->fetched.issuer_id, store->is_stored ? &store->stored : NULL,
                            &store->err);
    free((char *)store->fetched.jwks.ptr);
    free((char *)store->fetched.source_url.ptr);
    free((char *)store->fetched.seen.ptr);
    free(store);
    return true;
}

void world_answer_stores(struct world *world)
{
    while (world_answer_store(world))
        continue;
}

static void world_tell(void *context, int64_t issuer_id, const struct rely_key_notice *notice)
{
    struct world *world = context;
    struct world_told *told = &world->told[index_of(world, issuer_id)];
    *told = (struct world_told){told->count + 1, world->now_ms, notice->asked_until_us / 1000, notice->miss_ms};
}

/* --- the world -------------------------------------------------------------------------------------------- */

static void fill_settings(struct rely_config *config)
{
    *config = (struct rely_config){.key_miss_wait_ms = RELY_DEFAULT_key_miss_wait_ms,
                                   .key_miss_cooldown_ms = RELY_DEFAULT_key_miss_cooldown_ms,
                                   .key_refresh_min_s = RELY_DEFAULT_key_refresh_min_s,
                                   .key_refresh_max_s = RELY_DEFAULT_key_refresh_max_s,
                                   .key_max_age_s = RELY_DEFAULT_key_max_age_s,
                                   .key_max_count = RELY_DEFAULT_key_max_count,
                                   .key_max_bytes = RELY_DEFAULT_key_max_bytes,
                                   .key_fetch_timeout_ms = RELY_DEFAULT_key_fetch_timeout_ms};
}

static void start_log(struct world *world)
{
    struct rely_err err = {0};
    world->log_fd = memfd_create("log", MFD_CLOEXEC);
    const struct rely_log_options options = {.fd = world->log_fd,
                                             .allows_fd = world->log_fd,
                                             /* what a fleet has to say in a week would fill the memory */
                                             .level = world->issuers_max > WORLD_ISSUERS_MAX ? RELY_LOG_ERROR
                                                                                             : RELY_LOG_INFO,
                                             .refusals_per_s = 1000};
    world->log = rely_log_start(&options, &err);
    assert_non_null(world->log);
    world->ring = rely_log_ring_new(world->log);
}

static void make_keeper(struct world *world)
{
    const struct rely_keeper_hooks hooks = {.context = world,
                                            .now_us = world_clock_us,
                                            .now_s = world_clock_s,
                                            .random = world_random,
                                            .start_timer = world_start_timer,
                                            .cancel_timer = world_cancel_timer,
                                            .fetch = world_begin_fetch,
                                            .snapshot = world_newest,
                                            .accept = world_accept,
                                            .store = world_store_keys,
                                            .tell = world_tell};
    world->keeper = rely_keeper_new(&world->config, world->ring, &hooks);
}

struct world *world_new_for(size_t issuers_max)
{
    struct world *world = rely_alloc(sizeof *world);
    world->issuers_max = issuers_max;
    world->rows = rely_alloc(issuers_max * sizeof *world->rows);
    world->servers = rely_alloc(issuers_max * sizeof *world->servers);
    world->told = rely_alloc((issuers_max + 1) * sizeof *world->told);
    world->now_ms = 5000000;
    world->random_state = 42;
    world->revision = 1;
    world->snapshot = rely_snapshot_next(NULL, 1);
    fill_settings(&world->config);
    start_log(world);
    return world;
}

struct world *world_new(void)
{
    return world_new_for(WORLD_ISSUERS_MAX);
}

static bool free_keyset_of(const void *item, void *context)
{
    (void)context;
    rely_keyset_free((struct rely_keyset *)((const struct rely_issuer *)item)->keyset);
    return true;
}

static void free_edition(struct world *world)
{
    rely_map_each(&world->snapshot->issuers_by_id, free_keyset_of, NULL);
    rely_snapshot_free_all(world->snapshot);
}

void world_stop(struct world *world)
{
    if (world->keeper == NULL)
        return;
    rely_keeper_stop(world->keeper);
    assert_int_equal(world->timers.count, 0);
    world_answer_stores(world);
    rely_keeper_free(world->keeper);
    world->keeper = NULL;
    world_drop_fetches(world);
}

void world_free(struct world *world)
{
    world_stop(world);
    if (world->log != NULL)
        rely_log_stop(world->log);
    close(world->log_fd);
    free_edition(world);
    for (size_t i = 0; i < world->count; i++) {
        free(world->rows[i].jwks);
        rely_traffic_free(world->rows[i].traffic);
    }
    rely_timers_fini(&world->timers);
    rely_timers_fini(&world->answers);
    free(world->rows);
    free(world->servers);
    free(world->told);
    free(world);
}

/* All that was logged; owned by the caller. */
static char *end_log(struct world *world)
{
    world_stop(world);
    if (world->log != NULL)
        rely_log_stop(world->log);
    world->log = NULL;
    off_t size = lseek(world->log_fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(world->log_fd, text, (size_t)size, 0), size);
    return text;
}

int world_count_in_log(struct world *world, const char *wanted)
{
    char *text = end_log(world);
    int count = 0;
    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++)
        count++;
    free(text);
    return count;
}

int world_count_lines(struct world *world, const char *event)
{
    char wanted[100];
    snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    return world_count_in_log(world, wanted);
}

long world_count_left_out(struct world *world)
{
    char *text = end_log(world);
    long count = 0;
    for (const char *at = text; (at = strstr(at, " others were since")) != NULL; at++) {
        const char *number = at;
        while (number[-1] >= '0' && number[-1] <= '9')
            number--;
        count += strtol(number, NULL, 10);
    }
    free(text);
    return count;
}

/* --- records ---------------------------------------------------------------------------------------------- */

static void drop_stored_keys(struct world_row *row)
{
    free(row->jwks);
    row->jwks = NULL;
    row->fetched_s = 0;
    row->generation++;
}

static void fill_record(const struct world_row *row, struct rely_issuer *out)
{
    *out = (struct rely_issuer){
        .id = row->id,
        .name = rely_slice_of(row->name),
        .url = rely_slice_of(row->url),
        .algs = RELY_ALGS_ALL,
        .is_enabled = !row->is_disabled,
        .has_uploaded_keys = row->kind == RELY_KEYS_UPLOADED,
        .source = {.kind = row->kind, .may_use_private_addresses = true, .max_age_s = row->max_age_s},
        .keys_fetched_s = row->fetched_s,
        .keys_generation = row->generation,
        .leeway_s = row->leeway_s,
        .traffic = row->traffic,
        .revision = row->revision};
    if (row->kind == RELY_KEYS_JWKS_URI)
        out->source.jwks_uri = rely_slice_of(row->source);
    if (row->kind == RELY_KEYS_FILE)
        out->source.key_file = rely_slice_of(row->source);
}

static struct rely_keyset *prepare_stored(const struct world_row *row)
{
    if (row->jwks == NULL)
        return NULL;
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(row->jwks), NULL, &(struct rely_err){0});
    if (keyset != NULL)
        rely_keyset_recall_seen(keyset, rely_slice_of(row->seen));
    return keyset;
}

static void release_keys(void *keyset)
{
    rely_keyset_free(keyset);
}

/* As control/ carries a record: the set in force goes on, unless the registry has another one. */
static void put_record(struct world *world, size_t i)
{
    const struct world_row *row = &world->rows[i];
    struct rely_snapshot *next = rely_snapshot_next(world->snapshot, world->revision);
    const struct rely_issuer *old = rely_snapshot_issuer(next, row->id);
    next->keys_max_age_s = world->config.key_max_age_s;
    struct rely_issuer record;
    fill_record(row, &record);
    if (old != NULL && old->keys_generation == row->generation) {
        record.keyset = old->keyset;
        record.keys_fetched_s = old->keys_fetched_s;
        record.keys_until_s = old->keys_until_s;
    } else {
        if (old != NULL && old->keyset != NULL)
            rely_retired_add(&next->retired, (void *)old->keyset, release_keys);
        record.keyset = prepare_stored(row);
        record.keys_until_s = rely_accept_until_s(row->fetched_s, world->config.key_max_age_s, world_now_s(world));
        if (row->kind == RELY_KEYS_UPLOADED)
            record.keys_until_s = INT64_MAX;
    }
    rely_snapshot_put_issuer(next, rely_issuer_copy(&record));
    world_accept(world, next);
}

static void show_removal(struct world *world, size_t i)
{
    struct rely_snapshot *next = rely_snapshot_next(world->snapshot, world->revision);
    int64_t id = (int64_t)i + 1;
    const struct rely_issuer *old = rely_snapshot_issuer(next, id);
    if (old->keyset != NULL)
        rely_retired_add(&next->retired, (void *)old->keyset, release_keys);
    rely_snapshot_remove(next, RELY_OBJECT_ISSUER, id);
    world_accept(world, next);
    if (world->keeper != NULL)
        rely_keeper_note_issuer(world->keeper, id, true);
}

void world_show(struct world *world, size_t i)
{
    if (world->rows[i].id == 0) {
        show_removal(world, i);
        return;
    }
    put_record(world, i);
    if (world->keeper != NULL)
        rely_keeper_note_issuer(world->keeper, world->rows[i].id, false);
}

size_t world_add(struct world *world, enum rely_key_source kind, const char *jwks)
{
    size_t i = world->count++;
    struct world_row *row = &world->rows[i];
    assert_true(world->count <= world->issuers_max);
    *row = (struct world_row){.id = (int64_t)i + 1, .kind = kind, .revision = ++world->revision};
    row->traffic = rely_traffic_new();
    snprintf(row->name, sizeof row->name, "issuer-%zu", i);
    snprintf(row->url, sizeof row->url, WORLD_HOST "%zu", i);
    snprintf(row->source, sizeof row->source, kind == RELY_KEYS_FILE ? "keys-%zu" : WORLD_HOST "%zu/keys", i);
    if (kind == RELY_KEYS_UPLOADED) {
        row->jwks = rely_strdup_slice(rely_slice_of(jwks));
        row->fetched_s = world_now_s(world);
    }
    world->servers[i] = (struct world_server){.jwks = jwks, .version = 1, .fresh_s = -1, .latency_ms = 20, .origin = i};
    world_show(world, i);
    return i;
}

size_t world_add_sibling(struct world *world, size_t of, const char *jwks)
{
    size_t i = world->count;
    char url[100];
    snprintf(url, sizeof url, "%s", world->rows[of].url);
    struct rely_keeper *keeper = world->keeper;
    world->keeper = NULL; /* it sees the record when it is whole */
    world_add(world, RELY_KEYS_JWKS_URI, jwks);
    world->keeper = keeper;
    snprintf(world->rows[i].url, sizeof world->rows[i].url, "%s", url);
    world_show(world, i);
    return i;
}

void world_describe_in_registry(struct world *world, size_t i)
{
    world->rows[i].revision = ++world->revision;
}

void world_move_in_registry(struct world *world, size_t i)
{
    world_describe_in_registry(world, i);
    snprintf(world->rows[i].source, sizeof world->rows[i].source, WORLD_HOST "%zu/moved/%llu", i,
             (unsigned long long)world->revision);
    drop_stored_keys(&world->rows[i]);
}

void world_set_max_age(struct world *world, int64_t max_age_s)
{
    struct rely_snapshot *next = rely_snapshot_next(world->snapshot, world->revision);
    next->keys_max_age_s = max_age_s;
    for (size_t i = 0; i < world->count; i++) {
        const struct rely_issuer *record = world_record(world, i);
        if (record == NULL)
            continue;
        struct rely_issuer copy = *record;
        copy.keys_until_s =
            rely_accept_until_s(copy.keys_fetched_s, rely_accept_max_age_s(next, record), world_now_s(world));
        rely_snapshot_renew_issuer(next, rely_issuer_copy(&copy));
    }
    world_accept(world, next);
    rely_keeper_note_max_age(world->keeper);
}

void world_describe(struct world *world, size_t i)
{
    world_describe_in_registry(world, i);
    world_show(world, i);
}

void world_move(struct world *world, size_t i)
{
    world_move_in_registry(world, i);
    world_show(world, i);
}

void world_disable(struct world *world, size_t i, bool is_disabled)
{
    world->rows[i].is_disabled = is_disabled;
    world_describe(world, i);
}

void world_remove_in_registry(struct world *world, size_t i)
{
    world->revision++;
    drop_stored_keys(&world->rows[i]);
    world->rows[i].id = 0;
}

void world_remove(struct world *world, size_t i)
{
    world_remove_in_registry(world, i);
    world_show(world, i);
}

void world_start(struct world *world)
{
    world->snapshot->keys_max_age_s = world->config.key_max_age_s;
    make_keeper(world);
    rely_keeper_start(world->keeper);
}

void world_restart(struct world *world)
{
    world_stop(world);
    free_edition(world);
    world->snapshot = rely_snapshot_next(NULL, world->revision);
    for (size_t i = 0; i < world->count; i++)
        if (world->rows[i].id != 0)
            put_record(world, i);
    world_start(world);
}

/* --- time ------------------------------------------------------------------------------------------------- */

/* The next thing that happens until then; false: nothing. */
static bool go_on_until(struct world *world, int64_t until_ms)
{
    int64_t answer_ms = world_next_answer_ms(world);
    int64_t timer_ms = world->timers.count == 0 ? INT64_MAX : (int64_t)world->timers.heap[0]->due_ms;
    int64_t next_ms = answer_ms < timer_ms ? answer_ms : timer_ms;
    if (next_ms > until_ms)
        return false;
    if (next_ms > world->now_ms)
        world->now_ms = next_ms;
    if (timer_ms == next_ms) {
        struct rely_timer *timer = rely_timers_take(&world->timers, UINT64_MAX);
        timer->run(timer);
    } else {
        world_answer_next(world);
    }
    return true;
}

void world_run_ms(struct world *world, int64_t ms)
{
    int64_t until_ms = world->now_ms + ms;
    for (size_t happened = 0; go_on_until(world, until_ms); happened++)
        if (happened == EVENTS_MAX + EVENTS_EACH_MAX * world->count)
            fail_msg("more happens than can: at %lld ms", (long long)world->now_ms);
    world->now_ms = until_ms;
}

void world_rotate(struct world *world, size_t i, const char *jwks)
{
    world->servers[i].jwks = jwks;
    world->servers[i].version++;
}

void world_ask(struct world *world, size_t i)
{
    rely_keeper_ask(world->keeper, (int64_t)i + 1);
}

/* --- looking ---------------------------------------------------------------------------------------------- */

const struct rely_issuer *world_record(const struct world *world, size_t i)
{
    return rely_snapshot_issuer(world->snapshot, (int64_t)i + 1);
}

bool world_has_in_force(const struct world *world, size_t i, const char *jwks)
{
    const struct rely_issuer *record = world_record(world, i);
    if (record == NULL || record->keyset == NULL)
        return false;
    struct rely_keyset *wanted =
        rely_signature_accept(rely_slice_of(world_published(world, i, jwks)), NULL, &(struct rely_err){0});
    bool is_same = rely_keyset_has_same_keys(record->keyset, wanted);
    rely_keyset_free(wanted);
    return is_same;
}

bool world_has_stored(const struct world *world, size_t i, const char *jwks)
{
    return world->rows[i].jwks != NULL && strcmp(world->rows[i].jwks, world_published(world, i, jwks)) == 0;
}

struct rely_key_status world_status(const struct world *world, size_t i)
{
    struct rely_key_status status = {0};
    assert_true(rely_keeper_status(world->keeper, (int64_t)i + 1, &status));
    return status;
}

/* When keys are fetched without anybody asking: before they grow old, after failures, and after the start. */
#include "tests.h"

#include "../mint/mint.h"
#include "kept.h"

#include "relyd/limits.h"
#include "relyd/snapshot.h"

#include <stdlib.h>

/* The times from one fetch of the key set to the next are within these bounds. */
static void assert_gaps(const struct world_server *server, int from, int64_t low_ms, int64_t high_ms)
{
    assert_true(server->time_count > from + 1);
    for (int i = from + 1; i < server->time_count; i++)
        assert_in_range(server->times_ms[i] - server->times_ms[i - 1], low_ms, high_ms);
}

/* Fault E: deleting the ordinary refresh was not seen. */
static void test_e_keys_are_fetched_before_they_grow_old(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 2 * 86400);
    assert_gaps(&world->servers[i], 1, 2592000, 3168000 + 20); /* 72 to 88 % of an hour, and the fetch itself */
    assert_in_range(world->servers[i].times_ms[1] - world->servers[i].times_ms[0], 288000, 3168000 + 20);
    assert_in_range(world->servers[i].time_count, 54, 67);
    assert_in_range(world_now_s(world) - world_record(world, i)->keys_fetched_s, 0, 3168 + 60);
    world_free(world);
}

static void test_e_an_issuer_may_ask_for_more(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    world->servers[i].fresh_s = 600;
    world_start(world);
    world_run_s(world, 86400 / 4);
    assert_gaps(&world->servers[i], 1, 432000, 528000 + 60);
    world->servers[i].fresh_s = 0;
    world->servers[i].time_count = 0;
    world_run_s(world, 3600);
    assert_gaps(&world->servers[i], 1, 60000, 66000 + 60);
    world_free(world);
}

/* keys.refresh_max_s beyond keys.max_age_s would let keys grow too old in the best of cases. */
static void test_a5_keys_are_fetched_before_they_count_no_more(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_refresh_max_s = 604800;
    world->config.key_max_age_s = 3600;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    for (int minute = 0; minute < 1440; minute++) {
        world_run_s(world, 60);
        assert_true(world_now_s(world) <= world_record(world, i)->keys_until_s);
    }
    world_free(world);
}

/* A record's own greatest age, also where keys.refresh_min_s is longer; and the setting for the others. */
static void test_a_records_keys_are_fetched_before_they_count_no_more(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_refresh_min_s = world->config.key_refresh_max_s = 7200;
    size_t own = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    size_t other = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("b"));
    world->rows[own].max_age_s = 3600;
    world_show(world, own);
    world_start(world);
    for (int minute = 0; minute < 1440; minute++) {
        world_run_s(world, 60);
        assert_true(world_now_s(world) <= world_record(world, own)->keys_until_s);
    }
    assert_in_range(world_record(world, own)->keys_until_s, world_now_s(world), world_now_s(world) + 3600);
    assert_true(world->servers[own].asked_whole >= 24);
    assert_true(world->servers[other].asked_whole <= 13);
    world_free(world);
}

/* With a lesser keys.max_age_s nobody is asked too late; what is too old already is fetched within a minute. */
static void test_a_lesser_age_hastens_fetches(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_refresh_max_s = 604800;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1800);
    world_set_max_age(world, 3600);
    world_run_s(world, 1700);
    assert_true(world_record(world, i)->keys_until_s >= world_now_s(world) + 1800);
    world->config.key_refresh_max_s = 604800;
    world_set_max_age(world, 604800);
    world_run_s(world, 40000);
    world_set_max_age(world, 3600);
    world_run_s(world, 61);
    assert_true(world_record(world, i)->keys_until_s > world_now_s(world) + 3000);
    world_free(world);
}

/* Fault E: no back-off, or one without growth, was not seen. */
static void test_e_failures_back_off_and_are_forgotten(void **state)
{
    (void)state;
    static const int64_t seconds[] = {2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    struct world_server *server = &world->servers[i];
    server->is_down = true;
    world_start(world);
    world_run_s(world, 1600);
    assert_in_range(server->time_count, 12, 13);
    for (int k = 0; k < 11; k++)
        assert_in_range(server->times_ms[k + 1] - server->times_ms[k], seconds[k] * 900 + 20, seconds[k] * 1100 + 20);
    assert_int_equal(server->last.kind, RELY_FETCH_RETRY);
    server->is_down = false;
    world_run_s(world, 331);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_run_s(world, 3200); /* the next is an ordinary one, and fails: it is the first failure again */
    server->time_count = 0;
    server->is_down = true;
    world_run_s(world, 3200);
    assert_in_range(server->times_ms[1] - server->times_ms[0], 1820, 2220);
    world_free(world);
}

/* --- nobody falls due together -------------------------------------------------------------------------------- */

#define SPREAD_ISSUERS 600
#define SPREAD_PARTS 6 /* of the time between two fetches: eight minutes each */

static struct world *make_world_of_many(void)
{
    struct world *world = world_new_for(SPREAD_ISSUERS);
    for (int k = 0; k < SPREAD_ISSUERS; k++) {
        size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
        world->servers[i].is_bare = true;
    }
    world_start(world);
    world_run_s(world, 60);
    return world;
}

static int count_asked(const struct world *world)
{
    int asked = 0;
    for (size_t i = 0; i < world->count; i++)
        asked += world->servers[i].asked;
    return asked;
}

/* All have just been fetched. After the first 8 % of an hour no eight minutes have much more than their part of the
 * fetches, however long it goes on. */
static void assert_spread(struct world *world)
{
    world_run_s(world, 288 - 60);
    for (int part = 0; part < 3 * SPREAD_PARTS; part++) {
        int before = count_asked(world);
        world_run_s(world, 480);
        assert_in_range(count_asked(world) - before, SPREAD_ISSUERS / SPREAD_PARTS * 3 / 4,
                        SPREAD_ISSUERS / SPREAD_PARTS * 3 / 2);
    }
}

/* Replicas and issuers that were started together do not fall due together. */
static void test_d_the_start_is_soon_forgotten(void **state)
{
    (void)state;
    struct world *world = make_world_of_many();
    assert_spread(world);
    world_free(world);
}

/* Nor do those whose records a script has changed. */
static void test_changed_records_do_not_fall_due_together(void **state)
{
    (void)state;
    struct world *world = make_world_of_many();
    world_run_s(world, 3 * 3600);
    for (size_t i = 0; i < world->count; i++)
        world_describe(world, i);
    world_run_s(world, 60);
    assert_spread(world);
    world_free(world);
}

/* Nor those who were away together, for a time in which each was tried. */
static void test_outages_do_not_end_in_step(void **state)
{
    (void)state;
    struct world *world = make_world_of_many();
    for (size_t i = 0; i < world->count; i++)
        world->servers[i].is_down = true;
    world_run_s(world, 4 * 3600);
    for (size_t i = 0; i < world->count; i++)
        world->servers[i].is_down = false;
    world_run_s(world, 331 + 60);
    assert_spread(world);
    world_free(world);
}

/* Fault A5: whatever fails, a set counts no longer than keys.max_age_s from when it was fetched. */
static void test_a5_an_outage_does_not_make_keys_younger(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_max_age_s = 86400;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 7200);
    int64_t fetched_s = world_record(world, i)->keys_fetched_s;
    assert_in_range(world_now_s(world) - fetched_s, 0, 3200);
    assert_int_equal(world_record(world, i)->keys_until_s, fetched_s + 86400);
    world->servers[i].is_down = true;
    world_run_s(world, 3200 * 2);
    fetched_s = world_record(world, i)->keys_fetched_s;
    world_run_s(world, 10 * 86400);
    assert_int_equal(world_record(world, i)->keys_fetched_s, fetched_s);
    assert_int_equal(world_record(world, i)->keys_until_s, fetched_s + 86400);
    world_restart(world); /* nor does a restart */
    world_run_s(world, 3600);
    assert_in_range(world_record(world, i)->keys_fetched_s, fetched_s - 864 - 3200, fetched_s);
    assert_true(world_record(world, i)->keys_until_s <= fetched_s + 86400);
    world->servers[i].is_down = false;
    world_run_s(world, 400);
    assert_in_range(world_now_s(world) - world_record(world, i)->keys_fetched_s, 0, 400);
    world_free(world);
}

/* Does the set in force decide anything? */
static bool counts_now(const struct world *world, size_t i)
{
    const struct rely_issuer *record = world_record(world, i);
    return record->keyset != NULL && world_now_s(world) <= record->keys_until_s;
}

/* A day without an answer, and relyd started anew in the middle: the keys are in force all the while. */
static void test_an_outage_of_a_day_costs_nothing(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    world_start(world);
    world_run_s(world, 3600);
    world->servers[i].is_down = true;
    for (int minute = 0; minute < 1440; minute++) {
        world_run_s(world, 60);
        if (minute == 720)
            world_restart(world);
        assert_true(counts_now(world, i));
        assert_true(world_has_in_force(world, i, world_jwks("a")));
    }
    world->servers[i].is_down = false;
    world_run_s(world, 331);
    assert_in_range(world_now_s(world) - world_record(world, i)->keys_fetched_s, 0, 331);
    assert_int_equal(world_count_lines(world, "keys_expire"), 0);
    world_free(world);
}

/* Nobody answers until the keys count no more: a day before it is said, once. */
static void test_the_end_is_said_a_day_before(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 60);
    int64_t until_s = world_record(world, i)->keys_until_s;
    const struct rely_keeper_issuer *kept = rely_keeper_find(world->keeper, 1);
    world->servers[i].is_down = true;
    world_run_s(world, until_s - 86400 - world_now_s(world));
    assert_int_equal(kept->warned_until_s, 0);
    world_run_s(world, 331);
    assert_int_equal(kept->warned_until_s, until_s);
    world_run_s(world, 86400 - 331);
    assert_true(counts_now(world, i));
    world_run_s(world, 1);
    assert_false(counts_now(world, i)); /* keys_unavailable */
    world_run_s(world, 3600);
    world->servers[i].is_down = false;
    world_run_s(world, 331);
    assert_true(counts_now(world, i));
    assert_int_equal(world_count_lines(world, "keys_expire"), 1);
    world_free(world);
}

/* Where a day is more than the keys count for, it is half of their time. */
static void test_the_end_of_short_lived_keys_is_said(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_max_age_s = 7200;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 60);
    const struct rely_keeper_issuer *kept = rely_keeper_find(world->keeper, 1);
    world->servers[i].is_down = true;
    world_run_s(world, 3500);
    assert_true(world_status(world, i).last_error[0] != '\0');
    assert_int_equal(kept->warned_until_s, 0);
    world_run_s(world, 500);
    assert_int_equal(kept->warned_until_s, world_record(world, i)->keys_until_s);
    world_free(world);
}

/* --- a hundred that fail and twenty that never answer hold up nobody else -------------------------------------- */

enum { FAILING = 100, SILENT = 20, FLEET = 1000 };

static bool is_good_one(size_t i)
{
    return i >= FAILING + SILENT;
}

static struct world *make_fleet(const char *jwks)
{
    struct world *world = world_new_for(FLEET);
    for (size_t i = 0; i < FLEET; i++) {
        world_add(world, RELY_KEYS_JWKS_URI, jwks);
        world->servers[i].is_bare = true;
        world->servers[i].is_down = i < FAILING;
        world->servers[i].is_hanging = i >= FAILING && !is_good_one(i);
    }
    world_start(world);
    return world;
}

static size_t count_good_ones_with(const struct world *world, const char *jwks)
{
    size_t count = 0;
    for (size_t i = 0; i < world->count; i++)
        count += is_good_one(i) && world_has_in_force(world, i, jwks);
    return count;
}

/* Their keys are there 1.5 s after the start, are asked for once in 72 to 88 % of an hour (the second time, sooner), and
 * never wait for a place. */
static void test_silent_issuers_hold_up_nobody(void **state)
{
    (void)state;
    struct world *world = make_fleet(world_jwks("a"));
    world_run_ms(world, 1500);
    assert_int_equal(count_good_ones_with(world, world_jwks("a")), FLEET - FAILING - SILENT);
    for (size_t i = 0; i < FLEET; i++)
        world->servers[i].longest_wait_ms = 0;
    world_run_s(world, 86400);
    for (size_t i = 0; i < FLEET; i++) {
        const struct world_server *server = &world->servers[i];
        if (is_good_one(i)) {
            assert_gaps(server, 1, 2592000, 3168000 + 20);
            assert_in_range(server->times_ms[1] - server->times_ms[0], 288000, 3168000 + 20);
            assert_in_range(server->time_count, 27, 35);
            assert_int_equal(server->longest_wait_ms, 0);
        } else {
            assert_in_range(server->time_count, 250, 256); /* as many as are noted */
        }
    }
    assert_in_range(world->load.most, SILENT, RELY_FETCH_PLACES_FIRST + RELY_FETCH_PLACES_RETRY);
    world_free(world);
}

/* All rotate at the same moment, and a token with the new key comes for each: it is in force a second later. Those that
 * fail are asked for keys as well, and those that are silent have been so for a moment only, so that nobody knows it. */
static void test_keys_that_are_asked_for_do_not_stand_behind_silent_issuers(void **state)
{
    (void)state;
    const char *old = mint_jwk(mint_key("ed25519#old"), "old", "EdDSA");
    const char *before = mint_jwks(old, NULL);
    const char *after = mint_jwks(old, mint_jwk(mint_key("ed25519#new"), "new", "EdDSA"), NULL);
    struct world *world = make_fleet(before);
    for (size_t i = FAILING; !is_good_one(i); i++)
        world->servers[i].is_hanging = false;
    world_run_s(world, 3 * 3600);
    assert_int_equal(count_good_ones_with(world, before), FLEET - FAILING - SILENT);
    for (size_t i = 0; i < FLEET; i++) {
        world->servers[i].is_hanging = i >= FAILING && !is_good_one(i);
        world_rotate(world, i, after);
        world_ask(world, i);
    }
    world_run_ms(world, 1000);
    assert_int_equal(count_good_ones_with(world, after), FLEET - FAILING - SILENT);
    world_free(world);
}

/* An issuer that hangs where 500 others are, behind the same name: it takes half of the places of a kind at most, and
 * those elsewhere have theirs. */
static void test_an_origin_that_hangs_leaves_places_for_others(void **state)
{
    (void)state;
    enum { TOGETHER = 500 };
    struct world *world = world_new_for(FLEET);
    for (size_t i = 0; i < FLEET; i++) {
        world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
        world->servers[i].is_bare = true;
        world->servers[i].is_hanging = i < TOGETHER;
        world->servers[i].origin = i < TOGETHER ? 0 : i;
    }
    world_start(world);
    world_run_ms(world, 1500);
    for (size_t i = TOGETHER; i < FLEET; i++)
        assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_run_s(world, 3600);
    for (size_t i = TOGETHER; i < FLEET; i++)
        assert_in_range(world->servers[i].time_count, 2, 3);
    assert_int_equal(world->servers[0].load.most, RELY_FETCH_PLACES_FIRST / 2 + RELY_FETCH_PLACES_RETRY / 2);
    for (size_t i = 0; i < TOGETHER; i++)
        assert_true(world->servers[i].asked >= 5); /* nor is one of them forgotten */
    world_free(world);
}

/* The same keys again: noted in force each minute, in the registry each hundredth of keys.max_age_s. */
static void test_b12_the_same_keys_again_are_noted_seldom(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].fresh_s = 60;
    world_start(world);
    world_run_s(world, 86400);
    assert_true(world->servers[i].asked > 1300);
    assert_in_range(world_now_s(world) - world_record(world, i)->keys_fetched_s, 0, 66 + 60);
    assert_int_equal(world->rows[i].log_rows, 1);
    assert_in_range(world->rows[i].refreshed, 12, 14); /* each 6,048 s */
    world_free(world);
}

/* A key set that was not in force is stored with the next edition's revision, and the keys stay the same. */
static void test_a_status_tells_how_fetches_go(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1);
    struct rely_key_status status = world_status(world, i);
    assert_in_range(status.last_attempt_s, WORLD_WALL_S + 5000, WORLD_WALL_S + 5001);
    assert_int_equal(status.last_success_s, status.last_attempt_s);
    assert_in_range(status.next_fetch_s - status.last_attempt_s, 287, 3169);
    assert_string_equal(status.last_error, "");
    world->servers[i].is_down = true;
    world_run_s(world, 3200);
    status = world_status(world, i);
    assert_true(status.last_attempt_s > status.last_success_s);
    assert_string_equal(status.last_error, "keys of issuer issuer-0: answered 503");
    assert_true(rely_keeper_count(world->keeper).fetches_failed >= 1);
    assert_int_equal(rely_keeper_count(world->keeper).fetches_ok, 1);
    assert_false(rely_keeper_status(world->keeper, 99, &status));
    world->servers[i].is_down = false;
    world_run_s(world, 3600);
    status = world_status(world, i);
    assert_int_equal(status.last_success_s, status.last_attempt_s);
    assert_string_equal(status.last_error, ""); /* it is over */
    world_free(world);
}

/* --- the start --------------------------------------------------------------------------------------------- */

static int64_t first_fetch_ms(const struct world *world, size_t i)
{
    return world->servers[i].times_ms[0] - 5000000;
}

static void store_as_old(struct world *world, size_t i, int64_t age_s)
{
    world->rows[i].jwks = strdup(world_published(world, i, world->servers[i].jwks));
    world->rows[i].generation = 1;
    world->rows[i].fetched_s = world_now_s(world) - age_s;
    world_show(world, i);
}

/* Fault A5: first those without keys or with keys that count no more, and those that somebody fetched in the future;
 * then the oldest. */
static void test_a5_whose_keys_are_fetched_first(void **state)
{
    (void)state;
    enum { YOUNG, OLDER, OLDEST, NONE, DEAD, FUTURE, COUNT };
    struct world *world = world_new();
    for (int k = 0; k < COUNT; k++)
        world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    store_as_old(world, YOUNG, 10);
    store_as_old(world, OLDER, 1000);
    store_as_old(world, OLDEST, 100000);
    store_as_old(world, DEAD, 800000);
    store_as_old(world, FUTURE, -1000);
    world_start(world);
    world_run_s(world, 70);
    assert_in_range(first_fetch_ms(world, NONE), 0, 200);
    assert_in_range(first_fetch_ms(world, DEAD), 0, 200);
    assert_in_range(first_fetch_ms(world, FUTURE), 0, 200);
    assert_in_range(first_fetch_ms(world, OLDEST), 200, 1200);
    assert_in_range(first_fetch_ms(world, OLDER), 1200, 2200);
    assert_in_range(first_fetch_ms(world, YOUNG), 2200, 3200);
    assert_int_equal(world->servers[YOUNG].time_count, 1);
    world_free(world);
}

/* A time of fetching beyond any clock's error is no time. */
static void test_a5_a_set_from_a_far_future_does_not_count(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].is_down = true;
    store_as_old(world, i, -90000);
    assert_int_equal(world_record(world, i)->keys_until_s, 0);
    world_start(world);
    world_run_s(world, 3600);
    assert_int_equal(world_record(world, i)->keys_until_s, 0);
    world->servers[i].is_down = false;
    world_run_s(world, 331);
    assert_in_range(world_record(world, i)->keys_until_s, world_now_s(world) + 604800 - 331,
                    world_now_s(world) + 604800);
    world_free(world);
}

static void test_uploaded_keys_are_not_fetched(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_UPLOADED, world_jwks("a"));
    world_start(world);
    world_run_s(world, 86400);
    world_describe(world, i);
    world_run_s(world, 86400);
    assert_int_equal(world->servers[i].asked, 0);
    assert_int_equal(world_status(world, i).next_fetch_s, 0);
    world_free(world);
}

/* A SPIFFE bundle says itself how often it is asked for, whatever delivers it says; within
 * keys.refresh_min_s, 60 s here, and keys.refresh_max_s, an hour. */
static void test_a_bundle_says_how_often(void **state)
{
    (void)state;
    static const struct {
        const char *hint;
        int64_t fresh_s, low_ms, high_ms;
    } rows[] = {{"600", -1, 432000, 528020},     {"600", 60, 432000, 528020},
                {"600", 3000, 432000, 528020},   {"10", -1, 60000, 66020},
                {"0", -1, 60000, 66020},         {"9000000000000000000", 60, 2592000, 3168020},
                {"-600", 600, 432000, 528020},   {"null", 600, 432000, 528020},
                {"\"60\"", 600, 432000, 528020}, {"60.5", 600, 432000, 528020}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct world *world = world_new();
        const char *jwks =
            mint_print("{\"spiffe_sequence\":1,\"spiffe_refresh_hint\":%s,\"keys\":[%s]}", rows[row].hint,
                       mint_jwk_with(mint_key("p256"), "a", NULL, "\"use\":\"jwt-svid\""));
        size_t i = world_add(world, RELY_KEYS_JWKS_URI, jwks);
        struct world_server *server = &world->servers[i];
        server->is_bare = true;
        server->fresh_s = rows[row].fresh_s;
        world_start(world);
        world_run_s(world, 4 * 3600);
        assert_gaps(server, 1, rows[row].low_ms, rows[row].high_ms);
        world_free(world);
        mint_reset();
    }
}

int run_refresh_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_keys_are_fetched_before_they_grow_old),
        cmocka_unit_test(test_e_an_issuer_may_ask_for_more),
        cmocka_unit_test(test_a5_keys_are_fetched_before_they_count_no_more),
        cmocka_unit_test(test_a_records_keys_are_fetched_before_they_count_no_more),
        cmocka_unit_test(test_a_lesser_age_hastens_fetches),
        cmocka_unit_test(test_e_failures_back_off_and_are_forgotten),
        cmocka_unit_test(test_d_the_start_is_soon_forgotten),
        cmocka_unit_test(test_changed_records_do_not_fall_due_together),
        cmocka_unit_test(test_outages_do_not_end_in_step),
        cmocka_unit_test(test_a5_an_outage_does_not_make_keys_younger),
        cmocka_unit_test(test_an_outage_of_a_day_costs_nothing),
        cmocka_unit_test(test_the_end_is_said_a_day_before),
        cmocka_unit_test(test_the_end_of_short_lived_keys_is_said),
        cmocka_unit_test(test_silent_issuers_hold_up_nobody),
        cmocka_unit_test(test_keys_that_are_asked_for_do_not_stand_behind_silent_issuers),
        cmocka_unit_test(test_an_origin_that_hangs_leaves_places_for_others),
        cmocka_unit_test(test_b12_the_same_keys_again_are_noted_seldom),
        cmocka_unit_test(test_a_status_tells_how_fetches_go),
        cmocka_unit_test(test_a5_whose_keys_are_fetched_first),
        cmocka_unit_test(test_a5_a_set_from_a_far_future_does_not_count),
        cmocka_unit_test(test_uploaded_keys_are_not_fetched),
        cmocka_unit_test(test_a_bundle_says_how_often),
    };
    return cmocka_run_group_tests_name("keeper: refresh", tests, NULL, NULL);
}

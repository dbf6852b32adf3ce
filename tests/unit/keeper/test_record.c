/* What a change of a record does to its keys, what is judged of an answer, and records that share an iss. */
#include "tests.h"

#include "../mint/mint.h"

#include "relyd/snapshot.h"
#include "relyd/traffic.h"

#include <stdlib.h>

static struct world *begin_with(enum rely_key_source kind, size_t *i)
{
    struct world *world = world_new();
    *i = world_add(world, kind, world_jwks("a"));
    world_start(world);
    world_run_s(world, 60);
    assert_true(world_has_in_force(world, *i, world_jwks("a")));
    return world;
}

/* Fault E: a changed record that is not fetched again was not seen. */
static void test_e_a_changed_record_is_fetched_at_once(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world_rotate(world, i, world_jwks("b"));
    world_move(world, i);
    assert_null(world_record(world, i)->keyset);
    world_run_ms(world, 20);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    assert_non_null(strstr(world->servers[i].last_url, "/moved/"));
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_FIRST);
    size_t added = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("c"));
    world_run_ms(world, 40);
    assert_true(world_has_in_force(world, added, world_jwks("c")));
    world_free(world);
}

/* The failures of another source, or of one that has been mended, are no reason to wait. */
static void test_b6_a_change_ends_the_back_off(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world->servers[i].is_down = true;
    world_ask(world, i);
    world_run_s(world, 1000);
    world_describe(world, i);
    world->servers[i].time_count = 0;
    world_run_s(world, 10); /* at once, and what fails then is the first failure */
    assert_int_equal(world->servers[i].time_count, 2 + 1);
    world_run_s(world, 1000);
    world->servers[i].is_down = false;
    world_ask(world, i);
    assert_true(world->told[i].miss_ms > 0);
    world_describe(world, i);
    assert_int_equal(world->told[i].miss_ms, 0); /* whoever waits need not */
    world_run_ms(world, 20);
    assert_int_equal(world_status(world, i).last_success_s, world_now_s(world));
    world_free(world);
}

/* Fault A4: an answer is for the record as it was when it was asked. */
static void test_a4_an_answer_to_the_question_before_does_not_count(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world->servers[i].is_held = true;
    world_ask(world, i);
    world_move(world, i);
    world_rotate(world, i, world_jwks("evil"));
    world_release(world, i);
    assert_false(world_has_in_force(world, i, world_jwks("evil")));
    assert_null(world_record(world, i)->keyset);
    assert_int_equal(world_status(world, i).last_error[0], '\0'); /* no failure of the issuer's */
    assert_int_equal(rely_keeper_count(world->keeper).fetches_failed, 0);
    world_rotate(world, i, world_jwks("good"));
    world_run_ms(world, 20);
    assert_true(world_has_in_force(world, i, world_jwks("good")));
    assert_non_null(strstr(world->servers[i].last_url, "/moved/"));
    assert_int_equal(world->told[i].count, 1); /* whoever waits went on waiting */
    world_free(world);
}

/* The same for a write that is under way, and shown behind the answer's back: until it is, nobody has been told that
 * the source is another one; afterwards nothing of the source before is in force, nor has it been stored. */
static void test_a4_a_write_under_way_takes_away_what_came_meanwhile(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world->servers[i].is_held = true;
    world_ask(world, i);
    world_move_in_registry(world, i);
    world_rotate(world, i, world_jwks("evil"));
    world_release(world, i);
    assert_null(world->rows[i].jwks);
    world_show(world, i);
    assert_false(world_has_in_force(world, i, world_jwks("evil")));
    assert_null(world_record(world, i)->keyset);
    assert_int_equal(rely_keeper_count(world->keeper).unstored, 0);
    world_move_in_registry(world, i);
    world_rotate(world, i, world_jwks("good"));
    world_run_ms(world, 10); /* asked for the record before */
    world_show(world, i);
    assert_null(world->rows[i].jwks);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("good")));
    assert_true(world_has_stored(world, i, world_jwks("good")));
    assert_non_null(
        strstr(world->servers[i].last_url, mint_print("/moved/%llu", (unsigned long long)world->rows[i].revision)));
    world_free(world);
}

static void test_an_issuer_that_is_removed_is_forgotten(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    struct rely_key_status status;
    world_remove(world, i);
    assert_false(rely_keeper_status(world->keeper, 1, &status));
    world_run_s(world, 86400);
    assert_int_equal(world->servers[i].asked, 1);
    assert_int_equal(world->timers.count, 0);
    world_free(world);
}

static void test_a_removal_during_a_fetch(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_DISCOVERY, &i);
    struct rely_key_status status;
    world->servers[i].is_held = true;
    world_ask(world, i);
    world_remove(world, i);
    world_ask(world, i);
    assert_int_equal(world->told[i].count, 1);
    assert_int_equal(world->told[i].miss_ms, 1000);
    world_release(world, i);
    assert_int_equal(world->told[i].count, 2); /* whoever waited for the fetch */
    assert_int_equal(world->told[i].miss_ms, 0);
    assert_false(rely_keeper_status(world->keeper, 1, &status));
    assert_int_equal(world->timers.count, 0);
    world_free(world);
}

/* --- what is judged ----------------------------------------------------------------------------------------- */

static void assert_refused(const char *document, const char *jwks, const char *error)
{
    size_t i;
    struct world *world = begin_with(RELY_KEYS_DISCOVERY, &i);
    world->servers[i].document = document;
    world_rotate(world, i, jwks);
    world_ask(world, i);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("a"))); /* what was in force stays */
    assert_string_equal(world_status(world, i).last_error, error);
    world_free(world);
}

static void test_d_a_document_must_name_the_registered_issuer(void **state)
{
    (void)state;
#define AT                                                                                                             \
    "keys of issuer issuer-0: the discovery document at https://issuers.example/0/.well-known/openid-configuration "
    assert_refused("{\"issuer\":\"https://evil.example\",\"jwks_uri\":\"https://issuers.example/0/keys\"}",
                   world_jwks("b"), AT "names issuer \"https://evil.example\", not the registered one");
    assert_refused("{\"issuer\":\"https://issuers.example/0/\",\"jwks_uri\":\"https://issuers.example/0/keys\"}",
                   world_jwks("b"), AT "names issuer \"https://issuers.example/0/\", not the registered one");
    assert_refused("{\"jwks_uri\":\"https://issuers.example/0/keys\"}", world_jwks("b"),
                   AT "has no issuer, and must name the registered one");
    assert_refused("{\"issuer\":\"https://issuers.example/0\"}", world_jwks("b"), AT "has no usable jwks_uri");
    char longer[2050]; /* it must not be cut to one that can be fetched */
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer, "https://issuers.example/0/", 26);
    assert_refused(mint_print("{\"issuer\":\"https://issuers.example/0\",\"jwks_uri\":\"%s\"}", longer),
                   world_jwks("b"), AT "has no usable jwks_uri");
#undef AT
}

static void test_d_weak_keys_alone_do_not_replace_good_ones(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world_rotate(world, i, mint_jwks(mint_jwk(mint_key("rsa1024"), "w", "RS256"), NULL));
    world->servers[i].is_bare = true;
    world_ask(world, i);
    world_run_s(world, 1);
    world->servers[i].is_bare = false;
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    assert_non_null(strstr(world_status(world, i).last_error, "key set at https://issuers.example/0/keys"));
    world_free(world);
}

static void test_limits_of_a_set_are_the_settings(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &i);
    world->config.key_max_count = 1;
    world_rotate(
        world, i,
        mint_jwks(mint_jwk(mint_key("ed25519#x"), "x", "EdDSA"), mint_jwk(mint_key("ed25519#y"), "y", "EdDSA"), NULL));
    world_ask(world, i);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    assert_int_equal(world->servers[i].last.max_bytes, RELY_DEFAULT_key_max_bytes);
    world_free(world);
}

/* --- records that share an iss ------------------------------------------------------------------------------ */

static const char *two_keys(const char *one, const char *other)
{
    return mint_jwks(mint_jwk(mint_key(mint_print("ed25519#%s", one)), one, "EdDSA"),
                     mint_jwk(mint_key(mint_print("ed25519#%s", other)), other, "EdDSA"), NULL);
}

/* Two records of one iss; the second brings the first one's key, and one of its own. */
static struct world *begin_siblings(size_t *first, size_t *second)
{
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, first);
    *second = world_add_sibling(world, *first, two_keys("a", "own"));
    world_run_s(world, 60);
    assert_true(world_has_in_force(world, *second, world_jwks("own")));
    assert_non_null(strstr(world_status(world, *second).last_error, "1 key of issuer issuer-1 is not used"));
    return world;
}

/* Fault A6: a key is one record's; free again, it is the other's at once. */
static void test_a6_a_disabled_record_gives_its_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world_disable(world, first, true);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    assert_string_equal(world_status(world, second).last_error, "");
    assert_int_equal(world_count_lines(world, "keys_repeated"), 1); /* once, not at each fetch */
    world_free(world);
}

static void test_a6_a_removed_record_gives_its_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world_remove(world, first);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_remove(world, second); /* nobody is left to be offered anything */
    world_run_s(world, 1);
    world_free(world);
}

/* While a fetch of it is under way, too: its keys are free from its removal on. */
static void test_a6_a_removed_record_that_is_being_fetched_gives_its_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[first].is_held = true;
    world_ask(world, first);
    world_remove(world, first);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

/* After a restart the keeper knows whose sibling it was. */
static void test_a6_a_record_is_removed_after_a_restart(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world_restart(world);
    world_run_s(world, 120);
    assert_true(world_has_in_force(world, second, world_jwks("own")));
    world_remove(world, first);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

static void test_a6_a_sibling_that_is_being_fetched_is_fetched_once_more(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[second].is_held = true;
    world_ask(world, second);
    world_disable(world, first, true);
    world_release(world, second);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

/* A set that lost keys is never asked for with a condition: what was left out may be its own by now. */
static void test_a6_a_set_that_lost_keys_is_fetched_whole(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[second].has_etags = true;
    world_describe(world, second);
    world_run_s(world, 1);
    world_ask(world, second);
    world_run_s(world, 1);
    world_rotate(world, first, world_jwks("b"));
    world_ask(world, first);
    world_run_s(world, 1);
    assert_int_equal(world->servers[second].unchanged, 0);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

static void test_a6_a_set_that_is_too_old_holds_no_key(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->config.key_max_age_s = 7200;
    world_describe(world, first);
    world_run_s(world, 60);
    world->servers[first].is_down = true;
    world_run_s(world, 7000);
    assert_true(world_has_in_force(world, second, world_jwks("own")));
    world_run_s(world, 7200);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

/* --- keys that become free by a fetch ------------------------------------------------------------------------- */

static void test_a6_a_rotation_gives_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world_rotate(world, first, world_jwks("b"));
    world_ask(world, first);
    world_run_ms(world, 100);
    assert_true(world_has_in_force(world, first, world_jwks("b")));
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    assert_string_equal(world_status(world, second).last_error, "");
    world_free(world);
}

/* When the first one's keys become too old, at that moment. */
static void test_a6_age_gives_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->config.key_max_age_s = 7200;
    world_describe(world, first);
    world_describe(world, second);
    world_run_s(world, 60);
    world->servers[first].is_down = true;
    int64_t left_s = world_record(world, first)->keys_until_s - world_now_s(world);
    world_run_s(world, left_s);
    assert_true(world_has_in_force(world, second, world_jwks("own")));
    world_run_s(world, 3);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world->servers[first].is_down = false;
    world_run_s(world, 400);
    assert_false(world_has_in_force(world, first, world_jwks("a"))); /* whoever has it keeps it */
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

/* A record whose source changes may have its keys again before they are offered to others. */
static void test_a6_another_source_is_asked_before_keys_are_offered(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[first].latency_ms = 900;
    world_move(world, first);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, first, world_jwks("a")));
    assert_true(world_has_in_force(world, second, world_jwks("own")));
    world_rotate(world, first, world_jwks("b")); /* the next source has it no more */
    world_move(world, first);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, first, world_jwks("b")));
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

static void test_a6_a_source_that_does_not_answer_gives_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[first].is_down = true;
    world_move(world, first);
    world_run_ms(world, 100);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_free(world);
}

/* An uploaded set has no fetch that could end. */
static void test_a6_an_upload_in_place_of_a_source_gives_keys_up(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->rows[first].kind = RELY_KEYS_UPLOADED;
    world_move(world, first);
    world_run_ms(world, 100);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_run_s(world, 1000);
    assert_int_equal(world->servers[second].asked, 2);
    world_free(world);
}

/* What is offered during a fetch is seen when it ends, and a fetch that has it already is enough. */
static void test_a6_keys_that_become_free_during_a_fetch(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[second].is_held = true;
    world_ask(world, second);
    world_rotate(world, first, world_jwks("b"));
    world_ask(world, first);
    world_run_ms(world, 100);
    int asked = world->servers[second].asked;
    world_release(world, second);
    assert_true(world_has_in_force(world, second, two_keys("a", "own")));
    world_run_s(world, 5);
    assert_int_equal(world->servers[second].asked, asked);
    world_free(world);
}

/* The back-off of an issuer that does not answer is not gone round by another's rotations. */
static void test_b6_an_offer_does_not_go_round_the_back_off(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->servers[second].is_down = true;
    world_ask(world, second);
    world_run_s(world, 1200); /* every five minutes by now */
    int asked = world->servers[second].asked;
    for (int i = 0; i < 100; i++) {
        world_rotate(world, first, world_jwks(i % 2 == 0 ? "b" : "a"));
        world_ask(world, first);
        world_run_s(world, 2);
    }
    assert_in_range(world->servers[second].asked, asked, asked + 1);
    world_free(world);
}

/* However often a sibling changes its keys, and whatever it has: within the issuer's bucket, and nobody else waits. */
static void test_a6_offers_are_bounded(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    size_t other = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("other"));
    world_run_s(world, 60);
    int asked = world->servers[second].asked;
    const char *with = two_keys("a", "own"), *without = world_jwks("own");
    for (int i = 0; i < 400; i++) { /* the second one has it, has it not, and so on */
        world_rotate(world, second, i % 4 < 2 ? with : without);
        world_rotate(world, first, world_jwks(i % 2 == 0 ? "b" : "a"));
        world_ask(world, first);
        if (i % 8 == 0)
            world_ask(world, second);
        world_run_ms(world, 250);
    }
    assert_in_range(world->servers[second].asked - asked, 10, 3 + 100 + 1);
    world_rotate(world, other, world_jwks("another"));
    world_ask(world, other);
    world_run_ms(world, 20);
    assert_true(world_has_in_force(world, other, world_jwks("another")));
    world_free(world);
}

/* One rotation offers a key to many: who asks for another issuer's keys does not stand behind them. */
static void test_a6_many_that_are_offered_one_key(void **state)
{
    (void)state;
    size_t first;
    struct world *world = begin_with(RELY_KEYS_JWKS_URI, &first);
    size_t other = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("other")), has = 0;
    for (int i = 0; i < 200; i++)
        world_add_sibling(world, first, two_keys("a", mint_print("own%d", i)));
    world_run_s(world, 60);
    world_rotate(world, first, world_jwks("b"));
    world_ask(world, first);
    world_run_ms(world, 20);
    world_rotate(world, other, world_jwks("another"));
    for (int i = 0; i < 100; i++)
        world_ask(world, other);
    world_run_ms(world, 21);
    assert_true(world_has_in_force(world, other, world_jwks("another")));
    world_run_s(world, 1);
    for (size_t i = other + 1; i < world->count; i++)
        has += world_has_in_force(world, i, world->servers[i].jwks);
    assert_int_equal(has, 1); /* it is one record's */
    world_free(world);
}

/* Two records with the same documents, that change with each fetch but for one key: it stays where it is. */
static size_t rotating;

static void rotate_after_fetch(struct world *world, size_t i)
{
    world_rotate(world, i, two_keys("a", mint_print("r%zu", rotating++ % 50)));
}

static void test_a6_a_key_is_not_handed_to_and_fro(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    world->note_served = rotate_after_fetch;
    world_ask(world, first);
    world_ask(world, second);
    world_run_s(world, 10);
    int asked = world->servers[first].asked + world->servers[second].asked;
    world_run_s(world, 2000);
    assert_int_equal(world->servers[first].asked + world->servers[second].asked, asked);
    assert_non_null(strstr(world_status(world, second).last_error, "1 key of issuer issuer-1 is not used"));
    assert_string_equal(world_status(world, first).last_error, "");
    world_free(world);
}

static void free_series(const struct rely_issuer_series *series)
{
    free(series->key_ages);
    free(series->clock_skews);
}

/* What /metrics tells of key sets. */
static void test_a6_ages_are_told(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    struct rely_gauges gauges = {0};
    world_add(world, RELY_KEYS_UPLOADED, world_jwks("u"));
    int64_t now_s = world_now_s(world);
    struct rely_issuer_series series = rely_issuers_measure(world->snapshot, now_s + 1000, 3, &gauges);
    assert_int_equal(gauges.key_age_count, 2);
    assert_int_equal(gauges.keys_repeated, 1);
    assert_int_equal(gauges.keys_too_old, 0);
    assert_int_equal(gauges.key_left_count, 2);
    assert_int_equal(gauges.key_left_min_s, world_record(world, first)->keys_until_s - now_s - 1000);
    assert_true(series.key_ages[0].hash != 0 && series.key_ages[0].hash != series.key_ages[1].hash &&
                series.key_ages[0].hash >> 48 == 0);
    assert_true(gauges.key_sets_hash == (series.key_ages[0].hash + series.key_ages[1].hash) % (UINT64_C(1) << 48));
    assert_true(series.key_ages[0].left_s + series.key_ages[0].age_s == 604800);
    assert_int_equal(gauges.key_age_max_s, now_s + 1000 - world_record(world, first)->keys_fetched_s);
    assert_ptr_equal(gauges.key_ages, series.key_ages);
    free_series(&series);
    gauges = (struct rely_gauges){0};
    assert_null(rely_issuers_measure(world->snapshot, now_s + 604801, 2, &gauges).key_ages); /* too many for series */
    assert_int_equal(gauges.key_age_count, 0);
    assert_int_equal(gauges.keys_too_old, 2);
    assert_true(gauges.key_left_min_s < 0 && gauges.key_sets_hash != 0);
    world_free(world);
}

/* And of clocks, whatever their issuers' keys come from. */
static void test_clocks_are_told(void **state)
{
    (void)state;
    size_t first, second;
    struct world *world = begin_siblings(&first, &second);
    size_t third = world_add(world, RELY_KEYS_UPLOADED, world_jwks("u"));
    int64_t now_s = world_now_s(world);
    struct rely_gauges gauges = {0};
    struct rely_issuer_series series = rely_issuers_measure(world->snapshot, now_s, 3, &gauges);
    free_series(&series);
    assert_int_equal(gauges.clock_skew_count + gauges.clock_count, 0);
    rely_traffic_note_issued(world->rows[first].traffic, -20, now_s);
    rely_traffic_note_issued(world->rows[third].traffic, -10, now_s);
    gauges = (struct rely_gauges){0};
    series = rely_issuers_measure(world->snapshot, now_s, 3, &gauges);
    assert_int_equal(gauges.clock_skew_count, 2);
    assert_int_equal(gauges.clock_count, 2);
    assert_int_equal(gauges.clock_skew_max_s, -10);
    assert_int_equal(series.clock_skews[0].ahead_s + series.clock_skews[1].ahead_s, -30);
    assert_ptr_equal(gauges.clock_skews, series.clock_skews);
    free_series(&series);
    gauges = (struct rely_gauges){0};
    assert_null(rely_issuers_measure(world->snapshot, now_s, 2, &gauges).clock_skews); /* too many for series */
    assert_int_equal(gauges.clock_skew_count, 0);
    assert_int_equal(gauges.clock_skew_max_s, -10);
    world_free(world);
}

int run_record_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_a_changed_record_is_fetched_at_once),
        cmocka_unit_test(test_b6_a_change_ends_the_back_off),
        cmocka_unit_test(test_a4_an_answer_to_the_question_before_does_not_count),
        cmocka_unit_test(test_a4_a_write_under_way_takes_away_what_came_meanwhile),
        cmocka_unit_test(test_an_issuer_that_is_removed_is_forgotten),
        cmocka_unit_test(test_a_removal_during_a_fetch),
        cmocka_unit_test(test_d_a_document_must_name_the_registered_issuer),
        cmocka_unit_test(test_d_weak_keys_alone_do_not_replace_good_ones),
        cmocka_unit_test(test_limits_of_a_set_are_the_settings),
        cmocka_unit_test(test_a6_a_disabled_record_gives_its_keys_up),
        cmocka_unit_test(test_a6_a_removed_record_gives_its_keys_up),
        cmocka_unit_test(test_a6_a_removed_record_that_is_being_fetched_gives_its_keys_up),
        cmocka_unit_test(test_a6_a_record_is_removed_after_a_restart),
        cmocka_unit_test(test_a6_a_sibling_that_is_being_fetched_is_fetched_once_more),
        cmocka_unit_test(test_a6_a_set_that_lost_keys_is_fetched_whole),
        cmocka_unit_test(test_a6_a_set_that_is_too_old_holds_no_key),
        cmocka_unit_test(test_a6_a_rotation_gives_keys_up),
        cmocka_unit_test(test_a6_age_gives_keys_up),
        cmocka_unit_test(test_a6_another_source_is_asked_before_keys_are_offered),
        cmocka_unit_test(test_a6_a_source_that_does_not_answer_gives_keys_up),
        cmocka_unit_test(test_a6_an_upload_in_place_of_a_source_gives_keys_up),
        cmocka_unit_test(test_a6_keys_that_become_free_during_a_fetch),
        cmocka_unit_test(test_b6_an_offer_does_not_go_round_the_back_off),
        cmocka_unit_test(test_a6_offers_are_bounded),
        cmocka_unit_test(test_a6_many_that_are_offered_one_key),
        cmocka_unit_test(test_a6_a_key_is_not_handed_to_and_fro),
        cmocka_unit_test(test_a6_ages_are_told),
        cmocka_unit_test(test_clocks_are_told),
    };
    return cmocka_run_group_tests_name("keeper: records", tests, NULL, NULL);
}

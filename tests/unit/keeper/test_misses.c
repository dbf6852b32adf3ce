/* Fetches that missing keys cause: how many, when, what the workers are told, and how little they cost an issuer. */
#include "tests.h"

#include "../mint/mint.h"

#include "relyd/snapshot.h"

/* A world with one issuer whose keys are in force since a while, so that its bucket is full. */
static struct world *begin_with_keys(size_t *i)
{
    struct world *world = world_new();
    *i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 60);
    assert_int_equal(world->servers[*i].asked, 1);
    world->servers[*i].time_count = 0;
    return world;
}

static void test_a_missing_key_is_fetched_at_once(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world_rotate(world, i, world_jwks("b"));
    world_ask(world, i);
    assert_int_equal(world->servers[i].asked, 2);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_WANTED);
    assert_true(world->servers[i].last.must_pass_caches);
    assert_int_equal(world->servers[i].last.timeout_ms, 1500); /* somebody waits */
    assert_int_equal(world->told[i].count, 0);
    world_run_ms(world, 20);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    assert_int_equal(world->told[i].count, 1);
    assert_int_equal(world->told[i].miss_ms, 0);
    world_free(world);
}

/* Fault E: no cooldown was not seen. Fault C19: three at once, then one each keys.miss_cooldown_ms. */
static void test_e_asks_are_bounded(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    for (int ms = 0; ms < 60000; ms += 10) {
        world_ask(world, i);
        world_run_ms(world, 10);
    }
    assert_in_range(world->servers[i].time_count, 60, 63);
    for (int k = 0; k + 3 < world->servers[i].time_count; k++)
        assert_true(world->servers[i].times_ms[k + 3] - world->servers[i].times_ms[k] >= 1000);
    assert_true(world->told[i].count >= 60);
    world_free(world);
}

/* What is further away than a request may wait is told at once; what is nearer is waited for. */
static void test_who_asks_is_told_how_long_it_is_useless(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    for (int k = 0; k < 3; k++) {
        world_ask(world, i);
        world_run_ms(world, 20);
    }
    assert_int_equal(world->told[i].count, 3);
    assert_int_equal(world->told[i].miss_ms, 940); /* the bucket is empty */
    world_ask(world, i);                           /* taken for the moment when it has one */
    assert_int_equal(world->told[i].count, 4);
    assert_int_equal(world->told[i].asked_until_ms, world->now_ms); /* refused, not fetched for */
    assert_int_equal(world->told[i].miss_ms, 940);
    assert_int_equal(world->servers[i].asked, 4);
    world_run_ms(world, 800);
    world_ask(world, i); /* it is near: no word until it is over */
    assert_int_equal(world->told[i].count, 4);
    world_run_ms(world, 139);
    assert_int_equal(world->servers[i].asked, 4);
    world_run_ms(world, 1);
    assert_int_equal(world->servers[i].asked, 5);
    world_run_ms(world, 20);
    assert_int_equal(world->told[i].count, 5);
    world_free(world);
}

static void test_one_fetch_is_under_way_however_many_ask(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world->servers[i].is_held = true;
    for (int k = 0; k < 1000; k++)
        world_ask(world, i);
    world_run_s(world, 10);
    assert_int_equal(world->servers[i].asked, 2);
    assert_int_equal(world->told[i].count, 0);
    world_release(world, i);
    assert_int_equal(world->told[i].count, 1);
    world->servers[i].is_held = true;
    world_run_s(world, 3600); /* an ordinary one that nobody waits for, at first */
    assert_int_equal(world->servers[i].asked, 3);
    world_ask(world, i);
    world_release(world, i);
    assert_int_equal(world->told[i].count, 2);
    world_free(world);
}

/* What it reads may be from before their keys were published. */
static void test_who_comes_during_a_fetch_is_not_answered_by_it(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world->servers[i].is_held = true;
    world_ask(world, i);
    int64_t begun_ms = world->now_ms;
    world_run_ms(world, 500);
    world_ask(world, i);
    world_release(world, i);
    assert_int_equal(world->told[i].at_ms, begun_ms + 500);
    assert_int_equal(world->told[i].asked_until_ms, begun_ms);
    assert_int_equal(world->told[i].miss_ms, 0); /* and they may ask again at once */
    world_free(world);
}

/* Fault B6: whoever makes up keys does not go round the back-off of an issuer that does not answer. */
static void test_b6_asks_do_not_hasten_what_failed(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world->servers[i].is_down = true;
    world->servers[i].time_count = 0;
    for (int ms = 0; ms < 120000; ms += 50) {
        world_ask(world, i);
        world_run_ms(world, 50);
    }
    assert_in_range(world->servers[i].time_count, 6, 7); /* 0, 2, 6, 14, 30, 62 s */
    assert_true(world->told[i].miss_ms > 0);
    world_free(world);
}

static void test_b6_a_failed_ask_is_told_when_the_next_fetch_is(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world->servers[i].is_down = true;
    world_ask(world, i);
    world_run_ms(world, 20);
    assert_int_equal(world->told[i].count, 1);
    assert_in_range(world->told[i].miss_ms, 1800, 2200);
    int64_t due_ms = world->told[i].at_ms + world->told[i].miss_ms;
    world->servers[i].is_down = false;
    world_run_ms(world, 2300);
    assert_int_equal(world->servers[i].times_ms[1], due_ms);
    assert_int_equal(world->told[i].count, 1); /* they may ask since it began */
    world_free(world);
}

/* A fetch that comes before the time until which they refuse to ask: they need not refuse any more. */
static void test_b6_who_was_told_to_wait_is_told_of_news(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_miss_cooldown_ms = 600000;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].fresh_s = 60;
    world_start(world);
    world_run_s(world, 10);
    for (int k = 0; k < 3; k++) {
        world_ask(world, i);
        world_run_ms(world, 20);
    }
    assert_int_equal(world->told[i].miss_ms, 600000 - 40 - 20);
    int64_t told_ms = world->told[i].at_ms;
    world_run_s(world, 70); /* the ordinary fetch */
    assert_int_equal(world->told[i].count, 4);
    assert_int_equal(world->told[i].miss_ms, 600000 - 60 - (world->told[i].at_ms - told_ms));
    world_free(world);
}

/* Fault C4: another key may have taken the name in the very moment after a fetch. Within the same buckets. */
static void test_c4_a_young_set_is_asked_for_again(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    for (int k = 1; k <= 3; k++) {
        world_ask(world, i);
        world_run_ms(world, 20);
        assert_int_equal(world->servers[i].asked, 1 + k);
        assert_int_equal(world->told[i].asked_until_ms, world->now_ms - 20);
    }
    world_ask(world, i);
    world_run_ms(world, 20);
    assert_int_equal(world->servers[i].asked, 4);
    world_free(world);
}

/* What was known of an issuer's fetches is of the record before: whoever was told to wait need not. */
static void test_c4_a_changed_record_is_told_at_once(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_miss_cooldown_ms = 600000;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 10);
    for (int k = 0; k < 4; k++) {
        world_ask(world, i);
        world_run_ms(world, 20);
    }
    assert_int_equal(world->told[i].count, 4);
    assert_int_equal(world->told[i].miss_ms, 600000 - 60);
    world_describe(world, i);
    assert_int_equal(world->told[i].count, 5);
    assert_int_equal(world->told[i].asked_until_ms, 0); /* nobody has been answered */
    assert_int_equal(world->told[i].miss_ms, 0);
    world_free(world);
}

static void test_who_is_not_kept_is_asked_in_vain(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world_ask(world, 200);
    assert_int_equal(world->told[WORLD_ISSUERS_MAX].count, 1);
    assert_int_equal(world->told[WORLD_ISSUERS_MAX].miss_ms, 1000);
    size_t uploaded = world_add(world, RELY_KEYS_UPLOADED, world_jwks("u"));
    world_run_ms(world, 1);
    world_ask(world, uploaded);
    world_run_ms(world, 1);
    assert_int_equal(world->told[uploaded].count, 1);
    assert_int_equal(world->told[uploaded].miss_ms, 1000);
    world_free(world);
}

/* Fault C19: asks in vain come behind all others, for five minutes; news ends that. */
static void test_c19_who_was_asked_in_vain_comes_last(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world_ask(world, i);
    world_run_s(world, 10);
    world_ask(world, i);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_DOUBTED);
    world_run_s(world, 10);
    world_rotate(world, i, world_jwks("b"));
    world_ask(world, i);
    world_run_s(world, 10);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_ask(world, i);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_WANTED);
    world_run_s(world, 1);
    world_ask(world, i); /* in vain, and not: it was so soon after news */
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_DOUBTED);
    world_run_s(world, 301);
    world_ask(world, i);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_WANTED);
    world_run_s(world, 10);
    world_describe(world, i); /* another record begins without a past */
    world_run_s(world, 10);
    world_ask(world, i);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_WANTED);
    world_free(world);
}

/* A fetch that fails brings no news, whatever the one before brought. */
static void test_c19_a_failure_is_no_news(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    world_rotate(world, i, world_jwks("b"));
    world_ask(world, i);
    world_run_s(world, 120);
    world->servers[i].is_down = true;
    world_ask(world, i);
    world_run_ms(world, 100);
    world->servers[i].is_down = false;
    world_run_s(world, 60); /* tried again, without being asked */
    assert_string_equal(world_status(world, i).last_error, "");
    world_ask(world, i);
    assert_int_equal(world->servers[i].last.kind, RELY_FETCH_DOUBTED);
    world_free(world);
}

/* --- conditional fetches ------------------------------------------------------------------------------------ */

/* Fault C19: what a missing key causes is conditional; the ordinary fetches are not. */
static void test_c19_asks_are_conditional(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    struct world_server *server = &world->servers[i];
    server->has_etags = true;
    world_start(world);
    world_run_s(world, 60);
    assert_int_equal(server->asked, 2);
    assert_int_equal(server->unchanged, 0);
    world_ask(world, i);
    world_run_ms(world, 40);
    assert_int_equal(server->unchanged, 2); /* document and key set */
    assert_int_equal(server->asked_whole, 1);
    world_rotate(world, i, world_jwks("b"));
    world_ask(world, i);
    world_run_ms(world, 40);
    assert_int_equal(server->unchanged, 2);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_run_s(world, 3200);
    assert_int_equal(server->unchanged, 2);
    assert_int_equal(server->asked_whole, 2);
    world_free(world);
}

/* Fault C19: an issuer whose tag stays while its keys change is found out by the next ordinary fetch, and asks do not
 * put that off: after a "nothing has changed" it comes as soon as keys.refresh_min_s allows. */
static void test_c19_nothing_has_changed_does_not_put_the_whole_fetch_off(void **state)
{
    (void)state;
    size_t i;
    struct world *world = world_new();
    i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    struct world_server *server = &world->servers[i];
    server->has_etags = server->is_stuck = true;
    world_start(world);
    world_run_s(world, 10);
    world_rotate(world, i, world_jwks("b"));
    for (int second = 10; second < 61; second += 3) {
        world_ask(world, i);
        world_run_s(world, 3);
    }
    assert_true(server->unchanged > 10);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    assert_int_equal(server->asked_whole, 2);
    world_free(world);
}

/* "Nothing has changed" since then is no word about keys that count no more. */
static void test_a5_keys_that_are_too_old_are_fetched_whole(void **state)
{
    (void)state;
    size_t i;
    struct world *world = world_new();
    world->config.key_max_age_s = 3600;
    i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].has_etags = true;
    world_start(world);
    world_run_s(world, 60);
    world->servers[i].is_held = true;
    world_ask(world, i); /* conditional, and the answer comes when they count no more */
    world_run_s(world, 3700);
    assert_true(world_now_s(world) > world_record(world, i)->keys_until_s);
    int64_t until_s = world_record(world, i)->keys_until_s;
    world_release(world, i);
    assert_int_equal(world->servers[i].unchanged, 1);
    assert_int_equal(world_record(world, i)->keys_until_s, until_s);
    world_run_ms(world, 20); /* at once, and whole */
    assert_int_equal(world->servers[i].unchanged, 1);
    assert_int_equal(world_record(world, i)->keys_until_s, world_now_s(world) + 3600);
    assert_int_equal(world_status(world, i).last_success_s, world_now_s(world));
    world_free(world);
}

/* The condition is of one record and one URL. */
static void test_c19_another_source_is_fetched_whole(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].has_etags = true;
    world_start(world);
    world_run_s(world, 10);
    world_move(world, i);
    world_run_s(world, 10);
    world_ask(world, i);
    world_run_s(world, 1);
    assert_int_equal(world->servers[i].unchanged, 1);
    world_describe(world, i);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_ask(world, i);
    world_run_s(world, 1);
    assert_int_equal(world->servers[i].unchanged, 1);
    assert_int_equal(world->servers[i].asked_whole, 3);
    world_free(world);
}

/* Fault B12: a set of many keys takes long to judge, beside the two that hold: its issuer pays, and is asked later. */
static void test_b12_many_keys_are_paid_for_by_their_issuer(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_with_keys(&i);
    const char *jwks[200];
    world->servers[i].is_bare = true;
    for (int k = 0; k < 200; k++)
        jwks[k] = mint_jwk(mint_key("ed25519#a"), mint_print("k%d", k), "EdDSA");
    world_rotate(world, i, mint_jwks_of(jwks, 200));
    world_ask(world, i);
    world_run_ms(world, 20);
    assert_int_equal(world->told[i].count, 1);
    assert_int_equal(world->told[i].miss_ms, (200 + 2 - 16) * 16 - 1000 - 20);
    world_free(world);
}

int run_miss_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_missing_key_is_fetched_at_once),
        cmocka_unit_test(test_e_asks_are_bounded),
        cmocka_unit_test(test_who_asks_is_told_how_long_it_is_useless),
        cmocka_unit_test(test_one_fetch_is_under_way_however_many_ask),
        cmocka_unit_test(test_who_comes_during_a_fetch_is_not_answered_by_it),
        cmocka_unit_test(test_b6_asks_do_not_hasten_what_failed),
        cmocka_unit_test(test_b6_a_failed_ask_is_told_when_the_next_fetch_is),
        cmocka_unit_test(test_b6_who_was_told_to_wait_is_told_of_news),
        cmocka_unit_test(test_c4_a_young_set_is_asked_for_again),
        cmocka_unit_test(test_c4_a_changed_record_is_told_at_once),
        cmocka_unit_test(test_who_is_not_kept_is_asked_in_vain),
        cmocka_unit_test(test_c19_who_was_asked_in_vain_comes_last),
        cmocka_unit_test(test_c19_a_failure_is_no_news),
        cmocka_unit_test(test_c19_asks_are_conditional),
        cmocka_unit_test(test_c19_nothing_has_changed_does_not_put_the_whole_fetch_off),
        cmocka_unit_test(test_a5_keys_that_are_too_old_are_fetched_whole),
        cmocka_unit_test(test_c19_another_source_is_fetched_whole),
        cmocka_unit_test(test_b12_many_keys_are_paid_for_by_their_issuer),
    };
    return cmocka_run_group_tests_name("keeper: misses", tests, NULL, NULL);
}

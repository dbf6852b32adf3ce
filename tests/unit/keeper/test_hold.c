/* Which fetched sets are believed at first sight, what is in force until the others are, and what ends the waiting. */
#include "tests.h"

#include "../mint/mint.h"
#include "kept.h"

#include "relyd/key_orders.h"
#include "relyd/key_times.h"
#include "relyd/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#define EMPTY "{\"keys\":[]}"

/* A set with a key of each of these names: "a b". */
static const char *keys_named(const char *names)
{
    const char *jwks[16];
    size_t count = 0;
    char text[100], *rest = NULL;
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok_r(text, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        jwks[count++] = mint_jwk(mint_key(mint_print("ed25519#%s", name)), mint_print("%s", name), "EdDSA");
    return mint_jwks_of(jwks, count);
}

static int compare_kids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The kids in force, in the order of the alphabet. */
static const char *names_in_force(const struct world *world, size_t i)
{
    const struct rely_keyset *keyset = world_record(world, i)->keyset;
    const char *kids[16], *text = "";
    size_t count = rely_keyset_count(keyset);
    for (size_t k = 0; k < count; k++)
        kids[k] = mint_print("%.*s", RELY_ARG(rely_key_kid(rely_keyset_at(keyset, k))));
    qsort(kids, count, sizeof kids[0], compare_kids);
    for (size_t k = 0; k < count; k++)
        text = mint_print("%s%s%s", text, k == 0 ? "" : " ", kids[k]);
    return text;
}

static const struct rely_key *key_in_force(const struct world *world, size_t i, const char *name)
{
    const struct rely_keyset *keyset = world_record(world, i)->keyset;
    for (size_t k = 0; k < rely_keyset_count(keyset); k++)
        if (rely_slice_equal(rely_key_kid(rely_keyset_at(keyset, k)), rely_slice_of(name)))
            return rely_keyset_at(keyset, k);
    fail_msg("no key %s", name);
    return NULL;
}

/* A token of this key was good. */
static void use_key(const struct world *world, size_t i, const char *name)
{
    rely_key_note_use(key_in_force(world, i, name), world_now_s(world));
}

static struct world *begin_bare(size_t *i, const char *names)
{
    struct world *world = world_new();
    *i = world_add(world, RELY_KEYS_JWKS_URI, keys_named(names));
    world->servers[*i].is_bare = true;
    world_start(world);
    world_run_s(world, 60);
    assert_string_equal(names_in_force(world, *i), names);
    return world;
}

static void note_nothing(struct rely_key_waiter *waiter, const struct rely_refreshed *came)
{
    (void)waiter;
    (void)came;
}

/* False: no such issuer is kept. */
static bool order_believing(struct world *world, int64_t issuer_id)
{
    static struct rely_key_waiter waiter; /* who ordered before waits no more */
    rely_keeper_forget_waiter(&waiter);
    waiter = (struct rely_key_waiter){.done = note_nothing, .is_believed = true};
    return rely_keeper_order(world->keeper, issuer_id, &waiter, &(struct rely_err){0});
}

/* The issuer shows this from now on, and is fetched as by its timer. */
static void show_set(struct world *world, size_t i, const char *jwks)
{
    world_rotate(world, i, jwks);
    rely_keeper_fetch(rely_keeper_find(world->keeper, (int64_t)i + 1));
    world_run_ms(world, 50);
}

static void show_keys(struct world *world, size_t i, const char *names)
{
    show_set(world, i, keys_named(names));
}

static void assert_held(const struct world *world, size_t i, const char *why)
{
    const char *is = world_status(world, i).held_why;
    if (why == NULL)
        assert_null(is);
    else
        assert_string_equal(is, why);
}

static void test_a_set_without_present_keys_is_seen_twice(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    int64_t fetched_s = world_record(world, i)->keys_fetched_s;
    show_keys(world, i, "b");
    struct rely_key_status status = world_status(world, i);
    assert_string_equal(status.held_why, "drops_keys_in_use");
    assert_in_range(world_now_s(world) - status.held_since_s, 0, 1);
    assert_int_equal(status.held_kid_count, 1);
    assert_true(rely_slice_equal(status.held_kids[0], RELY_LIT("b")));
    assert_in_range(status.next_fetch_s - world_now_s(world), 299, 300);
    assert_string_equal(names_in_force(world, i), "a b"); /* the present keys hold, and nobody waits for the new one */
    assert_int_equal(world_record(world, i)->keys_fetched_s, fetched_s);
    assert_true(world_has_stored(world, i, keys_named("a")));
    assert_int_equal(rely_keeper_count(world->keeper).held_back, 1);
    assert_int_equal(rely_keeper_count(world->keeper).new_keys, 2);
    world_run_s(world, 299);
    assert_string_equal(names_in_force(world, i), "a b");
    world_run_s(world, 3);
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "b");
    assert_in_range(world_now_s(world) - world_record(world, i)->keys_fetched_s, 0, 3);
    assert_true(world_has_stored(world, i, keys_named("b")));
    assert_int_equal(world->rows[i].log_rows, 2);
    assert_true(world_status(world, i).next_fetch_s - world_now_s(world) > 2500); /* as ever */
    assert_int_equal(world_count_lines(world, "keys_held_back"), 1);
    world_free(world);
}

/* Five minutes begin with the first sight, and asks in between are none. */
static void test_many_sights_within_five_minutes_are_one(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    int64_t since_s = world_status(world, i).held_since_s;
    for (int k = 0; k < 9; k++) {
        world_run_s(world, 30);
        show_keys(world, i, "b");
        assert_string_equal(names_in_force(world, i), "a b");
        assert_int_equal(world_status(world, i).held_since_s, since_s);
    }
    assert_in_range(world_status(world, i).next_fetch_s, since_s + 299, since_s + 301);
    world_run_s(world, 31);
    assert_string_equal(names_in_force(world, i), "b");
    assert_int_equal(rely_keeper_count(world->keeper).held_back, 1);
    world_free(world);
}

/* What is in use is told by the tokens that were good; without any, every key is. */
static void test_which_keys_are_in_use(void **state)
{
    (void)state;
    static const struct {
        const char *used; /* NULL: none */
        int64_t ago_s;
        const char *next, *why, *in_force;
    } cases[] = {
        {NULL, 0, "b s", NULL, "b s"},
        {"s", 0, "b s", NULL, "b s"},
        {"a", 0, "b s", "drops_keys_in_use", "a b s"},
        {"a", 0, "a", NULL, "a"},
        {"s", 0, "a", "drops_keys_in_use", "a s"},
        {"a", 86399, "b s", "drops_keys_in_use", "a b s"},
        {"a", 86500, "b s", NULL, "b s"},
        {NULL, 0, "b", "drops_keys_in_use", "a b s"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        size_t i;
        struct world *world = begin_bare(&i, "a s");
        if (cases[k].used != NULL)
            rely_key_note_use(key_in_force(world, i, cases[k].used), world_now_s(world) - cases[k].ago_s);
        show_keys(world, i, cases[k].next);
        assert_held(world, i, cases[k].why);
        assert_string_equal(names_in_force(world, i), cases[k].in_force);
        world_free(world);
    }
}

/* Times go on with the key. */
static void test_a_rotation_does_not_forget_who_is_in_use(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a s");
    int64_t first_s = rely_key_first_seen_s(key_in_force(world, i, "a"));
    assert_in_range(world_now_s(world) - first_s, 0, 61);
    use_key(world, i, "a");
    int64_t used_s = world_now_s(world);
    world_run_s(world, 7200);
    show_keys(world, i, "a b s");
    assert_int_equal(rely_key_used_s(key_in_force(world, i, "a")), used_s);
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "a")), first_s);
    assert_int_equal(rely_key_used_s(key_in_force(world, i, "b")), 0);
    assert_in_range(world_now_s(world) - rely_key_first_seen_s(key_in_force(world, i, "b")), 0, 1);
    show_keys(world, i, "b s");
    assert_held(world, i, "drops_keys_in_use");
    assert_int_equal(rely_key_used_s(key_in_force(world, i, "a")), used_s);
    world_free(world);
}

/* A key is as old as it was the first time that it was seen, also as a guest: not as its row, nor as the process. */
static void test_a_restart_does_not_forget_when_a_key_came(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a s");
    int64_t first_s = rely_key_first_seen_s(key_in_force(world, i, "a"));
    world_run_s(world, 7200);
    show_keys(world, i, "b");
    assert_held(world, i, "drops_keys_in_use");
    int64_t second_s = rely_key_first_seen_s(key_in_force(world, i, "b"));
    assert_in_range(second_s - first_s, 7100, 7300);
    world_restart(world);
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "a")), first_s);
    show_keys(world, i, "a b s");
    second_s = rely_key_first_seen_s(key_in_force(world, i, "b"));
    world_run_s(world, 60);
    world_restart(world);
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "a")), first_s);
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "b")), second_s);
    show_keys(world, i, "b c");
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "b")), second_s);
    /* What waits for a disk is not younger for it. */
    world->store_fault = RELY_ERR_IO;
    show_keys(world, i, "c d");
    int64_t third_s = rely_key_first_seen_s(key_in_force(world, i, "d"));
    world_run_s(world, 600);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 400);
    world_restart(world);
    assert_int_equal(rely_key_first_seen_s(key_in_force(world, i, "d")), third_s);
    world_free(world);
}

/* The log names what is new, and not all of many. */
static void test_new_keys_are_named(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a s");
    static const char *const sets[] = {"a b s", "a b", "a b c d e f g"};
    for (size_t k = 0; k < 3; k++) {
        world_run_s(world, 7200);
        show_keys(world, i, sets[k]);
    }
    static const char *const ends[] = {", with new keys: \\\"a\\\", \\\"s\\\"\"", ", with new keys: \\\"b\\\"\"", "\"",
                                       ", with new keys: \\\"c\\\", \\\"d\\\", \\\"e\\\" and 2 more\""};
    for (size_t k = 0; k < 4; k++)
        assert_int_equal(world_count_in_log(world, mint_print("is in force%s", ends[k])), 1);
    world_free(world);
}

static void test_an_empty_set_is_seen_twice(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_set(world, i, EMPTY);
    assert_held(world, i, "empty_set");
    assert_int_equal(world_status(world, i).held_kid_count, 0);
    assert_string_equal(world_status(world, i).last_error, "");
    assert_string_equal(names_in_force(world, i), "a");
    world_run_s(world, 302);
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "");
    assert_true(world_has_stored(world, i, EMPTY));
    show_set(world, i, EMPTY); /* nothing is left to hold */
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "");
    show_keys(world, i, "b");
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

/* Neither no keys at all nor none that can be used is an empty set. */
static void test_only_an_empty_list_is_an_empty_set(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    const char *const others[] = {"{}", "{\"keys\":{}}", "{\"keys\":[", "{\"keys\":[{\"kty\":\"oct\"}]}"};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        show_set(world, i, others[k]);
        assert_held(world, i, NULL);
        assert_string_not_equal(world_status(world, i).last_error, "");
        world_run_s(world, 700);
        assert_string_equal(names_in_force(world, i), "a");
    }
    world_free(world);
}

static void test_another_set_is_another_first_sight(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    world_run_s(world, 290);
    show_keys(world, i, "c");
    assert_string_equal(names_in_force(world, i), "a c"); /* b was never more than a guest */
    world_run_s(world, 290);
    assert_string_equal(names_in_force(world, i), "a c");
    world_run_s(world, 12);
    assert_string_equal(names_in_force(world, i), "c");
    world_free(world);
}

static void test_the_present_set_ends_the_waiting(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    world_run_s(world, 250);
    show_keys(world, i, "a");
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "a");
    world_run_s(world, 250);
    show_keys(world, i, "b");
    world_run_s(world, 290);
    assert_string_equal(names_in_force(world, i), "a b");
    show_keys(world, i, "a b"); /* and so does one that has a key in use */
    assert_held(world, i, NULL);
    assert_true(world_has_stored(world, i, keys_named("a b")));
    assert_int_equal(world->rows[i].log_rows, 2); /* the first one, and this */
    world_free(world);
}

static void test_an_administrator_orders_it(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    world_rotate(world, i, keys_named("b"));
    assert_true(order_believing(world, 1));
    world_run_ms(world, 50);
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "b");
    show_keys(world, i, "c"); /* the order was for that fetch alone */
    assert_held(world, i, "drops_keys_in_use");
    assert_true(order_believing(world, 1));
    world_run_ms(world, 50);
    assert_string_equal(names_in_force(world, i), "c");
    assert_false(order_believing(world, 99));
    world_free(world);
}

static void test_an_order_joins_a_fetch_under_way(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    world->servers[i].is_held = true;
    show_keys(world, i, "b");
    int asked = world->servers[i].asked;
    assert_true(order_believing(world, 1));
    world_release(world, i);
    assert_int_equal(world->servers[i].asked, asked);
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

static void test_an_order_ends_with_its_fetch(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    world->servers[i].is_down = true;
    assert_true(order_believing(world, 1));
    world_run_ms(world, 50);
    world->servers[i].is_down = false;
    show_keys(world, i, "b");
    assert_held(world, i, "drops_keys_in_use");
    world_free(world);
}

/* keys.max_age_s counts from when the issuer showed the keys: a set without them is no proof that they are good. */
static void test_what_holds_gets_no_younger(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    world->servers[i].is_down = true;
    int64_t until_s = world_record(world, i)->keys_until_s;
    world_run_s(world, until_s - world_now_s(world) - 120);
    world->servers[i].is_down = false;
    show_keys(world, i, "b");
    assert_held(world, i, "drops_keys_in_use");
    assert_int_equal(world_record(world, i)->keys_until_s, until_s);
    assert_in_range(world_status(world, i).next_fetch_s - until_s, 0, 2); /* sooner than in five minutes */
    world_run_s(world, until_s - world_now_s(world) + 3);
    assert_held(world, i, NULL); /* keys that count no more hold nothing up */
    assert_string_equal(names_in_force(world, i), "b");
    assert_true(world_record(world, i)->keys_until_s > world_now_s(world) + 604000);
    world_free(world);
}

static void test_a_restart_forgets_the_first_sight(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    world_run_s(world, 200);
    world_restart(world);
    assert_string_equal(names_in_force(world, i), "a"); /* as stored */
    world_run_s(world, 60);
    assert_held(world, i, "drops_keys_in_use");
    assert_string_equal(names_in_force(world, i), "a b");
    world_run_s(world, 230);
    assert_string_equal(names_in_force(world, i), "a b");
    world_run_s(world, 80);
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

static void test_an_outage_between_the_sights_is_no_sight(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    world->servers[i].is_down = true;
    world_run_s(world, 3600);
    assert_held(world, i, "drops_keys_in_use");
    assert_string_equal(names_in_force(world, i), "a b");
    world->servers[i].is_down = false;
    world_run_s(world, 331);
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

/* A cache that has kept a wrong document would show it twice. */
static void test_the_second_sight_passes_caches(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    world->servers[i].has_etags = world->servers[i].is_stuck = true;
    show_keys(world, i, "a");
    show_keys(world, i, "b");
    assert_false(world->servers[i].last.must_pass_caches);
    int unchanged = world->servers[i].unchanged;
    world_ask(world, i);
    world_run_s(world, 302);
    assert_true(world->servers[i].last.must_pass_caches);
    assert_int_equal(world->servers[i].unchanged, unchanged);
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

static void test_a_change_of_the_record_forgets_the_first_sight(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    show_keys(world, i, "b");
    world_run_s(world, 290);
    world_describe(world, i);
    world_run_s(world, 20);
    assert_string_equal(names_in_force(world, i), "a b");
    world_move(world, i); /* another source: there is nothing that could hold */
    world_run_s(world, 1);
    assert_held(world, i, NULL);
    assert_string_equal(names_in_force(world, i), "b");
    world_free(world);
}

/* Five keys of one kid are tried; with five guests of that kid no token of it would be. */
static void test_guests_do_not_crowd_out_those_that_hold(void **state)
{
    (void)state;
    static const char *const present[] = {"1", "2", "3", "4", "5"}, *const next[] = {"6", "7", "8", "9", "10"};
    size_t i;
    struct world *world = begin_bare(&i, "k");
    const char *jwks[2][5];
    for (size_t k = 0; k < 5; k++) {
        jwks[0][k] = mint_jwk(mint_key(mint_print("ed25519#%s", present[k])), "k", "EdDSA");
        jwks[1][k] = mint_jwk(mint_key(mint_print("ed25519#%s", next[k])), "k", "EdDSA");
    }
    world_rotate(world, i, mint_jwks_of(jwks[0], 5));
    assert_true(order_believing(world, 1));
    world_run_ms(world, 50);
    show_keys(world, i, "g");
    assert_string_equal(names_in_force(world, i), "g k k k k k");
    show_set(world, i, mint_jwks_of(jwks[1], 5));
    assert_held(world, i, "drops_keys_in_use");
    assert_string_equal(names_in_force(world, i), "k k k k k");
    assert_true(world_has_in_force(world, i, mint_jwks_of(jwks[0], 5)));
    world_run_s(world, 302);
    assert_true(world_has_in_force(world, i, mint_jwks_of(jwks[1], 5)));
    world_free(world);
}

/* Two hundred keys hold while each ask brings another one that is alone: preparing those again is paid for, too. */
static void test_those_that_hold_are_paid_for(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    const char *jwks[200];
    for (int k = 0; k < 200; k++)
        jwks[k] = mint_jwk(mint_key("ed25519#a"), mint_print("k%d", k), "EdDSA");
    world_rotate(world, i, mint_jwks_of(jwks, 200));
    assert_true(order_believing(world, 1));
    world_run_s(world, 60);
    world_rotate(world, i, keys_named("b"));
    world_ask(world, i);
    world_run_ms(world, 20);
    assert_held(world, i, "drops_keys_in_use");
    assert_int_equal(world->told[i].miss_ms, (201 - 16) * 16 - 1000 - 20);
    world_free(world);
}

/* An issuer that shows another set each time gets as many lines as changes have rows. */
static void test_lines_of_held_sets_are_bounded(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_bare(&i, "a");
    for (int k = 0; k < 100; k++)
        show_keys(world, i, mint_print("k%d", k));
    assert_int_equal(rely_keeper_count(world->keeper).held_back, 100);
    assert_int_equal(world->rows[i].log_rows, 1);
    assert_int_equal(world_count_lines(world, "keys_held_back"), 4);
    world_free(world);
}

int run_hold_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_without_present_keys_is_seen_twice),
        cmocka_unit_test(test_many_sights_within_five_minutes_are_one),
        cmocka_unit_test(test_which_keys_are_in_use),
        cmocka_unit_test(test_a_rotation_does_not_forget_who_is_in_use),
        cmocka_unit_test(test_a_restart_does_not_forget_when_a_key_came),
        cmocka_unit_test(test_new_keys_are_named),
        cmocka_unit_test(test_an_empty_set_is_seen_twice),
        cmocka_unit_test(test_only_an_empty_list_is_an_empty_set),
        cmocka_unit_test(test_another_set_is_another_first_sight),
        cmocka_unit_test(test_the_present_set_ends_the_waiting),
        cmocka_unit_test(test_an_administrator_orders_it),
        cmocka_unit_test(test_an_order_joins_a_fetch_under_way),
        cmocka_unit_test(test_an_order_ends_with_its_fetch),
        cmocka_unit_test(test_what_holds_gets_no_younger),
        cmocka_unit_test(test_a_restart_forgets_the_first_sight),
        cmocka_unit_test(test_an_outage_between_the_sights_is_no_sight),
        cmocka_unit_test(test_the_second_sight_passes_caches),
        cmocka_unit_test(test_a_change_of_the_record_forgets_the_first_sight),
        cmocka_unit_test(test_guests_do_not_crowd_out_those_that_hold),
        cmocka_unit_test(test_those_that_hold_are_paid_for),
        cmocka_unit_test(test_lines_of_held_sets_are_bounded),
    };
    return cmocka_run_group_tests_name("keeper: hold", tests, NULL, NULL);
}

/* Keys are in force first and stored second: a registry that fails, that is slow, and that is changed meanwhile. */
#include "tests.h"

#include "../mint/mint.h"

#include "relyd/snapshot.h"

static uint64_t unstored(const struct world *world)
{
    return rely_keeper_count(world->keeper).unstored;
}

static struct world *begin_stored(size_t *i)
{
    struct world *world = world_new();
    *i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 60);
    assert_true(world_has_stored(world, *i, world_jwks("a")));
    return world;
}

/* The issuer rotates, and a token misses the new key. */
static void rotate_and_ask(struct world *world, size_t i, const char *jwks)
{
    world_rotate(world, i, jwks);
    world_ask(world, i, false);
    world_run_s(world, 3);
    assert_true(world_has_in_force(world, i, jwks));
}

/* Fault B10: a full disk threw good keys away. */
static void test_b10_what_cannot_be_stored_is_in_force_and_tried_again(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    assert_true(world_has_stored(world, i, world_jwks("a")));
    assert_int_equal(unstored(world), 1);
    assert_string_equal(world_status(world, i).store_error, "the disk is full");
    world_run_s(world, 2000); /* the back-off grows to five minutes */
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 330);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(world_record(world, i)->keys_generation, world->rows[i].generation);
    assert_int_equal(world->snapshot->revision, world->revision);
    assert_int_equal(unstored(world), 0);
    assert_string_equal(world_status(world, i).store_error, "");
    assert_in_range(world_count_lines(world, "keys_not_stored"), 12, 15);
    world_free(world);
}

/* An issuer that changes its keys does not make the disk better: its time comes all the same. */
static void test_b10_news_are_no_reason_to_try_sooner(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    world_run_s(world, 100);
    for (int k = 0; k < 20; k++)
        rotate_and_ask(world, i, world_jwks(k % 2 == 0 ? "c" : "d"));
    assert_int_equal(unstored(world), 1);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 330);
    assert_true(world_has_stored(world, i, world_jwks("d")));
    assert_int_equal(world->rows[i].log_rows, 2);
    assert_int_equal(world->rows[i].merged, 20);
    assert_in_range(world_count_lines(world, "keys_not_stored"), 5, 9);
    world_free(world);
}

/* Fault B12: of one issuer 4 rows of the change log at once, 12 an hour; what is left out is counted in the next. */
static void test_b12_rows_and_lines_are_bounded(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    for (int k = 0; k < 1200; k++)
        rotate_and_ask(world, i, world_jwks(mint_print("k%d", k)));
    assert_in_range(world->rows[i].log_rows, 11, 12); /* an hour */
    assert_int_equal(unstored(world), 1);
    world_run_s(world, 450);
    assert_int_equal(unstored(world), 0);
    assert_true(world_has_stored(world, i, world_jwks("k1199")));
    assert_int_equal((uint64_t)world->rows[i].log_rows + world->rows[i].merged, 1201);
    assert_in_range(world_count_lines(world, "keys_accepted"), 11, 12);
    world_free(world);
}

/* Only other keys are a change, however the document is written. */
static void test_b12_the_same_keys_in_another_document_are_no_news(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    uint64_t edition = world_record(world, i)->edition;
    world_rotate(world, i, mint_print("{ \"keys\" : %s", world_jwks("a") + strlen("{\"keys\":")));
    world_ask(world, i, false);
    world_run_s(world, 10);
    assert_int_equal(world->rows[i].log_rows, 1);
    assert_int_equal(world_record(world, i)->edition, edition);
    assert_int_equal(world_count_lines(world, "keys_accepted"), 1);
    world_free(world);
}

/* --- a registry on a thread of its own ----------------------------------------------------------------------- */

static void test_what_comes_while_it_stores_is_stored_next(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    rotate_and_ask(world, i, world_jwks("c"));
    rotate_and_ask(world, i, world_jwks("d"));
    assert_true(world_has_stored(world, i, world_jwks("b"))); /* one is under way */
    assert_int_equal(unstored(world), 1);
    world->are_stores_held = false;
    world_answer_stores(world);
    assert_true(world_has_stored(world, i, world_jwks("d")));
    assert_true(world_has_in_force(world, i, world_jwks("d")));
    assert_int_equal(world_record(world, i)->keys_generation, world->rows[i].generation);
    assert_int_equal(world->rows[i].log_rows, 3);
    assert_int_equal(world->rows[i].merged, 1); /* c */
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

static void test_a_slow_disk_that_fails_is_tried_again_with_the_newest(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    rotate_and_ask(world, i, world_jwks("c"));
    world->are_stores_held = false;
    world->store_fault = RELY_ERR_NONE;
    world_answer_stores(world);
    assert_true(world_has_stored(world, i, world_jwks("a")));
    world_run_s(world, 3);
    assert_true(world_has_stored(world, i, world_jwks("c")));
    assert_int_equal(world->rows[i].merged, 1); /* b */
    world_free(world);
}

/* A description that was written meanwhile is no reason to lose the keys: they are stored for the new record. */
static void test_b10_a_change_of_the_record_does_not_lose_what_waits(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    world_describe(world, i);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 3);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

/* The same when the registry had the description first, and the keeper hears of both afterwards. */
static void test_b10_a_change_that_overtakes_storing_does_not_lose_keys(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world_describe_in_registry(world, i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    assert_true(world_has_stored(world, i, world_jwks("a"))); /* refused: it was for the record before */
    world->servers[i].is_held = true;
    world_show(world, i);
    world->are_stores_held = false;
    world_answer_stores(world);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

/* Keys of a source that was withdrawn are not stored, nor come back. */
static void test_a4_another_source_drops_what_waits(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    world->store_fault = RELY_ERR_NONE;
    world->servers[i].is_held = true;
    world_move(world, i);
    assert_int_equal(unstored(world), 0);
    assert_null(world_record(world, i)->keyset);
    world_run_s(world, 1000);
    assert_null(world->rows[i].jwks);
    world_free(world);
}

static void test_a4_what_is_stored_for_a_withdrawn_source_is_forgotten(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    world->servers[i].is_held = true;
    world_move(world, i);
    world_release(world, i); /* the new source has its keys at once, and they wait behind what is stored */
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    assert_null(world->rows[i].jwks);
    world->are_stores_held = false;
    world_answer_stores(world);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(world->rows[i].merged, 0);
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

static void test_an_issuer_may_go_while_its_keys_are_stored(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    world_remove(world, i);
    assert_int_equal(unstored(world), 0);
    world_answer_stores(world);
    assert_null(world_record(world, i));
    world_free(world);
}

/* --- the end ----------------------------------------------------------------------------------------------- */

static void test_b12_what_waits_is_stored_at_the_end(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    for (int k = 0; k < 7; k++)
        rotate_and_ask(world, i, world_jwks(k % 2 == 0 ? "b" : "a"));
    assert_true(world_has_stored(world, i, world_jwks("b")));
    rotate_and_ask(world, i, world_jwks("c"));
    assert_int_equal(unstored(world), 1);
    world->servers[i].is_held = true;
    world_ask(world, i, false); /* and a fetch is under way */
    world_restart(world);
    assert_true(world_has_stored(world, i, world_jwks("c")));
    assert_true(world_has_in_force(world, i, world_jwks("c")));
    assert_int_equal(world_count_lines(world, "keys_not_stored"), 0);
    world_free(world);
}

static void test_b10_what_is_lost_at_the_end_is_said(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    rotate_and_ask(world, i, world_jwks("c"));
    world->store_fault = RELY_ERR_IO;
    assert_int_equal(world_count_lines(world, "keys_not_stored"), 1); /* b was stored, c was not */
    assert_true(world_has_stored(world, i, world_jwks("b")));
    world_free(world);
}

int run_store_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_b10_what_cannot_be_stored_is_in_force_and_tried_again),
        cmocka_unit_test(test_b10_news_are_no_reason_to_try_sooner),
        cmocka_unit_test(test_b12_rows_and_lines_are_bounded),
        cmocka_unit_test(test_b12_the_same_keys_in_another_document_are_no_news),
        cmocka_unit_test(test_what_comes_while_it_stores_is_stored_next),
        cmocka_unit_test(test_a_slow_disk_that_fails_is_tried_again_with_the_newest),
        cmocka_unit_test(test_b10_a_change_of_the_record_does_not_lose_what_waits),
        cmocka_unit_test(test_b10_a_change_that_overtakes_storing_does_not_lose_keys),
        cmocka_unit_test(test_a4_another_source_drops_what_waits),
        cmocka_unit_test(test_a4_what_is_stored_for_a_withdrawn_source_is_forgotten),
        cmocka_unit_test(test_an_issuer_may_go_while_its_keys_are_stored),
        cmocka_unit_test(test_b12_what_waits_is_stored_at_the_end),
        cmocka_unit_test(test_b10_what_is_lost_at_the_end_is_said),
    };
    return cmocka_run_group_tests_name("keeper: storing", tests, NULL, NULL);
}

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
static void rotate_within_ms(struct world *world, size_t i, const char *jwks, int64_t ms)
{
    world_rotate(world, i, jwks);
    world_ask(world, i);
    world_run_ms(world, ms);
    assert_true(world_has_in_force(world, i, jwks));
}

static void rotate_and_ask(struct world *world, size_t i, const char *jwks)
{
    rotate_within_ms(world, i, jwks, 3000);
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
    rotate_and_ask(world, i, world_jwks("last"));
    int lines = world_count_lines(world, "keys_accepted");
    assert_in_range(lines, 12, 13);
    assert_int_equal(lines + world_count_left_out(world), 1202); /* each line says those since the line before */
    world_free(world);
}

/* Only other keys are a change, however the document is written. */
static void test_b12_the_same_keys_in_another_document_are_no_news(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    uint64_t edition = world_record(world, i)->edition;
    world_rotate(world, i,
                 mint_print("{ \"keys\" : %s", world_published(world, i, world_jwks("a")) + strlen("{\"keys\":")));
    world_ask(world, i);
    world_run_s(world, 10);
    assert_int_equal(world->rows[i].log_rows, 1);
    assert_int_equal(world_record(world, i)->edition, edition);
    world_run_s(world, 12 * 3600); /* nor when the age of the stored set is noted */
    assert_int_equal(world->rows[i].log_rows, 1);
    assert_true(world->rows[i].refreshed > 0);
    assert_true(world_has_stored(world, i, world_jwks("a")));
    assert_int_equal(world_count_lines(world, "keys_accepted"), 1);
    world_free(world);
}

/* What waits to be stored grows no older than the keys are: they have been fetched again since. */
static void test_b10_what_waits_is_as_young_as_the_last_fetch(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->store_fault = RELY_ERR_IO;
    rotate_and_ask(world, i, world_jwks("b"));
    int64_t rotated_s = world_record(world, i)->keys_fetched_s;
    world_run_s(world, 6 * 3600);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 330);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_true(world->rows[i].fetched_s > rotated_s);
    assert_int_equal(world->rows[i].fetched_s, world_record(world, i)->keys_fetched_s);
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

/* --- answers and records in any order ------------------------------------------------------------------------- */

/* A set that was stored for the record before says nothing of the one that is pending: neither that it is stored, nor
 * which generation it has. */
static void test_a4_an_answer_for_the_record_before_is_none_for_this_one(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world->are_stores_held = true;
    rotate_and_ask(world, i, world_jwks("b"));
    world_move(world, i); /* b was stored before, and its answer comes now */
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    uint64_t generation = world->rows[i].generation;
    world->store_fault = RELY_ERR_IO;
    world->are_stores_held = false;
    world_answer_stores(world);
    assert_null(world->rows[i].jwks);
    assert_int_equal(unstored(world), 1);
    assert_int_equal(world_record(world, i)->keys_generation, generation);
    world_describe(world, i); /* with another generation the keys would be lost here */
    assert_int_equal(unstored(world), 1);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 5);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

/* A write that the keeper has not heard of refuses the set. It is stored for the new record when that comes. */
static void test_b10_a_refusal_before_the_write_is_known_loses_no_keys(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world_describe_in_registry(world, i);
    rotate_within_ms(world, i, world_jwks("b"), 1000);
    assert_true(world_has_stored(world, i, world_jwks("a")));
    assert_int_equal(unstored(world), 1);
    assert_string_equal(world_status(world, i).store_error, ""); /* no fault of the disk's */
    world->servers[i].is_held = true;
    world_show(world, i);
    assert_true(world_has_stored(world, i, world_jwks("b"))); /* at once */
    assert_int_equal(unstored(world), 0);
    assert_int_equal(world_record(world, i)->keys_generation, world->rows[i].generation);
    assert_int_equal(world_count_lines(world, "keys_not_stored"), 0);
    world_free(world);
}

/* The commit of that write fails: the record is the one before again, and nobody tells the keeper so. */
static void test_b10_a_refusal_because_of_a_write_that_is_undone(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    uint64_t revision = world->rows[i].revision;
    world_describe_in_registry(world, i);
    rotate_within_ms(world, i, world_jwks("b"), 1000);
    world->rows[i].revision = revision;
    world_run_s(world, 3);
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(unstored(world), 0);
    assert_int_equal(world_count_lines(world, "keys_not_stored"), 0);
    world_free(world);
}

/* A hand has changed the row: refused for good, which is said from the second time on. */
static void test_b10_a_refusal_that_no_write_explains_is_said(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world_describe_in_registry(world, i);
    rotate_and_ask(world, i, world_jwks("b"));
    world_run_s(world, 1000);
    assert_int_equal(unstored(world), 1);
    assert_string_equal(world_status(world, i).store_error, "another record");
    assert_in_range(world_count_lines(world, "keys_not_stored"), 9, 11); /* after 2, 2, 4, 8 ... 256, 300 s */
    world_free(world);
}

/* Keys of a source that is being withdrawn: the write is not acknowledged, and they go when it is shown. */
static void test_a4_a_refusal_because_of_another_source_drops_the_keys(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world_move_in_registry(world, i);
    rotate_and_ask(world, i, world_jwks("evil"));
    assert_null(world->rows[i].jwks);
    world->servers[i].is_held = true;
    world_show(world, i);
    assert_null(world_record(world, i)->keyset);
    assert_int_equal(unstored(world), 0);
    world_run_s(world, 1000);
    assert_null(world->rows[i].jwks);
    world_free(world);
}

static void test_a_refusal_because_the_issuer_is_gone(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_stored(&i);
    world_remove_in_registry(world, i);
    rotate_and_ask(world, i, world_jwks("b"));
    assert_int_equal(unstored(world), 1);
    world_show(world, i);
    assert_int_equal(unstored(world), 0);
    assert_int_equal(world->timers.count, 0);
    world_free(world);
}

/* d: the registry does what it was given; a: it answers; w, m: it has a new description, another source; s: that is
 * shown; f: the issuer has another key. */
static void run_letter(struct world *world, size_t i, char letter, int step)
{
    if (letter == 'd')
        world_do_stores(world);
    else if (letter == 'a')
        (void)world_answer_store(world);
    else if (letter == 'w')
        world_describe_in_registry(world, i);
    else if (letter == 'm')
        world_move_in_registry(world, i);
    else if (letter == 's')
        world_show(world, i);
    else
        world_rotate(world, i, world_jwks(mint_print("f%d", step)));
    if (letter == 'f')
        world_ask(world, i);
}

static void run_order(const char *letters)
{
    size_t i;
    bool is_moved = false;
    struct world *world = begin_stored(&i);
    world->is_disk_hanging = true;
    for (int step = 0; letters[step] != '\0'; step++) {
        run_letter(world, i, letters[step], step);
        if (letters[step] == 's' && is_moved)
            assert_null(world_record(world, i)->keyset); /* nothing of the source before is in force */
        is_moved = letters[step] == 'm' || (is_moved && letters[step] != 's');
        world_run_ms(world, 100);
        assert_true(unstored(world) <= 1);
    }
    world->is_disk_hanging = false;
    world_answer_stores(world);
    world_show(world, i);
    world_run_s(world, 500); /* a fifth row of the change log waits for its time */
    bool is_good = world_has_in_force(world, i, world->servers[i].jwks) &&
                   world_has_stored(world, i, world->servers[i].jwks) && unstored(world) == 0 &&
                   world_record(world, i)->keys_generation == world->rows[i].generation;
    if (!is_good)
        fail_msg("what is stored is not what is in force after %s", letters);
    assert_true(world->most_stores == 1); /* of one issuer */
    assert_int_equal(world_count_lines(world, "keys_not_stored"), 0);
    world_free(world);
}

/* Whatever comes first, in the end what is in force is stored, and keys of another source never are. */
static void test_every_order_of_storing_and_writing(void **state)
{
    (void)state;
    static const char letters[] = "dawmsf";
    char order[6] = "f....";
    for (int n = 0; n < 6 * 6 * 6 * 6; n++) {
        for (int k = 0, rest = n; k < 4; k++, rest /= 6)
            order[1 + k] = letters[rest % 6];
        run_order(order);
    }
}

/* --- turns ----------------------------------------------------------------------------------------------------- */

#define CROWD 20

/* So many issuers rotate while the disk hangs, the last one first. */
static struct world *begin_crowd(void)
{
    struct world *world = world_new();
    for (size_t i = 0; i < CROWD; i++)
        world_add(world, RELY_KEYS_JWKS_URI, world_jwks(mint_print("a%zu", i)));
    world_start(world);
    world_run_s(world, 120);
    assert_int_equal(world->handed_over_count, CROWD);
    world->handed_over_count = world->most_stores = 0;
    world->is_disk_hanging = true;
    for (size_t i = CROWD; i-- > 0;)
        rotate_and_ask(world, i, world_jwks(mint_print("b%zu", i)));
    return world;
}

static void test_few_sets_are_handed_over_at_a_time_in_order(void **state)
{
    (void)state;
    struct world *world = begin_crowd();
    assert_int_equal(world->handed_over_count, RELY_STORINGS_MAX);
    assert_int_equal(unstored(world), CROWD);
    world_run_s(world, 1000);
    assert_int_equal(world->handed_over_count, RELY_STORINGS_MAX);
    rotate_and_ask(world, 3, world_jwks("newest")); /* keeps its place */
    world_remove(world, 2);
    assert_true(world_answer_store(world));
    assert_int_equal(world->handed_over_count, RELY_STORINGS_MAX + 1);
    world_answer_stores(world);
    assert_int_equal(world->handed_over_count, CROWD - 1);
    for (size_t n = 0, i = CROWD; i-- > 0;)
        if (i != 2)
            assert_int_equal(world->handed_over[n++], i);
    assert_int_equal(world->most_stores, RELY_STORINGS_MAX);
    assert_int_equal(unstored(world), 0);
    assert_true(world_has_stored(world, 3, world_jwks("newest")));
    assert_int_equal(world->rows[3].merged, 1);
    assert_true(world_has_stored(world, 0, world_jwks("b0")));
    world_free(world);
}

/* Nor does a disk that fails let more than that through; and who is tried again goes behind the others. */
static void test_a_failure_gives_its_turn_away(void **state)
{
    (void)state;
    struct world *world = begin_crowd();
    world->store_fault = RELY_ERR_IO;
    world_answer_stores(world);
    assert_int_equal(world->handed_over_count, CROWD);
    assert_int_equal(world->handed_over[CROWD - 1], 0);
    world->store_fault = RELY_ERR_NONE;
    world_run_s(world, 3);
    world_answer_stores(world);
    assert_int_equal(unstored(world), 0);
    assert_int_equal(world->most_stores, RELY_STORINGS_MAX);
    world_free(world);
}

/* A registry that answers at once is asked one after the other, not one within the other. */
static void test_answers_that_come_at_once_do_not_nest(void **state)
{
    (void)state;
    struct world *world = begin_crowd();
    world->is_disk_hanging = false;
    assert_true(world_answer_store(world));
    assert_int_equal(world->handed_over_count, CROWD);
    assert_int_equal(world->most_stores, RELY_STORINGS_MAX);
    world_answer_stores(world);
    assert_int_equal(unstored(world), 0);
    world_free(world);
}

static void test_b12_at_the_end_nobody_waits_for_a_turn(void **state)
{
    (void)state;
    struct world *world = begin_crowd();
    world_stop(world);
    assert_int_equal(world->handed_over_count, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        assert_true(world_has_stored(world, i, world_jwks(mint_print("b%zu", i))));
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
    world_ask(world, i); /* and a fetch is under way */
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
        cmocka_unit_test(test_b10_what_waits_is_as_young_as_the_last_fetch),
        cmocka_unit_test(test_what_comes_while_it_stores_is_stored_next),
        cmocka_unit_test(test_a_slow_disk_that_fails_is_tried_again_with_the_newest),
        cmocka_unit_test(test_b10_a_change_of_the_record_does_not_lose_what_waits),
        cmocka_unit_test(test_b10_a_change_that_overtakes_storing_does_not_lose_keys),
        cmocka_unit_test(test_a4_another_source_drops_what_waits),
        cmocka_unit_test(test_a4_what_is_stored_for_a_withdrawn_source_is_forgotten),
        cmocka_unit_test(test_an_issuer_may_go_while_its_keys_are_stored),
        cmocka_unit_test(test_a4_an_answer_for_the_record_before_is_none_for_this_one),
        cmocka_unit_test(test_b10_a_refusal_before_the_write_is_known_loses_no_keys),
        cmocka_unit_test(test_b10_a_refusal_because_of_a_write_that_is_undone),
        cmocka_unit_test(test_b10_a_refusal_that_no_write_explains_is_said),
        cmocka_unit_test(test_a4_a_refusal_because_of_another_source_drops_the_keys),
        cmocka_unit_test(test_a_refusal_because_the_issuer_is_gone),
        cmocka_unit_test(test_every_order_of_storing_and_writing),
        cmocka_unit_test(test_few_sets_are_handed_over_at_a_time_in_order),
        cmocka_unit_test(test_a_failure_gives_its_turn_away),
        cmocka_unit_test(test_answers_that_come_at_once_do_not_nest),
        cmocka_unit_test(test_b12_at_the_end_nobody_waits_for_a_turn),
        cmocka_unit_test(test_b12_what_waits_is_stored_at_the_end),
        cmocka_unit_test(test_b10_what_is_lost_at_the_end_is_said),
    };
    return cmocka_run_group_tests_name("keeper: storing", tests, NULL, NULL);
}

/* Keys in files: how often they are looked at, what a look costs, and that all else is as with what is fetched. */
#include "tests.h"

#include "../mint/mint.h"

#include "relyd/key_orders.h"
#include "relyd/snapshot.h"

#define DAY_S 86400
/* The longest time from one look to the next. */
#define LOOK_S 11

static struct world *begin_file(size_t *i, const char *jwks)
{
    struct world *world = world_new();
    *i = world_add(world, RELY_KEYS_FILE, jwks);
    world->servers[*i].has_etags = true;
    world_start(world);
    world_run_s(world, 1);
    return world;
}

/* Nobody's word is needed, and a file that nobody has written is not read again. */
static void a_change_is_seen_soon(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_run_s(world, 600);
    assert_true(world->servers[i].asked >= 600 / LOOK_S && world->servers[i].asked <= 600 / 9 + 2);
    assert_int_equal(world->servers[i].asked_whole, 1);
    assert_int_equal(world->servers[i].unchanged, world->servers[i].asked - 1);
    world_rotate(world, i, world_jwks("b"));
    world_run_s(world, LOOK_S);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    assert_true(world_has_stored(world, i, world_jwks("b")));
    assert_int_equal(world->servers[i].asked_whole, 1); /* the change was found by its tag */
    world_free(world);
}

/* Once in a while it is read in any case: a file system may have told the same of another file. */
static void it_is_read_in_the_end(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    world->servers[i].is_stuck = true;
    world_rotate(world, i, world_jwks("b"));
    world_run_s(world, 60);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_run_s(world, 3600);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_free(world);
}

/* One that is gone is looked for as often, and said once; what is in force holds until it is too old. */
static void one_that_is_gone(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    world->servers[i].is_down = true;
    world_run_s(world, DAY_S);
    int asked = world->servers[i].asked;
    assert_true(asked >= DAY_S / LOOK_S);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    assert_true(world_record(world, i)->keys_until_s > world_now_s(world));
    world_run_s(world, 6 * DAY_S);
    assert_true(world_record(world, i)->keys_until_s < world_now_s(world));
    world->servers[i].is_down = false;
    world_run_s(world, LOOK_S);
    assert_true(world_record(world, i)->keys_until_s > world_now_s(world));
    world->servers[i].is_down = true;
    world_run_s(world, 60);
    assert_int_equal(world_count_lines(world, "key_fetch_failed"), 2);
    world_free(world);
}

/* Its age is that of the last look. */
static void it_stays_young(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    world_run_s(world, 9 * DAY_S);
    assert_true(world_now_s(world) - world_record(world, i)->keys_fetched_s <= 60 + LOOK_S);
    assert_int_equal(world->rows[i].log_rows, 1);
    world_restart(world);
    world_run_s(world, 1);
    assert_true(world_has_in_force(world, i, world_jwks("a")));
    world_free(world);
}

static void look_by_order(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    size_t other = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("c"));
    world_run_s(world, 1);
    int asked = world->servers[i].asked, others = world->servers[other].asked;
    rely_keeper_look_at_files(world->keeper);
    world_run_ms(world, 100);
    assert_int_equal(world->servers[i].asked, asked + 1);
    assert_int_equal(world->servers[other].asked, others); /* it is no file */
    world->servers[i].is_held = true;
    rely_keeper_look_at_files(world->keeper);
    world_run_ms(world, 0);
    world_rotate(world, i, world_jwks("b"));
    rely_keeper_look_at_files(world->keeper); /* while one look is under way, and perhaps too early */
    world->servers[i].latency_ms = 0;
    world_release(world, i);
    world_run_ms(world, 100);
    assert_int_equal(world->servers[i].asked, asked + 3);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_free(world);
}

/* Held back as when it is fetched; read again meanwhile, and mended at once. */
static void a_set_that_drops_every_key(void **state)
{
    (void)state;
    size_t i;
    struct world *world = begin_file(&i, world_jwks("a"));
    world->servers[i].is_bare = true;
    world_rotate(world, i, world_jwks("b"));
    world_run_s(world, LOOK_S);
    assert_string_equal(world_status(world, i).held_why, "drops_keys_in_use");
    world_run_s(world, 270);
    assert_string_equal(world_status(world, i).held_why, "drops_keys_in_use");
    world_run_s(world, 40);
    assert_null(world_status(world, i).held_why);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_free(world);
}

static void what_is_no_pem(void **state)
{
    (void)state;
    static const char *const rows[] = {"-----BEGIN PUBLIC KEY-----\nAAAA",
                                       "-----BEGIN NOTHING-----\n-----END NOTHING-----\n", "words -----BEGIN ",
                                       " \t\r\n", "no key at all"};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        size_t i;
        struct world *world = begin_file(&i, rows[k]);
        struct rely_key_status status = world_status(world, i);
        assert_non_null(strstr(status.last_error, k < 3 ? "file keys-0 in keys.folder: " : "key set at file:keys-0: "));
        assert_null(world_record(world, i)->keyset);
        world_free(world);
    }
}

int run_file_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_seen_soon), cmocka_unit_test(it_is_read_in_the_end),
        cmocka_unit_test(one_that_is_gone),      cmocka_unit_test(it_stays_young),
        cmocka_unit_test(look_by_order),         cmocka_unit_test(a_set_that_drops_every_key),
        cmocka_unit_test(what_is_no_pem),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

/* What is said of an issuer, and since when: a fetch that fails, keys that grow too old, a record that changes. */
#include "tests.h"

#include "relyd/snapshot.h"

static struct rely_issuer_conditions conditions_of(struct world *world, size_t i)
{
    struct rely_issuer_conditions found;
    assert_true(rely_keeper_conditions(world->keeper, (int64_t)i + 1, &found));
    return found;
}

static void expect_cause(const struct rely_issuer_conditions *found, enum rely_condition condition,
                         enum rely_cause cause)
{
    if (found->items[condition].cause != cause)
        fail_msg("%s is %s, not %s", rely_condition_word(condition), rely_cause_word(found->items[condition].cause),
                 rely_cause_word(cause));
}

static int64_t since(const struct rely_issuer_conditions *found, enum rely_condition condition)
{
    return found->items[condition].since_s;
}

static void test_since_the_first_fetch(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    world->servers[i].is_held = true;
    world_start(world);
    int64_t start_s = world_now_s(world);
    world_run_s(world, 5);
    struct rely_issuer_conditions found = conditions_of(world, i);
    for (int condition = 0; condition < RELY_CONDITION_READY; condition++) {
        expect_cause(&found, (enum rely_condition)condition, RELY_CAUSE_NOT_ASKED);
        assert_int_equal(since(&found, (enum rely_condition)condition), start_s);
    }
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_NOT_READY);
    world->servers[i].is_held = false;
    world_release(world, i);
    world_run_s(world, 1);
    int64_t read_s = world_now_s(world);
    world_run_s(world, 100000); /* fetched often meanwhile */
    found = conditions_of(world, i);
    for (int condition = 0; condition < RELY_CONDITION_COUNT; condition++) {
        assert_int_equal(rely_cause_status(found.items[condition].cause), RELY_CONDITION_TRUE);
        assert_in_range(since(&found, (enum rely_condition)condition), read_s - 2, read_s);
    }
    world_free(world);
}

static void test_an_outage_until_keys_are_too_old(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_max_age_s = 7200;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1);
    struct rely_issuer_conditions found = conditions_of(world, i);
    int64_t ready_s = since(&found, RELY_CONDITION_READY);
    world->servers[i].is_down = true;
    world_run_s(world, 4000);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TLS_TRUSTED, RELY_CAUSE_TRUSTED);
    expect_cause(&found, RELY_CONDITION_DISCOVERY_READ, RELY_CAUSE_NOT_NEEDED);
    expect_cause(&found, RELY_CONDITION_KEYS_READ, RELY_CAUSE_SERVER_ERROR);
    expect_cause(&found, RELY_CONDITION_KEYS_USABLE, RELY_CAUSE_NOT_REACHED);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_IS_READY);
    assert_string_equal(found.items[RELY_CONDITION_KEYS_READ].measured, "keys of issuer issuer-0: answered 503");
    assert_int_equal(since(&found, RELY_CONDITION_READY), ready_s);
    int64_t failed_s = since(&found, RELY_CONDITION_KEYS_READ), until_s = world_record(world, i)->keys_until_s;
    world_run_s(world, 86400);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_NOT_READY);
    assert_int_equal(since(&found, RELY_CONDITION_KEYS_READ), failed_s); /* it has failed ever since */
    assert_int_equal(since(&found, RELY_CONDITION_READY), until_s + 1);
    world->servers[i].is_down = false;
    world_run_s(world, 400);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_IS_READY);
    assert_in_range(since(&found, RELY_CONDITION_READY), world_now_s(world) - 400, world_now_s(world));
    world_free(world);
}

/* What is known of them before anything is fetched. */
static void test_stored_keys_that_are_too_old(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->config.key_max_age_s = 7200;
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1);
    world->servers[i].is_held = true;
    world_step_clock(world, 86400);
    world_restart(world);
    world_run_s(world, 1);
    struct rely_issuer_conditions found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_KEYS_READ, RELY_CAUSE_NOT_ASKED);
    expect_cause(&found, RELY_CONDITION_KEYS_USABLE, RELY_CAUSE_TOO_OLD);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_NOT_READY);
    world_free(world);
}

static void test_a_record_that_is_disabled(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1);
    struct rely_issuer_conditions before = conditions_of(world, i), found;
    world_run_s(world, 50);
    world_disable(world, i, true);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_DISABLED);
    assert_int_equal(since(&found, RELY_CONDITION_READY), world_now_s(world));
    assert_int_equal(since(&found, RELY_CONDITION_KEYS_READ), since(&before, RELY_CONDITION_KEYS_READ));
    world_remove(world, i);
    world_run_s(world, 1);
    assert_false(rely_keeper_conditions(world->keeper, (int64_t)i + 1, &found));
    assert_false(rely_keeper_conditions(world->keeper, 99, &found));
    world_free(world);
}

static void test_failures_are_counted_by_their_cause(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    world->servers[i].document = "{\"issuer\":\"https://elsewhere.example\"}";
    world_start(world);
    world_run_s(world, 1);
    const struct rely_keeper_counts counts = rely_keeper_count(world->keeper);
    assert_int_equal(counts.failed_by[RELY_CAUSE_OTHER_ISSUER], counts.fetches_failed);
    assert_true(counts.fetches_failed > 0);
    world_free(world);
}

int run_condition_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_since_the_first_fetch),
        cmocka_unit_test(test_an_outage_until_keys_are_too_old),
        cmocka_unit_test(test_stored_keys_that_are_too_old),
        cmocka_unit_test(test_a_record_that_is_disabled),
        cmocka_unit_test(test_failures_are_counted_by_their_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

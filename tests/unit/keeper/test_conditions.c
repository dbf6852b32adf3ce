/* What is said of an issuer, and since when: a fetch that fails, keys that grow too old, a record that changes. */
#include "tests.h"

#include "relyd/key_orders.h"
#include "relyd/snapshot.h"
#include "relyd/traffic.h"

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
    for (int condition = 0; condition < RELY_CONDITION_TOKENS_SEEN; condition++) {
        expect_cause(&found, (enum rely_condition)condition, RELY_CAUSE_NOT_ASKED);
        assert_int_equal(since(&found, (enum rely_condition)condition), start_s);
    }
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_NOT_REACHED);
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_NOT_READY);
    world->servers[i].is_held = false;
    world_release(world, i);
    world_run_s(world, 1);
    int64_t read_s = world_now_s(world);
    world_run_s(world, 100000); /* fetched often meanwhile */
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_NONE_YET);
    for (int condition = 0; condition < RELY_CONDITION_COUNT; condition++) {
        if (condition == RELY_CONDITION_TOKENS_SEEN)
            continue;
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

static const char *measured_of_tokens(const struct rely_issuer_conditions *found)
{
    const char *measured = found->items[RELY_CONDITION_TOKENS_SEEN].measured;
    return measured == NULL ? "" : measured;
}

/* Whatever becomes of tokens, Ready says whether they are checked. */
static void test_what_is_seen_of_tokens(void **state)
{
    (void)state;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    struct rely_traffic *traffic = world->rows[i].traffic;
    world_start(world);
    world_run_s(world, 1);
    struct rely_issuer_conditions found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_NONE_YET);
    assert_string_equal(measured_of_tokens(&found), "");
    world_run_s(world, 50);
    int64_t refused_s = world_now_s(world);
    rely_traffic_note_refused(traffic, RELY_BAD_SIGNATURE, false, refused_s);
    world_run_s(world, 50);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_ONLY_REFUSED);
    assert_int_equal(since(&found, RELY_CONDITION_TOKENS_SEEN), refused_s);
    assert_string_equal(measured_of_tokens(&found),
                        "none was let in; a key of the set in force has signed none of them");
    rely_traffic_note_refused(traffic, RELY_EXPIRED, true, world_now_s(world));
    found = conditions_of(world, i);
    assert_string_equal(measured_of_tokens(&found),
                        "none was let in; the last one that a key of the set has signed was refused as expired");
    rely_traffic_note_allowed(traffic, world_now_s(world));
    int64_t allowed_s = world_now_s(world);
    world_run_s(world, 50);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_SEEN);
    assert_int_equal(since(&found, RELY_CONDITION_TOKENS_SEEN), allowed_s);
    assert_string_equal(measured_of_tokens(&found), "");
    rely_traffic_note_issued(traffic, 5, world_now_s(world));
    int64_t ahead_s = world_now_s(world);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_CLOCK_SKEW);
    assert_int_equal(since(&found, RELY_CONDITION_TOKENS_SEEN), ahead_s);
    assert_string_equal(measured_of_tokens(&found),
                        "`iat` of its tokens is up to 5 s ahead; the record's leewaySeconds is 0");
    expect_cause(&found, RELY_CONDITION_READY, RELY_CAUSE_IS_READY);
    world_run_s(world, 10800); /* nothing more is heard of it */
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_SEEN);
    assert_in_range(since(&found, RELY_CONDITION_TOKENS_SEEN), ahead_s + 3600, world_now_s(world));
    world_disable(world, i, true);
    found = conditions_of(world, i);
    expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, RELY_CAUSE_NOT_REACHED);
    world_free(world);
}

/* Rounded seconds are no skew; near the leeway less is one than far from it. */
static void test_which_clocks_are_ahead(void **state)
{
    static const struct {
        int leeway_s, ahead_s;
        enum rely_cause cause;
    } cases[] = {{0, 1, RELY_CAUSE_SEEN},    {0, 2, RELY_CAUSE_CLOCK_SKEW}, {3, 2, RELY_CAUSE_CLOCK_SKEW},
                 {4, 2, RELY_CAUSE_SEEN},    {60, 4, RELY_CAUSE_SEEN},      {60, 5, RELY_CAUSE_CLOCK_SKEW},
                 {60, -900, RELY_CAUSE_SEEN}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct world *world = world_new();
        size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
        world->rows[i].leeway_s = cases[k].leeway_s;
        world_show(world, i);
        world_start(world);
        world_run_s(world, 1);
        rely_traffic_note_allowed(world->rows[i].traffic, world_now_s(world));
        rely_traffic_note_issued(world->rows[i].traffic, cases[k].ahead_s, world_now_s(world));
        struct rely_issuer_conditions found = conditions_of(world, i);
        expect_cause(&found, RELY_CONDITION_TOKENS_SEEN, cases[k].cause);
        world_free(world);
    }
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

/* --- orders ------------------------------------------------------------------------------------------------ */

/* Who waits, and what he was told. */
struct orderer {
    struct rely_key_waiter waiter; /* first */
    int told;
    struct rely_refreshed came;
};

static void note_told(struct rely_key_waiter *waiter, const struct rely_refreshed *came)
{
    struct orderer *orderer = (struct orderer *)waiter;
    orderer->told++;
    orderer->came = *came;
}

static void order(struct world *world, size_t i, struct orderer *orderer)
{
    struct rely_err err = {0};
    *orderer = (struct orderer){.waiter = {.done = note_told}};
    bool is_taken = rely_keeper_order(world->keeper, (int64_t)i + 1, &orderer->waiter, &err);
    assert_string_equal(err.message, "");
    assert_true(is_taken);
}

static void test_an_order_is_fetched_at_once_and_whole(void **state)
{
    (void)state;
    struct orderer first, second;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_DISCOVERY, world_jwks("a"));
    world->servers[i].has_etags = world->servers[i].is_bare = true;
    world->servers[i].latency_ms = 20;
    world_start(world);
    world_run_s(world, 10);
    int asked = world->servers[i].asked_whole;
    order(world, i, &first);
    assert_int_equal(first.told, 0); /* never before it returns */
    world_run_ms(world, 10);
    order(world, i, &second); /* joins */
    world_run_ms(world, 100);
    assert_int_equal(world->servers[i].asked_whole, asked + 1);
    assert_true(world->servers[i].last.must_pass_caches);
    assert_int_equal(first.told, 1);
    assert_int_equal(second.told, 1);
    assert_int_equal(first.came.outcome, RELY_REFRESH_UNCHANGED);
    world_rotate(world, i, world_jwks("b"));
    order(world, i, &first);
    world_run_ms(world, 100);
    assert_int_equal(first.came.outcome, RELY_REFRESH_HELD_BACK);
    order(world, i, &first);
    first.waiter.is_believed = true; /* too late: it was ordered without */
    world_run_ms(world, 100);
    assert_int_equal(first.came.outcome, RELY_REFRESH_HELD_BACK);
    world_run_s(world, 5);
    first = (struct orderer){.waiter = {.done = note_told, .is_believed = true}};
    assert_true(rely_keeper_order(world->keeper, (int64_t)i + 1, &first.waiter, &(struct rely_err){0}));
    world_run_ms(world, 100);
    assert_int_equal(first.came.outcome, RELY_REFRESH_ACCEPTED);
    expect_cause(&first.came.conditions, RELY_CONDITION_KEYS_USABLE, RELY_CAUSE_USABLE);
    assert_true(world_has_in_force(world, i, world_jwks("b")));
    world_free(world);
}

static void test_an_order_goes_round_the_back_off(void **state)
{
    (void)state;
    struct orderer orderer;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].is_down = true;
    world_start(world);
    world_run_s(world, 2000);
    int asked = world->servers[i].asked;
    order(world, i, &orderer);
    world_run_ms(world, 50);
    assert_int_equal(world->servers[i].asked, asked + 1);
    assert_int_equal(orderer.came.outcome, RELY_REFRESH_FAILED);
    expect_cause(&orderer.came.conditions, RELY_CONDITION_KEYS_READ, RELY_CAUSE_SERVER_ERROR);
    world->servers[i].is_down = false;
    order(world, i, &orderer);
    world_run_ms(world, 50);
    assert_int_equal(orderer.came.outcome, RELY_REFRESH_ACCEPTED);
    world_free(world);
}

static void test_orders_are_as_many_as_the_bucket_gives(void **state)
{
    (void)state;
    struct orderer orderer;
    struct rely_err err = {0};
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->config.key_miss_cooldown_ms = 20000; /* beyond keys.fetch_timeout_ms */
    world_start(world);
    world_run_s(world, 1);
    int asked = world->servers[i].asked;
    for (int round = 0; round < 3; round++) {
        order(world, i, &orderer);
        world_run_ms(world, 50);
        assert_int_equal(orderer.told, 1);
    }
    orderer = (struct orderer){.waiter = {.done = note_told}};
    assert_false(rely_keeper_order(world->keeper, (int64_t)i + 1, &orderer.waiter, &err));
    assert_int_equal(err.code, RELY_ERR_LIMIT);
    world_run_s(world, 25);
    assert_int_equal(world->servers[i].asked, asked + 3);
    order(world, i, &orderer);
    world_run_ms(world, 50);
    assert_int_equal(world->servers[i].asked, asked + 4);
    err = (struct rely_err){0};
    assert_false(rely_keeper_order(world->keeper, 99, &orderer.waiter, &err));
    assert_int_equal(err.code, RELY_ERR_NOT_FOUND);
    world_free(world);
}

/* Whoever waits gets an answer in time; and when he has left, nobody. */
static void test_an_order_of_an_issuer_that_hangs(void **state)
{
    (void)state;
    struct orderer late, gone, removed, at_end;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("a"));
    world->servers[i].is_held = true;
    world_start(world);
    world_run_s(world, 1);
    order(world, i, &late);
    order(world, i, &gone);
    rely_keeper_forget_waiter(&gone.waiter);
    rely_keeper_forget_waiter(&gone.waiter);
    world_run_ms(world, world->config.key_fetch_timeout_ms + 10);
    assert_int_equal(late.told, 1);
    assert_true(late.came.is_late);
    assert_int_equal(late.came.outcome, RELY_REFRESH_FAILED);
    order(world, i, &removed);
    world_remove(world, i);
    world_release(world, i);
    world_run_ms(world, 10);
    assert_int_equal(removed.told, 1);
    assert_true(removed.came.is_late);
    assert_int_equal(gone.told, 0);
    size_t other = world_add(world, RELY_KEYS_JWKS_URI, world_jwks("b"));
    world->servers[other].is_held = true;
    world_show(world, other);
    world_run_s(world, 1);
    order(world, other, &at_end);
    world_free(world); /* stops */
    assert_int_equal(at_end.told, 0);
    rely_keeper_forget_waiter(&at_end.waiter);
}

static void test_an_order_where_nothing_is_fetched(void **state)
{
    (void)state;
    struct orderer orderer;
    struct world *world = world_new();
    size_t i = world_add(world, RELY_KEYS_UPLOADED, world_jwks("a"));
    world_start(world);
    world_run_s(world, 1);
    order(world, i, &orderer);
    world_run_ms(world, 10);
    assert_int_equal(orderer.told, 1);
    assert_int_equal(orderer.came.outcome, RELY_REFRESH_UNCHANGED);
    expect_cause(&orderer.came.conditions, RELY_CONDITION_KEYS_READ, RELY_CAUSE_GIVEN);
    assert_int_equal(world->servers[i].asked, 0);
    world_free(world);
}

int run_condition_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_since_the_first_fetch),
        cmocka_unit_test(test_an_outage_until_keys_are_too_old),
        cmocka_unit_test(test_stored_keys_that_are_too_old),
        cmocka_unit_test(test_what_is_seen_of_tokens),
        cmocka_unit_test(test_which_clocks_are_ahead),
        cmocka_unit_test(test_a_record_that_is_disabled),
        cmocka_unit_test(test_failures_are_counted_by_their_cause),
        cmocka_unit_test(test_an_order_is_fetched_at_once_and_whole),
        cmocka_unit_test(test_an_order_goes_round_the_back_off),
        cmocka_unit_test(test_orders_are_as_many_as_the_bucket_gives),
        cmocka_unit_test(test_an_order_of_an_issuer_that_hangs),
        cmocka_unit_test(test_an_order_where_nothing_is_fetched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

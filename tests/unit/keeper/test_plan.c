/* The key keeper's times: what is fetched when, how often strangers may cause it, and how long a set counts. */
#include "plan.h"
#include "tests.h"

#include "relyd/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The least and the most that any random number makes of a time. */
struct range {
    int64_t low, high;
};

typedef int64_t plan_refresh(int64_t min_s, int64_t max_s, int64_t fresh_s, uint64_t random);

static struct range try_refresh(plan_refresh *plan, int64_t min_s, int64_t max_s, int64_t fresh_s)
{
    struct range range = {INT64_MAX, INT64_MIN};
    for (uint64_t i = 0; i < 200000; i++) {
        int64_t delay_ms = plan(min_s, max_s, fresh_s, i * 0x9e3779b97f4a7c15ULL >> 7);
        range.low = delay_ms < range.low ? delay_ms : range.low;
        range.high = delay_ms > range.high ? delay_ms : range.high;
    }
    return range;
}

static void assert_range(struct range range, int64_t low_ms, int64_t high_ms)
{
    assert_in_range(range.low, low_ms, low_ms + (high_ms - low_ms) / 50);
    assert_in_range(range.high, high_ms - (high_ms - low_ms) / 50, high_ms);
}

static void assert_refresh(int64_t min_s, int64_t max_s, int64_t fresh_s, int64_t low_ms, int64_t high_ms)
{
    assert_range(try_refresh(rely_plan_refresh_ms, min_s, max_s, fresh_s), low_ms, high_ms);
}

/* Fault D: a minute was undercut by seventeen seconds. */
static void test_d_refresh_never_undercuts_its_minimum(void **state)
{
    (void)state;
    assert_refresh(60, 3600, 0, 60000, 66000);
    assert_refresh(60, 3600, 60, 60000, 66000);
    assert_refresh(60, 3600, 1000, 720000, 880000);
    assert_refresh(60, 3600, -1, 2592000, 3168000);
    assert_refresh(60, 3600, 315360000, 2592000, 3168000);
    assert_refresh(3600, 3600, 10, 3600000, 3600000);
    assert_refresh(86400, 60, 10, 86400000, 86400000); /* the minimum wins */
}

/* Those who began together: over the whole of the 80 % that lie between two fetches, and within the same bounds. */
static void test_the_first_refresh_is_at_any_time(void **state)
{
    (void)state;
    assert_range(try_refresh(rely_plan_first_refresh_ms, 60, 3600, -1), 288000, 3168000);
    assert_range(try_refresh(rely_plan_first_refresh_ms, 60, 3600, 1000), 80000, 880000);
    assert_range(try_refresh(rely_plan_first_refresh_ms, 60, 3600, 60), 60000, 66000);
    assert_range(try_refresh(rely_plan_first_refresh_ms, 3600, 3600, 10), 3600000, 3600000);
    int first_half = 0;
    for (uint64_t i = 0; i < 10000; i++)
        first_half += rely_plan_first_refresh_ms(60, 3600, -1, i * 0x9e3779b97f4a7c15ULL >> 7) < 288000 + 1440000;
    assert_in_range(first_half, 4900, 5100);
}

static void test_e_failures_back_off(void **state)
{
    (void)state;
    static const int64_t seconds[] = {2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    for (int i = 0; i < 10; i++)
        for (uint64_t random = 0; random < 1000; random++)
            assert_in_range(rely_plan_backoff_ms(i + 1, random * 7919), seconds[i] * 900, seconds[i] * 1100);
    assert_in_range(rely_plan_backoff_ms(INT32_MAX, 5), 270000, 330000);
}

/* Fault C19: three at once, then one each second; and never more, however often it is asked. */
static void test_c19_a_bucket_gives_three_and_then_one_each_second(void **state)
{
    (void)state;
    struct rely_bucket bucket = {0};
    int taken = 0;
    for (int64_t now = 1000000; now < 1010000; now += 50) {
        if (rely_bucket_wait_ms(&bucket, 3, 1000, now) > 0)
            continue;
        rely_bucket_take(&bucket, 1000, now);
        taken++;
    }
    assert_int_equal(taken, 3 + 9);
    assert_int_equal(rely_bucket_wait_ms(&bucket, 3, 1000, 1009950), 50);
    assert_int_equal(rely_bucket_wait_ms(&bucket, 3, 1000, 1010000), 0);
    assert_int_equal(rely_bucket_wait_ms(&bucket, 3, 1000, INT64_C(9000000000)), 0);
}

static void test_b6_what_is_owed_is_given_in_order(void **state)
{
    (void)state;
    struct rely_bucket bucket = {0};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(rely_bucket_wait_ms(&bucket, 4, 20, 500), i < 4 ? 0 : (i - 3) * 20);
        rely_bucket_take(&bucket, 20, 500);
    }
}

static void test_a5_the_oldest_are_fetched_first(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 20000; count = count * 7 + 1) {
        int64_t before = -1;
        for (size_t rank = 0; rank < count; rank++) {
            int64_t delay_ms = rely_plan_start_ms(rank, count, rank * 0x9e3779b97f4a7c15ULL >> 9);
            assert_in_range(delay_ms, rank == 0 ? 0 : before, 60000);
            before = delay_ms;
        }
    }
    assert_in_range(rely_plan_start_ms(0, 1, UINT64_MAX), 0, 1000);
}

static void test_a5_how_long_a_key_set_counts(void **state)
{
    (void)state;
    assert_int_equal(rely_accept_until_s(1000, 3600, 2000), 4600);
    assert_int_equal(rely_accept_until_s(1000, 3600, 900000), 4600);
    assert_int_equal(rely_accept_until_s(2000 + 86400, 3600, 2000), 2000 + 86400 + 3600);
    assert_int_equal(rely_accept_until_s(2000 + 86401, 3600, 2000), 0); /* a time to come */
    assert_int_equal(rely_accept_until_s(-1, 3600, 2000), 0);
    assert_int_equal(rely_accept_until_s(INT64_MIN, 3600, 2000), 0);
    assert_int_equal(rely_accept_until_s(INT64_MAX, 3600, 2000), 0);
    assert_false(rely_plan_is_renewal_due(1000, 60, 1059));
    assert_true(rely_plan_is_renewal_due(1000, 60, 1060));
    assert_true(rely_plan_is_renewal_due(1000, 60, 999)); /* the clock has been set back */
}

/* Of one issuer three at once and then one each second, of all 64 at once and then one each millisecond; and nobody who
 * misses a key of his own stands behind them. */
static void test_a6_offers_have_the_share_of_the_doubted(void **state)
{
    (void)state;
    struct rely_asks asks = {0};
    struct rely_asker often = {0}, honest = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(rely_plan_offer(&asks, &often, 1000, 5000), 0);
    assert_int_equal(rely_plan_offer(&asks, &often, 1000, 5000), 1000);
    for (int i = 4; i < 400; i++) {
        struct rely_asker once = {0};
        assert_int_equal(rely_plan_offer(&asks, &once, 1000, 5000), i < 64 ? 0 : i - 63);
        assert_false(rely_plan_is_doubted(&once, 5000)); /* it is no fault of its own */
    }
    assert_int_equal(rely_plan_ask(&asks, &honest, 1000, 5000), 0);
}

int run_plan_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_d_refresh_never_undercuts_its_minimum),
        cmocka_unit_test(test_the_first_refresh_is_at_any_time),
        cmocka_unit_test(test_e_failures_back_off),
        cmocka_unit_test(test_c19_a_bucket_gives_three_and_then_one_each_second),
        cmocka_unit_test(test_b6_what_is_owed_is_given_in_order),
        cmocka_unit_test(test_a5_the_oldest_are_fetched_first),
        cmocka_unit_test(test_a5_how_long_a_key_set_counts),
        cmocka_unit_test(test_a6_offers_have_the_share_of_the_doubted),
    };
    return cmocka_run_group_tests_name("keeper: plan", tests, NULL, NULL);
}

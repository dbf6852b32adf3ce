/*
 * The heap of timers: order, cancelling from anywhere, moving.
 */
#include "server.h"
#include "timers.h"

#include <stdlib.h>

#define TIMERS 500

static void test_order_with_cancels(void **state)
{
    (void)state;
    static struct rely_timer timer[TIMERS];
    struct rely_timers timers = {0};
    srand(7);
    for (int i = 0; i < TIMERS; i++)
        rely_timers_put(&timers, &timer[i], (uint64_t)(rand() % 1000));
    for (int i = 0; i < TIMERS; i += 3)
        rely_timers_drop(&timers, &timer[i]);
    for (int i = 1; i < TIMERS; i += 3)
        rely_timers_put(&timers, &timer[i], (uint64_t)(rand() % 1000)); /* moved */
    uint64_t last = 0;
    size_t taken = 0;
    for (struct rely_timer *first; (first = rely_timers_take(&timers, 2000)) != NULL; taken++) {
        assert_true(first->due_ms >= last);
        assert_int_equal(first->slot, 0);
        assert_int_not_equal((first - timer) % 3, 0);
        last = first->due_ms;
    }
    assert_int_equal(taken, TIMERS - (TIMERS + 2) / 3);
    assert_int_equal(timers.count, 0);
    rely_timers_fini(&timers);
}

static void test_not_before_its_time(void **state)
{
    (void)state;
    struct rely_timers timers = {0};
    struct rely_timer timer = {0};
    assert_int_equal(rely_timers_wait(&timers), INT32_MAX);
    rely_timers_drop(&timers, &timer); /* harmless */
    rely_timers_put(&timers, &timer, 100);
    assert_null(rely_timers_take(&timers, 99));
    assert_ptr_equal(rely_timers_take(&timers, 100), &timer);
    assert_null(rely_timers_take(&timers, 1000));
    rely_timers_put(&timers, &timer, rely_timers_now() + 10000);
    assert_in_range(rely_timers_wait(&timers), 9000, 10000);
    rely_timers_put(&timers, &timer, 0);
    assert_int_equal(rely_timers_wait(&timers), 0);
    rely_timers_put(&timers, &timer, UINT64_MAX);
    assert_int_equal(rely_timers_wait(&timers), INT32_MAX);
    rely_timers_fini(&timers);
    assert_int_equal(timer.slot, 0);
}

const struct CMUnitTest timer_tests[] = {
    cmocka_unit_test(test_order_with_cancels),
    cmocka_unit_test(test_not_before_its_time),
};
const size_t timer_count = sizeof(timer_tests) / sizeof(timer_tests[0]);

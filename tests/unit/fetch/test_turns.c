/*
 * Whose turn it is (fault B6): kinds do not take each other's places, nor origins; nobody is forgotten.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests.h"
#include "transfer.h"
#include "turns.h"

static struct transfer *make_waiting(struct turns *turns, enum rely_fetch_kind kind, const char *origin)
{
    struct transfer *transfer = rely_alloc(sizeof(*transfer));
    transfer->kind = kind;
    transfer->origin = rely_strdup_slice(rely_slice_of(origin));
    rely_turns_wait(turns, transfer);
    return transfer;
}

static void drop_made(struct transfer *transfer)
{
    free(transfer->origin);
    free(transfer);
}

/* Of one origin each, or all of one. */
static void make_many(struct turns *turns, enum rely_fetch_kind kind, const char *host, bool is_one_origin,
                      size_t count)
{
    char origin[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(origin, sizeof(origin), "https://%s-%zu:443", host, is_one_origin ? 0 : i);
        make_waiting(turns, kind, origin);
    }
}

/* Everything that may begin begins; how many. */
static size_t begin_all(struct turns *turns, struct transfer_list *running)
{
    size_t count = 0;
    for (struct transfer *next = rely_turns_take(turns); next != NULL; next = rely_turns_take(turns), count++)
        rely_transfers_append(running, next);
    return count;
}

static void end_first(struct turns *turns, struct transfer_list *running)
{
    struct transfer *transfer = running->first;
    rely_transfers_remove(running, transfer);
    rely_turns_leave(turns, transfer);
    drop_made(transfer);
}

static void end_test(struct turns *turns, struct transfer_list *running)
{
    while (running->first != NULL)
        end_first(turns, running);
    for (struct transfer *left = rely_turns_take_any(turns); left != NULL; left = rely_turns_take_any(turns))
        drop_made(left);
    assert_int_equal(turns->waiting, 0);
    for (size_t i = 0; i < FETCH_ORIGIN_BUCKETS; i++)
        assert_null(turns->buckets[i]); /* nothing is left behind */
    for (size_t i = 0; i < RELY_FETCH_KIND_COUNT; i++) {
        assert_null(turns->kinds[i].first);
        assert_int_equal(turns->kinds[i].running, 0);
    }
}

static void test_b6_kinds_have_their_own_places(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct transfer_list running = {0};
    static const enum rely_fetch_kind kinds[] = {RELY_FETCH_FIRST, RELY_FETCH_RETRY, RELY_FETCH_REFRESH};
    static const size_t places[] = {64, 64, 32};
    for (size_t i = 0; i < 3; i++) {
        make_many(&turns, kinds[i], "dead", false, 320);
        assert_int_equal(begin_all(&turns, &running), places[i]);
    }
    struct transfer *wanted = make_waiting(&turns, RELY_FETCH_WANTED, "https://healthy:443");
    assert_ptr_equal(rely_turns_take(&turns), wanted);
    rely_transfers_append(&running, wanted);
    make_many(&turns, RELY_FETCH_WANTED, "other", false, 400);
    assert_int_equal(begin_all(&turns, &running), 191);
    end_test(&turns, &running);
}

/* fault B18: fewer descriptors are fewer places, of every kind at least one. */
static void test_b18_fewer_places(void **state)
{
    (void)state;
    static const size_t all[] = {RELY_FETCH_PLACES_MIN, 208, RELY_FETCH_PLACES};
    static const size_t places[][RELY_FETCH_KIND_COUNT] = {
        {1, 7, 2, 2, 1, 1}, {16, 96, 32, 32, 16, 16}, {32, 192, 64, 64, 32, 32}};
    for (size_t i = 0; i < 3; i++) {
        struct turns turns = {.places = all[i]};
        struct transfer_list running = {0};
        for (size_t kind = 0; kind < RELY_FETCH_KIND_COUNT; kind++) {
            make_many(&turns, (enum rely_fetch_kind)kind, "many", false, 300);
            make_many(&turns, (enum rely_fetch_kind)kind, "one", true, 300);
            assert_int_equal(begin_all(&turns, &running), places[i][kind]);
        }
        assert_true(running.count <= all[i]);
        end_test(&turns, &running);
    }
}

static void test_b6_origins_leave_room(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct transfer_list running = {0};
    make_many(&turns, RELY_FETCH_FIRST, "silent", true, 320);
    assert_int_equal(begin_all(&turns, &running), 32);
    struct transfer *healthy = make_waiting(&turns, RELY_FETCH_FIRST, "https://healthy:443");
    assert_ptr_equal(rely_turns_take(&turns), healthy);
    rely_transfers_append(&running, healthy);
    assert_null(rely_turns_take(&turns));
    /* One that ends makes room for one of the same origin. */
    end_first(&turns, &running);
    assert_int_equal(begin_all(&turns, &running), 1);
    end_test(&turns, &running);
}

static void test_b6_origins_take_turns(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct transfer_list running = {0};
    make_many(&turns, RELY_FETCH_REFRESH, "many", true, 10);
    make_many(&turns, RELY_FETCH_REFRESH, "few", true, 2);
    static const char *const order[] = {"https://many-0:443", "https://few-0:443", "https://many-0:443",
                                        "https://few-0:443", "https://many-0:443"};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct transfer *next = rely_turns_take(&turns);
        assert_non_null(next);
        assert_string_equal(next->origin, order[i]);
        rely_transfers_append(&running, next);
    }
    end_test(&turns, &running);
}

/* fault C19: however many were asked in vain, whoever was not begins before them, and has places of his own. */
static void test_c19_the_doubted_come_last(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct transfer_list running = {0};
    make_many(&turns, RELY_FETCH_DOUBTED, "flooded", false, 1000);
    assert_int_equal(begin_all(&turns, &running), RELY_FETCH_PLACES_DOUBTED);
    end_first(&turns, &running);
    struct transfer *wanted = make_waiting(&turns, RELY_FETCH_WANTED, "https://healthy:443");
    assert_ptr_equal(rely_turns_take(&turns), wanted);
    rely_transfers_append(&running, wanted);
    assert_int_equal(begin_all(&turns, &running), 1);
    end_test(&turns, &running);
}

/* Whatever comes and goes, all have their turn, and the limits hold. */
static void test_b6_everybody_has_his_turn(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct transfer_list running = {0};
    for (size_t kind = 0; kind < RELY_FETCH_KIND_COUNT; kind++) {
        make_many(&turns, (enum rely_fetch_kind)kind, "a", false, 500);
        make_many(&turns, (enum rely_fetch_kind)kind, "same", true, 500);
    }
    size_t begun = 0;
    while (turns.waiting > 0) {
        begun += begin_all(&turns, &running);
        for (size_t kind = 0; kind < RELY_FETCH_KIND_COUNT; kind++)
            assert_true(turns.kinds[kind].running <= rely_turns_places(&turns, (enum rely_fetch_kind)kind));
        assert_true(running.count > 0);
        end_first(&turns, &running);
    }
    assert_int_equal(begun, 1000 * RELY_FETCH_KIND_COUNT);
    end_test(&turns, &running);
}

int run_turn_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_b6_kinds_have_their_own_places), cmocka_unit_test(test_b18_fewer_places),
        cmocka_unit_test(test_b6_origins_leave_room),          cmocka_unit_test(test_b6_origins_take_turns),
        cmocka_unit_test(test_c19_the_doubted_come_last),      cmocka_unit_test(test_b6_everybody_has_his_turn),
    };
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}

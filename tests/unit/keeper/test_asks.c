/*
 * Whose missing keys are fetched first (fault C19): floods of made-up kids over many issuers, played through with the
 * time as a parameter.
 */
#include "plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COOLDOWN_MS 1000
#define FETCH_MS 5
#define SLOTS 65536 /* milliseconds that an ask may wait */

/* An issuer whose keys are asked for again as soon as the last ask has been answered. */
struct flooded {
    struct rely_asker asker;
    int64_t begun_ms;   /* the last fetch */
    int64_t longest_ms; /* from one fetch to the next, after the first round */
    int fetches;
    struct flooded *next; /* whose fetch begins in the same millisecond */
};

struct flood {
    struct rely_asks asks;
    struct flooded *issuers;
    int count;
    int64_t now_ms;
    int64_t first_round_ms; /* how long that takes */
    struct flooded *slots[SLOTS];
};

static void ask_for_flooded(struct flood *flood, struct flooded *issuer)
{
    int64_t wait_ms = rely_plan_ask(&flood->asks, &issuer->asker, COOLDOWN_MS, flood->now_ms);
    struct flooded **slot = &flood->slots[(flood->now_ms + FETCH_MS + wait_ms) % SLOTS];
    assert_in_range(wait_ms, 0, SLOTS - FETCH_MS - 1);
    issuer->next = *slot;
    *slot = issuer;
}

/* Each asked for at once. */
static struct flood *begin_flood(int count)
{
    struct flood *flood = calloc(1, sizeof *flood);
    flood->issuers = calloc((size_t)count, sizeof *flood->issuers);
    flood->count = count;
    flood->now_ms = 1000000;
    flood->first_round_ms = count;
    for (int i = 0; i < count; i++)
        ask_for_flooded(flood, &flood->issuers[i]);
    return flood;
}

static void end_flood(struct flood *flood)
{
    free(flood->issuers);
    free(flood);
}

static void answer_in_vain(struct flood *flood, struct flooded *issuer)
{
    int64_t begun_ms = flood->now_ms - FETCH_MS, since_ms = begun_ms - issuer->begun_ms;
    if (issuer->begun_ms > 1000000 + flood->first_round_ms && since_ms > issuer->longest_ms)
        issuer->longest_ms = since_ms;
    issuer->begun_ms = begun_ms;
    issuer->fetches++;
    rely_plan_note_ask(&issuer->asker, false, flood->now_ms);
    ask_for_flooded(flood, issuer);
}

static void go_on(struct flood *flood, int64_t until_ms)
{
    for (; flood->now_ms < 1000000 + until_ms; flood->now_ms++) {
        struct flooded *issuer = flood->slots[flood->now_ms % SLOTS];
        flood->slots[flood->now_ms % SLOTS] = NULL;
        while (issuer != NULL) {
            struct flooded *next = issuer->next;
            answer_in_vain(flood, issuer);
            issuer = next;
        }
    }
}

/* How long the first token of a rotated key keeps waiting, when its issuer rotates every two seconds. */
static int64_t rotate_honestly(struct flood *flood, int64_t until_ms)
{
    struct rely_asker honest = {0};
    int64_t longest_ms = 0;
    for (int64_t at_ms = flood->now_ms - 1000000; at_ms < until_ms; at_ms += 2000) {
        go_on(flood, at_ms);
        int64_t wait_ms = rely_plan_ask(&flood->asks, &honest, COOLDOWN_MS, flood->now_ms);
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
        rely_plan_note_ask(&honest, true, flood->now_ms + wait_ms);
    }
    return longest_ms;
}

/* From the first moment on, whatever round of the flood it is. */
static void test_c19_a_flood_over_1000_issuers_does_not_delay_a_rotation(void **state)
{
    (void)state;
    struct flood *flood = begin_flood(1000);
    assert_in_range(rotate_honestly(flood, 1), 1, 1000 - 256 + 1);
    go_on(flood, 1000);
    assert_int_equal(rotate_honestly(flood, 600000), 0);
    end_flood(flood);
}

/* Nobody knows yet who is asked in vain: then a rotation waits with them. Never again while the flood goes on. */
static void test_c19_a_flood_over_10000_issuers_delays_a_rotation_in_its_first_round_only(void **state)
{
    (void)state;
    struct flood *flood = begin_flood(10000);
    assert_in_range(rotate_honestly(flood, 1), 9000, 10000 - 256 + 1);
    go_on(flood, 10000);
    assert_int_equal(rotate_honestly(flood, 600000), 0);
    end_flood(flood);
}

/* Also who is asked in vain is fetched, each in turn: its own rotation is seen within its cooldown, as long as that
 * is possible for all. */
static void test_c19_who_is_flooded_has_his_turn(void **state)
{
    (void)state;
    static const struct {
        int count;
        int64_t longest_ms;
    } cases[] = {{1, 1000}, {100, 1000}, {900, 1000}, {1000, 1000}, {2000, 2000}, {10000, 10000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flood *flood = begin_flood(cases[i].count);
        go_on(flood, 60000);
        for (int k = 0; k < flood->count; k++)
            assert_in_range(flood->issuers[k].longest_ms, 900, cases[i].longest_ms + 3 * FETCH_MS);
        end_flood(flood);
    }
}

/* More than one fetch a millisecond and class strangers cannot cause, however many issuers there are: of the trusted
 * each issuer one. */
static void test_c19_a_flood_costs_what_it_may(void **state)
{
    (void)state;
    struct flood *flood = begin_flood(20000);
    int fetches = 0;
    go_on(flood, 60000);
    for (int i = 0; i < flood->count; i++)
        fetches += flood->issuers[i].fetches;
    assert_in_range(fetches, 75000, 60000 + 20000 + 256 + 64);
    end_flood(flood);
}

static void test_c19_who_is_doubted(void **state)
{
    (void)state;
    struct rely_asker asker = {0};
    assert_false(rely_plan_is_doubted(&asker, 1000));
    rely_plan_note_ask(&asker, false, 1000);
    assert_true(rely_plan_is_doubted(&asker, 1000));
    assert_true(rely_plan_is_doubted(&asker, 300999));
    assert_false(rely_plan_is_doubted(&asker, 301000)); /* forgotten */
    rely_plan_note_ask(&asker, false, 301000);
    rely_plan_note_ask(&asker, true, 302000);
    assert_false(rely_plan_is_doubted(&asker, 302000)); /* there was something */
    rely_plan_note_ask(&asker, false, 311999);          /* a late ask for the same keys */
    assert_false(rely_plan_is_doubted(&asker, 311999));
    rely_plan_note_ask(&asker, false, 312000);
    assert_true(rely_plan_is_doubted(&asker, 312000));
}

/* Fault B12: who answers each ask with 256 other keys takes no more than a hundredth of the control thread. */
static void test_b12_many_keys_are_paid_for(void **state)
{
    (void)state;
    struct rely_asks asks = {0};
    struct rely_asker few = {0}, many = {0};
    int taken = 0;
    rely_plan_charge_keys(&asks, &few, 16, 1000);
    assert_int_equal(rely_plan_ask(&asks, &few, COOLDOWN_MS, 1000), 0);
    assert_false(rely_plan_is_doubted(&few, 1000));
    for (int64_t now_ms = 1000; now_ms < 101000; now_ms += 50) {
        if (rely_plan_own_wait_ms(&many, COOLDOWN_MS, now_ms) > 0)
            continue;
        rely_plan_ask(&asks, &many, COOLDOWN_MS, now_ms);
        rely_plan_note_ask(&many, true, now_ms);
        rely_plan_charge_keys(&asks, &many, 256, now_ms);
        assert_true(rely_plan_is_doubted(&many, now_ms));
        taken++;
    }
    assert_in_range(taken, 20, 22); /* 4.84 s each */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c19_a_flood_over_1000_issuers_does_not_delay_a_rotation),
        cmocka_unit_test(test_c19_a_flood_over_10000_issuers_delays_a_rotation_in_its_first_round_only),
        cmocka_unit_test(test_c19_who_is_flooded_has_his_turn),
        cmocka_unit_test(test_c19_a_flood_costs_what_it_may),
        cmocka_unit_test(test_c19_who_is_doubted),
        cmocka_unit_test(test_b12_many_keys_are_paid_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

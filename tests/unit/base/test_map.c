/* The persistent map: every edition keeps showing what it showed, and what is retired is freed once. */
#include "tests.h"

#include "relyd/map.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 20000

static int items[ITEMS];

static uint64_t hash_of(size_t i)
{
    return rely_hash(rely_slice((const char *)&i, sizeof i), 0);
}

static bool has_item(const struct rely_map *map, size_t i)
{
    size_t cursor = 0;
    const void *item;
    while ((item = rely_map_find(map, hash_of(i), &cursor)) != NULL)
        if (item == &items[i])
            return true;
    return false;
}

static void an_edition_does_not_change_under_its_readers(void **state)
{
    struct rely_retired retired[3] = {0};
    struct rely_map first = {0};
    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        rely_map_put(&first, &(struct rely_edit){1, &retired[0]}, hash_of(i), &items[i]);
    assert_int_equal(first.count, ITEMS);
    assert_int_equal(retired[0].count, 0);

    struct rely_map second = first;
    const struct rely_edit edit = {2, &retired[1]};
    for (size_t i = 0; i < ITEMS; i += 2)
        assert_true(rely_map_remove(&second, &edit, hash_of(i), &items[i]));
    assert_false(rely_map_remove(&second, &edit, hash_of(0), &items[0]));
    assert_int_equal(second.count, ITEMS / 2);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_true(has_item(&first, i));
        assert_int_equal(has_item(&second, i), i % 2 == 1);
    }
    rely_retired_free(&retired[1]); /* no reader of the first is left */
    assert_true(has_item(&second, 1));
    rely_map_fini(&second);
    rely_retired_free(&retired[0]);
}

static void a_filled_map_is_one_that_was_put_together(void **state)
{
    struct rely_retired none = {0};
    const struct rely_edit edit = {1, &none};
    struct rely_map filled = {0}, empty = {0};
    struct rely_map_entry *entries = rely_alloc((ITEMS + 1) * sizeof *entries);
    size_t cursor = 0;
    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        entries[i] = (struct rely_map_entry){hash_of(i), &items[i]};
    entries[ITEMS] = (struct rely_map_entry){hash_of(0), &items[1]}; /* a second one of that hash */
    rely_map_fill(&filled, &edit, entries, ITEMS + 1);
    rely_map_fill(&empty, &edit, entries, 0);
    assert_int_equal(filled.count, ITEMS + 1);
    assert_int_equal(empty.count, 0);
    for (size_t i = 0; i < ITEMS; i++)
        assert_true(has_item(&filled, i));
    assert_ptr_equal(rely_map_find(&filled, hash_of(0), &cursor), &items[0]);
    assert_ptr_equal(rely_map_find(&filled, hash_of(0), &cursor), &items[1]);
    assert_null(rely_map_find(&filled, hash_of(0), &cursor));
    assert_int_equal(none.count, 0);
    for (size_t i = 0; i < ITEMS; i++) { /* it goes on like any other: each leaf is full at first */
        assert_true(rely_map_remove(&filled, &edit, hash_of(i), &items[i]));
        rely_map_put(&filled, &edit, hash_of(i), &items[i]);
        rely_map_put(&filled, &edit, hash_of(i), &items[(i + 1) % ITEMS]);
    }
    assert_int_equal(filled.count, 2 * ITEMS + 1);
    for (size_t i = 0; i < ITEMS; i++)
        assert_true(has_item(&filled, i));
    rely_map_fini(&filled);
    rely_map_fini(&empty);
    free(entries);
    rely_retired_free(&none);
}

static void one_change_copies_one_leaf_and_two_tables(void **state)
{
    struct rely_retired none = {0}, retired = {0};
    struct rely_map map = {0};
    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        rely_map_put(&map, &(struct rely_edit){1, &none}, hash_of(i), &items[i]);
    struct rely_map next = map;
    rely_map_put(&next, &(struct rely_edit){2, &retired}, hash_of(5), &items[6]);
    assert_int_equal(retired.count, 3);
    size_t cursor = 0;
    assert_ptr_equal(rely_map_find(&next, hash_of(5), &cursor), &items[5]);
    assert_ptr_equal(rely_map_find(&next, hash_of(5), &cursor), &items[6]);
    assert_null(rely_map_find(&next, hash_of(5), &cursor));
    rely_retired_free(&retired);
    rely_map_fini(&next);
}

static void replacing_swaps_the_item_in_the_new_edition_only(void **state)
{
    struct rely_retired none = {0}, retired = {0};
    struct rely_map map = {0};
    (void)state;
    rely_map_put(&map, &(struct rely_edit){1, &none}, hash_of(1), &items[1]);
    struct rely_map next = map;
    const struct rely_edit edit = {2, &retired};
    assert_true(rely_map_replace(&next, &edit, hash_of(1), &items[1], &items[2]));
    assert_false(rely_map_replace(&next, &edit, hash_of(1), &items[1], &items[2]));
    size_t cursor = 0;
    assert_ptr_equal(rely_map_find(&next, hash_of(1), &cursor), &items[2]);
    cursor = 0;
    assert_ptr_equal(rely_map_find(&map, hash_of(1), &cursor), &items[1]);
    rely_retired_free(&retired);
    rely_map_fini(&next);
}

static bool count_item(const void *item, void *context)
{
    (void)item;
    return ++*(size_t *)context < 100;
}

static void every_item_is_visited_until_told_to_stop(void **state)
{
    struct rely_retired none = {0};
    struct rely_map map = {0};
    size_t count = 0;
    (void)state;
    rely_map_each(&map, count_item, &count);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < 50; i++)
        rely_map_put(&map, &(struct rely_edit){1, &none}, hash_of(i), &items[i]);
    rely_map_each(&map, count_item, &count);
    assert_int_equal(count, 50);
    rely_map_each(&map, count_item, &count);
    rely_map_each(&map, count_item, &count);
    assert_int_equal(count, 101);
    rely_map_fini(&map);
}

int run_map_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edition_does_not_change_under_its_readers),
        cmocka_unit_test(a_filled_map_is_one_that_was_put_together),
        cmocka_unit_test(one_change_copies_one_leaf_and_two_tables),
        cmocka_unit_test(replacing_swaps_the_item_in_the_new_edition_only),
        cmocka_unit_test(every_item_is_visited_until_told_to_stop),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

/* What a worker remembers of issuers whose keys it has asked for (fault B6): no issuer throws another's entry out. */
#include "relyd/edition.h"
#include "relyd/notice.h"
#include "reviewer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ISSUERS 1000

static size_t asked_count;

static void note_ask(void *service, int64_t issuer_id)
{
    (void)service;
    (void)issuer_id;
    asked_count++;
}

static void put_issuers(struct rely_snapshot *snapshot)
{
    for (int64_t id = 1; id <= ISSUERS; id++) {
        struct rely_issuer issuer = {.id = id, .url = RELY_LIT("https://issuer.example")};
        rely_snapshot_put_issuer(snapshot, rely_issuer_copy(&issuer));
    }
}

static void test_b6_each_issuer_has_its_own_cooldown(void **state)
{
    (void)state;
    struct rely_snapshot *snapshot = rely_snapshot_next(NULL, 1);
    struct rely_reviewer reviewer = {.snapshot = snapshot, .key_wait_ms = 150, .hooks = {.ask_for_keys = note_ask}};
    put_issuers(snapshot);
    asked_count = 0;
    for (int round = 0; round < 3; round++)
        for (int64_t id = 1; id <= ISSUERS; id++)
            assert_true(rely_cooldown_ask(&reviewer, id, 1000));
    assert_int_equal(asked_count, ISSUERS); /* once each, also of those whose id is the same modulo 256 */
    for (int64_t id = 1; id <= ISSUERS; id++)
        rely_cooldown_set(&reviewer, id, &(struct rely_key_notice){.miss_ms = 1000}, 1000);
    for (int64_t id = 1; id <= ISSUERS; id++)
        assert_false(rely_cooldown_ask(&reviewer, id, 1849));
    assert_int_equal(asked_count, ISSUERS);
    rely_cooldowns_fini(&reviewer);
    rely_snapshot_free_all(snapshot);
}

static void test_c19_when_asking_is_useless(void **state)
{
    (void)state;
    struct rely_snapshot *snapshot = rely_snapshot_next(NULL, 1);
    struct rely_reviewer reviewer = {.snapshot = snapshot, .key_wait_ms = 150, .hooks = {.ask_for_keys = note_ask}};
    put_issuers(snapshot);
    rely_cooldown_set(&reviewer, 7, &(struct rely_key_notice){.miss_ms = 1000}, 1000);
    assert_false(rely_cooldown_ask(&reviewer, 7, 1849));
    assert_true(rely_cooldown_ask(&reviewer, 7, 1850)); /* near enough to be waited for */
    rely_cooldown_set(&reviewer, 99999, &(struct rely_key_notice){.miss_ms = 1000},
                      1000); /* of an issuer that is gone */
    assert_int_equal(reviewer.cooldowns.count, 1);
    rely_cooldowns_fini(&reviewer);
    rely_snapshot_free_all(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_b6_each_issuer_has_its_own_cooldown),
        cmocka_unit_test(test_c19_when_asking_is_useless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

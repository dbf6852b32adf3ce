/*
 * claims: SPIFFE IDs of a trust domain.
 */
#include "claims_tests.h"

#include "relyd/spiffe.h"

#include <stdlib.h>
#include <string.h>

static void test_ids_of_a_trust_domain(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool is_one;
    } ids[] = {
        {"spiffe://prod.example/ns/app", true},
        {"spiffe://prod.example/a", true},
        {"spiffe://prod.example/A-Z_0.9/...", true},
        {"spiffe://prod.example/a.b/..c", true},
        {"spiffe://prod.example", false},
        {"spiffe://prod.example/", false},
        {"spiffe://prod.example//a", false},
        {"spiffe://prod.example/a/", false},
        {"spiffe://prod.example/a//b", false},
        {"spiffe://prod.example/./a", false},
        {"spiffe://prod.example/a/..", false},
        {"spiffe://prod.example/a?b", false},
        {"spiffe://prod.example/a#b", false},
        {"spiffe://prod.example/a b", false},
        {"spiffe://prod.example/a%2Fb", false},
        {"spiffe://prod.example/\xC3\xA4", false},
        {"spiffe://prod.example.evil/a", false},
        {"spiffe://prod.exampl/a", false},
        {"spiffe://prod.example:8443/a", false},
        {"spiffe://user@prod.example/a", false},
        {"spiffe://other.example/a", false},
        {"spiffe://Prod.example/a", false},
        {"SPIFFE://prod.example/a", false},
        {"spiffe:/prod.example/a", false},
        {" spiffe://prod.example/a", false},
        {"prod.example/a", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (rely_spiffe_is_of(rely_slice_of(ids[i].id), RELY_LIT("prod.example")) != ids[i].is_one)
            fail_msg("%s", ids[i].id);
    assert_false(rely_spiffe_is_of((struct rely_slice){NULL, 0}, RELY_LIT("prod.example")));
}

static void test_at_most_2048_bytes(void **state)
{
    (void)state;
    struct rely_buf id = {0};
    rely_buf_put(&id, RELY_LIT("spiffe://a/"));
    while (id.len < 2048)
        rely_buf_putc(&id, 'x');
    assert_true(rely_spiffe_is_of(rely_buf_slice(&id), RELY_LIT("a")));
    rely_buf_putc(&id, 'x');
    assert_false(rely_spiffe_is_of(rely_buf_slice(&id), RELY_LIT("a")));
    rely_buf_fini(&id);
}

int run_spiffe_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_a_trust_domain),
        cmocka_unit_test(test_at_most_2048_bytes),
    };
    return cmocka_run_group_tests_name("claims: spiffe", tests, NULL, NULL);
}

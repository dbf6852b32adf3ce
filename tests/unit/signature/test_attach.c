/*
 * Which keys get a table and when: asked for once, by success only, hung on the right key only, and counted; and that a
 * token is judged the same before and after.
 */
#include "tests.h"

#include <openssl/err.h>

static bool attach_table(const struct rely_key *key)
{
    struct rely_key_point point;
    struct rely_key_table *table = rely_key_point_of(key, &point) ? rely_key_table_new(&point) : NULL;
    return table != NULL && rely_key_table_attach(key, table);
}

/* How often the key asks while it verifies `count` tokens. */
static unsigned count_asking(const struct rely_keyset *keyset, const struct rely_unverified *token,
                             enum rely_reason reason, int count)
{
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    unsigned asked = 0;
    for (int i = 0; i < count; i++) {
        check_reason(keyset, token, reason);
        asked += rely_signature_wants_table(key);
    }
    return asked;
}

static void ask_once_and_for_success_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        struct rely_keyset *keyset = set_of(mint_key(pairings[i].kind), NULL);
        const char *good = mint_token(mint_key(pairings[i].kind), pairings[i].alg, HEADER, PAYLOAD);
        const char *bad = mint_token(mint_key(pairings[i].other), pairings[i].alg, HEADER, PAYLOAD);
        struct rely_unverified right = read_parts(good, pairings[i].number),
                               wrong = read_parts(bad, pairings[i].number);
        bool is_ecdsa = strncmp(pairings[i].alg, "ES", 2) == 0;
        assert_false(rely_signature_wants_table(rely_keyset_at(keyset, 0)));
        assert_int_equal(count_asking(keyset, &wrong, RELY_BAD_SIGNATURE, 2 * RELY_KEY_TABLE_SUCCESSES), 0);
        assert_int_equal(count_asking(keyset, &right, RELY_OK, RELY_KEY_TABLE_SUCCESSES - 1), 0);
        assert_int_equal(count_asking(keyset, &wrong, RELY_BAD_SIGNATURE, 2), 0);
        assert_int_equal(count_asking(keyset, &right, RELY_OK, 1), is_ecdsa);
        assert_int_equal(count_asking(keyset, &right, RELY_OK, 2 * RELY_KEY_TABLE_SUCCESSES), 0);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void judge_tokens_the_same_with_a_table(void **state)
{
    (void)state;
    size_t count = rely_key_tables_count();
    for (size_t i = 6; i < 9; i++) {
        struct rely_keyset *keyset = set_of(mint_key(pairings[i].kind), NULL);
        const char *bad = mint_token(mint_key(pairings[i].other), pairings[i].alg, HEADER, PAYLOAD);
        struct rely_unverified wrong = read_parts(bad, pairings[i].number);
        assert_true(attach_table(rely_keyset_at(keyset, 0)));
        assert_int_equal(rely_key_tables_count(), count + 1);
        for (int round = 0; round < 100; round++) {
            const char *payload = mint_print("{\"round\":%d}", round);
            const char *good = mint_token(mint_key(pairings[i].kind), pairings[i].alg, HEADER, payload);
            struct rely_unverified right = read_parts(good, pairings[i].number);
            check_reason(keyset, &right, RELY_OK);
            ((char *)right.signature.ptr)[(size_t)round % right.signature.len] ^= 1;
            check_reason(keyset, &right, RELY_BAD_SIGNATURE);
        }
        check_reason(keyset, &wrong, RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
        assert_int_equal(rely_key_tables_count(), count); /* its place is free again */
    }
    mint_reset();
}

/* A table on the wrong key would believe another key's signatures. */
static void refuse_tables_of_other_keys(void **state)
{
    (void)state;
    size_t count = rely_key_tables_count();
    struct rely_keyset *keyset = set_of(mint_key("p256"), NULL), *other = set_of(mint_key("p256#2"), NULL);
    struct rely_keyset *longer = set_of(mint_key("p384"), NULL), *rsa = set_of(mint_key("rsa2048"), NULL);
    const struct rely_key *targets[] = {rely_keyset_at(other, 0), rely_keyset_at(longer, 0), rely_keyset_at(rsa, 0)};
    struct rely_key_point point;
    assert_true(rely_key_point_of(rely_keyset_at(keyset, 0), &point));
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_false(rely_key_table_attach(targets[i], rely_key_table_new(&point)));
    assert_int_equal(rely_key_tables_count(), count);
    assert_true(rely_key_table_attach(rely_keyset_at(keyset, 0), rely_key_table_new(&point)));
    assert_false(rely_key_table_attach(rely_keyset_at(keyset, 0), rely_key_table_new(&point))); /* it has one */
    assert_int_equal(rely_key_tables_count(), count + 1);
    rely_keyset_free(rsa);
    rely_keyset_free(longer);
    rely_keyset_free(other);
    rely_keyset_free(keyset);
    assert_int_equal(rely_key_tables_count(), count);
    mint_reset();
}

static void make_no_table_of_other_points(void **state)
{
    (void)state;
    struct rely_key_point point = {.len = 4711};
    static const char *const kinds[] = {"rsa2048", "ed25519"};
    for (size_t i = 0; i < 2; i++) {
        struct rely_keyset *keyset = set_of(mint_key(kinds[i]), NULL);
        assert_false(rely_key_point_of(rely_keyset_at(keyset, 0), &point));
        assert_int_equal(point.len, 4711);
        rely_keyset_free(keyset);
    }
    static const size_t lengths[] = {0, 1, 33, 64, 65, 66, 97, 133};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        point = (struct rely_key_point){.bytes = {4, 1, 2, 3}, .len = lengths[i]}; /* on no curve */
        assert_null(rely_key_table_new(&point));
        assert_int_equal(ERR_peek_error(), 0);
    }
    rely_key_table_free(NULL);
    mint_reset();
}

int run_attach_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_once_and_for_success_only),
        cmocka_unit_test(judge_tokens_the_same_with_a_table),
        cmocka_unit_test(refuse_tables_of_other_keys),
        cmocka_unit_test(make_no_table_of_other_points),
    };
    return cmocka_run_group_tests_name("attach", tests, choose_own_arithmetic, return_to_arithmetic_of_environment);
}

/*
 * Which keys get a table and when: asked for once, by success only, hung on the right key only, and counted; and that a
 * token is judged the same before and after.
 */
#include "tests.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

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

/* A number of `bytes` bytes: the curve's order and a little. Big-endian. */
static struct rely_slice near_order(const char *curve, long more, size_t bytes)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(curve));
    BIGNUM *number = BN_dup(EC_GROUP_get0_order(group));
    unsigned char out[66];
    assert_int_equal(more < 0 ? BN_sub_word(number, (BN_ULONG)-more) : BN_add_word(number, (BN_ULONG)more), 1);
    assert_int_equal(BN_bn2binpad(number, out, (int)bytes), bytes);
    BN_free(number);
    EC_GROUP_free(group);
    return mint_copy(rely_slice((char *)out, bytes));
}

static void check_cost(const struct rely_key *key, enum rely_alg alg, struct rely_slice signature, uint32_t cost)
{
    char *exact = malloc(signature.len); /* AddressSanitizer sees whoever reads on */
    memcpy(exact, signature.ptr, signature.len);
    const struct rely_unverified token = {.alg = alg, .signature = rely_slice(exact, signature.len)};
    assert_int_equal(rely_signature_cost_of_refusal(&token, key), cost);
    free(exact);
}

/* r and s from 1 to n - 1 have cost arithmetic, less with a table; what is no such number, or not of its length, has
 * cost nothing, nor has a signature for another algorithm. */
static void tell_what_ecdsa_has_cost(void **state)
{
    (void)state;
    static const struct {
        const char *curve, *kind;
        size_t bytes;
        enum rely_alg alg;
        uint32_t cost, with_table;
    } curves[] = {{"P-256", "p256", 32, RELY_ALG_ES256, 4, 2},
                  {"P-384", "p384", 48, RELY_ALG_ES384, 60, 12},
                  {"P-521", "p521", 66, RELY_ALG_ES512, 40, 24}};
    for (size_t c = 0; c < 6; c++) {
        struct rely_keyset *keyset = set_of(mint_key(curves[c / 2].kind), NULL);
        const struct rely_key *key = rely_keyset_at(keyset, 0);
        size_t bytes = curves[c / 2].bytes;
        const char *curve = curves[c / 2].curve;
        enum rely_alg alg = curves[c / 2].alg;
        struct rely_slice numbers[] = {mint_concat(mint_repeat('\0', bytes - 1), RELY_LIT("\x01")),
                                       near_order(curve, -1, bytes), mint_repeat('\0', bytes),
                                       near_order(curve, 0, bytes), near_order(curve, 1, bytes)};
        uint32_t cost = c % 2 == 0 ? curves[c / 2].cost : curves[c / 2].with_table;
        assert_true(c % 2 == 0 || attach_table(key));
        for (size_t r = 0; r < 5; r++)
            for (size_t s = 0; s < 5; s++)
                check_cost(key, alg, mint_concat(numbers[r], numbers[s]), r < 2 && s < 2 ? cost : 0);
        struct rely_slice good = mint_concat(numbers[0], numbers[1]);
        check_cost(key, alg, rely_slice(good.ptr, good.len - 1), 0);
        check_cost(key, alg, mint_concat(good, RELY_LIT("\x01")), 0);
        check_cost(key, RELY_ALG_RS256, good, 0);
        check_cost(key, alg == RELY_ALG_ES256 ? RELY_ALG_ES384 : RELY_ALG_ES256, good, 0);
        check_cost(key, RELY_ALG_UNKNOWN, good, 0);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void tell_what_others_have_cost(void **state)
{
    (void)state;
    /* 2^252 + 27742317777372353535851937790883648493, little-endian */
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                            0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct rely_slice at = rely_slice((const char *)order, 32), any = mint_repeat('\xff', 32);
    struct rely_slice below = mint_concat(RELY_LIT("\xec"), rely_slice(at.ptr + 1, 31));
    struct rely_slice above = mint_concat(RELY_LIT("\xee"), rely_slice(at.ptr + 1, 31));
    struct rely_keyset *keyset = set_of(mint_key("ed25519"), NULL), *rsa = set_of(mint_key("rsa2048"), NULL);
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(any, below), 8);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(any, mint_repeat('\0', 32)), 8);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(any, at), 0);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(any, above), 0);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(below, any), 0);
    check_cost(key, RELY_ALG_EDDSA, mint_concat(any, rely_slice(below.ptr, 31)), 0);
    check_cost(rely_keyset_at(rsa, 0), RELY_ALG_RS256, mint_repeat('\xff', 256), 1);
    check_cost(rely_keyset_at(rsa, 0), RELY_ALG_PS512, mint_repeat('\0', 256), 1);
    check_cost(rely_keyset_at(rsa, 0), RELY_ALG_RS256, mint_repeat('\xff', 255), 0);
    check_cost(rely_keyset_at(rsa, 0), RELY_ALG_RS256, mint_repeat('\xff', 257), 0);
    check_cost(rely_keyset_at(rsa, 0), RELY_ALG_EDDSA, mint_repeat('\0', 256), 0);
    rely_keyset_free(rsa);
    rely_keyset_free(keyset);
    mint_reset();
}

int run_attach_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_once_and_for_success_only), cmocka_unit_test(judge_tokens_the_same_with_a_table),
        cmocka_unit_test(refuse_tables_of_other_keys),   cmocka_unit_test(make_no_table_of_other_points),
        cmocka_unit_test(tell_what_ecdsa_has_cost),      cmocka_unit_test(tell_what_others_have_cost),
    };
    return cmocka_run_group_tests_name("attach", tests, choose_own_arithmetic, return_to_arithmetic_of_environment);
}

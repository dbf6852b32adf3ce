/* Which whole documents are key sets, and what a real API server publishes. */
#include "tests.h"

#include "../../../src/keys/verifiable.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

static void check_refused(const char *jwks, const char *message)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_keyset_parse(rely_slice_of(jwks), &err);
    assert_null(keyset);
    assert_int_equal(err.code, RELY_ERR_INVALID);
    if (strstr(err.message, message) == NULL)
        fail_msg("refused because %s, not because %s", err.message, message);
    assert_int_equal(ERR_peek_error(), 0);
}

static const char *good(void)
{
    return mint_jwk(mint_key("p256"), "good", NULL);
}

static void refuse_other_documents(void **state)
{
    (void)state;
    const char *shape = "no JSON object with an array \"keys\"";
    check_refused("{}", shape);
    check_refused("{\"keys\":{}}", shape);
    check_refused("{\"keys\":null}", shape);
    check_refused(mint_print("{\"KEYS\":[%s]}", good()), shape);
    check_refused(mint_print("[%s]", good()), shape);
    check_refused(good(), shape);
    check_refused("{\"keys\":[]}", "the key set has no keys");
    check_refused(mint_print("{\"keys\":[],\"keys\":[%s]}", good()), "");
    check_refused(mint_print("%s x", mint_jwks(good(), NULL)), "");
    check_refused("", "");
    mint_reset();
}

static void refuse_duplicate_members(void **state)
{
    (void)state;
    struct rely_err err = {0};
    const char *jwks = mint_jwks(mint_jwk_with(mint_key("p256"), "good", NULL, "\"kid\":\"other\""), NULL);
    assert_null(rely_keyset_parse(rely_slice_of(jwks), &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    mint_reset();
}

/* fault C2: one entry that is no key is no reason to lose the others. */
static void skip_entries_that_are_no_objects(void **state)
{
    (void)state;
    static const char *const others[] = {"null", "\"x\"", "[]", "7", "true", "[{\"kty\":\"RSA\"}]", "1.5"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        for (int is_first = 0; is_first < 2; is_first++) {
            struct rely_keyset *keyset =
                parse_good(mint_jwks(is_first ? others[i] : good(), is_first ? good() : others[i], NULL));
            assert_int_equal(rely_keyset_count(keyset), 1);
            assert_int_equal(rely_key_kid(rely_keyset_at(keyset, 0)).len, 4);
            assert_int_equal(rely_keyset_skipped_count(keyset), 1);
            assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, "it is no JSON object");
            assert_null(rely_keyset_skipped_at(keyset, 0)->kid.ptr);
            assert_false(rely_keyset_skipped_at(keyset, 0)->is_weak);
            rely_keyset_free(keyset);
        }
    check_refused(mint_jwks("null", "{}", NULL),
                  "the key set has no usable key; the first one is skipped because it is no JSON object");
    check_refused(mint_jwks("\"x\"", NULL), "the key set has no usable key");
    mint_reset();
}

static void refuse_useless_sets(void **state)
{
    (void)state;
    check_refused(mint_jwks("{\"kty\":\"oct\",\"k\":\"AAAA\"}", NULL),
                  "the key set has no usable key; the first one is skipped because it has the private member \"k\"");
    check_refused(
        mint_jwks("{\"kty\":\"oct\"}", NULL),
        "the key set has no usable key; the first one is skipped because its \"kty\" is not RSA, EC, OKP or AKP");
    check_refused(mint_jwks(mint_jwk_with(mint_key("p256"), "a", NULL, "\"use\":\"enc\""), NULL),
                  "the key set has no usable key");
    mint_reset();
}

static void keep_sets_of_weak_keys(void **state)
{
    (void)state;
    struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(mint_key("rsa1024"), "weak", NULL), NULL));
    assert_int_equal(rely_keyset_count(keyset), 0);
    assert_int_equal(rely_keyset_skipped_count(keyset), 1);
    assert_true(rely_keyset_has_kid(keyset, RELY_LIT("weak")));
    rely_keyset_free(keyset);
    mint_reset();
}

static const char *many_keys(size_t count)
{
    const char *jwks[RELY_JWKS_KEYS_MAX + 1];
    for (size_t i = 0; i < count; i++)
        jwks[i] = mint_jwk(mint_key("ed25519"), mint_print("k%zu", i), NULL);
    return mint_jwks_of(jwks, count);
}

static void limit_keys_and_bytes(void **state)
{
    (void)state;
    struct rely_keyset *keyset = parse_good(many_keys(RELY_JWKS_KEYS_MAX));
    assert_int_equal(rely_keyset_count(keyset), 1000);
    rely_keyset_free(keyset);
    check_refused(many_keys(RELY_JWKS_KEYS_MAX + 1), "the key set has 1001 keys, more than 1000 (keys.max_count)");
    const char *jwks = mint_jwks(good(), NULL);
    int blanks = RELY_JWKS_BYTES_MAX - (int)strlen(jwks);
    keyset = parse_good(mint_print("%s%*s", jwks, blanks, ""));
    rely_keyset_free(keyset);
    check_refused(mint_print("%s%*s", jwks, blanks + 1, ""),
                  "the key set has 8388609 bytes, more than 8388608 (keys.max_bytes)");
    mint_reset();
}

/* fault C6: a new set is held to the settings, entries that are skipped included. */
static void limit_new_sets_by_settings(void **state)
{
    (void)state;
    const struct rely_keyset_limits limits = {2, 700, false};
    struct rely_err err = {0};
    const char *two = mint_jwks(good(), "null", NULL);
    struct rely_keyset *keyset = rely_keyset_parse_within(rely_slice_of(two), &limits, &err);
    assert_non_null(keyset);
    rely_keyset_free(keyset);
    assert_null(rely_keyset_parse_within(rely_slice_of(mint_jwks(good(), "null", "7", NULL)), &limits, &err));
    assert_string_equal(err.message, "the key set has 3 keys, more than 2 (keys.max_count)");
    err = (struct rely_err){0};
    keyset =
        rely_keyset_parse_within(rely_slice_of(mint_print("%s%*s", two, 700 - (int)strlen(two), "")), &limits, &err);
    assert_non_null(keyset);
    rely_keyset_free(keyset);
    assert_null(
        rely_keyset_parse_within(rely_slice_of(mint_print("%s%*s", two, 701 - (int)strlen(two), "")), &limits, &err));
    assert_string_equal(err.message, "the key set has 701 bytes, more than 700 (keys.max_bytes)");
    mint_reset();
}

static void check_cost(const char *jwk, const char *why)
{
    struct rely_err err = {0};
    const char *jwks = mint_jwks(jwk, good(), NULL);
    for (int may_be_costly = 0; may_be_costly < 2; may_be_costly++) {
        const struct rely_keyset_limits limits = rely_keyset_most(may_be_costly != 0);
        struct rely_keyset *keyset = rely_keyset_parse_within(rely_slice_of(jwks), &limits, &err);
        assert_non_null(keyset);
        bool is_used = may_be_costly != 0 || why == NULL;
        assert_int_equal(rely_keyset_count(keyset), is_used ? 2 : 1);
        assert_int_equal(rely_keyset_skipped_count(keyset), is_used ? 0 : 1);
        if (!is_used) {
            assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, why);
            assert_true(rely_keyset_skipped_at(keyset, 0)->is_weak);
        }
        rely_keyset_free(keyset);
    }
}

static const char *rsa_with(size_t bytes, char first, const char *e)
{
    struct rely_slice modulus = mint_copy(mint_repeat('\xff', bytes));
    ((char *)(uintptr_t)modulus.ptr)[0] = first;
    return mint_print("{\"kty\":\"RSA\",\"kid\":\"costly\",\"n\":\"%s\",\"e\":\"%s\"}", mint_base64(modulus), e);
}

/* design.md section 2: 4096 bits, and 8192 when the record says so. */
static void skip_costly_keys(void **state)
{
    (void)state;
    const char *bits = "its RSA modulus has more than 4096 bits, and the record does not say allowCostlyKeys";
    const char *exponent = "its RSA exponent is above 65537, and the record does not say allowCostlyKeys";
    check_cost(rsa_with(512, '\xff', "AQAB"), NULL);
    check_cost(rsa_with(513, '\0', "AQAB"), NULL); /* a leading zero is no bit */
    check_cost(rsa_with(513, '\1', "AQAB"), bits);
    check_cost(rsa_with(1024, '\xff', "AQAB"), bits);
    check_cost(rsa_with(256, '\xff', "Aw"), NULL);
    check_cost(rsa_with(256, '\xff', "AAEAAQ"), NULL); /* 65537, with a leading zero */
    check_cost(rsa_with(256, '\xff', "AQAD"), exponent);
    check_cost(rsa_with(256, '\xff', "_____w"), exponent);
    mint_reset();
}

/* fault D: a set of weak keys alone may stand where nothing stood, and nowhere else. */
static void tell_usable_sets(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_keyset *weak = parse_good(mint_jwks(mint_jwk(mint_key("rsa1024"), "weak", NULL), NULL));
    assert_false(rely_keyset_check_usable(weak, &err));
    assert_string_equal(err.message,
                        "the key set has no usable key; the first one is skipped because its RSA modulus has "
                        "1024 bits, not 2048 to 8192");
    rely_keyset_free(weak);
    err = (struct rely_err){0};
    struct rely_keyset *mixed = parse_good(mint_jwks(mint_jwk(mint_key("rsa1024"), "weak", NULL), good(), NULL));
    assert_true(rely_keyset_check_usable(mixed, &err));
    assert_int_equal(err.code, RELY_ERR_NONE);
    rely_keyset_free(mixed);
    mint_reset();
}

static void ignore_unknown_members(void **state)
{
    (void)state;
    struct rely_keyset *keyset =
        parse_good(mint_print("{\"spiffe_sequence\":1,\"d\":{},\"keys\":[%s,%s,%s]}",
                              mint_jwk_with(mint_key("p256"), "good", NULL, "\"foo\":[1,{}]"),
                              "{\"kty\":\"XYZ\",\"kid\":\"new\"}", "{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}"));
    assert_int_equal(rely_keyset_count(keyset), 1);
    assert_int_equal(rely_keyset_skipped_count(keyset), 2);
    rely_keyset_free(keyset);
    mint_reset();
}

static void read_kubernetes_sets(void **state)
{
    (void)state;
    static const struct {
        const char *path, *kind;
        size_t count;
    } sets[] = {
        {"kubernetes/rs256/jwks.json", "RSA 2048", 1},
        {"kubernetes/es256/jwks.json", "EC P-256", 1},
        {"kubernetes/es384/jwks.json", "EC P-384", 1},
        {"kubernetes/es512/jwks.json", "EC P-521", 1},
    };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        char text[8192] = {0};
        FILE *file = fopen(mint_print("%s/%s", RELYD_VECTORS, sets[i].path), "r");
        assert_non_null(file);
        assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
        fclose(file);
        struct rely_keyset *keyset = parse_good(text);
        assert_int_equal(rely_keyset_count(keyset), sets[i].count);
        assert_string_equal(rely_key_kind(rely_keyset_at(keyset, 0)), sets[i].kind);
        assert_non_null(rely_key_kid(rely_keyset_at(keyset, 0)).ptr);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* --- verifiers: signature/'s make and release them, here a number of the key's ------------------------------------ */

static int made, released;
static const char *refused_kid;

static struct rely_verifier *make_number(const struct rely_key *key)
{
    if (refused_kid == NULL || rely_slice_equal(rely_key_kid(key), rely_slice_of(refused_kid)))
        return NULL;
    made++;
    return (struct rely_verifier *)rely_strdup_slice(rely_key_kid(key));
}

static void release_number(struct rely_verifier *verifier)
{
    released++;
    free(verifier);
}

static void equip_every_key(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_keyset *keyset =
        parse_good(mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), mint_jwk(mint_key("p384"), "b", NULL),
                             mint_jwk(mint_key("ed25519"), "c", NULL), NULL));
    made = released = 0;
    refused_kid = "b";
    assert_true(rely_keyset_equip(keyset, make_number, release_number, &err));
    assert_int_equal(made, 2);
    assert_int_equal(rely_keyset_count(keyset), 2);
    assert_string_equal((const char *)rely_key_verifier(rely_keyset_at(keyset, 0)), "a");
    assert_string_equal((const char *)rely_key_verifier(rely_keyset_at(keyset, 1)), "c");
    assert_int_equal(rely_keyset_skipped_count(keyset), 1);
    assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, "OpenSSL cannot prepare it");
    assert_int_equal(rely_keyset_taken_out_count(keyset), 0);
    assert_int_equal(released, 0);
    rely_keyset_take_out(keyset, 0, "another record has it");
    assert_int_equal(released, 1);
    rely_keyset_free(keyset);
    assert_int_equal(released, 2);
    mint_reset();
}

static void equip_no_key(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), NULL));
    refused_kid = NULL;
    assert_false(rely_keyset_equip(keyset, make_number, release_number, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    assert_string_equal(err.message,
                        "the key set has no usable key; the first one is skipped because OpenSSL cannot prepare it");
    rely_keyset_free(keyset);
    mint_reset();
}

static bool are_same(const char *a, const char *b, bool with_skipped)
{
    struct rely_err err = {0};
    struct rely_keyset *one = rely_keyset_parse(rely_slice_of(a), &err);
    struct rely_keyset *other = rely_keyset_parse(rely_slice_of(b), &err);
    assert_non_null(one);
    assert_non_null(other);
    bool is_same = with_skipped ? rely_keyset_is_same(one, other) : rely_keyset_has_same_keys(one, other);
    assert_int_equal(with_skipped ? rely_keyset_is_same(other, one) : rely_keyset_has_same_keys(other, one), is_same);
    rely_keyset_free(one);
    rely_keyset_free(other);
    return is_same;
}

/* Fault B12: what lets the same tokens through is the same set, however it is written. */
static void test_b12_compares_keys_and_not_documents(void **state)
{
    (void)state;
    const char *a = mint_jwk(mint_key("p256"), "a", NULL), *b = mint_jwk(mint_key("rsa2048"), "b", NULL);
    const char *both = mint_print("{\"keys\":[%s,%s]}", a, b);
    assert_true(are_same(both, mint_print("{ \"x\": 1, \"keys\": [%s, %s, %s]}", b, a, b), false));
    assert_true(are_same(both, mint_print("{\"keys\":[%s,{\"kty\":\"?\"},%s]}", b, a), false));
    assert_false(are_same(both, mint_print("{\"keys\":[%s,{\"kty\":\"?\"},%s]}", b, a), true));
    assert_true(are_same(both, mint_print("{\"keys\":[%s,%s]}", b, a), true));
    /* another kid, another alg, another key, one less */
    assert_false(are_same(both, mint_print("{\"keys\":[%s,%s]}", a, mint_jwk(mint_key("rsa2048"), "c", NULL)), false));
    assert_false(are_same(both, mint_print("{\"keys\":[%s,%s]}", a, mint_jwk(mint_key("rsa2048"), NULL, NULL)), false));
    assert_false(
        are_same(both, mint_print("{\"keys\":[%s,%s]}", a, mint_jwk(mint_key("rsa2048"), "b", "PS256")), false));
    assert_false(
        are_same(both, mint_print("{\"keys\":[%s,%s]}", a, mint_jwk(mint_key("p256#other"), "b", NULL)), false));
    assert_false(are_same(both, mint_print("{\"keys\":[%s]}", a), false));
    assert_false(are_same(mint_jwks(a, mint_jwk(mint_key("rsa2048"), NULL, NULL), NULL),
                          mint_jwks(a, mint_jwk(mint_key("rsa2048"), "", NULL), NULL), false));
    /* what was skipped is told of by its kid, and whether it is weak */
    const char *weak = mint_jwks(a, mint_jwk(mint_key("rsa1024"), "k", NULL), NULL);
    const char *others[] = {mint_jwks(a, mint_jwk(mint_key("rsa1024"), "l", NULL), NULL),
                            mint_jwks(a, mint_jwk(mint_key("rsa1024"), NULL, NULL), NULL),
                            mint_jwks(a, mint_jwk_with(mint_key("p256"), "k", NULL, "\"use\":\"enc\""), NULL)};
    assert_true(are_same(weak, mint_jwks(mint_jwk(mint_key("rsa1024#2"), "k", NULL), a, NULL), true));
    for (size_t i = 0; i < 3; i++) {
        assert_true(are_same(weak, others[i], false));
        assert_false(are_same(weak, others[i], true));
    }
}

/* What a try costs, as the budget of failed ones counts it: measured in verifications under RSA-2048 with 65537. */
static void price_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        uint32_t cost;
    } kinds[] = {{"p256", 4},    {"p384", 60},   {"p521", 40},   {"ed25519", 8},
                 {"rsa2048", 1}, {"rsa3072", 2}, {"rsa4096", 4}, {"rsa2048e3", 1}};
    static const struct {
        size_t bytes;
        const char *e;
        uint32_t cost;
    } numbers[] = {{256, "_____w", 3}, {257, "AQAB", 2},     {1024, "AQAB", 16},
                   {1024, "Aw", 16},   {1024, "_____w", 58}, {1024, "gAAAAQ", 30}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(mint_key(kinds[i].kind), "k", NULL), NULL));
        assert_int_equal(rely_key_cost(rely_keyset_at(keyset, 0)), kinds[i].cost);
        rely_keyset_free(keyset);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const char *jwk = mint_print("{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}",
                                     mint_base64(mint_repeat('\xff', numbers[i].bytes)), numbers[i].e);
        struct rely_keyset *keyset = parse_good(mint_jwks(jwk, NULL));
        assert_int_equal(rely_key_cost(rely_keyset_at(keyset, 0)), numbers[i].cost);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

int run_set_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(price_every_kind),
        cmocka_unit_test(equip_every_key),
        cmocka_unit_test(equip_no_key),
        cmocka_unit_test(refuse_other_documents),
        cmocka_unit_test(refuse_duplicate_members),
        cmocka_unit_test(refuse_useless_sets),
        cmocka_unit_test(keep_sets_of_weak_keys),
        cmocka_unit_test(limit_keys_and_bytes),
        cmocka_unit_test(limit_new_sets_by_settings),
        cmocka_unit_test(skip_costly_keys),
        cmocka_unit_test(tell_usable_sets),
        cmocka_unit_test(ignore_unknown_members),
        cmocka_unit_test(read_kubernetes_sets),
        cmocka_unit_test(skip_entries_that_are_no_objects),
        cmocka_unit_test(test_b12_compares_keys_and_not_documents),
    };
    return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}

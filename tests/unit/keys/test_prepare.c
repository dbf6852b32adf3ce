/* What is computed once per key: numbers for RS256 and its like, a context for the others, and that both verify. */
#include "tests.h"

#include "../../../src/keys/key.h"

#include <openssl/err.h>

static bool verify(EVP_PKEY_CTX *ctx, const struct mint_key *key, const char *alg)
{
    struct rely_slice bytes = RELY_LIT("signed"), signature = mint_sign(key, alg, bytes);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const EVP_MD *method = NULL;
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_CTX_get_signature_md(ctx, &method), 1);
    assert_int_equal(EVP_Digest(bytes.ptr, bytes.len, digest, &len, method, NULL), 1);
    int answer = EVP_PKEY_verify(ctx, (const uint8_t *)signature.ptr, signature.len, digest, len);
    ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
    return answer == 1;
}

static void check_numbers(const struct rely_key *key, struct rely_slice n, uint32_t exponent)
{
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.ptr, (int)n.len, NULL);
    BIGNUM *radix = BN_new(), *got = BN_new();
    BN_CTX *ctx = BN_CTX_new();
    assert_non_null(key->modulus);
    assert_int_equal(BN_cmp(key->modulus, modulus), 0);
    assert_int_equal(key->exponent, exponent);
    assert_null(key->prepared);
    assert_int_equal(BN_set_word(radix, 4711), 1); /* there and back */
    assert_int_equal(BN_to_montgomery(got, radix, key->by_modulus, ctx), 1);
    assert_int_not_equal(BN_cmp(got, radix), 0);
    assert_int_equal(BN_from_montgomery(got, got, key->by_modulus, ctx), 1);
    assert_int_equal(BN_cmp(got, radix), 0);
    BN_CTX_free(ctx);
    BN_free(got);
    BN_free(radix);
    BN_free(modulus);
}

static void check_no_numbers(const struct rely_key *key)
{
    assert_null(key->modulus);
    assert_null(key->by_modulus);
    assert_int_equal(key->exponent, 0);
}

/* Without alg the key is for six algorithms: by numbers for three, by contexts made when needed for all. */
static void prepare_rsa_without_alg(void **state)
{
    (void)state;
    const struct mint_key *pair = mint_key("rsa2048");
    struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(pair, "k", NULL), NULL));
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    check_numbers(key, mint_key_part(pair, "n"), 65537);
    assert_int_equal(key->prepared_alg, RELY_ALG_RS256);
    assert_true(verify(rely_key_context(key, RELY_ALG_RS256), pair, "RS256"));
    assert_true(verify(rely_key_context(key, RELY_ALG_PS256), pair, "PS256"));
    assert_false(verify(rely_key_context(key, RELY_ALG_PS256), pair, "RS256"));
    assert_false(verify(rely_key_context(key, RELY_ALG_RS256), pair, "PS256"));
    assert_false(verify(rely_key_context(key, RELY_ALG_RS256), mint_key("rsa2048#2"), "RS256"));
    rely_keyset_free(keyset);
    mint_reset();
}

static void prepare_rsa_with_alg(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum rely_alg alg;
    } cases[] = {{"RS256", RELY_ALG_RS256}, {"RS384", RELY_ALG_RS384}, {"RS512", RELY_ALG_RS512},
                 {"PS256", RELY_ALG_PS256}, {"PS384", RELY_ALG_PS384}, {"PS512", RELY_ALG_PS512}};
    const struct mint_key *pair = mint_key("rsa2048e3");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(pair, "k", cases[i].name), NULL));
        const struct rely_key *key = rely_keyset_at(keyset, 0);
        assert_int_equal(key->prepared_alg, cases[i].alg);
        if (i < 3)
            check_numbers(key, mint_key_part(pair, "n"), 3);
        else {
            check_no_numbers(key);
            assert_non_null(key->prepared);
        }
        assert_true(verify(rely_key_context(key, cases[i].alg), pair, cases[i].name));
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* Leading zeros of n and e are none of the number; the largest exponent fills its 32 bits. */
static void prepare_odd_rsa(void **state)
{
    (void)state;
    static const struct {
        const char *e;
        uint32_t exponent;
    } cases[] = {
        {"AAEAAQ", 65537}, {"_____w", 0xffffffff}, {"AAAAAAD_____", 0xffffffff}, {"Aw", 3}, {"gAAAAQ", 0x80000001}};
    struct rely_slice n = mint_key_part(mint_key("rsa2048"), "n"), zeros = mint_repeat('\0', 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *jwk = mint_print("{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}",
                                     mint_base64(mint_concat(zeros, n)), cases[i].e);
        struct rely_keyset *keyset = parse_good(mint_jwks(jwk, NULL));
        check_numbers(rely_keyset_at(keyset, 0), n, cases[i].exponent);
        assert_int_equal(rely_keyset_at(keyset, 0)->signature_bytes, 256);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void prepare_no_numbers_for_others(void **state)
{
    (void)state;
    static const char *const kinds[] = {"p256", "p384", "p521", "ed25519"};
    for (size_t i = 0; i < 4; i++) {
        struct rely_keyset *keyset = parse_good(mint_jwks(mint_jwk(mint_key(kinds[i]), "k", NULL), NULL));
        check_no_numbers(rely_keyset_at(keyset, 0));
        assert_int_equal(rely_keyset_at(keyset, 0)->prepared != NULL, i < 3);
        rely_keyset_free(keyset);
    }
    mint_reset();
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

int run_prepare_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare_rsa_without_alg), cmocka_unit_test(prepare_rsa_with_alg),
        cmocka_unit_test(prepare_odd_rsa),         cmocka_unit_test(prepare_no_numbers_for_others),
        cmocka_unit_test(price_every_kind),
    };
    return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}

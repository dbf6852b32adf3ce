/* What is computed once per key: numbers for RS256 and its like, a context for the others, and that both verify. */
#include "tests.h"

#include "../../../src/signature/verify.h"

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

static struct rely_keyset *accept_good(const char *jwks)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
    if (keyset == NULL)
        fail_msg("refused: %s", err.message);
    return keyset;
}

static const struct rely_verifier *first_verifier(const struct rely_keyset *keyset)
{
    const struct rely_verifier *verifier = rely_key_verifier(rely_keyset_at(keyset, 0));
    assert_non_null(verifier);
    assert_ptr_equal(verifier->pkey, rely_key_pkey(rely_keyset_at(keyset, 0)));
    return verifier;
}

static void check_numbers(const struct rely_verifier *verifier, struct rely_slice n, uint32_t exponent)
{
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.ptr, (int)n.len, NULL);
    BIGNUM *radix = BN_new(), *got = BN_new();
    BN_CTX *ctx = BN_CTX_new();
    assert_non_null(verifier->modulus);
    assert_int_equal(BN_cmp(verifier->modulus, modulus), 0);
    assert_int_equal(verifier->exponent, exponent);
    assert_null(verifier->prepared);
    assert_int_equal(BN_set_word(radix, 4711), 1); /* there and back */
    assert_int_equal(BN_to_montgomery(got, radix, verifier->by_modulus, ctx), 1);
    assert_int_not_equal(BN_cmp(got, radix), 0);
    assert_int_equal(BN_from_montgomery(got, got, verifier->by_modulus, ctx), 1);
    assert_int_equal(BN_cmp(got, radix), 0);
    BN_CTX_free(ctx);
    BN_free(got);
    BN_free(radix);
    BN_free(modulus);
}

static void check_no_numbers(const struct rely_verifier *verifier)
{
    assert_null(verifier->modulus);
    assert_null(verifier->by_modulus);
    assert_int_equal(verifier->exponent, 0);
}

/* Without alg the key is for six algorithms: by numbers for three, by contexts made when needed for all. */
static void prepare_rsa_without_alg(void **state)
{
    (void)state;
    const struct mint_key *pair = mint_key("rsa2048");
    struct rely_keyset *keyset = accept_good(mint_jwks(mint_jwk(pair, "k", NULL), NULL));
    const struct rely_verifier *verifier = first_verifier(keyset);
    check_numbers(verifier, mint_key_part(pair, "n"), 65537);
    assert_int_equal(verifier->prepared_alg, RELY_ALG_RS256);
    assert_true(verify(rely_verifier_context(verifier, RELY_ALG_RS256), pair, "RS256"));
    assert_true(verify(rely_verifier_context(verifier, RELY_ALG_PS256), pair, "PS256"));
    assert_false(verify(rely_verifier_context(verifier, RELY_ALG_PS256), pair, "RS256"));
    assert_false(verify(rely_verifier_context(verifier, RELY_ALG_RS256), pair, "PS256"));
    assert_false(verify(rely_verifier_context(verifier, RELY_ALG_RS256), mint_key("rsa2048#2"), "RS256"));
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
        struct rely_keyset *keyset = accept_good(mint_jwks(mint_jwk(pair, "k", cases[i].name), NULL));
        const struct rely_verifier *verifier = first_verifier(keyset);
        assert_int_equal(verifier->prepared_alg, cases[i].alg);
        if (i < 3)
            check_numbers(verifier, mint_key_part(pair, "n"), 3);
        else {
            check_no_numbers(verifier);
            assert_non_null(verifier->prepared);
        }
        assert_true(verify(rely_verifier_context(verifier, cases[i].alg), pair, cases[i].name));
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
        struct rely_keyset *keyset = accept_good(mint_jwks(jwk, NULL));
        check_numbers(first_verifier(keyset), n, cases[i].exponent);
        assert_int_equal(first_verifier(keyset)->signature_bytes, 256);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void prepare_no_numbers_for_others(void **state)
{
    (void)state;
    static const char *const kinds[] = {"p256", "p384", "p521", "ed25519"};
    for (size_t i = 0; i < 4; i++) {
        struct rely_keyset *keyset = accept_good(mint_jwks(mint_jwk(mint_key(kinds[i]), "k", NULL), NULL));
        check_no_numbers(first_verifier(keyset));
        assert_int_equal(first_verifier(keyset)->prepared != NULL, i < 3);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* A set that was only read, to look at its keys, verifies nothing, costs nothing, and gets no table. */
static void verify_nothing_without_acceptance(void **state)
{
    (void)state;
    const struct mint_key *pair = mint_key("p256");
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_keyset_parse(rely_slice_of(mint_jwks(mint_jwk(pair, "k", "ES256"), NULL)), &err);
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    struct rely_unverified token = read_parts(mint_token(pair, "ES256", HEADER, PAYLOAD), RELY_ALG_ES256);
    struct rely_key_point point;
    assert_null(rely_key_verifier(key));
    check_reason(keyset, &token, RELY_INTERNAL_ERROR);
    assert_int_equal(rely_signature_cost_of_refusal(&token, key), 0);
    assert_int_equal(rely_signature_serial(key), 0);
    assert_false(rely_signature_has_verified(key));
    assert_false(rely_signature_wants_table(key));
    assert_true(rely_key_point_of(key, &point));
    assert_false(rely_key_table_attach(key, rely_key_table_new(&point)));
    rely_keyset_free(keyset);
    mint_reset();
}

/* Two sets of one key are two verifiers: what a thread keeps of one is not found under the other. */
static void number_every_verifier(void **state)
{
    (void)state;
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), mint_jwk(mint_key("p384"), "b", NULL), NULL);
    struct rely_keyset *one = accept_good(jwks), *other = accept_good(jwks);
    const struct rely_keyset *sets[] = {one, other};
    uint64_t last = 0;
    for (size_t i = 0; i < 4; i++) { /* the last key of a set first */
        uint64_t serial = rely_signature_serial(rely_keyset_at(sets[i / 2], 1 - i % 2));
        assert_true(serial > last);
        last = serial;
    }
    rely_keyset_free(one);
    rely_keyset_free(other);
    mint_reset();
}

int run_verifier_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare_rsa_without_alg),
        cmocka_unit_test(prepare_rsa_with_alg),
        cmocka_unit_test(prepare_odd_rsa),
        cmocka_unit_test(prepare_no_numbers_for_others),
        cmocka_unit_test(verify_nothing_without_acceptance),
        cmocka_unit_test(number_every_verifier),
    };
    return cmocka_run_group_tests_name("verifier", tests, choose_own_arithmetic, return_to_arithmetic_of_environment);
}

/*
 * AKP keys (RFC 9964) and their tokens, with a provider that offers a toy by ML-DSA's names, and without one. The toy
 * proves what relyd does around OpenSSL: sizes, names and reasons; of ML-DSA itself it proves nothing.
 */
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/ml_dsa.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "toy_ml_dsa.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/provider.h>

#define PAYLOAD "{\"iss\":\"https://pq.example\",\"sub\":\"x\"}"

static OSSL_PROVIDER *builtin, *toy;

/* The toy is known to OpenSSL from the start, and offers nothing until it is loaded. */
static void load_toy(bool is_loaded)
{
    if (toy != NULL)
        OSSL_PROVIDER_unload(toy);
    toy = is_loaded ? OSSL_PROVIDER_load(NULL, "toy") : NULL;
    assert_int_equal(toy != NULL, is_loaded);
}

static int begin_with_toy(void **state)
{
    (void)state;
    builtin = OSSL_PROVIDER_load(NULL, "default"); /* none is by itself once another one is loaded */
    return builtin == NULL || OSSL_PROVIDER_add_builtin(NULL, "toy", OSSL_provider_init) != 1;
}

static int end_with_toy(void **state)
{
    (void)state;
    load_toy(false);
    rely_ml_dsa_setup(false);
    OSSL_PROVIDER_unload(builtin);
    return 0;
}

/* --- who is there ------------------------------------------------------------------------------------- */

static void offer_what_is_wanted_and_there(void **state)
{
    (void)state;
    for (int is_loaded = 0; is_loaded < 2; is_loaded++)
        for (int is_wanted = 0; is_wanted < 2; is_wanted++) {
            load_toy(is_loaded);
            bool has_any = is_loaded && is_wanted;
            assert_int_equal(rely_ml_dsa_setup(is_wanted), has_any);
            assert_int_equal(rely_alg_is_unavailable(RELY_ALG_ML_DSA_65), !has_any);
            assert_int_equal(rely_alg_is_unavailable(RELY_ALG_ML_DSA_44), !has_any); /* by oqsprovider's name */
            assert_true(rely_alg_is_unavailable(RELY_ALG_ML_DSA_87));
            assert_int_equal(ERR_peek_error(), 0);
        }
    for (enum rely_alg alg = RELY_ALG_UNKNOWN; alg < RELY_ALG_ML_DSA_44; alg++)
        assert_false(rely_alg_is_unavailable(alg)); /* an unknown one is not allowed, which is another thing */
}

/* --- keys --------------------------------------------------------------------------------------------- */

static const char *akp(const char *alg, char fill, size_t bytes)
{
    return mint_print("{\"kid\":\"k\",\"kty\":\"AKP\",\"alg\":\"%s\",\"pub\":\"%s\"}", alg,
                      mint_base64(mint_repeat(fill, bytes)));
}

static struct rely_keyset *accept_beside_good(const char *jwk)
{
    struct rely_err err = {0};
    const char *jwks = mint_jwks(jwk, mint_jwk(mint_key("p256#good"), "good", NULL), NULL);
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
    if (keyset == NULL)
        fail_msg("refused: %s", err.message);
    return keyset;
}

static void check_skipped_akp(const char *jwk, bool is_unavailable, const char *why)
{
    struct rely_keyset *keyset = accept_beside_good(jwk);
    assert_int_equal(rely_keyset_count(keyset), 1);
    assert_int_equal(rely_keyset_skipped_count(keyset), 1);
    const struct rely_keyset_skipped *skipped = rely_keyset_skipped_at(keyset, 0);
    assert_string_equal(skipped->why, why);
    assert_int_equal(skipped->is_unavailable, is_unavailable);
    assert_false(skipped->is_weak);
    rely_keyset_free(keyset);
}

static void skip_keys_that_are_not_available(void **state)
{
    (void)state;
    load_toy(true);
    rely_ml_dsa_setup(false);
    check_skipped_akp(akp("ML-DSA-65", 1, 1952), true,
                      "ML-DSA-65 is not available: crypto.ml_dsa is off, or OpenSSL has none");
    rely_ml_dsa_setup(true);
    check_skipped_akp(akp("ML-DSA-87", 1, 2592), true,
                      "ML-DSA-87 is not available: crypto.ml_dsa is off, or OpenSSL has none");
    mint_reset();
}

static void skip_keys_that_are_broken(void **state)
{
    (void)state;
    load_toy(true);
    rely_ml_dsa_setup(true);
    check_skipped_akp(akp("ML-DSA-65", 1, 1951), false, "its \"pub\" has 1951 bytes, not the 1952 of ML-DSA-65");
    check_skipped_akp(akp("ML-DSA-65", 1, 1953), false, "its \"pub\" has 1953 bytes, not the 1952 of ML-DSA-65");
    check_skipped_akp(akp("ML-DSA-44", 1, 1952), false, "its \"pub\" has 1952 bytes, not the 1312 of ML-DSA-44");
    check_skipped_akp(akp("ML-DSA-65", (char)0xff, 1952), false, "OpenSSL refuses its public key");
    static const char needs_alg[] = "its \"alg\" is not ML-DSA-44, ML-DSA-65 or ML-DSA-87 (RFC 9964)";
    check_skipped_akp(akp("ES256", 1, 1952), true, needs_alg);
    check_skipped_akp(akp("mldsa65", 1, 1952), true, needs_alg);
    check_skipped_akp("{\"kid\":\"k\",\"kty\":\"AKP\",\"pub\":\"AAAA\"}", true, needs_alg);
    check_skipped_akp("{\"kid\":\"k\",\"kty\":\"AKP\",\"alg\":\"ML-DSA-65\"}", false, "its \"pub\" is missing");
    check_skipped_akp(mint_print("{\"priv\":\"AAAA\",%s", akp("ML-DSA-65", 1, 1952) + 1), false,
                      "it has the private member \"priv\": whoever has read the key set can sign with it");
    mint_reset();
}

/* "priv" is no private member of any other kind of key. */
static void priv_is_of_akp_alone(void **state)
{
    (void)state;
    struct rely_keyset *keyset =
        accept_beside_good(mint_jwk_with(mint_key("rsa2048"), "k", "RS256", "\"priv\":\"AAAA\""));
    assert_int_equal(rely_keyset_count(keyset), 2);
    rely_keyset_free(keyset);
    mint_reset();
}

/* --- tokens ------------------------------------------------------------------------------------------- */

static const char *sign_by_toy(const char *alg, char fill, size_t key_bytes, size_t len)
{
    const char *header = mint_print("{\"alg\":\"%s\",\"kid\":\"k\"}", alg);
    struct rely_slice text = mint_signed_bytes(header, PAYLOAD), key = mint_repeat(fill, key_bytes);
    struct rely_slice signature = mint_repeat(0, len);
    const struct toy_ml_dsa_message message = {(const uint8_t *)key.ptr, key.len, (const uint8_t *)text.ptr, text.len};
    assert_true(toy_ml_dsa_sign(&message, rely_as_owner(signature.ptr), len));
    return mint_token_around(header, PAYLOAD, signature);
}

static enum rely_reason judge_by_keys(const struct rely_keyset *keyset, const char *text, size_t max_bytes)
{
    struct rely_pool pool;
    struct rely_unverified token;
    struct rely_verified verified = {.key = NULL};
    struct rely_detail detail = {""};
    const struct rely_key *keys[RELY_KEY_TRIES_MAX];
    size_t count = 0;
    rely_pool_init(&pool);
    enum rely_reason reason = rely_token_read(rely_slice_of(text), max_bytes, &pool, &token, &detail);
    if (reason == RELY_OK)
        reason = rely_keys_find(keyset, &token, keys, &count, &detail);
    if (reason == RELY_OK)
        reason = rely_signature_verify(&token, keys[0], &verified, &detail);
    assert_int_equal(ERR_peek_error(), 0);
    rely_pool_fini(&pool);
    return reason;
}

static void verify_what_the_provider_offers(void **state)
{
    (void)state;
    static const struct {
        const char *alg, *kind;
        size_t key_bytes, signature_bytes;
    } rows[] = {{"ML-DSA-44", "AKP ML-DSA-44", 1312, 2420}, {"ML-DSA-65", "AKP ML-DSA-65", 1952, 3309}};
    load_toy(true);
    rely_ml_dsa_setup(true);
    for (size_t i = 0; i < 2; i++) {
        struct rely_keyset *keyset = accept_beside_good(akp(rows[i].alg, 1, rows[i].key_bytes));
        size_t len = rows[i].signature_bytes;
        assert_int_equal(rely_keyset_count(keyset), 2);
        assert_string_equal(rely_key_kind(rely_keyset_at(keyset, 0)), rows[i].kind);
        assert_int_equal(rely_key_cost(rely_keyset_at(keyset, 0)), i == 0 ? 8 : 12);
        const char *good = sign_by_toy(rows[i].alg, 1, rows[i].key_bytes, len);
        assert_int_equal(judge_by_keys(keyset, good, 16384), RELY_OK);
        assert_int_equal(judge_by_keys(keyset, good, strlen(good)), RELY_OK);
        assert_int_equal(judge_by_keys(keyset, good, strlen(good) - 1), RELY_TOKEN_TOO_LARGE);
        const char *const bad[] = {sign_by_toy(rows[i].alg, 2, rows[i].key_bytes, len),
                                   sign_by_toy(rows[i].alg, 1, rows[i].key_bytes, len - 1),
                                   sign_by_toy(rows[i].alg, 1, rows[i].key_bytes, len + 1)};
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(judge_by_keys(keyset, bad[k], 16384), RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
        mint_reset();
    }
}

/* Whatever its own algorithm is, a token that names a key of this kind is told about the kind. */
static void tell_of_the_kind(void **state)
{
    (void)state;
    load_toy(true);
    rely_ml_dsa_setup(false);
    struct rely_keyset *keyset = accept_beside_good(akp("ML-DSA-65", 1, 1952));
    const char *post_quantum = sign_by_toy("ML-DSA-65", 1, 1952, 3309);
    const char *classic = mint_token(mint_key("rsa2048"), "RS256", "{\"alg\":\"RS256\",\"kid\":\"k\"}", PAYLOAD);
    assert_int_equal(judge_by_keys(keyset, post_quantum, 16384), RELY_ALGORITHM_UNAVAILABLE);
    assert_int_equal(judge_by_keys(keyset, classic, 16384), RELY_ALGORITHM_UNAVAILABLE);
    rely_keyset_free(keyset);
    rely_ml_dsa_setup(true);
    struct rely_keyset *available = accept_beside_good(akp("ML-DSA-65", 1, 1952));
    assert_int_equal(rely_keyset_count(available), 2);
    assert_int_equal(judge_by_keys(available, classic, 16384), RELY_ALGORITHM_NOT_ALLOWED);
    rely_keyset_free(available);
    mint_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offer_what_is_wanted_and_there),  cmocka_unit_test(skip_keys_that_are_not_available),
        cmocka_unit_test(skip_keys_that_are_broken),       cmocka_unit_test(priv_is_of_akp_alone),
        cmocka_unit_test(verify_what_the_provider_offers), cmocka_unit_test(tell_of_the_kind),
    };
    return cmocka_run_group_tests_name("ml_dsa", tests, begin_with_toy, end_with_toy);
}

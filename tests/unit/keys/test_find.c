/* Which keys of a set are candidates for a token. */
#include "tests.h"

#include <stdio.h>

static struct rely_unverified ask(enum rely_alg alg, const char *kid)
{
    struct rely_unverified token = {.alg = alg, .kid = rely_slice_of(kid)};
    return token;
}

static void check_found(const struct rely_keyset *keyset, enum rely_alg alg, const char *kid, size_t wanted,
                        size_t first)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX] = {NULL};
    size_t count = 0;
    struct rely_detail detail = {""};
    struct rely_unverified token = ask(alg, kid);
    assert_string_equal(rely_reason_word(rely_keys_find(keyset, &token, found, &count, &detail)), "ok");
    assert_int_equal(count, wanted);
    assert_ptr_equal(found[0], rely_keyset_at(keyset, first));
    assert_string_equal(detail.text, "");
}

static void check_refused(const struct rely_keyset *keyset, enum rely_alg alg, const char *kid, enum rely_reason reason,
                          const char *text)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX] = {NULL};
    size_t count = 77;
    struct rely_detail detail = {""};
    struct rely_unverified token = ask(alg, kid);
    enum rely_reason answer = rely_keys_find(keyset, &token, found, &count, &detail);
    assert_string_equal(rely_reason_word(answer), rely_reason_word(reason));
    assert_string_equal(detail.text, text);
    assert_int_equal(count, 77);
    assert_null(found[0]);
}

static struct rely_keyset *mixed_set(void)
{
    return parse_good(mint_jwks(mint_jwk(mint_key("rsa2048"), "rsa", "RS256"), mint_jwk(mint_key("p256"), "ec", NULL),
                                mint_jwk(mint_key("p256#2"), NULL, NULL), mint_jwk(mint_key("ed25519"), "both", NULL),
                                mint_jwk(mint_key("rsa2048#2"), "both", NULL),
                                mint_jwk(mint_key("rsa2048#3"), "both", "RS256"),
                                mint_jwk(mint_key("rsa1024"), "weak", NULL),
                                mint_jwk_with(mint_key("p256"), "enc", NULL, "\"use\":\"enc\""), NULL));
}

static void find_by_kid(void **state)
{
    (void)state;
    struct rely_keyset *keyset = mixed_set();
    assert_int_equal(rely_keyset_count(keyset), 6);
    check_found(keyset, RELY_ALG_RS256, "rsa", 1, 0);
    check_found(keyset, RELY_ALG_ES256, "ec", 1, 1);
    check_found(keyset, RELY_ALG_EDDSA, "both", 1, 3);
    check_found(keyset, RELY_ALG_RS256, "both", 2, 4);
    check_found(keyset, RELY_ALG_PS512, "both", 1, 4);
    rely_keyset_free(keyset);
    mint_reset();
}

static void find_without_kid(void **state)
{
    (void)state;
    struct rely_keyset *keyset = mixed_set();
    check_found(keyset, RELY_ALG_RS256, NULL, 3, 0);
    check_found(keyset, RELY_ALG_ES256, NULL, 2, 1);
    check_found(keyset, RELY_ALG_PS256, NULL, 1, 4);
    check_refused(keyset, RELY_ALG_ES512, NULL, RELY_KEY_UNKNOWN,
                  "the token names no kid, and no key of the issuer fits ES512");
    rely_keyset_free(keyset);
    mint_reset();
}

static void refuse_by_kid(void **state)
{
    (void)state;
    struct rely_keyset *keyset = mixed_set();
    check_refused(keyset, RELY_ALG_ES256, "nobody", RELY_KEY_UNKNOWN,
                  "the issuer's key set has no key with kid \"nobody\"");
    check_refused(keyset, RELY_ALG_ES256, "EC", RELY_KEY_UNKNOWN, "the issuer's key set has no key with kid \"EC\"");
    check_refused(keyset, RELY_ALG_ES256, "", RELY_KEY_UNKNOWN, "the issuer's key set has no key with kid \"\"");
    check_refused(keyset, RELY_ALG_RS512, "rsa", RELY_ALGORITHM_NOT_ALLOWED,
                  "the key with kid \"rsa\" is not for RS512");
    check_refused(keyset, RELY_ALG_PS256, "rsa", RELY_ALGORITHM_NOT_ALLOWED,
                  "the key with kid \"rsa\" is not for PS256");
    check_refused(keyset, RELY_ALG_ES384, "ec", RELY_ALGORITHM_NOT_ALLOWED, "the key with kid \"ec\" is not for ES384");
    check_refused(keyset, RELY_ALG_RS256, "weak", RELY_WEAK_KEY,
                  "the key with kid \"weak\" is not used: its RSA modulus has 1024 bits, not 2048 to 8192");
    check_refused(keyset, RELY_ALG_ES256, "enc", RELY_KEY_UNKNOWN,
                  "the key with kid \"enc\" is not used: its \"use\" is not \"sig\"");
    rely_keyset_free(keyset);
    mint_reset();
}

/* Of several skipped keys of one kid the weak one is named, wherever it stands: that is what its owner can mend. */
static void tell_of_the_weak_one(void **state)
{
    (void)state;
    const char *good = mint_jwk(mint_key("p256"), "good", NULL);
    const char *weak = mint_jwk(mint_key("rsa1024"), "k", NULL);
    const char *enc = mint_jwk_with(mint_key("p256"), "k", NULL, "\"use\":\"enc\"");
    const char *const sets[] = {mint_jwks(good, weak, enc, NULL), mint_jwks(good, enc, weak, NULL),
                                mint_jwks(enc, weak, enc, good, NULL)};
    for (size_t i = 0; i < 3; i++) {
        struct rely_keyset *keyset = parse_good(sets[i]);
        check_refused(keyset, RELY_ALG_ES256, "k", RELY_WEAK_KEY,
                      "the key with kid \"k\" is not used: its RSA modulus has 1024 bits, not 2048 to 8192");
        rely_keyset_free(keyset);
    }
    struct rely_keyset *keyset = parse_good(mint_jwks(good, enc, "{\"kid\":\"k\"}", NULL));
    check_refused(keyset, RELY_ALG_ES256, "k", RELY_KEY_UNKNOWN,
                  "the key with kid \"k\" is not used: its \"use\" is not \"sig\"");
    rely_keyset_free(keyset);
    mint_reset();
}

/* An unknown algorithm is refused before keys are looked for; should that ever be forgotten, no key fits it. */
static void refuse_unknown_alg(void **state)
{
    (void)state;
    struct rely_keyset *keyset = mixed_set();
    struct rely_unverified named = ask(RELY_ALG_UNKNOWN, "rsa"), unnamed = ask(RELY_ALG_UNKNOWN, NULL);
    const struct rely_key *found[RELY_KEY_TRIES_MAX];
    size_t count = 0;
    struct rely_detail detail;
    assert_int_equal(rely_keys_find(keyset, &named, found, &count, &detail), RELY_ALGORITHM_NOT_ALLOWED);
    assert_int_equal(rely_keys_find(keyset, &unnamed, found, &count, &detail), RELY_KEY_UNKNOWN);
    rely_keyset_free(keyset);
    mint_reset();
}

static struct rely_keyset *crowd(size_t count, const char *kid)
{
    const char *jwks[16];
    for (size_t i = 0; i < count; i++)
        jwks[i] = mint_jwk(mint_key("p256"), kid, NULL);
    return parse_good(mint_jwks_of(jwks, count));
}

/* fault C6: every one of a thousand is found, wherever it stands; so is none that is not there. */
static void find_among_a_thousand(void **state)
{
    (void)state;
    static const char *jwks[RELY_JWKS_KEYS_MAX];
    char name[16];
    for (size_t i = 0; i < RELY_JWKS_KEYS_MAX; i++) {
        snprintf(name, sizeof(name), "k%zu", i * 7919 % 1000);
        jwks[i] = mint_jwk(mint_key(i % 10 == 3 ? "rsa1024" : "p256"), i == 500 ? NULL : mint_print("%s", name), NULL);
    }
    struct rely_keyset *keyset = parse_good(mint_jwks_of(jwks, RELY_JWKS_KEYS_MAX));
    assert_int_equal(rely_keyset_count(keyset), 900);
    for (size_t i = 0, usable = 0; i < RELY_JWKS_KEYS_MAX; i++) {
        snprintf(name, sizeof(name), "k%zu", i * 7919 % 1000);
        assert_int_equal(rely_keyset_has_kid(keyset, rely_slice_of(name)), i != 500);
        if (i == 500)
            check_refused(keyset, RELY_ALG_ES256, name, RELY_KEY_UNKNOWN,
                          mint_print("the issuer's key set has no key with kid \"%s\"", name));
        else if (i % 10 == 3)
            check_refused(
                keyset, RELY_ALG_ES256, name, RELY_WEAK_KEY,
                mint_print("the key with kid \"%s\" is not used: its RSA modulus has 1024 bits, not 2048 to 8192",
                           name));
        else
            check_found(keyset, RELY_ALG_ES256, name, 1, usable);
        usable += i % 10 == 3 ? 0 : 1;
    }
    static const char *const others[] = {"", "k", "k1000", "k10000", "l1", "K1", "k-1"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(rely_keyset_has_kid(keyset, rely_slice_of(others[i])));
    rely_keyset_free(keyset);
    mint_reset();
}

static void bound_tries(void **state)
{
    (void)state;
    struct rely_keyset *keyset = crowd(RELY_KEY_TRIES_MAX, NULL);
    check_found(keyset, RELY_ALG_ES256, NULL, RELY_KEY_TRIES_MAX, 0);
    check_refused(keyset, RELY_ALG_ES256, "k", RELY_KEY_UNKNOWN, "the issuer's key set has no key with kid \"k\"");
    rely_keyset_free(keyset);
    keyset = crowd(RELY_KEY_TRIES_MAX + 1, "k");
    check_refused(keyset, RELY_ALG_ES256, NULL, RELY_KEY_UNKNOWN,
                  "the token names no kid, and 9 keys fit ES256: more than the 8 that are tried");
    check_refused(keyset, RELY_ALG_ES256, "k", RELY_KEY_UNKNOWN,
                  "the token names a kid that many keys share, and 9 keys fit ES256: more than the 8 that are tried");
    rely_keyset_free(keyset);
    mint_reset();
}

static void know_kids(void **state)
{
    (void)state;
    struct rely_keyset *keyset = mixed_set();
    assert_true(rely_keyset_has_kid(keyset, RELY_LIT("rsa")));
    assert_true(rely_keyset_has_kid(keyset, RELY_LIT("weak")));
    assert_true(rely_keyset_has_kid(keyset, RELY_LIT("enc")));
    assert_false(rely_keyset_has_kid(keyset, RELY_LIT("rs")));
    assert_false(rely_keyset_has_kid(keyset, RELY_LIT("")));
    assert_false(rely_keyset_has_kid(keyset, rely_slice(NULL, 0)));
    rely_keyset_free(keyset);
    mint_reset();
}

int run_find_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_by_kid),        cmocka_unit_test(find_without_kid),
        cmocka_unit_test(refuse_by_kid),      cmocka_unit_test(find_among_a_thousand),
        cmocka_unit_test(refuse_unknown_alg), cmocka_unit_test(bound_tries),
        cmocka_unit_test(know_kids),          cmocka_unit_test(tell_of_the_weak_one),
    };
    return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}

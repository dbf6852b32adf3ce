/* The budget of failed tries (fault B13): what strangers' tokens may cost, and that they refuse nobody who names the
 * key that signed. */
#include "relyd/edition.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"

struct bounded {
    struct scene scene;
    struct rely_try_budget budget;
};

static int set_up_bounded(void **state)
{
    struct bounded *bounded = rely_alloc(sizeof *bounded);
    scene_init(&bounded->scene);
    bounded->budget.limit = 10;
    *state = bounded;
    return 0;
}

static int tear_down_bounded(void **state)
{
    struct bounded *bounded = *state;
    scene_free(&bounded->scene);
    free(bounded);
    mint_reset();
    return 0;
}

/* A record whose keys are "KIND#0", "KIND#1" and so on, all of one kid (NULL: of none); its app's tokens are allowed.
 */
static int64_t add_record(struct bounded *bounded, const char *name, const char *kind, int count, const char *kid)
{
    const char *jwks[8];
    for (int i = 0; i < count; i++)
        jwks[i] = mint_jwk(mint_key(mint_print("%s#%d", kind, i)), kid, NULL);
    int64_t issuer = scene_add_issuer(&bounded->scene, name, URL, mint_jwks_of(jwks, (size_t)count));
    scene_add_credential(&bounded->scene, issuer, scene_add_identity(&bounded->scene, name), "app", "relyd");
    return issuer;
}

static const char *header_of(const char *alg, const char *kid)
{
    return kid == NULL ? mint_print("{\"alg\":\"%s\"}", alg) : mint_print("{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
}

static const char *payload_of_app(void)
{
    return "{\"iss\":\"" URL "\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":1800003600}";
}

static const char *sign_as(const char *key, const char *alg, const char *kid)
{
    return mint_token(mint_key(key), alg, header_of(alg, kid), payload_of_app());
}

/* Signed by the first key, but for other words. */
static const char *forge(const char *kind, const char *alg, const char *kid)
{
    const struct mint_key *key = mint_key(mint_print("%s#0", kind));
    return mint_token_around(header_of(alg, kid), payload_of_app(), mint_sign(key, alg, RELY_LIT("other words")));
}

static const struct rely_review *judge_at(struct bounded *bounded, const char *token, int64_t now_s)
{
    struct rely_review_request request = {.token = rely_slice_of(token), .budget = &bounded->budget};
    return scene_review_request(&bounded->scene, &request, now_s);
}

static void expect(struct bounded *bounded, const char *token, enum rely_reason reason)
{
    assert_string_equal(rely_reason_word(judge_at(bounded, token, NOW)->decision.reason), rely_reason_word(reason));
}

/* Forged tokens until nothing of the budget can be left. */
static void flood(struct bounded *bounded, const char *forged, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_not_equal(judge_at(bounded, forged, NOW)->decision.reason, RELY_OK);
}

/* --- the charge ---------------------------------------------------------------------------------------------- */

static void expect_free(struct bounded *bounded, const char *alg, struct rely_slice signature)
{
    const char *token = mint_token_around(header_of(alg, NULL), payload_of_app(), signature);
    for (int i = 0; i < 30; i++)
        expect(bounded, token, RELY_BAD_SIGNATURE);
}

/* A signature of another length, and numbers that no signature has, are refused before any arithmetic. */
static void test_b13_tries_that_cost_nothing_are_not_charged(void **state)
{
    struct bounded *bounded = *state;
    static const struct {
        const char *kind, *alg;
        size_t bytes;
    } kinds[] = {{"p256", "ES256", 64},    {"p384", "ES384", 96},     {"p521", "ES512", 132},
                 {"ed25519", "EdDSA", 64}, {"rsa2048", "RS256", 256}, {"rsa3072", "PS256", 384}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t issuer = add_record(bounded, "record", kinds[i].kind, 1, NULL);
        size_t bytes = kinds[i].bytes;
        expect_free(bounded, kinds[i].alg, mint_repeat('x', 1));
        expect_free(bounded, kinds[i].alg, mint_repeat('x', bytes - 1));
        expect_free(bounded, kinds[i].alg, mint_repeat('x', bytes + 1));
        if (bytes < 256)
            expect_free(bounded, kinds[i].alg, mint_repeat('\xff', bytes));
        if (strncmp(kinds[i].alg, "ES", 2) == 0) {
            expect_free(bounded, kinds[i].alg, mint_repeat('\0', bytes));
            expect_free(bounded, kinds[i].alg, mint_concat(mint_repeat('\0', bytes / 2), mint_repeat('\1', bytes / 2)));
            expect_free(bounded, kinds[i].alg, mint_concat(mint_repeat('\1', bytes / 2), mint_repeat('\0', bytes / 2)));
        }
        expect(bounded, sign_as(mint_print("%s#0", kinds[i].kind), kinds[i].alg, NULL), RELY_OK);
        rely_snapshot_remove(bounded->scene.snapshot, RELY_OBJECT_ISSUER, issuer);
    }
}

/* Ten ordinary tries: RSA, P-256 and Ed25519 are 1, P-521 5, P-384 8. */
static void test_b13_a_costly_try_counts_as_several(void **state)
{
    struct bounded *bounded = *state;
    static const struct {
        const char *kind, *alg;
        int tokens;
    } kinds[] = {{"rsa2048", "RS256", 10}, {"rsa4096", "PS512", 10}, {"p256", "ES256", 10},
                 {"ed25519", "EdDSA", 10}, {"p521", "ES512", 2},     {"p384", "ES384", 2}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t issuer = add_record(bounded, "record", kinds[i].kind, 1, "a");
        const char *forged = forge(kinds[i].kind, kinds[i].alg, NULL);
        for (int k = 0; k < kinds[i].tokens; k++)
            expect(bounded, forged, RELY_BAD_SIGNATURE);
        expect(bounded, forged, RELY_OVERLOADED);
        assert_int_equal(judge_at(bounded, forged, NOW)->tries, 0);
        assert_int_equal(judge_at(bounded, forged, NOW + 1)->decision.reason, RELY_BAD_SIGNATURE);
        rely_snapshot_remove(bounded->scene.snapshot, RELY_OBJECT_ISSUER, issuer);
    }
}

/* --- the base price -------------------------------------------------------------------------------------------- */

/* What every relying party pays for a token is neither charged nor refused, whatever else was used up. */
static void test_b13_one_ordinary_key_under_its_kid_is_always_tried(void **state)
{
    struct bounded *bounded = *state;
    static const char *const kinds[][2] = {{"rsa2048", "RS256"}, {"p256", "ES256"}, {"ed25519", "EdDSA"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t issuer = add_record(bounded, "record", kinds[i][0], 1, "a");
        const char *own = mint_print("%s#0", kinds[i][0]);
        for (int k = 0; k < 50; k++)
            expect(bounded, forge(kinds[i][0], kinds[i][1], "a"), RELY_BAD_SIGNATURE);
        expect(bounded, sign_as(own, kinds[i][1], NULL), RELY_OK);
        flood(bounded, forge(kinds[i][0], kinds[i][1], NULL), 11);
        expect(bounded, sign_as(own, kinds[i][1], NULL), RELY_OVERLOADED);
        expect(bounded, sign_as(own, kinds[i][1], "a"), RELY_OK);
        expect(bounded, forge(kinds[i][0], kinds[i][1], "a"), RELY_BAD_SIGNATURE);
        rely_snapshot_remove(bounded->scene.snapshot, RELY_OBJECT_ISSUER, issuer);
    }
}

/* Two P-384 keys under one public kid: 2 ms of a worker for each forged token. Of a hundred behind the first few, every
 * eighth has one key tried. */
static void test_b13_costly_keys_that_nobody_uses_are_tried_within_the_budget(void **state)
{
    struct bounded *bounded = *state;
    size_t tries = 0;
    add_record(bounded, "record", "p384", 2, "a");
    const char *forged = forge("p384", "ES384", "a");
    expect(bounded, forged, RELY_BAD_SIGNATURE);
    for (int i = 0; i < 96; i++) { /* sixteen were charged */
        const struct rely_review *review = judge_at(bounded, forged, NOW);
        assert_int_equal(review->decision.reason, RELY_OVERLOADED);
        assert_false(rely_review_wants_keys(review));
        tries += review->tries;
    }
    assert_int_equal(tries, 96 / 8);
    assert_int_equal(judge_at(bounded, forged, NOW + 1)->tries, 2);
}

/* While strangers use everything up, each key of the kid gets its first token through within some dozens, and from then
 * on all of its tokens: no stranger decides. */
static void test_b13_a_flood_locks_no_key_out(void **state)
{
    struct bounded *bounded = *state;
    static const struct {
        const char *kind, *alg;
        int keys;
    } kinds[] = {{"p384", "ES384", 2}, {"p256", "ES256", 3}, {"rsa2048", "RS256", 3}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t issuer = add_record(bounded, "record", kinds[i].kind, kinds[i].keys, "a");
        const char *forged = forge(kinds[i].kind, kinds[i].alg, "a");
        flood(bounded, forged, 20);
        for (int k = kinds[i].keys - 1; k >= 0; k--) {
            const char *good = sign_as(mint_print("%s#%d", kinds[i].kind, k), kinds[i].alg, "a");
            int asked = 1;
            while (judge_at(bounded, good, NOW)->decision.reason != RELY_OK) {
                assert_true(asked++ < 100);
                flood(bounded, forged, asked % 3);
            }
            for (int again = 0; again < 20; again++) {
                flood(bounded, forged, 1);
                expect(bounded, good, RELY_OK);
            }
        }
        expect(bounded, forged, RELY_BAD_SIGNATURE); /* all are in use: nothing is left out */
        rely_snapshot_remove(bounded->scene.snapshot, RELY_OBJECT_ISSUER, issuer);
    }
}

/* A neighbour's many keys under the victim's kid use up the neighbour's budget, and are left out then. */
static void test_b13_a_neighbours_keys_are_its_own_budgets(void **state)
{
    struct bounded *bounded = *state;
    add_record(bounded, "victim", "rsa2048", 1, "a");
    add_record(bounded, "neighbour", "rsa3072", 8, "a");
    const char *forged = forge("rsa3072", "RS256", "a"), *good = sign_as("rsa2048#0", "RS256", "a");
    for (int i = 0; i < 20; i++)
        expect(bounded, good, RELY_OK);
    assert_int_equal(judge_at(bounded, forged, NOW)->tries, 9);
    flood(bounded, forged, 20);
    assert_int_equal(judge_at(bounded, forged, NOW)->tries, 2);
    expect(bounded, forged, RELY_OVERLOADED);
    for (int i = 0; i < 20; i++)
        expect(bounded, good, RELY_OK);
    expect(bounded, forge("rsa2048", "RS256", "a"), RELY_OVERLOADED);
}

/* A token that verifies costs nothing, however many keys were tried before. */
static void test_b13_what_verifies_is_not_charged(void **state)
{
    struct bounded *bounded = *state;
    add_record(bounded, "record", "p256", 8, "a");
    for (int i = 0; i < 20; i++)
        expect(bounded, sign_as("p256#7", "ES256", i % 2 == 0 ? "a" : NULL), RELY_OK);
}

#define BUDGET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_bounded, tear_down_bounded)

int run_budget_tests(void)
{
    const struct CMUnitTest tests[] = {
        BUDGET_TEST(test_b13_tries_that_cost_nothing_are_not_charged),
        BUDGET_TEST(test_b13_a_costly_try_counts_as_several),
        BUDGET_TEST(test_b13_one_ordinary_key_under_its_kid_is_always_tried),
        BUDGET_TEST(test_b13_costly_keys_that_nobody_uses_are_tried_within_the_budget),
        BUDGET_TEST(test_b13_a_flood_locks_no_key_out),
        BUDGET_TEST(test_b13_a_neighbours_keys_are_its_own_budgets),
        BUDGET_TEST(test_b13_what_verifies_is_not_charged),
    };
    return cmocka_run_group_tests_name("the budget of failed tries", tests, NULL, NULL);
}

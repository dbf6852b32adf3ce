/* What whoever asked is told of a refusal, and what only log and explain say (faults D, C20). */
#include "relyd/edition.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"
#define PAYLOAD "{\"iss\":\"https://issuer.example\",\"sub\":\"app\",\"aud\":[\"a-1\",\"a-2\"],\"exp\":1800003600}"

/* Nothing of these may reach a stranger. */
static const char *const secrets[] = {"secret-record", "secret-sibling", "RSA 2048", "EC P-",
                                      "2048",          "3072",           " 64 ",     " 96 "};

struct told_world {
    struct scene scene;
    int64_t issuer, sibling;
};

static int set_up_told(void **state)
{
    struct told_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "secret-record", URL,
                         mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), mint_jwk(mint_key("rsa1024"), "weak", NULL),
                                   mint_jwk(mint_key("rsa3072"), "r", NULL), NULL));
    *state = world;
    return 0;
}

static int tear_down_told(void **state)
{
    struct told_world *world = *state;
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static const char *sign_with(const char *key, const char *alg, const char *header)
{
    return mint_token(mint_key(key), alg, header, PAYLOAD);
}

/* Refused for this reason, told no secret, and something all the same. */
static void check_told(struct told_world *world, const char *token, enum rely_reason reason)
{
    struct rely_detail told;
    const struct rely_review *review = scene_review(&world->scene, token, NOW);
    assert_string_equal(rely_reason_word(review->decision.reason), rely_reason_word(reason));
    rely_review_tell(review, &told);
    assert_true(told.text[0] != '\0');
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strstr(told.text, secrets[i]) != NULL && reason != RELY_WEAK_KEY)
            fail_msg("%s tells %s: %s", rely_reason_word(reason), secrets[i], told.text);
    assert_null(strstr(told.text, "secret-"));
}

static void check_each_refusal(struct told_world *world)
{
    check_told(world, sign_with("p256#other", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}"), RELY_BAD_SIGNATURE);
    check_told(world, sign_with("p384", "ES384", "{\"alg\":\"ES256\",\"kid\":\"a\"}"), RELY_BAD_SIGNATURE);
    check_told(world, sign_with("rsa2048", "RS256", "{\"alg\":\"RS256\",\"kid\":\"r\"}"), RELY_BAD_SIGNATURE);
    check_told(world, sign_with("p256", "ES256", "{\"alg\":\"ES256\",\"kid\":\"b\"}"), RELY_KEY_UNKNOWN);
    check_told(world, sign_with("rsa1024", "RS256", "{\"alg\":\"RS256\",\"kid\":\"weak\"}"), RELY_WEAK_KEY);
    check_told(world, sign_with("rsa2048", "RS256", "{\"alg\":\"RS256\",\"kid\":\"a\"}"), RELY_ALGORITHM_NOT_ALLOWED);
    check_told(world, sign_with("p256", "ES256", "{\"alg\":\"none\",\"kid\":\"a\"}"), RELY_ALGORITHM_NOT_ALLOWED);
    check_told(world, sign_with("p256", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"logout+jwt\"}"),
               RELY_TOKEN_TYPE_NOT_ACCEPTED);
}

static void test_d_a_stranger_is_told_the_word_and_what_he_sent(void **state)
{
    struct told_world *world = *state;
    const char *token = sign_with("p256", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}");
    check_each_refusal(world);
    world->sibling = scene_add_issuer(&world->scene, "secret-sibling", URL,
                                      mint_jwks(mint_jwk(mint_key("p256#sibling"), "a", NULL), NULL));
    check_each_refusal(world);
    scene_change_issuer(&world->scene, world->sibling, keyset,
                        scene_add_keyset(&world->scene, mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), NULL)));
    check_told(world, token, RELY_AMBIGUOUS_ISSUER);
    scene_change_issuer(&world->scene, world->sibling, is_enabled, false);
    scene_change_issuer(&world->scene, world->issuer, is_enabled, false);
    check_told(world, token, RELY_ISSUER_DISABLED);
    rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER, world->sibling);
    check_told(world, token, RELY_ISSUER_DISABLED);
    scene_change_issuer(&world->scene, world->issuer, is_enabled, true);
    scene_change_issuer(&world->scene, world->issuer, keyset, NULL);
    check_told(world, token, RELY_KEYS_UNAVAILABLE);
    world->scene.snapshot->token_max_bytes = 64;
    check_told(world, token, RELY_TOKEN_TOO_LARGE);
}

static void test_d_what_was_sent_is_said(void **state)
{
    struct told_world *world = *state;
    struct rely_detail told;
    const char *token = sign_with("p256#other", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"JWT\"}");
    rely_review_tell(scene_review(&world->scene, token, NOW), &told);
    assert_string_equal(told.text, "The signature does not verify under the issuer's key. The token's own words: iss: "
                                   "\"https://issuer.example\". kid: \"a\". alg: \"ES256\". typ: \"JWT\".");
    rely_review_tell(scene_review(&world->scene, "x.y", NOW), &told);
    assert_string_equal(told.text, "the token has fewer than three parts");
    /* A kid of 600 bytes that are all escaped stays within bounds. */
    token = sign_with("p256", "ES256", mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", mint_repeat('\x7f', 600).ptr));
    rely_review_tell(scene_review(&world->scene, token, NOW), &told);
    assert_true(strlen(told.text) < sizeof told.text);
}

static void test_c20_all_three_lists_of_audiences_are_said(void **state)
{
    struct told_world *world = *state;
    struct rely_detail told;
    const struct rely_slice accepted[] = {RELY_LIT("b-1"), RELY_LIT("b-2")};
    int64_t identity = scene_add_identity(&world->scene, "app");
    scene_add_credential(&world->scene, world->issuer, identity, "app", "c-1");
    const char *token = sign_with("p256", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}");
    struct rely_review_request request = {.token = rely_slice_of(token), .audiences = accepted, .audience_count = 2};
    const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_AUDIENCE_MISMATCH);
    assert_string_equal(review->decision.detail.text,
                        "no audience counts: the token has \"a-1\", \"a-2\"; the caller accepts \"b-1\", \"b-2\"; "
                        "credential rule accepts \"c-1\"");
    rely_review_tell(review, &told);
    assert_string_equal(told.text, "no audience of the token counts here; it has \"a-1\", \"a-2\"");
    request.audience_count = 0;
    review = scene_review_request(&world->scene, &request, NOW);
    assert_string_equal(review->decision.detail.text, "no audience counts: the token has \"a-1\", \"a-2\"; the caller "
                                                      "accepts any; credential rule accepts \"c-1\"");
}

/* Each list has its share, however long the others are. */
static void test_c20_the_lists_are_bounded(void **state)
{
    struct told_world *world = *state;
    world->scene.snapshot->token_max_bytes = RELY_TOKEN_BYTES_MAX;
    struct rely_slice accepted[RELY_REQUEST_AUDIENCES_MAX];
    struct rely_detail told;
    const char *list = "\"first\"";
    for (int i = 0; i < 999; i++)
        list = i == 998 ? mint_print("%s,\"%s\"", list, mint_repeat('x', 600).ptr) : mint_print("%s,\"y%d\"", list, i);
    for (size_t i = 0; i < RELY_REQUEST_AUDIENCES_MAX; i++)
        accepted[i] = mint_repeat('z', 600);
    scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "app"), "app", "right");
    const char *token =
        mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                   mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[%s],\"exp\":1800003600}", URL, list));
    struct rely_review_request request = {
        .token = rely_slice_of(token), .audiences = accepted, .audience_count = RELY_REQUEST_AUDIENCES_MAX};
    const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_AUDIENCE_MISMATCH);
    assert_non_null(strstr(review->decision.detail.text, "the token has \"first\", \"y0\", \"y1\""));
    assert_non_null(strstr(review->decision.detail.text, " more; the caller accepts 32 long ones; "));
    assert_non_null(strstr(review->decision.detail.text, "credential rule accepts \"right\""));
    rely_review_tell(review, &told);
    assert_non_null(strstr(told.text, "it has \"first\", \"y0\""));
    assert_non_null(strstr(told.text, " more"));
}

/* A limit or a fault of ours is nobody's business; what can be read off the token itself is said as it was found. */
static void test_d_what_is_our_own_is_a_sentence_alone(void **state)
{
    static const struct {
        enum rely_reason reason;
        bool is_own;
    } cases[] = {{RELY_OVERLOADED, true},      {RELY_INTERNAL_ERROR, true},       {RELY_UNDECIDED, true},
                 {RELY_TOKEN_TOO_LARGE, true}, {RELY_CALLER_NOT_PERMITTED, true}, {RELY_UID_CHANGED, true},
                 {RELY_PIN_PENDING, true},     {RELY_MISSING_CLAIM, false}};
    struct rely_detail told;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_review review = {.last_step = RELY_STEP_ISSUER, .decision.reason = cases[i].reason};
        snprintf(review.decision.detail.text, sizeof review.decision.detail.text, "as it was found");
        rely_review_tell(&review, &told);
        assert_string_equal(told.text, cases[i].is_own ? rely_reason_sentence(cases[i].reason) : "as it was found");
    }
    struct rely_review review = {.last_step = RELY_STEP_TOKEN, .decision.reason = RELY_MALFORMED_TOKEN};
    snprintf(review.decision.detail.text, sizeof review.decision.detail.text, "as it was found");
    rely_review_tell(&review, &told);
    assert_string_equal(told.text, "as it was found");
}

#define TOLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_told, tear_down_told)

int run_told_tests(void)
{
    const struct CMUnitTest tests[] = {
        TOLD_TEST(test_d_a_stranger_is_told_the_word_and_what_he_sent),
        TOLD_TEST(test_d_what_was_sent_is_said),
        TOLD_TEST(test_d_what_is_our_own_is_a_sentence_alone),
        TOLD_TEST(test_c20_all_three_lists_of_audiences_are_said),
        TOLD_TEST(test_c20_the_lists_are_bounded),
    };
    return cmocka_run_group_tests_name("what callers are told", tests, NULL, NULL);
}

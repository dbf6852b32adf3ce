/* What the steps decide about issuers, keys, identities and callers; each refusal by its name. */
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"
#define PAYLOAD "{\"iss\":\"https://issuer.example\",\"sub\":\"app\",\"aud\":[\"relyd\",\"other\"],\"exp\":1800003600}"

struct world {
    struct scene scene;
    int64_t issuer, identity;
    const char *token;
};

static const char *mint_with_kid(const char *key, const char *kid)
{
    return mint_token(mint_key(key), "ES256", mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid), PAYLOAD);
}

static const char *jwks_with_kid(const char *key, const char *kid)
{
    return mint_jwks(mint_jwk(mint_key(key), kid, "ES256"), NULL);
}

static int set_up_world(void **state)
{
    struct world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer = scene_add_issuer(&world->scene, "one", URL, jwks_with_kid("p256", "a"));
    world->identity = scene_add_identity(&world->scene, "app-one");
    scene_add_credential(&world->scene, world->issuer, world->identity, "app", "relyd");
    world->token = mint_with_kid("p256", "a");
    *state = world;
    return 0;
}

static int tear_down_world(void **state)
{
    struct world *world = *state;
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static enum rely_reason judge(struct world *world, const char *token)
{
    return scene_review(&world->scene, token, NOW)->decision.reason;
}

static void an_issuer_can_be_disabled(void **state)
{
    struct world *world = *state;
    assert_int_equal(judge(world, world->token), RELY_OK);
    scene_change_issuer(&world->scene, world->issuer, is_enabled, false);
    assert_int_equal(judge(world, world->token), RELY_ISSUER_DISABLED);
}

static void an_issuer_allows_only_its_algorithms(void **state)
{
    struct world *world = *state;
    scene_change_issuer(&world->scene, world->issuer, algs, 1u << RELY_ALG_RS256);
    assert_int_equal(judge(world, world->token), RELY_ALGORITHM_NOT_ALLOWED);
}

/* ML-DSA, which nobody has turned on here: whatever the record and its keys say, and no fetch would help. */
static void an_algorithm_can_be_unavailable(void **state)
{
    struct world *world = *state;
    static const char akp[] = "{\"kid\":\"pq\",\"kty\":\"AKP\",\"alg\":\"SLH-DSA-SHA2-128s\",\"pub\":\"AAAA\"}";
    static const char *const kids[] = {"a", "pq", "nobody"};
    for (size_t i = 0; i < 3; i++) {
        const char *token = mint_token_around(mint_print("{\"alg\":\"ML-DSA-65\",\"kid\":\"%s\"}", kids[i]), PAYLOAD,
                                              mint_repeat(0, 3309));
        assert_int_equal(judge(world, token), RELY_ALGORITHM_UNAVAILABLE);
        assert_false(rely_review_wants_keys(scene_review(&world->scene, token, NOW)));
    }
    /* A key of another kind may have taken the name of such a one. */
    scene_add_issuer(&world->scene, "two", "https://two.example",
                     mint_jwks(akp, mint_jwk(mint_key("p256#b"), "b", "ES256"), NULL));
    const char *named = mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"pq\"}",
                                   "{\"iss\":\"https://two.example\",\"sub\":\"app\",\"exp\":1800003600}");
    assert_int_equal(judge(world, named), RELY_ALGORITHM_UNAVAILABLE);
    assert_true(rely_review_wants_keys(scene_review(&world->scene, named, NOW)));
}

static void an_issuer_accepts_only_its_types(void **state)
{
    struct world *world = *state;
    const char *typed = mint_token(mint_key("p256"), "ES256",
                                   "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"application/AT+JWT\"}", PAYLOAD);
    assert_int_equal(judge(world, typed), RELY_OK);
    scene_change_issuer(&world->scene, world->issuer, type_count, 2);
    assert_int_equal(judge(world, typed), RELY_TOKEN_TYPE_NOT_ACCEPTED);
    assert_int_equal(judge(world, world->token), RELY_OK);
}

static void without_a_key_set_nothing_is_believed(void **state)
{
    struct world *world = *state;
    scene_change_issuer(&world->scene, world->issuer, keyset, NULL);
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_KEYS_UNAVAILABLE);
    assert_true(rely_review_wants_keys(review));
    assert_int_equal(review->candidate_count, 1);
}

static void records_that_share_an_iss_are_told_apart_by_kid(void **state)
{
    struct world *world = *state;
    int64_t two = scene_add_issuer(&world->scene, "two", URL, jwks_with_kid("p256#two", "b"));
    scene_add_credential(&world->scene, two, scene_add_identity(&world->scene, "app-two"), "app", "relyd");
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->issuer->name, RELY_LIT("one")));
    review = scene_review(&world->scene, mint_with_kid("p256#two", "b"), NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->matches.items[0].identity->name, RELY_LIT("app-two")));
    assert_int_equal(judge(world, mint_with_kid("p256", "b")), RELY_BAD_SIGNATURE);
    review = scene_review(&world->scene, mint_with_kid("p256", "c"), NOW);
    assert_int_equal(review->decision.reason, RELY_KEY_UNKNOWN);
    assert_int_equal(review->candidate_count, 2); /* both may have a new key */
}

static void records_that_share_a_kid_are_told_apart_by_signature(void **state)
{
    struct world *world = *state;
    scene_add_issuer(&world->scene, "two", URL, jwks_with_kid("p256#two", "a"));
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->issuer->name, RELY_LIT("one")));
    review = scene_review(&world->scene, mint_with_kid("p256#two", "a"), NOW);
    assert_true(rely_slice_equal(review->issuer->name, RELY_LIT("two")));
    assert_int_equal(review->decision.reason, RELY_NO_MATCHING_CREDENTIAL);
}

static void records_that_share_iss_and_key_are_ambiguous(void **state)
{
    struct world *world = *state;
    scene_add_issuer(&world->scene, "two", URL, jwks_with_kid("p256", "a"));
    assert_int_equal(judge(world, world->token), RELY_AMBIGUOUS_ISSUER);
}

static void too_many_records_with_one_iss_are_ambiguous_without_kid(void **state)
{
    struct world *world = *state;
    const char *token = mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\"}", PAYLOAD);
    for (int i = 1; i < RELY_CANDIDATES_MAX; i++)
        scene_add_issuer(&world->scene, "more", URL, jwks_with_kid(mint_print("p256#%d", i), "b"));
    assert_int_equal(judge(world, token), RELY_OK);
    scene_add_issuer(&world->scene, "more", URL, jwks_with_kid("p256#last", "b"));
    const struct rely_review *review = scene_review(&world->scene, token, NOW);
    assert_int_equal(review->decision.reason, RELY_AMBIGUOUS_ISSUER);
    assert_int_equal(review->tries, 0);
}

static void several_identities_are_ambiguous_where_there_is_room_for_one(void **state)
{
    struct world *world = *state;
    scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "app-two"), "app", "relyd");
    assert_int_equal(judge(world, world->token), RELY_AMBIGUOUS_IDENTITY);
    struct rely_review_request request = {.token = rely_slice_of(world->token)};
    const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_int_equal(review->matches.count, 2);
    request.is_single = true;
    request.identity = RELY_LIT("app-two");
    review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->matches.items[0].identity->name, RELY_LIT("app-two")));
    request.identity = RELY_LIT("app-three");
    assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason, RELY_NO_MATCHING_CREDENTIAL);
}

static void more_identities_than_fit_are_said_to_be_more(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < RELY_MATCHES_MAX; i++)
        scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "many"), "app", "relyd");
    struct rely_review_request request = {.token = rely_slice_of(world->token)};
    const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->matches.count, RELY_MATCHES_MAX);
    assert_true(review->matches.is_truncated);
}

static void the_caller_names_the_audiences_that_count(void **state)
{
    struct world *world = *state;
    const struct rely_slice both[] = {RELY_LIT("x"), RELY_LIT("relyd")};
    const struct rely_slice in_token_only[] = {RELY_LIT("other")};
    const struct rely_slice nothing[] = {RELY_LIT("")};
    struct rely_review_request request = {.token = rely_slice_of(world->token), .audiences = both, .audience_count = 2};
    assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason, RELY_OK);
    request.audiences = in_token_only;
    request.audience_count = 1;
    assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason, RELY_AUDIENCE_MISMATCH);
    request.audiences = nothing;
    assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason, RELY_AUDIENCE_MISMATCH);
}

static void a_disabled_identity_is_said_to_be_disabled(void **state)
{
    struct world *world = *state;
    scene_edit_identity(&world->scene, world->identity)->is_enabled = false;
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_IDENTITY_DISABLED);
    assert_int_equal(review->matches.count, 0);
}

/* What answers show is what was judged, and nothing is found a second time. */
static void a_match_carries_its_username_and_its_audiences(void **state)
{
    static const struct rely_slice accepted[] = {{"x", 1}, {"relyd", 5}, {"other", 5}, {"relyd", 5}};
    struct world *world = *state;
    struct rely_review_request request = {.token = rely_slice_of(world->token), .is_single = true};
    struct rely_identity *identity = scene_edit_identity(&world->scene, world->identity);
    identity->username = RELY_LIT("the-app");
    const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->matches.items[0].username, RELY_LIT("the-app")));
    assert_int_equal(review->matches.items[0].audiences, 1); /* the credential's first */
    identity->is_username_subject = true;
    request.audiences = accepted;
    request.audience_count = 4;
    review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_true(rely_slice_equal(review->matches.items[0].username, RELY_LIT("app")));
    assert_int_equal(review->matches.items[0].audiences, 1U << 1 | 1U << 3); /* "other" is not the credential's */
    request.audience_count = 1;
    review = scene_review_request(&world->scene, &request, NOW);
    assert_int_equal(review->decision.reason, RELY_AUDIENCE_MISMATCH);
}

static void no_identity_yields_a_system_name_unless_allowed(void **state)
{
    static const struct rely_slice groups[] = {{"system:masters", 14}};
    struct world *world = *state;
    struct rely_identity *identity = scene_edit_identity(&world->scene, world->identity);
    identity->username = RELY_LIT("system:admin");
    assert_int_equal(judge(world, world->token), RELY_IDENTITY_NOT_ALLOWED);
    identity->username = RELY_LIT("");
    assert_int_equal(judge(world, world->token), RELY_IDENTITY_NOT_ALLOWED);
    identity->username = RELY_LIT("app");
    identity->groups = groups;
    identity->group_count = 1;
    scene_judge_identity(identity);
    assert_int_equal(judge(world, world->token), RELY_IDENTITY_NOT_ALLOWED);
    world->scene.snapshot->may_use_system_names = true;
    assert_int_equal(judge(world, world->token), RELY_OK);
}

/* Where all are answered, each is looked at: whoever asks may take any of them. */
static void none_of_several_yields_a_system_name(void **state)
{
    struct world *world = *state;
    const struct rely_review_request request = {.token = rely_slice_of(world->token)};
    int64_t identities[3] = {world->identity};
    for (int i = 1; i < 3; i++) {
        identities[i] = scene_add_identity(&world->scene, "more");
        scene_add_credential(&world->scene, world->issuer, identities[i], "app", "relyd");
    }
    assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason, RELY_OK);
    for (int i = 0; i < 3; i++) {
        struct rely_identity *identity = scene_edit_identity(&world->scene, identities[i]);
        identity->system_name = RELY_SYSTEM_GROUP;
        assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason,
                         RELY_IDENTITY_NOT_ALLOWED);
        identity->system_name = RELY_SYSTEM_NONE;
        identity->username = RELY_LIT("system:admin");
        assert_int_equal(scene_review_request(&world->scene, &request, NOW)->decision.reason,
                         RELY_IDENTITY_NOT_ALLOWED);
        identity->username = RELY_LIT("app");
    }
}

/* Fault A10: they may have been stored while the setting was true. */
static void test_a10_no_identity_yields_an_extra_key_of_kubernetes_unless_allowed(void **state)
{
    static const char *const keys[][2] = {
        {"kubernetes.io/x", "no"},
        {"authentication.kubernetes.io/pod-name", "no"},
        {"k8s.io/x", "no"},
        {"Authentication.K8S.io/x", "no"},
        {"kubernetes.io./x", "no"},
        {"example.com/kubernetes.io", "yes"},
        {"notkubernetes.io/x", "yes"},
        {"kubernetes.io.example.com/x", "yes"},
    };
    struct world *world = *state;
    struct rely_identity *identity = scene_edit_identity(&world->scene, world->identity);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct rely_identity_extra extra[] = {{RELY_LIT("example.com/team"), NULL, 0},
                                                    {rely_slice_of(keys[i][0]), NULL, 0}};
        bool is_allowed = strcmp(keys[i][1], "yes") == 0;
        identity->extra = extra;
        identity->extra_count = 2;
        world->scene.snapshot->may_use_system_names = false;
        scene_judge_identity(identity);
        if (judge(world, world->token) != (is_allowed ? RELY_OK : RELY_IDENTITY_NOT_ALLOWED))
            fail_msg("%s", keys[i][0]);
        world->scene.snapshot->may_use_system_names = true;
        assert_int_equal(judge(world, world->token), RELY_OK);
    }
}

static void a_lifetime_beyond_the_records_limit_is_refused(void **state)
{
    struct world *world = *state;
    const char *token = mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                                   "{\"iss\":\"https://issuer.example\",\"sub\":\"app\",\"aud\":\"relyd\","
                                   "\"iat\":1800000000,\"exp\":1800003600}");
    scene_change_issuer(&world->scene, world->issuer, max_lifetime_s, 3599);
    assert_int_equal(judge(world, token), RELY_LIFETIME_TOO_LONG);
    assert_int_equal(judge(world, world->token), RELY_MISSING_CLAIM); /* fault A9: it has no iat */
    scene_change_issuer(&world->scene, world->issuer, max_lifetime_s, 3600);
    assert_int_equal(judge(world, token), RELY_OK);
}

/* fault D: one wording, whichever claim is missing. */
static void a_missing_claim_is_named_in_one_way(void **state)
{
    struct world *world = *state;
    const char *token = mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}", "{\"sub\":\"app\"}");
    const struct rely_review *review = scene_review(&world->scene, token, NOW);
    assert_int_equal(review->decision.reason, RELY_MISSING_CLAIM);
    assert_string_equal(review->decision.detail.text, "`iss` is missing");
}

/* fault E: what matched is no one's business once the answer is no. */
static void a_refusal_keeps_no_match(void **state)
{
    struct world *world = *state;
    scene_edit_identity(&world->scene, world->identity)->username = RELY_LIT("system:admin");
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_IDENTITY_NOT_ALLOWED);
    assert_int_equal(review->last_step, RELY_STEP_DECISION);
    assert_int_equal(review->matches.count, 0);
}

static void no_token_and_undecided_deny(void **state)
{
    struct world *world = *state;
    struct rely_decision zero = {0};
    assert_int_equal(judge(world, ""), RELY_NO_TOKEN);
    assert_int_not_equal(zero.reason, RELY_OK);
    assert_int_equal(rely_reason_status(zero.reason), 503);
    for (int step = 0; step < RELY_STEP_COUNT; step++)
        assert_true(strlen(rely_step_name((enum rely_step)step)) > 3);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_world, tear_down_world)

int run_decision_tests(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_issuer_can_be_disabled),
        WORLD_TEST(an_issuer_allows_only_its_algorithms),
        WORLD_TEST(an_algorithm_can_be_unavailable),
        WORLD_TEST(an_issuer_accepts_only_its_types),
        WORLD_TEST(without_a_key_set_nothing_is_believed),
        WORLD_TEST(records_that_share_an_iss_are_told_apart_by_kid),
        WORLD_TEST(records_that_share_a_kid_are_told_apart_by_signature),
        WORLD_TEST(records_that_share_iss_and_key_are_ambiguous),
        WORLD_TEST(too_many_records_with_one_iss_are_ambiguous_without_kid),
        WORLD_TEST(several_identities_are_ambiguous_where_there_is_room_for_one),
        WORLD_TEST(more_identities_than_fit_are_said_to_be_more),
        WORLD_TEST(the_caller_names_the_audiences_that_count),
        WORLD_TEST(a_disabled_identity_is_said_to_be_disabled),
        WORLD_TEST(a_match_carries_its_username_and_its_audiences),
        WORLD_TEST(no_identity_yields_a_system_name_unless_allowed),
        WORLD_TEST(none_of_several_yields_a_system_name),
        WORLD_TEST(test_a10_no_identity_yields_an_extra_key_of_kubernetes_unless_allowed),
        WORLD_TEST(a_lifetime_beyond_the_records_limit_is_refused),
        WORLD_TEST(a_missing_claim_is_named_in_one_way),
        WORLD_TEST(a_refusal_keeps_no_match),
        WORLD_TEST(no_token_and_undecided_deny),
    };
    return cmocka_run_group_tests_name("decisions", tests, NULL, NULL);
}

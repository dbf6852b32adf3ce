/*
 * Another claim than `sub` as the subject: exact rules, expressions, revocations and usernames mean it, for remembered
 * tokens as for others; and `sub` is then a claim as any.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/expressions.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://ci.example"

struct claim_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, plain, identity;
    struct rely_review review; /* the last one */
};

/* Of two records one has the repository as its subject. */
static int set_up_claims(void **state)
{
    struct claim_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "ci", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    world->plain =
        scene_add_issuer(&world->scene, "plain", URL, mint_jwks(mint_jwk(mint_key("p256#2"), "b", "ES256"), NULL));
    world->identity = scene_add_identity(&world->scene, "app");
    world->cache = rely_cache_new(64);
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, subject_claim, RELY_LIT("repository\0id"));
    *state = world;
    return 0;
}

static int tear_down_claims(void **state)
{
    struct claim_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static const char *sign_claims(const char *key, const char *kid, const char *claims)
{
    return mint_token(mint_key(key), "ES256", mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid),
                      mint_print("{\"iss\":\"" URL "\",\"aud\":[\"relyd\"],\"exp\":%d,%s}", NOW + 3600, claims));
}

/* Four times: from the second on it is remembered. */
static void expect_each_time(struct claim_world *world, const char *token, enum rely_reason wanted)
{
    for (int i = 0; i < 4; i++) {
        const struct rely_review_request request = {
            .token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
        rely_pool_reset(&world->scene.pool);
        rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
        if (world->review.decision.reason != wanted)
            fail_msg("%d: %s: %s", i, rely_reason_word(world->review.decision.reason),
                     world->review.decision.detail.text);
    }
}

static void add_expression(struct claim_world *world, int64_t scope, const char *text, struct rely_slice subject)
{
    static int64_t next_id = 7000;
    static const struct rely_slice audience = {"relyd", 5};
    struct rely_pool pool;
    const struct rely_expression *expression;
    struct rely_expression_fault fault;
    rely_pool_init(&pool);
    if (!rely_expression_parse(rely_slice_of(text), &pool, &expression, &fault))
        fail_msg("%s: %zu: %s", text, fault.column, fault.expected);
    int8_t key_term = -1;
    for (int8_t i = 0; i < expression->term_count; i++)
        if (rely_term_tells_apart(expression, (size_t)i, subject))
            key_term = i;
    const struct rely_credential rule = {.id = next_id++,
                                         .scope = scope,
                                         .identity_id = world->identity,
                                         .name = RELY_LIT("rule"),
                                         .expression = expression,
                                         .subject_term = rely_expression_term_on(expression, subject),
                                         .key_term = key_term,
                                         .audiences = &audience,
                                         .audience_count = 1,
                                         .is_enabled = true};
    rely_snapshot_put_credential(world->scene.snapshot, rely_credential_copy(&rule));
    rely_pool_fini(&pool);
}

static void an_exact_rule_means_the_claim(void **state)
{
    struct claim_world *world = *state;
    scene_add_credential(&world->scene, world->issuer, world->identity, "42", "relyd");
    scene_add_credential(&world->scene, world->plain, world->identity, "42", "relyd");
    static const struct {
        const char *claims;
        enum rely_reason of_claim, of_sub; /* where the one record has signed, and the other */
    } cases[] = {
        {"\"sub\":\"run-1\",\"repository\":{\"id\":\"42\"}", RELY_OK, RELY_NO_MATCHING_CREDENTIAL},
        {"\"repository\":{\"id\":\"42\"}", RELY_OK, RELY_MISSING_CLAIM},
        {"\"sub\":\"42\",\"repository\":{\"id\":\"43\"}", RELY_NO_MATCHING_CREDENTIAL, RELY_OK},
        {"\"sub\":\"42\",\"repository.id\":\"42\"", RELY_MISSING_CLAIM, RELY_OK},
        {"\"sub\":\"42\",\"repository\":{\"id\":42}", RELY_INVALID_CLAIM, RELY_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_each_time(world, sign_claims("p256", "a", cases[i].claims), cases[i].of_claim);
        expect_each_time(world, sign_claims("p256#2", "b", cases[i].claims), cases[i].of_sub);
    }
    assert_true(rely_cache_count(world->cache).hits >= 12);
}

static void expressions_are_found_by_the_claim(void **state)
{
    struct claim_world *world = *state;
    struct rely_slice subject = RELY_LIT("repository\0id");
    add_expression(world, world->issuer, "claims['sub'] eq 'run' and claims['/repository/id'] matches 'acme-*'",
                   subject);
    add_expression(world, world->issuer, "claims['/repository/id'] matches 'x*' and claims['sub'] matches '*n'",
                   subject);
    add_expression(world, world->plain, "claims['sub'] matches 'r*' and claims['/repository/id'] eq 'acme-1'",
                   RELY_SUBJECT_CLAIM);
    static const struct {
        const char *claims;
        enum rely_reason of_claim, of_sub;
    } cases[] = {
        {"\"sub\":\"run\",\"repository\":{\"id\":\"acme-1\"}", RELY_OK, RELY_OK},
        {"\"sub\":\"ran\",\"repository\":{\"id\":\"acme-1\"}", RELY_NO_MATCHING_CREDENTIAL, RELY_OK},
        {"\"sub\":\"run\",\"repository\":{\"id\":\"acme\"}", RELY_NO_MATCHING_CREDENTIAL, RELY_NO_MATCHING_CREDENTIAL},
        {"\"sub\":\"acme-1\",\"repository\":{\"id\":\"run\"}", RELY_NO_MATCHING_CREDENTIAL,
         RELY_NO_MATCHING_CREDENTIAL},
        {"\"sub\":\"ran\",\"repository\":{\"id\":\"x\"}", RELY_OK, RELY_NO_MATCHING_CREDENTIAL},
        {"\"repository\":{\"id\":\"x\"}", RELY_NO_MATCHING_CREDENTIAL, RELY_MISSING_CLAIM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_each_time(world, sign_claims("p256", "a", cases[i].claims), cases[i].of_claim);
        expect_each_time(world, sign_claims("p256#2", "b", cases[i].claims), cases[i].of_sub);
    }
}

static void a_username_is_the_claim(void **state)
{
    struct claim_world *world = *state;
    scene_edit_identity(&world->scene, world->identity)->is_username_subject = true;
    scene_add_credential(&world->scene, world->issuer, world->identity, "42", "relyd");
    expect_each_time(world, sign_claims("p256", "a", "\"sub\":\"run\",\"repository\":{\"id\":\"42\"}"), RELY_OK);
    assert_true(rely_slice_equal(world->review.matches.items[0].username, RELY_LIT("42")));
    assert_true(rely_slice_equal(world->review.claims.subject, RELY_LIT("42")));
}

static void a_revocation_by_subject_hits_the_claim(void **state)
{
    struct claim_world *world = *state;
    const char *token = sign_claims("p256", "a", "\"sub\":\"run\",\"repository\":{\"id\":\"42\"}");
    scene_add_credential(&world->scene, world->issuer, world->identity, "42", "relyd");
    expect_each_time(world, token, RELY_OK);
    struct rely_revocation_record record = {
        .record = {.id = 1}, .name = RELY_LIT("one"), .subject = RELY_LIT("run"), .reason = RELY_LIT("a test")};
    scene_begin_edition(&world->scene);
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_REVOCATION, &record);
    expect_each_time(world, token, RELY_OK); /* `sub` is not the subject */
    record.record.id = 2;
    record.subject = RELY_LIT("42");
    scene_begin_edition(&world->scene);
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_REVOCATION, &record);
    expect_each_time(world, token, RELY_REVOKED);
}

/* What is remembered is of the record as it was. */
static void another_claim_is_another_subject(void **state)
{
    struct claim_world *world = *state;
    const char *token = sign_claims("p256", "a", "\"sub\":\"run\",\"repository\":{\"id\":\"42\"}");
    scene_add_credential(&world->scene, world->issuer, world->identity, "42", "relyd");
    expect_each_time(world, token, RELY_OK);
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, subject_claim, rely_slice(NULL, 0));
    expect_each_time(world, token, RELY_NO_MATCHING_CREDENTIAL);
    assert_true(rely_slice_equal(world->review.claims.subject, RELY_LIT("run")));
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, subject_claim, RELY_LIT("repository\0name"));
    expect_each_time(world, token, RELY_MISSING_CLAIM);
}

/* Where the token's own account is answered, it is the subject, whatever claim that is: its name is given out. */
static void an_account_is_the_subject(void **state)
{
    struct claim_world *world = *state;
    static const struct rely_slice audience = {"relyd", 5};
    static const struct {
        const char *subject;
        enum rely_reason reason;
    } cases[] = {
        {"system:serviceaccount:n:a", RELY_OK},
        {"system:serviceaccount:n:ab", RELY_IDENTITY_NOT_ALLOWED},
        {"system:serviceaccount:n:a:b", RELY_IDENTITY_NOT_ALLOWED},
        {"system:serviceaccount:n:b", RELY_IDENTITY_NOT_ALLOWED},
        {"system:serviceaccount:m:a", RELY_IDENTITY_NOT_ALLOWED},
        {"system:serviceaccount:n.a", RELY_IDENTITY_NOT_ALLOWED},
        {"system:serviceaccount:n:", RELY_IDENTITY_NOT_ALLOWED},
        {"n:a", RELY_IDENTITY_NOT_ALLOWED},
    };
    const struct rely_route_record route = {
        .record = {.id = 700}, .name = RELY_LIT("cluster"), .audiences = {&audience, 1}, .user = RELY_USER_KUBERNETES};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ROUTE, &route);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t rule = scene_add_credential(&world->scene, world->issuer, world->identity, cases[i].subject, "relyd");
        const struct rely_review_request request = {
            .token = rely_slice_of(sign_claims(
                "p256", "a",
                mint_print("\"sub\":\"system:serviceaccount:n:a\",\"repository\":{\"id\":\"%s\"},\"kubernetes.io\":{"
                           "\"namespace\":\"n\",\"serviceaccount\":{\"name\":\"a\",\"uid\":\"u\"}}",
                           cases[i].subject))),
            .route = RELY_LIT("cluster"),
            .form = RELY_ANSWER_TOKENREVIEW,
            .is_single = true};
        const struct rely_review *review = scene_review_request(&world->scene, &request, NOW);
        if (review->decision.reason != cases[i].reason)
            fail_msg("%s: %s: %s", cases[i].subject, rely_reason_word(review->decision.reason),
                     review->decision.detail.text);
        scene_begin_edition(&world->scene); /* and in shadow it would let in the same */
        scene_edit_credential(&world->scene, rule)->is_shadow = true;
        review = scene_review_request(&world->scene, &request, NOW);
        assert_int_equal(review->decision.reason, RELY_NO_MATCHING_CREDENTIAL);
        assert_true((review->matches.shadow.credential != NULL) == (cases[i].reason == RELY_OK));
    }
}

int run_subject_claim_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_exact_rule_means_the_claim, set_up_claims, tear_down_claims),
        cmocka_unit_test_setup_teardown(expressions_are_found_by_the_claim, set_up_claims, tear_down_claims),
        cmocka_unit_test_setup_teardown(a_username_is_the_claim, set_up_claims, tear_down_claims),
        cmocka_unit_test_setup_teardown(a_revocation_by_subject_hits_the_claim, set_up_claims, tear_down_claims),
        cmocka_unit_test_setup_teardown(another_claim_is_another_subject, set_up_claims, tear_down_claims),
        cmocka_unit_test_setup_teardown(an_account_is_the_subject, set_up_claims, tear_down_claims),
    };
    return cmocka_run_group_tests_name("subject claim", tests, NULL, NULL);
}

/*
 * The guards of an issuer: what a token must be whatever the rules say, also where a cache knows it, and from the next
 * review on when they change.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/guards.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"

struct guard_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer;
    struct rely_review review; /* the last one */
};

static int set_up_guards(void **state)
{
    struct guard_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "app-one"), "app", "relyd");
    world->cache = rely_cache_new(64);
    scene_begin_edition(&world->scene);
    *state = world;
    return 0;
}

static int tear_down_guards(void **state)
{
    struct guard_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static void guard(struct guard_world *world, const struct rely_guards *guards)
{
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, guards, guards);
}

static const char *sign_with(const char *more)
{
    return mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d%s}", NOW + 3600, more));
}

static enum rely_reason ask_once(struct guard_world *world, const char *token)
{
    const struct rely_review_request request = {
        .token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
    return world->review.decision.reason;
}

/* Until a cache would know it. */
static void assert_always(struct guard_world *world, const char *token, enum rely_reason reason)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask_once(world, token), reason);
}

static const struct rely_slice wanted[] = {{"acme", 4}, {"own", 3}};
static const struct rely_required_claim requires_owner = {{"owner", 5}, wanted, 2};

static void judges_each_token(void **state)
{
    struct guard_world *world = *state;
    const struct rely_guards guards = {.required = &requires_owner, .required_count = 1};
    const char *good = sign_with(",\"owner\":\"own\""), *bad = sign_with(",\"owner\":\"owner\""), *none = sign_with("");
    guard(world, &guards);
    assert_always(world, good, RELY_OK);
    assert_always(world, bad, RELY_GUARD_REFUSED);
    assert_string_equal(world->review.decision.detail.text,
                        "guard requiredClaims of the issuer: the token has \"owner\" in its claim owner");
    assert_int_equal(world->review.last_step, RELY_STEP_CLAIMS);
    assert_always(world, none, RELY_GUARD_REFUSED);
    assert_always(world, sign_with(",\"owner\":[1,\"x\",\"acme\"]"), RELY_OK);
    assert_always(world, sign_with(",\"owner\":{\"own\":\"own\"}"), RELY_GUARD_REFUSED);
    assert_int_equal(rely_cache_count(world->cache).admitted, 2); /* what is refused is not remembered */
}

static void holds_from_the_next_review_on(void **state)
{
    struct guard_world *world = *state;
    const struct rely_guards guards = {.required = &requires_owner, .required_count = 1};
    const char *token = sign_with(",\"owner\":\"other\"");
    assert_always(world, token, RELY_OK);
    guard(world, &guards);
    assert_always(world, token, RELY_GUARD_REFUSED);
    guard(world, NULL);
    assert_always(world, token, RELY_OK);
}

static void keeps_all_that_it_wants(void **state)
{
    struct guard_world *world = *state;
    static const struct rely_slice subjects[] = {{"x*", 2}, {"a?p", 3}};
    static const struct rely_required_claim both[] = {{{"owner", 5}, wanted, 2}, {{"env\0name", 8}, wanted + 1, 1}};
    const struct rely_guards guards = {
        .required = both, .required_count = 2, .subjects = subjects, .subject_count = 2, .is_single_audience = true};
    guard(world, &guards);
    scene_change_issuer(&world->scene, world->issuer, leeway_s, 7); /* one more copy */
    assert_always(world, sign_with(",\"owner\":\"acme\",\"env\":{\"name\":\"own\"}"), RELY_OK);
    assert_always(world, sign_with(",\"owner\":\"acme\",\"env\":{\"name\":\"acme\"}"), RELY_GUARD_REFUSED);
    assert_non_null(strstr(world->review.decision.detail.text, "in its claim /env/name"));
    assert_always(world, sign_with(",\"env\":{\"name\":\"own\"}"), RELY_GUARD_REFUSED);
}

/* --- pins -------------------------------------------------------------------------------------------------------- */

#define UID "11111111-aaaa-4bbb-8ccc-000000000001"

static const char *sign_for_account(const char *uid)
{
    return mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"system:serviceaccount:n:a\",\"aud\":[\"relyd\"],\"exp\":%d,"
                   "\"kubernetes.io\":{\"namespace\":\"n\",\"serviceaccount\":{\"name\":\"a\",\"uid\":\"%s\"}}}",
                   NOW + 3600, uid));
}

static void waits_until_a_uid_is_written_down(void **state)
{
    struct guard_world *world = *state;
    const struct rely_guards guards = {.pins_uid = true};
    const char *token = sign_for_account(UID), *other = sign_for_account("11111111-aaaa-4bbb-8ccc-000000000002");
    int64_t id = scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "account"),
                                      "system:serviceaccount:n:a", "relyd");
    assert_always(world, token, RELY_OK);
    guard(world, &guards);
    assert_always(world, token, RELY_PIN_PENDING);
    assert_int_equal(world->review.unpinned->id, id);
    assert_int_equal(world->review.matches.count, 0);
    const struct rely_pin pin = rely_review_pin(&world->review);
    assert_memory_equal(pin.uid, UID, sizeof pin.uid);
    assert_true(pin.credential_id == id && pin.issuer_id == world->issuer);
    assert_int_equal(pin.rule_hash, rely_rule_hash(world->issuer, RELY_LIT("system:serviceaccount:n:a")));
    scene_begin_edition(&world->scene);
    scene_edit_credential(&world->scene, id)->account_uid = UID;
    assert_always(world, token, RELY_OK);
    assert_always(world, other, RELY_UID_CHANGED);
    assert_non_null(strstr(world->review.decision.detail.text, "credential rule"));
    guard(world, NULL); /* what is written down by hand holds without the guard */
    assert_always(world, other, RELY_UID_CHANGED);
    guard(world, &guards);
    assert_always(world, sign_for_account("no uid at all"), RELY_GUARD_REFUSED);
}

/* Of several rules each: the first one's uid is written down. */
static void waits_for_each_of_several(void **state)
{
    struct guard_world *world = *state;
    const struct rely_guards guards = {.pins_uid = true};
    const struct rely_review_request asked = {.token = rely_slice_of(sign_for_account(UID))};
    int64_t rules[2];
    for (int i = 0; i < 2; i++)
        rules[i] = scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "account"),
                                        "system:serviceaccount:n:a", "relyd");
    guard(world, &guards);
    for (int i = 0; i < 2; i++) {
        scene_begin_edition(&world->scene);
        scene_edit_credential(&world->scene, rules[i])->account_uid = UID;
        scene_edit_credential(&world->scene, rules[1 - i])->account_uid = NULL;
        const struct rely_review *review = scene_review_request(&world->scene, &asked, NOW);
        assert_int_equal(review->decision.reason, RELY_PIN_PENDING);
        assert_int_equal(review->unpinned->id, rules[1 - i]);
    }
    scene_begin_edition(&world->scene);
    for (int i = 0; i < 2; i++)
        scene_edit_credential(&world->scene, rules[i])->account_uid = UID;
    const struct rely_review *review = scene_review_request(&world->scene, &asked, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_int_equal(review->matches.count, 2);
}

/* One in shadow has no say in why a token is refused, whatever its uid. */
static void another_uid_in_shadow_is_no_reason(void **state)
{
    struct guard_world *world = *state;
    const char *token = sign_for_account("11111111-aaaa-4bbb-8ccc-000000000002");
    int64_t id = scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "account"),
                                      "system:serviceaccount:n:a", "relyd");
    for (int is_shadow = 0; is_shadow <= 1; is_shadow++) {
        scene_begin_edition(&world->scene);
        struct rely_credential *rule = scene_edit_credential(&world->scene, id);
        rule->account_uid = UID;
        rule->is_shadow = is_shadow;
        assert_always(world, token, is_shadow ? RELY_NO_MATCHING_CREDENTIAL : RELY_UID_CHANGED);
        assert_null(world->review.matches.shadow.credential);
    }
}

/* Of several that do not let it in the one that is nearest to it is why. */
static void the_nearest_is_why(void **state)
{
    struct guard_world *world = *state;
    static const enum rely_reason why[] = {RELY_UID_CHANGED, RELY_IDENTITY_DISABLED, RELY_AUDIENCE_MISMATCH,
                                           RELY_NO_MATCHING_CREDENTIAL};
    const char *token = sign_for_account("11111111-aaaa-4bbb-8ccc-000000000002");
    int64_t rules[3], disabled = 0;
    for (int i = 0; i < 3; i++) {
        disabled = i == 1 ? scene_add_identity(&world->scene, "disabled") : disabled;
        rules[i] = scene_add_credential(&world->scene, world->issuer,
                                        i == 1 ? disabled : scene_add_identity(&world->scene, "account"),
                                        "system:serviceaccount:n:a", i == 2 ? "other" : "relyd");
    }
    scene_begin_edition(&world->scene);
    scene_edit_credential(&world->scene, rules[0])->account_uid = UID;
    scene_edit_identity(&world->scene, disabled)->is_enabled = false;
    for (int i = 0; i < 4; i++) {
        assert_always(world, token, why[i]);
        scene_begin_edition(&world->scene);
        if (i < 3)
            assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, rules[i]));
    }
}

int run_guard_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(judges_each_token, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(holds_from_the_next_review_on, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(keeps_all_that_it_wants, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(waits_until_a_uid_is_written_down, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(waits_for_each_of_several, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(another_uid_in_shadow_is_no_reason, set_up_guards, tear_down_guards),
        cmocka_unit_test_setup_teardown(the_nearest_is_why, set_up_guards, tear_down_guards),
    };
    return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}

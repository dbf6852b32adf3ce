/*
 * Credentials that are not in force: disabled, behind their notAfter, or in shadow. For a review none of them is there,
 * also where a cache knows the token; what one in shadow would have let in is noted beside the decision.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"
#define END (NOW + 3600 + RELY_LEEWAY_DEFAULT_S) /* of what the token is good for */

struct force_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, identity, rule;
    const char *token;
    struct rely_review review; /* the last one */
};

static int set_up_force(void **state)
{
    struct force_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    world->identity = scene_add_identity(&world->scene, "app-one");
    world->rule = scene_add_credential(&world->scene, world->issuer, world->identity, "app", "relyd");
    world->token =
        mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                   mint_print("{\"iss\":\"" URL "\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d}", NOW + 3600));
    world->cache = rely_cache_new(64);
    *state = world;
    return 0;
}

static int tear_down_force(void **state)
{
    struct force_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static enum rely_reason ask(struct force_world *world, const struct rely_review_request *asked, int64_t now_s)
{
    struct rely_review_request request = *asked;
    request.token = rely_slice_of(world->token);
    request.pool = &world->scene.pool;
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, now_s, &world->review);
    return world->review.decision.reason;
}

/* Through the cache, as workers do. */
static enum rely_reason ask_at(struct force_world *world, int64_t now_s)
{
    return ask(world, &(struct rely_review_request){.is_single = true}, now_s);
}

static void warm_up(struct force_world *world)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_at(world, NOW), RELY_OK);
    assert_int_equal(rely_cache_count(world->cache).hits, 1);
}

/* What was published is not changed: memos point to it. */
static struct rely_credential *edit_rule(struct force_world *world, int64_t id)
{
    scene_begin_edition(&world->scene);
    return scene_edit_credential(&world->scene, id);
}

static struct rely_identity *edit_identity(struct force_world *world)
{
    scene_begin_edition(&world->scene);
    return scene_edit_identity(&world->scene, world->identity);
}

static void assert_shadow(const struct force_world *world, int64_t credential)
{
    const struct rely_credential *found = world->review.matches.shadow.credential;
    assert_int_equal(found == NULL ? 0 : found->id, credential);
}

/* --- ways not to be there ---------------------------------------------------------------------------------------- */

static void disable(struct rely_credential *rule)
{
    rule->is_enabled = false;
}

static void end(struct rely_credential *rule)
{
    rule->not_after_s = NOW - 1;
}

static void put_in_shadow(struct rely_credential *rule)
{
    rule->is_shadow = true;
}

static void put_in_force(struct rely_credential *rule)
{
    rule->is_enabled = true;
    rule->is_shadow = false;
    rule->not_after_s = 0;
}

static void (*const hidings[])(struct rely_credential *rule) = {disable, end, put_in_shadow};
#define HIDINGS (sizeof hidings / sizeof hidings[0])

/* Not even by its audiences, nor by its identity, which is disabled: word and sentence are those of one that is missing.
 */
static void nobody_learns_what_is_not_in_force(void **state)
{
    struct force_world *world = *state;
    static const struct rely_slice other = {"other", 5};
    const struct rely_review_request asked[] = {{.is_single = true}, {.audiences = &other, .audience_count = 1}};
    struct rely_detail missing[2], told;
    scene_begin_edition(&world->scene);
    rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, world->rule);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(ask(world, &asked[k], NOW), RELY_NO_MATCHING_CREDENTIAL);
        missing[k] = world->review.decision.detail;
    }
    world->rule = scene_add_credential(&world->scene, world->issuer, world->identity, "app", "relyd");
    for (size_t i = 0; i < 2 * HIDINGS; i++) {
        struct rely_credential *rule = edit_rule(world, world->rule);
        put_in_force(rule);
        hidings[i % HIDINGS](rule);
        edit_identity(world)->is_enabled = i < HIDINGS;
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(ask(world, &asked[k], NOW), RELY_NO_MATCHING_CREDENTIAL);
            assert_string_equal(world->review.decision.detail.text, missing[k].text);
            assert_null(world->review.matches.near_audience);
            assert_int_equal(world->review.matches.count, 0);
            rely_review_tell(&world->review, &told);
            assert_string_equal(told.text, missing[k].text);
        }
    }
}

/* What a cache knows of a token is its signature; the rule is looked at each time. */
static void a_known_token_feels_it_at_once(void **state)
{
    struct force_world *world = *state;
    warm_up(world);
    for (size_t i = 0; i < HIDINGS; i++) {
        hidings[i](edit_rule(world, world->rule));
        for (int k = 0; k < 3; k++)
            assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
        put_in_force(edit_rule(world, world->rule));
        for (int k = 0; k < 3; k++)
            assert_int_equal(ask_at(world, NOW), RELY_OK);
    }
    assert_int_equal(rely_cache_count(world->cache).hits, 1 + 6 * HIDINGS);
}

/* Beside it another one counts as if it were alone. */
static void what_is_not_in_force_makes_nothing_ambiguous(void **state)
{
    struct force_world *world = *state;
    int64_t second = scene_add_identity(&world->scene, "app-two");
    int64_t rule = scene_add_credential(&world->scene, world->issuer, second, "app", "relyd");
    assert_int_equal(ask_at(world, NOW), RELY_AMBIGUOUS_IDENTITY);
    for (size_t i = 0; i < HIDINGS; i++) {
        struct rely_credential *edited = edit_rule(world, rule);
        put_in_force(edited);
        hidings[i](edited);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(ask_at(world, NOW), RELY_OK);
            assert_int_equal(world->review.matches.count, 1);
            assert_int_equal(world->review.matches.items[0].credential->id, world->rule);
        }
    }
}

/* --- notAfter ---------------------------------------------------------------------------------------------------- */

static void a_credential_matches_up_to_its_last_second(void **state)
{
    struct force_world *world = *state;
    edit_rule(world, world->rule)->not_after_s = NOW + 10;
    warm_up(world);
    assert_int_equal(ask_at(world, NOW + 9), RELY_OK);
    assert_int_equal(ask_at(world, NOW + 10), RELY_OK);
    assert_int_equal(ask_at(world, NOW + 11), RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(ask_at(world, NOW + 10), RELY_OK); /* a clock that was set back */
    assert_int_equal(rely_cache_count(world->cache).hits, 5);
    assert_int_equal(scene_review(&world->scene, world->token, NOW + 10)->decision.reason, RELY_OK);
    assert_int_equal(scene_review(&world->scene, world->token, NOW + 11)->decision.reason, RELY_NO_MATCHING_CREDENTIAL);
}

static void an_allow_ends_with_its_credential(void **state)
{
    struct force_world *world = *state;
    static const struct {
        int64_t not_after_s, until_s;
    } cases[] = {{0, END}, {END + 1, END}, {END, END}, {END - 1, END - 1}, {NOW, NOW}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edit_rule(world, world->rule)->not_after_s = cases[i].not_after_s;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(ask_at(world, NOW), RELY_OK);
            assert_int_equal(world->review.decision.valid_until_s, cases[i].until_s);
        }
    }
}

/* The answer names all of them: it is true no longer when the first one ends. */
static void an_allow_of_several_ends_with_the_first(void **state)
{
    struct force_world *world = *state;
    static const int64_t ends[][2] = {{NOW + 5, 0}, {0, NOW + 5}, {NOW + 9, NOW + 5}, {NOW + 5, NOW + 9}};
    int64_t second = scene_add_identity(&world->scene, "app-two");
    int64_t rule = scene_add_credential(&world->scene, world->issuer, second, "app", "relyd");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        edit_rule(world, world->rule)->not_after_s = ends[i][0];
        edit_rule(world, rule)->not_after_s = ends[i][1];
        assert_int_equal(ask(world, &(struct rely_review_request){.is_single = false}, NOW), RELY_OK);
        assert_int_equal(world->review.matches.count, 2);
        assert_int_equal(world->review.decision.valid_until_s, NOW + 5);
    }
}

/* --- shadow ------------------------------------------------------------------------------------------------------ */

static void what_a_shadow_would_let_in_is_noted(void **state)
{
    struct force_world *world = *state;
    int64_t second = scene_add_identity(&world->scene, "app-two");
    warm_up(world);
    assert_shadow(world, 0);
    scene_begin_edition(&world->scene);
    int64_t shadow = scene_add_credential(&world->scene, world->issuer, second, "app", "relyd");
    edit_rule(world, shadow)->is_shadow = true;
    for (int i = 0; i < 3; i++) { /* beside an allow */
        assert_int_equal(ask_at(world, NOW), RELY_OK);
        assert_shadow(world, shadow);
        assert_true(rely_slice_equal(world->review.matches.shadow.identity->name, RELY_LIT("app-two")));
    }
    scene_begin_edition(&world->scene);
    rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, world->rule);
    for (int i = 0; i < 3; i++) { /* in place of a refusal */
        assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
        assert_shadow(world, shadow);
    }
    assert_int_equal(rely_cache_count(world->cache).hits, 7);
    assert_int_equal(ask_at(world, END), RELY_EXPIRED);
    assert_shadow(world, 0);
}

/* Where it would be refused if it counted, it would have let nobody in. */
static void what_a_shadow_would_not_let_in_is_not_noted(void **state)
{
    struct force_world *world = *state;
    static const struct rely_slice other = {"other", 5};
    put_in_shadow(edit_rule(world, world->rule));
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, world->rule);
    const struct rely_review_request asked[] = {{.audiences = &other, .audience_count = 1},
                                                {.identity = RELY_LIT("app-two")}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask(world, &asked[i], NOW), RELY_NO_MATCHING_CREDENTIAL);
        assert_shadow(world, 0);
    }
    assert_int_equal(ask(world, &(struct rely_review_request){.identity = RELY_LIT("app-one")}, NOW),
                     RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, world->rule);
    edit_identity(world)->username = RELY_LIT("system:admin");
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, 0);
    struct rely_identity *identity = edit_identity(world);
    identity->username = RELY_LIT("app");
    identity->system_name = RELY_SYSTEM_GROUP;
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, 0);
    world->scene.snapshot->may_use_system_names = true;
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, world->rule);
    edit_identity(world)->is_enabled = false;
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, 0);
    edit_identity(world)->is_enabled = true;
    edit_rule(world, world->rule)->not_after_s = NOW - 1;
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, 0);
}

/* It changes neither the reason nor the sentence of those that count. */
static void a_shadow_changes_no_refusal(void **state)
{
    struct force_world *world = *state;
    static const struct rely_slice other = {"other", 5};
    int64_t second = scene_add_identity(&world->scene, "app-two");
    int64_t shadow = scene_add_credential(&world->scene, world->issuer, second, "app", "relyd");
    put_in_shadow(edit_rule(world, shadow));
    assert_int_equal(ask(world, &(struct rely_review_request){.audiences = &other, .audience_count = 1}, NOW),
                     RELY_AUDIENCE_MISMATCH);
    assert_int_equal(world->review.matches.near_audience->id, world->rule);
    assert_shadow(world, 0);
    edit_identity(world)->is_enabled = false;
    assert_int_equal(ask_at(world, NOW), RELY_IDENTITY_DISABLED);
    assert_shadow(world, shadow);
    edit_identity(world)->is_enabled = true;
    edit_identity(world)->username = RELY_LIT("system:admin");
    assert_int_equal(ask_at(world, NOW), RELY_IDENTITY_NOT_ALLOWED);
    assert_shadow(world, 0); /* that one would still be refused */
    edit_identity(world)->username = RELY_LIT("app");
    int64_t third = scene_add_identity(&world->scene, "app-three");
    scene_add_credential(&world->scene, world->issuer, third, "app", "relyd");
    assert_int_equal(ask_at(world, NOW), RELY_AMBIGUOUS_IDENTITY);
    assert_int_equal(world->review.matches.count, 2);
    assert_null(strstr(world->review.decision.detail.text, "app-two"));
    assert_shadow(world, 0);
}

/* An identity that is revoked is nobody's, in shadow neither; where those that count are, the shadow would have helped. */
static void a_shadow_of_a_revoked_identity_is_not_noted(void **state)
{
    struct force_world *world = *state;
    static const char *const names[] = {"app-two", "app-one"};
    int64_t second = scene_add_identity(&world->scene, "app-two");
    int64_t shadow = scene_add_credential(&world->scene, world->issuer, second, "app", "relyd");
    put_in_shadow(edit_rule(world, shadow));
    assert_int_equal(ask_at(world, NOW), RELY_OK);
    assert_shadow(world, shadow);
    for (int i = 0; i < 2; i++) {
        const struct rely_revocation_record record = {
            .record = {.id = 900}, .name = RELY_LIT("rev-1"), .identity = rely_slice_of(names[i])};
        scene_begin_edition(&world->scene);
        rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_REVOCATION, &record);
        assert_int_equal(ask_at(world, NOW), i == 0 ? RELY_OK : RELY_REVOKED);
        assert_shadow(world, i == 0 ? 0 : shadow);
    }
}

static void of_several_shadows_the_oldest_is_noted(void **state)
{
    struct force_world *world = *state;
    put_in_shadow(edit_rule(world, world->rule));
    for (int i = 0; i < 5; i++) {
        int64_t identity = scene_add_identity(&world->scene, "more");
        put_in_shadow(scene_edit_credential(
            &world->scene, scene_add_credential(&world->scene, world->issuer, identity, "app", "relyd")));
    }
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, world->rule);
    put_in_shadow(edit_rule(world, world->rule)); /* put behind the others */
    assert_int_equal(ask_at(world, NOW), RELY_NO_MATCHING_CREDENTIAL);
    assert_shadow(world, world->rule);
}

#define FORCE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_force, tear_down_force)

int run_force_tests(void)
{
    const struct CMUnitTest tests[] = {
        FORCE_TEST(nobody_learns_what_is_not_in_force),
        FORCE_TEST(a_known_token_feels_it_at_once),
        FORCE_TEST(what_is_not_in_force_makes_nothing_ambiguous),
        FORCE_TEST(a_credential_matches_up_to_its_last_second),
        FORCE_TEST(an_allow_ends_with_its_credential),
        FORCE_TEST(an_allow_of_several_ends_with_the_first),
        FORCE_TEST(what_a_shadow_would_let_in_is_noted),
        FORCE_TEST(what_a_shadow_would_not_let_in_is_not_noted),
        FORCE_TEST(a_shadow_changes_no_refusal),
        FORCE_TEST(a_shadow_of_a_revoked_identity_is_not_noted),
        FORCE_TEST(of_several_shadows_the_oldest_is_noted),
    };
    return cmocka_run_group_tests_name("force", tests, NULL, NULL);
}

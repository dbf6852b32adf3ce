/*
 * What clusters have said, in a worker's memory and in a review, also of what a cache knows: a yes counts for thirty
 * seconds, a no for good, and nothing is never a yes.
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
#define BEGIN 1000000 /* of the clock */

static int64_t clock_ms;

static int64_t tell_clock_ms(void)
{
    return clock_ms;
}

struct live_world {
    struct scene scene;
    struct rely_cache *cache;
    struct rely_live_memory *live;
    int64_t issuer;
    struct rely_review review; /* the last one */
};

static void want(struct live_world *world, bool may_be_assumed, uint64_t revision)
{
    const struct rely_issuer_liveness liveness = {.url = RELY_LIT("https://cluster.example"),
                                                  .may_be_assumed = may_be_assumed};
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, revision, revision);
    scene_change_issuer(&world->scene, world->issuer, liveness, liveness);
}

static int set_up_liveness(void **state)
{
    struct live_world *world = rely_alloc(sizeof *world);
    clock_ms = BEGIN;
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "app-one"),
                         "system:serviceaccount:n:a", "relyd");
    world->cache = rely_cache_new(64);
    world->live = rely_live_memory_new(tell_clock_ms);
    want(world, false, 1);
    *state = world;
    return 0;
}

static int tear_down_liveness(void **state)
{
    struct live_world *world = *state;
    rely_cache_free(world->cache);
    rely_live_memory_free(world->live);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

/* In: left_s - until its end. */
static const char *make_bound_token(const char *more, int left_s)
{
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"" URL "\",\"sub\":\"system:serviceaccount:n:a\",\"aud\":[\"relyd\"],"
                                 "\"exp\":%d,\"kubernetes.io\":{\"namespace\":\"n\",\"serviceaccount\":{"
                                 "\"name\":\"a\",\"uid\":\"u\"}%s}}",
                                 NOW + left_s, more));
}

static enum rely_reason ask_once(struct live_world *world, const char *token)
{
    const struct rely_review_request request = {
        .token = rely_slice_of(token), .is_single = true, .live = world->live, .pool = &world->scene.pool};
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
    return world->review.decision.reason;
}

/* Until a cache would know it. */
static void assert_life(struct live_world *world, const char *token, enum rely_reason reason, enum rely_life life)
{
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ask_once(world, token), reason);
        assert_int_equal(world->review.live.life, life);
        assert_int_equal(world->review.matches.count, reason == RELY_OK ? 1 : 0);
    }
}

static void hear(struct live_world *world, enum rely_live_word word)
{
    rely_live_note(world->live, &world->review.live.bound, word, clock_ms);
}

static void a_yes_counts_for_thirty_seconds(void **state)
{
    struct live_world *world = *state;
    const char *token = make_bound_token("", 3600);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    assert_true(rely_review_wants_life(&world->review));
    assert_int_equal(world->review.last_step, RELY_STEP_DECISION);
    hear(world, RELY_LIVE_YES);
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    clock_ms += RELY_LIVE_SOFT_MS;
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    assert_false(world->review.live.is_old);
    clock_ms += 1;
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    assert_true(world->review.live.is_old);
    clock_ms = BEGIN + RELY_LIVE_HARD_MS;
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    clock_ms += 1;
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    assert_true(rely_cache_count(world->cache).hits > 0);
}

static void a_yes_counts_from_when_it_was_asked_for(void **state)
{
    struct live_world *world = *state;
    const char *token = make_bound_token("", 3600);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    rely_live_note(world->live, &world->review.live.bound, RELY_LIVE_YES, BEGIN - RELY_LIVE_HARD_MS);
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    rely_live_note(world->live, &world->review.live.bound, RELY_LIVE_YES, BEGIN - 2 * RELY_LIVE_HARD_MS); /* older */
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    clock_ms += 1;
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
}

static void a_no_is_for_good(void **state)
{
    struct live_world *world = *state;
    const char *token = make_bound_token("", 3600),
               *pod = make_bound_token(",\"pod\":{\"name\":\"p\",\"uid\":\"p\"}", 3600);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    hear(world, RELY_LIVE_YES);
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    hear(world, RELY_LIVE_NO);
    assert_life(world, token, RELY_TOKEN_NOT_LIVE, RELY_LIFE_OVER);
    assert_false(rely_review_wants_more(&world->review));
    hear(world, RELY_LIVE_YES);
    hear(world, RELY_LIVE_NOTHING);
    clock_ms += 1000 * RELY_LIVE_HARD_MS;
    assert_life(world, token, RELY_TOKEN_NOT_LIVE, RELY_LIFE_OVER);
    assert_false(rely_live_may_ask(world->live, &world->review.live.bound));
    want(world, true, 1);
    assert_life(world, token, RELY_TOKEN_NOT_LIVE, RELY_LIFE_OVER); /* by no record is a no a yes */
    assert_life(world, pod, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    want(world, false, 2);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN); /* another record asks another cluster */
}

static void nothing_is_no_yes(void **state)
{
    struct live_world *world = *state;
    const char *token = make_bound_token("", 3600);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    hear(world, RELY_LIVE_NOTHING);
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNAVAILABLE);
    assert_false(rely_review_wants_more(&world->review));
    want(world, true, 1);
    assert_life(world, token, RELY_OK, RELY_LIFE_ASSUMED);
    clock_ms += RELY_LIVE_AGAIN_MS;
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN); /* it is asked first */
    hear(world, RELY_LIVE_YES);
    clock_ms += RELY_LIVE_HARD_MS;
    hear(world, RELY_LIVE_NOTHING);
    assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    clock_ms += 1;
    assert_life(world, token, RELY_OK, RELY_LIFE_ASSUMED);
    rely_live_memory_free(world->live);
    world->live = NULL;
    assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
}

static void what_ends_is_not_asked_about(void **state)
{
    struct live_world *world = *state;
    const char *late = make_bound_token("", RELY_LIVE_LEFT_S - 1), *early = make_bound_token("", RELY_LIVE_LEFT_S);
    assert_life(world, late, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNAVAILABLE);
    assert_life(world, early, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
    hear(world, RELY_LIVE_YES);
    clock_ms += RELY_LIVE_HARD_MS;
    assert_life(world, late, RELY_OK, RELY_LIFE_CONFIRMED);
    assert_false(world->review.live.is_old);
    assert_life(world, early, RELY_OK, RELY_LIFE_CONFIRMED);
    assert_true(world->review.live.is_old);
}

/* Each part of what a token is bound to tells it from others. */
static void what_is_bound_to_something_else_is_another(void **state)
{
    static const char *const parts[] = {
        "",
        ",\"pod\":{\"name\":\"x\",\"uid\":\"x\"}",
        ",\"secret\":{\"name\":\"x\",\"uid\":\"x\"}",
        ",\"node\":{\"name\":\"x\",\"uid\":\"x\"}",
        ",\"pod\":{\"name\":\"x\",\"uid\":\"x\"},\"node\":{\"name\":\"x\",\"uid\":\"x\"}",
        ",\"pod\":{\"name\":\"x\",\"uid\":\"y\"}"};
    struct live_world *world = *state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *token = make_bound_token(parts[i], 3600);
        assert_life(world, token, RELY_LIVENESS_UNAVAILABLE, RELY_LIFE_UNKNOWN);
        hear(world, RELY_LIVE_YES);
        assert_life(world, token, RELY_OK, RELY_LIFE_CONFIRMED);
    }
    struct rely_bound other = world->review.live.bound;
    other.issuer_id++;
    assert_int_equal(rely_live_find(world->live, &other).life, RELY_LIFE_UNKNOWN);
}

static void it_is_asked_once_in_a_while(void **state)
{
    struct live_world *world = *state;
    const struct rely_bound bound = {1, {2, 3}};
    assert_true(rely_live_may_ask(world->live, &bound));
    assert_int_equal(rely_live_find(world->live, &bound).life, RELY_LIFE_UNKNOWN);
    clock_ms += RELY_LIVE_AGAIN_MS - 1;
    assert_false(rely_live_may_ask(world->live, &bound));
    clock_ms += 1;
    assert_true(rely_live_may_ask(world->live, &bound));
}

/* By the control thread, whose questions are for all workers: what one has been told the other need not ask. */
static void what_is_known_is_not_asked_again(void **state)
{
    struct live_world *world = *state;
    const struct rely_bound bound = {world->issuer, {1, 2}}, other = {world->issuer, {3, 4}};
    enum rely_live_word word = RELY_LIVE_NOTHING;
    int64_t asked_ms = 0;
    assert_false(rely_live_knows(NULL, &bound, &word, &asked_ms));
    assert_false(rely_live_knows(world->live, &bound, &word, &asked_ms));
    rely_live_note(world->live, &bound, RELY_LIVE_NOTHING, BEGIN);
    assert_false(rely_live_knows(world->live, &bound, &word, &asked_ms));
    rely_live_note(world->live, &bound, RELY_LIVE_YES, BEGIN - 10);
    clock_ms = BEGIN - 10 + RELY_LIVE_SOFT_MS;
    assert_true(rely_live_knows(world->live, &bound, &word, &asked_ms));
    assert_int_equal(word, RELY_LIVE_YES);
    assert_int_equal(asked_ms, BEGIN - 10);
    assert_false(rely_live_knows(world->live, &other, &word, &asked_ms));
    clock_ms++;
    assert_false(rely_live_knows(world->live, &bound, &word, &asked_ms)); /* it is worth being asked again */
    rely_live_note(world->live, &bound, RELY_LIVE_NO, clock_ms);
    clock_ms += 1000000;
    assert_true(rely_live_knows(world->live, &bound, &word, &asked_ms));
    assert_int_equal(word, RELY_LIVE_NO);
}

static void the_memory_is_bounded_and_keeps_the_dead(void **state)
{
    struct live_world *world = *state;
    const struct rely_bound dead = {1, {7, 7}};
    rely_live_note(world->live, &dead, RELY_LIVE_NO, clock_ms);
    for (uint64_t i = 0; i < 1000; i++) {
        const struct rely_bound bound = {1, {7, 1000 + i}}; /* all in one set */
        clock_ms++;
        rely_live_note(world->live, &bound, RELY_LIVE_YES, clock_ms);
        assert_int_equal(rely_live_find(world->live, &bound).life, RELY_LIFE_CONFIRMED);
    }
    assert_int_equal(rely_live_find(world->live, &dead).life, RELY_LIFE_OVER);
    const struct rely_bound first = {1, {7, 1000}};
    assert_int_equal(rely_live_find(world->live, &first).life, RELY_LIFE_UNKNOWN);
}

int run_liveness_tests(void)
{
#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_liveness, tear_down_liveness)
    static const struct CMUnitTest tests[] = {
        LIVE_TEST(a_yes_counts_for_thirty_seconds),
        LIVE_TEST(a_yes_counts_from_when_it_was_asked_for),
        LIVE_TEST(a_no_is_for_good),
        LIVE_TEST(nothing_is_no_yes),
        LIVE_TEST(what_ends_is_not_asked_about),
        LIVE_TEST(what_is_bound_to_something_else_is_another),
        LIVE_TEST(it_is_asked_once_in_a_while),
        LIVE_TEST(what_is_known_is_not_asked_again),
        LIVE_TEST(the_memory_is_bounded_and_keeps_the_dead),
    };
    return cmocka_run_group_tests_name("liveness", tests, NULL, NULL);
}

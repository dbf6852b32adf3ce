/* What is noted of an issuer's tokens: whether any was let in, why others were not, and how far its clock is ahead. */
#include "scene.h"

#include "../mint/mint.h"

#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/traffic.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000 /* a whole hour */
#define URL "https://issuer.example"

static void expect_ahead(const struct rely_traffic *traffic, int64_t now_s, int64_t ahead_s)
{
    const struct rely_traffic_seen seen = rely_traffic_read(traffic, now_s);
    assert_true(seen.has_skew);
    assert_int_equal(seen.ahead_s, ahead_s);
}

static void the_greatest_of_an_hour_counts(void **state)
{
    (void)state;
    struct rely_traffic *traffic = rely_traffic_new();
    assert_false(rely_traffic_read(traffic, NOW).has_skew);
    rely_traffic_note_issued(traffic, -30, NOW);
    expect_ahead(traffic, NOW, -30);
    rely_traffic_note_issued(traffic, -3000, NOW + 1); /* an old token */
    expect_ahead(traffic, NOW, -30);
    rely_traffic_note_issued(traffic, 0, NOW + 2);
    expect_ahead(traffic, NOW + 2, 0);
    rely_traffic_note_issued(traffic, 7, NOW + 3);
    expect_ahead(traffic, NOW + 3, 7);
    expect_ahead(traffic, NOW + 3600, 7);
    rely_traffic_note_issued(traffic, -1, NOW + 3600); /* the next hour has no better one yet */
    expect_ahead(traffic, NOW + 3600, 7);
    expect_ahead(traffic, NOW + 7200, -1);
    assert_false(rely_traffic_read(traffic, NOW + 10800).has_skew);
    rely_traffic_note_issued(traffic, 3, NOW + 20000);
    expect_ahead(traffic, NOW + 20000, 3);
    rely_traffic_note_issued(traffic, 2, NOW); /* the clock was set back */
    expect_ahead(traffic, NOW, 2);
    rely_traffic_free(traffic);
}

/* Whatever a token says, it fits. */
static void any_time_fits(void **state)
{
    (void)state;
    static const int64_t cases[][2] = {{INT64_C(1) << 52, INT64_C(1) << 30},
                                       {-(INT64_C(1) << 52), -(INT64_C(1) << 30)}};
    for (size_t i = 0; i < 2; i++) {
        struct rely_traffic *traffic = rely_traffic_new();
        rely_traffic_note_issued(traffic, cases[i][0], NOW);
        expect_ahead(traffic, NOW + 3599, cases[i][1]);
        rely_traffic_free(traffic);
    }
    struct rely_traffic *traffic = rely_traffic_new();
    rely_traffic_note_issued(traffic, 1, 5); /* a clock that was never set */
    assert_false(rely_traffic_read(traffic, 5).has_skew);
    rely_traffic_free(traffic);
    rely_traffic_note_issued(NULL, 1, NOW);
    rely_traffic_note_allowed(NULL, NOW);
    rely_traffic_note_refused(NULL, RELY_EXPIRED, true, NOW);
    assert_int_equal(rely_traffic_read(NULL, NOW).allowed_s, 0);
}

static void expect_refused(const struct rely_traffic *traffic, int64_t first_s, enum rely_reason reason)
{
    const struct rely_traffic_seen seen = rely_traffic_read(traffic, NOW);
    assert_int_equal(seen.refused_s, first_s);
    assert_int_equal(seen.refused, reason);
}

static void refusals_are_noted_until_one_is_let_in(void **state)
{
    (void)state;
    struct rely_traffic *traffic = rely_traffic_new();
    expect_refused(traffic, 0, RELY_OK);
    rely_traffic_note_refused(traffic, RELY_BAD_SIGNATURE, false, NOW); /* anybody's */
    expect_refused(traffic, NOW, RELY_OK);
    rely_traffic_note_refused(traffic, RELY_EXPIRED, true, NOW + 1);
    expect_refused(traffic, NOW, RELY_EXPIRED);
    rely_traffic_note_refused(traffic, RELY_AUDIENCE_MISMATCH, true, NOW + 60); /* once a minute */
    expect_refused(traffic, NOW, RELY_EXPIRED);
    rely_traffic_note_refused(traffic, RELY_AUDIENCE_MISMATCH, true, NOW + 61);
    expect_refused(traffic, NOW, RELY_AUDIENCE_MISMATCH);
    rely_traffic_note_refused(traffic, RELY_EXPIRED, true, NOW + 20); /* the clock was set back */
    expect_refused(traffic, NOW, RELY_EXPIRED);
    rely_traffic_note_allowed(traffic, NOW + 90);
    rely_traffic_note_allowed(traffic, NOW + 95);
    assert_int_equal(rely_traffic_read(traffic, NOW).allowed_s, NOW + 90);
    rely_traffic_note_refused(traffic, RELY_AUDIENCE_MISMATCH, true, NOW + 900);
    expect_refused(traffic, NOW, RELY_EXPIRED);
    rely_traffic_free(traffic);
}

/* --- by reviews ------------------------------------------------------------------------------------------------- */

struct traffic_world {
    struct scene scene;
    struct rely_cache *cache;
    struct rely_traffic *traffic;
};

static struct traffic_world *begin_traffic(void)
{
    struct traffic_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    int64_t issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    int64_t identity = scene_add_identity(&world->scene, "app-one");
    scene_add_credential(&world->scene, issuer, identity, "app", "relyd");
    world->traffic = rely_traffic_new();
    struct rely_issuer *edited = scene_edit_issuer(&world->scene, issuer);
    edited->traffic = world->traffic;
    scene_put_issuer(&world->scene, edited);
    world->cache = rely_cache_new(64);
    return world;
}

static void end_traffic(struct traffic_world *world)
{
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    rely_traffic_free(world->traffic);
    free(world);
    mint_reset();
}

/* In: iat - 0: none. */
static const char *mint_issued(const char *key, const char *subject, int64_t iat)
{
    const char *issued = iat == 0 ? "" : mint_print("\"iat\":%lld,", (long long)iat);
    return mint_token(mint_key(key), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":[\"relyd\"],%s\"exp\":%d}", URL, subject,
                                 issued, NOW + 36000));
}

static void judge_at(struct traffic_world *world, const char *token, int64_t now_s, enum rely_reason expected)
{
    struct rely_review_request request = {.token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    struct rely_review review;
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, now_s, &review);
    assert_int_equal(review.decision.reason, expected);
}

/* A stranger moves nothing but that tokens have come. */
static void strangers_move_no_clock(void **state)
{
    (void)state;
    struct traffic_world *world = begin_traffic();
    judge_at(world, mint_issued("p256#forger", "app", NOW + 50), NOW, RELY_BAD_SIGNATURE);
    expect_refused(world->traffic, NOW, RELY_OK);
    judge_at(world, mint_issued("p256", "nobody", NOW + 50), NOW + 1, RELY_NO_MATCHING_CREDENTIAL);
    expect_refused(world->traffic, NOW, RELY_NO_MATCHING_CREDENTIAL);
    judge_at(world, mint_issued("p256", "app", NOW + 500), NOW + 100, RELY_ISSUED_IN_FUTURE);
    expect_refused(world->traffic, NOW, RELY_ISSUED_IN_FUTURE);
    judge_at(world, mint_issued("p256", "app", 0), NOW + 101, RELY_OK);
    const struct rely_traffic_seen seen = rely_traffic_read(world->traffic, NOW);
    assert_false(seen.has_skew);
    assert_int_equal(seen.allowed_s, NOW + 101);
    end_traffic(world);
}

static void new_tokens_tell_the_clock(void **state)
{
    (void)state;
    for (int has_cache = 0; has_cache < 2; has_cache++) {
        struct traffic_world *world = begin_traffic();
        struct rely_cache *cache = world->cache;
        if (!has_cache)
            world->cache = NULL;
        judge_at(world, mint_issued("p256", "app", NOW - 600), NOW, RELY_OK);
        expect_ahead(world->traffic, NOW, -600);
        judge_at(world, mint_issued("p256", "app", NOW + 12), NOW + 5, RELY_OK);
        expect_ahead(world->traffic, NOW, 7);
        world->cache = cache;
        end_traffic(world);
    }
}

/* What a token that is known already was issued at is not looked at; that it is let in, once a minute. */
static void a_known_token_is_looked_at_once_a_minute(void **state)
{
    (void)state;
    struct traffic_world *world = begin_traffic();
    const char *token = mint_issued("p256", "nobody", NOW - 5);
    for (int i = 0; i < 3; i++)
        judge_at(world, token, NOW, RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(rely_cache_count(world->cache).hits, 1);
    int64_t issuer = 1, identity = scene_add_identity(&world->scene, "app-two");
    scene_add_credential(&world->scene, issuer, identity, "nobody", "relyd");
    judge_at(world, token, NOW + 59, RELY_OK);
    assert_int_equal(rely_traffic_read(world->traffic, NOW).allowed_s, 0);
    judge_at(world, token, NOW + 60, RELY_OK);
    assert_int_equal(rely_traffic_read(world->traffic, NOW).allowed_s, NOW + 60);
    assert_false(rely_traffic_read(world->traffic, NOW).has_skew);
    assert_int_equal(rely_cache_count(world->cache).hits, 3);
    end_traffic(world);
}

int run_traffic_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greatest_of_an_hour_counts),
        cmocka_unit_test(any_time_fits),
        cmocka_unit_test(refusals_are_noted_until_one_is_let_in),
        cmocka_unit_test(strangers_move_no_clock),
        cmocka_unit_test(new_tokens_tell_the_clock),
        cmocka_unit_test(a_known_token_is_looked_at_once_a_minute),
    };
    return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}

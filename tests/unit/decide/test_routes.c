/*
 * What a route takes: tokens of its issuers and of their groups, by the edition of now.
 */
#include "relyd/edition.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://one.example"
#define ROUTE 700
#define GROUP 900 /* the first of sixteen */
#define JOINED 950

struct route_world {
    struct scene scene;
    int64_t issuer;
    const char *token;
};

static int set_up_routes(void **state)
{
    struct route_world *world = rely_alloc(sizeof *world);
    struct scene *scene = &world->scene;
    scene_init(scene);
    world->issuer = scene_add_issuer(scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    scene_add_credential(scene, world->issuer, scene_add_identity(scene, "app-one"), "app", "relyd");
    world->token =
        mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                   mint_print("{\"iss\":\"" URL "\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d}", NOW + 60));
    *state = world;
    return 0;
}

static int tear_down_routes(void **state)
{
    struct route_world *world = *state;
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static void put_route(struct route_world *world, struct rely_route_record record)
{
    static const struct rely_slice audiences[] = {{"relyd", 5}};
    record.record.id = ROUTE;
    record.name = RELY_LIT("shop");
    record.audiences = (struct rely_texts){audiences, 1};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ROUTE, &record);
}

static const struct rely_review *ask_under_route(struct route_world *world)
{
    return scene_review_request(&world->scene,
                                &(struct rely_review_request){
                                    .token = rely_slice_of(world->token), .route = RELY_LIT("shop"), .is_single = true},
                                NOW);
}

static void assert_asked(struct route_world *world, enum rely_reason expected)
{
    const struct rely_review *review = ask_under_route(world);
    if (review->decision.reason != expected)
        fail_msg("%s: %s", rely_reason_word(review->decision.reason), review->decision.detail.text);
}

static void join_groups(struct route_world *world, int count)
{
    for (int i = 0; i < count; i++) {
        const struct rely_issuer_group_record group = {.record = {.id = GROUP + i},
                                                       .name = rely_slice_of(mint_print("group-%d", i))};
        const struct rely_issuer_group_member_record member = {.record = {.id = JOINED + i, .parent_id = GROUP + i},
                                                               .issuer_id = world->issuer};
        rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP, &group);
        rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, &member);
    }
}

static void test_issuers_and_their_groups(void **state)
{
    struct route_world *world = *state;
    const struct rely_slice issuer = RELY_LIT("one"), other = RELY_LIT("other");
    put_route(world, (struct rely_route_record){0});
    assert_asked(world, RELY_OK);
    put_route(world, (struct rely_route_record){.issuers = {&other, 1}});
    assert_asked(world, RELY_ISSUER_NOT_ALLOWED);
    put_route(world, (struct rely_route_record){.issuer_groups = {&other, 1}});
    assert_asked(world, RELY_ISSUER_NOT_ALLOWED);
    put_route(world, (struct rely_route_record){.issuers = {&issuer, 1}, .issuer_groups = {&other, 1}});
    assert_asked(world, RELY_OK);
    /* A record is no group of its name. */
    put_route(world, (struct rely_route_record){.issuer_groups = {&issuer, 1}});
    assert_asked(world, RELY_ISSUER_NOT_ALLOWED);
}

static void test_one_of_sixteen_groups(void **state)
{
    struct route_world *world = *state;
    join_groups(world, RELY_GROUPS_PER_ISSUER_MAX);
    for (int i = 0; i < RELY_GROUPS_PER_ISSUER_MAX; i++) {
        const struct rely_slice names[] = {RELY_LIT("other"), rely_slice_of(mint_print("group-%d", i))};
        put_route(world, (struct rely_route_record){.issuer_groups = {names, 2}});
        assert_asked(world, RELY_OK);
        assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, JOINED + i));
        assert_asked(world, RELY_ISSUER_NOT_ALLOWED);
    }
}

int run_route_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issuers_and_their_groups, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_one_of_sixteen_groups, set_up_routes, tear_down_routes),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}

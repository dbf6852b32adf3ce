/*
 * Credentials for a group of issuers: each record in it, and none beside it, also where a cache knows the token; who
 * leaves is out with the next review, and of an identity's several credentials one is named.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define GROUP 900
#define OTHER_GROUP 901

struct group_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, neighbour, identity;
    const char *token, *neighbours_token;
    struct rely_review review; /* the last one */
};

static void put_group(struct group_world *world, int64_t id, const char *name)
{
    const struct rely_issuer_group_record record = {.record = {.id = id}, .name = rely_slice_of(name)};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP, &record);
}

static void join(struct group_world *world, int64_t id, int64_t group, int64_t issuer)
{
    const struct rely_issuer_group_member_record record = {.record = {.id = id, .parent_id = group},
                                                           .issuer_id = issuer};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, &record);
}

static void leave(struct group_world *world, int64_t id)
{
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, id));
}

static const char *sign_for(const char *url, const char *curve)
{
    return mint_token(mint_key(curve), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d}", url, NOW + 3600));
}

static int set_up_groups(void **state)
{
    struct group_world *world = rely_alloc(sizeof *world);
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL);
    scene_init(&world->scene);
    world->issuer = scene_add_issuer(&world->scene, "one", "https://one.example", jwks);
    world->neighbour = scene_add_issuer(&world->scene, "two", "https://two.example", jwks);
    world->identity = scene_add_identity(&world->scene, "app-one");
    put_group(world, GROUP, "prod");
    put_group(world, OTHER_GROUP, "more");
    world->token = sign_for("https://one.example", "p256");
    world->neighbours_token = sign_for("https://two.example", "p256");
    world->cache = rely_cache_new(64);
    *state = world;
    return 0;
}

static int tear_down_groups(void **state)
{
    struct group_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

/* Through the cache, as workers do. */
static enum rely_reason ask(struct group_world *world, const char *token)
{
    const struct rely_review_request request = {
        .token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
    return world->review.decision.reason;
}

static int64_t add_rule(struct group_world *world, int64_t scope)
{
    return scene_add_credential(&world->scene, scope, world->identity, "app", "relyd");
}

static void matches_the_records_of_the_group(void **state)
{
    struct group_world *world = *state;
    add_rule(world, rely_scope_of_group(GROUP));
    assert_int_equal(ask(world, world->token), RELY_NO_MATCHING_CREDENTIAL); /* it is empty */
    scene_begin_edition(&world->scene);
    join(world, 1, GROUP, world->issuer);
    join(world, 2, OTHER_GROUP, world->neighbour);
    assert_int_equal(ask(world, world->token), RELY_OK);
    assert_int_equal(world->review.issuer->id, world->issuer);
    assert_int_equal(ask(world, world->neighbours_token), RELY_NO_MATCHING_CREDENTIAL);
    join(world, 3, GROUP, world->neighbour);
    assert_int_equal(ask(world, world->neighbours_token), RELY_OK);
    assert_int_equal(world->review.issuer->id, world->neighbour);
}

/* Twice remembered, and each time it is the membership of now that counts. */
static void sees_a_membership_at_once(void **state)
{
    struct group_world *world = *state;
    add_rule(world, rely_scope_of_group(GROUP));
    for (int round = 0; round < 3; round++) {
        scene_begin_edition(&world->scene);
        join(world, 10 + round, GROUP, world->issuer);
        for (int i = 0; i < 4; i++)
            assert_int_equal(ask(world, world->token), RELY_OK);
        scene_begin_edition(&world->scene);
        leave(world, 10 + round);
        for (int i = 0; i < 4; i++)
            assert_int_equal(ask(world, world->token), RELY_NO_MATCHING_CREDENTIAL);
    }
    assert_true(rely_cache_count(world->cache).hits > 12);
}

/* A group's number is none of a record's: their numbers are two. */
static void is_no_record_of_its_number(void **state)
{
    struct group_world *world = *state;
    put_group(world, world->neighbour, "twin");
    join(world, 1, world->neighbour, world->issuer);
    add_rule(world, world->neighbour);
    assert_int_equal(ask(world, world->token), RELY_NO_MATCHING_CREDENTIAL);
    scene_begin_edition(&world->scene);
    assert_int_equal(ask(world, world->neighbours_token), RELY_OK);
}

static void rename_rule(struct group_world *world, int64_t id, const char *name)
{
    scene_edit_credential(&world->scene, id)->name = rely_slice_of(name);
}

/* The record's before a group's, then by name, in whatever order they came; and it is one identity. */
static void names_one_of_an_identitys_credentials(void **state)
{
    struct group_world *world = *state;
    scene_begin_edition(&world->scene);
    join(world, 1, GROUP, world->issuer);
    join(world, 2, OTHER_GROUP, world->issuer);
    rename_rule(world, add_rule(world, rely_scope_of_group(GROUP)), "beta");
    rename_rule(world, add_rule(world, rely_scope_of_group(OTHER_GROUP)), "alpha");
    assert_int_equal(ask(world, world->token), RELY_OK);
    assert_int_equal(world->review.matches.count, 1);
    assert_memory_equal(world->review.matches.items[0].credential->name.ptr, "alpha", 5);
    scene_begin_edition(&world->scene);
    rename_rule(world, add_rule(world, world->issuer), "zeta");
    assert_int_equal(ask(world, world->token), RELY_OK);
    assert_int_equal(world->review.matches.count, 1);
    assert_memory_equal(world->review.matches.items[0].credential->name.ptr, "zeta", 4);
    scene_begin_edition(&world->scene);
    scene_add_credential(&world->scene, rely_scope_of_group(GROUP), scene_add_identity(&world->scene, "app-two"), "app",
                         "relyd");
    assert_int_equal(ask(world, world->token), RELY_AMBIGUOUS_IDENTITY);
    assert_int_equal(world->review.matches.count, 2);
}

/* Sixteen groups, each with a rule. */
static void looks_into_every_group(void **state)
{
    struct group_world *world = *state;
    for (int i = 0; i < RELY_GROUPS_PER_ISSUER_MAX; i++)
        join(world, 100 + i, GROUP + i, world->issuer);
    add_rule(world, rely_scope_of_group(GROUP + RELY_GROUPS_PER_ISSUER_MAX));
    assert_int_equal(ask(world, world->token), RELY_NO_MATCHING_CREDENTIAL);
    for (int i = 0; i < RELY_GROUPS_PER_ISSUER_MAX; i++) {
        scene_begin_edition(&world->scene);
        int64_t rule = add_rule(world, rely_scope_of_group(GROUP + i));
        assert_int_equal(ask(world, world->token), RELY_OK);
        scene_begin_edition(&world->scene);
        assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, rule));
        assert_int_equal(ask(world, world->token), RELY_NO_MATCHING_CREDENTIAL);
    }
}

int run_issuer_group_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(matches_the_records_of_the_group, set_up_groups, tear_down_groups),
        cmocka_unit_test_setup_teardown(sees_a_membership_at_once, set_up_groups, tear_down_groups),
        cmocka_unit_test_setup_teardown(is_no_record_of_its_number, set_up_groups, tear_down_groups),
        cmocka_unit_test_setup_teardown(names_one_of_an_identitys_credentials, set_up_groups, tear_down_groups),
        cmocka_unit_test_setup_teardown(looks_into_every_group, set_up_groups, tear_down_groups),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}

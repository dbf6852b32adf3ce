/*
 * What a route takes: tokens of its issuers and of their groups, by the edition of now. And what its headers say, of a
 * token that is remembered as of one that has just come.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/expression.h"
#include "relyd/named_route.h"
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
    struct rely_cache *cache;
    int64_t issuer;
    const char *token;
};

static const char *sign_with(const char *claims)
{
    return mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d,%s}", NOW + 60, claims));
}

static int set_up_routes(void **state)
{
    struct route_world *world = rely_alloc(sizeof *world);
    struct scene *scene = &world->scene;
    scene_init(scene);
    world->issuer = scene_add_issuer(scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    scene_add_credential(scene, world->issuer, scene_add_identity(scene, "app-one"), "app", "relyd");
    world->token = sign_with("\"team\":\"a\"");
    world->cache = rely_cache_new(64);
    *state = world;
    return 0;
}

static int tear_down_routes(void **state)
{
    struct route_world *world = *state;
    rely_cache_free(world->cache);
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

/* However many the token maps to: those behind the ones for which there is room are judged as well. */
static void test_none_of_many_may_pass(void **state)
{
    struct route_world *world = *state;
    const struct rely_slice other = RELY_LIT("other"), many = RELY_LIT("many");
    for (int i = 0; i <= RELY_MATCHES_MAX; i++)
        scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "many"), "app", "relyd");
    put_route(world, (struct rely_route_record){.identities = {&other, 1}});
    assert_asked(world, RELY_IDENTITY_NOT_ALLOWED);
    put_route(world, (struct rely_route_record){.groups = {&other, 1}});
    assert_asked(world, RELY_IDENTITY_NOT_ALLOWED);
    put_route(world, (struct rely_route_record){.identities = {&many, 1}});
    assert_asked(world, RELY_AMBIGUOUS_IDENTITY);
}

/* Whatever their order in the body. */
static void test_each_list_is_searched(void **state)
{
    struct route_world *world = *state;
    static const struct rely_slice names[] = {{"d", 1}, {"b", 1}, {"a", 1}, {"e", 1}, {"c", 1}};
    const struct rely_texts list = {names, 5};
    put_route(world, (struct rely_route_record){
                         .identities = list, .groups = list, .issuers = list, .issuer_groups = list, .callers = list});
    const struct rely_named_route *route = rely_snapshot_route(world->scene.snapshot, RELY_LIT("shop"));
    const struct rely_sorted_texts *const lists[] = {&route->identities, &route->groups, &route->issuers,
                                                     &route->issuer_groups, &route->callers};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t k = 0; k < 5; k++)
            assert_true(rely_sorted_has(lists[i], names[k]));
        assert_false(rely_sorted_has(lists[i], RELY_LIT("bb")));
    }
}

/* No record says so; what does would be answered with any audience. And what is taken away is under no name. */
static void test_what_no_route_is(void **state)
{
    struct route_world *world = *state;
    struct rely_route_record record = {
        .record = {.id = ROUTE + 1}, .name = RELY_LIT(RELY_BUILT_IN_ROUTE), .caller_audiences = RELY_AUDIENCES_TRUSTED};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ROUTE, &record);
    assert_false(rely_snapshot_route(world->scene.snapshot, record.name)->trusts_callers_audiences);
    scene_begin_edition(&world->scene);
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ROUTE, ROUTE + 1));
    assert_null(rely_snapshot_route(world->scene.snapshot, record.name));
}

/* By any one of the identity's groups. */
static void test_a_group_of_the_identity(void **state)
{
    static const struct rely_slice groups[] = {{"ops", 3}, {"shop-readers", 12}};
    static const struct {
        const char *name;
        enum rely_reason expected;
    } cases[] = {{"ops", RELY_OK},
                 {"shop-readers", RELY_OK},
                 {"shop-reader", RELY_IDENTITY_NOT_ALLOWED},
                 {"app-one", RELY_IDENTITY_NOT_ALLOWED}}; /* an identity is no group of its name */
    struct route_world *world = *state;
    struct rely_identity *identity = scene_edit_identity(&world->scene, world->issuer + 1);
    identity->groups = groups;
    identity->group_count = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rely_slice name = rely_slice_of(cases[i].name);
        put_route(world, (struct rely_route_record){.groups = {&name, 1}});
        assert_asked(world, cases[i].expected);
    }
    const struct rely_slice none = RELY_LIT("none"), own = RELY_LIT("app-one");
    put_route(world, (struct rely_route_record){.groups = {&none, 1}, .identities = {&own, 1}});
    assert_asked(world, RELY_OK);
    put_route(world, (struct rely_route_record){.groups = {&none, 1}, .identities = {&none, 1}});
    assert_asked(world, RELY_IDENTITY_NOT_ALLOWED);
    assert_string_equal(ask_under_route(world)->decision.detail.text,
                        "the token maps to identity app-one, which may not pass route shop");
}

/* --- headers --------------------------------------------------------------------------------------------------------- */

static void put_claim_headers(struct route_world *world, const char *const *sources, size_t count)
{
    struct rely_text_entry entries[4];
    struct rely_slice texts[4];
    scene_begin_edition(&world->scene);
    for (size_t i = 0; i < count; i++) {
        texts[i] = rely_slice_of(sources[i]);
        entries[i] = (struct rely_text_entry){rely_slice_of(mint_print("x-%zu", i)), {&texts[i], 1}};
    }
    put_route(world, (struct rely_route_record){.response_headers = {entries, count}});
}

/* In: expected - of each header its texts with `|` behind each. */
static void assert_header_claims(struct route_world *world, bool is_hit, const char *expected)
{
    static struct rely_review review;
    struct rely_buf told = {0};
    rely_pool_reset(&world->scene.pool);
    const struct rely_review_request request = {.token = rely_slice_of(world->token),
                                                .route = RELY_LIT("shop"),
                                                .form = RELY_ANSWER_HEADERS,
                                                .is_single = true,
                                                .pool = &world->scene.pool};
    assert_int_equal(rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &review), is_hit);
    assert_int_equal(review.decision.reason, RELY_OK);
    rely_buf_put(&told, RELY_LIT(""));
    for (size_t i = 0; i < review.route->header_count; i++) {
        for (size_t k = 0; k < review.header_claims[i].count; k++)
            rely_buf_printf(&told, "%.*s|", RELY_ARG(review.header_claims[i].texts[k]));
        rely_buf_putc(&told, ';');
    }
    assert_string_equal(told.ptr, expected);
    rely_buf_fini(&told);
}

static void assert_asked_thrice(struct route_world *world, const char *expected)
{
    for (int i = 0; i < 3; i++)
        assert_header_claims(world, i == 2, expected);
}

static void test_claims_of_a_remembered_token(void **state)
{
    static const char *const sources[] = {"claim:team", "uid", "claim:/roles", "claim:sub"};
    struct route_world *world = *state;
    world->token = sign_with("\"team\":\"a\",\"roles\":[\"x\",7]");
    put_claim_headers(world, sources, 4);
    assert_int_equal(world->scene.snapshot->asked_count, 3);
    assert_asked_thrice(world, "a|;;x|7|;app|;");
    scene_begin_edition(&world->scene); /* nobody asks for more */
    assert_header_claims(world, true, "a|;;x|7|;app|;");
    /* One more: what was remembered does not say whether the token has it. */
    put_claim_headers(world, (const char *const[]){"claim:team", "claim:other"}, 2);
    assert_header_claims(world, false, "a|;;");
    assert_header_claims(world, true, "a|;;");
}

static void test_a_list_of_more_than_texts(void **state)
{
    struct route_world *world = *state;
    world->token = sign_with("\"team\":[\"a\",{\"b\":\"c\"}],\"none\":[],\"object\":{}");
    put_claim_headers(world, (const char *const[]){"claim:team", "claim:none", "claim:object", "claim:/team/0"}, 4);
    assert_asked_thrice(world, ";;;a|;");
}

static void test_what_nobody_asks_for_any_more(void **state)
{
    struct route_world *world = *state;
    put_claim_headers(world, (const char *const[]){"claim:team"}, 1);
    scene_begin_edition(&world->scene);
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ROUTE, ROUTE));
    assert_int_equal(world->scene.snapshot->asked_count, 0);
}

/* Routes of other names, each with a claim of its own. */
static void ask_for_claims(struct route_world *world, int count)
{
    for (int i = 0; i < count; i++) {
        const struct rely_slice source = rely_slice_of(mint_print("claim:c%d", i));
        const struct rely_text_entry entry = {RELY_LIT("x-c"), {&source, 1}};
        const struct rely_route_record record = {.record = {.id = ROUTE + 1 + i},
                                                 .name = rely_slice_of(mint_print("other-%d", i)),
                                                 .response_headers = {&entry, 1}};
        rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ROUTE, &record);
    }
}

static void test_more_claims_than_are_looked_for(void **state)
{
    struct route_world *world = *state;
    put_claim_headers(world, (const char *const[]){"claim:team"}, 1);
    ask_for_claims(world, 255);
    assert_int_equal(world->scene.snapshot->asked_count, 256);
    assert_asked_thrice(world, "a|;");
    scene_begin_edition(&world->scene);
    ask_for_claims(world, 256);
    for (int i = 0; i < 3; i++)
        assert_header_claims(world, false, "a|;");
}

/* A token that says few of what is asked for is remembered; one that says more than there is room for is not, and is judged
 * and answered each time. */
static void test_more_claims_than_are_remembered(void **state)
{
    struct route_world *world = *state;
    struct rely_buf claims = {0};
    put_claim_headers(world, (const char *const[]){"claim:team", "claim:sub"}, 2);
    ask_for_claims(world, 40);
    for (int said = 1; said <= 41; said++) {
        rely_buf_printf(&claims, said == 1 ? "\"team\":\"a\"" : ",\"c%d\":%d", said - 2, said);
        if (said != 6 && said < 31)
            continue;
        world->token = sign_with(claims.ptr);
        for (int i = 0; i < 3; i++)
            assert_header_claims(world, said == 6 && i == 2, "a|;app|;");
    }
    rely_buf_fini(&claims);
}

int run_route_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issuers_and_their_groups, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_one_of_sixteen_groups, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_each_list_is_searched, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_what_no_route_is, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_none_of_many_may_pass, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_a_group_of_the_identity, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_claims_of_a_remembered_token, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_a_list_of_more_than_texts, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_what_nobody_asks_for_any_more, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_more_claims_than_are_looked_for, set_up_routes, tear_down_routes),
        cmocka_unit_test_setup_teardown(test_more_claims_than_are_remembered, set_up_routes, tear_down_routes),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}

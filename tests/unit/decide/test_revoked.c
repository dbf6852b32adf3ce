/* Revocations: what each of them hits, whom it spares, and that a token which is remembered is no exception. */
#include "scene.h"

#include "../mint/mint.h"

#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"

struct revoked_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, next_id;
    const char *token, *timeless;
};

static const char *mint_bound_token(const char *more)
{
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d,\"jti\":\"j-1\"%s,"
                                 "\"kubernetes.io\":{\"namespace\":\"ns\",\"serviceaccount\":{\"uid\":\"account-uid\"},"
                                 "\"pod\":{\"uid\":\"pod-uid\"},\"secret\":{\"name\":\"s\",\"uid\":\"secret-uid\"},"
                                 "\"node\":{\"uid\":\"node-uid\"}}}",
                                 URL, NOW + 3600, more));
}

static int set_up_revoked(void **state)
{
    struct revoked_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    for (int i = 0; i < 2; i++) {
        int64_t identity = scene_add_identity(&world->scene, i == 0 ? "app-one" : "app-two");
        if (i == 0)
            scene_add_credential(&world->scene, world->issuer, identity, "app", "relyd");
    }
    world->token = mint_bound_token(",\"iat\":1799999990");
    world->timeless = mint_bound_token("");
    world->cache = rely_cache_new(64);
    world->next_id = 1000;
    *state = world;
    return 0;
}

static int tear_down_revoked(void **state)
{
    struct revoked_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

/* In an edition of its own, as a write would. Returns its row. */
static int64_t revoke(struct revoked_world *world, struct rely_revocation_record record)
{
    char name[RELY_UUID_SIZE];
    scene_begin_edition(&world->scene);
    snprintf(name, sizeof name, "rev-%lld", (long long)world->next_id);
    record.record.id = world->next_id;
    record.name = rely_slice_of(name);
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_REVOCATION, &record);
    return world->next_id++;
}

static void take_back(struct revoked_world *world, int64_t id)
{
    scene_begin_edition(&world->scene);
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_REVOCATION, id));
}

static enum rely_reason judge_with(struct revoked_world *world, struct rely_cache *cache, const char *token,
                                   int64_t now_s)
{
    static struct rely_review review;
    struct rely_review_request request = {.token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(cache, world->scene.snapshot, &request, now_s, &review);
    assert_true((review.decision.reason == RELY_REVOKED) == (review.revocation != NULL));
    return review.decision.reason;
}

/* The same for a token that is remembered and one that is not. */
static enum rely_reason judge_revoked(struct revoked_world *world, const char *token, int64_t now_s)
{
    enum rely_reason reason = judge_with(world, NULL, token, now_s);
    for (int i = 0; i < 4; i++)
        assert_int_equal(judge_with(world, world->cache, token, now_s), reason);
    return reason;
}

#define HITS_BY(member, text)                                                                                          \
    {                                                                                                                  \
        .member = { text, sizeof(text) - 1 }                                                                           \
    }

static const struct rely_revocation_record hitting[] = {
    HITS_BY(jti, "j-1"),
    HITS_BY(subject, "app"),
    HITS_BY(account_uid, "account-uid"),
    HITS_BY(pod_uid, "pod-uid"),
    HITS_BY(secret_uid, "secret-uid"),
    HITS_BY(node_uid, "node-uid"),
    HITS_BY(kid, "a"), /* the token names none */
    HITS_BY(identity, "app-one"),
    HITS_BY(issuer_name, "one"),
};
static const struct rely_revocation_record missing[] = {
    HITS_BY(jti, "j-2"),
    HITS_BY(jti, "app"),
    HITS_BY(subject, "App"),
    HITS_BY(subject, "ap"),
    HITS_BY(account_uid, "pod-uid"),
    HITS_BY(pod_uid, "node-uid"),
    HITS_BY(secret_uid, "s"),
    HITS_BY(node_uid, "j-1"),
    HITS_BY(kid, "b"),
    HITS_BY(identity, "app-two"),
    HITS_BY(issuer_name, "two"),
    HITS_BY(identity, "one"),
};

static void hits_by_each_of_its_members(void **state)
{
    struct revoked_world *world = *state;
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    for (size_t i = 0; i < sizeof hitting / sizeof hitting[0]; i++) {
        int64_t id = revoke(world, hitting[i]);
        assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
        take_back(world, id);
        assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    }
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        revoke(world, missing[i]); /* and all stay */
        assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    }
    revoke(world, hitting[0]);
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
}

/* Each of its members with the record of another issuer, and of this one. */
static void spares_tokens_of_other_issuers(void **state)
{
    struct revoked_world *world = *state;
    for (size_t i = 0; i < sizeof hitting / sizeof hitting[0] - 1; i++) {
        struct rely_revocation_record record = hitting[i];
        record.issuer_name = RELY_LIT("two");
        int64_t id = revoke(world, record);
        assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
        record.issuer_name = RELY_LIT("one");
        int64_t own = revoke(world, record);
        assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
        take_back(world, own);
        take_back(world, id);
    }
}

static void spares_tokens_that_were_issued_later(void **state)
{
    struct revoked_world *world = *state;
    static const struct {
        int64_t before;
        enum rely_reason with_time, without;
    } rows[] = {{1799999989, RELY_OK, RELY_REVOKED},
                {1799999990, RELY_OK, RELY_REVOKED},
                {1799999991, RELY_REVOKED, RELY_REVOKED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof hitting / sizeof hitting[0]; k++) {
            struct rely_revocation_record record = hitting[k];
            record.issued_before = rows[i].before;
            int64_t id = revoke(world, record);
            assert_int_equal(judge_revoked(world, world->token, NOW), rows[i].with_time);
            assert_int_equal(judge_revoked(world, world->timeless, NOW), rows[i].without);
            take_back(world, id);
        }
}

/* Over from that second on, whoever sweeps. */
static void ends_when_it_says(void **state)
{
    struct revoked_world *world = *state;
    for (size_t i = 0; i < sizeof hitting / sizeof hitting[0]; i++) {
        struct rely_revocation_record record = hitting[i];
        record.until_at = NOW + 10;
        int64_t id = revoke(world, record);
        assert_int_equal(judge_revoked(world, world->token, NOW + 9), RELY_REVOKED);
        assert_int_equal(judge_revoked(world, world->token, NOW + 10), RELY_OK);
        assert_int_equal(judge_revoked(world, world->token, NOW + 9), RELY_REVOKED); /* the clock was set back */
        take_back(world, id);
    }
}

/* Whatever else is asked about the token behind one that is over. */
static void may_begin_again_where_the_clock_is_set_back(void **state)
{
    struct revoked_world *world = *state;
    for (size_t i = 1; i < sizeof hitting / sizeof hitting[0]; i++) {
        struct rely_revocation_record over = hitting[0], other = hitting[i];
        over.until_at = NOW + 10;
        other.issued_before = 1;
        int64_t ids[] = {revoke(world, over), revoke(world, other)};
        assert_int_equal(judge_revoked(world, world->token, NOW + 10), RELY_OK);
        assert_int_equal(judge_revoked(world, world->token, NOW + 9), RELY_REVOKED);
        take_back(world, ids[0]);
        take_back(world, ids[1]);
    }
}

/* One that is over, or for others, hides no other of the same value. */
static void looks_at_all_that_are_alike(void **state)
{
    struct revoked_world *world = *state;
    struct rely_revocation_record over = hitting[1], elsewhere = hitting[1], later = hitting[1];
    over.until_at = NOW;
    elsewhere.issuer_name = RELY_LIT("two");
    later.issued_before = 1799999990;
    revoke(world, over);
    revoke(world, elsewhere);
    revoke(world, later);
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    int64_t id = revoke(world, hitting[1]);
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
    take_back(world, id);
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
}

/* An identity that is revoked takes itself out, and no other with it. */
static void another_identity_is_left(void **state)
{
    struct revoked_world *world = *state;
    const struct rely_identity *two = rely_snapshot_identity_by_name(world->scene.snapshot, RELY_LIT("app-two"));
    scene_add_credential(&world->scene, world->issuer, two->id, "app", "relyd");
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_AMBIGUOUS_IDENTITY);
    revoke(world, (struct rely_revocation_record)HITS_BY(identity, "app-one"));
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->decision.reason, RELY_OK);
    assert_int_equal(review->matches.count, 1);
    assert_true(rely_slice_equal(review->matches.items[0].identity->name, RELY_LIT("app-two")));
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    revoke(world, (struct rely_revocation_record)HITS_BY(identity, "app-two"));
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
}

/* Those that are revoked take no room from others, however many they are. */
static void revoked_identities_hide_no_other(void **state)
{
    struct revoked_world *world = *state;
    char names[RELY_MATCHES_MAX + 1][24];
    for (int i = 0; i <= RELY_MATCHES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "many-%d", i);
        scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, names[i]), "app", "relyd");
    }
    revoke(world, (struct rely_revocation_record)HITS_BY(identity, "app-one"));
    for (int i = 0; i < RELY_MATCHES_MAX; i++)
        revoke(world, (struct rely_revocation_record){.identity = rely_slice_of(names[i])});
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_OK);
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_int_equal(review->matches.count, 1);
    assert_false(review->matches.is_truncated);
    assert_string_equal(review->decision.detail.text, "");
    assert_true(rely_slice_equal(review->matches.items[0].identity->name, rely_slice_of(names[RELY_MATCHES_MAX])));
    revoke(world, (struct rely_revocation_record){.identity = rely_slice_of(names[RELY_MATCHES_MAX])});
    assert_int_equal(judge_revoked(world, world->token, NOW), RELY_REVOKED);
}

/* A revoked token is remembered like any other: who goes on sending it causes no more signatures to be verified. */
static void a_revoked_token_is_remembered(void **state)
{
    struct revoked_world *world = *state;
    int64_t id = revoke(world, hitting[0]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(judge_with(world, world->cache, world->token, NOW), RELY_REVOKED);
    assert_int_equal(rely_cache_count(world->cache).hits, 3);
    take_back(world, id);
    assert_int_equal(judge_with(world, world->cache, world->token, NOW), RELY_OK);
    assert_int_equal(rely_cache_count(world->cache).hits, 4);
}

/* What an administrator's `reason` says is not for callers. */
static void says_which_and_not_why(void **state)
{
    struct revoked_world *world = *state;
    struct rely_detail told;
    struct rely_revocation_record record = hitting[8];
    record.reason = RELY_LIT("INC-1234");
    revoke(world, record);
    const struct rely_review *review = scene_review(&world->scene, world->token, NOW);
    assert_string_equal(review->decision.detail.text, "revocation rev-1000 hits its issuer");
    rely_review_tell(review, &told);
    assert_string_equal(told.text, "revocation rev-1000 hits its issuer");
    assert_int_equal(review->last_step, RELY_STEP_REVOCATIONS);
}

/* Who shows a certificate has no `iat`, and is of no issuer. */
static void hits_identities_without_tokens(void **state)
{
    struct revoked_world *world = *state;
    static const struct {
        struct rely_revocation_record record;
        bool hits;
    } rows[] = {
        {HITS_BY(identity, "app-one"), true},
        {HITS_BY(identity, "app-two"), false},
        {{.identity = {"app-one", 7}, .issued_before = 1}, true},
        {{.identity = {"app-one", 7}, .issuer_name = {"one", 3}}, false},
        {{.identity = {"app-one", 7}, .until_at = NOW}, false},
        {{.identity = {"app-one", 7}, .until_at = NOW + 1}, true},
        {HITS_BY(subject, "app-one"), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t id = revoke(world, rows[i].record);
        assert_int_equal(rely_identity_is_revoked(world->scene.snapshot, RELY_LIT("app-one"), NOW), rows[i].hits);
        take_back(world, id);
    }
}

#define REVOKED_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_revoked, tear_down_revoked)

int run_revoked_tests(void)
{
    const struct CMUnitTest tests[] = {
        REVOKED_TEST(hits_by_each_of_its_members),
        REVOKED_TEST(spares_tokens_of_other_issuers),
        REVOKED_TEST(spares_tokens_that_were_issued_later),
        REVOKED_TEST(ends_when_it_says),
        REVOKED_TEST(looks_at_all_that_are_alike),
        REVOKED_TEST(another_identity_is_left),
        REVOKED_TEST(a_revoked_token_is_remembered),
        REVOKED_TEST(says_which_and_not_why),
        REVOKED_TEST(hits_identities_without_tokens),
        REVOKED_TEST(revoked_identities_hide_no_other),
        REVOKED_TEST(may_begin_again_where_the_clock_is_set_back),
    };
    return cmocka_run_group_tests_name("revocations", tests, NULL, NULL);
}

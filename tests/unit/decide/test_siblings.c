/* Records that share an `iss`: who may have signed is found by index, what is tried is bounded, and neither neighbours
 * nor the order of registration decide. */
#include "scene.h"

#include "../mint/mint.h"

#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://kubernetes.default.svc.cluster.local"
#define PAYLOAD                                                                                                        \
    "{\"iss\":\"https://"                                                                                              \
    "kubernetes.default.svc.cluster.local\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":1800003600}"

static int set_up_scene(void **state)
{
    struct scene *scene = rely_alloc(sizeof *scene);
    scene_init(scene);
    *state = scene;
    return 0;
}

static int tear_down_scene(void **state)
{
    scene_free(*state);
    free(*state);
    mint_reset();
    return 0;
}

static const char *one_key(const char *key, const char *kid, const char *alg)
{
    return mint_jwks(mint_jwk(mint_key(key), kid, alg), NULL);
}

/* Several keys under one kid: "KIND#PREFIX-0" and so on. */
static const char *many_keys(const char *kind, const char *prefix, int count, const char *kid)
{
    const char *list = "";
    for (int i = 0; i < count; i++)
        list = mint_print("%s%s%s", list, i == 0 ? "" : ",",
                          mint_jwk(mint_key(mint_print("%s#%s-%d", kind, prefix, i)), kid, NULL));
    return mint_print("{\"keys\":[%s]}", list);
}

static const char *sign(const char *key, const char *alg, const char *kid)
{
    const char *header =
        kid == NULL ? mint_print("{\"alg\":\"%s\"}", alg) : mint_print("{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
    return mint_token(mint_key(key), alg, header, PAYLOAD);
}

/* A record whose tokens of subject "app" are allowed. */
static int64_t add_victim(struct scene *scene, const char *jwks)
{
    int64_t issuer = scene_add_issuer(scene, "victim", URL, jwks);
    scene_add_credential(scene, issuer, scene_add_identity(scene, "victims-app"), "app", "relyd");
    return issuer;
}

static void check_allowed(struct scene *scene, const char *token, const char *issuer, size_t tries)
{
    const struct rely_review *review = scene_review(scene, token, NOW);
    assert_string_equal(rely_reason_word(review->decision.reason), "ok");
    assert_true(rely_slice_equal(review->issuer->name, rely_slice_of(issuer)));
    assert_int_equal(review->tries, tries);
}

static void check_refused(struct scene *scene, const char *token, enum rely_reason reason, size_t tries)
{
    const struct rely_review *review = scene_review(scene, token, NOW);
    assert_string_equal(rely_reason_word(review->decision.reason), rely_reason_word(reason));
    assert_int_equal(review->tries, tries);
}

/* --- fault A6 ---------------------------------------------------------------------------------------------- */

/* A neighbour with eight keys under the victim's kid, before and behind it. */
static void test_a6_eight_keys_under_the_victims_kid_lock_nobody_out(void **state)
{
    struct scene *scene = *state;
    scene_add_issuer(scene, "before", URL, many_keys("p256", "before", 8, "a"));
    add_victim(scene, one_key("p256", "a", "ES256"));
    scene_add_issuer(scene, "behind", URL, many_keys("p256", "behind", 8, "a"));
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 17);
    check_refused(scene, sign("p256#other", "ES256", "a"), RELY_BAD_SIGNATURE, 17);
}

/* More neighbours with eight keys than can be tried: the victim's one key is tried first. */
static void test_a6_neighbours_with_too_many_keys_leave_out_only_themselves(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 6; i++)
        scene_add_issuer(scene, "neighbour", URL, many_keys("p256", mint_print("n%d", i), 8, "a"));
    add_victim(scene, one_key("p256", "a", "ES256"));
    scene_add_issuer(scene, "crowded", URL, many_keys("p256", "crowd", 9, "a"));
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 1);
    check_refused(scene, sign("p256#n0-0", "ES256", "a"), RELY_AMBIGUOUS_ISSUER, 1);
    check_refused(scene, sign("p256#crowd-0", "ES256", "a"), RELY_AMBIGUOUS_ISSUER, 1);
}

/* Keys that are costly to try (fault B13): P-384 takes fifteen times what P-256 does. */
static void test_a6_costly_keys_lock_nobody_out(void **state)
{
    struct scene *scene = *state;
    scene_add_issuer(scene, "before", URL, many_keys("p384", "before", 8, "a"));
    add_victim(scene, one_key("p384", "a", "ES384"));
    check_allowed(scene, sign("p384", "ES384", "a"), "victim", 1);
}

/* Records of equal cost are tried all or not at all, so that no order decides. */
static void test_a6_equal_records_beyond_the_limit_are_all_left_out(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p384", "a", "ES384"));
    scene_add_issuer(scene, "two", URL, one_key("p384#two", "a", "ES384"));
    check_allowed(scene, sign("p384", "ES384", "a"), "victim", 2);
    scene_add_issuer(scene, "three", URL, one_key("p384#three", "a", "ES384"));
    check_refused(scene, sign("p384", "ES384", "a"), RELY_AMBIGUOUS_ISSUER, 0);
}

/* One ambiguous case was allowed because the tries ended first: with eight keys between the two records of one key. */
static void test_a6_a_second_record_that_verifies_is_found_however_late(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", "a", "ES256"));
    scene_add_issuer(scene, "between", URL, many_keys("p256", "between", 7, "a"));
    scene_add_issuer(scene, "twin", URL, one_key("p256", "a", "ES256"));
    const struct rely_review *review = scene_review(scene, sign("p256", "ES256", "a"), NOW);
    assert_int_equal(review->decision.reason, RELY_AMBIGUOUS_ISSUER);
    assert_null(review->issuer);
    assert_null(review->key);
}

/* --- fault A7 ------------------------------------------------------------------------------------------------ */

static void test_a7_siblings_without_keys_or_disabled_cost_nothing(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 100; i++)
        scene_add_issuer(scene, "keyless", URL, NULL);
    for (int i = 0; i < 40; i++)
        scene_change_issuer(scene, scene_add_issuer(scene, "off", URL, many_keys("p256", "off", 8, "a")), is_enabled,
                            false);
    add_victim(scene, one_key("p256", "a", "ES256"));
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 1);
    check_allowed(scene, sign("p256", "ES256", NULL), "victim", 1);
}

static void test_a7_each_reason_among_siblings_has_its_word(void **state)
{
    struct scene *scene = *state;
    int64_t victim = add_victim(scene, one_key("p256", "a", "ES256"));
    scene_add_issuer(scene, "keyless", URL, NULL);
    check_refused(scene, sign("p256#c", "ES256", "c"), RELY_KEY_UNKNOWN, 0);
    assert_true(rely_review_wants_keys(scene_review(scene, sign("p256#c", "ES256", "c"), NOW)));
    check_refused(scene, sign("p256", "HS256", "a"), RELY_ALGORITHM_NOT_ALLOWED, 0);
    check_refused(scene, sign("p256", "HS256", NULL), RELY_ALGORITHM_NOT_ALLOWED, 0);
    check_refused(scene, sign("rsa2048", "RS256", "a"), RELY_ALGORITHM_NOT_ALLOWED, 0);
    check_refused(scene, sign("rsa2048", "RS256", NULL), RELY_KEY_UNKNOWN, 0);
    const char *unavailable = mint_token_around("{\"alg\":\"ML-DSA-44\",\"kid\":\"c\"}", PAYLOAD, mint_repeat(0, 2420));
    check_refused(scene, unavailable, RELY_ALGORITHM_UNAVAILABLE, 0);
    scene_change_issuer(scene, victim, is_enabled, false);
    check_refused(scene, sign("p256", "ES256", "a"), RELY_ISSUER_DISABLED, 0);
    check_refused(scene, sign("p256", "ES256", NULL), RELY_KEYS_UNAVAILABLE, 0);
    check_refused(scene, sign("p256#c", "ES256", "c"), RELY_KEYS_UNAVAILABLE, 0);
    const struct rely_review *review = scene_review(scene, sign("p256#c", "ES256", "c"), NOW);
    assert_int_equal(review->candidate_count, 1); /* who is disabled is not asked for keys */
    assert_true(rely_slice_equal(review->candidates[0].issuer->name, RELY_LIT("keyless")));
    scene_change_issuer(scene, review->candidates[0].issuer->id, is_enabled, false);
    check_refused(scene, sign("p256#c", "ES256", "c"), RELY_ISSUER_DISABLED, 0);
    check_refused(scene, sign("p256", "ES256", NULL), RELY_ISSUER_DISABLED, 0);
}

/* Whether a key has come that a token waits for: one of its kid, not any that would fit. */
static void test_b7_a_key_of_another_kid_is_no_candidate(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", "a", "ES256"));
    struct rely_unverified token = {.issuer = RELY_LIT(URL), .kid = RELY_LIT("b"), .alg = RELY_ALG_ES256};
    assert_false(rely_review_has_candidate(scene->snapshot, &token));
    token.kid = RELY_LIT("a");
    assert_true(rely_review_has_candidate(scene->snapshot, &token));
    token.kid = (struct rely_slice){NULL, 0};
    assert_true(rely_review_has_candidate(scene->snapshot, &token));
    token.alg = RELY_ALG_RS256;
    assert_false(rely_review_has_candidate(scene->snapshot, &token));
}

/* --- fault B8 --------------------------------------------------------------------------------------------------- */

/* As many as anybody has: one candidate, one try, whatever stands before and behind. The time is bench_steps'. */
static void test_b8_three_thousand_siblings_cost_what_none_do(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3000; i++) {
        if (i == 1500)
            add_victim(scene, one_key("p256", "a", "ES256"));
        scene_add_issuer(scene, "sibling", URL,
                         i % 10 == 0 ? one_key(mint_print("p256#%d", i), mint_print("k%d", i), "ES256") : NULL);
    }
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 1);
    const struct rely_review *review = scene_review(scene, sign("p256#0", "ES256", "unknown"), NOW);
    assert_int_equal(review->decision.reason, RELY_KEY_UNKNOWN);
    assert_int_equal(review->candidate_count, RELY_FETCHES_PER_MISS_MAX);
}

/* How many siblings are asked when so many tokens, in one second, name keys that nobody has. */
static size_t count_asked(struct scene *scene, uint64_t first_turn, uint64_t turns, const char *kid)
{
    bool is_asked[3001] = {false};
    size_t asked = 0;
    const char *token = sign("p256", "ES256", kid);
    for (uint64_t turn = first_turn; turn < first_turn + turns; turn++) {
        const struct rely_review_request request = {.token = rely_slice_of(token), .turn = turn};
        const struct rely_review *review = scene_review_request(scene, &request, NOW);
        assert_int_equal(review->decision.reason, RELY_KEYS_UNAVAILABLE);
        assert_int_equal(review->candidate_count, RELY_FETCHES_PER_MISS_MAX);
        for (size_t i = 0; i < review->candidate_count; i++) {
            int64_t id = review->candidates[i].issuer->id;
            asked += is_asked[id] ? 0 : 1;
            is_asked[id] = true;
        }
    }
    return asked;
}

/* Which of many are asked changes with each token, so that a rotated key is found wherever it is; fault C19: the same
 * eight for a second let 3,000 wait for six minutes. */
static void test_c19_all_siblings_get_their_turn_to_be_asked(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 40; i++)
        scene_add_issuer(scene, "sibling", URL, NULL);
    assert_int_equal(count_asked(scene, 0, 5, "new"), 40);
    assert_int_equal(count_asked(scene, 1003, 5, "new"), 40);
    for (int i = 40; i < 3000; i++)
        scene_add_issuer(scene, "sibling", URL, NULL);
    assert_int_equal(count_asked(scene, 0, 1, "new"), 8);
    assert_int_equal(count_asked(scene, 77, 375, "new"), 3000);
    assert_int_equal(count_asked(scene, UINT64_MAX - 400, 375, NULL), 3000);
}

/* --- fault B9 -------------------------------------------------------------------------------------------------- */

struct warm {
    struct scene *scene;
    struct rely_cache *cache;
    const char *token;
};

static enum rely_reason judge_warm(struct warm *warm)
{
    struct rely_review_request request = {
        .token = rely_slice_of(warm->token), .is_single = true, .pool = &warm->scene->pool};
    struct rely_review review;
    rely_pool_reset(&warm->scene->pool);
    rely_cache_review(warm->cache, warm->scene->snapshot, &request, NOW, &review);
    return review.decision.reason;
}

static struct warm warm_up(struct scene *scene, const char *token)
{
    struct warm warm = {scene, rely_cache_new(64), token};
    for (int i = 0; i < 2; i++)
        assert_int_equal(judge_warm(&warm), RELY_OK);
    assert_int_equal(rely_cache_count(warm.cache).hits, 0);
    return warm;
}

/* Judged once more: from the cache or not. */
static void check_next(struct warm *warm, enum rely_reason reason, bool is_hit)
{
    uint64_t hits = rely_cache_count(warm->cache).hits;
    assert_string_equal(rely_reason_word(judge_warm(warm)), rely_reason_word(reason));
    assert_int_equal(rely_cache_count(warm->cache).hits - hits, is_hit ? 1 : 0);
}

static void test_b9_a_thousand_unrelated_issuers_cost_no_cached_token(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", "a", "ES256"));
    struct warm warm = warm_up(scene, sign("p256", "ES256", "a"));
    for (int i = 0; i < 1000; i++) {
        scene_begin_edition(scene);
        int64_t id = scene_add_issuer(scene, "other", mint_print("https://issuer-%d.example", i),
                                      i % 100 == 0 ? one_key("p256", "a", "ES256") : NULL);
        check_next(&warm, RELY_OK, true);
        scene_begin_edition(scene);
        if (i % 2 == 0)
            rely_snapshot_remove(scene->snapshot, RELY_OBJECT_ISSUER, id);
        else
            scene_change_issuer(scene, id, leeway_s, 5);
        check_next(&warm, RELY_OK, true);
    }
    rely_cache_free(warm.cache);
}

static void test_b9_a_siblings_own_changes_cost_no_cached_token(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", "a", "ES256"));
    struct warm warm = warm_up(scene, sign("p256", "ES256", "a"));
    scene_begin_edition(scene);
    int64_t sibling = scene_add_issuer(scene, "sibling", URL, NULL);
    check_next(&warm, RELY_OK, true);
    scene_begin_edition(scene);
    scene_change_issuer(scene, sibling, keyset, scene_add_keyset(scene, one_key("p256#b", "b", "ES256")));
    check_next(&warm, RELY_OK, true);
    scene_begin_edition(scene);
    rely_snapshot_remove(scene->snapshot, RELY_OBJECT_ISSUER, sibling);
    check_next(&warm, RELY_OK, true);
    rely_cache_free(warm.cache);
}

/* A sibling that takes up the token's kid does concern it: it is verified once more, among both. */
static void test_b9_a_sibling_with_the_tokens_kid_does_concern_it(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", "a", "ES256"));
    struct warm warm = warm_up(scene, sign("p256", "ES256", "a"));
    scene_begin_edition(scene);
    int64_t sibling = scene_add_issuer(scene, "sibling", URL, one_key("p256#b", "a", "ES256"));
    check_next(&warm, RELY_OK, false);
    check_next(&warm, RELY_OK, true);
    scene_begin_edition(scene); /* the same kid, another key */
    scene_change_issuer(scene, sibling, keyset, scene_add_keyset(scene, one_key("p256#c", "a", "ES256")));
    check_next(&warm, RELY_OK, false);
    scene_begin_edition(scene);
    scene_add_issuer(scene, "twin", URL, one_key("p256", "a", "ES256"));
    check_next(&warm, RELY_AMBIGUOUS_ISSUER, false);
    rely_cache_free(warm.cache);
}

/* A token without kid is judged among all that have a key for its alg. */
static void test_b9_a_token_without_kid_is_concerned_by_keys_of_its_alg(void **state)
{
    struct scene *scene = *state;
    add_victim(scene, one_key("p256", NULL, NULL));
    struct warm warm = warm_up(scene, sign("p256", "ES256", NULL));
    scene_begin_edition(scene);
    scene_add_issuer(scene, "rsa", URL, one_key("rsa2048", "b", NULL));
    check_next(&warm, RELY_OK, true);
    scene_begin_edition(scene);
    scene_add_issuer(scene, "twin", URL, one_key("p256", "b", NULL));
    check_next(&warm, RELY_AMBIGUOUS_ISSUER, false);
    rely_cache_free(warm.cache);
}

/* --- fault B13 ------------------------------------------------------------------------------------------------- */

static void test_b13_tries_are_counted_by_their_cost(void **state)
{
    struct scene *scene = *state;
    int64_t victim = add_victim(scene, many_keys("p256", "k", 8, NULL));
    check_refused(scene, sign("p256#other", "ES256", NULL), RELY_BAD_SIGNATURE, 8);
    check_allowed(scene, sign("p256#k-7", "ES256", NULL), "victim", 8);
    scene_change_issuer(scene, victim, keyset, scene_add_keyset(scene, many_keys("p384", "k", 2, NULL)));
    check_refused(scene, sign("p384#other", "ES384", NULL), RELY_BAD_SIGNATURE, 2);
    scene_change_issuer(scene, victim, keyset, scene_add_keyset(scene, many_keys("p384", "k", 3, NULL)));
    check_refused(scene, sign("p384#k-0", "ES384", NULL), RELY_KEY_UNKNOWN, 0);
}

/* fault D: a fetch would bring the same keys again. */
static void test_d_too_many_candidate_keys_cause_no_fetch(void **state)
{
    struct scene *scene = *state;
    int64_t victim = add_victim(scene, many_keys("p256", "k", 9, NULL));
    check_refused(scene, sign("p256#k-0", "ES256", NULL), RELY_KEY_UNKNOWN, 0);
    assert_false(rely_review_wants_keys(scene_review(scene, sign("p256#k-0", "ES256", NULL), NOW)));
    scene_change_issuer(scene, victim, keyset, scene_add_keyset(scene, many_keys("p384", "k", 3, "a")));
    check_refused(scene, sign("p384#k-0", "ES384", "a"), RELY_KEY_UNKNOWN, 0);
    assert_false(rely_review_wants_keys(scene_review(scene, sign("p384#k-0", "ES384", "a"), NOW)));
    check_refused(scene, sign("p384#k-0", "ES384", "b"), RELY_KEY_UNKNOWN, 0);
    assert_true(rely_review_wants_keys(scene_review(scene, sign("p384#k-0", "ES384", "b"), NOW)));
}

static enum rely_reason judge_in_budget(struct scene *scene, struct rely_try_budget *budget, const char *token,
                                        int64_t now_s)
{
    struct rely_review_request request = {.token = rely_slice_of(token), .budget = budget};
    return scene_review_request(scene, &request, now_s)->decision.reason;
}

static void test_b13_failures_without_kid_are_bounded_in_a_second(void **state)
{
    struct scene *scene = *state;
    struct rely_try_budget budget = {.limit = 10};
    add_victim(scene, many_keys("p256", "k", 3, "a"));
    const char *forged = sign("p256#other", "ES256", NULL), *good = sign("p256#k-2", "ES256", NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(judge_in_budget(scene, &budget, good, NOW), RELY_OK); /* what verifies costs nothing */
    for (int i = 0; i < 4; i++)
        assert_int_equal(judge_in_budget(scene, &budget, forged, NOW), RELY_BAD_SIGNATURE); /* three tries each */
    assert_int_equal(judge_in_budget(scene, &budget, forged, NOW), RELY_OVERLOADED);
    assert_int_equal(judge_in_budget(scene, &budget, good, NOW), RELY_OVERLOADED);
    assert_int_equal(rely_reason_status(RELY_OVERLOADED), 503);
    assert_int_equal(judge_in_budget(scene, &budget, sign("p256#k-2", "ES256", "a"), NOW), RELY_OK);
    /* one of three keys of this kid is in use, and the two others are not tried */
    assert_int_equal(judge_in_budget(scene, &budget, sign("p256#other", "ES256", "a"), NOW), RELY_OVERLOADED);
    assert_int_equal(judge_in_budget(scene, &budget, good, NOW + 1), RELY_OK);
}

static void test_b13_one_records_failures_are_not_anothers(void **state)
{
    struct scene *scene = *state;
    struct rely_try_budget budget = {.limit = 1};
    const char *forged = sign("p256#other", "ES256", NULL);
    scene_add_issuer(scene, "elsewhere", "https://elsewhere.example", one_key("p256#b", "b", NULL));
    int64_t victim = add_victim(scene, one_key("p256", "a", NULL));
    assert_int_equal(judge_in_budget(scene, &budget, forged, NOW), RELY_BAD_SIGNATURE);
    assert_int_equal(judge_in_budget(scene, &budget, forged, NOW), RELY_OVERLOADED);
    const char *other = mint_token(mint_key("p256#b"), "ES256", "{\"alg\":\"ES256\"}",
                                   "{\"iss\":\"https://elsewhere.example\",\"sub\":\"app\",\"aud\":\"relyd\","
                                   "\"exp\":1800003600}");
    assert_int_equal(judge_in_budget(scene, &budget, other, NOW), RELY_NO_MATCHING_CREDENTIAL);
    rely_snapshot_remove(scene->snapshot, RELY_OBJECT_ISSUER, victim);
    assert_int_equal(judge_in_budget(scene, &budget, forged, NOW), RELY_UNKNOWN_ISSUER);
}

/* --- the index: entries share a hash by accident, so that the record's own words count ---------------------------- */

/* The kinds of entries; by alg: 16 plus its number. */
enum { BY_KID = 1, BY_SPARE_KID = 2, BY_MATERIAL = 3, BY_ALG = 16 };

/* As if this record's words had the hash of the text's. */
static void enter_stray(struct scene *scene, unsigned kind, struct rely_slice text, int64_t id)
{
    struct rely_edit edit = {scene->snapshot->edition, &scene->snapshot->retired};
    uint64_t hash = rely_hash(text, rely_hash(RELY_LIT(URL), 0) + kind);
    rely_map_put(&scene->snapshot->issuers_by_key, &edit, hash, rely_snapshot_issuer(scene->snapshot, id));
}

/* The only record of the URL that a look-up finds; 0: none. */
static int64_t find_one(const struct scene *scene, unsigned kind, struct rely_slice text)
{
    size_t cursor = 0, count = 0;
    int64_t id = 0;
    const struct rely_issuer *issuer;
    do {
        issuer =
            kind == BY_KID         ? rely_snapshot_issuer_by_kid(scene->snapshot, RELY_LIT(URL), text, &cursor)
            : kind == BY_SPARE_KID ? rely_snapshot_issuer_by_spare_kid(scene->snapshot, RELY_LIT(URL), text, &cursor)
            : kind == BY_MATERIAL
                ? rely_snapshot_issuer_by_material(scene->snapshot, RELY_LIT(URL), (const uint8_t *)text.ptr, &cursor)
                : rely_snapshot_issuer_by_alg(scene->snapshot, RELY_LIT(URL), kind - BY_ALG, &cursor);
        id = issuer == NULL ? id : issuer->id;
        count += issuer == NULL ? 0 : 1;
    } while (issuer != NULL);
    assert_in_range(count, 0, 1);
    return id;
}

static struct rely_slice material_of(const struct scene *scene, int64_t id)
{
    const struct rely_keyset *keyset = rely_snapshot_issuer(scene->snapshot, id)->keyset;
    return rely_slice((const char *)rely_key_material(rely_keyset_at(keyset, 0)), RELY_MATERIAL_BYTES);
}

static void the_index_tells_live_kids_from_spare_ones(void **state)
{
    struct scene *scene = *state;
    int64_t live = add_victim(scene, one_key("p256", "a", "ES256"));
    int64_t off = scene_add_issuer(scene, "off", URL, one_key("p256#off", "a", "ES256"));
    int64_t weak = scene_add_issuer(scene, "weak", URL, one_key("rsa1024", "b", NULL));
    scene_change_issuer(scene, off, is_enabled, false);
    assert_int_equal(find_one(scene, BY_KID, RELY_LIT("a")), live);
    assert_int_equal(find_one(scene, BY_SPARE_KID, RELY_LIT("a")), off);
    assert_int_equal(find_one(scene, BY_KID, RELY_LIT("b")), 0);
    assert_int_equal(find_one(scene, BY_SPARE_KID, RELY_LIT("b")), weak);
    enter_stray(scene, BY_KID, RELY_LIT("a"), off);
    enter_stray(scene, BY_SPARE_KID, RELY_LIT("a"), live);
    enter_stray(scene, BY_KID, RELY_LIT("b"), weak);
    assert_int_equal(find_one(scene, BY_KID, RELY_LIT("a")), live);
    assert_int_equal(find_one(scene, BY_SPARE_KID, RELY_LIT("a")), off);
    assert_int_equal(find_one(scene, BY_KID, RELY_LIT("b")), 0);
}

static void the_index_compares_url_kid_alg_and_key(void **state)
{
    struct scene *scene = *state;
    int64_t victim = add_victim(scene, one_key("p256", "a", "ES256"));
    int64_t other_kid = scene_add_issuer(scene, "kid", URL, one_key("rsa2048", "b", "RS256"));
    int64_t no_kid = scene_add_issuer(scene, "no kid", URL, one_key("rsa3072", NULL, "RS384"));
    int64_t elsewhere = scene_add_issuer(scene, "url", "https://elsewhere.example", one_key("p256", "a", "ES256"));
    int64_t off_elsewhere = scene_add_issuer(scene, "off", "https://elsewhere.example", one_key("p256", "a", "ES256"));
    const int64_t strays[] = {other_kid, no_kid, elsewhere, off_elsewhere};
    scene_change_issuer(scene, off_elsewhere, is_enabled, false);
    struct rely_slice key = material_of(scene, victim);
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++) {
        enter_stray(scene, BY_KID, RELY_LIT("a"), strays[i]);
        enter_stray(scene, BY_SPARE_KID, RELY_LIT("a"), strays[i]);
        enter_stray(scene, BY_ALG + RELY_ALG_ES256, RELY_LIT(""), strays[i]);
        enter_stray(scene, BY_MATERIAL, key, strays[i]);
    }
    assert_int_equal(find_one(scene, BY_KID, RELY_LIT("a")), victim);
    assert_int_equal(find_one(scene, BY_SPARE_KID, RELY_LIT("a")), 0);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_ES256, RELY_LIT("")), victim);
    assert_int_equal(find_one(scene, BY_MATERIAL, key), victim);
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 1);
    check_allowed(scene, sign("p256", "ES256", NULL), "victim", 1);
}

/* What the record does not allow is no candidate, though the key could. */
static void the_index_knows_the_algorithms_that_a_record_allows(void **state)
{
    struct scene *scene = *state;
    int64_t victim = add_victim(scene, one_key("rsa2048", "a", NULL));
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_RS256, RELY_LIT("")), victim);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_PS512, RELY_LIT("")), victim);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_ES256, RELY_LIT("")), 0);
    scene_change_issuer(scene, victim, algs, 1u << RELY_ALG_PS512 | 1u << RELY_ALG_ES256);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_RS256, RELY_LIT("")), 0);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_PS512, RELY_LIT("")), victim);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_ES256, RELY_LIT("")), 0);
    enter_stray(scene, BY_ALG + RELY_ALG_RS256, RELY_LIT(""), victim);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_RS256, RELY_LIT("")), 0);
    scene_change_issuer(scene, victim, is_enabled, false);
    enter_stray(scene, BY_ALG + RELY_ALG_PS512, RELY_LIT(""), victim);
    assert_int_equal(find_one(scene, BY_ALG + RELY_ALG_PS512, RELY_LIT("")), 0);
}

/* Every key of a set has its entry, also one without kid and one of a disabled record; one that was skipped has none.
 */
static void the_index_has_every_usable_key(void **state)
{
    struct scene *scene = *state;
    int64_t one = scene_add_issuer(scene, "one", URL, many_keys("p256", "k", 3, NULL));
    int64_t weak = scene_add_issuer(scene, "weak", URL, one_key("rsa1024", "b", NULL));
    const struct rely_keyset *keyset = rely_snapshot_issuer(scene->snapshot, one)->keyset;
    const struct rely_key_marks *marks =
        (const struct rely_key_marks *)rely_snapshot_issuer(scene->snapshot, weak)->keyset;
    assert_int_equal(rely_keyset_count(keyset), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            find_one(scene, BY_MATERIAL,
                     rely_slice((const char *)rely_key_material(rely_keyset_at(keyset, i)), RELY_MATERIAL_BYTES)),
            one);
    assert_int_equal(marks->count, 1);
    struct rely_slice skipped = rely_slice((const char *)marks->items[0].material, RELY_MATERIAL_BYTES);
    assert_int_equal(find_one(scene, BY_MATERIAL, skipped), 0);
    enter_stray(scene, BY_MATERIAL, skipped, weak);
    assert_int_equal(find_one(scene, BY_MATERIAL, skipped), 0);
    scene_change_issuer(scene, one, is_enabled, false);
    assert_int_equal(find_one(scene, BY_MATERIAL, material_of(scene, one)), one);
    struct rely_slice key = material_of(scene, one);
    rely_snapshot_remove(scene->snapshot, RELY_OBJECT_ISSUER, one);
    assert_int_equal(find_one(scene, BY_MATERIAL, key), 0);
}

/* A set may have a key that is skipped under the name of one that is not. */
static void test_a_skipped_key_hides_no_other_of_its_name(void **state)
{
    struct scene *scene = *state;
    scene_add_issuer(scene, "other", URL, one_key("p256#other", "b", NULL));
    add_victim(scene, mint_jwks(mint_jwk(mint_key("rsa1024"), "a", NULL), mint_jwk(mint_key("p256"), "a", NULL), NULL));
    check_allowed(scene, sign("p256", "ES256", "a"), "victim", 1);
}

#define SIBLING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_scene, tear_down_scene)

int run_sibling_tests(void)
{
    const struct CMUnitTest tests[] = {
        SIBLING_TEST(test_a_skipped_key_hides_no_other_of_its_name),
        SIBLING_TEST(test_a6_eight_keys_under_the_victims_kid_lock_nobody_out),
        SIBLING_TEST(test_a6_neighbours_with_too_many_keys_leave_out_only_themselves),
        SIBLING_TEST(test_a6_costly_keys_lock_nobody_out),
        SIBLING_TEST(test_a6_equal_records_beyond_the_limit_are_all_left_out),
        SIBLING_TEST(test_a6_a_second_record_that_verifies_is_found_however_late),
        SIBLING_TEST(test_a7_siblings_without_keys_or_disabled_cost_nothing),
        SIBLING_TEST(test_a7_each_reason_among_siblings_has_its_word),
        SIBLING_TEST(test_b7_a_key_of_another_kid_is_no_candidate),
        SIBLING_TEST(test_b8_three_thousand_siblings_cost_what_none_do),
        SIBLING_TEST(test_c19_all_siblings_get_their_turn_to_be_asked),
        SIBLING_TEST(test_b9_a_thousand_unrelated_issuers_cost_no_cached_token),
        SIBLING_TEST(test_b9_a_siblings_own_changes_cost_no_cached_token),
        SIBLING_TEST(test_b9_a_sibling_with_the_tokens_kid_does_concern_it),
        SIBLING_TEST(test_b9_a_token_without_kid_is_concerned_by_keys_of_its_alg),
        SIBLING_TEST(test_b13_tries_are_counted_by_their_cost),
        SIBLING_TEST(test_d_too_many_candidate_keys_cause_no_fetch),
        SIBLING_TEST(test_b13_failures_without_kid_are_bounded_in_a_second),
        SIBLING_TEST(test_b13_one_records_failures_are_not_anothers),
        SIBLING_TEST(the_index_tells_live_kids_from_spare_ones),
        SIBLING_TEST(the_index_compares_url_kid_alg_and_key),
        SIBLING_TEST(the_index_knows_the_algorithms_that_a_record_allows),
        SIBLING_TEST(the_index_has_every_usable_key),
    };
    return cmocka_run_group_tests_name("records of one iss", tests, NULL, NULL);
}

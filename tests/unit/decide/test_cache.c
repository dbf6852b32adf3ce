/* The verified-token cache: what it remembers, what it never does, and what makes it forget. */
#include "scene.h"

#include "../mint/mint.h"

#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/key_times.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"

struct cached_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, identity;
    const char *token;
};

static const char *mint_app_token(const char *subject, int64_t exp)
{
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":[\"relyd\"],\"exp\":%lld,\"jti\":\"j-1\","
                                 "\"kubernetes.io\":{\"namespace\":\"ns\"}}",
                                 URL, subject, (long long)exp));
}

static int set_up_cache(void **state)
{
    struct cached_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    world->identity = scene_add_identity(&world->scene, "app-one");
    scene_add_credential(&world->scene, world->issuer, world->identity, "app", "relyd");
    world->token = mint_app_token("app", NOW + 3600);
    world->cache = rely_cache_new(64);
    *state = world;
    return 0;
}

static int tear_down_cache(void **state)
{
    struct cached_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static struct rely_review judge_cached(struct cached_world *world, const char *token, int64_t now_s)
{
    struct rely_review_request request = {.token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    struct rely_review review;
    rely_pool_reset(&world->scene.pool);
    memset(rely_pool_alloc(&world->scene.pool, 4096), '#', 4096); /* nothing may point to what was there */
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, now_s, &review);
    return review;
}

static uint64_t count_hits(const struct cached_world *world)
{
    return rely_cache_count(world->cache).hits;
}

/* Seen twice: from then on it is known. */
static void warm_cache(struct cached_world *world)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), 0);
    assert_int_equal(rely_cache_count(world->cache).admitted, 1);
}

static void a_token_is_known_from_the_third_time(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    struct rely_review review = judge_cached(world, world->token, NOW);
    assert_int_equal(count_hits(world), 1);
    assert_int_equal(review.decision.reason, RELY_OK);
    assert_int_equal(review.decision.valid_until_s, NOW + 3660);
    assert_true(rely_slice_equal(review.claims.subject, RELY_LIT("app")));
    assert_true(rely_slice_equal(review.claims.token_id, RELY_LIT("j-1")));
    assert_true(rely_slice_equal(review.claims.audiences[0], RELY_LIT("relyd")));
    assert_true(rely_slice_equal(review.claims.kubernetes.namespace_name, RELY_LIT("ns")));
    assert_true(rely_slice_equal(review.matches.items[0].identity->name, RELY_LIT("app-one")));
}

/* And is of nobody as soon as its record is gone: its memory goes with the next edition. */
static void a_known_token_goes_with_its_record(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    scene_begin_edition(&world->scene);
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER, world->issuer));
    scene_begin_edition(&world->scene);
    for (int i = 0; i < 3; i++)
        assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_UNKNOWN_ISSUER);
}

/* Every text of a token, and none of them is borrowed from its first review. */
static void a_hit_has_all_claims_of_the_token(void **state)
{
    struct cached_world *world = *state;
    const char *token = mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[\"relyd\",\"second\"],\"exp\":%d,\"jti\":\"j-1\","
                   "\"kubernetes.io\":{\"namespace\":\"ns-1\",\"serviceaccount\":{\"name\":\"account-1\","
                   "\"uid\":\"account-uid\"},\"pod\":{\"name\":\"pod-1\",\"uid\":\"pod-uid\"},"
                   "\"secret\":{\"name\":\"secret-1\",\"uid\":\"secret-uid\"},"
                   "\"node\":{\"name\":\"node-1\",\"uid\":\"node-uid\"}}}",
                   URL, NOW + 3600));
    for (int i = 0; i < 2; i++)
        judge_cached(world, token, NOW);
    struct rely_review review = judge_cached(world, token, NOW);
    const struct rely_kubernetes_claims *kubernetes = &review.claims.kubernetes;
    const struct rely_slice found[] = {
        review.claims.subject,      review.claims.token_id,   review.claims.audiences[0], review.claims.audiences[1],
        kubernetes->namespace_name, kubernetes->account_name, kubernetes->account_uid,    kubernetes->pod_name,
        kubernetes->pod_uid,        kubernetes->node_name,    kubernetes->node_uid,       kubernetes->secret_uid};
    static const char *const wanted[] = {"app",         "j-1",   "relyd",   "second", "ns-1",     "account-1",
                                         "account-uid", "pod-1", "pod-uid", "node-1", "node-uid", "secret-uid"};
    assert_int_equal(count_hits(world), 1);
    assert_int_equal(review.claims.audience_count, 2);
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        if (!rely_slice_equal(found[i], rely_slice_of(wanted[i])))
            fail_msg("%.*s, not %s", RELY_ARG(found[i]), wanted[i]);
}

/* A signature that verified is no claim that can be read: such a token is refused as before, each time. */
static void claims_that_cannot_be_read_are_not_remembered(void **state)
{
    struct cached_world *world = *state;
    const char *token = mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                                   mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d,"
                                              "\"nbf\":\"now\"}",
                                              URL, NOW + 3600));
    for (int i = 0; i < 4; i++)
        assert_int_equal(judge_cached(world, token, NOW).decision.reason, RELY_INVALID_CLAIM);
    assert_int_equal(rely_cache_count(world->cache).admitted, 0);
}

/* Longer than any fingerprint's key: not even looked up. */
static void what_is_too_long_is_not_looked_up(void **state)
{
    struct cached_world *world = *state;
    char *token = rely_alloc(70001);
    memset(token, 'a', 70000);
    assert_int_equal(judge_cached(world, token, NOW).decision.reason, RELY_TOKEN_TOO_LARGE);
    assert_int_equal(rely_cache_count(world->cache).misses, 0);
    free(token);
}

static void time_is_judged_on_every_hit(void **state)
{
    struct cached_world *world = *state;
    world->token = mint_app_token("app", NOW + 100);
    warm_cache(world);
    assert_int_equal(judge_cached(world, world->token, NOW + 159).decision.reason, RELY_OK);
    assert_int_equal(judge_cached(world, world->token, NOW + 160).decision.reason, RELY_EXPIRED);
    assert_int_equal(count_hits(world), 2);
}

static void rules_and_identities_are_judged_on_every_hit(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    scene_begin_edition(&world->scene);
    scene_edit_identity(&world->scene, world->identity)->is_enabled = false;
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_IDENTITY_DISABLED);
    scene_begin_edition(&world->scene);
    rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_IDENTITY, world->identity);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(count_hits(world), 3);
}

/* What the index answered in one edition says nothing about the next. */
static void a_new_credential_is_felt_by_a_known_token(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    for (int i = 0; i < 2; i++)
        assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    scene_begin_edition(&world->scene);
    scene_add_credential(&world->scene, world->issuer, scene_add_identity(&world->scene, "app-two"), "app", "relyd");
    for (int i = 0; i < 2; i++)
        assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_AMBIGUOUS_IDENTITY);
    assert_int_equal(count_hits(world), 4);
}

/* A hit in the same edition asks the index nothing: what differs between requests is judged all the same. */
static void what_the_caller_asks_is_judged_on_every_hit(void **state)
{
    struct cached_world *world = *state;
    const struct rely_slice other = RELY_LIT("other");
    struct rely_review_request request = {
        .token = rely_slice_of(world->token), .is_single = true, .pool = &world->scene.pool};
    struct rely_review review;
    warm_cache(world);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    request.audiences = &other;
    request.audience_count = 1;
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &review);
    assert_int_equal(review.decision.reason, RELY_AUDIENCE_MISMATCH);
    request.audience_count = 0;
    request.identity = RELY_LIT("app-two");
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &review);
    assert_int_equal(review.decision.reason, RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), 4);
}

static void a_change_of_the_record_is_felt_at_once(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    scene_begin_edition(&world->scene);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), 1); /* an edition alone is no change of the record */
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, is_enabled, false);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_ISSUER_DISABLED);
    assert_int_equal(count_hits(world), 1);
}

static void a_removed_key_is_felt_at_once(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    scene_begin_edition(&world->scene);
    scene_change_issuer(&world->scene, world->issuer, keyset,
                        scene_add_keyset(&world->scene, mint_jwks(mint_jwk(mint_key("p256#two"), "b", "ES256"), NULL)));
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_KEY_UNKNOWN);
    assert_int_equal(count_hits(world), 0);
}

static void a_second_record_with_the_same_key_makes_it_ambiguous_at_once(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    scene_begin_edition(&world->scene);
    scene_add_issuer(&world->scene, "two", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_AMBIGUOUS_ISSUER);
}

static void no_refusal_of_the_signature_is_remembered(void **state)
{
    struct cached_world *world = *state;
    const char *forged = mint_resign(world->token, mint_part(mint_app_token("other", NOW + 3600), 2));
    for (int i = 0; i < 4; i++)
        assert_int_equal(judge_cached(world, forged, NOW).decision.reason, RELY_BAD_SIGNATURE);
    assert_int_equal(rely_cache_count(world->cache).admitted, 0);
}

static void every_byte_of_a_token_counts(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    size_t len = strlen(world->token);
    for (size_t i = 0; i < len; i++) {
        char *changed = rely_strdup_slice(rely_slice_of(world->token));
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(judge_cached(world, changed, NOW).decision.reason, RELY_OK);
        free(changed);
    }
    assert_int_not_equal(judge_cached(world, mint_print("%s.", world->token), NOW).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), 0);
}

/* A flood of ten times what the cache holds, each token once or twice: what is used all the time is verified no more
 * often than when it is alone. */
static void a_flood_does_not_evict_what_is_used(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    for (int i = 0; i < 640; i++) {
        const char *token = mint_app_token(mint_print("flood-%d", i), NOW + 3600);
        judge_cached(world, token, NOW);
        if (i % 2 == 0)
            judge_cached(world, token, NOW);
        judge_cached(world, world->token, NOW);
    }
    assert_int_equal(count_hits(world), 640);
}

/* --- fault F: verified again ----------------------------------------------------------------------- */

static bool is_hit_at(struct cached_world *world, const char *token, int64_t now_s)
{
    uint64_t before = count_hits(world);
    assert_int_equal(judge_cached(world, token, now_s).decision.reason, RELY_OK);
    return count_hits(world) > before;
}

/* How many seconds a token that was admitted at NOW is a hit. */
static int measure_freshness(struct cached_world *world, const char *token)
{
    int seconds = 0;
    while (is_hit_at(world, token, NOW + seconds))
        seconds++;
    return seconds;
}

static void f_a_token_is_verified_again_within_ten_minutes(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    int seconds = measure_freshness(world, world->token);
    assert_in_range(seconds, RELY_CACHE_VERIFY_AGAIN_S - RELY_CACHE_VERIFY_SPREAD_S + 1, RELY_CACHE_VERIFY_AGAIN_S);
    assert_int_equal(rely_cache_count(world->cache).admitted, 2); /* that verification counts from then on */
    assert_int_equal(rely_cache_count(world->cache).evicted, 0);
    assert_true(is_hit_at(world, world->token, NOW + 2 * seconds - 1));
    assert_false(is_hit_at(world, world->token, NOW + 2 * seconds));
    assert_true(is_hit_at(world, world->token, NOW + 2 * seconds));
}

/* Set back by a second or a year: what was verified "later" is verified again. */
static void f_a_clock_that_is_set_back_keeps_nothing_alive(void **state)
{
    struct cached_world *world = *state;
    warm_cache(world);
    assert_true(is_hit_at(world, world->token, NOW));
    assert_false(is_hit_at(world, world->token, NOW - 1));
    assert_true(is_hit_at(world, world->token, NOW - 1));
    assert_false(is_hit_at(world, world->token, NOW - 31536000));
}

/* What comes at once after a start is not verified again at once. */
static void f_tokens_are_not_verified_again_all_at_once(void **state)
{
    struct cached_world *world = *state;
    int shortest = INT32_MAX, longest = 0;
    for (int i = 0; i < 8; i++) {
        const char *token = mint_app_token("app", NOW + 3600 + i);
        assert_false(is_hit_at(world, token, NOW) || is_hit_at(world, token, NOW));
        int seconds = measure_freshness(world, token);
        shortest = seconds < shortest ? seconds : shortest;
        longest = seconds > longest ? seconds : longest;
    }
    assert_true(longest - shortest > 10); /* eight equal ones of 150: once in 10^8 */
}

/* --- fault E: what the cache holds ------------------------------------------------------------------- */

/* One set of eight. Full of tokens that were used, it makes room for one that goes on coming: each time that it finds
 * none all the others age by one. */
static void e_what_is_used_no_more_gives_way(void **state)
{
    struct cached_world *world = *state;
    rely_cache_free(world->cache);
    world->cache = rely_cache_new(8);
    for (int i = 0; i < 8; i++) {
        const char *token = mint_app_token("app", NOW + 7000 + i);
        for (int k = 0; k < 4; k++) /* marked, admitted with 1 use, used twice */
            assert_int_equal(is_hit_at(world, token, NOW), k >= 2);
    }
    for (int i = 0; i < 5; i++) /* marked, then refused a place while the uses go from 3 to 0, then admitted */
        assert_false(is_hit_at(world, world->token, NOW));
    assert_int_equal(rely_cache_count(world->cache).evicted, 1);
    assert_int_equal(rely_cache_count(world->cache).admitted, 9);
    assert_true(is_hit_at(world, world->token, NOW));
}

static const char *mint_sized_token(size_t subject_len, size_t audience_count)
{
    const char *audiences = "\"relyd\"";
    for (size_t i = 1; i < audience_count; i++)
        audiences = mint_print("%s,\"a%zu\"", audiences, i);
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"jti\":\"%0*d\",\"aud\":[%s],\"exp\":%d}", URL,
                                 (int)subject_len, 0, audiences, NOW + 3600));
}

/* Seen twice; true when it was admitted. */
static bool is_admitted(struct cached_world *world, const char *token)
{
    uint64_t before = rely_cache_count(world->cache).admitted;
    assert_false(is_hit_at(world, token, NOW) || is_hit_at(world, token, NOW));
    return rely_cache_count(world->cache).admitted > before;
}

static void e_an_entry_is_never_larger_than_said(void **state)
{
    struct cached_world *world = *state;
    size_t len = 1;
    while (rely_cache_count(world->cache).largest_bytes < RELY_CACHE_ENTRY_BYTES) {
        assert_true(is_admitted(world, mint_sized_token(len, 1)));
        assert_true(rely_cache_count(world->cache).largest_bytes <= RELY_CACHE_ENTRY_BYTES);
        len += RELY_CACHE_ENTRY_BYTES - rely_cache_count(world->cache).largest_bytes;
        assert_true(len < 1000);
    }
    assert_false(is_admitted(world, mint_sized_token(len + 1, 1)));
    assert_false(is_admitted(world, mint_sized_token(len + 100, 1)));
    assert_int_equal(rely_cache_count(world->cache).largest_bytes, RELY_CACHE_ENTRY_BYTES);
}

static void e_an_entry_has_room_for_eight_audiences(void **state)
{
    struct cached_world *world = *state;
    assert_true(is_admitted(world, mint_sized_token(1, 8)));
    assert_false(is_admitted(world, mint_sized_token(1, 9)));
    assert_false(is_admitted(world, mint_sized_token(1, 64)));
}

/* However many tokens come, each often enough to be remembered. */
static void e_no_more_tokens_are_held_than_said(void **state)
{
    struct cached_world *world = *state;
    for (int i = 0; i < 200; i++) {
        const char *token = mint_app_token("app", NOW + 4000 + i);
        for (int k = 0; k < 4; k++)
            judge_cached(world, token, NOW);
    }
    struct rely_cache_counts counts = rely_cache_count(world->cache);
    assert_in_range(counts.admitted - counts.evicted, 32, 64);
}

static void without_entries_there_is_no_cache(void **state)
{
    struct cached_world *world = *state;
    rely_cache_free(world->cache);
    world->cache = rely_cache_new(0);
    assert_null(world->cache);
    for (int i = 0; i < 4; i++)
        assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), 0);
}

/* Fault A5: keys that nobody has seen at their issuer for longer than they count are believed neither for a new token
 * nor for a known one; seen again, they count again, and what was verified under them is still known. */
static void test_a5_old_keys_are_judged_on_every_hit(void **state)
{
    struct cached_world *world = *state;
    scene_begin_edition(&world->scene);
    struct rely_issuer *issuer = scene_edit_issuer(&world->scene, world->issuer);
    issuer->keys_fetched_s = NOW - 604800;
    issuer->keys_until_s = NOW;
    scene_put_issuer(&world->scene, issuer);
    warm_cache(world);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_OK);
    struct rely_review review = judge_cached(world, world->token, NOW + 1);
    assert_int_equal(review.decision.reason, RELY_KEYS_UNAVAILABLE);
    assert_int_equal(review.last_step, RELY_STEP_KEYS);
    assert_string_equal(review.decision.detail.text,
                        "the key set of issuer one was last fetched 604801 s ago, and counts for 604800 s");
    assert_true(rely_review_wants_keys(&review));
    uint64_t hits = count_hits(world);
    scene_begin_edition(&world->scene);
    struct rely_issuer *renewed = scene_edit_issuer(&world->scene, world->issuer);
    renewed->keys_fetched_s = NOW + 1;
    renewed->keys_until_s = NOW + 1 + 604800;
    rely_snapshot_renew_issuer(world->scene.snapshot, renewed);
    assert_int_equal(judge_cached(world, world->token, NOW + 1).decision.reason, RELY_OK);
    assert_int_equal(count_hits(world), hits + 1);
}

/* A set whose time nobody has set is no set. */
static void test_a5_keys_without_time_are_never_believed(void **state)
{
    struct cached_world *world = *state;
    scene_begin_edition(&world->scene);
    struct rely_issuer *issuer = scene_edit_issuer(&world->scene, world->issuer);
    issuer->keys_until_s = 0;
    scene_put_issuer(&world->scene, issuer);
    assert_int_equal(judge_cached(world, world->token, NOW).decision.reason, RELY_KEYS_UNAVAILABLE);
}

/* Fault C4: a key that is there and refuses may have been replaced under its name; a record's own rule never is. */
static void test_c4_refusals_by_a_key_doubt_the_set(void **state)
{
    struct cached_world *world = *state;
    const char *forged = mint_token(mint_key("p256#other"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                                    mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":\"relyd\"}", URL));
    struct rely_review review = judge_cached(world, forged, NOW);
    assert_int_equal(review.decision.reason, RELY_BAD_SIGNATURE);
    assert_true(rely_review_wants_keys(&review) && rely_review_doubts_keys(&review));
    review = judge_cached(world, world->token, NOW + 7200);
    assert_int_equal(review.decision.reason, RELY_EXPIRED);
    assert_false(rely_review_wants_keys(&review));
}

static int64_t used_s(const struct cached_world *world)
{
    return rely_key_used_s(rely_keyset_at(rely_snapshot_issuer(world->scene.snapshot, world->issuer)->keyset, 0));
}

/* When a key was last used is noted by every review whose token was good, once a minute; a known token looks at its own
 * time before it touches the key's. */
static void a_review_notes_that_its_key_is_used(void **state)
{
    struct cached_world *world = *state;
    struct rely_cache *cache = world->cache;
    assert_int_equal(used_s(world), 0);
    judge_cached(world, world->token, NOW);
    assert_int_equal(used_s(world), NOW);
    judge_cached(world, world->token, NOW + 59);
    assert_int_equal(used_s(world), NOW);
    judge_cached(world, world->token, NOW + 118);
    assert_int_equal(count_hits(world), 1);
    assert_int_equal(used_s(world), NOW); /* this token was new a minute ago */
    judge_cached(world, world->token, NOW + 119);
    assert_int_equal(used_s(world), NOW + 119);
    judge_cached(world, world->token, NOW + 178);
    assert_int_equal(used_s(world), NOW + 119);
    judge_cached(world, world->token, NOW + 179);
    assert_int_equal(used_s(world), NOW + 179);
    judge_cached(world, world->token, NOW + 100); /* the clock was set back */
    assert_int_equal(used_s(world), NOW + 100);
    world->cache = NULL;
    judge_cached(world, world->token, NOW + 300);
    assert_int_equal(used_s(world), NOW + 300);
    world->cache = cache;
}

/* Whoever has kept an old token, or makes one up, uses no key. */
static void a_bad_token_uses_no_key(void **state)
{
    struct cached_world *world = *state;
    const char *expired = mint_app_token("app", NOW - 3600);
    const char *forged = mint_token(mint_key("p256#forger"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                                    mint_print("{\"iss\":\"%s\"}", URL));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judge_cached(world, expired, NOW).decision.reason, RELY_EXPIRED);
        assert_int_equal(judge_cached(world, forged, NOW).decision.reason, RELY_BAD_SIGNATURE);
    }
    assert_int_equal(used_s(world), 0);
    warm_cache(world);
    judge_cached(world, world->token, NOW + 50);
    assert_int_equal(count_hits(world), 1);
    assert_int_equal(judge_cached(world, world->token, NOW + 3700).decision.reason, RELY_EXPIRED);
    assert_int_equal(used_s(world), NOW);
    assert_int_equal(judge_cached(world, mint_app_token("nobody", NOW + 3600), NOW + 70).decision.reason,
                     RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(used_s(world), NOW + 70); /* its key is in use all the same */
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_cache, tear_down_cache)

int run_cache_tests(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_a5_old_keys_are_judged_on_every_hit),
        CACHE_TEST(test_a5_keys_without_time_are_never_believed),
        CACHE_TEST(test_c4_refusals_by_a_key_doubt_the_set),
        CACHE_TEST(a_token_is_known_from_the_third_time),
        CACHE_TEST(a_review_notes_that_its_key_is_used),
        CACHE_TEST(a_bad_token_uses_no_key),
        CACHE_TEST(a_known_token_goes_with_its_record),
        CACHE_TEST(a_hit_has_all_claims_of_the_token),
        CACHE_TEST(claims_that_cannot_be_read_are_not_remembered),
        CACHE_TEST(what_is_too_long_is_not_looked_up),
        CACHE_TEST(time_is_judged_on_every_hit),
        CACHE_TEST(rules_and_identities_are_judged_on_every_hit),
        CACHE_TEST(a_new_credential_is_felt_by_a_known_token),
        CACHE_TEST(what_the_caller_asks_is_judged_on_every_hit),
        CACHE_TEST(a_change_of_the_record_is_felt_at_once),
        CACHE_TEST(a_removed_key_is_felt_at_once),
        CACHE_TEST(a_second_record_with_the_same_key_makes_it_ambiguous_at_once),
        CACHE_TEST(no_refusal_of_the_signature_is_remembered),
        CACHE_TEST(every_byte_of_a_token_counts),
        CACHE_TEST(a_flood_does_not_evict_what_is_used),
        CACHE_TEST(f_a_token_is_verified_again_within_ten_minutes),
        CACHE_TEST(f_a_clock_that_is_set_back_keeps_nothing_alive),
        CACHE_TEST(f_tokens_are_not_verified_again_all_at_once),
        CACHE_TEST(e_what_is_used_no_more_gives_way),
        CACHE_TEST(e_an_entry_is_never_larger_than_said),
        CACHE_TEST(e_an_entry_has_room_for_eight_audiences),
        CACHE_TEST(e_no_more_tokens_are_held_than_said),
        CACHE_TEST(without_entries_there_is_no_cache),
    };
    return cmocka_run_group_tests_name("token cache", tests, NULL, NULL);
}

/*
 * The names of a record: `issuer`, aliases and its trust domain. It is found under each of them by all that records are told apart by, and
 * under no other; a remembered token stands and falls with the name that it has.
 */
#include "scene.h"

#include "../mint/mint.h"

#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define FIRST "https://first.example"
#define SECOND "https://second.example"
#define OTHER "urn:other"

struct name_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t identity;
    struct rely_review review; /* the last one */
};

static int set_up_names(void **state)
{
    struct name_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->identity = scene_add_identity(&world->scene, "app");
    world->cache = rely_cache_new(64);
    scene_begin_edition(&world->scene);
    *state = world;
    return 0;
}

static int tear_down_names(void **state)
{
    struct name_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

/* In: aliases - with blanks between. */
static void set_aliases(struct name_world *world, int64_t id, const char *aliases)
{
    struct rely_slice items[RELY_ALIASES_PER_ISSUER_MAX], rest = rely_slice_of(aliases);
    struct rely_issuer changed = *rely_snapshot_issuer(world->scene.snapshot, id);
    changed.aliases = items;
    changed.alias_count = 0;
    while (rest.len > 0) {
        const char *blank = memchr(rest.ptr, ' ', rest.len);
        size_t len = blank == NULL ? rest.len : (size_t)(blank - rest.ptr);
        items[changed.alias_count++] = rely_slice(rest.ptr, len);
        rest = blank == NULL ? (struct rely_slice){0} : rely_slice(blank + 1, rest.len - len - 1);
    }
    rely_snapshot_put_issuer(world->scene.snapshot, rely_issuer_copy(&changed));
}

/* With a rule for the subject `app`. */
static int64_t add_named(struct name_world *world, const char *name, const char *url, const char *aliases)
{
    int64_t id = scene_add_issuer(&world->scene, name, url,
                                  mint_jwks(mint_jwk(mint_key(mint_print("p256#%s", name)), name, "ES256"), NULL));
    scene_add_credential(&world->scene, id, world->identity, "app", "relyd");
    set_aliases(world, id, aliases);
    return id;
}

/* In: kid - NULL: none. */
static const char *sign_as(const char *key, const char *kid, const char *iss)
{
    const char *header = kid == NULL ? "{\"alg\":\"ES256\"}" : mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    return mint_token(mint_key(mint_print("p256#%s", key)), "ES256", header,
                      mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":[\"relyd\"],\"exp\":%d}", iss, NOW + 3600));
}

/* Four times: from the second on it is remembered. In: name - of the record; NULL: refused. */
static void expect_signer(struct name_world *world, const char *token, enum rely_reason wanted, const char *name)
{
    for (int i = 0; i < 4; i++) {
        const struct rely_review_request request = {
            .token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
        rely_pool_reset(&world->scene.pool);
        rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
        if (world->review.decision.reason != wanted)
            fail_msg("%d: %s: %s", i, rely_reason_word(world->review.decision.reason),
                     world->review.decision.detail.text);
        if (name != NULL)
            assert_true(rely_slice_equal(world->review.issuer->name, rely_slice_of(name)));
    }
}

static void expect_iss(const struct name_world *world, const char *iss)
{
    if (!rely_slice_equal(world->review.name, rely_slice_of(iss)))
        fail_msg("%.*s, not %s", RELY_ARG(world->review.name), iss);
}

static void is_found_under_each_name(void **state)
{
    struct name_world *world = *state;
    add_named(world, "one", FIRST, SECOND " " OTHER);
    static const char *const names[] = {FIRST, SECOND, OTHER};
    for (size_t i = 0; i < 3; i++) {
        expect_signer(world, sign_as("one", "one", names[i]), RELY_OK, "one");
        expect_iss(world, names[i]);
        expect_signer(world, sign_as("one", NULL, names[i]), RELY_OK, "one");
        expect_iss(world, names[i]);
    }
    assert_int_equal(rely_cache_count(world->cache).hits, 12);
    static const char *const others[] = {"https://third.example", FIRST "/", "urn:other:x", "", "URN:other"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        expect_signer(world, sign_as("one", "one", others[i]), RELY_UNKNOWN_ISSUER, NULL);
}

/* One name of several records, of one its URL and of the other an alias: whose key it is tells, by kid and without. */
static void shares_a_name_with_others(void **state)
{
    struct name_world *world = *state;
    add_named(world, "one", FIRST, SECOND);
    add_named(world, "two", SECOND, "");
    add_named(world, "three", OTHER, SECOND " " FIRST);
    static const struct {
        const char *key, *iss;
        bool is_name;
    } cases[] = {{"one", FIRST, true},   {"one", SECOND, true},   {"one", OTHER, false},
                 {"two", FIRST, false},  {"two", SECOND, true},   {"two", OTHER, false},
                 {"three", FIRST, true}, {"three", SECOND, true}, {"three", OTHER, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_alone = strcmp(cases[i].iss, OTHER) == 0;
        expect_signer(world, sign_as(cases[i].key, cases[i].key, cases[i].iss),
                      cases[i].is_name ? RELY_OK : RELY_KEY_UNKNOWN, cases[i].is_name ? cases[i].key : NULL);
        expect_signer(world, sign_as(cases[i].key, NULL, cases[i].iss), cases[i].is_name ? RELY_OK : RELY_BAD_SIGNATURE,
                      cases[i].is_name ? cases[i].key : NULL);
        assert_true(cases[i].is_name || is_alone || world->review.candidate_count == 2);
    }
}

static void a_remembered_token_falls_with_its_name(void **state)
{
    struct name_world *world = *state;
    int64_t one = add_named(world, "one", FIRST, SECOND);
    const char *first = sign_as("one", "one", FIRST), *second = sign_as("one", "one", SECOND);
    expect_signer(world, first, RELY_OK, "one");
    expect_signer(world, second, RELY_OK, "one");
    scene_begin_edition(&world->scene);
    set_aliases(world, one, "");
    expect_signer(world, first, RELY_OK, "one");
    expect_signer(world, second, RELY_UNKNOWN_ISSUER, NULL);
    scene_begin_edition(&world->scene);
    set_aliases(world, one, OTHER " " SECOND);
    expect_signer(world, second, RELY_OK, "one");
    expect_iss(world, SECOND);
}

/* Another record comes with the same kid: under the name that it has, who signed is found out anew, and nowhere else. */
static void a_remembered_token_is_looked_at_with_its_name(void **state)
{
    struct name_world *world = *state;
    add_named(world, "one", FIRST, SECOND);
    const char *first = sign_as("one", "one", FIRST), *second = sign_as("one", "one", SECOND);
    expect_signer(world, first, RELY_OK, "one");
    expect_signer(world, second, RELY_OK, "one");
    uint64_t misses = rely_cache_count(world->cache).misses;
    scene_begin_edition(&world->scene);
    scene_add_issuer(&world->scene, "two", SECOND, mint_jwks(mint_jwk(mint_key("p256#one"), "one", "ES256"), NULL));
    expect_signer(world, first, RELY_OK, "one");
    assert_int_equal(rely_cache_count(world->cache).misses, misses);
    expect_signer(world, second, RELY_AMBIGUOUS_ISSUER, NULL);
    expect_signer(world, first, RELY_OK, "one");
}

/* --- trust domains ------------------------------------------------------------------------------------------------- */

#define DOMAIN "prod.example"

static void set_trust_domain(struct name_world *world, int64_t id, const char *name, bool has_url)
{
    struct rely_issuer changed = *rely_snapshot_issuer(world->scene.snapshot, id);
    changed.trust_domain = rely_slice_of(name);
    if (!has_url)
        changed.url = rely_slice(NULL, 0);
    rely_snapshot_put_issuer(world->scene.snapshot, rely_issuer_copy(&changed));
}

/* In: claims - with their comma. */
static const char *sign_claimed(const char *key, const char *kid, const char *claims)
{
    return mint_token(mint_key(mint_print("p256#%s", key)), "ES256",
                      kid == NULL ? "{\"alg\":\"ES256\"}" : mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid),
                      mint_print("{%s\"aud\":[\"relyd\"],\"exp\":%d}", claims, NOW + 3600));
}

static void a_trust_domain_is_of_tokens_without_iss(void **state)
{
    struct name_world *world = *state;
    int64_t alone = add_named(world, "alone", FIRST, ""), beside = add_named(world, "beside", SECOND, OTHER);
    scene_add_credential(&world->scene, alone, world->identity, "spiffe://" DOMAIN "/app", "relyd");
    scene_add_credential(&world->scene, beside, world->identity, "spiffe://dev.example/app", "relyd");
    set_trust_domain(world, alone, DOMAIN, false);
    set_trust_domain(world, beside, "dev.example", true);
    static const struct {
        const char *key, *claims;
        enum rely_reason reason;
    } cases[] = {
        {"alone", "\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_OK},
        {"alone", "\"sub\":\"spiffe://" DOMAIN "/other\",", RELY_NO_MATCHING_CREDENTIAL},
        {"beside", "\"sub\":\"spiffe://dev.example/app\",", RELY_OK},
        {"beside", "\"iss\":\"" SECOND "\",\"sub\":\"spiffe://dev.example/app\",", RELY_OK},
        {"beside", "\"iss\":\"" OTHER "\",\"sub\":\"spiffe://dev.example/app\",", RELY_OK},
        {"beside", "\"iss\":\"" SECOND "\",\"sub\":\"app\",", RELY_OK},
        /* of another's domain, or of nobody's */
        {"alone", "\"sub\":\"spiffe://dev.example/app\",", RELY_KEY_UNKNOWN},
        {"beside", "\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_KEY_UNKNOWN},
        {"alone", "\"sub\":\"spiffe://nobody.example/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"sub\":\"spiffe://" DOMAIN ".evil/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"sub\":\"spiffe://Prod.example/app\",", RELY_UNKNOWN_ISSUER},
        /* an iss, whatever it is, is never looked for among trust domains */
        {"alone", "\"iss\":\"" DOMAIN "\",\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"iss\":\"spiffe://" DOMAIN "\",\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"iss\":\"\",\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"iss\":\"" FIRST "\",\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_UNKNOWN_ISSUER},
        {"alone", "\"iss\":null,\"sub\":\"spiffe://" DOMAIN "/app\",", RELY_INVALID_CLAIM},
        /* neither */
        {"alone", "\"sub\":\"app\",", RELY_MISSING_CLAIM},
        {"alone", "\"sub\":\"spiffe://" DOMAIN "\",", RELY_MISSING_CLAIM},
        {"alone", "\"sub\":\"spiffe:///app\",", RELY_MISSING_CLAIM},
        {"alone", "\"sub\":[\"spiffe://" DOMAIN "/app\"],", RELY_MISSING_CLAIM},
        {"alone", "", RELY_MISSING_CLAIM},
        /* what is signed must be an ID */
        {"alone", "\"sub\":\"spiffe://" DOMAIN "/\",", RELY_INVALID_CLAIM},
        {"alone", "\"sub\":\"spiffe://" DOMAIN "/../app\",", RELY_INVALID_CLAIM},
        {"alone", "\"sub\":\"spiffe://" DOMAIN "/app?x\",", RELY_INVALID_CLAIM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = cases[i].reason == RELY_OK ? cases[i].key : NULL;
        expect_signer(world, sign_claimed(cases[i].key, cases[i].key, cases[i].claims), cases[i].reason, name);
        enum rely_reason without = cases[i].reason == RELY_KEY_UNKNOWN ? RELY_BAD_SIGNATURE : cases[i].reason;
        expect_signer(world, sign_claimed(cases[i].key, NULL, cases[i].claims), without, name);
    }
}

/* Whatever stands for the subject: `sub` is what has found the record. */
static void a_trust_domain_is_that_of_sub(void **state)
{
    struct name_world *world = *state;
    int64_t id = add_named(world, "alone", FIRST, "");
    set_trust_domain(world, id, DOMAIN, false);
    scene_change_issuer(&world->scene, id, subject_claim, RELY_LIT("name"));
    scene_begin_edition(&world->scene);
    expect_signer(world, sign_claimed("alone", "alone", "\"sub\":\"spiffe://" DOMAIN "/x\",\"name\":\"app\","), RELY_OK,
                  "alone");
    expect_signer(world, sign_claimed("alone", "alone", "\"sub\":\"spiffe://" DOMAIN "/x/\",\"name\":\"app\","),
                  RELY_INVALID_CLAIM, NULL);
    expect_signer(world, sign_claimed("alone", "alone", "\"sub\":\"x\",\"name\":\"app\","), RELY_MISSING_CLAIM, NULL);
}

static void a_remembered_token_falls_with_its_trust_domain(void **state)
{
    struct name_world *world = *state;
    int64_t id = add_named(world, "one", FIRST, SECOND);
    scene_add_credential(&world->scene, id, world->identity, "spiffe://" DOMAIN "/app", "relyd");
    const char *bare = sign_claimed("one", "one", "\"sub\":\"spiffe://" DOMAIN "/app\",");
    const char *named = sign_claimed("one", "one", "\"iss\":\"" SECOND "\",\"sub\":\"spiffe://" DOMAIN "/app\",");
    scene_begin_edition(&world->scene);
    set_trust_domain(world, id, DOMAIN, true);
    expect_signer(world, bare, RELY_OK, "one");
    expect_signer(world, named, RELY_OK, "one");
    scene_begin_edition(&world->scene);
    set_trust_domain(world, id, NULL, true);
    expect_signer(world, bare, RELY_UNKNOWN_ISSUER, NULL);
    expect_signer(world, named, RELY_OK, "one");
    scene_begin_edition(&world->scene);
    set_trust_domain(world, id, DOMAIN "x", true);
    expect_signer(world, bare, RELY_UNKNOWN_ISSUER, NULL);
    expect_signer(world, named, RELY_OK, "one");
    assert_true(world->scene.snapshot->issuer_sets.count == 3);
}

/* --- the index, beside looking at every record ------------------------------------------------------------------------ */

static uint64_t drawn = 88172645463325252ULL;

static unsigned draw_below(unsigned below)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (unsigned)(drawn % below);
}

#define RECORDS 6

static const char *const drawn_names[] = {FIRST, SECOND, OTHER, "d", "e"};
#define NAMES (sizeof drawn_names / sizeof drawn_names[0])

static void draw_aliases(struct name_world *world, int64_t id)
{
    const char *aliases = "";
    for (size_t i = 0; i < NAMES; i++)
        if (draw_below(3) == 0 &&
            !rely_slice_equal(rely_snapshot_issuer(world->scene.snapshot, id)->url, rely_slice_of(drawn_names[i])))
            aliases = mint_print("%s%s%s", aliases, aliases[0] == '\0' ? "" : " ", drawn_names[i]);
    set_aliases(world, id, aliases);
}

static void compare_with_all(struct name_world *world, const int64_t *ids, struct rely_slice name)
{
    const struct rely_snapshot *snapshot = world->scene.snapshot;
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(snapshot, name);
    const struct rely_issuer *issuer;
    size_t has_name = 0, cursor = 0, by_alg = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        const struct rely_issuer *record = rely_snapshot_issuer(snapshot, ids[i]);
        bool is_named = record != NULL && rely_issuer_name_index(record, name) < rely_issuer_name_count(record);
        has_name += is_named;
        if (record == NULL)
            continue;
        size_t at = 0;
        const struct rely_issuer *found = rely_snapshot_issuer_by_kid(snapshot, name, record->name, &at);
        assert_ptr_equal(found, is_named ? record : NULL);
        at = 0;
        found =
            rely_snapshot_issuer_by_material(snapshot, name, rely_key_material(rely_keyset_at(record->keyset, 0)), &at);
        assert_ptr_equal(found, is_named ? record : NULL);
    }
    assert_int_equal(set == NULL ? 0 : set->count, has_name);
    assert_true(set == NULL || rely_slice_equal(set->name, name));
    while ((issuer = rely_snapshot_issuer_by_alg(snapshot, name, RELY_ALG_ES256, &cursor)) != NULL)
        by_alg++;
    assert_int_equal(by_alg, has_name);
}

static void finds_what_looking_at_every_record_finds(void **state)
{
    struct name_world *world = *state;
    int64_t ids[RECORDS];
    for (size_t i = 0; i < RECORDS; i++)
        ids[i] = add_named(world, mint_print("n%zu", i), drawn_names[draw_below(NAMES)], "");
    for (int round = 0; round < 400; round++) {
        size_t at = draw_below(RECORDS);
        if (draw_below(2) == 0)
            scene_begin_edition(&world->scene);
        if (rely_snapshot_issuer(world->scene.snapshot, ids[at]) == NULL)
            ids[at] = add_named(world, mint_print("n%zu", at), drawn_names[draw_below(NAMES)], "");
        else if (draw_below(4) == 0)
            assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER, ids[at]));
        else
            draw_aliases(world, ids[at]);
        for (size_t i = 0; i < NAMES; i++)
            compare_with_all(world, ids, rely_slice_of(drawn_names[i]));
    }
    scene_begin_edition(&world->scene);
    for (size_t i = 0; i < RECORDS; i++)
        rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_ISSUER, ids[i]);
    assert_int_equal(world->scene.snapshot->issuer_sets.count, 0);
    assert_int_equal(world->scene.snapshot->issuers_by_key.count, 0);
}

int run_name_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_found_under_each_name, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(shares_a_name_with_others, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(a_remembered_token_falls_with_its_name, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(a_remembered_token_is_looked_at_with_its_name, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(a_trust_domain_is_of_tokens_without_iss, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(a_trust_domain_is_that_of_sub, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(a_remembered_token_falls_with_its_trust_domain, set_up_names, tear_down_names),
        cmocka_unit_test_setup_teardown(finds_what_looking_at_every_record_finds, set_up_names, tear_down_names),
    };
    return cmocka_run_group_tests_name("names of issuers", tests, NULL, NULL);
}

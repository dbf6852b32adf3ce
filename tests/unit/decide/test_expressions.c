/*
 * Rules by expression: found by the subject's prefix and what else they want, judged for remembered tokens as for others,
 * and never on what a token was not asked for. What is found is compared with asking every rule.
 */
#include "relyd/cache.h"
#include "relyd/edition.h"
#include "relyd/expressions.h"
#include "relyd/said.h"
#include "relyd/view.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"
#define GROUP 900

struct expression_world {
    struct scene scene;
    struct rely_cache *cache;
    int64_t issuer, identity, next_rule;
    struct rely_review review; /* the last one */
};

static int set_up_expressions(void **state)
{
    struct expression_world *world = rely_alloc(sizeof *world);
    scene_init(&world->scene);
    world->issuer =
        scene_add_issuer(&world->scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    world->identity = scene_add_identity(&world->scene, "app-one");
    world->next_rule = 5000;
    world->cache = rely_cache_new(64);
    scene_begin_edition(&world->scene);
    *state = world;
    return 0;
}

static int tear_down_expressions(void **state)
{
    struct expression_world *world = *state;
    rely_cache_free(world->cache);
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

struct wanted_rule {
    int64_t scope, identity;
    const char *name, *text;
};

/* The last one, which in these tests the fewest share. */
static int8_t choose_term(const struct rely_expression *expression)
{
    int8_t chosen = -1;
    for (int8_t i = 0; i < expression->term_count; i++)
        if (rely_term_tells_apart(expression, (size_t)i, RELY_LIT("sub")))
            chosen = i;
    return chosen;
}

static int64_t add_named(struct expression_world *world, const struct wanted_rule *wanted)
{
    struct rely_pool pool;
    static const struct rely_slice audience = {"relyd", 5};
    const struct rely_expression *expression;
    struct rely_expression_fault fault;
    rely_pool_init(&pool);
    if (!rely_expression_parse(rely_slice_of(wanted->text), &pool, &expression, &fault))
        fail_msg("%s: %zu: %s", wanted->text, fault.column, fault.expected);
    const struct rely_credential rule = {.id = world->next_rule++,
                                         .scope = wanted->scope,
                                         .identity_id = wanted->identity,
                                         .name = rely_slice_of(wanted->name),
                                         .expression = expression,
                                         .subject_term = rely_expression_term_on(expression, RELY_LIT("sub")),
                                         .key_term = choose_term(expression),
                                         .audiences = &audience,
                                         .audience_count = 1,
                                         .is_enabled = true};
    rely_snapshot_put_credential(world->scene.snapshot, rely_credential_copy(&rule));
    rely_pool_fini(&pool);
    return rule.id;
}

static int64_t add(struct expression_world *world, const char *text)
{
    return add_named(world, &(struct wanted_rule){world->issuer, world->identity, "rule", text});
}

static void take_away(struct expression_world *world, int64_t rule)
{
    scene_begin_edition(&world->scene);
    assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, rule));
}

static const char *payload; /* of the last token */

static const char *sign(const char *sub, const char *more)
{
    payload =
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"%s\",\"aud\":[\"relyd\"],\"exp\":%d%s}", sub, NOW + 3600, more);
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}", payload);
}

/* Through the cache, as workers do. */
static enum rely_reason ask(struct expression_world *world, const char *token)
{
    const struct rely_review_request request = {
        .token = rely_slice_of(token), .is_single = true, .pool = &world->scene.pool};
    rely_pool_reset(&world->scene.pool);
    rely_cache_review(world->cache, world->scene.snapshot, &request, NOW, &world->review);
    return world->review.decision.reason;
}

static void matches_by_pattern_and_claims(void **state)
{
    struct expression_world *world = *state;
    add(world, "claims['sub'] matches 'repo:acme*' and claims['owner'] eq 'acme' and claims['/ref/0'] matches 'main?'");
    static const struct {
        const char *sub, *more;
        bool is_match;
    } cases[] = {
        {"repo:acme/app", ",\"owner\":\"acme\",\"ref\":[\"main1\"]", true},
        {"repo:acme-evil/app", ",\"owner\":\"acme-evil\",\"ref\":[\"main1\"]", false},
        {"repo:acme@1/app", ",\"owner\":[\"x\",\"acme\"],\"ref\":[\"main1\"]", true},
        {"repo:acme/app", ",\"owner\":\"acme\",\"ref\":[\"main\"]", false},
        {"repo:acme/app", ",\"owner\":\"acme\"", false},
        {"repo:acme/app", ",\"ref\":[\"main1\"]", false},
        {"repo:acm", ",\"owner\":\"acme\",\"ref\":[\"main1\"]", false},
        {"repo:acme", ",\"owner\":{\"a\":\"acme\"},\"ref\":[\"main1\"]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *token = sign(cases[i].sub, cases[i].more);
        for (int k = 0; k < 4; k++) /* remembered from the second on */
            assert_int_equal(ask(world, token), cases[i].is_match ? RELY_OK : RELY_NO_MATCHING_CREDENTIAL);
    }
    assert_true(rely_cache_count(world->cache).hits >= 16);
}

/* What is remembered has no answer for a claim that nobody asked for then. */
static void verifies_anew_where_more_is_asked(void **state)
{
    struct expression_world *world = *state;
    const char *token = sign("app", ",\"a\":\"1\",\"b\":2,\"c\":true");
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(world, token), RELY_NO_MATCHING_CREDENTIAL);
    uint64_t hits = rely_cache_count(world->cache).hits;
    assert_int_equal(hits, 2);
    static const char *const texts[] = {"claims['sub'] matches 'a*' and claims['a'] eq '1'",
                                        "claims['sub'] matches 'a*' and claims['b'] eq '2'",
                                        "claims['sub'] matches 'a*' and claims['c'] matches 't*'"};
    for (size_t i = 0; i < 3; i++) {
        scene_begin_edition(&world->scene);
        int64_t rule = add(world, texts[i]);
        for (int k = 0; k < 3; k++)
            assert_int_equal(ask(world, token), RELY_OK);
        assert_true(rely_cache_count(world->cache).hits > hits);
        hits = rely_cache_count(world->cache).hits;
        take_away(world, rule);
        assert_int_equal(ask(world, token), RELY_NO_MATCHING_CREDENTIAL);
    }
    scene_begin_edition(&world->scene);
    add(world, "claims['sub'] eq 'app' and claims['d'] matches '*'"); /* of no claim nothing is a text */
    for (int k = 0; k < 3; k++)
        assert_int_equal(ask(world, token), RELY_NO_MATCHING_CREDENTIAL);
}

/* The same while what was asked for before stays. */
static void verifies_anew_beside_what_is_known(void **state)
{
    struct expression_world *world = *state;
    const char *token = sign("app", ",\"a\":\"1\",\"b\":2");
    scene_begin_edition(&world->scene);
    add(world, "claims['sub'] matches 'a*' and claims['a'] eq '2'");
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(world, token), RELY_NO_MATCHING_CREDENTIAL);
    assert_int_equal(rely_cache_count(world->cache).hits, 2);
    scene_begin_edition(&world->scene);
    add(world, "claims['sub'] matches 'a*' and claims['b'] eq '2'");
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(world, token), RELY_OK);
}

static void note_place(struct rely_slice prefix, struct rely_slice claim, void *context)
{
    struct rely_buf *out = context;
    rely_buf_printf(out, "%.*s:%.*s ", RELY_ARG(prefix), RELY_ARG(claim));
}

/* Of all beginnings of the subject, itself among them. */
static void shows_where_it_has_looked(void **state)
{
    struct expression_world *world = *state;
    struct rely_buf found = {0};
    const struct rely_expression_query query = {&world->issuer, 1, RELY_LIT("app"), NULL};
    add(world, "claims['sub'] eq 'app' and claims['a'] eq '1'");
    add(world, "claims['sub'] matches 'app*' and claims['b'] eq '1'");
    add(world, "claims['sub'] matches 'apple*' and claims['c'] eq '1'");
    rely_snapshot_each_place(world->scene.snapshot, &query, note_place, &found);
    assert_true(strcmp(found.ptr, "app:a app:b ") == 0 || strcmp(found.ptr, "app:b app:a ") == 0);
    rely_buf_fini(&found);
}

/* Too much to remember: verified each time, and right. */
static void asks_what_says_much_each_time(void **state)
{
    struct expression_world *world = *state;
    char more[1400] = ",\"big\":\"";
    memset(more + strlen(more), 'x', 1000);
    snprintf(more + strlen(more), 16, "\"");
    add(world, "claims['sub'] matches 'a*' and claims['big'] matches 'xx*x'");
    const char *token = sign("app", more);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(world, token), RELY_OK);
    assert_int_equal(rely_cache_count(world->cache).hits, 0);
}

static void assert_named(struct expression_world *world, const char *token, const char *name)
{
    assert_int_equal(ask(world, token), RELY_OK);
    assert_int_equal(world->review.matches.count, 1);
    struct rely_slice found = world->review.matches.items[0].credential->name;
    assert_true(rely_slice_equal(found, rely_slice_of(name)));
}

static void names_the_first(void **state)
{
    struct expression_world *world = *state;
    const char *token = sign("team-a:app", "");
    int64_t scope = rely_scope_of_group(GROUP);
    const struct rely_issuer_group_member_record member = {.record = {.id = 1, .parent_id = GROUP},
                                                           .issuer_id = world->issuer};
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, &member);
    const struct wanted_rule wanted[] = {
        {scope, world->identity, "zzz", "claims['sub'] matches 't*'"},
        {scope, world->identity, "group", "claims['sub'] matches 't*'"},
        {scope, world->identity, "group-longer", "claims['sub'] matches 'team*'"},
        {world->issuer, world->identity, "record", "claims['sub'] matches 't*'"},
        {world->issuer, world->identity, "record-longer", "claims['sub'] matches 'team-a*'"},
        {world->issuer, world->identity, "a-as-long",
         "claims['sub'] matches 'team-a*' and claims['sub'] matches '*app'"},
    };
    static const char *const named[] = {"zzz", "group", "group-longer", "record", "record-longer", "a-as-long"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        scene_begin_edition(&world->scene);
        add_named(world, &wanted[i]);
        assert_named(world, token, named[i]);
    }
    scene_begin_edition(&world->scene);
    int64_t exact = scene_add_credential(&world->scene, scope, world->identity, "team-a:app", "relyd");
    scene_edit_credential(&world->scene, exact)->name = RELY_LIT("zzz-exact");
    assert_named(world, token, "zzz-exact");
    scene_begin_edition(&world->scene);
    add_named(world, &(struct wanted_rule){world->issuer, scene_add_identity(&world->scene, "app-two"), "other",
                                           "claims['sub'] matches 'team*'"});
    assert_int_equal(ask(world, token), RELY_AMBIGUOUS_IDENTITY);
}

/* --- many ------------------------------------------------------------------------------------------------------------ */

static void count_visit(const struct rely_credential *credential, void *context)
{
    (void)credential;
    ++*(size_t *)context;
}

static struct rely_claim_value say_from(void *context, struct rely_slice claim)
{
    const struct rely_slice *texts = context; /* of owner and repository */
    if (rely_slice_equal(claim, RELY_LIT("owner")))
        return (struct rely_claim_value){&texts[0], 1};
    if (rely_slice_equal(claim, RELY_LIT("repository")))
        return (struct rely_claim_value){&texts[1], 1};
    return (struct rely_claim_value){NULL, 0};
}

static struct rely_claim_value say_list(void *context, struct rely_slice claim)
{
    return (struct rely_claim_value){context, rely_slice_equal(claim, RELY_LIT("list")) ? 100 : 0};
}

/* A hundred of each of what look-ups go by, which is more than are looked up together. */
static void finds_all_of_many(void **state)
{
    struct expression_world *world = *state;
    static const char subject[101] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct rely_slice texts[100];
    const struct rely_said said = {say_list, texts};
    int64_t scopes[100];
    char text[300];
    for (int i = 0; i < 100; i++) {
        scopes[i] = -1000 - i;
        texts[i] = rely_slice_of(mint_print("item-%d", i));
        snprintf(text, sizeof text, "claims['sub'] matches '%.*s*'", i + 1, subject);
        add(world, text);
        snprintf(text, sizeof text, "claims['sub'] matches 'a*' and claims['list'] eq 'item-%d'", i);
        add(world, text);
        add_named(world, &(struct wanted_rule){scopes[i], world->identity, "rule", "claims['sub'] matches 'a*'"});
    }
    struct rely_expression_query query = {&world->issuer, 1, rely_slice(subject, 100), &said};
    size_t met = 0;
    rely_snapshot_each_expression(world->scene.snapshot, &query, count_visit, &met);
    assert_int_equal(met, 200);
    query.scopes = scopes;
    query.scope_count = 100;
    met = 0;
    rely_snapshot_each_expression(world->scene.snapshot, &query, count_visit, &met);
    assert_int_equal(met, 100);
}

/* A token may have thousands of items in a list; by the first ones rules are looked up, each text once. */
static void looks_up_the_first_items_of_a_list(void **state)
{
    struct expression_world *world = *state;
    const char *list = "\"many\",\"many\"";
    for (int i = 1; i < RELY_ITEMS_SOUGHT_MAX; i++)
        list = mint_print("%s,\"item-%d\"", list, i);
    const char *token = sign("team", mint_print(",\"list\":[%s,\"behind\"]", list));
    const char *front = sign("team", mint_print(",\"list\":[\"behind\",%s]", list));
    int64_t rule = add(world, "claims['sub'] matches 't*' and claims['list'] eq 'behind'");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(world, token), RELY_NO_MATCHING_CREDENTIAL);
        assert_int_equal(ask(world, front), RELY_OK);
    }
    take_away(world, rule);
    add(world, mint_print("claims['sub'] matches 't*' and claims['list'] eq 'item-%d'", RELY_ITEMS_SOUGHT_MAX - 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(world, token), RELY_OK);
        assert_int_equal(ask(world, front), RELY_NO_MATCHING_CREDENTIAL);
    }
}

/* Ten thousand repositories of one owner have one prefix: few are met, and none when all are gone. */
static void tells_apart_what_has_one_prefix(void **state)
{
    struct expression_world *world = *state;
    char text[200];
    const struct rely_slice texts[] = {RELY_LIT("acme"), RELY_LIT("acme/app77")};
    const struct rely_said said = {say_from, (void *)(uintptr_t)texts};
    const struct rely_expression_query query = {&world->issuer, 1, RELY_LIT("repo:acme/app77"), &said};
    int64_t first = world->next_rule;
    for (int i = 0; i < 10000; i++) {
        snprintf(
            text, sizeof text,
            "claims['sub'] matches 'repo:acme*' and claims['owner'] eq 'acme' and claims['repository'] eq 'acme/app%d'",
            i);
        add(world, text);
    }
    size_t met = 0;
    rely_snapshot_each_expression(world->scene.snapshot, &query, count_visit, &met);
    assert_in_range(met, 1, 2);
    assert_int_equal(ask(world, sign("repo:acme/app77", ",\"owner\":\"acme\",\"repository\":\"acme/app77\"")), RELY_OK);
    scene_begin_edition(&world->scene);
    for (int64_t id = first; id < world->next_rule; id++)
        assert_true(rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, id));
    assert_int_equal(world->scene.snapshot->expressions.count, 0);
    assert_int_equal(world->scene.snapshot->tallies.count, 0);
}

static uint64_t random_state = 88172645463325252ULL;

static unsigned draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static const char *const words[] = {"a", "ab", "abc", "b", "ba", "", "aab"};
#define WORDS (sizeof words / sizeof words[0])
static const char *const patterns[] = {"a*", "ab*", "*", "?b*", "b?", "abc", "a*c", "aa*b"};
#define PATTERNS (sizeof patterns / sizeof patterns[0])

static void write_rule(char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "claims['sub'] matches '%s'", patterns[draw(PATTERNS)]);
    for (unsigned i = draw(3); i > 0; i--)
        used += (size_t)snprintf(text + used, size - used, " and claims['%c'] %s '%s'", "xyz"[draw(3)],
                                 draw(2) == 0 ? "eq" : "matches", words[draw(WORDS)]);
}

static const char *sign_any(void)
{
    const char *sub = words[draw(WORDS)];
    return sign(sub[0] == '\0' ? "c" : sub,
                mint_print(",\"x\":\"%s\",\"y\":[\"%s\",\"%s\"]%s", words[draw(WORDS)], words[draw(WORDS)],
                           words[draw(WORDS)], draw(2) == 0 ? ",\"z\":\"ab\"" : ""));
}

/* Who asks every rule. */
struct asking_all {
    struct expression_world *world;
    struct rely_view claims;
    struct rely_pool *pool;
    const struct rely_expression *expression;
    size_t count;
};

static struct rely_claim_value say_all(void *context, size_t term)
{
    struct asking_all *asking = context;
    return rely_claim_said(&asking->claims, rely_term_claim(asking->expression, term), asking->pool);
}

static bool ask_rule(const void *item, void *context)
{
    const struct rely_credential *rule = item;
    struct asking_all *asking = context;
    asking->expression = rule->expression;
    if (rule->scope == asking->world->issuer && rely_expression_matches(rule->expression, say_all, asking))
        asking->count++;
    return true;
}

static void finds_what_asking_every_rule_finds(void **state)
{
    struct expression_world *world = *state;
    char text[300];
    size_t allowed = 0;
    for (int round = 0; round < 300; round++) {
        scene_begin_edition(&world->scene);
        write_rule(text, sizeof text);
        add(world, text);
        rely_snapshot_remove(world->scene.snapshot, RELY_OBJECT_CREDENTIAL, world->next_rule - 5);
        for (int k = 0; k < 4; k++) {
            const char *token = sign_any();
            const struct rely_review *review = scene_review(&world->scene, token, NOW);
            struct rely_pool pool;
            struct asking_all asking = {.world = world, .pool = &pool};
            const char *fault;
            rely_pool_init(&pool);
            assert_true(rely_view_parse(rely_slice_of(payload), &pool, &asking.claims, &fault));
            rely_map_each(&world->scene.snapshot->credentials_by_id, ask_rule, &asking);
            bool is_allowed = review->decision.reason == RELY_OK;
            assert_int_equal(is_allowed, asking.count > 0);
            rely_pool_fini(&pool);
            allowed += is_allowed;
            for (int i = 0; i < 3; i++)
                assert_int_equal(ask(world, token), is_allowed ? RELY_OK : RELY_NO_MATCHING_CREDENTIAL);
        }
        mint_reset();
    }
    assert_in_range(allowed, 200, 1150);
}

int run_expression_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(matches_by_pattern_and_claims, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(verifies_anew_where_more_is_asked, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(verifies_anew_beside_what_is_known, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(shows_where_it_has_looked, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(asks_what_says_much_each_time, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(names_the_first, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(finds_all_of_many, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(looks_up_the_first_items_of_a_list, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(tells_apart_what_has_one_prefix, set_up_expressions, tear_down_expressions),
        cmocka_unit_test_setup_teardown(finds_what_asking_every_rule_finds, set_up_expressions, tear_down_expressions),
    };
    return cmocka_run_group_tests_name("expressions", tests, NULL, NULL);
}

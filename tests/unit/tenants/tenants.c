/*
 * A person's token is never accepted by a rule of another tenant: tokens, rules and whatever else restricts a review at
 * random, through the cache as workers ask it and now and then without it, and an oracle that must agree on reason,
 * identities, credentials, audiences and end. Beside that, whoever it maps to has a rule that names his tenant, or one
 * that names none.
 *
 * 200,000 reviews; RELYD_TEST_REVIEWS says how many else, RELYD_TEST_SEED where chance begins. The same each time.
 */
#include "world.h"

#include "relyd/json.h"
#include "relyd/text.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define REVIEWS_OF_A_WORLD 2000
#define REVIEWS_OF_AN_EDITION 12

/* What must come about often, not only now and then. */
static const enum rely_reason reasons[] = {
    RELY_OK,
    RELY_UNKNOWN_ISSUER,
    RELY_ISSUER_DISABLED,
    RELY_KEY_UNKNOWN,
    RELY_BAD_SIGNATURE,
    RELY_EXPIRED,
    RELY_UNKNOWN_ROUTE,
    RELY_ISSUER_NOT_ALLOWED,
    RELY_REVOKED,
    RELY_AUDIENCE_MISMATCH,
    RELY_IDENTITY_DISABLED,
    RELY_NO_MATCHING_CREDENTIAL,
    RELY_IDENTITY_NOT_ALLOWED,
    RELY_GUARD_REFUSED,
    RELY_UID_CHANGED,
    RELY_AMBIGUOUS_IDENTITY,
};

static struct tally {
    size_t reviews, hits;
    size_t by_reason[RELY_REASON_COUNT];
    size_t by_expression, by_group, by_project, by_alias, by_uid, by_key_term, in_shadow, pinned, of_liars;
} tally;

/* --- comparing --- */

static const char *differs; /* what it is that does; NULL: nothing */

static void must(bool is_so, const char *what)
{
    if (!is_so && differs == NULL)
        differs = what;
}

static const struct rule *find_rule(const struct world *world, int64_t id)
{
    for (int i = 0; i < RULES; i++)
        if (world->rules[i].id == id)
            return &world->rules[i];
    return NULL;
}

static bool is_among(const char *const *texts, int count, struct rely_slice wanted)
{
    for (int i = 0; i < count; i++)
        if (rely_slice_equal(wanted, rely_slice_of(texts[i])))
            return true;
    return false;
}

/* Those that it is said to count by are in the token, the credential and, where they name some, with caller and route. */
static void compare_audiences(const struct world *world, const struct question *question, const struct rule *rule,
                              const struct rely_match *match)
{
    const struct route *route = oracle_route(world, question);
    must(match->audiences != 0, "an identity that counts by no audience");
    for (int bit = 0; bit < 32; bit++) {
        if ((match->audiences >> bit & 1) == 0)
            continue;
        struct rely_slice audience = match->audiences_of[bit];
        must(is_among(question->token->audiences, question->token->audience_count, audience),
             "an audience of the token");
        must(is_among(rule->audiences, rule->audience_count, audience), "an audience of the credential");
        must(question->accepted_count == 0 ||
                 rely_slice_is_among(question->accepted, (size_t)question->accepted_count, audience),
             "an audience that the caller accepts");
        must(route == NULL || route->audience_count == 0 || is_among(route->audiences, route->audience_count, audience),
             "an audience that the route takes");
    }
}

/* Whoever has an issuer of his own in a group is trusted with what he says there: that is what a group means. */
static void compare_tenants(const struct world *world, const struct question *question, const struct rule *rule)
{
    int tenant = world->identities[rule->identity].tenant;
    bool is_liar = world->records[question->token->signer].tenant >= 0 && rule->record < 0;
    if (!oracle_is_pinned(world, rule) || is_liar) {
        tally.of_liars += is_liar;
        return;
    }
    tally.pinned++;
    must(tenant == question->token->tenant, "ANOTHER TENANT'S RULE ACCEPTS IT");
}

static void compare_match(const struct world *world, const struct question *question, const struct verdict *verdict,
                          const struct rely_match *match)
{
    const struct rule *rule = find_rule(world, match->credential->id);
    bool is_named = false;
    for (int i = 0; i < verdict->count; i++)
        is_named = is_named || verdict->named[i] == rule;
    must(is_named, "the credential that is named");
    if (!is_named)
        return;
    const struct identity *identity = &world->identities[rule->identity];
    const char *username = identity->is_username_subject ? question->token->subject : identity->name;
    must(match->identity->id == identity->id, "the identity");
    must(rely_slice_equal(match->username, rely_slice_of(username)), "the username");
    compare_audiences(world, question, rule, match);
    compare_tenants(world, question, rule);
    tally.by_expression += rule->subject[0] == '\0';
    tally.by_group += rule->group >= 0;
    tally.by_project += subject_claim_of(world, rule) == CLAIM_PROJECT;
    tally.by_alias += strcmp(question->token->iss, world->records[question->token->signer].url) != 0;
    tally.by_uid += rule->uid != NULL;
    tally.by_key_term += rule->key_term >= 0;
}

static void compare_shadow(const struct world *world, const struct verdict *verdict, const struct rely_review *review)
{
    const struct rely_credential *shadow = review->matches.shadow.credential;
    bool is_one = false;
    for (unsigned i = 0; i < verdict->shadow_count; i++)
        is_one = is_one || (shadow != NULL && verdict->shadows[i] == find_rule(world, shadow->id));
    must(shadow == NULL || is_one, "a credential in shadow that would not have let it in");
    tally.in_shadow += shadow != NULL;
}

static void compare(const struct world *world, const struct question *question, const struct verdict *verdict,
                    const struct rely_review *review)
{
    bool is_allowed = review->decision.reason == RELY_OK;
    must(review->decision.reason == verdict->reason, "the reason");
    must(!is_allowed || review->issuer->id == world->records[question->token->signer].id, "the issuer");
    must(!is_allowed || review->decision.valid_until_s == verdict->until, "the end");
    if (differs == NULL && (is_allowed || review->decision.reason == RELY_AMBIGUOUS_IDENTITY)) {
        must((int)review->matches.count == verdict->count, "how many identities");
        for (size_t i = 0; i < review->matches.count; i++)
            compare_match(world, question, verdict, &review->matches.items[i]);
    }
    compare_shadow(world, verdict, review);
}

/* --- reviewing --- */

static void show_difference(struct world *world, const struct question *question, const struct verdict *verdict,
                            const struct rely_review *review)
{
    printf("%s differs: %s, and should be %s\n  %s\n", differs, rely_reason_word(review->decision.reason),
           rely_reason_word(verdict->reason), review->decision.detail.text);
    for (size_t i = 0; i < review->matches.count; i++)
        printf("  maps to %.*s by %.*s\n", RELY_ARG(review->matches.items[i].identity->name),
               RELY_ARG(review->matches.items[i].credential->name));
    for (int i = 0; i < verdict->count; i++)
        printf("  should map to %s by %s\n", world->identities[verdict->named[i]->identity].name,
               verdict->named[i]->name);
    show_case(world, question);
}

/* In: is_remembered - as workers ask, through the cache. */
static void ask(struct world *world, const struct question *question, bool is_remembered)
{
    static struct rely_review review;
    const struct rely_review_request request = {.token = rely_slice_of(question->token->text),
                                                .audiences = question->accepted,
                                                .audience_count = (size_t)question->accepted_count,
                                                .identity = question->identity,
                                                .route = question->route,
                                                .is_single = question->is_single,
                                                .pool = &world->pool};
    rely_pool_reset(&world->pool);
    if (is_remembered)
        tally.hits += rely_cache_review(world->cache, world->snapshot, &request, question->now, &review);
    else
        rely_review_run(world->snapshot, &request, question->now, &review);
    const struct verdict verdict = oracle_judge(world, question);
    compare(world, question, &verdict, &review);
    tally.reviews++;
    tally.by_reason[review.decision.reason]++;
    if (differs != NULL)
        show_difference(world, question, &verdict, &review);
}

static void run_world(uint64_t seed, size_t reviews)
{
    struct world *world = rely_alloc(sizeof *world);
    draw_from(seed);
    world_begin(world);
    for (size_t i = 1; i <= reviews && differs == NULL; i++) {
        const struct question question = draw_question(world);
        ask(world, &question, draw(24) > 0);
        if (i % REVIEWS_OF_AN_EDITION == 0)
            world_change(world);
        if (differs != NULL)
            fail_msg("review %zu of RELYD_TEST_SEED=%llu", i, (unsigned long long)seed);
    }
    world_end(world);
    free(world);
}

static void show_tally(uint64_t first)
{
    printf("from seed %llu: %zu reviews, %zu of remembered tokens\n", (unsigned long long)first, tally.reviews,
           tally.hits);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        printf("  %-24s %9zu\n", rely_reason_word(reasons[i]), tally.by_reason[reasons[i]]);
    printf("  identities by expression %zu, found by another claim %zu, by a group %zu, by another claim than sub %zu, "
           "by an "
           "alias %zu, by a uid %zu; in shadow %zu; by a rule that names its tenant %zu, by a member's word %zu\n",
           tally.by_expression, tally.by_key_term, tally.by_group, tally.by_project, tally.by_alias, tally.by_uid,
           tally.in_shadow, tally.pinned, tally.of_liars);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void no_rule_accepts_anothers_token(void **state)
{
    (void)state;
    size_t reviews = (size_t)number_of("RELYD_TEST_REVIEWS", 200000), count = sizeof reasons / sizeof reasons[0];
    uint64_t first = number_of("RELYD_TEST_SEED", 10), seed = first;
    for (size_t left = reviews; left > 0; seed++) {
        size_t some = left < REVIEWS_OF_A_WORLD ? left : REVIEWS_OF_A_WORLD;
        run_world(seed, some);
        left -= some;
    }
    show_tally(first);
    for (size_t i = 0; i < count && reviews >= 10000; i++)
        if (tally.by_reason[reasons[i]] < reviews / 2000)
            fail_msg("%s: only %zu", rely_reason_word(reasons[i]), tally.by_reason[reasons[i]]);
    for (const size_t *some = &tally.by_expression; some <= &tally.of_liars && reviews >= 10000; some++)
        assert_in_range(*some, reviews / 4000, SIZE_MAX); /* found by a uid: 1 of 2,041 */
    assert_in_range(tally.by_reason[RELY_OK], reviews / 20, reviews);
    assert_in_range(tally.hits, reviews / 3, reviews);
}

int main(void)
{
    rely_json_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_rule_accepts_anothers_token)};
    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}

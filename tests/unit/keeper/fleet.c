/*
 * A fleet of issuers for a simulated week: most answer, some fail, hang, are away for hours, rotate, want to be asked
 * often or share an origin, and relyd is started anew in the middle. Prints how many requests issuers get, how they are
 * spread and how old keys become (docs/performance.md shows it); what docs promise is asserted. 10,000 issuers under
 * RELYD_TEST_LONG=1, else 1,000 for a day.
 */
#include "world.h"

#include "../mint/mint.h"
#include "kept.h"

#include "relyd/json.h"
#include "relyd/limits.h"
#include "relyd/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_S 3600
#define DAY_S 86400
#define STEP_S 60
#define LOOK_S 300
#define VERSIONS 10
#define RETRY_S 345 /* the longest back-off, a fetch that hangs, and its wait for a place */
#define START_S 70  /* a restart's minute, and the last fetch in it */
#define AWAY_S (6 * HOUR_S)
#define STORED_S (604800 / 100 + HOUR_S) /* how much older stored keys may be than those in force */

enum role { ORDINARY, SHARING, FAILING, SILENT, AWAY, ROTATING, OFTEN, ALWAYS, ROLE_COUNT };

static const struct {
    const char *name;
    size_t in_thousand;
    double an_hour; /* how often it is tried */
    int64_t fresh_s, oldest_s;
} roles[ROLE_COUNT] = {
    [ORDINARY] = {"answer, and do not say for how long", 688, 1.25, -1, 3168 + 2},
    [SHARING] = {"the same, behind one origin, which hangs for an hour", 100, 1.25, -1, 3168 + 2},
    [FAILING] = {"answer 503", 20, 12, -1, 0},
    [SILENT] = {"never answer", 10, 3600 / 310.0, -1, 0},
    [AWAY] = {"answer 503 for six hours, each at its own time", 50, 1.25, -1, 3168 + 2},
    [ROTATING] = {"have a new key each day", 100, 1.25, -1, 3168 + 2},
    [OFTEN] = {"answer with `max-age=600`", 30, 7.5, 600, 528 + 2},
    [ALWAYS] = {"answer with `max-age=0`", 2, 3600 / 63.0, 0, 66 + 2},
};

struct fleet_issuer {
    enum role role;
    int64_t away_from_s, away_until_s; /* of the fleet's time, as all _s here */
    int64_t rotated_s;
    int version;
};

enum { FIRST_MINUTE, FIRST_HOUR, BEFORE, HANGING, RECOVERY, LATER, RESTART, RESTART_HOUR, REST, SPAN_COUNT };

/* A part of the time, and what was seen in it. */
struct span {
    const char *name;
    int64_t lasts_s[2]; /* of a day, of a week */
    int64_t from_s, until_s;
    double planned; /* requests */
    uint32_t asked, hour_most, minute_most, second_most;
    size_t at_once, of_origin;
    int64_t ages_s, age_count, oldest_s, longest_wait_ms; /* of those that answer */
};

static const struct span plan[SPAN_COUNT] = {
    [FIRST_MINUTE] = {"the first minute, without any keys", {60, 60}},
    [FIRST_HOUR] = {"the rest of its hour", {HOUR_S - 60, HOUR_S - 60}},
    [BEFORE] = {"until an origin hangs", {7 * HOUR_S, 47 * HOUR_S}},
    [HANGING] = {"the hour in which it does", {HOUR_S, HOUR_S}},
    [RECOVERY] = {"the hour after it", {HOUR_S, HOUR_S}},
    [LATER] = {"until a restart", {5 * HOUR_S, 46 * HOUR_S}},
    [RESTART] = {"the minute after it", {60, 60}},
    [RESTART_HOUR] = {"the rest of its hour", {HOUR_S - 60, HOUR_S - 60}},
    [REST] = {"until the end", {8 * HOUR_S, 71 * HOUR_S}},
};

struct fleet {
    struct world *world;
    struct fleet_issuer *issuers; /* owned */
    size_t count, shared;         /* the first of those behind one origin */
    int64_t begun_ms, lasts_s, restarted_s;
    uint32_t *seconds; /* owned: requests in each */
    uint64_t asked_by[ROLE_COUNT];
    int64_t oldest_by[ROLE_COUNT];
    struct span spans[SPAN_COUNT];
};

static int64_t fleet_now_s(const struct fleet *fleet)
{
    return (fleet->world->now_ms - fleet->begun_ms) / 1000;
}

/* --- who is in it ------------------------------------------------------------------------------------------ */

static const char *texts[VERSIONS];

static void make_texts(void)
{
    const char *before = mint_jwk(mint_key("ed25519#fleet0"), "v0", "EdDSA");
    for (int version = 1; version < VERSIONS; version++) {
        const char *name = mint_print("v%d", version);
        const char *newest = mint_jwk(mint_key(mint_print("ed25519#fleet%d", version)), name, "EdDSA");
        texts[version] = mint_jwks(newest, before, NULL);
        before = newest;
    }
}

static enum role role_of(size_t i)
{
    size_t place = i % 1000;
    enum role role = ORDINARY;
    while (place >= roles[role].in_thousand)
        place -= roles[role++].in_thousand;
    return role;
}

static bool does_answer_at_all(enum role role)
{
    return role != FAILING && role != SILENT;
}

static void add_to_fleet(struct fleet *fleet, size_t i)
{
    struct fleet_issuer *issuer = &fleet->issuers[i];
    *issuer = (struct fleet_issuer){.role = role_of(i), .version = 1};
    world_add(fleet->world, i % 4 == 3 ? RELY_KEYS_DISCOVERY : RELY_KEYS_JWKS_URI, texts[1]);
    struct world_server *server = &fleet->world->servers[i];
    server->is_bare = true;
    server->latency_ms = 20 + (int)(i * 7 % 181);
    server->fresh_s = roles[issuer->role].fresh_s;
    server->is_down = issuer->role == FAILING;
    server->is_hanging = issuer->role == SILENT;
    if (issuer->role == SHARING && fleet->shared == SIZE_MAX)
        fleet->shared = i;
    if (issuer->role == SHARING)
        server->origin = fleet->shared;
    if (issuer->role == AWAY)
        issuer->away_from_s = 2 * HOUR_S + (fleet->lasts_s - AWAY_S - 4 * HOUR_S) * (int64_t)i / (int64_t)fleet->count;
    issuer->away_from_s -= issuer->away_from_s % STEP_S; /* things happen at the beginning of a step */
    if (issuer->role == SHARING)
        issuer->away_from_s = fleet->spans[HANGING].from_s;
    if (issuer->role == ROTATING) /* the first time within a day */
        issuer->rotated_s = (int64_t)(i * 2654435761U % DAY_S) - DAY_S;
    issuer->away_until_s = issuer->away_from_s + (issuer->role == AWAY ? AWAY_S : issuer->role == SHARING ? HOUR_S : 0);
}

static void note_fleet_asked(struct world *world, size_t i, bool is_discovery)
{
    struct fleet *fleet = world->owner;
    (void)is_discovery;
    fleet->seconds[fleet_now_s(fleet)]++;
    fleet->asked_by[fleet->issuers[i].role]++;
}

static struct fleet *make_fleet_for(size_t count, bool is_week)
{
    struct fleet *fleet = rely_alloc(sizeof *fleet);
    memcpy(fleet->spans, plan, sizeof plan);
    for (int k = 0; k < SPAN_COUNT; k++) {
        fleet->spans[k].from_s = fleet->lasts_s;
        fleet->lasts_s += plan[k].lasts_s[is_week];
        fleet->spans[k].until_s = fleet->lasts_s;
    }
    fleet->count = count;
    fleet->shared = SIZE_MAX;
    fleet->restarted_s = INT64_MAX / 2;
    fleet->issuers = rely_alloc(count * sizeof *fleet->issuers);
    fleet->seconds = rely_alloc((size_t)(fleet->lasts_s + 1) * sizeof *fleet->seconds);
    fleet->world = world_new_for(count);
    fleet->begun_ms = fleet->world->now_ms;
    fleet->world->owner = fleet;
    fleet->world->note_asked = note_fleet_asked;
    for (size_t i = 0; i < count; i++)
        add_to_fleet(fleet, i);
    return fleet;
}

static void free_fleet(struct fleet *fleet)
{
    world_free(fleet->world);
    free(fleet->issuers);
    free(fleet->seconds);
    free(fleet);
}

/* --- what happens ------------------------------------------------------------------------------------------ */

static void happen_in_fleet(struct fleet *fleet)
{
    int64_t now_s = fleet_now_s(fleet);
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_issuer *issuer = &fleet->issuers[i];
        bool is_away = now_s >= issuer->away_from_s && now_s < issuer->away_until_s;
        if (issuer->role == AWAY)
            fleet->world->servers[i].is_down = is_away;
        if (issuer->role == SHARING)
            fleet->world->servers[i].is_hanging = is_away;
        if (issuer->role == ROTATING && now_s >= issuer->rotated_s + DAY_S) {
            issuer->rotated_s = now_s;
            world_rotate(fleet->world, i, texts[++issuer->version]);
        }
    }
}

/* --- what is promised -------------------------------------------------------------------------------------- */

/* It is away, or has been until a moment ago. */
static bool is_hit(const struct fleet *fleet, size_t i)
{
    int64_t now_s = fleet_now_s(fleet);
    const struct fleet_issuer *issuer = &fleet->issuers[i];
    return issuer->away_until_s != issuer->away_from_s && now_s >= issuer->away_from_s &&
           now_s < issuer->away_until_s + RETRY_S;
}

static int64_t allowed_age_s(const struct fleet *fleet, size_t i)
{
    int64_t now_s = fleet_now_s(fleet), after_start_s = now_s - fleet->restarted_s;
    const struct fleet_issuer *issuer = &fleet->issuers[i];
    int64_t allowed_s = roles[issuer->role].oldest_s;
    if (is_hit(fleet, i))
        allowed_s += now_s - issuer->away_from_s;
    if (after_start_s >= 0 && (after_start_s < START_S || is_hit(fleet, i)))
        allowed_s += STORED_S;
    return allowed_s;
}

static bool has_kid(const struct rely_keyset *keyset, const char *kid)
{
    for (size_t k = 0; k < rely_keyset_count(keyset); k++)
        if (rely_slice_equal(rely_key_kid(rely_keyset_at(keyset, k)), rely_slice_of(kid)))
            return true;
    return false;
}

static void look_at_issuer(struct fleet *fleet, struct span *span, size_t i)
{
    char kid[20];
    const struct fleet_issuer *issuer = &fleet->issuers[i];
    const struct rely_issuer *record = world_record(fleet->world, i);
    int64_t age_s = world_now_s(fleet->world) - record->keys_fetched_s;
    if (!does_answer_at_all(issuer->role)) {
        assert_null(record->keyset);
        return;
    }
    assert_non_null(record->keyset);
    assert_true(world_now_s(fleet->world) <= record->keys_until_s);
    assert_in_range(age_s, 0, allowed_age_s(fleet, i));
    snprintf(kid, sizeof kid, "v%d", issuer->version);
    if (fleet_now_s(fleet) - issuer->rotated_s > roles[ROTATING].oldest_s)
        assert_true(has_kid(record->keyset, kid)); /* without anybody's asking */
    if (age_s > fleet->oldest_by[issuer->role])
        fleet->oldest_by[issuer->role] = age_s;
    if (is_hit(fleet, i))
        return;
    span->ages_s += age_s;
    span->age_count++;
    if (age_s > span->oldest_s)
        span->oldest_s = age_s;
}

static uint32_t sum_seconds(const struct fleet *fleet, int64_t from_s, int64_t until_s)
{
    uint32_t sum = 0;
    for (int64_t s = from_s; s < until_s; s++)
        sum += fleet->seconds[s];
    return sum;
}

/* In no part of so many seconds are more. */
static uint32_t find_most(const struct fleet *fleet, const struct span *span, int64_t part_s)
{
    uint32_t most = 0;
    for (int64_t s = span->from_s; s + part_s <= span->until_s; s += part_s) {
        uint32_t sum = sum_seconds(fleet, s, s + part_s);
        most = sum > most ? sum : most;
    }
    return most;
}

/* As many as an hour has on average: two where there is a document to read first, which those that fail never do. */
static double plan_an_hour(const struct fleet *fleet, int64_t from_s, int64_t until_s)
{
    double planned = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_issuer *issuer = &fleet->issuers[i];
        int each = fleet->world->rows[i].kind == RELY_KEYS_DISCOVERY && does_answer_at_all(issuer->role) ? 2 : 1;
        double away_s = fmax(0, fmin((double)until_s, (double)issuer->away_until_s) -
                                    fmax((double)from_s, (double)issuer->away_from_s));
        double away = away_s / (double)(until_s - from_s);
        planned += (1 - away) * roles[issuer->role].an_hour * each + away * roles[FAILING].an_hour;
    }
    return planned;
}

static void sum_up(struct fleet *fleet, struct span *span)
{
    span->planned = plan_an_hour(fleet, span->from_s, span->until_s);
    span->asked = sum_seconds(fleet, span->from_s, span->until_s);
    span->hour_most = find_most(fleet, span, HOUR_S);
    span->minute_most = find_most(fleet, span, 60);
    span->second_most = find_most(fleet, span, 1);
    span->at_once = fleet->world->load.most;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct world_server *server = &fleet->world->servers[i];
        if (server->load.most > span->of_origin)
            span->of_origin = server->load.most;
        if (!server->is_down && !server->is_hanging && fleet->issuers[i].role != SHARING &&
            server->longest_wait_ms > span->longest_wait_ms)
            span->longest_wait_ms = server->longest_wait_ms;
    }
}

static void forget_most(struct fleet *fleet)
{
    fleet->world->load.most = fleet->world->load.running;
    for (size_t i = 0; i < fleet->count; i++) {
        fleet->world->servers[i].load.most = fleet->world->servers[i].load.running;
        fleet->world->servers[i].longest_wait_ms = 0;
    }
}

static void run_span(struct fleet *fleet, struct span *span)
{
    forget_most(fleet);
    while (fleet_now_s(fleet) < span->until_s) {
        happen_in_fleet(fleet);
        world_run_s(fleet->world, STEP_S);
        if (fleet_now_s(fleet) % LOOK_S == 0 || fleet_now_s(fleet) == span->until_s)
            for (size_t i = 0; i < fleet->count; i++)
                look_at_issuer(fleet, span, i);
    }
    sum_up(fleet, span);
}

/* What chance makes of a mean: six times its deviation. */
static uint32_t with_chance(double mean)
{
    return (uint32_t)(mean + 6 * sqrt(mean) + 3);
}

/* Of one origin half of the places of each kind. */
static void check_places(const struct span *span)
{
    assert_in_range(span->at_once, 1, RELY_FETCH_PLACES_REFRESH + RELY_FETCH_PLACES_RETRY + RELY_FETCH_PLACES_FIRST);
    assert_in_range(span->of_origin, 1,
                    (RELY_FETCH_PLACES_REFRESH + RELY_FETCH_PLACES_RETRY + RELY_FETCH_PLACES_FIRST) / 2);
}

/* No hour has more than was planned, and no minute and no second more than its share, but for chance; and nobody waits. */
static void check_even(const struct fleet *fleet, const struct span *span)
{
    double hours = (double)(span->until_s - span->from_s) / HOUR_S, most = 0;
    assert_in_range(span->asked, (uint32_t)(span->planned * hours * 0.97), (uint32_t)(span->planned * hours * 1.03));
    for (int64_t s = span->from_s; s + HOUR_S <= span->until_s; s += HOUR_S) {
        double an_hour = plan_an_hour(fleet, s, s + HOUR_S) * 1.03;
        assert_in_range(sum_seconds(fleet, s, s + HOUR_S), 1, with_chance(an_hour));
        most = fmax(most, an_hour);
    }
    assert_in_range(span->minute_most, 1, with_chance(most / 60));
    assert_in_range(span->second_most, 1, with_chance(most / 3600));
    assert_in_range(span->longest_wait_ms, 0, 200);
}

static void check_fleet(const struct fleet *fleet)
{
    const struct span *spans = fleet->spans;
    double count = (double)fleet->count, sharing = count * (double)roles[SHARING].in_thousand / 1000;
    for (int k = 0; k < SPAN_COUNT; k++)
        check_places(&spans[k]);
    check_even(fleet, &spans[BEFORE]);
    check_even(fleet, &spans[LATER]);
    check_even(fleet, &spans[REST]);
    /* A start asks each once (a fourth has two documents), and those that fail a few times more. */
    assert_in_range(spans[FIRST_MINUTE].asked, (uint32_t)count, (uint32_t)(count * 1.8));
    assert_in_range(spans[RESTART].asked, (uint32_t)count, (uint32_t)(count * 1.8));
    /* 60 of each thousand are tried at once since they have no keys, or none that are young enough; the others in turn. */
    assert_in_range(spans[RESTART].second_most, 1, with_chance(count * 1.3 / 60 + count * 0.06));
    assert_in_range(spans[FIRST_HOUR].minute_most, 1, with_chance(spans[FIRST_HOUR].planned * 1.5 / 60));
    assert_in_range(spans[RESTART_HOUR].minute_most, 1, with_chance(spans[RESTART_HOUR].planned * 1.5 / 60));
    /* When many fall silent together they are tried at most fifteen times in the first hour, and come back by and by. */
    assert_in_range(spans[HANGING].asked, 1, (uint32_t)(spans[HANGING].planned + sharing * 4));
    assert_in_range(spans[RECOVERY].asked, 1, with_chance(spans[RECOVERY].planned + sharing * 2));
    assert_in_range(spans[RECOVERY].minute_most, 1, with_chance(spans[RECOVERY].planned / 60 + sharing * 1.3 / 4));
}

/* --- the tables -------------------------------------------------------------------------------------------- */

static void print_span(const struct span *span)
{
    int64_t lasts_s = span->until_s - span->from_s;
    printf("| %s | %" PRIu32 " |", span->name, span->asked);
    if (lasts_s >= HOUR_S)
        printf(" %.0f | %" PRIu32 " |", (double)span->asked * HOUR_S / (double)lasts_s, span->hour_most);
    else
        printf(" | |");
    printf(" %" PRIu32 " | %" PRIu32 " | %zu | %zu | %" PRId64 " | %.1f | %.1f |\n", span->minute_most,
           span->second_most, span->at_once, span->of_origin, span->longest_wait_ms,
           span->age_count == 0 ? 0 : (double)span->ages_s / (double)span->age_count / 60, (double)span->oldest_s / 60);
}

static void print_fleet(const struct fleet *fleet)
{
    printf("\n%zu issuers, %.0f days\n\n", fleet->count, (double)fleet->lasts_s / DAY_S);
    printf("| when | requests | an hour | most in an hour | in a minute | in a second | at once | of one origin "
           "| longest wait, ms | mean age, min | oldest, min |\n"
           "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (int k = 0; k < SPAN_COUNT; k++)
        print_span(&fleet->spans[k]);
    printf(
        "\n| issuers | what they do | requests of each in an hour | oldest keys, min |\n| --- | --- | --- | --- |\n");
    for (int role = 0; role < ROLE_COUNT; role++) {
        double issuers = (double)fleet->count * (double)roles[role].in_thousand / 1000;
        printf("| %.0f | %s | %.2f |", issuers, roles[role].name,
               (double)fleet->asked_by[role] / issuers * HOUR_S / (double)fleet->lasts_s);
        if (does_answer_at_all((enum role)role))
            printf(" %.1f |\n", (double)fleet->oldest_by[role] / 60);
        else
            printf(" none |\n");
    }
}

static void test_a_fleet(void **state)
{
    (void)state;
    bool is_week = getenv("RELYD_TEST_LONG") != NULL;
    make_texts();
    struct fleet *fleet = make_fleet_for(is_week ? 10000 : 1000, is_week);
    world_start(fleet->world);
    for (int k = 0; k < SPAN_COUNT; k++) {
        if (k == RESTART) {
            fleet->restarted_s = fleet_now_s(fleet);
            world_restart(fleet->world);
        }
        run_span(fleet, &fleet->spans[k]);
    }
    print_fleet(fleet);
    check_fleet(fleet);
    free_fleet(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_fleet)};
    rely_json_init();
    int failed = cmocka_run_group_tests_name("keeper: fleet", tests, NULL, NULL);
    mint_reset();
    return failed;
}

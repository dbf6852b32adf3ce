/* Chance, and a world from its beginning to its end: who is there from the start, and what changes. */
#include "world.h"

#include "../mint/mint.h"

#include "relyd/edition.h"
#include "relyd/keyset.h"
#include "relyd/signature.h"

#include <stdio.h>

/* One is the beginning of another. */
const char *const tenant_names[TENANTS] = {"ac", "ac-x", "a"};
const char *const group_names[GROUPS] = {"grp-0", "grp-1", "grp-2"};
const char *const user_group_names[USER_GROUPS] = {"users-0", "users-1"};

const struct claim_form claim_forms[] = {
    {"sub", {"sub"}},
    {"/sub", {"sub"}},
    {"owner", {"owner"}},
    {"env", {"env"}},
    {"l", {"l"}},
    {"/l/0", {"l", "0"}},
    {"n", {"n"}},
    {"/o/k", {"o", "k"}},
    {"we''ird", {"we'ird"}},
    {"/env", {"env"}},
    {"/o", {"o"}},
    {"/l/01", {"l", "01"}},
    {"/a~1b/~0", {"a/b", "~"}},
    {"project", {"project"}},
};
const int claim_form_count = sizeof claim_forms / sizeof claim_forms[0];

/* --- chance --- */

static uint64_t chance;

void draw_from(uint64_t seed)
{
    chance = seed;
}

/* splitmix64 */
unsigned draw(unsigned below)
{
    uint64_t mixed = chance += 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
    return (unsigned)((mixed ^ mixed >> 31) >> 33) % below;
}

/* --- beginning and end --- */

/* Four are somebody's own, two of which have one `iss`; two sign for all. The first two have one kid, and one alias is
 * another's. */
static const struct record records[RECORDS] = {
    {.name = "own-0",
     .url = "https://zero",
     .alias = "https://cluster",
     .kid = "k",
     .keys = {"p256#zero", "p256#zero-b"}},
    {.name = "own-1", .url = "https://one", .kid = "k", .keys = {"p256#one", "p256#one-b"}, .tenant = 1},
    {.name = "sibling-2",
     .url = "https://cluster",
     .alias = "https://two",
     .kid = "k2",
     .keys = {"p256#two", "p256#two-b"},
     .tenant = 2},
    {.name = "sibling-0", .url = "https://cluster", .kid = "k3", .keys = {"p256#three", "p256#three-b"}},
    {.name = "shared-a", .url = "https://shared", .kid = "k4", .keys = {"p256#four", "p256#four-b"}, .tenant = -1},
    {.name = "shared-b",
     .url = "https://shared/",
     .kid = "k5",
     .keys = {"p256#five", "p256#five-b"},
     .tenant = -1,
     .subject_claim = CLAIM_PROJECT},
};
static const char *const identity_names[IDENTITIES] = {"id-0", "id-1", "id-2", "id-3", "id-4", "id-5"};
static const char *const route_names[ROUTES] = {"default", "gate", "gate-2"};

/* For the life of the process. */
static const struct rely_keyset *keyset_of(const struct world *world, int record)
{
    static const struct rely_keyset *keysets[RECORDS][KEYS];
    const struct record *from = &world->records[record];
    const struct rely_keyset **keyset = &keysets[record][from->key];
    struct rely_err err = {0};
    if (*keyset == NULL) {
        const char *jwk = mint_jwk(mint_key(from->keys[from->key]), from->kid, "ES256");
        *keyset = rely_signature_accept(rely_slice_of(mint_jwks(jwk, NULL)), NULL, &err);
        RELY_ASSERT(*keyset != NULL);
    }
    return *keyset;
}

static void begin_edition(struct world *world)
{
    if (world->is_unsettled)
        rely_snapshot_free_replaced(world->snapshot);
    world->snapshot = rely_snapshot_next(world->snapshot, world->snapshot == NULL ? 1 : world->snapshot->revision + 1);
    world->is_unsettled = true;
    rely_pool_reset(&world->pool);
}

static void draw_identity(struct identity *identity)
{
    identity->is_enabled = draw(8) > 0;
    identity->is_username_subject = draw(4) == 0;
    identity->groups = draw(1U << USER_GROUPS);
}

/* Not where its identity has the same subject for the same already: the registry refuses that. */
static bool is_repeated(const struct world *world, const struct rule *rule)
{
    for (const struct rule *other = world->rules; other < world->rules + RULES; other++)
        if (other != rule && other->id != 0 && other->identity == rule->identity && other->record == rule->record &&
            other->group == rule->group && rule->subject[0] != '\0' && strcmp(other->subject, rule->subject) == 0)
            return true;
    return false;
}

static void put_new_rule(struct world *world, struct rule *rule)
{
    rule->id = 0;
    draw_rule(world, rule);
    if (is_repeated(world, rule))
        return;
    rule->id = world->next_id++;
    snprintf(rule->name, sizeof rule->name, "%c-%02d", (char)('a' + draw(26)), (int)(rule - world->rules));
    enter_rule(world, rule);
}

static void put_all(struct world *world)
{
    for (int i = 0; i < RECORDS; i++) {
        world->records[i] = records[i];
        world->records[i].id = world->next_id++;
        world->records[i].is_enabled = true;
        world->records[i].guards.claim = -1;
        enter_record(world, i, keyset_of(world, i));
    }
    for (int i = 0; i < IDENTITIES; i++) {
        world->identities[i] =
            (struct identity){.id = world->next_id++, .name = identity_names[i], .tenant = i % TENANTS};
        draw_identity(&world->identities[i]);
        enter_identity(world, i);
    }
    for (int i = 0; i < ROUTES; i++) {
        world->routes[i] = (struct route){.id = world->next_id++, .name = route_names[i]};
        enter_route(world, &world->routes[i]);
    }
    for (int i = 0; i < GROUPS; i++) {
        enter_group(world, i);
        enter_member(world, i, (int)draw(RECORDS));
    }
}

void world_begin(struct world *world)
{
    *world = (struct world){.next_id = 1, .now = NOW};
    rely_pool_init(&world->pool);
    begin_edition(world);
    world->snapshot->token_max_bytes = RELY_TOKEN_BYTES_MAX;
    world->cache = rely_cache_new(4096);
    put_all(world);
    for (int i = 0; i < TOKENS; i++)
        draw_token(world, &world->tokens[i]);
    for (int i = 0; i < RULES; i++)
        put_new_rule(world, &world->rules[i]);
}

void world_end(struct world *world)
{
    rely_cache_free(world->cache);
    rely_snapshot_free_all(world->snapshot);
    rely_pool_fini(&world->pool);
    mint_reset();
}

/* --- what changes --- */

static void change_rule(struct world *world)
{
    struct rule *rule = &world->rules[draw(RULES)];
    unsigned way = draw(4);
    if (rule->id != 0 && way == 0) {
        rule->is_enabled = !rule->is_enabled;
        enter_rule(world, rule);
        return;
    }
    if (rule->id != 0 && way == 1) {
        rule->is_shadow = !rule->is_shadow;
        enter_rule(world, rule);
        return;
    }
    if (rule->id != 0)
        take_out(world, RELY_OBJECT_CREDENTIAL, rule->id);
    rule->id = 0;
    if (way < 3)
        put_new_rule(world, rule);
}

static void take_out_rules(struct world *world, int identity, int record)
{
    for (struct rule *rule = world->rules; rule < world->rules + RULES; rule++)
        if (rule->id != 0 && (rule->identity == identity || (record >= 0 && rule->record == record))) {
            take_out(world, RELY_OBJECT_CREDENTIAL, rule->id);
            rule->id = 0;
        }
}

/* Another one of the same name takes its place now and then, unless a route names it. */
static void change_identity(struct world *world)
{
    int at = (int)draw(IDENTITIES);
    struct identity *identity = &world->identities[at];
    unsigned named = 0;
    for (int i = 0; i < ROUTES; i++)
        named |= world->routes[i].identities;
    if ((named >> at & 1) == 0 && draw(4) == 0) {
        take_out_rules(world, at, -1);
        take_out(world, RELY_OBJECT_IDENTITY, identity->id);
        identity->id = world->next_id++;
    }
    draw_identity(identity);
    enter_identity(world, at);
}

/* The same of an issuer's record; and its key is another one now and then. */
static void change_record(struct world *world)
{
    int at = (int)draw(RECORDS);
    struct record *record = &world->records[at];
    unsigned named = 0;
    for (int i = 0; i < ROUTES; i++)
        named |= world->routes[i].issuers;
    if ((named >> at & 1) == 0 && draw(4) == 0) {
        take_out_rules(world, -1, at);
        for (int i = 0; i < GROUPS; i++)
            if (world->members[i][at] != 0)
                enter_member(world, i, at);
        take_out(world, RELY_OBJECT_ISSUER, record->id);
        record->id = world->next_id++;
    }
    record->is_enabled = draw(10) > 0;
    record->key = draw(16) == 0 ? 1 : 0;
    draw_guards(world, &record->guards);
    enter_record(world, at, keyset_of(world, at));
}

static void change_revocation(struct world *world)
{
    struct revocation *revocation = &world->revocations[draw(REVOCATIONS)];
    if (revocation->id != 0) {
        take_out(world, RELY_OBJECT_REVOCATION, revocation->id);
        revocation->id = 0;
        return;
    }
    draw_revocation(world, revocation);
    revocation->id = world->next_id++;
    enter_revocation(world, revocation);
}

void world_change(struct world *world)
{
    begin_edition(world);
    world->now += draw(4);
    for (unsigned left = 1 + draw(2); left > 0; left--) {
        unsigned what = draw(32);
        if (what < 18)
            change_rule(world);
        else if (what < 21)
            change_identity(world);
        else if (what < 24)
            enter_member(world, (int)draw(GROUPS), (int)draw(RECORDS));
        else if (what < 27) {
            struct route *route = &world->routes[draw(ROUTES)];
            draw_route(route);
            enter_route(world, route);
        } else if (what < 31)
            change_revocation(world);
        else
            change_record(world);
    }
}

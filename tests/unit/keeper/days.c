/*
 * Simulated days: issuers that rotate, withdraw keys, fall silent and are flooded; administrators who change, move,
 * disable and remove records; a clock that is set, a disk that is full or slow, and relyd that is started anew. What must
 * hold all the while is looked at every five minutes of theirs. Whole (200 issuers, 30 days) under RELYD_TEST_LONG=1;
 * RELYD_TEST_SEED gives other days.
 */
#include "world.h"

#include "../mint/mint.h"
#include "kept.h"

#include "relyd/json.h"
#include "relyd/text.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_MS 300000
#define STEPS_A_DAY 288
#define VERSIONS 4096
#define POOL 32
#define UP_BOUND_MS 3300000    /* 88 % of an hour, or the longest back-off, and the start's minute */
#define ASKED_BOUND_MS 12000   /* a missing key's way into force, when its issuer answers */
#define STORED_BOUND_MS 900000 /* the longest back-off, and the wait for a row of the change log */

struct day_issuer {
    uint32_t version, least;    /* of its keys; those before `least` are of a source that was withdrawn */
    int64_t served_s[VERSIONS]; /* by the wall clock: when this version was handed over last */
    char jwks[2][600];
    int64_t changed_ms; /* since then it answers, with the same keys, for the same record */
    int64_t down_until_ms;
    int64_t asked_ms; /* when a token with its newest key comes; INT64_MAX: none */
    int64_t flooded_until_ms;
    int64_t row_since_ms; /* its keys in force are the same */
    int asked, log_rows;  /* at the last look */
    bool is_unseen;       /* a write of its record has not been shown */
};

struct days {
    struct world *world;
    uint64_t random;
    size_t wanted; /* issuers */
    struct day_issuer issuers[WORLD_ISSUERS_MAX];
    int64_t store_works_since_ms, stores_bad_until_ms;
    int64_t set_ms; /* the clock was set, or relyd was started */
    int restarts;   /* since the last look */
    size_t bytes_most, bytes_allowed;
    int rotations, outages, moves, removals, floods, steps_of_clock;
};

static char pool[POOL][64]; /* public keys */

static uint64_t draw(struct days *days, uint64_t below)
{
    days->random ^= days->random << 13;
    days->random ^= days->random >> 7;
    days->random ^= days->random << 17;
    return days->random % below;
}

/* Of so many steps, about one. */
static bool happens(struct days *days, uint64_t once_in)
{
    return draw(days, once_in) == 0;
}

static void make_pool(void)
{
    for (int i = 0; i < POOL; i++)
        snprintf(pool[i], sizeof pool[i], "%s",
                 mint_base64(mint_key_part(mint_key(mint_print("ed25519#pool%d", i)), "x")));
    mint_reset();
}

/* The next keys of an issuer: the newest, and sometimes the one before. */
static const char *make_next_keys(struct days *days, size_t i)
{
    struct day_issuer *issuer = &days->issuers[i];
    uint32_t version = ++issuer->version;
    char *text = issuer->jwks[version % 2], before[200] = "";
    assert_true(version < VERSIONS);
    if (version - 1 > issuer->least && draw(days, 2) == 0)
        snprintf(before, sizeof before, ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%zu-%u\",\"x\":\"%s\"}", i,
                 version - 1, pool[(i + version - 1) % POOL]);
    snprintf(text, sizeof issuer->jwks[0],
             "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%zu-%u\",\"x\":\"%s\"}%s]}", i, version,
             pool[(i + version) % POOL], before);
    issuer->changed_ms = days->world->now_ms;
    return text;
}

static void note_served_version(struct world *world, size_t i)
{
    struct days *days = world->owner;
    days->issuers[i].served_s[days->issuers[i].version] = world_now_s(world);
}

static bool is_kept(const struct days *days, size_t i)
{
    return days->world->rows[i].id != 0;
}

/* --- what happens ------------------------------------------------------------------------------------------ */

static void add_issuer(struct days *days)
{
    struct world *world = days->world;
    size_t i = world->count;
    days->issuers[i] = (struct day_issuer){.asked_ms = INT64_MAX};
    const char *jwks = make_next_keys(days, i);
    world_add(world, draw(days, 3) == 0 ? RELY_KEYS_DISCOVERY : RELY_KEYS_JWKS_URI, jwks);
    struct world_server *server = &world->servers[i];
    server->is_bare = true;
    server->latency_ms = 5 + (int)draw(days, 1400);
    server->has_etags = draw(days, 2) == 0;
    server->fresh_s = draw(days, 4) == 0 ? (int64_t)draw(days, 7200) : -1;
}

static void rotate_keys(struct days *days, size_t i)
{
    world_rotate(days->world, i, make_next_keys(days, i));
    days->issuers[i].asked_ms = days->world->now_ms + (int64_t)draw(days, 2 * STEP_MS);
    days->rotations++;
}

static void begin_outage(struct days *days, size_t i)
{
    int64_t longest_ms = happens(days, 30) ? INT64_C(10) * 86400000 : 12 * 3600000;
    days->world->servers[i].is_down = true;
    days->issuers[i].down_until_ms = days->world->now_ms + 60000 + (int64_t)draw(days, (uint64_t)longest_ms);
    days->outages++;
}

static void end_outage_when_over(struct days *days, size_t i)
{
    if (days->world->servers[i].is_down && days->world->now_ms >= days->issuers[i].down_until_ms) {
        days->world->servers[i].is_down = false;
        days->issuers[i].changed_ms = days->world->now_ms;
    }
}

/* Another source, with other keys: those of the old one are not to be seen again. */
static void move_record(struct days *days, size_t i)
{
    rotate_keys(days, i);
    days->issuers[i].least = days->issuers[i].version;
    world_move_in_registry(days->world, i);
    days->issuers[i].is_unseen = draw(days, 2) == 0;
    if (!days->issuers[i].is_unseen)
        world_show(days->world, i);
    days->moves++;
}

static void change_record(struct days *days, size_t i)
{
    switch (draw(days, 3)) {
    case 0:
        world_describe(days->world, i);
        break;
    case 1:
        world_disable(days->world, i, !days->world->rows[i].is_disabled);
        break;
    default:
        move_record(days, i);
    }
    days->issuers[i].changed_ms = days->world->now_ms;
}

/* A write that was under way comes. */
static void show_unseen(struct days *days, size_t i)
{
    if (!days->issuers[i].is_unseen)
        return;
    days->issuers[i].is_unseen = false;
    days->issuers[i].changed_ms = days->world->now_ms;
    world_show(days->world, i);
}

static void remove_one(struct days *days)
{
    size_t i = draw(days, days->world->count);
    if (!is_kept(days, i) || days->world->count == WORLD_ISSUERS_MAX)
        return;
    show_unseen(days, i);
    world_remove(days->world, i);
    add_issuer(days);
    days->removals++;
}

static void set_clock(struct days *days)
{
    int64_t most_s = happens(days, 8) ? INT64_C(9) * 86400 : 7200;
    world_step_clock(days->world, (int64_t)draw(days, (uint64_t)(2 * most_s)) - most_s);
    days->set_ms = days->world->now_ms;
    days->steps_of_clock++;
}

static void start_anew(struct days *days)
{
    world_restart(days->world);
    for (size_t i = 0; i < days->world->count; i++)
        days->issuers[i].is_unseen = false;
    days->set_ms = days->world->now_ms;
    days->restarts++;
}

static void spoil_or_mend_stores(struct days *days)
{
    struct world *world = days->world;
    bool were_bad = world->store_fault != RELY_ERR_NONE || world->are_stores_held || world->is_disk_hanging;
    if (were_bad && world->now_ms < days->stores_bad_until_ms)
        return;
    world->store_fault = RELY_ERR_NONE;
    world->are_stores_held = world->is_disk_hanging = false;
    world_answer_stores(world);
    if (were_bad)
        days->store_works_since_ms = world->now_ms;
    if (!happens(days, 2 * STEPS_A_DAY))
        return;
    uint64_t kind = draw(days, 3);
    world->are_stores_held = kind == 0;
    world->is_disk_hanging = kind == 1;
    world->store_fault = kind == 2 ? RELY_ERR_IO : RELY_ERR_NONE;
    days->stores_bad_until_ms = world->now_ms + (int64_t)draw(days, 6 * 3600000);
}

static void happen_to_issuer(struct days *days, size_t i)
{
    end_outage_when_over(days, i);
    show_unseen(days, i);
    if (happens(days, 2 * STEPS_A_DAY))
        rotate_keys(days, i);
    if (happens(days, 5 * STEPS_A_DAY))
        begin_outage(days, i);
    if (happens(days, 10 * STEPS_A_DAY))
        change_record(days, i);
    if (happens(days, 40 * STEPS_A_DAY)) {
        days->issuers[i].flooded_until_ms = days->world->now_ms + (int64_t)draw(days, 4 * STEP_MS);
        days->floods++;
    }
}

/* --- what must hold ---------------------------------------------------------------------------------------- */

/* Which of its versions has the issuer in force? 0: none that lets a token through. */
static uint32_t version_in_force(const struct days *days, size_t i)
{
    const struct rely_issuer *record = world_record(days->world, i);
    uint32_t newest = 0;
    if (record->keyset == NULL || world_now_s(days->world) > record->keys_until_s)
        return 0;
    for (size_t k = 0; k < rely_keyset_count(record->keyset); k++) {
        char kid[40];
        size_t of;
        uint32_t version;
        snprintf(kid, sizeof kid, "%.*s", RELY_ARG(rely_key_kid(rely_keyset_at(record->keyset, k))));
        assert_int_equal(sscanf(kid, "%zu-%u", &of, &version), 2);
        assert_int_equal(of, i); /* nobody else's */
        newest = version > newest ? version : newest;
    }
    return newest;
}

/* No key is in force longer than keys.max_age_s after its issuer last showed it; none of a source that was withdrawn. */
static void check_age(const struct days *days, size_t i, uint32_t version)
{
    const struct day_issuer *issuer = &days->issuers[i];
    if (version == 0 || issuer->is_unseen)
        return;
    assert_true(version >= issuer->least);
    assert_true(issuer->served_s[version] != 0);
    assert_true(world_now_s(days->world) - issuer->served_s[version] <= days->world->config.key_max_age_s);
}

/* A rotation is in force within the bound, once the issuer answers; and what is in force is stored. */
static void check_newest(const struct days *days, size_t i, uint32_t version)
{
    const struct day_issuer *issuer = &days->issuers[i];
    const struct world *world = days->world;
    int64_t since_ms = issuer->changed_ms > days->set_ms ? issuer->changed_ms : days->set_ms;
    if (world->servers[i].is_down)
        return;
    if (world->now_ms - since_ms > UP_BOUND_MS)
        assert_int_equal(version, issuer->version);
    if (days->store_works_since_ms > since_ms)
        since_ms = days->store_works_since_ms;
    if (world->now_ms - since_ms > UP_BOUND_MS + STORED_BOUND_MS && world->store_fault == RELY_ERR_NONE &&
        !world->are_stores_held && !world->is_disk_hanging)
        assert_true(world_has_stored(world, i, world->servers[i].jwks));
}

/* Every issuer is being fetched, or will be: none is forgotten. */
static void check_awake(const struct days *days, size_t i)
{
    const struct rely_keeper_issuer *kept = rely_keeper_find(days->world->keeper, days->world->rows[i].id);
    assert_non_null(kept);
    assert_true(kept->is_fetching != (kept->timer.slot != 0));
    assert_false(kept->is_removed);
}

/* Five minutes of asks cost an issuer no more than one fetch a cooldown, and a change log no more than 12 rows an hour. */
static void check_costs(struct days *days, size_t i)
{
    struct day_issuer *issuer = &days->issuers[i];
    const struct world_server *server = &days->world->servers[i];
    int asked = server->asked - issuer->asked, rows = days->world->rows[i].log_rows - issuer->log_rows;
    int steps_s = STEP_MS / 1000, each = days->world->rows[i].kind == RELY_KEYS_DISCOVERY ? 2 : 1;
    bool is_flooded = issuer->flooded_until_ms > days->world->now_ms - STEP_MS;
    assert_in_range(asked, 0, each * ((is_flooded ? steps_s : 12) + 3 * (1 + days->restarts) + 6));
    assert_in_range(rows, 0, 5 + 5 * days->restarts);
    issuer->asked = server->asked;
    issuer->log_rows = days->world->rows[i].log_rows;
}

static size_t bytes_in_use(void)
{
#if defined(__SANITIZE_ADDRESS__)
    extern size_t __sanitizer_get_current_allocated_bytes(void);
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

static void check_memory(struct days *days)
{
    size_t bytes = bytes_in_use();
    days->bytes_most = bytes > days->bytes_most ? bytes : days->bytes_most;
    if (days->bytes_allowed != 0)
        assert_in_range(bytes, 0, days->bytes_allowed);
    assert_true(rely_keeper_count(days->world->keeper).unstored <= days->world->count);
}

static void check_everything(struct days *days)
{
    for (size_t i = 0; i < days->world->count; i++) {
        if (!is_kept(days, i))
            continue;
        uint32_t version = version_in_force(days, i);
        check_age(days, i, version);
        check_newest(days, i, version);
        check_awake(days, i);
        check_costs(days, i);
    }
    check_memory(days);
    days->restarts = 0;
}

/* --- the days ---------------------------------------------------------------------------------------------- */

/* A token with the newest key of an issuer that has been answering: its key is in force soon. */
static void come_with_newest_key(struct days *days, size_t i)
{
    struct world *world = days->world;
    struct day_issuer *issuer = &days->issuers[i];
    bool answers = !world->servers[i].is_down && rely_keeper_find(world->keeper, world->rows[i].id)->failures == 0;
    issuer->asked_ms = INT64_MAX;
    if (version_in_force(days, i) == issuer->version)
        return;
    world_ask(world, i);
    world_run_ms(world, ASKED_BOUND_MS);
    if (answers && issuer->flooded_until_ms < world->now_ms - STEP_MS)
        assert_int_equal(version_in_force(days, i), issuer->version);
}

static void come_all(struct days *days)
{
    for (size_t i = 0; i < days->world->count; i++) {
        if (!is_kept(days, i))
            continue;
        if (days->world->now_ms >= days->issuers[i].asked_ms)
            come_with_newest_key(days, i);
        if (days->world->now_ms < days->issuers[i].flooded_until_ms)
            world_ask(days->world, i);
    }
}

static void run_step(struct days *days)
{
    struct world *world = days->world;
    int64_t end_ms = world->now_ms + STEP_MS;
    for (size_t i = 0; i < world->count; i++)
        if (is_kept(days, i))
            happen_to_issuer(days, i);
    spoil_or_mend_stores(days);
    if (happens(days, STEPS_A_DAY))
        remove_one(days);
    if (happens(days, 2 * STEPS_A_DAY))
        set_clock(days);
    if (happens(days, 2 * STEPS_A_DAY))
        start_anew(days);
    while (world->now_ms < end_ms) {
        come_all(days);
        if (world->now_ms < end_ms)
            world_run_ms(world,
                         end_ms - world->now_ms < 500 ? end_ms - world->now_ms : 500 + (int64_t)draw(days, 20000));
    }
    check_everything(days);
}

static void run_days(struct days *days, int count)
{
    for (int step = 0; step < count * STEPS_A_DAY; step++) {
        run_step(days);
        /* what two days have taken, and half as much again, is enough for all others: but for those that are added */
        if (step == 2 * STEPS_A_DAY)
            days->bytes_allowed = days->bytes_most + days->bytes_most / 2;
    }
}

static void test_simulated_days(void **state)
{
    (void)state;
    const char *seed = getenv("RELYD_TEST_SEED");
    bool is_whole = getenv("RELYD_TEST_LONG") != NULL;
    struct days *days = rely_alloc(sizeof *days);
    make_pool();
    days->random = 88172645463325252ULL + (seed == NULL ? 0 : strtoull(seed, NULL, 10));
    days->wanted = is_whole ? 200 : 15;
    days->world = world_new();
    days->world->owner = days;
    days->world->note_served = note_served_version;
    for (size_t i = 0; i < days->wanted; i++)
        add_issuer(days);
    world_start(days->world);
    run_days(days, is_whole ? 30 : 4);
    print_message("%d rotations, %d outages, %d moves, %d removals, %d floods, %d steps of the clock\n",
                  days->rotations, days->outages, days->moves, days->removals, days->floods, days->steps_of_clock);
    world_free(days->world);
    free(days);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_simulated_days)};
    rely_json_init();
    return cmocka_run_group_tests_name("keeper: days", tests, NULL, NULL);
}

/*
 * What failed tries of a record's keys may cost in a second. Every token may have its base price: the keys of its `kid`
 * that have verified before, or one, when that is an ordinary one. So strangers, who can use the rest up, refuse nobody
 * but tokens without `kid`. The state is the caller's, the clock a parameter. Called by signature.c.
 */
#include "relyd/keys.h"
#include "steps.h"

#define PROBES 8
/* With nothing left, so many tokens have one of the other keys tried, each in its turn: a key that is used for the
 * first time has verified soon, and is in the base price from then on. */
#define ANOTHER_EVERY 8

/* The place of a record: its own, or a free or outdated one that becomes its own. Where all near ones are taken it
 * shares the last with others, and is refused too early rather than never. */
static struct rely_try_place *find_place(struct rely_try_budget *budget, int64_t issuer_id, int64_t now_s)
{
    size_t start = (size_t)((uint64_t)issuer_id * 0x9e3779b97f4a7c15ULL >> 32);
    struct rely_try_place *free_place = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct rely_try_place *place = &budget->places[(start + i) % RELY_TRY_BUDGET_RECORDS];
        if (place->issuer_id == issuer_id && place->second == now_s)
            return place;
        if (free_place == NULL && (place->issuer_id == 0 || place->second != now_s))
            free_place = place;
    }
    if (free_place == NULL) {
        free_place = &budget->places[RELY_TRY_BUDGET_RECORDS];
        if (free_place->second == now_s)
            return free_place;
    }
    *free_place = (struct rely_try_place){.issuer_id = issuer_id, .second = now_s};
    return free_place;
}

/* --- before the tries ----------------------------------------------------------------------------------------- */

static void swap_keys(struct rely_candidate *candidate, size_t a, size_t b)
{
    const struct rely_key *key = candidate->keys[a];
    candidate->keys[a] = candidate->keys[b];
    candidate->keys[b] = key;
}

/* Those that have verified before, to the front. Returns how many. */
static size_t bring_proven_forward(struct rely_candidate *candidate)
{
    size_t proven = 0;
    for (size_t i = 0; i < candidate->key_count; i++)
        if (rely_signature_has_verified(candidate->keys[i]))
            swap_keys(candidate, i, proven++);
    return proven;
}

static bool is_ordinary(const struct rely_key *key)
{
    return rely_key_cost(key) <= RELY_ORDINARY_KEY_COST;
}

/* Scattered (the end of MurmurHash3), so that no rhythm of requests meets the same key each time. */
static uint32_t scatter_turn(uint32_t turn)
{
    turn = (turn ^ turn >> 16) * 0x85ebca6bU;
    turn = (turn ^ turn >> 13) * 0xc2b2ae35U;
    return turn ^ turn >> 16;
}

/* Nothing is left: the proven keys alone, and one of the others, always where that is the base price, else for one
 * token of each ANOTHER_EVERY. */
static void leave_out_others(struct rely_candidate *candidate, size_t proven, struct rely_try_place *place)
{
    uint32_t turn = place->turns++, others = (uint32_t)(candidate->key_count - proven);
    bool is_base = candidate->base_count > proven;
    uint32_t chance = scatter_turn(is_base ? turn : turn / ANOTHER_EVERY);
    bool is_its_turn = turn % ANOTHER_EVERY == chance % ANOTHER_EVERY;
    swap_keys(candidate, proven, proven + chance / ANOTHER_EVERY % others);
    candidate->try_count = proven + (is_base || is_its_turn ? 1 : 0);
}

static void plan_named(struct rely_try_budget *budget, struct rely_candidate *candidate, int64_t now_s)
{
    candidate->base_count = 1;
    if (candidate->key_count == 1 && is_ordinary(candidate->keys[0]))
        return; /* nearly every token there is */
    size_t proven = bring_proven_forward(candidate);
    candidate->base_count = proven > 0 ? proven : is_ordinary(candidate->keys[0]) ? 1 : 0;
    if (candidate->base_count == candidate->key_count)
        return;
    struct rely_try_place *place = find_place(budget, candidate->issuer->id, now_s);
    if (place->failures >= budget->limit)
        leave_out_others(candidate, proven, place);
}

static enum rely_reason plan_nameless(struct rely_try_budget *budget, struct rely_candidate *candidate, int64_t now_s,
                                      struct rely_detail *detail)
{
    candidate->base_count = 0;
    if (find_place(budget, candidate->issuer->id, now_s)->failures < budget->limit)
        return RELY_OK;
    return rely_refuse(detail, RELY_OVERLOADED,
                       "%u tries have failed for issuer %.*s in this second: none of a token without kid before the "
                       "next",
                       budget->limit, RELY_ARG(candidate->issuer->name));
}

enum rely_reason rely_budget_plan(struct rely_try_budget *budget, struct rely_review *review)
{
    for (size_t i = 0; i < review->candidate_count; i++) {
        struct rely_candidate *candidate = &review->candidates[i];
        enum rely_reason reason = RELY_OK;
        if (candidate->is_left_out || candidate->key_count == 0)
            continue;
        if (review->token.kid.ptr != NULL)
            plan_named(budget, candidate, review->now_s);
        else
            reason = plan_nameless(budget, candidate, review->now_s, &review->decision.detail);
        if (reason != RELY_OK)
            return reason;
    }
    return RELY_OK;
}

/* --- behind them ------------------------------------------------------------------------------------------------ */

uint32_t rely_budget_price(const struct rely_unverified *token, const struct rely_key *key)
{
    return (rely_signature_cost_of_refusal(token, key) + RELY_ORDINARY_KEY_COST - 1) / RELY_ORDINARY_KEY_COST;
}

void rely_budget_charge(struct rely_try_budget *budget, const struct rely_review *review)
{
    for (size_t i = 0; i < review->candidate_count; i++) {
        const struct rely_candidate *candidate = &review->candidates[i];
        if (candidate->failures > 0)
            find_place(budget, candidate->issuer->id, review->now_s)->failures += candidate->failures;
    }
}

/*
 * How many failed tries of tokens without `kid` a record has left in this second. The state is the caller's, the clock
 * a parameter. Called by signers.c.
 */
#include "steps.h"

#define PROBES 8

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

enum rely_reason rely_budget_check(struct rely_try_budget *budget, struct rely_review *review)
{
    for (size_t i = 0; i < review->candidate_count; i++) {
        const struct rely_candidate *candidate = &review->candidates[i];
        if (candidate->is_left_out || candidate->key_count == 0)
            continue;
        if (find_place(budget, candidate->issuer->id, review->now_s)->failures >= budget->limit)
            return rely_refuse(&review->decision.detail, RELY_OVERLOADED,
                               "%u tries of tokens without kid have failed for issuer %.*s in this second: no more "
                               "before the next",
                               budget->limit, RELY_ARG(candidate->issuer->name));
    }
    return RELY_OK;
}

void rely_budget_charge(struct rely_try_budget *budget, const struct rely_review *review)
{
    for (size_t i = 0; i < review->candidate_count; i++) {
        const struct rely_candidate *candidate = &review->candidates[i];
        if (!candidate->is_left_out && candidate->key_count > 0)
            find_place(budget, candidate->issuer->id, review->now_s)->failures += (uint32_t)candidate->key_count;
    }
}

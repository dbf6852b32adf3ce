/*
 * Begins and ends the keeping: whose keys are fetched first when relyd starts, and what is still to be stored when it
 * stops. Called by control/.
 */
#include "kept.h"

#include <stdlib.h>

/* At the start issuers without keys are fetched within this, before the others. */
#define URGENT_START_MS 200
/* Whose keys have become too old by a setting are fetched within this. */
#define LEAST_HASTE_MS 60000

struct rely_keeper *rely_keeper_new(const struct rely_config *config, struct rely_log_ring *ring,
                                    const struct rely_keeper_hooks *hooks)
{
    struct rely_keeper *keeper = rely_alloc(sizeof *keeper);
    *keeper = (struct rely_keeper){.config = config, .ring = ring, .hooks = *hooks};
    return keeper;
}

struct rely_keeper_counts rely_keeper_count(const struct rely_keeper *keeper)
{
    const struct rely_keeper_counts *counts = &keeper->counts;
    struct rely_keeper_counts read = {.fetches_ok = __atomic_load_n(&counts->fetches_ok, __ATOMIC_RELAXED),
                                      .fetches_failed = __atomic_load_n(&counts->fetches_failed, __ATOMIC_RELAXED),
                                      .new_keys = __atomic_load_n(&counts->new_keys, __ATOMIC_RELAXED),
                                      .held_back = __atomic_load_n(&counts->held_back, __ATOMIC_RELAXED),
                                      .unstored = __atomic_load_n(&counts->unstored, __ATOMIC_RELAXED)};
    for (int cause = RELY_CAUSE_NONE; cause < RELY_CAUSE_COUNT; cause++)
        read.failed_by[cause] = __atomic_load_n(&counts->failed_by[cause], __ATOMIC_RELAXED);
    return read;
}

/* --- start --------------------------------------------------------------------------------------------- */

/* The issuers to fetch at the start. */
struct start_list {
    struct rely_keeper *keeper;
    const struct rely_issuer **issuers; /* owned, with room for all */
    size_t count;
};

/* Looking at thousands of uploaded key sets that cannot be fetched would only take time from the first reviews. */
static bool list_for_start(const void *item, void *context)
{
    const struct rely_issuer *row = item;
    struct start_list *list = context;
    struct rely_keeper_issuer *issuer = rely_keeper_add(list->keeper, row->id);
    issuer->noted_s = row->keys_fetched_s;
    rely_keeper_follow_names(issuer, row);
    if (!row->has_uploaded_keys)
        list->issuers[list->count++] = row;
    return true;
}

static bool is_in_force(const struct rely_issuer *issuer, int64_t now_s)
{
    return issuer->keyset != NULL && now_s <= issuer->keys_until_s;
}

static int order_by_age(const void *a, const void *b)
{
    const struct rely_issuer *one = *(const struct rely_issuer *const *)a;
    const struct rely_issuer *other = *(const struct rely_issuer *const *)b;
    if (one->keys_fetched_s != other->keys_fetched_s)
        return one->keys_fetched_s < other->keys_fetched_s ? -1 : 1;
    return one->id < other->id ? -1 : 1;
}

/* To the front, in no order, those whose tokens are refused until they have keys; and those that somebody fetched in
 * the future, since nobody knows how old they are. Returns how many. */
static size_t gather_urgent(const struct start_list *list, int64_t now_s)
{
    size_t urgent = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct rely_issuer *issuer = list->issuers[i];
        if (is_in_force(issuer, now_s) && issuer->keys_fetched_s <= now_s)
            continue;
        list->issuers[i] = list->issuers[urgent];
        list->issuers[urgent++] = issuer;
    }
    return urgent;
}

/* First those whose tokens are refused until then, and next the oldest: what is in force longest unseen may have been
 * withdrawn longest. */
static void schedule_start(const struct start_list *list)
{
    int64_t now_s = rely_keeper_now_s(list->keeper);
    size_t urgent = gather_urgent(list, now_s);
    qsort(list->issuers + urgent, list->count - urgent, sizeof(const struct rely_issuer *), order_by_age);
    for (size_t i = 0; i < list->count; i++) {
        uint64_t random = rely_keeper_random(list->keeper);
        int64_t delay_ms = i < urgent ? (int64_t)(random % URGENT_START_MS)
                                      : URGENT_START_MS + rely_plan_start_ms(i - urgent, list->count - urgent, random);
        rely_keeper_schedule(rely_keeper_find(list->keeper, list->issuers[i]->id), delay_ms);
    }
}

void rely_keeper_start(struct rely_keeper *keeper)
{
    const struct rely_map *issuers = &rely_keeper_snapshot(keeper)->issuers_by_id;
    struct start_list list = {keeper, rely_alloc((issuers->count + 1) * sizeof(const struct rely_issuer *)), 0};
    rely_map_each(issuers, list_for_start, &list);
    schedule_start(&list);
    free(list.issuers);
}

/* --- another greatest age --------------------------------------------------------------------------------- */

/* Four fifths of what is left, as for every fetch; and where nothing is left, spread over a minute. */
static bool hasten_before_end(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = rely_as_owner(item);
    struct rely_keeper *keeper = context;
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (record == NULL || record->has_uploaded_keys || issuer->is_fetching || issuer->failures > 0)
        return true;
    int64_t left_ms = (record->keys_until_s - rely_keeper_now_s(keeper)) * 800;
    int64_t delay_ms = left_ms > LEAST_HASTE_MS ? left_ms : (int64_t)(rely_keeper_random(keeper) % LEAST_HASTE_MS);
    if (rely_keeper_now_ms(keeper) + delay_ms < issuer->due_ms)
        rely_keeper_schedule(issuer, delay_ms);
    return true;
}

void rely_keeper_note_max_age(struct rely_keeper *keeper)
{
    rely_map_each(&keeper->issuers, hasten_before_end, keeper);
}

/* --- stop ---------------------------------------------------------------------------------------------- */

static bool stop_keeping(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = rely_as_owner(item);
    rely_keeper_cancel_timer(context, &issuer->timer);
    rely_keeper_drop_waiters(issuer);
    rely_keeper_store_last(issuer);
    return true;
}

void rely_keeper_stop(struct rely_keeper *keeper)
{
    keeper->is_stopping = true;
    rely_map_each(&keeper->issuers, stop_keeping, keeper);
}

static bool free_kept_issuer(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = rely_as_owner(item);
    (void)context;
    rely_keeper_drop_unstored(issuer);
    rely_keeper_forget_fetched(issuer);
    rely_keeper_forget_held(issuer);
    rely_keeper_forget_course(issuer);
    free(issuer->names);
    free(issuer);
    return true;
}

void rely_keeper_free(struct rely_keeper *keeper)
{
    if (keeper == NULL)
        return;
    rely_map_each(&keeper->issuers, free_kept_issuer, NULL);
    rely_map_fini(&keeper->issuers);
    free(keeper);
}

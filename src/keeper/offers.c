/*
 * Keys that become free: of records with the same iss one alone has a key (repeats.c), and when that lets it go, those
 * that did without it fetch once more. Called by keeper.c, when a record is another one and when a fetch is over.
 */
#include "kept.h"

#include <stdlib.h>

/* --- under which names ------------------------------------------------------------------------------------ */

static struct rely_kept_names *copy_names(const struct rely_issuer *record)
{
    size_t count = rely_issuer_name_count(record), text = 0;
    for (size_t i = 0; i < count; i++)
        text += rely_issuer_name_at(record, i).len;
    struct rely_kept_names *names = rely_alloc(sizeof *names + count * sizeof names->items[0] + text);
    char *next = (char *)(names->items + count);
    for (size_t i = 0; i < count; i++) {
        struct rely_slice name = rely_issuer_name_at(record, i);
        if (name.ptr == NULL)
            continue;
        memcpy(next, name.ptr, name.len);
        names->items[names->count++] = rely_slice(next, name.len);
        next += name.len;
    }
    return names;
}

/* Of the names under which it had keys in force until now those stay under which they are free. */
static void keep_free_names(struct rely_kept_names *names, const struct rely_issuer *record)
{
    size_t kept = 0;
    for (size_t i = 0; names != NULL && i < names->count; i++)
        if (record == NULL || !record->is_enabled ||
            rely_issuer_name_index(record, names->items[i]) == rely_issuer_name_count(record))
            names->items[kept++] = names->items[i];
    if (names != NULL)
        names->count = kept;
}

struct rely_kept_names *rely_keeper_follow_names(struct rely_keeper_issuer *issuer, const struct rely_issuer *record)
{
    struct rely_kept_names *before = issuer->names;
    issuer->names = record == NULL ? NULL : copy_names(record);
    keep_free_names(before, record);
    return before;
}

/* --- to whom ---------------------------------------------------------------------------------------------- */

static bool has_free_keys(const struct rely_keeper_issuer *issuer, const struct rely_issuer *record)
{
    return record != NULL && !record->has_uploaded_keys &&
           rely_repeats_are_free(rely_keeper_snapshot(issuer->keeper), record, rely_keeper_now_s(issuer->keeper));
}

/* Another record's fetch has: within the buckets, however often its issuer changes its keys. One that does not answer is
 * not asked sooner for that, and what is under way will be judged by the newest edition. */
static void offer_in_turn(struct rely_keeper_issuer *issuer)
{
    struct rely_keeper *keeper = issuer->keeper;
    int64_t now_ms = rely_keeper_now_ms(keeper);
    if (issuer->is_fetching || issuer->is_offered || issuer->failures > 0)
        return;
    issuer->is_offered = true;
    int64_t wait_ms = rely_plan_offer(&keeper->asks, &issuer->asker, keeper->config->key_miss_cooldown_ms, now_ms);
    if (now_ms + wait_ms < issuer->due_ms)
        rely_keeper_schedule(issuer, wait_ms);
}

/* Those records of this iss that did without a key which nobody has now fetch once more. */
static void offer_keys(struct rely_keeper *keeper, struct rely_slice name,
                       void (*offer)(struct rely_keeper_issuer *issuer))
{
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(rely_keeper_snapshot(keeper), name);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        struct rely_keeper_issuer *sibling = rely_keeper_find(keeper, set->members[i]->id);
        if (sibling != NULL && has_free_keys(sibling, set->members[i]))
            offer(sibling);
    }
}

void rely_keeper_offer_freed(struct rely_keeper *keeper, const struct rely_kept_names *names)
{
    for (size_t i = 0; names != NULL && i < names->count; i++)
        offer_keys(keeper, names->items[i], rely_keeper_hasten);
}

void rely_keeper_offer_keys_of(struct rely_keeper_issuer *issuer)
{
    for (size_t i = 0; issuer->names != NULL && i < issuer->names->count; i++)
        offer_keys(issuer->keeper, issuer->names->items[i], offer_in_turn);
}

/* Has the record lost keys: by a rotation, by their age, or by another source, which is asked first so that it may have
 * them again? */
void rely_keeper_offer_after_fetch(struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (record == NULL)
        return;
    if (issuer->has_news || rely_keeper_now_s(issuer->keeper) > record->keys_until_s)
        rely_keeper_offer_keys_of(issuer);
}

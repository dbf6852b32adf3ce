/*
 * What a worker remembers of issuers whose keys it has asked for, so that a flood of tokens with unknown keys does not
 * reach the control thread: whether an answer is on its way, and how long it is useless to ask again. Each issuer has
 * an entry of its own: none throws another's out. Decides when the control thread is asked. Called by reviewer.c.
 */
#include "reviewer.h"

#include "relyd/notice.h"

#include <stdlib.h>

/* There are as many at most as issuers were ever registered with this process, 100,000 at a time: entries of issuers
 * that are gone go with the last word about them. */
struct rely_cooldown {
    int64_t issuer_id;
    bool is_asked;    /* the control thread has been asked and has not answered yet */
    int64_t until_ms; /* monotonic: asking before that is useless */
};

/* Only the control thread's snapshots need the retired: this map has one edition. */
static struct rely_edit edit_in_place(struct rely_retired *unused)
{
    return (struct rely_edit){1, unused};
}

static uint64_t hash_issuer_of_cooldown(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

static struct rely_cooldown *find_cooldown(const struct rely_reviewer *reviewer, int64_t issuer_id)
{
    size_t cursor = 0;
    const struct rely_cooldown *cooldown;
    do
        cooldown = rely_map_find(&reviewer->cooldowns, hash_issuer_of_cooldown(issuer_id), &cursor);
    while (cooldown != NULL && cooldown->issuer_id != issuer_id);
    return rely_as_owner(cooldown);
}

static struct rely_cooldown *make_cooldown(struct rely_reviewer *reviewer, int64_t issuer_id)
{
    struct rely_cooldown *cooldown = find_cooldown(reviewer, issuer_id);
    struct rely_retired unused = {0};
    struct rely_edit edit = edit_in_place(&unused);
    if (cooldown != NULL)
        return cooldown;
    cooldown = rely_alloc(sizeof *cooldown);
    cooldown->issuer_id = issuer_id;
    rely_map_put(&reviewer->cooldowns, &edit, hash_issuer_of_cooldown(issuer_id), cooldown);
    return cooldown;
}

bool rely_cooldown_ask(struct rely_reviewer *reviewer, int64_t issuer_id, int64_t now_ms)
{
    struct rely_cooldown *cooldown = make_cooldown(reviewer, issuer_id);
    if (cooldown->is_asked)
        return true;
    /* a fetch that comes within the time that a review may wait is worth asking for */
    if (now_ms < cooldown->until_ms - reviewer->key_wait_ms)
        return false;
    cooldown->is_asked = true;
    reviewer->hooks.ask_for_keys(reviewer->hooks.service, issuer_id);
    return true;
}

void rely_cooldown_set(struct rely_reviewer *reviewer, int64_t issuer_id, const struct rely_key_notice *notice,
                       int64_t now_ms)
{
    struct rely_cooldown *cooldown = make_cooldown(reviewer, issuer_id);
    struct rely_retired unused = {0};
    struct rely_edit edit = edit_in_place(&unused);
    cooldown->is_asked = false;
    cooldown->until_ms = now_ms + notice->miss_ms;
    if (rely_snapshot_issuer(reviewer->snapshot, issuer_id) != NULL)
        return;
    rely_map_remove(&reviewer->cooldowns, &edit, hash_issuer_of_cooldown(issuer_id), cooldown);
    free(cooldown);
}

static bool free_cooldown(const void *item, void *context)
{
    (void)context;
    free(rely_as_owner(item));
    return true;
}

void rely_cooldowns_fini(struct rely_reviewer *reviewer)
{
    rely_map_each(&reviewer->cooldowns, free_cooldown, NULL);
    rely_map_fini(&reviewer->cooldowns);
}

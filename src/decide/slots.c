/*
 * What is remembered of a token's claims: all that it says in those that any rule or route asks for, so that a remembered
 * token is judged and answered as one that has just come. Decides what is too much to be remembered. Called by cache.c.
 */
#include "steps.h"

#include "relyd/cache.h"
#include "relyd/expressions.h"
#include "relyd/pool.h"
#include "relyd/said.h"

#include <stdlib.h>

#define SLOTS_MAX 32

_Static_assert(RELY_CACHE_ENTRY_BYTES / sizeof(struct rely_slice) < RELY_ITEMS_SOUGHT_MAX,
               "of a remembered token rules are looked up by all items of a list, as when it came");
#define ASKED_MAX 256 /* each is looked for in a token that is to be remembered */

/* What is to be kept, in the request's pool. */
struct gathering {
    const struct rely_verified *verified;
    struct rely_slice subject; /* the claim that is it */
    struct rely_pool *pool;
    struct rely_claim_slot items[SLOTS_MAX];
    size_t count, texts, bytes; /* texts: how many; bytes: of claims and texts */
    bool is_too_much;
};

static void gather_claim(struct rely_slice claim, void *context)
{
    struct gathering *gathering = context;
    const struct rely_view *claims = &gathering->verified->claims;
    if (gathering->is_too_much || rely_slice_equal(claim, gathering->subject))
        return;
    const struct rely_claim_value value = rely_claim_said(claims, claim, gathering->pool);
    if (value.count == 0)
        return;
    if (gathering->count == SLOTS_MAX) {
        gathering->is_too_much = true;
        return;
    }
    gathering->items[gathering->count++] = (struct rely_claim_slot){claim, value, rely_claim_is_mixed(claims, claim)};
    gathering->texts += value.count;
    gathering->bytes += claim.len;
    for (size_t i = 0; i < value.count; i++)
        gathering->bytes += value.texts[i].len;
}

static struct rely_slice put_slot_text(struct rely_slice text, char **next)
{
    struct rely_slice put = rely_slice(*next, text.len);
    if (text.len > 0)
        memcpy(*next, text.ptr, text.len);
    *next += text.len;
    return put;
}

struct rely_claim_slots *rely_claim_slots_keep(const struct rely_snapshot *snapshot,
                                               const struct rely_verified *verified, struct rely_slice subject,
                                               struct rely_pool *pool, size_t most)
{
    struct gathering gathering = {.verified = verified, .subject = subject, .pool = pool};
    if (snapshot->asked_count > ASKED_MAX)
        return NULL;
    rely_snapshot_each_asked_claim(snapshot, gather_claim, &gathering);
    size_t arrays = gathering.count * sizeof(struct rely_claim_slot) + gathering.texts * sizeof(struct rely_slice);
    size_t bytes = sizeof(struct rely_claim_slots) + arrays + gathering.bytes;
    if (gathering.is_too_much || bytes > most)
        return NULL;
    struct rely_claim_slots *slots = rely_alloc(bytes);
    struct rely_slice *texts = (struct rely_slice *)(slots->items + gathering.count);
    char *next = (char *)(texts + gathering.texts);
    slots->count = gathering.count;
    slots->bytes = bytes;
    for (size_t i = 0; i < gathering.count; i++) {
        const struct rely_claim_slot *from = &gathering.items[i];
        slots->items[i] =
            (struct rely_claim_slot){put_slot_text(from->claim, &next), {texts, from->value.count}, from->is_mixed};
        for (size_t k = 0; k < from->value.count; k++)
            *texts++ = put_slot_text(from->value.texts[k], &next);
    }
    return slots;
}

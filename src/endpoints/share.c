/*
 * How much of the room for waiting requests the tokens of one `iss` hold, so that an issuer that says nothing leaves
 * places for the others. Decides whether there is room. Called by waiting.c.
 */
#include "reviewer.h"

#include "relyd/text.h"

#include <stdlib.h>

/* Of one `iss`: there while a request of it waits. */
struct rely_waiting_share {
    struct rely_waiting_share *next; /* owned: of the same bucket */
    uint64_t hash; /* of the iss. Two that share it share the room, which refuses too early at worst */
    size_t count, bytes;
};

static struct rely_waiting_share **find_share(struct rely_waiting_list *list, uint64_t hash)
{
    struct rely_waiting_share **place = &list->shares[hash % RELY_WAITING_BUCKETS];
    while (*place != NULL && (*place)->hash != hash)
        place = &(*place)->next;
    return place;
}

/* Nobody may hold more than he leaves to the others. So one issuer gets half of the room, two a third each and n of
 * them n/(n + 1) together: whoever comes next finds a place. */
bool rely_share_has_room(struct rely_waiting_list *list, struct rely_slice iss, const struct rely_waiting_need *need)
{
    const struct rely_waiting_share *share = *find_share(list, rely_hash(iss, 0));
    size_t count = share == NULL ? 0 : share->count, held = share == NULL ? 0 : share->bytes;
    return count + need->places <= RELY_WAITING_MAX - list->count &&
           held + need->bytes <= RELY_WAITING_BYTES_MAX - list->bytes;
}

struct rely_waiting_share *rely_share_take(struct rely_waiting_list *list, struct rely_slice iss,
                                           const struct rely_waiting_need *need)
{
    uint64_t hash = rely_hash(iss, 0);
    struct rely_waiting_share **place = find_share(list, hash);
    if (*place == NULL) {
        *place = rely_alloc(sizeof **place);
        (*place)->hash = hash;
    }
    (*place)->count += need->places;
    (*place)->bytes += need->bytes;
    list->count += need->places;
    list->bytes += need->bytes;
    return *place;
}

void rely_share_give_back(struct rely_waiting_list *list, struct rely_waiting_share *share,
                          const struct rely_waiting_need *need)
{
    list->count -= need->places;
    list->bytes -= need->bytes;
    share->count -= need->places;
    share->bytes -= need->bytes;
    if (share->bytes > 0)
        return;
    *find_share(list, share->hash) = share->next;
    free(share);
}

/*
 * Decides whose turn it is: each kind of fetch has places of its own, each origin at most a part of them, and origins
 * take turns. So a key that a review waits for never stands behind hundreds of issuers that do not answer. Knows
 * nothing of threads or libcurl. Called by fetcher.c under its lock.
 */
#include "turns.h"

#include <stdlib.h>

#include "transfer.h"

/* One origin within one kind: exists while something waits or runs. */
struct origin_line {
    struct origin_line *next_in_bucket;
    struct origin_line *next, *previous; /* in the kind's ring */
    bool is_in_ring;
    enum rely_fetch_kind kind;
    uint64_t hash;
    char *origin;                 /* owned */
    struct transfer_list waiting; /* owned transfers */
    size_t running;
};

void rely_transfers_append(struct transfer_list *list, struct transfer *transfer)
{
    transfer->next = NULL;
    transfer->previous = list->last;
    if (list->last == NULL)
        list->first = transfer;
    else
        list->last->next = transfer;
    list->last = transfer;
    list->count++;
}

void rely_transfers_remove(struct transfer_list *list, struct transfer *transfer)
{
    if (transfer->previous == NULL)
        list->first = transfer->next;
    else
        transfer->previous->next = transfer->next;
    if (transfer->next == NULL)
        list->last = transfer->previous;
    else
        transfer->next->previous = transfer->previous;
    list->count--;
}

static size_t at_least_one(size_t places)
{
    return places == 0 ? 1 : places;
}

size_t rely_turns_places(const struct turns *turns, enum rely_fetch_kind kind)
{
    /* Descriptors and memory are what they cost. A silent issuer holds one for the whole of its time. */
    static const size_t places[RELY_FETCH_KIND_COUNT] = {
        [RELY_FETCH_REFRESH] = RELY_FETCH_PLACES_REFRESH, [RELY_FETCH_WANTED] = RELY_FETCH_PLACES_WANTED,
        [RELY_FETCH_FIRST] = RELY_FETCH_PLACES_FIRST,     [RELY_FETCH_RETRY] = RELY_FETCH_PLACES_RETRY,
        [RELY_FETCH_LIVE] = RELY_FETCH_PLACES_LIVE,       [RELY_FETCH_DOUBTED] = RELY_FETCH_PLACES_DOUBTED};
    RELY_ASSERT((unsigned)kind < RELY_FETCH_KIND_COUNT);
    size_t all = turns->places == 0 ? RELY_FETCH_PLACES : turns->places;
    return at_least_one(places[kind] * all / RELY_FETCH_PLACES);
}

static size_t count_places_of_origin(const struct turns *turns, enum rely_fetch_kind kind)
{
    return at_least_one(rely_turns_places(turns, kind) / 2);
}

/* FNV-1a: registered URLs only, and the lines of a bucket are compared by name. */
static uint64_t hash_line(enum rely_fetch_kind kind, const char *origin)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ (uint64_t)kind;
    for (; *origin != '\0'; origin++)
        hash = (hash ^ (uint8_t)*origin) * 0x100000001b3ULL;
    return hash;
}

static struct origin_line *find_line(struct turns *turns, const struct transfer *transfer)
{
    uint64_t hash = hash_line(transfer->kind, transfer->origin);
    struct origin_line **bucket = &turns->buckets[hash % FETCH_ORIGIN_BUCKETS];
    for (struct origin_line *line = *bucket; line != NULL; line = line->next_in_bucket)
        if (line->hash == hash && line->kind == transfer->kind && strcmp(line->origin, transfer->origin) == 0)
            return line;
    struct origin_line *line = rely_alloc(sizeof(*line));
    line->kind = transfer->kind;
    line->hash = hash;
    line->origin = rely_strdup_slice(rely_slice_of(transfer->origin));
    line->next_in_bucket = *bucket;
    *bucket = line;
    return line;
}

static void free_line(struct turns *turns, struct origin_line *line)
{
    struct origin_line **at = &turns->buckets[line->hash % FETCH_ORIGIN_BUCKETS];
    while (*at != line)
        at = &(*at)->next_in_bucket;
    *at = line->next_in_bucket;
    free(line->origin);
    free(line);
}

static void leave_ring(struct kind_turns *ring, struct origin_line *line)
{
    if (line->previous == NULL)
        ring->first = line->next;
    else
        line->previous->next = line->next;
    if (line->next == NULL)
        ring->last = line->previous;
    else
        line->next->previous = line->previous;
    line->is_in_ring = false;
}

static void join_ring(struct kind_turns *ring, struct origin_line *line)
{
    line->next = NULL;
    line->previous = ring->last;
    if (ring->last == NULL)
        ring->first = line;
    else
        ring->last->next = line;
    ring->last = line;
    line->is_in_ring = true;
}

/* In the ring is who has somebody waiting and a place left; who has nobody at all goes. */
static void update_line(struct turns *turns, struct origin_line *line)
{
    struct kind_turns *ring = &turns->kinds[line->kind];
    bool may_begin = line->waiting.count > 0 && line->running < count_places_of_origin(turns, line->kind);
    if (may_begin && !line->is_in_ring)
        join_ring(ring, line);
    else if (!may_begin && line->is_in_ring)
        leave_ring(ring, line);
    if (line->waiting.count == 0 && line->running == 0)
        free_line(turns, line);
}

void rely_turns_wait(struct turns *turns, struct transfer *transfer)
{
    struct origin_line *line = find_line(turns, transfer);
    rely_transfers_append(&line->waiting, transfer);
    turns->waiting++;
    update_line(turns, line);
}

static struct transfer *take_first(struct turns *turns, struct origin_line *line)
{
    struct transfer *transfer = line->waiting.first;
    rely_transfers_remove(&line->waiting, transfer);
    turns->waiting--;
    return transfer;
}

struct transfer *rely_turns_take(struct turns *turns)
{
    for (size_t kind = 0; kind < RELY_FETCH_KIND_COUNT; kind++) {
        struct kind_turns *ring = &turns->kinds[kind];
        struct origin_line *line = ring->first;
        if (line == NULL || ring->running >= rely_turns_places(turns, (enum rely_fetch_kind)kind))
            continue;
        struct transfer *transfer = take_first(turns, line);
        ring->running++;
        line->running++;
        leave_ring(ring, line); /* to its end, if it has more */
        update_line(turns, line);
        return transfer;
    }
    return NULL;
}

struct transfer *rely_turns_take_any(struct turns *turns)
{
    for (size_t i = 0; turns->waiting > 0 && i < FETCH_ORIGIN_BUCKETS; i++)
        for (struct origin_line *line = turns->buckets[i]; line != NULL; line = line->next_in_bucket)
            if (line->waiting.count > 0) {
                struct transfer *transfer = take_first(turns, line);
                update_line(turns, line);
                return transfer;
            }
    return NULL;
}

void rely_turns_leave(struct turns *turns, struct transfer *transfer)
{
    struct origin_line *line = find_line(turns, transfer);
    turns->kinds[line->kind].running--;
    line->running--;
    update_line(turns, line);
}

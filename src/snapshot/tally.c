/*
 * Which words are in use under a name, and how often: which lengths of prefixes an issuer's expressions have, by which
 * claims those of one prefix are told apart, which claims are asked for at all. Persistent as the maps are: who reads an
 * older edition finds what it said. Decides nothing. Called by expression_index.c.
 */
#include "tally.h"

#include "relyd/text.h"

#include <stdlib.h>

const struct rely_tally *rely_tally_find(const struct rely_map *tallies, uint64_t name)
{
    size_t cursor = 0;
    return rely_map_find(tallies, name, &cursor);
}

struct rely_slice rely_tally_word(const struct rely_tally *tally, size_t index)
{
    const char *texts = (const char *)(tally->items + tally->count);
    return rely_slice(texts + tally->items[index].at, tally->items[index].len);
}

/* Returns: its place, or count. */
static size_t find_word(const struct rely_tally *tally, struct rely_slice word)
{
    size_t count = tally == NULL ? 0 : tally->count;
    for (size_t i = 0; i < count; i++)
        if (rely_slice_equal(rely_tally_word(tally, i), word))
            return i;
    return count;
}

/* A copy with one word more (absent: none), or without the one at `left_out` (count: none). */
static struct rely_tally *copy_tally(const struct rely_tally *from, struct rely_slice more, size_t left_out)
{
    size_t count = from == NULL ? 0 : from->count, bytes = more.len;
    for (size_t i = 0; i < count; i++)
        bytes += from->items[i].len;
    struct rely_tally *tally = rely_alloc(sizeof *tally + (count + 1) * sizeof tally->items[0] + bytes);
    tally->count = count + (more.ptr != NULL) - (left_out < count);
    char *texts = (char *)(tally->items + tally->count), *next = texts;
    size_t at = 0;
    for (size_t i = 0; i <= count; i++) {
        struct rely_slice word = i < count ? rely_tally_word(from, i) : more;
        if (i == left_out || word.ptr == NULL)
            continue;
        tally->items[at++] = (struct rely_tally_item){
            .at = (uint32_t)(next - texts), .len = (uint32_t)word.len, .uses = i < count ? from->items[i].uses : 0};
        if (word.len > 0)
            memcpy(next, word.ptr, word.len);
        next += word.len;
    }
    return tally;
}

static void put_in_place(struct rely_map *tallies, const struct rely_edit *edit, uint64_t name,
                         const struct rely_tally *old, struct rely_tally *tally)
{
    if (old != NULL)
        rely_map_remove(tallies, edit, name, old);
    if (tally != NULL) {
        tally->edition = edit->edition;
        rely_map_put(tallies, edit, name, tally);
    }
    if (old != NULL && old->edition == edit->edition)
        free(rely_as_owner(old)); /* nobody has seen it */
    else if (old != NULL)
        rely_retired_add(edit->retired, rely_as_owner(old), free);
}

bool rely_tally_change(struct rely_map *tallies, const struct rely_edit *edit, uint64_t name, struct rely_slice word,
                       bool is_removal)
{
    const struct rely_tally *old = rely_tally_find(tallies, name);
    size_t count = old == NULL ? 0 : old->count, place = find_word(old, word);
    bool is_there = place < count, is_last = is_there && is_removal && old->items[place].uses == 1;
    RELY_ASSERT(is_there || !is_removal);
    if (is_last && count == 1) {
        put_in_place(tallies, edit, name, old, NULL);
        return true;
    }
    struct rely_tally *tally =
        copy_tally(old, is_there ? (struct rely_slice){NULL, 0} : word, is_last ? place : count + 1);
    if (!is_last)
        tally->items[place].uses += is_removal ? UINT32_MAX : 1;
    put_in_place(tallies, edit, name, old, tally);
    return !is_there || is_last;
}

static bool free_tally(const void *item, void *context)
{
    (void)context;
    free(rely_as_owner(item));
    return true;
}

void rely_tally_free_all(struct rely_map *tallies)
{
    rely_map_each(tallies, free_tally, NULL);
    rely_map_fini(tallies);
}

/*
 * Keys by their kid: sorted once when a set is made, so that finding one among a thousand costs what it costs among
 * two. Decides nothing. Called by keyset.c, which makes sets, and by find.c.
 */
#include "key.h"

#include <stdlib.h>

/* Shorter ones first: most comparisons end at the length. A key without a kid has no name and is not in it. */
static int compare_kids(struct rely_slice a, struct rely_slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

/* Those of one kid stay in the document's order. */
static int compare_places(const void *a, const void *b)
{
    const struct rely_kid_place *first = a, *second = b;
    int order = compare_kids(first->kid, second->kid);
    return order != 0 ? order : (first->index > second->index) - (first->index < second->index);
}

void rely_by_kid_add(struct rely_by_kid *list, struct rely_slice kid, size_t index)
{
    if (kid.ptr != NULL)
        list->places[list->count++] = (struct rely_kid_place){kid, (uint32_t)index};
}

void rely_by_kid_sort(struct rely_by_kid *list)
{
    if (list->count > 1)
        qsort(list->places, list->count, sizeof(*list->places), compare_places);
}

size_t rely_by_kid_find(const struct rely_by_kid *list, struct rely_slice kid)
{
    size_t low = 0, high = kid.ptr == NULL ? 0 : list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_kids(list->places[middle].kid, kid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool rely_by_kid_is_at(const struct rely_by_kid *list, size_t at, struct rely_slice kid)
{
    return kid.ptr != NULL && at < list->count && compare_kids(list->places[at].kid, kid) == 0;
}

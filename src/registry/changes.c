/*
 * The list of what a write changed. Decides nothing. Called by every write, and by whoever carries changes on.
 */
#include "inside.h"
#include <stdlib.h>

void rely_changes_add(struct rely_changes *changes, enum rely_object object, int64_t id, void *record)
{
    if (changes->count == changes->cap) {
        changes->cap = changes->cap == 0 ? 4 : changes->cap * 2;
        changes->items = rely_realloc(changes->items, changes->cap * sizeof *changes->items);
    }
    changes->items[changes->count++] = (struct rely_change){.object = object, .id = id, .record = record};
}

void rely_changes_move(struct rely_changes *into, struct rely_changes *from)
{
    for (size_t i = 0; i < from->count; i++)
        rely_changes_add(into, from->items[i].object, from->items[i].id, from->items[i].record);
    if (from->count > 0)
        into->revision = from->revision;
    from->count = 0;
    rely_changes_fini(from);
}

void rely_changes_fini(struct rely_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->items[i].record);
    free(changes->items);
    *changes = (struct rely_changes){0};
}

/*
 * The persistent multi-map of map.h: two levels of 256 pointers over small leaves. A table belongs to the edition that
 * made it; a later edition copies it before the first change and retires the old one. Knows nothing of what the items
 * are.
 */
#include "relyd/map.h"

#include <stdlib.h>

#define FAN_OUT 256

struct leaf {
    uint64_t edition;
    uint32_t count;
    uint32_t cap;
    uint64_t marks; /* a bit for each entry by its hash: most that are not here are told by this line of memory alone */
    struct rely_map_entry entries[];
};

struct branch {
    uint64_t edition;
    struct leaf *leaves[FAN_OUT]; /* owned by their editions */
};

struct rely_map_table {
    uint64_t edition;
    struct branch *branches[FAN_OUT]; /* owned by their editions */
};

static size_t root_index(uint64_t hash)
{
    return hash >> 56;
}

static size_t branch_index(uint64_t hash)
{
    return hash >> 48 & (FAN_OUT - 1);
}

/* By bits that do not say where it is. */
static uint64_t mark_of(uint64_t hash)
{
    return (uint64_t)1 << (hash >> 42 & 63);
}

void rely_retired_add(struct rely_retired *retired, void *memory, void (*release)(void *))
{
    if (retired->count == retired->cap) {
        retired->cap = retired->cap == 0 ? 16 : retired->cap * 2;
        retired->items = rely_realloc(retired->items, retired->cap * sizeof *retired->items);
    }
    retired->items[retired->count++] = (struct rely_retired_item){memory, release};
}

void rely_retired_free(struct rely_retired *retired)
{
    for (size_t i = 0; i < retired->count; i++)
        retired->items[i].release(retired->items[i].memory);
    free(retired->items);
    *retired = (struct rely_retired){0};
}

/* NULL: there is none. */
static struct leaf *const *find_leaf_place(const struct rely_map *map, uint64_t hash)
{
    if (map->root == NULL)
        return NULL;
    const struct branch *branch = map->root->branches[root_index(hash)];
    return branch == NULL ? NULL : &branch->leaves[branch_index(hash)];
}

static const struct leaf *find_leaf(const struct rely_map *map, uint64_t hash)
{
    struct leaf *const *place = find_leaf_place(map, hash);
    return place == NULL ? NULL : *place;
}

void rely_map_expect(const struct rely_map *map, uint64_t hash)
{
    struct leaf *const *place = find_leaf_place(map, hash);
    if (place != NULL)
        __builtin_prefetch(place);
}

void rely_map_expect_leaf(const struct rely_map *map, uint64_t hash)
{
    const struct leaf *leaf = find_leaf(map, hash);
    if (leaf != NULL)
        __builtin_prefetch(leaf);
}

const void *rely_map_find(const struct rely_map *map, uint64_t hash, size_t *cursor)
{
    const struct leaf *leaf = find_leaf(map, hash);
    if (leaf == NULL || (leaf->marks & mark_of(hash)) == 0)
        return NULL;
    for (size_t i = *cursor; i < leaf->count; i++) {
        if (leaf->entries[i].hash == hash) {
            *cursor = i + 1;
            return leaf->entries[i].item;
        }
    }
    return NULL;
}

/* A table that this edition may change: the old one when it is its own, else a copy (or a new, empty one). */
static void *own_table(void *old, size_t size, const struct rely_edit *edit)
{
    uint64_t *edition = old;
    if (old != NULL && *edition == edit->edition)
        return old;
    uint64_t *table = rely_alloc(size);
    if (old != NULL) {
        memcpy(table, old, size);
        rely_retired_add(edit->retired, old, free);
    }
    *table = edit->edition;
    return table;
}

static struct leaf *copy_leaf(const struct leaf *old, uint32_t cap, uint64_t edition)
{
    struct leaf *leaf = rely_alloc(sizeof *leaf + cap * sizeof leaf->entries[0]);
    leaf->edition = edition;
    leaf->cap = cap;
    leaf->count = old == NULL ? 0 : old->count;
    if (leaf->count != 0)
        memcpy(leaf->entries, old->entries, leaf->count * sizeof leaf->entries[0]);
    for (uint32_t i = 0; i < leaf->count; i++)
        leaf->marks |= mark_of(leaf->entries[i].hash);
    return leaf;
}

/* Where the leaf of this hash belongs, in tables of this edition's own. */
static struct leaf **own_place(struct rely_map *map, const struct rely_edit *edit, uint64_t hash)
{
    map->root = own_table(map->root, sizeof *map->root, edit);
    struct branch **branch = &map->root->branches[root_index(hash)];
    *branch = own_table(*branch, sizeof **branch, edit);
    return &(*branch)->leaves[branch_index(hash)];
}

/* The leaf of this hash, this edition's own and with room for `more` entries. */
static struct leaf *own_leaf(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, uint32_t more)
{
    struct leaf **place = own_place(map, edit, hash);
    struct leaf *old = *place;
    uint32_t count = old == NULL ? 0 : old->count;
    bool is_own = old != NULL && old->edition == edit->edition;
    if (is_own && old->cap >= count + more)
        return old;
    *place = copy_leaf(old, count + more + (more == 0 ? 0 : count / 4), edit->edition);
    if (is_own)
        free(old); /* nobody else has seen it */
    else if (old != NULL)
        rely_retired_add(edit->retired, old, free);
    return *place;
}

void rely_map_put(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *item)
{
    RELY_ASSERT(item != NULL && edit->edition != 0);
    struct leaf *leaf = own_leaf(map, edit, hash, 1);
    leaf->entries[leaf->count++] = (struct rely_map_entry){hash, item};
    leaf->marks |= mark_of(hash);
    map->count++;
}

/* Which leaf an entry goes to, of all that there can be. */
static size_t leaf_number(uint64_t hash)
{
    return root_index(hash) * FAN_OUT + branch_index(hash);
}

void rely_map_fill(struct rely_map *map, const struct rely_edit *edit, const struct rely_map_entry *entries,
                   size_t count)
{
    RELY_ASSERT(map->count == 0 && map->root == NULL && edit->edition != 0);
    uint32_t *counts = rely_alloc((size_t)FAN_OUT * FAN_OUT * sizeof *counts);
    for (size_t i = 0; i < count; i++)
        counts[leaf_number(entries[i].hash)]++;
    for (size_t i = 0; i < count; i++) {
        size_t number = leaf_number(entries[i].hash);
        struct leaf **place = own_place(map, edit, entries[i].hash);
        if (*place == NULL)
            *place = copy_leaf(NULL, counts[number], edit->edition);
        (*place)->entries[(*place)->count++] = entries[i];
        (*place)->marks |= mark_of(entries[i].hash);
    }
    map->count = count;
    free(counts);
}

static uint32_t find_entry(const struct leaf *leaf, uint64_t hash, const void *item)
{
    uint32_t i = 0;
    while (i < leaf->count && (leaf->entries[i].hash != hash || leaf->entries[i].item != item))
        i++;
    return i;
}

bool rely_map_remove(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *item)
{
    const struct leaf *seen = find_leaf(map, hash);
    if (seen == NULL || find_entry(seen, hash, item) == seen->count)
        return false;
    struct leaf *leaf = own_leaf(map, edit, hash, 0);
    leaf->entries[find_entry(leaf, hash, item)] = leaf->entries[leaf->count - 1];
    leaf->count--;
    map->count--;
    return true;
}

bool rely_map_replace(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *old,
                      const void *item)
{
    const struct leaf *seen = find_leaf(map, hash);
    if (seen == NULL || find_entry(seen, hash, old) == seen->count)
        return false;
    struct leaf *leaf = own_leaf(map, edit, hash, 0);
    leaf->entries[find_entry(leaf, hash, old)].item = item;
    return true;
}

static bool visit_leaf(const struct leaf *leaf, bool (*visit)(const void *, void *), void *context)
{
    for (uint32_t i = 0; leaf != NULL && i < leaf->count; i++)
        if (!visit(leaf->entries[i].item, context))
            return false;
    return true;
}

void rely_map_each(const struct rely_map *map, bool (*visit)(const void *item, void *context), void *context)
{
    for (size_t i = 0; map->root != NULL && i < FAN_OUT; i++) {
        const struct branch *branch = map->root->branches[i];
        for (size_t k = 0; branch != NULL && k < FAN_OUT; k++)
            if (!visit_leaf(branch->leaves[k], visit, context))
                return;
    }
}

void rely_map_fini(struct rely_map *map)
{
    for (size_t i = 0; map->root != NULL && i < FAN_OUT; i++) {
        struct branch *branch = map->root->branches[i];
        for (size_t k = 0; branch != NULL && k < FAN_OUT; k++)
            free(branch->leaves[k]);
        free(branch);
    }
    free(map->root);
    *map = (struct rely_map){0};
}

/*
 * map: a persistent multi-map from 64-bit hashes to items. Changing one of a million entries copies one leaf of
 * about sixteen and two small tables; every older edition stays as it was, for the readers that still hold it.
 *
 *     map -> 256 pointers -> 256 pointers each -> leaf: (hash, item) pairs
 *
 * One writer; any number of readers without lock, atomic or count, because an edition is never changed once it has
 * been handed out. What a change leaves to the old edition alone goes to a list of the retired, which the writer
 * frees when no reader holds that edition any more.
 */
#ifndef RELYD_MAP_H
#define RELYD_MAP_H

#include "relyd/base.h"

struct rely_map_table;

/* By value; zero-filled is empty. Borrowed by readers, the tables below are owned by the editions. */
struct rely_map {
    struct rely_map_table *root;
    size_t count; /* items */
};

/* Memory that only older editions use. Zero-filled is empty. */
struct rely_retired {
    struct rely_retired_item {
        void *memory;
        void (*release)(void *memory);
    } * items; /* owned */
    size_t count;
    size_t cap;
};

/* Note memory to be released once no older edition is held. */
void rely_retired_add(struct rely_retired *retired, void *memory, void (*release)(void *));
/* Release everything, and the list. */
void rely_retired_free(struct rely_retired *retired);

/* One batch of changes: tables made under this edition are changed in place, older ones are copied first. */
struct rely_edit {
    uint64_t edition;             /* grows with every batch; never 0 */
    struct rely_retired *retired; /* borrowed: takes what the batch replaces */
};

/**
 * The item-th entry of this hash.
 *
 * In:       cursor - 0 at first; moved on by each call.
 * Returns:  the item, or NULL when there are no more. Different keys may share a hash: compare the item's own key.
 * Cost:     three dependent loads and a scan of the leaf's hashes.
 */
const void *rely_map_find(const struct rely_map *map, uint64_t hash, size_t *cursor);

/* Have the memory come that rely_map_find will look at, and do not wait for it. For who has several hashes to find: first
 * all of them by the one, then all by the other. */
void rely_map_expect(const struct rely_map *map, uint64_t hash);
void rely_map_expect_leaf(const struct rely_map *map, uint64_t hash);

struct rely_map_entry {
    uint64_t hash;
    const void *item; /* borrowed: the map's user owns the items */
};

/* Put many into an empty map: each leaf is made once, as large as it gets. */
void rely_map_fill(struct rely_map *map, const struct rely_edit *edit, const struct rely_map_entry *entries,
                   size_t count);

/* Changes of an edition that has not been handed out yet. Several items may share a hash. */
void rely_map_put(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *item);
/* True when the item (by address) was there under this hash. The item itself is not retired. */
bool rely_map_remove(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *item);
bool rely_map_replace(struct rely_map *map, const struct rely_edit *edit, uint64_t hash, const void *old,
                      const void *item);

/* Visit every item, in no order; stops when visit returns false. */
void rely_map_each(const struct rely_map *map, bool (*visit)(const void *item, void *context), void *context);
/* Free the tables of the last edition (not the items). Only when no reader is left. */
void rely_map_fini(struct rely_map *map);

#endif

/*
 * tally: sets of words with how often each is used, in a persistent map by a name's hash.
 */
#ifndef RELYD_SNAPSHOT_TALLY_H
#define RELYD_SNAPSHOT_TALLY_H

#include "relyd/map.h"

struct rely_tally_item {
    uint32_t at, len; /* of the word, in the texts behind the items */
    uint32_t uses;
};

/* One name's. Immutable once its edition is published. */
struct rely_tally {
    uint64_t edition; /* that made it */
    size_t count;     /* never 0 */
    struct rely_tally_item items[];
};

/* NULL: no word is in use. Two names share a hash only by accident: then each has the other's words, too. */
const struct rely_tally *rely_tally_find(const struct rely_map *tallies, uint64_t name);
/* Borrowed from the tally. */
struct rely_slice rely_tally_word(const struct rely_tally *tally, size_t index);
/* Use a word once more, or once less. In: word - never absent. Returns: whether it is in use now and was not, or the other
 * way round. */
bool rely_tally_change(struct rely_map *tallies, const struct rely_edit *edit, uint64_t name, struct rely_slice word,
                       bool is_removal);
/* Of the last edition. */
void rely_tally_free_all(struct rely_map *tallies);

#endif

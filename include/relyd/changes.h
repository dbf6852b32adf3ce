/*
 * changes: what accepted writes have changed, as records: whoever carries them on reads nothing back.
 */
#ifndef RELYD_CHANGES_H
#define RELYD_CHANGES_H

#include "relyd/model.h"

/* One object that a write touched, to be carried into the next snapshot. */
struct rely_change {
    enum rely_object object;
    int64_t id;
    void *record; /* owned: the kind's record as it is now; NULL: it was removed */
};

/* What one accepted write changed. Zero-filled is empty. */
struct rely_changes {
    uint64_t revision;
    struct rely_change *items; /* owned: rely_changes_fini */
    size_t count;
    size_t cap;
};

/* Free the list; it is empty afterwards. */
void rely_changes_fini(struct rely_changes *changes);
/* Append all of `from`, which is later, to `into`; `from` is empty afterwards. */
void rely_changes_move(struct rely_changes *into, struct rely_changes *from);

#endif

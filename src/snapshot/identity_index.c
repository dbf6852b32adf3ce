/*
 * By what identities are found beside their ids and names: the names of their certificates, and of their owners. Most
 * have neither. Decides nothing. Called by index.c, and by whoever looks them up.
 */
#include "edit.h"

#include "relyd/marks.h"
#include "relyd/text.h"

/* What entries of each are found by: one map has both. */
#define OF_CERTIFICATES 1
#define OF_OWNERS 2

static void edit_marks(struct rely_snapshot *next, const struct rely_identity *identity, uint64_t hash, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    if (is_removal)
        rely_map_remove(&next->identities_by_more, &edit, hash, identity);
    else
        rely_map_put(&next->identities_by_more, &edit, hash, identity);
}

void rely_identity_index_edit(struct rely_snapshot *next, const void *item, bool is_removal)
{
    const struct rely_identity *identity = item;
    for (size_t i = 0; i < identity->certificate_count; i++)
        edit_marks(next, identity, rely_hash(identity->certificates[i], OF_CERTIFICATES), is_removal);
    for (size_t i = 0; i < identity->owner_count; i++)
        edit_marks(next, identity, rely_hash(identity->owners[i], OF_OWNERS), is_removal);
}

void rely_identity_index_fini(struct rely_snapshot *last)
{
    rely_map_fini(&last->identities_by_more);
}

/* --- look-ups ------------------------------------------------------------------------------------------------- */

bool rely_identity_has_owner(const struct rely_identity *identity, struct rely_slice name)
{
    return rely_slice_is_among(identity->owners, identity->owner_count, name);
}

const struct rely_identity *rely_snapshot_identity_by_certificate(const struct rely_snapshot *snapshot,
                                                                  struct rely_slice name)
{
    size_t cursor = 0;
    const struct rely_identity *identity;
    do
        identity = rely_map_find(&snapshot->identities_by_more, rely_hash(name, OF_CERTIFICATES), &cursor);
    while (identity != NULL && !rely_slice_is_among(identity->certificates, identity->certificate_count, name));
    return identity;
}

bool rely_snapshot_is_owner(const struct rely_snapshot *snapshot, struct rely_slice name)
{
    size_t cursor = 0;
    const struct rely_identity *identity;
    do
        identity = rely_map_find(&snapshot->identities_by_more, rely_hash(name, OF_OWNERS), &cursor);
    while (identity != NULL && !rely_identity_has_owner(identity, name));
    return identity != NULL;
}

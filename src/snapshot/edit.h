/*
 * The inside of the snapshot: what its files share.
 */
#ifndef RELYD_SNAPSHOT_EDIT_H
#define RELYD_SNAPSHOT_EDIT_H

#include "relyd/edition.h"

/* Ids are our own row numbers, so nobody can choose them: a multiplication spreads them well enough. */
static inline uint64_t rely_snapshot_hash_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

/* Whatever a snapshot holds begins with its id. */
static inline int64_t rely_snapshot_id_of(const void *item)
{
    return *(const int64_t *)item;
}

/* Ids share a hash only by accident, so the loop runs once. */
static inline const void *rely_snapshot_find_id(const struct rely_map *map, int64_t id)
{
    size_t cursor = 0;
    const void *item;
    do
        item = rely_map_find(map, rely_snapshot_hash_id(id), &cursor);
    while (item != NULL && rely_snapshot_id_of(item) != id);
    return item;
}

/* The batch of changes that an edition is made of. */
static inline struct rely_edit rely_snapshot_edit(struct rely_snapshot *next)
{
    return (struct rely_edit){next->edition, &next->retired};
}

/* --- index.c ------------------------------------------------------------------------------------------------- */

/* As rely_snapshot_put_identity, of any kind. */
void rely_snapshot_put(struct rely_snapshot *next, enum rely_object object, void *item);
/* The same of all that there are of a kind. */
void rely_snapshot_fill(struct rely_snapshot *next, enum rely_object object, const void *const *items, size_t count);

/* --- identity_index.c ---------------------------------------------------------------------------------------- */

/* Enter an identity by the names of its certificates and owners, or take it out. */
void rely_identity_index_edit(struct rely_snapshot *next, const void *item, bool is_removal);
void rely_identity_index_fini(struct rely_snapshot *last);

/* --- named_route.c ------------------------------------------------------------------------------------------- */

uint64_t rely_named_route_hash(const void *item);
/* The one that is always there has a place of its own; and which claims a route asks for. */
void rely_named_route_note(struct rely_snapshot *next, const void *item, bool is_removal);

/* --- revocation_index.c -------------------------------------------------------------------------------------- */

/* Of what it hits. */
uint64_t rely_revocation_hash(const void *item);
/* There is one more, or one less, of its sort. */
void rely_revocation_count(struct rely_snapshot *next, const void *item, bool is_removal);

/* --- issuer_index.c ------------------------------------------------------------------------------------------ */

/* Enter an issuer by its URL and its keys, or take it out. */
void rely_issuer_index_edit(struct rely_snapshot *next, const void *item, bool is_removal);
/* Free both indexes of the last edition. */
void rely_issuer_index_fini(struct rely_snapshot *last);

/* --- expression_index.c ------------------------------------------------------------------------------------------- */

/* One more asks for a claim, or one less. */
void rely_asked_claim_edit(struct rely_snapshot *next, struct rely_slice claim, bool is_removal);

/* Enter a credential with an expression by what it asks for, or take it out. */
void rely_expression_index_edit(struct rely_snapshot *next, const void *item, bool is_removal);
void rely_expression_index_fini(struct rely_snapshot *last);

#endif

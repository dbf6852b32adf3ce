/*
 * By what the objects of a snapshot are found: a table, a row for each map, from which they are entered, taken out and
 * freed. Decides which edition an object is in: put and removed on the control thread, which publishes an edition only
 * when it is whole.
 */
#include "edit.h"
#include "relyd/issuer_group.h"
#include "relyd/named_route.h"
#include "relyd/revocation.h"

#include "relyd/text.h"

#include <stdlib.h>

/* --- the table -------------------------------------------------------------------------------------------- */

static uint64_t hash_id(const void *item)
{
    return rely_snapshot_hash_id(rely_snapshot_id_of(item));
}

static uint64_t hash_identity_name(const void *item)
{
    return rely_hash(((const struct rely_identity *)item)->name, 0);
}

static uint64_t hash_rule(const void *item)
{
    const struct rely_credential *credential = item;
    if (credential->expression != NULL) /* not found here; but each by itself */
        return rely_snapshot_hash_id(credential->id);
    return rely_rule_hash(credential->scope, credential->subject);
}

static uint64_t hash_member(const void *item)
{
    return rely_snapshot_hash_id(((const struct rely_membership *)item)->issuer_id);
}

/* The first of a kind is by id: it has every object once. */
static const struct index {
    enum rely_object object;
    size_t map; /* where it stands in a snapshot */
    uint64_t (*hash)(const void *item);
    /* In place of both: an index of which an object has several entries. */
    void (*edit)(struct rely_snapshot *next, const void *item, bool is_removal);
} indexes[] = {
    {RELY_OBJECT_ISSUER, offsetof(struct rely_snapshot, issuers_by_id), hash_id, NULL},
    {RELY_OBJECT_ISSUER, 0, NULL, rely_issuer_index_edit},
    {RELY_OBJECT_ISSUER_GROUP, offsetof(struct rely_snapshot, issuer_groups_by_id), hash_id, NULL},
    {RELY_OBJECT_ISSUER_GROUP_MEMBER, offsetof(struct rely_snapshot, memberships_by_id), hash_id, NULL},
    {RELY_OBJECT_ISSUER_GROUP_MEMBER, offsetof(struct rely_snapshot, memberships), hash_member, NULL},
    {RELY_OBJECT_IDENTITY, offsetof(struct rely_snapshot, identities_by_id), hash_id, NULL},
    {RELY_OBJECT_IDENTITY, offsetof(struct rely_snapshot, identities_by_name), hash_identity_name, NULL},
    {RELY_OBJECT_IDENTITY, 0, NULL, rely_identity_index_edit},
    {RELY_OBJECT_CREDENTIAL, offsetof(struct rely_snapshot, credentials_by_id), hash_id, NULL},
    {RELY_OBJECT_CREDENTIAL, offsetof(struct rely_snapshot, credentials), hash_rule, NULL},
    {RELY_OBJECT_CREDENTIAL, 0, NULL, rely_expression_index_edit},
    {RELY_OBJECT_ROUTE, offsetof(struct rely_snapshot, routes_by_id), hash_id, NULL},
    {RELY_OBJECT_ROUTE, offsetof(struct rely_snapshot, routes), rely_named_route_hash, NULL},
    {RELY_OBJECT_ROUTE, 0, NULL, rely_named_route_note},
    {RELY_OBJECT_REVOCATION, offsetof(struct rely_snapshot, revocations_by_id), hash_id, NULL},
    {RELY_OBJECT_REVOCATION, offsetof(struct rely_snapshot, revocations), rely_revocation_hash, NULL},
    {RELY_OBJECT_REVOCATION, 0, NULL, rely_revocation_count},
};

#define INDEX_COUNT (sizeof indexes / sizeof indexes[0])

_Static_assert(offsetof(struct rely_issuer, id) == 0 && offsetof(struct rely_identity, id) == 0 &&
                   offsetof(struct rely_credential, id) == 0 && offsetof(struct rely_revocation, id) == 0 &&
                   offsetof(struct rely_named_route, id) == 0 && offsetof(struct rely_issuer_group, id) == 0 &&
                   offsetof(struct rely_membership, id) == 0 && offsetof(struct rely_record, id) == 0,
               "whatever a snapshot holds begins with its id");

static struct rely_map *map_of(struct rely_snapshot *snapshot, const struct index *index)
{
    return (struct rely_map *)((char *)snapshot + index->map);
}

static const struct index *find_id_index(enum rely_object object)
{
    for (size_t i = 0; i < INDEX_COUNT; i++)
        if (indexes[i].object == object)
            return &indexes[i];
    return NULL;
}

bool rely_snapshot_holds(enum rely_object object)
{
    return find_id_index(object) != NULL;
}

/* --- putting and removing ------------------------------------------------------------------------------------ */

static void edit_indexes(struct rely_snapshot *next, enum rely_object object, const void *item, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    for (size_t i = 0; i < INDEX_COUNT; i++) {
        const struct index *index = &indexes[i];
        if (index->object != object)
            continue;
        if (index->edit != NULL)
            index->edit(next, item, is_removal);
        else if (is_removal)
            rely_map_remove(map_of(next, index), &edit, index->hash(item), item);
        else
            rely_map_put(map_of(next, index), &edit, index->hash(item), item);
    }
}

bool rely_snapshot_remove(struct rely_snapshot *next, enum rely_object object, int64_t id)
{
    const struct index *by_id = find_id_index(object);
    const void *old = by_id == NULL ? NULL : rely_snapshot_find_id(map_of(next, by_id), id);
    if (old == NULL)
        return false;
    edit_indexes(next, object, old, true);
    rely_retired_add(&next->retired, rely_as_owner(old), free);
    return true;
}

void rely_snapshot_put(struct rely_snapshot *next, enum rely_object object, void *item)
{
    rely_snapshot_remove(next, object, rely_snapshot_id_of(item));
    edit_indexes(next, object, item, false);
}

void rely_snapshot_fill(struct rely_snapshot *next, enum rely_object object, const void *const *items, size_t count)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    struct rely_map_entry *entries = rely_alloc(count * sizeof *entries);
    for (size_t i = 0; i < INDEX_COUNT; i++) {
        const struct index *index = &indexes[i];
        if (index->object != object)
            continue;
        for (size_t k = 0; k < count; k++)
            if (index->edit != NULL)
                index->edit(next, items[k], false);
            else
                entries[k] = (struct rely_map_entry){index->hash(items[k]), items[k]};
        if (index->edit == NULL)
            rely_map_fill(map_of(next, index), &edit, entries, count);
    }
    free(entries);
}

void rely_snapshot_put_identity(struct rely_snapshot *next, struct rely_identity *identity)
{
    rely_snapshot_put(next, RELY_OBJECT_IDENTITY, identity);
}

void rely_snapshot_put_credential(struct rely_snapshot *next, struct rely_credential *credential)
{
    rely_snapshot_put(next, RELY_OBJECT_CREDENTIAL, credential);
}

/* --- editions --------------------------------------------------------------------------------------------------- */

struct rely_snapshot *rely_snapshot_next(const struct rely_snapshot *base, uint64_t revision)
{
    struct rely_snapshot *next = rely_alloc(sizeof *next);
    if (base != NULL) {
        *next = *base;
        next->edition = base->edition + 1;
        next->retired = (struct rely_retired){0};
        rely_retired_add(&next->retired, rely_as_owner(base), free);
    } else {
        next->edition = 1;
    }
    next->revision = revision;
    return next;
}

void rely_snapshot_free_replaced(struct rely_snapshot *edition)
{
    rely_retired_free(&edition->retired);
}

static bool free_item(const void *item, void *context)
{
    (void)context;
    free(rely_as_owner(item));
    return true;
}

void rely_snapshot_free_all(struct rely_snapshot *last)
{
    rely_snapshot_free_replaced(last);
    rely_issuer_index_fini(last);
    rely_identity_index_fini(last);
    rely_expression_index_fini(last);
    for (size_t i = 0; i < INDEX_COUNT; i++)
        if (&indexes[i] == find_id_index(indexes[i].object))
            rely_map_each(map_of(last, &indexes[i]), free_item, NULL);
    for (size_t i = 0; i < INDEX_COUNT; i++)
        if (indexes[i].edit == NULL)
            rely_map_fini(map_of(last, &indexes[i]));
    free(last);
}

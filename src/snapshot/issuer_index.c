/*
 * Which records of one `iss` may have signed a token: the set of them, and an index by kid, by algorithm for tokens
 * without kid, and by the public key itself, each under all names of a record. So a review costs the same with one record as with three thousand, and
 * records that are disabled or have no keys cost nothing. Changes are for the control thread.
 */
#include "edit.h"

#include "relyd/text.h"

#include <stdlib.h>

/* What an entry of issuers_by_key stands for: part of its hash. */
enum index_kind {
    BY_KID = 1,       /* an enabled record with a usable key of this kid */
    BY_SPARE_KID = 2, /* a disabled one, or a key that was skipped */
    BY_MATERIAL = 3,
    BY_ALG = 16 /* plus the algorithm's number */
};

/* --- look-ups ------------------------------------------------------------------------------------------ */

static uint64_t hash_entry(uint64_t name_hash, unsigned kind, struct rely_slice text)
{
    return rely_hash(text, name_hash + kind);
}

const struct rely_issuer_set *rely_snapshot_issuer_set(const struct rely_snapshot *snapshot, struct rely_slice name)
{
    const struct rely_issuer_set *set;
    size_t cursor = 0;
    do
        set = rely_map_find(&snapshot->issuer_sets, rely_hash(name, 0), &cursor);
    while (set != NULL && !rely_slice_equal(set->name, name));
    return set;
}

const struct rely_issuer *rely_snapshot_issuer_by_name(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                       size_t *cursor)
{
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(snapshot, name);
    return set == NULL || *cursor >= set->count ? NULL : set->members[(*cursor)++];
}

static bool has_name(const struct rely_issuer *issuer, struct rely_slice name)
{
    return rely_slice_equal(issuer->url, name) || rely_issuer_name_index(issuer, name) < rely_issuer_name_count(issuer);
}

static struct rely_key_marks marks_of(const struct rely_issuer *issuer)
{
    const struct rely_key_marks *marks = (const struct rely_key_marks *)issuer->keyset;
    return marks == NULL ? (struct rely_key_marks){0} : *marks;
}

static bool bears_kid(const struct rely_key_mark *mark, struct rely_slice kid)
{
    return mark->kid.ptr != NULL && rely_slice_equal(mark->kid, kid);
}

static bool is_live(const struct rely_issuer *issuer, const struct rely_key_mark *mark)
{
    return issuer->is_enabled && mark->algs != 0;
}

/* Entries share a hash by accident as well: the record's own words count. */
static bool has_live_kid(const struct rely_issuer *issuer, struct rely_slice kid, bool is_live_wanted)
{
    struct rely_key_marks marks = marks_of(issuer);
    for (size_t i = 0; i < marks.count; i++)
        if (bears_kid(&marks.items[i], kid) && is_live(issuer, &marks.items[i]) == is_live_wanted)
            return true;
    return false;
}

static const struct rely_issuer *find_by_kid(const struct rely_snapshot *snapshot, struct rely_slice name,
                                             struct rely_slice kid, enum index_kind kind, size_t *cursor)
{
    uint64_t hash = hash_entry(rely_hash(name, 0), kind, kid);
    const struct rely_issuer *issuer;
    do
        issuer = rely_map_find(&snapshot->issuers_by_key, hash, cursor);
    while (issuer != NULL && !(has_name(issuer, name) && has_live_kid(issuer, kid, kind == BY_KID)));
    return issuer;
}

const struct rely_issuer *rely_snapshot_issuer_by_kid(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                      struct rely_slice kid, size_t *cursor)
{
    return find_by_kid(snapshot, name, kid, BY_KID, cursor);
}

const struct rely_issuer *rely_snapshot_issuer_by_spare_kid(const struct rely_snapshot *snapshot,
                                                            struct rely_slice name, struct rely_slice kid,
                                                            size_t *cursor)
{
    return find_by_kid(snapshot, name, kid, BY_SPARE_KID, cursor);
}

/* The algorithms for which an enabled record has a key. */
static uint32_t usable_algs(const struct rely_issuer *issuer)
{
    struct rely_key_marks marks = marks_of(issuer);
    uint32_t algs = 0;
    for (size_t i = 0; issuer->is_enabled && i < marks.count; i++)
        algs |= marks.items[i].algs;
    return algs & issuer->algs;
}

const struct rely_issuer *rely_snapshot_issuer_by_alg(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                      unsigned alg, size_t *cursor)
{
    uint64_t hash = hash_entry(rely_hash(name, 0), BY_ALG + alg, RELY_LIT(""));
    const struct rely_issuer *issuer;
    do
        issuer = rely_map_find(&snapshot->issuers_by_key, hash, cursor);
    while (issuer != NULL && !(has_name(issuer, name) && (usable_algs(issuer) & 1u << alg) != 0));
    return issuer;
}

static bool has_material(const struct rely_issuer *issuer, const uint8_t material[RELY_MATERIAL_BYTES])
{
    struct rely_key_marks marks = marks_of(issuer);
    for (size_t i = 0; i < marks.count; i++)
        if (marks.items[i].algs != 0 && memcmp(marks.items[i].material, material, RELY_MATERIAL_BYTES) == 0)
            return true;
    return false;
}

static struct rely_slice material_text(const uint8_t material[RELY_MATERIAL_BYTES])
{
    return rely_slice((const char *)material, RELY_MATERIAL_BYTES);
}

const struct rely_issuer *rely_snapshot_issuer_by_material(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                           const uint8_t material[RELY_MATERIAL_BYTES], size_t *cursor)
{
    uint64_t hash = hash_entry(rely_hash(name, 0), BY_MATERIAL, material_text(material));
    const struct rely_issuer *issuer;
    do
        issuer = rely_map_find(&snapshot->issuers_by_key, hash, cursor);
    while (issuer != NULL && !(has_name(issuer, name) && has_material(issuer, material)));
    return issuer;
}

/* --- entries of a record ---------------------------------------------------------------------------------- */

/* One edit of the index: what is done with each entry of a record under one name. */
struct index_edit {
    struct rely_snapshot *next;
    const struct rely_issuer *issuer;
    uint64_t name_hash;
    bool is_removal;
};

static void edit_entry(const struct index_edit *edit, unsigned kind, struct rely_slice text)
{
    struct rely_edit batch = rely_snapshot_edit(edit->next);
    uint64_t hash = hash_entry(edit->name_hash, kind, text);
    if (edit->is_removal)
        rely_map_remove(&edit->next->issuers_by_key, &batch, hash, edit->issuer);
    else
        rely_map_put(&edit->next->issuers_by_key, &batch, hash, edit->issuer);
}

/* A set may name many keys alike: its record is entered once, or it would crowd out the others of that kid. */
static bool is_first_of_its_kid(const struct rely_issuer *issuer, struct rely_key_marks marks, size_t at)
{
    bool is_wanted = is_live(issuer, &marks.items[at]);
    for (size_t i = 0; i < at; i++)
        if (bears_kid(&marks.items[i], marks.items[at].kid) && is_live(issuer, &marks.items[i]) == is_wanted)
            return false;
    return true;
}

static void edit_entries(struct rely_snapshot *next, const struct rely_issuer *issuer, struct rely_slice name,
                         bool is_removal)
{
    struct index_edit edit = {next, issuer, rely_hash(name, 0), is_removal};
    struct rely_key_marks marks = marks_of(issuer);
    uint32_t algs = usable_algs(issuer);
    for (size_t i = 0; i < marks.count; i++) {
        const struct rely_key_mark *mark = &marks.items[i];
        if (mark->kid.ptr != NULL && is_first_of_its_kid(issuer, marks, i))
            edit_entry(&edit, is_live(issuer, mark) ? BY_KID : BY_SPARE_KID, mark->kid);
        if (mark->algs != 0)
            edit_entry(&edit, BY_MATERIAL, material_text(mark->material));
    }
    for (unsigned alg = 0; algs >> alg != 0; alg++)
        if ((algs & 1u << alg) != 0)
            edit_entry(&edit, BY_ALG + alg, RELY_LIT(""));
}

/* --- sets -------------------------------------------------------------------------------------------------- */

static size_t find_place_in_set(const struct rely_issuer_set *set, int64_t id)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->members[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Older editions may still look at a set, unless this one has made it. */
static void drop_set(struct rely_snapshot *next, const struct rely_issuer_set *set)
{
    if (set->edition == next->edition)
        free(rely_as_owner(set));
    else
        rely_retired_add(&next->retired, rely_as_owner(set), free);
}

/* This edition's own copy of a set, with room for one more member; NULL makes an empty one. */
static struct rely_issuer_set *own_set(struct rely_snapshot *next, const struct rely_issuer_set *old,
                                       uint64_t name_hash)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    size_t count = old == NULL ? 0 : old->count;
    if (old != NULL && old->edition == next->edition && old->cap > count)
        return rely_as_owner(old);
    size_t cap = count + 1 + count / 4;
    struct rely_issuer_set *set = rely_alloc(sizeof *set + cap * sizeof(const struct rely_issuer *));
    if (old != NULL)
        memcpy(set, old, sizeof *set + count * sizeof(const struct rely_issuer *));
    set->cap = cap;
    set->edition = next->edition;
    if (old == NULL) {
        rely_map_put(&next->issuer_sets, &edit, name_hash, set);
        return set;
    }
    rely_map_replace(&next->issuer_sets, &edit, name_hash, old, set);
    drop_set(next, old);
    return set;
}

static void count_member(struct rely_issuer_set *set, const struct rely_issuer *issuer, size_t step)
{
    if (issuer->is_enabled)
        set->enabled_count += step;
    if (issuer->is_enabled && issuer->keyset != NULL)
        set->keyed_count += step;
}

/* The name is the first member's own text, which lives as long as the set: an alias to one, and the URL to another. */
static void borrow_name(struct rely_issuer_set *set, struct rely_slice name)
{
    const struct rely_issuer *first = set->members[0];
    set->name = rely_issuer_name_at(first, rely_issuer_name_index(first, name));
}

static void add_member(struct rely_snapshot *next, const struct rely_issuer *issuer, struct rely_slice name)
{
    const struct rely_issuer_set *old = rely_snapshot_issuer_set(next, name);
    struct rely_issuer_set *set = own_set(next, old, rely_hash(name, 0));
    size_t at = find_place_in_set(set, issuer->id);
    memmove(&set->members[at + 1], &set->members[at], (set->count - at) * sizeof(const struct rely_issuer *));
    set->members[at] = issuer;
    set->count++;
    borrow_name(set, name);
    count_member(set, issuer, 1);
}

static void remove_member(struct rely_snapshot *next, const struct rely_issuer *issuer, struct rely_slice name)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    uint64_t name_hash = rely_hash(name, 0);
    const struct rely_issuer_set *old = rely_snapshot_issuer_set(next, name);
    if (old->count == 1) {
        rely_map_remove(&next->issuer_sets, &edit, name_hash, old);
        drop_set(next, old);
        return;
    }
    struct rely_issuer_set *set = own_set(next, old, name_hash);
    size_t at = find_place_in_set(set, issuer->id);
    set->count--;
    memmove(&set->members[at], &set->members[at + 1], (set->count - at) * sizeof(const struct rely_issuer *));
    borrow_name(set, name);
    count_member(set, issuer, (size_t)-1);
}

/* --- editing -------------------------------------------------------------------------------------------------- */

void rely_issuer_index_edit(struct rely_snapshot *next, const void *item, bool is_removal)
{
    const struct rely_issuer *issuer = item;
    for (size_t i = 0; i < rely_issuer_name_count(issuer); i++) {
        struct rely_slice name = rely_issuer_name_at(issuer, i);
        if (name.ptr == NULL)
            continue;
        if (is_removal)
            remove_member(next, issuer, name);
        else
            add_member(next, issuer, name);
        edit_entries(next, issuer, name, is_removal);
    }
    next->issuers_edition = next->edition;
}

static bool free_set(const void *set, void *context)
{
    (void)context;
    free(rely_as_owner(set));
    return true;
}

void rely_issuer_index_fini(struct rely_snapshot *last)
{
    rely_map_each(&last->issuer_sets, free_set, NULL);
    rely_map_fini(&last->issuer_sets);
    rely_map_fini(&last->issuers_by_key);
}

void rely_snapshot_put_issuer(struct rely_snapshot *next, struct rely_issuer *issuer)
{
    issuer->edition = next->edition;
    rely_snapshot_put(next, RELY_OBJECT_ISSUER, issuer);
}

void rely_snapshot_renew_issuer(struct rely_snapshot *next, struct rely_issuer *issuer)
{
    rely_snapshot_put(next, RELY_OBJECT_ISSUER, issuer);
}

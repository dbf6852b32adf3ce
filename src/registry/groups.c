/*
 * Groups of issuers' records: that the records are registered and of one `subjectClaim`, and which of them come and go with a write of the whole
 * group: each is a write of its own in the change log. Decides nothing about one record; members.c does. Called by
 * rules.c.
 */
#include "inside.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* --- before ------------------------------------------------------------------------------------------------------- */

/* In and out: *claim - the subject's, of those before it. */
static bool bind_item(struct rely_writing *write, size_t index, struct rely_slice *claim, struct rely_err *err)
{
    bool is_same = true;
    char field[32], quoted[RELY_QUOTED_SIZE];
    union rely_any_record issuer;
    struct rely_slice name = write->after.issuer_group.issuers.items[index];
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = name};
    if (name.ptr == NULL)
        return true;
    if (!rely_stored_find_name(write->registry->store, &place, write->body.pool, &issuer, err))
        return false;
    snprintf(field, sizeof field, "issuers[%zu]", index);
    if (issuer.record.id == 0)
        rely_problems_add(write->body.problems, field, "not_registered", "%s: no registered issuer has the name %.150s",
                          field, rely_quote(name, quoted));
    else if (!rely_subjects_take_member(write, issuer.record.id, claim, &is_same, err))
        return false;
    if (!is_same)
        rely_problems_add(
            write->body.problems, field, "other_subject_claim",
            "%s: the record's subjectClaim is another one than that of the group's credentials, or of its "
            "records before, which is %.150s",
            field, rely_quote(*claim, quoted));
    return true;
}

/* In the order in which they are stored: which came first in a body means nothing. */
bool rely_groups_bind(struct rely_writing *write, struct rely_err *err)
{
    struct rely_texts *issuers = &write->after.issuer_group.issuers;
    struct rely_slice claim;
    if (!rely_subjects_begin_group(write, &claim, err))
        return false;
    for (size_t i = 0; i < issuers->count; i++)
        if (!bind_item(write, i, &claim, err))
            return false;
    struct rely_slice *sorted = rely_pool_alloc(write->body.pool, issuers->count * sizeof *sorted);
    for (size_t i = 0; i < issuers->count; i++)
        sorted[i] = issuers->items[i];
    if (issuers->count > 1)
        qsort(sorted, issuers->count, sizeof *sorted, rely_slice_compare);
    issuers->items = sorted;
    return true;
}

bool rely_groups_are_same(const struct rely_writing *write)
{
    const struct rely_texts *before = &write->before.issuer_group.issuers, *after = &write->after.issuer_group.issuers;
    bool are_same = before->count == after->count;
    for (size_t i = 0; are_same && i < before->count; i++)
        are_same = rely_slice_equal(before->items[i], after->items[i]);
    return are_same;
}

/* --- behind the group's own row ------------------------------------------------------------------------------------ */

/* Both lists are sorted. Returns: below 0: only the first has its next one; above 0: only the second; 0: both. */
static int compare_next(const struct rely_texts *a, size_t at_a, const struct rely_texts *b, size_t at_b)
{
    if (at_a == a->count || at_b == b->count)
        return at_a == a->count ? 1 : -1;
    return rely_slice_compare(&a->items[at_a], &b->items[at_b]);
}

static bool store_members(const struct rely_joining *joining, struct rely_writing *write, struct rely_err *err)
{
    const struct rely_texts *old = &write->before.issuer_group.issuers, *new = &write->after.issuer_group.issuers;
    const struct rely_joined_group group = {write->after.record.id, write->after.issuer_group.name};
    size_t at_old = 0, at_new = 0;
    while (at_old < old->count || at_new < new->count) {
        int order = compare_next(old, at_old, new, at_new);
        if (order < 0 && !rely_members_remove(joining, &group, old->items[at_old], err))
            return false;
        if (order > 0 && !rely_members_add(joining, &group, new->items[at_new], err))
            return false;
        at_old += order <= 0;
        at_new += order >= 0;
    }
    return true;
}

/* The group's ETag is that of the last change: who puts back what he has read long ago must not undo what came since. */
bool rely_groups_store(struct rely_writing *write, struct rely_err *err)
{
    struct rely_changes *changes = &write->result->changes;
    const struct rely_joining joining = {write->registry, write->writer, write->result};
    if (!store_members(&joining, write, err))
        return false;
    if (changes->count == 0)
        return true;
    write->after.record.revision = changes->revision;
    return rely_members_touch_group(&joining, write->after.record.id, err);
}

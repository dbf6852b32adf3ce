/*
 * What an identity may not be beside others: its owners exist, and a certificate's name is one identity's. Called by
 * rules.c and delete.c.
 */
#include "inside.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* --- owners ------------------------------------------------------------------------------------------------ */

static bool find_owner(const struct rely_writing *write, struct rely_slice name, bool *is_there, struct rely_err *err)
{
    union rely_any_record owner;
    const struct rely_stored_place place = {.kind = write->body.kind, .name = name};
    bool is_read = rely_stored_find_name(write->registry->store, &place, write->body.pool, &owner, err);
    *is_there = owner.record.id != 0 || rely_slice_equal(name, write->after.identity.name);
    return is_read;
}

bool rely_identities_bind_owners(struct rely_writing *write, struct rely_err *err)
{
    const struct rely_texts *owners = &write->after.identity.owners;
    for (size_t i = 0; i < owners->count; i++) {
        bool is_there = true;
        char field[32];
        snprintf(field, sizeof field, "owners[%zu]", i);
        if (owners->items[i].ptr != NULL && !find_owner(write, owners->items[i], &is_there, err))
            return false;
        if (!is_there)
            rely_problems_add(write->body.problems, field, "not_registered", "%s: there is no identity %.*s", field,
                              RELY_ARG(owners->items[i]));
    }
    return true;
}

/* Identities that name an owner, copied: they are changed afterwards. */
struct owned {
    struct rely_identity_record **items; /* owned, as each */
    size_t count;
};

static bool note_owned(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct owned *owned = context;
    (void)parent;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the list is of pointers */
    owned->items = rely_realloc(owned->items, (owned->count + 1) * sizeof *owned->items);
    owned->items[owned->count++] = rely_record_copy(rely_kind_of(RELY_OBJECT_IDENTITY), record);
    return true;
}

static size_t take_out(const struct rely_texts *from, struct rely_slice name, struct rely_slice *out)
{
    size_t count = 0;
    for (size_t i = 0; i < from->count; i++)
        if (!rely_slice_equal(from->items[i], name))
            out[count++] = from->items[i];
    return count;
}

static bool log_disowning(const struct rely_leaving *leaving, const struct rely_identity_record *before,
                          struct rely_identity_record *after, struct rely_err *err)
{
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_IDENTITY);
    struct rely_buf old = {0}, new = {0};
    RELY_JSON_OWNED struct rely_json *shown_before = rely_record_show(kind, before);
    RELY_JSON_OWNED struct rely_json *shown_after = rely_record_show(kind, after);
    if (shown_before == NULL || shown_after == NULL)
        return rely_stored_damaged(leaving->registry->store, kind, before->record.id, err);
    rely_json_print(shown_before, &old);
    rely_json_print(shown_after, &new);
    const struct rely_log_entry entry = {.at_s = leaving->writer->now_s,
                                         .actor = leaving->writer->actor,
                                         .object = kind->word,
                                         .name = before->name,
                                         .operation = "replace",
                                         .before = rely_buf_slice(&old),
                                         .after = rely_buf_slice(&new)};
    bool is_logged = rely_store_log(leaving->registry->store, &entry, &after->record.revision, err);
    rely_buf_fini(&old);
    rely_buf_fini(&new);
    return is_logged;
}

static bool disown(const struct rely_leaving *leaving, const struct rely_identity_record *before, struct rely_err *err)
{
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_IDENTITY);
    struct rely_slice left[RELY_OWNERS_PER_IDENTITY_MAX];
    struct rely_identity_record after = *before;
    if (before->record.id == leaving->id)
        return true;
    after.owners = (struct rely_texts){left, take_out(&before->owners, leaving->name, left)};
    after.record.updated_at = leaving->writer->now_s;
    if (!log_disowning(leaving, before, &after, err) ||
        !rely_stored_change(leaving->registry->store, &(struct rely_stored_update){kind, before, &after}, err))
        return false;
    rely_changes_add(leaving->changes, kind->object, after.record.id, rely_record_copy(kind, &after));
    return true;
}

bool rely_identities_leave_owners(const struct rely_leaving *leaving, struct rely_err *err)
{
    struct owned owned = {NULL, 0};
    const struct rely_stored_asked asked = {.question = RELY_STORED_OWNED, .text = leaving->name};
    bool is_done =
        rely_stored_ask(leaving->registry->store, &asked, &(struct rely_stored_visit){note_owned, &owned}, err);
    for (size_t i = 0; i < owned.count; i++) {
        is_done = is_done && disown(leaving, owned.items[i], err);
        free(owned.items[i]);
    }
    free(owned.items);
    return is_done;
}

/* --- certificates --------------------------------------------------------------------------------------------- */

struct taking {
    const struct rely_writing *write;
    struct rely_slice name;
    struct rely_err *err;
};

static bool refuse_taken(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct taking *taking = context;
    char quoted[RELY_QUOTED_SIZE];
    (void)parent;
    if (record->record.id == taking->write->after.record.id)
        return true;
    return rely_write_refuse(taking->write->result, taking->err, RELY_ERR_CONFLICT, "certificate_in_use",
                             "certificates has %.200s, which is identity %.*s: a certificate is one identity",
                             rely_quote(taking->name, quoted), RELY_ARG(record->identity.name));
}

bool rely_identities_check_certificates(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_texts *names = &write->after.identity.certificates;
    for (size_t i = 0; i < names->count; i++) {
        struct taking taking = {write, names->items[i], err};
        const struct rely_stored_asked asked = {.question = RELY_STORED_BY_CERTIFICATE, .text = names->items[i]};
        if (!rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){refuse_taken, &taking}, err))
            return false;
    }
    return true;
}

/*
 * From rows to snapshots: the first edition from all rows, later ones from the rows that a change touched. What stands
 * in the database is the truth, and it is read before it is committed: what cannot be read back is refused, and
 * carrying a committed change cannot fail. Key sets are prepared here, because the registry does not know keys. Called
 * by control.c and publish.c.
 */
#include "service.h"

#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdlib.h>

static void free_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

/* Stored sets have no key of another record, but for those that relyd 0.1 took. */
static void leave_out_repeats(struct rely_control *control, const struct rely_snapshot *next,
                              const struct rely_issuer *issuer, struct rely_keyset *keyset)
{
    char sentence[RELY_REPEATS_SIZE];
    if (keyset != NULL && rely_repeats_take_out(next, issuer, keyset, rely_service_now_s(), sentence) > 0)
        rely_log_event(control->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
}

/* May the row's set be in force at all? A stranger may have written what came by a way that is closed by now. */
static bool may_be_in_force(const struct rely_control *control, const struct rely_issuer_row *row, struct rely_err *err)
{
    return row->jwks.ptr == NULL || row->issuer.has_uploaded_keys ||
           rely_accept_source(control->service->fetcher, &row->issuer, row->jwks_source_url, err);
}

/* The key set of a row, prepared from the stored document; NULL when there is none that can be used. */
static struct rely_keyset *prepare_keyset(struct rely_control *control, const struct rely_issuer_row *row)
{
    struct rely_err err = {0};
    if (row->jwks.ptr == NULL || rely_slice_equal(row->jwks, RELY_LIT("{\"keys\":[]}"))) /* all were another record's */
        return NULL;
    struct rely_keyset *keyset = rely_signature_accept(row->jwks, NULL, &err);
    if (keyset == NULL)
        rely_log_event(control->ring, RELY_LOG_ERROR, "stored_keys_unusable",
                       "the stored key set of issuer %.*s cannot be used: %s", RELY_ARG(row->issuer.name), err.message);
    return keyset;
}

/* Since when a stored set is known, and how long it counts: one that was uploaded until it is replaced. */
static void set_stored_times(const struct rely_control *control, const struct rely_issuer_row *row,
                             struct rely_issuer *issuer)
{
    int64_t max_age_s = control->service->config->key_max_age_s;
    if (row->jwks.ptr == NULL)
        return;
    issuer->keys_fetched_s = row->jwks_fetched_s;
    issuer->keys_until_s = issuer->has_uploaded_keys
                               ? INT64_MAX
                               : rely_accept_until_s(row->jwks_fetched_s, max_age_s, rely_service_now_s());
}

/* --- all rows ---------------------------------------------------------------------------------------- */

/* One reading of all rows: where they go. */
struct loading {
    struct rely_control *control;
    struct rely_snapshot *next;
    size_t forbidden_count;        /* stored sets that may not be in force */
    struct rely_err forbidden_err; /* of the first */
};

static void note_forbidden(struct loading *loading, const struct rely_issuer_row *row, struct rely_err *err)
{
    rely_err_prefix(err, "issuer %.*s", RELY_ARG(row->issuer.name));
    if (loading->forbidden_count++ == 0)
        loading->forbidden_err = *err;
}

static void say_forbidden(const struct loading *loading)
{
    if (loading->forbidden_count > 0)
        rely_log_event(loading->control->ring, RELY_LOG_WARNING, "stored_keys_not_in_force",
                       "the settings do not allow any more to fetch keys where %zu of the stored sets came from, which "
                       "are not in force; the first: %s",
                       loading->forbidden_count, loading->forbidden_err.message);
}

static void take_issuer_row(const struct rely_issuer_row *row, void *context)
{
    struct loading *loading = context;
    struct rely_issuer *issuer = rely_issuer_copy(&row->issuer);
    struct rely_err err = {0};
    struct rely_keyset *keyset = NULL;
    if (may_be_in_force(loading->control, row, &err))
        keyset = prepare_keyset(loading->control, row);
    else
        note_forbidden(loading, row, &err);
    leave_out_repeats(loading->control, loading->next, issuer, keyset);
    issuer->keyset = keyset;
    set_stored_times(loading->control, row, issuer);
    rely_snapshot_put_issuer(loading->next, issuer);
}

static void take_identity_row(const struct rely_identity *row, void *context)
{
    struct loading *loading = context;
    rely_snapshot_put_identity(loading->next, rely_identity_copy(row));
}

static void take_credential_row(const struct rely_credential *row, void *context)
{
    struct loading *loading = context;
    rely_snapshot_put_credential(loading->next, rely_credential_copy(row));
}

struct rely_snapshot *rely_control_load(struct rely_control *control, struct rely_err *err)
{
    const struct rely_config *config = control->service->config;
    struct rely_snapshot *next = rely_snapshot_next(NULL, rely_registry_revision(control->registry));
    struct loading loading = {control, next, 0, {0}};
    next->token_max_bytes = (size_t)config->token_max_bytes;
    next->may_use_system_names = config->may_use_system_names;
    bool is_read = rely_registry_each_issuer(control->registry, 0, take_issuer_row, &loading, err) &&
                   rely_registry_each_identity(control->registry, 0, take_identity_row, &loading, err) &&
                   rely_registry_each_credential(control->registry, 0, take_credential_row, &loading, err);
    say_forbidden(&loading);
    rely_snapshot_settle(next); /* what it replaced while it grew: nobody reads an older one */
    if (is_read)
        return next;
    rely_control_free_keysets(next);
    rely_snapshot_free_all(next);
    return NULL;
}

static bool free_issuer_keyset(const void *item, void *context)
{
    const struct rely_issuer *issuer = item;
    (void)context;
    rely_keyset_free((struct rely_keyset *)issuer->keyset);
    return true;
}

void rely_control_free_keysets(struct rely_snapshot *last)
{
    rely_map_each(&last->issuers_by_id, free_issuer_keyset, NULL);
}

/* --- the rows of a change ------------------------------------------------------------------------------ */

/* One object as its row is within the open transaction. */
struct rely_read_object {
    struct rely_change change;
    void *object;               /* owned until it is carried: a struct rely_issuer, rely_identity or rely_credential */
    bool has_other_keyset;      /* of an issuer: the set in force does not go on */
    struct rely_keyset *keyset; /* then: owned until it is carried; NULL: it has none that can be used */
};

/* One reading: the object that is looked for. */
struct rereading {
    struct rely_control *control;
    struct rely_read_object *read;
};

/* A disabled record's keys were free. Enabled again it does without those that another has by now, and has those that
 * another had when the set was prepared. */
static bool must_prepare_again(const struct rely_snapshot *snapshot, const struct rely_issuer *old,
                               const struct rely_issuer *issuer)
{
    bool is_woken = !old->is_enabled && issuer->is_enabled && old->keyset != NULL;
    return is_woken &&
           (rely_keyset_taken_out_count(old->keyset) > 0 || rely_repeats_are_in(snapshot, old, rely_service_now_s()));
}

/* The set in force goes on when the row has the same one: the carried issuer takes it over. */
static void keep_issuer_row(const struct rely_issuer_row *row, void *context)
{
    struct rereading *rereading = context;
    const struct rely_issuer *old = rely_snapshot_issuer(rereading->control->snapshot, row->issuer.id);
    struct rely_issuer *issuer = rely_issuer_copy(&row->issuer);
    rereading->read->object = issuer;
    set_stored_times(rereading->control, row, issuer);
    rereading->read->has_other_keyset = old == NULL || old->keys_generation != issuer->keys_generation ||
                                        must_prepare_again(rereading->control->snapshot, old, issuer);
    if (rereading->read->has_other_keyset && may_be_in_force(rereading->control, row, &(struct rely_err){0}))
        rereading->read->keyset = prepare_keyset(rereading->control, row);
}

static void keep_identity_row(const struct rely_identity *row, void *context)
{
    ((struct rereading *)context)->read->object = rely_identity_copy(row);
}

static void keep_credential_row(const struct rely_credential *row, void *context)
{
    ((struct rereading *)context)->read->object = rely_credential_copy(row);
}

static bool read_again(struct rely_control *control, struct rely_read_object *read, struct rely_err *err)
{
    struct rereading rereading = {control, read};
    switch (read->change.object) {
    case RELY_OBJECT_ISSUER:
        return rely_registry_each_issuer(control->registry, read->change.id, keep_issuer_row, &rereading, err);
    case RELY_OBJECT_IDENTITY:
        return rely_registry_each_identity(control->registry, read->change.id, keep_identity_row, &rereading, err);
    case RELY_OBJECT_CREDENTIAL:
        return rely_registry_each_credential(control->registry, read->change.id, keep_credential_row, &rereading, err);
    }
    return rely_err_set(err, RELY_ERR_INTERNAL, "a change of no known object");
}

static bool is_same_object(const struct rely_change *a, const struct rely_change *b)
{
    return a->object == b->object && a->id == b->id;
}

static bool has_read(const struct rely_reread *reread, const struct rely_change *change)
{
    for (size_t i = 0; i < reread->count; i++)
        if (is_same_object(&reread->items[i].change, change))
            return true;
    return false;
}

static bool is_removed_later(const struct rely_changes *changes, size_t index)
{
    for (size_t i = index + 1; i < changes->count; i++)
        if (changes->items[i].is_removed && is_same_object(&changes->items[i], &changes->items[index]))
            return true;
    return false;
}

static struct rely_read_object *add_read(struct rely_reread *reread, const struct rely_change *change)
{
    if (reread->count == reread->cap) {
        reread->cap = reread->cap == 0 ? 4 : reread->cap * 2;
        reread->items = rely_realloc(reread->items, reread->cap * sizeof *reread->items);
    }
    struct rely_read_object *read = &reread->items[reread->count++];
    *read = (struct rely_read_object){.change = *change};
    return read;
}

bool rely_control_reread(struct rely_control *control, const struct rely_changes *changes, struct rely_reread *reread,
                         struct rely_err *err)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct rely_change *change = &changes->items[i];
        if (change->is_removed || has_read(reread, change))
            continue;
        struct rely_read_object *read = add_read(reread, change);
        if (!read_again(control, read, err))
            return false;
        if (read->object == NULL && !is_removed_later(changes, i))
            return rely_err_set(err, RELY_ERR_DAMAGED, "a row that was written cannot be found");
    }
    return true;
}

void rely_reread_fini(struct rely_reread *reread)
{
    for (size_t i = 0; i < reread->count; i++) {
        rely_keyset_free(reread->items[i].keyset);
        free(reread->items[i].object);
    }
    free(reread->items);
    *reread = (struct rely_reread){0};
}

static void retire_keyset(struct rely_snapshot *next, const struct rely_issuer *issuer)
{
    if (issuer != NULL && issuer->keyset != NULL)
        rely_retired_add(&next->retired, (void *)issuer->keyset, free_keyset);
}

static void remove_object(struct rely_snapshot *next, const struct rely_change *change)
{
    if (change->object == RELY_OBJECT_IDENTITY) {
        rely_snapshot_remove_identity(next, change->id);
    } else if (change->object == RELY_OBJECT_CREDENTIAL) {
        rely_snapshot_remove_credential(next, change->id);
    } else {
        retire_keyset(next, rely_snapshot_issuer(next, change->id));
        rely_snapshot_remove_issuer(next, change->id);
    }
}

static void carry_issuer(struct rely_control *control, struct rely_snapshot *next, struct rely_read_object *read)
{
    struct rely_issuer *issuer = read->object;
    const struct rely_issuer *old = rely_snapshot_issuer(next, issuer->id);
    if (read->has_other_keyset) {
        retire_keyset(next, old);
        leave_out_repeats(control, next, issuer, read->keyset);
        issuer->keyset = read->keyset;
        read->keyset = NULL;
    } else {
        issuer->keyset = old->keyset;                 /* nothing has been carried since it was compared */
        issuer->keys_fetched_s = old->keys_fetched_s; /* what is in force may be younger than what is stored */
        issuer->keys_until_s = old->keys_until_s;
    }
    rely_snapshot_put_issuer(next, issuer);
}

static void carry_object(struct rely_control *control, struct rely_snapshot *next, struct rely_read_object *read)
{
    if (read->object == NULL)
        return;
    if (read->change.object == RELY_OBJECT_ISSUER)
        carry_issuer(control, next, read);
    else if (read->change.object == RELY_OBJECT_IDENTITY)
        rely_snapshot_put_identity(next, read->object);
    else
        rely_snapshot_put_credential(next, read->object);
    read->object = NULL;
}

struct rely_snapshot *rely_control_carry(struct rely_control *control, const struct rely_changes *changes,
                                         struct rely_reread *reread)
{
    struct rely_snapshot *next = rely_snapshot_next(control->snapshot, changes->revision);
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].is_removed)
            remove_object(next, &changes->items[i]);
    for (size_t i = 0; i < reread->count; i++)
        carry_object(control, next, &reread->items[i]);
    rely_reread_fini(reread);
    return next;
}

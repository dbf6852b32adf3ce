/*
 * From records to snapshots: the first edition from all records, later ones from those that a change carries. Both go
 * the same way, and none of it can fail: what was committed is in force. Key sets are prepared here. Called by
 * batch.c, and by service/ at the start.
 */
#include "inside.h"

#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdlib.h>

/* An edition that grows, and what is said when it is whole. */
struct growing {
    struct rely_control *control;
    struct rely_snapshot *next;
    size_t forbidden_count;        /* stored sets that may not be in force */
    struct rely_err forbidden_err; /* of the first */
};

static void free_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

static void retire_keyset(struct rely_snapshot *next, const struct rely_issuer *issuer)
{
    if (issuer != NULL && issuer->keyset != NULL)
        rely_retired_add(&next->retired, rely_as_owner(issuer->keyset), free_keyset);
}

/* --- an issuer's keys -------------------------------------------------------------------------------- */

static bool ask_settings(const struct rely_control *control, const struct rely_issuer *issuer,
                         struct rely_slice keys_url, struct rely_err *err)
{
    return control->hooks.may_be_in_force(control->hooks.context, issuer, keys_url, err);
}

/* May the stored set be in force at all? A stranger may have written what came by a way that is closed by now. */
static bool may_be_in_force(struct growing *growing, const struct rely_issuer *issuer,
                            const struct rely_issuer_record *record)
{
    struct rely_err err = {0};
    if (record->jwks.ptr == NULL || issuer->has_uploaded_keys ||
        ask_settings(growing->control, issuer, record->jwks_source_url, &err))
        return true;
    rely_err_prefix(&err, "issuer %.*s", RELY_ARG(issuer->name));
    if (growing->forbidden_count++ == 0)
        growing->forbidden_err = err;
    return false;
}

/* Prepared from the stored document; NULL when there is none that can be used. */
static struct rely_keyset *prepare_keyset(const struct growing *growing, const struct rely_issuer_record *record)
{
    struct rely_err err = {0};
    if (record->jwks.ptr == NULL || rely_slice_equal(record->jwks, RELY_LIT("{\"keys\":[]}"))) /* all another's */
        return NULL;
    struct rely_keyset *keyset = rely_signature_accept(record->jwks, NULL, &err);
    if (keyset == NULL)
        rely_log_event(growing->control->ring, RELY_LOG_ERROR, "stored_keys_unusable",
                       "the stored key set of issuer %.*s cannot be used: %s", RELY_ARG(record->name), err.message);
    return keyset;
}

/* Stored sets have no key of another record, but for those that relyd 0.1 took. */
static void leave_out_repeats(const struct growing *growing, const struct rely_issuer *issuer,
                              struct rely_keyset *keyset)
{
    char sentence[RELY_REPEATS_SIZE];
    if (keyset != NULL &&
        rely_repeats_take_out(growing->next, issuer, keyset, rely_control_now_s(growing->control), sentence) > 0)
        rely_log_event(growing->control->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
}

/* Since when a stored set is known, and how long it counts: one that was uploaded until it is replaced. */
static void set_stored_times(const struct growing *growing, const struct rely_issuer_record *record,
                             struct rely_issuer *issuer)
{
    int64_t max_age_s = growing->control->config->key_max_age_s;
    if (record->jwks.ptr == NULL)
        return;
    issuer->keys_fetched_s = record->jwks_fetched_at < 0 ? 0 : record->jwks_fetched_at; /* a hand's */
    issuer->keys_until_s = issuer->has_uploaded_keys ? INT64_MAX
                                                     : rely_accept_until_s(record->jwks_fetched_at, max_age_s,
                                                                           rely_control_now_s(growing->control));
}

/* A disabled record's keys were free. Enabled again it does without those that another has by now, and has those that
 * another had when the set was prepared. */
static bool must_prepare_again(const struct growing *growing, const struct rely_issuer *old,
                               const struct rely_issuer *issuer)
{
    bool is_woken = !old->is_enabled && issuer->is_enabled && old->keyset != NULL;
    return is_woken && (rely_keyset_taken_out_count(old->keyset) > 0 ||
                        rely_repeats_are_in(growing->next, old, rely_control_now_s(growing->control)));
}

/* A set that is younger than the stored one is in force and not stored yet. It cannot be prepared again, and the stored
 * one may have keys that the issuer has withdrawn: a woken record has none until the next fetch, which is near. */
static bool is_stored_set_outdated(const struct rely_issuer *old, const struct rely_issuer *issuer)
{
    return old != NULL && old->keys_generation == issuer->keys_generation &&
           old->keys_fetched_s != issuer->keys_fetched_s;
}

/* --- one record ---------------------------------------------------------------------------------------- */

/* The set in force goes on when the record has the same one. */
static void carry_issuer(struct growing *growing, const struct rely_issuer_record *record)
{
    struct rely_snapshot *next = growing->next;
    const struct rely_issuer *old = rely_snapshot_issuer(next, record->record.id);
    struct rely_issuer *issuer = rely_issuer_of_record(record, growing->control->config->may_use_http);
    set_stored_times(growing, record, issuer);
    if (old == NULL || old->keys_generation != issuer->keys_generation || must_prepare_again(growing, old, issuer)) {
        bool is_usable = !is_stored_set_outdated(old, issuer) && may_be_in_force(growing, issuer, record);
        struct rely_keyset *keyset = is_usable ? prepare_keyset(growing, record) : NULL;
        retire_keyset(next, old);
        leave_out_repeats(growing, issuer, keyset);
        issuer->keyset = keyset;
    } else {
        issuer->keyset = old->keyset;
        issuer->keys_fetched_s = old->keys_fetched_s; /* what is in force may be younger than what is stored */
        issuer->keys_until_s = old->keys_until_s;
    }
    rely_snapshot_put_issuer(next, issuer);
}

static void carry_record(struct growing *growing, enum rely_object object, const void *record)
{
    if (object == RELY_OBJECT_ISSUER)
        carry_issuer(growing, record);
    else
        rely_snapshot_carry(growing->next, object, record);
}

static void remove_object(struct rely_snapshot *next, enum rely_object object, int64_t id)
{
    if (object == RELY_OBJECT_ISSUER)
        retire_keyset(next, rely_snapshot_issuer(next, id));
    rely_snapshot_remove(next, object, id);
}

/* --- a change ------------------------------------------------------------------------------------------- */

struct rely_snapshot *rely_edition_carry(struct rely_control *control, const struct rely_changes *changes)
{
    struct growing growing = {.control = control, .next = rely_snapshot_next(control->snapshot, changes->revision)};
    for (size_t i = 0; i < changes->count; i++) {
        const struct rely_change *change = &changes->items[i];
        if (change->record == NULL)
            remove_object(growing.next, change->object, change->id);
        else
            carry_record(&growing, change->object, change->record);
    }
    return growing.next;
}

/* --- all records ---------------------------------------------------------------------------------------- */

/* All of one kind. */
struct loading {
    struct growing *growing;
    enum rely_object object;
};

static void take_record(const union rely_any_record *record, void *context)
{
    const struct loading *loading = context;
    carry_record(loading->growing, loading->object, record);
}

static bool load_records(struct growing *growing, struct rely_registry *registry, struct rely_err *err)
{
    const struct rely_kind *kind;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        struct loading loading = {growing, kind->object};
        if (rely_snapshot_holds(kind->object) &&
            !rely_registry_each(registry, kind->object, take_record, &loading, err))
            return false;
    }
    return true;
}

static void say_forbidden(const struct growing *growing)
{
    if (growing->forbidden_count > 0)
        rely_log_event(growing->control->ring, RELY_LOG_WARNING, "stored_keys_not_in_force",
                       "the settings do not allow any more to fetch keys where %zu of the stored sets came from, which "
                       "are not in force; the first: %s",
                       growing->forbidden_count, growing->forbidden_err.message);
}

static bool free_issuer_keyset(const void *item, void *context)
{
    const struct rely_issuer *issuer = item;
    (void)context;
    rely_keyset_free(rely_as_owner(issuer->keyset));
    return true;
}

void rely_edition_free_keysets(struct rely_snapshot *last)
{
    rely_map_each(&last->issuers_by_id, free_issuer_keyset, NULL);
}

bool rely_control_load(struct rely_control *control, struct rely_registry *registry, struct rely_err *err)
{
    struct rely_snapshot *next = rely_snapshot_next(NULL, rely_registry_revision(registry));
    struct growing growing = {.control = control, .next = next};
    next->token_max_bytes = (size_t)control->config->token_max_bytes;
    next->may_use_system_names = control->config->may_use_system_names;
    bool is_read = load_records(&growing, registry, err);
    say_forbidden(&growing);
    rely_snapshot_free_replaced(next); /* what it replaced while it grew: nobody reads an older one */
    control->snapshot = next;
    if (is_read)
        return true;
    rely_edition_free_keysets(next);
    rely_snapshot_free_all(next);
    control->snapshot = NULL;
    return false;
}

/*
 * From records to snapshots: the first edition from all records (load.c), later ones from those that a change carries.
 * Both go the same way, and none of it can fail: what was committed is in force. Key sets are prepared here. Called by
 * live.c and load.c.
 */
#include "inside.h"

#include "relyd/key_times.h"
#include "relyd/signature.h"
#include "relyd/text.h"
#include "relyd/traffic.h"

#include <stdlib.h>

static void free_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

static void retire_traffic(struct rely_snapshot *next, const struct rely_issuer *issuer)
{
    if (issuer != NULL && issuer->traffic != NULL)
        rely_retired_add(&next->retired, issuer->traffic, rely_traffic_free);
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
static bool may_be_in_force(struct rely_growing *growing, const struct rely_issuer *issuer,
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

struct rely_prepared rely_prepare_stored(const struct rely_issuer_record *record)
{
    struct rely_prepared prepared = {0};
    const struct rely_keyset_limits limits = rely_keyset_most(record->allow_costly_keys);
    if (record->jwks.ptr != NULL && !rely_slice_equal(record->jwks, RELY_LIT("{\"keys\":[]}"))) /* all another's */
        prepared.keyset = rely_signature_accept(record->jwks, &limits, &prepared.err);
    if (prepared.keyset != NULL)
        rely_keyset_recall_seen(prepared.keyset, record->keys_seen);
    return prepared;
}

static struct rely_keyset *use_prepared(const struct rely_growing *growing, const struct rely_issuer_record *record,
                                        const struct rely_prepared *prepared)
{
    if (prepared->err.code != RELY_ERR_NONE)
        rely_log_event(growing->control->ring, RELY_LOG_ERROR, "stored_keys_unusable",
                       "the stored key set of issuer %.*s cannot be used: %s", RELY_ARG(record->name),
                       prepared->err.message);
    return prepared->keyset;
}

/* Stored sets have no key of another record, but for those that relyd 0.1 took. */
static void leave_out_repeats(const struct rely_growing *growing, const struct rely_issuer *issuer,
                              struct rely_keyset *keyset)
{
    char sentence[RELY_REPEATS_SIZE];
    if (keyset != NULL &&
        rely_repeats_take_out(growing->next, issuer, keyset, rely_control_now_s(growing->control), sentence) > 0)
        rely_log_event(growing->control->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
}

/* How long a set of this time counts: one that was uploaded until it is replaced. */
static int64_t find_end_s(const struct rely_growing *growing, const struct rely_issuer *issuer, int64_t fetched_s)
{
    return issuer->has_uploaded_keys ? INT64_MAX
                                     : rely_accept_until_s(fetched_s, rely_accept_max_age_s(growing->next, issuer),
                                                           rely_control_now_s(growing->control));
}

static void set_stored_times(const struct rely_growing *growing, const struct rely_issuer_record *record,
                             struct rely_issuer *issuer)
{
    if (record->jwks.ptr == NULL)
        return;
    issuer->keys_fetched_s = record->jwks_fetched_at < 0 ? 0 : record->jwks_fetched_at; /* a hand's */
    issuer->keys_until_s = find_end_s(growing, issuer, record->jwks_fetched_at);
}

/* What is in force may be younger than what is stored. */
static void keep_times(const struct rely_growing *growing, const struct rely_issuer *old, struct rely_issuer *issuer)
{
    issuer->keys_fetched_s = old->keys_fetched_s;
    issuer->keys_until_s = old->keys_until_s == 0 ? 0 : find_end_s(growing, issuer, old->keys_fetched_s);
}

static bool has_other_names(const struct rely_issuer *old, const struct rely_issuer *issuer)
{
    for (size_t i = 0; i < rely_issuer_name_count(issuer); i++)
        if (rely_issuer_name_at(issuer, i).ptr != NULL &&
            rely_issuer_name_index(old, rely_issuer_name_at(issuer, i)) == rely_issuer_name_count(old))
            return true;
    return false;
}

/* A disabled record's keys were free, and nobody's under a name that it had not. It does without those that another has
 * by now, and has those that another had when the set was prepared. */
static bool must_prepare_again(const struct rely_growing *growing, const struct rely_issuer *old,
                               const struct rely_issuer *issuer)
{
    struct rely_issuer as_it_is = *issuer;
    as_it_is.keyset = old->keyset;
    bool is_woken = (!old->is_enabled || has_other_names(old, issuer)) && issuer->is_enabled && old->keyset != NULL;
    return is_woken && (rely_keyset_taken_out_count(old->keyset) > 0 ||
                        rely_repeats_are_in(growing->next, &as_it_is, rely_control_now_s(growing->control)));
}

/* A set that is younger than the stored one is in force and not stored yet. It cannot be prepared again, and the stored
 * one may have keys that the issuer has withdrawn: a woken record has none until the next fetch, which is near. */
static bool is_stored_set_outdated(const struct rely_issuer *old, const struct rely_issuer *issuer)
{
    return old != NULL && old->keys_generation == issuer->keys_generation &&
           old->keys_fetched_s != issuer->keys_fetched_s;
}

/* --- one record ---------------------------------------------------------------------------------------- */

/* Of a record that comes anew, or with another set than the one in force. */
static struct rely_keyset *choose_keyset(struct rely_growing *growing, const struct rely_issuer_record *record,
                                         const struct rely_issuer *old, const struct rely_issuer *issuer)
{
    if (is_stored_set_outdated(old, issuer) || !may_be_in_force(growing, issuer, record))
        return NULL;
    const struct rely_prepared prepared = rely_prepare_stored(record);
    return use_prepared(growing, record, &prepared);
}

static void put_with_keyset(const struct rely_growing *growing, struct rely_issuer *issuer, struct rely_keyset *keyset)
{
    leave_out_repeats(growing, issuer, keyset);
    issuer->keyset = keyset;
    rely_snapshot_put_issuer(growing->next, issuer);
}

static struct rely_issuer *make_issuer(const struct rely_growing *growing, const struct rely_issuer_record *record)
{
    const struct rely_issuer *old = rely_snapshot_issuer(growing->next, record->record.id);
    struct rely_issuer *issuer = rely_issuer_of_record(record, growing->control->config->may_use_http);
    issuer->traffic = old == NULL ? rely_traffic_new() : old->traffic;
    set_stored_times(growing, record, issuer);
    return issuer;
}

static bool must_judge_cost_again(const struct rely_issuer *old, const struct rely_issuer *issuer)
{
    return old->keyset != NULL && old->source.may_have_costly_keys != issuer->source.may_have_costly_keys;
}

/* The record says otherwise whether costly keys are used. A set in force that is not the stored one cannot be prepared
 * again: the record has none until the next fetch, which is near. */
static struct rely_keyset *judge_cost_again(const struct rely_issuer_record *record, const struct rely_issuer *old)
{
    struct rely_issuer_record as_before = *record;
    as_before.allow_costly_keys = old->source.may_have_costly_keys;
    struct rely_keyset *before = rely_prepare_stored(&as_before).keyset;
    bool is_stored = before != NULL && rely_keyset_has_same_keys(before, old->keyset);
    rely_keyset_free(before);
    return is_stored ? rely_prepare_stored(record).keyset : NULL;
}

/* The set in force goes on when the record has the same one. */
static void carry_issuer(struct rely_growing *growing, const struct rely_issuer_record *record)
{
    const struct rely_issuer *old = rely_snapshot_issuer(growing->next, record->record.id);
    struct rely_issuer *issuer = make_issuer(growing, record);
    if (old == NULL || old->keys_generation != issuer->keys_generation || must_prepare_again(growing, old, issuer)) {
        struct rely_keyset *keyset = choose_keyset(growing, record, old, issuer);
        if (keyset != NULL)
            rely_keyset_carry_times(keyset, old == NULL ? NULL : old->keyset, rely_control_now_s(growing->control));
        retire_keyset(growing->next, old);
        put_with_keyset(growing, issuer, keyset);
        return;
    }
    keep_times(growing, old, issuer);
    if (must_judge_cost_again(old, issuer)) {
        struct rely_keyset *keyset = judge_cost_again(record, old);
        if (keyset != NULL)
            rely_keyset_carry_times(keyset, old->keyset, rely_control_now_s(growing->control));
        retire_keyset(growing->next, old);
        put_with_keyset(growing, issuer, keyset);
        return;
    }
    issuer->keyset = old->keyset;
    rely_snapshot_put_issuer(growing->next, issuer);
}

void rely_edition_enter_issuer(struct rely_growing *growing, const struct rely_issuer_record *record,
                               const struct rely_prepared *prepared)
{
    struct rely_issuer *issuer = make_issuer(growing, record);
    bool is_usable = may_be_in_force(growing, issuer, record);
    if (!is_usable)
        rely_keyset_free(prepared->keyset);
    put_with_keyset(growing, issuer, is_usable ? use_prepared(growing, record, prepared) : NULL);
}

static void carry_record(struct rely_growing *growing, enum rely_object object, const void *record)
{
    if (object == RELY_OBJECT_ISSUER)
        carry_issuer(growing, record);
    else
        rely_snapshot_carry(growing->next, object, record);
}

static void remove_object(struct rely_snapshot *next, enum rely_object object, int64_t id)
{
    if (object == RELY_OBJECT_ISSUER) {
        retire_keyset(next, rely_snapshot_issuer(next, id));
        retire_traffic(next, rely_snapshot_issuer(next, id));
    }
    rely_snapshot_remove(next, object, id);
}

/* --- a change ------------------------------------------------------------------------------------------- */

struct rely_snapshot *rely_edition_carry(struct rely_control *control, const struct rely_changes *changes)
{
    struct rely_growing growing = {.control = control,
                                   .next = rely_snapshot_next(control->snapshot, changes->revision)};
    for (size_t i = 0; i < changes->count; i++) {
        const struct rely_change *change = &changes->items[i];
        if (change->record == NULL)
            remove_object(growing.next, change->object, change->id);
        else
            carry_record(&growing, change->object, change->record);
    }
    return growing.next;
}

/* --- the end ------------------------------------------------------------------------------------------- */

static bool free_issuer_keyset(const void *item, void *context)
{
    const struct rely_issuer *issuer = item;
    (void)context;
    rely_keyset_free(rely_as_owner(issuer->keyset));
    rely_traffic_free(issuer->traffic);
    return true;
}

void rely_edition_free_keysets(struct rely_snapshot *last)
{
    rely_map_each(&last->issuers_by_id, free_issuer_keyset, NULL);
}

/*
 * From rows to snapshots: the first edition from all rows, later ones from the rows that a change touched. What stands
 * in the database is the truth; key sets are prepared here, because the registry does not know keys. Called by
 * control.c and publish.c.
 */
#include "service.h"

#include "relyd/text.h"

#include <stdlib.h>

/* One reading: where rows go. */
struct loading {
    struct rely_control *control;
    struct rely_snapshot *next;
};

static void free_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

/* Stored sets have no key of another record, but for those that relyd 0.1 took. */
static void leave_out_repeats(struct loading *loading, const struct rely_issuer_row *row, struct rely_keyset *keyset)
{
    char sentence[RELY_REPEATS_SIZE];
    if (rely_repeats_take_out(loading->next, &row->issuer, keyset, sentence) > 0)
        rely_log_event(loading->control->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
}

/* The key set of a row: the one in use when it is still the same, else prepared from the stored document. */
static const struct rely_keyset *prepare_keyset(struct loading *loading, const struct rely_issuer_row *row,
                                                const struct rely_issuer *old)
{
    bool is_same = old != NULL && old->keys_generation == row->issuer.keys_generation;
    struct rely_err err = {0};
    if (is_same)
        return old->keyset;
    if (old != NULL && old->keyset != NULL)
        rely_retired_add(&loading->next->retired, (void *)old->keyset, free_keyset);
    if (row->jwks.ptr == NULL || rely_slice_equal(row->jwks, RELY_LIT("{\"keys\":[]}"))) /* all were another record's */
        return NULL;
    struct rely_keyset *keyset = rely_keyset_parse(row->jwks, &err);
    if (keyset == NULL)
        rely_log_event(loading->control->ring, RELY_LOG_ERROR, "stored_keys_unusable",
                       "the stored key set of issuer %.*s cannot be used: %s", RELY_ARG(row->issuer.name), err.message);
    else
        leave_out_repeats(loading, row, keyset);
    return keyset;
}

static void take_issuer_row(const struct rely_issuer_row *row, void *context)
{
    struct loading *loading = context;
    struct rely_issuer issuer = row->issuer;
    issuer.keyset = prepare_keyset(loading, row, rely_snapshot_issuer(loading->next, issuer.id));
    rely_snapshot_put_issuer(loading->next, rely_issuer_copy(&issuer));
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
    struct loading loading = {control, next};
    next->token_max_bytes = (size_t)config->token_max_bytes;
    next->may_use_system_names = config->may_use_system_names;
    bool is_read = rely_registry_each_issuer(control->registry, 0, take_issuer_row, &loading, err) &&
                   rely_registry_each_identity(control->registry, 0, take_identity_row, &loading, err) &&
                   rely_registry_each_credential(control->registry, 0, take_credential_row, &loading, err);
    if (is_read)
        return next;
    rely_snapshot_free_all(next);
    return NULL;
}

static void remove_object(struct rely_snapshot *next, const struct rely_change *change)
{
    if (change->object == RELY_OBJECT_IDENTITY) {
        rely_snapshot_remove_identity(next, change->id);
    } else if (change->object == RELY_OBJECT_CREDENTIAL) {
        rely_snapshot_remove_credential(next, change->id);
    } else {
        const struct rely_issuer *issuer = rely_snapshot_issuer(next, change->id);
        if (issuer != NULL && issuer->keyset != NULL)
            rely_retired_add(&next->retired, (void *)issuer->keyset, free_keyset);
        rely_snapshot_remove_issuer(next, change->id);
    }
}

bool rely_control_carry_change(struct rely_control *control, struct rely_snapshot *next,
                               const struct rely_change *change, struct rely_err *err)
{
    struct loading loading = {control, next};
    if (change->is_removed) {
        remove_object(next, change);
        return true;
    }
    switch (change->object) {
    case RELY_OBJECT_ISSUER:
        return rely_registry_each_issuer(control->registry, change->id, take_issuer_row, &loading, err);
    case RELY_OBJECT_IDENTITY:
        return rely_registry_each_identity(control->registry, change->id, take_identity_row, &loading, err);
    case RELY_OBJECT_CREDENTIAL:
        return rely_registry_each_credential(control->registry, change->id, take_credential_row, &loading, err);
    }
    return rely_err_set(err, RELY_ERR_INTERNAL, "a change of no known object");
}

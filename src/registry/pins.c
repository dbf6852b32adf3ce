/*
 * The uid of the first service account that uses a credential, written down at the request of a review. Decides whether
 * the credential is still the one that the review saw, and has none yet: of two uids the first one stays. Called by the
 * service.
 */
#include "inside.h"
#include "relyd/guards.h"
#include "relyd/snapshot.h"
#include <stdio.h>

/* A write of one pin. All borrowed. */
struct pinning {
    struct rely_registry *registry;
    const struct rely_pin *pin;
    int64_t now_s;
    struct rely_pool *pool;
    union rely_any_record before, after, issuer, identity;
};

static bool find_pinned_row(const struct pinning *pinning, enum rely_object object, int64_t id,
                            union rely_any_record *record, struct rely_err *err)
{
    return rely_stored_find_row(pinning->registry->store, &(struct rely_stored_row){rely_kind_of(object), id},
                                pinning->pool, record, err);
}

/* Is it what was asked for, by a rule that the review saw? */
static bool is_to_be_pinned(const struct pinning *pinning)
{
    const struct rely_credential_record *credential = &pinning->before.credential;
    return credential->record.id != 0 && credential->account_uid.ptr == NULL && credential->subject.ptr != NULL &&
           credential->issuer_id == pinning->pin->issuer_id && pinning->issuer.issuer.pin_uid == RELY_PIN_FIRST_USE &&
           rely_rule_hash(credential->issuer_id, credential->subject) == pinning->pin->rule_hash;
}

static bool log_pin(struct pinning *pinning, struct rely_err *err)
{
    char actor[RELY_NAME_MAX + sizeof "cluster:"];
    struct rely_buf before = {0}, after = {0};
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_CREDENTIAL);
    RELY_JSON_OWNED struct rely_json *old = rely_record_show_logged(kind, &pinning->before);
    RELY_JSON_OWNED struct rely_json *shown = rely_record_show_logged(kind, &pinning->after);
    snprintf(actor, sizeof actor, "cluster:%.*s", RELY_ARG(pinning->issuer.issuer.name));
    rely_json_print(old, &before);
    rely_json_print(shown, &after);
    const struct rely_log_entry entry = {.at_s = pinning->now_s,
                                         .actor = rely_slice_of(actor),
                                         .object = kind->word,
                                         .parent = pinning->identity.identity.name,
                                         .name = pinning->before.credential.name,
                                         .operation = "pin",
                                         .before = rely_buf_slice(&before),
                                         .after = rely_buf_slice(&after)};
    bool is_logged = rely_store_log(pinning->registry->store, &entry, &pinning->after.record.revision, err);
    rely_buf_fini(&before);
    rely_buf_fini(&after);
    return is_logged;
}

static bool store_pin(struct pinning *pinning, struct rely_changes *changes, struct rely_err *err)
{
    struct rely_store *store = pinning->registry->store;
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_CREDENTIAL);
    pinning->after = pinning->before;
    pinning->after.credential.account_uid = rely_slice(pinning->pin->uid, sizeof pinning->pin->uid);
    pinning->after.record.updated_at = pinning->now_s;
    if (!log_pin(pinning, err) ||
        !rely_stored_change(store, &(struct rely_stored_update){kind, &pinning->before, &pinning->after}, err) ||
        !rely_stored_verify(store, kind, &pinning->after, err) ||
        !rely_store_keep_write(store, pinning->after.record.revision, err))
        return false;
    changes->revision = pinning->after.record.revision;
    rely_changes_add(changes, kind->object, pinning->after.record.id, rely_record_copy(kind, &pinning->after));
    return true;
}

static bool pin_found(struct pinning *pinning, struct rely_changes *changes, struct rely_err *err)
{
    if (!find_pinned_row(pinning, RELY_OBJECT_CREDENTIAL, pinning->pin->credential_id, &pinning->before, err) ||
        !find_pinned_row(pinning, RELY_OBJECT_ISSUER, pinning->pin->issuer_id, &pinning->issuer, err))
        return false;
    if (!is_to_be_pinned(pinning)) {
        rely_store_undo_write(pinning->registry->store);
        return true;
    }
    return find_pinned_row(pinning, RELY_OBJECT_IDENTITY, pinning->before.record.parent_id, &pinning->identity, err) &&
           store_pin(pinning, changes, err);
}

bool rely_registry_pin(struct rely_registry *registry, const struct rely_pin *pin, int64_t now_s,
                       struct rely_changes *changes, struct rely_err *err)
{
    struct rely_pool pool;
    struct pinning pinning = {.registry = registry, .pin = pin, .now_s = now_s, .pool = &pool};
    if (!rely_store_begin_write(registry->store, err))
        return false;
    rely_pool_init(&pool);
    bool is_done = pin_found(&pinning, changes, err);
    rely_pool_fini(&pool);
    if (!is_done)
        rely_store_undo_write(registry->store);
    return is_done;
}

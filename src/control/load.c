/*
 * The first edition, from all records of the registry. Issuers come first, and while the other objects are read, which
 * are many, another thread prepares their key sets, which takes as long. Decides nothing. Called by service/ once.
 */
#include "inside.h"

#include <stdlib.h>

/* --- issuers and their stored key sets ------------------------------------------------------------------- */

struct loaded_issuer {
    struct rely_issuer_record *record; /* owned */
    struct rely_prepared prepared;
};

struct loaded_issuers {
    struct loaded_issuer *items; /* owned */
    size_t count, cap;
};

static void keep_issuer(const union rely_any_record *record, void *context)
{
    struct loaded_issuers *issuers = context;
    if (issuers->count == issuers->cap) {
        issuers->cap = issuers->cap == 0 ? 64 : issuers->cap * 2;
        issuers->items = rely_realloc(issuers->items, issuers->cap * sizeof *issuers->items);
    }
    issuers->items[issuers->count++] =
        (struct loaded_issuer){.record = rely_record_copy(rely_kind_of(RELY_OBJECT_ISSUER), record)};
}

/* Thread: any. */
static void prepare_all(void *context)
{
    const struct loaded_issuers *issuers = context;
    for (size_t i = 0; i < issuers->count; i++)
        issuers->items[i].prepared = rely_prepare_stored(issuers->items[i].record);
}

/* In the order in which they were read, which decides whose a key is that several have. */
static void enter_all(struct rely_growing *growing, const struct loaded_issuers *issuers)
{
    for (size_t i = 0; i < issuers->count; i++) {
        rely_edition_enter_issuer(growing, issuers->items[i].record, &issuers->items[i].prepared);
        free(issuers->items[i].record);
    }
    free(issuers->items);
}

/* --- the others ------------------------------------------------------------------------------------------ */

static void take_record(const union rely_any_record *record, void *context)
{
    rely_filling_add(context, record);
}

static bool load_kind(struct rely_snapshot *next, enum rely_object object, struct rely_registry *registry,
                      struct rely_err *err)
{
    struct rely_filling filling = {.next = next, .object = object};
    bool is_read = rely_registry_each(registry, object, take_record, &filling, err);
    rely_filling_end(&filling);
    return is_read;
}

static bool load_others(struct rely_snapshot *next, struct rely_registry *registry, struct rely_err *err)
{
    const struct rely_kind *kind;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++)
        if (kind->object != RELY_OBJECT_ISSUER && rely_snapshot_holds(kind->object) &&
            !load_kind(next, kind->object, registry, err))
            return false;
    return true;
}

/* --- all ------------------------------------------------------------------------------------------------- */

static bool load_records(struct rely_growing *growing, struct rely_registry *registry, struct rely_err *err)
{
    const struct rely_control_hooks *hooks = &growing->control->hooks;
    struct loaded_issuers issuers = {0};
    bool is_read = rely_registry_each(registry, RELY_OBJECT_ISSUER, keep_issuer, &issuers, err);
    void *aside = hooks->start_aside(hooks->context, prepare_all, &issuers);
    is_read = is_read && load_others(growing->next, registry, err);
    hooks->await_aside(hooks->context, aside);
    enter_all(growing, &issuers);
    return is_read;
}

static void say_forbidden(const struct rely_growing *growing)
{
    if (growing->forbidden_count > 0)
        rely_log_event(growing->control->ring, RELY_LOG_WARNING, "stored_keys_not_in_force",
                       "the settings do not allow any more to fetch keys where %zu of the stored sets came from, which "
                       "are not in force; the first: %s",
                       growing->forbidden_count, growing->forbidden_err.message);
}

bool rely_control_load(struct rely_control *control, struct rely_registry *registry, struct rely_err *err)
{
    struct rely_snapshot *next = rely_snapshot_next(NULL, rely_registry_revision(registry));
    struct rely_growing growing = {.control = control, .next = next};
    next->token_max_bytes = (size_t)control->config->token_max_bytes;
    next->keys_max_age_s = control->config->key_max_age_s;
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

/*
 * May a key set be uploaded, as far as other records of the same `iss` are concerned: none may have one of its keys,
 * be it in force (keeper/repeats.c) or written in the open batch. Called by service/, for the registry, which waits.
 */
#include "inside.h"

#include "relyd/keys.h"
#include "relyd/text.h"

/* An uploaded set, and what was found out about it. */
struct uploaded {
    const struct rely_registry_keys *keys;
    const struct rely_keyset *keyset;
    struct rely_err *err;
    bool is_free;
};

static bool refuse_repeated(struct uploaded *uploaded, const struct rely_key *key, struct rely_slice holder)
{
    char kid[RELY_QUOTED_SIZE];
    uploaded->is_free = false;
    return rely_err_set(
        uploaded->err, RELY_ERR_CONFLICT,
        "the key with kid %.100s is one of issuer %.*s, which has the same issuer or alias: tokens could not "
        "be told apart",
        rely_quote(rely_key_kid(key), kid), RELY_ARG(holder));
}

/* A record that was written in the open batch: no snapshot shows it yet. */
static bool has_such_name(const struct rely_issuer_record *record, struct rely_slice name)
{
    return (record->url.ptr != NULL && rely_slice_equal(record->url, name)) ||
           rely_slice_is_among(record->aliases.items, record->aliases.count, name);
}

static bool share_a_name(const struct rely_issuer_record *a, const struct rely_issuer_record *b)
{
    bool do_share = a->url.ptr != NULL && has_such_name(b, a->url);
    for (size_t i = 0; i < a->aliases.count && !do_share; i++)
        do_share = has_such_name(b, a->aliases.items[i]);
    return do_share;
}

static void compare_with_pending(const struct rely_issuer_record *record, struct uploaded *uploaded)
{
    if (record->record.id == uploaded->keys->record->record.id || record->jwks.ptr == NULL || !record->is_enabled ||
        !share_a_name(record, uploaded->keys->record))
        return;
    const struct rely_keyset_limits limits = rely_keyset_most(record->allow_costly_keys);
    struct rely_keyset *pending = rely_keyset_parse_within(record->jwks, &limits, &(struct rely_err){0});
    for (size_t i = 0; pending != NULL && i < rely_keyset_count(pending); i++)
        for (size_t k = 0; k < rely_keyset_count(uploaded->keyset); k++)
            if (memcmp(rely_key_material(rely_keyset_at(pending, i)),
                       rely_key_material(rely_keyset_at(uploaded->keyset, k)), RELY_MATERIAL_BYTES) == 0)
                refuse_repeated(uploaded, rely_keyset_at(uploaded->keyset, k), record->name);
    rely_keyset_free(pending);
}

/* Of several changes of one record the last one counts. */
static bool is_changed_again(const struct rely_changes *changes, size_t index)
{
    for (size_t i = index + 1; i < changes->count; i++)
        if (changes->items[i].object == RELY_OBJECT_ISSUER && changes->items[i].id == changes->items[index].id)
            return true;
    return false;
}

static void compare_with_batch(const struct rely_changes *changes, struct uploaded *uploaded)
{
    for (size_t i = 0; i < changes->count && uploaded->is_free; i++)
        if (changes->items[i].object == RELY_OBJECT_ISSUER && changes->items[i].record != NULL &&
            !is_changed_again(changes, i))
            compare_with_pending(changes->items[i].record, uploaded);
}

bool rely_control_check_upload(const struct rely_control *control, const struct rely_changes *open,
                               const struct rely_registry_keys *keys, struct rely_err *err)
{
    const struct rely_issuer_record *record = keys->record;
    const struct rely_issuer named = {.id = record->record.id,
                                      .url = record->url,
                                      .aliases = record->aliases.items,
                                      .alias_count = record->aliases.count};
    const struct rely_keyset_limits limits = rely_keyset_most(record->allow_costly_keys);
    struct rely_keyset *keyset = rely_keyset_parse_within(keys->jwks, &limits, err);
    struct uploaded uploaded = {keys, keyset, err, keyset != NULL};
    for (size_t i = 0; keyset != NULL && uploaded.is_free && i < rely_keyset_count(keyset); i++) {
        const struct rely_issuer *holder =
            control->snapshot == NULL ? NULL
                                      : rely_repeats_find_holder(control->snapshot, &named, rely_keyset_at(keyset, i),
                                                                 rely_control_now_s(control));
        if (holder != NULL)
            refuse_repeated(&uploaded, rely_keyset_at(keyset, i), holder->name);
    }
    if (uploaded.is_free)
        compare_with_batch(open, &uploaded);
    rely_keyset_free(keyset);
    return uploaded.is_free;
}

/*
 * May a key set be uploaded, as far as other records of the same `iss` are concerned: none may have one of its keys,
 * be it in force (keeper/repeats.c) or written in the open batch. Called by the registry, through control.c.
 */
#include "service.h"

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
        "the key with kid %.100s is one of issuer %.*s, which has the same issuer URL: tokens could not "
        "be told apart",
        rely_quote(rely_key_kid(key), kid), RELY_ARG(holder));
}

/* A record that was written in the open batch: no snapshot shows it yet. */
static void compare_with_pending(const struct rely_issuer_row *row, void *context)
{
    struct uploaded *uploaded = context;
    if (row->issuer.id == uploaded->keys->issuer_id || row->jwks.ptr == NULL || !row->issuer.is_enabled ||
        !rely_slice_equal(row->issuer.url, uploaded->keys->url))
        return;
    struct rely_keyset *pending = rely_keyset_parse(row->jwks, &(struct rely_err){0});
    for (size_t i = 0; pending != NULL && i < rely_keyset_count(pending); i++)
        for (size_t k = 0; k < rely_keyset_count(uploaded->keyset); k++)
            if (memcmp(rely_key_material(rely_keyset_at(pending, i)),
                       rely_key_material(rely_keyset_at(uploaded->keyset, k)), RELY_MATERIAL_BYTES) == 0)
                refuse_repeated(uploaded, rely_keyset_at(uploaded->keyset, k), row->issuer.name);
    rely_keyset_free(pending);
}

static void compare_with_batch(const struct rely_control *control, struct uploaded *uploaded)
{
    const struct rely_changes *changes = &control->batch.changes;
    for (size_t i = 0; i < changes->count && uploaded->is_free; i++)
        if (changes->items[i].object == RELY_OBJECT_ISSUER && !changes->items[i].is_removed &&
            !rely_registry_each_issuer(control->registry, changes->items[i].id, compare_with_pending, uploaded,
                                       uploaded->err))
            uploaded->is_free = false;
}

bool rely_repeats_check_upload(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    const struct rely_control *control = context;
    struct rely_keyset *keyset = rely_keyset_parse(keys->jwks, err);
    struct uploaded uploaded = {keys, keyset, err, keyset != NULL};
    for (size_t i = 0; keyset != NULL && uploaded.is_free && i < rely_keyset_count(keyset); i++) {
        const struct rely_issuer *holder =
            control->snapshot == NULL ? NULL
                                      : rely_repeats_find_holder(control->snapshot, keys->url, keys->issuer_id,
                                                                 rely_keyset_at(keyset, i), rely_service_now_s());
        if (holder != NULL)
            refuse_repeated(&uploaded, rely_keyset_at(keyset, i), holder->name);
    }
    if (uploaded.is_free)
        compare_with_batch(control, &uploaded);
    rely_keyset_free(keyset);
    return uploaded.is_free;
}

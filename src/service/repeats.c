/*
 * Records that share an `iss` are told apart by their keys, so no key may be two records': the one that has it keeps
 * it while its keys decide anything, and whoever brings it again does without. Decided here, when a set is accepted or
 * its record enabled, by comparing public keys; a review never finds out by trying. Called by load.c, keeper_fetch.c
 * and, for uploaded sets, control.c.
 */
#include "service.h"

#include "relyd/text.h"

#include <stdio.h>

/* A disabled record, or one whose set is too old, lets no token through: its keys are free. */
static bool holds_keys(const struct rely_issuer *issuer)
{
    return issuer->is_enabled && rely_service_now_s() <= issuer->keys_until_s;
}

/* Another record of this `iss` that has the key already; NULL: none. */
static const struct rely_issuer *find_holder(const struct rely_snapshot *snapshot, struct rely_slice url, int64_t id,
                                             const struct rely_key *key)
{
    const struct rely_issuer *holder;
    size_t cursor = 0;
    do
        holder = rely_snapshot_issuer_by_material(snapshot, url, rely_key_material(key), &cursor);
    while (holder != NULL && (holder->id == id || !holds_keys(holder)));
    return holder;
}

bool rely_repeats_are_in(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer)
{
    size_t count = issuer->keyset == NULL ? 0 : rely_keyset_count(issuer->keyset);
    for (size_t i = 0; i < count; i++)
        if (find_holder(snapshot, issuer->url, issuer->id, rely_keyset_at(issuer->keyset, i)) != NULL)
            return true;
    return false;
}

size_t rely_repeats_take_out(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer,
                             struct rely_keyset *keyset, char sentence[RELY_REPEATS_SIZE])
{
    size_t taken = 0;
    sentence[0] = '\0';
    for (size_t i = 0; i < rely_keyset_count(keyset);) {
        const struct rely_issuer *holder = find_holder(snapshot, issuer->url, issuer->id, rely_keyset_at(keyset, i));
        char why[160];
        if (holder == NULL) {
            i++;
            continue;
        }
        snprintf(why, sizeof why, "issuer %.*s with the same iss has it already", RELY_ARG(holder->name));
        rely_keyset_take_out(keyset, i, why);
        taken++;
        snprintf(sentence, RELY_REPEATS_SIZE,
                 "%zu key%s of issuer %.*s %s not used: issuer %.*s with the same iss has %s already", taken,
                 taken == 1 ? "" : "s", RELY_ARG(issuer->name), taken == 1 ? "is" : "are", RELY_ARG(holder->name),
                 taken == 1 ? "it" : "them");
    }
    return taken;
}

/* --- uploaded sets ----------------------------------------------------------------------------------------- */

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
            control->snapshot == NULL
                ? NULL
                : find_holder(control->snapshot, keys->url, keys->issuer_id, rely_keyset_at(keyset, i));
        if (holder != NULL)
            refuse_repeated(&uploaded, rely_keyset_at(keyset, i), holder->name);
    }
    if (uploaded.is_free)
        compare_with_batch(control, &uploaded);
    rely_keyset_free(keyset);
    return uploaded.is_free;
}

/*
 * Records that share an `iss` are told apart by their keys, so no key may be two records': the one that has it keeps
 * it while its keys decide anything, and whoever brings it again does without. Decided here, when a set is accepted or
 * its record enabled, by comparing public keys; a review never finds out by trying. Called by fetch.c, and by service/
 * for what is stored or uploaded.
 */
#include "relyd/accept.h"
#include "relyd/keys.h"

#include "kept.h"

#include "relyd/text.h"

#include <stdio.h>

/* A disabled record, or one whose set is too old, lets no token through: its keys are free. */
static bool holds_keys(const struct rely_issuer *issuer, int64_t now_s)
{
    return issuer->is_enabled && now_s <= issuer->keys_until_s;
}

static const struct rely_issuer *find_holder_of(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer,
                                                const uint8_t *material, int64_t now_s)
{
    const struct rely_issuer *holder = NULL;
    for (size_t i = 0; i < rely_issuer_name_count(issuer) && holder == NULL; i++) {
        size_t cursor = 0;
        if (rely_issuer_name_at(issuer, i).ptr == NULL)
            continue;
        do
            holder = rely_snapshot_issuer_by_material(snapshot, rely_issuer_name_at(issuer, i), material, &cursor);
        while (holder != NULL && (holder->id == issuer->id || !holds_keys(holder, now_s)));
    }
    return holder;
}

const struct rely_issuer *rely_repeats_find_holder(const struct rely_snapshot *snapshot,
                                                   const struct rely_issuer *issuer, const struct rely_key *key,
                                                   int64_t now_s)
{
    return find_holder_of(snapshot, issuer, rely_key_material(key), now_s);
}

bool rely_repeats_are_free(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer, int64_t now_s)
{
    if (issuer->keyset == NULL || rely_keyset_taken_out_count(issuer->keyset) == 0)
        return false;
    for (size_t i = 0; i < rely_keyset_skipped_count(issuer->keyset); i++) {
        const struct rely_keyset_skipped *skipped = rely_keyset_skipped_at(issuer->keyset, i);
        if (skipped->is_taken_out && find_holder_of(snapshot, issuer, skipped->material, now_s) == NULL)
            return true;
    }
    return false;
}

bool rely_repeats_are_in(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer, int64_t now_s)
{
    size_t count = issuer->keyset == NULL ? 0 : rely_keyset_count(issuer->keyset);
    for (size_t i = 0; i < count; i++)
        if (rely_repeats_find_holder(snapshot, issuer, rely_keyset_at(issuer->keyset, i), now_s) != NULL)
            return true;
    return false;
}

static void describe_repeats(char sentence[RELY_REPEATS_SIZE], size_t taken, const struct rely_issuer *issuer,
                             const struct rely_issuer *holder)
{
    snprintf(sentence, RELY_REPEATS_SIZE,
             "%zu key%s of issuer %.*s %s not used: issuer %.*s with the same iss has %s already", taken,
             taken == 1 ? "" : "s", RELY_ARG(issuer->name), taken == 1 ? "is" : "are", RELY_ARG(holder->name),
             taken == 1 ? "it" : "them");
}

size_t rely_repeats_take_out(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer,
                             struct rely_keyset *keyset, int64_t now_s, char sentence[RELY_REPEATS_SIZE])
{
    size_t taken = 0;
    sentence[0] = '\0';
    for (size_t i = 0; i < rely_keyset_count(keyset);) {
        const struct rely_issuer *holder = rely_repeats_find_holder(snapshot, issuer, rely_keyset_at(keyset, i), now_s);
        char why[160];
        if (holder == NULL) {
            i++;
            continue;
        }
        snprintf(why, sizeof why, "issuer %.*s with the same iss has it already", RELY_ARG(holder->name));
        rely_keyset_take_out(keyset, i, why);
        taken++;
        describe_repeats(sentence, taken, issuer, holder);
    }
    return taken;
}

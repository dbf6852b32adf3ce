/*
 * What becomes of a fetched key set: it is in force in every worker first, and stored second, by storing.c. Keys that
 * are in force already are no news, however the document is written; and an issuer that changes its keys all the time
 * gets a bounded number of rows in the change log. Called by fetch.c with what was judged good, and by storing.c.
 */
#include "kept.h"

#include "relyd/edition.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

/* How exact the age of a key set in force is. */
#define RENEW_EVERY_S 60

/* New keys that a line of the log names; each takes what a quoted text does. */
#define NEW_KEYS_NAMED 3
#define NEW_KEYS_SIZE 384

static void release_keyset(void *keyset)
{
    rely_keyset_free(keyset);
}

/* --- in force ------------------------------------------------------------------------------------- */

static void set_times(const struct rely_keeper_issuer *issuer, struct rely_issuer *copy, int64_t fetched_s)
{
    int64_t max_age_s = rely_accept_max_age_s(rely_keeper_snapshot(issuer->keeper), copy);
    copy->keys_fetched_s = fetched_s;
    copy->keys_until_s = rely_accept_until_s(fetched_s, max_age_s, rely_keeper_now_s(issuer->keeper));
}

static void accept_edition(const struct rely_keeper *keeper, struct rely_snapshot *next)
{
    keeper->hooks.accept(keeper->hooks.context, next);
}

static void put_in_force(struct rely_keeper_issuer *issuer, struct rely_keyset *keyset, int64_t fetched_s)
{
    const struct rely_snapshot *newest = rely_keeper_snapshot(issuer->keeper);
    struct rely_snapshot *next = rely_snapshot_next(newest, newest->revision);
    struct rely_issuer copy = *rely_keeper_newest(issuer);
    size_t new_count = rely_keyset_carry_times(keyset, copy.keyset, rely_keeper_now_s(issuer->keeper));
    rely_count(&issuer->keeper->counts.new_keys, new_count);
    if (copy.keyset != NULL)
        rely_retired_add(&next->retired, rely_as_owner(copy.keyset), release_keyset);
    copy.keyset = keyset;
    set_times(issuer, &copy, fetched_s);
    rely_snapshot_put_issuer(next, rely_issuer_copy(&copy));
    accept_edition(issuer->keeper, next);
}

void rely_keeper_put_guests(struct rely_keeper_issuer *issuer, struct rely_keyset *keyset)
{
    issuer->has_news = true;
    put_in_force(issuer, keyset, rely_keeper_newest(issuer)->keys_fetched_s);
}

void rely_keeper_renew(struct rely_keeper_issuer *issuer, int64_t fetched_s, const struct rely_stored_keys *stored)
{
    const struct rely_snapshot *newest = rely_keeper_snapshot(issuer->keeper);
    uint64_t revision = stored->revision > newest->revision ? stored->revision : newest->revision;
    struct rely_snapshot *next = rely_snapshot_next(newest, revision);
    struct rely_issuer copy = *rely_keeper_newest(issuer);
    copy.keys_generation = stored->generation;
    set_times(issuer, &copy, fetched_s);
    rely_snapshot_renew_issuer(next, rely_issuer_copy(&copy));
    accept_edition(issuer->keeper, next);
}

/* --- taking --------------------------------------------------------------------------------------- */

/* The keys in force were fetched again: they are younger now, and so is the stored set when they are the same. */
static void renew_keys(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    const struct rely_issuer *record = rely_keeper_newest(issuer);
    int64_t store_every_s = rely_accept_max_age_s(rely_keeper_snapshot(issuer->keeper), record) / 100;
    struct rely_fetched_keys again = *fetched;
    again.jwks = (struct rely_slice){0};
    if (rely_plan_is_renewal_due(record->keys_fetched_s, RENEW_EVERY_S, fetched->at_s))
        rely_keeper_renew(issuer, fetched->at_s, &(struct rely_stored_keys){.generation = record->keys_generation});
    if (issuer->unstored.is_pending)
        issuer->unstored.at_s = fetched->at_s;
    else if (rely_plan_is_renewal_due(issuer->noted_s, store_every_s, fetched->at_s))
        rely_keeper_store(issuer, &again);
}

/* The first names of keys that were put in force just now, for a line of the log. */
static void name_new_keys(const struct rely_keyset *keyset, int64_t now_s, char out[NEW_KEYS_SIZE])
{
    char quoted[RELY_QUOTED_SIZE];
    size_t count = 0, len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rely_keyset_count(keyset); i++) {
        const struct rely_key *key = rely_keyset_at(keyset, i);
        if (rely_key_first_seen_s(key) != now_s)
            continue;
        if (count++ < NEW_KEYS_NAMED)
            len += (size_t)snprintf(out + len, NEW_KEYS_SIZE - len, "%s%.90s", count == 1 ? ", with new keys: " : ", ",
                                    rely_key_kid(key).ptr == NULL ? "one without kid"
                                                                  : rely_quote(rely_key_kid(key), quoted));
    }
    if (count > NEW_KEYS_NAMED)
        snprintf(out + len, NEW_KEYS_SIZE - len, " and %zu more", count - NEW_KEYS_NAMED);
}

/* As many lines as rows; the next one says how many were left out. */
static void say_accepted(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched)
{
    char left_out[80] = "", new_keys[NEW_KEYS_SIZE];
    int64_t now_ms = rely_keeper_now_ms(issuer->keeper);
    if (rely_plan_row_wait_ms(&issuer->log_lines, now_ms) > 0) {
        issuer->lines_left_out++;
        return;
    }
    rely_plan_take_row(&issuer->log_lines, now_ms);
    if (issuer->lines_left_out > 0)
        snprintf(left_out, sizeof left_out, ", and %llu others were since the last line",
                 (unsigned long long)issuer->lines_left_out);
    issuer->lines_left_out = 0;
    name_new_keys(rely_keeper_newest(issuer)->keyset, rely_keeper_now_s(issuer->keeper), new_keys);
    rely_log_event(issuer->keeper->ring, RELY_LOG_INFO, "keys_accepted", "a new key set from %.*s is in force%s%s",
                   RELY_ARG(fetched->source_url), new_keys, left_out);
}

/* Was it never believed as it is? */
static bool has_guests(const struct rely_keyset *keyset)
{
    bool has_any = false;
    for (size_t i = 0; i < rely_keyset_count(keyset) && !has_any; i++)
        has_any = rely_key_is_guest(rely_keyset_at(keyset, i));
    return has_any;
}

void rely_keeper_take(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                      struct rely_keyset *keyset)
{
    const struct rely_keyset *in_force = rely_keeper_newest(issuer)->keyset;
    bool has_news =
        keyset != NULL && (in_force == NULL || has_guests(in_force) || !rely_keyset_has_same_keys(in_force, keyset));
    issuer->has_news = has_news || rely_keeper_newest(issuer)->keys_until_s < rely_keeper_now_s(issuer->keeper);
    if (keyset == NULL || (!has_news && rely_keyset_is_same(in_force, keyset))) {
        rely_keyset_free(keyset);
        renew_keys(issuer, fetched);
        return;
    }
    put_in_force(issuer, keyset, fetched->at_s);
    if (!has_news) {
        renew_keys(issuer, fetched);
        return;
    }
    say_accepted(issuer, fetched);
    rely_keeper_store(issuer, fetched);
}

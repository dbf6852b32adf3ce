/*
 * Which fetched sets are believed: one that parses, unless it drops every key in use. Such a set, or one without keys, is
 * what an issuer shows whose files were mixed up, and its tokens go on being signed by the keys of before. It must be
 * seen twice, five minutes apart, or be ordered; until then the present keys hold, and what the set has beside them is a
 * guest among them (docs/decisions/0057). Called by fetch.c, and by keeper.c when a fetch is over.
 */
#include "kept.h"

#include "relyd/json.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/signature.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

/* From the first sight to the second. */
#define HOLD_MS 300000
/* So that no clock's roundings make the second one too early. */
#define SLACK_MS 100
/* A key that has verified a token within this is in use: no less than a day, which most have a rhythm of. */
#define IN_USE_S 86400
/* Kids of a held set that are shown, as those of the change log. */
#define KIDS_BYTES_MAX 2048

/* --- which keys are in use --------------------------------------------------------------------------------- */

static bool was_used_lately(const struct rely_key *key, int64_t now_s)
{
    int64_t used_s = rely_key_used_s(key);
    return used_s != 0 && now_s - used_s < IN_USE_S;
}

static bool is_any_used(const struct rely_keyset *present, int64_t now_s)
{
    bool is_used = false;
    for (size_t i = 0; i < rely_keyset_count(present) && !is_used; i++) {
        const struct rely_key *key = rely_keyset_at(present, i);
        is_used = !rely_key_is_guest(key) && was_used_lately(key, now_s);
    }
    return is_used;
}

/* Where no key is known to be in use, each is taken to be. */
static bool drops_keys_in_use(const struct rely_keyset *present, const struct rely_keyset *next, int64_t now_s)
{
    bool knows_used = is_any_used(present, now_s), has_any = false;
    for (size_t i = 0; i < rely_keyset_count(present); i++) {
        const struct rely_key *key = rely_keyset_at(present, i);
        if (rely_key_is_guest(key) || (knows_used && !was_used_lately(key, now_s)))
            continue;
        has_any = true;
        if (rely_keyset_has_key(next, key))
            return false;
    }
    return has_any;
}

/* --- keys that hold ------------------------------------------------------------------------------------------ */

/* Keys that count no more hold nothing up: there would be nothing to go on with. */
static const struct rely_keyset *find_holding(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_newest(issuer);
    bool do_hold = record->keyset != NULL && rely_keyset_count(record->keyset) > 0 &&
                   rely_keeper_now_s(issuer->keeper) <= record->keys_until_s;
    return do_hold ? record->keyset : NULL;
}

struct rely_keyset *rely_keeper_read_empty(const struct rely_keeper_issuer *issuer, struct rely_slice body)
{
    RELY_JSON_OWNED struct rely_json *document =
        find_holding(issuer) == NULL ? NULL : rely_json_parse(body, &(struct rely_err){0});
    const struct rely_json *keys = document == NULL ? NULL : rely_json_get(document, "keys");
    return rely_json_type(keys) == RELY_JSON_ARRAY && rely_json_size(keys) == 0 ? rely_keyset_new_empty() : NULL;
}

/* Seen before, long enough ago: the second fetch has begun after the five minutes. */
static bool is_second_sight(const struct rely_keeper_issuer *issuer, const struct rely_keyset *keyset)
{
    const struct rely_held_keys *held = &issuer->held;
    return held->why != RELY_HELD_NOT && held->hash == rely_keyset_hash(keyset) &&
           rely_keeper_begun_ms(issuer) - held->since_ms >= HOLD_MS;
}

bool rely_keeper_believes(struct rely_keeper_issuer *issuer, const struct rely_keyset *keyset)
{
    const struct rely_keyset *present = find_holding(issuer);
    bool does = issuer->is_ordered || present == NULL ||
                !drops_keys_in_use(present, keyset, rely_keeper_now_s(issuer->keeper)) ||
                is_second_sight(issuer, keyset);
    if (does)
        rely_keeper_forget_held(issuer);
    return does;
}

/* --- holding back ------------------------------------------------------------------------------------------ */

static struct rely_kept_names *copy_kids(const struct rely_keyset *keyset)
{
    size_t count = rely_keyset_count(keyset), text = 0, kept = 0;
    for (; kept < count && text <= KIDS_BYTES_MAX; kept++)
        text += rely_key_kid(rely_keyset_at(keyset, kept)).len;
    struct rely_kept_names *kids = rely_alloc(sizeof *kids + kept * sizeof kids->items[0] + text);
    char *next = (char *)(kids->items + kept);
    for (size_t i = 0; i < kept; i++) {
        struct rely_slice kid = rely_key_kid(rely_keyset_at(keyset, i));
        if (kid.ptr == NULL)
            continue;
        memcpy(next, kid.ptr, kid.len);
        kids->items[kids->count++] = rely_slice(next, kid.len);
        next += kid.len;
    }
    return kids;
}

void rely_keeper_forget_held(struct rely_keeper_issuer *issuer)
{
    free(issuer->held.kids);
    issuer->held = (struct rely_held_keys){0};
}

static void say_held(struct rely_keeper_issuer *issuer, struct rely_slice source_url)
{
    const struct rely_keeper *keeper = issuer->keeper;
    int64_t now_ms = rely_keeper_now_ms(keeper);
    if (rely_plan_row_wait_ms(&issuer->held_lines, now_ms) > 0)
        return;
    rely_plan_take_row(&issuer->held_lines, now_ms);
    rely_log_event(keeper->ring, RELY_LOG_WARNING, "keys_held_back",
                   "the key set at %.*s %s of issuer %.*s: those in force hold until it is seen again in five minutes, "
                   "or an administrator orders it (POST /v1/issuers/%.*s:refresh?believe=true)",
                   RELY_ARG(source_url),
                   issuer->held.why == RELY_HELD_EMPTY_SET ? "is empty, and would leave none"
                                                           : "has no key that is in use",
                   RELY_ARG(rely_keeper_newest(issuer)->name), RELY_ARG(rely_keeper_newest(issuer)->name));
}

/* What is in force while a set is held: the present keys, and where there is room for them among the tries of a token,
 * those of the set. */
static struct rely_keyset *join_present(struct rely_keyset *keyset, const struct rely_keyset *present)
{
    if (rely_signature_join(keyset, present))
        return keyset;
    rely_keyset_free(keyset);
    struct rely_keyset *alone = rely_keyset_new_empty();
    if (rely_signature_join(alone, present))
        return alone;
    rely_keyset_free(alone);
    return NULL; /* OpenSSL has failed: what is in force stays as it is */
}

void rely_keeper_hold_back(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                           struct rely_keyset *keyset)
{
    const struct rely_keyset *present = rely_keeper_newest(issuer)->keyset;
    uint64_t hash = rely_keyset_hash(keyset);
    if (issuer->held.why != RELY_HELD_NOT && issuer->held.hash == hash) {
        rely_keyset_free(keyset);
        return;
    }
    rely_keeper_forget_held(issuer);
    issuer->held = (struct rely_held_keys){.why = rely_keyset_count(keyset) == 0 ? RELY_HELD_EMPTY_SET
                                                                                 : RELY_HELD_DROPS_KEYS_IN_USE,
                                           .hash = hash,
                                           .since_ms = rely_keeper_now_ms(issuer->keeper),
                                           .since_s = fetched->at_s,
                                           .kids = copy_kids(keyset)};
    issuer->judged_keys += rely_keyset_count(present); /* they get verifiers beside the others: that takes as long */
    rely_count(&issuer->keeper->counts.held_back, 1);
    say_held(issuer, fetched->source_url);
    keyset = join_present(keyset, present);
    if (keyset != NULL && !rely_keyset_has_same_keys(keyset, present))
        rely_keeper_put_guests(issuer, keyset);
    else
        rely_keyset_free(keyset);
}

int64_t rely_keeper_plan_second_sight(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    int64_t delay_ms = issuer->held.since_ms + HOLD_MS + SLACK_MS - rely_keeper_now_ms(issuer->keeper);
    int64_t left_s = record == NULL ? -1 : record->keys_until_s - rely_keeper_now_s(issuer->keeper);
    if (left_s >= 0 && left_s < delay_ms / 1000)
        delay_ms = (left_s + 1) * 1000; /* then what holds counts no more, and the set is believed */
    return delay_ms < 0 ? 0 : delay_ms;
}

/* --- to see ------------------------------------------------------------------------------------------------ */

void rely_keeper_show_held(const struct rely_keeper_issuer *issuer, struct rely_key_status *out)
{
    static const char *const words[] = {[RELY_HELD_NOT] = NULL,
                                        [RELY_HELD_DROPS_KEYS_IN_USE] = "drops_keys_in_use",
                                        [RELY_HELD_EMPTY_SET] = "empty_set"};
    out->held_why = words[issuer->held.why];
    out->held_since_s = issuer->held.since_s;
    if (issuer->held.kids != NULL) {
        out->held_kids = issuer->held.kids->items;
        out->held_kid_count = issuer->held.kids->count;
    }
}

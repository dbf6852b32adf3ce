/*
 * What has become of an issuer's keys: its last changes, and since when each key is there, as they stand beside its
 * record, so that a restart forgets neither. Decides how much is remembered; nothing is decided by it. Called by
 * keysets.c for what was fetched, and by rules.c for what a record gives or drops.
 */
#include "inside.h"
#include "relyd/fetched.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"

/* Of one list: enough to find a rotation by its kid, and no more of an issuer that makes up long ones. */
#define KIDS_BYTES_MAX 512
/* What a kid takes beside itself. */
#define KID_BYTES 4

/* NULL: none, or none that can be used. */
static struct rely_keyset *parse_any(struct rely_slice jwks)
{
    const struct rely_keyset_limits limits = rely_keyset_most(true);
    return jwks.ptr == NULL ? NULL : rely_keyset_parse_within(jwks, &limits, &(struct rely_err){0});
}

/* --- one change ------------------------------------------------------------------------------------------------- */

/* Names of the keys that the one has and the other has not. Either may be NULL. */
static void set_kids(struct rely_json *entry, const char *member, const struct rely_keyset *of,
                     const struct rely_keyset *other)
{
    struct rely_json *kids = rely_json_array();
    size_t bytes = 0;
    for (size_t i = 0; of != NULL && i < rely_keyset_count(of); i++) {
        const struct rely_key *key = rely_keyset_at(of, i);
        struct rely_slice kid = rely_key_kid(key);
        if (other != NULL && rely_keyset_has_key(other, key))
            continue;
        bytes += kid.len + KID_BYTES;
        if (bytes <= KIDS_BYTES_MAX)
            rely_json_append(kids, kid.ptr == NULL ? rely_json_of_null() : rely_json_of_text(kid));
    }
    rely_json_set(entry, member, kids);
}

static struct rely_json *make_entry(const struct rely_key_change *change, const struct rely_keyset *before,
                                    const struct rely_keyset *after)
{
    struct rely_json *entry = rely_json_object();
    rely_json_set(entry, "at", rely_json_of_integer(change->at_s));
    rely_json_set(entry, "operation", rely_json_of_text(rely_slice_of(change->operation)));
    if (change->actor.ptr != NULL)
        rely_json_set(entry, "actor", rely_json_of_text(change->actor));
    if (change->source_url.ptr != NULL)
        rely_json_set(entry, "sourceUrl", rely_json_of_text(change->source_url));
    set_kids(entry, "added", after, before);
    set_kids(entry, "removed", before, after);
    if (change->merged_count > 0)
        rely_json_set(entry, "mergedChanges", rely_json_of_integer((int64_t)change->merged_count));
    return entry;
}

/* --- all that is remembered ---------------------------------------------------------------------------------------- */

static bool is_entry(const struct rely_json *entry)
{
    return rely_json_type(rely_json_get(entry, "at")) == RELY_JSON_INTEGER;
}

/* What somebody else has written there is as good as nothing. */
static struct rely_json *read_entries(struct rely_slice text)
{
    struct rely_json *entries = text.ptr == NULL ? NULL : rely_json_parse(text, &(struct rely_err){0});
    size_t count = rely_json_type(entries) == RELY_JSON_ARRAY ? rely_json_size(entries) : 0, good = 0;
    while (good < count && is_entry(rely_json_at(entries, good)))
        good++;
    if (count > 0 && good == count && count <= RELY_KEY_HISTORY_MAX)
        return entries;
    rely_json_free(entries);
    return rely_json_array();
}

/* The last so many of them. */
static void print_last(const struct rely_json *entries, size_t count, struct rely_buf *out)
{
    RELY_JSON_OWNED struct rely_json *last = rely_json_array();
    for (size_t i = rely_json_size(entries) - count; i < rely_json_size(entries); i++)
        rely_json_append(last, rely_json_share(rely_json_at(entries, i)));
    out->len = 0;
    rely_json_print(last, out);
}

static void print_within(const struct rely_json *entries, struct rely_buf *out)
{
    size_t count = rely_json_size(entries);
    if (count > RELY_KEY_HISTORY_MAX)
        count = RELY_KEY_HISTORY_MAX;
    for (print_last(entries, count, out); out->len > RELY_KEY_HISTORY_BYTES_MAX; print_last(entries, count, out))
        count--;
}

static struct rely_slice remember_entry(struct rely_slice before, struct rely_json *entry, struct rely_pool *pool)
{
    RELY_JSON_OWNED struct rely_json *entries = read_entries(before);
    struct rely_buf text = {0};
    rely_json_append(entries, entry);
    print_within(entries, &text);
    struct rely_slice kept = rely_pool_copy(pool, rely_buf_slice(&text));
    rely_buf_fini(&text);
    return kept;
}

/* --- since when ------------------------------------------------------------------------------------------------- */

/* In: seen - what is known of them already. */
static struct rely_slice note_seen(struct rely_keyset *keyset, struct rely_slice seen, int64_t at_s,
                                   struct rely_pool *pool)
{
    struct rely_buf lines = {0};
    if (keyset != NULL) {
        rely_keyset_recall_seen(keyset, seen);
        rely_keyset_carry_times(keyset, NULL, at_s);
        rely_keyset_print_seen(keyset, &lines);
    }
    struct rely_slice kept =
        lines.len == 0 ? (struct rely_slice){NULL, 0} : rely_pool_copy(pool, rely_buf_slice(&lines));
    rely_buf_fini(&lines);
    return kept;
}

void rely_history_note(const struct rely_key_change *change, struct rely_issuer_record *issuer, struct rely_pool *pool)
{
    struct rely_keyset *before = parse_any(change->jwks_before), *after = parse_any(issuer->jwks);
    struct rely_slice seen = change->seen.ptr == NULL ? issuer->keys_seen : change->seen;
    issuer->keys_seen = note_seen(after, seen, change->at_s, pool);
    issuer->keys_history = remember_entry(issuer->keys_history, make_entry(change, before, after), pool);
    rely_keyset_free(before);
    rely_keyset_free(after);
}

bool rely_registry_read_history(struct rely_registry *registry, struct rely_slice name, struct rely_json **entries,
                                struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record record;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = name};
    rely_pool_init(&pool);
    bool is_read = rely_stored_find(registry->store, &place, &pool, &record, err);
    if (is_read)
        *entries = read_entries(record.record.id == 0 ? (struct rely_slice){NULL, 0} : record.issuer.keys_history);
    rely_pool_fini(&pool);
    return is_read;
}

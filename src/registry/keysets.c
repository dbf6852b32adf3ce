/*
 * Key sets that were fetched: the last accepted one of each issuer is stored, so that a restart during an issuer's
 * outage changes nothing. Decides whether a set is news; whether it is usable, the key keeper has decided before. Called
 * by the key keeper's hook.
 */
#include "inside.h"
#include "relyd/fetched.h"

/* Enough to find a rotation by its kid: a document of a megabyte must not get a megabyte of log with each change. */
#define LOGGED_KIDS_BYTES_MAX 2048

/* The log tells which keys came when, not the document. */
static struct rely_json *summarise_jwks(const struct rely_fetched_keys *fetched)
{
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(fetched->jwks, &(struct rely_err){0});
    const struct rely_json *list = rely_json_get(document, "keys");
    size_t count = rely_json_type(list) == RELY_JSON_ARRAY ? rely_json_size(list) : 0, bytes = 0;
    struct rely_json *summary = rely_json_object();
    struct rely_json *kids = rely_json_array();
    for (size_t i = 0; i < count; i++) {
        struct rely_json *kid = rely_json_get(rely_json_at(list, i), "kid");
        bytes += rely_json_text(kid).len;
        if (rely_json_type(kid) == RELY_JSON_STRING && bytes <= LOGGED_KIDS_BYTES_MAX)
            rely_json_append(kids, rely_json_share(kid));
    }
    rely_json_set(summary, "sourceUrl", rely_json_of_text(fetched->source_url));
    rely_json_set(summary, "bytes", rely_json_of_integer((int64_t)fetched->jwks.len));
    rely_json_set(summary, "keyCount", rely_json_of_integer((int64_t)count));
    rely_json_set(summary, "kids", kids);
    if (fetched->merged_count > 0)
        rely_json_set(summary, "mergedChanges", rely_json_of_integer((int64_t)fetched->merged_count));
    return summary;
}

static bool log_fetched_set(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                            struct rely_slice name, uint64_t *revision, struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *summary = summarise_jwks(fetched);
    struct rely_buf text = {0};
    rely_json_print(summary, &text);
    struct rely_log_entry entry = {.at_s = fetched->at_s,
                                   .actor = RELY_LIT("keys"),
                                   .object = "keySet",
                                   .name = name,
                                   .operation = "fetch",
                                   .after = rely_buf_slice(&text)};
    bool is_logged = rely_store_log(registry->store, &entry, revision, err);
    rely_buf_fini(&text);
    return is_logged;
}

/* The stored document was fetched again. In: issuer - as for store_news. */
static bool store_time(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                       struct rely_issuer_record *issuer, struct rely_err *err)
{
    if (issuer->jwks.ptr == NULL)
        return true; /* there is none that could be younger */
    issuer->jwks_fetched_at = fetched->at_s;
    return rely_stored_touch_keys(registry->store, fetched->issuer_id, fetched->at_s, err);
}

static void note_history(const struct rely_fetched_keys *fetched, struct rely_slice jwks_before,
                         struct rely_issuer_record *issuer, struct rely_pool *pool)
{
    const struct rely_key_change change = {.at_s = fetched->at_s,
                                           .operation = "keys",
                                           .source_url = fetched->source_url,
                                           .jwks_before = jwks_before,
                                           .seen = fetched->seen,
                                           .merged_count = fetched->merged_count};
    rely_history_note(&change, issuer, pool);
}

/* In: issuer - the record as it is stored; becomes what is to be stored. */
static bool store_news(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                       struct rely_issuer_record *issuer, struct rely_stored_keys *stored, struct rely_err *err)
{
    issuer->jwks_source_url = fetched->source_url;
    issuer->jwks_fetched_at = fetched->at_s;
    issuer->keys_generation++;
    stored->generation = (uint64_t)issuer->keys_generation;
    return rely_stored_put_keys(registry->store, issuer, err) &&
           log_fetched_set(registry, fetched, issuer->name, &stored->revision, err);
}

static bool store_fetched_set(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                              struct rely_pool *pool, struct rely_stored_keys *stored, struct rely_err *err)
{
    union rely_any_record found;
    struct rely_issuer_record *issuer = &found.issuer;
    if (!rely_stored_find_row(registry->store,
                              &(struct rely_stored_row){rely_kind_of(RELY_OBJECT_ISSUER), fetched->issuer_id}, pool,
                              &found, err))
        return false;
    if (found.record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer with row %lld is gone", (long long)fetched->issuer_id);
    stored->generation = (uint64_t)issuer->keys_generation;
    if (rely_keys_are_given(issuer->key_source) || found.record.revision != fetched->record_revision)
        return rely_err_set(err, RELY_ERR_CONFLICT, "the record of issuer %.*s is another one now",
                            RELY_ARG(issuer->name));
    bool is_same = fetched->jwks.ptr == NULL || (rely_slice_same(issuer->jwks, fetched->jwks) &&
                                                 rely_slice_same(issuer->jwks_source_url, fetched->source_url));
    struct rely_slice jwks_before = issuer->jwks;
    if (!is_same) {
        issuer->jwks = fetched->jwks;
        note_history(fetched, jwks_before, issuer, pool);
    }
    bool is_written =
        is_same ? store_time(registry, fetched, issuer, err) : store_news(registry, fetched, issuer, stored, err);
    /* As a write's: what is in force is what a restart would find. */
    return is_written && rely_stored_verify(registry->store, rely_kind_of(RELY_OBJECT_ISSUER), issuer, err);
}

bool rely_registry_put_keyset(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                              struct rely_stored_keys *stored, struct rely_err *err)
{
    struct rely_pool pool;
    *stored = (struct rely_stored_keys){0};
    if (!rely_store_begin_write(registry->store, err))
        return false;
    rely_pool_init(&pool);
    bool is_stored = store_fetched_set(registry, fetched, &pool, stored, err) &&
                     rely_store_keep_write(registry->store, stored->revision, err);
    rely_pool_fini(&pool);
    if (!is_stored)
        rely_store_undo_write(registry->store);
    return is_stored;
}

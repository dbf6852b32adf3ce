/*
 * Key sets in the database: the last accepted one of each issuer, so that a restart during an issuer's outage changes
 * nothing. Decides whether a fetched set is news; whether it is usable, the key keeper has decided before. Called by
 * the key keeper and by issuer_rows.c.
 */
#include "store.h"
#include <stdlib.h>

static bool bump_generation(struct rely_registry *registry, int64_t issuer_id, struct rely_err *err)
{
    /* Grows also when a set is dropped: a cached verification of its keys must not outlive it. */
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql, "UPDATE issuer SET keys_generation = keys_generation + 1 WHERE id = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", issuer_id);
    return rely_sql_run(stmt, err);
}

bool rely_keyset_row_put(struct rely_registry *registry, int64_t issuer_id, struct rely_slice jwks,
                         struct rely_slice source_url, int64_t now_s, struct rely_err *err)
{
    static const char replace[] = "INSERT INTO key_set (issuer_id, document, source_url, fetched_at)"
                                  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (issuer_id) DO UPDATE SET"
                                  " document = ?2, source_url = ?3, fetched_at = ?4";
    static const char drop[] = "DELETE FROM key_set WHERE issuer_id = ?1";
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, jwks.ptr == NULL ? drop : replace, err);
    if (stmt == NULL)
        return false;
    if (jwks.ptr == NULL)
        rely_sql_bind(stmt, "i", issuer_id);
    else
        rely_sql_bind(stmt, "itti", issuer_id, jwks, source_url, now_s);
    return rely_sql_run(stmt, err) && bump_generation(registry, issuer_id, err);
}

/* The issuer that a fetched set is for, as it is now. */
struct fetched_for {
    char *name; /* owned */
    uint64_t generation;
    bool is_same;       /* the document is the stored one */
    bool is_unexpected; /* the record is not the one that asked any more */
};

static bool find_fetched_issuer(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                                struct fetched_for *out, struct rely_err *err)
{
    static const char sql[] =
        "SELECT o.name, o.key_source = 3 OR o.revision <> ?4, k.document IS ?2 AND k.source_url IS ?3,"
        " o.keys_generation"
        " FROM issuer o LEFT JOIN key_set k ON k.issuer_id = o.id WHERE o.id = ?1";
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "itti", fetched->issuer_id, fetched->jwks, fetched->source_url,
                  (int64_t)fetched->record_revision);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_DONE)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer with row %lld is gone", (long long)fetched->issuer_id);
    if (step != RELY_SQL_ROW)
        return false;
    out->name = rely_strdup_slice(rely_sql_text(stmt->raw, 0));
    out->is_unexpected = sqlite3_column_int(stmt->raw, 1) != 0;
    out->is_same = sqlite3_column_int(stmt->raw, 2) != 0;
    out->generation = (uint64_t)sqlite3_column_int64(stmt->raw, 3);
    return true;
}

static bool refresh_fetch_time(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                               struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql, "UPDATE key_set SET fetched_at = ?2 WHERE issuer_id = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ii", fetched->issuer_id, fetched->at_s);
    return rely_sql_run(stmt, err);
}

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

static bool log_fetched_set(struct rely_registry *registry, const struct rely_fetched_keys *fetched, const char *name,
                            uint64_t *revision, struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *summary = summarise_jwks(fetched);
    struct rely_buf text = {0};
    rely_json_print(summary, &text);
    struct rely_log_entry entry = {.at_s = fetched->at_s,
                                   .actor = RELY_LIT("keys"),
                                   .object = "keySet",
                                   .name = rely_slice_of(name),
                                   .operation = "fetch",
                                   .after = rely_buf_slice(&text)};
    bool is_logged = rely_change_log_append(registry, &entry, revision, err);
    rely_buf_fini(&text);
    return is_logged;
}

static bool store_fetched_set(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                              struct rely_stored_keys *stored, struct rely_err *err)
{
    struct fetched_for issuer = {0};
    bool is_stored = find_fetched_issuer(registry, fetched, &issuer, err);
    stored->generation = issuer.generation;
    if (is_stored && issuer.is_unexpected)
        is_stored = rely_err_set(err, RELY_ERR_CONFLICT, "the record of issuer %s is another one now", issuer.name);
    else if (is_stored && (issuer.is_same || fetched->jwks.ptr == NULL))
        is_stored = refresh_fetch_time(registry, fetched, err);
    else if (is_stored) {
        is_stored =
            rely_keyset_row_put(registry, fetched->issuer_id, fetched->jwks, fetched->source_url, fetched->at_s, err) &&
            log_fetched_set(registry, fetched, issuer.name, &stored->revision, err);
        stored->generation++;
    }
    free(issuer.name);
    return is_stored;
}

bool rely_registry_put_keyset(struct rely_registry *registry, const struct rely_fetched_keys *fetched,
                              struct rely_stored_keys *stored, struct rely_err *err)
{
    *stored = (struct rely_stored_keys){0};
    if (!rely_write_begin(registry, err))
        return false;
    if (store_fetched_set(registry, fetched, stored, err) && rely_write_keep(registry, stored->revision, err))
        return true;
    rely_write_undo(registry);
    return false;
}

/*
 * Issuers in the database: how a row is shown, saved and visited. Decides when an issuer's stored keys are dropped; the
 * rest of a body is issuer_body.c's. Called by write.c, read.c, the snapshot builder and the key keeper.
 */
#include "relyd/text.h"
#include "rows.h"
#include "store.h"

#define SHOWN_ISSUER                                                                                                   \
    "SELECT o.id, o.revision, o.name, o.url, o.key_source, o.jwks_uri, k.document, o.discovery_url, o.ca_bundle,"      \
    " o.allow_http, o.allow_private_addresses, o.algorithms, o.types, o.leeway_s, o.max_lifetime_s, o.is_enabled,"     \
    " o.description, o.created_at, o.updated_at FROM issuer o LEFT JOIN key_set k ON k.issuer_id = o.id"

/* NULL: no source that relyd knows, or a stored set that is no JSON. */
static struct rely_json *show_issuer_keys(sqlite3_stmt *row)
{
    struct rely_json *keys = rely_json_object();
    int source = sqlite3_column_int(row, 4);
    if (source == RELY_KEYS_JWKS_URI)
        rely_row_show_text(row, 5, keys, "jwksUri");
    else if (source == RELY_KEYS_UPLOADED)
        rely_row_show_json(row, 6, keys, "jwks");
    else if (source == RELY_KEYS_DISCOVERY)
        rely_json_set(keys, "discovery", rely_json_of_bool(true));
    if (rely_json_size(keys) == 1)
        return keys;
    rely_json_free(keys);
    return NULL;
}

static struct rely_json *show_algorithms(int64_t algs)
{
    struct rely_json *list = rely_json_array();
    for (int bit = 1; bit <= RELY_ISSUER_ALGS; bit++)
        if ((algs & (1 << bit)) != 0)
            rely_json_append(list, rely_json_of_text(rely_slice_of(rely_issuer_alg_name(bit))));
    return list;
}

static struct rely_json *show_issuer_row(sqlite3_stmt *row)
{
    struct rely_json *keys = show_issuer_keys(row);
    if (keys == NULL)
        return NULL;
    struct rely_json *object = rely_json_object();
    rely_row_show_text(row, 2, object, "name");
    rely_row_show_text(row, 3, object, "issuer");
    rely_json_set(object, "keys", keys);
    rely_row_show_text(row, 7, object, "discoveryUrl");
    rely_row_show_text(row, 8, object, "caBundle");
    rely_json_set(object, "allowHttp", rely_json_of_bool(sqlite3_column_int(row, 9) != 0));
    rely_json_set(object, "allowPrivateAddresses", rely_json_of_bool(sqlite3_column_int(row, 10) != 0));
    rely_json_set(object, "algorithms", show_algorithms(sqlite3_column_int64(row, 11)));
    rely_row_show_lines(row, 12, object, "types");
    rely_json_set(object, "leewaySeconds", rely_json_of_integer(sqlite3_column_int64(row, 13)));
    if (sqlite3_column_type(row, 14) != SQLITE_NULL)
        rely_json_set(object, "maxTokenLifetimeSeconds", rely_json_of_integer(sqlite3_column_int64(row, 14)));
    rely_row_show_text(row, 16, object, "description");
    rely_json_set(object, "enabled", rely_json_of_bool(sqlite3_column_int(row, 15) != 0));
    rely_row_show_time(row, 17, object, "createdAt");
    rely_row_show_time(row, 18, object, "updatedAt");
    return object;
}

/* --- saving ----------------------------------------------------------------------------------------- */

static const char insert_issuer[] =
    "INSERT INTO issuer (name, url, key_source, jwks_uri, discovery_url, ca_bundle, allow_http,"
    " allow_private_addresses, algorithms, types, leeway_s, max_lifetime_s, is_enabled, description, created_at,"
    " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, nullif(?12, 0), ?13, ?14, ?15, ?15)";
/* The condition on ?2 never fails here (`issuer` is immutable), ?15 keeps the parameters the same for both. */
static const char update_issuer[] =
    "UPDATE issuer SET key_source = ?3, jwks_uri = ?4, discovery_url = ?5, ca_bundle = ?6, allow_http = ?7,"
    " allow_private_addresses = ?8, algorithms = ?9, types = ?10, leeway_s = ?11, max_lifetime_s = nullif(?12, 0),"
    " is_enabled = ?13, description = ?14 WHERE name = ?1 AND url = ?2 AND ?15 IS NOT NULL";

static bool store_issuer(struct rely_write *write, const struct rely_issuer_record *record, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&write->registry->sql, write->id == 0 ? insert_issuer : update_issuer, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ttitttiiitiiiti", write->name, record->url, (int64_t)record->keys.source,
                  record->keys.jwks_uri, record->discovery_url, record->ca_bundle, (int64_t)record->may_use_http,
                  (int64_t)record->may_use_private_addresses, (int64_t)record->algs, rely_buf_slice(&record->types),
                  record->leeway_s, record->max_lifetime_s, (int64_t)record->is_enabled, record->description,
                  write->writer->now_s);
    if (!rely_sql_run(stmt, err))
        return false;
    if (write->id == 0)
        write->id = sqlite3_last_insert_rowid(write->registry->sql.db);
    return true;
}

static bool is_same_json(const struct rely_json *a, const struct rely_json *b)
{
    struct rely_buf a_text = {0}, b_text = {0};
    rely_json_print(a, &a_text);
    rely_json_print(b, &b_text);
    bool is_same = rely_slice_equal(rely_buf_slice(&a_text), rely_buf_slice(&b_text));
    rely_buf_fini(&a_text);
    rely_buf_fini(&b_text);
    return is_same;
}

/* Are the keys still asked for at the same place and in the same way? Whom to trust, and what the way may be, is part
 * of the source: keys that came through what has been taken away are not kept. */
static bool has_same_source(const struct rely_json *before, const struct rely_issuer_record *record)
{
    if (before == NULL || !is_same_json(rely_json_get(before, "keys"), record->keys.shown))
        return false;
    return record->keys.source == RELY_KEYS_UPLOADED ||
           (rely_slice_equal(rely_json_text(rely_json_get(before, "discoveryUrl")), record->discovery_url) &&
            rely_slice_equal(rely_json_text(rely_json_get(before, "caBundle")), record->ca_bundle) &&
            rely_json_true(rely_json_get(before, "allowHttp")) == record->may_use_http &&
            rely_json_true(rely_json_get(before, "allowPrivateAddresses")) == record->may_use_private_addresses);
}

/* A disabled record holds no key. One that is enabled again begins without its fetched set when another record of the
 * `iss` has a key of it by now, and fetches: then the other one keeps it. */
static bool lost_keys_asleep(const struct rely_write *write, const struct rely_issuer_record *record,
                             struct rely_err *err)
{
    const struct rely_registry *registry = write->registry;
    struct rely_buf jwks = {0};
    if (record->keys.source == RELY_KEYS_UPLOADED || registry->check_repeats == NULL || !rely_issuer_is_woken(write) ||
        !rely_keyset_row_read(write->registry, write->id, &jwks, err))
        return false;
    const struct rely_registry_keys stored = {
        .url = record->url, .issuer_id = write->id, .jwks = rely_buf_slice(&jwks)};
    bool is_lost =
        jwks.ptr != NULL && !registry->check_repeats(registry->check_context, &stored, &(struct rely_err){0});
    rely_buf_fini(&jwks);
    return is_lost;
}

/*
 * The keys in force always come from the source that the record names: another source drops them until the first fetch.
 * Keeping them would leave an issuer trusted through a place that its administrator has just taken away.
 */
static bool store_keys(const struct rely_write *write, const struct rely_issuer_record *record, struct rely_err *err)
{
    bool is_same = has_same_source(write->before, record) && !lost_keys_asleep(write, record, err);
    if (err->code != RELY_ERR_NONE)
        return false;
    if (is_same || (write->before == NULL && record->keys.source != RELY_KEYS_UPLOADED))
        return true;
    return rely_keyset_row_put(write->registry, write->id, rely_buf_slice(&record->keys.document),
                               (struct rely_slice){0}, write->writer->now_s, err);
}

static bool save_issuer(struct rely_write *write, struct rely_err *err)
{
    struct rely_issuer_record record = {0};
    bool is_saved =
        rely_issuer_record_read(write, &record) && store_issuer(write, &record, err) && store_keys(write, &record, err);
    rely_issuer_record_fini(&record);
    return is_saved;
}

static const struct rely_member issuer_members[] = {
    {"name", RELY_MEMBER_PLAIN},
    {"issuer", RELY_MEMBER_IMMUTABLE},
    {"keys", RELY_MEMBER_PLAIN},
    {"discoveryUrl", RELY_MEMBER_PLAIN},
    {"caBundle", RELY_MEMBER_PLAIN},
    {"allowHttp", RELY_MEMBER_PLAIN},
    {"allowPrivateAddresses", RELY_MEMBER_PLAIN},
    {"algorithms", RELY_MEMBER_PLAIN},
    {"types", RELY_MEMBER_PLAIN},
    {"leewaySeconds", RELY_MEMBER_PLAIN},
    {"maxTokenLifetimeSeconds", RELY_MEMBER_PLAIN},
    {"enabled", RELY_MEMBER_PLAIN},
    {"description", RELY_MEMBER_PLAIN},
    {"createdAt", RELY_MEMBER_READ_ONLY},
    {"updatedAt", RELY_MEMBER_READ_ONLY},
};

const struct rely_object_kind rely_issuer_kind = {
    .object = RELY_OBJECT_ISSUER,
    .word = "issuer",
    .article_word = "an issuer",
    .find_sql = SHOWN_ISSUER " WHERE o.name = ?1 AND ?2 = 0",
    .page_sql = SHOWN_ISSUER " WHERE o.name > ?1 AND ?2 = 0 ORDER BY o.name LIMIT ?3",
    .touch_sql = "UPDATE issuer SET revision = ?2, updated_at = ?3 WHERE id = ?1",
    .erase_sql = "DELETE FROM issuer WHERE id = ?1",
    .members = issuer_members,
    .member_count = sizeof issuer_members / sizeof issuer_members[0],
    .show = show_issuer_row,
    .save = save_issuer,
};

/* --- rows for the snapshot builder and the key keeper ------------------------------------------------- */

#define ISSUER_COLUMNS                                                                                                 \
    "SELECT o.id, o.name, o.url, o.algorithms, o.leeway_s, o.max_lifetime_s, o.types, o.is_enabled,"                   \
    " o.keys_generation, o.key_source, o.discovery_url, o.jwks_uri, o.ca_bundle, o.allow_http,"                        \
    " o.allow_private_addresses, k.document, k.fetched_at, o.revision, k.source_url FROM issuer o LEFT JOIN "          \
    "key_set k ON k.issuer_id = o.id"

/* In an order that stays the same: of two records with one key the first one keeps it (service/repeats.c). */
#define ALL_ISSUERS ISSUER_COLUMNS " ORDER BY o.is_enabled DESC, o.id"

static void fill_issuer_row(sqlite3_stmt *row, bool may_use_http, struct rely_issuer_row *out)
{
    *out = (struct rely_issuer_row){
        .issuer = {.id = sqlite3_column_int64(row, 0),
                   .name = rely_sql_text(row, 1),
                   .url = rely_sql_text(row, 2),
                   .algs = (uint32_t)sqlite3_column_int64(row, 3),
                   .leeway_s = sqlite3_column_int(row, 4),
                   .max_lifetime_s = sqlite3_column_int64(row, 5),
                   .is_enabled = sqlite3_column_int(row, 7) != 0,
                   .source = {.kind = (enum rely_key_source)sqlite3_column_int(row, 9),
                              .discovery_url = rely_sql_text(row, 10),
                              .jwks_uri = rely_sql_text(row, 11),
                              .ca_bundle = rely_sql_text(row, 12),
                              .may_use_http = may_use_http && sqlite3_column_int(row, 13) != 0,
                              .may_use_private_addresses = sqlite3_column_int(row, 14) != 0},
                   .has_uploaded_keys = sqlite3_column_int(row, 9) == RELY_KEYS_UPLOADED,
                   .keys_generation = (uint64_t)sqlite3_column_int64(row, 8),
                   .revision = (uint64_t)sqlite3_column_int64(row, 17)},
        .jwks = rely_sql_text(row, 15),
        .jwks_fetched_s = sqlite3_column_int64(row, 16),
        .jwks_source_url = rely_sql_text(row, 18),
    };
}

static bool is_source_whole(sqlite3_stmt *row)
{
    int64_t source = sqlite3_column_int64(row, 9);
    return rely_row_has_integer(row, 9, RELY_KEYS_DISCOVERY, RELY_KEYS_UPLOADED) &&
           rely_row_has_integer(row, 13, 0, 1) && rely_row_has_integer(row, 14, 0, 1) &&
           (source != RELY_KEYS_JWKS_URI || rely_row_has_text(row, 11, RELY_TEXT_MAX)) &&
           (source != RELY_KEYS_UPLOADED || sqlite3_column_type(row, 15) == SQLITE_TEXT);
}

static bool is_issuer_whole(sqlite3_stmt *row)
{
    bool has_limit = sqlite3_column_type(row, 5) != SQLITE_NULL;
    return rely_row_has_text(row, 1, RELY_NAME_MAX) && rely_row_has_text(row, 2, RELY_TEXT_MAX) &&
           rely_row_has_integer(row, 3, 2, RELY_ISSUER_ALGS_ALL) && (sqlite3_column_int64(row, 3) & 1) == 0 &&
           rely_row_has_integer(row, 4, 0, RELY_LEEWAY_MAX_S) &&
           (!has_limit || rely_row_has_integer(row, 5, 1, RELY_TIME_MAX_S)) &&
           rely_lines_are_whole(rely_sql_text(row, 6), 1, RELY_TYPES_PER_ISSUER_MAX) &&
           rely_row_has_integer(row, 7, 0, 1) && rely_row_has_integer(row, 8, 0, INT64_MAX) && is_source_whole(row);
}

static void visit_issuer_row(struct rely_registry *registry, sqlite3_stmt *stmt,
                             void (*visit)(const struct rely_issuer_row *row, void *context), void *context)
{
    struct rely_slice types[RELY_TYPES_PER_ISSUER_MAX];
    struct rely_issuer_row row;
    fill_issuer_row(stmt, registry->may_use_http, &row);
    row.issuer.types = types;
    row.issuer.type_count = rely_row_lines(rely_sql_text(stmt, 6), types, RELY_TYPES_PER_ISSUER_MAX);
    visit(&row, context);
}

bool rely_registry_each_issuer(struct rely_registry *registry, int64_t id,
                               void (*visit)(const struct rely_issuer_row *row, void *context), void *context,
                               struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql, id == 0 ? ALL_ISSUERS : ISSUER_COLUMNS " WHERE o.id = ?1", err);
    if (stmt == NULL)
        return false;
    if (id != 0)
        rely_sql_bind(stmt, "i", id);
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        if (!is_issuer_whole(stmt->raw))
            return rely_sql_damaged(stmt->sql, err, "the row %lld of issuers is damaged",
                                    (long long)sqlite3_column_int64(stmt->raw, 0));
        visit_issuer_row(registry, stmt->raw, visit, context);
    }
    return step == RELY_SQL_DONE;
}

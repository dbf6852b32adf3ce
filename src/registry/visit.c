/*
 * Rows as reviews see them: records turned into the objects of a snapshot. Decides what of a record is given out.
 * Called by the snapshot's builder, and for what a change touched.
 */
#include "store.h"

/* Who wants which objects: one of the three functions is set. */
struct visit {
    void (*issuer)(const struct rely_issuer_row *row, void *context);
    void (*identity)(const struct rely_identity *row, void *context);
    void (*credential)(const struct rely_credential *row, void *context);
    void *context;
    bool may_use_http;
};

static void give_issuer(const struct visit *visit, const struct rely_issuer_record *record)
{
    const struct rely_issuer_row row = {
        .issuer = {.id = record->record.id,
                   .name = record->name,
                   .url = record->url,
                   .algs = (uint32_t)record->algorithms,
                   .leeway_s = (int32_t)record->leeway_s,
                   .max_lifetime_s = record->max_lifetime_s,
                   .types = record->types.items,
                   .type_count = record->types.count,
                   .is_enabled = record->is_enabled,
                   .source = {.kind = (enum rely_key_source)record->key_source,
                              .discovery_url = record->discovery_url,
                              .jwks_uri = record->jwks_uri,
                              .ca_bundle = record->ca_bundle,
                              .may_use_http = visit->may_use_http && record->allow_http,
                              .may_use_private_addresses = record->allow_private_addresses},
                   .has_uploaded_keys = record->key_source == RELY_KEYS_UPLOADED,
                   .keys_generation = (uint64_t)record->keys_generation,
                   .revision = record->record.revision},
        .jwks = record->jwks,
        .jwks_fetched_s = record->jwks_fetched_at,
        .jwks_source_url = record->jwks_source_url,
    };
    visit->issuer(&row, visit->context);
}

/* relyd 0.1 took keys of relyd.io: given out beside its own they would be there twice. They are shown, and left out
 * here. */
static size_t choose_extra(const struct rely_text_map *map, struct rely_identity_extra *out)
{
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++)
        if (!rely_is_relyd_key(map->items[i].key))
            out[count++] = (struct rely_identity_extra){.key = map->items[i].key,
                                                        .values = map->items[i].values.items,
                                                        .value_count = map->items[i].values.count};
    return count;
}

static void give_identity(const struct visit *visit, const struct rely_identity_record *record, struct rely_pool *pool)
{
    struct rely_identity_extra *extra = rely_pool_alloc(pool, record->extra.count * sizeof *extra);
    const struct rely_identity identity = {.id = record->record.id,
                                           .name = record->name,
                                           .uid = record->uid,
                                           .username = record->username,
                                           .is_username_subject = record->is_username_subject != 0,
                                           .groups = record->groups.items,
                                           .group_count = record->groups.count,
                                           .extra = extra,
                                           .extra_count = choose_extra(&record->extra, extra),
                                           .is_enabled = record->is_enabled};
    visit->identity(&identity, visit->context);
}

static void give_credential(const struct visit *visit, const struct rely_credential_record *record)
{
    const struct rely_credential credential = {.id = record->record.id,
                                               .issuer_id = record->issuer_id,
                                               .identity_id = record->record.parent_id,
                                               .name = record->name,
                                               .subject = record->subject,
                                               .audiences = record->audiences.items,
                                               .audience_count = record->audiences.count};
    visit->credential(&credential, visit->context);
}

static void give_record(const struct visit *visit, const union rely_any_record *record, struct rely_pool *pool)
{
    if (visit->issuer != NULL)
        give_issuer(visit, &record->issuer);
    else if (visit->identity != NULL)
        give_identity(visit, &record->identity, pool);
    else
        give_credential(visit, &record->credential);
}

static bool visit_rows(struct rely_stmt *stmt, const struct rely_kind *kind, const struct visit *visit,
                       struct rely_err *err)
{
    union rely_any_record record;
    struct rely_pool pool;
    enum rely_sql_step step;
    rely_pool_init(&pool);
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW &&
           rely_table_read(kind, stmt->raw, true, false, &pool, &record)) {
        give_record(visit, &record, &pool);
        rely_pool_reset(&pool);
    }
    rely_pool_fini(&pool);
    return step == RELY_SQL_DONE ||
           (step == RELY_SQL_ROW && rely_row_damaged(stmt->sql, kind, sqlite3_column_int64(stmt->raw, 0), err));
}

static bool visit_table(struct rely_registry *registry, enum rely_object object, int64_t id, const struct visit *visit,
                        struct rely_err *err)
{
    const struct rely_table *table = rely_registry_table(registry, object);
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, id == 0 ? table->each : table->one, err);
    if (stmt == NULL)
        return false;
    if (id != 0)
        rely_sql_bind(stmt, "i", id);
    return visit_rows(stmt, table->kind, visit, err);
}

bool rely_registry_each_issuer(struct rely_registry *registry, int64_t id,
                               void (*visit)(const struct rely_issuer_row *row, void *context), void *context,
                               struct rely_err *err)
{
    const struct visit to = {.issuer = visit, .context = context, .may_use_http = registry->rules.may_use_http};
    return visit_table(registry, RELY_OBJECT_ISSUER, id, &to, err);
}

bool rely_registry_each_identity(struct rely_registry *registry, int64_t id,
                                 void (*visit)(const struct rely_identity *row, void *context), void *context,
                                 struct rely_err *err)
{
    return visit_table(registry, RELY_OBJECT_IDENTITY, id, &(struct visit){.identity = visit, .context = context}, err);
}

bool rely_registry_each_credential(struct rely_registry *registry, int64_t id,
                                   void (*visit)(const struct rely_credential *row, void *context), void *context,
                                   struct rely_err *err)
{
    return visit_table(registry, RELY_OBJECT_CREDENTIAL, id, &(struct visit){.credential = visit, .context = context},
                       err);
}

bool rely_credentials_visit(struct rely_stmt *stmt, void (*visit)(const struct rely_credential *row, void *context),
                            void *context, struct rely_err *err)
{
    return visit_rows(stmt, rely_kind_of(RELY_OBJECT_CREDENTIAL),
                      &(struct visit){.credential = visit, .context = context}, err);
}

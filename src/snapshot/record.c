/*
 * Records of the registry as reviews see them. Decides what of a record is given out. Called by whoever makes an
 * edition.
 */
#include "edit.h"
#include "relyd/expressions.h"
#include "relyd/guards.h"
#include "relyd/issuer_group.h"
#include "relyd/named_route.h"
#include "relyd/pool.h"
#include "relyd/reserved.h"
#include "relyd/revocation.h"

#include <stdlib.h>

/* In: record - whole: its claims are names. Borrowed from it and the pool. */
static const struct rely_required_claim *read_required(const struct rely_issuer_record *record, struct rely_pool *pool)
{
    struct rely_required_claim *required = rely_pool_alloc(pool, record->required_claims.count * sizeof *required);
    for (size_t i = 0; i < record->required_claims.count; i++) {
        const struct rely_text_entry *entry = &record->required_claims.items[i];
        struct rely_expression_fault fault;
        required[i] = (struct rely_required_claim){.any_of = entry->values.items, .count = entry->values.count};
        bool is_read = rely_claim_parse(entry->key, pool, &required[i].claim, &fault);
        RELY_ASSERT(is_read);
    }
    return required;
}

/* NULL: none of them wants anything. */
static const struct rely_guards *read_guards(const struct rely_issuer_record *record, struct rely_pool *pool,
                                             struct rely_guards *guards)
{
    bool pins_uid = record->pin_uid == RELY_PIN_FIRST_USE;
    if (record->required_claims.count == 0 && record->allowed_subjects.count == 0 && !record->is_single_audience &&
        !record->refuses_stretched && !pins_uid)
        return NULL;
    *guards = (struct rely_guards){.required = read_required(record, pool),
                                   .required_count = record->required_claims.count,
                                   .subjects = record->allowed_subjects.items,
                                   .subject_count = record->allowed_subjects.count,
                                   .is_single_audience = record->is_single_audience,
                                   .refuses_stretched = record->refuses_stretched,
                                   .pins_uid = pins_uid};
    return guards;
}

/* Absent: it is `sub`, or none is said. */
static struct rely_slice read_subject_claim(struct rely_slice name, struct rely_pool *pool)
{
    struct rely_slice claim = {NULL, 0};
    struct rely_expression_fault fault;
    bool is_read =
        name.ptr == NULL || rely_slice_equal(name, RELY_SUBJECT_CLAIM) || rely_claim_parse(name, pool, &claim, &fault);
    RELY_ASSERT(is_read); /* the record is whole */
    return rely_slice_equal(claim, RELY_SUBJECT_CLAIM) ? (struct rely_slice){NULL, 0} : claim;
}

static struct rely_issuer_liveness read_liveness(const struct rely_issuer_record *record)
{
    return (struct rely_issuer_liveness){.url = record->liveness_url,
                                         .ca_bundle = record->liveness_ca,
                                         .bearer_file = record->liveness_file,
                                         .may_be_assumed = record->liveness_silence == RELY_SILENCE_ALLOWS,
                                         .rate = (uint32_t)record->liveness_rate};
}

struct rely_issuer *rely_issuer_of_record(const struct rely_issuer_record *record, bool may_use_http)
{
    struct rely_pool pool;
    struct rely_guards guards;
    rely_pool_init(&pool);
    struct rely_issuer *issuer =
        rely_issuer_copy(&(struct rely_issuer){.id = record->record.id,
                                               .name = record->name,
                                               .url = record->url,
                                               .aliases = record->aliases.items,
                                               .alias_count = record->aliases.count,
                                               .trust_domain = record->trust_domain,
                                               .subject_claim = read_subject_claim(record->subject_claim, &pool),
                                               .algs = (uint32_t)record->algorithms,
                                               .leeway_s = (int32_t)record->leeway_s,
                                               .max_lifetime_s = record->max_lifetime_s,
                                               .types = record->types.items,
                                               .type_count = record->types.count,
                                               .guards = read_guards(record, &pool, &guards),
                                               .push_subjects = record->push_subjects.items,
                                               .push_subject_count = record->push_subjects.count,
                                               .is_enabled = record->is_enabled,
                                               .source = {.kind = (enum rely_key_source)record->key_source,
                                                          .discovery_url = record->discovery_url,
                                                          .jwks_uri = record->jwks_uri,
                                                          .ca_bundle = record->ca_bundle,
                                                          .bearer_file = record->bearer_file,
                                                          .key_file = record->keys_file,
                                                          .proxy = record->proxy,
                                                          .may_use_http = may_use_http && record->allow_http,
                                                          .may_use_private_addresses = record->allow_private_addresses,
                                                          .may_have_costly_keys = record->allow_costly_keys,
                                                          .max_age_s = record->max_key_age_s},
                                               .liveness = read_liveness(record),
                                               .has_uploaded_keys = rely_keys_are_given(record->key_source),
                                               .keys_generation = (uint64_t)record->keys_generation,
                                               .revision = record->record.revision});
    rely_pool_fini(&pool);
    return issuer;
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

struct rely_identity *rely_identity_of_record(const struct rely_identity_record *record)
{
    struct rely_identity_extra *extra = rely_alloc(record->extra.count * sizeof *extra);
    struct rely_identity *identity =
        rely_identity_copy(&(struct rely_identity){.id = record->record.id,
                                                   .name = record->name,
                                                   .uid = record->uid,
                                                   .username = record->username,
                                                   .is_username_subject = record->is_username_subject != 0,
                                                   .groups = record->groups.items,
                                                   .group_count = record->groups.count,
                                                   .extra = extra,
                                                   .extra_count = choose_extra(&record->extra, extra),
                                                   .roles = (unsigned)record->roles,
                                                   .owners = record->owners.items,
                                                   .owner_count = record->owners.count,
                                                   .certificates = record->certificates.items,
                                                   .certificate_count = record->certificates.count,
                                                   .is_enabled = record->is_enabled});
    free(extra);
    return identity;
}

/* -1: none has the key. */
static int8_t find_key_term(const struct rely_expression *expression, struct rely_slice key, struct rely_slice subject)
{
    for (int8_t i = 0; key.ptr != NULL && i < expression->term_count; i++) {
        struct rely_slice claim = rely_term_claim(expression, (size_t)i), text = rely_term_text(expression, (size_t)i);
        bool is_same = rely_term_tells_apart(expression, (size_t)i, subject) && key.len == claim.len + 1 + text.len &&
                       key.ptr[claim.len] == RELY_KEY_SEPARATOR &&
                       rely_slice_equal(rely_slice(key.ptr + claim.len + 1, text.len), text);
        for (size_t k = 0; is_same && k < claim.len; k++)
            is_same = key.ptr[k] == (claim.ptr[k] == '\0' ? RELY_KEY_SEPARATOR : claim.ptr[k]);
        if (is_same)
            return i;
    }
    return -1;
}

static struct rely_credential *copy_with_expression(struct rely_credential *credential,
                                                    const struct rely_credential_record *record)
{
    struct rely_pool pool;
    struct rely_expression_fault fault;
    rely_pool_init(&pool);
    bool is_read = rely_expression_parse(record->expression, &pool, &credential->expression, &fault);
    RELY_ASSERT(is_read); /* the record is whole */
    struct rely_slice claim = read_subject_claim(record->subject_claim, &pool);
    struct rely_slice subject = claim.ptr == NULL ? RELY_SUBJECT_CLAIM : claim;
    credential->subject_term = rely_expression_term_on(credential->expression, subject);
    credential->key_term = find_key_term(credential->expression, record->match_key, subject);
    struct rely_credential *copy = rely_credential_copy(credential);
    rely_pool_fini(&pool);
    return copy;
}

int64_t rely_scope_of_record(const struct rely_credential_record *record)
{
    return record->issuer_id != 0 ? record->issuer_id : rely_scope_of_group(record->group_id);
}

struct rely_credential *rely_credential_of_record(const struct rely_credential_record *record)
{
    struct rely_credential credential = {.id = record->record.id,
                                         .scope = rely_scope_of_record(record),
                                         .identity_id = record->record.parent_id,
                                         .name = record->name,
                                         .subject = record->subject,
                                         .subject_term = -1,
                                         .key_term = -1,
                                         .account_uid = record->account_uid.ptr,
                                         .audiences = record->audiences.items,
                                         .audience_count = record->audiences.count,
                                         .is_enabled = record->is_enabled,
                                         .is_shadow = record->mode != RELY_MODE_ENFORCE,
                                         .not_after_s = record->not_after};
    return record->expression.ptr == NULL ? rely_credential_copy(&credential)
                                          : copy_with_expression(&credential, record);
}

static void *make_group(const void *record)
{
    const struct rely_issuer_group_record *from = record;
    struct rely_issuer_group *group = rely_alloc(sizeof *group + from->name.len);
    char *name = (char *)(group + 1);
    memcpy(name, from->name.ptr, from->name.len);
    *group = (struct rely_issuer_group){.id = from->record.id, .name = rely_slice(name, from->name.len)};
    return group;
}

static void *make_membership(const void *record)
{
    const struct rely_issuer_group_member_record *from = record;
    struct rely_membership *membership = rely_alloc(sizeof *membership);
    *membership = (struct rely_membership){
        .id = from->record.id, .group_id = from->record.parent_id, .issuer_id = from->issuer_id};
    return membership;
}

static void *make_identity(const void *record)
{
    return rely_identity_of_record(record);
}

static void *make_credential(const void *record)
{
    return rely_credential_of_record(record);
}

static void *make_route(const void *record)
{
    return rely_named_route_of_record(record);
}

static void *make_revocation(const void *record)
{
    return rely_revocation_of_record(record);
}

/* What is held of a record. A kind that is not here is held as it is. */
static const struct maker {
    enum rely_object object;
    void *(*make)(const void *record);
} makers[] = {
    {RELY_OBJECT_ISSUER_GROUP, make_group}, {RELY_OBJECT_ISSUER_GROUP_MEMBER, make_membership},
    {RELY_OBJECT_IDENTITY, make_identity},  {RELY_OBJECT_CREDENTIAL, make_credential},
    {RELY_OBJECT_ROUTE, make_route},        {RELY_OBJECT_REVOCATION, make_revocation},
};

static void *make_item(enum rely_object object, const void *record)
{
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (makers[i].object == object)
            return makers[i].make(record);
    return rely_record_copy(rely_kind_of(object), record);
}

void rely_snapshot_carry(struct rely_snapshot *next, enum rely_object object, const void *record)
{
    if (rely_snapshot_holds(object))
        rely_snapshot_put(next, object, make_item(object, record));
}

/* --- all of a kind ------------------------------------------------------------------------------------------ */

void rely_filling_add(struct rely_filling *filling, const void *record)
{
    if (filling->count == filling->cap) {
        filling->cap = filling->cap == 0 ? 64 : filling->cap * 2;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the list is of pointers */
        filling->items = rely_realloc(filling->items, filling->cap * sizeof *filling->items);
    }
    filling->items[filling->count++] = make_item(filling->object, record);
}

void rely_filling_end(struct rely_filling *filling)
{
    rely_snapshot_fill(filling->next, filling->object, filling->items, filling->count);
    free(filling->items);
    *filling = (struct rely_filling){.next = NULL};
}

/*
 * The registry as reviews see it: look-ups in persistent maps of immutable objects, for every thread, and how such an
 * object is made: a copy in one block. Decides nothing about a token.
 */
#include "edit.h"
#include "relyd/guards.h"
#include "relyd/issuer_group.h"

#include "relyd/expressions.h"
#include "relyd/reserved.h"
#include "relyd/text.h"

#include <stdlib.h>

uint64_t rely_rule_hash(int64_t scope, struct rely_slice subject)
{
    return rely_rule_hash_in(rely_hash(subject, 0), 0, scope);
}

const struct rely_issuer *rely_snapshot_issuer(const struct rely_snapshot *snapshot, int64_t id)
{
    return rely_snapshot_find_id(&snapshot->issuers_by_id, id);
}

const struct rely_identity *rely_snapshot_identity(const struct rely_snapshot *snapshot, int64_t id)
{
    return rely_snapshot_find_id(&snapshot->identities_by_id, id);
}

const struct rely_issuer_group *rely_snapshot_issuer_group(const struct rely_snapshot *snapshot, int64_t id)
{
    return rely_snapshot_find_id(&snapshot->issuer_groups_by_id, id);
}

const struct rely_membership *rely_snapshot_membership(const struct rely_snapshot *snapshot, int64_t issuer_id,
                                                       size_t *cursor)
{
    const struct rely_membership *membership;
    do
        membership = rely_map_find(&snapshot->memberships, rely_snapshot_hash_id(issuer_id), cursor);
    while (membership != NULL && membership->issuer_id != issuer_id);
    return membership;
}

const struct rely_credential *rely_snapshot_credential_by_id(const struct rely_snapshot *snapshot, int64_t id)
{
    return rely_snapshot_find_id(&snapshot->credentials_by_id, id);
}

const struct rely_identity *rely_snapshot_identity_by_name(const struct rely_snapshot *snapshot, struct rely_slice name)
{
    size_t cursor = 0;
    const struct rely_identity *identity;
    do
        identity = rely_map_find(&snapshot->identities_by_name, rely_hash(name, 0), &cursor);
    while (identity != NULL && !rely_slice_equal(identity->name, name));
    return identity;
}

const struct rely_credential *rely_snapshot_credential(const struct rely_snapshot *snapshot, uint64_t hash,
                                                       int64_t scope, struct rely_slice subject, size_t *cursor)
{
    const struct rely_credential *credential;
    do
        credential = rely_map_find(&snapshot->credentials, hash, cursor);
    while (credential != NULL && (credential->expression != NULL || credential->scope != scope ||
                                  !rely_slice_equal(credential->subject, subject)));
    return credential;
}

/* --- copies in one block: the struct, its arrays, its text ------------------------------------ */

struct block {
    char *next; /* borrowed: inside the block being filled */
};

static struct rely_slice put_text(struct block *block, struct rely_slice text)
{
    if (text.ptr == NULL)
        return text;
    char *copy = block->next;
    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    block->next += text.len;
    return rely_slice(copy, text.len);
}

/* With U+0000 in front. */
static struct rely_slice put_marked(struct block *block, struct rely_slice text)
{
    *block->next++ = '\0';
    return put_text(block, text);
}

static size_t measure_texts(const struct rely_slice *texts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += texts[i].len;
    return size;
}

static void put_texts(struct block *block, struct rely_slice *to, const struct rely_slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = put_text(block, texts[i]);
}

/* Out: arrays - grows by the structs and lists. Returns: bytes of text. */
static size_t measure_guards(const struct rely_guards *from, size_t *arrays)
{
    if (from == NULL)
        return 0;
    size_t text = measure_texts(from->subjects, from->subject_count);
    *arrays +=
        sizeof *from + from->required_count * sizeof *from->required + from->subject_count * sizeof *from->subjects;
    for (size_t i = 0; i < from->required_count; i++) {
        *arrays += from->required[i].count * sizeof *from->required[i].any_of;
        text += from->required[i].claim.len + measure_texts(from->required[i].any_of, from->required[i].count);
    }
    return text;
}

/* In: to - room for what measure_guards has found. */
static const struct rely_guards *put_guards(struct block *block, void *to, const struct rely_guards *from)
{
    if (from == NULL)
        return NULL;
    struct rely_guards *guards = to;
    struct rely_required_claim *required = (struct rely_required_claim *)(guards + 1);
    struct rely_slice *texts = (struct rely_slice *)(required + from->required_count);
    *guards = *from;
    guards->required = required;
    guards->subjects = texts;
    put_texts(block, texts, from->subjects, from->subject_count);
    texts += from->subject_count;
    for (size_t i = 0; i < from->required_count; i++) {
        required[i] =
            (struct rely_required_claim){put_text(block, from->required[i].claim), texts, from->required[i].count};
        put_texts(block, texts, from->required[i].any_of, from->required[i].count);
        texts += from->required[i].count;
    }
    return guards;
}

struct rely_issuer *rely_issuer_copy(const struct rely_issuer *from)
{
    size_t arrays = (from->type_count + from->alias_count + from->push_subject_count) * sizeof(struct rely_slice);
    size_t guards_text = measure_guards(from->guards, &arrays);
    const struct rely_issuer_source *source = &from->source;
    const struct rely_issuer_liveness *liveness = &from->liveness;
    size_t text = from->name.len + from->url.len + measure_texts(from->aliases, from->alias_count) + 1 +
                  measure_texts(from->push_subjects, from->push_subject_count) + from->trust_domain.len +
                  from->subject_claim.len + measure_texts(from->types, from->type_count) + source->discovery_url.len +
                  source->jwks_uri.len + source->ca_bundle.len + source->bearer_file.len + source->key_file.len +
                  source->proxy.len + liveness->url.len + liveness->ca_bundle.len + liveness->bearer_file.len +
                  guards_text;
    struct rely_issuer *issuer = rely_alloc(sizeof *issuer + arrays + text);
    struct rely_slice *types = (struct rely_slice *)(issuer + 1), *aliases = types + from->type_count;
    struct rely_slice *pushers = aliases + from->alias_count;
    struct block block = {(char *)(issuer + 1) + arrays};
    *issuer = *from;
    issuer->name = put_text(&block, from->name);
    issuer->url = put_text(&block, from->url);
    issuer->subject_claim = put_text(&block, from->subject_claim);
    issuer->source.discovery_url = put_text(&block, source->discovery_url);
    issuer->source.jwks_uri = put_text(&block, source->jwks_uri);
    issuer->source.ca_bundle = put_text(&block, source->ca_bundle);
    issuer->source.bearer_file = put_text(&block, source->bearer_file);
    issuer->source.key_file = put_text(&block, source->key_file);
    issuer->source.proxy = put_text(&block, source->proxy);
    issuer->liveness.url = put_text(&block, liveness->url);
    issuer->liveness.ca_bundle = put_text(&block, liveness->ca_bundle);
    issuer->liveness.bearer_file = put_text(&block, liveness->bearer_file);
    put_texts(&block, types, from->types, from->type_count);
    issuer->types = types;
    put_texts(&block, aliases, from->aliases, from->alias_count);
    issuer->aliases = aliases;
    issuer->trust_domain = put_marked(&block, from->trust_domain);
    put_texts(&block, pushers, from->push_subjects, from->push_subject_count);
    issuer->push_subjects = pushers;
    issuer->guards = put_guards(&block, pushers + from->push_subject_count, from->guards);
    return issuer;
}

/* In the arrays behind the struct, one list after the other. */
static const struct rely_slice *put_text_list(struct block *block, struct rely_slice **next,
                                              const struct rely_slice *texts, size_t count)
{
    struct rely_slice *list = *next;
    put_texts(block, list, texts, count);
    *next += count;
    return list;
}

static size_t measure_extra(const struct rely_identity *from, size_t *arrays)
{
    size_t text = 0;
    *arrays += from->extra_count * sizeof *from->extra;
    for (size_t i = 0; i < from->extra_count; i++) {
        const struct rely_identity_extra *extra = &from->extra[i];
        *arrays += extra->value_count * sizeof *extra->values;
        text += extra->key.len + measure_texts(extra->values, extra->value_count);
    }
    return text;
}

static void put_extra(struct block *block, struct rely_identity_extra *to, const struct rely_identity *from)
{
    struct rely_slice *values = (struct rely_slice *)(to + from->extra_count);
    for (size_t i = 0; i < from->extra_count; i++) {
        to[i] = (struct rely_identity_extra){put_text(block, from->extra[i].key), values, from->extra[i].value_count};
        put_texts(block, values, from->extra[i].values, from->extra[i].value_count);
        values += from->extra[i].value_count;
    }
}

/* Once for every edition that has it, so that a review only looks: the setting may have been true when it was stored.
 */
static enum rely_system_name find_system_name(const struct rely_identity *identity)
{
    if (!identity->is_username_subject && rely_is_system_name(identity->username))
        return RELY_SYSTEM_USERNAME;
    for (size_t i = 0; i < identity->group_count; i++)
        if (rely_is_system_name(identity->groups[i]))
            return RELY_SYSTEM_GROUP;
    for (size_t i = 0; i < identity->extra_count; i++)
        if (rely_is_kubernetes_key(identity->extra[i].key))
            return RELY_SYSTEM_EXTRA;
    return RELY_SYSTEM_NONE;
}

struct rely_identity *rely_identity_copy(const struct rely_identity *from)
{
    size_t list_count = from->group_count + from->owner_count + from->certificate_count;
    size_t arrays = list_count * sizeof(struct rely_slice);
    size_t text = from->name.len + from->uid.len + from->username.len + measure_texts(from->groups, from->group_count) +
                  measure_texts(from->owners, from->owner_count) +
                  measure_texts(from->certificates, from->certificate_count) + measure_extra(from, &arrays);
    struct rely_identity *identity = rely_alloc(sizeof *identity + arrays + text);
    struct rely_slice *next = (struct rely_slice *)(identity + 1);
    struct rely_identity_extra *extra = (struct rely_identity_extra *)(next + list_count);
    struct block block = {(char *)(identity + 1) + arrays};
    *identity = *from;
    identity->name = put_text(&block, from->name);
    identity->uid = put_text(&block, from->uid);
    identity->username = put_text(&block, from->username);
    identity->groups = put_text_list(&block, &next, from->groups, from->group_count);
    identity->owners = put_text_list(&block, &next, from->owners, from->owner_count);
    identity->certificates = put_text_list(&block, &next, from->certificates, from->certificate_count);
    put_extra(&block, extra, from);
    identity->extra = extra;
    identity->system_name = find_system_name(identity);
    return identity;
}

struct rely_credential *rely_credential_copy(const struct rely_credential *from)
{
    size_t arrays = from->audience_count * sizeof(struct rely_slice);
    size_t text = from->name.len + from->subject.len + measure_texts(from->audiences, from->audience_count);
    size_t expression = from->expression == NULL ? 0 : from->expression->bytes;
    size_t uid = from->account_uid == NULL ? 0 : RELY_ACCOUNT_UID_CHARS;
    struct rely_credential *credential = rely_alloc(sizeof *credential + arrays + expression + uid + text);
    struct rely_slice *audiences = (struct rely_slice *)(credential + 1);
    char *behind = (char *)(credential + 1) + arrays;
    struct block block = {behind + expression};
    *credential = *from;
    if (from->expression != NULL) {
        memcpy(behind, from->expression, expression);
        credential->expression = (const struct rely_expression *)(const void *)behind;
        credential->prefix_len = (uint16_t)rely_rule_prefix(credential).len;
    }
    credential->name = put_text(&block, from->name);
    credential->subject = put_text(&block, from->subject);
    if (uid != 0)
        credential->account_uid = put_text(&block, rely_slice(from->account_uid, uid)).ptr;
    put_texts(&block, audiences, from->audiences, from->audience_count);
    credential->audiences = audiences;
    return credential;
}

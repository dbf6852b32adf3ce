/*
 * May this writer do so, and still? Decides what an owner may, that nobody changes his own roles, and that an
 * administrator is left who can come in. Within the write's transaction, so that nothing has changed since. Called by
 * write.c and delete.c.
 */
#include "inside.h"
#include "relyd/issuer_group.h"

/* --- owners ------------------------------------------------------------------------------------------------- */

static bool refuse_owner(const struct rely_powers *powers, const struct rely_identity_record *identity,
                         struct rely_err *err)
{
    if (!rely_slice_is_among(identity->owners.items, identity->owners.count, powers->writer->identity))
        return rely_write_refuse(powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted",
                                 "this needs the role admin, or to be an owner of the identity");
    if (identity->roles != 0)
        return rely_write_refuse(powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted",
                                 "the identity has a role: its credentials need the role admin, whoever owns it");
    return true;
}

/* In: name, id - of an identity. */
static bool check_owner(const struct rely_powers *powers, struct rely_slice name, int64_t id, struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record found;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_IDENTITY), .name = name};
    rely_pool_init(&pool);
    bool may = rely_stored_find(powers->registry->store, &place, &pool, &found, err) && found.record.id == id &&
               refuse_owner(powers, &found.identity, err);
    rely_pool_fini(&pool);
    return may;
}

static bool is_admin(const struct rely_identity_record *identity)
{
    return identity->is_enabled && (identity->roles & RELY_ROLE_ADMIN) != 0;
}

/* He was let in by an edition that may have been followed by another since. Who has no identity has his proof. */
static bool check_writer(const struct rely_powers *powers, struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record found;
    const struct rely_writer *writer = powers->writer;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_IDENTITY), .name = writer->identity};
    if (writer->identity.ptr == NULL)
        return true;
    rely_pool_init(&pool);
    bool is_read = rely_stored_find(powers->registry->store, &place, &pool, &found, err);
    bool may = is_read && found.record.id != 0 &&
               (writer->is_owner_only ? found.identity.is_enabled : is_admin(&found.identity));
    rely_pool_fini(&pool);
    if (is_read && !may)
        return rely_write_refuse(powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted",
                                 "who asks has been disabled, or has lost the role admin, just now");
    return may;
}

bool rely_powers_check_place(const struct rely_powers *powers, int64_t parent_id, struct rely_err *err)
{
    if (!check_writer(powers, err))
        return false;
    if (!powers->writer->is_owner_only)
        return true;
    if (powers->path->object != RELY_OBJECT_CREDENTIAL)
        return rely_write_refuse(powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted", "this needs the role admin");
    return check_owner(powers, powers->path->parent, parent_id, err);
}

/* --- whose subject ------------------------------------------------------------------------------------------- */

static bool has_all(const struct rely_texts *texts, const struct rely_texts *wanted)
{
    bool has = true;
    for (size_t i = 0; i < wanted->count; i++)
        has = has && rely_slice_is_among(texts->items, texts->count, wanted->items[i]);
    return has;
}

/* The last second in which it lets anybody in; 0: it lets nobody in. */
static int64_t end_of(const struct rely_credential_record *credential)
{
    if (!credential->is_enabled || credential->mode != RELY_MODE_ENFORCE)
        return 0;
    return credential->not_after == 0 ? INT64_MAX : credential->not_after;
}

/* One without a uid lets in accounts of any. */
static bool lets_in_uids_as_before(const struct rely_credential_record *before,
                                   const struct rely_credential_record *after)
{
    return after->account_uid.ptr == NULL || rely_slice_same(before->account_uid, after->account_uid);
}

static bool lets_in_as_before(const struct rely_credential_record *before, const struct rely_credential_record *after)
{
    return before->issuer_id == after->issuer_id && before->group_id == after->group_id &&
           rely_slice_same(before->subject, after->subject) && rely_slice_same(before->expression, after->expression) &&
           lets_in_uids_as_before(before, after) && has_all(&after->audiences, &before->audiences) &&
           end_of(after) >= end_of(before);
}

struct sharing {
    const struct rely_powers *powers;
    int64_t identity_id;
    struct rely_err *err;
};

static bool refuse_shared(const union rely_any_record *record, struct rely_slice identity, void *context)
{
    const struct sharing *sharing = context;
    int64_t id = record->record.parent_id;
    if (id == sharing->identity_id || check_owner(sharing->powers, identity, id, sharing->err))
        return true;
    return rely_err_prefix(sharing->err, "another identity has this subject of this issuer, too");
}

/* Of a token that is two identities nobody would know which: who owns one must not shut out the other. */
bool rely_powers_check_subject(const struct rely_powers *powers, const struct rely_credential_record *before,
                               const struct rely_credential_record *after, struct rely_err *err)
{
    struct sharing sharing = {powers, after->record.parent_id, err};
    const struct rely_stored_asked asked = {.question = RELY_STORED_BY_SUBJECT,
                                            .number = after->issuer_id,
                                            .other = after->group_id,
                                            .text = after->subject};
    bool is_no_more = before != NULL && lets_in_as_before(after, before);
    if (!powers->writer->is_owner_only || is_no_more)
        return true;
    if (after->expression.ptr != NULL) /* nobody knows whom it matches */
        return rely_write_refuse(powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted",
                                 "a credential with an expression needs the role admin");
    struct rely_stored_asked may_match = asked;
    may_match.question = RELY_STORED_MAY_MATCH;
    return rely_stored_ask(powers->registry->store, &may_match, &(struct rely_stored_visit){refuse_shared, &sharing},
                           err) &&
           rely_stored_ask(powers->registry->store, &asked, &(struct rely_stored_visit){refuse_shared, &sharing}, err);
}

/* --- administrators ------------------------------------------------------------------------------------------ */

struct counting {
    struct rely_slice name;
    bool is_among, has_others;
};

static bool count_admin(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct counting *counting = context;
    (void)parent;
    if (rely_slice_equal(record->identity.name, counting->name))
        counting->is_among = true;
    else
        counting->has_others = true;
    return true;
}

/* Of others than this name only those count whose way in does not end by itself.
 * In: gone - a scope, as reviews have them: what is for its tokens is no way in; 0: nothing. */
static bool count_ways_in(const struct rely_powers *powers, int64_t gone, struct counting *counting,
                          struct rely_err *err)
{
    const struct rely_stored_asked asked = {.question = RELY_STORED_ADMINS,
                                            .number = powers->writer->now_s,
                                            .other = gone,
                                            .text = counting->name,
                                            .limit = 2};
    return rely_stored_ask(powers->registry->store, &asked, &(struct rely_stored_visit){count_admin, counting}, err);
}

static bool refuse_last(const struct rely_powers *powers, struct rely_slice name, struct rely_err *err)
{
    return rely_write_refuse(
        powers->result, err, RELY_ERR_CONFLICT, "last_admin",
        "%.*s is the last administrator, and keeps its role, credentials, certificates and enabled: make "
        "another one first, whose way in has no notAfter, or ask as root on the unix socket",
        RELY_ARG(name));
}

/* In: is_lost - would the identity not be one any more, or not come in? */
static bool check_last(const struct rely_powers *powers, struct rely_slice name, bool is_lost, struct rely_err *err)
{
    struct counting counting = {.name = name};
    if (!is_lost || powers->writer->may_end_admins)
        return true;
    if (!count_ways_in(powers, 0, &counting, err))
        return false;
    return !counting.is_among || counting.has_others || refuse_last(powers, name, err);
}

static bool check_identity(const struct rely_powers *powers, const struct rely_identity_record *before,
                           const struct rely_identity_record *after, struct rely_err *err)
{
    bool is_own = rely_slice_equal(powers->writer->identity, before->name);
    if (is_own && after != NULL && after->roles != before->roles)
        return rely_write_refuse(
            powers->result, err, RELY_ERR_FORBIDDEN, "not_permitted",
            "nobody changes his own roles, nor leaves them out of a PUT: another administrator can");
    bool is_lost = after == NULL || !is_admin(after) || !has_all(&after->certificates, &before->certificates);
    return check_last(powers, before->name, is_admin(before) && is_lost, err);
}

/* What lets nobody in now is no loss. */
static bool is_way_in(const struct rely_powers *powers, const struct rely_credential_record *credential)
{
    return end_of(credential) >= powers->writer->now_s;
}

/* In: after - NULL: it goes. */
static bool check_credential(const struct rely_powers *powers, struct rely_slice identity,
                             const struct rely_credential_record *before, const struct rely_credential_record *after,
                             struct rely_err *err)
{
    bool is_less = after == NULL || !lets_in_as_before(before, after);
    return check_last(powers, identity, is_way_in(powers, before) && is_less, err);
}

/* Whoever else comes in by this issuer, or group, is lost with it. */
bool rely_powers_check_lost(const struct rely_powers *powers, struct rely_slice identity,
                            const struct rely_credential_record *lost, struct rely_err *err)
{
    struct counting left = {.has_others = false}, now = {.name = identity};
    if (!is_way_in(powers, lost) || powers->writer->may_end_admins)
        return true;
    if (!count_ways_in(powers, rely_scope_of_record(lost), &left, err))
        return false;
    if (left.has_others)
        return true;
    if (!count_ways_in(powers, 0, &now, err))
        return false;
    return !(now.is_among || now.has_others) || refuse_last(powers, identity, err);
}

struct leaving {
    const struct rely_powers *powers;
    struct rely_err *err;
};

static bool check_admin_of_group(const union rely_any_record *record, struct rely_slice identity, void *context)
{
    const struct leaving *leaving = context;
    return rely_powers_check_lost(leaving->powers, identity, &record->credential, leaving->err);
}

bool rely_powers_check_leaving(const struct rely_powers *powers, int64_t group_id, struct rely_err *err)
{
    struct leaving leaving = {powers, err};
    const struct rely_stored_asked asked = {.question = RELY_STORED_ADMINS_OF_GROUP, .number = group_id};
    return powers->writer->may_end_admins ||
           rely_stored_ask(powers->registry->store, &asked, &(struct rely_stored_visit){check_admin_of_group, &leaving},
                           err);
}

bool rely_powers_check_change(const struct rely_powers *powers, const union rely_any_record *before,
                              const union rely_any_record *after, struct rely_err *err)
{
    if (powers->path->object == RELY_OBJECT_IDENTITY)
        return check_identity(powers, &before->identity, after == NULL ? NULL : &after->identity, err);
    if (powers->path->object != RELY_OBJECT_CREDENTIAL)
        return true;
    return check_credential(powers, powers->path->parent, &before->credential,
                            after == NULL ? NULL : &after->credential, err);
}

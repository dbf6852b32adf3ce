/*
 * One record in one group: put in and taken out, each with its row of the change log, whether it is asked for alone or
 * comes with the whole group. Decides whether a record may be in one more group. Called by groups.c and delete.c, and
 * by admin/.
 */
#include "inside.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

static const struct rely_kind *member_kind(void)
{
    return rely_kind_of(RELY_OBJECT_ISSUER_GROUP_MEMBER);
}

static bool log_member(const struct rely_joining *joining, const struct rely_joined_group *group,
                       const union rely_any_record *member, bool is_removal, struct rely_err *err)
{
    struct rely_buf text = {0};
    RELY_JSON_OWNED struct rely_json *shown = rely_record_show_logged(member_kind(), member);
    rely_json_print(shown, &text);
    const struct rely_slice none = {NULL, 0}, said = rely_buf_slice(&text);
    const struct rely_log_entry entry = {.at_s = joining->writer->now_s,
                                         .actor = joining->writer->actor,
                                         .object = member_kind()->word,
                                         .parent = group->name,
                                         .name = member->issuer_group_member.name,
                                         .operation = is_removal ? "delete" : "create",
                                         .before = is_removal ? said : none,
                                         .after = is_removal ? none : said};
    bool is_logged = rely_store_log(joining->registry->store, &entry, &joining->result->changes.revision, err);
    rely_buf_fini(&text);
    return is_logged;
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static bool count_one(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    (void)record;
    (void)parent;
    ++*(int *)context;
    return true;
}

/* The schema has the same limit, and cannot say which it was. */
static bool check_group_count(const struct rely_joining *joining, const union rely_any_record *issuer,
                              struct rely_err *err)
{
    int count = 0;
    const struct rely_stored_asked asked = {.question = RELY_STORED_GROUPS_OF, .number = issuer->record.id};
    if (!rely_stored_ask(joining->registry->store, &asked, &(struct rely_stored_visit){count_one, &count}, err))
        return false;
    return count < RELY_GROUPS_PER_ISSUER_MAX ||
           rely_write_refuse(joining->result, err, RELY_ERR_CONFLICT, "too_many_groups",
                             "issuer %.*s is in %d groups, which is the most that it may be in",
                             RELY_ARG(issuer->issuer.name), count);
}

static bool insert_member(const struct rely_joining *joining, const struct rely_joined_group *group,
                          union rely_any_record *member, struct rely_err *err)
{
    struct rely_err own = {0};
    member->record.revision = joining->result->changes.revision;
    if (rely_stored_insert(joining->registry->store, member_kind(), member, &own))
        return rely_stored_verify(joining->registry->store, member_kind(), member, err);
    if (own.code == RELY_ERR_LIMIT)
        return rely_write_refuse(joining->result, err, RELY_ERR_CONFLICT, "too_many_objects",
                                 "group %.*s has %d records, which is the most that it may have", RELY_ARG(group->name),
                                 RELY_ISSUERS_PER_GROUP_MAX);
    return rely_err_set(err, own.code, "%s", own.message);
}

static bool add_found(const struct rely_joining *joining, const struct rely_joined_group *group,
                      const union rely_any_record *issuer, struct rely_err *err)
{
    union rely_any_record member = {.record = {.id = 0}};
    if (issuer->record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such issuer");
    member.record.parent_id = group->id;
    member.record.created_at = member.record.updated_at = joining->writer->now_s;
    member.issuer_group_member.name = issuer->issuer.name;
    member.issuer_group_member.issuer_id = issuer->record.id;
    if (!check_group_count(joining, issuer, err) ||
        !rely_tenants_check_member(joining, group, issuer->record.id, err) ||
        !log_member(joining, group, &member, false, err) || !insert_member(joining, group, &member, err))
        return false;
    rely_changes_add(&joining->result->changes, member_kind()->object, member.record.id,
                     rely_record_copy(member_kind(), &member));
    return true;
}

bool rely_members_add(const struct rely_joining *joining, const struct rely_joined_group *group,
                      struct rely_slice issuer, struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record found;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = issuer};
    rely_pool_init(&pool);
    bool is_added = rely_stored_find_name(joining->registry->store, &place, &pool, &found, err) &&
                    add_found(joining, group, &found, err);
    rely_pool_fini(&pool);
    return is_added;
}

/* --- out --------------------------------------------------------------------------------------------------------- */

static bool remove_found(const struct rely_joining *joining, const struct rely_joined_group *group,
                         const union rely_any_record *member, struct rely_err *err)
{
    const struct rely_powers powers = {joining->registry, joining->writer, NULL, joining->result};
    if (!rely_powers_check_leaving(&powers, group->id, err) || !log_member(joining, group, member, true, err) ||
        !rely_stored_erase(joining->registry->store, member_kind(), member->record.id, err))
        return false;
    rely_changes_add(&joining->result->changes, member_kind()->object, member->record.id, NULL);
    return true;
}

bool rely_members_remove(const struct rely_joining *joining, const struct rely_joined_group *group,
                         struct rely_slice issuer, struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record found;
    const struct rely_stored_place place = {member_kind(), group->id, issuer};
    rely_pool_init(&pool);
    bool is_removed = rely_stored_find(joining->registry->store, &place, &pool, &found, err) &&
                      (found.record.id == 0 || remove_found(joining, group, &found, err));
    rely_pool_fini(&pool);
    return is_removed;
}

bool rely_members_touch_group(const struct rely_joining *joining, int64_t group_id, struct rely_err *err)
{
    const union rely_any_record group = {.record = {.id = group_id,
                                                    .revision = joining->result->changes.revision,
                                                    .updated_at = joining->writer->now_s}};
    return rely_stored_change(joining->registry->store,
                              &(struct rely_stored_update){rely_kind_of(RELY_OBJECT_ISSUER_GROUP), &group, &group},
                              err);
}

/* A record's groups, before it is taken out of any. */
struct left {
    struct rely_pool *pool;
    struct rely_joined_group groups[RELY_GROUPS_PER_ISSUER_MAX];
    size_t count;
    struct rely_slice issuer;
};

static bool note_group(const union rely_any_record *record, struct rely_slice group, void *context)
{
    struct left *left = context;
    if (left->count == RELY_GROUPS_PER_ISSUER_MAX)
        return false;
    left->issuer = rely_pool_copy(left->pool, record->issuer_group_member.name);
    left->groups[left->count++] =
        (struct rely_joined_group){record->record.parent_id, rely_pool_copy(left->pool, group)};
    return true;
}

bool rely_members_remove_issuer(const struct rely_joining *joining, int64_t issuer_id, struct rely_err *err)
{
    struct rely_pool pool;
    struct left left = {.pool = &pool};
    const struct rely_stored_asked asked = {.question = RELY_STORED_GROUPS_OF, .number = issuer_id};
    rely_pool_init(&pool);
    bool is_done =
        rely_stored_ask(joining->registry->store, &asked, &(struct rely_stored_visit){note_group, &left}, err);
    for (size_t i = 0; i < left.count; i++)
        is_done = is_done && rely_members_remove(joining, &left.groups[i], left.issuer, err) &&
                  rely_members_touch_group(joining, left.groups[i].id, err);
    rely_pool_fini(&pool);
    return is_done;
}

/* --- asked for alone ---------------------------------------------------------------------------------------------- */

struct changing {
    struct rely_joining joining;
    const struct rely_object_path *path;
    bool is_join;
};

/* Alone into a group that stays as it is otherwise. */
static bool join_alone(const struct changing *changing, const struct rely_joined_group *group, struct rely_pool *pool,
                       struct rely_err *err)
{
    union rely_any_record issuer;
    const struct rely_joining *joining = &changing->joining;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = changing->path->name};
    return rely_stored_find_name(joining->registry->store, &place, pool, &issuer, err) &&
           rely_subjects_check_join(joining, group, issuer.record.id, pool, err) &&
           rely_members_add(joining, group, changing->path->name, err);
}

/* With the group there. Out: changes - empty: there was nothing to do. */
static bool change_found(const struct changing *changing, const struct rely_joined_group *group, struct rely_pool *pool,
                         struct rely_err *err)
{
    union rely_any_record member;
    const struct rely_joining *joining = &changing->joining;
    const struct rely_stored_place place = {member_kind(), group->id, changing->path->name};
    if (!rely_stored_find_name(joining->registry->store, &place, pool, &member, err))
        return false;
    if ((member.record.id != 0) == changing->is_join)
        return true;
    return (changing->is_join ? join_alone(changing, group, pool, err)
                              : rely_members_remove(joining, group, changing->path->name, err)) &&
           rely_members_touch_group(joining, group->id, err);
}

static bool change_in_transaction(const struct changing *changing, struct rely_pool *pool, struct rely_err *err)
{
    union rely_any_record found;
    const struct rely_joining *joining = &changing->joining;
    const struct rely_powers powers = {joining->registry, joining->writer, changing->path, joining->result};
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER_GROUP),
                                            .name = changing->path->parent};
    if (!rely_powers_check_place(&powers, 0, err) ||
        !rely_stored_find_name(joining->registry->store, &place, pool, &found, err))
        return false;
    if (found.record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", place.kind->word);
    const struct rely_joined_group group = {found.record.id, place.name};
    return rely_write_check_etag(joining->result, joining->writer, &found.record, err) &&
           change_found(changing, &group, pool, err);
}

static bool change_membership(const struct changing *changing, struct rely_err *err)
{
    struct rely_pool pool;
    struct rely_store *store = changing->joining.registry->store;
    struct rely_write_result *result = changing->joining.result;
    if (!rely_store_begin_write(store, err))
        return false;
    rely_pool_init(&pool);
    bool is_done = change_in_transaction(changing, &pool, err);
    bool is_news = is_done && result->changes.count > 0;
    is_done = is_done && (!is_news || rely_store_keep_write(store, result->changes.revision, err));
    rely_pool_fini(&pool);
    if (!is_done || !is_news)
        rely_store_undo_write(store);
    if (!is_done)
        rely_changes_fini(&result->changes);
    if (!is_done && err->code == RELY_ERR_NOT_FOUND)
        snprintf(result->code, sizeof result->code, "not_found");
    return is_done;
}

bool rely_registry_join_group(struct rely_registry *registry, const struct rely_object_path *path,
                              const struct rely_writer *writer, struct rely_write_result *result, struct rely_err *err)
{
    const struct changing changing = {{registry, writer, result}, path, true};
    return change_membership(&changing, err);
}

bool rely_registry_leave_group(struct rely_registry *registry, const struct rely_object_path *path,
                               const struct rely_writer *writer, struct rely_write_result *result, struct rely_err *err)
{
    const struct changing changing = {{registry, writer, result}, path, false};
    return change_membership(&changing, err);
}

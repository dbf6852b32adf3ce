/*
 * Issuers that many tenants share: no credential may let in those of another tenant. Decides whether a credential, an
 * issuer that becomes shared, or one that joins a group leaves one that names no tenant. Whether one does, model/ says.
 * Called by rules.c and members.c.
 */
#include "inside.h"
#include "relyd/lint.h"
#include "relyd/tenant.h"
#include "relyd/text.h"
#include <stdio.h>

#define CODE "unpinned_credential"
#define NAMES_TOLD 10

/* What names a tenant of this issuer, for a sentence. */
static void print_ways(const struct rely_issuer_record *issuer, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    if (issuer->tenant_subject.ptr != NULL) {
        int len = snprintf(out, size, "a subject that reaches through %.*s%s",
                           (int)(issuer->tenant_subject.len < 60 ? issuer->tenant_subject.len : 60),
                           issuer->tenant_subject.ptr, issuer->pin_claims.count > 0 ? ", or " : "");
        used = len < 0 ? 0 : (size_t)len;
    }
    for (size_t i = 0; i < issuer->pin_claims.count && used < size - 1; i++) {
        int len = snprintf(out + used, size - used, "%s%.*s", i == 0 ? "an eq on one of " : ", ",
                           RELY_ARG(issuer->pin_claims.items[i]));
        used += len < 0 ? size : (size_t)len;
    }
}

/* --- a credential ------------------------------------------------------------------------------------------------ */

struct judging_tenants {
    const struct rely_writing *write;
    bool is_noted;
};

static bool note_unpinned(const union rely_any_record *issuer, struct rely_slice parent, void *context)
{
    char ways[160];
    struct judging_tenants *judging = context;
    const struct rely_credential_record *credential = &judging->write->after.credential;
    const char *field = credential->expression.ptr != NULL ? "claimsMatchingExpression.value" : "subject";
    (void)parent;
    if (judging->is_noted || rely_credential_names_tenant(credential, &issuer->issuer))
        return true;
    judging->is_noted = true;
    print_ways(&issuer->issuer, ways, sizeof ways);
    rely_problems_add(judging->write->body.problems, field, CODE,
                      "%s lets in every tenant of issuer %.*s, which many share: it needs %s", field,
                      RELY_ARG(issuer->issuer.name), ways);
    return true;
}

bool rely_tenants_bind_credential(const struct rely_writing *write, struct rely_err *err)
{
    struct judging_tenants judging = {write, false};
    const struct rely_credential_record *credential = &write->after.credential;
    bool is_of_group = credential->group_id != 0;
    const struct rely_stored_asked asked = {.question = is_of_group ? RELY_STORED_SHARED_OF_GROUP : RELY_STORED_SHARED,
                                            .number = is_of_group ? credential->group_id : credential->issuer_id};
    if (asked.number == 0 || (credential->subject.ptr == NULL && credential->expression.ptr == NULL))
        return true;
    return rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){note_unpinned, &judging}, err);
}

/* --- the credentials of an issuer or a group ----------------------------------------------------------------------- */

/* Those that name no tenant. */
struct unpinned {
    const struct rely_issuer_record *issuer;
    size_t count;
    struct rely_buf names; /* owned */
};

static bool count_unpinned(const union rely_any_record *record, struct rely_slice identity, void *context)
{
    struct unpinned *unpinned = context;
    if (rely_credential_names_tenant(&record->credential, unpinned->issuer))
        return true;
    if (unpinned->count++ < NAMES_TOLD)
        rely_buf_printf(&unpinned->names, "%s%.*s/%.*s", unpinned->count > 1 ? ", " : "", RELY_ARG(identity),
                        RELY_ARG(record->credential.name));
    return true;
}

static bool find_unpinned(struct rely_registry *registry, enum rely_stored_question question, int64_t number,
                          struct unpinned *unpinned, struct rely_err *err)
{
    const struct rely_stored_asked asked = {.question = question, .number = number};
    return rely_stored_ask(registry->store, &asked, &(struct rely_stored_visit){count_unpinned, unpinned}, err);
}

struct groups_found {
    int64_t ids[RELY_GROUPS_PER_ISSUER_MAX];
    size_t count;
};

static bool note_group_id(const union rely_any_record *record, struct rely_slice group, void *context)
{
    struct groups_found *found = context;
    (void)group;
    if (found->count < RELY_GROUPS_PER_ISSUER_MAX)
        found->ids[found->count++] = record->record.parent_id;
    return true;
}

/* Of the record and of each group that it is in. */
static bool find_all_unpinned(struct rely_registry *registry, struct unpinned *unpinned, struct rely_err *err)
{
    struct groups_found groups = {.count = 0};
    int64_t id = unpinned->issuer->record.id;
    const struct rely_stored_asked asked = {.question = RELY_STORED_GROUPS_OF, .number = id};
    bool is_read = find_unpinned(registry, RELY_STORED_OF_ISSUER, id, unpinned, err) &&
                   rely_stored_ask(registry->store, &asked, &(struct rely_stored_visit){note_group_id, &groups}, err);
    for (size_t i = 0; is_read && i < groups.count; i++)
        is_read = find_unpinned(registry, RELY_STORED_OF_GROUP, groups.ids[i], unpinned, err);
    return is_read;
}

bool rely_tenants_bind_issuer(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_issuer_record *before = write->body.before, *after = &write->after.issuer;
    struct unpinned unpinned = {.issuer = after};
    if (before == NULL || !after->is_shared || rely_issuer_has_same_tenants(before, after))
        return true;
    bool is_read = find_all_unpinned(write->registry, &unpinned, err);
    if (is_read && unpinned.count > 0)
        rely_problems_add(write->body.problems, "isShared", CODE,
                          "isShared: %zu of its credentials would let in every tenant: %.200s", unpinned.count,
                          unpinned.names.ptr);
    rely_buf_fini(&unpinned.names);
    return is_read;
}

/* --- one more in a group -------------------------------------------------------------------------------------------- */

struct joining_shared {
    const struct rely_joining *joining;
    const struct rely_joined_group *group;
    struct rely_err *err;
};

static bool takes_it_upon_himself(const struct rely_joining *joining)
{
    const struct rely_writer *writer = joining->writer;
    return writer->may_override && !writer->is_owner_only && !writer->is_strict;
}

static void note_forced_member(const struct joining_shared *shared, const struct rely_issuer_record *issuer)
{
    struct rely_write_result *result = shared->joining->result;
    rely_warn(&result->warnings, RELY_WARNING_ISSUER_UNPINNED, "issuers",
              "issuer %.*s is shared by many tenants, and credentials of group %.*s let in each of them",
              RELY_ARG(issuer->name), RELY_ARG(shared->group->name));
    result->overridden_count++;
}

static bool refuse_shared_member(const union rely_any_record *issuer, struct rely_slice parent, void *context)
{
    const struct joining_shared *shared = context;
    struct unpinned unpinned = {.issuer = &issuer->issuer};
    (void)parent;
    bool is_good =
        find_unpinned(shared->joining->registry, RELY_STORED_OF_GROUP, shared->group->id, &unpinned, shared->err);
    if (is_good && unpinned.count > 0 && takes_it_upon_himself(shared->joining))
        note_forced_member(shared, &issuer->issuer);
    else if (is_good && unpinned.count > 0)
        is_good = rely_write_refuse(shared->joining->result, shared->err, RELY_ERR_INVALID, CODE,
                                    "issuer %.*s is shared by many tenants, and %zu of the credentials of group %.*s "
                                    "would let in each of them: %.200s",
                                    RELY_ARG(issuer->issuer.name), unpinned.count, RELY_ARG(shared->group->name),
                                    unpinned.names.ptr);
    rely_buf_fini(&unpinned.names);
    return is_good;
}

bool rely_tenants_check_member(const struct rely_joining *joining, const struct rely_joined_group *group,
                               int64_t issuer_id, struct rely_err *err)
{
    struct joining_shared shared = {joining, group, err};
    const struct rely_stored_asked asked = {.question = RELY_STORED_SHARED, .number = issuer_id};
    return rely_stored_ask(joining->registry->store, &asked, &(struct rely_stored_visit){refuse_shared_member, &shared},
                           err);
}

/*
 * Which claim is the subject of whose tokens: a record says so, a credential takes it over from its record or group, and
 * the records of one group have the same. Decides that a rule never comes to mean another claim than the one that it was
 * written for. Called by rules.c, groups.c and members.c.
 */
#include "relyd/subjects.h"

#include "inside.h"
#include "relyd/expression.h"
#include "relyd/text.h"

/* Of a group: what its credentials say, else its records. Out: *claim - absent: neither says anything. */
static bool find_claim_of_group(struct rely_store *store, int64_t group_id, struct rely_pool *pool,
                                struct rely_slice *claim, struct rely_err *err)
{
    const struct rely_claim_asked rules = {RELY_CLAIM_OF_RULES, group_id}, members = {RELY_CLAIM_OF_MEMBERS, group_id};
    return rely_stored_subject_claim(store, &rules, pool, claim, err) &&
           (claim->ptr != NULL || rely_stored_subject_claim(store, &members, pool, claim, err));
}

/* What it stands for begins with the platform's `sub`. */
static void refuse_shorthand(const struct rely_writing *write)
{
    char quoted[RELY_QUOTED_SIZE];
    const struct rely_kind *kind = write->body.kind;
    for (size_t i = 0; i < kind->field_count; i++) {
        const char *json = kind->fields[i].json;
        if ((kind->fields[i].flags & RELY_FIELD_WRITE_ONLY) != 0 && rely_json_get(write->body.json, json) != NULL)
            rely_problems_add(write->body.problems, json, "not_allowed",
                              "%s stands for what the platform has in `sub`; the issuer's subjectClaim is %.150s", json,
                              rely_quote(write->after.credential.subject_claim, quoted));
    }
}

bool rely_subjects_bind(struct rely_writing *write, struct rely_err *err)
{
    struct rely_credential_record *credential = &write->after.credential;
    const struct rely_claim_asked issuer = {RELY_CLAIM_OF_ISSUER, credential->issuer_id};
    struct rely_store *store = write->registry->store;
    struct rely_slice claim = {NULL, 0};
    bool is_found = credential->issuer_id != 0
                        ? rely_stored_subject_claim(store, &issuer, write->body.pool, &claim, err)
                        : find_claim_of_group(store, credential->group_id, write->body.pool, &claim, err);
    credential->subject_claim =
        claim.ptr == NULL || rely_claim_is_same(claim, RELY_SUBJECT_CLAIM) ? (struct rely_slice){NULL, 0} : claim;
    if (credential->subject_claim.ptr != NULL)
        refuse_shorthand(write);
    return is_found;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

bool rely_subjects_begin_group(const struct rely_writing *write, struct rely_slice *claim, struct rely_err *err)
{
    const struct rely_claim_asked rules = {RELY_CLAIM_OF_RULES, write->after.record.id};
    return rely_stored_subject_claim(write->registry->store, &rules, write->body.pool, claim, err);
}

bool rely_subjects_take_member(const struct rely_writing *write, int64_t issuer_id, struct rely_slice *claim,
                               bool *is_same, struct rely_err *err)
{
    struct rely_slice own;
    const struct rely_claim_asked issuer = {RELY_CLAIM_OF_ISSUER, issuer_id};
    if (!rely_stored_subject_claim(write->registry->store, &issuer, write->body.pool, &own, err))
        return false;
    *is_same = claim->ptr == NULL || rely_claim_is_same(*claim, own);
    if (claim->ptr == NULL)
        *claim = own;
    return true;
}

bool rely_subjects_check_join(const struct rely_joining *joining, const struct rely_joined_group *group,
                              int64_t issuer_id, struct rely_pool *pool, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    struct rely_slice own, claim;
    struct rely_store *store = joining->registry->store;
    const struct rely_claim_asked issuer = {RELY_CLAIM_OF_ISSUER, issuer_id};
    if (!rely_stored_subject_claim(store, &issuer, pool, &own, err) ||
        !find_claim_of_group(store, group->id, pool, &claim, err))
        return false;
    return claim.ptr == NULL || own.ptr == NULL || rely_claim_is_same(own, claim) ||
           rely_write_refuse(joining->result, err, RELY_ERR_CONFLICT, "other_subject_claim",
                             "the subjectClaim of group %.*s, of its records and credentials, is %.150s; the record's "
                             "is another one",
                             RELY_ARG(group->name), rely_quote(claim, quoted));
}

/* --- records ------------------------------------------------------------------------------------------------------ */

bool rely_subjects_is_new_claim(const struct rely_writing *write)
{
    const struct rely_issuer_record *before = write->body.before;
    return before != NULL && !rely_claim_is_same(before->subject_claim, write->after.issuer.subject_claim);
}

/* Who has written `subject` has meant a value of the claim as it was. */
bool rely_subjects_check_issuer(const struct rely_writing *write, struct rely_err *err)
{
    struct rely_claim_use use;
    if (!rely_subjects_is_new_claim(write))
        return true;
    if (!rely_stored_find_claim_use(write->registry->store, &write->after.issuer, write->body.pool, &use, err))
        return false;
    switch (use.user) {
    case RELY_CLAIM_UNUSED:
        return true;
    case RELY_CLAIM_OF_GROUP:
        return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "other_subject_claim",
                                 "the record is in group %.*s, whose other records have the subjectClaim as it is",
                                 RELY_ARG(use.name));
    case RELY_CLAIM_OF_CREDENTIAL:
    case RELY_CLAIM_OF_REVOCATION:
        break;
    }
    return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "subject_claim_in_use",
                             "%s %.*s means the subjectClaim as it is: delete it before, and write it anew",
                             use.user == RELY_CLAIM_OF_REVOCATION ? "revocation" : "the credential",
                             RELY_ARG(use.name));
}

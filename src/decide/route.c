/*
 * Step "route": what the route under which a review was asked for takes: of which issuers, which identities, and
 * whether only service accounts. Its audiences are judged with those of the credentials. Called by decide.c.
 */
#include "steps.h"

#include "relyd/issuer_group.h"
#include "relyd/named_route.h"
#include "relyd/text.h"

enum rely_reason rely_route_find_asked(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    if (work->request->route.ptr == NULL)
        return RELY_OK;
    review->route = rely_snapshot_route(work->snapshot, work->request->route);
    /* It was there when this was asked: the name is not said a second time. */
    return review->route != NULL
               ? RELY_OK
               : rely_refuse(&review->decision.detail, RELY_UNKNOWN_ROUTE, "the route under which was asked is gone");
}

/* By the groups of the record, which are few, however many the route names. */
static bool names_group_of(const struct rely_snapshot *snapshot, const struct rely_named_route *route,
                           const struct rely_issuer *issuer)
{
    const struct rely_membership *membership;
    size_t cursor = 0;
    while (route->issuer_groups.count > 0 &&
           (membership = rely_snapshot_membership(snapshot, issuer->id, &cursor)) != NULL) {
        const struct rely_issuer_group *group = rely_snapshot_issuer_group(snapshot, membership->group_id);
        if (group != NULL && rely_sorted_has(&route->issuer_groups, group->name))
            return true;
    }
    return false;
}

enum rely_reason rely_step_route(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_named_route *route = review->route;
    if (route == NULL || (route->issuers.count == 0 && route->issuer_groups.count == 0) ||
        rely_sorted_has(&route->issuers, review->issuer->name) || names_group_of(work->snapshot, route, review->issuer))
        return RELY_OK;
    return rely_refuse(&review->decision.detail, RELY_ISSUER_NOT_ALLOWED, "route %.*s takes no tokens of issuer %.*s%s",
                       RELY_ARG(route->name), RELY_ARG(review->issuer->name),
                       route->issuer_groups.count == 0 ? "" : ", which is in no group that it names");
}

static bool names_identities(const struct rely_named_route *route)
{
    return route != NULL && (route->identities.count > 0 || route->groups.count > 0);
}

bool rely_route_lets_pass(const struct rely_named_route *route, const struct rely_identity *identity)
{
    if (!names_identities(route))
        return true;
    if (rely_sorted_has(&route->identities, identity->name))
        return true;
    for (size_t i = 0; i < identity->group_count; i++)
        if (rely_sorted_has(&route->groups, identity->groups[i]))
            return true;
    return false;
}

enum rely_reason rely_route_choose_identities(struct rely_review *review)
{
    const struct rely_named_route *route = review->route;
    struct rely_matches *matches = &review->matches;
    const struct rely_identity *last = NULL;
    size_t kept = 0;
    if (!names_identities(route))
        return RELY_OK;
    for (size_t i = 0; i < matches->count; i++)
        if (rely_route_lets_pass(route, matches->items[i].identity))
            matches->items[kept++] = matches->items[i];
        else
            last = matches->items[i].identity;
    matches->count = kept;
    if (kept > 0 || last == NULL)
        return RELY_OK;
    return rely_refuse(&review->decision.detail, RELY_IDENTITY_NOT_ALLOWED,
                       "the token maps to identity %.*s, which may not pass route %.*s", RELY_ARG(last->name),
                       RELY_ARG(route->name));
}

/* --- the token's own account ------------------------------------------------------------------------------------- */

bool rely_route_answers_as_cluster(const struct rely_review_work *work)
{
    const struct rely_named_route *route = work->review->route;
    return work->request->form == RELY_ANSWER_TOKENREVIEW && route != NULL && route->answers_as_cluster;
}

/* RFC 1123 as Kubernetes has it: of a namespace a label, of an account labels with dots between. So neither has a colon,
 * which would be another account to who splits a name. */
static bool is_kubernetes_name(struct rely_slice name, size_t most, bool may_have_dots)
{
    bool is_good = name.ptr != NULL && name.len > 0 && name.len <= most;
    for (size_t i = 0; is_good && i < name.len; i++) {
        char c = name.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (c == '.' && may_have_dots);
    }
    return is_good;
}

static bool is_subject_of(struct rely_slice subject, const struct rely_kubernetes_claims *claims)
{
    struct rely_slice prefix = RELY_LIT("system:serviceaccount:");
    size_t space = claims->namespace_name.len, at = prefix.len;
    return rely_slice_starts(subject, prefix) && subject.len == at + space + 1 + claims->account_name.len &&
           rely_slice_equal(rely_slice(subject.ptr + at, space), claims->namespace_name) &&
           subject.ptr[at + space] == ':' &&
           rely_slice_equal(rely_slice(subject.ptr + at + space + 1, claims->account_name.len), claims->account_name);
}

bool rely_route_finds_account(const struct rely_review *review)
{
    const struct rely_kubernetes_claims *claims = &review->claims.kubernetes;
    return is_kubernetes_name(claims->namespace_name, 63, false) &&
           is_kubernetes_name(claims->account_name, 253, true) && claims->account_uid.len > 0 &&
           is_subject_of(review->claims.subject, claims);
}

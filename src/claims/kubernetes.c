/*
 * Reads what a Kubernetes API server says of a service account, its pod and its node, and decides whether it agrees
 * with `sub`. Does not ask whether the issuer is a Kubernetes at all: guards and rules do. Called by
 * registered.c.
 */
#include "kubernetes.h"

#include "relyd/text.h"

/* A member that is no string is absent, as the whole claim is when it is no object: only its absence can be relied on
 * (a guard or a revocation that needs it then finds nothing). */
static struct rely_slice find_text_member(const struct rely_view *claims, uint32_t object, struct rely_slice name)
{
    uint32_t place = rely_view_member(claims, object, name);
    if (rely_view_type(claims, place) != RELY_VIEW_STRING)
        return rely_slice(NULL, 0);
    return claims->nodes[place].text;
}

/* {"name": ..., "uid": ...} under `kubernetes.io`. */
static void read_object_reference(const struct rely_view *claims, uint32_t parent, struct rely_slice name,
                                  struct rely_slice *object_name, struct rely_slice *object_uid)
{
    uint32_t place = rely_view_member(claims, parent, name);
    if (rely_view_type(claims, place) != RELY_VIEW_OBJECT)
        return;
    *object_name = find_text_member(claims, place, RELY_LIT("name"));
    *object_uid = find_text_member(claims, place, RELY_LIT("uid"));
}

static bool contradicts(struct rely_slice claimed, struct rely_slice of_subject)
{
    return claimed.ptr != NULL && !rely_slice_equal(claimed, of_subject);
}

/* A rule may match by subject and a guard by `kubernetes.io`: a token in which they differ could pass each as another
 * account. */
static enum rely_reason compare_sub(struct rely_slice sub, const struct rely_kubernetes_claims *kubernetes,
                                    struct rely_detail *detail)
{
    const struct rely_slice prefix = RELY_LIT("system:serviceaccount:");
    if (!rely_slice_starts(sub, prefix))
        return RELY_OK;
    struct rely_slice space = rely_slice(sub.ptr + prefix.len, sub.len - prefix.len);
    struct rely_slice account = rely_slice(sub.ptr + sub.len, 0);
    const char *colon = memchr(space.ptr, ':', space.len);
    if (colon != NULL) {
        account = rely_slice(colon + 1, (size_t)(sub.ptr + sub.len - colon - 1));
        space.len = (size_t)(colon - space.ptr);
    }
    if (contradicts(kubernetes->namespace_name, space) || contradicts(kubernetes->account_name, account)) {
        char quoted[RELY_QUOTED_SIZE];
        return rely_refuse(detail, RELY_INVALID_CLAIM, "`kubernetes.io` names another account than `sub` %s",
                           rely_quote(sub, quoted));
    }
    return RELY_OK;
}

enum rely_reason rely_kubernetes_read(const struct rely_view *claims, uint32_t place, struct rely_slice sub,
                                      struct rely_kubernetes_claims *out, struct rely_detail *detail)
{
    struct rely_kubernetes_claims found = {0};
    struct rely_slice secret_name = {NULL, 0}; /* nobody asks for it */
    if (rely_view_type(claims, place) == RELY_VIEW_OBJECT) {
        found.namespace_name = find_text_member(claims, place, RELY_LIT("namespace"));
        found.has_warn_after = rely_view_member(claims, place, RELY_LIT("warnafter")) != 0;
        read_object_reference(claims, place, RELY_LIT("serviceaccount"), &found.account_name, &found.account_uid);
        read_object_reference(claims, place, RELY_LIT("pod"), &found.pod_name, &found.pod_uid);
        read_object_reference(claims, place, RELY_LIT("secret"), &secret_name, &found.secret_uid);
        read_object_reference(claims, place, RELY_LIT("node"), &found.node_name, &found.node_uid);
        enum rely_reason reason = compare_sub(sub, &found, detail);
        if (reason != RELY_OK)
            return reason;
    }
    *out = found;
    return RELY_OK;
}

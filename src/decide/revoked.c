/*
 * Step "revocations": was this token stopped before it expires? By what it says of itself, by who signed it, and, once
 * that is known, by whom it maps to. Called by decide.c; the last question also by who finds callers.
 */
#include "steps.h"

#include "relyd/keys.h"
#include "relyd/revocation.h"
#include "relyd/text.h"

static bool still_holds(const struct rely_revocation *revocation, int64_t now_s)
{
    return revocation->until_s == 0 || now_s < revocation->until_s;
}

/* A token without `iat` may be older than any time. */
static bool spares(const struct rely_revocation *revocation, const struct rely_review *review)
{
    bool is_other_issuer =
        revocation->issuer.ptr != NULL && !rely_slice_equal(revocation->issuer, review->issuer->name);
    bool is_later = revocation->issued_before_s != 0 && review->claims.has_issued_at &&
                    review->claims.issued_at >= (double)revocation->issued_before_s;
    return is_other_issuer || is_later;
}

/* Noted: a clock that is set back finds it again. */
static bool is_over(struct rely_review_work *work, const struct rely_revocation *revocation)
{
    bool is_past = !still_holds(revocation, work->review->now_s);
    work->has_met_over = work->has_met_over || is_past;
    return is_past;
}

static const struct rely_revocation *find_revocation(struct rely_review_work *work, enum rely_revoked_by by,
                                                     struct rely_slice value)
{
    const struct rely_revocation *revocation;
    size_t cursor = 0;
    do
        revocation = rely_snapshot_revocation(work->snapshot, by, value, &cursor);
    while (revocation != NULL && (is_over(work, revocation) || spares(revocation, work->review)));
    return revocation;
}

static enum rely_reason refuse_hit(struct rely_review *review, const struct rely_revocation *revocation)
{
    review->revocation = revocation;
    return rely_refuse(&review->decision.detail, RELY_REVOKED, "revocation %.*s hits its %s",
                       RELY_ARG(revocation->name),
                       revocation->by == RELY_REVOKED_ISSUER ? "issuer" : rely_revoked_by_word(revocation->by));
}

/* A cached token that none has hit is asked about again when there are others: none begins by itself. One that is over
 * may, where the clock is set back: until it is swept, the token goes on being asked about. */
static bool is_known_to_be_spared(const struct rely_review_work *work)
{
    return work->known != NULL && *work->known->spared_edition == work->snapshot->revocations_edition;
}

static enum rely_reason judge_marks(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_kubernetes_claims *kubernetes = &review->claims.kubernetes;
    const struct rely_slice values[RELY_REVOKED_COUNT] = {
        [RELY_REVOKED_JTI] = review->claims.token_id,         [RELY_REVOKED_SUBJECT] = review->claims.subject,
        [RELY_REVOKED_ACCOUNT_UID] = kubernetes->account_uid, [RELY_REVOKED_POD_UID] = kubernetes->pod_uid,
        [RELY_REVOKED_SECRET_UID] = kubernetes->secret_uid,   [RELY_REVOKED_NODE_UID] = kubernetes->node_uid,
        [RELY_REVOKED_KID] = rely_key_kid(review->key),       [RELY_REVOKED_ISSUER] = review->issuer->name,
    };
    for (int by = 0; by < RELY_REVOKED_COUNT; by++) {
        const struct rely_revocation *revocation = find_revocation(work, (enum rely_revoked_by)by, values[by]);
        if (revocation != NULL)
            return refuse_hit(review, revocation);
    }
    return RELY_OK;
}

enum rely_reason rely_step_revocations(struct rely_review_work *work)
{
    if (!is_known_to_be_spared(work)) {
        enum rely_reason reason = judge_marks(work);
        if (reason != RELY_OK)
            return reason;
    }
    if (work->known != NULL && !work->has_met_over)
        *work->known->spared_edition = work->snapshot->revocations_edition;
    work->review->is_spared = true;
    return RELY_OK;
}

enum rely_reason rely_drop_revoked(struct rely_review_work *work)
{
    struct rely_matches *matches = &work->review->matches;
    const struct rely_revocation *last = NULL;
    size_t kept = 0;
    if (work->snapshot->revocation_counts[RELY_REVOKED_IDENTITY] == 0)
        return RELY_OK;
    for (size_t i = 0; i < matches->count; i++) {
        const struct rely_revocation *revocation =
            find_revocation(work, RELY_REVOKED_IDENTITY, matches->items[i].identity->name);
        if (revocation == NULL)
            matches->items[kept++] = matches->items[i];
        else
            last = revocation;
    }
    matches->count = kept;
    return kept > 0 || last == NULL ? RELY_OK : refuse_hit(work->review, last);
}

bool rely_would_drop(struct rely_review_work *work, const struct rely_identity *identity)
{
    return work->snapshot->revocation_counts[RELY_REVOKED_IDENTITY] != 0 &&
           find_revocation(work, RELY_REVOKED_IDENTITY, identity->name) != NULL;
}

bool rely_identity_is_revoked(const struct rely_snapshot *snapshot, struct rely_slice name, int64_t now_s)
{
    const struct rely_revocation *revocation;
    size_t cursor = 0;
    do
        revocation = rely_snapshot_revocation(snapshot, RELY_REVOKED_IDENTITY, name, &cursor);
    while (revocation != NULL && (!still_holds(revocation, now_s) || revocation->issuer.ptr != NULL));
    return revocation != NULL;
}

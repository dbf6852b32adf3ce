/*
 * Step "issuer": which registered records a token may come from. `iss` is compared byte for byte; several clusters may
 * share one `iss` (the default of kubeadm), and are told apart by who has the `kid`. Called by decide.c.
 */
#include "steps.h"

#include "relyd/text.h"

#include <strings.h>

/* RFC 7515 s4.1.9: "application/" may be left out, and media types are compared without regard to case. */
static bool is_accepted_type(const struct rely_issuer *issuer, struct rely_slice typ)
{
    static const char prefix[] = "application/";
    size_t prefix_len = sizeof prefix - 1;
    if (typ.ptr == NULL)
        return true;
    if (typ.len > prefix_len && strncasecmp(typ.ptr, prefix, prefix_len) == 0)
        typ = rely_slice(typ.ptr + prefix_len, typ.len - prefix_len);
    for (size_t i = 0; i < issuer->type_count; i++)
        if (issuer->types[i].len == typ.len && strncasecmp(issuer->types[i].ptr, typ.ptr, typ.len) == 0)
            return true;
    return false;
}

/* Why records with the right `iss` were passed over, to name the one reason that fits. */
struct passed_over {
    const struct rely_issuer *disabled;
    const struct rely_issuer *other_type;
    const struct rely_issuer *without_kid;
    bool is_too_many;
};

static bool may_have_signed(const struct rely_issuer *issuer, const struct rely_unverified *token, bool is_only,
                            struct passed_over *passed)
{
    bool has_named_key =
        is_only || token->kid.ptr == NULL || issuer->keyset == NULL || rely_keyset_has_kid(issuer->keyset, token->kid);
    if (!issuer->is_enabled)
        passed->disabled = issuer;
    else if (!is_accepted_type(issuer, token->typ))
        passed->other_type = issuer;
    else if (!has_named_key)
        passed->without_kid = issuer;
    return issuer->is_enabled && is_accepted_type(issuer, token->typ) && has_named_key;
}

static enum rely_reason refuse_issuer(const struct rely_review_work *work, const struct passed_over *passed)
{
    struct rely_detail *detail = &work->review->decision.detail;
    const struct rely_unverified *token = &work->review->token;
    char text[RELY_QUOTED_SIZE];
    if (passed->is_too_many)
        return rely_refuse(detail, RELY_AMBIGUOUS_ISSUER,
                           "more than %d records share this iss, and kid does not tell which one signed",
                           RELY_KEY_TRIES_MAX);
    if (passed->without_kid != NULL)
        return rely_refuse(detail, RELY_KEY_UNKNOWN, "no record of several with this iss has a key with kid %s",
                           rely_quote(token->kid, text));
    if (passed->other_type != NULL)
        return rely_refuse(detail, RELY_TOKEN_TYPE_NOT_ACCEPTED, "issuer %.*s does not accept typ %s",
                           RELY_ARG(passed->other_type->name), rely_quote(token->typ, text));
    if (passed->disabled != NULL)
        return rely_refuse(detail, RELY_ISSUER_DISABLED, "issuer %.*s is disabled", RELY_ARG(passed->disabled->name));
    return rely_refuse(detail, RELY_UNKNOWN_ISSUER, "no registered issuer has iss %s", rely_quote(token->iss, text));
}

static void add_candidate(struct rely_review *review, const struct rely_issuer *issuer)
{
    struct rely_candidate *candidate = &review->candidates[review->candidate_count++];
    candidate->issuer = issuer;
    candidate->key_count = 0;
}

static bool is_only_record(const struct rely_snapshot *snapshot, struct rely_slice url)
{
    size_t cursor = 0;
    bool has_first = rely_snapshot_issuer_by_url(snapshot, url, &cursor) != NULL;
    return !has_first || rely_snapshot_issuer_by_url(snapshot, url, &cursor) == NULL;
}

/* An unknown kid among several records: all of them may have published a new key, so all are named as those to fetch
 * from. */
static void name_all_for_fetching(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_issuer *issuer;
    size_t cursor = 0;
    while (review->candidate_count < RELY_KEY_TRIES_MAX &&
           (issuer = rely_snapshot_issuer_by_url(work->snapshot, review->token.iss, &cursor)) != NULL)
        if (issuer->is_enabled)
            add_candidate(review, issuer);
}

enum rely_reason rely_step_issuer(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    struct passed_over passed = {0};
    const struct rely_issuer *issuer;
    size_t cursor = 0;
    if (review->token.iss.ptr == NULL)
        return rely_refuse(&review->decision.detail, RELY_MISSING_CLAIM, "iss is absent");
    bool is_only = is_only_record(work->snapshot, review->token.iss);
    while ((issuer = rely_snapshot_issuer_by_url(work->snapshot, review->token.iss, &cursor)) != NULL) {
        if (!may_have_signed(issuer, &review->token, is_only, &passed))
            continue;
        if (review->candidate_count == RELY_KEY_TRIES_MAX) {
            passed.is_too_many = true;
            return refuse_issuer(work, &passed);
        }
        add_candidate(review, issuer);
    }
    if (review->candidate_count == 1)
        review->issuer = review->candidates[0].issuer;
    if (review->candidate_count > 0)
        return RELY_OK;
    enum rely_reason reason = refuse_issuer(work, &passed);
    if (reason == RELY_KEY_UNKNOWN)
        name_all_for_fetching(work);
    return reason;
}

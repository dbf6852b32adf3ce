/*
 * Step "issuer": which registered records a token may come from. `iss` is compared byte for byte; without one it is the
 * trust domain of `sub` that is looked for. Several clusters may share one `iss` (the default of kubeadm), and are told
 * apart by who has the `kid`, or, without one, a key for the `alg`: by index, so that thousands cost what one does.
 * Called by decide.c, and by cache.c for what a hit rests on.
 */
#include "steps.h"

#include "relyd/ml_dsa.h"
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
    bool is_too_many;
};

/* By id, so that neither decision nor sentence depends on the order of registration. */
static void add_candidate(struct rely_review *review, const struct rely_issuer *issuer)
{
    size_t at = review->candidate_count++;
    for (; at > 0 && review->candidates[at - 1].issuer->id > issuer->id; at--)
        review->candidates[at].issuer = review->candidates[at - 1].issuer;
    review->candidates[at].issuer = issuer;
}

static const struct rely_issuer *lower_id(const struct rely_issuer *a, const struct rely_issuer *b)
{
    return a == NULL || b->id < a->id ? b : a;
}

static void consider_record(struct rely_review *review, const struct rely_issuer *issuer, struct passed_over *passed)
{
    if (!issuer->is_enabled)
        passed->disabled = lower_id(passed->disabled, issuer);
    else if (!is_accepted_type(issuer, review->token.typ))
        passed->other_type = lower_id(passed->other_type, issuer);
    else
        add_candidate(review, issuer);
}

typedef const struct rely_issuer *next_record(const struct rely_snapshot *snapshot, const struct rely_unverified *token,
                                              size_t *cursor);

static const struct rely_issuer *next_named(const struct rely_snapshot *snapshot, const struct rely_unverified *token,
                                            size_t *cursor)
{
    return rely_snapshot_issuer_by_kid(snapshot, token->issuer, token->kid, cursor);
}

static const struct rely_issuer *next_spare(const struct rely_snapshot *snapshot, const struct rely_unverified *token,
                                            size_t *cursor)
{
    return rely_snapshot_issuer_by_spare_kid(snapshot, token->issuer, token->kid, cursor);
}

static const struct rely_issuer *next_fitting(const struct rely_snapshot *snapshot, const struct rely_unverified *token,
                                              size_t *cursor)
{
    return rely_snapshot_issuer_by_alg(snapshot, token->issuer, (unsigned)token->alg, cursor);
}

/* Strangers write `kid` and neighbours choose theirs: more records than are looked at are refused, not tried in part.
 */
static void consider_records(struct rely_review_work *work, next_record *next, struct passed_over *passed)
{
    const struct rely_issuer *issuer;
    size_t cursor = 0;
    for (size_t seen = 0; (issuer = next(work->snapshot, &work->review->token, &cursor)) != NULL; seen++) {
        if (seen == RELY_CANDIDATES_MAX) {
            passed->is_too_many = true;
            return;
        }
        consider_record(work->review, issuer, passed);
    }
}

static enum rely_reason refuse_passed(const struct rely_review_work *work, const struct passed_over *passed)
{
    struct rely_detail *detail = &work->review->decision.detail;
    char text[RELY_QUOTED_SIZE];
    if (passed->is_too_many)
        return rely_refuse(detail, RELY_AMBIGUOUS_ISSUER, "more than %d records share this iss and %s: too many to try",
                           RELY_CANDIDATES_MAX,
                           work->review->token.kid.ptr == NULL ? "have a key for this alg, and the token names no kid"
                                                               : "this kid");
    if (passed->other_type != NULL)
        return rely_refuse(detail, RELY_TOKEN_TYPE_NOT_ACCEPTED, "issuer %.*s does not accept typ %s",
                           RELY_ARG(passed->other_type->name), rely_quote(work->review->token.typ, text));
    if (passed->disabled != NULL)
        return rely_refuse(detail, RELY_ISSUER_DISABLED, "issuer %.*s is disabled", RELY_ARG(passed->disabled->name));
    return RELY_OK;
}

/* Nobody has the key: any of them may have published it meanwhile. Of many a few are named as those to fetch from, and
 * those behind them by the next request, whoever sends it: so all get their turn, those that are asked in vain take it
 * from nobody, and no request causes thousands of fetches. */
static void name_some_for_fetching(struct rely_review_work *work, const struct rely_issuer_set *set)
{
    struct rely_review *review = work->review;
    uint64_t turns = (set->count + RELY_FETCHES_PER_MISS_MAX - 1) / RELY_FETCHES_PER_MISS_MAX;
    uint64_t first = work->request->turn % turns * RELY_FETCHES_PER_MISS_MAX;
    for (size_t i = 0; i < set->count && i < RELY_FETCHES_PER_MISS_MAX; i++) {
        const struct rely_issuer *issuer = set->members[(first + i) % set->count];
        if (issuer->is_enabled)
            add_candidate(review, issuer);
    }
}

static enum rely_reason refuse_unknown_key(struct rely_review_work *work, const struct rely_issuer_set *set)
{
    struct rely_review *review = work->review;
    struct rely_detail *detail = &review->decision.detail;
    char text[RELY_QUOTED_SIZE];
    if (set->enabled_count == 0)
        return rely_refuse(detail, RELY_ISSUER_DISABLED, "issuer %.*s and all others with this iss are disabled",
                           RELY_ARG(set->members[0]->name));
    name_some_for_fetching(work, set);
    if (set->keyed_count == 0)
        return rely_refuse(detail, RELY_KEYS_UNAVAILABLE,
                           "no key set of the %zu records with this iss has been accepted yet", set->count);
    if (review->token.kid.ptr == NULL)
        return rely_refuse(detail, RELY_KEY_UNKNOWN,
                           "the token names no kid, and no key of the %zu records with this iss fits %s", set->count,
                           rely_alg_name(review->token.alg));
    return rely_refuse(detail, RELY_KEY_UNKNOWN, "no record of the %zu with this iss has a key with kid %s", set->count,
                       rely_quote(review->token.kid, text));
}

/* Several records: by kid those that can use it, else those that know it (to say why they do not); without kid those
 * that have a key for the alg. */
static enum rely_reason choose_among(struct rely_review_work *work, const struct rely_issuer_set *set)
{
    struct rely_review *review = work->review;
    struct passed_over passed = {0};
    char text[RELY_QUOTED_SIZE];
    if (review->token.alg == RELY_ALG_UNKNOWN)
        return rely_refuse(&review->decision.detail, RELY_ALGORITHM_NOT_ALLOWED,
                           "none of the %zu records with this iss allows alg %s", set->count,
                           rely_quote(review->token.alg_name, text));
    if (rely_alg_is_unavailable(review->token.alg))
        return rely_refuse_unavailable(&review->token, &review->decision.detail);
    bool is_named = review->token.kid.ptr != NULL;
    consider_records(work, is_named ? next_named : next_fitting, &passed);
    if (is_named && review->candidate_count == 0 && refuse_passed(work, &passed) == RELY_OK)
        consider_records(work, next_spare, &passed);
    if (review->candidate_count > 0 && !passed.is_too_many)
        return RELY_OK;
    review->candidate_count = 0;
    enum rely_reason reason = refuse_passed(work, &passed);
    return reason != RELY_OK ? reason : refuse_unknown_key(work, set);
}

static enum rely_reason refuse_unknown_issuer(struct rely_review *review)
{
    struct rely_detail *detail = &review->decision.detail;
    struct rely_slice name = review->token.issuer;
    char text[RELY_QUOTED_SIZE];
    if (review->token.iss.ptr != NULL)
        return rely_refuse(detail, RELY_UNKNOWN_ISSUER, "no registered issuer has iss %s", rely_quote(name, text));
    return rely_refuse(detail, RELY_UNKNOWN_ISSUER, "`iss` is missing, and no registered issuer has trust domain %s",
                       rely_quote(rely_slice(name.ptr + 1, name.len - 1), text));
}

enum rely_reason rely_step_issuer(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    struct passed_over passed = {0};
    if (review->token.issuer.ptr == NULL)
        return rely_refuse(&review->decision.detail, RELY_MISSING_CLAIM, "`iss` is missing");
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(work->snapshot, review->token.issuer);
    if (set == NULL)
        return refuse_unknown_issuer(review);
    review->name = review->token.issuer;
    if (set->count > 1)
        return choose_among(work, set);
    consider_record(review, set->members[0], &passed);
    if (review->candidate_count == 0)
        return refuse_passed(work, &passed);
    review->issuer = set->members[0];
    return RELY_OK;
}

bool rely_review_has_candidate(const struct rely_snapshot *snapshot, const struct rely_unverified *token)
{
    size_t cursor = 0;
    return (token->kid.ptr != NULL ? next_named : next_fitting)(snapshot, token, &cursor) != NULL;
}

/* An even mix of a record and its edition (splitmix64), so that sums of them do not meet by accident. */
static uint64_t mix_record(const struct rely_issuer *issuer)
{
    uint64_t mixed = ((uint64_t)issuer->id << 32 ^ issuer->edition) + 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
    return mixed ^ mixed >> 31;
}

uint64_t rely_candidates_mark(const struct rely_snapshot *snapshot, const struct rely_unverified *token)
{
    next_record *next = token->kid.ptr != NULL ? next_named : next_fitting;
    const struct rely_issuer *issuer;
    uint64_t mark = 0;
    size_t cursor = 0;
    for (size_t seen = 0; seen <= RELY_CANDIDATES_MAX && (issuer = next(snapshot, token, &cursor)) != NULL; seen++)
        mark += mix_record(issuer);
    return mark;
}

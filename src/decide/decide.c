/*
 * One review as a table of steps, run in order until the first refusal, and one decision, sealed in one place. Pure: no
 * clock, lock, I/O, global or log. Called by endpoints/, admin's explain, the tests, the fuzzers and the bench.
 */
#include "steps.h"

#include "relyd/expressions.h"
#include "relyd/named_route.h"
#include "relyd/pool.h"
#include "relyd/said.h"
#include "relyd/spiffe.h"
#include "relyd/text.h"

static enum rely_reason run_token_step(struct rely_review_work *work)
{
    return rely_token_read(work->request->token, work->snapshot->token_max_bytes, work->request->pool,
                           &work->review->token, &work->review->decision.detail);
}

/* What its record was found by has been the sender's word until its signature was verified. */
static enum rely_reason check_trust_domain(struct rely_review_work *work)
{
    char text[RELY_QUOTED_SIZE];
    const struct rely_view *claims = &work->verified.claims;
    struct rely_slice trust_domain = work->review->issuer->trust_domain;
    uint32_t place = rely_view_member(claims, 0, RELY_LIT("sub"));
    bool is_text = rely_view_type(claims, place) == RELY_VIEW_STRING;
    if (is_text && trust_domain.ptr != NULL && rely_spiffe_is_of(claims->nodes[place].text, trust_domain))
        return RELY_OK;
    return rely_refuse(&work->review->decision.detail, RELY_INVALID_CLAIM,
                       "`sub` is no SPIFFE ID of a workload in the trust domain %s, and `iss` is missing",
                       rely_quote(trust_domain, text));
}

static enum rely_reason run_claims_step(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    struct rely_time_rules rules = {review->issuer->leeway_s, review->issuer->max_lifetime_s};
    enum rely_reason reason = RELY_OK;
    if (work->known != NULL)
        review->claims = *work->known->claims;
    else
        reason = rely_claims_read(&work->verified, review->issuer->subject_claim, work->request->pool, &review->claims,
                                  &review->decision.detail);
    if (reason == RELY_OK && work->known == NULL && review->token.iss.ptr == NULL)
        reason = check_trust_domain(work);
    if (reason != RELY_OK)
        return reason;
    review->rule_hash =
        work->known != NULL ? work->known->rule_hash : rely_rule_hash(review->issuer->id, review->claims.subject);
    reason = rely_claims_check_time(&review->claims, &rules, review->now_s, &review->decision.detail);
    return reason != RELY_OK ? reason : rely_judge_guards(work);
}

bool rely_match_may_be_named(const struct rely_snapshot *snapshot, const struct rely_match *match)
{
    bool is_system = rely_slice_starts(match->username, RELY_LIT("system:"));
    return match->username.len > 0 && (!is_system || snapshot->may_use_system_names);
}

/* Beside its username. */
static bool has_forbidden_name(const struct rely_snapshot *snapshot, const struct rely_match *match)
{
    return match->identity->system_name != RELY_SYSTEM_NONE && !snapshot->may_use_system_names;
}

/* Would the decision refuse what one in shadow would let in? */
static bool would_be_refused(struct rely_review_work *work, const struct rely_match *match)
{
    bool has_names = rely_route_answers_as_cluster(work)
                         ? rely_route_finds_account(work->review)
                         : rely_match_may_be_named(work->snapshot, match) && !has_forbidden_name(work->snapshot, match);
    return !has_names || rely_would_drop(work, match->identity) ||
           !rely_route_lets_pass(work->review->route, match->identity);
}

/* Whether any is left, the decision says: more are to come. */
static void drop_identities(void *context)
{
    struct rely_review_work *work = context;
    rely_drop(rely_drop_revoked(work) == RELY_OK && rely_route_choose_identities(work->review) == RELY_OK);
    work->review->revocation = NULL;
    work->review->decision.detail.text[0] = '\0';
}

static const struct rely_claim_slot *find_slot(const struct rely_known_token *known, struct rely_slice claim)
{
    for (size_t i = 0; i < known->slot_count; i++)
        if (rely_slice_equal(known->slots[i].claim, claim))
            return &known->slots[i];
    return NULL;
}

/* What was remembered of a token. */
static struct rely_claim_value say_known_claim(const struct rely_review_work *work, struct rely_slice claim)
{
    if (rely_slice_equal(claim, rely_issuer_subject_claim(work->review->issuer)))
        return (struct rely_claim_value){&work->review->claims.subject, 1};
    const struct rely_claim_slot *slot = find_slot(work->known, claim);
    return slot != NULL ? slot->value : (struct rely_claim_value){NULL, 0};
}

/* For rules, of which many ask for the same. */
static struct rely_claim_value say_claim(void *context, struct rely_slice claim)
{
    struct rely_review_work *work = context;
    return work->known != NULL ? say_known_claim(work, claim) : rely_claim_said_once(&work->said, claim);
}

/* As the token has it. */
static struct rely_claim_value say_whole_claim(const struct rely_review_work *work, struct rely_slice claim)
{
    return work->known != NULL ? say_known_claim(work, claim)
                               : rely_claim_said(&work->verified.claims, claim, work->request->pool);
}

static bool says_more_than_texts(const struct rely_review_work *work, struct rely_slice claim)
{
    if (work->known == NULL)
        return rely_claim_is_mixed(&work->verified.claims, claim);
    const struct rely_claim_slot *slot = find_slot(work->known, claim);
    return slot != NULL && slot->is_mixed;
}

static void find_header_claims(struct rely_review_work *work)
{
    const struct rely_named_route *route = work->review->route;
    if (work->request->form != RELY_ANSWER_HEADERS || route == NULL || route->header_count == 0)
        return;
    struct rely_claim_value *found = rely_pool_alloc(work->request->pool, route->header_count * sizeof *found);
    for (size_t i = 0; i < route->header_count; i++) {
        const struct rely_header_meaning *meaning = &route->headers[i].meaning;
        bool is_claim = meaning->source == RELY_HEADER_CLAIM && !says_more_than_texts(work, meaning->claim);
        found[i] = is_claim ? say_whole_claim(work, meaning->claim) : (struct rely_claim_value){NULL, 0};
    }
    work->review->header_claims = found;
}

/* Of a TokenReview under a route whose audiences stand for the caller's, which kube-apiserver sends always. */
static bool trusts_callers_audiences(const struct rely_review_work *work)
{
    const struct rely_named_route *route = work->review->route;
    return work->request->form == RELY_ANSWER_TOKENREVIEW && route != NULL && route->trusts_callers_audiences;
}

static enum rely_reason run_credentials_step(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_named_route *route = review->route;
    const struct rely_said said = {say_claim, work};
    work->said = (struct rely_said_once){.view = &work->verified.claims, .pool = work->request->pool};
    struct rely_match_query query = {
        .issuer = review->issuer,
        .subject = review->claims.subject,
        .rule_hash = review->rule_hash,
        .audiences = review->claims.audiences,
        .audience_count = review->claims.audience_count,
        .accepted = work->request->audiences,
        .accepted_count = trusts_callers_audiences(work) ? 0 : work->request->audience_count,
        .wanted = route == NULL ? NULL : route->audiences,
        .wanted_count = route == NULL ? 0 : route->audience_count,
        .said = work->snapshot->expressions.count > 0 ? &said : NULL,
        .now_s = review->now_s,
        .account_uid = review->claims.kubernetes.account_uid,
        .identity = work->request->identity,
        .memo = work->known != NULL ? work->known->memo : NULL,
        .make_room = drop_identities,
        .context = work,
    };
    enum rely_reason reason =
        rely_credentials_match(work->snapshot, &query, &review->matches, &review->decision.detail);
    if (review->matches.shadow.credential != NULL && would_be_refused(work, &review->matches.shadow))
        review->matches.shadow.credential = NULL;
    return reason;
}

/* kube-apiserver believes any username and group: no identity leaves here with a name that it may not give out. */
static enum rely_reason check_names(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_match *match = &review->matches.items[i];
        if (!rely_match_may_be_named(work->snapshot, match))
            return rely_refuse(
                &review->decision.detail, RELY_IDENTITY_NOT_ALLOWED,
                "identity %.*s would yield a username that begins with system:", RELY_ARG(match->identity->name));
        if (has_forbidden_name(work->snapshot, match))
            return rely_refuse(&review->decision.detail, RELY_IDENTITY_NOT_ALLOWED, "identity %.*s would yield %s",
                               RELY_ARG(match->identity->name),
                               match->identity->system_name == RELY_SYSTEM_EXTRA ? "an extra key of Kubernetes' own"
                                                                                 : "a group that begins with system:");
    }
    return RELY_OK;
}

/* No name of the identity leaves here, but the token's own. */
static enum rely_reason check_account(struct rely_review *review)
{
    if (rely_route_finds_account(review))
        return RELY_OK;
    return rely_refuse(&review->decision.detail, RELY_IDENTITY_NOT_ALLOWED,
                       "route %.*s answers with the token's service account, and this is no service account's token",
                       RELY_ARG(review->route->name));
}

static enum rely_reason run_decision_step(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    const struct rely_matches *matches = &review->matches;
    enum rely_reason reason = rely_drop_revoked(work);
    if (reason == RELY_OK)
        reason = rely_route_choose_identities(review);
    if (reason != RELY_OK)
        return reason;
    if (matches->count > 1 && work->request->is_single)
        return rely_refuse(&review->decision.detail, RELY_AMBIGUOUS_IDENTITY,
                           "the token maps to %zu%s identities, among them %.*s and %.*s: name the identity",
                           matches->count, matches->is_truncated ? " or more" : "",
                           RELY_ARG(matches->items[0].identity->name), RELY_ARG(matches->items[1].identity->name));
    find_header_claims(work);
    reason = rely_route_answers_as_cluster(work) ? check_account(review) : check_names(work);
    if (reason == RELY_OK)
        reason = rely_judge_liveness(work); /* before a uid is written down that is gone */
    return reason != RELY_OK ? reason : rely_judge_pins(review);
}

/* A request is this table: what restricts one more is a step, or part of one, and no other code changes. */
static const struct {
    const char *name;
    enum rely_reason (*run)(struct rely_review_work *work);
} steps[RELY_STEP_COUNT] = {
    [RELY_STEP_TOKEN] = {"token", run_token_step},
    [RELY_STEP_ISSUER] = {"issuer", rely_step_issuer},
    [RELY_STEP_KEYS] = {"keys", rely_step_keys},
    [RELY_STEP_SIGNATURE] = {"signature", rely_step_signature},
    [RELY_STEP_CLAIMS] = {"claims", run_claims_step},
    [RELY_STEP_ROUTE] = {"route", rely_step_route},
    [RELY_STEP_REVOCATIONS] = {"revocations", rely_step_revocations},
    [RELY_STEP_CREDENTIALS] = {"credentials", run_credentials_step},
    [RELY_STEP_DECISION] = {"decision", run_decision_step},
};

const char *rely_step_name(enum rely_step step)
{
    RELY_ASSERT((unsigned)step < RELY_STEP_COUNT);
    return steps[step].name;
}

/* A refusal has none, but for those among which nobody could choose. And where that is why, or a name, one in shadow
 * would not have helped; where all were revoked, it would. */
static void drop_matches(struct rely_review *review)
{
    if (review->decision.reason != RELY_AMBIGUOUS_IDENTITY)
        review->matches.count = 0;
    if (review->last_step == RELY_STEP_DECISION && review->decision.reason != RELY_REVOKED)
        review->matches.shadow.credential = NULL;
}

/* Out: *until_s - lowered to the end of the first credential that ends. False: one of them lets nobody in now. */
static bool are_matches_in_force(const struct rely_review *review, int64_t *until_s)
{
    bool are_in_force = true;
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_credential *credential = review->matches.items[i].credential;
        are_in_force &= rely_credential_is_in_force(credential, review->now_s) && !credential->is_shadow &&
                        !rely_match_wants_pin(review, &review->matches.items[i]);
        if (credential->not_after_s != 0 && credential->not_after_s < *until_s)
            *until_s = credential->not_after_s;
    }
    return are_in_force;
}

/* The one place where a decision is made: everything that a yes needs is looked at once more, so that a step that
 * forgot to refuse still does not allow. */
static void seal_decision(struct rely_review *review, enum rely_reason reason)
{
    bool is_whole = review->last_step == RELY_STEP_DECISION && review->issuer != NULL && review->key != NULL &&
                    review->claims.audience_count > 0 && review->is_guarded && review->is_spared &&
                    review->matches.count > 0 && review->matches.items[0].username.len > 0 &&
                    review->matches.items[0].audiences != 0;
    bool has_live_keys = is_whole && review->now_s <= review->issuer->keys_until_s;
    int64_t until_s = has_live_keys ? (int64_t)review->claims.expires + review->issuer->leeway_s : 0;
    if (reason == RELY_OK &&
        !(has_live_keys && are_matches_in_force(review, &until_s) && rely_liveness_lets_pass(review)))
        reason = rely_refuse(&review->decision.detail, RELY_INTERNAL_ERROR, "a step left the review unfinished");
    review->decision.reason = reason;
    if (reason == RELY_OK)
        review->decision.valid_until_s = until_s;
    else
        drop_matches(review);
}

static void run_steps(struct rely_review_work *work, enum rely_step first)
{
    work->review->last_step = first;
    enum rely_reason reason = rely_route_find_asked(work);
    for (int step = (int)first; step < RELY_STEP_COUNT && reason == RELY_OK; step++) {
        work->review->last_step = (enum rely_step)step;
        reason = steps[step].run(work);
    }
    seal_decision(work->review, reason);
}

/* All but the long arrays at the end, which their counts say are empty. */
static void clear_review(struct rely_review *review, int64_t now_s)
{
    memset(review, 0, offsetof(struct rely_review, decision.detail));
    review->decision.detail.text[0] = '\0';
    review->matches.count = 0;
    review->matches.is_truncated = false;
    review->matches.near_audience = NULL;
    review->matches.shadow.credential = NULL;
    review->now_s = now_s;
}

void rely_review_new(const struct rely_snapshot *snapshot, const struct rely_review_request *request, int64_t now_s,
                     struct rely_review *review, struct rely_verified *verified)
{
    struct rely_review_work work = {.snapshot = snapshot, .request = request, .review = review};
    clear_review(review, now_s);
    run_steps(&work, RELY_STEP_TOKEN);
    *verified = work.verified;
}

void rely_review_run(const struct rely_snapshot *snapshot, const struct rely_review_request *request, int64_t now_s,
                     struct rely_review *review)
{
    struct rely_verified unused;
    rely_review_new(snapshot, request, now_s, review, &unused);
}

void rely_review_known(const struct rely_snapshot *snapshot, const struct rely_review_request *request,
                       const struct rely_known_token *known, int64_t now_s, struct rely_review *review)
{
    struct rely_review_work work = {.snapshot = snapshot, .request = request, .review = review, .known = known};
    clear_review(review, now_s);
    review->issuer = known->issuer;
    review->name = rely_issuer_name_at(known->issuer, known->name);
    review->key = known->key;
    run_steps(&work, RELY_STEP_CLAIMS);
}

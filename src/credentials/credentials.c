/*
 * Which federated credentials a verified token matches: of its issuer record or a group that this is in, by exact
 * subject or by expression, with one audience, and in force. Decides nothing about keys or the token's times. Called by
 * decide/ once a review.
 */
#include "relyd/credentials.h"

#include "relyd/expressions.h"
#include "relyd/issuer_group.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"

_Static_assert(RELY_REQUEST_AUDIENCES_MAX <= 32 && RELY_AUDIENCES_PER_CREDENTIAL_MAX <= 32, "a bit for each audience");

/* The list by which answers name audiences. */
static const struct rely_slice *choose_list(const struct rely_match_query *query,
                                            const struct rely_credential *credential, size_t *count)
{
    bool is_asked = query->accepted_count > 0, is_wanted = !is_asked && query->wanted_count > 0;
    *count = is_asked ? query->accepted_count : is_wanted ? query->wanted_count : credential->audience_count;
    return is_asked ? query->accepted : is_wanted ? query->wanted : credential->audiences;
}

static bool is_wanted_audience(const struct rely_match_query *query, struct rely_slice audience)
{
    return query->wanted_count == 0 || rely_slice_is_among(query->wanted, query->wanted_count, audience);
}

/* The audiences in all four places, as struct rely_match has them; 0: none. */
static uint32_t find_audiences(const struct rely_match_query *query, const struct rely_credential *credential)
{
    size_t count;
    const struct rely_slice *from = choose_list(query, credential, &count);
    uint32_t found = 0;
    for (size_t i = 0; i < count && i < 32; i++)
        if ((from == credential->audiences ||
             rely_slice_is_among(credential->audiences, credential->audience_count, from[i])) &&
            is_wanted_audience(query, from[i]) && rely_slice_is_among(query->audiences, query->audience_count, from[i]))
            found |= 1U << i;
    return found;
}

static bool is_wanted_identity(const struct rely_match_query *query, const struct rely_identity *identity)
{
    return query->identity.ptr == NULL || rely_slice_equal(query->identity, identity->name);
}

/* Of an identity's several credentials one is named: an exact subject's before an expression's, the record's before a
 * group's, that with the longer literal prefix, the first by name. */
static bool is_named_before(const struct rely_credential *a, const struct rely_credential *b)
{
    if ((a->expression == NULL) != (b->expression == NULL))
        return a->expression == NULL;
    if ((a->scope > 0) != (b->scope > 0))
        return a->scope > 0;
    if (a->prefix_len != b->prefix_len)
        return a->prefix_len > b->prefix_len;
    return rely_slice_compare(&a->name, &b->name) < 0;
}

/* Does one of the identity's credentials stand there already? Exact ones of the record are judged first, and of those an
 * identity has one. */
static bool is_named_already(struct rely_matches *out, const struct rely_match *match)
{
    if (match->credential->scope > 0 && match->credential->expression == NULL)
        return false;
    for (size_t i = 0; i < out->count; i++) {
        struct rely_match *kept = &out->items[i];
        if (kept->identity != match->identity)
            continue;
        if (is_named_before(match->credential, kept->credential))
            *kept = *match;
        return true;
    }
    return false;
}

/* What cannot pass takes no room from what can. */
static void keep_match(const struct rely_match_query *query, struct rely_matches *out, struct rely_match match)
{
    if (is_named_already(out, &match))
        return;
    if (out->count == RELY_MATCHES_MAX && !out->is_truncated && query->make_room != NULL)
        query->make_room(query->context);
    if (out->count == RELY_MATCHES_MAX)
        out->is_truncated = true;
    else
        out->items[out->count++] = match;
}

/* Of several the oldest, whatever their order in the index. */
static void keep_shadow(struct rely_matches *out, struct rely_match match)
{
    if (out->shadow.credential == NULL || match.credential->id < out->shadow.credential->id)
        out->shadow = match;
}

/* The lists side by side: which of them is wrong is what everybody asks who connects a kube-apiserver. */
static enum rely_reason refuse_audiences(const struct rely_match_query *query, const struct rely_credential *near,
                                         struct rely_detail *detail)
{
    char of_token[80], of_caller[80], of_route[80], of_credential[80];
    rely_quote_list(query->audiences, query->audience_count, of_token, sizeof of_token);
    rely_quote_list(query->accepted, query->accepted_count, of_caller, sizeof of_caller);
    rely_quote_list(query->wanted, query->wanted_count, of_route, sizeof of_route);
    rely_quote_list(near->audiences, near->audience_count, of_credential, sizeof of_credential);
    return rely_refuse(detail, RELY_AUDIENCE_MISMATCH,
                       "no audience counts: the token has %s; the caller accepts %s%s%s; credential %.*s accepts %s",
                       of_token, query->accepted_count == 0 ? "any" : of_caller,
                       query->wanted_count == 0 ? "" : "; the route takes ", query->wanted_count == 0 ? "" : of_route,
                       (int)(near->name.len < 40 ? near->name.len : 40), near->name.ptr, of_credential);
}

/* What came out of judging all credentials of an issuer and subject. */
struct judged {
    const struct rely_identity *disabled;
    const struct rely_credential *of_other_uid; /* would match, but for the uid */
    const struct rely_identity *identity;       /* of the last one */
    const struct rely_credential *credential;
    size_t count;
};

static enum rely_reason refuse_match(const struct rely_match_query *query, const struct judged *judged,
                                     const struct rely_credential *near_audience, struct rely_detail *detail)
{
    char subject[RELY_QUOTED_SIZE];
    if (judged->of_other_uid != NULL)
        return rely_refuse(detail, RELY_UID_CHANGED,
                           "credential %.*s is for the service account with uid %.*s, and the token's has %s",
                           RELY_ARG(judged->of_other_uid->name), RELY_ACCOUNT_UID_CHARS,
                           judged->of_other_uid->account_uid,
                           query->account_uid.ptr == NULL ? "none" : rely_quote(query->account_uid, subject));
    if (judged->disabled != NULL)
        return rely_refuse(detail, RELY_IDENTITY_DISABLED, "identity %.*s is disabled",
                           RELY_ARG(judged->disabled->name));
    if (near_audience != NULL)
        return refuse_audiences(query, near_audience, detail);
    return rely_refuse(detail, RELY_NO_MATCHING_CREDENTIAL,
                       "no federated credential%s matches issuer %.*s and subject %s",
                       query->identity.ptr == NULL ? "" : " of the identity asked for", RELY_ARG(query->issuer->name),
                       rely_quote(query->subject, subject));
}

static bool has_wanted_uid(const struct rely_match_query *query, const struct rely_credential *credential)
{
    return credential->account_uid == NULL ||
           rely_slice_equal(rely_slice(credential->account_uid, RELY_ACCOUNT_UID_CHARS), query->account_uid);
}

static void judge_credential(const struct rely_match_query *query, const struct rely_credential *credential,
                             const struct rely_identity *identity, struct rely_matches *out, struct judged *judged)
{
    judged->credential = credential;
    judged->identity = identity;
    judged->count++;
    if (identity == NULL || !rely_credential_is_in_force(credential, query->now_s) ||
        !is_wanted_identity(query, identity))
        return;
    size_t unused;
    const struct rely_match match = {credential, identity,
                                     identity->is_username_subject ? query->subject : identity->username,
                                     find_audiences(query, credential), choose_list(query, credential, &unused)};
    bool would_count = match.audiences != 0 && identity->is_enabled;
    if (!has_wanted_uid(query, credential)) {
        if (would_count && !credential->is_shadow)
            judged->of_other_uid = credential;
        return;
    }
    if (credential->is_shadow && would_count)
        keep_shadow(out, match);
    if (credential->is_shadow)
        return;
    if (would_count)
        keep_match(query, out, match);
    else if (match.audiences == 0)
        out->near_audience = credential;
    else
        judged->disabled = identity;
}

struct judging {
    const struct rely_snapshot *snapshot;
    const struct rely_match_query *query;
    struct rely_matches *out;
    struct judged *judged;
    size_t scope_count;
    int64_t scopes[1 + RELY_GROUPS_PER_ISSUER_MAX];  /* where rules are looked for: the record, then its groups */
    uint64_t hashes[1 + RELY_GROUPS_PER_ISSUER_MAX]; /* of each of them and the subject */
};

static void add_scope(struct judging *judging, int64_t scope)
{
    const struct rely_match_query *query = judging->query;
    judging->scopes[judging->scope_count] = scope;
    judging->hashes[judging->scope_count++] = rely_rule_hash_in(query->rule_hash, query->issuer->id, scope);
}

static void find_scopes(struct judging *judging)
{
    const struct rely_snapshot *snapshot = judging->snapshot;
    int64_t issuer = judging->query->issuer->id;
    const struct rely_membership *membership;
    size_t cursor = 0;
    add_scope(judging, issuer);
    while (snapshot->memberships.count > 0 && judging->scope_count <= RELY_GROUPS_PER_ISSUER_MAX &&
           (membership = rely_snapshot_membership(snapshot, issuer, &cursor)) != NULL)
        add_scope(judging, rely_scope_of_group(membership->group_id));
}

static void judge_scope(struct judging *judging, int64_t scope, uint64_t hash)
{
    const struct rely_snapshot *snapshot = judging->snapshot;
    const struct rely_match_query *query = judging->query;
    const struct rely_credential *credential;
    size_t cursor = 0;
    while ((credential = rely_snapshot_credential(snapshot, hash, scope, query->subject, &cursor)) != NULL)
        judge_credential(query, credential, rely_snapshot_identity(snapshot, credential->identity_id), judging->out,
                         judging->judged);
}

static void judge_exact(struct judging *judging)
{
    if (judging->scope_count > 1)
        rely_snapshot_expect_credentials(judging->snapshot, judging->hashes, judging->scope_count);
    for (size_t i = 0; i < judging->scope_count; i++)
        judge_scope(judging, judging->scopes[i], judging->hashes[i]);
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

/* Asked for the claims of one expression. */
struct asking {
    const struct rely_expression *expression;
    const struct rely_said *said;
};

static struct rely_claim_value ask_for_term(void *context, size_t term)
{
    const struct asking *asking = context;
    return asking->said->of_claim(asking->said->context, rely_term_claim(asking->expression, term));
}

static void judge_expression(const struct rely_credential *credential, void *context)
{
    const struct judging *judging = context;
    struct asking asking = {credential->expression, judging->query->said};
    if (rely_expression_matches(credential->expression, ask_for_term, &asking))
        judge_credential(judging->query, credential, rely_snapshot_identity(judging->snapshot, credential->identity_id),
                         judging->out, judging->judged);
}

static void judge_expressions(struct judging *judging)
{
    const struct rely_expression_query query = {judging->scopes, judging->scope_count, judging->query->subject,
                                                judging->query->said};
    if (query.said != NULL)
        rely_snapshot_each_expression(judging->snapshot, &query, judge_expression, judging);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void judge_all(const struct rely_snapshot *snapshot, const struct rely_match_query *query,
                      struct rely_matches *out, struct judged *judged)
{
    struct judging judging = {.snapshot = snapshot, .query = query, .out = out, .judged = judged};
    find_scopes(&judging);
    judge_exact(&judging);
    if (snapshot->expressions.count > 0)
        judge_expressions(&judging);
    if (query->memo != NULL && judged->count == 1)
        *query->memo = (struct rely_credentials_memo){snapshot->edition, judged->credential, judged->identity};
}

enum rely_reason rely_credentials_match(const struct rely_snapshot *snapshot, const struct rely_match_query *query,
                                        struct rely_matches *out, struct rely_detail *detail)
{
    struct judged judged = {0};
    const struct rely_credentials_memo *memo = query->memo;
    out->count = 0;
    out->is_truncated = false;
    out->near_audience = NULL;
    out->shadow.credential = NULL;
    if (memo != NULL && memo->edition == snapshot->edition)
        judge_credential(query, memo->credential, memo->identity, out, &judged);
    else
        judge_all(snapshot, query, out, &judged);
    return out->count > 0 ? RELY_OK : refuse_match(query, &judged, out->near_audience, detail);
}

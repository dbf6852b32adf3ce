/*
 * The steps of a review with what each of them found, as JSON. Decides nothing: everything is read from the review and
 * the snapshot. Called by explain.c.
 */
#include "explain.h"
#include "keys.h"
#include "path.h"
#include "relyd/expression.h"
#include "relyd/issuer_group.h"
#include "relyd/named_route.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <math.h>
#include <stdio.h>

static struct rely_json *show_texts(const struct rely_slice *texts, size_t count)
{
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < count; i++)
        rely_json_append(list, rely_json_of_text(texts[i]));
    return list;
}

static void set_text_if_any(struct rely_json *object, const char *name, struct rely_slice text)
{
    if (text.ptr != NULL)
        rely_admin_set_text(object, name, text);
}

/* --- token --------------------------------------------------------------------------------------------- */

static void show_token_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_unverified *token = &explanation->review->token;
    struct rely_slice sent = explanation->request->token;
    rely_json_set(step, "bytes", rely_json_of_integer((int64_t)sent.len));
    if (explanation->review->last_step > RELY_STEP_TOKEN) {
        rely_admin_set_text(step, "alg", token->alg_name);
        set_text_if_any(step, "kid", token->kid);
        set_text_if_any(step, "typ", token->typ);
        set_text_if_any(step, "iss", token->iss);
        return;
    }
    /* What a copied token most often has too much of. */
    if (sent.len > 0 && (strchr(" \t\r\n", sent.ptr[0]) != NULL || strchr(" \t\r\n", sent.ptr[sent.len - 1]) != NULL))
        snprintf(explanation->nearest, sizeof explanation->nearest,
                 "the token as sent has white space at its start or end; relyd trims nothing");
    else if (rely_slice_starts(sent, RELY_LIT("Bearer ")))
        snprintf(explanation->nearest, sizeof explanation->nearest,
                 "the token as sent begins with Bearer: send only what follows it");
}

/* --- issuer and keys ------------------------------------------------------------------------------------- */

static void show_issuer_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *names = rely_json_array();
    for (size_t i = 0; i < review->candidate_count; i++)
        rely_json_append(names, rely_json_of_text(review->candidates[i].issuer->name));
    rely_json_set(step, "candidates", names);
    if (review->decision.reason == RELY_UNKNOWN_ISSUER)
        rely_json_set(step, "compared", rely_explain_near_issuers(explanation));
}

/* What the set has, when nothing in it would do; and how fetching goes, which is why it may be old. */
static void show_what_a_set_has(const struct rely_explanation *explanation, const struct rely_issuer *issuer,
                                struct rely_json *item)
{
    if (issuer->keyset != NULL)
        rely_admin_set_keyset(item, issuer->keyset);
    rely_admin_set_key_status(item, explanation->admin, issuer->id);
}

static struct rely_json *show_candidate(const struct rely_explanation *explanation,
                                        const struct rely_candidate *candidate)
{
    struct rely_json *item = rely_json_object();
    struct rely_json *tried = rely_json_array();
    rely_admin_set_text(item, "issuer", candidate->issuer->name);
    rely_json_set(item, "allowedAlgorithms", rely_admin_show_algs(candidate->issuer->algs));
    rely_json_set(item, "hasKeys", rely_json_of_bool(candidate->issuer->keyset != NULL));
    for (size_t i = 0; i < candidate->key_count; i++)
        rely_json_append(tried, rely_admin_show_key(candidate->keys[i]));
    rely_json_set(item, "tried", tried);
    if (candidate->key_count == 0)
        show_what_a_set_has(explanation, candidate->issuer, item);
    return item;
}

static void note_missing_key(struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    struct rely_key_status status = {0};
    if (!rely_review_wants_keys(review) || review->candidate_count == 0)
        return;
    const struct rely_issuer *issuer = review->candidates[0].issuer;
    if (!explanation->admin->key_status(explanation->admin->service, issuer->id, &status) ||
        status.last_error[0] == '\0')
        return;
    snprintf(explanation->nearest, sizeof explanation->nearest, "the last fetch of issuer %.*s's keys failed: %.200s",
             RELY_ARG(issuer->name), status.last_error);
}

static void show_keys_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < review->candidate_count; i++)
        rely_json_append(list, show_candidate(explanation, &review->candidates[i]));
    rely_json_set(step, "candidates", list);
    note_missing_key(explanation);
}

static void show_signature_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    if (review->key == NULL)
        return;
    rely_admin_set_text(step, "issuer", review->issuer->name);
    rely_json_set(step, "key", rely_admin_show_key(review->key));
}

/* --- claims --------------------------------------------------------------------------------------------- */

/* A time with its distance, so that nobody has to subtract at night. */
static void set_moment(struct rely_json *step, const char *name, double seconds, int64_t now_s)
{
    struct rely_json *moment = rely_json_object();
    char text[RELY_TIME_SIZE], words[96];
    int64_t whole = (int64_t)floor(seconds);
    int64_t distance = whole - now_s;
    rely_time_print(whole, text);
    rely_admin_set_text(moment, "time", rely_slice_of(text));
    rely_json_set(moment, "secondsFromAt", rely_json_of_integer(distance));
    snprintf(words, sizeof words, "%lld s %s", (long long)(distance < 0 ? -distance : distance),
             distance < 0 ? "before at" : "after at");
    rely_admin_set_text(moment, "distance", rely_slice_of(words));
    rely_json_set(step, name, moment);
}

static void show_kubernetes_claims(const struct rely_kubernetes_claims *claims, struct rely_json *step)
{
    if (claims->namespace_name.ptr == NULL && claims->account_name.ptr == NULL)
        return;
    struct rely_json *object = rely_json_object();
    set_text_if_any(object, "namespace", claims->namespace_name);
    set_text_if_any(object, "serviceAccount", claims->account_name);
    set_text_if_any(object, "pod", claims->pod_name);
    set_text_if_any(object, "node", claims->node_name);
    rely_json_set(step, "kubernetes", object);
}

static void show_subject(const struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    bool is_sub = review->issuer->subject_claim.ptr == NULL;
    if (!is_sub)
        rely_admin_set_text(step, "subjectClaim",
                            rely_claim_spell(review->issuer->subject_claim, explanation->request->pool));
    rely_admin_set_text(step, is_sub ? "sub" : "subject", review->claims.subject);
}

static void show_claims_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    const struct rely_claims *claims = &review->claims;
    rely_json_set(step, "leewaySeconds", rely_json_of_integer(review->issuer->leeway_s));
    if (review->issuer->max_lifetime_s > 0)
        rely_json_set(step, "maxTokenLifetimeSeconds", rely_json_of_integer(review->issuer->max_lifetime_s));
    if (claims->audience_count == 0)
        return; /* they could not be read */
    show_subject(explanation, step);
    rely_json_set(step, "aud", show_texts(claims->audiences, claims->audience_count));
    set_text_if_any(step, "jti", claims->token_id);
    set_moment(step, "exp", claims->expires, review->now_s);
    if (claims->has_not_before)
        set_moment(step, "nbf", claims->not_before, review->now_s);
    if (claims->has_issued_at)
        set_moment(step, "iat", claims->issued_at, review->now_s);
    show_kubernetes_claims(&claims->kubernetes, step);
}

/* --- credentials and decision --------------------------------------------------------------------------- */

/* `identity/credential`. Owner: the caller. */
static struct rely_json *name_match(const struct rely_match *match)
{
    char name[2 * RELY_NAME_MAX + 2];
    snprintf(name, sizeof name, "%.*s/%.*s", RELY_ARG(match->identity->name), RELY_ARG(match->credential->name));
    return rely_json_of_text(rely_slice_of(name));
}

const struct rely_issuer_group *rely_explain_group_of(const struct rely_explanation *explanation,
                                                      const struct rely_credential *credential)
{
    return credential->scope > 0 ? NULL : rely_snapshot_issuer_group(explanation->snapshot, -credential->scope);
}

/* Owner: the caller. */
static struct rely_json *name_groups(const struct rely_explanation *explanation, int64_t issuer_id)
{
    struct rely_json *names = rely_json_array();
    const struct rely_membership *membership;
    size_t cursor = 0;
    while ((membership = rely_snapshot_membership(explanation->snapshot, issuer_id, &cursor)) != NULL) {
        const struct rely_issuer_group *group = rely_snapshot_issuer_group(explanation->snapshot, membership->group_id);
        if (group != NULL)
            rely_json_append(names, rely_json_of_text(group->name));
    }
    return names;
}

static void show_groups(const struct rely_explanation *explanation, struct rely_json *step)
{
    struct rely_json *groups = name_groups(explanation, explanation->review->issuer->id);
    if (rely_json_size(groups) > 0)
        rely_json_set(step, "issuerGroups", rely_json_share(groups));
    rely_json_free(groups);
}

static void show_credentials_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *matched = rely_json_array();
    if (explanation->request->audience_count > 0)
        rely_json_set(step, "acceptedAudiences",
                      show_texts(explanation->request->audiences, explanation->request->audience_count));
    set_text_if_any(step, "identity", explanation->request->identity);
    show_groups(explanation, step);
    for (size_t i = 0; i < review->matches.count; i++)
        rely_json_append(matched, name_match(&review->matches.items[i]));
    rely_json_set(step, "matched", matched);
    const struct rely_match *shadow = &review->matches.shadow;
    if (shadow->credential != NULL && rely_explain_may_show(explanation, shadow->identity))
        rely_json_set(step, "shadow", name_match(shadow));
    if (review->last_step == RELY_STEP_CREDENTIALS)
        rely_json_set(step, "compared", rely_explain_near_credentials(explanation));
}

static void show_headers(const struct rely_named_route *route, struct rely_json *step)
{
    struct rely_json *headers = rely_json_object();
    for (size_t i = 0; i < route->header_count; i++) {
        char name[RELY_HEADER_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s", RELY_ARG(route->headers[i].name));
        rely_json_set(headers, name, rely_json_of_text(route->headers[i].source));
    }
    rely_json_set(step, "responseHeaders", headers);
}

static void show_route_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_named_route *route = explanation->review->route;
    if (route == NULL)
        return;
    rely_admin_set_text(step, "route", route->name);
    if (route->audience_count > 0)
        rely_json_set(step, "audiences", show_texts(route->audiences, route->audience_count));
    if (route->issuers.count > 0 || route->issuer_groups.count > 0)
        rely_admin_set_text(step, "issuer", explanation->review->issuer->name);
    if (route->issuer_groups.count > 0)
        show_groups(explanation, step);
    if (route->trusts_callers_audiences && explanation->question->endpoint == RELY_ENDPOINT_TOKENREVIEW)
        rely_admin_set_text(step, "callerAudiences", RELY_LIT("trusted"));
    if (route->answers_as_cluster && explanation->question->endpoint == RELY_ENDPOINT_TOKENREVIEW)
        rely_admin_set_text(step, "user", RELY_LIT("kubernetes"));
    if (route->header_count > 0 && explanation->question->endpoint == RELY_ENDPOINT_CHECK)
        show_headers(route, step);
    if (route->is_shadow)
        rely_json_set(step, "shadow", rely_json_of_bool(true));
}

/* Its `reason` is at its own place. */
static void show_revocations_step(struct rely_explanation *explanation, struct rely_json *step)
{
    const struct rely_revocation *revocation = explanation->review->revocation;
    char path[RELY_OBJECT_PATH_SIZE];
    if (revocation == NULL)
        return;
    rely_object_path_print(&(struct rely_object_path){.object = RELY_OBJECT_REVOCATION}, revocation->name, path);
    rely_admin_set_text(step, "revocation", rely_slice_of(path));
    rely_admin_set_text(step, "by", rely_slice_of(rely_revoked_by_word(revocation->by)));
}

/* A token is revoked by itself in one step, and by whom it maps to in another. */
static void show_decision_step(struct rely_explanation *explanation, struct rely_json *step)
{
    show_revocations_step(explanation, step);
    if (explanation->review->decision.reason == RELY_OK)
        rely_admin_set_time(step, "validUntil", explanation->review->decision.valid_until_s);
}

static void (*const shows[RELY_STEP_COUNT])(struct rely_explanation *explanation, struct rely_json *step) = {
    [RELY_STEP_TOKEN] = show_token_step,
    [RELY_STEP_ISSUER] = show_issuer_step,
    [RELY_STEP_KEYS] = show_keys_step,
    [RELY_STEP_SIGNATURE] = show_signature_step,
    [RELY_STEP_CLAIMS] = show_claims_step,
    [RELY_STEP_ROUTE] = show_route_step,
    [RELY_STEP_REVOCATIONS] = show_revocations_step,
    [RELY_STEP_CREDENTIALS] = show_credentials_step,
    [RELY_STEP_DECISION] = show_decision_step,
};

static const char *name_outcome(const struct rely_review *review, enum rely_step step)
{
    if (step > review->last_step)
        return "not_reached";
    return step == review->last_step && review->decision.reason != RELY_OK ? "refused" : "passed";
}

struct rely_json *rely_explain_steps(struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *list = rely_json_array();
    for (int i = 0; i < RELY_STEP_COUNT; i++) {
        enum rely_step step = (enum rely_step)i;
        struct rely_json *item = rely_json_object();
        const char *outcome = name_outcome(review, step);
        rely_admin_set_text(item, "step", rely_slice_of(rely_step_name(step)));
        rely_admin_set_text(item, "outcome", rely_slice_of(outcome));
        if (strcmp(outcome, "refused") == 0)
            rely_admin_set_text(item, "detail", rely_slice_of(review->decision.detail.text));
        if (step <= review->last_step)
            shows[i](explanation, item);
        rely_json_append(list, item);
    }
    return list;
}

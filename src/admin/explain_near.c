/*
 * What came closest to a token that nothing matched: registered issuers near its `iss`, and federated credentials
 * compared with it field by field, nearest first. Decides what is near; the decision itself stands. Called by
 * explain_steps.c.
 */
#include "explain.h"
#include "near.h"
#include "relyd/issuer_group.h"
#include "relyd/marks.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

struct near_list {
    const struct rely_explanation *explanation;
    struct rely_near_item items[RELY_NEAREST_SHOWN + 1]; /* sorted; the last is room for one more */
    size_t count;
    int64_t seen[64]; /* ids of credentials, so that none comes twice */
    size_t seen_count;
};

/* Keep the nearest: a stable insertion, and what falls off the end is freed. */
static void keep_near(struct near_list *list, const struct rely_near_item *item)
{
    size_t at = list->count;
    while (at > 0 && list->items[at - 1].weight > item->weight) {
        list->items[at] = list->items[at - 1];
        at--;
    }
    list->items[at] = *item;
    if (list->count < RELY_NEAREST_SHOWN)
        list->count++;
    else
        rely_json_free(list->items[RELY_NEAREST_SHOWN].shown);
}

static struct rely_json *take_near(struct near_list *list, struct rely_explanation *explanation)
{
    struct rely_json *shown = rely_json_array();
    if (list->count > 0)
        snprintf(explanation->nearest, sizeof explanation->nearest, "%s", list->items[0].sentence);
    for (size_t i = 0; i < list->count; i++)
        rely_json_append(shown, list->items[i].shown);
    return shown;
}

/* --- issuers -------------------------------------------------------------------------------------------- */

static bool weigh_issuer(const void *item, void *context)
{
    const struct rely_issuer *issuer = item;
    struct near_list *list = context;
    struct rely_difference difference;
    if (issuer->url.ptr == NULL || list->explanation->review->token.iss.ptr == NULL)
        return true;
    rely_difference_find(list->explanation->review->token.iss, issuer->url, "record", &difference);
    if (list->count == RELY_NEAREST_SHOWN && difference.weight >= list->items[RELY_NEAREST_SHOWN - 1].weight)
        return true;
    struct rely_near_item near = {.weight = difference.weight, .shown = rely_json_object()};
    rely_admin_set_text(near.shown, "issuerName", issuer->name);
    rely_admin_set_text(near.shown, "issuer", issuer->url);
    rely_admin_set_text(near.shown, "note", rely_slice_of(difference.note));
    snprintf(near.sentence, sizeof near.sentence, "the nearest issuer is %.*s: iss %.180s", RELY_ARG(issuer->name),
             difference.note);
    keep_near(list, &near);
    return true;
}

struct rely_json *rely_explain_near_issuers(struct rely_explanation *explanation)
{
    struct near_list list = {.explanation = explanation};
    rely_map_each(&explanation->snapshot->issuers_by_id, weigh_issuer, &list);
    return take_near(&list, explanation);
}

/* --- credentials ------------------------------------------------------------------------------------------ */

void rely_near_compare_field(struct rely_near_item *near, const char *name, struct rely_json *token,
                             struct rely_json *credential, const struct rely_difference *difference)
{
    struct rely_json *field = rely_json_object();
    rely_admin_set_text(field, "field", rely_slice_of(name));
    rely_json_set(field, "token", token);
    rely_json_set(field, "credential", credential);
    rely_json_set(field, "equal", rely_json_of_bool(difference->weight == 0));
    rely_json_append(near->fields, field);
    if (difference->weight == 0)
        return;
    rely_admin_set_text(field, "note", rely_slice_of(difference->note));
    size_t used = strlen(near->sentence);
    snprintf(near->sentence + used, sizeof near->sentence - used, "%s %s %.120s", near->weight == 0 ? ":" : ";", name,
             difference->note);
    near->weight += difference->weight;
}

static struct rely_json *list_texts(const struct rely_slice *texts, size_t count)
{
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < count; i++)
        rely_json_append(list, rely_json_of_text(texts[i]));
    return list;
}

static bool has_audience(const struct rely_slice *texts, size_t count, struct rely_slice wanted)
{
    for (size_t i = 0; i < count; i++)
        if (rely_slice_equal(texts[i], wanted))
            return true;
    return false;
}

/* The pair of audiences that differs least; weight 0 when one is in both. */
static void compare_audiences(const struct rely_explanation *explanation, const struct rely_credential *credential,
                              struct rely_difference *out)
{
    const struct rely_claims *claims = &explanation->review->claims;
    const struct rely_review_request *request = explanation->request;
    bool is_shared = false, is_accepted = false;
    *out = (struct rely_difference){.weight = SIZE_MAX};
    for (size_t i = 0; i < claims->audience_count && !is_accepted; i++)
        for (size_t k = 0; k < credential->audience_count; k++) {
            struct rely_difference pair;
            rely_difference_find(claims->audiences[i], credential->audiences[k], "credential", &pair);
            if (pair.weight < out->weight)
                *out = pair;
            is_shared |= pair.weight == 0;
            is_accepted |=
                pair.weight == 0 && (request->audience_count == 0 ||
                                     has_audience(request->audiences, request->audience_count, claims->audiences[i]));
        }
    if (is_shared && !is_accepted) {
        out->weight = 3;
        snprintf(out->note, sizeof out->note, "token and credential agree, but the caller accepts none of these");
    } else if (is_accepted) {
        out->weight = 0;
    }
}

static bool has_record(const struct rely_snapshot *snapshot, int64_t issuer_id, int64_t scope)
{
    const struct rely_membership *membership;
    size_t cursor = 0;
    while ((membership = rely_snapshot_membership(snapshot, issuer_id, &cursor)) != NULL)
        if (rely_scope_of_group(membership->group_id) == scope)
            return true;
    return false;
}

static void compare_group(const struct near_list *list, const struct rely_credential *credential,
                          struct rely_near_item *near)
{
    const struct rely_issuer *signer = list->explanation->review->issuer;
    const struct rely_issuer_group *group = rely_explain_group_of(list->explanation, credential);
    struct rely_difference difference = {.weight = 0};
    if (group != NULL && !has_record(list->explanation->snapshot, signer->id, credential->scope)) {
        difference.weight = 4;
        snprintf(difference.note, sizeof difference.note,
                 "does not have the record that signed, %.*s: PUT /v1/issuerGroups/%.*s/issuers/%.*s adds it",
                 RELY_ARG(signer->name), RELY_ARG(group->name), RELY_ARG(signer->name));
    }
    rely_near_compare_field(near, "issuerGroup", rely_json_of_text(signer->name),
                            group == NULL ? rely_json_of_null() : rely_json_of_text(group->name), &difference);
}

static void compare_record(const struct near_list *list, const struct rely_credential *credential,
                           struct rely_near_item *near)
{
    const struct rely_review *review = list->explanation->review;
    const struct rely_issuer *issuer = rely_snapshot_issuer(list->explanation->snapshot, credential->scope);
    struct rely_difference difference = {.weight = 0};
    if (issuer != NULL && issuer != review->issuer) {
        difference.weight = 4;
        if (issuer->url.ptr != NULL && rely_slice_equal(issuer->url, review->issuer->url))
            snprintf(difference.note, sizeof difference.note,
                     "is another record with the same `issuer`: the token was signed by a key of %.*s",
                     RELY_ARG(review->issuer->name));
        else
            snprintf(difference.note, sizeof difference.note, "the credential is for %.*s, the token is of %.*s",
                     RELY_ARG(issuer->name), RELY_ARG(review->issuer->name));
    }
    rely_near_compare_field(near, "issuer", rely_json_of_text(review->issuer->name),
                            issuer == NULL ? rely_json_of_null() : rely_json_of_text(issuer->name), &difference);
}

static void compare_exact_subject(const struct rely_explanation *explanation, const struct rely_credential *credential,
                                  struct rely_near_item *near)
{
    struct rely_slice subject = explanation->review->claims.subject;
    struct rely_difference difference = {.weight = 0};
    rely_difference_find(subject, credential->subject, "credential", &difference);
    rely_near_compare_field(near, "subject", rely_json_of_text(subject), rely_json_of_text(credential->subject),
                            &difference);
}

static void compare_whose(const struct near_list *list, const struct rely_credential *credential,
                          struct rely_near_item *near)
{
    if (credential->scope > 0)
        compare_record(list, credential, near);
    else
        compare_group(list, credential, near);
    if (credential->expression == NULL)
        compare_exact_subject(list->explanation, credential, near);
    else
        rely_near_compare_expression(list->explanation, credential, near);
}

/* Not the second in which it was disabled: when anything of it was changed last. It stands in the registry alone. */
static void put_last_change(const struct near_list *list, int64_t id, struct rely_difference *difference)
{
    const struct rely_explain_neighbours *neighbours = list->explanation->neighbours;
    size_t used = strlen(difference->note);
    char text[RELY_TIME_SIZE];
    for (size_t i = 0; i < neighbours->count; i++) {
        const struct rely_record *record = &neighbours->records[i]->record;
        rely_time_print(record->updated_at, text);
        if (record->id == id)
            snprintf(difference->note + used, sizeof difference->note - used, ", last changed at %s", text);
    }
}

static struct rely_json *show_moment(int64_t at_s)
{
    char text[RELY_TIME_SIZE];
    rely_time_print(at_s, text);
    return rely_json_of_text(rely_slice_of(text));
}

/* What a review knows nothing of: that it is not in force. */
static void compare_force(const struct near_list *list, const struct rely_credential *credential,
                          struct rely_near_item *near)
{
    int64_t at_s = list->explanation->review->now_s, end_s = credential->not_after_s;
    if (!credential->is_enabled) {
        struct rely_difference difference = {.note = "is false: the credential is disabled", .weight = 1};
        put_last_change(list, credential->id, &difference);
        rely_near_compare_field(near, "credentialEnabled", rely_json_of_bool(true), rely_json_of_bool(false),
                                &difference);
    }
    if (end_s != 0) {
        struct rely_difference difference = {.weight = at_s > end_s ? 1 : 0};
        snprintf(difference.note, sizeof difference.note, "was %lld s before at", (long long)(at_s - end_s));
        rely_near_compare_field(near, "notAfter", show_moment(at_s), show_moment(end_s), &difference);
    }
    if (credential->is_shadow) {
        struct rely_difference difference = {.note = "is shadow: it lets nobody in", .weight = 1};
        put_last_change(list, credential->id, &difference);
        rely_near_compare_field(near, "mode", rely_json_of_text(RELY_LIT("enforce")),
                                rely_json_of_text(RELY_LIT("shadow")), &difference);
    }
}

/* The identity matters when the caller asked for another one, or when it is disabled. */
static void compare_identity(const struct near_list *list, const struct rely_identity *identity,
                             struct rely_near_item *near)
{
    struct rely_slice wanted = list->explanation->request->identity;
    struct rely_difference difference = {.weight = 0};
    if (wanted.ptr != NULL) {
        if (!rely_slice_equal(wanted, identity->name)) {
            difference.weight = 2;
            snprintf(difference.note, sizeof difference.note, "is not the one that the caller asks for");
        }
        rely_near_compare_field(near, "identity", rely_json_of_text(wanted), rely_json_of_text(identity->name),
                                &difference);
    }
    if (!identity->is_enabled) {
        difference = (struct rely_difference){.note = "the identity is disabled", .weight = 1};
        rely_near_compare_field(near, "enabled", rely_json_of_bool(true), rely_json_of_bool(false), &difference);
    }
}

static bool is_seen_before(struct near_list *list, int64_t id)
{
    for (size_t i = 0; i < list->seen_count; i++)
        if (list->seen[i] == id)
            return true;
    if (list->seen_count == sizeof list->seen / sizeof list->seen[0])
        return true;
    list->seen[list->seen_count++] = id;
    return false;
}

/* An owner is told of his own: what is called how elsewhere, and what it lets in, is none of his business. */
bool rely_explain_may_show(const struct rely_explanation *explanation, const struct rely_identity *identity)
{
    return explanation->sees_all ||
           (explanation->asker.ptr != NULL && rely_identity_has_owner(identity, explanation->asker));
}

static void compare_credential(const struct rely_credential *credential, struct near_list *list)
{
    const struct rely_claims *claims = &list->explanation->review->claims;
    const struct rely_identity *identity = rely_snapshot_identity(list->explanation->snapshot, credential->identity_id);
    if (identity == NULL || !rely_explain_may_show(list->explanation, identity) || is_seen_before(list, credential->id))
        return;
    struct rely_near_item near = {.shown = rely_json_object(), .fields = rely_json_array()};
    struct rely_difference difference;
    snprintf(near.sentence, sizeof near.sentence, "the nearest credential is %.*s/%.*s", RELY_ARG(identity->name),
             RELY_ARG(credential->name));
    rely_admin_set_text(near.shown, "identity", identity->name);
    rely_admin_set_text(near.shown, "credential", credential->name);
    rely_json_set(near.shown, "fields", near.fields);
    compare_whose(list, credential, &near);
    compare_audiences(list->explanation, credential, &difference);
    rely_near_compare_field(&near, "audiences", list_texts(claims->audiences, claims->audience_count),
                            list_texts(credential->audiences, credential->audience_count), &difference);
    compare_force(list, credential, &near);
    compare_identity(list, identity, &near);
    keep_near(list, &near);
}

/* Those of exactly this scope and subject: the audience, the identity asked for or its state was wrong. */
static void compare_scope(struct near_list *list, int64_t scope)
{
    struct rely_slice subject = list->explanation->review->claims.subject;
    uint64_t hash = rely_rule_hash(scope, subject);
    const struct rely_credential *credential;
    size_t cursor = 0;
    while (list->seen_count < RELY_NEIGHBOURS_MAX &&
           (credential = rely_snapshot_credential(list->explanation->snapshot, hash, scope, subject, &cursor)) != NULL)
        compare_credential(credential, list);
}

struct rely_json *rely_explain_near_credentials(struct rely_explanation *explanation)
{
    const struct rely_snapshot *snapshot = explanation->snapshot;
    const struct rely_explain_neighbours *neighbours = explanation->neighbours;
    struct near_list list = {.explanation = explanation};
    const struct rely_membership *membership;
    int64_t issuer_id = explanation->review->issuer->id;
    size_t cursor = 0;
    compare_scope(&list, issuer_id);
    while ((membership = rely_snapshot_membership(snapshot, issuer_id, &cursor)) != NULL)
        compare_scope(&list, rely_scope_of_group(membership->group_id));
    for (size_t i = 0; i < neighbours->count; i++) {
        struct rely_credential *near = rely_credential_of_record(neighbours->records[i]);
        compare_credential(near, &list);
        free(near);
    }
    return take_near(&list, explanation);
}

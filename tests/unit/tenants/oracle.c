/*
 * What must come out of a review: every rule is asked, one after the other, in the words of the pages on objects. Shares
 * no code with relyd, and knows no index, cache or edition.
 */
#include "world.h"

#include <stdio.h>

/* --- claims --- */

static const struct node *child_named(const struct token *token, int parent, const char *name)
{
    for (int i = 0; i < token->node_count; i++)
        if (token->nodes[i].parent == parent && strcmp(token->nodes[i].name, name) == 0)
            return &token->nodes[i];
    return NULL;
}

static const struct node *child_at(const struct token *token, int parent, const char *place)
{
    int left = place[0] - '0';
    bool is_place = left >= 0 && left <= 9 && place[1] == '\0';
    for (int i = 0; i < token->node_count && is_place; i++)
        if (token->nodes[i].parent == parent && left-- == 0)
            return &token->nodes[i];
    return NULL;
}

static const struct node *find_node(const struct token *token, const char *const *path)
{
    const struct node *found = &token->nodes[0];
    for (; *path != NULL && found != NULL; path++) {
        int at = (int)(found - token->nodes);
        found = found->kind == NODE_OBJECT ? child_named(token, at, *path)
                : found->kind == NODE_LIST ? child_at(token, at, *path)
                                           : NULL;
    }
    return found;
}

/* A string, a number, a truth value; NULL: none of these. */
static const char *text_of_node(const struct node *node)
{
    return node->kind == NODE_TEXT || node->kind == NODE_NUMBER ? node->text
           : node->kind == NODE_TRUE                            ? "true"
           : node->kind == NODE_FALSE                           ? "false"
                                                                : NULL;
}

static const char *next_character(const char *text)
{
    do
        text++;
    while (((unsigned char)*text & 0xC0) == 0x80);
    return text;
}

static bool fits_pattern(const char *pattern, const char *value)
{
    if (*pattern == '*')
        return fits_pattern(pattern + 1, value) || (*value != '\0' && fits_pattern(pattern, next_character(value)));
    if (*pattern == '\0' || *value == '\0')
        return *pattern == *value;
    if (*pattern == '?')
        return fits_pattern(pattern + 1, next_character(value));
    return *pattern == *value && fits_pattern(pattern + 1, value + 1);
}

static bool fits_text(const struct term *term, const char *text)
{
    return text != NULL && (term->is_pattern ? fits_pattern(term->text, text) : strcmp(term->text, text) == 0);
}

static bool fits_term(const struct token *token, const struct term *term)
{
    const struct node *found = find_node(token, claim_forms[term->claim].path);
    if (found == NULL || found->kind != NODE_LIST)
        return found != NULL && fits_text(term, text_of_node(found));
    for (int i = 0; i < token->node_count; i++)
        if (token->nodes[i].parent == found - token->nodes && fits_text(term, text_of_node(&token->nodes[i])))
            return true;
    return false;
}

/* --- rules --- */

static bool has_uid(const struct rule *rule, const struct token *token)
{
    static const char *const path[] = {"kubernetes.io", "serviceaccount", "uid", NULL};
    const struct node *found = find_node(token, path);
    return rule->uid == NULL || (found != NULL && found->kind == NODE_TEXT && strcmp(found->text, rule->uid) == 0);
}

static bool is_about(const struct world *world, const struct rule *rule, const struct token *token)
{
    if (rule->record >= 0 ? rule->record != token->signer : world->members[rule->group][token->signer] == 0)
        return false;
    if (rule->subject[0] != '\0')
        return strcmp(rule->subject, token->subject) == 0;
    for (int i = 0; i < rule->term_count; i++)
        if (!fits_term(token, &rule->terms[i]))
            return false;
    return true;
}

static bool has_text(const char *const *texts, int count, const char *wanted)
{
    for (int i = 0; i < count; i++)
        if (strcmp(texts[i], wanted) == 0)
            return true;
    return false;
}

const struct route *oracle_route(const struct world *world, const struct question *question)
{
    for (int i = 0; i < ROUTES; i++)
        if (rely_slice_equal(question->route, rely_slice_of(world->routes[i].name)))
            return &world->routes[i];
    return NULL;
}

/* One audience that token, credential, caller and route all have. */
static bool has_audience(const struct rule *rule, const struct question *question, const struct route *route)
{
    for (int i = 0; i < question->token->audience_count; i++) {
        const char *audience = question->token->audiences[i];
        bool is_accepted = question->accepted_count == 0;
        for (int k = 0; k < question->accepted_count; k++)
            is_accepted = is_accepted || rely_slice_equal(question->accepted[k], rely_slice_of(audience));
        if (is_accepted && has_text(rule->audiences, rule->audience_count, audience) &&
            (route == NULL || route->audience_count == 0 ||
             has_text(route->audiences, route->audience_count, audience)))
            return true;
    }
    return false;
}

/* Of what every subject that it matches begins with, the longest that it demands. */
static size_t literal_length(const struct world *world, const struct rule *rule)
{
    const char *subject = claim_forms[subject_claim_of(world, rule)].path[0];
    size_t longest = 0;
    for (int i = 0; i < rule->term_count; i++) {
        const char *text = rule->terms[i].text;
        bool is_subject = strcmp(claim_forms[rule->terms[i].claim].path[0], subject) == 0;
        size_t length = rule->terms[i].is_pattern ? strcspn(text, "*?") : strlen(text);
        longest = is_subject && length > longest ? length : longest;
    }
    return longest;
}

static bool comes_first(const struct world *world, const struct rule *a, const struct rule *b)
{
    size_t a_length = literal_length(world, a), b_length = literal_length(world, b);
    bool a_is_exact = a->subject[0] != '\0', b_is_exact = b->subject[0] != '\0';
    if (a_is_exact != b_is_exact)
        return a_is_exact;
    if ((a->record >= 0) != (b->record >= 0))
        return a->record >= 0;
    if (!a_is_exact && a_length != b_length)
        return a_length > b_length;
    return strcmp(a->name, b->name) < 0;
}

/* --- what stops a token --- */

static const char *mark_of(const struct world *world, const struct token *token, enum revoked by)
{
    static const char *const members[REVOKED_COUNT] = {
        [BY_ACCOUNT] = "serviceaccount", [BY_POD] = "pod", [BY_SECRET] = "secret", [BY_NODE] = "node"};
    if (by == BY_JTI)
        return token->jti;
    if (by == BY_SUBJECT)
        return token->subject;
    if (by == BY_KID)
        return world->records[token->signer].kid;
    if (by == BY_ISSUER)
        return world->records[token->signer].name;
    if (members[by] == NULL)
        return "";
    const char *path[] = {"kubernetes.io", members[by], "uid", NULL};
    const struct node *found = find_node(token, path);
    return found == NULL || found->kind != NODE_TEXT ? "" : found->text;
}

static bool is_revoked(const struct world *world, const struct question *question, enum revoked by, const char *value)
{
    const struct token *token = question->token;
    for (int i = 0; i < REVOCATIONS; i++) {
        const struct revocation *revocation = &world->revocations[i];
        bool is_over = revocation->until != 0 && question->now >= revocation->until;
        bool is_earlier =
            revocation->issued_before == 0 || token->issued == 0 || token->issued < revocation->issued_before;
        if (revocation->id != 0 && revocation->by == by && strcmp(revocation->value, value) == 0 && !is_over &&
            is_earlier && (revocation->record < 0 || revocation->record == token->signer))
            return true;
    }
    return false;
}

static bool is_stopped(const struct world *world, const struct question *question)
{
    for (int by = 0; by < REVOKED_COUNT; by++) {
        const char *value = mark_of(world, question->token, (enum revoked)by);
        if (by != BY_IDENTITY && value[0] != '\0' && is_revoked(world, question, (enum revoked)by, value))
            return true;
    }
    return false;
}

static bool may_pass(const struct route *route, const struct world *world, int identity)
{
    return route == NULL || (route->identities == 0 && route->groups == 0) ||
           (route->identities >> identity & 1) != 0 || (route->groups & world->identities[identity].groups) != 0;
}

/* --- all of it --- */

/* Who has signed, by iss, kid and key. */
static enum rely_reason judge_signer(const struct world *world, const struct token *token)
{
    bool is_known = false, is_alive = false, is_disabled = false;
    for (int i = 0; i < RECORDS; i++) {
        const struct record *record = &world->records[i];
        bool is_alias = record->alias != NULL && strcmp(record->alias, token->iss) == 0;
        if (strcmp(record->url, token->iss) != 0 && !is_alias)
            continue;
        bool has_kid = strcmp(record->kid, token->kid) == 0;
        if (has_kid && record->is_enabled)
            return i == token->signer && record->key == token->key ? RELY_OK : RELY_BAD_SIGNATURE;
        is_known = true;
        is_alive = is_alive || record->is_enabled;
        is_disabled = is_disabled || has_kid;
    }
    return !is_known ? RELY_UNKNOWN_ISSUER : is_disabled || !is_alive ? RELY_ISSUER_DISABLED : RELY_KEY_UNKNOWN;
}

/* What the record wants of each of its tokens. */
static bool passes_guards(const struct world *world, const struct token *token)
{
    const struct guards *guards = &world->records[token->signer].guards;
    struct term term = {.claim = guards->claim};
    bool has_value = guards->claim < 0;
    for (int i = 0; guards->claim >= 0 && i < 2; i++) {
        snprintf(term.text, sizeof term.text, "%s", guards->any_of[i]);
        has_value = has_value || fits_term(token, &term);
    }
    return has_value && (!guards->is_single_audience || token->audience_count == 1) &&
           (guards->subject[0] == '\0' || fits_pattern(guards->subject, token->subject));
}

static bool takes_issuer(const struct world *world, const struct route *route, int record)
{
    bool is_in_group = false;
    for (int i = 0; i < GROUPS; i++)
        is_in_group = is_in_group || ((route->issuer_groups >> i & 1) != 0 && world->members[i][record] != 0);
    return (route->issuers == 0 && route->issuer_groups == 0) || (route->issuers >> record & 1) != 0 || is_in_group;
}

/* What becomes of the rules that match: those that count are kept, the first one of each identity. */
static enum rely_reason judge_rules(const struct world *world, const struct question *question, struct verdict *verdict,
                                    const struct rule **first)
{
    const struct route *route = oracle_route(world, question);
    bool is_near = false, is_disabled = false, is_found = false, is_other_uid = false;
    for (int i = 0; i < RULES; i++) {
        const struct rule *rule = &world->rules[i];
        const struct identity *identity = &world->identities[rule->identity];
        if (rule->id == 0 || !rule->is_enabled || (rule->not_after != 0 && question->now > rule->not_after) ||
            (question->identity.ptr != NULL && !rely_slice_equal(question->identity, rely_slice_of(identity->name))) ||
            !is_about(world, rule, question->token))
            continue;
        bool would_count = has_audience(rule, question, route) && identity->is_enabled;
        is_other_uid = is_other_uid || (would_count && !rule->is_shadow && !has_uid(rule, question->token));
        if (!has_uid(rule, question->token))
            continue;
        if (rule->is_shadow && would_count && may_pass(route, world, rule->identity) &&
            !is_revoked(world, question, BY_IDENTITY, identity->name))
            verdict->shadows[verdict->shadow_count++] = rule;
        if (rule->is_shadow)
            continue;
        is_near = is_near || !has_audience(rule, question, route);
        is_disabled = is_disabled || (has_audience(rule, question, route) && !identity->is_enabled);
        is_found = is_found || would_count;
        if (would_count && (first[rule->identity] == NULL || comes_first(world, rule, first[rule->identity])))
            first[rule->identity] = rule;
    }
    return is_found       ? RELY_OK
           : is_other_uid ? RELY_UID_CHANGED
           : is_disabled  ? RELY_IDENTITY_DISABLED
           : is_near      ? RELY_AUDIENCE_MISMATCH
                          : RELY_NO_MATCHING_CREDENTIAL;
}

/* Of the identities that it maps to those are left that are neither revoked nor kept out by the route. */
static enum rely_reason judge_identities(const struct world *world, const struct question *question,
                                         const struct rule *const *first, struct verdict *verdict)
{
    const struct route *route = oracle_route(world, question);
    int spared = 0;
    for (int i = 0; i < IDENTITIES; i++) {
        if (first[i] == NULL || is_revoked(world, question, BY_IDENTITY, world->identities[i].name))
            continue;
        spared++;
        if (may_pass(route, world, i))
            verdict->named[verdict->count++] = first[i];
    }
    if (spared == 0)
        return RELY_REVOKED;
    if (verdict->count == 0)
        return RELY_IDENTITY_NOT_ALLOWED;
    return verdict->count > 1 && question->is_single ? RELY_AMBIGUOUS_IDENTITY : RELY_OK;
}

static enum rely_reason judge_all_of_it(const struct world *world, const struct question *question,
                                        struct verdict *verdict)
{
    const struct token *token = question->token;
    const struct route *route = oracle_route(world, question);
    const struct rule *first[IDENTITIES] = {NULL};
    if (question->route.ptr != NULL && route == NULL)
        return RELY_UNKNOWN_ROUTE;
    enum rely_reason reason = judge_signer(world, token);
    if (reason != RELY_OK)
        return reason;
    if (question->now >= token->expires + LEEWAY)
        return RELY_EXPIRED;
    if (!passes_guards(world, token))
        return RELY_GUARD_REFUSED;
    if (route != NULL && !takes_issuer(world, route, token->signer))
        return RELY_ISSUER_NOT_ALLOWED;
    if (is_stopped(world, question))
        return RELY_REVOKED;
    reason = judge_rules(world, question, verdict, first);
    return reason == RELY_OK ? judge_identities(world, question, first, verdict) : reason;
}

struct verdict oracle_judge(const struct world *world, const struct question *question)
{
    struct verdict verdict = {.until = question->token->expires + LEEWAY};
    verdict.reason = judge_all_of_it(world, question, &verdict);
    for (int i = 0; i < verdict.count; i++)
        if (verdict.named[i]->not_after != 0 && verdict.named[i]->not_after < verdict.until)
            verdict.until = verdict.named[i]->not_after;
    return verdict;
}

bool oracle_is_pinned(const struct world *world, const struct rule *rule)
{
    int tenant = world->identities[rule->identity].tenant;
    const char *subject = claim_forms[subject_claim_of(world, rule)].path[0];
    char beginning[TEXT];
    size_t length = (size_t)snprintf(beginning, sizeof beginning, "repo:%s/", tenant_names[tenant]);
    if (rule->record >= 0 && world->records[rule->record].tenant >= 0)
        return world->records[rule->record].tenant == tenant;
    if (rule->subject[0] != '\0')
        return strncmp(rule->subject, beginning, length) == 0;
    for (int i = 0; i < rule->term_count; i++) {
        const struct term *term = &rule->terms[i];
        const char *claim = claim_forms[term->claim].path[0];
        bool is_owner =
            strcmp(claim, "owner") == 0 && !term->is_pattern && strcmp(term->text, tenant_names[tenant]) == 0;
        bool is_subject = strcmp(claim, subject) == 0 && strncmp(term->text, beginning, length) == 0;
        if (is_owner || is_subject)
            return true;
    }
    return false;
}

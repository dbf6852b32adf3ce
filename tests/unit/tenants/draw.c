/* What is drawn at random: tokens, and what is registered, more often than not of what some token says. */
#include "world.h"

#include "../mint/mint.h"

#include <stdio.h>

#define COUNT(list) ((unsigned)(sizeof(list) / sizeof((list)[0])))

static const char *const scalars[] = {"x", "y", "xy", "", "\xC3\xA4", "\xC3\xA4x", "1", "true", "x*"};
static const char *const numbers[] = {"1", "1.0", "1e0", "0", "-1"};
static const char *const apps[] = {"x", "xy", "\xC3\xA4", "x/y"};
static const char *const audiences[] = {"x", "y", "x", "y", "z"};
#define UID(digit) "00000000-0000-4000-8000-00000000000" digit
static const char *const uids[] = {UID("1"), UID("2"), UID("3"), UID("4")};

#define PICK(list) ((list)[draw(COUNT(list))])

static bool happens(unsigned one_in)
{
    return draw(one_in) == 0;
}

static int draw_audiences(const char **out, int least)
{
    int count = least + (int)draw((unsigned)(3 - least));
    out[0] = PICK(audiences);
    out[1] = PICK(audiences);
    return count == 2 && out[0] == out[1] ? 1 : count;
}

/* --- tokens --- */

static int add_node(struct token *token, int parent, enum node_kind kind, const char *text)
{
    struct node *node = &token->nodes[token->node_count];
    RELY_ASSERT(token->node_count < NODES);
    *node = (struct node){.parent = parent, .kind = kind};
    snprintf(node->text, sizeof node->text, "%s", text);
    return token->node_count++;
}

static int add_member(struct token *token, int parent, const char *name, struct node value)
{
    int at = add_node(token, parent, value.kind, value.text);
    snprintf(token->nodes[at].name, sizeof token->nodes[at].name, "%s", name);
    return at;
}

static struct node text_node(const char *text)
{
    struct node node = {.kind = NODE_TEXT};
    snprintf(node.text, sizeof node.text, "%s", text);
    return node;
}

static struct node draw_scalar(void)
{
    static const enum node_kind kinds[] = {NODE_TEXT, NODE_TEXT,  NODE_TEXT, NODE_NUMBER,
                                           NODE_TRUE, NODE_FALSE, NODE_NULL};
    struct node node = text_node(PICK(scalars));
    node.kind = PICK(kinds);
    if (node.kind == NODE_NUMBER)
        snprintf(node.text, sizeof node.text, "%s", PICK(numbers));
    return node;
}

static void add_list(struct token *token, const char *name)
{
    int list = add_member(token, 0, name, (struct node){.kind = NODE_LIST});
    for (unsigned left = draw(4); left > 0; left--) {
        struct node item = draw_scalar();
        int at = happens(8) ? add_node(token, list, NODE_LIST, "") : add_node(token, list, item.kind, item.text);
        if (token->nodes[at].kind == NODE_LIST)
            add_node(token, at, NODE_TEXT, PICK(scalars)); /* a list within a list says nothing */
    }
}

static void add_object(struct token *token, const char *name, const char *member)
{
    int object = add_member(token, 0, name, (struct node){.kind = NODE_OBJECT});
    if (!happens(4))
        add_member(token, object, member, draw_scalar());
}

static void add_marks(struct token *token)
{
    static const char *const members[] = {"serviceaccount", "pod", "secret", "node"};
    int object = add_member(token, 0, "kubernetes.io", (struct node){.kind = NODE_OBJECT});
    for (unsigned i = 0; i < COUNT(members); i++)
        if (happens(2)) {
            int member = add_member(token, object, members[i], (struct node){.kind = NODE_OBJECT});
            add_member(token, member, "uid", text_node(PICK(uids)));
        }
}

/* Whoever signs for all says the truth about whose a token is; the others may say anything. */
static void add_names(const struct world *world, struct token *token)
{
    bool is_true = world->records[token->signer].tenant < 0 || happens(2);
    const char *named = tenant_names[is_true ? (unsigned)token->tenant : draw(TENANTS)];
    if (happens(3))
        snprintf(token->subject, sizeof token->subject, "repo:%s@1/%s:2", named, PICK(apps));
    else
        snprintf(token->subject, sizeof token->subject, "repo:%s/%s", named, PICK(apps));
    const struct record *signer = &world->records[token->signer];
    add_member(token, 0, claim_forms[signer->subject_claim].path[0], text_node(token->subject));
    if (signer->subject_claim == CLAIM_PROJECT && happens(2)) /* where nobody vouches for anything */
        add_member(token, 0, "sub", text_node(mint_print("repo:%s/%s", PICK(tenant_names), PICK(apps))));
    if (is_true || happens(2))
        add_member(token, 0, "owner", text_node(named));
    else if (happens(2))
        add_member(token, 0, "owner", draw_scalar());
}

static void add_claims(struct token *token)
{
    if (happens(2))
        add_member(token, 0, "env", draw_scalar());
    else
        add_list(token, "env");
    add_list(token, "l");
    add_member(token, 0, "n", (struct node){.kind = NODE_NUMBER, .text = "1"});
    snprintf(token->nodes[token->node_count - 1].text, TEXT, "%s", PICK(numbers));
    add_object(token, "o", "k");
    add_object(token, "a/b", "~");
    if (happens(2))
        add_member(token, 0, "we'ird", draw_scalar());
    if (happens(2))
        add_marks(token);
}

static void add_registered(struct token *token)
{
    token->audience_count = draw_audiences(token->audiences, 1);
    int list = add_member(token, 0, "aud", (struct node){.kind = NODE_LIST});
    for (int i = 0; i < token->audience_count; i++)
        add_node(token, list, NODE_TEXT, token->audiences[i]);
    token->expires = NOW + (happens(6) ? (int64_t)draw(400) - LEEWAY : 3600);
    struct node time = {.kind = NODE_NUMBER};
    snprintf(time.text, sizeof time.text, "%lld", (long long)token->expires);
    add_member(token, 0, "exp", time);
    token->issued = happens(3) ? 0 : NOW - 100 - (int64_t)draw(4);
    snprintf(time.text, sizeof time.text, "%lld", (long long)token->issued);
    if (token->issued != 0)
        add_member(token, 0, "iat", time);
    snprintf(token->jti, sizeof token->jti, "%s", happens(3) ? "" : mint_print("j%u", draw(24)));
    if (token->jti[0] != '\0')
        add_member(token, 0, "jti", text_node(token->jti));
}

static const char *print_text(const char *text, bool is_odd)
{
    const char *printed = "";
    for (; *text != '\0'; text++)
        printed = is_odd && (unsigned char)*text < 0x80 && happens(3)
                      ? mint_print("%s\\u%04x", printed, (unsigned)*text)
                      : mint_print("%s%c", printed, *text);
    return printed;
}

/* In: is_odd - now and then a character as an escape. */
static const char *print_node(const struct token *token, int at, bool is_odd)
{
    static const char *const words[] = {[NODE_TRUE] = "true", [NODE_FALSE] = "false", [NODE_NULL] = "null"};
    const struct node *node = &token->nodes[at];
    bool is_object = node->kind == NODE_OBJECT;
    if (node->kind == NODE_TEXT)
        return mint_print("\"%s\"", is_odd ? print_text(node->text, true) : node->text);
    if (node->kind != NODE_LIST && !is_object)
        return node->kind == NODE_NUMBER ? node->text : words[node->kind];
    const char *inside = "";
    for (int i = at + 1; i < token->node_count; i++)
        if (token->nodes[i].parent == at)
            inside = mint_print("%s%s%s%s", inside, inside[0] == '\0' ? "" : ",",
                                is_object ? mint_print("\"%s\":", print_text(token->nodes[i].name, is_odd)) : "",
                                print_node(token, i, is_odd));
    return mint_print(is_object ? "{%s}" : "[%s]", inside);
}

void draw_token(const struct world *world, struct token *token)
{
    int signer = (int)draw(RECORDS), named = happens(16) ? (int)draw(RECORDS) : signer;
    *token = (struct token){.signer = signer,
                            .key = happens(16) ? 1 : 0,
                            .iss = world->records[named].url,
                            .kid = world->records[named].kid};
    if (world->records[named].alias != NULL && happens(3))
        token->iss = world->records[named].alias;
    if (happens(24))
        token->iss = happens(2) ? "https://nobody" : world->records[draw(RECORDS)].url;
    if (happens(24))
        token->kid = world->records[draw(RECORDS)].kid;
    token->tenant = world->records[signer].tenant < 0 ? (int)draw(TENANTS) : world->records[signer].tenant;
    add_node(token, -1, NODE_OBJECT, "");
    add_member(token, 0, "iss", text_node(token->iss));
    add_registered(token);
    add_names(world, token);
    add_claims(token);
    token->text =
        mint_token(mint_key(world->records[signer].keys[token->key]), "ES256",
                   mint_print("{\"alg\":\"ES256\",\"kid\":\"%s\"}", token->kid), print_node(token, 0, happens(4)));
}

/* --- rules --- */

/* Where the next character begins. */
static size_t behind_character(const char *text, size_t at)
{
    do
        at++;
    while (((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

/* A pattern which this text fits, or nearly. At least its first character stays as it is, where it has one. */
static void loosen_text(char *text)
{
    char rest[TEXT];
    size_t length = strlen(text), from = length == 0 ? 0 : behind_character(text, 0);
    while (from < length && !happens(4))
        from = behind_character(text, from);
    size_t to = from < length ? behind_character(text, from) : from;
    while (to < length && happens(2))
        to = behind_character(text, to);
    snprintf(rest, sizeof rest, "%s", text + to);
    if (from + strlen(rest) + 2 < TEXT)
        snprintf(text + from, TEXT - from, "%s%s", happens(3) ? "?" : "*", rest);
}

/* What a token says in a claim. False: nothing, and out is anything. */
static bool draw_said(const struct token *token, const struct claim_form *claim, char *out)
{
    bool is_said = false;
    snprintf(out, TEXT, "%s", PICK(scalars));
    for (int i = 1; i < token->node_count; i++) {
        const struct node *node = &token->nodes[i], *parent = &token->nodes[node->parent];
        bool is_there = strcmp(node->name, claim->path[0]) == 0 || strcmp(parent->name, claim->path[0]) == 0;
        if (!is_there || (node->kind != NODE_TEXT && node->kind != NODE_NUMBER))
            continue;
        is_said = true;
        snprintf(out, TEXT, "%s", node->text);
    }
    return is_said;
}

static void draw_term(const struct token *token, struct term *term)
{
    unsigned tries = 0;
    do
        term->claim = (int)draw((unsigned)claim_form_count);
    while (!draw_said(token, &claim_forms[term->claim], term->text) && tries++ < 2);
    term->is_pattern = happens(3);
    if (happens(12))
        snprintf(term->text, TEXT, "%s", PICK(scalars));
    for (int i = 0; term->is_pattern && i < 2 && !happens(4); i++)
        loosen_text(term->text);
}

int subject_claim_of(const struct world *world, const struct rule *rule)
{
    return rule->record >= 0              ? world->records[rule->record].subject_claim
           : rule->group == PROJECT_GROUP ? CLAIM_PROJECT
                                          : CLAIM_SUBJECT;
}

static bool is_on_subject(const struct world *world, const struct rule *rule, const struct term *term)
{
    const char *name = claim_forms[subject_claim_of(world, rule)].path[0];
    return strcmp(claim_forms[term->claim].path[0], name) == 0;
}

/* What it demands of the subject, by which it is found: never anything. */
static void draw_subject_term(const struct token *token, int claim, struct term *term)
{
    *term = (struct term){.claim = claim == CLAIM_SUBJECT ? CLAIM_SUBJECT + (int)draw(2) : claim,
                          .is_pattern = !happens(4)};
    snprintf(term->text, TEXT, "%s", token->subject);
    for (int i = 0; term->is_pattern && i < 3 && (i == 0 || happens(3)); i++)
        loosen_text(term->text);
}

static void pin_rule(const struct world *world, struct rule *rule)
{
    const char *tenant = tenant_names[world->identities[rule->identity].tenant];
    struct term *last = rule->terms + rule->term_count - 1;
    if (rule->subject[0] != '\0') {
        if (!oracle_is_pinned(world, rule))
            snprintf(rule->subject, TEXT, "repo:%s/%s", tenant, PICK(apps));
    } else if (rule->term_count == 1 || happens(2)) {
        rule->terms[0].is_pattern = true;
        snprintf(rule->terms[0].text, TEXT, "repo:%s/%s", tenant, happens(3) ? "x*" : "*");
    } else {
        *last = (struct term){.claim = CLAIM_OWNER};
        snprintf(last->text, TEXT, "%s", tenant);
    }
}

/* Mostly so that it is about the token that it is drawn after. */
static void draw_scope(const struct world *world, const struct token *like, struct rule *rule)
{
    rule->identity = (int)draw(IDENTITIES);
    for (int i = 0; i < 2 && world->identities[rule->identity].tenant != like->tenant; i++)
        rule->identity = (int)draw(IDENTITIES);
    rule->group = happens(3) ? (int)draw(GROUPS) : -1;
    for (int i = 0; rule->group >= 0 && i < 2 && world->members[rule->group][like->signer] == 0; i++)
        rule->group = (int)draw(GROUPS);
    rule->record = rule->group >= 0 ? -1 : happens(4) ? (int)draw(RECORDS) : like->signer;
}

/* Those that may be it: one text of another claim. */
static void draw_key_term(const struct world *world, struct rule *rule)
{
    rule->key_term = -1;
    for (int i = 0; i < rule->term_count; i++) {
        const struct term *term = &rule->terms[i];
        bool is_literal = !term->is_pattern || strpbrk(term->text, "*?") == NULL;
        if (is_literal && !is_on_subject(world, rule, term) && !happens(4))
            rule->key_term = i;
    }
}

void draw_rule(const struct world *world, struct rule *rule)
{
    const struct token *like = &world->tokens[draw(TOKENS)];
    draw_scope(world, like, rule);
    rule->subject[0] = '\0';
    rule->term_count = 0;
    if (happens(3)) {
        snprintf(rule->subject, TEXT, "%s", like->subject);
    } else {
        draw_subject_term(like, subject_claim_of(world, rule), &rule->terms[rule->term_count++]);
        while (rule->term_count < TERMS && !happens(3))
            draw_term(like, &rule->terms[rule->term_count++]);
    }
    if (!happens(3))
        pin_rule(world, rule);
    draw_key_term(world, rule);
    rule->uid = happens(12) ? PICK(uids) : NULL;
    rule->audience_count = draw_audiences(rule->audiences, 1);
    rule->is_enabled = !happens(12);
    rule->is_shadow = happens(12);
    rule->not_after = happens(6) ? NOW + (int64_t)draw(300) : 0;
}

/* --- the rest --- */

void draw_guards(const struct world *world, struct guards *guards)
{
    const struct token *like = &world->tokens[draw(TOKENS)];
    *guards = (struct guards){.is_single_audience = happens(8), .claim = -1};
    if (happens(6)) {
        guards->claim = (int)draw((unsigned)claim_form_count);
        draw_said(like, &claim_forms[guards->claim], guards->any_of[0]);
        snprintf(guards->any_of[1], TEXT, "%s", PICK(tenant_names));
    }
    if (happens(6)) {
        snprintf(guards->subject, TEXT, "%s", like->subject);
        loosen_text(guards->subject);
    }
}

void draw_route(struct route *route)
{
    route->issuer_groups = !happens(4) ? 0 : draw(1U << GROUPS);
    route->audience_count = happens(2) ? 0 : draw_audiences(route->audiences, 1);
    route->identities = !happens(3) ? 0 : draw(1U << IDENTITIES);
    route->groups = !happens(3) ? 0 : draw(1U << USER_GROUPS);
    route->issuers = !happens(3) ? 0 : draw(1U << RECORDS);
}

void draw_revocation(const struct world *world, struct revocation *revocation)
{
    const struct token *token = &world->tokens[draw(TOKENS)];
    revocation->by = happens(12) ? BY_ISSUER : (enum revoked)draw(BY_ISSUER);
    bool is_kid = revocation->by == BY_KID, is_identity = revocation->by == BY_IDENTITY;
    bool is_uid = revocation->by >= BY_ACCOUNT && revocation->by <= BY_NODE;
    const struct record *record = &world->records[draw(RECORDS)];
    const char *value = is_kid        ? record->kid
                        : is_identity ? world->identities[draw(IDENTITIES)].name
                        : is_uid      ? PICK(uids)
                                      : token->subject;
    if (revocation->by == BY_JTI)
        value = token->jti[0] != '\0' ? token->jti : "j";
    if (revocation->by == BY_ISSUER)
        value = record->name;
    snprintf(revocation->value, TEXT, "%s", value);
    revocation->record = revocation->by == BY_ISSUER ? (int)(record - world->records)
                         : happens(3)                ? (int)draw(RECORDS)
                                                     : -1;
    revocation->issued_before = happens(3) ? NOW - 100 - (int64_t)draw(4) : 0;
    revocation->until = happens(3) ? NOW + (int64_t)draw(300) : 0;
}

struct question draw_question(const struct world *world)
{
    struct question question = {.token = &world->tokens[draw(TOKENS)],
                                .is_single = happens(2),
                                .now = happens(64) ? world->now - 100 : world->now};
    const char *accepted[2];
    question.accepted_count = !happens(3) ? 0 : draw_audiences(accepted, 1);
    for (int i = 0; i < question.accepted_count; i++)
        question.accepted[i] = rely_slice_of(accepted[i]);
    if (happens(8))
        question.identity = rely_slice_of(happens(4) ? "nobody" : world->identities[draw(IDENTITIES)].name);
    if (happens(2))
        question.route = rely_slice_of(happens(32) ? "nowhere" : world->routes[draw(ROUTES)].name);
    return question;
}

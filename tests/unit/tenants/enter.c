/* The world's objects as records of the registry, and these as the next edition takes them up. */
#include "world.h"

#include "relyd/edition.h"
#include "relyd/expressions.h"
#include "relyd/token.h"

#include <stdio.h>

static struct rely_texts texts_of(struct world *world, const char *const *texts, int count)
{
    struct rely_slice *items = rely_pool_alloc(&world->pool, ((size_t)count + 1) * sizeof *items);
    for (int i = 0; i < count; i++)
        items[i] = rely_slice_of(texts[i]);
    return (struct rely_texts){items, (size_t)count};
}

/* Of some, by bits. */
static struct rely_texts named_texts(struct world *world, const char *const *names, int count, unsigned bits)
{
    const char *chosen[RECORDS + IDENTITIES];
    int chosen_count = 0;
    for (int i = 0; i < count; i++)
        if ((bits >> i & 1) != 0)
            chosen[chosen_count++] = names[i];
    return texts_of(world, chosen, chosen_count);
}

/* A quote once, where none ends the text. */
static const char *single_quotes(struct world *world, const char *text)
{
    char *single = rely_pool_alloc(&world->pool, strlen(text) + 1), *next = single;
    for (; *text != '\0'; text++)
        if (text[0] != '\'' || text[1] != '\'')
            *next++ = *text;
    *next = '\0';
    return single;
}

void enter_record(struct world *world, int record, const struct rely_keyset *keyset)
{
    static const struct rely_slice type = {"jwt", 3};
    const struct record *from = &world->records[record];
    const struct guards *guards = &from->guards;
    const struct rely_slice subject = rely_slice_of(guards->subject),
                            alias = rely_slice_of(from->alias == NULL ? "" : from->alias);
    const struct rely_slice any_of[] = {rely_slice_of(guards->any_of[0]), rely_slice_of(guards->any_of[1])};
    const struct rely_text_entry required = {
        rely_slice_of(guards->claim < 0 ? "" : single_quotes(world, claim_forms[guards->claim].written)), {any_of, 2}};
    const struct rely_issuer_record to = {.record = {.id = from->id},
                                          .name = rely_slice_of(from->name),
                                          .url = rely_slice_of(from->url),
                                          .key_source = RELY_KEYS_UPLOADED,
                                          .algorithms = RELY_ALGORITHMS_ALL,
                                          .types = {&type, 1},
                                          .leeway_s = LEEWAY,
                                          .subject_claim = rely_slice_of(claim_forms[from->subject_claim].written),
                                          .aliases = {&alias, from->alias != NULL},
                                          .required_claims = {&required, guards->claim >= 0},
                                          .is_single_audience = guards->is_single_audience,
                                          .pin_uid = RELY_PIN_OFF,
                                          .allowed_subjects = {&subject, subject.len > 0},
                                          .is_enabled = from->is_enabled};
    struct rely_issuer *issuer = rely_issuer_of_record(&to, false);
    issuer->keyset = keyset;
    issuer->keys_until_s = INT64_MAX;
    rely_snapshot_put_issuer(world->snapshot, issuer);
}

void enter_identity(struct world *world, int identity)
{
    const struct identity *from = &world->identities[identity];
    const struct rely_identity_record to = {.record = {.id = from->id},
                                            .name = rely_slice_of(from->name),
                                            .uid = RELY_LIT("00000000-0000-4000-8000-000000000001"),
                                            .username = rely_slice_of(from->name),
                                            .is_username_subject = from->is_username_subject,
                                            .groups = named_texts(world, user_group_names, USER_GROUPS, from->groups),
                                            .is_enabled = from->is_enabled};
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_IDENTITY, &to);
}

/* A quote twice, as the language wants it. */
static const char *double_quotes(struct world *world, const char *text)
{
    char *doubled = rely_pool_alloc(&world->pool, 2 * strlen(text) + 1), *next = doubled;
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            *next++ = '\'';
        *next++ = *text;
    }
    *next = '\0';
    return doubled;
}

struct rely_slice print_expression(struct world *world, const struct rule *rule)
{
    struct rely_slice text = RELY_LIT("");
    for (int i = 0; i < rule->term_count; i++) {
        const struct term *term = &rule->terms[i];
        text = rely_pool_printf(&world->pool, "%.*s%sclaims['%s'] %s '%s'", RELY_ARG(text), i == 0 ? "" : " and ",
                                claim_forms[term->claim].written, term->is_pattern ? "matches" : "eq",
                                double_quotes(world, term->text));
    }
    return text;
}

/* As it stands in a row. */
static struct rely_slice print_key(struct world *world, const struct term *term)
{
    struct rely_slice text = RELY_LIT("");
    for (const char *const *name = claim_forms[term->claim].path; *name != NULL; name++)
        text = rely_pool_printf(&world->pool, "%.*s%s%c", RELY_ARG(text), *name, RELY_KEY_SEPARATOR);
    return rely_pool_printf(&world->pool, "%.*s%s", RELY_ARG(text), term->text);
}

void enter_rule(struct world *world, const struct rule *rule)
{
    struct rely_credential_record to = {
        .record = {.id = rule->id, .parent_id = world->identities[rule->identity].id},
        .name = rely_slice_of(rule->name),
        .issuer_id = rule->record < 0 ? 0 : world->records[rule->record].id,
        .group_id = rule->group < 0 ? 0 : rule->group + 1,
        .subject_claim = rely_slice_of(claim_forms[subject_claim_of(world, rule)].written),
        .audiences = texts_of(world, rule->audiences, rule->audience_count),
        .is_enabled = rule->is_enabled,
        .not_after = rule->not_after,
        .mode = rule->is_shadow ? RELY_MODE_SHADOW : RELY_MODE_ENFORCE,
    };
    if (rule->subject[0] != '\0')
        to.subject = rely_slice_of(rule->subject);
    else
        to.expression = print_expression(world, rule);
    if (rule->uid != NULL)
        to.account_uid = rely_slice_of(rule->uid);
    if (rule->key_term >= 0)
        to.match_key = print_key(world, &rule->terms[rule->key_term]);
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_CREDENTIAL, &to);
}

void enter_route(struct world *world, const struct route *route)
{
    const char *records[RECORDS], *identities[IDENTITIES];
    for (int i = 0; i < RECORDS; i++)
        records[i] = world->records[i].name;
    for (int i = 0; i < IDENTITIES; i++)
        identities[i] = world->identities[i].name;
    const struct rely_route_record to = {
        .record = {.id = route->id},
        .name = rely_slice_of(route->name),
        .audiences = texts_of(world, route->audiences, route->audience_count),
        .identities = named_texts(world, identities, IDENTITIES, route->identities),
        .groups = named_texts(world, user_group_names, USER_GROUPS, route->groups),
        .issuers = named_texts(world, records, RECORDS, route->issuers),
        .issuer_groups = named_texts(world, group_names, GROUPS, route->issuer_groups),
        .caller_audiences = RELY_AUDIENCES_NARROW,
        .mode = RELY_MODE_ENFORCE,
    };
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_ROUTE, &to);
}

void enter_revocation(struct world *world, const struct revocation *revocation)
{
    struct rely_revocation_record to = {.record = {.id = revocation->id},
                                        .name = RELY_LIT("revocation"),
                                        .issued_before = revocation->issued_before,
                                        .until_at = revocation->until};
    struct rely_slice *const marks[REVOKED_COUNT] = {
        [BY_JTI] = &to.jti,     [BY_SUBJECT] = &to.subject,   [BY_ACCOUNT] = &to.account_uid,
        [BY_POD] = &to.pod_uid, [BY_SECRET] = &to.secret_uid, [BY_NODE] = &to.node_uid,
        [BY_KID] = &to.kid,     [BY_IDENTITY] = &to.identity, [BY_ISSUER] = &to.issuer_name,
    };
    if (revocation->record >= 0)
        to.issuer_name = rely_slice_of(world->records[revocation->record].name);
    *marks[revocation->by] = rely_slice_of(revocation->value);
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_REVOCATION, &to);
}

void enter_group(struct world *world, int group)
{
    const struct rely_issuer_group_record to = {.record = {.id = group + 1}, .name = rely_slice_of(group_names[group])};
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_ISSUER_GROUP, &to);
}

void enter_member(struct world *world, int group, int record)
{
    int64_t *id = &world->members[group][record];
    bool is_project = world->records[record].subject_claim == CLAIM_PROJECT;
    if (is_project != (group == PROJECT_GROUP))
        return; /* the registry refuses that */
    if (*id != 0) {
        take_out(world, RELY_OBJECT_ISSUER_GROUP_MEMBER, *id);
        *id = 0;
        return;
    }
    *id = world->next_id++;
    const struct rely_issuer_group_member_record to = {.record = {.id = *id, .parent_id = group + 1},
                                                       .issuer_id = world->records[record].id};
    rely_snapshot_carry(world->snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, &to);
}

void take_out(struct world *world, enum rely_object object, int64_t id)
{
    bool is_there = rely_snapshot_remove(world->snapshot, object, id);
    RELY_ASSERT(is_there);
}

/* A case as somebody reads it who looks for what is wrong. */
#include "world.h"

#include "../mint/mint.h"

#include <stdio.h>

static void show_texts(const char *name, const char *const *texts, int count)
{
    printf(" %s", name);
    for (int i = 0; i < count; i++)
        printf("%s%s", i == 0 ? "=" : ",", texts[i]);
}

static void show_rule(struct world *world, const struct rule *rule)
{
    printf("  rule %s (%lld) of %s (tenant %s) for %s:", rule->name, (long long)rule->id,
           world->identities[rule->identity].name, tenant_names[world->identities[rule->identity].tenant],
           rule->record >= 0 ? world->records[rule->record].name : group_names[rule->group]);
    if (rule->subject[0] != '\0')
        printf(" subject %s", rule->subject);
    else
        printf(" %.*s; found by term %d", RELY_ARG(print_expression(world, rule)), rule->key_term);
    show_texts("audiences", rule->audiences, rule->audience_count);
    printf("%s%s%s notAfter=%lld uid=%s\n", rule->is_enabled ? "" : " disabled", rule->is_shadow ? " shadow" : "",
           oracle_is_pinned(world, rule) ? " pinned" : "", (long long)rule->not_after,
           rule->uid == NULL ? "any" : rule->uid);
}

static void show_registry(struct world *world)
{
    for (const struct record *record = world->records; record < world->records + RECORDS; record++) {
        printf("  issuer %s (%lld) iss %s alias %s subject in %s; one audience %d, claim %d of %s,%s, subject %s; kid "
               "%s%s%s",
               record->name, (long long)record->id, record->url, record->alias == NULL ? "none" : record->alias,
               claim_forms[record->subject_claim].written, record->guards.is_single_audience, record->guards.claim,
               record->guards.any_of[0], record->guards.any_of[1], record->guards.subject, record->kid,
               record->tenant < 0 ? " shared" : "", record->is_enabled ? "" : " disabled");
        for (int i = 0; i < GROUPS; i++)
            if (world->members[i][record - world->records] != 0)
                printf(" in %s", group_names[i]);
        printf("\n");
    }
    for (const struct identity *identity = world->identities; identity < world->identities + IDENTITIES; identity++)
        printf("  identity %s (%lld) groups %x%s%s\n", identity->name, (long long)identity->id, identity->groups,
               identity->is_enabled ? "" : " disabled", identity->is_username_subject ? " usernameFrom subject" : "");
    for (const struct rule *rule = world->rules; rule < world->rules + RULES; rule++)
        if (rule->id != 0)
            show_rule(world, rule);
    for (const struct route *route = world->routes; route < world->routes + ROUTES; route++) {
        printf("  route %s identities %x groups %x issuers %x of groups %x", route->name, route->identities,
               route->groups, route->issuers, route->issuer_groups);
        show_texts("audiences", route->audiences, route->audience_count);
        printf("\n");
    }
    for (int i = 0; i < REVOCATIONS; i++) {
        const struct revocation *revocation = &world->revocations[i];
        if (revocation->id != 0)
            printf("  revocation sort %d of %s, issuer %s, issuedBefore %lld, until %lld\n", (int)revocation->by,
                   revocation->value, revocation->record < 0 ? "any" : world->records[revocation->record].name,
                   (long long)revocation->issued_before, (long long)revocation->until);
    }
}

void show_case(struct world *world, const struct question *question)
{
    const struct token *token = question->token;
    printf("at %lld, route %.*s, identity %.*s, %s, accepted", (long long)question->now, RELY_ARG(question->route),
           RELY_ARG(question->identity), question->is_single ? "single" : "all");
    for (int i = 0; i < question->accepted_count; i++)
        printf(" %.*s", RELY_ARG(question->accepted[i]));
    printf("\n  token of tenant %s, signed by %s, iss %s kid %s: %.*s\n", tenant_names[token->tenant],
           world->records[token->signer].name, token->iss, token->kid, RELY_ARG(mint_part(token->text, 1)));
    show_registry(world);
}

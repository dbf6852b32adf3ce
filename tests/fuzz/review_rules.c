/* See review_rules.h and choices.h. */
#include "review_rules.h"

#include "choices.h"
#include "mint.h"
#include "oracle.h"

#include "relyd/edition.h"
#include "relyd/expressions.h"
#include "relyd/pool.h"

#include <stdio.h>

static const uint8_t *input;
static size_t input_left;

void choices_begin(const uint8_t *data, size_t size)
{
    input = data;
    input_left = size;
}

unsigned choose(unsigned count)
{
    if (input_left == 0)
        return 0;
    input_left--;
    return *input++ % count;
}

const char *choose_text(const char *const *texts, unsigned count)
{
    return texts[choose(count)];
}

const char *choose_bytes(unsigned most)
{
    size_t len = choose(most + 1);
    len = len < input_left ? len : input_left;
    struct rely_slice bytes = mint_copy(rely_slice((const char *)input, len));
    input += len;
    input_left -= len;
    return mint_print("%.*s", RELY_ARG(bytes));
}

/* --- rules --- */

/* Mostly one of a few, which tokens nearly fit; now and then what the input says, if it is one at all. */
static const char *choose_expression(void)
{
    if (choose(4) == 3)
        return mint_print("claims['sub'] matches '?*' and %s", choose_bytes(96));
    const char *subject =
        CHOOSE_TEXT("claims['sub'] eq 's'", "claims['/sub'] matches 's*'", "claims['sub'] matches '*:t'",
                    "claims['sub'] matches 'system:*' and claims['/sub'] matches '*t'");
    const char *other =
        CHOOSE_TEXT("", " and claims['c'] eq 'one'", " and claims['c'] matches 'o?e'", " and claims['l'] eq 'two'",
                    " and claims['/l/1'] eq 'two'", " and claims['/l'] matches 't*' and claims['c'] eq ''",
                    " and claims['aud'] eq 'x'");
    return mint_print("%s%s", subject, other);
}

/* The last, or none: any that tells rules apart will do. */
static int8_t choose_key_term(const struct rely_expression *expression)
{
    int8_t chosen = -1;
    for (int8_t i = 0; i < expression->term_count; i++)
        if (rely_term_tells_apart(expression, (size_t)i, RELY_SUBJECT_CLAIM) && choose(4) != 3)
            chosen = i;
    return chosen;
}

static void choose_rule(struct rules *rules, struct rule *rule, unsigned record_count, unsigned identity_count)
{
    *rule = (struct rule){.identity = 100 + choose(identity_count)};
    rule->record = 1 + choose(record_count);
    if (choose(4) == 3) {
        rule->record = 0;
        rule->group = 1 + choose(GROUPS);
    }
    rule->subject = CHOOSE_TEXT("s", "s", "system:t");
    if (choose(2) == 1) {
        rule->subject = NULL;
        rule->expression = choose_expression();
    }
    rules->count++;
}

static const char *name_rule(const struct rules *rules, const struct rule *rule)
{
    return mint_print("rule-%d", (int)(rule - rules->items));
}

static void put_rule(const struct rules *rules, struct rule *rule, struct rely_snapshot *const snapshots[2])
{
    struct rely_slice audiences[] = {rely_slice_of(CHOOSE_TEXT("x", "y", "z")), rely_slice_of(CHOOSE_TEXT("x", "y"))};
    struct rely_credential made = {.id = FIRST_RULE + (rule - rules->items),
                                   .scope = rule->record != 0 ? rule->record : rely_scope_of_group(rule->group),
                                   .identity_id = rule->identity,
                                   .name = rely_slice_of(name_rule(rules, rule)),
                                   .subject_term = -1,
                                   .key_term = -1,
                                   .audiences = audiences,
                                   .audience_count = 1 + choose(2),
                                   .is_enabled = true};
    struct rely_pool pool;
    struct rely_expression_fault fault;
    rely_pool_init(&pool);
    if (rule->expression != NULL &&
        !rely_expression_parse(rely_slice_of(rule->expression), &pool, &made.expression, &fault)) {
        rule->expression = NULL;
        rule->subject = "s";
    }
    if (rule->expression == NULL) {
        made.subject = rely_slice_of(rule->subject);
    } else {
        made.subject_term = rely_expression_term_on(made.expression, RELY_SUBJECT_CLAIM);
        made.key_term = choose_key_term(made.expression);
    }
    for (int i = 0; i < 2; i++)
        rely_snapshot_put_credential(snapshots[i], rely_credential_copy(&made));
    rely_pool_fini(&pool);
}

void put_rules(struct rules *rules, struct rely_snapshot *const snapshots[2], unsigned record_count,
               unsigned identity_count)
{
    unsigned count = (1 + choose(RULES + 1)) % (RULES + 1);
    for (unsigned i = 0; i < count; i++) {
        choose_rule(rules, &rules->items[i], record_count, identity_count);
        put_rule(rules, &rules->items[i], snapshots);
    }
    for (unsigned group = 0; group < GROUPS; group++)
        for (unsigned record = 0; record < record_count; record++)
            if (choose(2) == 1)
                toggle_member(rules, snapshots, group, record);
}

void toggle_member(struct rules *rules, struct rely_snapshot *const snapshots[2], unsigned group, unsigned record)
{
    bool *is_member = &rules->is_member[group][record];
    int64_t id = FIRST_MEMBER + group * RECORDS + record;
    const struct rely_issuer_group_member_record member = {.record = {.id = id, .parent_id = group + 1},
                                                           .issuer_id = record + 1};
    for (int i = 0; i < 2; i++) {
        if (*is_member)
            rely_snapshot_remove(snapshots[i], RELY_OBJECT_ISSUER_GROUP_MEMBER, id);
        else
            rely_snapshot_carry(snapshots[i], RELY_OBJECT_ISSUER_GROUP_MEMBER, &member);
    }
    *is_member = !*is_member;
}

/* --- whether a token fits --- */

static bool is_claim(const struct oracle_term *term, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len && i < term->claim.count; i++)
        if (term->claim.codes[i] != (name[i] == '/' ? 0 : (unsigned char)name[i]))
            return false;
    return term->claim.count == len;
}

static bool fits_text(const struct oracle_term *term, const char *text)
{
    return text != NULL && oracle_matches(term, rely_slice_of(text));
}

static bool fits_list(const struct oracle_term *term, const char *name, const char *const *texts)
{
    if (is_claim(term, name))
        return fits_text(term, texts[0]) || fits_text(term, texts[1]);
    return (is_claim(term, mint_print("%s/0", name)) && fits_text(term, texts[0])) ||
           (is_claim(term, mint_print("%s/1", name)) && fits_text(term, texts[1]));
}

static bool fits_time(const struct oracle_term *term, const char *name, int64_t time)
{
    return time != 0 && is_claim(term, name) && fits_text(term, mint_print("%lld", (long long)time));
}

static bool fits_term(const struct oracle_term *term, const struct sent *sent)
{
    return (is_claim(term, "sub") && fits_text(term, sent->subject)) ||
           (is_claim(term, "iss") && fits_text(term, sent->iss)) ||
           (is_claim(term, "c") && fits_text(term, sent->said)) || fits_list(term, "l", sent->listed) ||
           fits_list(term, "aud", sent->aud) || fits_time(term, "exp", sent->exp) ||
           fits_time(term, "nbf", sent->nbf) || fits_time(term, "iat", sent->iat);
}

bool rule_fits(const struct rules *rules, const struct rule *rule, int64_t record, const struct sent *sent)
{
    bool is_in_scope = rule->record != 0 ? rule->record == record : rules->is_member[rule->group - 1][record - 1];
    if (!is_in_scope || rule->is_hidden)
        return false;
    if (rule->subject != NULL)
        return strcmp(rule->subject, sent->subject) == 0;
    const struct oracle_expression *expression = oracle_parse(rely_slice_of(rule->expression));
    RELY_ASSERT(expression->column == 0);
    for (size_t i = 0; i < expression->term_count; i++)
        if (!fits_term(&expression->terms[i], sent))
            return false;
    return true;
}

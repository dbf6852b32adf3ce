/*
 * By what rules by expression are found: the scope, the literal prefix of what they want of the subject, and of their
 * `eq` terms on other claims the one that was chosen when it was written, which the fewest others share. So ten
 * thousand repositories of one owner, which have one prefix, are told apart. Decides nothing; whether a token matches,
 * the expression says. Called by index.c, and by whoever looks for rules.
 */
#include "edit.h"
#include "tally.h"

#include "relyd/expressions.h"
#include "relyd/text.h"

/* What tallies are of. */
#define OF_SCOPES 1   /* which lengths its prefixes have, in bytes: a word is a uint16_t */
#define OF_PREFIXES 2 /* by which claims those of a prefix are told apart; "": by none */
#define OF_ALL 3      /* which claims any rule or route asks for */
#define OF_RULES 4

static uint64_t hash_scope(int64_t scope)
{
    return rely_hash(rely_slice((const char *)&scope, sizeof scope), OF_SCOPES);
}

static uint64_t hash_prefix(int64_t scope, struct rely_slice prefix)
{
    return rely_hash(prefix, hash_scope(scope) + OF_PREFIXES);
}

/* Ten thousand routes may ask for claims of their own: what is counted is in parts, so that one more copies few. */
#define PARTS_OF_ALL 64

static uint64_t hash_part(size_t part)
{
    return rely_hash(rely_slice((const char *)&part, sizeof part), OF_ALL);
}

/* In: prefix - its hash. claim - empty: told apart by none. */
static uint64_t hash_place(uint64_t prefix, struct rely_slice claim, struct rely_slice text)
{
    return rely_hash(text, rely_hash(claim, prefix + OF_RULES));
}

/* --- which term ----------------------------------------------------------------------------------------------- */

bool rely_term_tells_apart(const struct rely_expression *expression, size_t term, struct rely_slice subject)
{
    struct rely_slice claim = rely_term_claim(expression, term);
    return rely_term_is_literal(expression, term) && claim.len > 0 && !rely_slice_equal(claim, subject);
}

int8_t rely_expression_term_on(const struct rely_expression *expression, struct rely_slice claim)
{
    for (int8_t i = 0; i < expression->term_count; i++)
        if (rely_slice_equal(rely_term_claim(expression, (size_t)i), claim))
            return i;
    return -1;
}

struct rely_slice rely_rule_prefix(const struct rely_credential *rule)
{
    if (rule->subject_term < 0)
        return RELY_LIT("");
    return rely_expression_prefix(rule->expression, rely_term_claim(rule->expression, (size_t)rule->subject_term));
}

static uint64_t hash_rule_place(const struct rely_credential *credential)
{
    int8_t term = credential->key_term;
    const struct rely_expression *expression = credential->expression;
    uint64_t prefix = hash_prefix(credential->scope, rely_rule_prefix(credential));
    if (term < 0)
        return hash_place(prefix, RELY_LIT(""), RELY_LIT(""));
    return hash_place(prefix, rely_term_claim(expression, (size_t)term), rely_term_text(expression, (size_t)term));
}

/* --- putting and removing ----------------------------------------------------------------------------------------- */

void rely_asked_claim_edit(struct rely_snapshot *next, struct rely_slice claim, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    if (!rely_tally_change(&next->tallies, &edit, hash_part(rely_hash(claim, OF_ALL) % PARTS_OF_ALL), claim,
                           is_removal))
        return;
    next->asked_count += is_removal ? SIZE_MAX : 1;
    if (!is_removal)
        next->asked_edition = next->edition;
}

static void change_words(struct rely_snapshot *next, const struct rely_credential *credential, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    const struct rely_expression *expression = credential->expression;
    struct rely_slice prefix = rely_rule_prefix(credential);
    uint16_t len = (uint16_t)prefix.len;
    struct rely_slice claim =
        credential->key_term < 0 ? RELY_LIT("") : rely_term_claim(expression, (size_t)credential->key_term);
    rely_tally_change(&next->tallies, &edit, hash_scope(credential->scope), rely_slice((const char *)&len, sizeof len),
                      is_removal);
    rely_tally_change(&next->tallies, &edit, hash_prefix(credential->scope, prefix), claim, is_removal);
    for (size_t i = 0; i < expression->term_count; i++)
        rely_asked_claim_edit(next, rely_term_claim(expression, i), is_removal);
}

void rely_expression_index_edit(struct rely_snapshot *next, const void *item, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    const struct rely_credential *credential = item;
    if (credential->expression == NULL)
        return;
    uint64_t hash = hash_rule_place(credential);
    change_words(next, credential, is_removal);
    if (is_removal)
        rely_map_remove(&next->expressions, &edit, hash, credential);
    else
        rely_map_put(&next->expressions, &edit, hash, credential);
}

void rely_expression_index_fini(struct rely_snapshot *last)
{
    rely_tally_free_all(&last->tallies);
    rely_map_fini(&last->expressions);
}

/* --- look-ups ---------------------------------------------------------------------------------------------------- */

struct looking {
    const struct rely_snapshot *snapshot;
    const struct rely_expression_query *query;
    void (*visit)(const struct rely_credential *credential, void *context);
    void *context;
};

static void visit_place(const struct looking *looking, uint64_t hash)
{
    size_t cursor = 0;
    const struct rely_credential *credential;
    while ((credential = rely_map_find(&looking->snapshot->expressions, hash, &cursor)) != NULL)
        if (credential->scope == looking->query->scope)
            looking->visit(credential, looking->context);
}

static void visit_prefix(const struct looking *looking, struct rely_slice prefix)
{
    uint64_t hash = hash_prefix(looking->query->scope, prefix);
    const struct rely_tally *claims = rely_tally_find(&looking->snapshot->tallies, hash);
    for (size_t i = 0; claims != NULL && i < claims->count; i++) {
        struct rely_slice claim = rely_tally_word(claims, i);
        if (claim.len == 0) {
            visit_place(looking, hash_place(hash, claim, claim));
            continue;
        }
        struct rely_claim_value value = looking->query->said->of_claim(looking->query->said->context, claim);
        for (size_t k = 0; k < value.count; k++)
            visit_place(looking, hash_place(hash, claim, value.texts[k]));
    }
}

void rely_snapshot_each_expression(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                                   void (*visit)(const struct rely_credential *credential, void *context),
                                   void *context)
{
    const struct looking looking = {snapshot, query, visit, context};
    const struct rely_tally *lengths = rely_tally_find(&snapshot->tallies, hash_scope(query->scope));
    for (size_t i = 0; lengths != NULL && i < lengths->count; i++) {
        uint16_t len;
        memcpy(&len, rely_tally_word(lengths, i).ptr, sizeof len);
        if (len <= query->subject.len)
            visit_prefix(&looking, rely_slice(query->subject.ptr, len));
    }
}

void rely_snapshot_each_place(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                              void (*visit)(struct rely_slice prefix, struct rely_slice claim, void *context),
                              void *context)
{
    const struct rely_tally *lengths = rely_tally_find(&snapshot->tallies, hash_scope(query->scope));
    size_t count = lengths == NULL ? 0 : lengths->count;
    for (size_t i = 0; i < count; i++) {
        uint16_t len;
        memcpy(&len, rely_tally_word(lengths, i).ptr, sizeof len);
        if (len > query->subject.len)
            continue;
        struct rely_slice prefix = rely_slice(query->subject.ptr, len);
        const struct rely_tally *claims = rely_tally_find(&snapshot->tallies, hash_prefix(query->scope, prefix));
        for (size_t k = 0; claims != NULL && k < claims->count; k++)
            visit(prefix, rely_tally_word(claims, k), context);
    }
}

void rely_snapshot_each_asked_claim(const struct rely_snapshot *snapshot,
                                    void (*visit)(struct rely_slice claim, void *context), void *context)
{
    for (size_t part = 0; part < PARTS_OF_ALL; part++) {
        const struct rely_tally *claims = rely_tally_find(&snapshot->tallies, hash_part(part));
        for (size_t i = 0; claims != NULL && i < claims->count; i++)
            visit(rely_tally_word(claims, i), context);
    }
}

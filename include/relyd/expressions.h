/*
 * expressions: rules by expression, as reviews find them: by the literal prefix of the subject's pattern, and there by
 * what they want of another claim. Part of a snapshot.
 */
#ifndef RELYD_EXPRESSIONS_H
#define RELYD_EXPRESSIONS_H

#include "relyd/expression.h"

struct rely_credential;
struct rely_snapshot;

/* Of a term that is kept as a text: between the names of its claim, and behind them. No name has it. */
#define RELY_KEY_SEPARATOR '\x1f'

/* May a rule be found by this term: one that wants one text of another claim than the subject's? In: subject - that
 * claim, as rely_claim_parse makes it. */
bool rely_term_tells_apart(const struct rely_expression *expression, size_t term, struct rely_slice subject);

/* The first term on this claim; -1: there is none. */
int8_t rely_expression_term_on(const struct rely_expression *expression, struct rely_slice claim);

/* What every subject begins with that a rule by expression lets in; it has one. */
struct rely_slice rely_rule_prefix(const struct rely_credential *rule);

/* What a token says, for whoever asks for a claim by its name. */
struct rely_said {
    struct rely_claim_value (*of_claim)(void *context, struct rely_slice claim);
    void *context;
};

/* Where is looked, and for what. */
struct rely_expression_query {
    const int64_t *scopes;
    size_t scope_count;
    struct rely_slice subject;
    const struct rely_said *said;
};

/**
 * Visit the rules of some scopes whose expression a token may match: whoever is visited asks it.
 *
 * In:       visit - may be given one twice, where a list says one thing twice.
 * Cost:     one look-up for each length of prefix that a scope's expressions have and the subject reaches, and for each
 *           claim by which those of such a prefix are told apart; then one for each rule that is visited. The memory of
 *           many look-ups is waited for once.
 */
void rely_snapshot_each_expression(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                                   void (*visit)(const struct rely_credential *credential, void *context),
                                   void *context);

/* Visit what rules of the first of the scopes are looked for by that a subject reaches: a prefix that some may have, and each claim by
 * which those that have it are told apart, "" for those that are found by it alone. In: query - said is not asked. */
void rely_snapshot_each_place(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                              void (*visit)(struct rely_slice prefix, struct rely_slice claim, void *context),
                              void *context);

/* Visit each claim that some rule or route asks for, the subject where one does. */
void rely_snapshot_each_asked_claim(const struct rely_snapshot *snapshot,
                                    void (*visit)(struct rely_slice claim, void *context), void *context);

#endif

/*
 * Rules by expression beside others: that one is not so broad that it stands for everybody, that an identity has it once,
 * by which of its terms it is found, and that not too many are found together. Called by rules.c.
 */
#include "relyd/expressions.h"
#include "inside.h"
#include "relyd/issuer_group.h"
#include "relyd/text.h"
#include <stdlib.h>

/* --- once in an identity ----------------------------------------------------------------------------------------- */

struct looking_for_same {
    const struct rely_writing *write;
    struct rely_err *err;
};

static bool refuse_same(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct looking_for_same *looking = context;
    (void)parent;
    return record->record.id == looking->write->after.record.id ||
           rely_write_refuse(looking->write->result, looking->err, RELY_ERR_CONFLICT, "duplicate_issuer_and_expression",
                             "the identity has this %s and expression already, in its credential %.*s",
                             looking->write->after.credential.group_id != 0 ? "group" : "issuer",
                             RELY_ARG(record->credential.name));
}

bool rely_expressions_check(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_credential_record *credential = &write->after.credential;
    struct looking_for_same looking = {write, err};
    const struct rely_stored_asked asked = {.question = RELY_STORED_BY_EXPRESSION,
                                            .other = credential->record.parent_id,
                                            .number = rely_scope_of_record(credential),
                                            .text = credential->expression};
    return rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){refuse_same, &looking}, err);
}

/* --- by which term ------------------------------------------------------------------------------------------------- */

/* Claim and text as one column has them: U+001F in place of U+0000, and in front of the text. Neither stands in either. */
struct rely_slice rely_expressions_print_key(struct rely_slice claim, struct rely_slice text, struct rely_pool *pool)
{
    struct rely_buf key = {0};
    rely_buf_put(&key, claim);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] == '\0')
            key.ptr[i] = RELY_KEY_SEPARATOR;
    rely_buf_putc(&key, RELY_KEY_SEPARATOR);
    rely_buf_put(&key, text);
    struct rely_slice copy = rely_pool_copy(pool, rely_buf_slice(&key));
    rely_buf_fini(&key);
    return copy;
}

struct counting_alike {
    int64_t own_id;
    size_t count;
};

static bool count_alike(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct counting_alike *counting = context;
    (void)parent;
    counting->count += record->record.id != counting->own_id;
    return true;
}

/* How many are found with it by this key: of its prefix, and those of shorter ones that are found by it, or by none. */
static bool count_found_with(const struct rely_writing *write, struct rely_slice key, size_t *count,
                             struct rely_err *err)
{
    const struct rely_credential_record *credential = &write->after.credential;
    struct counting_alike counting = {credential->record.id, 0};
    const struct rely_stored_asked asked = {.question = RELY_STORED_ALIKE,
                                            .number = rely_scope_of_record(credential),
                                            .text = credential->match_prefix,
                                            .more = key,
                                            .limit = RELY_EXPRESSIONS_ALIKE_MAX + 1};
    bool is_read =
        rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){count_alike, &counting}, err);
    *count = counting.count;
    return is_read;
}

/* The expression of a credential that is bound, and the claim on which it must have a term. */
struct bound_expression {
    const struct rely_expression *expression;
    struct rely_slice subject; /* the claim, as rely_claim_parse makes it */
};

static bool read_bound(const struct rely_writing *write, struct bound_expression *out, struct rely_err *err)
{
    const struct rely_credential_record *credential = &write->after.credential;
    struct rely_expression_fault unused;
    out->subject = RELY_SUBJECT_CLAIM;
    return (rely_expression_parse(credential->expression, write->body.pool, &out->expression, &unused) &&
            (credential->subject_claim.ptr == NULL ||
             rely_claim_parse(credential->subject_claim, write->body.pool, &out->subject, &unused))) ||
           rely_err_set(err, RELY_ERR_INVALID, "an expression or a claim that was read is none");
}

/* In: prefix - absent: no term is on the claim. */
static void note_too_broad(const struct rely_writing *write, struct rely_slice prefix)
{
    char quoted[RELY_QUOTED_SIZE];
    const struct rely_credential_record *credential = &write->after.credential;
    struct rely_slice claim = credential->subject_claim.ptr == NULL ? RELY_SUBJECT_CLAIM : credential->subject_claim;
    rely_problems_add(
        write->body.problems, "claimsMatchingExpression.value", "too_broad",
        "claimsMatchingExpression.value %s claim %.150s, which is the subject: whoever is let in, his must "
        "begin with something",
        prefix.ptr == NULL ? "says nothing of" : "matches anything in", rely_quote(claim, quoted));
}

/* Out: match_key - absent: it has no such term. count - how many it is found with. */
static bool choose_key(struct rely_writing *write, const struct bound_expression *bound, size_t *count,
                       struct rely_err *err)
{
    struct rely_credential_record *credential = &write->after.credential;
    const struct rely_expression *expression = bound->expression;
    struct rely_slice chosen = {NULL, 0};
    *count = SIZE_MAX;
    for (size_t i = 0; i < expression->term_count; i++) {
        size_t found = 0;
        if (!rely_term_tells_apart(expression, i, bound->subject))
            continue;
        struct rely_slice key =
            rely_expressions_print_key(rely_term_claim(expression, i), rely_term_text(expression, i), write->body.pool);
        if (!count_found_with(write, key, &found, err))
            return false;
        if (found < *count) {
            *count = found;
            chosen = key;
        }
    }
    credential->match_key = chosen;
    return chosen.ptr != NULL || count_found_with(write, chosen, count, err);
}

bool rely_expressions_bind(struct rely_writing *write, struct rely_err *err)
{
    const struct rely_credential_record *before = write->body.before;
    struct rely_credential_record *credential = &write->after.credential;
    struct bound_expression bound;
    if (rely_scope_of_record(credential) == 0) /* of nobody, which has been noted */
        return true;
    if (!read_bound(write, &bound, err))
        return false;
    bool is_refused = write->body.problems->count > 0;
    struct rely_slice prefix = rely_expression_prefix(bound.expression, bound.subject);
    credential->match_prefix = prefix.len == 0 ? RELY_LIT("") : prefix;
    if (prefix.len == 0 && rely_json_get(write->body.json, "claimsMatchingExpression") != NULL)
        note_too_broad(write, prefix); /* of a shorthand it has been said */
    if (before != NULL && rely_scope_of_record(before) == rely_scope_of_record(credential) &&
        rely_slice_same(before->expression, credential->expression)) {
        credential->match_key = before->match_key;
        return true;
    }
    size_t count = 0;
    if (is_refused)
        return true;
    if (!choose_key(write, &bound, &count, err))
        return false;
    return count < RELY_EXPRESSIONS_ALIKE_MAX ||
           rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "too_many_alike",
                             "%d expressions of this issuer or group begin like this one and cannot be told from it: "
                             "lengthen what stands in front of the first wildcard of the subject's claim, or add an "
                             "eq on another claim",
                             RELY_EXPRESSIONS_ALIKE_MAX);
}

/*
 * What an expression says of the values of a token's claims, and by what it is looked up. Decides whether all of its
 * terms match; not where the values come from (credentials/ knows). Called once for each expression that a review
 * finds.
 */
#include "relyd/expression.h"

#include "pattern.h"

struct rely_slice rely_expression_prefix(const struct rely_expression *expression, struct rely_slice claim)
{
    struct rely_slice longest = {0};
    for (size_t i = 0; i < expression->term_count; i++) {
        size_t len = expression->terms[i].literal_len;
        if (rely_slice_equal(rely_term_claim(expression, i), claim) && (longest.ptr == NULL || len > longest.len))
            longest = rely_slice(rely_term_text(expression, i).ptr, len);
    }
    return longest;
}

/* Has a text more characters than one may have that is compared? Counted where its bytes leave that open. */
static bool is_too_long_to_match(struct rely_slice text)
{
    if (text.len <= RELY_CLAIM_VALUE_MAX || text.len > 4 * (size_t)RELY_CLAIM_VALUE_MAX)
        return text.len > RELY_CLAIM_VALUE_MAX;
    return rely_pattern_count(text) > RELY_CLAIM_VALUE_MAX;
}

bool rely_text_matches(struct rely_slice pattern, struct rely_slice text)
{
    return text.ptr != NULL && !is_too_long_to_match(text) && rely_pattern_matches(pattern, text);
}

static bool does_term_match(const struct rely_expression *expression, size_t term, struct rely_slice text)
{
    struct rely_slice wanted = rely_term_text(expression, term);
    size_t len = expression->terms[term].literal_len;
    if (text.ptr == NULL)
        return false;
    if (len == wanted.len)
        return rely_slice_equal(text, wanted);
    if (!rely_slice_starts(text, rely_slice(wanted.ptr, len)) || is_too_long_to_match(text))
        return false;
    return rely_pattern_matches(rely_slice(wanted.ptr + len, wanted.len - len),
                                rely_slice(text.ptr + len, text.len - len));
}

bool rely_term_matches(const struct rely_expression *expression, size_t term, struct rely_claim_value value)
{
    for (size_t i = 0; i < value.count; i++)
        if (does_term_match(expression, term, value.texts[i]))
            return true;
    return false;
}

bool rely_expression_matches(const struct rely_expression *expression,
                             struct rely_claim_value (*value_of)(void *context, size_t term), void *context)
{
    for (size_t i = 0; i < expression->term_count; i++)
        if (!rely_term_matches(expression, i, value_of(context, i)))
            return false;
    return expression->term_count > 0;
}

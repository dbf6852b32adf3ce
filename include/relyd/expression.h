/*
 * expression: the language of claims matching expressions, `claims['sub'] matches 'repo:acme:*' and ...`. Read once,
 * when a rule is made, into one block of memory; asked of every token that may match. Knows neither tokens nor rules:
 * who asks hands in what a claim says.
 */
#ifndef RELYD_EXPRESSION_H
#define RELYD_EXPRESSION_H

#include "relyd/base.h"
#include "relyd/limits.h"

/* One condition on one claim. Places are in bytes, from where the expression's characters begin. */
struct rely_term {
    uint16_t claim_at, claim_len;
    uint16_t text_at, text_len;
    uint16_t literal_len; /* of the text in front of its first wildcard; with `eq` of all of it */
};

/* One block without pointers: its first `bytes` bytes, wherever they are copied to, are the same expression. Never
 * changed once it is made. */
struct rely_expression {
    uint16_t bytes;           /* of the block */
    uint16_t term_count;      /* 1 to RELY_EXPRESSION_TERMS_MAX */
    struct rely_term terms[]; /* behind them the characters */
};

/* What is wrong with an expression. */
struct rely_expression_fault {
    size_t column;        /* from 1, in characters as they were written */
    const char *expected; /* what should stand there: a static phrase, such as "`eq` or `matches`" */
};

/**
 * Read an expression.
 *
 * Spec:     expr := SP* term *( SP+ "and" SP+ term ) SP*
 *           term := "claims['" name "']" SP+ ( "eq" | "matches" ) SP+ "'" text "'"
 *           name := 1 to 200 characters: a claim at the top, or where it begins with `/` a JSON pointer (RFC 6901)
 *           text := 0 to 600 characters
 *           In both a quote is written twice, which counts once. Only SP (U+0020) separates. A control character
 *           (U+0000-1F, U+007F-9F: a tab, a line's end) stands nowhere, in names and texts neither. Words are lower
 *           case. At most 16 terms and 4,096 characters, which are Unicode code points.
 * In:       text - any bytes; what is no UTF-8 is refused.
 * Out:      *out - set only on true; from the pool. The same text makes the same bytes.
 *           *fault - set only on false: the first character of what is wrong, or behind the last one. A character that
 *           may stand nowhere, and the 4,097th, are said before anything else.
 * Cost:     two passes over the text.
 */
RELY_MUST_USE bool rely_expression_parse(struct rely_slice text, struct rely_pool *pool,
                                         const struct rely_expression **out, struct rely_expression_fault *fault);

/**
 * Read a claim's name alone, as an issuer's `subjectClaim` has it: what stands between the quotes in an expression, but
 * that no quote is written twice.
 *
 * Out:      *out - set only on true: the claim as rely_term_claim has it; from the pool.
 *           *fault - set only on false.
 */
RELY_MUST_USE bool rely_claim_parse(struct rely_slice name, struct rely_pool *pool, struct rely_slice *out,
                                    struct rely_expression_fault *fault);

/* Do both names, as they are written, mean one claim: `sub` and `/sub`? False for what is no name. */
bool rely_claim_is_same(struct rely_slice a, struct rely_slice b);

/* The shortest way to write a claim as rely_claim_parse makes it; copied into the pool. */
struct rely_slice rely_claim_spell(struct rely_slice claim, struct rely_pool *pool);

/* The claim that is the subject of a token, by which rules are looked up, where its issuer's record says no other. */
#define RELY_SUBJECT_CLAIM RELY_LIT("sub")

/**
 * What every value of a claim begins with that an expression matches: by this it is looked up.
 *
 * In:       claim - as rely_term_claim and rely_claim_parse have it.
 * Returns:  of its terms on the claim the longest text in front of a wildcard; borrowed from the expression. Empty when
 *           any value might match, which is too broad for a subject; absent when no term is on the claim.
 */
struct rely_slice rely_expression_prefix(const struct rely_expression *expression, struct rely_slice claim);

/* What a token says in one claim, as texts to compare. A string, number or boolean is one, as the token spells it
 * (without quotes, escapes decoded); a list is one for each such item; all else, and an absent claim, is none.
 * Zero-filled matches nothing. */
struct rely_claim_value {
    const struct rely_slice *texts; /* borrowed; UTF-8; an absent one matches nothing */
    size_t count;
};

/**
 * Does a token match an expression: each of its terms one text of its claim?
 *
 * Spec:     `eq`: byte for byte. `matches`: `*` is any run of characters, also none, `?` is exactly one, and nothing
 *           escapes them. A text of more than 2,048 characters matches nothing.
 * In:       value_of - what the token says in the claim of that term. Not asked for all terms when one does not match.
 * Cost:     for each text at most its characters x the pattern's / 64 steps; no allocation. 30 KiB of stack.
 */
RELY_MUST_USE bool rely_expression_matches(const struct rely_expression *expression,
                                           struct rely_claim_value (*value_of)(void *context, size_t term),
                                           void *context);

/* Does a text match a pattern, as `matches` has it? In: both UTF-8; pattern - at most RELY_TEXT_MAX characters. */
bool rely_text_matches(struct rely_slice pattern, struct rely_slice text);

/* Does one term, from 0, match one text of its claim? */
RELY_MUST_USE bool rely_term_matches(const struct rely_expression *expression, size_t term,
                                     struct rely_claim_value value);

/* Where the characters of its claims and texts begin. */
static inline const char *rely_expression_chars(const struct rely_expression *expression)
{
    return (const char *)(expression->terms + expression->term_count);
}

/* The claim of a term: its names from the top of the token downwards, with U+0000 between, which is in no name. So
 * `sub` and `/sub` are one claim, and a claim is told from others byte for byte. */
static inline struct rely_slice rely_term_claim(const struct rely_expression *expression, size_t term)
{
    const struct rely_term *found = expression->terms + term;
    return rely_slice(rely_expression_chars(expression) + found->claim_at, found->claim_len);
}

/* Cut the next name off a claim. In a list a name is the place of an item (RFC 6901 s4). False behind the last one,
 * when *rest is absent. */
static inline bool rely_claim_cut(struct rely_slice *rest, struct rely_slice *name)
{
    if (rest->ptr == NULL)
        return false;
    const char *end = (const char *)memchr(rest->ptr, '\0', rest->len);
    *name = rely_slice(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
    *rest = end == NULL ? (struct rely_slice){0} : rely_slice(end + 1, rest->len - name->len - 1);
    return true;
}

/* The text of a term; with `matches` a pattern. */
static inline struct rely_slice rely_term_text(const struct rely_expression *expression, size_t term)
{
    const struct rely_term *found = expression->terms + term;
    return rely_slice(rely_expression_chars(expression) + found->text_at, found->text_len);
}

/* Does it match exactly one text, its own: `eq`, or a pattern without a wildcard? */
static inline bool rely_term_is_literal(const struct rely_expression *expression, size_t term)
{
    return expression->terms[term].literal_len == expression->terms[term].text_len;
}

#endif

/*
 * Rules by expression beside a token that they do not match: where such are looked for that it nearly matches, and which
 * of a rule's terms is the first that it does not, with both sides. Decides nothing. Called by explain.c and
 * explain_near.c.
 */
#include "explain.h"
#include "near.h"
#include "relyd/expressions.h"
#include "relyd/issuer_group.h"
#include "relyd/pool.h"
#include "relyd/said.h"
#include "relyd/signature.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <stdio.h>

#define TEXTS_SHOWN 16
#define BYTES_SHOWN 600     /* of a text that a token says */
#define WANTED_SHOWN 60     /* of a term's text, in a sentence */
#define WEIGHT_OF_ABSENT 6  /* the token has no such claim */
#define WEIGHT_OF_PATTERN 3 /* it begins as the pattern does */
#define WEIGHT_OF_MORE 4    /* each further term that it does not match */

static struct rely_claim_value ask_token(const struct rely_explanation *explanation, struct rely_slice claim)
{
    return rely_claim_said(&explanation->verified->claims, claim, explanation->request->pool);
}

/* --- where to look ------------------------------------------------------------------------------------------------ */

struct finding_places {
    const struct rely_explanation *explanation;
    struct rely_explain_places *out;
    int64_t scope;
};

/* Those of longer prefixes are kept: a token that reaches further is nearer. */
static void keep_place(struct rely_slice prefix, struct rely_slice claim, void *context)
{
    struct finding_places *finding = context;
    struct rely_explain_places *out = finding->out;
    size_t at = out->count;
    while (at > 0 && out->items[at - 1].prefix.len < prefix.len)
        at--;
    if (at == RELY_PLACES_MAX)
        return;
    size_t moved = (out->count < RELY_PLACES_MAX ? out->count : RELY_PLACES_MAX - 1) - at;
    memmove(&out->items[at + 1], &out->items[at], moved * sizeof out->items[0]);
    out->count += out->count < RELY_PLACES_MAX ? 1 : 0;
    out->items[at] = (struct rely_near_place){.scope = finding->scope, .prefix = prefix, .claim = claim};
}

static void find_places_in(struct finding_places *finding, int64_t scope)
{
    const struct rely_explanation *explanation = finding->explanation;
    const struct rely_expression_query query = {&scope, 1, explanation->review->claims.subject, NULL};
    finding->scope = scope;
    finding->out->scopes[finding->out->scope_count++] = scope;
    rely_snapshot_each_place(explanation->snapshot, &query, keep_place, finding);
}

/* The edition may be gone when the registry is asked. */
static void copy_place(const struct rely_explanation *explanation, struct rely_near_place *place)
{
    struct rely_pool *pool = explanation->request->pool;
    const struct rely_claim_value value = ask_token(explanation, place->claim);
    place->prefix = rely_pool_copy(pool, place->prefix);
    place->claim = rely_pool_copy(pool, place->claim);
    place->text = value.count == 0 ? RELY_LIT("") : rely_pool_copy(pool, value.texts[0]);
}

void rely_explain_find_places(const struct rely_explanation *explanation, struct rely_explain_places *out)
{
    struct finding_places finding = {.explanation = explanation, .out = out};
    const struct rely_membership *membership;
    int64_t issuer_id = explanation->review->issuer->id;
    size_t cursor = 0;
    *out = (struct rely_explain_places){.count = 0};
    if (explanation->snapshot->expressions.count == 0)
        return;
    find_places_in(&finding, issuer_id);
    while (out->scope_count <= RELY_GROUPS_PER_ISSUER_MAX &&
           (membership = rely_snapshot_membership(explanation->snapshot, issuer_id, &cursor)) != NULL)
        find_places_in(&finding, rely_scope_of_group(membership->group_id));
    for (size_t i = 0; i < out->count; i++)
        copy_place(explanation, &out->items[i]);
}

/* --- terms --------------------------------------------------------------------------------------------------------- */

/* In quotes of the language: a quote is doubled. `~` and `/` are a pointer's own. */
static void put_in_quotes(struct rely_buf *out, struct rely_slice text, bool is_of_pointer)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_of_pointer && (c == '~' || c == '/')) {
            rely_buf_printf(out, "~%c", c == '~' ? '0' : '1');
            continue;
        }
        if (c == '\'')
            rely_buf_putc(out, c);
        rely_buf_putc(out, c);
    }
}

/* The claim as people write it: a name, or where it lies deeper a pointer. */
static void put_claim(struct rely_buf *out, struct rely_slice claim)
{
    struct rely_slice name;
    bool is_pointer = memchr(claim.ptr, '\0', claim.len) != NULL || claim.len == 0 || claim.ptr[0] == '/';
    rely_buf_printf(out, "claims['");
    while (rely_claim_cut(&claim, &name)) {
        if (is_pointer)
            rely_buf_putc(out, '/');
        put_in_quotes(out, name, is_pointer);
    }
    rely_buf_printf(out, "']");
}

/* Cut where a character begins. */
static struct rely_slice cut_shown_text(struct rely_slice text, size_t most)
{
    if (text.len <= most)
        return text;
    while (most > 0 && ((unsigned char)text.ptr[most] & 0xc0) == 0x80)
        most--;
    return rely_slice(text.ptr, most);
}

/* In: most - bytes of its text. */
static void put_shown_term(struct rely_buf *out, const struct rely_expression *expression, size_t term, size_t most)
{
    struct rely_slice text = rely_term_text(expression, term);
    put_claim(out, rely_term_claim(expression, term));
    rely_buf_printf(out, " %s '", rely_term_is_literal(expression, term) ? "eq" : "matches");
    put_in_quotes(out, cut_shown_text(text, most), false);
    rely_buf_printf(out, text.len > most ? "...'" : "'");
}

static struct rely_json *show_expression(const struct rely_expression *expression)
{
    struct rely_buf text = {0};
    for (size_t i = 0; i < expression->term_count; i++) {
        if (i > 0)
            rely_buf_printf(&text, " and ");
        put_shown_term(&text, expression, i, SIZE_MAX);
    }
    struct rely_json *shown = rely_json_of_text(rely_buf_slice(&text));
    rely_buf_fini(&text);
    return shown;
}

static struct rely_json *show_said(const struct rely_claim_value *value)
{
    if (value->count == 0)
        return rely_json_of_null();
    if (value->count == 1)
        return rely_json_of_text(cut_shown_text(value->texts[0], BYTES_SHOWN));
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < value->count && i < TEXTS_SHOWN; i++)
        rely_json_append(list, rely_json_of_text(cut_shown_text(value->texts[i], BYTES_SHOWN)));
    return list;
}

/* How one text of the token differs from what a term wants. */
static void find_difference(const struct rely_expression *expression, size_t term, struct rely_slice said,
                            struct rely_difference *out)
{
    struct rely_slice wanted = rely_term_text(expression, term);
    struct rely_slice literal = rely_slice(wanted.ptr, expression->terms[term].literal_len);
    if (rely_term_is_literal(expression, term)) {
        rely_difference_find(said, wanted, "credential", out);
    } else if (rely_slice_starts(said, literal)) {
        out->weight = WEIGHT_OF_PATTERN;
        snprintf(out->note, sizeof out->note, "the token's begins so, and goes on otherwise");
    } else {
        rely_difference_find(cut_shown_text(said, literal.len), literal, "credential", out);
        out->weight += WEIGHT_OF_PATTERN;
    }
}

/* The text that differs least counts. */
static void find_least_difference(const struct rely_expression *expression, size_t term,
                                  const struct rely_claim_value *value, struct rely_difference *out)
{
    *out = (struct rely_difference){.note = "the token has no such claim", .weight = WEIGHT_OF_ABSENT};
    for (size_t i = 0; i < value->count && i < TEXTS_SHOWN; i++) {
        struct rely_difference one;
        find_difference(expression, term, value->texts[i], &one);
        if (i == 0 || one.weight < out->weight)
            *out = one;
    }
}

/* Says what the term is in front of how the token differs. */
static void name_term(const struct rely_expression *expression, size_t term, struct rely_difference *difference)
{
    struct rely_buf text = {0};
    put_shown_term(&text, expression, term, WANTED_SHOWN);
    rely_buf_printf(&text, ": %s", difference->note);
    struct rely_slice cut = cut_shown_text(rely_buf_slice(&text), sizeof difference->note - 1);
    snprintf(difference->note, sizeof difference->note, "%.*s", RELY_ARG(cut));
    rely_buf_fini(&text);
}

void rely_near_compare_expression(const struct rely_explanation *explanation, const struct rely_credential *credential,
                                  struct rely_near_item *near)
{
    const struct rely_expression *expression = credential->expression;
    struct rely_difference first = {.weight = 0};
    struct rely_json *said = NULL;
    for (size_t i = 0; i < expression->term_count; i++) {
        const struct rely_claim_value value = ask_token(explanation, rely_term_claim(expression, i));
        if (rely_term_matches(expression, i, value))
            continue;
        if (said != NULL) {
            first.weight += WEIGHT_OF_MORE;
            continue;
        }
        said = show_said(&value);
        find_least_difference(expression, i, &value, &first);
        name_term(expression, i, &first);
    }
    rely_near_compare_field(near, "claimsMatchingExpression",
                            said != NULL ? said : rely_json_of_text(explanation->review->claims.subject),
                            show_expression(expression), &first);
}

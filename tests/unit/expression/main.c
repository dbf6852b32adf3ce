/*
 * Runs the groups of tests of src/expression, and compares with the oracle for them.
 */
#include "tests.h"

#include <stdio.h>

static struct rely_slice copy_exactly(struct rely_slice text)
{
    char *copy = test_malloc(text.len);
    memcpy(copy, text.ptr, text.len);
    return rely_slice(copy, text.len);
}

struct rely_expression *make_expression(struct rely_slice text)
{
    struct rely_pool pool;
    struct rely_expression_fault fault = {0};
    const struct rely_expression *made = NULL;
    rely_pool_init(&pool);
    if (!rely_expression_parse(text, &pool, &made, &fault))
        fail_msg("column %zu of %.*s: expected %s", fault.column, RELY_ARG(text), fault.expected);
    struct rely_expression *copy = test_malloc(made->bytes);
    memcpy(copy, made, made->bytes);
    rely_pool_fini(&pool);
    return copy;
}

struct rely_claim_value give_text(void *context, size_t term)
{
    (void)term;
    return (struct rely_claim_value){context, 1};
}

bool does_match(const char *operator, struct rely_slice text, struct rely_slice value)
{
    char expression[8192];
    size_t len = (size_t)snprintf(expression, sizeof expression, "claims['c'] %s '", operator);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            expression[len++] = '\'';
        expression[len++] = text.ptr[i];
    }
    expression[len++] = '\'';
    struct rely_expression *made = make_expression(rely_slice(expression, len));
    struct rely_slice copy = copy_exactly(value);
    bool is_match = rely_expression_matches(made, give_text, &copy);
    test_free(made);
    test_free(rely_as_owner(copy.ptr));
    return is_match;
}

/* --- with the oracle --- */

static void compare_chars(struct rely_slice found, const struct oracle_chars *wanted)
{
    static struct oracle_chars chars;
    assert_true(oracle_decode(found, &chars));
    assert_int_equal(chars.count, wanted->count);
    assert_memory_equal(chars.codes, wanted->codes, chars.count * sizeof chars.codes[0]);
}

static bool compare_terms(const struct rely_expression *made, const struct oracle_expression *wanted,
                          struct rely_slice value)
{
    bool is_match = true;
    for (size_t i = 0; i < made->term_count; i++) {
        compare_chars(rely_term_claim(made, i), &wanted->terms[i].claim);
        compare_chars(rely_term_text(made, i), &wanted->terms[i].text);
        is_match &= oracle_matches(&wanted->terms[i], value);
    }
    assert_int_equal(rely_expression_matches(made, give_text, &value), is_match);
    return is_match;
}

bool compare_with_oracle(struct rely_slice expression, struct rely_slice value)
{
    struct rely_pool pool;
    struct rely_expression_fault fault = {0};
    const struct rely_expression *found = NULL;
    struct rely_slice text = copy_exactly(expression), exact = copy_exactly(value);
    const struct oracle_expression *wanted = oracle_parse(text);
    rely_pool_init(&pool);
    bool is_right = rely_expression_parse(text, &pool, &found, &fault);
    if (fault.column != wanted->column || is_right != (wanted->column == 0))
        fail_msg("column %zu, and %zu by the oracle: %.*s", fault.column, wanted->column, RELY_ARG(text));
    bool is_match = false;
    if (is_right) {
        struct rely_expression *made = make_expression(text);
        assert_memory_equal(made, found, found->bytes);
        assert_int_equal(made->term_count, wanted->term_count);
        is_match = compare_terms(made, wanted, exact);
        test_free(made);
    }
    rely_pool_fini(&pool);
    test_free(rely_as_owner(text.ptr));
    test_free(rely_as_owner(exact.ptr));
    return is_match;
}

int main(void)
{
    return run_parse_tests() + run_match_tests() + run_random_tests();
}

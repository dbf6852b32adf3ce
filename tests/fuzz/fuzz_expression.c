/*
 * expression: the first line is an expression, the rest a value of each claim. Against the oracle of the unit tests,
 * which must find the same fault or the same terms, and the same match. What matches begins with what it is looked up by.
 */
#include <stdlib.h>

#include "oracle.h"
#include "relyd/pool.h"

static struct rely_claim_value give_value(void *context, size_t term)
{
    (void)term;
    return (struct rely_claim_value){context, 1};
}

static void compare_chars(struct rely_slice found, const struct oracle_chars *wanted)
{
    static struct oracle_chars chars;
    bool is_utf8 = oracle_decode(found, &chars);
    RELY_ASSERT(is_utf8 && chars.count == wanted->count);
    RELY_ASSERT(memcmp(chars.codes, wanted->codes, chars.count * sizeof chars.codes[0]) == 0);
}

static void compare_expression(const struct rely_expression *found, const struct oracle_expression *wanted,
                               struct rely_slice value)
{
    static struct oracle_chars chars;
    bool is_utf8 = oracle_decode(value, &chars), is_wanted = true;
    bool is_match = rely_expression_matches(found, give_value, &value);
    RELY_ASSERT(found->term_count == wanted->term_count);
    for (size_t i = 0; i < found->term_count; i++) {
        struct rely_slice claim = rely_term_claim(found, i), prefix = rely_expression_prefix(found, claim);
        compare_chars(claim, &wanted->terms[i].claim);
        compare_chars(rely_term_text(found, i), &wanted->terms[i].text);
        is_wanted = is_wanted && oracle_matches(&wanted->terms[i], value);
        RELY_ASSERT(prefix.ptr != NULL && (!is_match || rely_slice_starts(value, prefix)));
    }
    RELY_ASSERT(!is_utf8 || is_match == is_wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_pool pool;
    const struct rely_expression *found = NULL;
    struct rely_expression_fault fault = {0};
    const char *text = (const char *)data, *line = size == 0 ? NULL : memchr(text, '\n', size);
    size_t len = line == NULL ? size : (size_t)(line - text), behind = line == NULL ? len : len + 1;
    const struct oracle_expression *wanted = oracle_parse(rely_slice(text, len));
    rely_pool_init(&pool);
    bool is_right = rely_expression_parse(rely_slice(text, len), &pool, &found, &fault);
    RELY_ASSERT(is_right == (wanted->column == 0) && fault.column == wanted->column);
    RELY_ASSERT(is_right == (fault.expected == NULL));
    if (is_right) {
        /* A block of exactly its size, so that ASan sees one byte too far. */
        struct rely_expression *copy = rely_alloc(found->bytes);
        memcpy(copy, found, found->bytes);
        compare_expression(copy, wanted, rely_slice(text + behind, size - behind));
        free(copy);
    }
    rely_pool_fini(&pool);
    return 0;
}

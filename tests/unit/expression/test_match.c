/*
 * expression: what matches, by table; the limits of values; what counts as a value.
 */
#include "tests.h"

#include <stdio.h>

#define AE "\xC3\xA4"          /* two bytes */
#define OE "\xC3\xB6"          /* two bytes, the first one the same */
#define EURO "\xE2\x82\xAC"    /* three */
#define KEY "\xF0\x9F\x94\x91" /* four */

struct match_row {
    const char *pattern, *value;
    bool is_match;
};

static const struct match_row rows[] = {
    /* no wildcard */
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"a", "a", true},
    {"a", "A", false},
    {"a", "b", false},
    {"ab", "a", false},
    {"a", "ab", false},
    {"it's", "it's", true},
    {" a ", "a", false},
    {AE, AE, true},
    {AE, OE, false},
    {"e\xCC\x81", "\xC3\xA9", false}, /* the same letter in two spellings is two texts */
    /* `*` */
    {"*", "", true},
    {"*", "a", true},
    {"*", "anything at all", true},
    {"**", "", true},
    {"**", "a", true},
    {"***", "abc", true},
    {"a*", "a", true},
    {"a*", "abc", true},
    {"a*", "ba", false},
    {"a*", "", false},
    {"*a", "a", true},
    {"*a", "bca", true},
    {"*a", "ab", false},
    {"*a", "", false},
    {"a*b", "ab", true},
    {"a*b", "acccb", true},
    {"a*b", "acccbc", false},
    {"a*b", "a", false},
    {"a*a", "a", false}, /* what stands in front and behind may not be the same character */
    {"a*a", "aa", true},
    {"ab*ab", "abab", true},
    {"ab*ab", "aba", false},
    {"ab*ba", "aba", false},
    {"*a*", "bab", true},
    {"*a*", "bbb", false},
    {"*ab*", "aab", true},
    {"*ab*", "ba", false},
    {"*a*b*", "ab", true},
    {"*a*b*", "ba", false},
    {"*a*b*", "bab", true},
    {"*a*a*a*", "aaa", true},
    {"*a*a*a*", "aa", false},
    {"*aab*", "aaab", true},
    {"*aaab*", "aabaaab", true},
    {"*abab*", "abaabab", true},
    {"*abc*abc*", "abcabc", true},
    {"*abc*abc*", "abcab", false},
    {"*abc*c", "abc", false},
    {"a*b*c", "abcbc", true},
    {"a*b*c", "abcb", false},
    {"a**b", "ab", true},
    {"*.*", "a.b", true},
    {"*.*", "ab", false},
    {"repo:acme/*:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/main", true},
    {"repo:acme/*:ref:refs/heads/*", "repo:acme/app:ref:refs/tags/v1", false},
    {"repo:acme/*:ref:refs/heads/*", "repo:acme-evil/app:ref:refs/heads/main", false},
    {"system:serviceaccount:ci-*:runner", "system:serviceaccount:ci-7:runner", true},
    {"system:serviceaccount:ci-*:runner", "system:serviceaccount:ci-7:runner2", false},
    {"system:serviceaccount:ci-*:runner", "system:serviceaccount:ci-:x:runner", true},
    /* `?` */
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"??", "ab", true},
    {"??", "a", false},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"a?c", "abbc", false},
    {"?*", "", false},
    {"?*", "a", true},
    {"*?", "", false},
    {"*?", "abc", true},
    {"*?*?*", "a", false},
    {"*?*?*", "ab", true},
    {"a*?", "a", false},
    {"a*?", "ab", true},
    {"?*a", "a", false},
    {"?*a", "ba", true},
    {"*?b*", "b", false},
    {"*?b*", "abc", true},
    {"*?b*", "bb", true},
    {"*b?*", "ab", false},
    {"*b?*", "abb", true},
    {"*a?a*", "aaba", true},
    {"*a?a*", "abba", false},
    {"*a?c*", "aacabc", true},
    {"*?a?*b", "xaxab", true},
    {"*??*", "a", false},
    /* one character, however many bytes */
    {"?", AE, true},
    {"?", EURO, true},
    {"?", KEY, true},
    {"??", AE, false},
    {"??", EURO, false},
    {"????", KEY, false},
    {"??", AE KEY, true},
    {"?" AE, EURO AE, true},
    {"?" AE, EURO OE, false},
    {AE "?", AE KEY, true},
    {AE "?" AE, AE EURO AE, true},
    {"*?", KEY, true},
    {"*??", KEY, false},
    {"*??", KEY AE, true},
    {"?*?", KEY, false},
    {"?*?", KEY KEY, true},
    {"*?*?*", AE, false},
    {"*?*?*", AE AE, true},
    {"*" AE "*", "x" AE "y", true},
    {"*" AE "*", "x" OE "y", false},
    {"*" AE "?*", "x" AE KEY, true},
    {"*" AE "?*", "x" AE, false},
    {"*?" KEY, KEY, false},
    {"*?" KEY, AE KEY, true},
    {"*?" AE "*", OE AE, true},
    {"*?" AE "*", OE OE, false},
    {"*" KEY "?" KEY "*", KEY EURO KEY, true},
    {"*" KEY "?" KEY "*", KEY KEY, false},
    {"*?\xC4\xA4*", "x" AE, false}, /* the same seven low bits, another character */
    {"*?" AE "*", "x\xC4\xA4", false},
    {"*?" AE "*", "xd", false},
    {"*?d*", "x" AE, false},
    {"*?" KEY "*", "x\xF0\x9F\x94\x92", false},
    {"*?" KEY "*", "x\xF0\xAF\x94\x91", false},
    {"*?" KEY "*", "x" KEY, true},
    /* nothing escapes, and nothing else is special */
    {"\\*", "*", false},
    {"\\*", "\\", true},
    {"\\*", "\\x", true},
    {"[ab]", "a", false},
    {"[ab]", "[ab]", true},
    {"a.c", "abc", false},
    {"a+", "aa", false},
    {"%", "a", false},
    {"_", "a", false},
    {"{a,b}", "a", false},
};

static void test_rows(void **state)
{
    (void)state;
    assert_true(COUNT(rows) >= 100);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rely_slice pattern = rely_slice_of(rows[i].pattern), value = rely_slice_of(rows[i].value);
        if (does_match("matches", pattern, value) != rows[i].is_match)
            fail_msg("`%s` and `%s`", rows[i].pattern, rows[i].value);
        /* What is no pattern means itself. */
        assert_int_equal(does_match("eq", pattern, value), rely_slice_equal(pattern, value));
        assert_true(does_match("eq", pattern, pattern));
    }
}

/* --- long pieces, and values at their limit --- */

struct made {
    char text[40000];
    size_t len;
};

static void add(struct made *made, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++, made->len += strlen(text))
        memcpy(made->text + made->len, text, strlen(text));
}

/* Of a pattern and a value: texts and how often each. */
struct parts {
    const char *first;
    size_t first_count;
    const char *second;
    size_t second_count;
    const char *third;
};

static void make_parts(const struct parts *parts, struct made *made)
{
    made->len = 0;
    add(made, parts->first, parts->first_count);
    add(made, parts->second, parts->second_count);
    add(made, parts->third, 1);
}

static bool do_parts_match(const struct parts *pattern_parts, const struct parts *value_parts)
{
    static struct made pattern, value;
    make_parts(pattern_parts, &pattern);
    make_parts(value_parts, &value);
    return does_match("matches", rely_slice(pattern.text, pattern.len), rely_slice(value.text, value.len));
}

/* Pieces round the sizes at which they are looked for in another way: 64 bytes, 64 and 128 characters. */
static void test_long_pieces(void **state)
{
    (void)state;
    static const char *const letters[] = {"a", AE, EURO, KEY};
    for (size_t count = 1; count <= 597; count += count < 70 || (count > 120 && count < 134) ? 1 : 37)
        for (size_t i = 0; i < COUNT(letters); i++) {
            const char *letter = letters[i];
            struct parts pattern = {"*", 1, letter, count, "b*"}, with_mark = {"*?", 1, letter, count, "b*"};
            struct parts longer = {letter, count + 5, "b", 1, ""}, equal = {letter, count, "b", 1, ""};
            struct parts less = {letter, count - 1, "b", 2, ""}, other = {letter, count + 5, "c", 1, ""};
            assert_true(do_parts_match(&pattern, &longer));
            assert_true(do_parts_match(&pattern, &equal));
            assert_false(do_parts_match(&pattern, &less));
            assert_false(do_parts_match(&pattern, &other));
            assert_true(do_parts_match(&with_mark, &longer));
            assert_false(do_parts_match(&with_mark, &equal));
            assert_false(do_parts_match(&with_mark, &other));
        }
}

static void test_many_pieces(void **state)
{
    (void)state;
    struct parts plain = {"*a", 299, "*", 1, ""}, marked = {"*a?", 199, "*", 1, ""};
    assert_true(do_parts_match(&plain, &(struct parts){"a", 299, "", 0, ""}));
    assert_false(do_parts_match(&plain, &(struct parts){"a", 298, "b", 9, ""}));
    assert_true(do_parts_match(&marked, &(struct parts){"ab", 199, "", 0, ""}));
    assert_false(do_parts_match(&marked, &(struct parts){"ab", 198, "a", 1, ""}));
    assert_true(do_parts_match(&(struct parts){"?", 600, "", 0, ""}, &(struct parts){KEY, 600, "", 0, ""}));
    assert_false(do_parts_match(&(struct parts){"?", 600, "", 0, ""}, &(struct parts){KEY, 599, "", 0, ""}));
}

static void test_long_values(void **state)
{
    (void)state;
    static const char *const letters[] = {"a", AE, EURO, KEY};
    static const char *const patterns[] = {"*", "a*", AE "*", "?*", "*?", "*a*", "*?" KEY "*", "a*a"};
    for (size_t i = 0; i < COUNT(letters); i++) {
        struct parts most = {letters[i], 2048, "", 0, ""}, more = {letters[i], 2049, "", 0, ""};
        assert_true(do_parts_match(&(struct parts){"*", 1, "", 0, ""}, &most));
        assert_true(do_parts_match(&(struct parts){"*?", 1, "*", 1, ""}, &most));
        for (size_t k = 0; k < COUNT(patterns); k++)
            assert_false(do_parts_match(&(struct parts){patterns[k], 1, "", 0, ""}, &more));
        assert_false(do_parts_match(&(struct parts){letters[i], 1, "*", 1, ""}, &more));
    }
    assert_false(do_parts_match(&(struct parts){"*", 1, "", 0, ""}, &(struct parts){KEY, 2048, "a", 1, ""}));
    assert_true(do_parts_match(&(struct parts){"*", 1, "", 0, ""}, &(struct parts){KEY, 2047, "a", 1, ""}));
}

/* --- values --- */

static const struct rely_slice one[] = {RELY_LIT("main")};
static const struct rely_slice three[] = {RELY_LIT("dev"), RELY_LIT("main"), RELY_LIT("team-7")};
static const struct rely_slice number[] = {RELY_LIT("42")};
static const struct rely_slice spelled[] = {RELY_LIT("4.20e1")};
static const struct rely_slice boolean[] = {RELY_LIT("true")};
static const struct rely_slice empty[] = {RELY_LIT("")};
static const struct rely_slice absent[] = {{NULL, 0}};
static const struct rely_slice numbers[] = {RELY_LIT("1"), RELY_LIT("false"), RELY_LIT("-0")};

#define LIST(texts)                                                                                                    \
    {                                                                                                                  \
        texts, COUNT(texts)                                                                                            \
    }

static struct rely_claim_value give_value(void *context, size_t term)
{
    (void)term;
    return *(const struct rely_claim_value *)context;
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *term;
        struct rely_claim_value value;
        bool is_match;
    } values[] = {
        {"eq 'main'", LIST(one), true},
        {"matches 'ma*'", LIST(one), true},
        {"eq 'main'", {NULL, 0}, false},
        {"eq ''", {NULL, 0}, false},
        {"matches '*'", {NULL, 0}, false},
        {"eq 'main'", LIST(three), true},
        {"eq 'team-7'", LIST(three), true},
        {"matches 'team-?'", LIST(three), true},
        {"eq 'prod'", LIST(three), false},
        {"eq 'dev main'", LIST(three), false},
        {"matches 'dev*team-7'", LIST(three), false},
        {"matches '*'", LIST(three), true},
        {"eq 'team-7'", {three, 2}, false},
        {"matches '*'", {three, 0}, false},
        {"eq '42'", LIST(number), true},
        {"eq '42.0'", LIST(number), false},
        {"matches '4?'", LIST(number), true},
        {"eq '42'", LIST(spelled), false},
        {"eq '4.20e1'", LIST(spelled), true},
        {"eq 'true'", LIST(boolean), true},
        {"eq 'True'", LIST(boolean), false},
        {"eq '1'", LIST(boolean), false},
        {"eq '-0'", LIST(numbers), true},
        {"eq '0'", LIST(numbers), false},
        {"eq 'false'", LIST(numbers), true},
        {"eq ''", LIST(empty), true},
        {"matches ''", LIST(empty), true},
        {"matches '*'", LIST(empty), true},
        {"matches '?'", LIST(empty), false},
        {"eq ''", LIST(absent), false},
        {"matches '*'", LIST(absent), false},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[128];
        size_t len = (size_t)snprintf(text, sizeof text, "claims['c'] %s", values[i].term);
        struct rely_expression *made = make_expression(rely_slice(text, len));
        struct rely_claim_value value = values[i].value;
        if (rely_expression_matches(made, give_value, &value) != values[i].is_match)
            fail_msg("row %zu: %s", i, values[i].term);
        test_free(made);
    }
}

/* An item that is too long is none; the others are tried. */
static void test_long_items(void **state)
{
    (void)state;
    static struct made item;
    add(&item, "a", 2049);
    struct rely_slice items[] = {{item.text, 2049}, {item.text, 5}};
    struct rely_claim_value both = {items, 2}, first = {items, 1};
    struct rely_expression *made = make_expression(RELY_LIT("claims['c'] matches 'aa*'"));
    assert_true(rely_expression_matches(made, give_value, &both));
    assert_false(rely_expression_matches(made, give_value, &first));
    test_free(made);
}

/* Each term has a claim of its own. */
struct given_claims {
    struct rely_claim_value values[3];
    size_t asked;
};

static struct rely_claim_value give_claim(void *context, size_t term)
{
    struct given_claims *given = context;
    given->asked++;
    return given->values[term];
}

static void test_all_terms_must_match(void **state)
{
    (void)state;
    struct rely_expression *made =
        make_expression(RELY_LIT("claims['a'] eq 'main' and claims['b'] matches 't*' and claims['c'] eq '42'"));
    struct given_claims right = {{LIST(one), LIST(boolean), LIST(number)}, 0};
    assert_true(rely_expression_matches(made, give_claim, &right));
    assert_int_equal(right.asked, 3);
    for (size_t i = 0; i < 3; i++) {
        struct given_claims wrong = right;
        wrong.asked = 0;
        wrong.values[i] = (struct rely_claim_value)LIST(spelled);
        assert_false(rely_expression_matches(made, give_claim, &wrong));
        assert_int_equal(wrong.asked, i + 1);
        wrong.values[i] = (struct rely_claim_value){0};
        assert_false(rely_expression_matches(made, give_claim, &wrong));
    }
    test_free(made);
}

/* Zero is never a yes. */
static void test_no_term_matches_nothing(void **state)
{
    (void)state;
    struct rely_expression none = {0};
    struct given_claims given = {{LIST(one)}, 0};
    assert_false(rely_expression_matches(&none, give_claim, &given));
    assert_null(rely_expression_prefix(&none, RELY_LIT("sub")).ptr);
}

int run_match_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_pieces),
        cmocka_unit_test(test_many_pieces),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_long_items),
        cmocka_unit_test(test_all_terms_must_match),
        cmocka_unit_test(test_no_term_matches_nothing),
    };
    return cmocka_run_group_tests_name("expression: match", tests, NULL, NULL);
}

/*
 * expression: random texts, patterns and values, in all of which relyd and the oracle must agree. The same ones each
 * time; RELYD_TEST_LONG=1 takes twenty times as many.
 */
#include "tests.h"

#include <stdlib.h>

static uint64_t seed = 10;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33) % below;
}

static size_t rounds(size_t count)
{
    return getenv("RELYD_TEST_LONG") != NULL ? 20 * count : count;
}

struct drawn {
    char text[40000];
    size_t len;
};

static void put(struct drawn *drawn, const char *text)
{
    size_t len = strlen(text);
    assert_true(drawn->len + len < sizeof drawn->text);
    memcpy(drawn->text + drawn->len, text, len);
    drawn->len += len;
}

static struct rely_slice slice_of(const struct drawn *drawn)
{
    return rely_slice(drawn->text, drawn->len);
}

/* --- the grammar, now and then broken --- */

static const char *const name_parts[] = {"a", "sub", "/", "/", "~0", "~1", "~", "''", "\xC3\xA4", " ", "]"};
static const char *const text_parts[] = {"a", "b", "ab", "*", "?", "''", " ", "\xC3\xA4", "\xF0\x9F\x94\x91", "and"};
static const char *const wrong_parts[] = {"'",   "''", " ",  "  ",   "claims['", "]", "eq",
                                          "and", "or", "\t", "\xFF", "~",        "A", "\xC2\x80"};

static void put_some(struct drawn *drawn, const char *const *parts, uint32_t part_count, uint32_t most)
{
    for (uint32_t i = draw(most + 1); i > 0; i--)
        put(drawn, parts[draw(part_count)]);
}

static void put_spaces(struct drawn *drawn, uint32_t least)
{
    for (uint32_t i = least + (draw(4) == 0 ? draw(3) : 0); i > 0; i--)
        put(drawn, " ");
}

static void put_term(struct drawn *drawn)
{
    put(drawn, "claims['");
    put_some(drawn, name_parts, COUNT(name_parts), 6);
    put(drawn, "']");
    put_spaces(drawn, 1);
    put(drawn, draw(2) == 0 ? "eq" : "matches");
    put_spaces(drawn, 1);
    put(drawn, "'");
    put_some(drawn, text_parts, COUNT(text_parts), 6);
    put(drawn, "'");
}

static void draw_expression(struct drawn *drawn)
{
    drawn->len = 0;
    put_spaces(drawn, 0);
    put_term(drawn);
    for (uint32_t more = draw(8) == 0 ? draw(18) : draw(3); more > 0; more--) {
        put_spaces(drawn, 1);
        put(drawn, "and");
        put_spaces(drawn, 1);
        put_term(drawn);
    }
    put_spaces(drawn, 0);
}

/* Puts something in the place of some bytes. */
static void break_somewhere(struct drawn *drawn)
{
    static struct drawn behind;
    uint32_t at = draw((uint32_t)drawn->len), cut = draw(4);
    cut = at + cut > drawn->len ? 0 : cut;
    behind.len = drawn->len - at - cut;
    memcpy(behind.text, drawn->text + at + cut, behind.len);
    drawn->len = at;
    if (draw(3) > 0)
        put(drawn, wrong_parts[draw(COUNT(wrong_parts))]);
    memcpy(drawn->text + drawn->len, behind.text, behind.len);
    drawn->len += behind.len;
}

static void test_grammar(void **state)
{
    (void)state;
    static struct drawn text, value;
    for (size_t i = rounds(20000); i > 0; i--) {
        draw_expression(&text);
        for (uint32_t breaks = draw(3); breaks > 0 && text.len > 0; breaks--)
            break_somewhere(&text);
        value.len = 0;
        put_some(&value, text_parts, COUNT(text_parts), 6);
        compare_with_oracle(slice_of(&text), slice_of(&value));
    }
}

/* --- patterns and values of few characters, so that they nearly match --- */

static const char *const letters[] = {"a", "b", "\xC3\xA4", "\xC4\xA4", "\xE2\x82\xAC", "\xF0\x9F\x94\x91"};

static const char *draw_letter(uint32_t kinds)
{
    return letters[kinds == 1 ? draw(2) : draw(COUNT(letters))];
}

static void draw_pattern(struct drawn *drawn, uint32_t count, uint32_t stars, uint32_t kinds)
{
    drawn->len = 0;
    put(drawn, "claims['c'] matches '");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = draw(100);
        put(drawn, kind < stars ? "*" : kind < stars + 10 ? "?" : kind < 60 ? "a" : draw_letter(kinds));
    }
    put(drawn, "'");
}

/* What the pattern may have come from: `?` and `*` filled, and about every second time something else or nothing in the
 * place of a letter. */
static void draw_value(struct drawn *drawn, const struct drawn *pattern, uint32_t count, uint32_t kinds)
{
    drawn->len = 0;
    for (const char *at = pattern->text + strlen("claims['c'] matches '"); *at != '\''; at++) {
        char one[2] = {*at, '\0'};
        bool is_changed = draw(count) == 0 && (*at & 0x80) == 0;
        if (*at == '*')
            put_some(drawn, letters, kinds == 1 ? 2 : COUNT(letters), 4);
        else if (is_changed ? draw(2) == 0 : *at == '?')
            put(drawn, draw_letter(kinds));
        else if (!is_changed)
            put(drawn, one);
    }
}

static void compare_patterns(size_t count, uint32_t longest)
{
    static struct drawn pattern, value;
    size_t matched = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t kinds = draw(2);
        uint32_t length = 1 + draw(longest);
        draw_pattern(&pattern, length, draw(4) == 0 ? 30 : 3, kinds);
        draw_value(&value, &pattern, length, kinds);
        matched += compare_with_oracle(slice_of(&pattern), slice_of(&value));
    }
    assert_in_range(matched, count / 5, count * 4 / 5 + count / 10); /* both are tried */
}

static void test_short_patterns(void **state)
{
    (void)state;
    compare_patterns(rounds(30000), 12);
}

static void test_long_patterns(void **state)
{
    (void)state;
    compare_patterns(rounds(600), 600);
}

/* Independent of each other: every pattern of up to five characters of four kinds, with values of up to seven. */
static void test_all_little_patterns(void **state)
{
    (void)state;
    static const char kinds[] = "a?*\xC3";
    struct drawn *pattern = test_malloc(sizeof *pattern), *value = test_malloc(sizeof *value);
    for (uint32_t i = 0; i < 4 * 4 * 4 * 4 * 4; i++) {
        pattern->len = value->len = 0;
        put(pattern, "claims['c'] matches '");
        for (uint32_t rest = i; rest > 0; rest /= 4) {
            char one[3] = {kinds[rest % 4], kinds[rest % 4] == '\xC3' ? '\xA4' : '\0', '\0'};
            put(pattern, one);
        }
        put(pattern, "'");
        for (uint32_t length = draw(8); length > 0; length--)
            put(value, draw(2) == 0 ? "a" : "\xC3\xA4");
        compare_with_oracle(slice_of(pattern), slice_of(value));
    }
    test_free(pattern);
    test_free(value);
}

int run_random_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_short_patterns),
        cmocka_unit_test(test_long_patterns),
        cmocka_unit_test(test_all_little_patterns),
    };
    return cmocka_run_group_tests_name("expression: random", tests, NULL, NULL);
}

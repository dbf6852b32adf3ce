/*
 * expression: what is an expression, in which column another text stops being one, and what is made of it.
 */
#include "tests.h"

#include <stdio.h>

struct parse_row {
    const char *text;
    size_t column; /* 0: it is an expression */
    const char *expected;
};

static const struct parse_row rows[] = {
    /* the least, and spaces */
    {"claims['a'] eq 'b'", 0, ""},
    {"claims['a'] matches 'b'", 0, ""},
    {"   claims['a'] eq 'b'", 0, ""},
    {"claims['a'] eq 'b'   ", 0, ""},
    {"claims['a']    eq    'b'", 0, ""},
    {"claims['a'] eq 'b' and claims['c'] matches 'd*'", 0, ""},
    {"claims['a'] eq 'b'   and   claims['c'] eq 'd'   and claims['e'] eq 'f'  ", 0, ""},
    {"claims['a'] eq 'b' and claims['a'] eq 'b'", 0, ""},
    {"claims['and'] eq ' and '", 0, ""},
    {"claims['eq'] matches 'matches'", 0, ""},
    /* nothing, or only a beginning */
    {"", 1, "`claims['`"},
    {" ", 2, "`claims['`"},
    {"     ", 6, "`claims['`"},
    {"c", 1, "`claims['`"},
    {"claims", 1, "`claims['`"},
    {"claims[", 1, "`claims['`"},
    {"  claims['", 11, "`'`"},
    {"claims['a", 10, "`'`"},
    {"claims['a'", 11, "`]`"},
    {"claims['a']", 12, "a space"},
    {"claims['a'] ", 13, "`eq` or `matches`"},
    {"claims['a'] e", 13, "`eq` or `matches`"},
    {"claims['a'] eq", 15, "a space"},
    {"claims['a'] eq ", 16, "`'` and a text"},
    {"claims['a'] eq '", 17, "`'`"},
    {"claims['a'] eq 'b", 18, "`'`"},
    {"claims['a'] eq 'b''", 20, "`'`"},
    {"claims['a'] eq 'b' a", 20, "`and` or the end"},
    {"claims['a'] eq 'b' and", 23, "a space"},
    {"claims['a'] eq 'b' and ", 24, "`claims['`"},
    {"claims['a'] eq 'b' and claims", 24, "`claims['`"},
    /* other words and brackets than there are */
    {"Claims['a'] eq 'b'", 1, "`claims['`"},
    {"CLAIMS['a'] eq 'b'", 1, "`claims['`"},
    {"claim['a'] eq 'b'", 1, "`claims['`"},
    {"claims.a eq 'b'", 1, "`claims['`"},
    {"claims[\"a\"] eq 'b'", 1, "`claims['`"},
    {"claims['a\"] eq 'b'", 17, "`]`"},
    {"claims [ 'a' ] eq 'b'", 1, "`claims['`"},
    {"claims['a' ] eq 'b'", 11, "`]`"},
    {"claims[ 'a'] eq 'b'", 1, "`claims['`"},
    {"claims['a')] eq 'b'", 11, "`]`"},
    {"claims['a']] eq 'b'", 12, "a space"},
    {"claims['a']['b'] eq 'c'", 12, "a space"},
    {"claims['a'].b eq 'c'", 12, "a space"},
    {"claims['a'] EQ 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] Matches 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] equals 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] match 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] matchesx 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] == 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] ne 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] in 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] not eq 'b'", 13, "`eq` or `matches`"},
    {"claims['a'] 'b'", 13, "`eq` or `matches`"},
    {"not claims['a'] eq 'b'", 1, "`claims['`"},
    {"(claims['a'] eq 'b')", 1, "`claims['`"},
    {"claims['a'] eq ('b')", 16, "`'` and a text"},
    {"claims['a'] eq b", 16, "`'` and a text"},
    {"claims['a'] eq \"b\"", 16, "`'` and a text"},
    {"claims['a'] eq 5", 16, "`'` and a text"},
    {"claims['a'] eq claims['b']", 16, "`'` and a text"},
    {"claims['a'] eq 'b' or claims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b' AND claims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b' && claims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b', claims['c'] eq 'd'", 19, "a space or the end"},
    {"claims['a'] eq 'b' claims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b' and and claims['c'] eq 'd'", 24, "`claims['`"},
    {"and claims['a'] eq 'b'", 1, "`claims['`"},
    {"claims['a'] eq 'b' anda claims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b';", 19, "a space or the end"},
    {"claims['a'] eq 'b'x", 19, "a space or the end"},
    {"claims['a'] eq 'b' x", 20, "`and` or the end"},
    /* spaces that must be there */
    {"claims['a']eq 'b'", 12, "a space"},
    {"claims['a'] eq'b'", 15, "a space"},
    {"claims['a'] matches'b'", 20, "a space"},
    {"claims['a'] eq 'b'and claims['c'] eq 'd'", 19, "a space or the end"},
    {"claims['a'] eq 'b' andclaims['c'] eq 'd'", 20, "`and` or the end"},
    {"claims['a'] eq 'b' and'", 23, "a space"},
    /* quotes */
    {"claims['a''b'] eq 'c'", 0, ""},
    {"claims['''''a'] eq 'c'", 0, ""},
    {"claims[''''] eq ''''", 0, ""},
    {"claims['a'] eq ''", 0, ""},
    {"claims['a'] matches ''", 0, ""},
    {"claims['a'] eq ''''''", 0, ""},
    {"claims['a'] eq 'it''s'", 0, ""},
    {"claims[''] eq 'b'", 9, "a claim's name"},
    {"claims['''] eq 'b'", 17, "`]`"},
    {"claims['a'] eq '''", 19, "`'`"},
    {"claims['a'] eq 'b' 'c'", 20, "`and` or the end"},
    {"claims['a'] eq 'it's'", 20, "a space or the end"},
    {"claims['a'] eq 'it\\'s'", 21, "a space or the end"},
    /* control characters, and other kinds of space */
    {"claims['a']\teq 'b'", 12, "no control character: only a space separates"},
    {"claims['a'] eq 'b'\n", 19, "no control character: only a space separates"},
    {"\r\nclaims['a'] eq 'b'", 1, "no control character: only a space separates"},
    {"claims['a'] eq 'b\tc'", 18, "no control character: only a space separates"},
    {"claims['a'] eq 'b\nc'", 18, "no control character: only a space separates"},
    {"claims['a\x7F'] eq 'b'", 10, "no control character: only a space separates"},
    {"claims['a'] eq '\xC2\x85'", 17, "no control character: only a space separates"},
    {"nonsense \x01", 10, "no control character: only a space separates"},
    {"claims['a']\xC2\xA0"
     "eq 'b'",
     12, "a space"},
    {"\xE2\x80\x83"
     "claims['a'] eq 'b'",
     1, "`claims['`"},
    {"claims['a'] eq '\xC2\xA0\xE2\x80\xA8\xE2\x80\xAE'", 0, ""},
    /* columns are characters */
    {"claims['\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x91'] eq 'b'", 0, ""},
    {"claims['\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x91'] ist 'b'", 15, "`eq` or `matches`"},
    {"claims['a'] eq '\xF0\x9F\x94\x91\xF0\x9F\x94\x91' or", 21, "`and` or the end"},
    {"claims['\xF0\x9F\x94\x91''", 12, "`'`"},
    /* no UTF-8 */
    {"\xFF", 1, "a character in UTF-8"},
    {"claims['\xC3\xA4\xFF'] eq 'b'", 10, "a character in UTF-8"},
    {"claims['a'] eq '\xC3'", 17, "a character in UTF-8"},
    {"claims['a'] eq '\xC0\xAF'", 17, "a character in UTF-8"},
    {"claims['a'] eq '\xED\xA0\x80'", 17, "a character in UTF-8"},
    {"claims['a'] eq '\xF4\x90\x80\x80'", 17, "a character in UTF-8"},
    {"nonsense \xFF", 10, "a character in UTF-8"},
    /* JSON pointers */
    {"claims['/'] eq 'a'", 0, ""},
    {"claims['/a/b/0'] eq 'c'", 0, ""},
    {"claims['/a~0b~1c'] eq 'd'", 0, ""},
    {"claims['a~b'] eq 'c'", 0, ""},
    {"claims['a/b~2'] eq 'c'", 0, ""},
    {"claims['/a~'] eq 'b'", 12, "`0` or `1` behind `~`"},
    {"claims['/~'] eq 'b'", 11, "`0` or `1` behind `~`"},
    {"claims['/a~2b'] eq 'c'", 12, "`0` or `1` behind `~`"},
    {"claims['/a~~0'] eq 'c'", 12, "`0` or `1` behind `~`"},
    {"claims['/a~/b'] eq 'c'", 12, "`0` or `1` behind `~`"},
    {"claims['/\xC3\xA4~\xC3\xA4'] eq 'c'", 12, "`0` or `1` behind `~`"},
    {"claims['/a~''1'] eq 'c'", 12, "`0` or `1` behind `~`"},
    {"claims['/a~1'] eq", 18, "a space"},
    {"claims['/a~", 12, "`'`"},
};

/* A fault leaves *out alone, and the oracle finds the same column. */
static void expect_parse(struct rely_slice text, size_t column, const char *expected)
{
    struct rely_pool pool;
    const struct rely_expression *const before = (const struct rely_expression *)&pool, *out = before;
    struct rely_expression_fault fault = {0, ""};
    rely_pool_init(&pool);
    bool is_right = rely_expression_parse(text, &pool, &out, &fault);
    if (is_right != (column == 0) || fault.column != column || strcmp(fault.expected, expected) != 0)
        fail_msg("%.*s: column %zu, expected %s; not column %zu, expected %s", RELY_ARG(text), column, expected,
                 fault.column, fault.expected);
    assert_int_equal(out == before, !is_right);
    assert_int_equal(oracle_parse(text)->column, column);
    rely_pool_fini(&pool);
}

static void test_rows(void **state)
{
    (void)state;
    assert_true(COUNT(rows) >= 100);
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_parse(rely_slice_of(rows[i].text), rows[i].column, rows[i].expected);
        compare_with_oracle(rely_slice_of(rows[i].text), RELY_LIT("b"));
    }
}

/* Each beginning of an expression is none, but where it is one by itself; its fault lies within it or right behind. */
static void test_every_beginning(void **state)
{
    (void)state;
    static const char text[] = " claims['/a~1''b'] eq 'c''d'  and claims['\xC3\xA4'] matches '*' ";
    for (size_t len = 0; len < sizeof text; len++)
        compare_with_oracle(rely_slice(text, len), RELY_LIT("c'd"));
}

static void test_nul_and_absent(void **state)
{
    (void)state;
    static const char text[] = "claims['a'] eq 'b\0c'";
    const char *expected = "no control character: only a space separates";
    expect_parse(rely_slice(text, sizeof text - 1), 18, expected);
    expect_parse(rely_slice(text, 18), 18, expected);
    expect_parse((struct rely_slice){0}, 1, "`claims['`");
}

/* --- limits --- */

struct made {
    char text[80000];
    size_t len;
};

static struct rely_slice slice_of(const struct made *made)
{
    return rely_slice(made->text, made->len);
}

static void add(struct made *made, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++, made->len += strlen(text))
        memcpy(made->text + made->len, text, strlen(text));
}

static void expect_limit(const char *before, const char *repeated, size_t times, const char *behind,
                         const struct parse_row *wanted)
{
    static struct made made;
    made.len = 0;
    add(&made, before, 1);
    add(&made, repeated, times);
    add(&made, behind, 1);
    expect_parse(slice_of(&made), wanted->column, wanted->expected);
}

static void test_limits_of_names_and_texts(void **state)
{
    (void)state;
    static const struct parse_row right = {NULL, 0, ""};
    static const struct parse_row long_name = {NULL, 209, "the name's end: it has at most 200 characters"};
    static const struct parse_row long_text = {NULL, 617, "the text's end: it has at most 600 characters"};
    static const char *const letters[] = {"x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x94\x91"};
    for (size_t i = 0; i < COUNT(letters); i++) {
        expect_limit("claims['", letters[i], 200, "'] eq ''", &right);
        expect_limit("claims['", letters[i], 201, "'] eq ''", &long_name);
        expect_limit("claims['/", letters[i], 199, "'] eq ''", &right);
        expect_limit("claims['/", letters[i], 200, "'] eq ''", &long_name);
        expect_limit("claims['c'] eq '", letters[i], 600, "'", &right);
        expect_limit("claims['c'] eq '", letters[i], 601, "'", &long_text);
        expect_limit("claims['c'] matches '*", letters[i], 599, "'", &right);
    }
    expect_limit("claims['", "''", 200, "'] eq ''", &right);
    expect_limit("claims['", "''", 201, "'] eq ''", &(struct parse_row){NULL, 409, long_name.expected});
    expect_limit("claims['/", "~1", 100, "'] eq ''", &long_name);
    expect_limit("claims['/a", "~1", 99, "'] eq ''", &right);
    expect_limit("claims['c'] eq '", "''", 600, "'", &right);
    expect_limit("claims['c'] eq '", "''", 601, "'", &(struct parse_row){NULL, 1217, long_text.expected});
    expect_limit("claims['c'] eq '", "''", 600, "", &(struct parse_row){NULL, 1217, "`'`"});
}

static void test_limits_of_terms_and_characters(void **state)
{
    (void)state;
    static const struct parse_row right = {NULL, 0, ""};
    static const struct parse_row many = {NULL, 365, "the end: an expression has at most 16 terms"};
    static const struct parse_row long_one = {NULL, 4097, "the end: an expression has at most 4096 characters"};
    expect_limit("claims['a'] eq 'b'", " and claims['a'] eq 'b'", 15, "", &right);
    expect_limit("claims['a'] eq 'b'", " and claims['a'] eq 'b'", 15, " ", &right);
    expect_limit("claims['a'] eq 'b'", " and claims['a'] eq 'b'", 16, "", &many);
    expect_limit("claims['a'] eq 'b'", " and claims['a'] eq 'b'", 15, "  x",
                 &(struct parse_row){NULL, 366, many.expected});
    expect_limit("claims['a'] eq 'b'", " and claims['a'] eq 'b'", 15, "x",
                 &(struct parse_row){NULL, 364, "a space or the end"});
    expect_limit("claims['a'] eq 'b'", " ", 4096 - 18, "", &right);
    expect_limit("claims['a'] eq 'b'", " ", 4097 - 18, "", &long_one);
    expect_limit("", " ", 4096 - 18, "claims['a'] eq 'b'", &right);
    expect_limit("", " ", 4097 - 18, "claims['a'] eq 'b'", &long_one);
    expect_limit("", " ", 4096, "", &(struct parse_row){NULL, 4097, "`claims['`"});
    expect_limit("nonsense", "\xF0\x9F\x94\x91", 4088, "", &(struct parse_row){NULL, 1, "`claims['`"});
    expect_limit("nonsense", "\xF0\x9F\x94\x91", 4089, "", &long_one);
    expect_limit("nonsense", "\xF0\x9F\x94\x91", 4089, "\xFF", &long_one);
    expect_limit("nonsense", "\xF0\x9F\x94\x91", 4088, "\xFF", &(struct parse_row){NULL, 4097, long_one.expected});
}

/* --- what is made of it --- */

static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct rely_slice claim;
    } names[] = {
        {"sub", RELY_LIT("sub")},
        {"/sub", RELY_LIT("sub")},
        {"kubernetes.io", RELY_LIT("kubernetes.io")},
        {"/kubernetes.io/serviceaccount/name", RELY_LIT("kubernetes.io\0serviceaccount\0name")},
        {"a/b", RELY_LIT("a/b")},
        {"/a~1b", RELY_LIT("a/b")},
        {"a~1b", RELY_LIT("a~1b")},
        {"/a~01", RELY_LIT("a~1")},
        {"/~0~1", RELY_LIT("~/")},
        {"/", RELY_LIT("")},
        {"//", RELY_LIT("\0")},
        {"/a/", RELY_LIT("a\0")},
        {"//a", RELY_LIT("\0a")},
        {"it''s", RELY_LIT("it's")},
        {"/it''s/''''", RELY_LIT("it's\0''")},
        {"/\xC3\xA4/\xF0\x9F\x94\x91", RELY_LIT("\xC3\xA4\0\xF0\x9F\x94\x91")},
        {" ", RELY_LIT(" ")},
        {"*", RELY_LIT("*")},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        char text[256];
        size_t len = (size_t)snprintf(text, sizeof text, "claims['%s'] eq 'x'", names[i].name);
        struct rely_expression *made = make_expression(rely_slice(text, len));
        if (!rely_slice_equal(rely_term_claim(made, 0), names[i].claim))
            fail_msg("the claim of %s", names[i].name);
        test_free(made);
    }
}

static void expect_claim(struct rely_slice name, const struct parse_row *wanted, struct rely_slice claim)
{
    struct rely_pool pool;
    struct rely_slice found = {0};
    struct rely_expression_fault fault = {0, ""};
    rely_pool_init(&pool);
    bool is_right = rely_claim_parse(name, &pool, &found, &fault);
    if (is_right != (wanted->column == 0) || fault.column != wanted->column ||
        strcmp(fault.expected, wanted->expected) != 0 || !rely_slice_same(found, claim))
        fail_msg("%.*s: column %zu, expected %s", RELY_ARG(name), fault.column, fault.expected);
    rely_pool_fini(&pool);
}

/* Without quotes: what is one in an expression only when it is doubled is one as it stands. */
static void test_claims_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct parse_row wanted;
        struct rely_slice claim;
    } names[] = {
        {"sub", {NULL, 0, ""}, RELY_LIT("sub")},
        {"it's", {NULL, 0, ""}, RELY_LIT("it's")},
        {"it''s", {NULL, 0, ""}, RELY_LIT("it''s")},
        {"'", {NULL, 0, ""}, RELY_LIT("'")},
        {"/a'/~0~1", {NULL, 0, ""}, RELY_LIT("a'\0~/")},
        {"a'] eq 'b", {NULL, 0, ""}, RELY_LIT("a'] eq 'b")},
        {"", {NULL, 1, "a claim's name"}, {NULL, 0}},
        {"/\xC3\xA4~", {NULL, 4, "`0` or `1` behind `~`"}, {NULL, 0}},
        {"/~2", {NULL, 3, "`0` or `1` behind `~`"}, {NULL, 0}},
        {"/a~'", {NULL, 4, "`0` or `1` behind `~`"}, {NULL, 0}},
        {"a\tb", {NULL, 2, "no control character: only a space separates"}, {NULL, 0}},
        {"\xC3\xA4\xFF", {NULL, 2, "a character in UTF-8"}, {NULL, 0}},
    };
    static struct made made;
    for (size_t i = 0; i < COUNT(names); i++)
        expect_claim(rely_slice_of(names[i].name), &names[i].wanted, names[i].claim);
    add(&made, "\xC3\xA4", 200);
    expect_claim(slice_of(&made), &names[0].wanted, slice_of(&made));
    add(&made, "x", 1);
    expect_claim(slice_of(&made), &(struct parse_row){NULL, 201, "the name's end: it has at most 200 characters"},
                 (struct rely_slice){0});
    add(&made, "x", 5000);
    expect_claim(slice_of(&made), &(struct parse_row){NULL, 201, "the name's end: it has at most 200 characters"},
                 (struct rely_slice){0});
}

static void test_claims_are_spelled_and_compared(void **state)
{
    (void)state;
    static const struct {
        const char *name, *spelled;
    } names[] = {
        {"sub", "sub"},   {"/sub", "sub"},
        {"a/b", "a/b"},   {"/a~1b", "a/b"},
        {"/~1a", "/~1a"}, {"/a/b~0~1c/0", "/a/b~0~1c/0"},
        {"/", "/"},       {"//", "//"},
        {"it's", "it's"}, {"oidc.circleci.com/project-id", "oidc.circleci.com/project-id"},
    };
    struct rely_pool pool;
    rely_pool_init(&pool);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct rely_slice claim, name = rely_slice_of(names[i].name), spelled = rely_slice_of(names[i].spelled);
        struct rely_expression_fault fault;
        assert_true(rely_claim_parse(name, &pool, &claim, &fault));
        struct rely_slice found = rely_claim_spell(claim, &pool);
        if (!rely_slice_equal(found, spelled))
            fail_msg("%s: %.*s", names[i].name, RELY_ARG(found));
        assert_true(rely_claim_is_same(name, spelled) && rely_claim_is_same(spelled, name));
    }
    assert_false(rely_claim_is_same(RELY_LIT("sub"), RELY_LIT("SUB")));
    assert_false(rely_claim_is_same(RELY_LIT("a/b"), RELY_LIT("/a/b")));
    assert_false(rely_claim_is_same(RELY_LIT("a"), (struct rely_slice){NULL, 0}));
    assert_false(rely_claim_is_same(RELY_LIT("/~"), RELY_LIT("/~2")));
    rely_pool_fini(&pool);
}

static void test_claims_are_cut_into_names(void **state)
{
    (void)state;
    static const struct {
        struct rely_slice claim;
        const char *names; /* with commas */
    } claims[] = {
        {RELY_LIT("sub"), "sub,"}, {RELY_LIT("a\0b\0c"), "a,b,c,"}, {RELY_LIT(""), ","},
        {RELY_LIT("\0"), ",,"},    {RELY_LIT("a\0"), "a,,"},        {RELY_LIT("\0\0a"), ",,a,"},
    };
    for (size_t i = 0; i < COUNT(claims); i++) {
        char names[64] = "";
        size_t len = 0;
        struct rely_slice rest = claims[i].claim, name;
        while (rely_claim_cut(&rest, &name))
            len += (size_t)snprintf(names + len, sizeof names - len, "%.*s,", RELY_ARG(name));
        assert_string_equal(names, claims[i].names);
        assert_null(rest.ptr);
    }
}

static void test_terms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
        bool is_literal;
    } terms[] = {
        {"eq 'a*'", "a*", true},
        {"eq ''", "", true},
        {"matches 'a*'", "a*", false},
        {"matches 'a?'", "a?", false},
        {"matches 'a'", "a", true},
        {"matches ''", "", true},
        {"matches '*'", "*", false},
        {"eq 'it''s'", "it's", true},
        {"matches '\xC3\xA4\xC3\xA4'", "\xC3\xA4\xC3\xA4", true},
    };
    for (size_t i = 0; i < COUNT(terms); i++) {
        char text[256];
        size_t len = (size_t)snprintf(text, sizeof text, "claims['x'] eq 'y' and claims['c'] %s", terms[i].text);
        struct rely_expression *made = make_expression(rely_slice(text, len));
        struct rely_slice found = rely_term_text(made, 1);
        assert_int_equal(made->term_count, 2);
        assert_int_equal(found.len, strlen(terms[i].wanted));
        assert_memory_equal(found.ptr, terms[i].wanted, found.len);
        assert_int_equal(rely_term_is_literal(made, 1), terms[i].is_literal);
        test_free(made);
    }
}

/* The block has room for its terms and characters, and for nothing else. */
static void test_block(void **state)
{
    (void)state;
    struct rely_expression *one = make_expression(RELY_LIT("claims['sub'] matches 'it''s*'"));
    struct rely_expression *two = make_expression(RELY_LIT("  claims['/sub']  matches  'it''s*' "));
    assert_int_equal(one->bytes, sizeof *one + sizeof one->terms[0] + strlen("subit's*"));
    assert_int_equal(two->bytes, one->bytes);
    assert_memory_equal(two, one, one->bytes);
    test_free(one);
    test_free(two);
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *prefix; /* NULL: absent */
    } prefixes[] = {
        {"claims['sub'] matches 'repo:acme/*'", "repo:acme/"},
        {"claims['sub'] matches 'a?b'", "a"},
        {"claims['sub'] eq 'repo:*'", "repo:*"},
        {"claims['sub'] matches 'whole'", "whole"},
        {"claims['sub'] matches '\xC3\xA4*'", "\xC3\xA4"},
        {"claims['sub'] matches '*'", ""},
        {"claims['sub'] matches '*:main'", ""},
        {"claims['sub'] matches '?'", ""},
        {"claims['sub'] eq ''", ""},
        {"claims['su'] eq 'x'", NULL},
        {"claims['/sub/sub'] eq 'x'", NULL},
        {"claims['subject'] eq 'x' and claims['Sub'] eq 'y'", NULL},
        {"claims['/sub'] eq 'x'", "x"},
        {"claims['a'] eq 'long long' and claims['sub'] matches 'x*'", "x"},
        {"claims['sub'] matches '*z' and claims['sub'] matches 'ab*' and claims['sub'] matches 'a?*'", "ab"},
        {"claims['sub'] matches 'ab*' and claims['sub'] matches 'cd*'", "ab"},
    };
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        struct rely_expression *made = make_expression(rely_slice_of(prefixes[i].text));
        struct rely_slice found = rely_expression_prefix(made, RELY_LIT("sub"));
        if (!rely_slice_same(found, rely_slice_of(prefixes[i].prefix)))
            fail_msg("%s: %.*s", prefixes[i].text, RELY_ARG(found));
        test_free(made);
    }
}

int run_parse_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_nul_and_absent),
        cmocka_unit_test(test_limits_of_names_and_texts),
        cmocka_unit_test(test_limits_of_terms_and_characters),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_claims_alone),
        cmocka_unit_test(test_claims_are_spelled_and_compared),
        cmocka_unit_test(test_claims_are_cut_into_names),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests_name("expression: parse", tests, NULL, NULL);
}

/*
 * Reads a claims matching expression into one block. Decides whether it is one, and says in which column it stops being
 * one; not whether it is a good rule. Called when a rule is written (model/) and when it is taken into an edition.
 */
#include "relyd/expression.h"
#include "relyd/pool.h"
#include "relyd/text.h"

/* The bytes of every name and text lie in one block with the terms: their places fit 16 bits. */
#define EXPRESSION_BYTES_MAX ((size_t)4 * RELY_EXPRESSION_CHARS_MAX)
#define TERMS_BYTES_MAX (RELY_EXPRESSION_TERMS_MAX * sizeof(struct rely_term))
_Static_assert(sizeof(struct rely_expression) + TERMS_BYTES_MAX + EXPRESSION_BYTES_MAX <= UINT16_MAX, "16 bits");

struct expression_reader {
    const char *start, *at, *end; /* the text, which is UTF-8 */
    char *chars;                  /* where the unquoted ones begin */
    char *to;                     /* and where the next one goes */
    bool is_bare;                 /* a name alone: without quotes round it, and none is doubled */
    const char *expected;         /* NULL: no fault yet; else what should stand at `at` */
};

/* What the sentences below say. */
_Static_assert(RELY_EXPRESSION_CHARS_MAX == 4096 && RELY_EXPRESSION_TERMS_MAX == 16, "limits.h");
_Static_assert(RELY_CLAIM_NAME_MAX == 200 && RELY_TEXT_MAX == 600, "limits.h");

/* Notes a fault; always false. */
static bool expect_else(struct expression_reader *reader, const char *at, const char *expected)
{
    reader->at = at;
    reader->expected = expected;
    return false;
}

/* Looks for characters that may stand nowhere, and for one too many. */
static bool check_characters(struct expression_reader *reader)
{
    size_t len, count = 0;
    for (const char *at = reader->start; at < reader->end; at += len, count++) {
        len = rely_utf8_measure(at, (size_t)(reader->end - at));
        if (count == RELY_EXPRESSION_CHARS_MAX && !reader->is_bare)
            return expect_else(reader, at, "the end: an expression has at most 4096 characters");
        if (len == 0)
            return expect_else(reader, at, "a character in UTF-8");
        if (rely_text_has_control(rely_slice(at, len)))
            return expect_else(reader, at, "no control character: only a space separates");
    }
    return true;
}

static bool is_at_text(const struct expression_reader *reader, struct rely_slice text)
{
    return rely_slice_starts(rely_slice(reader->at, (size_t)(reader->end - reader->at)), text);
}

static bool take_fixed(struct expression_reader *reader, struct rely_slice text, const char *expected)
{
    if (!is_at_text(reader, text))
        return expect_else(reader, reader->at, expected);
    reader->at += text.len;
    return true;
}

static void skip_spaces(struct expression_reader *reader)
{
    while (reader->at < reader->end && *reader->at == ' ')
        reader->at++;
}

static bool take_spaces(struct expression_reader *reader)
{
    bool is_space = take_fixed(reader, RELY_LIT(" "), "a space");
    if (is_space)
        skip_spaces(reader);
    return is_space;
}

/* What stands in front of a space or quote: so that `equals` is no `eq` with something wrong behind it. */
static struct rely_slice take_word(struct expression_reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at != ' ' && *reader->at != '\'')
        reader->at++;
    return rely_slice(start, (size_t)(reader->at - start));
}

/* The next character between quotes, of a quote that is written twice the second; false behind the quote that ends it,
 * or on a fault. */
static bool take_quoted(struct expression_reader *reader, struct rely_slice *out)
{
    if (reader->at == reader->end)
        return !reader->is_bare && expect_else(reader, reader->at, "`'`");
    if (*reader->at == '\'' && !reader->is_bare) {
        reader->at++;
        if (!is_at_text(reader, RELY_LIT("'")))
            return false;
    }
    *out = rely_slice(reader->at, rely_utf8_measure(reader->at, (size_t)(reader->end - reader->at)));
    reader->at += out->len;
    return true;
}

static void put_character(struct expression_reader *reader, struct rely_slice character)
{
    memcpy(reader->to, character.ptr, character.len);
    reader->to += character.len;
}

/* One character of a JSON pointer (RFC 6901 s3, s4); false for one behind `~` that is neither `0` nor `1`. */
static bool put_pointer_character(struct expression_reader *reader, struct rely_slice character, bool *is_escape)
{
    char meant = character.ptr[0];
    if (*is_escape) {
        if (meant != '0' && meant != '1')
            return false;
        *reader->to++ = meant == '0' ? '~' : '/';
        *is_escape = false;
    } else if (meant == '~') {
        *is_escape = true;
    } else if (meant == '/') {
        *reader->to++ = '\0';
    } else {
        put_character(reader, character);
    }
    return true;
}

/* Takes the quote that ends it, too. The names of a pointer are put with U+0000 between. */
static bool read_claim(struct expression_reader *reader)
{
    struct rely_slice character;
    const char *at = reader->at;
    bool is_pointer = false, is_escape = false;
    size_t count = 0;
    for (; take_quoted(reader, &character); count++, at = reader->at) {
        if (count == RELY_CLAIM_NAME_MAX)
            return expect_else(reader, at, "the name's end: it has at most 200 characters");
        if (count == 0 && *at == '/')
            is_pointer = true;
        else if (!is_pointer)
            put_character(reader, character);
        else if (!put_pointer_character(reader, character, &is_escape))
            return expect_else(reader, at, "`0` or `1` behind `~`");
    }
    if (reader->expected == NULL && is_escape)
        return expect_else(reader, at, "`0` or `1` behind `~`");
    if (reader->expected == NULL && count == 0)
        return expect_else(reader, at, "a claim's name");
    return reader->expected == NULL;
}

/* Behind the quote that begins it; takes the one that ends it. */
static bool read_term_text(struct expression_reader *reader)
{
    struct rely_slice character;
    const char *at = reader->at;
    for (size_t count = 0; take_quoted(reader, &character); count++, at = reader->at) {
        if (count == RELY_TEXT_MAX)
            return expect_else(reader, at, "the text's end: it has at most 600 characters");
        put_character(reader, character);
    }
    return reader->expected == NULL;
}

/* How much of a pattern stands in front of its first wildcard. */
static size_t measure_literal(struct rely_slice text)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] != '*' && text.ptr[len] != '?')
        len++;
    return len;
}

static bool take_operator(struct expression_reader *reader, bool *is_pattern)
{
    const char *start = reader->at;
    struct rely_slice word = take_word(reader);
    *is_pattern = rely_slice_equal(word, RELY_LIT("matches"));
    return *is_pattern || rely_slice_equal(word, RELY_LIT("eq")) || expect_else(reader, start, "`eq` or `matches`");
}

static bool read_term(struct expression_reader *reader, struct rely_term *out)
{
    bool is_pattern;
    const char *claim = reader->to;
    if (!take_fixed(reader, RELY_LIT("claims['"), "`claims['`") || !read_claim(reader))
        return false;
    const char *text = reader->to;
    if (!take_fixed(reader, RELY_LIT("]"), "`]`") || !take_spaces(reader) || !take_operator(reader, &is_pattern) ||
        !take_spaces(reader) || !take_fixed(reader, RELY_LIT("'"), "`'` and a text") || !read_term_text(reader))
        return false;
    size_t len = (size_t)(reader->to - text);
    *out = (struct rely_term){.claim_at = (uint16_t)(claim - reader->chars),
                              .claim_len = (uint16_t)(text - claim),
                              .text_at = (uint16_t)(text - reader->chars),
                              .text_len = (uint16_t)len,
                              .literal_len = (uint16_t)(is_pattern ? measure_literal(rely_slice(text, len)) : len)};
    return true;
}

/* Behind a term: is there another one? */
static bool take_and(struct expression_reader *reader, size_t count)
{
    const char *start = reader->at;
    skip_spaces(reader);
    if (reader->at == reader->end)
        return false;
    if (reader->at == start)
        return expect_else(reader, start, "a space or the end");
    start = reader->at;
    if (count == RELY_EXPRESSION_TERMS_MAX)
        return expect_else(reader, start, "the end: an expression has at most 16 terms");
    if (!rely_slice_equal(take_word(reader), RELY_LIT("and")))
        return expect_else(reader, start, "`and` or the end");
    return take_spaces(reader);
}

static bool read_terms(struct expression_reader *reader, struct rely_expression *expression)
{
    size_t count = 0;
    skip_spaces(reader);
    do {
        if (!read_term(reader, expression->terms + count))
            return false;
        count++;
    } while (take_and(reader, count));
    expression->term_count = (uint16_t)count;
    return reader->expected == NULL;
}

/* In: the characters stand behind room for as many terms as there may be; they are moved to where the terms end. */
static void close_up(struct expression_reader *reader, struct rely_expression *expression)
{
    size_t len = (size_t)(reader->to - reader->chars);
    char *behind = (char *)(expression->terms + expression->term_count);
    memmove(behind, reader->chars, len);
    expression->bytes = (uint16_t)((size_t)(behind - (char *)expression) + len);
}

static struct expression_reader start_reading(struct rely_slice text, bool is_bare)
{
    return (struct expression_reader){
        .start = text.ptr, .at = text.ptr, .end = text.ptr + text.len, .is_bare = is_bare};
}

/* Says what has been noted; always false. What stands in front of a fault is UTF-8. */
static bool tell_fault(const struct expression_reader *reader, struct rely_expression_fault *fault)
{
    size_t before = 0;
    bool is_utf8 = rely_utf8_count(rely_slice(reader->start, (size_t)(reader->at - reader->start)), &before);
    RELY_ASSERT(is_utf8 && reader->expected != NULL);
    *fault = (struct rely_expression_fault){before + 1, reader->expected};
    return false;
}

bool rely_expression_parse(struct rely_slice text, struct rely_pool *pool, const struct rely_expression **out,
                           struct rely_expression_fault *fault)
{
    struct expression_reader reader = start_reading(text, false);
    if (!check_characters(&reader))
        return tell_fault(&reader, fault);
    struct rely_expression *expression = rely_pool_alloc(pool, sizeof *expression + TERMS_BYTES_MAX + text.len);
    reader.chars = reader.to = (char *)(expression->terms + RELY_EXPRESSION_TERMS_MAX);
    if (!read_terms(&reader, expression))
        return tell_fault(&reader, fault);
    close_up(&reader, expression);
    *out = expression;
    return true;
}

bool rely_claim_parse(struct rely_slice name, struct rely_pool *pool, struct rely_slice *out,
                      struct rely_expression_fault *fault)
{
    struct expression_reader reader = start_reading(name, true);
    if (!check_characters(&reader))
        return tell_fault(&reader, fault);
    reader.chars = reader.to = rely_pool_alloc(pool, name.len);
    if (!read_claim(&reader))
        return tell_fault(&reader, fault);
    *out = rely_slice(reader.chars, (size_t)(reader.to - reader.chars));
    return true;
}

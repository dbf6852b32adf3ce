/*
 * An automaton for the grammar and one for patterns; see oracle.h. Shares no code with src/expression.
 */
#include "oracle.h"

#define END UINT32_MAX /* behind the last character */

/* --- characters --- */

/* The shortest form only, no surrogates, nothing above U+10FFFF: by the value that comes out. */
bool oracle_decode(struct rely_slice text, struct oracle_chars *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    out->count = 0;
    for (size_t at = 0; at < text.len;) {
        unsigned char lead = (unsigned char)text.ptr[at];
        size_t len = lead < 0x80 ? 1 : (lead & 0xE0) == 0xC0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : 4;
        uint32_t code = len == 1 ? lead : lead & (0xFFU >> (len + 1));
        if ((len == 4 && (lead & 0xF8) != 0xF0) || at + len > text.len || out->count == 20000)
            return false;
        for (size_t i = 1; i < len; i++) {
            unsigned char next = (unsigned char)text.ptr[at + i];
            if (next >> 6 != 2)
                return false;
            code = code * 64 + next % 64;
        }
        if (code < least[len] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            return false;
        out->codes[out->count++] = code;
        at += len;
    }
    return true;
}

/* --- the grammar --- */

enum oracle_state {
    BEFORE_TERM,
    HEAD,
    NAME,
    NAME_QUOTE,
    AFTER_NAME,
    BEFORE_OPERATOR,
    OPERATOR,
    BEFORE_TEXT,
    TEXT_INSIDE,
    TEXT_QUOTE,
    AFTER_TERM,
    BEFORE_AND,
    AND
};

struct oracle_run {
    enum oracle_state state;
    size_t word_at;  /* where the word began that is being read */
    char word[16];   /* its beginning */
    size_t word_len; /* all of it */
    size_t name_len;
    bool is_pointer, is_tilde;
};

static struct oracle_expression result;

static struct oracle_term *last_term(void)
{
    return &result.terms[result.term_count - 1];
}

static void add_code(struct oracle_chars *chars, uint32_t code)
{
    chars->codes[chars->count++] = code;
}

static void begin_word(struct oracle_run *run, enum oracle_state state, size_t at)
{
    run->state = state;
    run->word_at = at;
    run->word_len = 0;
    memset(run->word, 0, sizeof run->word);
}

static void add_to_word(struct oracle_run *run, uint32_t code)
{
    if (run->word_len + 1 < sizeof run->word)
        run->word[run->word_len] = code < 128 ? (char)code : '#';
    run->word_len++;
}

static bool is_word(const struct oracle_run *run, const char *word)
{
    return strcmp(run->word, word) == 0;
}

/* A character of a name, whose first place in the text is `at`: the column of a fault, or 0. */
static size_t eat_name_character(struct oracle_run *run, uint32_t code, size_t at)
{
    struct oracle_chars *claim = &last_term()->claim;
    if (run->name_len == 200)
        return at;
    run->name_len++;
    if (run->name_len == 1 && code == '/') {
        run->is_pointer = true;
    } else if (!run->is_pointer) {
        add_code(claim, code);
    } else if (run->is_tilde) {
        if (code != '0' && code != '1')
            return at;
        add_code(claim, code == '0' ? '~' : '/');
        run->is_tilde = false;
    } else if (code == '~') {
        run->is_tilde = true;
    } else {
        add_code(claim, code == '/' ? 0 : code);
    }
    return 0;
}

static size_t eat_text_character(uint32_t code, size_t at)
{
    if (last_term()->text.count == 600)
        return at;
    add_code(&last_term()->text, code);
    return 0;
}

static void begin_term(struct oracle_run *run)
{
    run->state = NAME;
    run->name_len = 0;
    run->is_pointer = run->is_tilde = false;
    result.term_count++;
    last_term()->claim.count = last_term()->text.count = 0;
}

/* Eats one character, the at-th, or END behind all. Returns the column of a fault, 0 for none. */
static size_t eat(struct oracle_run *run, uint32_t code, size_t at)
{
    static const char head[] = "claims['";
    switch (run->state) {
    case BEFORE_TERM:
        if (code == ' ')
            return 0;
        begin_word(run, HEAD, at);
        return eat(run, code, at);
    case HEAD:
        if (code != (unsigned char)head[run->word_len])
            return run->word_at;
        run->word_len++;
        if (run->word_len == strlen(head))
            begin_term(run);
        return 0;
    case NAME:
        if (code == END)
            return at;
        if (code != '\'')
            return eat_name_character(run, code, at);
        run->state = NAME_QUOTE;
        return 0;
    case NAME_QUOTE:
        if (code == '\'') {
            run->state = NAME;
            return eat_name_character(run, code, at - 1);
        }
        if (run->is_tilde || run->name_len == 0)
            return at - 1;
        run->state = AFTER_NAME;
        return code == ']' ? 0 : at;
    case AFTER_NAME:
        run->state = BEFORE_OPERATOR;
        return code == ' ' ? 0 : at;
    case BEFORE_OPERATOR:
        if (code == ' ')
            return 0;
        begin_word(run, OPERATOR, at);
        return eat(run, code, at);
    case OPERATOR:
        if (code != ' ' && code != '\'' && code != END) {
            add_to_word(run, code);
            return 0;
        }
        last_term()->is_pattern = is_word(run, "matches");
        if (!is_word(run, "eq") && !is_word(run, "matches"))
            return run->word_at;
        run->state = BEFORE_TEXT;
        return code == ' ' ? 0 : at;
    case BEFORE_TEXT:
        if (code == ' ')
            return 0;
        run->state = TEXT_INSIDE;
        return code == '\'' ? 0 : at;
    case TEXT_INSIDE:
        if (code == END)
            return at;
        if (code != '\'')
            return eat_text_character(code, at);
        run->state = TEXT_QUOTE;
        return 0;
    case TEXT_QUOTE:
        run->state = code == '\'' ? TEXT_INSIDE : AFTER_TERM;
        return code == '\'' ? eat_text_character(code, at - 1) : eat(run, code, at);
    case AFTER_TERM:
        run->state = BEFORE_AND;
        return code == ' ' || code == END ? 0 : at;
    case BEFORE_AND:
        if (code == ' ' || code == END)
            return 0;
        if (result.term_count == 16)
            return at;
        begin_word(run, AND, at);
        return eat(run, code, at);
    case AND:
        if (code != ' ' && code != '\'' && code != END) {
            add_to_word(run, code);
            return 0;
        }
        run->state = BEFORE_TERM;
        return !is_word(run, "and") ? run->word_at : code == ' ' ? 0 : at;
    }
    return at;
}

/* The column of the first character that may stand nowhere, or of the 4,097th; 0: none. */
static size_t find_forbidden(const struct oracle_chars *chars, bool is_utf8)
{
    for (size_t i = 0; i < chars->count; i++)
        if (i == 4096 || chars->codes[i] < 0x20 || (chars->codes[i] >= 0x7F && chars->codes[i] <= 0x9F))
            return i + 1;
    return is_utf8 ? 0 : chars->count + 1;
}

const struct oracle_expression *oracle_parse(struct rely_slice text)
{
    static struct oracle_chars chars;
    struct oracle_run run = {.state = BEFORE_TERM};
    bool is_utf8 = oracle_decode(text, &chars);
    result.term_count = 0;
    result.column = find_forbidden(&chars, is_utf8);
    for (size_t at = 1; result.column == 0 && at <= chars.count + 1; at++)
        result.column = eat(&run, at <= chars.count ? chars.codes[at - 1] : END, at);
    return &result;
}

/* --- patterns --- */

/* Which places of the pattern may be reached behind so much of the value: `*` is passed without eating anything. */
static void pass_stars(const struct oracle_chars *pattern, bool *reached)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (reached[i] && pattern->codes[i] == '*')
            reached[i + 1] = true;
}

static bool oracle_wildcards(const struct oracle_chars *pattern, const struct oracle_chars *value)
{
    bool reached[601] = {true}, next[601];
    pass_stars(pattern, reached);
    for (size_t k = 0; k < value->count; k++) {
        memset(next, 0, sizeof next);
        for (size_t i = 0; i < pattern->count; i++) {
            uint32_t code = pattern->codes[i];
            if (reached[i] && code == '*')
                next[i] = true;
            else if (reached[i] && (code == '?' || code == value->codes[k]))
                next[i + 1] = true;
        }
        pass_stars(pattern, next);
        memcpy(reached, next, sizeof reached);
    }
    return reached[pattern->count];
}

bool oracle_matches(const struct oracle_term *term, struct rely_slice text)
{
    static struct oracle_chars value;
    bool is_utf8 = oracle_decode(text, &value);
    if (!is_utf8 || value.count > 2048)
        return false;
    if (term->is_pattern)
        return oracle_wildcards(&term->text, &value);
    return value.count == term->text.count &&
           memcmp(value.codes, term->text.codes, value.count * sizeof value.codes[0]) == 0;
}

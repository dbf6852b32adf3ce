/*
 * How two texts differ, in words: a blank or a slash at the end, letter case, or the first character that is another.
 * Decides nothing; also weighs the difference, so that the nearest can come first. Called by explain.
 */
#include "compare.h"
#include "relyd/text.h"
#include <stdio.h>

static bool is_same_but_case(struct rely_slice a, struct rely_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i], y = b.ptr[i];
        bool is_letter = (x | 0x20) >= 'a' && (x | 0x20) <= 'z';
        if (x != y && !(is_letter && (x | 0x20) == (y | 0x20)))
            return false;
    }
    return true;
}

static bool is_blank_character(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct rely_slice trim_both_ends(struct rely_slice text)
{
    while (text.len > 0 && is_blank_character(text.ptr[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_blank_character(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static bool is_same_but_slash(struct rely_slice a, struct rely_slice b)
{
    struct rely_slice longer = a.len > b.len ? a : b, shorter = a.len > b.len ? b : a;
    return longer.len == shorter.len + 1 && longer.ptr[longer.len - 1] == '/' && rely_slice_starts(longer, shorter);
}

static size_t count_common_head(struct rely_slice a, struct rely_slice b)
{
    size_t head = 0;
    while (head < a.len && head < b.len && a.ptr[head] == b.ptr[head])
        head++;
    return head;
}

/* What is not common to both ends, in bytes. */
static size_t weigh_difference(struct rely_slice a, struct rely_slice b)
{
    size_t head = count_common_head(a, b), tail = 0;
    size_t shorter = a.len < b.len ? a.len : b.len, longer = a.len < b.len ? b.len : a.len;
    while (tail < shorter - head && a.ptr[a.len - 1 - tail] == b.ptr[b.len - 1 - tail])
        tail++;
    return longer - head - tail + 2;
}

/* Back to the start of the character that `at` is inside of. */
static size_t find_character_start(struct rely_slice text, size_t at)
{
    while (at > 0 && at < text.len && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static const char *quote_from(struct rely_slice text, size_t at, char out[RELY_QUOTED_SIZE])
{
    size_t len = text.len - at < 12 ? text.len - at : 12;
    return rely_quote(rely_slice(text.ptr + at, len), out);
}

static void note_first_difference(struct rely_slice token, struct rely_slice other, const char *other_name,
                                  struct rely_difference *out)
{
    size_t head = count_common_head(token, other), position = 0;
    char token_text[RELY_QUOTED_SIZE], other_text[RELY_QUOTED_SIZE];
    head = find_character_start(token.len > head ? token : other, head);
    if (!rely_utf8_count(rely_slice(token.ptr, head), &position))
        position = head;
    if (head == token.len)
        snprintf(out->note, sizeof out->note, "the token's ends after character %zu, the %s goes on with %.60s",
                 position, other_name, quote_from(other, head, other_text));
    else if (head == other.len)
        snprintf(out->note, sizeof out->note, "the %s ends after character %zu, the token's goes on with %.60s",
                 other_name, position, quote_from(token, head, token_text));
    else
        snprintf(out->note, sizeof out->note, "differs at character %zu: the token has %.50s, the %s %.50s",
                 position + 1, quote_from(token, head, token_text), other_name, quote_from(other, head, other_text));
}

void rely_difference_find(struct rely_slice token, struct rely_slice other, const char *other_name,
                          struct rely_difference *out)
{
    *out = (struct rely_difference){.weight = 1};
    if (rely_slice_equal(token, other)) {
        out->weight = 0;
    } else if (is_same_but_case(token, other)) {
        snprintf(out->note, sizeof out->note, "differs only in letter case");
    } else if (rely_slice_equal(trim_both_ends(token), trim_both_ends(other))) {
        bool is_tokens = trim_both_ends(token).len != token.len;
        snprintf(out->note, sizeof out->note, "the %s has a blank at its start or end",
                 is_tokens ? "token" : other_name);
    } else if (is_same_but_slash(token, other)) {
        snprintf(out->note, sizeof out->note, "the %s has a trailing slash, the %s has none",
                 token.len > other.len ? "token" : other_name, token.len > other.len ? other_name : "token");
    } else if (memchr(other.ptr, '*', other.len) != NULL) {
        out->weight = weigh_difference(token, other);
        snprintf(out->note, sizeof out->note, "the %s has a *, which has no meaning here: texts are compared exactly",
                 other_name);
    } else {
        out->weight = weigh_difference(token, other);
        note_first_difference(token, other, other_name, out);
    }
}

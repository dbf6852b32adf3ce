/*
 * Strings and numbers of a JSON text: one pass that validates UTF-8 on the way and copies only what was escaped.
 * Decides whether a word is well-formed; does not know what stands around it. Called by view.c.
 */
#include "view_text.h"

#include "relyd/bytes.h"
#include "relyd/pool.h"
#include "relyd/text.h"

#include <math.h>
#include <stdlib.h>

/* The next quote or backslash, with everything before it validated; NULL on a fault. */
static const char *find_string_mark(struct rely_view_text *text, const char *at)
{
    for (;;) {
        at += rely_bytes_measure_plain(at, (size_t)(text->end - at));
        if (at == text->end) {
            rely_view_text_fail(text, "unterminated string");
            return NULL;
        }
        if (*at == '"' || *at == '\\')
            return at;
        if ((unsigned char)*at < 0x20) {
            rely_view_text_fail(text, "control character in a string");
            return NULL;
        }
        size_t length = rely_utf8_measure(at, (size_t)(text->end - at));
        if (length == 0) {
            rely_view_text_fail(text, "invalid UTF-8");
            return NULL;
        }
        at += length;
    }
}

static int hex_digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hexadecimal digits behind `\u`; `at` is at the backslash. False when that is not what stands there. */
static bool read_code_unit(const char *at, const char *end, uint32_t *out)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
    uint32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit_value(at[i]);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *out = unit;
    return true;
}

static char *put_utf8_char(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    return to;
}

/* `at` is at the backslash of `\u`. Returns what follows the escape, or NULL on a fault. */
static const char *decode_code_point(struct rely_view_text *text, const char *at, char **to)
{
    uint32_t code;
    if (!read_code_unit(at, text->end, &code)) {
        rely_view_text_fail(text, "bad escape");
        return NULL;
    }
    at += 6;
    if (code == 0) { /* `aud\0evil`: a later C string would end there */
        rely_view_text_fail(text, "U+0000");
        return NULL;
    }
    if (code >= 0xD800 && code <= 0xDFFF) {
        uint32_t low;
        if (code >= 0xDC00 || !read_code_unit(at, text->end, &low) || low < 0xDC00 || low > 0xDFFF) {
            rely_view_text_fail(text, "lone surrogate");
            return NULL;
        }
        at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *to = put_utf8_char(*to, code);
    return at;
}

/* `at` is at a backslash. Returns what follows the escape, or NULL on a fault. */
static const char *decode_escape(struct rely_view_text *text, const char *at, char **to)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (text->end - at < 2) {
        rely_view_text_fail(text, "unterminated string");
        return NULL;
    }
    if (at[1] == 'u')
        return decode_code_point(text, at, to);
    const char *letter = memchr(letters, at[1], sizeof letters - 1);
    if (letter == NULL) {
        rely_view_text_fail(text, "bad escape");
        return NULL;
    }
    *(*to)++ = meanings[letter - letters];
    return at + 2;
}

/* The rest of a string that has an escape at `mark`. */
static bool decode_string(struct rely_view_text *text, const char *start, const char *mark, struct rely_slice *out)
{
    /* No escape is shorter than what it stands for: the rest of the text can decode to no more than its own length. */
    if (text->decoded == NULL)
        text->decoded = rely_pool_alloc(text->pool, (size_t)(text->end - start));
    char *begin = text->decoded, *to = begin;
    const char *run = start;
    for (;;) {
        memcpy(to, run, (size_t)(mark - run));
        to += mark - run;
        if (*mark == '"')
            break;
        run = decode_escape(text, mark, &to);
        mark = run == NULL ? NULL : find_string_mark(text, run);
        if (mark == NULL)
            return false;
    }
    text->decoded = to;
    text->at = mark + 1;
    *out = rely_slice(begin, (size_t)(to - begin));
    return true;
}

bool rely_view_text_string(struct rely_view_text *text, struct rely_slice *out)
{
    const char *start = text->at + 1;
    const char *mark = find_string_mark(text, start);
    if (mark == NULL)
        return false;
    if (*mark == '\\')
        return decode_string(text, start, mark, out);
    text->at = mark + 1;
    *out = rely_slice(start, (size_t)(mark - start));
    return true;
}

/* Behind the digits; NULL when there is none. */
static const char *skip_digits(const char *at, const char *end)
{
    const char *start = at;
    while (at != NULL && at < end && *at >= '0' && *at <= '9')
        at++;
    return at == start ? NULL : at;
}

bool rely_view_text_number(struct rely_view_text *text, struct rely_slice *out)
{
    const char *at = text->at, *end = text->end;
    if (*at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at != NULL && at < end && *at == '.')
        at = skip_digits(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = skip_digits(at, end);
    }
    if (at == NULL)
        return rely_view_text_fail(text, "bad number");
    *out = rely_slice(text->at, (size_t)(at - text->at));
    text->at = at;
    return true;
}

/* The usual NumericDate: up to 18 digits, which fit an int64_t. */
static bool read_whole_number(struct rely_slice number, double *out)
{
    size_t sign = number.ptr[0] == '-';
    if (number.len - sign > 18)
        return false;
    int64_t whole = 0;
    for (size_t i = sign; i < number.len; i++) {
        if (number.ptr[i] < '0' || number.ptr[i] > '9')
            return false;
        whole = whole * 10 + (number.ptr[i] - '0');
    }
    *out = sign != 0 ? -(double)whole : (double)whole;
    return true;
}

bool rely_view_text_value(struct rely_slice number, double *out)
{
    if (read_whole_number(number, out))
        return true;
    /* strtod may look behind the number: a byte that ends it always follows, the root's `}` at the latest. Under a
     * locale with a decimal comma it stops too early, and the number is refused rather than misread. */
    char *behind;
    double value = strtod(number.ptr, &behind);
    if (behind != number.ptr + number.len || isinf(value))
        return false;
    *out = value;
    return true;
}

/*
 * Growing text on the heap, and JSON strings into it. For answers, metrics and log lines; not for what strangers may
 * grow without a limit. Used by every folder that writes text.
 */
#include "relyd/bytes.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

void rely_buf_reserve(struct rely_buf *buf, size_t more)
{
    if (buf->cap - buf->len > more)
        return;
    size_t cap = buf->cap == 0 ? 256 : buf->cap;
    while (cap - buf->len <= more)
        cap *= 2;
    buf->ptr = rely_realloc(buf->ptr, cap);
    buf->cap = cap;
}

void rely_buf_printf(struct rely_buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    RELY_ASSERT(len >= 0);
    rely_buf_reserve(buf, (size_t)len);
    vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

void rely_buf_fini(struct rely_buf *buf)
{
    free(buf->ptr);
    *buf = (struct rely_buf){0};
}

/* The separators are line ends to JavaScript and to some log readers. */
static bool is_line_separator(const unsigned char *text, size_t len)
{
    return len == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9);
}

static void put_json_character(struct rely_buf *buf, const unsigned char *text, size_t len)
{
    static const char *const shorthand[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    unsigned char c = text[0];
    if (is_line_separator(text, len))
        rely_buf_put(buf, text[2] == 0xa8 ? RELY_LIT("\\u2028") : RELY_LIT("\\u2029"));
    else if (c == '"' || c == '\\')
        rely_buf_put(buf, c == '"' ? RELY_LIT("\\\"") : RELY_LIT("\\\\"));
    else if (c < sizeof shorthand / sizeof shorthand[0] && shorthand[c] != NULL)
        rely_buf_put(buf, rely_slice_of(shorthand[c]));
    else if (c < 0x20 || c == 0x7f)
        rely_buf_printf(buf, "\\u%04x", c);
    else
        rely_buf_put(buf, rely_slice((const char *)text, len));
}

/* In: well-formed UTF-8. */
static unsigned decode_character(const unsigned char *text, size_t len)
{
    unsigned code = len == 1 ? text[0] : text[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (text[i] & 0x3fu);
    return code;
}

static void put_plain_character(struct rely_buf *buf, const unsigned char *text, size_t len)
{
    unsigned code = decode_character(text, len);
    if (code < 0x80)
        put_json_character(buf, text, len);
    else if (code < 0x10000)
        rely_buf_printf(buf, "\\u%04x", code);
    else /* RFC 8259 s7: two surrogates */
        rely_buf_printf(buf, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

/* Nearly every string: nothing of it is escaped. There is room. */
static bool put_plain_string(struct rely_buf *buf, struct rely_slice text)
{
    if (text.len == 0 || rely_bytes_measure_plain(text.ptr, text.len) < text.len)
        return false;
    char *out = buf->ptr + buf->len;
    out[0] = '"';
    memcpy(out + 1, text.ptr, text.len);
    out[text.len + 1] = '"';
    out[text.len + 2] = '\0';
    buf->len += text.len + 2;
    return true;
}

static void put_json_string(struct rely_buf *buf, struct rely_slice text,
                            void (*put_character)(struct rely_buf *buf, const unsigned char *text, size_t len))
{
    const unsigned char *next = (const unsigned char *)text.ptr;
    size_t left = text.len;
    rely_buf_reserve(buf, text.len + 2);
    if (put_plain_string(buf, text))
        return;
    rely_buf_putc(buf, '"');
    while (left > 0) {
        size_t len = rely_bytes_measure_plain((const char *)next, left);
        if (len > 0) {
            rely_buf_put(buf, rely_slice((const char *)next, len));
        } else {
            len = rely_utf8_measure((const char *)next, left);
            if (len == 0)
                put_character(buf, (const unsigned char *)"\xef\xbf\xbd", 3);
            else
                put_character(buf, next, len);
            len = len == 0 ? 1 : len;
        }
        next += len;
        left -= len;
    }
    rely_buf_putc(buf, '"');
}

void rely_buf_put_json(struct rely_buf *buf, struct rely_slice text)
{
    put_json_string(buf, text, put_json_character);
}

void rely_buf_put_json_plainly(struct rely_buf *buf, struct rely_slice text)
{
    put_json_string(buf, text, put_plain_character);
}

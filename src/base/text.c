/*
 * Small text rules: UTF-8, control characters, quoting of strangers' text, random bytes and UUIDs. Decides nothing
 * about tokens. Used by every folder.
 */
#include "relyd/text.h"

#include "relyd/bytes.h"
#include "relyd/limits.h"

#include <stdio.h>
#include <sys/random.h>

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t rely_utf8_measure(const char *text, size_t len)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80)
        return 1;
    if (len >= 2 && c[0] >= 0xc2 && c[0] <= 0xdf)
        return is_continuation(c[1]) ? 2 : 0;
    if (len >= 3 && (c[0] & 0xf0) == 0xe0) {
        unsigned char low = c[0] == 0xe0 ? 0xa0 : 0x80;
        unsigned char high = c[0] == 0xed ? 0x9f : 0xbf;
        return c[1] >= low && c[1] <= high && is_continuation(c[2]) ? 3 : 0;
    }
    if (len >= 4 && c[0] >= 0xf0 && c[0] <= 0xf4) {
        unsigned char low = c[0] == 0xf0 ? 0x90 : 0x80;
        unsigned char high = c[0] == 0xf4 ? 0x8f : 0xbf;
        return c[1] >= low && c[1] <= high && is_continuation(c[2]) && is_continuation(c[3]) ? 4 : 0;
    }
    return 0;
}

bool rely_utf8_count(struct rely_slice text, size_t *count)
{
    size_t found = 0;
    for (size_t at = 0; at < text.len; found++) {
        size_t used = rely_utf8_measure(text.ptr + at, text.len - at);
        if (used == 0)
            return false;
        at += used;
    }
    *count = found;
    return true;
}

/* U+0080 to U+009F are C2 80 to C2 9F. What is no UTF-8 counts as a control character. */
bool rely_text_has_control(struct rely_slice text)
{
    for (size_t at = 0; at < text.len;) {
        const unsigned char *c = (const unsigned char *)text.ptr + at;
        size_t used = rely_utf8_measure(text.ptr + at, text.len - at);
        if (used == 0 || c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] <= 0x9f))
            return true;
        at += used;
    }
    return false;
}

const char *rely_quote(struct rely_slice text, char out[RELY_QUOTED_SIZE])
{
    size_t shown = text.len < 80 ? text.len : 80;
    size_t at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            out[at++] = (char)c;
        else
            at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
    }
    out[at++] = '"';
    snprintf(out + at, RELY_QUOTED_SIZE - at, "%s", text.len > shown ? "..." : "");
    return out;
}

int rely_slice_compare(const void *a, const void *b)
{
    const struct rely_slice *left = a, *right = b;
    size_t shorter = left->len < right->len ? left->len : right->len;
    int order = shorter == 0 ? 0 : memcmp(left->ptr, right->ptr, shorter);
    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

const char *rely_quote_list(const struct rely_slice *texts, size_t count, char *out, size_t size)
{
    static const size_t tail = sizeof " and 4294967295 more"; /* kept free for it */
    char quoted[RELY_QUOTED_SIZE];
    size_t at = 0, shown = 0;
    RELY_ASSERT(size >= 32);
    snprintf(out, size, "%s", count == 0 ? "none" : "");
    for (; shown < count; shown++) {
        size_t len = strlen(rely_quote(texts[shown], quoted));
        if (at + len + 2 + tail > size)
            break;
        at += (size_t)snprintf(out + at, size - at, "%s%s", shown == 0 ? "" : ", ", quoted);
    }
    if (shown < count && shown == 0)
        snprintf(out, size, "%zu long ones", count);
    else if (shown < count)
        snprintf(out + at, size - at, " and %zu more", count - shown);
    return out;
}

void rely_random(void *out, size_t len)
{
    RELY_ASSERT(len <= 256); /* getrandom(2) gives up to 256 bytes whole */
    ssize_t given = getrandom(out, len, 0);
    RELY_ASSERT(given == (ssize_t)len);
}

void rely_uuid_new(char out[RELY_UUID_SIZE])
{
    uint8_t b[16];
    rely_random(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, RELY_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static rely_sixteen mark_unplain(rely_sixteen part)
{
    return (part < ' ') | (part == '"') | (part == '\\') | (part == 0x7f);
}

size_t rely_bytes_measure_plain(const char *text, size_t len)
{
    return rely_bytes_find(text, len, mark_unplain);
}

bool rely_text_is_uuid(struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (is_dash ? c != '-' : !is_digit)
            return false;
    }
    return text.len == 36;
}

bool rely_text_is_file_name(struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                        c == '-' || (c == '.' && i > 0);
        if (!is_plain)
            return false;
    }
    return text.len > 0 && text.len <= RELY_FILE_NAME_MAX;
}

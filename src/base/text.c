/*
 * Small text rules: UTF-8, control characters, quoting of strangers' text, random bytes and UUIDs. Decides nothing
 * about tokens. Used by every folder.
 */
#include "relyd/text.h"

#include <stdio.h>
#include <sys/random.h>

static size_t count_continuation_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 0;
    if (lead >= 0xc2 && lead < 0xe0)
        return 1;
    if (lead >= 0xe0 && lead < 0xf0)
        return 2;
    return lead >= 0xf0 && lead < 0xf5 ? 3 : 4; /* 4: no lead byte */
}

/* The code point at the front and its length in *used; -1 when it is not UTF-8 (RFC 3629 s4). */
static int32_t read_code_point(const unsigned char *text, size_t len, size_t *used)
{
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t more = count_continuation_bytes(text[0]);
    if (more == 4 || len <= more)
        return -1;
    int32_t point = more == 0 ? text[0] : text[0] & (0x3f >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return -1;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    *used = more + 1;
    return point < least[more] || is_surrogate || point > 0x10ffff ? -1 : point;
}

bool rely_utf8_count(struct rely_slice text, size_t *count)
{
    size_t found = 0;
    size_t used = 0;
    for (size_t at = 0; at < text.len; at += used, found++)
        if (read_code_point((const unsigned char *)text.ptr + at, text.len - at, &used) < 0)
            return false;
    *count = found;
    return true;
}

bool rely_text_has_control(struct rely_slice text)
{
    size_t used = 0;
    for (size_t at = 0; at < text.len; at += used) {
        int32_t point = read_code_point((const unsigned char *)text.ptr + at, text.len - at, &used);
        if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
            return true;
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

void rely_random(void *out, size_t len)
{
    RELY_ASSERT(len <= 256); /* getrandom(2) gives up to 256 bytes whole */
    RELY_ASSERT(getrandom(out, len, 0) == (ssize_t)len);
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

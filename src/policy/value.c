/*
 * Which values may stand for a preset's parameters and for the parts of a subject. Each kind is an alphabet, from the first
 * byte to the last, so that no value reaches beyond its place in a URL or an expression. Called when presets are read and
 * filled.
 */
#include "policy.h"
#include "relyd/limits.h"

#define WORD_MAX 120
#define HOST_MAX 253
#define LABEL_MAX 63

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Dots alone would be another folder of a URL. */
static bool is_word_value(struct rely_slice value)
{
    bool has_more = false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
        has_more = has_more || is_letter_or_digit(c);
    }
    return has_more && value.len <= WORD_MAX;
}

/* Letters, digits and hyphens inside: RFC 1123 s2.1. */
static bool is_label(struct rely_slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_letter_or_digit(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    return true;
}

static bool is_port_value(struct rely_slice port)
{
    uint32_t number = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9' || i >= 5)
            return false;
        number = number * 10 + (uint32_t)(port.ptr[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

static bool is_host_value(struct rely_slice value)
{
    const char *colon = memchr(value.ptr, ':', value.len);
    size_t len = colon == NULL ? value.len : (size_t)(colon - value.ptr);
    if (len > HOST_MAX || (colon != NULL && !is_port_value(rely_slice(colon + 1, value.len - len - 1))))
        return false;
    for (size_t at = 0;;) {
        size_t end = at;
        while (end < len && value.ptr[end] != '.')
            end++;
        if (!is_label(rely_slice(value.ptr + at, end - at)))
            return false;
        if (end == len)
            return true;
        at = end + 1;
    }
}

/* In lower case, as issuers write it: compared byte for byte. */
static bool is_uuid_value(struct rely_slice value)
{
    if (value.len != 36)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_hyphen ? value.ptr[i] != '-'
                      : !is_hex_digit(value.ptr[i]) || (value.ptr[i] >= 'A' && value.ptr[i] <= 'F'))
            return false;
    }
    return true;
}

static bool is_hex_value(struct rely_slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_hex_digit(value.ptr[i]))
            return false;
    return value.len >= 1 && value.len <= WORD_MAX;
}

/* Words with slashes between them, of which the last may be missing: no empty part, no `.` and `..`. */
static bool is_url_path(struct rely_slice path)
{
    for (size_t at = 1; at < path.len;) {
        size_t end = at;
        while (end < path.len && path.ptr[end] != '/')
            end++;
        if (!is_word_value(rely_slice(path.ptr + at, end - at)))
            return false;
        at = end + 1;
    }
    return true;
}

static bool is_url_value(struct rely_slice value)
{
    size_t scheme = rely_slice_starts(value, RELY_LIT("https://"))  ? 8
                    : rely_slice_starts(value, RELY_LIT("http://")) ? 7
                                                                    : 0;
    size_t end = scheme;
    while (end < value.len && value.ptr[end] != '/')
        end++;
    return scheme > 0 && value.len <= RELY_TEXT_MAX && is_host_value(rely_slice(value.ptr + scheme, end - scheme)) &&
           is_url_path(rely_slice(value.ptr + end, value.len - end));
}

static bool is_text_value(struct rely_slice value)
{
    size_t count = 0;
    return rely_utf8_count(value, &count) && count >= 1 && count <= RELY_TEXT_MAX && !rely_text_has_control(value);
}

static const struct value_kind {
    const char *word;
    bool (*is)(struct rely_slice value);
    const char *rule;
} kinds[] = {
    [RELY_VALUE_WORD] = {"word", is_word_value, "must be 1 to 120 letters, digits, dots, hyphens and underscores"},
    [RELY_VALUE_HOST] = {"host", is_host_value, "must be a host's name, with a port or without, and no scheme"},
    [RELY_VALUE_UUID] = {"uuid", is_uuid_value, "must be a UUID in lower case"},
    [RELY_VALUE_HEX] = {"hex", is_hex_value, "must be 1 to 120 hexadecimal digits"},
    [RELY_VALUE_URL] = {"url", is_url_value,
                        "must be a URL of scheme, host and path, with nothing that needs an escape"},
    [RELY_VALUE_TEXT] = {"text", is_text_value, "must be 1 to 600 characters without control characters"},
};

enum rely_value_kind rely_value_find_kind(struct rely_slice word)
{
    for (size_t i = 1; i < sizeof kinds / sizeof kinds[0]; i++)
        if (rely_slice_equal(word, rely_slice_of(kinds[i].word)))
            return (enum rely_value_kind)i;
    return 0;
}

const char *rely_value_judge(enum rely_value_kind kind, struct rely_slice value)
{
    return value.len > 0 && kinds[kind].is(value) ? NULL : kinds[kind].rule;
}

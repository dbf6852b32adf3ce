/*
 * Which URLs relyd may fetch, and what an issuer may be called. Decides on the spelling alone: where a host leads to is
 * the fetcher's concern, at the moment of connecting. Called by issuer_body.c and issuer_keys.c.
 */
#include "field.h"
#include "relyd/text.h"

/* White space, format and bidirectional characters beyond ASCII: what looks like another URL than it is. */
static bool is_hidden_character(uint32_t c)
{
    return (c >= 0x80 && c <= 0xa0) || c == 0xad || c == 0x1680 || c == 0x180e || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff;
}

/* The code point at *at of valid UTF-8. */
static uint32_t take_code_point(struct rely_slice text, size_t *at)
{
    const uint8_t *p = (const uint8_t *)text.ptr + *at;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *at += 2;
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    }
    if (p[0] < 0xf0) {
        *at += 3;
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    }
    *at += 4;
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

static const char *find_bad_character(struct rely_slice url, enum rely_url_use use)
{
    for (size_t at = 0; at < url.len;) {
        uint32_t c = take_code_point(url, &at);
        if (c <= 0x20 || c == 0x7f || is_hidden_character(c))
            return "has a blank, a control character or an invisible one";
        if (c == '\\') /* some parsers take it for a slash, and then see another host */
            return "has a backslash";
        if (c == '#' && use != RELY_URL_NAME)
            return "has a fragment (#)";
        if (c == '?' && use == RELY_URL_ISSUER)
            return "has a query (?)";
        if (c == '<' || c == '>' || c == '"')
            return "has a character that no URL may have";
    }
    return NULL;
}

static bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

static const char *judge_port(struct rely_slice port)
{
    uint32_t number = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9' || i >= 5)
            return "has a port that is no number of 1 to 65535";
        number = number * 10 + (uint32_t)(port.ptr[i] - '0');
    }
    return number >= 1 && number <= 65535 ? NULL : "has a port that is no number of 1 to 65535";
}

/* [v6 literal] or a name, then nothing or a port. */
static const char *judge_authority(struct rely_slice authority)
{
    size_t end = 0;
    if (memchr(authority.ptr, '@', authority.len) != NULL)
        return "has user information (@)";
    if (authority.len > 0 && authority.ptr[0] == '[') {
        for (end = 1; end < authority.len && authority.ptr[end] != ']'; end++)
            if (strchr("0123456789abcdefABCDEF:.", authority.ptr[end]) == NULL)
                return "has a host that is no IPv6 address";
        if (end < 4 || end == authority.len)
            return "has a host that is no IPv6 address";
        end++;
    } else {
        while (end < authority.len && is_host_character(authority.ptr[end]))
            end++;
        if (end == 0)
            return "has no host";
    }
    if (end == authority.len)
        return NULL;
    if (authority.ptr[end] != ':')
        return "has a host with characters other than A-Z a-z 0-9 . - _";
    return judge_port(rely_slice(authority.ptr + end + 1, authority.len - end - 1));
}

static const char *judge_url(struct rely_slice url, enum rely_url_use use, size_t scheme_len)
{
    const char *fault = find_bad_character(url, use);
    if (fault != NULL)
        return fault;
    size_t end = scheme_len;
    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?')
        end++;
    return judge_authority(rely_slice(url.ptr + scheme_len, end - scheme_len));
}

bool rely_field_check_url(struct rely_slice url, const char *field, enum rely_url_use use, bool may_use_http,
                          struct rely_problems *problems)
{
    bool is_https = rely_slice_starts(url, RELY_LIT("https://"));
    bool is_http = rely_slice_starts(url, RELY_LIT("http://"));
    const char *fault = is_https || is_http ? judge_url(url, use, is_https ? 8 : 7)
                        : use == RELY_URL_ISSUER
                            ? "does not begin with https:// (with keys.jwksUri or keys.jwks it need not)"
                            : "does not begin with https://";
    if (fault != NULL) {
        char quoted[RELY_QUOTED_SIZE];
        rely_problems_add(problems, field, "invalid_url", "%s %s: %.180s", field, fault, rely_quote(url, quoted));
        return false;
    }
    if (is_https || may_use_http)
        return true;
    rely_problems_add(problems, field, "not_allowed",
                      "%s is an http URL: that needs allowHttp in the record and issuers.allow_http in the "
                      "configuration",
                      field);
    return false;
}

/* RFC 3986 s3.1. False also for text without a colon. */
static bool has_scheme(struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':')
            return i > 0;
        if (!is_letter && (i == 0 || strchr("0123456789+-.", c) == NULL))
            return false;
    }
    return false;
}

static const char *find_hidden_character(struct rely_slice text)
{
    for (size_t at = 0; at < text.len;)
        if (is_hidden_character(take_code_point(text, &at)))
            return "has an invisible character";
    return NULL;
}

bool rely_field_check_issuer(struct rely_slice text, const char *field, struct rely_problems *problems)
{
    bool is_uri = memchr(text.ptr, ':', text.len) != NULL;
    const char *fault = !is_uri            ? find_hidden_character(text)
                        : has_scheme(text) ? find_bad_character(text, RELY_URL_NAME)
                                           : "has a colon and so must be a URI, which begins with a scheme";
    if (fault == NULL)
        return true;
    char quoted[RELY_QUOTED_SIZE];
    rely_problems_add(problems, field, "invalid_url", "%s %s: %.180s", field, fault, rely_quote(text, quoted));
    return false;
}

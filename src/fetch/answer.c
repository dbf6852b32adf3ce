/*
 * Reads the headers of a complete answer: framing that libcurl lets pass, Content-Encoding, what tells its age, ETag.
 * Called by transfer.c for a 200 or a 304.
 */
#include <stdio.h>
#include <strings.h>

#include "relyd/text.h"

#include "transfer.h"

static bool is_header_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct rely_slice trim_header_value(struct rely_slice text)
{
    while (text.len > 0 && is_header_blank(text.ptr[0]))
        text = rely_slice(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_header_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static bool is_word(struct rely_slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Also in quotes: RFC 9111 s5.2 asks recipients to take both. */
static int64_t read_argument(struct rely_slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = rely_slice(text.ptr + 1, text.len - 2);
    return rely_seconds_read(text);
}

static int64_t read_directive(struct rely_slice directive)
{
    const char *equals = memchr(directive.ptr, '=', directive.len);
    size_t name_len = equals == NULL ? directive.len : (size_t)(equals - directive.ptr);
    struct rely_slice name = trim_header_value(rely_slice(directive.ptr, name_len));
    if (is_word(name, "no-store") || is_word(name, "no-cache"))
        return 0;
    if (equals == NULL || !is_word(name, "max-age"))
        return -1;
    return read_argument(rely_slice(equals + 1, directive.len - name_len - 1));
}

static int64_t least_given(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

int64_t rely_cache_control_read(struct rely_slice value)
{
    int64_t least = -1;
    while (value.len > 0) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t)(comma - value.ptr);
        struct rely_slice directive = trim_header_value(rely_slice(value.ptr, len));
        if (directive.len > 0)
            least = least_given(least, read_directive(directive));
        size_t used = comma == NULL ? len : len + 1;
        value = rely_slice(value.ptr + used, value.len - used);
    }
    return least;
}

static int64_t read_max_age(CURL *easy)
{
    int64_t least = -1;
    struct curl_header *header = NULL;
    for (size_t i = 0; curl_easy_header(easy, "Cache-Control", i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++)
        least = least_given(least, rely_cache_control_read(rely_slice_of(header->value)));
    return least;
}

/* RFC 9111 s5.3: an Expires that cannot be read, "0" above all, is in the past; so are two of them (s4.2.1). */
static int64_t read_expires(CURL *easy)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Expires", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return FETCH_NO_TIME;
    int64_t seconds = header->amount == 1 ? rely_http_date_read(header->value) : 0;
    return seconds == FETCH_NO_TIME ? 0 : seconds;
}

int64_t rely_answer_fresh_s(CURL *easy, int64_t now_s)
{
    struct curl_header *header = NULL;
    struct freshness answer = {
        .max_age_s = read_max_age(easy), .expires_s = read_expires(easy), .date_s = FETCH_NO_TIME, .response_s = now_s};
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        answer.date_s = rely_http_date_read(header->value);
    if (curl_easy_header(easy, "Age", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        answer.age_s = rely_age_read(rely_slice_of(header->value));
    curl_off_t took_us = 0;
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took_us);
    answer.response_delay = (int64_t)took_us / 1000000;
    return rely_fresh_left(&answer);
}

bool rely_etag_is_good(struct rely_slice etag)
{
    if (etag.len >= 2 && etag.ptr[0] == 'W' && etag.ptr[1] == '/')
        etag = rely_slice(etag.ptr + 2, etag.len - 2);
    if (etag.len < 2 || etag.len > RELY_FETCH_ETAG_BYTES_MAX - 2 || etag.ptr[0] != '"' || etag.ptr[etag.len - 1] != '"')
        return false;
    for (size_t i = 1; i < etag.len - 1; i++)
        if (etag.ptr[i] <= 0x20 || etag.ptr[i] >= 0x7f || etag.ptr[i] == '"')
            return false;
    return true;
}

void rely_answer_etag(CURL *easy, char out[RELY_FETCH_ETAG_BYTES_MAX + 1])
{
    struct curl_header *header = NULL;
    out[0] = '\0';
    if (curl_easy_header(easy, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK && header->amount == 1 &&
        rely_etag_is_good(rely_slice_of(header->value)))
        snprintf(out, RELY_FETCH_ETAG_BYTES_MAX + 1, "%s", header->value);
}

/*
 * Two lengths, or one that is no number, mean that somebody between the issuer and us may have cut the body elsewhere
 * (RFC 9112 s6.3); libcurl 7.88 takes the last of several, and the number at the front of a list.
 */
static bool check_length(CURL *easy, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Content-Length", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return true;
    if (header->amount > 1)
        return rely_err_set(err, RELY_ERR_IO, "the answer has %zu Content-Length headers", header->amount) ||
               rely_err_because(err, RELY_CAUSE_CUT_SHORT);
    size_t len = strlen(header->value);
    if (len == 0 || len > 18 || strspn(header->value, "0123456789") != len)
        return rely_err_set(err, RELY_ERR_IO, "the answer's Content-Length is %s, not a length",
                            rely_quote(rely_slice_of(header->value), quoted)) ||
               rely_err_because(err, RELY_CAUSE_CUT_SHORT);
    return true;
}

bool rely_answer_check(CURL *easy, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    struct curl_header *header = NULL;
    if (!check_length(easy, err))
        return false;
    if (curl_easy_header(easy, "Content-Encoding", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        strcasecmp(header->value, "identity") != 0)
        return rely_err_set(err, RELY_ERR_IO, "the answer has Content-Encoding %s, which was not asked for",
                            rely_quote(rely_slice_of(header->value), quoted)) ||
               rely_err_because(err, RELY_CAUSE_NOT_JSON);
    return true;
}

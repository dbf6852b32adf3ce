/*
 * Reads the headers of a complete answer: framing that libcurl lets pass, Content-Encoding, Cache-Control. Called by
 * transfer.c for a 200.
 */
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

/* Digits, also in quotes (RFC 9111 s5.2.1 asks recipients to take both), capped; -1 for anything else. */
static int64_t read_seconds(struct rely_slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = rely_slice(text.ptr + 1, text.len - 2);
    if (text.len == 0)
        return -1;
    int64_t seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        if (seconds <= FETCH_MAX_AGE_S_MAX)
            seconds = seconds * 10 + (text.ptr[i] - '0');
    }
    return seconds < FETCH_MAX_AGE_S_MAX ? seconds : FETCH_MAX_AGE_S_MAX;
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
    return read_seconds(rely_slice(equals + 1, directive.len - name_len - 1));
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

int64_t rely_answer_max_age(CURL *easy)
{
    int64_t least = -1;
    struct curl_header *header = NULL;
    for (size_t i = 0; curl_easy_header(easy, "Cache-Control", i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++)
        least = least_given(least, rely_cache_control_read(rely_slice_of(header->value)));
    return least;
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
        return rely_err_set(err, RELY_ERR_IO, "the answer has %zu Content-Length headers", header->amount);
    size_t len = strlen(header->value);
    if (len == 0 || len > 18 || strspn(header->value, "0123456789") != len)
        return rely_err_set(err, RELY_ERR_IO, "the answer's Content-Length is %s, not a length",
                            rely_quote(rely_slice_of(header->value), quoted));
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
                            rely_quote(rely_slice_of(header->value), quoted));
    return true;
}

/*
 * How long an answer stays fresh: its lifetime less the age it had when it came (RFC 9111 s4.2). A cache on the way may
 * have kept it for most of its life. Pure arithmetic: no clock. Called by answer.c.
 */
#include "transfer.h"

#include <time.h>

int64_t rely_seconds_read(struct rely_slice text)
{
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

/* RFC 9111 s5.1: of a list the first member counts, and what is no number is ignored. */
int64_t rely_age_read(struct rely_slice value)
{
    const char *comma = value.len == 0 ? NULL : memchr(value.ptr, ',', value.len);
    size_t len = comma == NULL ? value.len : (size_t)(comma - value.ptr);
    while (len > 0 && (value.ptr[len - 1] == ' ' || value.ptr[len - 1] == '\t'))
        len--;
    int64_t seconds = rely_seconds_read(rely_slice(value.ptr, len));
    return seconds < 0 ? 0 : seconds;
}

/* The three forms end with GMT or with the year; curl_getdate alone would also take "0", "now" or a bare hour. */
int64_t rely_http_date_read(const char *text)
{
    size_t len = strlen(text);
    bool is_whole = len >= 24 && len <= 40 && strchr(text, ':') != NULL &&
                    (strcmp(text + len - 4, " GMT") == 0 || strchr(text, ',') == NULL);
    time_t seconds = is_whole ? curl_getdate(text, NULL) : -1;
    return seconds < 0 ? FETCH_NO_TIME : (int64_t)seconds;
}

static int64_t clamp_seconds(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return seconds < FETCH_MAX_AGE_S_MAX ? seconds : FETCH_MAX_AGE_S_MAX;
}

int64_t rely_fresh_left(const struct freshness *answer)
{
    bool has_date = answer->date_s != FETCH_NO_TIME;
    int64_t lifetime_s = answer->max_age_s;
    if (lifetime_s < 0 && answer->expires_s != FETCH_NO_TIME)
        lifetime_s = clamp_seconds(answer->expires_s - (has_date ? answer->date_s : answer->response_s));
    if (lifetime_s < 0)
        return -1;
    int64_t apparent_s = has_date ? clamp_seconds(answer->response_s - answer->date_s) : 0;
    int64_t corrected_s = answer->age_s + answer->response_delay;
    return clamp_seconds(lifetime_s - (apparent_s > corrected_s ? apparent_s : corrected_s));
}

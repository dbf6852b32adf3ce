/*
 * RFC 3339 times to and from seconds since 1970. Proleptic Gregorian calendar, UTC; leap seconds as POSIX has them
 * (none). Reads no clock. Used by the REST interface, the log and explain.
 */
#include "relyd/text.h"

#include <stdio.h>
#include <time.h>

#define SECONDS_OF_DAY 86400

void rely_time_print(int64_t unix_s, char out[RELY_TIME_SIZE])
{
    time_t when = (time_t)unix_s;
    struct tm parts;
    if (gmtime_r(&when, &parts) == NULL || parts.tm_year < -1900 || parts.tm_year > 8099) {
        snprintf(out, RELY_TIME_SIZE, "%lld", (long long)unix_s);
        return;
    }
    /* Not strftime's %Y, which writes the year 7 as "7". */
    snprintf(out, RELY_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(parts.tm_year + 1900) % 10000u,
             (unsigned)(parts.tm_mon + 1) % 100u, (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
             (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u);
}

/* Two or four digits at the front of *text, which moves on. */
static bool take_digits(struct rely_slice *text, size_t count, int *out)
{
    int value = 0;
    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        char c = text->ptr[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *text = rely_slice(text->ptr + count, text->len - count);
    *out = value;
    return true;
}

static bool take_character(struct rely_slice *text, const char *any_of)
{
    if (text->len == 0 || text->ptr[0] == '\0' || strchr(any_of, text->ptr[0]) == NULL)
        return false;
    *text = rely_slice(text->ptr + 1, text->len - 1);
    return true;
}

static bool take_date_and_time(struct rely_slice *text, struct tm *parts)
{
    bool is_read =
        take_digits(text, 4, &parts->tm_year) && take_character(text, "-") && take_digits(text, 2, &parts->tm_mon) &&
        take_character(text, "-") && take_digits(text, 2, &parts->tm_mday) && take_character(text, "Tt ") &&
        take_digits(text, 2, &parts->tm_hour) && take_character(text, ":") && take_digits(text, 2, &parts->tm_min) &&
        take_character(text, ":") && take_digits(text, 2, &parts->tm_sec);
    return is_read && parts->tm_mon >= 1 && parts->tm_mon <= 12 && parts->tm_mday >= 1 && parts->tm_mday <= 31 &&
           parts->tm_hour <= 23 && parts->tm_min <= 59 && parts->tm_sec <= 60;
}

static bool take_offset(struct rely_slice *text, int64_t *offset_s)
{
    *offset_s = 0;
    if (take_character(text, "Zz"))
        return true;
    int hours = 0, minutes = 0;
    bool is_west = text->len > 0 && text->ptr[0] == '-';
    if (!take_character(text, "+-") || !take_digits(text, 2, &hours) || !take_character(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return true;
}

bool rely_time_parse(struct rely_slice text, int64_t *unix_s)
{
    struct tm parts = {0};
    int64_t offset_s = 0;
    if (text.ptr == NULL || !take_date_and_time(&text, &parts))
        return false;
    if (take_character(&text, ".")) {
        int digit = 0;
        if (!take_digits(&text, 1, &digit))
            return false;
        while (take_digits(&text, 1, &digit))
            ;
    }
    if (!take_offset(&text, &offset_s) || text.len != 0)
        return false;
    /* The 60th second as the one before it, so that a day that is none is seen. */
    bool is_leap_second = parts.tm_sec == 60;
    struct tm normal = parts;
    normal.tm_year -= 1900;
    normal.tm_mon -= 1;
    normal.tm_sec -= is_leap_second;
    int64_t when = (int64_t)timegm(&normal) + is_leap_second - offset_s;
    if (normal.tm_mday != parts.tm_mday || (is_leap_second && when % SECONDS_OF_DAY != 0))
        return false; /* the month has no such day, or the day has not that many seconds */
    *unix_s = when;
    return true;
}

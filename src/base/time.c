/*
 * RFC 3339 times to and from seconds since 1970. Proleptic Gregorian calendar, UTC; leap seconds as POSIX has them
 * (none). Reads no clock. Used by the REST interface, the log and explain.
 */
#include "relyd/text.h"

#include <stdio.h>
#include <time.h>

#define SECONDS_OF_DAY 86400

#define FIRST_S (-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_S 253402300799    /* 9999-12-31T23:59:59Z */
#define DAYS_OF_400_YEARS 146097

/* A day of the proleptic Gregorian calendar. */
struct day {
    unsigned year, month, day;
};

/* In whole eras of 400 years, of years that begin in March, so that the leap day is the last one of its year (Howard
 * Hinnant, "chrono-Compatible Low-Level Date Algorithms"). In: day - since 0000-03-01, 400 years before that added. */
static struct day find_day(uint64_t day)
{
    unsigned era = (unsigned)(day / DAYS_OF_400_YEARS), rest = (unsigned)(day % DAYS_OF_400_YEARS);
    unsigned year = (rest - rest / 1460 + rest / 36524 - rest / (DAYS_OF_400_YEARS - 1)) / 365;
    unsigned day_of_year = rest - (365 * year + year / 4 - year / 100), month = (5 * day_of_year + 2) / 153;
    bool is_next_year = month >= 10; /* January, February */
    return (struct day){year + era * 400 + is_next_year - 400, is_next_year ? month - 9 : month + 3,
                        day_of_year - (153 * month + 2) / 5 + 1};
}

/* And what stands behind them. */
static char *put_two_digits(char *out, unsigned number, char behind)
{
    out[0] = (char)('0' + number / 10 % 10);
    out[1] = (char)('0' + number % 10);
    out[2] = behind;
    return out + 3;
}

/* By hand: gmtime_r takes the lock of the time zone, and with snprintf it was a quarter of a remembered token's review. */
void rely_time_print(int64_t unix_s, char out[RELY_TIME_SIZE])
{
    if (unix_s < FIRST_S || unix_s > LAST_S) {
        snprintf(out, RELY_TIME_SIZE, "%lld", (long long)unix_s);
        return;
    }
    uint64_t since_s = (uint64_t)(unix_s - FIRST_S);
    unsigned second = (unsigned)(since_s % SECONDS_OF_DAY);
    struct day day = find_day(since_s / SECONDS_OF_DAY + DAYS_OF_400_YEARS - 60); /* January and February of 0000 */
    out = put_two_digits(out, day.year / 100, '\0') - 1;
    out = put_two_digits(out, day.year, '-');
    out = put_two_digits(out, day.month, '-');
    out = put_two_digits(out, day.day, 'T');
    out = put_two_digits(out, second / 3600, ':');
    out = put_two_digits(out, second / 60 % 60, ':');
    *put_two_digits(out, second % 60, 'Z') = '\0';
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

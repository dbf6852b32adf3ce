/*
 * The words, status and sentences of the reasons, out of the one table reason.def. Used by whoever refuses or reports.
 */
#include "relyd/reason.h"

#include <stdio.h>

struct reason_row {
    const char *word;
    int status;
    const char *sentence;
};

static const struct reason_row rows[RELY_REASON_COUNT] = {
#define REASON(enumerator, word, status, sentence) [RELY_##enumerator] = {word, status, sentence},
#include "relyd/reason.def"
#undef REASON
};

static const struct reason_row *find_reason_row(enum rely_reason reason)
{
    RELY_ASSERT((unsigned)reason < RELY_REASON_COUNT);
    return &rows[reason];
}

const char *rely_reason_word(enum rely_reason reason)
{
    return find_reason_row(reason)->word;
}

int rely_reason_status(enum rely_reason reason)
{
    return find_reason_row(reason)->status;
}

const char *rely_reason_sentence(enum rely_reason reason)
{
    return find_reason_row(reason)->sentence;
}

enum rely_reason rely_refuse(struct rely_detail *detail, enum rely_reason reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail->text, sizeof detail->text, format, arguments);
    va_end(arguments);
    return reason;
}

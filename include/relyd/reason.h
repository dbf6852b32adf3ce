/*
 * reason: the outcome of a review, one word from one closed table (reason.def). A refusal is not an error.
 */
#ifndef RELYD_REASON_H
#define RELYD_REASON_H

#include "relyd/base.h"

/* Whoever asks must look at the answer: no call of a function that returns one compiles as a statement. */
enum RELY_MUST_USE_TYPE rely_reason {
#define REASON(enumerator, word, status, sentence) RELY_##enumerator,
#include "relyd/reason.def"
#undef REASON
    RELY_REASON_COUNT
};

/* The word that callers see; static. */
const char *rely_reason_word(enum rely_reason reason);
/* What /check answers: 200, 401, 403 or 503. */
int rely_reason_status(enum rely_reason reason);
const char *rely_reason_sentence(enum rely_reason reason);

/*
 * Why exactly, in one sentence with the measured values, for the log and the answer. Written only on a refusal.
 * Stranger's text in it is quoted (rely_quote); never the token, never a nearest miss (that is for explain).
 */
struct rely_detail {
    char text[384];
};

/* Write the sentence and return the reason: `return rely_refuse(detail, RELY_EXPIRED, "...")`. */
enum rely_reason rely_refuse(struct rely_detail *detail, enum rely_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

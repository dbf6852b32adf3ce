/*
 * condition: what may be said of an issuer's keys and why, out of the one table condition.def. A fault (struct rely_err)
 * has its cause from where it arises.
 */
#ifndef RELYD_CONDITION_H
#define RELYD_CONDITION_H

#include <stdbool.h>

struct rely_err;

/* In the order in which one needs the other. */
enum rely_condition {
#define CONDITION(enumerator, word, sentence) RELY_CONDITION_##enumerator,
#include "relyd/condition.def"
#undef CONDITION
    RELY_CONDITION_COUNT
};

enum rely_condition_status { RELY_CONDITION_UNKNOWN, RELY_CONDITION_TRUE, RELY_CONDITION_FALSE };

enum rely_cause {
    RELY_CAUSE_NONE, /* it is said of no issuer */
#define CAUSE(enumerator, word, condition, status, sentence, mends) RELY_CAUSE_##enumerator,
#include "relyd/condition.def"
#undef CAUSE
    RELY_CAUSE_COUNT
};

/* "NameResolved". */
const char *rely_condition_word(enum rely_condition condition);
/* What it means when it is True. */
const char *rely_condition_sentence(enum rely_condition condition);
/* "True", "False", "Unknown". */
const char *rely_condition_status_word(enum rely_condition_status status);

/* "name_not_found". In: any cause but RELY_CAUSE_NONE; of the next ones, too. */
const char *rely_cause_word(enum rely_cause cause);
/* What it says, for people. */
const char *rely_cause_sentence(enum rely_cause cause);
/* "": nothing is to be mended. */
const char *rely_cause_mends(enum rely_cause cause);
/* What it makes of its condition. */
enum rely_condition_status rely_cause_status(enum rely_cause cause);
/* RELY_CONDITION_COUNT: every one. */
enum rely_condition rely_cause_condition(enum rely_cause cause);

/* Say what a recorded fault comes from, unless that is said; always returns false, for
 * `return rely_err_set(...) || rely_err_because(...)`. */
bool rely_err_because(struct rely_err *err, enum rely_cause cause);

#endif

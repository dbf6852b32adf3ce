/*
 * The words and sentences of conditions and their causes, out of the one table condition.def. Used by whoever finds a
 * fault in what an issuer serves, or reports it.
 */
#include "relyd/condition.h"

#include "relyd/base.h"

struct condition_row {
    const char *word, *sentence;
};

static const struct condition_row conditions[RELY_CONDITION_COUNT] = {
#define CONDITION(enumerator, word, sentence) [RELY_CONDITION_##enumerator] = {word, sentence},
#include "relyd/condition.def"
#undef CONDITION
};

#define RELY_CONDITION_EVERY_CONDITION RELY_CONDITION_COUNT

struct cause_row {
    const char *word;
    enum rely_condition condition;
    enum rely_condition_status status;
    const char *sentence, *mends;
};

static const struct cause_row causes[RELY_CAUSE_COUNT] = {
#define CAUSE(enumerator, word, condition, status, sentence, mends)                                                    \
    [RELY_CAUSE_##enumerator] = {word, RELY_CONDITION_##condition, RELY_CONDITION_##status, sentence, mends},
#include "relyd/condition.def"
#undef CAUSE
};

static const struct condition_row *find_condition(enum rely_condition condition)
{
    RELY_ASSERT((unsigned)condition < RELY_CONDITION_COUNT);
    return &conditions[condition];
}

static const struct cause_row *find_cause(enum rely_cause cause)
{
    RELY_ASSERT(cause > RELY_CAUSE_NONE && cause < RELY_CAUSE_COUNT);
    return &causes[cause];
}

const char *rely_condition_word(enum rely_condition condition)
{
    return find_condition(condition)->word;
}

const char *rely_condition_sentence(enum rely_condition condition)
{
    return find_condition(condition)->sentence;
}

const char *rely_condition_status_word(enum rely_condition_status status)
{
    static const char *const words[] = {
        [RELY_CONDITION_UNKNOWN] = "Unknown", [RELY_CONDITION_TRUE] = "True", [RELY_CONDITION_FALSE] = "False"};
    return words[status];
}

const char *rely_cause_word(enum rely_cause cause)
{
    return find_cause(cause)->word;
}

const char *rely_cause_sentence(enum rely_cause cause)
{
    return find_cause(cause)->sentence;
}

const char *rely_cause_mends(enum rely_cause cause)
{
    return find_cause(cause)->mends;
}

enum rely_condition_status rely_cause_status(enum rely_cause cause)
{
    return find_cause(cause)->status;
}

enum rely_condition rely_cause_condition(enum rely_cause cause)
{
    return find_cause(cause)->condition;
}

bool rely_err_because(struct rely_err *err, enum rely_cause cause)
{
    RELY_ASSERT(err->code != RELY_ERR_NONE);
    if (err->cause == RELY_CAUSE_NONE)
        err->cause = (int)cause;
    return false;
}

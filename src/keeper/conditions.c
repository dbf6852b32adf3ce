/*
 * What is said of an issuer: how far the last fetch has come, and what that and the keys in force make of each condition
 * (condition.def). Decides about nothing but words: what is in force stays in force. Called by fetch.c and keeper.c when
 * something has changed, and by admin/ who shows it.
 */
#include "kept.h"

#include "relyd/keys.h"
#include "relyd/reason.h"
#include "relyd/text.h"
#include "relyd/traffic.h"

#include <stdio.h>
#include <stdlib.h>

/* What whole seconds, and clocks that are set, make no difference of. */
#define CLOCK_DIFFERS_S 2
#define CLOCK_AHEAD_S 5

void rely_keeper_forget_course(struct rely_keeper_issuer *issuer)
{
    free(issuer->course.found);
    issuer->course = (struct rely_course){0};
}

void rely_keeper_note_course(struct rely_keeper_issuer *issuer, const struct rely_course *course)
{
    char *found =
        course->found == NULL || course->found[0] == '\0' ? NULL : rely_strdup_slice(rely_slice_of(course->found));
    rely_keeper_forget_course(issuer);
    issuer->course = *course;
    issuer->course.is_known = true;
    issuer->course.found = found;
}

/* --- what each is ------------------------------------------------------------------------------------------ */

static bool is_first_url_http(const struct rely_issuer *record)
{
    char *url = rely_keeper_first_url(record);
    bool is_http = rely_slice_starts(rely_slice_of(url), RELY_LIT("http:"));
    free(url);
    return is_http;
}

static bool is_from_network(const struct rely_issuer *record)
{
    return !record->has_uploaded_keys && record->source.kind != RELY_KEYS_FILE;
}

static bool is_condition_needed(const struct rely_issuer *record, enum rely_condition condition)
{
    switch (condition) {
    case RELY_CONDITION_NAME_RESOLVED:
    case RELY_CONDITION_CONNECTED:
        return is_from_network(record);
    case RELY_CONDITION_TLS_TRUSTED:
        return is_from_network(record) && !is_first_url_http(record);
    case RELY_CONDITION_DISCOVERY_READ:
    case RELY_CONDITION_ISSUER_MATCHES:
        return record->source.kind == RELY_KEYS_DISCOVERY;
    case RELY_CONDITION_KEYS_READ:
    case RELY_CONDITION_KEYS_USABLE:
    case RELY_CONDITION_TOKENS_SEEN:
    case RELY_CONDITION_READY:
    case RELY_CONDITION_COUNT:
        break;
    }
    return true;
}

/* Of one that the fetch has passed. */
static enum rely_cause cause_of_pass(const struct rely_keeper_issuer *issuer, enum rely_condition condition)
{
    static const enum rely_cause passed[RELY_CONDITION_COUNT] = {
        [RELY_CONDITION_NAME_RESOLVED] = RELY_CAUSE_RESOLVED, [RELY_CONDITION_CONNECTED] = RELY_CAUSE_IS_CONNECTED,
        [RELY_CONDITION_TLS_TRUSTED] = RELY_CAUSE_TRUSTED,    [RELY_CONDITION_DISCOVERY_READ] = RELY_CAUSE_READ,
        [RELY_CONDITION_ISSUER_MATCHES] = RELY_CAUSE_SAME,    [RELY_CONDITION_KEYS_READ] = RELY_CAUSE_READ,
    };
    if (condition == RELY_CONDITION_ISSUER_MATCHES && issuer->course.is_alias)
        return RELY_CAUSE_ALIAS;
    return passed[condition];
}

static bool has_key_for(const struct rely_issuer *record)
{
    for (size_t i = 0; i < rely_keyset_count(record->keyset); i++)
        if ((rely_key_algs(rely_keyset_at(record->keyset, i)) & record->algs) != 0)
            return true;
    return false;
}

/* Of the keys in force. */
static enum rely_cause judge_keys_in_force(const struct rely_issuer *record, int64_t now_s)
{
    struct rely_err err = {0};
    if (record->keyset == NULL)
        return RELY_CAUSE_NOT_ASKED;
    if (now_s > record->keys_until_s)
        return RELY_CAUSE_TOO_OLD;
    if (!rely_keyset_check_usable(record->keyset, &err))
        return (enum rely_cause)err.cause;
    return has_key_for(record) ? RELY_CAUSE_USABLE : RELY_CAUSE_ALGORITHMS_EXCLUDED;
}

static enum rely_cause judge_readiness(const struct rely_issuer *record, enum rely_cause in_force)
{
    if (!record->is_enabled)
        return RELY_CAUSE_DISABLED;
    return in_force == RELY_CAUSE_USABLE ? RELY_CAUSE_IS_READY : RELY_CAUSE_NOT_READY;
}

/* More than two clocks that are set can differ by; or enough for refusals to be near. */
static bool is_clock_ahead(const struct rely_issuer *record, const struct rely_traffic_seen *seen)
{
    bool is_far = seen->ahead_s >= CLOCK_AHEAD_S;
    return seen->has_skew && (is_far || (seen->ahead_s >= CLOCK_DIFFERS_S && 2 * seen->ahead_s > record->leeway_s));
}

/* While none can be checked nothing is to be expected. */
static enum rely_cause judge_traffic(const struct rely_issuer *record, enum rely_cause in_force,
                                     const struct rely_traffic_seen *seen)
{
    if (judge_readiness(record, in_force) != RELY_CAUSE_IS_READY)
        return RELY_CAUSE_NOT_REACHED;
    if (is_clock_ahead(record, seen))
        return RELY_CAUSE_CLOCK_SKEW;
    if (seen->allowed_s != 0)
        return RELY_CAUSE_SEEN;
    return seen->refused_s != 0 ? RELY_CAUSE_ONLY_REFUSED : RELY_CAUSE_NONE_YET;
}

/* Of one that the fetch must pass. */
static enum rely_cause judge_step(const struct rely_keeper_issuer *issuer, const struct rely_issuer *record,
                                  enum rely_condition condition)
{
    const struct rely_course *course = &issuer->course;
    if (!is_condition_needed(record, condition))
        return RELY_CAUSE_NOT_NEEDED;
    if (record->has_uploaded_keys)
        return RELY_CAUSE_GIVEN;
    if (!course->is_known)
        return RELY_CAUSE_NOT_ASKED;
    if (course->failed == RELY_CAUSE_NONE || condition < course->failed_at)
        return course->is_unasked ? RELY_CAUSE_NOT_ASKED : cause_of_pass(issuer, condition);
    return condition == course->failed_at ? course->failed : RELY_CAUSE_NOT_REACHED;
}

/* Until something has been fetched nothing is known of the keys but whether they are too old. */
static enum rely_cause judge_use(const struct rely_keeper_issuer *issuer, const struct rely_issuer *record,
                                 enum rely_cause in_force)
{
    const struct rely_course *course = &issuer->course;
    if (record->has_uploaded_keys || in_force == RELY_CAUSE_TOO_OLD)
        return course->failed != RELY_CAUSE_NONE && !record->has_uploaded_keys ? RELY_CAUSE_NOT_REACHED : in_force;
    if (!course->is_known)
        return RELY_CAUSE_NOT_ASKED;
    if (course->failed == RELY_CAUSE_NONE)
        return in_force;
    return course->failed_at == RELY_CONDITION_KEYS_USABLE ? course->failed : RELY_CAUSE_NOT_REACHED;
}

/* --- since when -------------------------------------------------------------------------------------------- */

/* When keys have become too old nothing happens: that is found when somebody looks, and was so before. */
static int64_t time_of_change(const struct rely_keeper_issuer *issuer, const struct rely_issuer *record,
                              int64_t since_s, int64_t now_s)
{
    if (since_s == 0)
        return issuer->added_s;
    return record->keys_until_s < now_s && record->keys_until_s >= since_s ? record->keys_until_s + 1 : now_s;
}

static void say_condition(struct rely_keeper_issuer *issuer, const struct rely_issuer *record,
                          enum rely_condition condition, enum rely_cause cause)
{
    struct rely_said_condition *said = &issuer->said[condition];
    int64_t now_s = rely_keeper_now_s(issuer->keeper);
    if (said->cause == cause)
        return;
    bool depends_on_age = condition >= RELY_CONDITION_KEYS_USABLE && condition != RELY_CONDITION_TOKENS_SEEN &&
                          rely_cause_status(cause) == RELY_CONDITION_FALSE;
    int64_t since_s = said->cause == RELY_CAUSE_NONE ? issuer->added_s : now_s;
    if (said->cause != RELY_CAUSE_NONE && depends_on_age)
        since_s = time_of_change(issuer, record, said->since_s, now_s);
    *said = (struct rely_said_condition){cause, since_s};
}

/* What is found when somebody looks has been so since a token came. */
static int64_t time_of_traffic(enum rely_cause cause, const struct rely_traffic_seen *seen)
{
    if (cause == RELY_CAUSE_SEEN)
        return seen->allowed_s;
    return cause == RELY_CAUSE_ONLY_REFUSED ? seen->refused_s : 0;
}

static void say_traffic(struct rely_keeper_issuer *issuer, const struct rely_issuer *record, enum rely_cause in_force)
{
    const struct rely_traffic_seen seen = rely_traffic_read(record->traffic, rely_keeper_now_s(issuer->keeper));
    enum rely_cause cause = judge_traffic(record, in_force, &seen);
    struct rely_said_condition *said = &issuer->said[RELY_CONDITION_TOKENS_SEEN], before = *said;
    say_condition(issuer, record, RELY_CONDITION_TOKENS_SEEN, cause);
    bool is_first = before.cause == RELY_CAUSE_NONE_YET || before.cause == RELY_CAUSE_ONLY_REFUSED;
    if (before.cause != cause && is_first && time_of_traffic(cause, &seen) > before.since_s)
        said->since_s = time_of_traffic(cause, &seen);
    issuer->traffic_said[0] = '\0';
    if (cause == RELY_CAUSE_CLOCK_SKEW)
        snprintf(issuer->traffic_said, sizeof issuer->traffic_said,
                 "`iat` of its tokens is up to %lld s ahead; the record's leewaySeconds is %d", (long long)seen.ahead_s,
                 (int)record->leeway_s);
    else if (cause == RELY_CAUSE_ONLY_REFUSED)
        snprintf(issuer->traffic_said, sizeof issuer->traffic_said, "none was let in; %s%s",
                 seen.refused == RELY_OK ? "a key of the set in force has signed none of them"
                                         : "the last one that a key of the set has signed was refused as ",
                 seen.refused == RELY_OK ? "" : rely_reason_word(seen.refused));
}

void rely_keeper_follow_conditions(struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (record == NULL)
        return;
    enum rely_cause in_force = judge_keys_in_force(record, rely_keeper_now_s(issuer->keeper));
    for (int i = 0; i < RELY_CONDITION_KEYS_USABLE; i++)
        say_condition(issuer, record, (enum rely_condition)i, judge_step(issuer, record, (enum rely_condition)i));
    say_condition(issuer, record, RELY_CONDITION_KEYS_USABLE, judge_use(issuer, record, in_force));
    say_traffic(issuer, record, in_force);
    say_condition(issuer, record, RELY_CONDITION_READY, judge_readiness(record, in_force));
}

/* --- shown ------------------------------------------------------------------------------------------------- */

static const char *find_measured(const struct rely_keeper_issuer *issuer, enum rely_condition condition)
{
    const struct rely_course *course = &issuer->course;
    enum rely_cause cause = issuer->said[condition].cause;
    if (cause == RELY_CAUSE_RESOLVED)
        return course->found;
    if (condition == RELY_CONDITION_TOKENS_SEEN)
        return issuer->traffic_said[0] != '\0' ? issuer->traffic_said : NULL;
    if (cause == RELY_CAUSE_KEYS_OF_ANOTHER_ISSUER && issuer->repeats[0] != '\0')
        return issuer->repeats;
    bool is_failure = cause == course->failed && condition == course->failed_at && cause != RELY_CAUSE_NONE;
    return is_failure && issuer->status.last_error[0] != '\0' ? issuer->status.last_error : NULL;
}

bool rely_keeper_conditions(struct rely_keeper *keeper, int64_t issuer_id, struct rely_issuer_conditions *out)
{
    struct rely_keeper_issuer *issuer = rely_keeper_find(keeper, issuer_id);
    if (issuer == NULL || rely_keeper_record(issuer) == NULL)
        return false;
    rely_keeper_follow_conditions(issuer);
    *out = (struct rely_issuer_conditions){0};
    for (int i = 0; i < RELY_CONDITION_COUNT; i++) {
        const char *measured = find_measured(issuer, (enum rely_condition)i);
        out->items[i].cause = issuer->said[i].cause;
        out->items[i].since_s = issuer->said[i].since_s;
        out->items[i].measured = measured;
        out->items[i].is_advised = issuer->course.is_advised && measured == issuer->status.last_error;
    }
    return true;
}

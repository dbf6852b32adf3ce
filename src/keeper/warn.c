/*
 * Says that keys will soon count no more, a day before: then there is time to mend their issuer, or the way to it. Decides
 * nothing. Called by keeper.c when a fetch has failed.
 */
#include "kept.h"

#include "relyd/text.h"

#define WARN_BEFORE_S 86400

/* A day, and of keys that count no longer than two days half of their time. */
static int64_t choose_lead_s(const struct rely_issuer *record)
{
    int64_t half_s = (record->keys_until_s - record->keys_fetched_s) / 2;
    return half_s < WARN_BEFORE_S ? half_s : WARN_BEFORE_S;
}

void rely_keeper_warn_of_end(struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    char until[RELY_TIME_SIZE];
    if (record == NULL || record->keyset == NULL || record->has_uploaded_keys ||
        record->keys_until_s == issuer->warned_until_s)
        return;
    int64_t left_s = record->keys_until_s - rely_keeper_now_s(issuer->keeper);
    if (left_s < 0 || left_s > choose_lead_s(record))
        return;
    issuer->warned_until_s = record->keys_until_s;
    rely_time_print(record->keys_until_s, until);
    rely_log_event(issuer->keeper->ring, RELY_LOG_WARNING, "keys_expire",
                   "the keys of issuer %.*s count until %s, and its tokens are refused from then on (keys_unavailable) "
                   "unless they can be fetched: %s",
                   RELY_ARG(record->name), until, issuer->status.last_error);
}

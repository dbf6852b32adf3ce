/*
 * Writes a record of a ring as one line of JSON. All text goes through rely_buf_put_json_plainly, so that no subject or
 * issuer that a stranger chose can forge a line or a member, or change how a terminal shows one. Called by the log
 * thread (log.c).
 */
#include "relyd/text.h"

#include "ring.h"

static const char *const level_words[] = {
    [RELY_LOG_DEBUG] = "debug",
    [RELY_LOG_INFO] = "info",
    [RELY_LOG_WARNING] = "warning",
    [RELY_LOG_ERROR] = "error",
};

static void put_member(struct rely_buf *out, const char *name, struct rely_slice value)
{
    if (value.len == 0)
        return;
    rely_buf_printf(out, ",\"%s\":", name);
    rely_buf_put_json_plainly(out, value);
}

static void put_decision(const struct record *record, const struct rely_slice texts[FIELD_COUNT], struct rely_buf *out)
{
    enum rely_reason reason = (enum rely_reason)record->head.reason;
    rely_buf_printf(out, ",\"event\":\"decision\",\"endpoint\":\"%s\",\"outcome\":\"%s\",\"reason\":\"%s\"",
                    rely_endpoint_name((enum rely_endpoint)record->head.endpoint), reason == RELY_OK ? "allow" : "deny",
                    rely_reason_word(reason));
    put_member(out, "detail", texts[FIELD_DETAIL]);
    put_member(out, "issuer", texts[FIELD_ISSUER]);
    put_member(out, "iss", texts[FIELD_ALIAS]);
    put_member(out, "subject", texts[FIELD_SUBJECT]);
    put_member(out, "jti", texts[FIELD_TOKEN_ID]);
    put_member(out, "identity", texts[FIELD_IDENTITY]);
    put_member(out, "credential", texts[FIELD_CREDENTIAL]);
    put_member(out, "shadow", texts[FIELD_SHADOW]);
    put_member(out, "liveness", texts[FIELD_LIVENESS]);
    put_member(out, "peer", texts[FIELD_PEER]);
    put_member(out, "decisionId", texts[FIELD_DECISION_ID]);
    rely_buf_printf(out, ",\"durationUs\":%u", record->duration_us);
}

static void begin_line(int64_t now_s, enum rely_level level, struct rely_buf *out)
{
    char time[RELY_TIME_SIZE];
    rely_time_print(now_s, time);
    rely_buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\"", time, level_words[level]);
}

void rely_log_format_event(int64_t now_s, const char *event, const char *message, const char *members,
                           struct rely_buf *out)
{
    begin_line(now_s, RELY_LOG_WARNING, out);
    put_member(out, "event", rely_slice_of(event));
    put_member(out, "message", rely_slice_of(message));
    rely_buf_printf(out, "%s}\n", members);
}

void rely_log_format(const struct record *record, struct rely_buf *out)
{
    struct rely_slice texts[FIELD_COUNT];
    const char *next = (const char *)record + sizeof(*record);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        texts[i] = rely_slice(next, record->lengths[i]);
        next += record->lengths[i];
    }
    begin_line(record->now_s, (enum rely_level)record->head.level, out);
    if (record->head.kind == RECORD_DECISION) {
        put_decision(record, texts, out);
    } else {
        put_member(out, "event", texts[FIELD_EVENT]);
        put_member(out, "message", texts[FIELD_DETAIL]);
    }
    rely_buf_put(out, RELY_LIT("}\n"));
}

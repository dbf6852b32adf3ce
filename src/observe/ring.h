/*
 * Inside observe only: the byte rings between one thread that logs and the log thread, and the records in them.
 */
#ifndef RELYD_OBSERVE_RING_H
#define RELYD_OBSERVE_RING_H

#include "sample.h"

#define RING_BYTES ((size_t)256 * 1024) /* a power of two: about 1,000 decisions */
#define EVENT_BYTES (RING_BYTES / 4)    /* of a ring: for events alone */
#define FIELD_BYTES_MAX 512             /* of any text in a record: strangers choose issuers and subjects */
#define MESSAGE_BYTES_MAX 1024

enum record_kind { RECORD_PADDING, RECORD_EVENT, RECORD_DECISION };

/* The texts of a record, in the order in which their bytes follow it. */
enum record_field {
    FIELD_EVENT,  /* of an event: its word */
    FIELD_DETAIL, /* the message, or the refusal's sentence */
    FIELD_ISSUER,
    FIELD_ALIAS,
    FIELD_SUBJECT,
    FIELD_TOKEN_ID,
    FIELD_IDENTITY,
    FIELD_CREDENTIAL,
    FIELD_SHADOW,
    FIELD_LIVENESS,
    FIELD_PEER,
    FIELD_DECISION_ID,
    FIELD_COUNT
};

/* What stands in front of every record. Records are multiples of 8 bytes and never wrap. */
struct record_head {
    uint32_t size; /* with this head */
    uint8_t kind;  /* enum record_kind */
    uint8_t level; /* enum rely_level */
    uint8_t endpoint;
    uint8_t reason;
};

struct record {
    struct record_head head;
    int64_t now_s;
    uint32_t duration_us;
    uint16_t lengths[FIELD_COUNT]; /* 0: absent */
};

/* A byte ring: the thread that logs alone moves `written`, the log thread alone moves `taken`. Both only grow. */
struct byte_ring {
    char space_before[64]; /* own cache lines for the writer and the reader */
    size_t written;        /* atomic: release by the writer, acquire by the reader */
    size_t taken_seen;     /* the writer's last look at `taken` */
    uint64_t lost;         /* atomic, relaxed; written by the writer */
    char space_between[64];
    size_t taken; /* atomic: release by the reader, acquire by the writer */
    char space_behind[64];
    _Alignas(8) char bytes[RING_BYTES];
};

/* What one thread logs. Refusals, of which strangers make as many as they like, have a ring of their own; in the other
 * one the last EVENT_BYTES are kept for events, so that no flood of allows loses those. */
struct rely_log_ring {
    struct rely_log *log;       /* borrowed: owns the ring */
    struct rely_log_ring *next; /* the log's list */
    struct byte_ring allows, refusals;
    struct sampler sampler;
};

/* Room for a record of `size` bytes (a multiple of 8) that leaves `kept` bytes free, or NULL and one more lost. On the
 * writer's thread. */
void *rely_ring_reserve(struct byte_ring *ring, size_t size, size_t kept);
/* Show the reserved record to the reader. */
void rely_ring_publish(struct byte_ring *ring, size_t size);
/* The oldest record, or NULL; valid until rely_ring_drop. On the log thread. */
const struct record *rely_ring_peek(struct byte_ring *ring);
void rely_ring_drop(struct byte_ring *ring, const struct record *record);
/* How many records found no room. Thread: any. */
uint64_t rely_ring_lost(const struct byte_ring *ring);

/* Copy texts into a record of the ring, each cut at FIELD_BYTES_MAX (the message at MESSAGE_BYTES_MAX). */
void rely_ring_put(struct byte_ring *ring, size_t kept, const struct record *record,
                   const struct rely_slice texts[FIELD_COUNT]);

/* --- line.c: lines of JSON with their line end, behind what `out` holds ---------------------------------- */

/* A record. */
void rely_log_format(const struct record *record, struct rely_buf *out);
/* An event of the log thread's own; `members` is JSON that follows, from its comma on. */
void rely_log_format_event(int64_t now_s, const char *event, const char *message, const char *members,
                           struct rely_buf *out);

/* --- report.c -------------------------------------------------------------------------------------------- */

/* What was told of lines that are not there. The log thread's. */
struct log_report {
    uint64_t told[2][RELY_REASON_COUNT]; /* left out: of all rings, by turns as they count */
    uint64_t told_lost;
};

/* Close the report that refusals are counted for now, and open the next. The log thread's turn after this one may tell
 * the closed one: no thread is counting for it then any more. */
void rely_report_close(struct allowance *allowance);
/* Append a line that tells what the closed report holds, unless that is nothing. In: rings - newest first. */
void rely_report_left_out(struct log_report *report, const struct rely_log_ring *rings,
                          const struct allowance *allowance, int64_t now_s, struct rely_buf *out);
/* Append a line that tells how many lines were lost since the last time, unless none was. */
void rely_report_lost(struct log_report *report, uint64_t lost, int64_t now_s, struct rely_buf *out);

#endif

/*
 * Inside observe only: the byte ring between one thread that logs and the log thread, and the records in it.
 */
#ifndef RELYD_OBSERVE_RING_H
#define RELYD_OBSERVE_RING_H

#include "relyd/observe.h"

#define RING_BYTES ((size_t)256 * 1024) /* a power of two: about 1,000 decisions */
#define FIELD_BYTES_MAX 512             /* of any text in a record: strangers choose issuers and subjects */
#define MESSAGE_BYTES_MAX 1024

enum record_kind { RECORD_PADDING, RECORD_EVENT, RECORD_DECISION };

/* The texts of a record, in the order in which their bytes follow it. */
enum record_field {
    FIELD_EVENT,  /* of an event: its word */
    FIELD_DETAIL, /* the message, or the refusal's sentence */
    FIELD_ISSUER,
    FIELD_SUBJECT,
    FIELD_TOKEN_ID,
    FIELD_IDENTITY,
    FIELD_CREDENTIAL,
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

/* One thread's ring: that thread alone moves `written`, the log thread alone moves `taken`. Both only grow. */
struct rely_log_ring {
    struct rely_log *log;       /* borrowed: owns the ring */
    struct rely_log_ring *next; /* the log's list */
    char space_before[64];      /* own cache lines for the writer and the reader */
    size_t written;             /* atomic: release by the writer, acquire by the reader */
    size_t taken_seen;          /* the writer's last look at `taken` */
    uint64_t lost;              /* atomic, relaxed; written by the writer */
    char space_between[64];
    size_t taken; /* atomic: release by the reader, acquire by the writer */
    char space_behind[64];
    _Alignas(8) char bytes[RING_BYTES];
};

/* Room for a record of `size` bytes (a multiple of 8), or NULL and one more lost. On the writer's thread. */
void *rely_ring_reserve(struct rely_log_ring *ring, size_t size);
/* Show the reserved record to the reader. */
void rely_ring_publish(struct rely_log_ring *ring, size_t size);
/* The oldest record, or NULL; valid until rely_ring_drop. On the log thread. */
const struct record *rely_ring_peek(struct rely_log_ring *ring);
void rely_ring_drop(struct rely_log_ring *ring, const struct record *record);

/* Copy texts into a record of the ring, each cut at FIELD_BYTES_MAX (the message at MESSAGE_BYTES_MAX). */
void rely_ring_put(struct rely_log_ring *ring, const struct record *record, const struct rely_slice texts[FIELD_COUNT]);

/* A record as a line of JSON with its line end. */
void rely_log_format(const struct record *record, struct rely_buf *out);

#endif

/*
 * traffic: what has been seen of an issuer's tokens since relyd started: whether any was let in, why those that were
 * not were refused, and how far its clock is ahead. Workers write, whoever shows it reads. Nothing is decided by it.
 */
#ifndef RELYD_TRAFFIC_H
#define RELYD_TRAFFIC_H

#include "relyd/base.h"
#include "relyd/reason.h"

/* How often a refusal is written down at most, while nothing was let in: who sends many makes nobody wait. */
#define RELY_REFUSED_EVERY_S 60
/* What is measured of a clock is of the last hour with tokens, or of the two of which one is not over. */
#define RELY_SKEW_WINDOW_S 3600

/* Of one issuer's record; it goes on from edition to edition. */
struct rely_traffic;

/* Zero-filled: nothing yet. Times are seconds since 1970; 0: never. */
struct rely_traffic_seen {
    int64_t allowed_s, refused_s; /* the first ones */
    enum rely_reason refused;     /* the last one of a token that its keys have signed; RELY_OK: there was none */
    bool has_skew;
    int64_t ahead_s; /* the greatest `iat`, less the time at which it came; below 0: tokens come so late at least */
};

/* Owner: the caller: rely_traffic_free, when no snapshot shows its issuer. */
struct rely_traffic *rely_traffic_new(void);
void rely_traffic_free(void *traffic);

/* A token was let in. Thread: any, as of the next ones; NULL is fine. */
void rely_traffic_note_allowed(struct rely_traffic *traffic, int64_t now_s);
/* One was refused. In: is_signed - by a key of its set; else anybody may have sent it. */
void rely_traffic_note_refused(struct rely_traffic *traffic, enum rely_reason reason, bool is_signed, int64_t now_s);
/* One that was let in was issued so many seconds ahead of now. An old token says nothing: only the greatest counts. */
void rely_traffic_note_issued(struct rely_traffic *traffic, int64_t ahead_s, int64_t now_s);
struct rely_traffic_seen rely_traffic_read(const struct rely_traffic *traffic, int64_t now_s);

#endif

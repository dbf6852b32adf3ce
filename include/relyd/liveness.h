/*
 * liveness: what the clusters that issued tokens say of what these are bound to: a worker's memory of their answers, and
 * how a review reads it. Pure: the clock is handed in, and whoever asks a cluster is elsewhere.
 */
#ifndef RELYD_LIVENESS_H
#define RELYD_LIVENESS_H

#include "relyd/base.h"

struct rely_claims;
struct rely_issuer;
struct rely_live_memory;

#define RELY_LIVE_SOFT_MS 5000  /* a yes that is older counts, and is asked for again behind the answer */
#define RELY_LIVE_HARD_MS 30000 /* one that is older than this counts no more */
#define RELY_LIVE_AGAIN_MS 1000 /* who could not be asked is not asked again sooner, nor waited for */
#define RELY_LIVE_LEFT_S 5 /* by a token that ends sooner nobody is asked: its end would be taken for that of its pod */
#define RELY_LIVE_PLACES 8192    /* what a worker remembers, once there is something */
#define RELY_LIVE_PLACE_BYTES 64 /* each of them, and a little less */

/* Service account, pod, secret and node of a token of one edition of a record: tokens with the same live and end together. */
struct rely_bound {
    int64_t issuer_id;
    uint64_t print[2];
};

/* What a cluster has said. Zero-filled is no yes. */
enum rely_live_word {
    RELY_LIVE_NOTHING = 0, /* it could not be asked, or has said nothing that can be read */
    RELY_LIVE_YES,
    RELY_LIVE_NO /* for good */
};

/* What a review knows. Zero-filled lets nothing pass whose record wants to know. */
enum rely_life {
    RELY_LIFE_UNKNOWN = 0, /* it is to be asked */
    RELY_LIFE_CONFIRMED,
    RELY_LIFE_ASSUMED,     /* it could not be asked, and the record says allow */
    RELY_LIFE_UNAVAILABLE, /* it could not be asked, and the record says deny */
    RELY_LIFE_OVER
};

struct rely_live_look {
    enum rely_life life;
    bool is_old;             /* confirmed, and worth being asked again */
    struct rely_bound bound; /* of which it speaks */
};

/* Monotonic. */
typedef int64_t rely_live_clock(void);

/* In: now_ms - asked by each look. Owner: the caller. Thread: one. */
struct rely_live_memory *rely_live_memory_new(rely_live_clock *now_ms);
/* NULL is fine. */
void rely_live_memory_free(struct rely_live_memory *memory);

/* What this token of this record is bound to. */
struct rely_bound rely_bound_of(const struct rely_issuer *issuer, const struct rely_claims *claims);

static inline bool rely_bound_equal(const struct rely_bound *a, const struct rely_bound *b)
{
    return a->issuer_id == b->issuer_id && a->print[0] == b->print[0] && a->print[1] == b->print[1];
}

/* Cost: the same however many there are. In: memory - NULL: nothing is known. */
struct rely_live_look rely_live_find(const struct rely_live_memory *memory, const struct rely_bound *bound);
/* In: asked_ms - when the question was on its way: from then on a yes counts. */
void rely_live_note(struct rely_live_memory *memory, const struct rely_bound *bound, enum rely_live_word word,
                    int64_t asked_ms);
/* Is what a cluster has said known already, and not old? Then it need not be asked. Out: *word, and when it was asked. */
RELY_MUST_USE bool rely_live_knows(const struct rely_live_memory *memory, const struct rely_bound *bound,
                                   enum rely_live_word *word, int64_t *asked_ms);
/* Is it time to ask? Then it is noted that somebody does. */
RELY_MUST_USE bool rely_live_may_ask(struct rely_live_memory *memory, const struct rely_bound *bound);

/* What a cluster is asked. Borrowed by whoever takes it. */
struct rely_live_question {
    struct rely_bound bound;
    uint64_t revision; /* of the record */
    struct rely_slice token;
    const struct rely_claims *claims; /* of the token */
};

#endif

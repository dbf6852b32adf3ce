/*
 * endpoints: the data plane's protocols, one file each: tokenreview, check, review. They read a request, ask for a
 * review of its token, and put the decision into the words of their callers. A worker has one reviewer.
 */
#ifndef RELYD_ENDPOINTS_H
#define RELYD_ENDPOINTS_H

#include "relyd/cache.h"
#include "relyd/caller.h"
#include "relyd/decide.h"
#include "relyd/http.h"
#include "relyd/map.h"
#include "relyd/observe.h"
#include "relyd/pool.h"

struct rely_batch;
struct rely_key_notice;
struct rely_waiting;
struct rely_waiting_share;

#define RELY_DECISION_ID_SIZE 33

/* The service's side of a reviewer. */
struct rely_reviewer_hooks {
    void *service; /* borrowed: first argument of each */
    /* Tell the control thread that keys of this issuer are missing, or have been replaced; it answers with
     * rely_reviewer_keys_answered. */
    void (*ask_for_keys)(void *service, int64_t issuer_id);
    /* Tell it that this issuer's key of this serial has verified often enough for a table (rely_signature_wants_table). */
    void (*ask_for_table)(void *service, int64_t issuer_id, uint64_t key_serial);
    /* Tell it that a review waits for this uid to be written down; it answers with rely_reviewer_pin_answered. */
    void (*ask_for_pin)(void *service, const struct rely_pin *pin);
    /* Tell it that a cluster is to be asked; it answers with rely_reviewer_life_answered. */
    void (*ask_for_life)(void *service, const struct rely_live_question *question);
};

#define RELY_PINS_ASKED 64       /* uids that a worker has asked for lately */
#define RELY_WAITING_BUCKETS 256 /* for a thousand at most: O(1) */

/* Requests that wait for a key set (waiting.c). */
struct rely_waiting_list {
    struct rely_waiting *oldest, *newest; /* owned */
    size_t count, bytes;
    struct rely_waiting_share *shares[RELY_WAITING_BUCKETS]; /* owned: who holds them (share.c) */
    size_t reviewed;                                         /* in this turn */
    struct rely_timer timer;                                 /* the next turn */
    bool is_timed;                                           /* it runs */
};

/* Some batches, one behind the other. */
struct rely_batch_line {
    struct rely_batch *first, *last; /* owned */
};

/* Batches that have not come to their end (batch.c). */
struct rely_batch_list {
    struct rely_batch_line ready; /* with something to review, who has waited longest first */
    struct rely_batch_line idle;  /* that wait for keys */
    size_t bytes, tokens;         /* of all of them; tokens that are not answered */
    int64_t spent_us;             /* on reviews of batches, in this turn of the loop */
    struct rely_message turn;     /* brings the next one */
    bool is_turn_posted;
    struct rely_buf spare; /* owned: for the answers of the next */
};

/* One worker's: used on its thread only. */
struct rely_reviewer {
    struct rely_loop *loop;               /* borrowed */
    const struct rely_snapshot *snapshot; /* borrowed: the first one; rely_reviewer_take_up */
    struct rely_counters *counters;       /* borrowed */
    struct rely_log_ring *ring;           /* borrowed */
    struct rely_cache *cache;             /* borrowed; NULL: none */
    struct rely_live_memory *live;        /* owned: what clusters have said */
    struct rely_reviewer_hooks hooks;
    const rely_caller_rules_in_force *caller_rules; /* borrowed */
    int key_wait_ms;                                /* keys.miss_wait_ms */
    struct rely_try_budget tries;                   /* limit: keys.kidless_failures_per_s */
    uint64_t misses;           /* reviews that asked for keys: whose turn it is among many records of one iss */
    bool has_error_on_refusal; /* tokenreview.error_on_refusal */
    struct rely_buf out;       /* owned: the answer being written; reused */
    struct rely_pool later;    /* owned: scratch of reviews made outside a handler */
    struct rely_waiting_list waiting;
    struct rely_batch_list batches;
    size_t batch_bytes_max; /* of all batches together */
    struct rely_pin_asked {
        int64_t credential_id;               /* 0: free */
        int64_t until_ms;                    /* monotonic: asking again before that is useless */
    } pins_asked[RELY_PINS_ASKED];           /* by the credential's id */
    struct rely_map cooldowns;               /* owned: struct rely_cooldown by issuer, changed in place (cooldown.c) */
    char decision_id[RELY_DECISION_ID_SIZE]; /* of the last review: random per worker, and a count */
};

/* In: all borrowed fields set by the caller, the rest zero. */
void rely_reviewer_init(struct rely_reviewer *reviewer);
/* Review by this edition from now on; between two turns of the loop. */
void rely_reviewer_take_up(struct rely_reviewer *reviewer, const struct rely_snapshot *snapshot);
/* Requests that still wait are forgotten: the loop has ended. */
void rely_reviewer_fini(struct rely_reviewer *reviewer);

/* One listener of the data plane: the context of its handler and refuser. */
struct rely_data_door {
    struct rely_reviewer *reviewer; /* borrowed: the worker's */
    bool is_open;                   /* `callers: anyone`: nobody is asked who he is */
    struct rely_slice route;        /* of what is asked under none; borrowed */
};

/* The handler of a data-plane listener. */
void rely_endpoints_handle(struct rely_http_request *request, void *context);

/* Does anybody look at the body? Not at a check's, which is the gateway's client's. */
bool rely_endpoints_needs_body(const struct rely_http_request *request);
/* How long may it be? */
size_t rely_endpoints_limit_body(const struct rely_http_request *request);

/* The loop's refuser: what never becomes a request is refused in the form of the protocol that was asked. */
void rely_endpoints_refuse(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal);

/* The fetch that was asked for is over, or there will be none: requests that wait for this issuer are reviewed once
 * more, on the snapshot of now, and answered; those that came too late for this fetch ask for the next one. */
void rely_reviewer_keys_answered(struct rely_reviewer *reviewer, int64_t issuer_id,
                                 const struct rely_key_notice *notice);
/* The uid that was asked for is written down, or cannot be: the same for those that wait for this credential. */
void rely_reviewer_pin_answered(struct rely_reviewer *reviewer, int64_t credential_id, bool is_written);
/* A cluster has answered, or cannot be asked: the same for those that wait for it. In: asked_ms - when it was asked. */
void rely_reviewer_life_answered(struct rely_reviewer *reviewer, const struct rely_bound *bound,
                                 enum rely_live_word word, int64_t asked_ms);

#endif

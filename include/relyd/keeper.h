/*
 * keeper: keeps the keys of every issuer: fetches them before they grow old, soon after a change of the record and when
 * a token misses one, puts them in force and has them stored. Knows neither loop, thread nor database: what it needs of
 * them are hooks, so that a test can set its clock.
 *
 *     note_issuer, a timer, ask -> hooks.fetch -> take_answer -> judged -> hooks.accept -> hooks.store -> note_stored
 *
 * All on one thread, the hooks too, unless a comment says otherwise.
 */
#ifndef RELYD_KEEPER_H
#define RELYD_KEEPER_H

#include "relyd/base.h"
#include "relyd/condition.h"

struct rely_clock_skew;
struct rely_config;
struct rely_fetch_request;
struct rely_fetch_result;
struct rely_fetched_keys;
struct rely_gauges;
struct rely_key_age;
struct rely_key_notice;
struct rely_log_ring;
struct rely_snapshot;
struct rely_stored_keys;
struct rely_timer;

/* Key sets that are handed to `store` at a time. Each may have keys.max_bytes, and however many issuers rotate while the
 * disk hangs, no more than these wait in memory twice; nor does an administrator's write wait behind more. And so many
 * keep a thread that stores busy, whatever its answers take to come. */
#define RELY_STORINGS_MAX 8

struct rely_keeper;
/* A fetch under way, of a discovery document or a key set. The keeper's; whoever carries it out only hands it back. */
struct rely_key_fetch;

/* How an issuer's fetches go. Seconds since 1970; 0: never, or none is planned. */
struct rely_key_status {
    int64_t last_attempt_s;
    int64_t last_success_s;
    int64_t next_fetch_s;
    char last_error[512];  /* empty: none */
    char store_error[256]; /* why what is in force could not be stored; empty: it is, or waits for its turn */
    /* A fetched set that is not believed yet. */
    const char *held_why; /* static: "drops_keys_in_use", "empty_set"; NULL: none is held back */
    int64_t held_since_s;
    const struct rely_slice *held_kids; /* borrowed until the keeper is called again: of its first keys */
    size_t held_kid_count;
};

/* How far relyd comes with an issuer's keys: condition.def. */
struct rely_issuer_conditions {
    struct {
        enum rely_cause cause;
        int64_t since_s; /* that it has been so, for this cause */
        const char
            *measured; /* what was found; borrowed, until the keeper is called again. NULL: nothing beyond the cause */
        bool is_advised; /* which says already what mends it */
    } items[RELY_CONDITION_COUNT];
};

/* Counted for /metrics. */
struct rely_keeper_counts {
    uint64_t fetches_ok, fetches_failed;
    uint64_t failed_by[RELY_CAUSE_COUNT]; /* of these; RELY_CAUSE_NONE: of relyd's own */
    uint64_t new_keys;                    /* that were put in force and had not been */
    uint64_t held_back;                   /* sets that were not believed at first sight */
    uint64_t unstored;                    /* key sets in force that the registry does not have */
};

/* What the keeper needs of the others. Every hook is set. */
struct rely_keeper_hooks {
    void *context;                     /* borrowed: first argument of each */
    int64_t (*now_us)(void *context);  /* monotonic, as all _us and _ms; the workers' clock */
    int64_t (*now_s)(void *context);   /* since 1970; may jump */
    uint64_t (*random)(void *context); /* so that neither issuers nor replicas fall due together */
    void (*start_timer)(void *context, struct rely_timer *timer, int delay_ms);
    void (*cancel_timer)(void *context, struct rely_timer *timer);
    /* Fetch, and hand the answer to rely_keeper_take_answer, after this has returned; or the fetch to
     * rely_keeper_drop_fetch, when nobody will be there to take it. The request is borrowed during the call. */
    void (*fetch)(void *context, const struct rely_fetch_request *request, struct rely_key_fetch *fetch);
    const struct rely_snapshot *(*snapshot)(void *context); /* the newest edition */
    /* This edition, made from the newest, is the newest now, and every worker gets it. Taken over. */
    void (*accept)(void *context, struct rely_snapshot *next);
    /* Store a key set that is in force (rely_registry_put_keyset), and answer with rely_keeper_note_stored: perhaps
     * before this returns, perhaps minutes later, in the order of the calls. At most RELY_STORINGS_MAX are not answered
     * at a time, until the keeper is stopped. A refusal may come before rely_keeper_note_issuer tells of the write that
     * it is because of; a set that was stored before a write is best answered before that. Borrowed during the call. */
    void (*store)(void *context, const struct rely_fetched_keys *fetched);
    /* Tell every worker that an issuer's fetch is over, or that there will be none. Borrowed during the call. */
    void (*tell)(void *context, int64_t issuer_id, const struct rely_key_notice *notice);
};

/**
 * A keeper that keeps nothing yet.
 *
 * In:       config - keys.*; borrowed, as the ring. hooks - copied.
 * Owner:    the caller: rely_keeper_stop when it was started, then rely_keeper_free.
 */
struct rely_keeper *rely_keeper_new(const struct rely_config *config, struct rely_log_ring *ring,
                                    const struct rely_keeper_hooks *hooks);
/* Begin to keep the keys of every issuer of the newest edition. */
void rely_keeper_start(struct rely_keeper *keeper);
/* No timer runs any more, and what is in force and not stored is handed to `store`, whatever it waited for: the keeper's
 * own copy is freed with each call. Afterwards only rely_keeper_note_stored and rely_keeper_drop_fetch may be called. */
void rely_keeper_stop(struct rely_keeper *keeper);
/* NULL is fine. Fetches that are still under way may be dropped later. */
void rely_keeper_free(struct rely_keeper *keeper);

/* An issuer was registered, changed or removed, and the newest edition shows it: fetch its keys soon, or forget it. */
void rely_keeper_note_issuer(struct rely_keeper *keeper, int64_t issuer_id, bool is_removed);
/* Keys may become only so old from now on, which the newest edition shows: whoever would be asked too late is asked
 * sooner. */
void rely_keeper_note_max_age(struct rely_keeper *keeper);
/* A token misses a key, or is refused by one whose name another may have taken since the set was fetched: fetch within
 * the buckets; the workers are told when it is over. */
void rely_keeper_ask(struct rely_keeper *keeper, int64_t issuer_id);
/* False: no such issuer is kept. */
bool rely_keeper_status(struct rely_keeper *keeper, int64_t issuer_id, struct rely_key_status *out);
/* False: no such issuer is kept. */
bool rely_keeper_conditions(struct rely_keeper *keeper, int64_t issuer_id, struct rely_issuer_conditions *out);
/* Thread: any. */
struct rely_keeper_counts rely_keeper_count(const struct rely_keeper *keeper);

/* What came of a fetch; the result is borrowed during the call. The fetch is gone afterwards, or under way again. */
void rely_keeper_take_answer(struct rely_key_fetch *fetch, const struct rely_fetch_result *result);
/* Nobody takes the answer any more: relyd stops. */
void rely_keeper_drop_fetch(struct rely_key_fetch *fetch);
/* What came of a `store`. In: stored - NULL: it failed, and err says why: with RELY_ERR_CONFLICT or RELY_ERR_NOT_FOUND
 * it was for a record that is not there any more. */
void rely_keeper_note_stored(struct rely_keeper *keeper, int64_t issuer_id, const struct rely_stored_keys *stored,
                             const struct rely_err *err);

/* Owner: the caller: free(), each. NULL: there are too many issuers, or none. */
struct rely_issuer_series {
    struct rely_key_age *key_ages;
    struct rely_clock_skew *clock_skews;
};

/* Fill in the ages of fetched key sets and how far clocks are ahead, with series of their own for up to so many issuers,
 * which the gauges borrow. Thread: any. */
struct rely_issuer_series rely_issuers_measure(const struct rely_snapshot *snapshot, int64_t now_s, size_t series_max,
                                               struct rely_gauges *gauges);

#endif

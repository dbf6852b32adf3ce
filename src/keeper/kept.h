/*
 * The inside of the keeper: keeper.c says when an issuer's keys are fetched, offers.c whose else are then, fetch.c how,
 * hold.c whether they are believed, force.c what becomes of them, storing.c when they are stored, conditions.c what is
 * said of it, file.c what is different of files, start.c begins and ends, plan.c reckons.
 */
#ifndef RELYD_KEEPER_KEPT_H
#define RELYD_KEEPER_KEPT_H

#include "relyd/accept.h"
#include "relyd/config.h"
#include "relyd/fetch.h"
#include "relyd/fetched.h"
#include "relyd/keeper.h"
#include "relyd/key_orders.h"
#include "relyd/notice.h"
#include "relyd/observe.h"
#include "relyd/snapshot.h"
#include "relyd/timer.h"

#include "plan.h"

struct rely_keeper {
    const struct rely_config *config; /* borrowed */
    struct rely_log_ring *ring;       /* borrowed */
    struct rely_keeper_hooks hooks;
    struct rely_map issuers;          /* owned: struct rely_keeper_issuer by id, changed in place */
    struct rely_retired unused;       /* always empty: the map has one edition */
    struct rely_asks asks;            /* fetches that missing keys cause, of all issuers */
    struct rely_keeper_counts counts; /* atomic: read by any thread */
    /* storing.c's: */
    struct rely_keeper_issuer *first_queued, *last_queued; /* whose keys are to be stored next, in order */
    int storing_count;                                     /* handed to `store` and not answered */
    bool is_handing_over;
    bool is_stopping;
};

/* What is in force and does not stand in the registry yet. Zero-filled: nothing. */
struct rely_unstored {
    bool is_pending;
    char *jwks; /* owned: the document; NULL: the stored one was fetched again, and only its time is news */
    size_t jwks_len;
    char *source_url;         /* owned */
    uint64_t record_revision; /* of the record that they are in force for */
    uint64_t generation;      /* of the stored set that they take the place of */
    int64_t at_s;             /* when they were fetched */
    uint64_t merged_count;    /* earlier changes that this one stands for */
    int failures;             /* to store it, in a row */
    bool was_refused;         /* and nothing has been heard of a write since */
};

/* A place in the keeper's queue. */
struct rely_store_turn {
    bool is_queued;
    struct rely_keeper_issuer *previous, *next;
};

/* What `store` was given and has not answered yet. */
struct rely_storing {
    bool is_underway;
    bool is_outdated; /* what is pending is newer */
    uint64_t record_revision;
    uint64_t change_count; /* that it stands for */
    int64_t at_s;
};

/* What the last good fetch left behind, so that the next may be conditional. Counts for one record only. */
struct rely_fetched_before {
    uint64_t record_revision;
    char *document_etag, *jwks_uri; /* owned: of the discovery document, and where it pointed */
    char *jwks_etag, *jwks_url;     /* owned: of the key set that is in force, and where it was fetched */
    int64_t fresh_s;                /* of the key set */
};

/* How far the last fetch has come that was not overtaken. Zero-filled: there was none. */
struct rely_course {
    bool is_known;
    bool is_unasked;                  /* its first URL is none that may be asked */
    bool is_alias;                    /* the document names one */
    bool is_advised;                  /* the failure says what mends it */
    enum rely_cause failed;           /* RELY_CAUSE_NONE: nothing has */
    enum rely_condition failed_at;    /* which of them that makes false */
    int32_t ms[RELY_CONDITION_COUNT]; /* what each took */
    char *found;                      /* owned: "NAME is ADDRESS" of its first URL; NULL: there was none */
};

/* What was said last of one condition. */
struct rely_said_condition {
    enum rely_cause cause;
    int64_t since_s;
};

/* One block. */
struct rely_kept_names {
    size_t count;
    struct rely_slice items[];
};

enum rely_held_why { RELY_HELD_NOT = 0, RELY_HELD_DROPS_KEYS_IN_USE, RELY_HELD_EMPTY_SET };

/* A fetched set that is not believed yet. */
struct rely_held_keys {
    enum rely_held_why why;
    uint64_t hash; /* of its keys */
    int64_t since_ms, since_s;
    struct rely_kept_names *kids; /* owned: of the first keys */
};

struct rely_keeper_issuer {
    int64_t id;
    struct rely_keeper *keeper;    /* borrowed */
    struct rely_kept_names *names; /* owned: of its record, as the keeper heard of it last; NULL: it is gone */
    struct rely_timer timer;       /* the next fetch */
    int64_t due_ms;                /* when that is; monotonic, as all _ms here */
    bool is_fetching;
    bool is_asked;         /* workers wait for the fetch under way, or for one that is near */
    bool is_owed;          /* the next fetch is due because a worker asked */
    bool is_removed;       /* forget it when the fetch under way ends */
    bool is_stale;         /* its record changed during a fetch: fetch once more */
    bool is_refreshing;    /* the next fetch is due because an administrator wants it, whole and past caches */
    bool is_ordered;       /* an administrator believes what the fetch under way, or the next one, brings */
    bool is_offered;       /* a key that it does without is free, and the next fetch is near */
    bool is_settled;       /* a fetch has gone well since the start, the record's last change and the last failure */
    int failures;          /* in a row */
    int64_t begun_us;      /* the fetch under way */
    int64_t whole_ms;      /* when the last fetch that brought the document itself began */
    int64_t whole_due_ms;  /* from then on "nothing has changed" is not enough */
    int64_t told_until_ms; /* workers refuse to ask until then */
    struct rely_asker asker;
    size_t judged_keys;                /* of the fetch under way */
    bool has_news;                     /* the fetch under way has put keys in force that were not */
    struct rely_fetched_before before; /* fetch.c's */
    struct rely_held_keys held;        /* hold.c's, as the next */
    struct rely_bucket held_lines;
    int64_t warned_until_s; /* warn.c's: that was said of */
    struct rely_key_status status;
    struct rely_key_waiter *waiters; /* borrowed: orders.c's, as the next */
    struct rely_bucket orders;
    struct rely_course course;                             /* conditions.c's, as the next two */
    struct rely_said_condition said[RELY_CONDITION_COUNT]; /* RELY_CAUSE_NONE: nothing yet */
    char traffic_said[160];                                /* what was measured of its tokens; empty: nothing */
    int64_t added_s;                                       /* when it began to be kept */
    char repeats[RELY_REPEATS_SIZE]; /* which keys of the last set other records have; empty: none */
    /* storing.c's: */
    struct rely_unstored unstored;
    struct rely_storing storing;
    struct rely_store_turn turn;
    struct rely_timer store_timer; /* runs only while something is pending */
    struct rely_bucket log_rows;
    int64_t noted_s; /* the time of fetching that the registry knows */
    /* force.c's: */
    struct rely_bucket log_lines;
    uint64_t lines_left_out; /* since the last one */
};

static inline int64_t rely_keeper_now_us(const struct rely_keeper *keeper)
{
    return keeper->hooks.now_us(keeper->hooks.context);
}

static inline int64_t rely_keeper_now_ms(const struct rely_keeper *keeper)
{
    return rely_keeper_now_us(keeper) / 1000;
}

/* When the fetch under way began. */
static inline int64_t rely_keeper_begun_ms(const struct rely_keeper_issuer *issuer)
{
    return issuer->begun_us / 1000;
}

static inline int64_t rely_keeper_now_s(const struct rely_keeper *keeper)
{
    return keeper->hooks.now_s(keeper->hooks.context);
}

static inline uint64_t rely_keeper_random(const struct rely_keeper *keeper)
{
    return keeper->hooks.random(keeper->hooks.context);
}

static inline const struct rely_snapshot *rely_keeper_snapshot(const struct rely_keeper *keeper)
{
    return keeper->hooks.snapshot(keeper->hooks.context);
}

static inline void rely_keeper_start_timer(const struct rely_keeper *keeper, struct rely_timer *timer, int64_t delay_ms)
{
    keeper->hooks.start_timer(keeper->hooks.context, timer, (int)delay_ms);
}

static inline void rely_keeper_cancel_timer(const struct rely_keeper *keeper, struct rely_timer *timer)
{
    keeper->hooks.cancel_timer(keeper->hooks.context, timer);
}

/* The issuer's record in the newest edition; NULL: gone. */
static inline const struct rely_issuer *rely_keeper_record(const struct rely_keeper_issuer *issuer)
{
    return rely_snapshot_issuer(rely_keeper_snapshot(issuer->keeper), issuer->id);
}

/* The same while it is there for certain. */
static inline const struct rely_issuer *rely_keeper_newest(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *newest = rely_keeper_record(issuer);
    RELY_ASSERT(newest != NULL);
    return newest;
}

/* --- keeper.c ---------------------------------------------------------------------------------------- */

/* NULL when no such issuer is kept. */
struct rely_keeper_issuer *rely_keeper_find(struct rely_keeper *keeper, int64_t issuer_id);
struct rely_keeper_issuer *rely_keeper_add(struct rely_keeper *keeper, int64_t issuer_id);
void rely_keeper_schedule(struct rely_keeper_issuer *issuer, int64_t delay_ms);
/* Fetch now, or once more behind the fetch under way. */
void rely_keeper_hasten(struct rely_keeper_issuer *issuer);
/* There is nothing to fetch: the key set was uploaded. */
void rely_keeper_rest(struct rely_keeper_issuer *issuer);
/* The fetch is over: fresh_s as max_age_s in rely_fetch_result; err is NULL when a key set was accepted. In: course -
 * copied. */
void rely_keeper_finish(struct rely_keeper_issuer *issuer, int64_t fresh_s, const struct rely_course *course,
                        const struct rely_err *err);

/* --- offers.c ----------------------------------------------------------------------------------------- */

/* The record is this one now; NULL: it is gone. Returns the names under which what it had in force may be free; owned by
 * the caller: free(), NULL for none. */
struct rely_kept_names *rely_keeper_follow_names(struct rely_keeper_issuer *issuer, const struct rely_issuer *record);
/* An administrator has freed keys under these names: those who did without them fetch at once. */
void rely_keeper_offer_freed(struct rely_keeper *keeper, const struct rely_kept_names *names);
/* The record has let keys go: those who did without them fetch in their turn. */
void rely_keeper_offer_keys_of(struct rely_keeper_issuer *issuer);
/* The same where a fetch that has ended is why. */
void rely_keeper_offer_after_fetch(struct rely_keeper_issuer *issuer);

/* --- accept.c, advice.c ------------------------------------------------------------------------------- */

/* Where fetching an issuer's keys begins; owned by the caller, NULL when they are uploaded. */
char *rely_keeper_first_url(const struct rely_issuer *issuer);
/* Behind err, a failed fetch's fault: what an administrator can do about it, where that can be told. */
void rely_keeper_advise(const struct rely_fetch_result *result, bool is_discovery, struct rely_err *err);
/* Is there something of that kind? */
bool rely_keeper_is_advised(const struct rely_fetch_result *result);

/* --- orders.c ----------------------------------------------------------------------------------------- */

/* A fetch is over: whoever waits for it is told. */
void rely_keeper_tell_waiters(struct rely_keeper_issuer *issuer, bool is_ok);
/* Relyd stops: nobody is told any more. */
void rely_keeper_drop_waiters(struct rely_keeper_issuer *issuer);

/* --- discovery.c -------------------------------------------------------------------------------------- */

struct rely_discovery {
    struct rely_slice url, body;
};

/* The key set's address in a discovery document; owned by the caller: free(). NULL: err says what is wrong. In: issuer -
 * whose record is the one that asked. Out: is_alias - the document names an alias. */
char *rely_keeper_read_discovery(const struct rely_keeper_issuer *issuer, const struct rely_discovery *document,
                                 bool *is_alias, struct rely_err *err);

/* --- conditions.c ------------------------------------------------------------------------------------- */

/* A fetch has come to an end. In: failed - RELY_CAUSE_NONE: it succeeded. What is said of the issuer follows when the
 * next edition is there. */
void rely_keeper_note_course(struct rely_keeper_issuer *issuer, const struct rely_course *course);
/* The record, its keys or its fetches are others: since now. */
void rely_keeper_follow_conditions(struct rely_keeper_issuer *issuer);
void rely_keeper_forget_course(struct rely_keeper_issuer *issuer);

/* --- fetch.c ------------------------------------------------------------------------------------------ */

/* Fetch discovery document and key set; ends in rely_keeper_finish. */
void rely_keeper_fetch(struct rely_keeper_issuer *issuer);
void rely_keeper_forget_fetched(struct rely_keeper_issuer *issuer);

/* --- file.c ------------------------------------------------------------------------------------------- */

/* Are its keys in a file? */
bool rely_keeper_reads_file(const struct rely_keeper_issuer *issuer);
/* From one look at a file to the next. In: delay_ms - when it would be fetched if it were none. */
int64_t rely_keeper_plan_look(const struct rely_keeper_issuer *issuer, int64_t delay_ms);
/* What stands in a file as a key set: a PEM text becomes one, and *body it; anything else stays as it is. Out: jwks -
 * whose bytes *body borrows then. False with a fault. */
RELY_MUST_USE bool rely_keeper_convert_file(const struct rely_keeper_issuer *issuer, struct rely_slice *body,
                                            struct rely_buf *jwks, struct rely_err *err);

/* --- hold.c ------------------------------------------------------------------------------------------- */

/* Where there are keys to lose, and the document says that there are none any more: that set. NULL: it is another. */
struct rely_keyset *rely_keeper_read_empty(const struct rely_keeper_issuer *issuer, struct rely_slice body);
/* May the set that was judged good take the place of the one in force? Then what was held back is forgotten. */
bool rely_keeper_believes(struct rely_keeper_issuer *issuer, const struct rely_keyset *keyset);
/* It may not yet. In: fetched, keyset - as for rely_keeper_take; with a document. */
void rely_keeper_hold_back(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                           struct rely_keyset *keyset);
void rely_keeper_forget_held(struct rely_keeper_issuer *issuer);
/* While a set is held back: until the next fetch. */
int64_t rely_keeper_plan_second_sight(const struct rely_keeper_issuer *issuer);
void rely_keeper_show_held(const struct rely_keeper_issuer *issuer, struct rely_key_status *out);

/* --- warn.c ------------------------------------------------------------------------------------------- */

/* A fetch has failed: say, once, when the keys in force will soon count no more. */
void rely_keeper_warn_of_end(struct rely_keeper_issuer *issuer);

/* --- force.c ------------------------------------------------------------------------------------------ */

/**
 * Take a key set that was judged good: in force first, when it is not there already, and then stored.
 *
 * In:       fetched - for the record as the newest edition shows it. Its document is absent when the issuer says that
 *           the one in force is still right.
 *           keyset - the same document, prepared; taken over. NULL without document.
 */
void rely_keeper_take(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                      struct rely_keyset *keyset);
/* In force beside the keys that hold, which get no younger by it, and not stored. In: keyset - with both; taken over. */
void rely_keeper_put_guests(struct rely_keeper_issuer *issuer, struct rely_keyset *keyset);
/* The same keys in force: with another time, or under the generation and revision that storing them has made. */
void rely_keeper_renew(struct rely_keeper_issuer *issuer, int64_t fetched_s, const struct rely_stored_keys *stored);

/* --- storing.c ---------------------------------------------------------------------------------------- */

/* Store what is in force now, when its turn comes, in place of what has been waiting. In: fetched - as it was taken. */
void rely_keeper_store(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched);
/* The record has changed: what waits to be stored is for the new one, or for none when the keys were dropped. */
void rely_keeper_follow_record(struct rely_keeper_issuer *issuer);
/* Relyd stops: hand over what waits, whatever it waits for, and forget it. */
void rely_keeper_store_last(struct rely_keeper_issuer *issuer);
/* Forget what waits to be stored. */
void rely_keeper_drop_unstored(struct rely_keeper_issuer *issuer);

#endif

/*
 * The inside of the key keeper: keeper.c says when an issuer's keys are fetched, keeper_fetch.c how, keeper_force.c
 * what becomes of them, keeper_plan.c reckons. All on the control thread.
 */
#ifndef RELYD_SERVICE_KEEPER_H
#define RELYD_SERVICE_KEEPER_H

#include "plan.h"
#include "../service/service.h"

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
};

/* What the last good fetch left behind, so that the next may be conditional. Counts for one record only. */
struct rely_fetched_before {
    uint64_t record_revision;
    char *document_etag, *jwks_uri; /* owned: of the discovery document, and where it pointed */
    char *jwks_etag, *jwks_url;     /* owned: of the key set that is in force, and where it was fetched */
    int64_t fresh_s;                /* of the key set */
};

struct rely_keeper_issuer {
    int64_t id;
    struct rely_control *control; /* borrowed */
    struct rely_timer timer;      /* the next fetch */
    int64_t due_ms;               /* when that is; monotonic, as all _ms here */
    bool is_fetching;
    bool is_asked;         /* workers wait for the fetch under way, or for one that is near */
    bool is_owed;          /* the next fetch is due because a worker asked */
    bool is_removed;       /* forget it when the fetch under way ends */
    bool is_stale;         /* its record changed during a fetch: fetch once more */
    int failures;          /* in a row */
    int64_t fetched_ms;    /* when the last fetch that succeeded began; 0: none of this process */
    int64_t begun_ms;      /* the fetch under way */
    int64_t whole_ms;      /* when the last fetch that brought the document itself began */
    int64_t whole_due_ms;  /* from then on "nothing has changed" is not enough */
    int64_t told_until_ms; /* workers refuse to ask until then */
    struct rely_asker asker;
    size_t judged_keys;                /* of the fetch under way */
    bool has_news;                     /* the fetch under way has put keys in force that were not */
    struct rely_fetched_before before; /* keeper_fetch.c's */
    struct rely_key_status status;
    char repeats[RELY_REPEATS_SIZE]; /* which keys of the last set other records have; empty: none */
    /* keeper_force.c's: */
    struct rely_unstored unstored;
    struct rely_timer store_timer;
    struct rely_bucket log_rows, log_lines;
    uint64_t lines_left_out; /* since the last one */
    int64_t noted_s;         /* the time of fetching that the registry knows */
};

/* keeper.c: NULL when no such issuer is kept. */
struct rely_keeper_issuer *rely_keeper_find(struct rely_control *control, int64_t issuer_id);
uint64_t rely_keeper_random(void);

/* keeper_fetch.c: fetch discovery document and key set; ends in rely_keeper_finish. */
void rely_keeper_fetch(struct rely_keeper_issuer *issuer);
void rely_keeper_forget_fetched(struct rely_keeper_issuer *issuer);
/* There is nothing to fetch: the key set was uploaded. */
void rely_keeper_rest(struct rely_keeper_issuer *issuer);
/* The fetch is over: fresh_s as max_age_s in rely_fetch_result; err is NULL when a key set was accepted. */
void rely_keeper_finish(struct rely_keeper_issuer *issuer, int64_t fresh_s, const struct rely_err *err);

/**
 * keeper_force.c: take a key set that was judged good: in force first, when it is not there already, and then stored.
 *
 * In:       fetched - for the record as the newest edition shows it; no batch is open. Its document is absent when the
 *           issuer says that the one in force is still right.
 *           keyset - the same document, prepared; taken over. NULL without document.
 */
void rely_keeper_take(struct rely_keeper_issuer *issuer, const struct rely_fetched_keys *fetched,
                      struct rely_keyset *keyset);
/* The record has changed: what waits to be stored is for the new one, or for none when the keys were dropped. */
void rely_keeper_follow_record(struct rely_keeper_issuer *issuer);
/* Relyd stops: try to store what waits, whatever it waits for; and forget it. */
void rely_keeper_store_last(struct rely_keeper_issuer *issuer);
void rely_keeper_drop_unstored(struct rely_keeper_issuer *issuer);

#endif

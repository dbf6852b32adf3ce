/*
 * A world for the keeper: a clock that stands still until it is told to go on, issuers that answer what they are told
 * to, a registry that fails when it is told to. Everything happens in the order of its time, on one thread.
 */
#ifndef RELYD_TESTS_KEEPER_WORLD_H
#define RELYD_TESTS_KEEPER_WORLD_H

#include "relyd/config.h"
#include "relyd/fetch.h"
#include "relyd/fetched.h"
#include "relyd/keeper.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/model.h"
#include "relyd/notice.h"
#include "relyd/observe.h"
#include "relyd/timer.h"

#include "timers.h"
#include "turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORLD_ISSUERS_MAX 256   /* of an ordinary world */
#define WORLD_WALL_S 1700000000 /* when it begins */
#define WORLD_TIMES 256

/* Fetches that are under way, those not counted that wait for their turn. */
struct world_load {
    size_t running, most;
};

/* The issuer's side: what it answers, and what it was asked. */
struct world_server {
    const char *jwks;     /* borrowed: mint's */
    const char *document; /* its discovery document; NULL: the right one */
    uint64_t version;     /* of jwks: its entity-tag */
    bool has_etags;
    bool is_bare;    /* shows `jwks` and nothing else; or it has a standby key that is always there */
    bool is_stuck;   /* its entity-tag never changes */
    bool is_down;    /* answers 503 */
    bool is_hanging; /* does not answer: each fetch takes its whole time */
    bool is_held;    /* does not answer until world_release */
    int64_t fresh_s; /* max-age; below 0: none */
    int latency_ms;
    size_t origin; /* whose scheme, host and port it has: that issuer's; its own at first */
    /* what was asked: */
    int asked;               /* every URL */
    int asked_whole;         /* the key set, without a condition */
    int unchanged;           /* answers 304 */
    int64_t longest_wait_ms; /* of a fetch for its turn */
    struct world_load load;  /* of all who share its origin */
    struct rely_fetch_request last;
    char last_url[300];
    int64_t times_ms[WORLD_TIMES]; /* when its key set (or, down, anything) was asked for; the first ones */
    int time_count;
};

/* What the registry has. */
struct world_row {
    int64_t id; /* 0: removed */
    char name[32], url[100], source[100];
    enum rely_key_source kind;
    bool is_disabled;
    int64_t max_age_s; /* the record's own; 0: none */
    uint64_t revision, generation;
    char *jwks; /* owned: the stored set; NULL: none */
    int32_t leeway_s;
    struct rely_traffic *traffic; /* owned */
    char seen[200];               /* of its keys */
    int64_t fetched_s;
    int log_rows;    /* that its sets have made */
    uint64_t merged; /* changes that those rows stand for beside their own */
    int refreshed;   /* times of fetching noted without a row */
};

struct world_told {
    int count;
    int64_t at_ms, asked_until_ms, miss_ms;
};

struct world_fetch;
struct world_store;

struct world {
    int64_t now_ms;
    int64_t wall_offset_s;
    uint64_t random_state;
    struct rely_config config;
    struct rely_log *log;
    struct rely_log_ring *ring;
    int log_fd;
    struct rely_keeper *keeper;
    struct rely_snapshot *snapshot;
    uint64_t revision;
    struct rely_timers timers;   /* the keeper's */
    struct turns turns;          /* fetches that wait for a place, and who has one */
    struct rely_timers answers;  /* that are on their way */
    struct world_fetch *fetches; /* owned: all that have not ended, newest first */
    struct world_load load;
    struct world_store *stores;      /* owned: not answered, oldest first */
    bool are_stores_held;            /* they are done, and not answered until world_answer_stores */
    bool is_disk_hanging;            /* they are not even done until then, or until world_do_stores */
    size_t handed_over[WORLD_TIMES]; /* whose sets, in order; the first ones */
    size_t handed_over_count;
    size_t most_stores; /* that were not answered at a time */
    bool is_handing_over;
    enum rely_err_code store_fault; /* what every store ends with; RELY_ERR_NONE: it succeeds */
    size_t count;                   /* issuers, removed ones too */
    size_t issuers_max;
    struct world_row *rows; /* owned, as the next two: so many; they never move */
    struct world_server *servers;
    struct world_told *told; /* and one more: of issuers that are not there */
    void (*note_asked)(struct world *world, size_t i, bool is_discovery); /* a fetch begins; or NULL */
    void (*note_served)(struct world *world,
                        size_t i); /* a key set is handed over, or said to be right still; or NULL */
    void *owner;                   /* whose world it is */
};

/* A world without issuers, with the default settings. */
struct world *world_new(void);
/* With room for so many. */
struct world *world_new_for(size_t issuers_max);
/* Stops the keeper when it runs. */
void world_free(struct world *world);

/* Register an issuer whose key set is `jwks` of mint (NULL: none yet). Returns its index. */
size_t world_add(struct world *world, enum rely_key_source kind, const char *jwks);
/* A record of the same iss as another one. */
size_t world_add_sibling(struct world *world, size_t of, const char *jwks);
void world_start(struct world *world);
void world_stop(struct world *world);
/* Stop, lose what was not stored, read what is stored, start. */
void world_restart(struct world *world);

/* keys.max_age_s is another one. */
void world_set_max_age(struct world *world, int64_t max_age_s);

/* Let time go on, with all that happens in it. */
void world_run_ms(struct world *world, int64_t ms);
static inline void world_run_s(struct world *world, int64_t s)
{
    world_run_ms(world, s * 1000);
}
/* The wall clock is set by so much. */
void world_step_clock(struct world *world, int64_t s);
int64_t world_now_s(const struct world *world);

/* The issuer has other keys now. */
void world_rotate(struct world *world, size_t i, const char *jwks);
/* Answers that are held come now. */
void world_release(struct world *world, size_t i);
/* A token misses a key. */
void world_ask(struct world *world, size_t i);

/* Writes of an administrator; those of the registry alone are seen by world_show. */
void world_describe_in_registry(struct world *world, size_t i); /* the same source */
void world_move_in_registry(struct world *world, size_t i);     /* another source: the keys are dropped */
void world_remove_in_registry(struct world *world, size_t i);
void world_show(struct world *world, size_t i);
void world_describe(struct world *world, size_t i);
void world_move(struct world *world, size_t i);
void world_disable(struct world *world, size_t i, bool is_disabled);
void world_remove(struct world *world, size_t i);
/* What a hanging disk holds up is done now. */
void world_do_stores(struct world *world);
/* The oldest store that is held is answered now; false: there is none. */
bool world_answer_store(struct world *world);
void world_answer_stores(struct world *world);

/* The record in the newest edition; NULL: none. */
const struct rely_issuer *world_record(const struct world *world, size_t i);
/* What the issuer shows when `jwks` are its keys: with the standby key, so that a rotation does not drop every key, and
 * is believed at once. */
const char *world_published(const struct world *world, size_t i, const char *jwks);
/* Is the key set in force this one of mint, with the standby key? */
bool world_has_in_force(const struct world *world, size_t i, const char *jwks);
bool world_has_stored(const struct world *world, size_t i, const char *jwks);
struct rely_key_status world_status(const struct world *world, size_t i);
/* How many lines of this event have been logged; ends the log, and the keeper when it runs. */
int world_count_in_log(struct world *world, const char *wanted);
int world_count_lines(struct world *world, const char *event);
/* Of a repeated line's like that were not written: the sum of what the lines say. Ends the world, too. */
long world_count_left_out(struct world *world);

/* {"keys":[...]} with one Ed25519 key of this name; lives until mint_reset. */
const char *world_jwks(const char *name);

#endif

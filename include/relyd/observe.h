/*
 * observe: counters, log rings and the log thread. Writers never block and never share a cache line: each thread that
 * counts or logs has its own.
 */
#ifndef RELYD_OBSERVE_H
#define RELYD_OBSERVE_H

#include "relyd/condition.h"
#include "relyd/reason.h"

/* The endpoints that review tokens, for counters and the log. */
enum rely_endpoint {
    RELY_ENDPOINT_TOKENREVIEW,
    RELY_ENDPOINT_CHECK,
    RELY_ENDPOINT_REVIEW,
    RELY_ENDPOINT_INTROSPECTION,
    RELY_ENDPOINT_EXPLAIN,
    RELY_ENDPOINT_COUNT
};
const char *rely_endpoint_name(enum rely_endpoint endpoint);

/* Upper bounds of the latency histogram, in microseconds; one more bucket counts the rest. */
#define RELY_LATENCY_BUCKETS 12
extern const uint32_t rely_latency_bounds_us[RELY_LATENCY_BUCKETS];

#define RELY_CALLER_WORDS_MAX 8 /* of rely_caller_words (caller.h) */

/* One thread's counters. Only its thread writes (plain adds through rely_count); any thread may read. 64-byte aligned.
 */
struct rely_counters {
    _Alignas(64) uint64_t reviews[RELY_ENDPOINT_COUNT][RELY_REASON_COUNT];
    uint64_t shadow_matches[2]; /* reviews with a match in shadow: denied, allowed */
    uint64_t latency[RELY_LATENCY_BUCKETS + 1];
    uint64_t latency_sum_us;
    uint64_t requests;                       /* all HTTP requests */
    uint64_t key_waits;                      /* reviews that waited for a key set */
    uint64_t cache_hits, cache_misses;       /* reviews whose signature was known to verify, or was not */
    uint64_t control_faults;                 /* requests of administrators that were answered with 5xx */
    uint64_t callers[RELY_CALLER_WORDS_MAX]; /* requests that were refused for who asked, by why */
};

/* Add on the owner's thread: relaxed load and store, no locked instruction. */
static inline void rely_count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
}

/* How long ago an issuer's keys were last fetched, and which they are. */
struct rely_key_age {
    struct rely_slice issuer; /* borrowed from the snapshot */
    int64_t age_s;
    int64_t left_s; /* until they are too old; below 0: they are */
    uint64_t hash;  /* of 48 bits */
};

/* How far an issuer's clock is ahead. */
struct rely_clock_skew {
    struct rely_slice issuer; /* borrowed from the snapshot */
    int64_t ahead_s;
};

/* A listener's certificate. */
struct rely_certificate_gauge {
    const char *address; /* borrowed */
    int64_t left_s;      /* until it ends; below 0 when it has */
};
#define RELY_CERTIFICATES_MAX 16

/* What /metrics tells beside the counters. */
struct rely_gauges {
    struct rely_certificate_gauge certificates[RELY_CERTIFICATES_MAX];
    size_t certificate_count;
    uint64_t revision;
    size_t issuers, identities, credentials, issuer_groups, routes, revocations;
    size_t key_tables;
    int connections;
    uint64_t held_bytes;          /* by unfinished requests and answers under way */
    const uint64_t *cuts;         /* borrowed: connections closed for a limit, cut_count of them; by the limit's word */
    const char *const *cut_words; /* static */
    size_t cut_count;
    const char *const *caller_words; /* static: of the counters' callers */
    size_t caller_count;
    uint64_t fetches_ok, fetches_failed;  /* key sets and discovery documents */
    uint64_t failed_by[RELY_CAUSE_COUNT]; /* of these; RELY_CAUSE_NONE: none of an issuer's */
    const struct rely_key_age *key_ages;  /* borrowed: of every issuer with fetched keys, or none: too many */
    size_t key_age_count;
    int64_t key_age_max_s;
    size_t key_left_count;                     /* fetched key sets */
    int64_t key_left_min_s;                    /* of all of them */
    const struct rely_clock_skew *clock_skews; /* borrowed: of issuers that were measured, or none: too many */
    size_t clock_skew_count;
    size_t clock_count;           /* of however many that were measured */
    int64_t clock_skew_max_s;     /* of all of them */
    uint64_t key_sets_hash;       /* the same */
    uint64_t keys_new, keys_held; /* keys that were put in force; sets that were not believed at first sight */
    uint64_t keys_too_old, keys_repeated, keys_unstored; /* key sets */
    uint64_t log_lost;                                   /* lines: rely_log_lost */
    uint64_t refusals_left_out;                          /* rely_log_left_out */
    const uint64_t *handshakes;                          /* borrowed: of TLS, by how they have ended */
    const char *const *handshake_words;                  /* static */
    size_t handshake_count;
    uint64_t unsendable; /* answers: 500 was sent in their place */
    uint64_t rechecks;   /* of signatures, by EVP */
    bool is_registry_damaged;
    bool is_config_bad, are_certificates_bad; /* as they were read last */
    int64_t start_s;
};

/* Prometheus text (version 0.0.4), the sum over all threads' counters. In: counters - `count` pointers. Names and help
 * come from metrics.def, and so does docs/metrics.md. */
void rely_metrics_print(const struct rely_counters *const *counters, size_t count, const struct rely_gauges *gauges,
                        struct rely_buf *out);
/* docs/metrics.md, for the test that compares. */
void rely_metrics_print_docs(struct rely_buf *out);

/* What an administrator does about a reason, in a sentence or two. Static. */
const char *rely_reason_advice(enum rely_reason reason);
/* docs/reasons.md: a section for every reason, with what an administrator does about it (src/observe/reason_docs.def).
 */
void rely_reasons_print_docs(struct rely_buf *out);
/* Write docs/conditions.md. */
void rely_conditions_print_docs(struct rely_buf *out);

/* --- the log ------------------------------------------------------------------------------------- */

enum rely_level { RELY_LOG_DEBUG, RELY_LOG_INFO, RELY_LOG_WARNING, RELY_LOG_ERROR };
enum rely_log_decisions { RELY_LOG_NO_DECISIONS, RELY_LOG_REFUSALS, RELY_LOG_ALL_DECISIONS };

struct rely_log;
/* One thread's ring: that thread alone writes, the log thread alone reads. */
struct rely_log_ring;

struct rely_log_options {
    int fd;                /* where refusals go; -1: standard error */
    int allows_fd;         /* where allows and events go; -1: standard error */
    enum rely_level level; /* events below it are dropped */
    enum rely_log_decisions decisions;
    uint32_t refusals_per_s; /* that are written; of more a sample by reason and peer, and how many were left out */
};

/**
 * Start the log thread: it writes one JSON object a line: {"time","level","event",...}.
 *
 * Owner:    the caller: rely_log_stop writes out what is in the rings, then joins.
 */
struct rely_log *rely_log_start(const struct rely_log_options *options, struct rely_err *err);
void rely_log_stop(struct rely_log *log);
/* Another refusals_per_s. Thread: any. */
void rely_log_limit_refusals(struct rely_log *log, uint32_t refusals_per_s);
/* A ring for the calling thread; lives until rely_log_stop. Thread: any. */
struct rely_log_ring *rely_log_ring_new(struct rely_log *log);

/* An event: a short stable word, and a sentence. Never a token. Full ring: dropped and counted. */
void rely_log_event(struct rely_log_ring *ring, enum rely_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One decision. Slices are copied; absent ones are left out. Never the token. */
struct rely_log_decision {
    int64_t now_s;
    enum rely_endpoint endpoint;
    enum rely_reason reason;
    struct rely_slice detail; /* the refusal's sentence */
    struct rely_slice issuer; /* the record's name, or the unverified `iss` when the issuer is unknown */
    struct rely_slice alias;  /* the token's `iss` where it is an alias of that record */
    struct rely_slice subject, token_id, identity, credential;
    struct rely_slice shadow;   /* `identity/credential` of one in shadow that would have let it in */
    struct rely_slice liveness; /* `assumed` */
    struct rely_slice peer;
    struct rely_slice decision_id;
    uint32_t duration_us;
};

/* Does log.decisions ask for this outcome? Saves its caller the filling in. */
bool rely_log_wants(const struct rely_log_ring *ring, enum rely_reason reason);
/* Dropped at once when log.decisions does not ask for it. Cost: a memcpy into the ring. */
void rely_log_decide(struct rely_log_ring *ring, const struct rely_log_decision *decision);
/* How many lines were dropped because a thread's ring was full, or what they were written to failed. Thread: any. */
uint64_t rely_log_lost(struct rely_log *log);
/* How many refusals sampling has left out. Thread: any. */
uint64_t rely_log_left_out(struct rely_log *log);

#endif

/*
 * The inside of service/: the threads' structs and what they tell each other. Every field's comment says whose thread
 * may touch it.
 */
#ifndef RELYD_SERVICE_INSIDE_H
#define RELYD_SERVICE_INSIDE_H

#include "relyd/accept.h"
#include "relyd/admin.h"
#include "relyd/cache.h"
#include "relyd/caller.h"
#include "relyd/config.h"
#include "relyd/control.h"
#include "relyd/decide.h"
#include "relyd/endpoints.h"
#include "relyd/fetch.h"
#include "relyd/keeper.h"
#include "relyd/key_orders.h"
#include "relyd/keys.h"
#include "relyd/registry.h"
#include "relyd/service.h"
#include "relyd/work.h"

#include "lives.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define RELY_LISTENERS_MAX 24          /* `listen` has 8 and `listeners` 16 */
#define RELY_HEALTH_CONNECTIONS_MAX 64 /* of each health listener */

struct rely_service;

/* What one thread counts: written by it, read by /metrics on any other. The service's own, so that it is there before
 * the thread starts and after it has ended. */
struct rely_thread_counters {
    struct rely_counters requests;
    struct rely_loop_counters loop;
};

/* A listening socket of a worker: taken over by its loop. */
struct rely_worker_socket {
    int fd;
    bool is_shared; /* with whoever has passed it, who keeps it */
    bool has_http2;
    struct rely_tls *tls; /* borrowed; NULL: clear text */
    struct rely_data_door door;
};

/* Listening sockets by the address, as it is configured, or `fd:NAME`. */
#define RELY_PASSED "fd:"
#define RELY_WORKERS_MAX 256 /* `workers` */
#define RELY_SOCKETS_MAX 8192
struct rely_socket {
    char *name; /* owned */
    int fd;     /* owned until it is taken */
    bool is_taken;
};
struct rely_sockets {
    struct rely_socket *items; /* owned */
    size_t count;
};

/* One event-loop thread of the data plane. */
struct rely_worker {
    struct rely_service *service; /* borrowed */
    size_t index;
    pthread_t thread;
    struct rely_worker_socket *sockets; /* owned; main, before the thread starts */
    size_t socket_count;
    struct rely_loop *loop;                /* set before the thread says that it has started */
    struct rely_reviewer reviewer;         /* the worker's */
    struct rely_thread_counters *counters; /* borrowed from the service */
    const struct rely_snapshot *first;     /* control, before the thread starts */
    struct rely_message open_order;        /* main: to listen */
};

/* A table to be made for a key; and the thread that makes them. */
struct rely_table_order;
struct rely_tables {
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t has_order;
    struct rely_table_order *oldest, *newest; /* owned: not begun */
    bool is_stopping;                         /* then nothing is taken any more */
};

/* The thread that has the registry: what it is asked, it does in order. */
struct rely_registry_thread {
    struct rely_control_thread *owner; /* borrowed: who asks */
    pthread_t id;
    struct rely_log_ring *ring;        /* its own */
    struct rely_registry *registry;    /* owned; its own while it runs */
    struct rely_batch *batch;          /* owned; its own while it runs */
    bool is_started;                   /* control */
    pthread_mutex_t lock;              /* guards the rest */
    pthread_cond_t is_changed;         /* said to all: two wait, for different things */
    struct rely_work *oldest, *newest; /* not begun */
    bool is_stopping;                  /* nothing more comes, and the control thread answers no questions */
    bool must_be_away, is_away;        /* a successor has the database: what is asked is refused */
    struct rely_err return_err;        /* why it could not be opened again */
    uint64_t left_revision;            /* its own: when it was closed */
};

struct rely_wait_for_caller;

/* Revocations that are over. */
struct rely_sweeper {
    struct rely_timer timer; /* first */
    struct rely_control_thread *thread;
};

/* The control thread: nobody else makes editions. All fields are its own unless they say otherwise. */
struct rely_control_thread {
    struct rely_service *service; /* borrowed */
    pthread_t id;
    struct rely_loop *loop; /* set before the thread says that it has started */
    struct rely_log_ring *ring;
    struct rely_thread_counters *counters; /* borrowed from the service */
    struct rely_registry_thread registry;
    struct rely_control *control; /* owned: editions */
    struct rely_keeper *keeper;   /* owned */
    bool is_keeper_stopped;       /* it is told of stored sets only */
    bool are_workers_gone;        /* nothing is posted to them any more */
    size_t tables_pending;        /* ordered and not yet back */
    struct rely_admin admin;
    struct rely_presets *presets;                     /* owned */
    struct rely_admin_door doors[RELY_LISTENERS_MAX]; /* of each listener, by its number */
    struct rely_cache *caller_cache;                  /* owned: tokens of who asks */
    struct rely_try_budget caller_tries;
    uint64_t caller_turns;
    struct rely_wait_for_caller *waits; /* owned: by their requests */
    size_t wait_count;
    struct rely_sweeper sweeper;
    size_t pins_on_their_way;
    struct rely_live_memory *live; /* owned: what clusters have said */
    struct rely_lives lives;
};

/* What is read again while relyd serves. */
struct rely_reload {
    rely_caller_rules_in_force caller_rules;
    atomic_bool is_config_bad, are_certificates_bad; /* set by main */
    struct rely_kept_settings *newest;               /* owned, main: all that were ever in force */
    const char *path;                                /* borrowed; NULL: there is no file */
    struct stat taken, seen;                         /* main: the file when it was read, and when it was looked at */
    bool is_bad[RELY_LISTENERS_MAX];                 /* main: the certificate of each */
};

struct rely_service {
    const struct rely_config *config;    /* borrowed */
    struct rely_listener_list listeners; /* owned: all of the configuration's */
    struct rely_tls **tls;               /* owned: of each; NULL: clear text */
    struct rely_reload reload;
    struct rely_log *log;
    struct rely_log_ring *ring; /* main's */
    struct rely_fetcher *fetcher;
    struct rely_tables tables;
    struct rely_control_thread control_thread;
    struct rely_worker *workers; /* owned: worker_count of them */
    size_t worker_count;
    struct rely_thread_counters *counters; /* owned: one per worker, then the control thread's */
    int max_connections;                   /* of each worker */
    int admin_connections;                 /* of the control plane */
    int fetch_places;                      /* fetches of keys that run at once */
    int64_t start_s;
    struct rely_sockets left; /* main, control while it opens: that others have left to this process */
    struct rely_sockets kept; /* main, control while it opens, then handover: copies, for a successor */
    int predecessor;          /* main: the connection to it; -1: none */
    struct rely_handover {    /* its thread's, but for the start and the end */
        pthread_t thread;
        int listener, wake[2]; /* wake: main tells it to end */
        bool is_started;
    } handover;
    struct rely_log_ring *ring_of_handover; /* its thread's */
    atomic_bool is_handed_over;             /* to a successor, which accepts already */
    atomic_bool is_ready;
    atomic_bool is_registry_damaged; /* set by the control thread, for good */
    /* Starting and stopping: the main thread waits until threads say how far they are. */
    pthread_mutex_t report_lock;
    pthread_cond_t report_signal;
    size_t report_count;        /* under report_lock */
    struct rely_err report_err; /* under report_lock: the first fault */
    bool may_free_workers;      /* under report_lock: nobody posts to a worker's loop any more */
};

/* A thread has come one stage further, or failed to (err is not NULL). */
void rely_service_report(struct rely_service *service, const struct rely_err *err);
/* Called by a worker whose loop has ended: returns when its loop may be freed. */
void rely_service_await_free(struct rely_service *service);
/* Hooks of health and metrics; context is a struct rely_service *. `snapshot` is the caller's own. */
void rely_service_print_metrics(struct rely_service *service, const struct rely_snapshot *snapshot,
                                struct rely_buf *out);

/* What is taken all the same. */
void rely_service_say_notes(const struct rely_service *service, const struct rely_config *config);

/* The limits that all loops share. */
struct rely_loop_options rely_service_loop_options(const struct rely_service *service);

/* --- limits.c: on the main thread, before there are others ----------------------------------------------- */

/* Take as many descriptors as may be had, and set how many connections each loop may have and how many fetches run at
 * once: said, when that is fewer than configured. Fails when it is no service any more. */
RELY_MUST_USE bool rely_limits_share_descriptors(struct rely_service *service, struct rely_err *err);
/* Say when the settings together allow more memory than the process may have. */
void rely_limits_compare_memory(struct rely_service *service);
/* The same with the limits of the control group and of the address space; UINT64_MAX: none. */
void rely_limits_judge_memory(struct rely_service *service, uint64_t group, uint64_t space);
/* In bytes: all budgets together, and what the largest allowed numbers of connections, cached tokens, tables, requests
 * that wait for keys, fetches with their answers, and the largest document while it is parsed take. */
uint64_t rely_limits_sum_memory(const struct rely_service *service);
/* The largest body of a request to the control plane: a key set of the largest size, and more than room for the rest of
 * the record and another way to lay it out. */
size_t rely_limits_admin_body(const struct rely_config *config);
/* The memory limit of the control group that `membership` (/proc/self/cgroup) names, or of one above it; UINT64_MAX:
 * none. In: root - /sys/fs/cgroup. */
uint64_t rely_limits_read_cgroup(const char *membership, const char *root);

/* --- worker.c ------------------------------------------------------------------------------------ */

/* A thread; context is its struct rely_worker. */
void *rely_worker_main(void *context);
/* Every worker has a loop: accept on this one's sockets; reported. */
void rely_worker_post_open(struct rely_worker *worker);

/* --- control_thread.c ------------------------------------------------------------------------------ */

/* A thread; context is the struct rely_control_thread. */
void *rely_control_thread_main(void *context);
/* The workers' loops are there: open the control plane and begin to keep keys; reported as one more start. */
void rely_control_thread_post_start(struct rely_control_thread *thread);
/* Key sets in files are looked at now. */
void rely_control_thread_post_look(struct rely_control_thread *thread);
/* keys.max_age_s is another one. */
void rely_control_thread_post_max_age(struct rely_control_thread *thread, int64_t max_age_s);
/* The workers' loops have ended: whatever waits for them is settled, and nothing is posted to them any more; reported.
 */
void rely_control_thread_post_workers_gone(struct rely_control_thread *thread);

/* --- registry_thread.c: on the control thread -------------------------------------------------------------- */

/* Open the registry, and say how it was found. It is the control thread's until the registry's own is started. Fini
 * also after a failure. */
RELY_MUST_USE bool rely_registry_thread_open(struct rely_registry_thread *thread, struct rely_control_thread *owner,
                                             struct rely_err *err);
void rely_registry_thread_start(struct rely_registry_thread *thread);
/* A successor needs the database: what is begun is committed, then it is closed, and what is asked is refused. Returns
 * when that is so. Thread: any other. */
void rely_registry_thread_leave(struct rely_registry_thread *thread);
/* It did not come: open it again. False: it cannot be, or somebody has written, and it stays closed. */
RELY_MUST_USE bool rely_registry_thread_return(struct rely_registry_thread *thread, struct rely_err *err);
/* One more read or write, behind those that were asked before. */
void rely_registry_thread_ask(struct rely_registry_thread *thread, struct rely_work *work);
/* All that was asked is done and handed over; the thread has ended, if there was one. The loop has ended before. */
void rely_registry_thread_stop(struct rely_registry_thread *thread);
void rely_registry_thread_fini(struct rely_registry_thread *thread);

/* --- rooms.c: on the control thread ------------------------------------------------------------------ */

/* Editions and commits, and the key keeper, with the control thread's hooks. */
struct rely_control *rely_rooms_new_control(struct rely_control_thread *thread);
struct rely_keeper *rely_rooms_new_keeper(struct rely_control_thread *thread);

/* --- sweep.c: on the control thread ------------------------------------------------------------------ */

/* Delete what is over, every ten seconds until the loop ends. */
void rely_sweeper_start(struct rely_sweeper *sweeper, struct rely_control_thread *thread);

/* --- pins.c -------------------------------------------------------------------------------------------------- */

/* A review asks for a pin. Every worker is told when it is written down, or cannot be. */
void rely_pins_ask(struct rely_control_thread *thread, const struct rely_pin *pin);

/* --- fetching.c ---------------------------------------------------------------------------------------- */

/* The fetcher under the settings, with so many places (rely_fetch_rules); warns of proxy variables, which it ignores.
 * Thread: main. Owner: as for rely_fetcher_start. */
struct rely_fetcher *rely_fetching_start(const struct rely_config *config, size_t places, struct rely_log_ring *ring,
                                         struct rely_err *err);
/* The ranges of other settings, for fetches from now on. Thread: main. */
RELY_MUST_USE bool rely_fetching_take_up(struct rely_fetcher *fetcher, const struct rely_config *config,
                                         struct rely_err *err);
/* Fetch for the keeper, which gets the answer on the control thread. */
void rely_fetching_begin(struct rely_control_thread *thread, const struct rely_fetch_request *request,
                         struct rely_key_fetch *fetch);

/* --- tables.c ----------------------------------------------------------------------------------------- */

/* Thread: main. Stopping waits for the table that is being made; the control thread may ask on, until fini. */
void rely_tables_start(struct rely_tables *tables);
void rely_tables_stop(struct rely_tables *tables);
void rely_tables_fini(struct rely_tables *tables);
/* On the control thread: a key of this issuer has earned a table. It gets one if there is a place left. */
void rely_tables_ask(struct rely_control_thread *thread, int64_t issuer_id, uint64_t serial);

/* --- sockets.c --------------------------------------------------------------------------------------- */

/* In: fd - taken over. */
void rely_sockets_add(struct rely_sockets *sockets, const char *name, int fd);
/* The next of this name, which is the caller's then; -1: there is none. */
int rely_sockets_take(struct rely_sockets *sockets, const char *name);
/* Close those that nobody has taken. */
void rely_sockets_close(struct rely_sockets *sockets);
/* Those of systemd, where it has passed any. */
void rely_sockets_read_passed(struct rely_sockets *sockets);
/* One that was left for this listener; -1 with true: there is none any more. */
RELY_MUST_USE bool rely_sockets_find(struct rely_service *service, size_t item, int *fd, struct rely_err *err);
/* Is it an address, and not the name of a socket that somebody should have passed? */
RELY_MUST_USE bool rely_sockets_may_be_bound(const char *address, struct rely_err *err);
/* A copy, for a successor. */
void rely_sockets_keep(struct rely_service *service, const char *address, int fd);

/* --- handover.c: on the main thread -------------------------------------------------------------------- */

/* Take over from a relyd that runs: its sockets, when it has closed the database. Nobody there is no fault. */
RELY_MUST_USE bool rely_handover_take(struct rely_service *service, struct rely_err *err);
/* It may go: we serve. */
void rely_handover_confirm(struct rely_service *service);
/* Wait for a successor, on a thread. */
void rely_handover_start(struct rely_service *service);
void rely_handover_stop(struct rely_service *service);

/* --- callers.c --------------------------------------------------------------------------------------- */

/* What listeners ask of their callers, by the configuration, whose audience is borrowed. Fails where it names a group
 * that is not there. */
RELY_MUST_USE bool rely_callers_read(const struct rely_config *config, struct rely_caller_rules *rules,
                                     struct rely_err *err);
/* For the log, behind an address: "", or for whom it is. */
const char *rely_callers_describe(const struct rely_listener_config *listener);
/* The control plane's review of who asks; context is its thread. True: the request is put off. */
bool rely_callers_review(void *context, struct rely_http_request *request, const struct rely_review_request *asked,
                         struct rely_review *review);

/* --- waits.c: on the control thread ------------------------------------------------------------------- */

/* Put the request off until what the review of its caller's token wants has come, at most keys.miss_wait_ms. False: it
 * wants nothing, or has waited before, or there is no room. */
bool rely_waits_begin(struct rely_control_thread *thread, struct rely_http_request *request,
                      const struct rely_review *review);
/* The fetch is over; the uid is written down, or cannot be. */
void rely_waits_note_keys(const struct rely_control_thread *thread, int64_t issuer_id);
void rely_waits_note_pin(const struct rely_control_thread *thread, int64_t credential_id);
void rely_waits_note_life(const struct rely_control_thread *thread, const struct rely_bound *bound);

/* --- reload.c: on the main thread --------------------------------------------------------------------- */

/* The settings of the start are in force. Fini also after a failure, when no loop is left. */
RELY_MUST_USE bool rely_reload_init(struct rely_service *service, const struct rely_service_options *asked,
                                    struct rely_err *err);
/* Read again what can be: the configuration and the listeners' certificates. False: there is neither. */
RELY_MUST_USE bool rely_reload_all(struct rely_service *service);
/* The same for what has changed. */
void rely_reload_look(struct rely_service *service);
void rely_reload_fini(struct rely_service *service);

/* --- certificates.c ---------------------------------------------------------------------------------- */

/* Read those of all listeners. */
RELY_MUST_USE bool rely_certificates_open(struct rely_service *service, struct rely_err *err);
/* Read them again; a bad one is said, and the old one stays. False: there is none. Thread: main. */
RELY_MUST_USE bool rely_certificates_reload(struct rely_service *service);
/* The same for those that have changed. Thread: main. */
void rely_certificates_look(struct rely_service *service);
/* Until when each is in force. Thread: any. */
void rely_certificates_measure(const struct rely_service *service, struct rely_gauges *gauges);
void rely_certificates_close(struct rely_service *service);

/* --- notify.c ---------------------------------------------------------------------------------------- */

/* Tell the service manager (NOTIFY_SOCKET), when there is one: "READY=1", "STOPPING=1". */
void rely_notify(const char *state);

/* Lower the calling thread's priority: reviews come first. */
void rely_service_yield_to_workers(void);

#endif

/*
 * A control room with a real registry in memory and its batches, a clock that stands still until it is told to go on,
 * and workers that read their messages when they are told to.
 */
#ifndef RELYD_TESTS_CONTROL_FIXTURE_H
#define RELYD_TESTS_CONTROL_FIXTURE_H

#include "relyd/config.h"
#include "relyd/control.h"
#include "relyd/edition.h"
#include "relyd/fetched.h"
#include "relyd/json.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/loop.h"
#include "relyd/objects.h"
#include "relyd/observe.h"
#include "relyd/registry.h"
#include "relyd/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORKERS 3
#define WRITERS_MAX 16
#define NOW_S 1700000000

/* Whoever waits for a write, or a read. */
struct waiting {
    struct rely_work work; /* first */
    struct fixture *fixture;
    struct rely_object_path path;
    char body[4096]; /* empty: it is deleted, or read */
    bool is_accepted;
    struct rely_err refusal;
    char seen[200]; /* by a read: the names of the kind, or the fault */
    int answers;    /* it is told once */
    bool is_live;   /* err was NULL */
    char message[200];
    uint64_t editions[WORKERS]; /* that the workers read then */
    uint64_t newest;            /* edition then */
    const char *next_name;      /* an identity that it writes when it is told; NULL: none */
};

struct fixture {
    struct rely_config config;
    struct rely_log *log;
    struct rely_registry *registry;
    struct rely_batch *batch;
    struct rely_control *control;
    int64_t now_ms;
    int connections;
    bool cannot_begin, are_sources_closed;
    bool is_last_begun;  /* of the last commit that was handed over */
    int failing_commits; /* so many fail */
    int begins, commits;
    struct rely_message *inboxes[WORKERS];        /* oldest first */
    const struct rely_snapshot *reading[WORKERS]; /* not to be looked at when they are gone */
    uint64_t editions[WORKERS];                   /* of those */
    int64_t noted_ids[WRITERS_MAX];               /* for the keeper */
    bool noted_removed[WRITERS_MAX];
    int noted;
    struct waiting waiting[WRITERS_MAX + 1]; /* the last is never asked */
    int writers;
};

int make_room(void **state);
int drop_room(void **state);

/* Time goes on; the batch ends when it is due. */
void run_ms(struct fixture *fixture, int64_t ms);
/* The worker reads all its messages. */
void let_read(struct fixture *fixture, size_t worker);
void let_all_read(struct fixture *fixture);
/* Its loop has ended: what it has not read is dropped. */
void end_worker(struct fixture *fixture, size_t worker);

/* Writes of an administrator, in the open batch; the test fails when the registry refuses them. */
struct waiting *put_identity(struct fixture *fixture, const char *name);
struct waiting *put_issuer(struct fixture *fixture, const char *name, const char *body);
struct waiting *delete_issuer(struct fixture *fixture, const char *name);
struct waiting *put_credential(struct fixture *fixture, const char *identity, const char *name, const char *body);
/* A write that may be refused, and a read of the identities' names. */
struct waiting *ask_to_put(struct fixture *fixture, enum rely_object object, const char *name, const char *body);
struct waiting *read_identities(struct fixture *fixture);
/* A write that changes nothing that an edition has, and is told first. */
struct waiting *ask_beside(struct fixture *fixture);
/* Is the upload refused by the registry, with this sentence? */
void assert_upload_refused(struct fixture *fixture, const char *name, const char *body, const char *sentence);

const struct rely_issuer *find_issuer(const struct fixture *fixture, const char *url);
const struct rely_snapshot *newest(const struct fixture *fixture);

int run_batch_tests(void);
int run_edition_tests(void);

#define A_TEST(function) cmocka_unit_test_setup_teardown(function, make_room, drop_room)

#endif

/*
 * Fixture of the control plane's tests: a real registry and snapshot under a faked transport, so that a test sees
 * exactly what is answered, and when.
 */
#ifndef RELYD_TEST_ADMIN_FIXTURE_H
#define RELYD_TEST_ADMIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/admin.h"
#include "relyd/compose.h"
#include "relyd/json.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/objects.h"
#include "relyd/pool.h"
#include "relyd/registry.h"
#include "relyd/work.h"

struct fixture {
    struct rely_admin admin;
    struct rely_admin_door door; /* open: whoever comes is an administrator */
    struct rely_presets *presets;
    struct rely_caller_rules rules;
    rely_caller_rules_in_force in_force;
    uint64_t refused[RELY_CALLER_COUNT];
    int line_count;      /* about callers */
    char line[800];      /* the last */
    uint32_t peer_group; /* that the peer is in */
    struct rely_registry *registry;
    struct rely_snapshot *snapshot; /* rebuilt from the registry at every publication */
    struct rely_keyset *keysets[64];
    size_t keyset_count;
    struct rely_key_status key_status;
    bool refuses_orders;
    struct rely_key_waiter *waiter;           /* borrowed: who waits for a fetch */
    struct rely_issuer_conditions conditions; /* of every issuer; zero-filled: nobody keeps any */
    bool is_holding;                          /* keep `done` back until release_work */
    struct rely_work *held;                   /* done, and not told; NULL: none */
    bool is_queueing;                         /* do nothing until run_queued */
    struct rely_work *queued;                 /* asked for, and not begun; NULL: none */
    bool is_disk_full;                        /* nothing can be committed */
    int reads, writes;                        /* that the registry was asked for */
    bool is_stopping;                         /* not ready */
    size_t details;                           /* of readiness: 0 to 2 */
    int fault_count;
    char fault[256]; /* the last that was noted */
    int publish_count;
    /* the request */
    struct rely_http_request request;
    struct rely_pool scratch;
    struct rely_http_header sent[8];
    size_t sent_count;
    /* the answer; status 0: none yet */
    int status;
    struct rely_buf body;
    char etag[64], location[256], allow[64], content_type[64], challenge[128];
    void (*gone)(void *context);
    void *gone_context;
};

int make_fixture(void **state);
int drop_fixture(void **state);

/* Send one request as root over the unix socket; body NULL: none. Headers set before by add_header go with it. */
void send_request(struct fixture *fixture, const char *method, const char *target, const char *body);
/* The same to a health listener. */
void send_probe(struct fixture *fixture, const char *method, const char *target);
void add_header(struct fixture *fixture, const char *name, const char *value);
/* The next requests come over TCP, to a listener that asks nobody, or from this uid. */
void come_by_tcp(struct fixture *fixture);
void come_as(struct fixture *fixture, uint32_t uid);
/* Tell whoever waits that the work is done, and live. */
void release_work(struct fixture *fixture);
/* Do what was asked for, when the edition by which who asks was let in has gone. */
void run_queued(struct fixture *fixture);

/* The answer's status must be this; prints the body otherwise. */
void assert_status(const struct fixture *fixture, int status);
void assert_problem(const struct fixture *fixture, int status, const char *code);
/* A value in the answer's body by path: `steps.5.compared.0.fields.1.note`. As text; JSON for containers, "absent". */
void assert_value(const struct fixture *fixture, const char *path, const char *expected);
/* It must be a text with this in it. */
void assert_value_has(const struct fixture *fixture, const char *path, const char *part);

#define A_TEST(function) cmocka_unit_test_setup_teardown(function, make_fixture, drop_fixture)

int run_rest_tests(void);
int run_guard_tests(void);
int run_admit_tests(void);
int run_health_tests(void);
int run_keys_tests(void);
int run_compare_tests(void);
int run_explain_tests(void);
int run_page_tests(void);
int run_preset_tests(void);
int run_pod_tests(void);
int run_refresh_tests(void);
int run_revoke_tests(void);
int run_tombstone_tests(void);

#endif

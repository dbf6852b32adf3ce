/*
 * worker: a reviewer with one issuer that has no keys yet, on a loop that is the test's. Its timers and messages run when
 * the test says so.
 */
#ifndef RELYD_TESTS_ENDPOINTS_WORKER_H
#define RELYD_TESTS_ENDPOINTS_WORKER_H

#include "../../../src/endpoints/reviewer.h"
#include "../decide/scene.h"
#include "relyd/guards.h"
#include "relyd/notice.h"

#define URL "https://issuer.example"
#define WAITING_MAX 1000

struct worker {
    struct scene scene;
    struct rely_counters counters;
    struct rely_log *log;
    struct rely_reviewer reviewer;
    struct rely_pool scratch;
    struct rely_http_request request;
    int64_t issuer;
};

/* The groups of this folder. */
int run_waiting_tests(void);
int run_batch_tests(void);
int run_check_tests(void);
int run_header_tests(void);
int run_tokenreview_tests(void);
int run_own_protocol_tests(void);
int run_grpc_tests(void);

int set_up_worker(void **state);
int tear_down_worker(void **state);
#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_worker, tear_down_worker)

/* --- the loop --- */

extern size_t running_count; /* timers */
/* Run all timers of at most this delay that run now; those that they start are the next turn's. */
void run_timers_of(int delay_ms);
/* Run the message that was posted; false: none was. */
bool run_message(void);
extern size_t held_bytes; /* by handlers */
/* By so much it goes on at each look, and otherwise stands still; 0: it is the machine's own. */
extern int64_t clock_step_us;

/* --- what was asked, answered, said --- */

extern size_t handled_again;             /* requests that were put off */
extern void (*last_gone)(void *context); /* of the request that was deferred last */
extern void *last_context;
extern struct rely_slice sent_header, sent_value; /* the one header of a request */
extern int sent_status;                           /* of what was answered last */
extern size_t sent_count;                         /* answers */
extern struct rely_buf sent_body;
extern size_t answered[RELY_REASON_COUNT], answered_count, asked_for_keys, asked_for_pins;
extern size_t asked_for_life;
extern struct rely_bound last_bound; /* of which a cluster was asked */
extern struct rely_pin last_pin;
uint64_t count_reviews(const struct worker *worker);
/* `reply` of whoever asks. */
void note_answer(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_answer *answer);

/* --- its world --- */

/* A token that is right as soon as its key is there, with so many bytes more. */
const char *make_token(size_t more);
const char *make_token_of(const char *iss, size_t more);
/* The iss of another record, which has no keys either. */
const char *add_other(struct worker *worker, int number);
/* By the check. */
void ask(struct worker *worker, const char *token);
void bring_key(struct worker *worker, int64_t issuer);
/* A fetch is over. */
void settle(struct worker *worker, int64_t issuer);
/* A fetch is over that had begun before anybody came; the next may be asked for in so many milliseconds. */
void end_earlier_fetch(struct worker *worker, int64_t miss_ms);

#endif

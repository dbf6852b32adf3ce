/*
 * lives: questions to clusters whether what a token is bound to is still there: which are under way, and what an answer
 * means.
 */
#ifndef RELYD_SERVICE_LIVES_H
#define RELYD_SERVICE_LIVES_H

#include "relyd/liveness.h"

struct rely_control_thread;
struct rely_issuer;

#define RELY_LIVES_MAX 256         /* questions under way; what is beyond is answered with nothing */
#define RELY_LIVE_ANSWER_MAX 65536 /* bytes of an answer */
#define RELY_LIVE_TIMEOUT_MS 5000  /* of the whole question */
#define RELY_LIVE_RATE_PLACES 4096 /* issuers beyond share them */
#define RELY_LIVE_SAID_EVERY_S 10  /* of an issuer, why its cluster could not be asked */
#define RELY_LIVE_PATH "/apis/authentication.k8s.io/v1/tokenreviews"

/* A question that is under way: a copy of all that it needs. */
struct rely_live_asking;

/* How much of a cluster's rate is left. Zero-filled: all of it. */
struct rely_live_rate {
    int64_t at_ms, thousandths;
    int64_t said_s; /* the last time that its fault was logged */
};

/* The control thread's. Zero-filled is empty. */
struct rely_lives {
    struct rely_live_asking *first; /* owned by the fetcher and the loop's messages, through which each travels */
    size_t count;
    struct rely_live_rate rates[RELY_LIVE_RATE_PLACES]; /* by the issuer's id */
};

/* May one more be asked now? Then it is counted. In: rate - in a second. */
RELY_MUST_USE bool rely_live_rate_take(struct rely_live_rate *place, uint32_t rate, int64_t now_ms);

/* What is asked, to be posted to the control thread's loop; the body that is sent is made here. Thread: any. */
struct rely_live_asking *rely_lives_copy(struct rely_control_thread *thread, const struct rely_live_question *question);
void rely_lives_post(struct rely_live_asking *asking);
/* On the control thread: ask for what its own review wants. */
void rely_lives_ask(struct rely_live_asking *asking);

/* What a true answer would say. */
struct rely_live_expected {
    struct rely_slice username, uid;
    struct rely_slice audiences; /* that it was asked for: a JSON list */
};

/**
 * Read the answer to a TokenReview.
 *
 * Spec:     Kubernetes authentication.k8s.io/v1; `authenticated` is left out where it is false.
 * Returns:  RELY_LIVE_YES for this user with this uid and one of these audiences alone; RELY_LIVE_NO when the token is not
 *           authenticated, or is somebody else's; RELY_LIVE_NOTHING, with err, for what is no such answer.
 */
enum rely_live_word rely_live_read(struct rely_slice body, const struct rely_live_expected *expected,
                                   struct rely_err *err);

#endif

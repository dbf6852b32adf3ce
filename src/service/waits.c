/*
 * Requests of the control plane whose caller's own token waits for a key, or for its uid to be written down: a bounded
 * time, and a bounded number of them. They are handled once more when that has come. Decides nothing. Called by
 * callers.c, and by rooms.c and pins.c with what has come.
 */
#include "service.h"

#include "relyd/snapshot.h"
#include "relyd/text.h"

#include <stdlib.h>

/* Administrators wait; whoever makes up keys must not hold every connection. */
#define WAITS_MAX 32

struct rely_wait_for_caller {
    struct rely_timer timer; /* first */
    struct rely_wait_for_caller *next, **place;
    struct rely_control_thread *thread;
    struct rely_http_request *request;       /* borrowed until it is handled again, or gone */
    int64_t issuer_ids[RELY_CANDIDATES_MAX]; /* whose keys it waits for; 0: none */
    int64_t credential_id;                   /* whose uid; 0: none */
    uint64_t iss_hash;                       /* of its token's iss */
    struct rely_bound bound;                 /* of which a cluster is asked; issuer 0: none */
};

static void forget_wait(void *context)
{
    struct rely_wait_for_caller *wait = context;
    rely_timer_cancel(wait->thread->loop, &wait->timer);
    *wait->place = wait->next;
    if (wait->next != NULL)
        wait->next->place = wait->place;
    wait->thread->wait_count--;
    free(wait);
}

static void end_wait(struct rely_timer *timer)
{
    struct rely_wait_for_caller *wait = (struct rely_wait_for_caller *)timer;
    struct rely_http_request *request = wait->request;
    forget_wait(wait);
    rely_http_handle_again(request);
}

/* False: nothing that would come. */
static bool note_wanted(struct rely_wait_for_caller *wait, const struct rely_review *review)
{
    size_t count = 0;
    if (rely_review_wants_pin(review))
        wait->credential_id = review->unpinned->id;
    if (rely_review_wants_life(review))
        wait->bound = review->live.bound;
    for (size_t i = 0; rely_review_wants_keys(review) && i < review->candidate_count; i++)
        if (!review->candidates[i].issuer->has_uploaded_keys)
            wait->issuer_ids[count++] = review->candidates[i].issuer->id;
    return count > 0 || wait->credential_id != 0 || wait->bound.issuer_id != 0;
}

static void link_wait(struct rely_wait_for_caller *wait, struct rely_control_thread *thread)
{
    wait->place = &thread->waits;
    wait->next = thread->waits;
    if (wait->next != NULL)
        wait->next->place = &wait->next;
    thread->waits = wait;
    thread->wait_count++;
}

/* The tokens of one iss leave as many places to the others as they have, as on the data plane: one that says nothing holds
 * up no administrator of another. */
static bool is_place_left(const struct rely_control_thread *thread, uint64_t iss_hash)
{
    size_t held = 0;
    for (const struct rely_wait_for_caller *wait = thread->waits; wait != NULL; wait = wait->next)
        held += wait->iss_hash == iss_hash;
    return held < WAITS_MAX - thread->wait_count;
}

bool rely_waits_begin(struct rely_control_thread *thread, struct rely_http_request *request,
                      const struct rely_review *review)
{
    int most_ms = (int)thread->service->config->key_miss_wait_ms;
    struct rely_wait_for_caller wanted = {.thread = thread,
                                          .request = request,
                                          .timer.run = end_wait,
                                          .iss_hash = rely_hash(review->name, 0)},
                                *wait;
    if (request->is_again || most_ms == 0 || !note_wanted(&wanted, review) || !is_place_left(thread, wanted.iss_hash))
        return false;
    wait = rely_alloc(sizeof *wait);
    *wait = wanted;
    link_wait(wait, thread);
    rely_timer_start(thread->loop, &wait->timer, most_ms);
    rely_http_put_off(request, forget_wait, wait);
    return true;
}

/* Behind whoever tells it, who is in the middle of something. */
static void hasten(struct rely_wait_for_caller *wait)
{
    rely_timer_start(wait->thread->loop, &wait->timer, 0);
}

void rely_waits_note_keys(const struct rely_control_thread *thread, int64_t issuer_id)
{
    for (struct rely_wait_for_caller *wait = thread->waits; wait != NULL; wait = wait->next)
        for (size_t i = 0; i < RELY_CANDIDATES_MAX; i++)
            if (wait->issuer_ids[i] == issuer_id)
                hasten(wait);
}

void rely_waits_note_pin(const struct rely_control_thread *thread, int64_t credential_id)
{
    for (struct rely_wait_for_caller *wait = thread->waits; wait != NULL; wait = wait->next)
        if (wait->credential_id == credential_id)
            hasten(wait);
}

void rely_waits_note_life(const struct rely_control_thread *thread, const struct rely_bound *bound)
{
    for (struct rely_wait_for_caller *wait = thread->waits; wait != NULL; wait = wait->next)
        if (rely_bound_equal(&wait->bound, bound))
            hasten(wait);
}

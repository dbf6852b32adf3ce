/*
 * Requests that wait for a key set: a bounded time, a bounded number of them, and bounded bytes. When a fetch is over,
 * those whose key has come are reviewed once more, a few a turn of the loop, so that nobody else stands behind them;
 * the others are not even parsed again. Decides nothing. Called by reviewer.c.
 */
#include "batch.h"
#include "reviewer.h"

#include "relyd/clock.h"
#include "relyd/notice.h"

#include <stdlib.h>

/* Reviews in one turn of the loop, and when the next turn is: 32 of 50 us, or of 2 ms at worst. */
#define REVIEWS_A_TURN 32
#define NEXT_TURN_MS 1

/* A deferred request: one block of memory, with copies of all that it needs, because the body is gone after the
 * handler. */
struct rely_waiting {
    struct rely_timer timer; /* first: recovered from the callback */
    struct rely_waiting *next, *previous;
    struct rely_reviewer *reviewer;    /* borrowed */
    struct rely_http_request *request; /* borrowed until answered or gone */
    struct rely_asked asked;           /* slices point behind the struct */
    struct rely_unverified token;      /* issuer, kid and alg alone: what its key is looked for by */
    struct rely_waiting_share *share;  /* borrowed: of its iss; lives as long as this is in the list */
    int64_t start_us;                  /* when it was asked */
    int64_t came_us;                   /* by then whoever asked had the token; of a batch, when that came */
    int64_t issuer_ids[RELY_CANDIDATES_MAX];
    size_t issuer_count;     /* of those whose answer is still to come */
    int64_t credential_id;   /* whose uid is to be written down; 0: it waits for none */
    struct rely_bound bound; /* of which a cluster is asked; issuer 0: none */
    struct rely_waiting_need need;
    bool is_due;  /* to be reviewed */
    bool is_last; /* it has waited long enough: answered whatever comes out */
};

/* --- the list: oldest first ------------------------------------------------------------------------------- */

static void link_waiting(struct rely_waiting *waiting)
{
    struct rely_waiting_list *list = &waiting->reviewer->waiting;
    waiting->previous = list->newest;
    *(list->newest == NULL ? &list->oldest : &list->newest->next) = waiting;
    list->newest = waiting;
    waiting->share = rely_share_take(list, waiting->token.issuer, &waiting->need);
}

static void unlink_waiting(struct rely_waiting *waiting)
{
    struct rely_waiting_list *list = &waiting->reviewer->waiting;
    *(waiting->previous == NULL ? &list->oldest : &waiting->previous->next) = waiting->next;
    *(waiting->next == NULL ? &list->newest : &waiting->next->previous) = waiting->previous;
    rely_share_give_back(list, waiting->share, &waiting->need);
    rely_timer_cancel(waiting->reviewer->loop, &waiting->timer);
}

void rely_waiting_forget(struct rely_waiting *waiting)
{
    unlink_waiting(waiting);
    free(waiting);
}

static void forget_gone_request(void *context)
{
    rely_waiting_forget(context);
}

/* --- reviewing those that are due ---------------------------------------------------------------------------- */

/* A batch has turns of its own. */
static void make_due(struct rely_waiting *waiting)
{
    if (!waiting->is_due && waiting->asked.batch != NULL)
        rely_batch_note_due(waiting->asked.batch);
    waiting->is_due = true;
}

bool rely_waiting_is_due(const struct rely_waiting *waiting)
{
    return waiting->is_due;
}

/* It needs no other key: what it waits for now is its uid, unless that was what it has waited for, in vain. */
static bool waits_for_pin(struct rely_waiting *waiting, const struct rely_review *review, int64_t answered_id)
{
    if (!rely_review_wants_pin(review) || waiting->is_last || review->unpinned->id == answered_id)
        return false;
    waiting->issuer_count = 0;
    waiting->bound.issuer_id = 0;
    waiting->credential_id = review->unpinned->id;
    rely_pin_ask(waiting->reviewer, review, rely_clock_monotonic_ms());
    return true;
}

/* The same of its cluster's word; whoever has waited long enough is reviewed without. */
static bool waits_for_life(struct rely_waiting *waiting, struct rely_review *review)
{
    struct rely_reviewer *reviewer = waiting->reviewer;
    if (!rely_review_wants_life(review) || waiting->is_last) {
        rely_life_give_up(reviewer, &waiting->asked.review, &reviewer->later, review);
        return false;
    }
    waiting->issuer_count = 0;
    waiting->credential_id = 0;
    waiting->bound = review->live.bound;
    rely_life_ask(reviewer, review, waiting->asked.review.token);
    return true;
}

/* It is who asks that waits: he is reviewed with what he asks. */
static bool is_caller(const struct rely_waiting *waiting)
{
    return waiting->asked.reply == NULL;
}

static void handle_waiting_again(struct rely_waiting *waiting)
{
    struct rely_http_request *request = waiting->request;
    rely_waiting_forget(waiting);
    rely_http_handle_again(request);
}

/* On the snapshot of this turn. It goes on waiting only while another issuer's keys may still come, or a uid. */
bool rely_waiting_review(struct rely_waiting *waiting)
{
    struct rely_reviewer *reviewer = waiting->reviewer;
    struct rely_review review;
    int64_t answered_id = waiting->credential_id;
    waiting->is_due = false;
    if (is_caller(waiting)) {
        handle_waiting_again(waiting);
        return true;
    }
    rely_pool_reset(&reviewer->later);
    rely_reviewer_review(reviewer, &waiting->asked.review, &reviewer->later, &review);
    if (rely_review_wants_keys(&review) && waiting->issuer_count > 0 && !waiting->is_last)
        return false;
    if (waits_for_life(waiting, &review) || waits_for_pin(waiting, &review, answered_id))
        return false;
    unlink_waiting(waiting);
    rely_reviewer_finish(reviewer, waiting->request, &waiting->asked, &review, waiting->start_us);
    free(waiting);
    return true;
}

/* As many of those that are due as this turn has left; the timer brings the next turn. */
static void review_some(struct rely_reviewer *reviewer)
{
    struct rely_waiting_list *list = &reviewer->waiting;
    for (struct rely_waiting *waiting = list->oldest, *next; waiting != NULL && list->reviewed < REVIEWS_A_TURN;
         waiting = next) {
        next = waiting->next;
        if (!waiting->is_due || waiting->asked.batch != NULL)
            continue;
        list->reviewed++;
        rely_waiting_review(waiting);
    }
    if (list->reviewed > 0 && !list->is_timed) {
        list->is_timed = true;
        rely_timer_start(reviewer->loop, &list->timer, NEXT_TURN_MS);
    }
}

static void begin_next_turn(struct rely_timer *timer)
{
    struct rely_reviewer *reviewer =
        (struct rely_reviewer *)((char *)timer - offsetof(struct rely_reviewer, waiting.timer));
    reviewer->waiting.is_timed = false;
    reviewer->waiting.reviewed = 0;
    review_some(reviewer);
}

static void answer_after_timeout(struct rely_timer *timer)
{
    struct rely_waiting *waiting = (struct rely_waiting *)timer;
    make_due(waiting);
    waiting->is_last = true;
    review_some(waiting->reviewer);
}

/* --- beginning to wait ------------------------------------------------------------------------------------------ */

static struct rely_slice keep_copy(struct rely_slice text, char **next)
{
    if (text.ptr == NULL)
        return text;
    char *copy = *next;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    *next += text.len;
    return rely_slice(copy, text.len);
}

/* Of a batch's, its token alone: the rest is the batch's, whose place it has. */
static struct rely_waiting_need measure_waiting(const struct rely_asked *asked, const struct rely_unverified *token)
{
    const struct rely_review_request *review = &asked->review;
    size_t bytes = sizeof(struct rely_waiting) + review->token.len + token->issuer.len + token->kid.len;
    if (asked->batch != NULL)
        return (struct rely_waiting_need){rely_batch_waits(asked->batch) ? 0 : 1, bytes};
    bytes += review->identity.len + review->route.len + review->audience_count * sizeof(struct rely_slice);
    for (size_t i = 0; i < review->audience_count; i++)
        bytes += review->audiences[i].len;
    return (struct rely_waiting_need){1, bytes};
}

/* Returns: what is behind the copies. */
static char *keep_copies(struct rely_review_request *review, void *memory)
{
    struct rely_slice *audiences = memory;
    char *next = (char *)(audiences + review->audience_count);
    for (size_t i = 0; i < review->audience_count; i++)
        audiences[i] = keep_copy(review->audiences[i], &next);
    review->audiences = audiences;
    review->token = keep_copy(review->token, &next);
    review->identity = keep_copy(review->identity, &next);
    review->route = keep_copy(review->route, &next);
    return next;
}

static struct rely_waiting *make_waiting(const struct rely_asked *asked, const struct rely_unverified *token,
                                         const struct rely_waiting_need *need)
{
    struct rely_waiting *waiting = rely_alloc(need->bytes);
    char *next = (char *)(waiting + 1);
    waiting->need = *need;
    waiting->asked = *asked;
    if (asked->batch == NULL)
        next = keep_copies(&waiting->asked.review, next);
    waiting->token = (struct rely_unverified){
        .issuer = keep_copy(token->issuer, &next), .kid = keep_copy(token->kid, &next), .alg = token->alg};
    return waiting;
}

/* Ask for the keys of every record that may have signed, where they can be fetched and may be used for this alg.
 * Returns how many answers will come; their issuers are in ids. */
static size_t ask_for_missing_keys(struct rely_reviewer *reviewer, const struct rely_review *review,
                                   int64_t ids[RELY_CANDIDATES_MAX])
{
    int64_t now_ms = rely_clock_monotonic_ms();
    size_t count = 0;
    reviewer->misses++;
    for (size_t i = 0; i < review->candidate_count; i++) {
        const struct rely_issuer *issuer = review->candidates[i].issuer;
        if (!issuer->has_uploaded_keys && (issuer->algs >> review->token.alg & 1u) != 0 &&
            rely_cooldown_ask(reviewer, issuer->id, now_ms))
            ids[count++] = issuer->id;
    }
    return count;
}

/* What it waits for by now. Returns: how many issuers' answers will come; or a pin's, or a cluster's. */
static size_t ask_for_what_is_missing(struct rely_reviewer *reviewer, const struct rely_review *review,
                                      struct rely_slice token, int64_t ids[RELY_CANDIDATES_MAX])
{
    if (rely_review_wants_keys(review))
        return ask_for_missing_keys(reviewer, review, ids);
    if (rely_review_wants_life(review))
        rely_life_ask(reviewer, review, token);
    else
        rely_pin_ask(reviewer, review, rely_clock_monotonic_ms());
    return 1;
}

void rely_waiting_ask_only(struct rely_reviewer *reviewer, const struct rely_review *review, struct rely_slice token)
{
    int64_t unused[RELY_CANDIDATES_MAX];
    ask_for_what_is_missing(reviewer, review, token, unused);
}

struct rely_waiting *rely_waiting_begin(struct rely_reviewer *reviewer, struct rely_http_request *request,
                                        const struct rely_asked *asked, const struct rely_review *review,
                                        int64_t start_us)
{
    int64_t ids[RELY_CANDIDATES_MAX] = {0};
    bool wants_keys = rely_review_wants_keys(review);
    const struct rely_unverified known = {.issuer = review->name};
    const struct rely_unverified *token = wants_keys ? &review->token : &known; /* which a cache leaves empty */
    size_t count = ask_for_what_is_missing(reviewer, review, asked->review.token, ids);
    const struct rely_waiting_need need = measure_waiting(asked, token);
    if (count == 0 || reviewer->key_wait_ms == 0 || !rely_share_has_room(&reviewer->waiting, token->issuer, &need))
        return NULL;
    struct rely_waiting *waiting = make_waiting(asked, token, &need);
    waiting->reviewer = reviewer;
    waiting->request = request;
    waiting->start_us = start_us;
    waiting->came_us = asked->batch == NULL ? start_us : asked->came_us;
    waiting->issuer_count = wants_keys ? count : 0;
    waiting->credential_id = rely_review_wants_pin(review) ? review->unpinned->id : 0;
    waiting->bound = rely_review_wants_life(review) ? review->live.bound : (struct rely_bound){.issuer_id = 0};
    memcpy(waiting->issuer_ids, ids, count * sizeof ids[0]);
    link_waiting(waiting);
    waiting->timer.run = answer_after_timeout;
    rely_timer_start(reviewer->loop, &waiting->timer, reviewer->key_wait_ms);
    if (is_caller(waiting))
        rely_http_put_off(request, forget_gone_request, waiting);
    else if (asked->batch == NULL)
        rely_http_defer(request, forget_gone_request, waiting);
    if (wants_keys)
        rely_count(&reviewer->counters->key_waits, 1);
    return waiting;
}

/* --- the end of a fetch ------------------------------------------------------------------------------------------ */

/* Take an issuer off the list of those waited for; false when it was not on it. */
static bool drop_awaited_issuer(struct rely_waiting *waiting, int64_t issuer_id)
{
    for (size_t i = 0; i < waiting->issuer_count; i++) {
        if (waiting->issuer_ids[i] != issuer_id)
            continue;
        waiting->issuer_ids[i] = waiting->issuer_ids[--waiting->issuer_count];
        return true;
    }
    return false;
}

/* It came when the fetch that is over had begun: its key may not have been among what that has read. */
static bool asks_once_more(const struct rely_waiting *waiting, int64_t issuer_id, const struct rely_key_notice *notice,
                           int64_t now_ms)
{
    return waiting->came_us >= notice->asked_until_us && rely_cooldown_ask(waiting->reviewer, issuer_id, now_ms);
}

static void take_notice(struct rely_waiting *waiting, int64_t issuer_id, const struct rely_key_notice *notice,
                        int64_t now_ms)
{
    if (!drop_awaited_issuer(waiting, issuer_id))
        return;
    if (asks_once_more(waiting, issuer_id, notice, now_ms))
        waiting->issuer_ids[waiting->issuer_count++] = issuer_id;
    if (waiting->issuer_count == 0 || rely_review_has_candidate(waiting->reviewer->snapshot, &waiting->token))
        make_due(waiting);
}

void rely_reviewer_keys_answered(struct rely_reviewer *reviewer, int64_t issuer_id,
                                 const struct rely_key_notice *notice)
{
    int64_t now_ms = rely_clock_monotonic_ms();
    rely_cooldown_set(reviewer, issuer_id, notice, now_ms);
    for (struct rely_waiting *waiting = reviewer->waiting.oldest; waiting != NULL; waiting = waiting->next)
        take_notice(waiting, issuer_id, notice, now_ms);
    review_some(reviewer);
}

void rely_reviewer_pin_answered(struct rely_reviewer *reviewer, int64_t credential_id, bool is_written)
{
    if (is_written)
        rely_pin_forget(reviewer, credential_id);
    for (struct rely_waiting *waiting = reviewer->waiting.oldest; waiting != NULL; waiting = waiting->next)
        if (waiting->credential_id == credential_id)
            make_due(waiting);
    review_some(reviewer);
}

void rely_reviewer_life_answered(struct rely_reviewer *reviewer, const struct rely_bound *bound,
                                 enum rely_live_word word, int64_t asked_ms)
{
    rely_live_note(reviewer->live, bound, word, asked_ms);
    for (struct rely_waiting *waiting = reviewer->waiting.oldest; waiting != NULL; waiting = waiting->next)
        if (rely_bound_equal(&waiting->bound, bound))
            make_due(waiting);
    review_some(reviewer);
}

void rely_waiting_init(struct rely_reviewer *reviewer)
{
    reviewer->waiting = (struct rely_waiting_list){.timer = {.run = begin_next_turn}};
}

void rely_waiting_fini(struct rely_reviewer *reviewer)
{
    while (reviewer->waiting.oldest != NULL) {
        struct rely_waiting *waiting = reviewer->waiting.oldest;
        reviewer->waiting.oldest = waiting->next;
        rely_share_give_back(&reviewer->waiting, waiting->share, &waiting->need);
        free(waiting);
    }
}

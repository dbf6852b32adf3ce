/*
 * Many tokens in one native review: reviewed one after the other on the snapshot of their turn, each answered, counted
 * and logged as if it stood alone, and all answers sent together in the tokens' order. All batches of a worker have one
 * millisecond of each turn of its loop, by turns, so that nobody else stands behind them. Decides how much they may
 * hold. Called by review.c, and by waiting.c when what a token waits for is there.
 */
#include "batch.h"
#include "reviewer.h"

#include "relyd/clock.h"

#include <stdlib.h>

/* Of one turn of the loop. A token that has begun is finished: at worst another millisecond. */
#define TURN_US 1000
/* Buffers of an ordinary batch's answers are kept for the next. */
#define KEPT_BYTES ((size_t)1024 * 1024)

struct batch_item {
    struct rely_slice token;      /* in the request's body, or `copy` */
    char *copy;                   /* owned; NULL: none */
    struct rely_waiting *waiting; /* borrowed; NULL: it does not wait */
    size_t from, len;             /* of its answer in the batch's */
};

struct rely_batch {
    struct rely_batch *next, *previous;
    struct rely_batch_line *line;      /* in which it stands; NULL: none */
    struct rely_reviewer *reviewer;    /* borrowed */
    struct rely_http_request *request; /* borrowed until answered or gone */
    struct rely_asked asked;           /* of the token at hand */
    char *texts;                       /* owned: what the tokens have in common; NULL: it is in the request's body */
    struct rely_buf answers;           /* owned: the body, as long as they come in order; behind its beginning in any */
    size_t held_bytes, held_tokens;    /* that it counts with; 0: nothing is kept of it */
    size_t copied_bytes;               /* of texts and tokens */
    size_t next_item;                  /* the first that was not reviewed yet */
    size_t look_from;                  /* where to look for one that is due */
    size_t due_count, waiting_count, done_count, count;
    const char *fault; /* static: why it is answered with nothing; NULL: it is not */
    bool is_in_order;  /* each answer so far was found when its turn in the body had come */
    bool is_kept;      /* it is deferred, and all that it needs is its own */
    struct batch_item items[];
};

/* --- lines ------------------------------------------------------------------------------------------------------ */

static void leave_line(struct rely_batch *batch)
{
    struct rely_batch_line *line = batch->line;
    if (line == NULL)
        return;
    *(batch->previous == NULL ? &line->first : &batch->previous->next) = batch->next;
    *(batch->next == NULL ? &line->last : &batch->next->previous) = batch->previous;
    batch->line = NULL;
}

static void join_line(struct rely_batch *batch, struct rely_batch_line *line)
{
    leave_line(batch);
    batch->line = line;
    batch->next = NULL;
    batch->previous = line->last;
    *(line->last == NULL ? &line->first : &line->last->next) = batch;
    line->last = batch;
}

static bool has_work(const struct rely_batch *batch)
{
    return batch->next_item < batch->count || batch->due_count > 0;
}

/* At the end of those who have something to review, or among those who wait. */
static void stand_in_line(struct rely_batch *batch)
{
    struct rely_batch_list *list = &batch->reviewer->batches;
    join_line(batch, has_work(batch) ? &list->ready : &list->idle);
}

static void want_next_turn(struct rely_reviewer *reviewer)
{
    if (reviewer->batches.is_turn_posted)
        return;
    reviewer->batches.is_turn_posted = true;
    rely_loop_post(reviewer->loop, &reviewer->batches.turn);
}

/* --- what it holds ---------------------------------------------------------------------------------------------- */

static void count_held(struct rely_batch *batch, size_t bytes, size_t tokens)
{
    struct rely_batch_list *list = &batch->reviewer->batches;
    list->bytes += bytes - batch->held_bytes;
    list->tokens += tokens - batch->held_tokens;
    batch->held_bytes = bytes;
    batch->held_tokens = tokens;
    rely_loop_hold(batch->reviewer->loop, list->bytes);
}

/* Of those that are under way, when something of it has changed. The one that grows beyond what all may hold ends. */
static void count_again(struct rely_batch *batch)
{
    const struct rely_reviewer *reviewer = batch->reviewer;
    if (!batch->is_kept)
        return;
    count_held(batch, sizeof *batch + batch->count * sizeof batch->items[0] + batch->copied_bytes + batch->answers.cap,
               batch->count - batch->done_count);
    if (reviewer->batches.bytes > reviewer->batch_bytes_max || reviewer->batches.tokens > RELY_BATCHED_TOKENS_MAX)
        batch->fault = "too many tokens wait for their review already: ask again later, or for fewer at once";
}

static void judge_answers(struct rely_batch *batch)
{
    if (batch->answers.len > RELY_BATCH_ANSWER_BYTES_MAX)
        batch->fault = "the answers are too long together: ask for fewer tokens at once";
}

static void free_batch(struct rely_batch *batch)
{
    struct rely_buf *spare = &batch->reviewer->batches.spare;
    leave_line(batch);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].waiting != NULL)
            rely_waiting_forget(batch->items[i].waiting);
        free(batch->items[i].copy);
    }
    if (batch->is_kept)
        count_held(batch, 0, 0);
    if (spare->ptr == NULL && batch->answers.cap <= KEPT_BYTES) {
        *spare = batch->answers;
        spare->len = 0;
    } else
        rely_buf_fini(&batch->answers);
    free(batch->texts);
    free(batch);
}

static void forget_batch(void *context)
{
    free_batch(context);
}

/* --- keeping it beyond its handler ------------------------------------------------------------------------------- */

static struct rely_slice move_text(struct rely_slice text, char **next)
{
    if (text.ptr == NULL)
        return text;
    memcpy(*next, text.ptr, text.len);
    *next += text.len;
    return rely_slice(*next - text.len, text.len);
}

static void keep_terms(struct rely_batch *batch)
{
    struct rely_review_request *review = &batch->asked.review;
    size_t bytes = review->audience_count * sizeof *review->audiences + review->identity.len + review->route.len;
    for (size_t i = 0; i < review->audience_count; i++)
        bytes += review->audiences[i].len;
    batch->texts = rely_alloc(bytes + 1);
    batch->copied_bytes += bytes;
    struct rely_slice *audiences = (struct rely_slice *)(void *)batch->texts;
    char *next = (char *)(audiences + review->audience_count);
    for (size_t i = 0; i < review->audience_count; i++)
        audiences[i] = move_text(review->audiences[i], &next);
    review->audiences = audiences;
    review->identity = move_text(review->identity, &next);
    review->route = move_text(review->route, &next);
}

/* Each by itself: it goes as soon as it is answered. */
static void keep_tokens(struct rely_batch *batch, size_t first)
{
    for (size_t i = first; i < batch->count; i++) {
        struct batch_item *item = &batch->items[i];
        char *next = item->copy = rely_alloc(item->token.len + 1);
        item->token = move_text(item->token, &next);
        batch->copied_bytes += item->token.len;
    }
}

/* The body goes when the handler returns. In: first - of the tokens that are not answered. */
static void keep_batch(struct rely_batch *batch, size_t first)
{
    if (batch->is_kept)
        return;
    batch->is_kept = true;
    keep_terms(batch);
    keep_tokens(batch, first);
    rely_http_defer(batch->request, forget_batch, batch);
    count_again(batch);
}

/* --- reviewing --------------------------------------------------------------------------------------------------- */

/* `reply` of each token. */
static void note_batch_answer(struct rely_reviewer *reviewer, struct rely_http_request *request,
                              const struct rely_answer *answer)
{
    struct rely_batch *batch = answer->asked->batch;
    struct batch_item *item = &batch->items[answer->asked->index];
    (void)reviewer;
    (void)request;
    batch->is_in_order = batch->is_in_order && answer->asked->index == batch->done_count;
    rely_buf_put(&batch->answers, batch->done_count == 0 ? RELY_LIT("{\"value\":[") : RELY_LIT(","));
    item->from = batch->answers.len;
    rely_review_put(&batch->answers, answer);
    item->len = batch->answers.len - item->from;
    batch->done_count++;
    judge_answers(batch);
}

static void drop_copy(struct rely_batch *batch, struct batch_item *item)
{
    if (item->copy != NULL)
        batch->copied_bytes -= item->token.len;
    free(item->copy);
    item->copy = NULL;
    item->token = (struct rely_slice){NULL, 0};
}

/* It may wait for keys, its uid or its cluster beside the others. */
static bool begins_to_wait(struct rely_batch *batch, struct batch_item *item, const struct rely_review *review,
                           int64_t start_us)
{
    if (!rely_review_wants_more(review))
        return false;
    keep_batch(batch, batch->asked.index);
    batch->asked.review.token = item->token;
    item->waiting = rely_waiting_begin(batch->reviewer, batch->request, &batch->asked, review, start_us);
    batch->waiting_count += item->waiting != NULL;
    return item->waiting != NULL;
}

static void review_next_item(struct rely_batch *batch, int64_t start_us)
{
    struct rely_reviewer *reviewer = batch->reviewer;
    struct batch_item *item = &batch->items[batch->next_item];
    struct rely_review review;
    batch->asked.index = batch->next_item++;
    batch->asked.review.token = item->token;
    rely_pool_reset(&reviewer->later);
    rely_reviewer_review(reviewer, &batch->asked.review, &reviewer->later, &review);
    if (begins_to_wait(batch, item, &review, start_us))
        return;
    rely_life_give_up(reviewer, &batch->asked.review, &reviewer->later, &review);
    rely_reviewer_finish(reviewer, batch->request, &batch->asked, &review, start_us);
    drop_copy(batch, item);
}

static void review_due_item(struct rely_batch *batch)
{
    struct batch_item *item;
    do {
        item = &batch->items[batch->look_from];
        batch->look_from = (batch->look_from + 1) % batch->count;
    } while (item->waiting == NULL || !rely_waiting_is_due(item->waiting));
    batch->due_count--;
    if (!rely_waiting_review(item->waiting))
        return;
    item->waiting = NULL;
    batch->waiting_count--;
    drop_copy(batch, item);
}

/* As many of its tokens as this turn has time for. */
static void run_batch(struct rely_batch *batch)
{
    struct rely_batch_list *list = &batch->reviewer->batches;
    int64_t start_us = rely_clock_monotonic_us(), now_us = start_us;
    while (has_work(batch) && batch->fault == NULL && list->spent_us + now_us - start_us < TURN_US) {
        if (batch->next_item < batch->count)
            review_next_item(batch, now_us);
        else
            review_due_item(batch);
        now_us = rely_clock_monotonic_us();
    }
    list->spent_us += now_us - start_us;
    count_again(batch);
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

static bool is_batch_over(const struct rely_batch *batch)
{
    return batch->done_count == batch->count || batch->fault != NULL;
}

static void refuse_batch(const struct rely_batch *batch)
{
    rely_reviewer_note_refused(batch->reviewer, batch->request, RELY_ENDPOINT_REVIEW, RELY_OVERLOADED, batch->fault);
    rely_http_problem(batch->request, 503, "overloaded", batch->fault, NULL);
}

/* Those that came in another order than theirs. */
static void sort_answers(struct rely_buf *out, const struct rely_batch *batch)
{
    rely_buf_reserve(out, batch->answers.len + batch->count + 16);
    rely_buf_put(out, RELY_LIT("{\"value\":["));
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0)
            rely_buf_putc(out, ',');
        rely_buf_put(out, rely_slice(batch->answers.ptr + batch->items[i].from, batch->items[i].len));
    }
}

static void end_batch(struct rely_batch *batch)
{
    struct rely_buf sorted = {0}, *out = batch->is_in_order ? &batch->answers : &sorted;
    if (batch->fault != NULL)
        refuse_batch(batch);
    else {
        if (!batch->is_in_order)
            sort_answers(&sorted, batch);
        rely_buf_put(out, RELY_LIT("]}\n"));
        rely_http_respond(batch->request, &(struct rely_http_response){.status = 200,
                                                                       .content_type = RELY_LIT("application/json"),
                                                                       .body = rely_buf_slice(out)});
    }
    rely_buf_fini(&sorted);
    free_batch(batch);
}

/* The rest of this turn's millisecond: what comes in before it and is done at once has its part of it. */
static void run_batches(struct rely_message *message)
{
    struct rely_reviewer *reviewer =
        (struct rely_reviewer *)((char *)message - offsetof(struct rely_reviewer, batches.turn));
    struct rely_batch_list *list = &reviewer->batches;
    struct rely_batch *batch;
    list->is_turn_posted = false;
    while (list->spent_us < TURN_US && (batch = list->ready.first) != NULL) {
        run_batch(batch);
        if (is_batch_over(batch))
            end_batch(batch);
        else
            stand_in_line(batch);
    }
    list->spent_us = 0;
    if (list->ready.first != NULL)
        want_next_turn(reviewer);
}

/* --- its beginning ------------------------------------------------------------------------------------------------ */

static struct rely_batch *new_batch(struct rely_reviewer *reviewer, struct rely_http_request *request,
                                    const struct rely_asked *asked, const struct rely_batch_tokens *tokens)
{
    struct rely_batch *batch = rely_alloc(sizeof *batch + tokens->count * sizeof batch->items[0]);
    batch->reviewer = reviewer;
    batch->request = request;
    batch->asked = *asked;
    batch->asked.batch = batch;
    batch->asked.reply = note_batch_answer;
    batch->asked.came_us = rely_clock_monotonic_us();
    batch->count = tokens->count;
    batch->is_in_order = true;
    for (size_t i = 0; i < tokens->count; i++)
        batch->items[i].token = tokens->items[i];
    batch->answers = reviewer->batches.spare;
    reviewer->batches.spare = (struct rely_buf){0};
    return batch;
}

/* Who has to stand behind others does: they have come before. */
void rely_batch_ask(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_asked *asked,
                    const struct rely_batch_tokens *tokens)
{
    struct rely_batch *batch = new_batch(reviewer, request, asked, tokens);
    if (reviewer->batches.ready.first == NULL)
        run_batch(batch);
    if (!is_batch_over(batch))
        keep_batch(batch, batch->next_item);
    if (is_batch_over(batch))
        end_batch(batch);
    else
        stand_in_line(batch);
    want_next_turn(reviewer);
}

bool rely_batch_waits(const struct rely_batch *batch)
{
    return batch->waiting_count > 0;
}

void rely_batch_note_due(struct rely_batch *batch)
{
    batch->due_count++;
    if (batch->line != &batch->reviewer->batches.idle)
        return;
    stand_in_line(batch);
    want_next_turn(batch->reviewer);
}

void rely_batches_init(struct rely_reviewer *reviewer)
{
    reviewer->batches = (struct rely_batch_list){.turn = {.run = run_batches}};
}

static void free_batches_of(const struct rely_batch_line *line)
{
    for (struct rely_batch *batch = line->first, *next; batch != NULL; batch = next) {
        next = batch->next;
        free_batch(batch);
    }
}

void rely_batches_fini(struct rely_reviewer *reviewer)
{
    struct rely_batch_list *list = &reviewer->batches;
    free_batches_of(&list->ready);
    free_batches_of(&list->idle);
    rely_buf_fini(&list->spare);
}

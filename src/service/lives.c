/*
 * Questions to clusters whether what a token is bound to is still there: from a worker to the control thread, to the fetch
 * thread, and the answer back to every worker. Decides how many are under way, one for each thing that tokens are bound
 * to, and how often a cluster is asked. Called by worker.c, and by callers.c for administrators' own tokens.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"

#include <stdlib.h>

struct rely_live_asking {
    struct rely_message message; /* first */
    struct rely_control_thread *thread;
    struct rely_live_asking *next, **place; /* while it is under way; place NULL: it is not */
    struct rely_bound bound;
    uint64_t revision;
    int64_t asked_ms;
    struct rely_buf body;                     /* owned: what is sent; it has the token */
    struct rely_buf username, uid, audiences; /* owned */
    enum rely_live_word word;
    struct rely_err err;
};

static void wipe_body(struct rely_live_asking *asking)
{
    if (asking->body.ptr != NULL)
        explicit_bzero(asking->body.ptr, asking->body.cap);
    rely_buf_fini(&asking->body);
}

static void free_asking(struct rely_live_asking *asking)
{
    wipe_body(asking);
    rely_buf_fini(&asking->username);
    rely_buf_fini(&asking->uid);
    rely_buf_fini(&asking->audiences);
    free(asking);
}

static void drop_asking(struct rely_message *message)
{
    free_asking((struct rely_live_asking *)message);
}

/* --- a question --------------------------------------------------------------------------------------------------- */

static void put_audiences_asked(struct rely_buf *out, const struct rely_claims *claims)
{
    for (size_t i = 0; i < claims->audience_count; i++) {
        rely_buf_putc(out, i == 0 ? '[' : ',');
        rely_buf_put_json(out, claims->audiences[i]);
    }
    rely_buf_putc(out, ']');
}

/* In one piece of memory, which is wiped: the token is base64url, so that nothing in it is escaped. */
static void put_question(struct rely_buf *out, struct rely_slice token, struct rely_slice audiences)
{
    rely_buf_reserve(out, token.len + audiences.len + 256);
    rely_buf_put(out, RELY_LIT("{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\",\"metadata\":{},"
                               "\"spec\":{\"token\":\""));
    rely_buf_put(out, token);
    rely_buf_put(out, RELY_LIT("\",\"audiences\":"));
    rely_buf_put(out, audiences);
    rely_buf_put(out, RELY_LIT("}}"));
}

struct rely_live_asking *rely_lives_copy(struct rely_control_thread *thread, const struct rely_live_question *question)
{
    const struct rely_kubernetes_claims *account = &question->claims->kubernetes;
    struct rely_live_asking *asking = rely_alloc(sizeof *asking);
    asking->thread = thread;
    asking->bound = question->bound;
    asking->revision = question->revision;
    asking->message.drop = drop_asking;
    rely_buf_printf(&asking->username, "system:serviceaccount:%.*s:%.*s", RELY_ARG(account->namespace_name),
                    RELY_ARG(account->account_name));
    rely_buf_put(&asking->uid, account->account_uid);
    put_audiences_asked(&asking->audiences, question->claims);
    put_question(&asking->body, question->token, rely_buf_slice(&asking->audiences));
    return asking;
}

static void ask_on_control(struct rely_message *message)
{
    rely_lives_ask((struct rely_live_asking *)message);
}

void rely_lives_post(struct rely_live_asking *asking)
{
    asking->message.run = ask_on_control;
    rely_loop_post(asking->thread->loop, &asking->message);
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

/* To one worker. */
struct life_notice {
    struct rely_message message; /* first */
    struct rely_worker *worker;
    struct rely_bound bound;
    enum rely_live_word word;
    int64_t asked_ms;
};

static void note_life_on_worker(struct rely_message *message)
{
    struct life_notice *notice = (struct life_notice *)message;
    rely_reviewer_life_answered(&notice->worker->reviewer, &notice->bound, notice->word, notice->asked_ms);
    free(notice);
}

static void drop_life_notice(struct rely_message *message)
{
    free(message);
}

static void tell_workers_of_life(const struct rely_live_asking *asking)
{
    const struct rely_control_thread *thread = asking->thread;
    struct rely_service *service = thread->service;
    rely_live_note(thread->live, &asking->bound, asking->word, asking->asked_ms);
    rely_waits_note_life(thread, &asking->bound);
    for (size_t i = 0; i < service->worker_count && !thread->are_workers_gone; i++) {
        struct life_notice *notice = rely_alloc(sizeof *notice);
        *notice = (struct life_notice){{.run = note_life_on_worker, .drop = drop_life_notice},
                                       &service->workers[i],
                                       asking->bound,
                                       asking->word,
                                       asking->asked_ms};
        rely_loop_post(service->workers[i].loop, &notice->message);
    }
}

static struct rely_live_rate *rate_of(const struct rely_live_asking *asking)
{
    return &asking->thread->lives.rates[(uint64_t)asking->bound.issuer_id % RELY_LIVE_RATE_PLACES];
}

/* Once in a while: a cluster that is away is asked about each of its pods. */
static void say_why(const struct rely_live_asking *asking)
{
    int64_t now_s = rely_clock_now_s();
    struct rely_live_rate *rate = rate_of(asking);
    const struct rely_issuer *issuer =
        rely_snapshot_issuer(rely_control_snapshot(asking->thread->control), asking->bound.issuer_id);
    if (asking->err.code == RELY_ERR_NONE || issuer == NULL ||
        (now_s >= rate->said_s && now_s - rate->said_s < RELY_LIVE_SAID_EVERY_S))
        return;
    rate->said_s = now_s;
    rely_log_event(asking->thread->ring, RELY_LOG_WARNING, "liveness_not_said",
                   "the cluster of issuer %.*s has not said whether what a token is bound to is still there: %s",
                   RELY_ARG(issuer->name), asking->err.message);
}

/* Takes it over. */
static void end_asking(struct rely_live_asking *asking)
{
    if (asking->place != NULL) {
        *asking->place = asking->next;
        if (asking->next != NULL)
            asking->next->place = asking->place;
        asking->thread->lives.count--;
    }
    say_why(asking);
    tell_workers_of_life(asking);
    free_asking(asking);
}

static void take_life_word(struct rely_message *message)
{
    end_asking((struct rely_live_asking *)message);
}

/* On the fetch thread. */
static void read_word(const struct rely_fetch_result *result, void *context)
{
    struct rely_live_asking *asking = context;
    const struct rely_live_expected expected = {rely_buf_slice(&asking->username), rely_buf_slice(&asking->uid),
                                                rely_buf_slice(&asking->audiences)};
    if (result->is_ok)
        asking->word = rely_live_read(result->body, &expected, &asking->err);
    else
        asking->err = result->err;
    asking->message.run = take_life_word;
    rely_loop_post(asking->thread->loop, &asking->message);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool is_under_way(const struct rely_lives *lives, const struct rely_bound *bound)
{
    for (const struct rely_live_asking *asking = lives->first; asking != NULL; asking = asking->next)
        if (rely_bound_equal(&asking->bound, bound))
            return true;
    return false;
}

static void join_those_under_way(struct rely_live_asking *asking)
{
    struct rely_lives *lives = &asking->thread->lives;
    asking->place = &lives->first;
    asking->next = lives->first;
    if (asking->next != NULL)
        asking->next->place = &asking->next;
    lives->first = asking;
    lives->count++;
}

static void begin_asking(struct rely_live_asking *asking, const struct rely_issuer *issuer)
{
    const struct rely_issuer_liveness *liveness = &issuer->liveness;
    bool has_slash = liveness->url.len > 0 && liveness->url.ptr[liveness->url.len - 1] == '/';
    struct rely_buf url = {0};
    rely_buf_put(&url, rely_slice(liveness->url.ptr, liveness->url.len - has_slash));
    rely_buf_put(&url, RELY_LIT(RELY_LIVE_PATH));
    join_those_under_way(asking);
    rely_fetch_start(asking->thread->service->fetcher,
                     &(struct rely_fetch_request){.url = rely_buf_slice(&url),
                                                  .ca_bundle = liveness->ca_bundle,
                                                  .bearer_file = liveness->bearer_file,
                                                  .bearer_for = rely_buf_slice(&url),
                                                  .proxy = issuer->source.proxy,
                                                  .kind = RELY_FETCH_LIVE,
                                                  .may_use_private_addresses = issuer->source.may_use_private_addresses,
                                                  .posted = rely_buf_slice(&asking->body),
                                                  .max_bytes = RELY_LIVE_ANSWER_MAX,
                                                  .timeout_ms = RELY_LIVE_TIMEOUT_MS},
                     read_word, asking);
    wipe_body(asking); /* the fetcher has a copy */
    rely_buf_fini(&url);
}

/* Whoever asks by another edition of the record will ask once more. */
static const struct rely_issuer *find_whom_to_ask(const struct rely_live_asking *asking)
{
    const struct rely_issuer *issuer =
        rely_snapshot_issuer(rely_control_snapshot(asking->thread->control), asking->bound.issuer_id);
    return issuer != NULL && issuer->revision == asking->revision && issuer->liveness.url.ptr != NULL ? issuer : NULL;
}

void rely_lives_ask(struct rely_live_asking *asking)
{
    struct rely_lives *lives = &asking->thread->lives;
    const struct rely_issuer *issuer = find_whom_to_ask(asking);
    asking->asked_ms = rely_clock_monotonic_ms();
    if (rely_live_knows(asking->thread->live, &asking->bound, &asking->word, &asking->asked_ms)) {
        end_asking(asking); /* it was on its way to who asks */
        return;
    }
    if (is_under_way(lives, &asking->bound)) {
        free_asking(asking);
        return;
    }
    if (lives->count == RELY_LIVES_MAX)
        rely_err_set(&asking->err, RELY_ERR_INTERNAL, "%d questions are under way already", RELY_LIVES_MAX);
    else if (issuer != NULL && !rely_live_rate_take(rate_of(asking), issuer->liveness.rate, asking->asked_ms))
        rely_err_set(&asking->err, RELY_ERR_INTERNAL, "liveness.ratePerSecond questions were asked in this second");
    if (issuer == NULL || asking->err.code != RELY_ERR_NONE)
        end_asking(asking);
    else
        begin_asking(asking, issuer);
}

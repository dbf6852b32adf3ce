/*
 * POST /v1/explain: one review of one token with all that its steps found, for the engineer who is asked why a login
 * fails. Runs the same function as the data plane, on the newest snapshot, and asks as the endpoint does that is meant.
 * The token is never repeated or logged. Called by route.c.
 */
#include "explain.h"
#include "relyd/issuer_group.h"
#include "relyd/named_route.h"
#include "relyd/signature.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include <stdio.h>
#include <stdlib.h>

/* --- the answer ---------------------------------------------------------------------------------------- */

static struct rely_json *show_matches(const struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_match *match = &review->matches.items[i];
        struct rely_json *item = rely_json_object();
        rely_admin_set_text(item, "name", match->identity->name);
        rely_admin_set_text(item, "uid", match->identity->uid);
        if (rely_match_may_be_named(explanation->snapshot, match))
            rely_admin_set_text(item, "username", match->username);
        rely_admin_set_text(item, "credential", match->credential->name);
        rely_admin_set_text(item, "issuer", review->issuer->name);
        const struct rely_issuer_group *group = rely_explain_group_of(explanation, match->credential);
        if (group != NULL)
            rely_admin_set_text(item, "issuerGroup", group->name);
        rely_json_append(list, item);
    }
    return list;
}

static struct rely_json *show_explanation(struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    bool is_allowed = review->decision.reason == RELY_OK;
    char at[RELY_TIME_SIZE];
    struct rely_json *answer = rely_json_object();
    struct rely_json *steps = rely_explain_steps(explanation);
    rely_admin_set_text(answer, "decision", is_allowed ? RELY_LIT("allow") : RELY_LIT("deny"));
    rely_admin_set_text(answer, "reason", rely_slice_of(rely_reason_word(review->decision.reason)));
    if (!is_allowed) {
        rely_admin_set_text(answer, "detail", rely_slice_of(review->decision.detail.text));
        rely_admin_set_text(answer, "meaning", rely_slice_of(rely_reason_sentence(review->decision.reason)));
        rely_admin_set_text(answer, "whatToDo", rely_slice_of(rely_reason_advice(review->decision.reason)));
    }
    if (explanation->nearest[0] != '\0')
        rely_admin_set_text(answer, "nearest", rely_slice_of(explanation->nearest));
    rely_time_print(review->now_s, at); /* 1970 is a time, too */
    rely_admin_set_text(answer, "at", rely_slice_of(at));
    rely_admin_set_text(answer, "endpoint", rely_slice_of(rely_endpoint_name(explanation->question->endpoint)));
    rely_admin_set_text(answer, "route", explanation->question->route);
    rely_json_set(answer, "single", rely_json_of_bool(explanation->question->review.is_single));
    rely_json_set(answer, "revision", rely_json_of_integer((int64_t)explanation->snapshot->revision));
    rely_json_set(answer, "steps", steps);
    rely_json_set(answer, "identities", is_allowed ? show_matches(explanation) : rely_json_array());
    return answer;
}

/* --- asking the registry -------------------------------------------------------------------------------- */

/* A question on its way: most are answered at once. Where no credential matches, the registry is asked first which came
 * close, and the review is run once more then: its snapshot may be gone. */
struct explaining {
    struct rely_admin_wait wait; /* first */
    struct rely_json *body;      /* owned: has the question's texts, as the wait's pool */
    struct rely_explain_question question;
    bool sees_all;
    struct rely_slice asker;        /* in the pool */
    struct rely_near_question near; /* its subject is in the pool */
    struct rely_explain_places places;
    struct rely_explain_neighbours neighbours;
};

static void free_explaining(struct rely_admin_wait *wait)
{
    struct explaining *explaining = (struct explaining *)wait;
    rely_json_free(explaining->body);
    for (size_t i = 0; i < explaining->neighbours.count; i++)
        free(explaining->neighbours.records[i]);
}

static void keep_neighbour(const union rely_any_record *record, void *context)
{
    struct rely_explain_neighbours *neighbours = context;
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_CREDENTIAL);
    if (neighbours->count < RELY_NEAR_MAX)
        neighbours->records[neighbours->count++] = rely_record_copy(kind, record);
}

static void find_neighbours(struct rely_work *work, struct rely_registry *registry)
{
    struct explaining *explaining = (struct explaining *)work;
    struct rely_admin_wait *wait = &explaining->wait;
    wait->is_ok =
        rely_registry_each_near(registry, &explaining->near, keep_neighbour, &explaining->neighbours, &wait->err);
}

/* --- reviewing ------------------------------------------------------------------------------------------- */

/* What a review leaves behind: large, and so on the heap. */
struct reviewed {
    struct rely_review review;
    struct rely_verified verified;
};

static void run_review(const struct explaining *explaining, struct rely_explanation *explanation,
                       struct reviewed *reviewed)
{
    const struct rely_admin_wait *wait = &explaining->wait;
    const struct rely_explain_question *question = &explaining->question;
    *explanation = (struct rely_explanation){.admin = wait->admin,
                                             .snapshot = wait->admin->snapshot(wait->admin->service),
                                             .question = question,
                                             .request = &question->review,
                                             .review = &reviewed->review,
                                             .verified = &reviewed->verified,
                                             .neighbours = &explaining->neighbours,
                                             .sees_all = explaining->sees_all,
                                             .asker = explaining->asker};
    struct rely_review_request asked = question->review;
    asked.live = wait->admin->live; /* nobody is asked for this */
    rely_review_new(explanation->snapshot, &asked, question->at_s, &reviewed->review, &reviewed->verified);
}

static void send_explanation(const struct explaining *explaining, struct rely_explanation *explanation)
{
    RELY_JSON_OWNED struct rely_json *answer = show_explanation(explanation);
    rely_admin_answer_json(explaining->wait.request, 200, answer, NULL);
}

static void answer_with_neighbours(struct rely_admin_wait *wait)
{
    const struct explaining *explaining = (const struct explaining *)wait;
    struct reviewed *reviewed = rely_alloc(sizeof *reviewed);
    struct rely_explanation explanation;
    /* A fault of the registry leaves the comparison shorter: the explanation itself does not depend on it. */
    if (!wait->is_ok)
        wait->admin->note_fault(wait->admin->service, "explain", wait->err.message);
    run_review(explaining, &explanation, reviewed);
    send_explanation(explaining, &explanation);
    free(reviewed);
}

/* What is near to a token that nothing matched stands in the registry alone. */
static void ask_for_neighbours(struct explaining *explaining, const struct rely_explanation *explanation)
{
    const struct rely_review *review = explanation->review;
    rely_explain_find_places(explanation, &explaining->places);
    explaining->near = (struct rely_near_question){
        .issuer_id = review->issuer->id,
        .subject = rely_pool_copy(&explaining->wait.pool, review->claims.subject),
        .limit = RELY_NEIGHBOURS_MAX,
        .places = explaining->places.items,
        .place_count = explaining->places.count,
        .scopes = explaining->places.scopes,
        .scope_count = explaining->places.scope_count,
    };
    rely_admin_ask(&explaining->wait);
}

static void answer_question(struct explaining *explaining)
{
    struct reviewed *reviewed = rely_alloc(sizeof *reviewed);
    struct rely_explanation explanation;
    run_review(explaining, &explanation, reviewed);
    if (reviewed->review.last_step == RELY_STEP_CREDENTIALS) { /* nothing matched */
        ask_for_neighbours(explaining, &explanation);
    } else {
        send_explanation(explaining, &explanation);
        rely_admin_wait_free(&explaining->wait);
    }
    free(reviewed);
}

/* Whether the route is there is asked of the newest registry, as the review is. */
static bool find_route(const struct explaining *explaining, struct rely_problems *problems)
{
    char quoted[RELY_QUOTED_SIZE];
    const struct rely_admin *admin = explaining->wait.admin;
    struct rely_slice name = explaining->question.route;
    if (rely_snapshot_route(admin->snapshot(admin->service), name) == NULL)
        rely_problems_add(problems, "route", "not_registered", "there is no route %.200s", rely_quote(name, quoted));
    return problems->count == 0;
}

static void read_and_answer(struct explaining *explaining)
{
    struct rely_admin_wait *wait = &explaining->wait;
    struct rely_problems *problems = rely_alloc(sizeof *problems);
    bool is_read = rely_explain_read_question(explaining->body, &wait->pool, &explaining->question, problems) &&
                   find_route(explaining, problems);
    if (is_read) {
        answer_question(explaining);
    } else {
        rely_http_problem(wait->request, 400, "invalid_body", problems->items[0].message, problems);
        rely_admin_wait_free(wait);
    }
    free(problems);
}

void rely_admin_explain(struct rely_admin_call *call)
{
    size_t body_bytes;
    struct rely_json *body = rely_admin_read_body(call, &body_bytes);
    if (body == NULL)
        return;
    struct explaining *explaining = rely_admin_wait_new(call, sizeof *explaining);
    explaining->wait.work.run = find_neighbours;
    explaining->wait.answer = answer_with_neighbours;
    explaining->wait.fini = free_explaining;
    explaining->body = body;
    rely_admin_wait_hold(&explaining->wait, body_bytes);
    explaining->question.at_s = call->now_s;
    explaining->sees_all = (call->caller->roles & (RELY_ROLE_ADMIN | RELY_ROLE_VIEWER)) != 0;
    if (call->caller->identity != NULL)
        explaining->asker = rely_pool_copy(&explaining->wait.pool, call->caller->identity->name);
    read_and_answer(explaining);
}

/*
 * Who may ask on the data plane. Decides by the caller's role: who is proven and neither reviewer nor administrator may
 * not. Called by endpoints.c before any protocol.
 */
#include "reviewer.h"

#include "relyd/clock.h"
#include "relyd/model.h"

#include <stdio.h>

struct admitting {
    struct rely_reviewer *reviewer;
    struct rely_http_request *request;
    bool is_put_off;
};

/* A token of the caller's own whose key is missing has it fetched and waits for it, as any other; once. */
static void review_caller(void *context, const struct rely_review_request *asked, struct rely_review *review)
{
    struct admitting *admitting = context;
    struct rely_reviewer *reviewer = admitting->reviewer;
    rely_reviewer_review(reviewer, asked, asked->pool, review);
    if (!rely_review_wants_more(review))
        return;
    const struct rely_asked caller = {.review = {.token = asked->token}, .reply = NULL};
    if (admitting->request->is_again)
        rely_waiting_ask_only(reviewer, review, asked->token);
    else
        admitting->is_put_off =
            rely_waiting_begin(reviewer, admitting->request, &caller, review, rely_clock_monotonic_us()) != NULL;
    if (!admitting->is_put_off)
        rely_life_give_up(reviewer, asked, asked->pool, review);
}

static enum rely_proven find_caller(struct rely_reviewer *reviewer, struct rely_http_request *request,
                                    struct rely_caller *caller, bool *is_put_off)
{
    struct admitting admitting = {.reviewer = reviewer, .request = request};
    bool is_check = rely_check_is_asked(request); /* there Authorization is the workload's */
    const struct rely_caller_question question = {.rules = *reviewer->caller_rules,
                                                  .request = request,
                                                  .snapshot = reviewer->snapshot,
                                                  .header =
                                                      is_check ? RELY_LIT("x-relyd-caller") : RELY_LIT("authorization"),
                                                  .peer_roles = RELY_ROLE_REVIEWER,
                                                  .now_s = rely_clock_coarse_s(),
                                                  .review = review_caller,
                                                  .context = &admitting};
    char name[RELY_CALLER_NAME_SIZE];
    enum rely_proven proven = rely_caller_find(&question, caller);
    *is_put_off = admitting.is_put_off;
    if (proven != RELY_CALLER_PROVEN || (caller->roles & (RELY_ROLE_REVIEWER | RELY_ROLE_ADMIN)) != 0)
        return proven;
    rely_caller_print(caller, request, name);
    snprintf(caller->why.text, sizeof caller->why.text, "%s has not the role reviewer", name);
    return RELY_CALLER_WITHOUT_ROLE;
}

bool rely_route_lets_ask(const struct rely_named_route *route, const struct rely_caller *caller)
{
    return route->callers.count == 0 ||
           (caller->identity != NULL && rely_sorted_has(&route->callers, caller->identity->name));
}

enum rely_proven rely_reviewer_admit(const struct rely_data_door *door, struct rely_http_request *request,
                                     struct rely_caller *caller, bool *is_put_off)
{
    *is_put_off = false;
    if (door->is_open) {
        *caller = rely_caller_of_open(RELY_ROLE_REVIEWER);
        return RELY_CALLER_PROVEN;
    }
    enum rely_proven proven = find_caller(door->reviewer, request, caller, is_put_off);
    if (proven != RELY_CALLER_PROVEN && !*is_put_off)
        rely_count(&door->reviewer->counters->callers[proven], 1);
    return proven;
}

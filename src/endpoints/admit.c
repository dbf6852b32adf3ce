/*
 * Who may ask on the data plane. Decides by the caller's role: who is proven and neither reviewer nor administrator may
 * not. Called by endpoints.c before any protocol.
 */
#include "reviewer.h"

#include "relyd/clock.h"
#include "relyd/model.h"

#include <stdio.h>

/* A token of the caller's own whose key is missing has it fetched, as any other. */
static void review_caller(void *context, const struct rely_review_request *asked, struct rely_review *review)
{
    struct rely_reviewer *reviewer = context;
    rely_reviewer_review(reviewer, asked, asked->pool, review);
    if (rely_review_wants_keys(review) || rely_review_wants_pin(review))
        rely_waiting_ask_only(reviewer, review);
}

static enum rely_proven find_caller(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                                    struct rely_caller *caller)
{
    bool is_check = rely_check_is_asked(request); /* there Authorization is the workload's */
    const struct rely_caller_question question = {.rules = *reviewer->caller_rules,
                                                  .request = request,
                                                  .snapshot = reviewer->snapshot,
                                                  .header =
                                                      is_check ? RELY_LIT("x-relyd-caller") : RELY_LIT("authorization"),
                                                  .peer_roles = RELY_ROLE_REVIEWER,
                                                  .now_s = rely_clock_coarse_s(),
                                                  .review = review_caller,
                                                  .context = reviewer};
    char name[RELY_CALLER_NAME_SIZE];
    enum rely_proven proven = rely_caller_find(&question, caller);
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

enum rely_proven rely_reviewer_admit(const struct rely_data_door *door, const struct rely_http_request *request,
                                     struct rely_caller *caller)
{
    if (door->is_open) {
        *caller = rely_caller_of_open(RELY_ROLE_REVIEWER);
        return RELY_CALLER_PROVEN;
    }
    enum rely_proven proven = find_caller(door->reviewer, request, caller);
    if (proven != RELY_CALLER_PROVEN)
        rely_count(&door->reviewer->counters->callers[proven], 1);
    return proven;
}

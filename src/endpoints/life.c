/*
 * Questions of this worker to clusters: whether what a token is bound to is still there. Each once in a while, however
 * many tokens it has. Decides nothing. Called by reviewer.c behind answers, and by waiting.c for who waits.
 */
#include "reviewer.h"

#include "relyd/clock.h"

void rely_life_ask(struct rely_reviewer *reviewer, const struct rely_review *review, struct rely_slice token)
{
    if (rely_live_may_ask(reviewer->live, &review->live.bound))
        reviewer->hooks.ask_for_life(reviewer->hooks.service,
                                     &(struct rely_live_question){.bound = review->live.bound,
                                                                  .revision = review->issuer->revision,
                                                                  .token = token,
                                                                  .claims = &review->claims});
}

void rely_life_give_up(struct rely_reviewer *reviewer, const struct rely_review_request *request,
                       struct rely_pool *pool, struct rely_review *review)
{
    if (!rely_review_wants_life(review))
        return;
    rely_live_note(reviewer->live, &review->live.bound, RELY_LIVE_NOTHING, rely_clock_monotonic_ms());
    rely_reviewer_review(reviewer, request, pool, review);
}

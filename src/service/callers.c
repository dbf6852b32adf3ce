/*
 * Who asks: what the configuration says about it, and the control plane's review of an administrator's token. Decides
 * nothing: caller/ and decide/ do. Called by service.c and control_thread.c.
 */
#include "service.h"

#include "relyd/bind.h"
#include "relyd/clock.h"
#include "relyd/guards.h"
#include "relyd/snapshot.h"

#include <unistd.h>

bool rely_callers_read(const struct rely_config *config, struct rely_caller_rules *rules, struct rely_err *err)
{
    *rules = (struct rely_caller_rules){.audience = rely_slice_of(config->auth_audience), .own_uid = geteuid()};
    for (size_t i = 0; i < config->auth_bootstrap_tokens.count && i < RELY_BOOTSTRAP_TOKENS_MAX; i++)
        if (rely_config_read_digest(config->auth_bootstrap_tokens.items[i], rules->bootstrap[rules->bootstrap_count]))
            rules->bootstrap_count++;
    rules->has_group = config->admin_socket_group[0] != '\0';
    if (rules->has_group && !rely_loop_find_group(config->admin_socket_group, &rules->group, err))
        return rely_err_prefix(err, "admin.socket_group");
    return true;
}

const char *rely_callers_describe(const struct rely_listener_config *listener)
{
    switch ((enum rely_callers)listener->callers) {
    case RELY_CALLERS_ANYONE:
        break;
    case RELY_CALLERS_REVIEWERS:
        return ", for reviewers";
    case RELY_CALLERS_ADMINISTRATORS:
        return ", for administrators";
    }
    return "";
}

/* Of each record that may have signed. */
static void ask_for_keys(const struct rely_control_thread *thread, const struct rely_review *review)
{
    for (size_t i = 0; i < review->candidate_count; i++)
        if (!review->candidates[i].issuer->has_uploaded_keys)
            rely_keeper_ask(thread->keeper, review->candidates[i].issuer->id);
}

/* Behind the answer, or while it waits. */
static void ask_for_life(struct rely_control_thread *thread, const struct rely_review *review, struct rely_slice token)
{
    if (rely_live_may_ask(thread->live, &review->live.bound))
        rely_lives_ask(rely_lives_copy(thread, &(struct rely_live_question){.bound = review->live.bound,
                                                                            .revision = review->issuer->revision,
                                                                            .token = token,
                                                                            .claims = &review->claims}));
}

static void review_caller_once(struct rely_control_thread *thread, const struct rely_review_request *asked,
                               struct rely_review *review)
{
    rely_cache_review(thread->caller_cache, rely_control_snapshot(thread->control), asked, rely_clock_now_s(), review);
}

/* Who cannot wait, or has waited, is reviewed as the record has it for a cluster that says nothing. */
static void go_without_life(struct rely_control_thread *thread, const struct rely_review_request *asked,
                            struct rely_review *review)
{
    rely_live_note(thread->live, &review->live.bound, RELY_LIVE_NOTHING, rely_clock_monotonic_ms());
    review_caller_once(thread, asked, review);
}

bool rely_callers_review(void *context, struct rely_http_request *request, const struct rely_review_request *asked,
                         struct rely_review *review)
{
    struct rely_control_thread *thread = context;
    struct rely_review_request bounded = *asked;
    bounded.budget = &thread->caller_tries;
    bounded.turn = thread->caller_turns;
    bounded.live = thread->live;
    review_caller_once(thread, &bounded, review);
    bool is_put_off = rely_waits_begin(thread, request, review);
    if (rely_review_wants_pin(review)) {
        const struct rely_pin pin = rely_review_pin(review);
        rely_pins_ask(thread, &pin);
    }
    if (rely_review_wants_keys(review)) {
        thread->caller_turns++;
        ask_for_keys(thread, review);
    }
    if (rely_review_wants_life(review) || review->live.is_old)
        ask_for_life(thread, review, asked->token);
    if (rely_review_wants_life(review) && !is_put_off)
        go_without_life(thread, &bounded, review);
    return is_put_off;
}

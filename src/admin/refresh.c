/*
 * POST /v1/issuers/{name}:refresh: the keys are fetched now, and the answer says step by step what happened. Waits for
 * the fetch as long as keys.fetch_timeout_ms, and no longer than its client. Decides nothing: the keeper does. Called by
 * route.c.
 */
#include "keys.h"
#include "relyd/key_orders.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/snapshot.h"

struct refreshing {
    struct rely_admin_showing showing; /* first */
    struct rely_key_waiter waiter;
    int64_t issuer_id;
};

/* Of the steps, each of which is a condition. */
static const char *const step_words[RELY_CONDITION_TOKENS_SEEN] = {
    [RELY_CONDITION_NAME_RESOLVED] = "resolve", [RELY_CONDITION_CONNECTED] = "connect",
    [RELY_CONDITION_TLS_TRUSTED] = "tls",       [RELY_CONDITION_DISCOVERY_READ] = "discovery",
    [RELY_CONDITION_ISSUER_MATCHES] = "issuer", [RELY_CONDITION_KEYS_READ] = "keys",
    [RELY_CONDITION_KEYS_USABLE] = "judge",
};

static struct rely_json *show_step(const struct rely_refreshed *came, enum rely_condition step)
{
    static const char *const outcomes[] = {
        [RELY_CONDITION_UNKNOWN] = "skipped", [RELY_CONDITION_TRUE] = "passed", [RELY_CONDITION_FALSE] = "failed"};
    enum rely_cause cause = came->conditions.items[step].cause;
    struct rely_json *item = rely_json_object();
    struct rely_buf detail = {0};
    rely_admin_put_condition(&detail, &came->conditions, step);
    if (detail.len == 0)
        rely_buf_printf(&detail, "%s", rely_cause_sentence(cause));
    rely_admin_set_text(item, "step", rely_slice_of(step_words[step]));
    rely_admin_set_text(item, "outcome", rely_slice_of(outcomes[rely_cause_status(cause)]));
    rely_admin_set_text(item, "reason", rely_slice_of(rely_cause_word(cause)));
    rely_admin_set_text(item, "detail", rely_buf_slice(&detail));
    rely_json_set(item, "ms", rely_json_of_integer(came->ms[step]));
    rely_buf_fini(&detail);
    return item;
}

static struct rely_json *show_kids(const struct rely_keyset *keyset)
{
    struct rely_json *kids = rely_json_array();
    for (size_t i = 0; keyset != NULL && i < rely_keyset_count(keyset); i++)
        if (rely_key_kid(rely_keyset_at(keyset, i)).ptr != NULL)
            rely_json_append(kids, rely_json_of_text(rely_key_kid(rely_keyset_at(keyset, i))));
    return kids;
}

static struct rely_json *show_refreshed(const struct refreshing *refreshing, const struct rely_refreshed *came)
{
    static const char *const words[] = {[RELY_REFRESH_FAILED] = "failed",
                                        [RELY_REFRESH_UNCHANGED] = "unchanged",
                                        [RELY_REFRESH_HELD_BACK] = "held_back",
                                        [RELY_REFRESH_ACCEPTED] = "accepted"};
    const struct rely_admin *admin = refreshing->showing.wait.admin;
    const struct rely_issuer *issuer = rely_snapshot_issuer(admin->snapshot(admin->service), refreshing->issuer_id);
    struct rely_json *answer = rely_json_object(), *steps = rely_json_array();
    rely_admin_set_text(answer, "issuerName", refreshing->showing.wait.path.name);
    rely_admin_set_text(answer, "outcome", rely_slice_of(words[came->outcome]));
    if (came->is_late)
        rely_admin_set_text(answer, "detail",
                            RELY_LIT("the fetch was not over in time, or its record has changed: status.conditions "
                                     "tells what comes of it"));
    for (int i = 0; !came->is_late && i < RELY_CONDITION_TOKENS_SEEN; i++)
        rely_json_append(steps, show_step(came, (enum rely_condition)i));
    rely_json_set(answer, "steps", steps);
    rely_json_set(answer, "kids", show_kids(issuer == NULL ? NULL : issuer->keyset));
    rely_json_set(answer, "generation", rely_json_of_integer(issuer == NULL ? 0 : (int64_t)issuer->keys_generation));
    return answer;
}

static void answer_refreshed(struct rely_key_waiter *waiter, const struct rely_refreshed *came)
{
    struct refreshing *refreshing = (struct refreshing *)((char *)waiter - offsetof(struct refreshing, waiter));
    struct rely_admin_wait *wait = &refreshing->showing.wait;
    RELY_JSON_OWNED struct rely_json *answer = show_refreshed(refreshing, came);
    rely_admin_answer_json(wait->request, 200, answer, NULL);
    rely_admin_wait_end(wait);
}

static void stop_refreshing(struct rely_admin_wait *wait)
{
    wait->admin->forget_waiter(wait->admin->service, &((struct refreshing *)wait)->waiter);
    rely_admin_wait_end(wait);
}

/* The record is there: what comes now, the keeper tells. */
static void begin_refreshing(struct rely_admin_wait *wait)
{
    struct refreshing *refreshing = (struct refreshing *)wait;
    const struct rely_admin *admin = wait->admin;
    if (!wait->is_ok) {
        rely_admin_answer_wait_fault(wait, NULL, NULL);
        return;
    }
    const struct rely_issuer *issuer =
        rely_admin_find_issuer(admin->snapshot(admin->service), refreshing->showing.object);
    refreshing->issuer_id = issuer == NULL ? 0 : issuer->id;
    refreshing->waiter.done = answer_refreshed;
    wait->left = stop_refreshing;
    wait->is_going_on = admin->order(admin->service, refreshing->issuer_id, &refreshing->waiter, &wait->err);
    if (!wait->is_going_on && wait->err.code == RELY_ERR_LIMIT)
        rely_http_problem(wait->request, 503, "busy", wait->err.message, NULL);
    else if (!wait->is_going_on)
        rely_admin_answer_wait_fault(wait, NULL, NULL);
}

/* Parameters: believe. */
void rely_admin_refresh(struct rely_admin_call *call)
{
    bool is_believed;
    if (!rely_admin_read_yes(call->parameters[0], &is_believed)) {
        rely_admin_refuse_parameter(call, "believe", "true or false");
        return;
    }
    struct refreshing *refreshing = rely_admin_wait_new(call, sizeof *refreshing);
    refreshing->waiter.is_believed = is_believed;
    rely_admin_read_into(&refreshing->showing, begin_refreshing);
}

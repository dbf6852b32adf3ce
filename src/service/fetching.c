/*
 * Starts the fetcher by the settings, and carries what it fetches for the key keeper from its thread to the control
 * thread. Called by service.c, and by rooms.c for the keeper.
 */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

/* --- starting ---------------------------------------------------------------------------------------------- */

static bool read_ranges(const struct rely_text_list *list, struct rely_cidr *out, size_t *count, struct rely_err *err)
{
    for (size_t i = 0; i < list->count && i < RELY_FETCH_RANGES_MAX; i++)
        if (!rely_cidr_parse(rely_slice_of(list->items[i]), &out[(*count)++], err))
            return false;
    return true;
}

static bool read_fetch_rules(const struct rely_config *config, struct rely_fetch_rules *rules, struct rely_err *err)
{
    return read_ranges(&config->fetch_deny_ranges, rules->deny, &rules->deny_count, err) &&
           read_ranges(&config->fetch_allow_ranges, rules->allow, &rules->allow_count, err) &&
           (config->key_proxy[0] == '\0' || rely_proxy_parse(rely_slice_of(config->key_proxy), rules->proxy, err));
}

bool rely_fetching_take_up(struct rely_fetcher *fetcher, const struct rely_config *config, struct rely_err *err)
{
    struct rely_fetch_rules rules = {.places = 0};
    if (!read_fetch_rules(config, &rules, err))
        return false;
    rely_fetcher_take_up(fetcher, &rules);
    return true;
}

struct rely_fetcher *rely_fetching_start(const struct rely_config *config, size_t places, struct rely_log_ring *ring,
                                         struct rely_err *err)
{
    char names[160];
    struct rely_fetch_rules rules = {.places = places};
    if (!read_fetch_rules(config, &rules, err))
        return NULL;
    snprintf(rules.folder, sizeof rules.folder, "%s", config->key_folder);
    if (rely_fetch_find_proxy_variables(names, sizeof names))
        rely_log_event(ring, RELY_LOG_WARNING, "proxy_variables_ignored",
                       "the environment's %s %s ignored: keys.proxy alone says through which proxy keys are fetched",
                       names, strchr(names, ',') == NULL ? "is" : "are");
    return rely_fetcher_start(&rules, err);
}

/* --- for the keeper ---------------------------------------------------------------------------------------- */

/* One fetch: travels control -> fetch thread -> control. */
struct carried {
    struct rely_message message; /* first */
    struct rely_control_thread *thread;
    struct rely_key_fetch *fetch; /* the keeper's */
    struct rely_fetch_result result;
    char *etag; /* owned: the result's; NULL for none */
};

static void free_carried(struct carried *carried)
{
    if (carried->result.place != NULL)
        rely_fetch_release(carried->thread->service->fetcher, carried->result.place);
    free(carried->etag);
    free(carried);
}

static void hand_over_answer(struct rely_message *message)
{
    struct carried *carried = (struct carried *)message;
    rely_keeper_take_answer(carried->fetch, &carried->result);
    free_carried(carried);
}

static void drop_answer(struct rely_message *message)
{
    struct carried *carried = (struct carried *)message;
    rely_keeper_drop_fetch(carried->fetch);
    free_carried(carried);
}

/* On the fetch thread: to the control thread, which lets go of the body when the keeper has looked at it: so what waits
 * for that thread is no more than there are places. */
static void bring_answer_back(const struct rely_fetch_result *result, void *context)
{
    struct carried *carried = context;
    carried->result = *result;
    carried->result.place = NULL;
    if (result->is_ok && !result->is_unchanged)
        carried->result.place = rely_fetch_keep(result);
    else
        carried->result.body = rely_slice(NULL, 0);
    if (result->etag.ptr != NULL)
        carried->etag = rely_strdup_slice(result->etag);
    carried->result.etag = rely_slice_of(carried->etag);
    carried->message.run = hand_over_answer;
    carried->message.drop = drop_answer;
    rely_loop_post(carried->thread->loop, &carried->message);
}

void rely_fetching_begin(struct rely_control_thread *thread, const struct rely_fetch_request *request,
                         struct rely_key_fetch *fetch)
{
    struct carried *carried = rely_alloc(sizeof *carried);
    carried->thread = thread;
    carried->fetch = fetch;
    rely_fetch_start(thread->service->fetcher, request, bring_answer_back, carried);
}

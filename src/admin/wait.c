/*
 * Calls that wait for the registry's thread: what they need is copied, the request is kept, and when the work is done
 * and live it is answered, if its client is still there. Decides how much may wait. Called by the resources, and by control/ with
 * what came of the work.
 */
#include "call.h"

#include "relyd/json.h"
#include "relyd/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* All together what one body may take: whoever leaves makes room for a connection, but what he has asked for is still to
 * be done. */
static size_t limit_waiting(const struct rely_admin *admin)
{
    return rely_admin_body_limit(admin) * (1 + RELY_DOCUMENT_TREE_TIMES) + RELY_DOCUMENT_TREE_BYTES;
}

bool rely_admin_has_room(const struct rely_admin *admin, struct rely_http_request *request, size_t bytes)
{
    static const char sentence[] = "too many calls wait for the registry already: ask again later";
    size_t limit = limit_waiting(admin);
    if (admin->waiting_bytes <= limit && bytes <= limit - admin->waiting_bytes)
        return true;
    admin->note_fault(admin->service, "overloaded", sentence);
    rely_http_problem(request, 503, "overloaded", sentence, NULL);
    return false;
}

void rely_admin_wait_hold(struct rely_admin_wait *wait, size_t bytes)
{
    wait->held_bytes += bytes;
}

void *rely_admin_wait_new(const struct rely_admin_call *call, size_t size)
{
    struct rely_admin_wait *wait = rely_alloc(size);
    wait->admin = call->admin;
    wait->request = call->request;
    wait->held_bytes = size + call->request->path.len + call->request->query.len;
    rely_pool_init(&wait->pool);
    wait->path.object = call->path.object;
    wait->path.parent = rely_pool_copy(&wait->pool, call->path.parent);
    wait->path.name = rely_pool_copy(&wait->pool, call->path.name);
    return wait;
}

void rely_admin_wait_free(struct rely_admin_wait *wait)
{
    if (wait->fini != NULL)
        wait->fini(wait);
    rely_pool_fini(&wait->pool);
    free(wait);
}

void rely_admin_answer_wait_fault(const struct rely_admin_wait *wait, const char *word,
                                  const struct rely_problems *problems)
{
    char who[RELY_CALLER_NAME_SIZE];
    if (wait->request != NULL && wait->err.code == RELY_ERR_FORBIDDEN) {
        snprintf(who, sizeof who, "%.*s", RELY_ARG(wait->actor));
        rely_admin_note_refused(wait->admin, wait->request, RELY_CALLER_WITHOUT_ROLE, who, wait->err.message);
    }
    rely_admin_answer_fault(wait->admin, wait->request, &wait->err, word, problems);
}

void rely_admin_wait_end(struct rely_admin_wait *wait)
{
    wait->admin->waiting_bytes -= wait->held_bytes;
    rely_admin_wait_free(wait);
}

static void finish_wait(struct rely_work *work, const struct rely_err *err)
{
    struct rely_admin_wait *wait = (struct rely_admin_wait *)work;
    if (err == NULL && wait->is_ok && wait->has_more != NULL && wait->has_more(wait)) {
        wait->admin->ask(wait->admin->service, &wait->work);
        return; /* it may be gone by now */
    }
    if (err == NULL && wait->is_ok && wait->note != NULL)
        wait->note(wait);
    if (err != NULL)
        rely_admin_answer_fault(wait->admin, wait->request, err, NULL, NULL);
    else if (wait->request != NULL)
        wait->answer(wait);
    else if (!wait->is_ok)
        rely_admin_answer_wait_fault(wait, NULL, NULL); /* one on our side is said and counted */
    if (!wait->is_going_on)
        rely_admin_wait_end(wait);
}

static void forget_client(void *context)
{
    struct rely_admin_wait *wait = context;
    wait->request = NULL;
    if (wait->is_going_on)
        wait->left(wait);
}

void rely_admin_ask(struct rely_admin_wait *wait)
{
    if (!rely_admin_has_room(wait->admin, wait->request, wait->held_bytes)) {
        rely_admin_wait_free(wait);
        return;
    }
    wait->admin->waiting_bytes += wait->held_bytes;
    wait->work.done = finish_wait;
    rely_http_defer(wait->request, forget_client, wait);
    wait->admin->ask(wait->admin->service, &wait->work);
}

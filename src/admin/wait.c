/*
 * Calls that wait for the registry's thread: what they need is copied, the request is kept, and when the work is done
 * and live it is answered, if its client is still there. Decides nothing. Called by the resources, and by control/ with
 * what came of the work.
 */
#include "call.h"

#include <stdlib.h>

void *rely_admin_wait_new(const struct rely_admin_call *call, size_t size)
{
    struct rely_admin_wait *wait = rely_alloc(size);
    wait->admin = call->admin;
    wait->request = call->request;
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
    rely_admin_answer_fault(wait->admin, wait->request, &wait->err, word, problems);
}

static void finish_wait(struct rely_work *work, const struct rely_err *err)
{
    struct rely_admin_wait *wait = (struct rely_admin_wait *)work;
    if (err != NULL)
        rely_admin_answer_fault(wait->admin, wait->request, err, NULL, NULL);
    else if (wait->request != NULL)
        wait->answer(wait);
    else if (!wait->is_ok)
        rely_admin_answer_wait_fault(wait, NULL, NULL); /* one on our side is said and counted */
    rely_admin_wait_free(wait);
}

static void forget_client(void *context)
{
    ((struct rely_admin_wait *)context)->request = NULL;
}

void rely_admin_ask(struct rely_admin_wait *wait)
{
    wait->work.done = finish_wait;
    rely_http_defer(wait->request, forget_client, wait);
    wait->admin->ask(wait->admin->service, &wait->work);
}

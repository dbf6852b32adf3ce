/*
 * Uids that reviews of this worker have asked to have written down: each once in a while, so that neither a flood of one
 * token nor a full disk is felt by the control thread. Called by waiting.c.
 */
#include "reviewer.h"

#include "relyd/guards.h"

/* It takes a few milliseconds where the disk is well; and where it is not, this often is enough. */
#define AGAIN_AFTER_MS 1000

static struct rely_pin_asked *place_of_pin(struct rely_reviewer *reviewer, int64_t credential_id)
{
    return &reviewer->pins_asked[(uint64_t)credential_id % RELY_PINS_ASKED];
}

void rely_pin_forget(struct rely_reviewer *reviewer, int64_t credential_id)
{
    struct rely_pin_asked *asked = place_of_pin(reviewer, credential_id);
    if (asked->credential_id == credential_id)
        *asked = (struct rely_pin_asked){0};
}

void rely_pin_ask(struct rely_reviewer *reviewer, const struct rely_review *review, int64_t now_ms)
{
    const struct rely_pin pin = rely_review_pin(review);
    struct rely_pin_asked *asked = place_of_pin(reviewer, pin.credential_id);
    if (asked->credential_id == pin.credential_id && now_ms < asked->until_ms)
        return;
    *asked = (struct rely_pin_asked){pin.credential_id, now_ms + AGAIN_AFTER_MS};
    reviewer->hooks.ask_for_pin(reviewer->hooks.service, &pin);
}

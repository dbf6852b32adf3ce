/*
 * The uid of a service account: an account that was deleted and made anew has the name of the first one and not its
 * uid, and inherits no trust. Decides whether an identity that a token maps to must wait until the uid of its first use
 * is written down; that itself a review may only ask for. Called by decide.c at the end of the last step.
 */
#include "steps.h"

#include "relyd/guards.h"

/* Of a group a credential has accounts in many clusters, and no one uid; of an expression many accounts. */
bool rely_match_wants_pin(const struct rely_review *review, const struct rely_match *match)
{
    const struct rely_credential *credential = match->credential;
    return review->issuer->guards != NULL && review->issuer->guards->pins_uid && credential->account_uid == NULL &&
           credential->expression == NULL && credential->scope == review->issuer->id;
}

enum rely_reason rely_judge_pins(struct rely_review *review)
{
    for (size_t i = 0; i < review->matches.count; i++) {
        const struct rely_match *match = &review->matches.items[i];
        if (!rely_match_wants_pin(review, match))
            continue;
        review->unpinned = match->credential;
        return rely_refuse(&review->decision.detail, RELY_PIN_PENDING,
                           "this is the first use of credential %.*s/%.*s: the uid of the service account is to be "
                           "written down first",
                           RELY_ARG(match->identity->name), RELY_ARG(match->credential->name));
    }
    return RELY_OK;
}

struct rely_pin rely_review_pin(const struct rely_review *review)
{
    struct rely_pin pin = {
        .credential_id = review->unpinned->id, .issuer_id = review->issuer->id, .rule_hash = review->rule_hash};
    memcpy(pin.uid, review->claims.kubernetes.account_uid.ptr, sizeof pin.uid); /* the guard has looked at it */
    return pin;
}

/*
 * What whoever asked is told of a refusal; log and explain have the decision's own detail. Until a signature has
 * verified he may be anybody: he gets the reason and what he himself sent, and no record's name, no key's kind, no
 * limit of ours; and what the gateway's own proof said is none of its client's business. Called by the endpoints.
 */
#include "steps.h"

#include "relyd/text.h"

#include <stdio.h>

/* Bounded: a text of 80 escaped bytes is cut. */
static void put_sent(struct rely_detail *out, const char *name, struct rely_slice value)
{
    char quoted[RELY_QUOTED_SIZE];
    size_t len = strlen(out->text);
    if (value.ptr != NULL)
        snprintf(out->text + len, sizeof out->text - len, " %s: %.90s.", name, rely_quote(value, quoted));
}

static void tell_what_was_sent(const struct rely_review *review, struct rely_detail *out)
{
    const struct rely_unverified *token = &review->token;
    snprintf(out->text, sizeof out->text, "%s The token's own words:", rely_reason_sentence(review->decision.reason));
    put_sent(out, "iss", token->iss);
    put_sent(out, "kid", token->kid);
    put_sent(out, "alg", token->alg_name);
    put_sent(out, "typ", token->typ);
}

static void tell_audiences(const struct rely_review *review, struct rely_detail *out)
{
    char list[RELY_QUOTED_SIZE - 96];
    snprintf(out->text, sizeof out->text, "no audience of the token counts here; it has %s",
             rely_quote_list(review->claims.audiences, review->claims.audience_count, list, sizeof list));
}

void rely_review_tell(const struct rely_review *review, struct rely_detail *out)
{
    enum rely_reason reason = review->decision.reason;
    bool is_own_fault = reason == RELY_OVERLOADED || reason == RELY_INTERNAL_ERROR || reason == RELY_UNDECIDED;
    bool is_of_pins = reason == RELY_UID_CHANGED || reason == RELY_PIN_PENDING; /* whose credential, and which uid */
    bool is_own_matter = reason == RELY_TOKEN_TOO_LARGE || reason == RELY_CALLER_NOT_PERMITTED || is_of_pins;
    if (is_own_fault || is_own_matter)
        snprintf(out->text, sizeof out->text, "%s", rely_reason_sentence(reason));
    else if (reason == RELY_AUDIENCE_MISMATCH && review->claims.audience_count > 0)
        tell_audiences(review, out);
    else if (review->last_step == RELY_STEP_TOKEN || review->key != NULL || reason == RELY_MISSING_CLAIM)
        *out = review->decision.detail;
    else
        tell_what_was_sent(review, out);
}

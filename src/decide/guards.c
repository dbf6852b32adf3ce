/*
 * The guards of an issuer, at the end of the step "claims": what each of its tokens must be, whatever the rules say.
 * Decides by the token and the record alone: so what has passed once passes as long as the record stays, and is
 * remembered with it. Called by decide.c.
 */
#include "steps.h"

#include "relyd/guards.h"
#include "relyd/pool.h"
#include "relyd/said.h"
#include "relyd/text.h"

#include <stdio.h>

static bool has_value(const struct rely_required_claim *required, struct rely_claim_value value)
{
    for (size_t i = 0; i < value.count; i++)
        if (rely_slice_is_among(required->any_of, required->count, value.texts[i]))
            return true;
    return false;
}

/* A claim as people write it: `repository`, `/kubernetes.io/namespace`. */
static void print_claim(struct rely_slice claim, char *out, size_t size)
{
    bool is_pointer = memchr(claim.ptr, '\0', claim.len) != NULL;
    size_t used = 0;
    struct rely_slice name;
    out[0] = '\0';
    while (rely_claim_cut(&claim, &name) && used < size) {
        int more = snprintf(out + used, size - used, "%s%.*s", is_pointer ? "/" : "", RELY_ARG(name));
        used += more < 0 ? size : (size_t)more;
    }
}

static enum rely_reason refuse_required_claim(struct rely_review *review, const struct rely_required_claim *required,
                                              struct rely_claim_value value)
{
    char claim[120], quoted[RELY_QUOTED_SIZE];
    print_claim(required->claim, claim, sizeof claim);
    if (value.count == 0)
        return rely_refuse(&review->decision.detail, RELY_GUARD_REFUSED,
                           "guard requiredClaims of the issuer: the token has no text in its claim %s", claim);
    return rely_refuse(&review->decision.detail, RELY_GUARD_REFUSED,
                       "guard requiredClaims of the issuer: the token has %.120s in its claim %s",
                       rely_quote_list(value.texts, value.count, quoted, sizeof quoted), claim);
}

static enum rely_reason judge_required(struct rely_review_work *work, const struct rely_guards *guards)
{
    for (size_t i = 0; i < guards->required_count; i++) {
        const struct rely_required_claim *required = &guards->required[i];
        const struct rely_claim_value value =
            rely_claim_said(&work->verified.claims, required->claim, work->request->pool);
        if (!has_value(required, value))
            return refuse_required_claim(work->review, required, value);
    }
    return RELY_OK;
}

static bool is_allowed_subject(const struct rely_guards *guards, struct rely_slice subject)
{
    for (size_t i = 0; i < guards->subject_count; i++)
        if (rely_text_matches(guards->subjects[i], subject))
            return true;
    return guards->subject_count == 0;
}

static enum rely_reason judge_guards(struct rely_review_work *work, const struct rely_guards *guards)
{
    char quoted[RELY_QUOTED_SIZE];
    struct rely_review *review = work->review;
    struct rely_detail *detail = &review->decision.detail;
    const struct rely_claims *claims = &review->claims;
    if (guards->is_single_audience && claims->audience_count != 1)
        return rely_refuse(detail, RELY_GUARD_REFUSED,
                           "guard singleAudience of the issuer: the token has %zu audiences", claims->audience_count);
    if (guards->refuses_stretched && claims->kubernetes.has_warn_after)
        return rely_refuse(detail, RELY_GUARD_REFUSED,
                           "guard refuseStretched of the issuer: the token has warnafter: its API server has "
                           "stretched it; ask for one with expirationSeconds and an audience");
    if (guards->pins_uid && !rely_text_is_uuid(claims->kubernetes.account_uid))
        return rely_refuse(detail, RELY_GUARD_REFUSED,
                           "guard pinServiceAccountUid of the issuer: the token names no service account's uid");
    if (!is_allowed_subject(guards, claims->subject))
        return rely_refuse(detail, RELY_GUARD_REFUSED, "guard allowedSubjects of the issuer: the subject is %s",
                           rely_quote(claims->subject, quoted));
    return judge_required(work, guards);
}

enum rely_reason rely_judge_guards(struct rely_review_work *work)
{
    const struct rely_guards *guards = work->review->issuer->guards;
    enum rely_reason reason = RELY_OK;
    if (guards != NULL && work->known == NULL)
        reason = judge_guards(work, guards);
    work->review->is_guarded = reason == RELY_OK;
    return reason;
}

/*
 * Judges the times of a token against a given now and its issuer's leeway. Has no clock of its own; does not read
 * claims. Called by the review's step `claims` (decide/), also for tokens that the cache knows.
 */
#include "relyd/claims.h"

static enum rely_reason check_validity(const struct rely_claims *claims, double leeway, double now,
                                       struct rely_detail *detail)
{
    if (now >= claims->expires + leeway) /* RFC 7519 s4.1.4: "on or after" */
        return rely_refuse(detail, RELY_EXPIRED, "`exp` was %.0f s ago; the leeway is %.0f s", now - claims->expires,
                           leeway);
    if (claims->has_not_before && claims->not_before > claims->expires)
        return rely_refuse(detail, RELY_INVALID_CLAIM, "`nbf` is %.0f s after `exp`",
                           claims->not_before - claims->expires);
    if (claims->has_not_before && now < claims->not_before - leeway)
        return rely_refuse(detail, RELY_NOT_YET_VALID, "`nbf` is %.0f s ahead; the leeway is %.0f s",
                           claims->not_before - now, leeway);
    if (claims->has_issued_at && claims->issued_at > now + leeway)
        return rely_refuse(detail, RELY_ISSUED_IN_FUTURE, "`iat` is %.0f s ahead; the leeway is %.0f s",
                           claims->issued_at - now, leeway);
    return RELY_OK;
}

/* From `iat` alone: measured from now, or from an `nbf` that may be written later, any token is short in its last hour.
 */
static enum rely_reason check_lifetime(const struct rely_claims *claims, int64_t max_lifetime_s,
                                       struct rely_detail *detail)
{
    if (max_lifetime_s <= 0)
        return RELY_OK;
    if (!claims->has_issued_at)
        return rely_refuse(detail, RELY_MISSING_CLAIM,
                           "`iat` is missing, and the issuer limits how long a token lives");
    double lifetime = claims->expires - claims->issued_at;
    if (lifetime > (double)max_lifetime_s)
        return rely_refuse(detail, RELY_LIFETIME_TOO_LONG, "the token lives %.0f s; the issuer's limit is %lld s",
                           lifetime, (long long)max_lifetime_s);
    return RELY_OK;
}

enum rely_reason rely_claims_check_time(const struct rely_claims *claims, const struct rely_time_rules *rules,
                                        int64_t now_s, struct rely_detail *detail)
{
    /* Whole seconds below 2^53: doubles hold them, their sums and their differences exactly. */
    enum rely_reason reason = check_validity(claims, rules->leeway_s, (double)now_s, detail);
    return reason == RELY_OK ? check_lifetime(claims, rules->max_lifetime_s, detail) : reason;
}

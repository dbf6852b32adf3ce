/*
 * claims: typed, bounded views of a verified payload, and the rules about time.
 */
#ifndef RELYD_CLAIMS_H
#define RELYD_CLAIMS_H

#include "relyd/limits.h"
#include "relyd/reason.h"

struct rely_verified;

/* Claims of a Kubernetes service-account token (`kubernetes.io`); all slices absent when it is none. */
struct rely_kubernetes_claims {
    struct rely_slice namespace_name, account_name, account_uid;
    struct rely_slice pod_name, pod_uid, secret_uid, node_name, node_uid;
    bool has_warn_after; /* stretched to a year by its API server */
};

/* The registered claims. Slices are borrowed from the verified payload. Times are seconds since 1970, cut to whole. */
struct rely_claims {
    struct rely_slice subject;          /* `sub`, or what stands for it; never empty */
    const struct rely_slice *audiences; /* borrowed from the pool; none is empty */
    size_t audience_count;              /* at least 1 */
    double expires, not_before, issued_at;
    bool has_not_before, has_issued_at;
    struct rely_slice token_id; /* `jti`, ptr NULL: absent */
    struct rely_kubernetes_claims kubernetes;
};

/**
 * Read the registered claims of a verified token.
 *
 * Spec:     RFC 7519 s4.1.1-4.1.7, s2 (NumericDate may have a fraction; here 0 < exp and |t| <= RELY_TIME_MAX_S); RFC
 * 8725 s3.8, s3.9. `exp`, `aud` and the subject are required; `aud` is a string or a non-empty array of at most
 *           RELY_AUDIENCES_IN_TOKEN_MAX non-empty strings. `kubernetes.io`, when an object that names a namespace or
 *           an account, must agree with a `sub` that begins with `system:serviceaccount:`.
 * In:       subject_claim - where the subject is a string that is not empty, as rely_claim_parse has it; `sub`, which need
 *           not be there then, is such a string where it is. ptr NULL: `sub` is the subject.
 * Out:      *out - set only on RELY_OK.
 * Reasons:  RELY_OK, RELY_MISSING_CLAIM, RELY_INVALID_CLAIM.
 */
enum rely_reason rely_claims_read(const struct rely_verified *verified, struct rely_slice subject_claim,
                                  struct rely_pool *pool, struct rely_claims *out, struct rely_detail *detail);

/* An issuer's rules about time. */
struct rely_time_rules {
    int32_t leeway_s;       /* 0..RELY_LEEWAY_MAX_S */
    int64_t max_lifetime_s; /* 0 = no limit; else from iat, which is then required, to exp */
};

/**
 * Judge the times of the claims.
 *
 * Spec:     RFC 7519 s4.1.4-4.1.6: valid while now < exp + leeway; not before nbf - leeway; iat at most now + leeway.
 *           nbf after exp is refused as invalid, unless exp is past.
 * In:       now_s - seconds since 1970.
 * Reasons:  RELY_OK, RELY_EXPIRED, RELY_NOT_YET_VALID, RELY_ISSUED_IN_FUTURE, RELY_LIFETIME_TOO_LONG,
 * RELY_INVALID_CLAIM, RELY_MISSING_CLAIM; the detail says the difference in seconds.
 */
enum rely_reason rely_claims_check_time(const struct rely_claims *claims, const struct rely_time_rules *rules,
                                        int64_t now_s, struct rely_detail *detail);

#endif

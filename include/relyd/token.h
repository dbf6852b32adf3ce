/*
 * token: splits and decodes a compact JWS. All that it yields is unverified, and has types of its own, so that
 * reading a claim before the signature has been checked does not compile.
 */
#ifndef RELYD_TOKEN_H
#define RELYD_TOKEN_H

#include "relyd/reason.h"
#include "relyd/view.h"

/* The algorithms that relyd knows; their bit in a set is 1u << alg. */
enum rely_alg {
    RELY_ALG_UNKNOWN = 0, /* anything else, `none` and HMAC among them: never allowed */
    RELY_ALG_RS256,
    RELY_ALG_RS384,
    RELY_ALG_RS512,
    RELY_ALG_PS256,
    RELY_ALG_PS384,
    RELY_ALG_PS512,
    RELY_ALG_ES256,
    RELY_ALG_ES384,
    RELY_ALG_ES512,
    RELY_ALG_EDDSA,
    RELY_ALG_ML_DSA_44, /* RFC 9964; these three only where libcrypto has them: ml_dsa.h */
    RELY_ALG_ML_DSA_65,
    RELY_ALG_ML_DSA_87,
    RELY_ALG_COUNT
};

typedef uint32_t rely_alg_set; /* bits 1u << enum rely_alg */
#define RELY_ALGS_ALL ((rely_alg_set)(((1u << RELY_ALG_COUNT) - 1) & ~1u))

/* Exact, case-sensitive (RFC 7515 s4.1.1). "Ed25519" (RFC 9864) is RELY_ALG_EDDSA, whose name is "EdDSA". */
enum rely_alg rely_alg_of(struct rely_slice name);
const char *rely_alg_name(enum rely_alg alg);

static inline bool rely_alg_is_ml_dsa(enum rely_alg alg)
{
    return alg >= RELY_ALG_ML_DSA_44 && alg <= RELY_ALG_ML_DSA_87;
}

/* The payload before its signature has been checked. The word below does not compile but in files that define
 * RELY_READS_UNVERIFIED, which only token/ and signature/ may (tests/house/test_fences.py). */
struct rely_unverified_payload {
    struct rely_view view_;
};

#ifndef RELY_READS_UNVERIFIED
#pragma GCC poison view_
#endif

/* A token that has been read and not yet believed. Borrowed from the token's text and the pool. */
struct rely_unverified {
    enum rely_alg alg; /* RELY_ALG_UNKNOWN: a name that relyd does not know */
    struct rely_slice alg_name;
    struct rely_slice kid;    /* ptr NULL: absent */
    struct rely_slice typ;    /* ptr NULL: absent */
    struct rely_slice iss;    /* as claimed; ptr NULL: absent. Only to find the keys to check it with */
    struct rely_slice issuer; /* by what records are found: iss; without one, of a `sub` that is a SPIFFE ID U+0000,
                                     * which no iss has, and its trust domain. ptr NULL: neither */
    struct rely_slice signed_bytes; /* header "." payload, as sent */
    struct rely_slice signature;    /* decoded */
    struct rely_unverified_payload payload;
};

/**
 * Read a compact JWS without believing it.
 *
 * Spec:     RFC 7515 s3.1, s4, s5.2 steps 1-4, s7.1; RFC 8725 s3.11. Exactly three parts; `crit` and `b64` are refused
 *           in every form; `jku`, `x5u`, `jwk`, `x5c` are ignored and never followed. Nothing is trimmed.
 * In:       text      - the token as sent, any bytes.
 *           max_bytes - token.max_bytes.
 * Out:      *out - set only on RELY_OK; pool and text must outlive it.
 * Reasons:  RELY_OK, RELY_NO_TOKEN (empty), RELY_TOKEN_TOO_LARGE, RELY_MALFORMED_TOKEN,
 *           RELY_UNSUPPORTED_CRITICAL_HEADER, RELY_INVALID_CLAIM (`iss` is no string).
 * Cost:     one pass over each part.
 */
enum rely_reason rely_token_read(struct rely_slice text, size_t max_bytes, struct rely_pool *pool,
                                 struct rely_unverified *out, struct rely_detail *detail);

#endif

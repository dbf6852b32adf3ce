/*
 * keyset: JWKS documents to sets of public keys, what a set holds, and when two are the same.
 */
#ifndef RELYD_KEYSET_H
#define RELYD_KEYSET_H

#include "relyd/base.h"
#include "relyd/condition.h"
#include "relyd/limits.h"

struct rely_key;

/* The usable keys of one JWKS, and what was skipped and why. Immutable. */
struct rely_keyset;

/* A key of the document that cannot be used. */
struct rely_keyset_skipped {
    struct rely_slice kid; /* borrowed from the key set; ptr NULL: it had none */
    bool is_weak;          /* too small, too large, a broken exponent, or ROCA: a token naming it is `weak_key` */
    bool is_unavailable;   /* ML-DSA that this process cannot verify: a token naming it is `algorithm_unavailable` */
    bool is_private;       /* it has private members */
    bool is_taken_out;     /* by rely_keyset_take_out */
    uint8_t material[RELY_MATERIAL_BYTES]; /* rely_key_material of what could have been used; else zeros */
    size_t place;                          /* in the document's array */
    char why[160];
};

/* How large a new set may be: keys.max_count, keys.max_bytes. Entries that are skipped count. */
struct rely_keyset_limits {
    size_t max_count, max_bytes;
    bool may_be_costly; /* the record's allowCostlyKeys: RSA above 4096 bits or with an exponent above 65537 is used */
};

/* Those of a set that has been accepted before: it stays good when the settings are lowered. */
static inline struct rely_keyset_limits rely_keyset_most(bool may_be_costly)
{
    return (struct rely_keyset_limits){RELY_JWKS_KEYS_MAX, RELY_JWKS_BYTES_MAX, may_be_costly};
}

/**
 * Read the keys of a JWKS document. A set that is to be in force is read by rely_signature_accept, which makes the
 * verifiers, too.
 *
 * Spec:     RFC 7517 s4, s5; RFC 7518 s6.2, s6.3; RFC 8037 s2. RSA 2048-8192 bits with odd n, no ROCA, and
 *           3 <= e < 2^32 odd; EC P-256, P-384, P-521 with x and y of exactly the field's length and on the curve
 *           (infinity cannot be spelled); Ed25519 without its small-order points. Keys of unknown kty, crv, alg or use,
 *           or without the operation "verify", and entries that are no objects are skipped, not an error (RFC 7517 s5).
 *           Symmetric keys are never used, nor are keys with private members: whoever has read the set can sign with
 *           them. A member that is null is absent.
 * In:       jwks - at most RELY_JWKS_BYTES_MAX, at most RELY_JWKS_KEYS_MAX keys, costly ones too: rely_keyset_most. New
 *           sets are parsed within the settings and the record's allowCostlyKeys.
 * Out:      the key set, or NULL with the fault. A set without one usable key is a fault: an issuer that publishes it
 *           must not wipe out the last good keys. A set whose only keys are weak is accepted all the same, with no
 *           usable key, so that its tokens are told about the weak key.
 * Fails:    RELY_ERR_INVALID, with its cause: KeysRead's or KeysUsable's.
 * Owner:    the caller: rely_keyset_free, when no snapshot holds it.
 */
struct rely_keyset *rely_keyset_parse(struct rely_slice jwks, struct rely_err *err);
/* The same for a set that is fetched or given now. */
struct rely_keyset *rely_keyset_parse_within(struct rely_slice jwks, const struct rely_keyset_limits *limits,
                                             struct rely_err *err);
void rely_keyset_free(struct rely_keyset *keyset);
/* Append to *out the key set that public keys and certificates in PEM are, each key once, with the `kid` that Kubernetes
 * gives it. Fails: RELY_ERR_INVALID: another block than those, a damaged one, none, or more than the limits allow. */
RELY_MUST_USE bool rely_keyset_of_pem(struct rely_slice pem, const struct rely_keyset_limits *limits,
                                      struct rely_buf *out, struct rely_err *err);

/* Has the set a usable key? One of weak keys alone has none: it may stand where nothing stood before, but may neither
 * be uploaded nor take the place of a set that has one. Fails: RELY_ERR_INVALID, with why the first key is skipped, and
 * the cause. */
RELY_MUST_USE bool rely_keyset_check_usable(const struct rely_keyset *keyset, struct rely_err *err);

/* Take a usable key out of a set that no snapshot has yet: it is skipped from now on, and `why` says so. */
void rely_keyset_take_out(struct rely_keyset *keyset, size_t index, const char *why);
/* How many were. */
size_t rely_keyset_taken_out_count(const struct rely_keyset *keyset);
/* Append to *out the document that a set was made of, without the keys that were taken out. */
void rely_keyset_print_rest(const struct rely_keyset *keyset, struct rely_slice jwks, struct rely_buf *out);

/* What a set holds: its usable keys, in the document's order, and those that were skipped. Borrowed from the set. */
size_t rely_keyset_count(const struct rely_keyset *keyset);
const struct rely_key *rely_keyset_at(const struct rely_keyset *keyset, size_t index);
size_t rely_keyset_skipped_count(const struct rely_keyset *keyset);
const struct rely_keyset_skipped *rely_keyset_skipped_at(const struct rely_keyset *keyset, size_t index);

/* Does the set have this kid (usable or not)? Tells records that share one `iss` apart. */
bool rely_keyset_has_kid(const struct rely_keyset *keyset, struct rely_slice kid);

/* Do two sets let the same tokens through: the same usable keys under the same names, in any order? */
bool rely_keyset_has_same_keys(const struct rely_keyset *a, const struct rely_keyset *b);
/* And do they refuse with the same words: the same keys skipped, for weakness or not? */
bool rely_keyset_is_same(const struct rely_keyset *a, const struct rely_keyset *b);

#endif

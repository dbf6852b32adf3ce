/*
 * guards: what each token of an issuer must be, whatever the rules say.
 */
#ifndef RELYD_GUARDS_H
#define RELYD_GUARDS_H

#include "relyd/base.h"
#include "relyd/limits.h"

/* A claim that must have one of these values. */
struct rely_required_claim {
    struct rely_slice claim; /* as rely_term_claim has it (expression.h) */
    const struct rely_slice *any_of;
    size_t count;
};

/* An issuer's: all in the issuer's one block of memory. */
struct rely_guards {
    const struct rely_required_claim *required;
    size_t required_count;
    const struct rely_slice *subjects; /* patterns, of which one must match; none: any subject */
    size_t subject_count;
    bool is_single_audience;
    bool refuses_stretched;
    bool pins_uid; /* a credential of an exact subject gets the uid of the first account that uses it */
};

/* The uid that the first use of a credential asks to have written down. */
struct rely_pin {
    int64_t credential_id, issuer_id;
    uint64_t rule_hash; /* rely_rule_hash of the issuer and the subject that the review saw */
    char uid[RELY_ACCOUNT_UID_CHARS];
};

#endif

/*
 * said: what a token says in any of its claims, for expressions.
 */
#ifndef RELYD_SAID_H
#define RELYD_SAID_H

#include "relyd/expression.h"
#include <stdint.h>

struct rely_pool;
struct rely_view;

/* Where a claim is, as rely_term_claim has it; 0: nowhere. */
uint32_t rely_claim_find(const struct rely_view *view, struct rely_slice claim);

/**
 * What a payload says in one claim.
 *
 * Spec:     a string is its text; numbers and truth values are as the token spells them; of a list each item that is one
 *           of these. Nothing else is a text: null, an object, a list within a list. RFC 6901 s4: a name leads to a
 *           member of an object, or is the place of an item in a list (`0`, `12`; never `01` or `-`).
 * In:       view - of a payload that verified. claim - as rely_term_claim has it.
 * Returns:  its texts, in their order; none when the claim is not there. Borrowed from the view and the pool.
 */
struct rely_claim_value rely_claim_said(const struct rely_view *view, struct rely_slice claim, struct rely_pool *pool);

struct rely_said_place;

/* A payload of which many rules ask for the same claims. */
struct rely_said_once {
    const struct rely_view *view;   /* borrowed */
    struct rely_pool *pool;         /* borrowed */
    struct rely_said_place *places; /* of the pool; NULL: nothing has been asked yet */
};

/**
 * The same, for whoever asks again and again: each claim is looked for once, and no text is there twice.
 *
 * In:       claim - lives as long as the pool's memory.
 * Cost:     of all that is asked of one payload: once its length for each claim, however many rules ask, as long as they
 *           ask for a few dozen.
 */
struct rely_claim_value rely_claim_said_once(struct rely_said_once *once, struct rely_slice claim);

/* Is it a list that has more than texts? */
bool rely_claim_is_mixed(const struct rely_view *view, struct rely_slice claim);

#endif

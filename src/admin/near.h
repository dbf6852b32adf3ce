/*
 * near: one thing that came near to a token, compared with it field by field. What explain_near.c and explain_rules.c
 * share.
 */
#ifndef RELYD_ADMIN_NEAR_H
#define RELYD_ADMIN_NEAR_H

#include "compare.h"

struct rely_credential;
struct rely_explanation;
struct rely_json;

struct rely_near_item {
    size_t weight;            /* how far it is: those of its fields together */
    struct rely_json *shown;  /* owned until it is shown */
    struct rely_json *fields; /* of a credential; borrowed from shown */
    char sentence[800];
};

/* Add one field to a comparison. In: token, credential - what stands on both sides, taken over. */
void rely_near_compare_field(struct rely_near_item *near, const char *name, struct rely_json *token,
                             struct rely_json *credential, const struct rely_difference *difference);
/* Add a credential's expression: the first of its terms that the token does not match. */
void rely_near_compare_expression(const struct rely_explanation *explanation, const struct rely_credential *credential,
                                  struct rely_near_item *near);

#endif

/*
 * compare: how two texts differ, in words that an engineer can act upon.
 */
#ifndef RELYD_ADMIN_COMPARE_H
#define RELYD_ADMIN_COMPARE_H

#include "relyd/base.h"

/* A sentence for "the token has `token`, the other side has `other`"; empty for equal texts. */
struct rely_difference {
    char note[512];
    size_t weight; /* 0: equal; the more, the farther: nearness in explain is its order */
};

/* In: other_name - "credential", "record": for the sentence. */
void rely_difference_find(struct rely_slice token, struct rely_slice other, const char *other_name,
                          struct rely_difference *out);

#endif

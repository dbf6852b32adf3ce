/*
 * response_header: what a route's headers of an allow are called, and what they say. Judged when a route is written, and
 * read once for each edition that has it.
 */
#ifndef RELYD_RESPONSE_HEADER_H
#define RELYD_RESPONSE_HEADER_H

#include "relyd/base.h"

struct rely_pool;

/* In the order of their words. */
enum rely_header_source {
    RELY_HEADER_IDENTITY = 1, /* its name */
    RELY_HEADER_USERNAME,
    RELY_HEADER_UID,
    RELY_HEADER_GROUPS,
    RELY_HEADER_ISSUER, /* the record's name */
    RELY_HEADER_SUBJECT,
    RELY_HEADER_AUDIENCE, /* those by which the token passed */
    RELY_HEADER_CREDENTIAL,
    RELY_HEADER_DECISION_ID,
    RELY_HEADER_EXPIRES,
    RELY_HEADER_CLAIM /* `claim:` and a claim's name or pointer */
};
#define RELY_HEADER_SOURCES "|identity|username|uid|groups|issuer|subject|audience|credential|decisionId|expires"

/* What is read of a source. */
struct rely_header_meaning {
    enum rely_header_source source; /* 0: there is no such source */
    struct rely_slice claim;        /* RELY_HEADER_CLAIM: as rely_term_claim has it, in the pool */
};

/* In: text - `username`, `claim:/kubernetes.io/namespace`. */
struct rely_header_meaning rely_header_read_source(struct rely_slice text, struct rely_pool *pool);

/* Why no route's header is called so: a static phrase, such as "`x-relyd-` is relyd's own"; NULL: one may be. */
const char *rely_header_find_fault(struct rely_slice name);

#endif

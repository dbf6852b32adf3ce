/*
 * named_route: a route of the registry as reviews see it: what restricts them beside credentials. Part of a snapshot.
 * (A row of a plane's paths is route.h's.)
 */
#ifndef RELYD_NAMED_ROUTE_H
#define RELYD_NAMED_ROUTE_H

#include "relyd/model.h"
#include "relyd/response_header.h"

struct rely_snapshot;

/* Of lists but audiences: in the order of bytes, to be looked up. */
struct rely_sorted_texts {
    const struct rely_slice *items;
    size_t count; /* 0: no restriction */
};

/* One header of an allow. */
struct rely_named_header {
    struct rely_slice name;
    struct rely_slice source; /* as it was written */
    struct rely_header_meaning meaning;
};

/* Every pointer is owned by this object's one block of memory. */
struct rely_named_route {
    int64_t id; /* row */
    struct rely_slice name;
    const struct rely_slice *audiences; /* as they were given; at most RELY_AUDIENCES_PER_CREDENTIAL_MAX */
    size_t audience_count;              /* 0: any */
    bool trusts_callers_audiences;      /* of a TokenReview: its own stand for the caller's; there are some */
    bool answers_as_cluster;            /* a TokenReview: the user is the token's service account */
    struct rely_sorted_texts identities, groups, issuers, issuer_groups, callers;
    const struct rely_named_header *headers; /* of an allow of the check */
    size_t header_count;                     /* 0: those that an allow has otherwise */
    bool strips_authorization;
    bool passes_preflight;
    int32_t cache_s;
    bool is_shadow; /* for the check alone */
};

/* What reviews see of a record. */
struct rely_named_route *rely_named_route_of_record(const struct rely_route_record *record);
/* NULL: there is none. Borrowed from the snapshot. */
const struct rely_named_route *rely_snapshot_route(const struct rely_snapshot *snapshot, struct rely_slice name);
/* Is it among them? Not in an empty list: what that means, the caller says. */
bool rely_sorted_has(const struct rely_sorted_texts *texts, struct rely_slice text);

#endif

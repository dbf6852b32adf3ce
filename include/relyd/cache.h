/*
 * cache: the verified-token cache in front of the review, one per worker. It holds that a token's signature has
 * verified, and its claims; never the token, never a refusal, never a decision: time, rules and identities are judged
 * on every hit.
 */
#ifndef RELYD_CACHE_H
#define RELYD_CACHE_H

#include "relyd/base.h"

struct rely_review;
struct rely_review_request;
struct rely_snapshot;

struct rely_cache;

/* A signature that verified is verified again after ten minutes at most, less up to two and a half, which depend on the
 * token: what came at once is not verified again at once. */
#define RELY_CACHE_VERIFY_AGAIN_S 600
#define RELY_CACHE_VERIFY_SPREAD_S 150

/**
 * Make a cache.
 *
 * In:       entries - how many tokens it holds, at RELY_CACHE_ENTRY_BYTES each; 0: none, and NULL is returned, which
 * every function below takes as a cache that holds nothing. Owner:    the caller: rely_cache_free.  Thread: one.
 */
#define RELY_CACHE_ENTRY_BYTES 1024
struct rely_cache *rely_cache_new(size_t entries);
void rely_cache_free(struct rely_cache *cache);

/**
 * Review one token as rely_review_run does, without verifying its signature again when that was done.
 *
 * A token that verified is remembered under a fingerprint of all its bytes (rely_fingerprint_of, under a secret of this
 * cache), with the edition of the issuer's record and key set that was taken from the snapshot before verifying: any
 * change of either, or of which records share its `iss`, makes it unknown again, and so does time
 * (RELY_CACHE_VERIFY_AGAIN_S). A token gets its place when it is seen a second time, so that a flood of distinct tokens
 * evicts nothing; where places are scarce, those that are used least give way.
 *
 * Returns:  whether it was a hit.
 * Out:      *review - always set whole; on a hit its token and candidates are empty, all else is as if it had been
 * read. Its slices may point into the cache: valid until the next call.
 */
bool rely_cache_review(struct rely_cache *cache, const struct rely_snapshot *snapshot,
                       const struct rely_review_request *request, int64_t now_s, struct rely_review *review);

/* For tests. */
struct rely_cache_counts {
    uint64_t hits, misses, admitted, evicted;
    size_t largest_bytes; /* the largest entry there ever was */
};
struct rely_cache_counts rely_cache_count(const struct rely_cache *cache);

#endif

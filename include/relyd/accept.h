/*
 * accept: which keys may be in force: where they may come from, how many they may be, how long they count, and whose
 * they are. Asked by the keeper for what it fetches, and by whoever loads or takes a key set. Thread: any.
 */
#ifndef RELYD_ACCEPT_H
#define RELYD_ACCEPT_H

#include "relyd/keyset.h"

struct rely_config;
struct rely_fetcher;
struct rely_issuer;
struct rely_snapshot;

/* keys.max_count, keys.max_bytes. In: may_be_costly - the record's allowCostlyKeys. */
struct rely_keyset_limits rely_accept_limits(const struct rely_config *config, bool may_be_costly);
/* May keys be fetched where these were, under today's settings? False: err says why not. */
RELY_MUST_USE bool rely_accept_source(const struct rely_fetcher *fetcher, const struct rely_issuer *issuer,
                                      struct rely_slice keys_url, struct rely_err *err);
/* How old an issuer's fetched keys may become: its record's maxKeyAgeSeconds, else keys.max_age_s. */
int64_t rely_accept_max_age_s(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer);
/* Until when a key set counts that was fetched at this time. A time that has not come yet is no time: such a set
 * counts no more. */
int64_t rely_accept_until_s(int64_t fetched_s, int64_t max_age_s, int64_t now_s);

#define RELY_REPEATS_SIZE 400

/* Another record that has the key, one of the names of this one, and lets tokens through; NULL: none. In: issuer - of it
 * its id and its names count. */
const struct rely_issuer *rely_repeats_find_holder(const struct rely_snapshot *snapshot,
                                                   const struct rely_issuer *issuer, const struct rely_key *key,
                                                   int64_t now_s);
/* Take the keys that other records of one of its names have in this snapshot out of a set that is not in it yet.
 * Out: sentence - for people, naming both records; empty when there are none.  Returns how many were taken out. */
size_t rely_repeats_take_out(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer,
                             struct rely_keyset *keyset, int64_t now_s, char sentence[RELY_REPEATS_SIZE]);
/* Has nobody a key that was taken out of this record's set in force? */
bool rely_repeats_are_free(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer, int64_t now_s);
/* Has another record of one of its names a key of this one's set in force? */
bool rely_repeats_are_in(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer, int64_t now_s);

#endif

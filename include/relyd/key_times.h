/*
 * key_times: since when a key is known, when it was last used, and key sets that hold on to keys which their issuer does
 * not show any more.
 */
#ifndef RELYD_KEY_TIMES_H
#define RELYD_KEY_TIMES_H

#include "relyd/base.h"

struct rely_key;
struct rely_keyset;

/* How exact the time of a key's last use is: nothing that threads share is written more often for it. */
#define RELY_KEY_USE_EVERY_S 60

/* A token that this key has signed was good, but for what its rules may say. Thread: any. */
void rely_key_note_use(const struct rely_key *key, int64_t now_s);
/* When that was last noted; 0: not since the process began. Thread: any. */
int64_t rely_key_used_s(const struct rely_key *key);
/* When it was fetched first; 0: not known, as it was stored before the process began. */
int64_t rely_key_first_seen_s(const struct rely_key *key);

/* Keys of a new set that no snapshot has yet, and that `before` has as well, have its times; the others, of which the
 * number is returned, are seen first now. In: before - NULL: none. */
size_t rely_keyset_carry_times(struct rely_keyset *keyset, const struct rely_keyset *before, int64_t now_s);

/* Append to *out a line for each key but guests: who it is, and when it was seen first, where that is known. */
void rely_keyset_print_seen(const struct rely_keyset *keyset, struct rely_buf *out);
/* Keys of a new set that no snapshot has yet were first seen when these lines say so. */
void rely_keyset_recall_seen(struct rely_keyset *keyset, struct rely_slice lines);

/* A set without any key. Owner: the caller: rely_keyset_free. */
struct rely_keyset *rely_keyset_new_empty(void);
/**
 * Add to a set that no snapshot has yet the keys that `present` holds and it has not: without verifiers. Those that it
 * has alone are guests from now on.
 *
 * In:       present - may be such a set itself: its guests are left behind.
 */
void rely_keyset_join(struct rely_keyset *keyset, const struct rely_keyset *present);
/* Is it in its set for as long as that holds on to others only? */
bool rely_key_is_guest(const struct rely_key *key);
/* Would every token that is tried under keys of `present`, but for its guests, be tried in `joined` as well? Not where one token
 * would have more to try than it may. */
bool rely_keyset_keeps_tries(const struct rely_keyset *joined, const struct rely_keyset *present);

/* Has the set this very key, under the same kid and for the same algorithms? */
bool rely_keyset_has_key(const struct rely_keyset *keyset, const struct rely_key *key);
/* A number for the usable keys, whatever their order: the same in every process. Not a digest: decides nothing that a
 * stranger would gain by. */
uint64_t rely_keyset_hash(const struct rely_keyset *keyset);

/* How often a SPIFFE bundle asks to be fetched, at least 1 s; -1: it does not say, or the set is no bundle. */
int64_t rely_keyset_refresh_hint_s(const struct rely_keyset *keyset);

#endif

/*
 * keys: key sets and how far relyd comes with them as JSON, for the keys resource, for issuers and for explain.
 */
#ifndef RELYD_ADMIN_KEYS_H
#define RELYD_ADMIN_KEYS_H

#include "call.h"

struct rely_issuer;
struct rely_key;
struct rely_keyset;

struct rely_json *rely_admin_show_algs(uint32_t algs);
struct rely_json *rely_admin_show_key(const struct rely_key *key);
/* Members `keys` and `skipped`; both empty for NULL. */
void rely_admin_set_keyset(struct rely_json *object, const struct rely_keyset *keyset);
/* The record of an issuer, as the snapshot has it, of its representation; NULL: it is not in it. */
const struct rely_issuer *rely_admin_find_issuer(const struct rely_snapshot *snapshot, const struct rely_json *shown);
/* An issuer's representation with its status, if that is known. Owner: the caller. */
struct rely_json *rely_admin_show_issuer(const struct rely_admin *admin, struct rely_json *record, int64_t issuer_id);
/* What was measured of a condition, or else what its cause says; and, of what is not True, what mends it. */
void rely_admin_put_condition(struct rely_buf *out, const struct rely_issuer_conditions *conditions,
                              enum rely_condition condition);
/* Members lastAttemptAt, lastSuccessAt, nextFetchAt, lastError, as far as they are known. */
void rely_admin_set_key_status(struct rely_json *object, const struct rely_admin *admin, int64_t issuer_id);

#endif

/*
 * keys: key sets as JSON, for the keys resource and for explain.
 */
#ifndef RELYD_ADMIN_KEYS_H
#define RELYD_ADMIN_KEYS_H

#include "call.h"

struct rely_key;
struct rely_keyset;

struct rely_json *rely_admin_show_algs(uint32_t algs);
struct rely_json *rely_admin_show_key(const struct rely_key *key);
/* Members `keys` and `skipped`; both empty for NULL. */
void rely_admin_set_keyset(struct rely_json *object, const struct rely_keyset *keyset);
/* Members lastAttemptAt, lastSuccessAt, nextFetchAt, lastError, as far as they are known. */
void rely_admin_set_key_status(struct rely_json *object, const struct rely_admin *admin, int64_t issuer_id);

#endif

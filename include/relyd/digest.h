/*
 * digest: hashes for folders that may not spell OpenSSL. Decides nothing.
 */
#ifndef RELYD_DIGEST_H
#define RELYD_DIGEST_H

#include "relyd/base.h"

#define RELY_SHA256_BYTES 32
/* FIPS 180-4. False: no memory. Thread: any. */
bool rely_signature_sha256(struct rely_slice bytes, uint8_t out[RELY_SHA256_BYTES]);

/* HMAC-SHA-256 (RFC 2104) under one key, ready to be used again and again. */
struct rely_hmac;
#define RELY_HMAC_KEY_BYTES 32

/* Want of memory ends the process, as everywhere. Owner: the caller: rely_hmac_free. */
struct rely_hmac *rely_hmac_new(const uint8_t key[RELY_HMAC_KEY_BYTES]);
void rely_hmac_free(struct rely_hmac *hmac);
/* Thread: the owner alone. */
void rely_hmac_of(struct rely_hmac *hmac, struct rely_slice text, uint8_t out[RELY_SHA256_BYTES]);

#endif

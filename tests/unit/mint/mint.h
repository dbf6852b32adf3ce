/*
 * mint: makes keys, JWKs and tokens for tests, right ones and deliberately broken ones. Uses OpenSSL and none of
 * relyd's code, so that an error of relyd's own encoding cannot hide itself.
 *
 * Every text and byte string that is returned belongs to mint and lives until mint_reset; keys live for the process.
 * A failure of the library aborts: a test that cannot mint has no result. One thread.
 *
 *     const struct mint_key *key = mint_key("rsa2048");
 *     const char *jwks = mint_jwks(mint_jwk(key, "a", "RS256"), NULL);
 *     const char *token = mint_token(key, "RS256", "{\"alg\":\"RS256\",\"kid\":\"a\"}", "{\"sub\":\"x\"}");
 */
#ifndef RELYD_TESTS_MINT_H
#define RELYD_TESTS_MINT_H

#include "relyd/base.h"

struct mint_key;

/**
 * A key pair, generated at the first call with this name and the same at every later one.
 *
 * In:       kind - rsa1024, rsa1536, rsa2048, rsa3072, rsa4096, rsa2048e3 (public exponent 3), p256, p384, p521,
 *           secp256k1, ed25519. What follows a '#' tells keys of one kind apart: "p256#attacker".
 */
const struct mint_key *mint_key(const char *kind);

/* printf into a text that mint owns. */
const char *mint_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Bytes that mint owns: a copy, `count` times the same byte, or a + b. */
struct rely_slice mint_copy(struct rely_slice bytes);
struct rely_slice mint_repeat(char byte, size_t count);
struct rely_slice mint_concat(struct rely_slice a, struct rely_slice b);
/* Unpadded base64url. */
const char *mint_base64(struct rely_slice bytes);
/* The bytes of unpadded base64url text; aborts on anything else. */
struct rely_slice mint_decode(const char *base64);

/* --- keys as JWK ------------------------------------------------------------------------------- */

/* The public JWK. kid and alg may be NULL: the member is absent. */
const char *mint_jwk(const struct mint_key *key, const char *kid, const char *alg);
/* The same with further members as JSON text, such as "\"use\":\"enc\"". */
const char *mint_jwk_with(const struct mint_key *key, const char *kid, const char *alg, const char *members);
/* {"keys":[...]} of JWK texts up to NULL. */
const char *mint_jwks(const char *jwk, ...) __attribute__((sentinel));
/* The same of an array of JWK texts. */
const char *mint_jwks_of(const char *const *jwks, size_t count);

/* A raw part of the public key, big-endian: RSA "n" or "e"; EC "x" or "y" (full length); Ed25519 "x"; and "d" of each.
 */
struct rely_slice mint_key_part(const struct mint_key *key, const char *part);
/* The public key in the formats that HS256 confusion attacks use for the secret: "spki-pem", "spki-der", "pkcs1-pem".
 */
struct rely_slice mint_key_public(const struct mint_key *key, const char *format);

/* --- tokens ------------------------------------------------------------------------------------ */

/**
 * A compact JWS of these header and payload bytes, whatever they are, signed with alg.
 *
 * In:       alg - how to sign: RS/PS 256-384-512, RS1 (SHA-1), ES256-512, EdDSA. The header may say otherwise. ES
 *           algorithms take any EC key and write R || S in the length of the key's field. NULL: no signature
 *           (the token ends with its second dot).
 */
const char *mint_token(const struct mint_key *key, const char *alg, const char *header, const char *payload);
const char *mint_token_bytes(const struct mint_key *key, const char *alg, struct rely_slice header,
                             struct rely_slice payload);
/* The same with HMAC: alg HS256, HS384 or HS512; any secret, also an empty one. */
const char *mint_token_hmac(const char *alg, struct rely_slice secret, const char *header, const char *payload);
/* A token around signature bytes that the caller made. */
const char *mint_token_around(const char *header, const char *payload, struct rely_slice signature);
/* Parts that are not base64url: signed as sent, `text.text` and the signature behind it. */
const char *mint_token_as_sent(const struct mint_key *key, const char *alg, const char *header_text,
                               const char *payload_text);

/* What is signed: base64url(header) "." base64url(payload). */
struct rely_slice mint_signed_bytes(const char *header, const char *payload);
/* The signature bytes as JWS has them (EC: R || S). */
struct rely_slice mint_sign(const struct mint_key *key, const char *alg, struct rely_slice bytes);
struct rely_slice mint_hmac(const char *alg, struct rely_slice secret, struct rely_slice bytes);
/* ECDSA's R || S as DER, also when it is no right signature. */
struct rely_slice mint_der(struct rely_slice raw);

/* A part of a token (0 header, 1 payload, 2 signature), decoded; and the token with another signature. */
struct rely_slice mint_part(const char *token, int part);
const char *mint_resign(const char *token, struct rely_slice signature);

/* Free every text. Keys stay. */
void mint_reset(void);

#endif

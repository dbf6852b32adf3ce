/*
 * Hostile tokens through the whole review: one table for each section, one row or more for each id, and the exact
 * reason that each must be refused with. The world: issuer https://issuer.example (record "issuer", leeway 0) with
 * three keys, `rsa` (RS256), `ec` (ES256) and `ec384` (ES384); subject system:serviceaccount:team-a:builder with
 * audience relyd is identity "builder"; account admin is identity "admin". A second record, https://other.example, has
 * another key under the kid `rsa`. token.max_bytes is at its largest, so that what large tokens hold is reached.
 */
#ifndef RELYD_TESTS_HOSTILE_H
#define RELYD_TESTS_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mint.h"
#include "relyd/config.h"
#include "relyd/decide.h"

#define NOW 1800000000
#define ISSUER "https://issuer.example"
#define OTHER_ISSUER "https://other.example"
#define AUDIENCE "relyd"
#define SUBJECT "system:serviceaccount:team-a:builder"

struct hostile_case {
    const char *id;
    struct rely_slice (*token)(const char *text); /* makes the token of `text` */
    const char *text;
    enum rely_reason reason;
    const char *(*jwks)(const char *text); /* the issuer's key set of `jwks_text`; NULL: the world's */
    const char *jwks_text;
    const char *fault;      /* the key set is refused with this in the message; the issuer then has none */
    rely_alg_set algs;      /* that the record allows; 0: all */
    int64_t max_lifetime_s; /* 0: no limit */
    size_t max_bytes;       /* 0: RELY_TOKEN_BYTES_MAX */
};

/* One row; further fields may follow the text, such as ROW("F20", ..., RELY_X, .max_lifetime_s = 60). */
#define ROW(id_, token_, text_, ...)                                                                                   \
    {                                                                                                                  \
        .id = (id_), .token = (token_), .text = (text_), .reason = __VA_ARGS__                                         \
    }

struct hostile_section {
    char letter;
    int last; /* ids letter01 to letter<last>, none left out */
    const struct hostile_case *cases;
    size_t count;
};

extern const struct hostile_section hostile_a, hostile_b, hostile_c, hostile_d, hostile_e, hostile_f, hostile_g,
    hostile_h;

#define SECTION(name, letter_, last_id, table)                                                                         \
    const struct hostile_section name = {(letter_), (last_id), (table), sizeof(table) / sizeof((table)[0])}

/* --- what tokens are made of (build.c); all texts are mint's ------------------------------------ */

#define RSA_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"
#define EC_HEADER "{\"alg\":\"ES256\",\"kid\":\"ec\"}"

const struct mint_key *rsa_key(void);
const struct mint_key *ec_key(void);
const struct mint_key *ec384_key(void);
const struct mint_key *attacker_key(void); /* RSA; in no set */

const char *world_jwks(void);
/* A token's text as bytes. */
struct rely_slice as_slice(const char *token);
/* The right claims. */
const char *right_payload(void);
/* The right claims with one of them set to this JSON text, or without it (NULL); new names come last. */
const char *payload_with(const char *claim, const char *json);
/* The right claims with further members as JSON text: `"exp":1`, also when the name is there already. */
const char *payload_and(const char *members);

/* Token makers that several sections use. Signed rightly with the key `rsa` unless they say otherwise. */
struct rely_slice right_token(const char *text);     /* text is not used */
struct rely_slice with_header(const char *header);   /* this header */
struct rely_slice with_payload(const char *payload); /* this payload */
struct rely_slice with_members(const char *members); /* payload_and */
struct rely_slice as_is(const char *token);          /* these bytes */

#endif

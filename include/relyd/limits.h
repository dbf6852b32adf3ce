/*
 * limits: every size that a stranger or an administrator controls, in one place; what is a setting has its default in
 * settings.def alone. Characters are Unicode code
 * points. The registry's schema repeats those of stored fields, so that no path can break them.
 */
#ifndef RELYD_LIMITS_H
#define RELYD_LIMITS_H

#include <stddef.h>

/* tokens */
#define RELY_TOKEN_BYTES_MAX 65536 /* whatever token.max_bytes says */
#define RELY_JSON_DEPTH_MAX 32
#define RELY_DOCUMENT_DEPTH_MAX 64 /* of bodies, key sets and discovery documents */
/* What a parsed document takes: at most so many times its text and a little. Of nothing but `{},` it would be 90 times.
 */
#define RELY_DOCUMENT_TREE_TIMES 16
#define RELY_DOCUMENT_TREE_BYTES ((size_t)1024 * 1024)
#define RELY_KID_BYTES_MAX 600
#define RELY_AUDIENCES_IN_TOKEN_MAX 1000
#define RELY_LEEWAY_DEFAULT_S 60
#define RELY_LEEWAY_MAX_S 300
/* NumericDate: kube-apiserver mints 136 years (2^32 s); milliseconds (1.7e12) are a mistake. 1e11 is the year 5138. */
#define RELY_TIME_MAX_S 100000000000LL

/* the registry's database */
#define RELY_ISSUERS_MAX 100000
#define RELY_REVOCATIONS_MAX 1000000
#define RELY_REVOCATIONS_KEPT 100000 /* of those, for administrators: clusters' reports do not fill them */
#define RELY_ISSUER_GROUPS_MAX 10000
#define RELY_ISSUERS_PER_GROUP_MAX 10000
#define RELY_GROUPS_PER_ISSUER_MAX 16
#define RELY_ROUTES_MAX 10000
#define RELY_BUILT_IN_ROUTE "default" /* the route that is always there */
#define RELY_LOCK_WAIT_MS 5000        /* for another program's lock, from when the work was asked for */

/* names and texts */
#define RELY_NAME_MIN 3
#define RELY_NAME_MAX 120
#define RELY_TEXT_MAX 600 /* issuer URL, subject, audience, description: characters */
#define RELY_AUDIENCES_PER_CREDENTIAL_MAX 10
#define RELY_GROUPS_PER_IDENTITY_MAX 64
#define RELY_OWNERS_PER_IDENTITY_MAX 16
#define RELY_CERTIFICATES_PER_IDENTITY_MAX 20
#define RELY_EXTRA_KEYS_MAX 32
#define RELY_EXTRA_VALUES_MAX 16
#define RELY_USERNAME_MAX 253
#define RELY_NAMES_PER_ROUTE_MAX 1000
#define RELY_ROUTE_CACHE_MAX_S 300
#define RELY_RESPONSE_HEADERS_MAX 32
#define RELY_HEADER_NAME_MAX 64
#define RELY_HEADER_SOURCE_MAX 206 /* characters: `claim:` and RELY_CLAIM_NAME_MAX */
#define RELY_CA_BUNDLE_BYTES_MAX 65536
#define RELY_TYPES_PER_ISSUER_MAX 8
#define RELY_REQUIRED_CLAIMS_MAX 16 /* of an issuer's guards; of each so many values */
#define RELY_REQUIRED_VALUES_MAX 64
#define RELY_ALLOWED_SUBJECTS_MAX 32
#define RELY_PIN_CLAIMS_MAX 16
#define RELY_PUSH_SUBJECTS_MAX 8
#define RELY_LIVENESS_RATE_MAX 1000 /* questions in a second to an issuer's cluster */
#define RELY_LIVENESS_RATE_DEFAULT 50
#define RELY_TOMBSTONES_AT_ONCE 1000
#define RELY_TOMBSTONES_A_TURN 64  /* then it is the turn of others at the registry */
#define RELY_TOMBSTONES_MAX 100000 /* in force, of one issuer */
#define RELY_ACCOUNT_UID_CHARS 36  /* a UUID */

/* claims matching expressions: characters, as they count in the language (expression.h) */
#define RELY_EXPRESSION_CHARS_MAX 4096
#define RELY_EXPRESSION_TERMS_MAX 16
#define RELY_EXPRESSIONS_ALIKE_MAX 1000
#define RELY_ALIASES_PER_ISSUER_MAX 8
#define RELY_TRUST_DOMAIN_MAX 255
#define RELY_CLAIM_NAME_MAX 200
#define RELY_CLAIM_VALUE_MAX 2048 /* a longer one matches nothing */
#define RELY_ITEMS_SOUGHT_MAX 256 /* of a list in a token: by so many of its items rules are looked up */

/* keys */
#define RELY_MATERIAL_BYTES 32         /* of a public key: SHA-256 */
#define RELY_JWKS_BYTES_MAX 8388608    /* whatever keys.max_bytes says */
#define RELY_JWKS_KEYS_MAX 1000        /* whatever keys.max_count says */
#define RELY_KEYS_SEEN_BYTES_MAX 32768 /* a line for each: see key_times.h */
#define RELY_KEY_HISTORY_MAX 32        /* changes of an issuer's keys that are remembered */
#define RELY_KEY_HISTORY_BYTES_MAX 65536
#define RELY_DISCOVERY_BYTES_MAX 65536
#define RELY_KEY_TRIES_MAX 8        /* keys of one record tried for one token */
#define RELY_CANDIDATES_MAX 32      /* records of one `iss` that may have signed one token */
#define RELY_ORDINARY_KEY_COST 8    /* of one key at most: RSA up to 4096, P-256, Ed25519; no more is never refused */
#define RELY_TRY_COST_MAX 128       /* of all tries of one token together, a verification under RSA-2048 being 1 */
#define RELY_FETCHES_PER_MISS_MAX 8 /* records of one `iss` asked for a key that none of them has */
#define RELY_RSA_BITS_MIN 2048
#define RELY_RSA_BITS_MAX 8192
/* What lies above costs a worker so much that a record must say `allowCostlyKeys`. */
#define RELY_RSA_BITS_CHEAP 4096
#define RELY_RSA_EXPONENT_CHEAP 65537

#define RELY_KEY_AGE_MIN_S 3600 /* as those of keys.max_age_s */
#define RELY_KEY_AGE_MAX_S 31536000

/* fetching */
/* How many run at once, by their kind (fetch.h). What somebody waits for has most: hundreds of issuers may have fallen
 * silent since their last good fetch, and nobody knows which. */
#define RELY_FETCH_PLACES_REFRESH 32
#define RELY_FETCH_PLACES_WANTED 192
#define RELY_FETCH_PLACES_FIRST 64
#define RELY_FETCH_PLACES_RETRY 64
#define RELY_FETCH_PLACES_LIVE 32
#define RELY_FETCH_PLACES_DOUBTED 32
#define RELY_FETCH_PLACES                                                                                              \
    (RELY_FETCH_PLACES_REFRESH + RELY_FETCH_PLACES_WANTED + RELY_FETCH_PLACES_FIRST + RELY_FETCH_PLACES_RETRY +        \
     RELY_FETCH_PLACES_LIVE + RELY_FETCH_PLACES_DOUBTED)
#define RELY_FETCH_PLACES_MIN 16 /* where descriptors are few: at least one of each kind */
/* Of one place: the two ends that a resolver's thread is heard by and its own sockets, or two attempts to connect. */
#define RELY_FETCH_DESCRIPTORS 4
/* What a place holds beside the answer: libcurl's handle and buffers, TLS with a CA bundle, the resolver's stack and
 * the headers (145 KiB were measured with 1,000 of these), and 100 KiB of certificates, OpenSSL's limit, which take
 * five times that when they are parsed. */
#define RELY_FETCH_PLACE_BYTES ((size_t)768 * 1024)
/* Of an answer each place holds so much; what is longer comes from what all have in common, and there is no more. So a
 * key set of ordinary size is fetched whatever others send. */
#define RELY_FETCH_SHARE_BYTES ((size_t)128 * 1024)
#define RELY_FETCH_COMMON_BYTES ((size_t)64 * 1024 * 1024)
#define RELY_FETCH_BEARER_BYTES_MAX 16384 /* of a token that is sent, as many as a request's may have */
#define RELY_FETCH_CONNECT_MS 4000        /* name, TCP and TLS: room for two lost packets (RFC 6298: 1 s, 2 s) */
#define RELY_FETCH_ETAG_BYTES_MAX 256
#define RELY_FETCH_URL_BYTES_MAX 2048
#define RELY_FETCH_HEADER_BYTES_MAX ((size_t)32 * 1024) /* of all answers of a transfer, interim ones included */
#define RELY_FETCH_HEADER_LINES_MAX 256                 /* of the same: libcurl keeps 80 bytes beside each */
#define RELY_FETCH_REDIRECTS_MAX 3                      /* within one origin */
#define RELY_PROXY_SIZE 280                             /* http://HOST:PORT of 255 and 5, with its NUL */
/* What Kubernetes gives each pod, and the word that stands for its token where a file's name may. */
#define RELY_POD_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"
#define RELY_POD_TOKEN "@pod"
#define RELY_FILE_NAME_MAX 120   /* below keys.folder */
#define RELY_KEY_FILES_HELD 8    /* read and not judged yet; each may have keys.max_bytes */
#define RELY_FOLDER_SIZE 1025    /* keys.folder, with its NUL */
#define RELY_FETCH_RANGES_MAX 64 /* fetch.deny_ranges, fetch.allow_ranges: each */

/* requests */
#define RELY_REQUEST_AUDIENCES_MAX 32
#define RELY_DATA_BODY_BYTES_MAX ((size_t)128 * 1024)
#define RELY_REVIEW_BODY_BYTES_MAX ((size_t)1024 * 1024)       /* of the native review, which takes many tokens */
#define RELY_REVIEW_VALUES_MAX 16384                           /* in such a body: names, strings, numbers, lists */
#define RELY_BATCH_TOKENS_MAX 256                              /* of one call */
#define RELY_BATCH_ANSWER_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of its answers together */
#define RELY_BATCHED_TOKENS_MAX 65536                          /* that wait for their turn, in one worker */
#define RELY_ADMIN_BODY_BYTES_MAX ((size_t)2 * 1024 * 1024)
#define RELY_WAITING_BYTES_MAX ((size_t)8 * 1024 * 1024) /* of requests that wait for keys, in one worker */
#define RELY_MATCHES_MAX 64                              /* identities in one native review */
#define RELY_LIST_DEFAULT 100
#define RELY_LIST_MAX 1000

#endif

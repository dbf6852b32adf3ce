/*
 * Any bytes as a JWKS document, as a hostile or broken issuer may send them. Looks at what holds for every accepted
 * set: counts within limits, keys that name algorithms, findable by their own kid; and at the error queue.
 */
#include "relyd/json.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_itself(const struct rely_keyset *keyset, const struct rely_key *key)
{
    const struct rely_key *found[RELY_KEY_TRIES_MAX];
    size_t count = 0;
    struct rely_detail detail;
    struct rely_unverified token = {.kid = rely_key_kid(key)};
    for (token.alg = RELY_ALG_UNKNOWN; token.alg < RELY_ALG_COUNT; token.alg++) {
        enum rely_reason reason = rely_keys_find(keyset, &token, found, &count, &detail);
        bool may_fit = (rely_key_algs(key) & (1u << token.alg)) != 0;
        RELY_ASSERT(may_fit ? reason == RELY_OK || reason == RELY_KEY_UNKNOWN : true);
        RELY_ASSERT(reason != RELY_OK || (count >= 1 && count <= RELY_KEY_TRIES_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_keyset_parse(rely_slice((const char *)data, size), &err);
    RELY_ASSERT(ERR_peek_error() == 0);
    RELY_ASSERT((keyset == NULL) == (err.code == RELY_ERR_INVALID));
    if (keyset == NULL)
        return 0;
    size_t count = rely_keyset_count(keyset), skipped = rely_keyset_skipped_count(keyset);
    RELY_ASSERT(count + skipped >= 1 && count + skipped <= RELY_JWKS_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct rely_key *key = rely_keyset_at(keyset, i);
        RELY_ASSERT((rely_key_algs(key) & RELY_ALGS_ALL) != 0 && (rely_key_algs(key) & ~RELY_ALGS_ALL) == 0);
        RELY_ASSERT(rely_key_kind(key)[0] != '\0');
        find_itself(keyset, key);
    }
    for (size_t i = 0; i < skipped; i++)
        RELY_ASSERT(rely_keyset_skipped_at(keyset, i)->why[0] != '\0');
    rely_keyset_free(keyset);
    return 0;
}

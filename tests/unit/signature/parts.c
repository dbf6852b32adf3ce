/* What both binaries of the tests of signature/ share: keys by algorithm, and tokens without the code of token/. */
#define RELY_READS_UNVERIFIED
#include "tests.h"

#include <openssl/err.h>

const struct pairing pairings[PAIRING_COUNT] = {
    {"RS256", "rsa2048", "rsa2048#2", RELY_ALG_RS256}, {"RS384", "rsa2048", "rsa2048#2", RELY_ALG_RS384},
    {"RS512", "rsa2048", "rsa2048#2", RELY_ALG_RS512}, {"PS256", "rsa2048", "rsa2048#2", RELY_ALG_PS256},
    {"PS384", "rsa2048", "rsa2048#2", RELY_ALG_PS384}, {"PS512", "rsa2048", "rsa2048#2", RELY_ALG_PS512},
    {"ES256", "p256", "p256#2", RELY_ALG_ES256},       {"ES384", "p384", "p384#2", RELY_ALG_ES384},
    {"ES512", "p521", "p521#2", RELY_ALG_ES512},       {"EdDSA", "ed25519", "ed25519#2", RELY_ALG_EDDSA},
};

struct rely_keyset *set_of(const struct mint_key *key, const char *alg)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset =
        rely_signature_accept(rely_slice_of(mint_jwks(mint_jwk(key, "k", alg), NULL)), NULL, &err);
    if (keyset == NULL)
        fail_msg("refused: %s", err.message);
    return keyset;
}

struct rely_unverified read_parts(const char *token, enum rely_alg alg)
{
    struct rely_unverified out = {.alg = alg};
    out.signed_bytes = rely_slice(token, (size_t)(strrchr(token, '.') - token));
    out.signature = mint_part(token, 2);
    out.payload.view_.count = 4711;
    return out;
}

void check_reason(const struct rely_keyset *keyset, const struct rely_unverified *token, enum rely_reason reason)
{
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    struct rely_verified verified = {.key = NULL};
    struct rely_detail detail = {""};
    enum rely_reason answer = rely_signature_verify(token, key, &verified, &detail);
    if (answer != reason)
        fail_msg("%s (%s), not %s", rely_reason_word(answer), detail.text, rely_reason_word(reason));
    assert_int_equal(ERR_peek_error(), 0);
    assert_ptr_equal(verified.key, answer == RELY_OK ? key : NULL);
    assert_int_equal(verified.claims.count, answer == RELY_OK ? 4711 : 0);
    assert_int_equal(detail.text[0] == '\0', answer == RELY_OK);
}

/* signature/: right signatures of every algorithm, and what a refusal leaves behind. */
#include "tests.h"

#include "relyd/json.h"

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
    struct rely_keyset *keyset = rely_keyset_parse(rely_slice_of(mint_jwks(mint_jwk(key, "k", alg), NULL)), &err);
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

static void accept_each_alg(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        const struct mint_key *key = mint_key(pairings[i].kind);
        struct rely_keyset *keyset = set_of(key, NULL);
        for (int round = 0; round < 3; round++) { /* the second on are served by the thread's kept contexts */
            const char *payload = mint_print("{\"round\":%d}", round);
            struct rely_unverified token =
                read_parts(mint_token(key, pairings[i].alg, HEADER, payload), pairings[i].number);
            check_reason(keyset, &token, RELY_OK);
        }
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void accept_larger_rsa(void **state)
{
    (void)state;
    static const char *const kinds[] = {"rsa3072", "rsa4096", "rsa2048e3"};
    for (size_t i = 0; i < 3; i++) {
        const struct mint_key *key = mint_key(kinds[i]);
        struct rely_keyset *keyset = set_of(key, NULL);
        struct rely_unverified plain = read_parts(mint_token(key, "RS512", HEADER, PAYLOAD), RELY_ALG_RS512);
        struct rely_unverified salted = read_parts(mint_token(key, "PS384", HEADER, PAYLOAD), RELY_ALG_PS384);
        check_reason(keyset, &plain, RELY_OK);
        check_reason(keyset, &salted, RELY_OK);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void refuse_other_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        struct rely_keyset *keyset = set_of(mint_key(pairings[i].kind), NULL);
        const char *text = mint_token(mint_key(pairings[i].other), pairings[i].alg, HEADER, PAYLOAD);
        struct rely_unverified token = read_parts(text, pairings[i].number);
        check_reason(keyset, &token, RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static void refuse_other_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        const struct mint_key *key = mint_key(pairings[i].kind);
        struct rely_keyset *keyset = set_of(key, NULL);
        const char *text = mint_token(key, pairings[i].alg, HEADER, PAYLOAD);
        struct rely_unverified token = read_parts(text, pairings[i].number);
        check_reason(keyset, &token, RELY_OK);
        struct rely_unverified shorter = token;
        shorter.signed_bytes.len--;
        check_reason(keyset, &shorter, RELY_BAD_SIGNATURE);
        ((char *)token.signature.ptr)[token.signature.len / 2] ^= 1;
        check_reason(keyset, &token, RELY_BAD_SIGNATURE);
        ((char *)token.signature.ptr)[token.signature.len / 2] ^= 1;
        check_reason(keyset, &token, RELY_OK); /* a refusal leaves nothing behind in kept contexts */
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* A key bound to one algorithm refuses the others of its family, also when the caller forgot to ask rely_keys_find. */
static void refuse_unbound_algs(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        const struct mint_key *key = mint_key(pairings[i].kind);
        struct rely_keyset *keyset = set_of(key, pairings[i].alg);
        const char *text = mint_token(key, pairings[i].alg, HEADER, PAYLOAD);
        for (enum rely_alg alg = RELY_ALG_UNKNOWN; alg < RELY_ALG_COUNT; alg++) {
            struct rely_unverified token = read_parts(text, alg);
            check_reason(keyset, &token, alg == pairings[i].number ? RELY_OK : RELY_BAD_SIGNATURE);
        }
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* The digest and the padding come from the algorithm: a signature of RS256 is none of PS256 or RS512. */
static void refuse_crossed_algs(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048");
    struct rely_keyset *keyset = set_of(key, NULL);
    for (size_t made = 0; made < 6; made++)
        for (size_t claimed = 0; claimed < 6; claimed++) {
            const char *text = mint_token(key, pairings[made].alg, HEADER, PAYLOAD);
            struct rely_unverified token = read_parts(text, pairings[claimed].number);
            check_reason(keyset, &token, made == claimed ? RELY_OK : RELY_BAD_SIGNATURE);
        }
    struct rely_unverified sha1 = read_parts(mint_token(key, "RS1", HEADER, PAYLOAD), RELY_ALG_RS256);
    check_reason(keyset, &sha1, RELY_BAD_SIGNATURE);
    rely_keyset_free(keyset);
    mint_reset();
}

int main(void)
{
    rely_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_each_alg),     cmocka_unit_test(accept_larger_rsa),
        cmocka_unit_test(refuse_other_keys),   cmocka_unit_test(refuse_other_bytes),
        cmocka_unit_test(refuse_unbound_algs), cmocka_unit_test(refuse_crossed_algs),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL) + run_broken_tests() + run_thread_tests() +
           run_mac_tests() + run_table_tests() + run_attach_tests() + run_rsa_tests();
}

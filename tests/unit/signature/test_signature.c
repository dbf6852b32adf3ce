/* signature/: right signatures of every algorithm, and what a refusal leaves behind. */
#include "tests.h"

#include "relyd/json.h"

#include <openssl/err.h>

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
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL) + run_verifier_tests() + run_broken_tests() +
           run_thread_tests() + run_table_tests() + run_attach_tests() + run_rsa_tests();
}

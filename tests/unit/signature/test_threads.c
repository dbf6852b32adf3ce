/*
 * Worker threads verify under keys that the control thread frees and replaces meanwhile. What they keep of a freed
 * key must never answer for a new key at the same address.
 */
#include "tests.h"

#include <openssl/err.h>
#include <pthread.h>

/* More keys than a thread keeps contexts: slots are taken over and over. */
static void replace_many_keys(void **state)
{
    (void)state;
    const struct mint_key *first = mint_key("p256"), *second = mint_key("p256#2");
    struct rely_unverified token = read_parts(mint_token(first, "ES256", HEADER, PAYLOAD), RELY_ALG_ES256);
    const char *jwks[2] = {mint_jwks(mint_jwk(first, "k", NULL), NULL), mint_jwks(mint_jwk(second, "k", NULL), NULL)};
    for (int i = 0; i < 300; i++) {
        struct rely_err err = {0};
        struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks[i % 2]), NULL, &err);
        check_reason(keyset, &token, i % 2 == 0 ? RELY_OK : RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

struct shared {
    const struct rely_keyset *keyset;
    struct rely_unverified tokens[PAIRING_COUNT];
    pthread_barrier_t turn;
};

#define WORKERS 3
#define TURNS 6

static void *verify_each_turn(void *memory)
{
    struct shared *shared = memory;
    uintptr_t wrong = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(&shared->turn); /* the new edition is there */
        for (size_t i = 0; i < PAIRING_COUNT; i++) {
            struct rely_verified verified;
            struct rely_detail detail;
            enum rely_reason wanted = turn % 2 == 0 ? RELY_OK : RELY_BAD_SIGNATURE;
            wrong += rely_signature_verify(&shared->tokens[i], rely_keyset_at(shared->keyset, i), &verified, &detail) !=
                     wanted;
            wrong += ERR_peek_error() != 0;
        }
        pthread_barrier_wait(&shared->turn); /* nobody holds it any more */
    }
    return (void *)wrong;
}

static struct rely_keyset *parse_all(bool is_right)
{
    const char *jwks[PAIRING_COUNT];
    struct rely_err err = {0};
    for (size_t i = 0; i < PAIRING_COUNT; i++)
        jwks[i] = mint_jwk(mint_key(is_right ? pairings[i].kind : pairings[i].other), "k", pairings[i].alg);
    return rely_signature_accept(rely_slice_of(mint_jwks_of(jwks, PAIRING_COUNT)), NULL, &err);
}

static void verify_in_threads(void **state)
{
    (void)state;
    struct shared shared = {.keyset = NULL};
    for (size_t i = 0; i < PAIRING_COUNT; i++)
        shared.tokens[i] =
            read_parts(mint_token(mint_key(pairings[i].kind), pairings[i].alg, HEADER, PAYLOAD), pairings[i].number);
    assert_int_equal(pthread_barrier_init(&shared.turn, NULL, WORKERS + 1), 0);
    pthread_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, verify_each_turn, &shared), 0);
    for (int turn = 0; turn < TURNS; turn++) {
        struct rely_keyset *keyset = parse_all(turn % 2 == 0);
        assert_non_null(keyset);
        shared.keyset = keyset;
        pthread_barrier_wait(&shared.turn);
        pthread_barrier_wait(&shared.turn);
        shared.keyset = NULL;
        rely_keyset_free(keyset);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        void *wrong = NULL;
        pthread_join(workers[i], &wrong);
        assert_null(wrong);
    }
    pthread_barrier_destroy(&shared.turn);
    mint_reset();
}

int run_thread_tests(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replace_many_keys), cmocka_unit_test(verify_in_threads)};
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}

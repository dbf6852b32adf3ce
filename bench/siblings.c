/*
 * bench_siblings RECORDS PLACE REVIEWS: reviews of one never-seen RS256 token among so many records that share its
 * `iss`, the rightful one registered as the PLACE-th. Prints microseconds a review; bench/siblings counts its
 * instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mint.h"
#include "relyd/decide.h"
#include "relyd/edition.h"
#include "relyd/pool.h"
#include "relyd/signature.h"

#define ISSUER "https://kubernetes.default.svc.cluster.local"
#define NOW_S 1800000000
#define SETS 8 /* of the neighbours, who share them: keys take long to make under valgrind */

static struct rely_keyset *parse_set(const char *jwks)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
    if (keyset == NULL) {
        fprintf(stderr, "bench_siblings: %s\n", err.message);
        exit(EXIT_FAILURE);
    }
    return keyset;
}

static void put_cluster(struct rely_snapshot *snapshot, long id, const struct rely_keyset *keyset)
{
    static const struct rely_slice type = {"jwt", 3};
    struct rely_issuer issuer = {.id = id,
                                 .name = RELY_LIT("cluster"),
                                 .url = RELY_LIT(ISSUER),
                                 .algs = RELY_ALGS_ALL,
                                 .leeway_s = 60,
                                 .types = &type,
                                 .type_count = 1,
                                 .is_enabled = true,
                                 .keyset = keyset,
                                 .keys_until_s = INT64_MAX};
    rely_snapshot_put_issuer(snapshot, rely_issuer_copy(&issuer));
}

static struct rely_snapshot *make_clusters(long records, long place)
{
    const struct rely_slice audience = RELY_LIT("relyd-bench");
    struct rely_identity app = {
        .id = 1, .name = RELY_LIT("app"), .uid = RELY_LIT("u"), .username = RELY_LIT("app"), .is_enabled = true};
    struct rely_credential rule = {.id = 1,
                                   .scope = place,
                                   .identity_id = 1,
                                   .name = RELY_LIT("rule"),
                                   .subject = RELY_LIT("system:serviceaccount:team-a:app"),
                                   .audiences = &audience,
                                   .audience_count = 1,
                                   .is_enabled = true};
    struct rely_snapshot *snapshot = rely_snapshot_next(NULL, 1);
    snapshot->token_max_bytes = 16384;
    const struct rely_keyset *own = parse_set(mint_jwks(mint_jwk(mint_key("rsa2048"), "the-one", NULL), NULL));
    const struct rely_keyset *others[SETS];
    for (long i = 0; i < SETS; i++)
        others[i] =
            parse_set(mint_jwks(mint_jwk(mint_key(mint_print("p256#%ld", i)), mint_print("kid-%ld", i), NULL), NULL));
    for (long id = 1; id <= records; id++)
        put_cluster(snapshot, id, id == place ? own : others[id % SETS]);
    rely_snapshot_put_identity(snapshot, rely_identity_copy(&app));
    rely_snapshot_put_credential(snapshot, rely_credential_copy(&rule));
    return snapshot;
}

static double now_in_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* A function of its own, by whose name instructions are collected. */
static __attribute__((noinline)) bool review_once(const struct rely_snapshot *snapshot,
                                                  const struct rely_review_request *request, struct rely_review *review)
{
    rely_review_run(snapshot, request, NOW_S, review);
    return review->decision.reason == RELY_OK && review->tries == 1;
}

int main(int argc, char **argv)
{
    long records = argc > 1 ? atol(argv[1]) : 1, place = argc > 2 ? atol(argv[2]) : 1;
    long reviews = argc > 3 ? atol(argv[3]) : 1000;
    struct rely_snapshot *snapshot = make_clusters(records, place);
    struct rely_pool pool;
    struct rely_review_request request = {
        .token = rely_slice_of(mint_token(mint_key("rsa2048"), "RS256", "{\"alg\":\"RS256\",\"kid\":\"the-one\"}",
                                          "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:team-a:app\","
                                          "\"aud\":[\"relyd-bench\"],\"exp\":4000000000}")),
        .is_single = true,
        .pool = &pool};
    static struct rely_review review;
    rely_pool_init(&pool);
    double begin = now_in_us();
    for (long i = 0; i < reviews; i++) {
        if (!review_once(snapshot, &request, &review)) {
            fprintf(stderr, "bench_siblings: %s\n", review.decision.detail.text);
            return EXIT_FAILURE;
        }
        rely_pool_reset(&pool);
    }
    printf("%ld records, the %ldth: %.2f us a review\n", records, place, (now_in_us() - begin) / (double)reviews);
    return EXIT_SUCCESS;
}

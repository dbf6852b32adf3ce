/*
 * bench_steps: microseconds of each step of a review, in-process and without HTTP: the middle of several runs of each.
 * Uses the same functions as the workers, on a snapshot of 1,000 credentials. Prints a table, or JSON with --json.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../src/decide/fingerprint.h"
#include "mint.h"
#include "relyd/cache.h"
#include "relyd/claims.h"
#include "relyd/config.h"
#include "relyd/credentials.h"
#include "relyd/decide.h"
#include "relyd/edition.h"
#include "relyd/keys.h"
#include "relyd/map.h"
#include "relyd/model.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/token.h"

#define ISSUER "https://oidc.bench.example/00000"
#define SUBJECT "system:serviceaccount:team-00011:app-07"
#define NOW_S 1800000000
#define CREDENTIALS 1000
#define RUNS 7
#define RUN_NS 20000000.0

/* Everything that a step needs to be run alone, again and again. */
struct scene {
    struct rely_snapshot *snapshot;
    const struct rely_issuer *issuer;
    struct rely_cache *cache;
    struct rely_pool pool;
    struct rely_slice text;
    struct rely_unverified token;
    const struct rely_key *keys[RELY_KEY_TRIES_MAX];
    struct rely_verified verified;
    struct rely_claims claims;
    struct rely_review review;
    struct rely_fingerprint_key *fingerprint_key;
    EVP_MAC_CTX *poly1305;
    EVP_MD_CTX *sha256;
    EVP_MD *sha256_method;
};

static struct scene scene;
static bool is_json;
static int printed_count;

static double now_in_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- the steps, each leaving its result where the next one looks for it --- */

static bool run_token_read(void)
{
    struct rely_detail detail;
    return rely_token_read(scene.text, RELY_DEFAULT_token_max_bytes, &scene.pool, &scene.token, &detail) == RELY_OK;
}

static bool run_issuer(void)
{
    size_t cursor = 0;
    scene.issuer = rely_snapshot_issuer_by_name(scene.snapshot, scene.token.iss, &cursor);
    return scene.issuer != NULL;
}

static bool run_keys(void)
{
    struct rely_detail detail;
    size_t count = 0;
    return rely_keys_find(scene.issuer->keyset, &scene.token, scene.keys, &count, &detail) == RELY_OK;
}

static bool run_signature(void)
{
    struct rely_detail detail;
    return rely_signature_verify(&scene.token, scene.keys[0], &scene.verified, &detail) == RELY_OK;
}

/* Hangs a table on the token's key, as the service does for keys that are used often. */
static bool attach_table(void)
{
    struct rely_key_point point;
    struct rely_key_table *table = rely_key_point_of(scene.keys[0], &point) ? rely_key_table_new(&point) : NULL;
    return table != NULL && rely_key_table_attach(scene.keys[0], table);
}

static bool run_claims(void)
{
    struct rely_detail detail;
    struct rely_time_rules rules = {.leeway_s = 60};
    return rely_claims_read(&scene.verified, scene.issuer->subject_claim, &scene.pool, &scene.claims, &detail) ==
               RELY_OK &&
           rely_claims_check_time(&scene.claims, &rules, NOW_S, &detail) == RELY_OK;
}

static bool run_credentials(void)
{
    struct rely_detail detail;
    struct rely_match_query query = {.issuer = scene.issuer,
                                     .subject = scene.claims.subject,
                                     .rule_hash = rely_rule_hash(scene.issuer->id, scene.claims.subject),
                                     .audiences = scene.claims.audiences,
                                     .audience_count = scene.claims.audience_count,
                                     .now_s = NOW_S};
    struct rely_matches matches;
    return rely_credentials_match(scene.snapshot, &query, &matches, &detail) == RELY_OK;
}

static bool run_review(void)
{
    struct rely_review_request request = {.token = scene.text, .is_single = true, .pool = &scene.pool};
    rely_review_run(scene.snapshot, &request, NOW_S, &scene.review);
    return scene.review.decision.reason == RELY_OK;
}

static bool run_cached_review(void)
{
    struct rely_review_request request = {.token = scene.text, .is_single = true, .pool = &scene.pool};
    rely_cache_review(scene.cache, scene.snapshot, &request, NOW_S, &scene.review);
    return scene.review.decision.reason == RELY_OK;
}

/* --- fingerprints of the token: the cache's, and others beside it --- */

static bool run_fingerprint(void)
{
    struct rely_fingerprint print = rely_fingerprint_of(scene.fingerprint_key, scene.text);
    return print.len == scene.text.len;
}

static bool run_poly1305(void)
{
    static const unsigned char key[32] = {1};
    unsigned char tag[16];
    size_t len = 0;
    return EVP_MAC_init(scene.poly1305, key, sizeof key, NULL) == 1 &&
           EVP_MAC_update(scene.poly1305, (const unsigned char *)scene.text.ptr, scene.text.len) == 1 &&
           EVP_MAC_final(scene.poly1305, tag, &len, sizeof tag) == 1;
}

static bool run_sha256(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    return EVP_DigestInit_ex2(scene.sha256, scene.sha256_method, NULL) == 1 &&
           EVP_DigestUpdate(scene.sha256, scene.text.ptr, scene.text.len) == 1 &&
           EVP_DigestFinal_ex(scene.sha256, digest, NULL) == 1;
}

static void prepare_fingerprints(void)
{
    EVP_MAC *poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    scene.fingerprint_key = rely_fingerprint_key_new();
    scene.poly1305 = EVP_MAC_CTX_new(poly1305);
    scene.sha256 = EVP_MD_CTX_new();
    scene.sha256_method = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MAC_free(poly1305);
}

/* --- measuring --- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_run(bool (*step)(void), size_t count)
{
    double begin = now_in_ns();
    for (size_t i = 0; i < count; i++) {
        if (!step()) {
            fprintf(stderr, "bench_steps: a step refused what it must accept\n");
            exit(EXIT_FAILURE);
        }
        rely_pool_reset(&scene.pool);
    }
    return (now_in_ns() - begin) / (double)count / 1000;
}

/* Microseconds. What a step leaves in the pool is gone afterwards: prepare_steps makes it anew. */
static double time_step(bool (*step)(void))
{
    double runs[RUNS], guess = time_run(step, 16) * 1000;
    size_t count = guess > RUN_NS ? 1 : (size_t)(RUN_NS / guess) + 1;
    for (int i = 0; i < RUNS; i++)
        runs[i] = time_run(step, count);
    qsort(runs, RUNS, sizeof *runs, compare_doubles);
    return runs[RUNS / 2];
}

static void print_step(const char *alg, const char *name, double us)
{
    if (is_json)
        printf("%s\n  {\"token\": \"%s\", \"step\": \"%s\", \"us\": %.3f}", printed_count++ == 0 ? "[" : ",", alg, name,
               us);
    else
        printf("%-8s  %-34s  %9.3f us\n", alg, name, us);
}

/* --- the scene --- */

static void add_credentials(void)
{
    const struct rely_slice audience = RELY_LIT("relyd-bench");
    for (int i = 0; i < CREDENTIALS; i++) {
        struct rely_identity identity = {.id = 1 + i / 20,
                                         .name = rely_slice_of(mint_print("team-%05d", i / 20)),
                                         .uid = RELY_LIT("58171c3e-7a2d-4e9f-8b6c-0d5a4f3e2b1c"),
                                         .username = rely_slice_of(mint_print("team-%05d", i / 20)),
                                         .is_enabled = true};
        const char *subject = mint_print("system:serviceaccount:team-%05d:app-%02d", i / 20, i % 20);
        struct rely_credential credential = {.id = 1 + i,
                                             .scope = 1,
                                             .identity_id = identity.id,
                                             .name = rely_slice_of(mint_print("app-%02d", i % 20)),
                                             .subject = rely_slice_of(subject),
                                             .audiences = &audience,
                                             .audience_count = 1,
                                             .is_enabled = true};
        if (i % 20 == 0)
            rely_snapshot_put_identity(scene.snapshot, rely_identity_copy(&identity));
        rely_snapshot_put_credential(scene.snapshot, rely_credential_copy(&credential));
    }
}

static void make_snapshot(const char *jwks)
{
    static const struct rely_slice type = {"jwt", 3};
    struct rely_err err = {0};
    struct rely_issuer issuer = {.id = 1,
                                 .name = RELY_LIT("cluster-00000"),
                                 .url = RELY_LIT(ISSUER),
                                 .algs = RELY_ALGS_ALL,
                                 .leeway_s = 60,
                                 .types = &type,
                                 .type_count = 1,
                                 .is_enabled = true,
                                 .keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err),
                                 .keys_until_s = INT64_MAX,
                                 .keys_generation = 1};
    if (issuer.keyset == NULL) {
        fprintf(stderr, "bench_steps: %s\n", err.message);
        exit(EXIT_FAILURE);
    }
    scene.snapshot = rely_snapshot_next(NULL, 1);
    scene.snapshot->token_max_bytes = RELY_DEFAULT_token_max_bytes;
    rely_snapshot_put_issuer(scene.snapshot, rely_issuer_copy(&issuer));
    add_credentials();
}

static const char payload[] =
    "{\"aud\":[\"relyd-bench\"],\"exp\":4000000000,\"iat\":1700000000,\"iss\":\"" ISSUER "\","
    "\"jti\":\"00000001-5e1f-4a7d-9c3b-d0b7a55c1e44\",\"kubernetes.io\":{\"namespace\":\"team-00011\","
    "\"pod\":{\"name\":\"app-07-x2x4q\",\"uid\":\"236a0f7e-1d8b-4c5e-b3a2-9f4e6d7c8b10\"},"
    "\"serviceaccount\":{\"name\":\"app-07\",\"uid\":\"58171c3e-7a2d-4e9f-8b6c-0d5a4f3e2b1c\"}},"
    "\"nbf\":1700000000,\"sub\":\"" SUBJECT "\"}";

static const struct {
    const char *name, *key, *alg;
} kinds[] = {
    {"RS256", "rsa2048", "RS256"}, {"RS256/4k", "rsa4096", "RS256"}, {"PS256", "rsa2048#ps", "PS256"},
    {"ES256", "p256", "ES256"},    {"ES384", "p384", "ES384"},       {"ES512", "p521", "ES512"},
    {"EdDSA", "ed25519", "EdDSA"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void choose_token(size_t kind)
{
    const char *header =
        mint_print("{\"alg\":\"%s\",\"kid\":\"%s-W5zFImR60I0p1ZyYrU1h3fiRKk\"}", kinds[kind].alg, kinds[kind].key);
    scene.text = rely_slice_of(mint_token(mint_key(kinds[kind].key), kinds[kind].alg, header, payload));
}

/* The pool is emptied while a step is timed: what it needs from the ones before is made again, and kept. */
static void prepare_steps(void)
{
    bool is_ok = run_token_read() && run_issuer() && run_keys() && run_signature() && run_claims();
    if (!is_ok)
        exit(EXIT_FAILURE);
}

static void time_steps(const char *alg)
{
    static const struct {
        const char *name;
        bool (*run)(void);
    } steps[] = {
        {"token read", run_token_read}, {"issuer", run_issuer}, {"keys", run_keys},
        {"signature", run_signature},   {"claims", run_claims}, {"credentials", run_credentials},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rely_pool_reset(&scene.pool);
        struct rely_pool kept = scene.pool;
        rely_pool_init(&scene.pool);
        prepare_steps();
        struct rely_pool inputs = scene.pool; /* stays whole while the step fills another */
        scene.pool = kept;
        print_step(alg, steps[i].name, time_step(steps[i].run));
        rely_pool_fini(&inputs);
    }
}

/* ECDSA only: the other keys get no table. */
static void time_with_table(const char *alg)
{
    struct rely_key_point point;
    if (!rely_key_point_of(scene.keys[0], &point))
        return;
    double begin = now_in_ns();
    if (!attach_table())
        exit(EXIT_FAILURE);
    print_step(alg, "making the key's table", (now_in_ns() - begin) / 1000);
    rely_pool_reset(&scene.pool);
    prepare_steps();
    print_step(alg, "signature, with table", time_step(run_signature));
    print_step(alg, "whole review, with table", time_step(run_review));
}

static void time_fingerprints(const char *alg)
{
    print_step(alg, "whole review, repeated token", time_step(run_cached_review));
    print_step(alg, "fingerprint (NH)", time_step(run_fingerprint));
    print_step(alg, "Poly1305 instead", time_step(run_poly1305));
    print_step(alg, "SHA-256 instead", time_step(run_sha256));
}

int main(int argc, char **argv)
{
    const char *jwks[KINDS];
    is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    for (size_t i = 0; i < KINDS; i++)
        jwks[i] = mint_jwk(mint_key(kinds[i].key), mint_print("%s-W5zFImR60I0p1ZyYrU1h3fiRKk", kinds[i].key), NULL);
    make_snapshot(mint_jwks_of(jwks, KINDS));
    scene.cache = rely_cache_new(4096);
    rely_pool_init(&scene.pool);
    prepare_fingerprints();
    for (size_t i = 0; i < KINDS; i++) {
        choose_token(i);
        if (i == 0)
            time_steps(kinds[i].name);
        rely_pool_reset(&scene.pool);
        prepare_steps();
        if (i > 0)
            print_step(kinds[i].name, "signature", time_step(run_signature));
        print_step(kinds[i].name, "whole review", time_step(run_review));
        time_with_table(kinds[i].name);
        if (i == 0)
            time_fingerprints(kinds[i].name);
    }
    if (is_json)
        puts("\n]");
    return EXIT_SUCCESS;
}

/*
 * token: what a real Kubernetes API server minted (tests/vectors), in all its signature algorithms.
 */
#include "token_tests.h"

#include "relyd/pool.h"

#include <stdio.h>

static const char *const folders[] = {"rs256", "es256", "es384", "es512"};
#define FOLDER_COUNT (sizeof folders / sizeof folders[0])

/* The token of a file, without the line's end. */
static struct rely_slice load_vector(struct rely_pool *pool, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/kubernetes/%s/%s.jwt", RELYD_VECTORS, folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("no vector %s", path);
    char *text = rely_pool_alloc(pool, RELY_TOKEN_BYTES_MAX);
    size_t len = fread(text, 1, RELY_TOKEN_BYTES_MAX, file);
    fclose(file);
    if (len > 0 && text[len - 1] == '\n')
        len--;
    return rely_slice(text, len);
}

static int open_pool(void **state)
{
    static struct rely_pool pool;
    rely_pool_init(&pool);
    *state = &pool;
    return 0;
}

static int close_pool(void **state)
{
    rely_pool_fini(*state);
    return 0;
}

static void test_real_tokens(void **state)
{
    static const enum rely_alg algs[FOLDER_COUNT] = {RELY_ALG_RS256, RELY_ALG_ES256, RELY_ALG_ES384, RELY_ALG_ES512};
    static const size_t signature_bytes[FOLDER_COUNT] = {256, 64, 96, 132};
    static const char *const names[] = {"builder-1y",  "builder-pod-node", "builder-aud-multi", "deployer",
                                        "longest-sub", "raw-aud-600",      "raw-max",           "raw-aud-100"};
    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            struct rely_unverified out;
            struct rely_detail detail = {""};
            struct rely_slice token = load_vector(*state, folders[i], names[k]);
            enum rely_reason reason = rely_token_read(token, RELY_DEFAULT_token_max_bytes, *state, &out, &detail);
            if (reason != RELY_OK)
                fail_msg("%s/%s: %s (%s)", folders[i], names[k], rely_reason_word(reason), detail.text);
            assert_int_equal(out.alg, algs[i]);
            assert_int_equal(out.signature.len, signature_bytes[i]);
            assert_true(rely_slice_equal(out.iss, RELY_LIT("https://127.0.0.1:6443")));
            assert_true(out.kid.len > 0);
            assert_null(out.typ.ptr);
        }
    }
}

static void test_odd_audiences(void **state)
{
    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        expect_reason("NUL in the audience", load_vector(*state, folders[i], "raw-aud-nul"),
                      RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
        struct rely_slice long_one = load_vector(*state, folders[i], "raw-aud-20k");
        expect_reason("audience of 20,000 characters", long_one, RELY_DEFAULT_token_max_bytes, RELY_TOKEN_TOO_LARGE);
        expect_reason("where its size is allowed", long_one, RELY_TOKEN_BYTES_MAX, RELY_OK);
    }
}

/* A line's end behind the token is not trimmed: whoever reads a file trims it. */
static void test_line_end_is_refused(void **state)
{
    struct rely_slice token = load_vector(*state, "rs256", "builder-1y");
    expect_reason("line end", make_joined(*state, token, TEXT("\n"), TEXT("")), RELY_DEFAULT_token_max_bytes,
                  RELY_MALFORMED_TOKEN);
}

static void test_legacy_token(void **state)
{
    struct rely_unverified out;
    struct rely_detail detail;
    struct rely_slice token = load_vector(*state, "rs256", "legacy-secret-token");
    assert_int_equal(rely_token_read(token, RELY_DEFAULT_token_max_bytes, *state, &out, &detail), RELY_OK);
    assert_true(rely_slice_equal(out.iss, RELY_LIT("kubernetes/serviceaccount")));
}

int run_token_vectors_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_real_tokens, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_odd_audiences, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_line_end_is_refused, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_legacy_token, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("token_vectors", tests, NULL, NULL);
}

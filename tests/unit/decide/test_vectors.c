/* Real Kubernetes tokens against their own key sets, at their own time, through the whole review. */
#include "scene.h"

#include "relyd/text.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OWN_TIME 1795319300 /* a minute or two after all were issued */
#define ROTATE_TIME 1795322100
#define SUBJECT "system:serviceaccount:team-a:builder"

static const char *const algorithms[] = {"rs256", "es256", "es384", "es512"};

static const struct {
    const char *file;
    enum rely_reason reason;
} expected[] = {
    {"builder-aud-relyd", RELY_OK},
    {"builder-10m", RELY_OK},
    {"builder-1y", RELY_OK},
    {"builder-aud-multi", RELY_OK},
    {"builder-node", RELY_OK},
    {"builder-pod-node", RELY_OK},
    {"builder-pod-pending", RELY_OK},
    {"builder-secret", RELY_OK},
    {"raw-3607", RELY_OK},
    {"raw-max", RELY_OK},
    {"raw-aud-dup", RELY_OK},
    {"builder-aud-default", RELY_AUDIENCE_MISMATCH},
    {"builder-aud-url", RELY_AUDIENCE_MISMATCH},
    {"raw-3607-apiaud", RELY_AUDIENCE_MISMATCH},
    {"raw-aud-100", RELY_OK},
    {"raw-aud-600", RELY_AUDIENCE_MISMATCH},
    {"raw-aud-html", RELY_AUDIENCE_MISMATCH},
    {"raw-aud-unicode", RELY_AUDIENCE_MISMATCH},
    {"raw-aud-empty", RELY_INVALID_CLAIM},
    {"raw-aud-nul", RELY_MALFORMED_TOKEN},
    {"raw-aud-20k", RELY_TOKEN_TOO_LARGE},
    {"deployer", RELY_NO_MATCHING_CREDENTIAL},
    {"teamb-builder", RELY_NO_MATCHING_CREDENTIAL},
    {"longest-sub", RELY_NO_MATCHING_CREDENTIAL},
};

static char *read_vector(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "kubernetes/%s/%s", folder, name);
    return scene_read_file(path);
}

static void set_up_cluster(struct scene *scene, const char *folder, const char *jwks_name, const char *url)
{
    char *jwks = read_vector(folder, jwks_name);
    scene_init(scene);
    int64_t issuer = scene_add_issuer(scene, "cluster", url, jwks);
    scene_add_credential(scene, issuer, scene_add_identity(scene, "builder"), SUBJECT, "relyd");
    free(jwks);
}

static void assert_reason(const struct rely_review *review, enum rely_reason reason, const char *what)
{
    if (review->decision.reason != reason)
        print_error("%s: %s (%s), expected %s\n", what, rely_reason_word(review->decision.reason),
                    review->decision.detail.text, rely_reason_word(reason));
    assert_int_equal(review->decision.reason, reason);
    assert_int_equal(review->decision.detail.text[0] == '\0', reason == RELY_OK);
}

static void every_real_token_gets_its_exact_reason(void **state)
{
    (void)state;
    for (size_t a = 0; a < 4; a++) {
        struct scene scene;
        set_up_cluster(&scene, algorithms[a], "jwks.json", "https://127.0.0.1:6443");
        for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            char name[128];
            snprintf(name, sizeof name, "%s.jwt", expected[i].file);
            char *token = read_vector(algorithms[a], name);
            const struct rely_review *review = scene_review(&scene, token, OWN_TIME);
            assert_reason(review, expected[i].reason, name);
            if (expected[i].reason == RELY_OK)
                assert_true(rely_slice_equal(review->matches.items[0].identity->name, RELY_LIT("builder")));
            free(token);
        }
        scene_free(&scene);
    }
}

static void the_legacy_secret_token_is_refused_by_its_issuer(void **state)
{
    struct scene scene;
    (void)state;
    set_up_cluster(&scene, "rs256", "jwks.json", "https://127.0.0.1:6443");
    char *token = read_vector("rs256", "legacy-secret-token.jwt");
    assert_reason(scene_review(&scene, token, OWN_TIME), RELY_UNKNOWN_ISSUER, "legacy");
    scene_free(&scene);

    set_up_cluster(&scene, "rs256", "jwks.json", "kubernetes/serviceaccount");
    assert_reason(scene_review(&scene, token, OWN_TIME), RELY_MISSING_CLAIM, "legacy, its issuer registered");
    free(token);
    scene_free(&scene);
}

static void tokens_expire_at_exp_plus_leeway(void **state)
{
    struct scene scene;
    (void)state;
    set_up_cluster(&scene, "es256", "jwks.json", "https://127.0.0.1:6443");
    char *token = read_vector("es256", "builder-aud-relyd.jwt");
    int64_t exp = 1795319184 + 3600;
    assert_reason(scene_review(&scene, token, exp + 59), RELY_OK, "within leeway");
    assert_reason(scene_review(&scene, token, exp + 60), RELY_EXPIRED, "at the end of leeway");
    assert_reason(scene_review(&scene, token, exp - 3600 - 60), RELY_OK, "nbf within leeway");
    assert_reason(scene_review(&scene, token, exp - 3600 - 61), RELY_NOT_YET_VALID, "before nbf");
    free(token);
    scene_free(&scene);
}

static size_t part_start(const char *token, int part)
{
    size_t at = 0;
    while (part-- > 0)
        at += strcspn(token + at, ".") + 1;
    return at;
}

static void a_changed_byte_in_each_part_has_its_reason(void **state)
{
    struct scene scene;
    (void)state;
    for (size_t a = 0; a < 4; a++) {
        set_up_cluster(&scene, algorithms[a], "jwks.json", "https://127.0.0.1:6443");
        char *token = read_vector(algorithms[a], "builder-aud-relyd.jwt");
        char *first = token + part_start(token, 0);
        char kept = *first;
        *first = 'f'; /* no '{' any more */
        assert_reason(scene_review(&scene, token, OWN_TIME), RELY_MALFORMED_TOKEN, "header");
        *first = kept;
        /* {"aud":["relyd"], -> the payload's byte 9 holds 'r' of relyd in part: stays JSON */
        char *payload = token + part_start(token, 1) + 14;
        kept = *payload;
        *payload = kept == 'A' ? 'B' : (char)(kept ^ 1);
        enum rely_reason reason = scene_review(&scene, token, OWN_TIME)->decision.reason;
        assert_true(reason == RELY_BAD_SIGNATURE || reason == RELY_MALFORMED_TOKEN);
        *payload = kept;
        char *signature = token + part_start(token, 2) + 5;
        *signature = *signature == 'A' ? 'B' : 'A';
        assert_reason(scene_review(&scene, token, OWN_TIME), RELY_BAD_SIGNATURE, "signature");
        free(token);
        scene_free(&scene);
    }
}

static void keys_rotate_in_order(void **state)
{
    /* rows: key set of a phase; columns: tokens of the phases */
    static const enum rely_reason reasons[3][3] = {{RELY_OK, RELY_KEY_UNKNOWN, RELY_KEY_UNKNOWN},
                                                   {RELY_OK, RELY_OK, RELY_OK},
                                                   {RELY_KEY_UNKNOWN, RELY_OK, RELY_OK}};
    (void)state;
    for (int set = 0; set < 3; set++) {
        struct scene scene;
        char name[64];
        snprintf(name, sizeof name, "phase%d.jwks.json", set + 1);
        set_up_cluster(&scene, "rotate", name, "https://127.0.0.1:9943");
        for (int phase = 0; phase < 3; phase++) {
            snprintf(name, sizeof name, "phase%d.jwt", phase + 1);
            char *token = read_vector("rotate", name);
            const struct rely_review *review = scene_review(&scene, token, ROTATE_TIME);
            assert_reason(review, reasons[set][phase], name);
            assert_int_equal(rely_review_wants_keys(review), reasons[set][phase] != RELY_OK);
            free(token);
        }
        scene_free(&scene);
    }
}

static void one_of_several_keys_is_found_by_kid(void **state)
{
    struct scene scene;
    (void)state;
    set_up_cluster(&scene, "several-keys", "jwks.json", "https://127.0.0.1:6443");
    char *token = read_vector("several-keys", "builder-pod-node.jwt");
    const struct rely_review *review = scene_review(&scene, token, OWN_TIME);
    assert_reason(review, RELY_OK, "several keys");
    assert_int_equal(review->decision.valid_until_s, 1795322830 + 60);
    assert_int_equal(review->last_step, RELY_STEP_DECISION);
    free(token);
    scene_free(&scene);
}

int run_vector_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_real_token_gets_its_exact_reason),
        cmocka_unit_test(the_legacy_secret_token_is_refused_by_its_issuer),
        cmocka_unit_test(tokens_expire_at_exp_plus_leeway),
        cmocka_unit_test(a_changed_byte_in_each_part_has_its_reason),
        cmocka_unit_test(keys_rotate_in_order),
        cmocka_unit_test(one_of_several_keys_is_found_by_kid),
    };
    return cmocka_run_group_tests_name("kubernetes vectors", tests, NULL, NULL);
}

/*
 * claims: the claim `kubernetes.io`, of a real token and of hostile ones (G75, G76, G79).
 */
#define RELY_READS_UNVERIFIED
#include "claims_tests.h"
#include "relyd/config.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/token.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT "\"serviceaccount\":{\"name\":\"builder\",\"uid\":\"85398747\"}"

static void test_reads_all(void **state)
{
    (void)state;
    struct rely_claims claims;
    const struct claims_case row = {
        .id = "G79",
        .more = "\"kubernetes.io\":{\"namespace\":\"team-a\",\"node\":{\"name\":\"n1\",\"uid\":\"nu\"},"
                "\"pod\":{\"name\":\"p1\",\"uid\":\"pu\"},\"secret\":{\"uid\":\"su\"}," ACCOUNT
                ",\"warnafter\":1795322827}",
        .reason = RELY_OK};
    expect_claims(&row, &claims);
    const struct rely_kubernetes_claims *found = &claims.kubernetes;
    assert_true(rely_slice_equal(found->namespace_name, RELY_LIT("team-a")));
    assert_true(rely_slice_equal(found->account_name, RELY_LIT("builder")));
    assert_true(rely_slice_equal(found->account_uid, RELY_LIT("85398747")));
    assert_true(rely_slice_equal(found->pod_name, RELY_LIT("p1")));
    assert_true(rely_slice_equal(found->pod_uid, RELY_LIT("pu")));
    assert_true(rely_slice_equal(found->secret_uid, RELY_LIT("su")));
    assert_true(rely_slice_equal(found->node_name, RELY_LIT("n1")));
    assert_true(rely_slice_equal(found->node_uid, RELY_LIT("nu")));
    assert_true(found->has_warn_after);
}

static void expect_none(const struct claims_case *row)
{
    struct rely_claims claims;
    expect_claims(row, &claims);
    const struct rely_kubernetes_claims *found = &claims.kubernetes;
    const struct rely_slice all[] = {found->namespace_name, found->account_name, found->account_uid, found->pod_name,
                                     found->pod_uid,        found->node_name,    found->node_uid,    found->secret_uid};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].ptr != NULL)
            fail_msg("%s: read %.*s", row->id, RELY_ARG(all[i]));
    assert_false(found->has_warn_after);
}

/* The members of the root must never be taken for those of a claim that is absent. */
static void test_ignores_what_is_no_object(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "absent", .reason = RELY_OK},
        {.id = "absent, but the root has its members",
         .more = "\"namespace\":\"x\",\"warnafter\":1,\"pod\":{\"uid\":\"u\"}," ACCOUNT,
         .reason = RELY_OK},
        {.id = "G76 string", .more = "\"kubernetes.io\":\"team-b\"", .reason = RELY_OK},
        {.id = "null", .more = "\"kubernetes.io\":null", .reason = RELY_OK},
        {.id = "list", .more = "\"kubernetes.io\":[\"namespace\",\"team-b\"]", .reason = RELY_OK},
        {.id = "number", .more = "\"kubernetes.io\":7", .reason = RELY_OK},
        {.id = "empty", .more = "\"kubernetes.io\":{}", .reason = RELY_OK},
        {.id = "other name", .more = "\"kubernetes-io\":{\"namespace\":\"team-b\"}", .reason = RELY_OK},
        {.id = "members of other types",
         .more = "\"kubernetes.io\":{\"namespace\":1,\"pod\":\"p\",\"node\":[\"n\"],\"serviceaccount\":{\"name\":null,"
                 "\"uid\":{}}}",
         .reason = RELY_OK},
        {.id = "pod absent, but the root has a name and a uid",
         .more = "\"kubernetes.io\":{},\"name\":\"n\",\"uid\":\"u\"",
         .reason = RELY_OK},
        {.id = "pod absent, but its parent has a uid", .more = "\"kubernetes.io\":{\"uid\":\"u\"}", .reason = RELY_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_none(&rows[i]);
}

static void test_subject_must_agree(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "agrees", .more = "\"kubernetes.io\":{\"namespace\":\"team-a\"," ACCOUNT "}", .reason = RELY_OK},
        {.id = "namespace alone", .more = "\"kubernetes.io\":{\"namespace\":\"team-a\"}", .reason = RELY_OK},
        {.id = "account alone", .more = "\"kubernetes.io\":{" ACCOUNT "}", .reason = RELY_OK},
        {.id = "G75 namespace",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-b\"," ACCOUNT "}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "G75 namespace alone",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-b\"}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "account",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-a\",\"serviceaccount\":{\"name\":\"deployer\"}}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "prefix of the namespace",
         .more = "\"kubernetes.io\":{\"namespace\":\"team\"}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "empty namespace", .more = "\"kubernetes.io\":{\"namespace\":\"\"}", .reason = RELY_INVALID_CLAIM},
        {.id = "a colon in the namespace",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-a:builder\"}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "G58 a colon more in the subject",
         .sub = "\"system:serviceaccount:team-a:x:builder\"",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-a\"," ACCOUNT "}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "a subject without an account",
         .sub = "\"system:serviceaccount:team-a\"",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-a\"," ACCOUNT "}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "a subject that is the prefix alone",
         .sub = "\"system:serviceaccount:\"",
         .more = "\"kubernetes.io\":{" ACCOUNT "}",
         .reason = RELY_INVALID_CLAIM},
        {.id = "another kind of subject",
         .sub = "\"spiffe://example/ns/other/sa/builder\"",
         .more = "\"kubernetes.io\":{\"namespace\":\"team-b\"," ACCOUNT "}",
         .reason = RELY_OK},
        {.id = "nothing to agree with", .more = "\"kubernetes.io\":{\"pod\":{\"name\":\"p\"}}", .reason = RELY_OK},
    };
    struct rely_claims claims;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_claims(&rows[i], &claims);
}

/* Stretched tokens are refused by a guard: any form of the member counts. */
static void test_any_warn_after_counts(void **state)
{
    (void)state;
    static const char *const values[] = {"1795322827", "null", "\"x\"", "false"};
    for (size_t i = 0; i < 4; i++) {
        char more[128];
        struct rely_claims claims;
        snprintf(more, sizeof more, "\"kubernetes.io\":{\"warnafter\":%s}", values[i]);
        const struct claims_case row = {.id = "warnafter", .more = more, .reason = RELY_OK};
        expect_claims(&row, &claims);
        assert_true(claims.kubernetes.has_warn_after);
    }
}

/* The payload of a real token, decoded without looking at its signature: signature/ has tests of its own. */
static enum rely_reason read_vector(struct rely_pool *pool, const char *name, struct rely_claims *out)
{
    char path[512], text[RELY_DEFAULT_token_max_bytes];
    snprintf(path, sizeof path, "%s/kubernetes/rs256/%s.jwt", RELYD_VECTORS, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("no vector %s", path);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    if (len > 0 && text[len - 1] == '\n')
        len--;
    struct rely_unverified token;
    struct rely_detail detail = {""};
    struct rely_slice kept = rely_pool_copy(pool, rely_slice(text, len));
    assert_int_equal(rely_token_read(kept, sizeof text, pool, &token, &detail), RELY_OK);
    const struct rely_verified verified = {.claims = token.payload.view_};
    return rely_claims_read(&verified, rely_slice(NULL, 0), pool, out, &detail);
}

static void test_real_tokens(void **state)
{
    (void)state;
    struct rely_pool pool;
    struct rely_claims claims;
    rely_pool_init(&pool);
    assert_int_equal(read_vector(&pool, "builder-pod-node", &claims), RELY_OK);
    assert_true(rely_slice_equal(claims.subject, RELY_LIT("system:serviceaccount:team-a:builder")));
    assert_true(rely_slice_equal(claims.kubernetes.account_name, RELY_LIT("builder")));
    assert_true(claims.kubernetes.pod_uid.len == 36 && claims.kubernetes.node_uid.len == 36);
    assert_false(claims.kubernetes.has_warn_after);
    assert_int_equal(read_vector(&pool, "raw-3607-apiaud", &claims), RELY_OK);
    assert_true(claims.kubernetes.has_warn_after);
    assert_int_equal(read_vector(&pool, "raw-aud-100", &claims), RELY_OK);
    assert_int_equal(claims.audience_count, 100);
    assert_int_equal(read_vector(&pool, "raw-max", &claims), RELY_OK);
    assert_true(claims.expires - claims.issued_at == 4294967296.0);
    assert_int_equal(read_vector(&pool, "raw-aud-empty", &claims), RELY_INVALID_CLAIM);
    assert_int_equal(read_vector(&pool, "legacy-secret-token", &claims), RELY_MISSING_CLAIM);
    rely_pool_fini(&pool);
}

int run_kubernetes_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all),          cmocka_unit_test(test_ignores_what_is_no_object),
        cmocka_unit_test(test_subject_must_agree), cmocka_unit_test(test_any_warn_after_counts),
        cmocka_unit_test(test_real_tokens),
    };
    return cmocka_run_group_tests_name("kubernetes", tests, NULL, NULL);
}

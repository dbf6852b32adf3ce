/*
 * claims: another claim than `sub` as the subject.
 */
#include "claims_tests.h"

#include <stdio.h>
#include <string.h>

#define REST ",\"aud\":\"relyd\",\"exp\":1795322820}"

/* Claims as rely_claim_parse makes them. */
static const struct rely_slice project = {"oidc.circleci.com/project-id", 28}, nested = {"a\0b", 3},
                               item = {"a\0"
                                       "1",
                                       3},
                               plain = {"repository_id", 13};

static void test_what_is_the_subject(void **state)
{
    (void)state;
    static const struct {
        struct rely_slice claim;
        const char *payload, *subject; /* NULL: refused */
        enum rely_reason reason;
        const char *detail; /* part of it */
    } cases[] = {
        {plain, "{\"repository_id\":\"42\",\"sub\":\"s\"" REST, "42", RELY_OK, NULL},
        {plain, "{\"repository_id\":\"42\"" REST, "42", RELY_OK, NULL},
        {project, "{\"oidc.circleci.com/project-id\":\"p\"" REST, "p", RELY_OK, NULL},
        {nested, "{\"a\":{\"b\":\"deep\"},\"a/b\":\"x\",\"b\":\"y\"" REST, "deep", RELY_OK, NULL},
        {item, "{\"a\":[\"x\",\"y\"]" REST, "y", RELY_OK, NULL},
        {plain, "{\"sub\":\"s\"" REST, NULL, RELY_MISSING_CLAIM, "repository_id"},
        {nested, "{\"sub\":\"s\",\"a\":{}" REST, NULL, RELY_MISSING_CLAIM, "/a/b"},
        {nested, "{\"sub\":\"s\",\"a\":\"b\"" REST, NULL, RELY_MISSING_CLAIM, "/a/b"},
        {item, "{\"sub\":\"s\",\"a\":[\"x\"]" REST, NULL, RELY_MISSING_CLAIM, "/a/1"},
        {plain, "{\"sub\":\"s\",\"Repository_id\":\"42\"" REST, NULL, RELY_MISSING_CLAIM, "repository_id"},
        {plain, "{\"sub\":\"s\",\"repository_id\":42" REST, NULL, RELY_INVALID_CLAIM, "repository_id"},
        {plain, "{\"sub\":\"s\",\"repository_id\":\"\"" REST, NULL, RELY_INVALID_CLAIM, "repository_id"},
        {plain, "{\"sub\":\"s\",\"repository_id\":null" REST, NULL, RELY_INVALID_CLAIM, "repository_id"},
        {plain, "{\"sub\":\"s\",\"repository_id\":[\"42\"]" REST, NULL, RELY_INVALID_CLAIM, "repository_id"},
        {nested, "{\"sub\":\"s\",\"a\":{\"b\":{}}" REST, NULL, RELY_INVALID_CLAIM, "/a/b"},
        /* `sub` need not be there, but is what it must be where it is. */
        {plain, "{\"repository_id\":\"42\",\"sub\":7" REST, NULL, RELY_INVALID_CLAIM, "`sub`"},
        {plain, "{\"repository_id\":\"42\",\"sub\":\"\"" REST, NULL, RELY_INVALID_CLAIM, "`sub`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_claims claims = {0};
        struct rely_detail detail = {""};
        enum rely_reason found = read_payload_by(cases[i].payload, cases[i].claim, &claims, &detail);
        if (found != cases[i].reason)
            fail_msg("%s: %s (%s)", cases[i].payload, rely_reason_word(found), detail.text);
        if (!rely_slice_same(claims.subject, rely_slice_of(cases[i].subject)))
            fail_msg("%s: %.*s", cases[i].payload, RELY_ARG(claims.subject));
        if (cases[i].detail != NULL && strstr(detail.text, cases[i].detail) == NULL)
            fail_msg("%s: %s", cases[i].payload, detail.text);
    }
}

/* Of what a cluster says `sub` is asked, whatever stands for it. */
static void test_kubernetes_agrees_with_sub(void **state)
{
    (void)state;
    static const struct {
        const char *sub; /* with its comma */
        enum rely_reason reason;
    } cases[] = {
        {"\"sub\":\"system:serviceaccount:team-a:builder\",", RELY_OK},
        {"\"sub\":\"system:serviceaccount:team-b:builder\",", RELY_INVALID_CLAIM},
        {"\"sub\":\"someone\",", RELY_OK},
        {"", RELY_OK},
    };
    const struct rely_slice uid = {"kubernetes.io\0serviceaccount\0uid", 32};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char payload[512];
        struct rely_claims claims = {0};
        struct rely_detail detail = {""};
        snprintf(payload, sizeof payload,
                 "{%s\"kubernetes.io\":{\"namespace\":\"team-a\",\"serviceaccount\":{\"name\":\"builder\","
                 "\"uid\":\"u-1\"}}" REST,
                 cases[i].sub);
        assert_int_equal(read_payload_by(payload, uid, &claims, &detail), cases[i].reason);
        if (cases[i].reason == RELY_OK)
            assert_true(rely_slice_equal(claims.subject, RELY_LIT("u-1")));
    }
}

int run_subject_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_the_subject),
        cmocka_unit_test(test_kubernetes_agrees_with_sub),
    };
    return cmocka_run_group_tests_name("claims: subject", tests, NULL, NULL);
}

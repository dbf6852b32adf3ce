/*
 * The issuer of relyd's own cluster where there is no pod, or not all of one: a clear no, and no record. Inside of one it is
 * tested end to end, as its folder is always the same.
 */
#include "fixture.h"
#include "mint.h"

#include "relyd/limits.h"

#include <stdlib.h>
#include <unistd.h>

#define IN_CLUSTER "/v1/issuers?inCluster=true"
#define HOST "KUBERNETES_SERVICE_HOST"

static int leave_pod(void **state)
{
    unsetenv(HOST);
    return make_fixture(state);
}

static int drop_pod(void **state)
{
    unsetenv(HOST);
    return drop_fixture(state);
}

static void assert_no_pod(struct fixture *fixture, const char *words)
{
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "errors.0.field", "inCluster");
    assert_value(fixture, "errors.0.code", "not_allowed");
    assert_value_has(fixture, "errors.0.message", "inCluster goes only with a relyd in a pod: ");
    assert_value_has(fixture, "errors.0.message", words);
    assert_int_equal(fixture->publish_count, 0);
}

static void refuses_outside_of_a_pod(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", IN_CLUSTER, "{\"name\":\"own\"}");
    assert_no_pod(fixture, "KUBERNETES_SERVICE_HOST is not set");
    setenv(HOST, "", 1);
    send_request(fixture, "POST", IN_CLUSTER, "{\"name\":\"own\",\"issuer\":\"https://a.example\"}");
    assert_no_pod(fixture, "KUBERNETES_SERVICE_HOST is not set");
}

static void refuses_a_pod_without_its_files(void **state)
{
    struct fixture *fixture = *state;
    if (access(RELY_POD_FOLDER, F_OK) == 0)
        skip(); /* there is a pod around the test */
    setenv(HOST, "127.0.0.1", 1);
    send_request(fixture, "POST", IN_CLUSTER, "{\"name\":\"own\"}");
    assert_no_pod(fixture, RELY_POD_FOLDER "/token: it cannot be opened");
    send_request(fixture, "POST", IN_CLUSTER, "{\"name\":\"own\",\"issuer\":\"https://a.example\"}");
    assert_no_pod(fixture, RELY_POD_FOLDER "/ca.crt: it cannot be opened");
    send_request(fixture, "POST", IN_CLUSTER, "{\"name\":\"own\",\"trustDomain\":\"a.example\"}");
    assert_no_pod(fixture, RELY_POD_FOLDER "/ca.crt: it cannot be opened");
}

/* A body that leaves nothing out needs no file, and gets neither the pod's authority nor its token. */
static void adds_nothing_to_a_whole_body(void **state)
{
    struct fixture *fixture = *state;
    setenv(HOST, "127.0.0.1", 1);
    send_request(fixture, "POST", IN_CLUSTER,
                 mint_print("{\"name\":\"own\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":%s}}",
                            mint_jwks(mint_jwk(mint_key("p256"), "k1", NULL), NULL)));
    assert_status(fixture, 201);
    assert_value(fixture, "issuer", "https://a.example");
    assert_value(fixture, "caBundle", "absent");
    assert_value(fixture, "bearerTokenFile", "absent");
    assert_value(fixture, "allowPrivateAddresses", "false");
    mint_reset();
}

static void refuses_other_values(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", "/v1/issuers?inCluster=yes", "{\"name\":\"own\"}");
    assert_problem(fixture, 400, "invalid_query");
    assert_value(fixture, "errors.0.field", "inCluster");
    send_request(fixture, "POST", IN_CLUSTER, "[]");
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "errors.0.field", "body");
    send_request(fixture, "POST", "/v1/issuers?inCluster=false", "{\"name\":\"own\",\"issuer\":\"https://a.example\"}");
    assert_status(fixture, 201);
}

#define A_POD_TEST(function) cmocka_unit_test_setup_teardown(function, leave_pod, drop_pod)

int run_pod_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_POD_TEST(refuses_outside_of_a_pod),
        A_POD_TEST(refuses_a_pod_without_its_files),
        A_POD_TEST(adds_nothing_to_a_whole_body),
        A_POD_TEST(refuses_other_values),
    };
    return cmocka_run_group_tests_name("pod", tests, NULL, NULL);
}

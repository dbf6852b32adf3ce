/*
 * Health and metrics: on the control plane behind its guard, on health listeners open, and nothing else there.
 */
#include "fixture.h"

static void answers_probes(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/livez", "/readyz"};
    for (size_t i = 0; i < 2; i++) {
        send_request(fixture, "GET", paths[i], NULL);
        assert_status(fixture, 200);
        assert_true(rely_slice_equal(rely_buf_slice(&fixture->body), RELY_LIT("ok\n")));
        send_probe(fixture, "GET", paths[i]);
        assert_status(fixture, 200);
        assert_true(rely_slice_equal(rely_buf_slice(&fixture->body), RELY_LIT("ok\n")));
    }
    send_probe(fixture, "GET", "/metrics");
    assert_status(fixture, 200);
    assert_string_equal(fixture->content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_true(rely_slice_equal(rely_buf_slice(&fixture->body), RELY_LIT("relyd_revision 7\n")));
}

static void is_not_ready_while_stopping(void **state)
{
    struct fixture *fixture = *state;
    fixture->is_stopping = true;
    send_probe(fixture, "GET", "/readyz");
    assert_status(fixture, 503);
    send_probe(fixture, "GET", "/livez");
    assert_status(fixture, 200);
}

/* Fault B11: tokens are judged as before, so that it stays ready, and says what is wrong. */
static void stays_ready_with_a_detail(void **state)
{
    struct fixture *fixture = *state;
    fixture->details = 1;
    send_probe(fixture, "GET", "/readyz");
    assert_status(fixture, 200);
    assert_string_equal(fixture->content_type, "application/json");
    assert_value(fixture, "status", "ready");
    assert_value(fixture, "details", "[{\"word\":\"a_word\",\"sentence\":\"a sentence\"}]");
    fixture->details = 2;
    send_probe(fixture, "GET", "/readyz");
    assert_value(fixture, "details",
                 "[{\"word\":\"a_word\",\"sentence\":\"a sentence\"},{\"word\":\"another\",\"sentence\":\"more\"}]");
    fixture->is_stopping = true;
    send_probe(fixture, "GET", "/readyz");
    assert_status(fixture, 503);
}

/* Fault C14: a 405 says what is allowed. */
static void allows_reading_only(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/livez", "/readyz", "/metrics"};
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"};
    for (size_t path = 0; path < 3; path++)
        for (size_t method = 0; method < sizeof methods / sizeof methods[0]; method++) {
            send_probe(fixture, methods[method], paths[path]);
            assert_problem(fixture, 405, "method_not_allowed");
            assert_string_equal(fixture->allow, "GET, HEAD");
            send_request(fixture, methods[method], paths[path], NULL);
            assert_problem(fixture, 405, "method_not_allowed");
            assert_string_equal(fixture->allow, "GET, HEAD");
        }
}

static void has_nothing_else_on_a_health_listener(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/", "/v1/issuers", "/v1/explain", "/livez/", "/livez/x", "/check/default",
                                        "*"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        send_probe(fixture, "GET", paths[i]);
        assert_problem(fixture, 404, "not_found");
    }
}

/* Fault D: /metrics of the control plane ran before the browser guard. */
static void stands_behind_the_guard_on_the_control_plane(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/livez", "/readyz", "/metrics"};
    come_by_tcp(fixture);
    for (size_t i = 0; i < 3; i++) {
        add_header(fixture, "origin", "https://evil.example");
        send_request(fixture, "GET", paths[i], NULL);
        assert_problem(fixture, 403, "not_permitted");
        add_header(fixture, "origin", "https://evil.example");
        send_probe(fixture, "GET", paths[i]);
        assert_status(fixture, 200);
    }
}

int run_health_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(answers_probes),
        A_TEST(is_not_ready_while_stopping),
        A_TEST(stays_ready_with_a_detail),
        A_TEST(allows_reading_only),
        A_TEST(has_nothing_else_on_a_health_listener),
        A_TEST(stands_behind_the_guard_on_the_control_plane),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}

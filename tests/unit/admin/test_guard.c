/*
 * Who may administer: unix peers, and what a browser's page would send over TCP.
 */
#include "fixture.h"
#include <stdlib.h>
#include <unistd.h>

#define BODY "{\"name\":\"web\"}"

static void admits_root_and_its_own_user_alone(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_status(fixture, 200);
    come_as(fixture, (uint32_t)geteuid());
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_status(fixture, 200);
    come_as(fixture, (uint32_t)geteuid() + 4711);
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_problem(fixture, 401, "unauthenticated");
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_problem(fixture, 401, "unauthenticated");
    send_request(fixture, "GET", "/v1/nothing", NULL);
    assert_problem(fixture, 401, "unauthenticated");
}

static void refuse_with_header(struct fixture *fixture, const char *name, const char *value)
{
    add_header(fixture, "content-type", "application/json");
    add_header(fixture, name, value);
    uint64_t refused = fixture->refused[RELY_CALLER_FOREIGN_PAGE];
    int lines = fixture->line_count;
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_problem(fixture, 403, "not_permitted");
    assert_int_equal(fixture->publish_count, 0);
    assert_int_equal(fixture->refused[RELY_CALLER_FOREIGN_PAGE], refused + 1);
    fixture->admin.lines.second = 0; /* as if the next came a second later */
    assert_int_equal(fixture->line_count, lines + 1);
    assert_non_null(strstr(fixture->line, "POST \"/v1/identities\" from "));
}

static void keeps_web_pages_out(void **state)
{
    struct fixture *fixture = *state;
    come_by_tcp(fixture);
    refuse_with_header(fixture, "origin", "https://evil.example");
    refuse_with_header(fixture, "origin", "null");
    refuse_with_header(fixture, "origin", "http://127.0.0.1:8481");
    refuse_with_header(fixture, "sec-fetch-site", "cross-site");
    refuse_with_header(fixture, "sec-fetch-site", "same-site");
    add_header(fixture, "sec-fetch-site", "none"); /* of two the first alone would pass */
    refuse_with_header(fixture, "sec-fetch-site", "none");
    refuse_with_header(fixture, "host", "evil.example");
    assert_value_has(fixture, "detail", "without TLS ask for 127.0.0.1, [::1] or localhost");
    refuse_with_header(fixture, "host", "127.0.0.1.evil.example:8481");
    refuse_with_header(fixture, "host", "localhost.evil.example");
    refuse_with_header(fixture, "host", "[::1].evil.example");
    add_header(fixture, "host", "127.0.0.1:8481"); /* another port's page, or another scheme's */
    refuse_with_header(fixture, "origin", "http://127.0.0.1:8482");
    add_header(fixture, "host", "127.0.0.1:8481");
    refuse_with_header(fixture, "origin", "https://127.0.0.1:8481");
    add_header(fixture, "host", "127.0.0.1:8481");
    refuse_with_header(fixture, "origin", "http://127.0.0.1:8481.evil.example");
    add_header(fixture, "host", "127.0.0.1:8481");
    add_header(fixture, "origin", "http://127.0.0.1:8481"); /* of two the first alone would pass */
    refuse_with_header(fixture, "origin", "http://127.0.0.1:8481");
    add_header(fixture, "host", "127.0.0.1:8481");
    add_header(fixture, "origin", "http://127.0.0.1:8481"); /* its own page */
    send_request(fixture, "GET", "/v1/identities", NULL);
    assert_status(fixture, 200);
    fixture->request.is_tls = true; /* under a name of its own */
    add_header(fixture, "host", "relyd.example:8443");
    add_header(fixture, "origin", "https://relyd.example:8443");
    send_request(fixture, "GET", "/v1/identities", NULL);
    assert_status(fixture, 200);
    add_header(fixture, "host", "relyd.example:8443");
    refuse_with_header(fixture, "origin", "http://relyd.example:8443");
    fixture->request.is_tls = false;
    static const char *const hosts[] = {"127.0.0.1:8481", "127.0.0.1",  "localhost:8481",
                                        "LOCALHOST",      "[::1]:8481", "[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        add_header(fixture, "host", hosts[i]);
        add_header(fixture, "sec-fetch-site", i % 2 == 0 ? "none" : "same-origin");
        send_request(fixture, "GET", "/v1/identities", NULL);
        assert_status(fixture, 200);
    }
}

static void wants_json_declared_over_tcp(void **state)
{
    struct fixture *fixture = *state;
    come_by_tcp(fixture);
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_problem(fixture, 415, "unsupported_media_type");
    static const char *const bad[] = {"text/plain", "application/jsonp", "application/x-www-form-urlencoded",
                                      "text/plain; application/json", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        add_header(fixture, "content-type", bad[i]);
        send_request(fixture, "POST", "/v1/identities", BODY);
        assert_problem(fixture, 415, "unsupported_media_type");
    }
    add_header(fixture, "content-type", "application/json");
    add_header(fixture, "content-type", "text/plain");
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_problem(fixture, 415, "unsupported_media_type");
    add_header(fixture, "content-type", "Application/JSON; charset=utf-8");
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_status(fixture, 201);
}

static void takes_no_other_type_over_unix_either(void **state)
{
    struct fixture *fixture = *state;
    add_header(fixture, "content-type", "text/plain");
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_problem(fixture, 415, "unsupported_media_type");
    send_request(fixture, "POST", "/v1/identities", BODY);
    assert_status(fixture, 201);
}

static void limits_bodies(void **state)
{
    struct fixture *fixture = *state;
    char *body = rely_alloc(2 * 1024 * 1024 + 2);
    memset(body, ' ', 2 * 1024 * 1024 + 1);
    send_request(fixture, "POST", "/v1/identities", body);
    assert_problem(fixture, 413, "body_too_large");
    memcpy(body, BODY, sizeof BODY - 1);
    body[2 * 1024 * 1024] = '\0';
    send_request(fixture, "POST", "/v1/identities", body);
    assert_status(fixture, 201);
    free(body);
}

int run_guard_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(admits_root_and_its_own_user_alone),   A_TEST(keeps_web_pages_out), A_TEST(wants_json_declared_over_tcp),
        A_TEST(takes_no_other_type_over_unix_either), A_TEST(limits_bodies),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

/*
 * Presets over REST: what is shown, an issuer that is made from one, what stays with it, and what is refused.
 */
#include "fixture.h"

#define EKS "/v1/issuers?preset=eks"
#define URL "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC123"
#define PARAMETERS "\"presetParameters\":{\"region\":\"eu-west-1\",\"id\":\"ABC123\"}"

static void shows_presets(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "GET", "/v1/presets", NULL);
    assert_status(fixture, 200);
    assert_string_equal(fixture->content_type, "application/json");
    assert_value(fixture, "value.0.tests", "absent");
    send_request(fixture, "GET", "/v1/presets?limit=1", NULL);
    assert_problem(fixture, 400, "invalid_query");
    send_request(fixture, "POST", "/v1/presets", "{}");
    assert_problem(fixture, 405, "method_not_allowed");
}

static void makes_an_issuer(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", EKS, "{\"name\":\"prod\",\"leewaySeconds\":5," PARAMETERS "}");
    assert_status(fixture, 201);
    assert_string_equal(fixture->location, "/v1/issuers/prod");
    assert_value(fixture, "issuer", URL);
    assert_value(fixture, "preset", "eks");
    assert_value(fixture, "algorithms", "[\"RS256\"]");
    assert_value(fixture, "leewaySeconds", "5");
    assert_value(fixture, "presetParameters", "absent");
    send_request(fixture, "GET", "/v1/issuers/prod", NULL);
    assert_value(fixture, "preset", "eks");
    send_request(fixture, "POST", "/v1/issuers", "{\"name\":\"plain\",\"issuer\":\"https://issuer.example\"}");
    assert_value(fixture, "preset", "absent");
}

/* What the body leaves out is its default, but for the preset; it cannot be changed, and goes with the record. */
static void keeps_the_preset(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", EKS, "{\"name\":\"prod\"," PARAMETERS "}");
    send_request(fixture, "PUT", "/v1/issuers/prod", "{\"issuer\":\"" URL "\"}");
    assert_status(fixture, 200);
    assert_value(fixture, "preset", "eks");
    assert_value(fixture, "maxTokenLifetimeSeconds", "absent");
    send_request(fixture, "PUT", "/v1/issuers/prod", "{\"issuer\":\"" URL "\",\"preset\":\"eks\"}");
    assert_status(fixture, 200);
    assert_value(fixture, "preset", "eks");
    send_request(fixture, "PUT", "/v1/issuers/prod", "{\"issuer\":\"" URL "\",\"preset\":\"aks\"}");
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "errors.0.field", "preset");
    assert_value(fixture, "errors.0.code", "read_only");
    send_request(fixture, "DELETE", "/v1/issuers/prod", NULL);
    send_request(fixture, "PUT", "/v1/issuers/prod", "{\"issuer\":\"" URL "\"}");
    assert_status(fixture, 201);
    assert_value(fixture, "preset", "absent");
}

static void refuses(void **state)
{
    static const struct {
        const char *target, *body, *code, *field, *error;
    } wrong[] = {
        {"/v1/issuers?preset=eck", "{\"name\":\"prod\"}", "invalid_query", "preset", "invalid_value"},
        {"/v1/issuers?preset=", "{\"name\":\"prod\"}", "invalid_query", "preset", "invalid_value"},
        {"/v1/issuers?preset=eks&preset=eks", "{\"name\":\"prod\"}", "invalid_query", "preset", "duplicate"},
        {EKS "&strict=maybe", "{\"name\":\"prod\"," PARAMETERS "}", "invalid_query", "strict", "invalid_value"},
        {EKS, "{\"name\":\"prod\"}", "invalid_body", "presetParameters.region", "not_in_preset"},
        {EKS, "{\"name\":\"prod\",\"preset\":\"eks\"," PARAMETERS "}", "invalid_body", "preset", "read_only"},
        {EKS, "{" PARAMETERS "}", "invalid_body", "name", "required"},
        {EKS, "{\"name\":\"prod\",\"leeway\":1," PARAMETERS "}", "invalid_body", "leeway", "unknown_field"},
        {EKS, "[]", "invalid_body", "body", "wrong_type"},
        {"/v1/issuers", "{\"name\":\"prod\"," PARAMETERS "}", "invalid_body", "presetParameters", "unknown_field"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        send_request(fixture, "POST", wrong[i].target, wrong[i].body);
        assert_problem(fixture, 400, wrong[i].code);
        assert_value(fixture, "errors.0.field", wrong[i].field);
        assert_value(fixture, "errors.0.code", wrong[i].error);
    }
    send_request(fixture, "POST", EKS, NULL);
    assert_problem(fixture, 400, "invalid_body");
    send_request(fixture, "PUT", "/v1/issuers/prod?preset=eks", "{}");
    assert_problem(fixture, 400, "invalid_query");
    assert_int_equal(fixture->publish_count, 0);
}

int run_preset_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(shows_presets),
        A_TEST(makes_an_issuer),
        A_TEST(keeps_the_preset),
        A_TEST(refuses),
    };
    return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}

/*
 * Revocations by the token itself: what it says stands in its place, and it goes no further.
 */
#include "fixture.h"
#include "mint.h"

#include "relyd/clock.h"
#include "relyd/text.h"

#define REVOKED_ISS "https://a.example"
#define REVOCATIONS "/v1/revocations"

static void register_revoked(struct fixture *fixture)
{
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "k1", "ES256"), NULL);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"prod\",\"issuer\":\"" REVOKED_ISS "\",\"leewaySeconds\":60,\"keys\":{"
                            "\"jwks\":%s}}",
                            jwks));
    assert_status(fixture, 201);
}

static const char *make_revoked(const char *key, const char *jti, int64_t until_s)
{
    return mint_token(mint_key(key), "ES256", "{\"alg\":\"ES256\",\"kid\":\"k1\"}",
                      mint_print("{\"iss\":\"" REVOKED_ISS "\",\"sub\":\"s\",\"aud\":\"a\",\"exp\":%lld%s}",
                                 (long long)until_s, jti));
}

static void revoke_token(struct fixture *fixture, const char *token, const char *more)
{
    send_request(fixture, "POST", REVOCATIONS, mint_print("{\"token\":\"%s\",\"reason\":\"r\"%s}", token, more));
}

static void keeps_its_jti_alone(void **state)
{
    struct fixture *fixture = *state;
    int64_t until_s = rely_clock_now_s() + 600;
    char text[RELY_TIME_SIZE];
    register_revoked(fixture);
    revoke_token(fixture, make_revoked("p256", ",\"jti\":\"j-1\"", until_s), "");
    assert_status(fixture, 201);
    rely_time_print(until_s + 60, text); /* when nobody accepts it any more */
    assert_value(fixture, "until", text);
    assert_value(fixture, "jti", "j-1");
    assert_value(fixture, "issuerName", "prod");
    assert_value(fixture, "reason", "r");
    assert_value(fixture, "token", "absent");
    assert_value(fixture, "subject", "absent");
    mint_reset();
}

static void takes_an_end_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_s = rely_clock_now_s();
    register_revoked(fixture);
    revoke_token(fixture, make_revoked("p256", ",\"jti\":\"j-1\"", now_s + 600), ",\"until\":\"2100-01-01T00:00:00Z\"");
    assert_status(fixture, 201);
    assert_value(fixture, "until", "2100-01-01T00:00:00Z");
    revoke_token(fixture, make_revoked("p256", ",\"jti\":\"j-2\"", now_s + 600), ",\"until\":null");
    assert_status(fixture, 201);
    assert_value(fixture, "until", "absent");
    mint_reset();
}

static void assert_not_revoked(struct fixture *fixture, const char *field, const char *code)
{
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "errors.0.field", field);
    assert_value(fixture, "errors.0.code", code);
    send_request(fixture, "GET", REVOCATIONS, NULL);
    assert_value(fixture, "value", "[]");
}

static void refuses_tokens_that_nobody_accepts(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_s = rely_clock_now_s();
    register_revoked(fixture);
    revoke_token(fixture, "abc", "");
    assert_value_has(fixture, "detail", "the token is none that would be accepted: malformed");
    assert_not_revoked(fixture, "token", "not_verified");
    revoke_token(fixture, "", "");
    assert_not_revoked(fixture, "token", "not_verified");
    revoke_token(fixture, make_revoked("p256#stranger", ",\"jti\":\"j-1\"", now_s + 600), "");
    assert_value_has(fixture, "detail", "bad_signature");
    assert_not_revoked(fixture, "token", "not_verified");
    revoke_token(fixture, make_revoked("p256", ",\"jti\":\"j-1\"", now_s - 600), "");
    assert_value_has(fixture, "detail", "expired");
    assert_not_revoked(fixture, "token", "not_verified");
    mint_reset();
}

static void refuses_tokens_without_a_jti(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_s = rely_clock_now_s();
    register_revoked(fixture);
    revoke_token(fixture, make_revoked("p256", "", now_s + 600), "");
    assert_value_has(fixture, "detail", "revoke its subject, with issuedBefore");
    assert_not_revoked(fixture, "token", "no_jti");
    revoke_token(fixture, make_revoked("p256", ",\"jti\":\"\"", now_s + 600), "");
    assert_not_revoked(fixture, "token", "no_jti");
    mint_reset();
}

static void refuses_what_the_token_says_already(void **state)
{
    struct fixture *fixture = *state;
    const char *token = make_revoked("p256", ",\"jti\":\"j-1\"", rely_clock_now_s() + 600);
    register_revoked(fixture);
    revoke_token(fixture, token, ",\"jti\":\"j-1\"");
    assert_not_revoked(fixture, "jti", "exactly_one");
    revoke_token(fixture, token, ",\"issuerName\":\"prod\"");
    assert_not_revoked(fixture, "issuerName", "exactly_one");
    static const char *const no_texts[] = {"5", "null", "[]"};
    for (size_t i = 0; i < sizeof no_texts / sizeof no_texts[0]; i++) {
        send_request(fixture, "POST", REVOCATIONS, mint_print("{\"reason\":\"r\",\"token\":%s}", no_texts[i]));
        assert_not_revoked(fixture, "token", "wrong_type");
    }
    mint_reset();
}

/* What the token does not say is judged as in any other. */
static void leaves_the_rest_to_the_registry(void **state)
{
    struct fixture *fixture = *state;
    const char *token = make_revoked("p256", ",\"jti\":\"j-1\"", rely_clock_now_s() + 600);
    register_revoked(fixture);
    send_request(fixture, "POST", REVOCATIONS, mint_print("{\"token\":\"%s\",\"reason\":\"\"}", token));
    assert_not_revoked(fixture, "reason", "too_short");
    revoke_token(fixture, token, ",\"until\":\"2001-01-01T00:00:00Z\"");
    assert_not_revoked(fixture, "until", "out_of_range");
    send_request(fixture, "POST", REVOCATIONS, "{");
    assert_status(fixture, 400);
    send_request(fixture, "POST", REVOCATIONS, "{\"jti\":\"j-2\",\"reason\":\"r\"}"); /* without any */
    assert_status(fixture, 201);
    mint_reset();
}

int run_revoke_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(keeps_its_jti_alone),
        A_TEST(takes_an_end_of_its_own),
        A_TEST(refuses_tokens_that_nobody_accepts),
        A_TEST(refuses_tokens_without_a_jti),
        A_TEST(refuses_what_the_token_says_already),
        A_TEST(leaves_the_rest_to_the_registry),
    };
    return cmocka_run_group_tests_name("revoke", tests, NULL, NULL);
}

/*
 * The key set in force over REST.
 */
#include "fixture.h"
#include "mint.h"

static void shows_an_uploaded_set(void **state)
{
    struct fixture *fixture = *state;
    const char *jwks = mint_jwks(mint_jwk(mint_key("rsa2048"), "a", "RS256"), mint_jwk(mint_key("p256"), NULL, NULL),
                                 mint_jwk(mint_key("rsa1024"), "weak", NULL), NULL);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"cluster\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":%s}}", jwks));
    assert_status(fixture, 201);
    send_request(fixture, "GET", "/v1/issuers/cluster/keys", NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "issuerName", "cluster");
    assert_value(fixture, "issuer", "https://a.example");
    assert_value(fixture, "source", "jwks");
    assert_value(fixture, "generation", "1");
    assert_value(fixture, "keys.0.kid", "a");
    assert_value(fixture, "keys.0.kind", "RSA 2048");
    assert_value(fixture, "keys.0.algorithms", "[\"RS256\"]");
    assert_value(fixture, "keys.1.kid", "null");
    assert_value(fixture, "keys.1.algorithms", "[\"ES256\"]");
    assert_value(fixture, "keys.2", "absent");
    assert_value(fixture, "skipped.0.kid", "weak");
    assert_value(fixture, "skipped.0.isWeak", "true");
    assert_value_has(fixture, "fetchedAt", "T");
    assert_value_has(fixture, "keys.0.lastSeenAt", "T");
    assert_value(fixture, "keys.0.lastUsedAt", "absent");
    assert_value(fixture, "hardLimitAt", "absent"); /* it has none */
    assert_value(fixture, "pending", "absent");
    mint_reset();
}

static void shows_a_set_that_is_not_there_yet(void **state)
{
    struct fixture *fixture = *state;
    fixture->key_status = (struct rely_key_status){
        .last_attempt_s = 1700000000, .next_fetch_s = 1700000060, .last_error = "connection refused"};
    send_request(
        fixture, "POST", "/v1/issuers",
        "{\"name\":\"cluster\",\"issuer\":\"https://a.example\",\"keys\":{\"jwksUri\":\"https://a.example/k\"}}");
    send_request(fixture, "GET", "/v1/issuers/cluster/keys", NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "source", "jwksUri");
    assert_value(fixture, "jwksUri", "https://a.example/k");
    assert_value(fixture, "keys", "[]");
    assert_value(fixture, "fetchedAt", "absent");
    assert_value(fixture, "lastAttemptAt", "2023-11-14T22:13:20Z");
    assert_value(fixture, "lastSuccessAt", "absent");
    assert_value(fixture, "nextFetchAt", "2023-11-14T22:14:20Z");
    assert_value(fixture, "lastError", "connection refused");
    send_request(fixture, "GET", "/v1/issuers/nothing/keys", NULL);
    assert_problem(fixture, 404, "not_found");
}

static void shows_a_set_that_is_held_back(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_slice kids[] = {RELY_LIT("b2"), RELY_LIT("b3")};
    fixture->key_status = (struct rely_key_status){
        .held_why = "drops_keys_in_use", .held_since_s = 1700000000, .held_kids = kids, .held_kid_count = 2};
    send_request(
        fixture, "POST", "/v1/issuers",
        "{\"name\":\"cluster\",\"issuer\":\"https://a.example\",\"keys\":{\"jwksUri\":\"https://a.example/k\"}}");
    send_request(fixture, "GET", "/v1/issuers/cluster/keys", NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "pending.since", "2023-11-14T22:13:20Z");
    assert_value(fixture, "pending.why", "drops_keys_in_use");
    assert_value(fixture, "pending.kids", "[\"b2\",\"b3\"]");
}

static void tells_records_of_one_url_apart(void **state)
{
    struct fixture *fixture = *state;
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "second", NULL), NULL);
    send_request(fixture, "POST", "/v1/issuers", "{\"name\":\"first\",\"issuer\":\"https://a.example\"}");
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"second\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":%s}}", jwks));
    send_request(fixture, "GET", "/v1/issuers/second/keys", NULL);
    assert_value(fixture, "keys.0.kid", "second");
    send_request(fixture, "GET", "/v1/issuers/first/keys", NULL);
    assert_value(fixture, "source", "discovery");
    assert_value(fixture, "keys", "[]");
    mint_reset();
}

int run_keys_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(shows_an_uploaded_set),
        A_TEST(shows_a_set_that_is_not_there_yet),
        A_TEST(shows_a_set_that_is_held_back),
        A_TEST(tells_records_of_one_url_apart),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}

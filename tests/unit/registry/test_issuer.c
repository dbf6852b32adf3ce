/*
 * Issuers: defaults, normal forms, and what is refused.
 */
#include "fixture.h"
#include <stdlib.h>

#define HEAD "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\""

static void fills_in_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL), HEAD "}");
    assert_member(fixture, "name", "cluster");
    assert_member(fixture, "issuer", "https://issuer.example/a");
    assert_member(fixture, "keys", "{\"discovery\":true}");
    assert_member(
        fixture, "algorithms",
        "[\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"PS384\",\"PS512\",\"ES256\",\"ES384\",\"ES512\",\"EdDSA\"]");
    assert_member(fixture, "types", "[\"jwt\",\"jose\",\"at+jwt\"]");
    assert_member(fixture, "leewaySeconds", "60");
    assert_member(fixture, "maxTokenLifetimeSeconds", "absent");
    assert_member(fixture, "allowHttp", "false");
    assert_member(fixture, "allowPrivateAddresses", "false");
    assert_member(fixture, "enabled", "true");
    assert_member(fixture, "createdAt", "2023-11-14T22:13:20Z");
    assert_string_equal(fixture->result.etag, "\"1\"");
    assert_int_equal(fixture->result.changes.count, 1);
    assert_int_equal(fixture->result.changes.revision, 1);
    assert_int_equal(fixture->result.changes.items[0].object, RELY_OBJECT_ISSUER);
}

static void brings_values_to_their_normal_form(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL),
                HEAD ",\"algorithms\":[\"EdDSA\",\"RS256\"],\"types\":[\"application/AT+JWT\",\"JWT\"],"
                     "\"leewaySeconds\":300,\"maxTokenLifetimeSeconds\":3600,\"enabled\":false}");
    assert_member(fixture, "algorithms", "[\"RS256\",\"EdDSA\"]");
    assert_member(fixture, "types", "[\"at+jwt\",\"jwt\"]");
    assert_member(fixture, "maxTokenLifetimeSeconds", "3600");
    assert_member(fixture, "enabled", "false");
    /* fault C3: Ed25519 (RFC 9864) is EdDSA under another name, and EdDSA is shown. */
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"ed25519\",\"issuer\":\"https://a.example\",\"algorithms\":[\"Ed25519\",\"ES256\"]}");
    assert_member(fixture, "algorithms", "[\"ES256\",\"EdDSA\"]");
    must_create(
        fixture, issuer_path(NULL),
        "{\"name\":\"eds\",\"issuer\":\"https://a.example\",\"algorithms\":[\"RS256\",\"RS384\",\"RS512\",\"PS256\","
        "\"PS384\",\"PS512\",\"ES256\",\"ES384\",\"ES512\",\"EdDSA\",\"Ed25519\"]}");
    assert_member(
        fixture, "algorithms",
        "[\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"PS384\",\"PS512\",\"ES256\",\"ES384\",\"ES512\",\"EdDSA\"]");
}

static void takes_each_source_of_keys(void **state)
{
    struct fixture *fixture = *state;
    must_create(
        fixture, issuer_path(NULL),
        "{\"name\":\"uri\",\"issuer\":\"https://a.example\",\"keys\":{\"jwksUri\":\"https://a.example/k?v=1\"}}");
    assert_member(fixture, "keys", "{\"jwksUri\":\"https://a.example/k?v=1\"}");
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"disco\",\"issuer\":\"https://a.example\",\"discoveryUrl\":\"https://b.example/d\"}");
    assert_member(fixture, "discoveryUrl", "https://b.example/d");
    must_create(
        fixture, issuer_path(NULL),
        "{\"name\":\"upload\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[{\"kty\":\"EC\"}]}}}");
    assert_member(fixture, "keys", "{\"jwks\":{\"keys\":[{\"kty\":\"EC\"}]}}");
    /* fault C1: null is absent, in what is uploaded as well */
    must_create(
        fixture, issuer_path(NULL),
        "{\"name\":\"nulls\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"d\":null,"
        "\"p\":null,\"q\":null,\"k\":null}]}}}");
}

static void refuses_bad_keys(void **state)
{
    struct fixture *fixture = *state;
    const char *const cases[][3] = {
        {"7", "keys", "wrong_type"},
        {"{}", "keys", "required"},
        {"{\"discovery\":true,\"pem\":\"x\"}", "keys", "too_many"},
        {"{\"discovery\":false}", "keys.discovery", "invalid_value"},
        {"{\"discovery\":1}", "keys.discovery", "wrong_type"},
        {"{\"jwksURI\":\"https://a.example\"}", "keys.jwksURI", "unknown_field"},
        {"{\"jwksUri\":\"ftp://a.example\"}", "keys.jwksUri", "invalid_url"},
        {"{\"jwksUri\":\"http://a.example/k\"}", "keys.jwksUri", "not_allowed"},
        {"{\"jwksUri\":null}", "keys.jwksUri", "wrong_type"},
        {"{\"jwks\":[]}", "keys.jwks", "wrong_type"},
        {"{\"jwks\":{\"unusable\":1}}", "keys.jwks", "invalid_key_set"},
        {"{\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"d\":\"AA\"}]}}", "keys.jwks", "private_key"},
        {"{\"jwks\":{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}}", "keys.jwks", "private_key"},
        /* fault C1: each member that only the owner may know; one of them null beside it changes nothing */
        {"{\"jwks\":{\"keys\":[null,{\"kty\":\"RSA\",\"d\":null,\"dp\":\"AA\"}]}}", "keys.jwks", "private_key"},
        {"{\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"dq\":\"AA\"}]}}", "keys.jwks", "private_key"},
        {"{\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"qi\":\"AA\"}]}}", "keys.jwks", "private_key"},
        {"{\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"oth\":[]}]}}", "keys.jwks", "private_key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body(HEAD ",\"keys\":%s}", cases[i][0]);
        refuse_create(fixture, issuer_path(NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

static void refuses_bad_fields(void **state)
{
    struct fixture *fixture = *state;
    const char *const cases[][3] = {
        {"\"algorithms\":[]", "algorithms", "too_few"},
        {"\"algorithms\":[\"none\"]", "algorithms[0]", "not_allowed"},
        {"\"algorithms\":[\"RS256\",\"HS256\"]", "algorithms[1]", "not_allowed"},
        {"\"algorithms\":[\"rs256\"]", "algorithms[0]", "not_allowed"},
        {"\"algorithms\":[\"Ed448\"]", "algorithms[0]", "not_allowed"},
        {"\"algorithms\":[\"ed25519\"]", "algorithms[0]", "not_allowed"},
        {"\"algorithms\":[\"RS256\",\"RS256\"]", "algorithms[1]", "duplicate"},
        {"\"algorithms\":\"RS256\"", "algorithms", "wrong_type"},
        {"\"types\":[]", "types", "too_few"},
        {"\"types\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]", "types", "too_many"},
        {"\"types\":[\"JWT\",\"application/jwt\"]", "types[1]", "duplicate"},
        {"\"types\":[\"a b\"]", "types[0]", "invalid_value"},
        {"\"types\":[7]", "types[0]", "wrong_type"},
        {"\"leewaySeconds\":301", "leewaySeconds", "out_of_range"},
        {"\"leewaySeconds\":-1", "leewaySeconds", "out_of_range"},
        {"\"leewaySeconds\":1.5", "leewaySeconds", "wrong_type"},
        {"\"leewaySeconds\":\"60\"", "leewaySeconds", "wrong_type"},
        {"\"maxTokenLifetimeSeconds\":0", "maxTokenLifetimeSeconds", "out_of_range"},
        {"\"enabled\":\"yes\"", "enabled", "wrong_type"},
        {"\"allowHttp\":1", "allowHttp", "wrong_type"},
        {"\"caBundle\":\"not pem\"", "caBundle", "invalid_value"},
        {"\"caBundle\":\"-----BEGIN CERTIFICATE-----\\n-----BEGIN PRIVATE KEY-----\"", "caBundle", "private_key"},
        {"\"discoveryUrl\":\"https://\"", "discoveryUrl", "invalid_url"},
        {"\"keys\":{\"jwksUri\":\"https://a.example\"},\"discoveryUrl\":\"https://a.example\"", "discoveryUrl",
         "not_allowed"},
        {"\"leewayseconds\":60", "leewayseconds", "unknown_field"},
        {"\"createdAt\":\"2023-11-14T22:13:20Z\"", "createdAt", "read_only"},
        {"\"description\":\"a\\u0007b\"", "description", "invalid_text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body(HEAD ",%s}", cases[i][0]);
        refuse_create(fixture, issuer_path(NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

static void says_which_field_was_meant(void **state)
{
    struct fixture *fixture = *state;
    refuse_create(fixture, issuer_path(NULL), HEAD ",\"leewaySecond\":60}", "leewaySecond", "unknown_field");
    assert_non_null(strstr(fixture->result.problems.items[0].message, "did you mean leewaySeconds?"));
}

static void notes_every_wrong_field(void **state)
{
    struct fixture *fixture = *state;
    assert_false(try_create(fixture, issuer_path(NULL), "{\"leewaySeconds\":999,\"typo\":1,\"name\":\"a\"}"));
    assert_refused(fixture, RELY_ERR_INVALID, "invalid_body");
    assert_int_equal(fixture->result.problems.count, 4);
    assert_string_equal(fixture->err.message, "4 fields are wrong");
}

static void refuses_what_is_no_object(void **state)
{
    struct fixture *fixture = *state;
    refuse_create(fixture, issuer_path(NULL), "[]", "body", "wrong_type");
    refuse_create(fixture, issuer_path(NULL), "{\"issuer\":\"https://a.example\"}", "name", "required");
    refuse_create(fixture, issuer_path(NULL), "{\"name\":7}", "name", "wrong_type");
}

static void keeps_name_and_url_for_good(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL), HEAD "}");
    refuse_replace(fixture, issuer_path("cluster"), "{\"name\":\"other\",\"issuer\":\"https://issuer.example/a\"}",
                   "name", "immutable");
    refuse_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a/\"}", "issuer",
                   "immutable");
    refuse_replace(fixture, issuer_path("cluster"), "{\"issuer\":7}", "issuer", "immutable");
    refuse_replace(fixture, issuer_path("cluster"), "{}", "issuer", "required");
    refuse_replace(fixture, issuer_path("new-one"), "{\"name\":\"other\",\"issuer\":\"https://issuer.example/a\"}",
                   "name", "immutable");
}

static void allows_http_only_when_both_say_so(void **state)
{
    struct fixture *fixture = *state;
    const char *body = "{\"name\":\"plain\",\"issuer\":\"http://a.example\",\"allowHttp\":true}";
    const char *uri = "{\"name\":\"by-uri\",\"issuer\":\"urn:a:b\",\"keys\":{\"jwksUri\":\"http://a.example/k\"},"
                      "\"allowHttp\":true}";
    const char *discovery = "{\"name\":\"by-url\",\"issuer\":\"https://a.example\",\"allowHttp\":true,"
                            "\"discoveryUrl\":\"http://a.example/d\"}";
    refuse_create(fixture, issuer_path(NULL), body, "issuer", "not_allowed");
    refuse_create(fixture, issuer_path(NULL), uri, "keys.jwksUri", "not_allowed");
    refuse_create(fixture, issuer_path(NULL), discovery, "discoveryUrl", "not_allowed");
    fixture->options.may_use_http = true;
    reopen_registry(fixture);
    refuse_create(fixture, issuer_path(NULL), "{\"name\":\"plain\",\"issuer\":\"http://a.example\"}", "issuer",
                  "not_allowed");
    assert_string_equal(fixture->result.problems.items[0].message,
                        "issuer is an http URL: that needs allowHttp in the record and issuers.allow_http in the "
                        "configuration");
    must_create(fixture, issuer_path(NULL), body);
    must_create(fixture, issuer_path(NULL), uri);
    must_create(fixture, issuer_path(NULL), discovery);
    refuse_replace(fixture, issuer_path("plain"), "{\"issuer\":\"http://a.example\",\"allowHttp\":false}", "issuer",
                   "not_allowed");
}

static void accepts_what_it_shows(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL),
                HEAD ",\"description\":\"one\\ntwo\",\"maxTokenLifetimeSeconds\":9,"
                     "\"caBundle\":\"-----BEGIN CERTIFICATE-----\\n\"}");
    char *shown = read_object(fixture, issuer_path("cluster"));
    must_replace(fixture, issuer_path("cluster"), shown);
    assert_false(fixture->result.is_created);
    assert_int_equal(fixture->result.changes.count, 0);
    assert_int_equal(fixture->result.changes.revision, 0);
    assert_string_equal(fixture->result.etag, "\"1\"");
    assert_int_equal(rely_registry_revision(fixture->registry), 1);
    free(shown);
}

/* Fault C9: nothing is fetched from the issuer itself when its keys come from elsewhere. */
static void test_c9_takes_any_issuer_without_discovery(void **state)
{
    struct fixture *fixture = *state;
    static const char *const good[] = {
        "auth.openshift.io",       "kubernetes.default.svc",        "http://gitlab.example:8082",
        "urn:example:ci",          "https://a.example/?tenant=1#x", "x",
        "spiffe://user@a.example", "\xf0\x9f\x98\x80 two words"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *body =
            format_body("{\"name\":\"up%zu\",\"issuer\":\"%s\",\"keys\":{\"jwks\":{\"keys\":[]}}}", i, good[i]);
        must_create(fixture, issuer_path(NULL), body);
        assert_member(fixture, "issuer", good[i]);
        free(body);
        body = format_body("{\"name\":\"uri%zu\",\"issuer\":\"%s\",\"keys\":{\"jwksUri\":\"https://b\"}}", i, good[i]);
        must_create(fixture, issuer_path(NULL), body);
        free(body);
        body = format_body("{\"name\":\"disco\",\"issuer\":\"%s\",\"discoveryUrl\":\"https://b/d\"}", good[i]);
        refuse_create(fixture, issuer_path(NULL), body, "issuer", i == 2 ? "not_allowed" : "invalid_url");
        free(body);
    }
}

static void test_c9_refuses_what_is_no_issuer_at_all(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[][2] = {
        {"", "too_short"},
        {":x", "invalid_url"},
        {"1a:x", "invalid_url"},
        {"a b:c", "invalid_url"},
        {"urn:a b", "invalid_url"},
        {"urn:a\\\\b", "invalid_url"},
        {"urn:<a>", "invalid_url"},
        {"a\xe2\x80\x8b", "invalid_url"},
        {"urn:\xe2\x80\xae", "invalid_url"},
        {"a\\nb", "invalid_text"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *body = format_body("{\"name\":\"bad\",\"issuer\":\"%s\",\"keys\":{\"jwks\":{\"keys\":[]}}}", bad[i][0]);
        refuse_create(fixture, issuer_path(NULL), body, "issuer", bad[i][1]);
        free(body);
    }
    for (size_t count = 600; count <= 601; count++) {
        char *name = repeat_text("\xf0\x9f\x98\x80", count);
        char *body =
            format_body("{\"name\":\"long%zu\",\"issuer\":\"%s\",\"keys\":{\"jwks\":{\"keys\":[]}}}", count, name);
        if (count == 600)
            must_create(fixture, issuer_path(NULL), body);
        else
            refuse_create(fixture, issuer_path(NULL), body, "issuer", "too_long");
        free(name);
        free(body);
    }
}

static void test_c9_refuses_discovery_later(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"cluster\",\"issuer\":\"kubernetes.default.svc\",\"keys\":{\"jwksUri\":\"https://a\"}}");
    static const char turned[] = "{\"issuer\":\"kubernetes.default.svc\",\"keys\":{\"discovery\":true}}";
    refuse_replace(fixture, issuer_path("cluster"), turned, "keys", "invalid_url");
    assert_string_equal(fixture->result.problems.items[0].message,
                        "keys cannot be discovered: issuer does not begin with https:// (with keys.jwksUri or keys.jwks"
                        " it need not): \"kubernetes.default.svc\"");
    refuse_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"kubernetes.default.svc\"}", "keys", "invalid_url");
    must_replace(fixture, issuer_path("cluster"),
                 "{\"issuer\":\"kubernetes.default.svc\",\"keys\":{\"jwks\":{\"keys\":[]}}}");
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"web\",\"issuer\":\"https://a.example\",\"keys\":{\"jwksUri\":\"https://a\"}}");
    must_replace(fixture, issuer_path("web"), "{\"issuer\":\"https://a.example\"}");
}

int run_issuer_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(fills_in_the_defaults),
        A_TEST(brings_values_to_their_normal_form),
        A_TEST(takes_each_source_of_keys),
        A_TEST(refuses_bad_keys),
        A_TEST(refuses_bad_fields),
        A_TEST(says_which_field_was_meant),
        A_TEST(notes_every_wrong_field),
        A_TEST(refuses_what_is_no_object),
        A_TEST(keeps_name_and_url_for_good),
        A_TEST(allows_http_only_when_both_say_so),
        A_TEST(accepts_what_it_shows),
        A_TEST(test_c9_takes_any_issuer_without_discovery),
        A_TEST(test_c9_refuses_discovery_later),
        A_TEST(test_c9_refuses_what_is_no_issuer_at_all),
    };
    return cmocka_run_group_tests_name("issuer", tests, NULL, NULL);
}

/*
 * Explain: for each step that can refuse, that the answer says why and what came closest.
 */
#include "fixture.h"
#include "mint.h"
#include <stdio.h>

#define NOW "1700000000"
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}"

static void make_scene(struct fixture *fixture)
{
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "k1", "ES256"), NULL);
    send_request(
        fixture, "POST", "/v1/issuers",
        mint_print("{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwks\":%s}}", jwks));
    assert_status(fixture, 201);
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"web\"}");
    assert_status(fixture, 201);
    send_request(fixture, "POST", "/v1/identities/web/federatedIdentityCredentials",
                 "{\"name\":\"main\",\"issuerName\":\"cluster\",\"subject\":\"ns:prod:app\",\"audiences\":[\"relyd\","
                 "\"other\"]}");
    assert_status(fixture, 201);
}

static const char *token_with(const char *iss, const char *sub, const char *aud)
{
    return mint_token(
        mint_key("p256"), "ES256", HEADER,
        mint_print("{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":[\"%s\"],\"exp\":1700000600,\"iat\":1699999400,"
                   "\"nbf\":1699999400.5,\"jti\":\"id-1\"}",
                   iss, sub, aud));
}

static void ask(struct fixture *fixture, const char *token, const char *more)
{
    send_request(fixture, "POST", "/v1/explain", mint_print("{\"token\":\"%s\",\"at\":" NOW "%s}", token, more));
    assert_status(fixture, 200);
    /* The token itself is never repeated, nor its signature. */
    if (strlen(token) > 20)
        assert_null(strstr(fixture->body.ptr, token));
    const char *signature = strrchr(token, '.');
    if (signature != NULL && strlen(signature) > 20)
        assert_null(strstr(fixture->body.ptr, signature));
}

static void explains_an_allow(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "relyd"), "");
    assert_value(fixture, "decision", "allow");
    assert_value(fixture, "reason", "ok");
    assert_value(fixture, "at", "2023-11-14T22:13:20Z");
    assert_value(fixture, "revision", "3");
    assert_value(fixture, "nearest", "absent");
    assert_value(fixture, "steps.0.step", "token");
    assert_value(fixture, "steps.0.alg", "ES256");
    assert_value(fixture, "steps.0.kid", "k1");
    assert_value(fixture, "steps.1.candidates", "[\"cluster\"]");
    assert_value(fixture, "steps.2.candidates.0.tried.0.kid", "k1");
    assert_value(fixture, "steps.3.key.kind", "EC P-256");
    assert_value(fixture, "steps.4.sub", "ns:prod:app");
    assert_value(fixture, "steps.4.exp.time", "2023-11-14T22:23:20Z");
    assert_value(fixture, "steps.4.exp.secondsFromAt", "600");
    assert_value(fixture, "steps.4.iat.distance", "600 s before at");
    assert_value(fixture, "steps.7.matched", "[\"web/main\"]");
    assert_value(fixture, "steps.8.outcome", "passed");
    assert_value(fixture, "steps.8.validUntil", "2023-11-14T22:24:20Z");
    assert_value(fixture, "identities.0.name", "web");
    assert_value(fixture, "identities.0.username", "web");
    assert_value(fixture, "identities.0.credential", "main");
    mint_reset();
}

static void explains_a_subject(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app2", "relyd"), "");
    assert_value(fixture, "decision", "deny");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "steps.7.outcome", "refused");
    assert_value(fixture, "steps.8.outcome", "not_reached");
    assert_value(fixture, "steps.7.compared.0.credential", "main");
    assert_value(fixture, "steps.7.compared.0.identity", "web");
    assert_value(fixture, "steps.7.compared.0.fields.0.field", "issuer");
    assert_value(fixture, "steps.7.compared.0.fields.0.equal", "true");
    assert_value(fixture, "steps.7.compared.0.fields.1.field", "subject");
    assert_value(fixture, "steps.7.compared.0.fields.1.token", "ns:prod:app2");
    assert_value(fixture, "steps.7.compared.0.fields.1.credential", "ns:prod:app");
    assert_value(fixture, "steps.7.compared.0.fields.1.equal", "false");
    assert_value(fixture, "steps.7.compared.0.fields.1.note",
                 "the credential ends after character 11, the token's goes on with \"2\"");
    assert_value(fixture, "steps.7.compared.0.fields.2.equal", "true");
    assert_value(fixture, "nearest",
                 "the nearest credential is web/main: subject the credential ends after character 11, the token's goes "
                 "on with \"2\"");
    assert_value(fixture, "identities", "[]");
    mint_reset();
}

static void puts_the_nearest_first(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    static const char *const subjects[] = {"ns:prod:batch",
                                           "NS:prod:web",
                                           "ns:prod:wex",
                                           "a:completely:different:one",
                                           "ns:staging:web",
                                           "ns:prod:web-with-a-tail",
                                           "z"};
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        send_request(fixture, "POST", "/v1/identities/web/federatedIdentityCredentials",
                     mint_print("{\"name\":\"cred-%zu\",\"issuerName\":\"cluster\",\"subject\":\"%s\",\"audiences\":["
                                "\"relyd\"]}",
                                i, subjects[i]));
        assert_status(fixture, 201);
    }
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:web", "relyd"), "");
    assert_int_equal(fixture->reads, 1);
    assert_value(fixture, "steps.7.compared.0.fields.1.credential", "NS:prod:web");
    assert_value(fixture, "steps.7.compared.0.fields.1.note", "differs only in letter case");
    assert_value(fixture, "steps.7.compared.1.fields.1.credential", "ns:prod:wex");
    assert_value(fixture, "steps.7.compared.5", "absent");
    mint_reset();
}

static void put_rule_at(struct fixture *fixture, const char *path, const char *expression, const char *more)
{
    send_request(fixture, "PUT", path,
                 mint_print("{%s,\"claimsMatchingExpression\":{\"value\":\"%s\",\"languageVersion\":1},"
                            "\"audiences\":[\"relyd\"]}",
                            more, expression));
    assert_true(fixture->status == 200 || fixture->status == 201);
}

#define RULES "/v1/identities/web/federatedIdentityCredentials"
#define OF_CLUSTER "\"issuerName\":\"cluster\""

/* In: claims - members behind the subject, with a comma in front. */
static const char *token_that_says(const char *sub, const char *claims, const char *aud)
{
    return mint_token(mint_key("p256"), "ES256", HEADER,
                      mint_print("{\"iss\":\"https://issuer.example/a\",\"sub\":\"%s\",\"aud\":[\"%s\"],"
                                 "\"exp\":1700000600%s}",
                                 sub, aud, claims));
}

/* The first of its terms that the token does not match, with both sides. */
static void explains_an_expression(void **state)
{
    static const struct {
        const char *expression, *claims, *token, *note;
    } cases[] = {
        {"claims['sub'] matches 'repo:acme*' and claims['repository'] eq 'acme/app'", ",\"repository\":\"acme/apq\"",
         "acme/apq",
         "claims['repository'] eq 'acme/app': differs at character 8: the token has \"q\", the credential \"p\""},
        {"claims['sub'] matches 'repo:acme*' and claims['repository'] eq 'acme/app'", ",\"repository\":\"Acme/app\"",
         "Acme/app", "claims['repository'] eq 'acme/app': differs only in letter case"},
        {"claims['sub'] matches 'repo:acme*' and claims['/a~1b/it''s'] eq 'x''y'", ",\"repository\":\"acme/app\"",
         "null", "claims['/a~1b/it''s'] eq 'x''y': the token has no such claim"},
        {"claims['sub'] matches 'repo:acme*' and claims['env'] matches 'prod-?'", ",\"env\":[\"dev\",\"prod-12\"]",
         "[\"dev\",\"prod-12\"]", "claims['env'] matches 'prod-?': the token's begins so, and goes on otherwise"},
        {"claims['sub'] matches 'repo:acme*' and claims['n'] eq '12'", ",\"n\":13", "13",
         "claims['n'] eq '12': differs at character 2: the token has \"3\", the credential \"2\""},
        {"claims['sub'] matches 'repo:acme-evil/*' and claims['a'] eq 'b'", ",\"a\":\"c\"", "repo:acme/app:main",
         "claims['sub'] matches 'repo:acme-evil/*': differs at character 10: the token has \"/app:m\", the credential "
         "\"-evil/\""},
    };
    struct fixture *fixture = *state;
    make_scene(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_rule_at(fixture, RULES "/rule", cases[i].expression, OF_CLUSTER);
        ask(fixture, token_that_says("repo:acme/app:main", cases[i].claims, "relyd"), "");
        assert_value(fixture, "reason", "no_matching_credential");
        assert_value(fixture, "steps.7.compared.0.credential", "rule");
        assert_value(fixture, "steps.7.compared.0.fields.0.field", "issuer");
        assert_value(fixture, "steps.7.compared.0.fields.1.field", "claimsMatchingExpression");
        assert_value(fixture, "steps.7.compared.0.fields.1.token", cases[i].token);
        assert_value(fixture, "steps.7.compared.0.fields.1.credential", cases[i].expression);
        assert_value(fixture, "steps.7.compared.0.fields.1.equal", "false");
        assert_value(fixture, "steps.7.compared.0.fields.1.note", cases[i].note);
        assert_value_has(fixture, "nearest", "the nearest credential is web/rule: claimsMatchingExpression claims['");
    }
    mint_reset();
}

/* All of its terms match: something else was wrong. */
static void explains_a_rule_that_would_match(void **state)
{
    struct fixture *fixture = *state;
    const char *rule = "claims['sub'] matches 'repo:*' and claims['a'] eq 'b'";
    make_scene(fixture);
    put_rule_at(fixture, RULES "/rule", rule, OF_CLUSTER);
    ask(fixture, token_that_says("repo:acme/app", ",\"a\":\"b\"", "Relyd"), "");
    assert_value(fixture, "reason", "audience_mismatch");
    assert_value(fixture, "steps.7.compared.0.fields.1.equal", "true");
    assert_value(fixture, "steps.7.compared.0.fields.2.note", "differs only in letter case");
    put_rule_at(fixture, RULES "/rule", rule, OF_CLUSTER ",\"enabled\":false");
    ask(fixture, token_that_says("repo:acme/app", ",\"a\":\"b\"", "relyd"), "");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value_has(fixture, "nearest", "web/rule: credentialEnabled is false: the credential is disabled, last");
    mint_reset();
}

/* By what it says in the claim that tells them apart, by its groups, and by prefixes that its subject nearly has. */
static void finds_the_nearest_rules(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    send_request(fixture, "PUT", "/v1/issuerGroups/fleet", "{\"issuers\":[\"cluster\"]}");
    for (int i = 0; i < 12; i++)
        put_rule_at(fixture, mint_print(RULES "/rule-%02d", i),
                    mint_print("claims['sub'] matches 'repo:acme*' and claims['repository'] eq 'acme/app-%02d'", i),
                    OF_CLUSTER);
    put_rule_at(fixture, RULES "/of-group", "claims['sub'] matches 'repo:acme/ap*' and claims['a'] eq 'b'",
                "\"issuerGroup\":\"fleet\"");
    put_rule_at(fixture, RULES "/beside", "claims['sub'] matches 'repo:acmf/*'", OF_CLUSTER);
    ask(fixture, token_that_says("repo:acme/app:x", ",\"repository\":\"acme/app-0x\"", "relyd"), "");
    assert_int_equal(fixture->reads, 1);
    assert_value(fixture, "steps.7.compared.0.credential", "rule-09");
    assert_value(fixture, "steps.7.compared.1.credential", "rule-08");
    ask(fixture, token_that_says("repo:acme/app:x", ",\"a\":\"c\"", "relyd"), "");
    assert_value(fixture, "steps.7.compared.0.credential", "of-group");
    assert_value(fixture, "steps.7.compared.0.fields.0.field", "issuerGroup");
    ask(fixture, token_that_says("repo:acmg/app:x", "", "relyd"), "");
    assert_value(fixture, "steps.7.compared.0.credential", "beside");
    mint_reset();
}

static void explains_an_audience(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "Relyd"), "");
    assert_value(fixture, "reason", "audience_mismatch");
    assert_value(fixture, "steps.7.compared.0.fields.2.field", "audiences");
    assert_value(fixture, "steps.7.compared.0.fields.2.token", "[\"Relyd\"]");
    assert_value(fixture, "steps.7.compared.0.fields.2.note", "differs only in letter case");
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "relyd"), ",\"audiences\":[\"api\"]");
    assert_value(fixture, "reason", "audience_mismatch");
    assert_value(fixture, "steps.7.acceptedAudiences", "[\"api\"]");
    assert_value(fixture, "steps.7.compared.0.fields.2.note",
                 "token and credential agree, but the caller accepts none of these");
    mint_reset();
}

static void explains_an_identity(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "relyd"), ",\"identity\":\"api\"");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "steps.7.compared.0.fields.3.field", "identity");
    assert_value(fixture, "steps.7.compared.0.fields.3.credential", "web");
    assert_value_has(fixture, "nearest", "web/main: identity is not the one that the caller asks for");
    send_request(fixture, "PUT", "/v1/identities/web", "{\"enabled\":false}");
    assert_status(fixture, 200);
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "relyd"), "");
    assert_value(fixture, "reason", "identity_disabled");
    assert_value(fixture, "steps.7.compared.0.fields.3.note", "the identity is disabled");
    mint_reset();
}

static void put_main(struct fixture *fixture, const char *more)
{
    send_request(
        fixture, "PUT", "/v1/identities/web/federatedIdentityCredentials/main",
        mint_print("{\"issuerName\":\"cluster\",\"subject\":\"ns:prod:app\",\"audiences\":[\"relyd\"]%s}", more));
    assert_status(fixture, 200);
}

/* A stranger is told as of one that is missing; here stands which it is. */
static void explains_what_is_not_in_force(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    const char *token = token_with("https://issuer.example/a", "ns:prod:app", "relyd");
    put_main(fixture, ",\"enabled\":false");
    ask(fixture, token, "");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "detail", "no federated credential matches issuer cluster and subject \"ns:prod:app\"");
    assert_value(fixture, "steps.7.matched", "[]");
    assert_value(fixture, "steps.7.shadow", "absent");
    assert_value(fixture, "steps.7.compared.0.credential", "main");
    assert_value(fixture, "steps.7.compared.0.fields.2.equal", "true");
    assert_value(fixture, "steps.7.compared.0.fields.3.field", "credentialEnabled");
    assert_value(fixture, "steps.7.compared.0.fields.3.credential", "false");
    assert_value_has(fixture, "steps.7.compared.0.fields.3.note",
                     "is false: the credential is disabled, last changed at 20");
    assert_value(fixture, "steps.7.compared.0.fields.4", "absent");
    assert_value_has(
        fixture, "nearest",
        "the nearest credential is web/main: credentialEnabled is false: the credential is disabled, last");
    put_main(fixture, ",\"notAfter\":\"2023-11-14T22:13:19Z\"");
    ask(fixture, token, "");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "steps.7.compared.0.fields.3.field", "notAfter");
    assert_value(fixture, "steps.7.compared.0.fields.3.token", "2023-11-14T22:13:20Z");
    assert_value(fixture, "steps.7.compared.0.fields.3.credential", "2023-11-14T22:13:19Z");
    assert_value(fixture, "steps.7.compared.0.fields.3.note", "was 1 s before at");
    assert_value(fixture, "nearest", "the nearest credential is web/main: notAfter was 1 s before at");
    put_main(fixture, ",\"notAfter\":\"2023-11-14T22:13:20Z\"");
    ask(fixture, token, "");
    assert_value(fixture, "reason", "ok");
    assert_value(fixture, "steps.8.validUntil", "2023-11-14T22:13:20Z");
    ask(fixture, token, ",\"audiences\":[\"api\"]");
    assert_value(fixture, "steps.7.compared.0.fields.3.equal", "true");
    put_main(fixture, ",\"mode\":\"shadow\"");
    ask(fixture, token, "");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "identities", "[]");
    assert_value(fixture, "steps.7.matched", "[]");
    assert_value(fixture, "steps.7.shadow", "web/main");
    assert_value(fixture, "steps.7.compared.0.fields.3.field", "mode");
    assert_value(fixture, "steps.7.compared.0.fields.3.token", "enforce");
    assert_value(fixture, "steps.7.compared.0.fields.3.credential", "shadow");
    assert_value_has(fixture, "nearest", "web/main: mode is shadow: it lets nobody in, last changed at 20");
    mint_reset();
}

static void explains_another_cluster(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    send_request(fixture, "POST", "/v1/issuers", "{\"name\":\"staging\",\"issuer\":\"https://issuer.example/b\"}");
    send_request(
        fixture, "POST", "/v1/identities/web/federatedIdentityCredentials",
        "{\"name\":\"stage\",\"issuerName\":\"staging\",\"subject\":\"ns:stage:app\",\"audiences\":[\"relyd\"]}");
    assert_status(fixture, 201);
    ask(fixture, token_with("https://issuer.example/a", "ns:stage:app", "relyd"), "");
    assert_value(fixture, "reason", "no_matching_credential");
    assert_value(fixture, "steps.7.compared.0.credential", "stage");
    assert_value(fixture, "steps.7.compared.0.fields.0.token", "cluster");
    assert_value(fixture, "steps.7.compared.0.fields.0.credential", "staging");
    assert_value(fixture, "steps.7.compared.0.fields.0.note", "the credential is for staging, the token is of cluster");
    mint_reset();
}

static void explains_an_issuer(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    ask(fixture, token_with("https://issuer.example/a/", "ns:prod:app", "relyd"), "");
    assert_value(fixture, "reason", "unknown_issuer");
    assert_value(fixture, "steps.1.outcome", "refused");
    assert_value(fixture, "steps.1.compared.0.issuerName", "cluster");
    assert_value(fixture, "nearest",
                 "the nearest issuer is cluster: iss the token has a trailing slash, the record has none");
    assert_value(fixture, "steps.2.outcome", "not_reached");
    mint_reset();
}

static void explains_keys(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    fixture->key_status = (struct rely_key_status){.last_attempt_s = 1700000000, .last_error = "timeout after 10 s"};
    const char *payload = "{\"iss\":\"https://issuer.example/a\",\"sub\":\"s\",\"aud\":\"x\",\"exp\":1700000600}";
    ask(fixture, mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"k2\"}", payload), "");
    assert_value(fixture, "reason", "key_unknown");
    assert_value(fixture, "steps.2.candidates.0.keys.0.kid", "k1");
    assert_value(fixture, "steps.2.candidates.0.lastError", "timeout after 10 s");
    assert_value(fixture, "nearest", "the last fetch of issuer cluster's keys failed: timeout after 10 s");
    ask(fixture, mint_token(mint_key("p256#other"), "ES256", HEADER, payload), "");
    assert_value(fixture, "reason", "bad_signature");
    assert_value(fixture, "steps.3.outcome", "refused");
    assert_value(fixture, "steps.2.candidates.0.tried.0.kid", "k1");
    /* Claims of a token that did not verify are not shown as if they were true. */
    assert_value(fixture, "steps.4", "{\"step\":\"claims\",\"outcome\":\"not_reached\"}");
    mint_reset();
}

static void explains_time(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    const char *token = token_with("https://issuer.example/a", "ns:prod:app", "relyd");
    send_request(fixture, "POST", "/v1/explain",
                 mint_print("{\"token\":\"%s\",\"at\":\"2023-11-14T22:30:00Z\"}", token));
    assert_status(fixture, 200);
    assert_value(fixture, "reason", "expired");
    assert_value(fixture, "steps.4.outcome", "refused");
    assert_value(fixture, "steps.4.exp.secondsFromAt", "-400");
    assert_value(fixture, "steps.4.exp.distance", "400 s before at");
    assert_value(fixture, "steps.4.leewaySeconds", "60");
    mint_reset();
}

static void explains_a_copied_token(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    const char *token = token_with("https://issuer.example/a", "ns:prod:app", "relyd");
    ask(fixture, mint_print("%s\\n", token), "");
    assert_value(fixture, "reason", "malformed_token");
    assert_value_has(fixture, "nearest", "white space at its start or end");
    ask(fixture, mint_print("Bearer %s", token), "");
    assert_value(fixture, "reason", "malformed_token");
    assert_value_has(fixture, "nearest", "begins with Bearer");
    ask(fixture, "", "");
    assert_value(fixture, "reason", "no_token");
    mint_reset();
}

static void test_d_prints_the_time_that_was_asked_for(void **state)
{
    static const char *const times[][2] = {{"0", "1970-01-01T00:00:00Z"},
                                           {"\"1970-01-01T01:00:00+01:00\"", "1970-01-01T00:00:00Z"},
                                           {"100000000000", "5138-11-16T09:46:40Z"},
                                           {"\"5138-11-16T09:46:40Z\"", "5138-11-16T09:46:40Z"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        send_request(fixture, "POST", "/v1/explain", mint_print("{\"token\":\"x\",\"at\":%s}", times[i][0]));
        assert_status(fixture, 200);
        assert_value(fixture, "at", times[i][1]);
    }
}

/* Fault A8: it answered allow where the check says ambiguous_identity. */
static void test_a8_says_what_the_endpoint_says(void **state)
{
    static const char *const doors[][3] = {
        {"", "check", "ambiguous_identity"},
        {",\"endpoint\":\"check\",\"route\":\"default\"", "check", "ambiguous_identity"},
        {",\"endpoint\":\"tokenreview\"", "tokenreview", "ambiguous_identity"},
        {",\"endpoint\":\"review\"", "review", "ok"},
        {",\"identity\":\"web\"", "check", "ok"},
        {",\"endpoint\":\"review\",\"identity\":\"web\",\"audiences\":[\"x\",\"relyd\"]", "review", "ok"},
        {",\"endpoint\":\"tokenreview\",\"audiences\":[\"x\",\"other\"]", "tokenreview", "audience_mismatch"},
    };
    struct fixture *fixture = *state;
    make_scene(fixture);
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"second\"}");
    send_request(
        fixture, "POST", "/v1/identities/second/federatedIdentityCredentials",
        "{\"name\":\"main\",\"issuerName\":\"cluster\",\"subject\":\"ns:prod:app\",\"audiences\":[\"relyd\"]}");
    assert_status(fixture, 201);
    const char *token = token_with("https://issuer.example/a", "ns:prod:app", "relyd");
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        ask(fixture, token, doors[i][0]);
        assert_value(fixture, "reason", doors[i][2]);
        assert_value(fixture, "endpoint", doors[i][1]);
        assert_value(fixture, "route", "default");
        assert_value(fixture, "single", strcmp(doors[i][1], "review") == 0 ? "false" : "true");
        if (strcmp(doors[i][2], "ambiguous_identity") == 0) {
            assert_value_has(fixture, "whatToDo", "identity");
            assert_value(fixture, "identities", "[]"); /* nobody is let in as any of them */
        }
    }
    ask(fixture, token, "");
    assert_value(fixture, "steps.7.matched", "[\"web/main\",\"second/main\"]");
    assert_value(fixture, "steps.8.outcome", "refused");
    mint_reset();
}

/* The registry is asked for what came close, and for nothing else: a slow disk holds up no other explanation. */
static void asks_the_registry_only_for_neighbours(void **state)
{
    struct fixture *fixture = *state;
    make_scene(fixture);
    int writes = fixture->writes;
    ask(fixture, "x", "");
    ask(fixture, token_with("https://issuer.example/a", "ns:prod:app", "relyd"), "");
    assert_value(fixture, "decision", "allow");
    assert_int_equal(fixture->reads, 0);
    assert_int_equal(fixture->writes, writes);
    mint_reset();
}

static void takes_as_many_audiences_as_an_endpoint(void **state)
{
    struct fixture *fixture = *state;
    struct rely_buf list = {0};
    for (int count = 1; count <= 33; count++) {
        rely_buf_printf(&list, "%s\"a%d\"", count == 1 ? "" : ",", count);
        if (count < 32)
            continue;
        send_request(fixture, "POST", "/v1/explain",
                     mint_print("{\"token\":\"x\",\"endpoint\":\"review\",\"audiences\":[%s]}", list.ptr));
        assert_status(fixture, count == 32 ? 200 : 400);
    }
    rely_buf_fini(&list);
    mint_reset();
}

static void refuses_bad_questions(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"[]", "body"},
        {"{}", "token"},
        {"{\"token\":7}", "token"},
        {"{\"token\":\"x\",\"at\":\"yesterday\"}", "at"},
        {"{\"token\":\"x\",\"at\":-1}", "at"},
        {"{\"token\":\"x\",\"at\":1700000000000}", "at"},
        {"{\"token\":\"x\",\"at\":1.5}", "at"},
        {"{\"token\":\"x\",\"audiences\":\"a\"}", "audiences"},
        {"{\"token\":\"x\",\"audiences\":[1]}", "audiences"},
        {"{\"token\":\"x\",\"identity\":[]}", "identity"},
        {"{\"token\":\"x\",\"audience\":[]}", "audience"},
        {"{\"token\":\"x\",\"at\":\"0000-01-01T00:00:00Z\"}", "at"}, /* fault D: the year 0 */
        {"{\"token\":\"x\",\"at\":\"1969-12-31T23:59:59Z\"}", "at"},
        {"{\"token\":\"x\",\"at\":\"1970-01-01T00:00:00+00:01\"}", "at"},
        {"{\"token\":\"x\",\"at\":\"5138-11-16T09:46:41Z\"}", "at"},
        {"{\"token\":\"x\",\"at\":100000000001}", "at"},
        {"{\"token\":\"x\",\"endpoint\":\"checks\"}", "endpoint"}, /* fault A8 */
        {"{\"token\":\"x\",\"endpoint\":\"explain\"}", "endpoint"},
        {"{\"token\":\"x\",\"endpoint\":7}", "endpoint"},
        {"{\"token\":\"x\",\"endpoint\":null}", "endpoint"},
        {"{\"token\":\"x\",\"route\":\"other\"}", "route"},
        {"{\"token\":\"x\",\"route\":\"Default\"}", "route"},
        {"{\"token\":\"x\",\"route\":1}", "route"},
        {"{\"token\":\"x\",\"audiences\":[\"a\",\"b\"]}", "audiences"},
        {"{\"token\":\"x\",\"audiences\":[\"a\",\"b\"],\"endpoint\":\"check\"}", "audiences"},
        {"{\"token\":\"x\",\"identity\":\"web\",\"endpoint\":\"tokenreview\"}", "identity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_request(fixture, "POST", "/v1/explain", cases[i][0]);
        assert_problem(fixture, 400, "invalid_body");
        assert_value(fixture, "errors.0.field", cases[i][1]);
        assert_value(fixture, "errors.1", "absent");
    }
}

int run_explain_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(explains_an_allow),
        A_TEST(explains_a_subject),
        A_TEST(explains_an_expression),
        A_TEST(explains_a_rule_that_would_match),
        A_TEST(finds_the_nearest_rules),
        A_TEST(puts_the_nearest_first),
        A_TEST(explains_an_audience),
        A_TEST(explains_an_identity),
        A_TEST(explains_what_is_not_in_force),
        A_TEST(explains_another_cluster),
        A_TEST(explains_an_issuer),
        A_TEST(explains_keys),
        A_TEST(explains_time),
        A_TEST(explains_a_copied_token),
        A_TEST(asks_the_registry_only_for_neighbours),
        A_TEST(takes_as_many_audiences_as_an_endpoint),
        A_TEST(refuses_bad_questions),
        A_TEST(test_a8_says_what_the_endpoint_says),
        A_TEST(test_d_prints_the_time_that_was_asked_for),
    };
    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}

/*
 * relyd's own review, and token introspection: to the byte what is answered; and which paths there are at all.
 */
#include "door.h"

#include <setjmp.h>

#include <cmocka.h>

#define UID "00000000-0000-4000-8000-000000000001"
#define JSON "content-type: application/json"
#define FORM "content-type: application/x-www-form-urlencoded"
#define TOKEN_X "{\"token\":\"x\"}"
/* In: errors - a member, with a comma in front. */
#define PROBLEM(status, title, header, code, detail, errors)                                                           \
    status "\ncontent-type: application/problem+json\n" header "\n{\"type\":\"https://relyd.dev/problems/" code        \
           "\",\"title\":\"" title "\",\"status\":" status ",\"code\":\"" code "\",\"detail\":\"" detail "\"" errors   \
           "}\n"
#define AN_ERROR(field, code, message) "{\"field\":\"" field "\",\"code\":\"" code "\",\"message\":\"" message "\"}"
#define INVALID_BODY(field, code, message)                                                                             \
    PROBLEM("400", "Bad Request", "", "invalid_body", message, ",\"errors\":[" AN_ERROR(field, code, message) "]")
#define NO_JSON(why) PROBLEM("400", "Bad Request", "", "invalid_body", "the body is not a strict JSON object: " why, "")
#define NOT_FOUND(hint) PROBLEM("404", "Not Found", "", "not_found", "no such path on the data plane" hint, "")
#define NO_PATH NOT_FOUND("; see docs/data-plane.md")
#define NO_GRPC                                                                                                        \
    NOT_FOUND(": gRPC is over HTTP/2 alone, and its services are envoy.service.auth.v3.Authorization and "             \
              "grpc.health.v1.Health")
#define NO_PROBE NOT_FOUND(": probes and metrics are on health.listen and the control plane")
#define OAUTH(status, header, error, sentence)                                                                         \
    status "\ncontent-type: application/json\ncache-control: no-store\n" header "\n{\"error\":\"" error                \
           "\",\"error_description\":\"" sentence "\"}\n"
#define CHALLENGE "www-authenticate: Bearer realm=\"relyd\"\n"
#define PROVE_IT "who asks must prove who he is: by a client certificate, or by a bearer token in authorization"
#define NOT_AMONG "who asks is not among the callers of the route"
#define SHED                                                                                                           \
    "Too many signatures of this issuer's tokens have failed in this second (keys.kidless_failures_per_s): not "       \
    "verified under all keys."

/* --- the review ------------------------------------------------------------------------------------------------- */

#define ALLOW(route, identities)                                                                                       \
    "200\ncontent-type: application/json\n\n{\"decision\":\"allow\",\"reason\":\"ok\",\"decisionId\":\"ID\","          \
    "\"route\":\"" route "\",\"issuer\":\"issuer\",\"subject\":\"app\",\"audiences\":[\"relyd\",\"more\"],"            \
    "\"expiresAt\":\"2099-12-31T23:59:59Z\",\"identities\":[" identities "]}\n"
#define IDENTITY(name, groups, extra, audience)                                                                        \
    "{\"name\":\"" name "\",\"uid\":\"" UID "\",\"username\":\"" name "\",\"groups\":[" groups "],\"extra\":{" extra   \
    "},\"credential\":\"rule\",\"audiences\":[\"" audience "\"]}"
/* In: issuer - a member, with a comma in front, where its signature is good. */
#define DENY(status, reason, detail, issuer)                                                                           \
    status "\ncontent-type: application/json\n\n{\"decision\":\"deny\",\"reason\":\"" reason "\",\"detail\":\"" detail \
           "\",\"decisionId\":\"ID\",\"route\":\"default\"" issuer "}\n"

static void test_the_whole_decision(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice groups[] = {{"ops", 3}, {"dev", 3}}, values[] = {{"1", 1}};
    static const struct rely_slice audiences[] = {{"relyd", 5}, {"more", 4}};
    static const struct rely_identity_extra extra[] = {{{"a", 1}, values, 1}, {{"b", 1}, NULL, 0}};
    const char *token = sign_app(), *body = mint_print("{\"token\":\"%s\"}", token);
    expect_answer(worker, "POST /v1/review", JSON, body, ALLOW("default", IDENTITY("app", "", "", "relyd")));
    struct rely_identity *identity = scene_edit_identity(&worker->scene, worker->issuer + 1);
    identity->groups = groups;
    identity->group_count = 2;
    identity->extra = extra;
    identity->extra_count = 2;
    scene_add_credential(&worker->scene, worker->issuer, scene_add_identity(&worker->scene, "second"), "app", "more");
    put_door_route(worker, "both", (struct rely_route_record){.audiences = {audiences, 2}});
    expect_answer(worker, "POST /routes/both/review", NULL, body,
                  ALLOW("both", IDENTITY("app", "\"ops\",\"dev\"", "\"a\":[\"1\"],\"b\":[]",
                                         "relyd") "," IDENTITY("second", "", "", "more")));
    body = mint_print("{\"token\":\"%s\",\"identity\":\"second\",\"audiences\":[\"more\"]}", token);
    expect_answer(worker, "POST /routes/both/review", JSON, body, ALLOW("both", IDENTITY("second", "", "", "more")));
    expect_answer(worker, "POST /v1/review", JSON, body,
                  DENY("200", "audience_mismatch",
                       "no audience of the token counts here; it has \\\"relyd\\\", \\\"more\\\"",
                       ",\"issuer\":\"issuer\""));
}

static void test_denials(void **state)
{
    struct worker *worker = *state;
    expect_answer(worker, "POST /v1/review", JSON, TOKEN_X,
                  DENY("200", "malformed_token", "the token has fewer than three parts", ""));
    expect_answer(worker, "POST /v1/review", JSON, "{\"token\":\"\"}",
                  DENY("200", "no_token", "the token is empty", ""));
    expect_answer(
        worker, "POST /v1/review", JSON, mint_print("{\"token\":\"%s\",\"identity\":\"none\"}", sign_app()),
        DENY("200", "no_matching_credential",
             "no federated credential of the identity asked for matches issuer issuer and subject \\\"app\\\"",
             ",\"issuer\":\"issuer\""));
    worker->reviewer.tries.limit = 0; /* none is tried under all keys */
    expect_answer(worker, "POST /v1/review", JSON, mint_print("{\"token\":\"%s\"}", sign_without_kid()),
                  DENY("503", "overloaded", SHED, ""));
}

static void test_bodies_that_are_no_review(void **state)
{
    struct worker *worker = *state;
    static const struct {
        const char *body, *expected;
    } cases[] = {
        {"", NO_JSON("not an object")},
        {"{\"token\":\"x\",\"token\":\"y\"}", NO_JSON("duplicate member")},
        {"{}", INVALID_BODY("token", "required", "token is required, and is a string")},
        {"{\"token\":1}", INVALID_BODY("token", "required", "token is required, and is a string")},
        {"{\"token\":\"x\",\"tokn\":\"y\"}",
         INVALID_BODY("tokn", "unknown_field",
                      "\\\"tokn\\\" is not known here; a review has token tokens audiences identity")},
        {"{\"token\":\"x\",\"identity\":1,\"audiences\":{}}",
         PROBLEM("400", "Bad Request", "", "invalid_body", "identity must be a string",
                 ",\"errors\":[" AN_ERROR("identity", "wrong_type", "identity must be a string") "," AN_ERROR(
                     "audiences", "wrong_type", "audiences must be a list of strings") "]")},
        {"{\"token\":\"x\",\"tokens\":[\"y\"]}",
         INVALID_BODY("tokens", "exactly_one", "exactly one of token and tokens says what to review")},
        {"{\"tokens\":[]}", INVALID_BODY("tokens", "too_few", "tokens has 0 items; the least is 1")},
        {"{\"tokens\":\"x\"}", INVALID_BODY("tokens", "wrong_type", "tokens must be a list of strings")},
        {"{\"tokens\":[1,\"x\",null]}",
         PROBLEM("400", "Bad Request", "", "invalid_body", "tokens[0] must be a string",
                 ",\"errors\":[" AN_ERROR("tokens[0]", "wrong_type", "tokens[0] must be a string") "," AN_ERROR(
                     "tokens[2]", "wrong_type", "tokens[2] must be a string") "]")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_answer(worker, "POST /v1/review", JSON, cases[i].body, cases[i].expected);
    expect_answer(worker, "POST /v1/review", "content-type: text/json", TOKEN_X,
                  PROBLEM("415", "Unsupported Media Type", "", "unsupported_media_type",
                          "the body must be JSON, with Content-Type: application/json", ""));
    struct rely_buf body = {0};
    rely_buf_put(&body, RELY_LIT("{\"token\":\"x\",\"audiences\":[\"a\""));
    for (int i = 0; i < RELY_REQUEST_AUDIENCES_MAX; i++)
        rely_buf_put(&body, RELY_LIT(",\"a\""));
    rely_buf_put(&body, RELY_LIT("]}"));
    expect_answer(worker, "POST /v1/review", JSON, body.ptr,
                  INVALID_BODY("audiences", "too_many", "audiences has more than 32 entries"));
    rely_buf_fini(&body);
}

/* --- introspection ------------------------------------------------------------------------------------------------ */

#define ANSWERED(status) status "\ncontent-type: application/json\ncache-control: no-store\nx-relyd-decision-id: ID\n\n"
#define ACTIVE(claims)                                                                                                 \
    ANSWERED("200")                                                                                                    \
    "{\"active\":true,\"iss\":\"" URL "\",\"sub\":\"app\"," claims                                                     \
    ",\"username\":\"app\",\"token_type\":\"Bearer\",\"client_id\":\"app\","                                           \
    "\"relyd\":{\"credential\":\"rule\",\"issuer\":\"issuer\"}}\n"
#define NO_FORM                                                                                                        \
    OAUTH("415", "", "invalid_request", "the body must be a form, with Content-Type: application/x-www-form-urlencoded")

static void test_active(void **state)
{
    struct worker *worker = *state;
    expect_answer(worker, "POST /v1/introspect", FORM, mint_print("token=%s", sign_app()),
                  ACTIVE("\"aud\":[\"relyd\",\"more\"],\"exp\":4102444799"));
    const char *said =
        sign_claims("\"sub\":\"app\",\"aud\":\"relyd\",\"iat\":1700000000,\"nbf\":1700000001,\"jti\":\"j\\\"1\"");
    expect_answer(worker, "POST /routes/default/introspect", FORM "; charset=utf-8",
                  mint_print("token_type_hint=refresh_token&token=%s&x=y", said),
                  ACTIVE("\"aud\":[\"relyd\"],\"exp\":4102444799,\"iat\":1700000000,\"nbf\":1700000001,"
                         "\"jti\":\"j\\\"1\""));
    /* Whoever keeps the answer until `exp` does so until the credential's end. */
    scene_edit_credential(&worker->scene, worker->issuer + 2)->not_after_s = 4000000000;
    expect_answer(worker, "POST /v1/introspect", FORM, mint_print("token=%s", sign_app()),
                  ACTIVE("\"aud\":[\"relyd\",\"more\"],\"exp\":4000000000"));
}

static void test_not_active(void **state)
{
    struct worker *worker = *state;
    static const char none[] =
        ANSWERED("400") "{\"error\":\"invalid_request\",\"error_description\":\"the form has no token\"}\n";
    expect_answer(worker, "POST /v1/introspect", FORM, "token=x", ANSWERED("200") "{\"active\":false}\n");
    expect_answer(worker, "POST /v1/introspect", FORM, "token=", none);
    expect_answer(worker, "POST /v1/introspect", FORM, "tokn=x", none);
    expect_answer(worker, "POST /v1/introspect", FORM, "token=x&token=y",
                  OAUTH("400", "", "invalid_request", "a parameter is there more than once"));
    expect_answer(worker, "POST /v1/introspect", FORM, "token=x&y=%zz",
                  OAUTH("400", "", "invalid_request", "a parameter is badly encoded"));
    expect_answer(worker, "POST /v1/introspect", JSON, TOKEN_X, NO_FORM);
    expect_answer(worker, "POST /v1/introspect", NULL, "token=x", NO_FORM);
    expect_answer(worker, "POST /v1/introspect", FORM "\n" FORM, "token=x", NO_FORM);
    worker->reviewer.tries.limit = 0; /* none is tried under all keys */
    expect_answer(worker, "POST /v1/introspect", FORM, mint_print("token=%s", sign_without_kid()),
                  ANSWERED("503") "{\"error\":\"temporarily_unavailable\"}\n");
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static void test_paths_methods_and_queries(void **state)
{
    struct worker *worker = *state;
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"GET /", NO_PATH},
        {"GET /check", NOT_FOUND(": a check names its route, as /check/default does")},
        {"GET /checks", NO_PATH},
        {"GET /livez", NO_PROBE},
        {"GET /readyz", NO_PROBE},
        {"GET /metrics", NO_PROBE},
        {"GET /metrics/", NO_PATH},
        {"POST /envoy.service.auth.v2.Authorization/Check", NO_GRPC},
        {"POST /grpc.health.v1.Health/Check", NO_GRPC},
        {"POST /v1/review/", NO_PATH},
        {"POST /v1/issuers", NO_PATH},
        {"GET /v1/review",
         PROBLEM("405", "Method Not Allowed", "allow: POST\n", "method_not_allowed", "this resource takes POST", "")},
        {"GET /v1/introspect", OAUTH("405", "allow: POST\n", "invalid_request", "this resource takes POST")},
        {"POST /v1/review?token=x",
         PROBLEM("400", "Bad Request", "", "invalid_query",
                 "the query parameter \\\"token\\\" is not known here, and no other is",
                 ",\"errors\":[" AN_ERROR("token", "unknown_field",
                                          "the query parameter \\\"token\\\" is not known here, and no other is") "]")},
        {"POST /v1/introspect?token=x",
         OAUTH("400", "", "invalid_request", "the query parameter 'token' is not known here, and no other is")},
        {"POST /routes/other/review",
         PROBLEM("404", "Not Found", "", "unknown_route", "no route has the name \\\"other\\\"", "")},
        {"POST /routes/other/introspect", OAUTH("404", "", "unknown_route", "no route has the name 'other'")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_answer(worker, cases[i].line, JSON, TOKEN_X, cases[i].expected);
    /* What was asked under no route counts, and what was nobody's does not. */
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_REVIEW][RELY_UNKNOWN_ROUTE], 1);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_INTROSPECTION][RELY_UNKNOWN_ROUTE], 1);
    assert_int_equal(count_reviews(worker), 0);
}

static void test_callers_of_both(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice other = {"other", 5};
    put_door_route(worker, "closed", (struct rely_route_record){.callers = {&other, 1}});
    expect_answer(worker, "POST /routes/closed/review", JSON, TOKEN_X,
                  PROBLEM("403", "Forbidden", "", "not_permitted", NOT_AMONG, ""));
    expect_answer(worker, "POST /routes/closed/introspect", FORM, "token=x",
                  OAUTH("403", "", "access_denied", NOT_AMONG));
    door.is_open = false;
    expect_answer(worker, "POST /v1/review", JSON, TOKEN_X,
                  PROBLEM("401", "Unauthorized", CHALLENGE, "unauthenticated", PROVE_IT, ""));
    expect_answer(worker, "POST /v1/introspect", FORM, "token=x", OAUTH("401", CHALLENGE, "invalid_client", PROVE_IT));
    expect_answer(worker, "POST /nowhere", JSON, TOKEN_X,
                  PROBLEM("401", "Unauthorized", CHALLENGE, "unauthenticated", PROVE_IT, ""));
}

static void test_callers_that_are_proven(void **state)
{
    struct worker *worker = *state;
    static const char why[] = "identity:app has not the role reviewer";
    const char *own = bear(sign_claims("\"sub\":\"app\",\"aud\":\"relyd-callers\""));
    scene_add_credential(&worker->scene, worker->issuer, worker->issuer + 1, "app", "relyd-callers");
    door.is_open = false;
    assert_non_null(strstr(play(worker, "POST /v1/review", own, TOKEN_X), why));
    assert_memory_equal(read_answer(), "403\n", 4);
    assert_non_null(strstr(play(worker, "POST /v1/introspect", own, "token=x"), why));
    assert_memory_equal(read_answer(), "403\n", 4);
    assert_int_equal(worker->counters.callers[RELY_CALLER_WITHOUT_ROLE], 2);
    scene_edit_identity(&worker->scene, worker->issuer + 1)->roles = RELY_ROLE_REVIEWER;
    expect_answer(worker, "POST /v1/review", own, TOKEN_X,
                  DENY("200", "malformed_token", "the token has fewer than three parts", ""));
    /* By its name it may ask under a route that names it. */
    static const struct rely_slice app = {"app", 3};
    put_door_route(worker, "closed", (struct rely_route_record){.callers = {&app, 1}});
    assert_memory_equal(play(worker, "POST /routes/closed/review", own, TOKEN_X), "200\n", 4);
}

static void test_what_is_no_request_to_either(void **state)
{
    struct worker *worker = *state;
    static const struct rely_http_refusal large = {RELY_HTTP_BODY_TOO_LARGE, 413, "body_too_large", "too large"};
    static const char of_problem[] = PROBLEM("413", "Content Too Large", "", "body_too_large", "too large", "");
    assert_string_equal(play_refused(worker, "POST /v1/review", &large), of_problem);
    assert_string_equal(play_refused(worker, "POST /nowhere", &large), of_problem);
    assert_string_equal(play_refused(worker, NULL, &large), of_problem);
    assert_string_equal(play_refused(worker, "POST /v1/introspect", &large),
                        OAUTH("413", "", "invalid_request", "too large"));
    assert_int_equal(worker->counters.requests, 4);
}

static void test_bodies_that_are_looked_at(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        bool needs_body;
        size_t limit;
    } cases[] = {
        {"POST", "/check/default", false, RELY_DATA_BODY_BYTES_MAX},
        {"POST", "/v1/review", true, RELY_REVIEW_BODY_BYTES_MAX},
        {"POST", "/routes/x/review", true, RELY_REVIEW_BODY_BYTES_MAX},
        {"PUT", "/v1/review", true, RELY_DATA_BODY_BYTES_MAX},
        {"POST", "/v1/introspect", true, RELY_DATA_BODY_BYTES_MAX},
        {"POST", "/apis/authentication.k8s.io/v1/tokenreviews", true, RELY_DATA_BODY_BYTES_MAX},
        {"POST", "/nowhere", true, RELY_DATA_BODY_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rely_http_request request = {.method = rely_slice_of(cases[i].method),
                                                  .path = rely_slice_of(cases[i].path)};
        assert_int_equal(rely_endpoints_needs_body(&request), cases[i].needs_body);
        assert_int_equal(rely_endpoints_limit_body(&request), cases[i].limit);
    }
}

int run_own_protocol_tests(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(test_the_whole_decision),
        DOOR_TEST(test_denials),
        DOOR_TEST(test_bodies_that_are_no_review),
        DOOR_TEST(test_active),
        DOOR_TEST(test_not_active),
        DOOR_TEST(test_paths_methods_and_queries),
        DOOR_TEST(test_callers_of_both),
        DOOR_TEST(test_callers_that_are_proven),
        DOOR_TEST(test_what_is_no_request_to_either),
        DOOR_TEST(test_bodies_that_are_looked_at),
    };
    return cmocka_run_group_tests_name("review and introspection", tests, NULL, NULL);
}

/*
 * The check, as gateways ask it: to the byte what is answered to whom. What is in the head of an allow beside the usual
 * headers, test_headers.c looks at.
 */
#include "door.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define UID "00000000-0000-4000-8000-000000000001"
#define USUAL                                                                                                          \
    "x-relyd-identity: app\nx-relyd-username: app\nx-relyd-uid: " UID "\nx-relyd-issuer: issuer\n"                     \
    "x-relyd-subject: app\nx-relyd-credential: rule\nx-relyd-groups: \nx-relyd-decision-id: ID\n"
#define ALLOWED "200\n" USUAL "cache-control: no-store\n\n"
#define NOBODY                                                                                                         \
    "x-relyd-identity: \nx-relyd-username: \nx-relyd-uid: \nx-relyd-issuer: \n"                                        \
    "x-relyd-subject: \nx-relyd-credential: \nx-relyd-groups: \ncache-control: no-store\n"
/* A refusal with a challenge, in which a name has other quotes than in the body. */
#define REFUSED(status, error, reason, plain, sentence)                                                                \
    status "\ncontent-type: application/json\nx-relyd-reason: " reason "\nx-relyd-decision-id: ID\n"                   \
           "www-authenticate: Bearer realm=\"relyd\", error=\"" error "\", error_description=\"" reason ": " plain     \
           "\"\n\n{\"error\":\"" error "\",\"error_description\":\"" reason ": " sentence "\",\"reason\":\"" reason    \
           "\",\"decisionId\":\"ID\"}\n"
#define UNAUTHORIZED(reason, sentence) REFUSED("401", "invalid_token", reason, sentence, sentence)
#define FORBIDDEN(reason, sentence) REFUSED("403", "insufficient_scope", reason, sentence, sentence)
#define FORBIDDEN_NAME(reason, before, name, behind)                                                                   \
    REFUSED("403", "insufficient_scope", reason, before "'" name "'" behind, before "\\\"" name "\\\"" behind)
#define NO_ROUTE(name, behind) FORBIDDEN_NAME("unknown_route", "no route has the name ", name, behind)
/* One without. */
#define NOT_PERMITTED                                                                                                  \
    "403\ncontent-type: application/json\nx-relyd-reason: caller_not_permitted\nx-relyd-decision-id: ID\n\n"           \
    "{\"error\":\"insufficient_scope\",\"error_description\":\"caller_not_permitted: Who asks has not proven who he "  \
    "is, "                                                                                                             \
    "or may not ask: the gateway, not the token that it asks about."                                                   \
    "\",\"reason\":\"caller_not_permitted\",\"decisionId\":\"ID\"}\n"
#define OVERLOADED                                                                                                     \
    "503\ncontent-type: application/json\nx-relyd-reason: overloaded\nx-relyd-decision-id: ID\n\n"                     \
    "{\"error\":\"invalid_token\",\"error_description\":\"overloaded: Too many signatures of this issuer's tokens "    \
    "have "                                                                                                            \
    "failed in this second (keys.kidless_failures_per_s): not verified under all keys.\",\"reason\":\"overloaded\","   \
    "\"decisionId\":\"ID\"}\n"
#define NO_AUDIENCE                                                                                                    \
    REFUSED("403", "insufficient_scope", "audience_mismatch",                                                          \
            "no audience of the token counts here; it has 'relyd', 'more'",                                            \
            "no audience of the token counts here; it has \\\"relyd\\\", \\\"more\\\"")
#define NO_TOKEN                                                                                                       \
    "401\ncontent-type: application/json\nx-relyd-reason: no_token\nx-relyd-decision-id: ID\n"                         \
    "www-authenticate: Bearer realm=\"relyd\"\n\n"                                                                     \
    "{\"error_description\":\"no_token: no bearer token in the Authorization header\",\"reason\":\"no_token\","        \
    "\"decisionId\":\"ID\"}\n"
#define TWO_TOKENS "the Authorization header must be one, with one bearer token"

static void test_any_method_and_any_path_below(void **state)
{
    struct worker *worker = *state;
    static const char *const lines[] = {"GET /check/default",
                                        "POST /check/default",
                                        "BREW /check/default",
                                        "OPTIONS /check/default",
                                        "GET /check/default/",
                                        "GET /check/default/a/b",
                                        "GET /check/default//v1/review",
                                        "GET /check/default/../review",
                                        "GET /check/default/?aud=other&aud=third&x=%zz"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_answer(worker, lines[i], bear(sign_app()), NULL, ALLOWED);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_CHECK][RELY_OK], sizeof lines / sizeof lines[0]);
}

static void test_what_is_there_of_a_token(void **state)
{
    struct worker *worker = *state;
    static const char line[] = "GET /check/default";
    const char *one = bear(sign_app());
    expect_answer(worker, line, NULL, NULL, NO_TOKEN);
    expect_answer(worker, line, "authorization: Basic YTpi", NULL, NO_TOKEN);
    expect_answer(worker, line, "authorization: Bearer", NULL, NO_TOKEN);
    expect_answer(worker, line, "authorization: Bearer ", NULL, NO_TOKEN);
    expect_answer(worker, line, mint_print("cookie: %s\nx-token: %s", sign_app(), sign_app()), NULL, NO_TOKEN);
    expect_answer(worker, line, mint_print("%s\n%s", one, one), NULL, UNAUTHORIZED("malformed_token", TWO_TOKENS));
    expect_answer(worker, line, mint_print("authorization: bEaReR   %s", sign_app()), NULL, ALLOWED);
    expect_answer(worker, line, "authorization: Bearer a,b", NULL,
                  UNAUTHORIZED("malformed_token", "the token has fewer than three parts"));
}

static void test_refusals_by_the_review(void **state)
{
    struct worker *worker = *state;
    static const char line[] = "GET /check/default";
    expect_answer(worker, line, bear(sign_claims("\"sub\":\"other\",\"aud\":\"relyd\"")), NULL,
                  FORBIDDEN_NAME("no_matching_credential", "no federated credential matches issuer issuer and subject ",
                                 "other", ""));
    expect_answer(worker, line, bear(sign_claims("\"sub\":\"\xc3\xa9\",\"aud\":\"relyd\"")), NULL,
                  REFUSED("403", "insufficient_scope", "no_matching_credential",
                          "no federated credential matches issuer issuer and subject ''xc3'xa9'",
                          "no federated credential matches issuer issuer and subject \\\"\\\\xc3\\\\xa9\\\""));
    expect_answer(worker, line, bear(mint_print("%sx", sign_app())), NULL,
                  UNAUTHORIZED("malformed_token", "the token's signature is not strict base64url"));
    /* Whoever asks is told that he may come again, and by no challenge that he needs another token. */
    worker->reviewer.tries.limit = 0; /* none is tried under all keys */
    expect_answer(worker, line, bear(sign_without_kid()), NULL, OVERLOADED);
}

static void test_routes_that_are_not_there(void **state)
{
    struct worker *worker = *state;
    const char *token = bear(sign_app());
    expect_answer(worker, "GET /check/", token, NULL, NO_ROUTE("", ""));
    expect_answer(worker, "GET /check/other", token, NULL, NO_ROUTE("other", ""));
    expect_answer(worker, "GET /check/Default/x", token, NULL, NO_ROUTE("Default", ""));
    expect_answer(worker, "GET /check/def%61ult", token, NULL, NO_ROUTE("def%61ult", ""));
    expect_answer(worker, "GET /check//default", token, NULL, NO_ROUTE("", ""));
    expect_answer(worker, "GET /check/abcdefghijklmnopqrstuvwxyz", token, NULL,
                  NO_ROUTE("abcdefghijklmnopqrstuvwx", " and so on"));
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_CHECK][RELY_UNKNOWN_ROUTE], 6);
}

static void test_what_a_query_restricts(void **state)
{
    struct worker *worker = *state;
    const char *token = bear(sign_app());
    expect_answer(worker, "GET /check/default?aud=relyd&identity=app", token, NULL, ALLOWED);
    expect_answer(worker, "GET /check/default?", token, NULL, ALLOWED);
    expect_answer(worker, "GET /check/default?identity=other", token, NULL,
                  FORBIDDEN_NAME("no_matching_credential",
                                 "no federated credential of the identity asked for matches issuer issuer and subject ",
                                 "app", ""));
    expect_answer(worker, "GET /check/default?aud=more", token, NULL, NO_AUDIENCE);
    expect_answer(worker, "GET /check/default?aud=relyd&aud=more", token, NULL,
                  FORBIDDEN_NAME("invalid_query", "the query parameter ", "aud", " is there more than once"));
    expect_answer(
        worker, "GET /check/default?audience=relyd", token, NULL,
        FORBIDDEN_NAME("invalid_query", "the query parameter ", "audience", " is not known here; known: aud identity"));
    expect_answer(worker, "GET /check/default?aud=%00", token, NULL,
                  FORBIDDEN_NAME("invalid_query", "the query parameter ", "aud", " is badly encoded"));
    expect_answer(worker, "GET /check/default?aud", token, NULL, NO_AUDIENCE);
    expect_answer(worker, "GET /check/default?aud=relyd", NULL, NULL, NO_TOKEN); /* the token is looked for first */
}

static void test_a_preflight(void **state)
{
    struct worker *worker = *state;
    static const char asked[] = "origin: https://a.example\naccess-control-request-method: PUT";
    static const char line[] = "OPTIONS /check/cors/x";
    put_door_route(worker, "cors", (struct rely_route_record){.passes_preflight = true});
    expect_answer(worker, line, asked, NULL, "200\n" NOBODY "x-relyd-decision-id: \n\n");
    expect_answer(worker, "OPTIONS /check/default/x", asked, NULL, NO_TOKEN);
    expect_answer(worker, "GET /check/cors", asked, NULL, NO_TOKEN);
    expect_answer(worker, line, "origin: https://a.example", NULL, NO_TOKEN);
    expect_answer(worker, line, "access-control-request-method: PUT", NULL, NO_TOKEN);
    expect_answer(worker, line, mint_print("%s\norigin: x", asked), NULL, NO_TOKEN);
    expect_answer(worker, line, mint_print("%s\nauthorization: Basic x", asked), NULL, NO_TOKEN);
    expect_answer(worker, line, mint_print("%s\n%s", asked, bear(sign_app())), NULL, ALLOWED);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_CHECK][RELY_NO_TOKEN],
                     6); /* and no decision is a preflight */
}

static void test_shadow(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice other = {"other", 5};
    put_door_route(worker, "dark", (struct rely_route_record){.mode = RELY_MODE_SHADOW, .strips_authorization = true});
    expect_answer(worker, "GET /check/dark", NULL, NULL,
                  "200\n" NOBODY "x-relyd-would-deny: no_token\nx-relyd-decision-id: ID\n"
                  "x-envoy-auth-headers-to-remove: authorization\n\n");
    expect_answer(worker, "GET /check/dark", bear("x"), NULL,
                  "200\n" NOBODY "x-relyd-would-deny: malformed_token\nx-relyd-decision-id: ID\n"
                  "x-envoy-auth-headers-to-remove: authorization\n\n");
    expect_answer(worker, "GET /check/dark", bear(sign_app()), NULL,
                  "200\n" USUAL "cache-control: no-store\nx-envoy-auth-headers-to-remove: authorization\n\n");
    /* Who may not ask is told so; and what is asked under another route is refused. */
    put_door_route(worker, "dark", (struct rely_route_record){.mode = RELY_MODE_SHADOW, .callers = {&other, 1}});
    expect_answer(worker, "GET /check/dark", bear(sign_app()), NULL, NOT_PERMITTED);
    assert_int_equal(worker->counters.callers[RELY_CALLER_WITHOUT_ROLE], 1);
}

/* At most until the token's end, or its credential's. */
static void test_how_long_an_allow_is_kept(void **state)
{
    struct worker *worker = *state;
    put_door_route(worker, "keep", (struct rely_route_record){.cache_s = 60, .strips_authorization = true});
    expect_answer(worker, "GET /check/keep", bear(sign_app()), NULL,
                  "200\n" USUAL
                  "cache-control: private, max-age=60\nx-envoy-auth-headers-to-remove: authorization\n\n");
    /* By the second of now, which goes on while this is asked: one of two. */
    int64_t now_s = time(NULL);
    scene_edit_credential(&worker->scene, worker->issuer + 2)->not_after_s = now_s + 30;
    const char *answer = play(worker, "GET /check/keep", bear(sign_app()), NULL);
    long left_s = strtol(strstr(answer, "max-age=") + 8, NULL, 10);
    assert_true(left_s <= 30 && left_s >= 25);
}

static void test_who_may_not_ask(void **state)
{
    struct worker *worker = *state;
    door.is_open = false;
    expect_answer(worker, "GET /check/default", bear(sign_app()), NULL, NOT_PERMITTED);
    expect_answer(worker, "GET /check/other", bear(sign_app()), NULL, NOT_PERMITTED);
    expect_answer(worker, "GET /check/default", mint_print("x-relyd-caller: Bearer x\n%s", bear(sign_app())), NULL,
                  NOT_PERMITTED);
    assert_int_equal(worker->counters.callers[RELY_CALLER_ANONYMOUS], 2);
    assert_int_equal(worker->counters.callers[RELY_CALLER_BAD_TOKEN], 1);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_CHECK][RELY_CALLER_NOT_PERMITTED], 3);
    door_is_unix = true;
    expect_answer(worker, "GET /check/default", bear(sign_app()), NULL, ALLOWED);
}

static void test_what_is_no_request(void **state)
{
    struct worker *worker = *state;
    static const struct {
        struct rely_http_refusal refusal;
        const char *expected;
    } cases[] = {
        {{RELY_HTTP_HEAD_TOO_LARGE, 431, "head_too_large", "the head is too large"},
         UNAUTHORIZED("token_too_large",
                      "The token is longer than token.max_bytes, or the head that holds it than http.head_max_bytes.")},
        {{RELY_HTTP_BODY_TOO_LARGE, 413, "body_too_large", "the body is too large"},
         FORBIDDEN("invalid_query", "the body is too large")},
        {{RELY_HTTP_TOO_SLOW, 408, "too_slow", "too slow"}, FORBIDDEN("invalid_query", "too slow")},
        {{RELY_HTTP_VERSION_UNKNOWN, 505, "http_version", "HTTP/3"}, FORBIDDEN("invalid_query", "HTTP/3")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(play_refused(worker, "GET /check/default", &cases[i].refusal), cases[i].expected);
    /* A head that has two meanings has no path to speak of. */
    const struct rely_http_refusal malformed = {RELY_HTTP_HEAD_MALFORMED, 400, "malformed_head", "two lengths"};
    const char *answer = play_refused(worker, "GET /check/default", &malformed);
    assert_memory_equal(answer, "400\ncontent-type: application/problem+json\n", 43);
}

int run_check_tests(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(test_any_method_and_any_path_below),
        DOOR_TEST(test_what_is_there_of_a_token),
        DOOR_TEST(test_refusals_by_the_review),
        DOOR_TEST(test_routes_that_are_not_there),
        DOOR_TEST(test_what_a_query_restricts),
        DOOR_TEST(test_a_preflight),
        DOOR_TEST(test_shadow),
        DOOR_TEST(test_how_long_an_allow_is_kept),
        DOOR_TEST(test_who_may_not_ask),
        DOOR_TEST(test_what_is_no_request),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}

/*
 * The TokenReview: to the byte what Kubernetes' clients are answered, in whatever form they ask.
 */
#include "door.h"

#include <setjmp.h>

#include <cmocka.h>

#define PATH "POST /apis/authentication.k8s.io/v1/tokenreviews"
#define OLD_PATH "POST /apis/authentication.k8s.io/v1beta1/tokenreviews"
#define UID "00000000-0000-4000-8000-000000000001"
#define JSON "content-type: application/json"
#define PROTOBUF "content-type: application/vnd.kubernetes.protobuf"
#define HEAD "200\ncontent-type: application/json\nx-relyd-decision-id: ID\n\n"
#define REVIEW_OF(version)                                                                                             \
    "{\"kind\":\"TokenReview\",\"apiVersion\":\"" version "\",\"metadata\":{},\"spec\":{},\"status\":"
#define V1 "authentication.k8s.io/v1"
#define V1BETA1 "authentication.k8s.io/v1beta1"
#define APP                                                                                                            \
    "{\"authenticated\":true,\"user\":{\"username\":\"app\",\"uid\":\"" UID "\",\"groups\":[],\"extra\":{"             \
    "\"relyd.io/issuer\":[\"issuer\"],\"relyd.io/subject\":[\"app\"],\"relyd.io/credential\":[\"rule\"]}},"            \
    "\"audiences\":[\"relyd\"]}}\n"
#define NOT_AUTHENTICATED "{\"authenticated\":false,\"user\":{}}}\n"
#define STATUS(code, reason, header, message)                                                                          \
    code "\ncontent-type: application/json\n" header                                                                   \
         "\n{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" message  \
         "\",\"reason\":\"" reason "\",\"code\":" code "}\n"
#define BAD_REQUEST(message) STATUS("400", "BadRequest", "", message)

/* In: more - members of the spec, with a comma in front. */
static const char *write_review(const char *token, const char *more)
{
    return mint_print("{\"kind\":\"TokenReview\",\"spec\":{\"token\":\"%s\"%s}}", token, more);
}

static void test_versions(void **state)
{
    struct worker *worker = *state;
    const char *body = write_review(sign_app(), "");
    expect_answer(worker, PATH, JSON, body, HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, PATH "?timeout=30s", NULL, body, HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, OLD_PATH, "content-type: Application/JSON; charset=utf-8", body, HEAD REVIEW_OF(V1BETA1) APP);
    expect_answer(worker, "POST /routes/default/tokenreviews", JSON, body, HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, "POST /routes/default/apis/authentication.k8s.io/v1beta1/tokenreviews", JSON, body,
                  HEAD REVIEW_OF(V1BETA1) APP);
    /* The body's own is answered. */
    body = mint_print("{\"apiVersion\":\"" V1BETA1 "\",\"unknown\":[{}],\"spec\":{\"token\":\"%s\",\"more\":1}}",
                      sign_app());
    expect_answer(worker, PATH, JSON, body, HEAD REVIEW_OF(V1BETA1) APP);
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_TOKENREVIEW][RELY_OK], 6);
}

static void test_the_user_of_an_identity(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice groups[] = {{"ops", 3}, {"a\"b", 3}}, values[] = {{"1", 1}, {"2", 1}};
    static const struct rely_identity_extra extra[] = {{{"example.com/x", 13}, values, 2}};
    struct rely_identity *identity = scene_edit_identity(&worker->scene, worker->issuer + 1);
    identity->groups = groups;
    identity->group_count = 2;
    identity->extra = extra;
    identity->extra_count = 1;
    expect_answer(worker, PATH, JSON, write_review(sign_app(), ""),
                  HEAD REVIEW_OF(V1) "{\"authenticated\":true,\"user\":{\"username\":\"app\",\"uid\":\"" UID
                                     "\",\"groups\":[\"ops\",\"a\\\"b\"],\"extra\":{\"example.com/x\":[\"1\",\"2\"],"
                                     "\"relyd.io/issuer\":[\"issuer\"],\"relyd.io/subject\":[\"app\"],"
                                     "\"relyd.io/credential\":[\"rule\"]}},\"audiences\":[\"relyd\"]}}\n");
}

static void test_audiences_of_a_tokenreview(void **state)
{
    struct worker *worker = *state;
    const char *token = sign_app();
    expect_answer(worker, PATH, JSON, write_review(token, ",\"audiences\":[\"other\",\"relyd\"]"),
                  HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, PATH, JSON, write_review(token, ",\"audiences\":null"), HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, PATH, JSON, write_review(token, ",\"audiences\":[]"), HEAD REVIEW_OF(V1) APP);
    expect_answer(worker, PATH, JSON, write_review(token, ",\"audiences\":[\"other\"]"),
                  HEAD REVIEW_OF(V1) NOT_AUTHENTICATED);
    /* The route's stand for the caller's, which are answered. */
    put_door_route(worker, "trust", (struct rely_route_record){.caller_audiences = RELY_AUDIENCES_TRUSTED});
    expect_answer(worker, "POST /routes/trust/tokenreviews", JSON, write_review(token, ",\"audiences\":[\"b\",\"a\"]"),
                  HEAD REVIEW_OF(V1) "{\"authenticated\":true,\"user\":{\"username\":\"app\",\"uid\":\"" UID
                                     "\",\"groups\":[],\"extra\":{\"relyd.io/issuer\":[\"issuer\"],"
                                     "\"relyd.io/subject\":[\"app\"],\"relyd.io/credential\":[\"rule\"]}},"
                                     "\"audiences\":[\"b\",\"a\"]}}\n");
    expect_answer(worker, "POST /routes/trust/tokenreviews", JSON, write_review(token, ""), HEAD REVIEW_OF(V1) APP);
}

#define OF_SHOP_WEB(extra)                                                                                             \
    "{\"authenticated\":true,\"user\":{\"username\":\"system:serviceaccount:shop:web\",\"uid\":\"u-1\",\"groups\":["   \
    "\"system:serviceaccounts\",\"system:serviceaccounts:shop\",\"system:authenticated\"],\"extra\":{" extra "}},"     \
    "\"audiences\":[\"relyd\"]}}\n"
#define OF_CLUSTER "POST /routes/cluster/tokenreviews"

static void test_the_user_of_the_cluster(void **state)
{
    struct worker *worker = *state;
    static const char of_account[] =
        "\"sub\":\"system:serviceaccount:shop:web\",\"aud\":\"relyd\",%s\"kubernetes.io\":{\"namespace\":\"shop\","
        "\"serviceaccount\":{\"name\":\"web\",\"uid\":\"u-1\"}%s}";
    scene_add_credential(&worker->scene, worker->issuer, worker->issuer + 1, "system:serviceaccount:shop:web", "relyd");
    put_door_route(worker, "cluster", (struct rely_route_record){.user = RELY_USER_KUBERNETES});
    const char *bare = sign_claims(mint_print(of_account, "", ""));
    const char *bound = sign_claims(
        mint_print(of_account, "\"jti\":\"j-1\",",
                   ",\"node\":{\"name\":\"n-1\",\"uid\":\"u-2\"},\"pod\":{\"name\":\"p-1\",\"uid\":\"u-3\"}"));
    expect_answer(worker, OF_CLUSTER, JSON, write_review(bare, ""), HEAD REVIEW_OF(V1) OF_SHOP_WEB(""));
    expect_answer(worker, OF_CLUSTER, JSON, write_review(bound, ""),
                  HEAD REVIEW_OF(V1) OF_SHOP_WEB("\"authentication.kubernetes.io/credential-id\":[\"JTI=j-1\"],"
                                                 "\"authentication.kubernetes.io/node-name\":[\"n-1\"],"
                                                 "\"authentication.kubernetes.io/node-uid\":[\"u-2\"],"
                                                 "\"authentication.kubernetes.io/pod-name\":[\"p-1\"],"
                                                 "\"authentication.kubernetes.io/pod-uid\":[\"u-3\"]"));
    expect_answer(worker, OF_CLUSTER, JSON, write_review(sign_app(), ""), HEAD REVIEW_OF(V1) NOT_AUTHENTICATED);
}

static void test_refusals_of_a_tokenreview(void **state)
{
    struct worker *worker = *state;
    expect_answer(worker, PATH, JSON, write_review("x", ""), HEAD REVIEW_OF(V1) NOT_AUTHENTICATED);
    expect_answer(worker, PATH, JSON, write_review("", ""),
                  BAD_REQUEST("token is required for TokenReview in authentication (no_token)"));
    worker->reviewer.has_error_on_refusal = true;
    expect_answer(worker, PATH, JSON, write_review("x", ""),
                  HEAD REVIEW_OF(V1) "{\"authenticated\":false,\"user\":{},\"error\":\"malformed_token: the token has "
                                     "fewer than three parts (decision ID)\"}}\n");
    worker->reviewer.has_error_on_refusal = false;
    /* One that a key may mend is not to be cached. */
    scene_change_issuer(&worker->scene, worker->issuer, keyset, NULL);
    assert_string_equal(play(worker, PATH, JSON, write_review(sign_app(), "")), "");
    run_timers_of(150);
    const char *answer = read_answer();
    assert_memory_equal(answer, HEAD, strlen(HEAD));
    assert_non_null(strstr(answer, "{\"authenticated\":false,\"user\":{},\"error\":\"keys_unavailable: "));
    /* And what is shed is no answer at all. */
    bring_key(worker, worker->issuer);
    worker->reviewer.tries.limit = 0; /* none is tried under all keys */
    expect_answer(worker, PATH, JSON, write_review(sign_without_kid(), ""),
                  STATUS("503", "ServiceUnavailable", "",
                         "overloaded: Too many signatures of this issuer's tokens have failed in this second "
                         "(keys.kidless_failures_per_s): not verified under all keys."));
}

#define OTHER_TYPE                                                                                                     \
    STATUS("415", "UnsupportedMediaType", "",                                                                          \
           "the body must be application/json or application/vnd.kubernetes.protobuf, and its Content-Type say which")

static void test_what_is_no_tokenreview(void **state)
{
    struct worker *worker = *state;
    static const struct {
        const char *body, *expected;
    } cases[] = {
        {"", BAD_REQUEST("the body is not a strict JSON object: not an object")},
        {"[]", BAD_REQUEST("the body is not a strict JSON object: not an object")},
        {"{\"kind\":\"Pod\",\"spec\":{\"token\":\"x\"}}", BAD_REQUEST("kind is not TokenReview")},
        {"{\"kind\":1,\"spec\":{\"token\":\"x\"}}", BAD_REQUEST("kind is not TokenReview")},
        {"{\"apiVersion\":\"v1\",\"spec\":{\"token\":\"x\"}}",
         BAD_REQUEST("apiVersion is neither authentication.k8s.io/v1 nor authentication.k8s.io/v1beta1")},
        {"{\"kind\":\"TokenReview\"}", BAD_REQUEST("spec is required, and is an object")},
        {"{\"spec\":\"x\"}", BAD_REQUEST("spec is required, and is an object")},
        {"{\"spec\":{}}", BAD_REQUEST("token is required, and is a string")},
        {"{\"spec\":{\"token\":1}}", BAD_REQUEST("token is required, and is a string")},
        {"{\"spec\":{\"token\":\"x\",\"audiences\":\"a\"}}", BAD_REQUEST("audiences must be a list of strings")},
        {"{\"spec\":{\"token\":\"x\",\"audiences\":[1]}}", BAD_REQUEST("audiences must be a list of strings")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_answer(worker, PATH, JSON, cases[i].body, cases[i].expected);
    expect_answer(worker, PATH, "content-type: text/plain", write_review("x", ""), OTHER_TYPE);
    expect_answer(worker, PATH, "content-type: application/jsonp", write_review("x", ""), OTHER_TYPE);
    expect_answer(worker, PATH, PROTOBUF "\n" PROTOBUF, write_review("x", ""), OTHER_TYPE);
}

/* --- protobuf --------------------------------------------------------------------------------------------------- */

static void put_field(struct rely_buf *out, unsigned field, struct rely_slice bytes)
{
    rely_buf_putc(out, (char)(field << 3 | 2));
    for (size_t len = bytes.len;; len >>= 7) {
        rely_buf_putc(out, (char)(len >= 0x80 ? (len & 0x7f) | 0x80 : len));
        if (len < 0x80)
            break;
    }
    rely_buf_put(out, bytes);
}

static const char *ask_by_protobuf(struct worker *worker, const char *kind, const char *token, const char *audience)
{
    struct rely_buf spec = {0}, review = {0}, type = {0}, body = {0};
    put_field(&spec, 1, rely_slice_of(token));
    if (audience != NULL)
        put_field(&spec, 2, rely_slice_of(audience));
    put_field(&review, 2, rely_buf_slice(&spec));
    put_field(&type, 1, RELY_LIT(V1));
    put_field(&type, 2, rely_slice_of(kind));
    rely_buf_put(&body, RELY_LIT("k8s\0"));
    put_field(&body, 1, rely_buf_slice(&type));
    put_field(&body, 2, rely_buf_slice(&review));
    const char *answer = play_bytes(worker, OLD_PATH, PROTOBUF, rely_buf_slice(&body));
    rely_buf_fini(&spec);
    rely_buf_fini(&review);
    rely_buf_fini(&type);
    rely_buf_fini(&body);
    return answer;
}

static void test_by_protobuf(void **state)
{
    struct worker *worker = *state;
    const char *token = sign_app();
    assert_string_equal(ask_by_protobuf(worker, "TokenReview", token, NULL), HEAD REVIEW_OF(V1) APP);
    assert_string_equal(ask_by_protobuf(worker, "TokenReview", token, "relyd"), HEAD REVIEW_OF(V1) APP);
    assert_string_equal(ask_by_protobuf(worker, "TokenReview", token, "other"), HEAD REVIEW_OF(V1) NOT_AUTHENTICATED);
    assert_string_equal(ask_by_protobuf(worker, "Pod", token, NULL), BAD_REQUEST("kind is not TokenReview"));
    assert_string_equal(ask_by_protobuf(worker, "TokenReview", "", NULL),
                        BAD_REQUEST("token is required for TokenReview in authentication (no_token)"));
    expect_answer(worker, PATH, PROTOBUF, write_review(token, ""),
                  BAD_REQUEST("the body does not begin as Kubernetes' protobuf does"));
}

/* --- what is refused before ----------------------------------------------------------------------------------------- */

static void test_paths_and_methods_of_kubernetes(void **state)
{
    struct worker *worker = *state;
    static const char elsewhere[] =
        STATUS("404", "NotFound", "", "the server could not find the requested resource: here are TokenReviews alone");
    static const char namespaced[] = BAD_REQUEST("namespace is not allowed on this type: a TokenReview has none");
    expect_answer(worker, "GET /apis/authentication.k8s.io/v1/tokenreviews", NULL, NULL,
                  STATUS("405", "MethodNotAllowed", "allow: POST\n", "this resource takes POST"));
    expect_answer(worker, "GET /apis/", NULL, NULL, elsewhere);
    expect_answer(worker, "POST /apis/authentication.k8s.io/v2/tokenreviews", NULL, "{}", elsewhere);
    expect_answer(worker, "POST /routes/default/apis/apps/v1/deployments", NULL, "{}", elsewhere);
    expect_answer(worker, "POST /apis/authentication.k8s.io/v1/namespaces/a/tokenreviews", NULL, "{}", namespaced);
    expect_answer(worker, "POST /routes/x/apis/authentication.k8s.io/v1beta1/namespaces/a/tokenreviews", NULL, "{}",
                  namespaced);
    expect_answer(worker, "POST /routes/other/tokenreviews", JSON, write_review("x", ""),
                  STATUS("404", "NotFound", "", "no route has the name \\\"other\\\""));
}

static void test_who_may_not_ask_for_a_tokenreview(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice other = {"other", 5};
    put_door_route(worker, "closed", (struct rely_route_record){.callers = {&other, 1}});
    expect_answer(worker, "POST /routes/closed/tokenreviews", JSON, write_review("x", ""),
                  STATUS("403", "Forbidden", "", "who asks is not among the callers of the route"));
    door.is_open = false;
    expect_answer(
        worker, PATH, JSON, write_review("x", ""),
        STATUS("401", "Unauthorized", "www-authenticate: Bearer realm=\"relyd\"\n",
               "who asks must prove who he is: by a client certificate, or by a bearer token in authorization"));
    expect_answer(worker, PATH, JSON "\nauthorization: Bearer x", write_review("x", ""),
                  STATUS("401", "Unauthorized", "www-authenticate: Bearer realm=\"relyd\", error=\"invalid_token\"\n",
                         "the caller's own token is refused: malformed_token: the token has fewer than three parts"));
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_TOKENREVIEW][RELY_CALLER_NOT_PERMITTED], 3);
}

static void test_what_is_no_request_to_kubernetes(void **state)
{
    struct worker *worker = *state;
    static const struct {
        struct rely_http_refusal refusal;
        const char *expected;
    } cases[] = {
        {{RELY_HTTP_HEAD_TOO_LARGE, 431, "a", "too large"}, STATUS("431", "BadRequest", "", "too large")},
        {{RELY_HTTP_BODY_TOO_LARGE, 413, "a", "too large"}, STATUS("413", "RequestEntityTooLarge", "", "too large")},
        {{RELY_HTTP_TOO_SLOW, 408, "a", "too slow"}, STATUS("408", "Timeout", "", "too slow")},
        {{RELY_HTTP_CODING_UNKNOWN, 501, "a", "unknown"}, STATUS("501", "InternalError", "", "unknown")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(play_refused(worker, PATH, &cases[i].refusal), cases[i].expected);
}

int run_tokenreview_tests(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(test_versions),
        DOOR_TEST(test_the_user_of_an_identity),
        DOOR_TEST(test_audiences_of_a_tokenreview),
        DOOR_TEST(test_the_user_of_the_cluster),
        DOOR_TEST(test_refusals_of_a_tokenreview),
        DOOR_TEST(test_what_is_no_tokenreview),
        DOOR_TEST(test_by_protobuf),
        DOOR_TEST(test_paths_and_methods_of_kubernetes),
        DOOR_TEST(test_who_may_not_ask_for_a_tokenreview),
        DOOR_TEST(test_what_is_no_request_to_kubernetes),
    };
    return cmocka_run_group_tests_name("tokenreview", tests, NULL, NULL);
}

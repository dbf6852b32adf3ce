/*
 * What a cluster says is deleted: who may say so, what of it is taken, and what is known already.
 */
#include "fixture.h"
#include "mint.h"

#include "relyd/clock.h"
#include "relyd/limits.h"
#include "relyd/revocation.h"
#include "relyd/snapshot.h"
#include "relyd/work.h"

#define CLUSTER_ISS "https://cluster.example"
#define PUSHER "system:serviceaccount:relyd:key-push"
#define A_POD "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"gone\"}]}"

static void register_clusters(struct fixture *fixture)
{
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "k1", "ES256"), NULL);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"prod\",\"issuer\":\"" CLUSTER_ISS "\",\"pushSubjects\":[\"first\",\"" PUSHER
                            "\"],\"keys\":{\"jwks\":%s}}",
                            jwks));
    assert_status(fixture, 201);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"other\",\"issuer\":\"https://other.example\",\"pushSubjects\":[\"" PUSHER
                            "\"],\"keys\":{\"jwks\":%s}}",
                            jwks));
    assert_status(fixture, 201);
}

static const char *make_token_of(const char *iss, const char *key, const char *sub, const char *aud, int64_t lives_s)
{
    return mint_token(mint_key(key), "ES256", "{\"alg\":\"ES256\",\"kid\":\"k1\"}",
                      mint_print("{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"exp\":%lld}", iss, sub, aud,
                                 (long long)(rely_clock_now_s() + lives_s)));
}

static const char *make_push_token(const char *key, const char *sub, const char *aud, int64_t lives_s)
{
    return make_token_of(CLUSTER_ISS, key, sub, aud, lives_s);
}

static void push_as(struct fixture *fixture, const char *token, const char *name, const char *body)
{
    add_header(fixture, "authorization", mint_print("Bearer %s", token));
    send_request(fixture, "POST", mint_print("/v1/issuers/%s/tombstones", name), body);
}

static void push_stones(struct fixture *fixture, const char *body)
{
    push_as(fixture, make_push_token("p256", PUSHER, "relyd", 600), "prod", body);
}

static void assert_buried(const struct fixture *fixture, const char *accepted, const char *known)
{
    assert_status(fixture, 200);
    assert_value(fixture, "accepted", accepted);
    assert_value(fixture, "known", known);
}

static void assert_nothing_buried(struct fixture *fixture)
{
    send_request(fixture, "GET", "/v1/revocations", NULL);
    assert_value(fixture, "value", "[]");
}

static void buries_every_kind(void **state)
{
    struct fixture *fixture = *state;
    static const char *const kinds[][2] = {
        {"serviceAccount", "serviceAccountUid"}, {"pod", "podUid"}, {"secret", "secretUid"}, {"node", "nodeUid"}};
    register_clusters(fixture);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        push_stones(fixture, mint_print("{\"uids\":[{\"kind\":\"%s\",\"uid\":\"gone\"}]}", kinds[i][0]));
        assert_buried(fixture, "1", "0");
        send_request(fixture, "GET", "/v1/revocations", NULL);
        assert_value(fixture, mint_print("value.%zu", i + 1), "absent");
        assert_value_has(fixture, "value", mint_print("\"%s\":\"gone\"", kinds[i][1]));
        assert_value(fixture, mint_print("value.%zu.issuerName", i), "prod");
        assert_value(fixture, mint_print("value.%zu.reason", i), "deleted, as its cluster says");
    }
    mint_reset();
}

static void counts_what_is_known(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    push_stones(fixture, "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"a\"},{\"kind\":\"pod\",\"uid\":\"b\"},"
                         "{\"kind\":\"pod\",\"uid\":\"a\"},{\"kind\":\"node\",\"uid\":\"a\"}]}");
    assert_buried(fixture, "3", "1"); /* one uid of two kinds is two objects */
    push_stones(fixture, "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"b\"},{\"kind\":\"pod\",\"uid\":\"c\"}]}");
    assert_buried(fixture, "1", "1");
    push_stones(fixture, "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"b\"},{\"kind\":\"pod\",\"uid\":\"c\"}]}");
    assert_buried(fixture, "0", "2");
    mint_reset();
}

/* Of another record, or of tokens up to a time alone, a revocation does not stand in its place. */
static void tells_revocations_of_others_apart(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *more, *accepted, *known;
    } others[] = {{",\"issuerName\":\"other\"", "1", "0"},
                  {",\"issuedBefore\":\"2020-01-01T00:00:00Z\"", "1", "0"},
                  {"", "0", "1"},
                  {",\"issuerName\":\"prod\"", "0", "1"}};
    register_clusters(fixture);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        send_request(fixture, "POST", "/v1/revocations",
                     mint_print("{\"podUid\":\"p%zu\",\"reason\":\"r\"%s}", i, others[i].more));
        assert_status(fixture, 201);
        push_stones(fixture, mint_print("{\"uids\":[{\"kind\":\"pod\",\"uid\":\"p%zu\"}]}", i));
        assert_buried(fixture, others[i].accepted, others[i].known);
    }
    mint_reset();
}

static void assert_no_cluster(struct fixture *fixture, const char *token, const char *words)
{
    uint64_t before = fixture->refused[RELY_CALLER_BAD_TOKEN];
    push_as(fixture, token, "prod", A_POD);
    assert_problem(fixture, 401, "unauthenticated");
    assert_value_has(fixture, "detail", words);
    assert_string_equal(fixture->challenge, "Bearer realm=\"relyd\", error=\"invalid_token\"");
    assert_int_equal(fixture->refused[RELY_CALLER_BAD_TOKEN], before + 1);
    assert_non_null(strstr(fixture->line, words));
}

static void refuses_who_is_not_proven(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    send_request(fixture, "POST", "/v1/issuers/prod/tombstones", A_POD); /* as root, who is no cluster */
    assert_problem(fixture, 401, "unauthenticated");
    assert_value_has(fixture, "detail", "a token of the issuer's own is wanted");
    assert_no_cluster(fixture, "abc", "malformed");
    assert_no_cluster(fixture, make_push_token("p256#stranger", PUSHER, "relyd", 600), "bad_signature");
    assert_no_cluster(fixture, make_push_token("p256", PUSHER, "relyd", -600), "expired");
    assert_nothing_buried(fixture);
    mint_reset();
}

static void refuses_whose_token_may_not(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *sub, *aud, *name, *words;
    } wrong[] = {{PUSHER, "relyd", "other", "the token is none of this issuer's"},
                 {PUSHER, "vault", "prod", "its audience must be auth.audience"},
                 {PUSHER "2", "relyd", "prod", "none of the issuer's pushSubjects"},
                 {"system", "relyd", "prod", "none of the issuer's pushSubjects"}};
    register_clusters(fixture);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        push_as(fixture, make_push_token("p256", wrong[i].sub, wrong[i].aud, 600), wrong[i].name, A_POD);
        assert_problem(fixture, 403, "not_permitted");
        assert_value_has(fixture, "detail", wrong[i].words);
        assert_int_equal(fixture->refused[RELY_CALLER_WITHOUT_ROLE], i + 1);
        assert_non_null(strstr(fixture->line, wrong[i].words));
    }
    assert_nothing_buried(fixture);
    mint_reset();
}

static void assert_bad_stones(struct fixture *fixture, const char *body, const char *field)
{
    push_stones(fixture, body);
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "errors.0.field", field);
    assert_value(fixture, "errors.0.code", "invalid_value");
}

static void refuses_bodies_whole(void **state)
{
    struct fixture *fixture = *state;
    static const char *const wrong[][2] = {
        {"[]", "uids"},
        {"{}", "uids"},
        {"{\"uids\":[]}", "uids"},
        {"{\"uids\":{}}", "uids"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":\"a\"}],\"force\":true}", "uids"},
        {"{\"uids\":[\"a\"]}", "uids[0]"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":\"a\",\"x\":1}]}", "uids[0]"},
        {"{\"uids\":[{\"kind\":\"namespace\",\"uid\":\"a\"}]}", "uids[0].kind"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":\"a\"},{\"uid\":\"a\",\"x\":1}]}", "uids[1].kind"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":\"\"}]}", "uids[0].uid"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":7}]}", "uids[0].uid"},
        {"{\"uids\":[{\"kind\":\"pod\",\"uid\":\"a\\n\"}]}", "uids[0].uid"},
    };
    register_clusters(fixture);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_bad_stones(fixture, wrong[i][0], wrong[i][1]);
    push_stones(fixture, "{");
    assert_status(fixture, 400);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
    assert_nothing_buried(fixture);
    mint_reset();
}

/* {"uids":[...]} of so many pods. */
static const char *print_pods(size_t count)
{
    struct rely_buf list = {0};
    for (size_t i = 0; i < count; i++)
        rely_buf_printf(&list, "%s{\"kind\":\"pod\",\"uid\":\"p%zu\"}", i == 0 ? "" : ",", i);
    const char *body = mint_print("{\"uids\":[%.*s]}", RELY_ARG(rely_buf_slice(&list)));
    rely_buf_fini(&list);
    return body;
}

static void takes_no_more_than_its_limits(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    assert_bad_stones(fixture, print_pods(RELY_TOMBSTONES_AT_ONCE + 1), "uids");
    push_stones(fixture, print_pods(RELY_TOMBSTONES_AT_ONCE));
    assert_buried(fixture, "1000", "0");
    const char *longest = mint_print("%.*s", RELY_ARG(mint_repeat('x', RELY_TEXT_MAX)));
    assert_bad_stones(fixture, mint_print("{\"uids\":[{\"kind\":\"pod\",\"uid\":\"%sx\"}]}", longest), "uids[0].uid");
    push_stones(fixture, mint_print("{\"uids\":[{\"kind\":\"pod\",\"uid\":\"%s\"}]}", longest));
    assert_buried(fixture, "1", "0");
    mint_reset();
}

/* Whoever says the same again, from however many connections, takes nobody's turn at the registry. */
static void what_is_known_costs_no_turn(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    push_stones(fixture, print_pods(RELY_TOMBSTONES_A_TURN));
    int writes = fixture->writes, reads = fixture->reads;
    push_stones(fixture, print_pods(RELY_TOMBSTONES_A_TURN));
    assert_buried(fixture, "0", mint_print("%d", RELY_TOMBSTONES_A_TURN));
    assert_int_equal(fixture->writes, writes);
    assert_int_equal(fixture->reads, reads);
    mint_reset();
}

/* A long report is written in parts, each behind whoever has asked meanwhile. */
static void others_have_their_turn(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    int writes = fixture->writes;
    push_stones(fixture, print_pods(3 * RELY_TOMBSTONES_A_TURN + 1));
    assert_buried(fixture, mint_print("%d", 3 * RELY_TOMBSTONES_A_TURN + 1), "0");
    assert_int_equal(fixture->writes, writes + 4);
    mint_reset();
}

/* A cluster has one report under way, whatever its connections; another one has its own. */
static void one_report_of_a_cluster_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    fixture->is_queueing = true;
    push_stones(fixture, A_POD);
    struct rely_work *pushed = fixture->queued;
    push_stones(fixture, "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"b\"}]}");
    assert_problem(fixture, 503, "busy");
    assert_ptr_equal(fixture->queued, pushed);
    fixture->is_queueing = false;
    push_as(fixture, make_token_of("https://other.example", "p256", PUSHER, "relyd", 600), "other", A_POD);
    assert_buried(fixture, "1", "0");
    fixture->status = 0;
    fixture->body.len = 0;
    fixture->queued = pushed;
    run_queued(fixture);
    assert_buried(fixture, "1", "0");
    push_stones(fixture, "{\"uids\":[{\"kind\":\"pod\",\"uid\":\"b\"}]}");
    assert_buried(fixture, "1", "0");
    mint_reset();
}

/* However many clusters report, administrators can still revoke. */
static void administrators_keep_room(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    size_t *count = &fixture->snapshot->revocation_counts[RELY_REVOKED_JTI];
    *count = RELY_REVOCATIONS_MAX - RELY_REVOCATIONS_KEPT;
    push_stones(fixture, A_POD);
    assert_problem(fixture, 409, "too_many_revocations");
    *count = RELY_REVOCATIONS_MAX - RELY_REVOCATIONS_KEPT - 1;
    push_stones(fixture, A_POD);
    assert_buried(fixture, "1", "0");
    mint_reset();
}

static void tells_when_nothing_can_be_written(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    fixture->is_disk_full = true;
    push_stones(fixture, A_POD);
    assert_problem(fixture, 500, "internal_error");
    assert_int_equal(fixture->fault_count, 1);
    fixture->is_disk_full = false;
    assert_nothing_buried(fixture);
    mint_reset();
}

/* Between the review and the writing its record is deleted. */
static void tells_when_its_record_has_gone(void **state)
{
    struct fixture *fixture = *state;
    register_clusters(fixture);
    fixture->is_queueing = true;
    push_stones(fixture, A_POD);
    struct rely_work *pushed = fixture->queued;
    fixture->is_queueing = false;
    assert_non_null(pushed);
    assert_int_equal(fixture->status, 0);
    send_request(fixture, "DELETE", "/v1/issuers/prod", NULL);
    assert_status(fixture, 204);
    fixture->status = 0;
    fixture->body.len = 0;
    fixture->queued = pushed;
    run_queued(fixture);
    assert_problem(fixture, 400, "invalid_body");
    assert_nothing_buried(fixture);
    mint_reset();
}

int run_tombstone_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(buries_every_kind),
        A_TEST(counts_what_is_known),
        A_TEST(tells_revocations_of_others_apart),
        A_TEST(refuses_who_is_not_proven),
        A_TEST(refuses_whose_token_may_not),
        A_TEST(refuses_bodies_whole),
        A_TEST(takes_no_more_than_its_limits),
        A_TEST(what_is_known_costs_no_turn),
        A_TEST(others_have_their_turn),
        A_TEST(one_report_of_a_cluster_at_a_time),
        A_TEST(administrators_keep_room),
        A_TEST(tells_when_nothing_can_be_written),
        A_TEST(tells_when_its_record_has_gone),
    };
    return cmocka_run_group_tests_name("tombstones", tests, NULL, NULL);
}

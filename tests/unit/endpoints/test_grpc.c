/*
 * Envoy's check by gRPC, and grpc.health.v1: messages in, messages out, read by a reader of this file's own, which knows
 * every field that may be there by its name.
 */
#include "door.h"

#include <setjmp.h>

#include <cmocka.h>

#define CHECK "POST /envoy.service.auth.v3.Authorization/Check"
#define HEALTH "POST /grpc.health.v1.Health/Check"
#define GRPC "content-type: application/grpc"
#define ANSWERED "200\ncontent-type: application/grpc\n> grpc-status: 0\n\n"
#define FAILED(code, sentence)                                                                                         \
    "200\ncontent-type: application/grpc\ngrpc-status: " code "\ngrpc-message: " sentence "\n\n"
#define UNIMPLEMENTED(sentence)                                                                                        \
    "200\ncontent-type: application/grpc\ngrpc-status: 12\ngrpc-message: " sentence                                    \
    "\ngrpc-accept-encoding: identity\n\n"

static bool is_draining;
bool __wrap_rely_loop_is_draining(const struct rely_loop *loop);

bool __wrap_rely_loop_is_draining(const struct rely_loop *loop)
{
    (void)loop;
    return is_draining;
}

static int set_up_calls(void **state)
{
    int failed = set_up_door(state);
    door_speaks_http2 = true;
    is_draining = false;
    return failed;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

enum form {
    OF_TEXT,
    OF_NUMBER,
    OF_CHECK,
    OF_STATUS,
    OF_OK,
    OF_DENIED,
    OF_OPTION,
    OF_PAIR,
    OF_STRUCT,
    OF_ENTRY,
    OF_VALUE,
    OF_LIST,
    OF_HEALTH,
    OF_HEALTHS,
    OF_SERVICE
};

static const struct {
    enum form message;
    unsigned number;
    const char *name;
    enum form form;
} fields[] = {
    {OF_CHECK, 1, "status", OF_STATUS},     {OF_CHECK, 2, "denied", OF_DENIED},  {OF_CHECK, 3, "ok", OF_OK},
    {OF_CHECK, 4, "metadata", OF_STRUCT},   {OF_CHECK, 5, "error", OF_DENIED},   {OF_STATUS, 1, "code", OF_NUMBER},
    {OF_STATUS, 2, "message", OF_TEXT},     {OF_OK, 2, "header", OF_OPTION},     {OF_OK, 5, "remove", OF_TEXT},
    {OF_DENIED, 1, "http", OF_STATUS},      {OF_DENIED, 2, "header", OF_OPTION}, {OF_DENIED, 3, "body", OF_TEXT},
    {OF_OPTION, 1, "pair", OF_PAIR},        {OF_OPTION, 3, "action", OF_NUMBER}, {OF_OPTION, 4, "keep", OF_NUMBER},
    {OF_PAIR, 1, "key", OF_TEXT},           {OF_PAIR, 2, "value", OF_TEXT},      {OF_STRUCT, 1, "field", OF_ENTRY},
    {OF_ENTRY, 1, "key", OF_TEXT},          {OF_ENTRY, 2, "value", OF_VALUE},    {OF_VALUE, 3, "string", OF_TEXT},
    {OF_VALUE, 6, "list", OF_LIST},         {OF_LIST, 1, "item", OF_VALUE},      {OF_HEALTH, 1, "status", OF_NUMBER},
    {OF_HEALTHS, 1, "service", OF_SERVICE}, {OF_SERVICE, 1, "name", OF_TEXT},    {OF_SERVICE, 2, "is", OF_HEALTH},
};

static uint64_t read_number(struct rely_slice *from)
{
    uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(from->len > 0);
        unsigned char byte = (unsigned char)*from->ptr;
        *from = rely_slice(from->ptr + 1, from->len - 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
}

static void tell_message(struct rely_buf *out, enum form message, struct rely_slice bytes)
{
    while (bytes.len > 0) {
        uint64_t tag = read_number(&bytes), value = read_number(&bytes);
        size_t at = 0;
        while (at < sizeof fields / sizeof fields[0] &&
               (fields[at].message != message || fields[at].number != tag >> 3))
            at++;
        assert_true(at < sizeof fields / sizeof fields[0]);
        assert_int_equal(tag & 7, fields[at].form == OF_NUMBER ? 0 : 2);
        if (fields[at].form == OF_NUMBER) {
            rely_buf_printf(out, "%s=%llu ", fields[at].name, (unsigned long long)value);
            continue;
        }
        assert_true(value <= bytes.len);
        struct rely_slice inner = rely_slice(bytes.ptr, (size_t)value);
        bytes = rely_slice(bytes.ptr + value, bytes.len - (size_t)value);
        rely_buf_printf(out, "%s{", fields[at].name);
        if (fields[at].form == OF_TEXT)
            rely_buf_put(out, inner);
        else
            tell_message(out, fields[at].form, inner);
        rely_buf_putc(out, '}');
    }
}

/* The answer as `play` has it, with what is in its one message. */
static const char *tell_call(struct worker *worker, const char *answer, enum form message)
{
    static struct rely_buf told;
    const char *head = mint_print("%.*s", (int)(strstr(answer, "\n\n") + 2 - answer), answer);
    told.len = 0;
    rely_buf_put(&told, rely_slice_of(head));
    if (played_body.len > 0) {
        const unsigned char *frame = (const unsigned char *)played_body.ptr;
        size_t len = (size_t)frame[1] << 24 | (size_t)frame[2] << 16 | (size_t)frame[3] << 8 | frame[4];
        assert_int_equal(frame[0], 0);
        assert_int_equal(played_body.len, 5 + len);
        tell_message(&told, message, rely_slice(played_body.ptr + 5, len));
    }
    rely_buf_put(&told, RELY_LIT(""));
    for (char *id; (id = strstr(told.ptr, worker->reviewer.decision_id)) != NULL;) {
        memcpy(id, "ID", 2);
        memmove(id + 2, id + RELY_DECISION_ID_SIZE - 1, strlen(id + RELY_DECISION_ID_SIZE - 1) + 1);
    }
    return told.ptr;
}

/* --- asking --------------------------------------------------------------------------------------------------------- */

static void put_field(struct rely_buf *out, unsigned number, struct rely_slice bytes)
{
    rely_buf_putc(out, (char)(number << 3 | 2));
    for (size_t len = bytes.len;; len >>= 7) {
        rely_buf_putc(out, (char)(len >= 0x80 ? (len & 0x7f) | 0x80 : len));
        if (len < 0x80)
            break;
    }
    rely_buf_put(out, bytes);
}

/* Empties the inner one. */
static void put_inner(struct rely_buf *out, unsigned number, struct rely_buf *inner)
{
    put_field(out, number, rely_buf_slice(inner));
    rely_buf_fini(inner);
    *inner = (struct rely_buf){0};
}

/* In: key_values - by turns, NULL at the end, or NULL. */
static void put_pairs(struct rely_buf *out, unsigned number, unsigned value_number, const char *const *key_values)
{
    struct rely_buf pair = {0};
    for (; key_values != NULL && *key_values != NULL; key_values += 2) {
        put_field(&pair, 1, rely_slice_of(key_values[0]));
        put_field(&pair, value_number, rely_slice_of(key_values[1]));
        put_inner(out, number, &pair);
    }
}

struct checked {
    const char *method;
    const char *const *headers, *const *mapped, *const *extensions; /* mapped: in header_map, as raw_value */
};

static const char *call_bytes(struct worker *worker, const char *line, const char *headers, struct rely_slice message)
{
    struct rely_buf frame = {0};
    rely_buf_putc(&frame, '\0');
    for (int shift = 24; shift >= 0; shift -= 8)
        rely_buf_putc(&frame, (char)(message.len >> shift));
    rely_buf_put(&frame, message);
    const char *answer = play_bytes(worker, line, headers, rely_buf_slice(&frame));
    rely_buf_fini(&frame);
    return answer;
}

static const char *call_check(struct worker *worker, struct checked checked)
{
    struct rely_buf http = {0}, map = {0}, request = {0}, attributes = {0}, message = {0};
    put_field(&http, 2, rely_slice_of(checked.method == NULL ? "GET" : checked.method));
    put_pairs(&http, 3, 2, checked.headers);
    put_pairs(&map, 1, 3, checked.mapped);
    put_inner(&http, 13, &map);
    put_inner(&request, 2, &http);
    put_inner(&attributes, 4, &request);
    put_pairs(&attributes, 10, 2, checked.extensions);
    put_inner(&message, 1, &attributes);
    const char *answer = call_bytes(worker, CHECK, GRPC, rely_buf_slice(&message));
    rely_buf_fini(&message);
    return tell_call(worker, answer, OF_CHECK);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define WITH_TOKEN(token) LIST("authorization", mint_print("Bearer %s", (token)))
#define expect_call(worker, expected, ...)                                                                             \
    assert_string_equal(call_check((worker), (struct checked){__VA_ARGS__}), expected)

/* --- decisions -------------------------------------------------------------------------------------------------------- */

#define UID "00000000-0000-4000-8000-000000000001"
/* Overwrites what a client has sent, and is there when it is empty. */
#define HEADER(name, value) "header{pair{key{" name "}value{" value "}}action=2 keep=1 }"
#define HEADERS_OF(identity, issuer, credential, uid)                                                                  \
    HEADER("x-relyd-identity", identity)                                                                               \
    HEADER("x-relyd-username", identity)                                                                               \
    HEADER("x-relyd-uid", uid)                                                                                         \
    HEADER("x-relyd-issuer", issuer)                                                                                   \
    HEADER("x-relyd-subject", identity) HEADER("x-relyd-credential", credential) HEADER("x-relyd-groups", "")
#define TOLD(name, value) "field{key{" name "}value{string{" value "}}}"
#define METADATA(groups)                                                                                               \
    "metadata{" TOLD("identity", "app") TOLD("username", "app")                                                        \
        TOLD("uid", UID) "field{key{groups}value{list{" groups "}}}" TOLD("issuer", "issuer") TOLD("subject", "app")   \
            TOLD("audience", "relyd") TOLD("credential", "rule") TOLD("decisionId", "ID") "}"
#define ALLOWED(more)                                                                                                  \
    ANSWERED "status{}ok{" HEADERS_OF("app", "issuer", "rule", UID) HEADER("x-relyd-decision-id", "ID") more           \
        "}" METADATA("")
/* In: kind - `denied`, `error`; challenge - a HEADER, or ""; error - a member of the body. */
#define REFUSED(kind, code, http, reason, sentence, challenge, body)                                                   \
    ANSWERED "status{code=" code " message{" reason ": " sentence "}}" kind "{http{code=" http                         \
             " }" HEADER("content-type", "application/json") HEADER("x-relyd-reason", reason)                          \
                 HEADER("x-relyd-decision-id", "ID") challenge "body{{" body ",\"reason\":\"" reason                   \
                                                               "\",\"decisionId\":\"ID\"}\n}}"
#define CHALLENGE(error, reason, sentence)                                                                             \
    HEADER("www-authenticate",                                                                                         \
           "Bearer realm=\"relyd\", error=\"" error "\", error_description=\"" reason ": " sentence "\"")
#define BODY(error, reason, sentence) "\"error\":\"" error "\",\"error_description\":\"" reason ": " sentence "\""
#define UNAUTHENTICATED(reason, sentence)                                                                              \
    REFUSED("denied", "16", "401", reason, sentence, CHALLENGE("invalid_token", reason, sentence),                     \
            BODY("invalid_token", reason, sentence))
#define DENIED(reason, sentence)                                                                                       \
    REFUSED("denied", "7", "403", reason, sentence, CHALLENGE("insufficient_scope", reason, sentence),                 \
            BODY("insufficient_scope", reason, sentence))
#define NO_TOKEN                                                                                                       \
    REFUSED("denied", "16", "401", "no_token", "no bearer token in the Authorization header",                          \
            HEADER("www-authenticate", "Bearer realm=\"relyd\""),                                                      \
            "\"error_description\":\"no_token: no bearer token in the Authorization header\"")
#define TWO_TOKENS UNAUTHENTICATED("malformed_token", "the Authorization header must be one, with one bearer token")

static void test_an_allow_by_grpc(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice groups[] = {{"ops", 3}, {"dev", 3}};
    const char *token = sign_app();
    expect_call(worker, ALLOWED(""), .headers = WITH_TOKEN(token));
    expect_call(worker, ALLOWED(""), .mapped = WITH_TOKEN(token));
    expect_call(worker, ALLOWED(""), .headers = LIST("Authorization", mint_print("bearer  %s", token)),
                .method = "BREW");
    put_door_route(worker, "strip", (struct rely_route_record){.strips_authorization = true, .cache_s = 60});
    expect_call(worker, ALLOWED("remove{authorization}"), .headers = WITH_TOKEN(token),
                .extensions = LIST("relyd.route", "strip"));
    struct rely_identity *identity = scene_edit_identity(&worker->scene, worker->issuer + 1);
    identity->groups = groups;
    identity->group_count = 2;
    const char *told = call_check(worker, (struct checked){.headers = WITH_TOKEN(token)});
    assert_non_null(strstr(told, METADATA("item{string{ops}}item{string{dev}}")));
    assert_non_null(strstr(told, HEADER("x-relyd-groups", "ops,dev")));
}

static void test_which_token_is_asked_about(void **state)
{
    struct worker *worker = *state;
    const char *token = sign_app(), *bearer = mint_print("Bearer %s", token);
    expect_call(worker, NO_TOKEN, .method = "GET");
    expect_call(worker, NO_TOKEN,
                .headers =
                    LIST("cookie", token, "x-relyd-caller", bearer, "authorizatio", bearer, "authorizations", bearer));
    expect_call(worker, NO_TOKEN, .headers = LIST("authorization", "Basic YTpi"));
    expect_call(worker, TWO_TOKENS, .headers = LIST("authorization", bearer, "authorization", bearer));
    expect_call(worker, TWO_TOKENS, .headers = LIST("authorization", bearer), .mapped = LIST("Authorization", bearer));
    expect_call(worker, TWO_TOKENS, .headers = LIST("authorization", bearer, "AUTHORIZATION", "Basic x"));
    expect_call(worker, UNAUTHENTICATED("malformed_token", "the token has fewer than three parts"),
                .headers = WITH_TOKEN("x"));
    /* The call's own is the gateway's. */
    struct rely_slice none = RELY_LIT("");
    assert_string_equal(
        tell_call(worker, call_bytes(worker, CHECK, mint_print(GRPC "\n%s", bear(token)), none), OF_CHECK), NO_TOKEN);
}

static void test_what_is_shed_by_grpc(void **state)
{
    struct worker *worker = *state;
    worker->reviewer.tries.limit = 0; /* none is tried under all keys */
    static const char expected[] =
        REFUSED("error", "14", "503", "overloaded",
                "Too many signatures of this issuer's tokens have failed in this second (keys.kidless_failures_per_s): "
                "not verified under all keys.",
                "",
                BODY("invalid_token", "overloaded",
                     "Too many signatures of this issuer's tokens have failed in this second "
                     "(keys.kidless_failures_per_s): not verified under all keys."));
    expect_call(worker, expected, .headers = WITH_TOKEN(sign_without_kid()));
}

/* --- restrictions ----------------------------------------------------------------------------------------------------- */

#define UNKNOWN                                                                                                        \
    DENIED("invalid_query",                                                                                            \
           "a context_extension that begins with `relyd.` is none of relyd.route, relyd.aud, relyd.identity")
#define TWICE DENIED("invalid_query", "a context_extension of relyd's is there twice")
#define UNCLEAN DENIED("invalid_query", "a context_extension of relyd's is empty, not UTF-8, or has a NUL in it")

static void test_what_the_gateway_restricts(void **state)
{
    struct worker *worker = *state;
    const char *const *headers = WITH_TOKEN(sign_app());
    expect_call(worker, ALLOWED(""), .headers = headers,
                .extensions = LIST("relyd.aud", "relyd", "relyd.identity", "app", "relyd.route", "default", "other", "",
                                   "other", "x", "relydx", "y"));
    expect_call(worker, UNKNOWN, .headers = headers, .extensions = LIST("relyd.audience", "relyd"));
    expect_call(worker, UNKNOWN, .headers = headers, .extensions = LIST("relyd.", ""));
    expect_call(worker, UNKNOWN, .headers = headers, .extensions = LIST("relyd.Aud", "relyd"));
    static const char *const names[] = {"relyd.aud", "relyd.identity", "relyd.route"};
    static const char *const values[] = {"relyd", "app", "default"};
    for (size_t i = 0; i < 3; i++) {
        expect_call(worker, TWICE, .headers = headers, .extensions = LIST(names[i], values[i], names[i], values[i]));
        expect_call(worker, UNCLEAN, .headers = headers, .extensions = LIST(names[i], ""));
        expect_call(worker, UNCLEAN, .headers = headers, .extensions = LIST(names[i], "a\xff"));
    }
    assert_non_null(
        strstr(call_check(worker, (struct checked){.headers = headers, .extensions = LIST("relyd.aud", "more")}),
               HEADER("x-relyd-reason", "audience_mismatch")));
    assert_non_null(
        strstr(call_check(worker, (struct checked){.headers = headers, .extensions = LIST("relyd.identity", "other")}),
               HEADER("x-relyd-reason", "no_matching_credential")));
    assert_non_null(
        strstr(call_check(worker, (struct checked){.headers = headers, .extensions = LIST("relyd.route", "other")}),
               HEADER("x-relyd-reason", "unknown_route")));
    assert_int_equal(worker->counters.reviews[RELY_ENDPOINT_CHECK][RELY_INVALID_QUERY], 12);
}

static void test_preflight_and_shadow_by_grpc(void **state)
{
    struct worker *worker = *state;
    const char *const *asked = LIST("origin", "null", "access-control-request-method", "PUT");
    const char *const *cors = LIST("relyd.route", "cors"), *const *dark = LIST("relyd.route", "dark");
    put_door_route(worker, "cors", (struct rely_route_record){.passes_preflight = true});
    expect_call(worker, ANSWERED "status{}ok{" HEADERS_OF("", "", "", "") HEADER("x-relyd-decision-id", "") "}",
                .method = "OPTIONS", .headers = asked, .extensions = cors);
    expect_call(worker, NO_TOKEN, .method = "OPTIONS", .headers = asked);
    expect_call(worker, NO_TOKEN, .method = "GET", .headers = asked, .extensions = cors);
    expect_call(worker, NO_TOKEN, .method = "OPTIONS", .headers = asked, .mapped = LIST("origin", "x"),
                .extensions = cors);
    expect_call(worker, NO_TOKEN, .method = "OPTIONS", .headers = asked, .mapped = LIST("authorization", "x"),
                .extensions = cors);
    put_door_route(worker, "dark", (struct rely_route_record){.mode = RELY_MODE_SHADOW, .strips_authorization = true});
    expect_call(worker,
                ANSWERED "status{}ok{" HEADERS_OF("", "", "", "") HEADER("x-relyd-would-deny", "malformed_token")
                    HEADER("x-relyd-decision-id", "ID") "remove{authorization}}",
                .headers = WITH_TOKEN("x"), .extensions = dark);
    /* What cannot be read is refused even there: its route cannot be believed. */
    expect_call(worker, TWICE, .headers = WITH_TOKEN("x"),
                .extensions = LIST("relyd.route", "dark", "relyd.route", "dark"));
}

#define NOT_PERMITTED                                                                                                  \
    REFUSED("denied", "7", "403", "caller_not_permitted",                                                              \
            "Who asks has not proven who he is, or may not ask: the gateway, not the token that it asks about.", "",   \
            BODY("insufficient_scope", "caller_not_permitted",                                                         \
                 "Who asks has not proven who he is, or may not ask: the gateway, not the token that it asks about."))

static void test_callers_by_grpc(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice other = {"other", 5};
    const char *const *headers = WITH_TOKEN(sign_app());
    put_door_route(worker, "closed", (struct rely_route_record){.callers = {&other, 1}});
    expect_call(worker, NOT_PERMITTED, .headers = headers, .extensions = LIST("relyd.route", "closed"));
    door.is_open = false;
    expect_call(worker, NOT_PERMITTED, .headers = headers);
    door_is_unix = true;
    expect_call(worker, ALLOWED(""), .headers = headers);
}

/* --- calls -------------------------------------------------------------------------------------------------------------- */

static void test_frames(void **state)
{
    struct worker *worker = *state;
    static const char whole[] = "a call has one message, which is whole";
    static const char plain[] = "messages are not compressed here";
    static const struct {
        const char *headers;
        struct rely_slice body;
        bool is_plain, is_unimplemented;
    } cases[] = {
        {GRPC, {NULL, 0}, false, false},
        {GRPC, {"\0\0\0\0", 4}, false, false},
        {GRPC, {"\0\0\0\0\1", 5}, false, false},
        {GRPC, {"\0\0\0\0\0\0\0\0\0\0", 10}, false, false},
        {GRPC, {"\0\0\0\1\0x", 6}, false, false},
        {GRPC, {"\0\377\377\377\377x", 6}, false, false},
        {GRPC, {"\1\0\0\0\0", 5}, true, false},
        {GRPC "\ngrpc-encoding: gzip", {"\1\0\0\0\0", 5}, true, true},
        {GRPC "\ngrpc-encoding: gzip", {"\2\0\0\0\0", 5}, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *sentence = cases[i].is_plain ? plain : whole;
        const char *expected = cases[i].is_unimplemented ? mint_print(UNIMPLEMENTED("%s"), sentence)
                                                         : mint_print(FAILED("13", "%s"), sentence);
        assert_string_equal(play_bytes(worker, CHECK, cases[i].headers, cases[i].body), expected);
        assert_string_equal(play_bytes(worker, HEALTH, cases[i].headers, cases[i].body), expected);
    }
    /* Uncompressed, whatever the call might have done. */
    const char *answer = play_bytes(worker, CHECK, GRPC "\ngrpc-encoding: gzip", rely_slice("\0\0\0\0\0", 5));
    assert_string_equal(tell_call(worker, answer, OF_CHECK), NO_TOKEN);
}

static void test_methods_and_types(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice empty = {"\0\0\0\0\0", 5};
    static const char *const types[] = {"content-type: application/grpc+proto", "content-type: APPLICATION/grpc;x=y"};
    static const char *const others[] = {NULL, "content-type: application/grpc-web", "content-type: application/json",
                                         "content-type: application/grp", GRPC "\n" GRPC};
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(tell_call(worker, play_bytes(worker, CHECK, types[i], empty), OF_CHECK), NO_TOKEN);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_memory_equal(play_bytes(worker, CHECK, others[i], empty), "415\n", 4);
    assert_memory_equal(play(worker, "GET /envoy.service.auth.v3.Authorization/Check", GRPC, NULL), "405\n", 4);
    assert_string_equal(play_bytes(worker, "POST /envoy.service.auth.v3.Authorization/check", GRPC, empty),
                        UNIMPLEMENTED("there is no such method here"));
    assert_string_equal(play_bytes(worker, "POST /grpc.health.v1.Health/watch", GRPC, empty),
                        UNIMPLEMENTED("there is no such method here"));
    assert_memory_equal(play_bytes(worker, "POST /envoy.service.auth.v2.Authorization/Check", GRPC, empty), "404\n", 4);
    door_speaks_http2 = false; /* no answer of it could have trailers */
    assert_memory_equal(play_bytes(worker, CHECK, GRPC, empty), "404\n", 4);
}

static void test_messages_that_cannot_be_read(void **state)
{
    struct worker *worker = *state;
    const char *answer = call_bytes(worker, CHECK, GRPC, RELY_LIT("\x0a\x05x"));
    assert_string_equal(
        tell_call(worker, answer, OF_CHECK),
        DENIED("invalid_query", "the CheckRequest cannot be read: it is cut off or none, or has too many fields"));
    answer = call_bytes(worker, CHECK, GRPC, rely_slice("\x0a\x00\x0a\x00", 4));
    assert_string_equal(tell_call(worker, answer, OF_CHECK),
                        DENIED("invalid_query", "the CheckRequest has a field several times that may be there once"));
    assert_string_equal(call_bytes(worker, HEALTH, GRPC, RELY_LIT("\x0a\x05x")),
                        FAILED("3", "the HealthCheckRequest cannot be read"));
}

static void test_health(void **state)
{
    struct worker *worker = *state;
    struct rely_buf message = {0};
    struct rely_slice none = RELY_LIT("");
    door.is_open = false; /* a probe proves nothing */
    for (int i = 0; i < 2; i++) {
        const char *state_of = mint_print(ANSWERED "status=%d ", i + 1);
        is_draining = i == 1;
        assert_string_equal(tell_call(worker, call_bytes(worker, HEALTH, GRPC, none), OF_HEALTH), state_of);
        message.len = 0;
        put_field(&message, 1, RELY_LIT("envoy.service.auth.v3.Authorization"));
        assert_string_equal(tell_call(worker, call_bytes(worker, HEALTH, GRPC, rely_buf_slice(&message)), OF_HEALTH),
                            state_of);
        assert_string_equal(
            tell_call(worker, call_bytes(worker, "POST /grpc.health.v1.Health/List", GRPC, none), OF_HEALTHS),
            mint_print(ANSWERED
                       "service{name{}is{status=%d }}service{name{envoy.service.auth.v3.Authorization}is{status=%d }}",
                       i + 1, i + 1));
    }
    message.len = 0;
    put_field(&message, 1, RELY_LIT("envoy.service.auth.v3"));
    assert_string_equal(call_bytes(worker, HEALTH, GRPC, rely_buf_slice(&message)),
                        FAILED("5", "there is no such service here"));
    rely_buf_fini(&message);
    assert_int_equal(worker->counters.callers[RELY_CALLER_ANONYMOUS], 0);
    assert_int_equal(worker->counters.requests, 7);
}

#define WATCH "POST /grpc.health.v1.Health/Watch"
#define WATCHED(held) "200\ncontent-type: application/grpc\n> grpc-status: 14\n> grpc-message: relyd stops\n" held "\n"
#define SAYS(status) "\0\0\0\0\2\10" status

static void expect_watch(struct worker *worker, const char *service, const char *head, struct rely_slice body)
{
    struct rely_buf message = {0};
    put_field(&message, 1, rely_slice_of(service));
    const char *answer = call_bytes(worker, WATCH, GRPC, rely_buf_slice(&message));
    assert_memory_equal(answer, head, strlen(head));
    assert_int_equal(played_body.len, body.len);
    if (body.len > 0)
        assert_memory_equal(played_body.ptr, body.ptr, body.len);
    rely_buf_fini(&message);
}

/* What is said now, and what is held back until the end. */
static void test_who_watches(void **state)
{
    struct worker *worker = *state;
    static const char authorization[] = "envoy.service.auth.v3.Authorization";
    door.is_open = false; /* a probe proves nothing */
    door_may_hold = true;
    expect_watch(worker, "", WATCHED("~ 7\n"), RELY_LIT(SAYS("\1") SAYS("\2")));
    expect_watch(worker, authorization, WATCHED("~ 7\n"), RELY_LIT(SAYS("\1") SAYS("\2")));
    expect_watch(worker, "other", WATCHED("~ 7\n"), RELY_LIT(SAYS("\3")));
    assert_string_equal(call_bytes(worker, WATCH, GRPC, RELY_LIT("\x0a\x05x")),
                        FAILED("3", "the HealthCheckRequest cannot be read"));
    door_may_hold = false;
    expect_watch(worker, authorization, FAILED("8", "this connection watches as much as it may"), RELY_LIT(""));
    expect_watch(worker, "other", FAILED("8", "this connection watches as much as it may"), RELY_LIT(""));
    for (int i = 0; i < 2; i++) { /* nothing is kept when it ends, and so nothing has to be free */
        is_draining = true;
        door_may_hold = i == 1;
        expect_watch(worker, "", WATCHED(""), RELY_LIT(SAYS("\2")));
        expect_watch(worker, "other", WATCHED(""), RELY_LIT(SAYS("\3")));
    }
}

static void test_what_is_no_call(void **state)
{
    struct worker *worker = *state;
    static const struct rely_http_refusal refusals[] = {
        {RELY_HTTP_HEAD_TOO_LARGE, 431, "a", "too large"},
        {RELY_HTTP_BODY_TOO_LARGE, 413, "a", "too large"},
        {RELY_HTTP_TOO_SLOW, 408, "a", "too slow"},
    };
    static const char of_token[] = UNAUTHENTICATED(
        "token_too_large",
        "The token is longer than token.max_bytes, or the head that holds it than http.head_max_bytes.");
    const char *expected[] = {of_token, of_token, DENIED("invalid_query", "too slow")};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(tell_call(worker, play_refused(worker, CHECK, &refusals[i]), OF_CHECK), expected[i]);
}

#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_calls, tear_down_worker)

int run_grpc_tests(void)
{
    const struct CMUnitTest tests[] = {
        CALL_TEST(test_an_allow_by_grpc),
        CALL_TEST(test_which_token_is_asked_about),
        CALL_TEST(test_what_is_shed_by_grpc),
        CALL_TEST(test_what_the_gateway_restricts),
        CALL_TEST(test_preflight_and_shadow_by_grpc),
        CALL_TEST(test_callers_by_grpc),
        CALL_TEST(test_frames),
        CALL_TEST(test_methods_and_types),
        CALL_TEST(test_messages_that_cannot_be_read),
        CALL_TEST(test_health),
        CALL_TEST(test_who_watches),
        CALL_TEST(test_what_is_no_call),
    };
    return cmocka_run_group_tests_name("gRPC", tests, NULL, NULL);
}

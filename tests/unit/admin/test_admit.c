/*
 * Who asks on the control plane, how that is proven, and what each may: every operation of the table for every kind of
 * caller.
 */
#include "fixture.h"
#include "mint.h"

#include "../../../src/admin/operations.h"
#include "relyd/certificate.h"
#include "relyd/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ISS "https://issuer.example/a"
#define NOBODY 4711 /* a uid */
#define IDENTITY(name, more) "{\"name\":\"" name "\"" more "}"

/* Registers as root; afterwards the unix peer is nobody. */
static void register_callers(struct fixture *fixture)
{
    static const char *const identities[] = {
        IDENTITY("ops", ",\"roles\":[\"admin\"],\"certificates\":[\"dns:ops.example\"]"),
        IDENTITY("sees", ",\"roles\":[\"viewer\"],\"certificates\":[\"uri:spiffe://a/sees\"]"),
        IDENTITY("gateway", ",\"roles\":[\"reviewer\"],\"certificates\":[\"dns:gw.example\"]"),
        IDENTITY("lead", ",\"certificates\":[\"email:lead@x.example\"]"),
        IDENTITY("other", ",\"certificates\":[\"cn:other\"]"),
        IDENTITY("asleep", ",\"roles\":[\"admin\"],\"enabled\":false,\"certificates\":[\"dns:asleep.example\"]"),
        IDENTITY("app", ",\"owners\":[\"lead\"]"),
        IDENTITY("power", ",\"owners\":[\"lead\"],\"roles\":[\"reviewer\"]"),
    };
    static const char *const names[] = {"ops", "sees", "gateway", "lead", "other", "asleep"};
    const char *jwks = mint_jwks(mint_jwk(mint_key("p256"), "k1", "ES256"), NULL);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"cluster\",\"issuer\":\"" ISS "\",\"keys\":{\"jwks\":%s}}", jwks));
    assert_status(fixture, 201);
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
        send_request(fixture, "POST", "/v1/identities", identities[i]);
        assert_status(fixture, 201);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        send_request(fixture, "POST", mint_print("/v1/identities/%s/federatedIdentityCredentials", names[i]),
                     mint_print("{\"name\":\"own\",\"issuer\":\"" ISS "\",\"subject\":\"%s\",\"audiences\":[\"relyd\","
                                "\"other\"]}",
                                names[i]));
        assert_status(fixture, 201);
    }
    come_as(fixture, NOBODY);
}

static const char *make_token(const char *sub, const char *aud, int64_t lives_s)
{
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"k1\"}",
                      mint_print("{\"iss\":\"" ISS "\",\"sub\":\"%s\",\"aud\":\"%s\",\"exp\":%lld}", sub, aud,
                                 (long long)(rely_clock_now_s() + lives_s)));
}

static void show_token(struct fixture *fixture, const char *token)
{
    add_header(fixture, "authorization", mint_print("Bearer %s", token));
}

/* The next request comes with a certificate of these names. */
static struct rely_slice shown_names[3];
static struct rely_certificate shown;

static void show_certificate(struct fixture *fixture, const char *first, const char *second, int64_t lives_s)
{
    shown_names[0] = rely_slice_of(first);
    shown_names[1] = rely_slice_of(second);
    shown = (struct rely_certificate){
        .names = shown_names, .name_count = second == NULL ? 1 : 2, .until_s = rely_clock_now_s() + lives_s};
    fixture->request.certificate = &shown;
}

static void show_nothing(struct fixture *fixture)
{
    fixture->request.certificate = NULL;
}

static void assert_unproven(struct fixture *fixture, enum rely_proven why, const char *words)
{
    uint64_t before = fixture->refused[why];
    int lines = fixture->line_count;
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_problem(fixture, 401, "unauthenticated");
    assert_value_has(fixture, "detail", words);
    assert_int_equal(fixture->refused[why], before + 1);
    assert_int_equal(fixture->line_count, lines + 1);
    assert_non_null(strstr(fixture->line, words));
    assert_non_null(strstr(fixture->line, "GET \"/v1/issuers\" from "));
}

static void assert_proven(struct fixture *fixture)
{
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_status(fixture, 200);
}

/* --- proofs ------------------------------------------------------------------------------------------------------ */

static void asks_for_a_proof(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove who he is");
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "a member of admin.socket_group"); /* how at this very door */
    assert_string_equal(fixture->challenge, "Bearer realm=\"relyd\"");
    add_header(fixture, "authorization", "Basic b3BzOm9wcw=="); /* somebody else's scheme */
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove who he is");
    fixture->request.is_unix = false;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove who he is: by a client certificate");
    static const char *const open[] = {"/livez", "/readyz"};
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        send_request(fixture, "GET", open[i], NULL);
        assert_status(fixture, 200);
    }
    send_request(fixture, "GET", "/metrics", NULL);
    assert_problem(fixture, 401, "unauthenticated");
    send_request(fixture, "POST", "/livez", NULL); /* which method it takes, nobody is told */
    assert_problem(fixture, 401, "unauthenticated");
    mint_reset();
}

static void takes_tokens(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    show_token(fixture, make_token("ops", "relyd", 600));
    assert_proven(fixture);
    show_token(fixture, make_token("ops", "other", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "audience_mismatch");
    show_token(fixture, make_token("ops", "other", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "it and its credential must have the audience of auth.audience");
    assert_string_equal(fixture->challenge, "Bearer realm=\"relyd\", error=\"invalid_token\"");
    show_token(fixture, make_token("ops", "relyd", -600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "expired");
    show_token(fixture, make_token("nobody", "relyd", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "no_matching_credential");
    show_token(fixture, make_token("asleep", "relyd", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "identity_disabled");
    const char *token = make_token("ops", "relyd", 600);
    show_token(fixture, mint_print("%.*sAAAA", (int)strlen(token) - 4, token));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "bad_signature");
    show_token(fixture, token);
    show_token(fixture, token);
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "must be one");
    come_as(fixture, 0); /* a proof that is there and wrong is a refusal, whoever else he may be */
    show_token(fixture, make_token("nobody", "relyd", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "no_matching_credential");
    assert_null(strstr(fixture->line, token));
    mint_reset();
}

/* What two identities answer to names neither. */
static void takes_no_token_of_two_identities(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    come_as(fixture, 0);
    send_request(fixture, "POST", "/v1/identities/other/federatedIdentityCredentials",
                 "{\"name\":\"too\",\"issuer\":\"" ISS "\",\"subject\":\"ops\",\"audiences\":[\"relyd\"]}");
    assert_status(fixture, 201);
    show_token(fixture, make_token("ops", "relyd", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "ambiguous_identity");
    mint_reset();
}

static void takes_certificates(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    show_certificate(fixture, "dns:unknown.example", "dns:ops.example", 60);
    assert_proven(fixture);
    show_certificate(fixture, "dns:ops.example", NULL, -60);
    assert_unproven(fixture, RELY_CALLER_BAD_CERTIFICATE, "has expired");
    show_certificate(fixture, "dns:ops.example", "uri:spiffe://a/sees", 60);
    assert_unproven(fixture, RELY_CALLER_BAD_CERTIFICATE, "two identities");
    show_certificate(fixture, "dns:ops.example", NULL, 60);
    shown.has_more = true;
    assert_unproven(fixture, RELY_CALLER_BAD_CERTIFICATE, "more than 64 names");
    show_certificate(fixture, "dns:asleep.example", NULL, 60);
    assert_unproven(fixture, RELY_CALLER_IDENTITY_DISABLED, "is disabled");
    assert_string_equal(fixture->challenge, "Bearer realm=\"relyd\"");
    show_certificate(fixture, "dns:unknown.example", NULL, 60); /* counts as none */
    assert_unproven(
        fixture, RELY_CALLER_ANONYMOUS,
        "no identity has a name of the client certificate, \"dns:unknown.example\", among its certificates");
    show_certificate(fixture, "dns:unknown.example", NULL, 60);
    shown.name_count = 0;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "the client certificate has no name");
    show_token(fixture, make_token("ops", "relyd", 600));
    assert_proven(fixture);
    show_certificate(fixture, "dns:ops.example", NULL, 60); /* the first that is there counts */
    show_token(fixture, make_token("nobody", "relyd", 600));
    assert_proven(fixture);
    show_certificate(fixture, "dns:ops.example", NULL, -60);
    show_token(fixture, make_token("ops", "relyd", 600));
    assert_unproven(fixture, RELY_CALLER_BAD_CERTIFICATE, "has expired");
    mint_reset();
}

/* A name that is taken away counts no more from the next request on. */
static void forgets_a_name_that_is_taken_away(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    show_certificate(fixture, "dns:gw.example", NULL, 60);
    send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_problem(fixture, 403, "not_permitted");
    show_nothing(fixture);
    come_as(fixture, 0);
    send_request(fixture, "PUT", "/v1/identities/gateway", "{\"certificates\":[]}");
    assert_status(fixture, 200);
    come_as(fixture, NOBODY);
    show_certificate(fixture, "dns:gw.example", NULL, 60);
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove");
    mint_reset();
}

static void takes_bootstrap_tokens(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    show_token(fixture, "relyd-bootstrap-first");
    assert_unproven(fixture, RELY_CALLER_BAD_BOOTSTRAP_TOKEN, "none of those");
    assert_true(rely_signature_sha256(RELY_LIT("relyd-bootstrap-first"), fixture->rules.bootstrap[0]));
    assert_true(rely_signature_sha256(RELY_LIT("relyd-bootstrap-second"), fixture->rules.bootstrap[1]));
    fixture->rules.bootstrap_count = 1;
    show_token(fixture, "relyd-bootstrap-first");
    assert_proven(fixture);
    show_token(fixture, "relyd-bootstrap-second");
    assert_unproven(fixture, RELY_CALLER_BAD_BOOTSTRAP_TOKEN, "none of those");
    fixture->rules.bootstrap_count = 2;
    show_token(fixture, "relyd-bootstrap-second");
    send_request(fixture, "PUT", "/v1/identities/new", "{\"roles\":[\"admin\"]}");
    assert_status(fixture, 201);
    for (size_t i = 0; i < RELY_SHA256_BYTES; i += RELY_SHA256_BYTES - 1) { /* the first byte, and the last */
        fixture->rules.bootstrap[1][i] ^= 1;
        show_token(fixture, "relyd-bootstrap-second");
        assert_unproven(fixture, RELY_CALLER_BAD_BOOTSTRAP_TOKEN, "none of those");
        fixture->rules.bootstrap[1][i] ^= 1;
    }
    mint_reset();
}

/* Beside root; and only by the kernel's word, which there is on a unix socket alone. */
static void takes_relyds_own_user(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    fixture->rules.own_uid = NOBODY + 1;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove");
    fixture->rules.own_uid = NOBODY;
    assert_proven(fixture);
    fixture->request.is_unix = false;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "a client certificate");
    come_as(fixture, 0);
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "a client certificate");
    mint_reset();
}

/* What relyd --bootstrap prints is let in by the line that it prints. */
static void makes_bootstrap_tokens(void **state)
{
    struct fixture *fixture = *state;
    struct rely_buf first = {0}, second = {0};
    register_callers(fixture);
    rely_bootstrap_print(&first);
    rely_bootstrap_print(&second);
    assert_string_not_equal(first.ptr, second.ptr);
    char *end = strchr(first.ptr, '\n'), *digits = strchr(first.ptr, '"') + 1;
    *end = '\0';
    assert_int_equal(strlen(first.ptr), strlen(RELY_BOOTSTRAP_PREFIX) + 43); /* 32 bytes */
    assert_int_equal(strncmp(end + 1, "auth: {bootstrap_tokens: [\"", 27), 0);
    assert_string_equal(digits + 64, "\"]}\n");
    for (int i = 0; i < 32; i++) {
        unsigned digit;
        assert_int_equal(sscanf(digits + 2 * i, "%2x", &digit), 1);
        fixture->rules.bootstrap[0][i] = (uint8_t)digit;
    }
    fixture->rules.bootstrap_count = 1;
    show_token(fixture, first.ptr);
    assert_proven(fixture);
    rely_buf_fini(&first);
    rely_buf_fini(&second);
    mint_reset();
}

static void takes_peers_of_a_group(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    fixture->peer_group = 100;
    fixture->rules.group = 100;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove");
    fixture->rules.has_group = true;
    assert_proven(fixture);
    fixture->peer_group = 101;
    assert_unproven(fixture, RELY_CALLER_ANONYMOUS, "must prove");
    mint_reset();
}

/* --- what each may ------------------------------------------------------------------------------------------------ */

/* Who asks: each by both proofs, where he has two. */
static const char *const callers[] = {"nobody", "ops", "sees", "gateway", "lead", "other", "root", "bootstrap"};
enum { BY_NOBODY, BY_ADMIN, BY_VIEWER, BY_REVIEWER, BY_OWNER, BY_OTHER, BY_ROOT, BY_BOOTSTRAP, CALLER_COUNT };

static void come_as_caller(struct fixture *fixture, size_t caller, bool has_certificate)
{
    static const char *const names[] = {[BY_ADMIN] = "dns:ops.example",
                                        [BY_VIEWER] = "uri:spiffe://a/sees",
                                        [BY_REVIEWER] = "dns:gw.example",
                                        [BY_OWNER] = "email:lead@x.example",
                                        [BY_OTHER] = "cn:other"};
    show_nothing(fixture);
    come_as(fixture, caller == BY_ROOT ? 0 : NOBODY);
    if (caller == BY_BOOTSTRAP)
        show_token(fixture, "relyd-bootstrap-first");
    else if (caller != BY_NOBODY && caller != BY_ROOT && has_certificate)
        show_certificate(fixture, names[caller], NULL, 60);
    else if (caller != BY_NOBODY && caller != BY_ROOT)
        show_token(fixture, make_token(callers[caller], "relyd", 600));
}

static bool is_expected(enum rely_need needs, size_t caller, bool is_its_owner)
{
    bool is_admin = caller == BY_ADMIN || caller == BY_ROOT || caller == BY_BOOTSTRAP;
    bool is_viewer = is_admin || caller == BY_VIEWER, is_owner = caller == BY_OWNER;
    switch (needs) {
    case ANYBODY:
        return true;
    case ADMIN:
        return is_admin;
    case VIEWER:
        return is_viewer;
    case VIEWER_OR_OWNER:
        return is_viewer || is_owner;
    case VIEWER_OR_ITS_OWNER:
        return is_viewer || (is_owner && is_its_owner);
    case ADMIN_OR_ITS_OWNER:
        return is_admin || (is_owner && is_its_owner);
    case REVIEWER:
    case CLUSTER:
        break;
    }
    return false;
}

/* {name} and {identity} for an identity's name, or an object's that is not there. */
static const char *fill_path(const struct rely_operation *operation, const char *identity)
{
    const char *path = operation->path, *brace = strchr(path, '{');
    const char *name = operation->object == RELY_OBJECT_ISSUER ? "no-such" : identity;
    if (brace == NULL)
        return path;
    const char *filled = mint_print("%.*s%s%s", (int)(brace - path), path, name, strchr(brace, '}') + 1);
    brace = strchr(filled, '{');
    return brace == NULL ? filled
                         : mint_print("%.*s%s%s", (int)(brace - filled), filled, "no-such", strchr(brace, '}') + 1);
}

/* An empty body is judged after who asks; and nothing is there to be deleted but an object of no name. */
static void try_operation(struct fixture *fixture, const struct rely_operation *operation, const char *identity,
                          size_t caller)
{
    for (int has_certificate = 0; has_certificate < 2; has_certificate++) {
        bool is_allowed = is_expected(operation->needs, caller, strcmp(identity, "app") == 0);
        const char *path = fill_path(operation, identity);
        come_as_caller(fixture, caller, has_certificate);
        send_request(fixture, operation->method, path, strcmp(operation->method, "GET") == 0 ? NULL : "[]");
        bool is_refused = fixture->status == 401 || fixture->status == 403;
        int expected = is_allowed ? 0 : caller == BY_NOBODY ? 401 : 403;
        if (is_refused == is_allowed || (!is_allowed && fixture->status != expected))
            fail_msg("%s %s by %s: %d", operation->method, path, callers[caller], fixture->status);
        if (!is_allowed)
            assert_problem(fixture, expected, expected == 401 ? "unauthenticated" : "not_permitted");
        if (expected == 403)
            assert_value_has(fixture, "detail", rely_need_words(operation->needs));
    }
}

static void holds_the_table_for_every_caller(void **state)
{
    struct fixture *fixture = *state;
    static const char *const identities[] = {"app", "power", "other", "no-such"};
    const struct rely_operation *operation;
    size_t tried = 0;
    register_callers(fixture);
    assert_true(rely_signature_sha256(RELY_LIT("relyd-bootstrap-first"), fixture->rules.bootstrap[0]));
    fixture->rules.bootstrap_count = 1;
    int published = fixture->publish_count;
    for (size_t i = 0; (operation = rely_operation_at(i)) != NULL; i++) {
        if (operation->plane == RELY_PLANE_DATA || operation->needs == CLUSTER) /* whose resource judges itself */
            continue;
        bool is_deleting = strcmp(operation->method, "DELETE") == 0 && operation->object == RELY_OBJECT_IDENTITY;
        for (size_t k = is_deleting ? 3 : 0; k < sizeof identities / sizeof identities[0]; k++)
            for (size_t caller = 0; caller < CALLER_COUNT; caller++, tried++)
                if (!(operation->needs == VIEWER_OR_ITS_OWNER && caller == BY_OWNER && k == 1))
                    try_operation(fixture, operation, identities[k], caller);
    }
    assert_true(tried > 500);
    assert_int_equal(fixture->publish_count, published);
    mint_reset();
}

/* What he owns he may see, also while it has a role; but its credentials are an administrator's then. */
static void keeps_an_owner_to_what_he_owns(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    static const struct {
        const char *method, *path, *body;
        int status;
    } cases[] = {
        {"GET", "/v1/identities/power", NULL, 200},
        {"GET", "/v1/identities/power/federatedIdentityCredentials", NULL, 200},
        {"POST", "/v1/identities/power/federatedIdentityCredentials", "{}", 403},
        {"POST", "/v1/identities/app/federatedIdentityCredentials",
         "{\"name\":\"new\",\"issuer\":\"" ISS "\",\"subject\":\"s\",\"audiences\":[\"relyd\"]}", 201},
        {"GET", "/v1/identities/app/federatedIdentityCredentials/new", NULL, 200},
        {"DELETE", "/v1/identities/app/federatedIdentityCredentials/new", NULL, 204},
        {"PUT", "/v1/identities/app", "{\"owners\":[\"lead\"],\"roles\":[\"admin\"]}", 403},
        {"DELETE", "/v1/identities/app", NULL, 403},
        {"GET", "/v1/identities", NULL, 403},
        {"GET", "/v1/issuers/cluster", NULL, 200},
        {"GET", "/metrics", NULL, 403},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        come_as_caller(fixture, BY_OWNER, i % 2 == 0);
        send_request(fixture, cases[i].method, cases[i].path, cases[i].body);
        if (fixture->status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].method, cases[i].path, fixture->status);
    }
    mint_reset();
}

static void lets_nobody_raise_himself(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    come_as_caller(fixture, BY_ADMIN, false);
    send_request(fixture, "PUT", "/v1/identities/ops",
                 "{\"roles\":[\"admin\",\"reviewer\"],\"certificates\":[\"dns:ops.example\"]}");
    assert_problem(fixture, 403, "not_permitted");
    come_as_caller(fixture, BY_ADMIN, true);
    send_request(fixture, "DELETE", "/v1/identities/ops", NULL);
    assert_problem(fixture, 409, "last_admin");
    come_as_caller(fixture, BY_ROOT, true);
    send_request(fixture, "DELETE", "/v1/identities/ops", NULL);
    assert_status(fixture, 204);
    mint_reset();
}

/* His credential is there, disabled, at its end or in shadow: he is as unproven as without it. */
static void takes_no_token_by_what_is_not_in_force(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ways[] = {"", ",\"enabled\":false", ",\"notAfter\":\"2023-11-14T22:13:20Z\"",
                                       ",\"mode\":\"shadow\""};
    register_callers(fixture);
    for (size_t i = 0; i < 2 * sizeof ways / sizeof ways[0]; i++) {
        const char *way = i % 2 == 0 ? "" : ways[i / 2];
        come_as_caller(fixture, BY_ROOT, true);
        send_request(fixture, "PUT", "/v1/identities/ops/federatedIdentityCredentials/own",
                     mint_print("{\"issuer\":\"" ISS "\",\"subject\":\"ops\",\"audiences\":[\"relyd\"]%s}", way));
        assert_status(fixture, 200);
        come_as(fixture, NOBODY);
        show_token(fixture, make_token("ops", "relyd", 600));
        if (way[0] == '\0')
            assert_proven(fixture);
        else
            assert_unproven(fixture, RELY_CALLER_BAD_TOKEN, "no_matching_credential");
    }
    mint_reset();
}

/* What came near to a token is an owner's only where it is his: subjects of others are readable to viewers. */
static void tells_an_owner_of_his_own_alone(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    come_as_caller(fixture, BY_ROOT, true);
    send_request(fixture, "PUT", "/v1/identities/app/federatedIdentityCredentials/built",
                 "{\"issuer\":\"" ISS "\",\"subject\":\"opy\",\"audiences\":[\"relyd\"]}");
    assert_status(fixture, 201);
    const char *question = mint_print("{\"token\":\"%s\"}", make_token("opz", "relyd", 600));
    for (int i = 0; i < 2; i++) {
        come_as_caller(fixture, BY_OWNER, i == 0);
        send_request(fixture, "POST", "/v1/explain", question);
        assert_status(fixture, 200);
        assert_value(fixture, "steps.7.compared.0.credential", "built");
        assert_value(fixture, "steps.7.compared.1", "absent");
        assert_null(strstr(fixture->body.ptr, "\"ops\""));
        come_as_caller(fixture, BY_VIEWER, i == 0);
        send_request(fixture, "POST", "/v1/explain", question);
        assert_non_null(strstr(fixture->body.ptr, "\"ops\""));
    }
    mint_reset();
}

/* The edition by which he was let in may be gone when his write or his question comes to the registry. */
static void knows_who_asked_behind_his_edition(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    come_as_caller(fixture, BY_OWNER, true);
    fixture->is_queueing = true;
    send_request(fixture, "PUT", "/v1/identities/app/federatedIdentityCredentials/built",
                 "{\"issuer\":\"" ISS "\",\"subject\":\"build\",\"audiences\":[\"relyd\"]}");
    run_queued(fixture);
    assert_status(fixture, 201);
    const char *question = mint_print("{\"token\":\"%s\"}", make_token("Build", "relyd", 600));
    fixture->is_queueing = true;
    send_request(fixture, "POST", "/v1/explain", question);
    run_queued(fixture);
    assert_status(fixture, 200);
    assert_value(fixture, "steps.7.compared.0.credential", "built");
    mint_reset();
}

/* --- lines --------------------------------------------------------------------------------------------------------- */

static void writes_few_lines_about_strangers(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    fixture->admin.lines = (struct rely_admin_lines){.second = rely_clock_now_s()};
    for (int i = 0; i < 1000; i++)
        send_request(fixture, "GET", "/v1/issuers", NULL);
    assert_in_range(fixture->line_count, 20, 60); /* a second or two may have passed */
    assert_int_equal(fixture->refused[RELY_CALLER_ANONYMOUS], 1000);
    fixture->admin.lines.second = 0;
    send_request(fixture, "GET", "/v1/issuers?token=secret", NULL);
    assert_non_null(strstr(fixture->line, "more were since the last line"));
    assert_null(strstr(fixture->line, "secret"));
    mint_reset();
}

static void assert_said(struct fixture *fixture, const char *words)
{
    fixture->admin.lines.second = 0; /* as if the next came a second later */
    if (strstr(fixture->line, words) == NULL)
        fail_msg("%s\nhas not: %s", fixture->line, words);
}

/* A refusal that the registry decides is one of who asks, too. */
static void says_what_the_registry_refuses(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    come_as_caller(fixture, BY_ADMIN, false);
    send_request(fixture, "PUT", "/v1/identities/ops", "{\"roles\":[\"admin\",\"viewer\"]}");
    assert_problem(fixture, 403, "not_permitted");
    assert_int_equal(fixture->refused[RELY_CALLER_WITHOUT_ROLE], 1);
    assert_said(fixture, "PUT \"/v1/identities/ops\" from ");
    assert_said(fixture, ", identity:ops: nobody changes his own roles");
    come_as_caller(fixture, BY_ROOT, false);
    send_request(fixture, "PUT", "/v1/identities/ops", "{\"roles\":[\"none\"]}");
    assert_problem(fixture, 400, "invalid_body");
    assert_int_equal(fixture->refused[RELY_CALLER_WITHOUT_ROLE], 1);
    mint_reset();
}

/* Somebody pastes it into the wrong place: the log has its front at most. */
static void shortens_what_stands_in_a_path(void **state)
{
    struct fixture *fixture = *state;
    register_callers(fixture);
    send_request(fixture, "GET", "/v1/identities/relyd-bootstrap-0123456789abcdef/federatedIdentityCredentials", NULL);
    assert_problem(fixture, 401, "unauthenticated");
    assert_said(fixture, "GET \"/v1/identities/relyd-bootstrap-0123456789ab~/federatedIdentityCredentials\" from ");
    mint_reset();
}

int run_admit_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(asks_for_a_proof),
        A_TEST(takes_tokens),
        A_TEST(takes_no_token_by_what_is_not_in_force),
        A_TEST(takes_no_token_of_two_identities),
        A_TEST(takes_certificates),
        A_TEST(forgets_a_name_that_is_taken_away),
        A_TEST(takes_bootstrap_tokens),
        A_TEST(takes_relyds_own_user),
        A_TEST(takes_peers_of_a_group),
        A_TEST(makes_bootstrap_tokens),
        A_TEST(holds_the_table_for_every_caller),
        A_TEST(keeps_an_owner_to_what_he_owns),
        A_TEST(lets_nobody_raise_himself),
        A_TEST(writes_few_lines_about_strangers),
        A_TEST(says_what_the_registry_refuses),
        A_TEST(shortens_what_stands_in_a_path),
        A_TEST(tells_an_owner_of_his_own_alone),
        A_TEST(knows_who_asked_behind_his_edition),
    };
    return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}

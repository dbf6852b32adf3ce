/*
 * The REST resources: verbs, statuses, headers, pages, and that a write is answered when it is live.
 */
#include "fixture.h"

#include "relyd/limits.h"
#include "relyd/snapshot.h"
#include <stdio.h>
#include <stdlib.h>

#define ISSUER "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\"}"
#define CREDENTIALS "/v1/identities/web/federatedIdentityCredentials"
#define CREDENTIAL "{\"name\":\"first\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}"

static void make_objects(struct fixture *fixture)
{
    send_request(fixture, "POST", "/v1/issuers", ISSUER);
    assert_status(fixture, 201);
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"web\"}");
    assert_status(fixture, 201);
}

static void creates_and_reads(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", "/v1/issuers", ISSUER);
    assert_status(fixture, 201);
    assert_string_equal(fixture->location, "/v1/issuers/cluster");
    assert_string_equal(fixture->etag, "\"1\"");
    assert_string_equal(fixture->content_type, "application/json");
    assert_value(fixture, "leewaySeconds", "60");
    send_request(fixture, "GET", "/v1/issuers/cluster", NULL);
    assert_status(fixture, 200);
    assert_string_equal(fixture->etag, "\"1\"");
    assert_value(fixture, "issuer", "https://issuer.example/a");
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"web\"}");
    send_request(fixture, "POST", CREDENTIALS, CREDENTIAL);
    assert_status(fixture, 201);
    assert_string_equal(fixture->location, CREDENTIALS "/first");
    send_request(fixture, "HEAD", CREDENTIALS "/first", NULL);
    assert_status(fixture, 200);
}

static void replaces_and_deletes(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    send_request(fixture, "PUT", "/v1/identities/web", "{\"groups\":[\"a\"]}");
    assert_status(fixture, 200);
    assert_string_equal(fixture->location, "");
    assert_value(fixture, "groups.0", "a");
    send_request(fixture, "PUT", "/v1/identities/api", "{}");
    assert_status(fixture, 201);
    assert_string_equal(fixture->location, "/v1/identities/api");
    send_request(fixture, "DELETE", "/v1/identities/api", NULL);
    assert_status(fixture, 204);
    assert_int_equal(fixture->body.len, 0);
    send_request(fixture, "GET", "/v1/identities/api", NULL);
    assert_problem(fixture, 404, "not_found");
    send_request(fixture, "DELETE", "/v1/identities/api", NULL);
    assert_problem(fixture, 404, "not_found");
}

static void answers_no_change_without_publishing(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    int before = fixture->publish_count;
    send_request(fixture, "PUT", "/v1/identities/web", "{}");
    assert_status(fixture, 200);
    assert_string_equal(fixture->etag, "\"2\"");
    assert_int_equal(fixture->publish_count, before);
}

static void acknowledges_nothing_that_is_not_committed(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    fixture->is_disk_full = true;
    send_request(fixture, "PUT", "/v1/identities/web", "{\"groups\":[\"a\"]}");
    assert_problem(fixture, 500, "internal_error");
    assert_value(fixture, "detail", "database: disk full");
    assert_string_equal(fixture->etag, "");
    send_request(fixture, "DELETE", "/v1/identities/web", NULL);
    assert_problem(fixture, 500, "internal_error");
}

/* What was refused, or changed nothing, for the sake of a write that is lost itself. */
static void concludes_nothing_from_what_is_not_committed(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    fixture->is_disk_full = true;
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"web\"}");
    assert_problem(fixture, 500, "internal_error");
    send_request(fixture, "PUT", "/v1/identities/web", "{}");
    assert_problem(fixture, 500, "internal_error");
    send_request(fixture, "DELETE", "/v1/identities/nobody", NULL);
    assert_problem(fixture, 500, "internal_error");
}

/* What is only read is asked for as a read, which sees nothing that is not committed. */
static void shows_only_what_is_committed(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    static const char *const paths[] = {"/v1/identities/web", "/v1/identities", "/v1/issuers/cluster/keys"};
    int writes = fixture->writes;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        send_request(fixture, "GET", paths[i], NULL);
        assert_status(fixture, 200);
        assert_int_equal(fixture->reads, i + 1);
    }
    assert_int_equal(fixture->writes, writes);
}

static void gives_each_refusal_its_code(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    send_request(fixture, "POST", CREDENTIALS, CREDENTIAL);
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *code;
    } cases[] = {
        {"POST", "/v1/issuers", ISSUER, 409, "already_exists"},
        {"POST", CREDENTIALS, CREDENTIAL, 409, "already_exists"},
        {"POST", CREDENTIALS,
         "{\"name\":\"second\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}", 409,
         "duplicate_issuer_and_subject"},
        {"DELETE", "/v1/issuers/cluster", NULL, 409, "issuer_in_use"},
        {"DELETE", "/v1/issuers/cluster?withCredentials=false", NULL, 409, "issuer_in_use"},
        {"DELETE", "/v1/issuers/cluster?withCredentials=yes", NULL, 400, "invalid_query"},
        {"POST", "/v1/identities/nobody/federatedIdentityCredentials", CREDENTIAL, 404, "not_found"},
        {"GET", "/v1/identities/nobody/federatedIdentityCredentials", NULL, 404, "not_found"},
        {"POST", "/v1/issuers", "{\"name\":\"x\"}", 400, "invalid_body"},
        {"POST", "/v1/issuers", "[]", 400, "invalid_body"},
        {"POST", "/v1/issuers", "{", 400, "invalid_body"},
        {"POST", "/v1/issuers", "{\"name\":\"abc\",\"name\":\"abc\"}", 400, "invalid_body"},
        {"POST", "/v1/issuers", "{\"name\":\"abc\\u0000\"}", 400, "invalid_body"},
        {"POST", "/v1/issuers", "", 400, "invalid_body"},
        {"GET", "/v1/issuers?limit=0", NULL, 400, "invalid_query"},
        {"GET", "/v1/issuers?limit=1001", NULL, 400, "invalid_query"},
        {"GET", "/v1/issuers?limit=99999999999999999999", NULL, 400, "invalid_query"},
        {"GET", "/v1/issuers?limit=x", NULL, 400, "invalid_query"},
        {"GET", "/v1/issuers?limit=", NULL, 400, "invalid_query"},
        {"GET", "/v1/nothing", NULL, 404, "not_found"},
        {"GET", "/v1", NULL, 404, "not_found"},
        {"GET", "/", NULL, 404, "not_found"},
        {"GET", "/v1/issuers/", NULL, 404, "not_found"},
        {"GET", "/v1//issuers", NULL, 404, "not_found"},
        {"GET", "/v1/issuers/cluster/other", NULL, 404, "not_found"},
        {"GET", "/v1/issuers/cluster/keys/more", NULL, 404, "not_found"},
        {"GET", "/v1/identities/web/other", NULL, 404, "not_found"},
        {"GET", CREDENTIALS "/first/more", NULL, 404, "not_found"},
        {"GET", "/v1/identities/web/federatedIdentityCredentials/first/a/b/c", NULL, 404, "not_found"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_request(fixture, cases[i].method, cases[i].path, cases[i].body);
        if (fixture->status != cases[i].status)
            print_error("%s %s\n", cases[i].method, cases[i].path);
        assert_problem(fixture, cases[i].status, cases[i].code);
    }
}

static void lists_what_is_wrong(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "POST", "/v1/issuers", "{\"name\":\"abc\",\"issuer\":\"http://a\",\"leewaySeconds\":999}");
    assert_problem(fixture, 400, "invalid_body");
    assert_value(fixture, "detail", "2 fields are wrong");
    assert_value(fixture, "errors.0.field", "issuer");
    assert_value(fixture, "errors.0.code", "not_allowed");
    assert_value(fixture, "errors.1.field", "leewaySeconds");
    assert_value(fixture, "errors.1.code", "out_of_range");
    assert_value(fixture, "errors.1.message", "leewaySeconds is 999; it must be 0 to 300");
}

static void names_the_methods_allowed(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, "PATCH", "/v1/issuers", "{}");
    assert_problem(fixture, 405, "method_not_allowed");
    assert_string_equal(fixture->allow, "GET, HEAD, POST");
    send_request(fixture, "POST", "/v1/issuers/cluster", "{}");
    assert_problem(fixture, 405, "method_not_allowed");
    assert_string_equal(fixture->allow, "GET, HEAD, PUT, DELETE");
    send_request(fixture, "PUT", "/v1/issuers/cluster/keys", "{}");
    assert_problem(fixture, 405, "method_not_allowed");
    assert_string_equal(fixture->allow, "GET, HEAD");
    send_request(fixture, "GET", "/v1/explain", NULL);
    assert_problem(fixture, 405, "method_not_allowed");
    assert_string_equal(fixture->allow, "POST");
    send_request(fixture, "get", "/v1/issuers", NULL);
    assert_problem(fixture, 405, "method_not_allowed");
}

static void honours_conditions(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    add_header(fixture, "if-match", "\"1\"");
    send_request(fixture, "PUT", "/v1/identities/web", "{\"groups\":[\"a\"]}");
    assert_problem(fixture, 412, "precondition_failed");
    add_header(fixture, "if-match", "\"2\"");
    send_request(fixture, "PUT", "/v1/identities/web", "{\"groups\":[\"a\"]}");
    assert_status(fixture, 200);
    add_header(fixture, "if-match", "\"2\"");
    send_request(fixture, "DELETE", "/v1/identities/web", NULL);
    assert_problem(fixture, 412, "precondition_failed");
    add_header(fixture, "if-match", "W/\"3\"");
    send_request(fixture, "DELETE", "/v1/identities/web", NULL);
    assert_problem(fixture, 412, "precondition_failed");
    add_header(fixture, "if-match", "\"3\"");
    add_header(fixture, "if-match", "*");
    send_request(fixture, "DELETE", "/v1/identities/web", NULL);
    assert_problem(fixture, 400, "invalid_header");
    static const char *const nothing[] = {"", NULL};
    for (size_t i = 0; i < 2; i++) { /* a condition that says nothing is one that no object meets */
        add_header(fixture, "if-match", nothing[i]);
        send_request(fixture, "DELETE", "/v1/identities/web", NULL);
        assert_problem(fixture, 412, "precondition_failed");
    }
    assert_int_equal(fixture->fault_count, 0); /* what a client does wrong is no fault of ours */
    add_header(fixture, "if-none-match", "*");
    send_request(fixture, "PUT", "/v1/identities/web", "{}");
    assert_problem(fixture, 412, "precondition_failed");
    add_header(fixture, "if-none-match", "*");
    send_request(fixture, "PUT", "/v1/identities/api", "{}");
    assert_status(fixture, 201);
}

static void links_the_next_page(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    send_request(fixture, "POST", "/v1/identities", "{\"name\":\"api\"}");
    send_request(fixture, "GET", "/v1/identities?limit=1", NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "value.0.name", "api");
    assert_value(fixture, "value.1", "absent");
    assert_value(fixture, "nextLink", "/v1/identities?limit=1&after=api");
    send_request(fixture, "GET", "/v1/identities?limit=1&after=api", NULL);
    assert_value(fixture, "value.0.name", "web");
    assert_value(fixture, "nextLink", "absent");
    send_request(fixture, "GET", CREDENTIALS, NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "value", "[]");
    send_request(fixture, "POST", CREDENTIALS, CREDENTIAL);
    send_request(fixture, "POST", CREDENTIALS,
                 "{\"name\":\"second\",\"issuerName\":\"cluster\",\"subject\":\"t\",\"audiences\":[\"x\"]}");
    send_request(fixture, "GET", CREDENTIALS "?limit=1", NULL);
    assert_value(fixture, "nextLink", CREDENTIALS "?limit=1&after=first");
}

static void deletes_an_issuer_with_its_credentials(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    send_request(fixture, "POST", CREDENTIALS, CREDENTIAL);
    send_request(fixture, "DELETE", "/v1/issuers/cluster?withCredentials=true", NULL);
    assert_status(fixture, 204);
    send_request(fixture, "GET", CREDENTIALS "/first", NULL);
    assert_problem(fixture, 404, "not_found");
    assert_int_equal(fixture->snapshot->credentials.count, 0);
}

static void answers_a_write_only_when_it_is_live(void **state)
{
    struct fixture *fixture = *state;
    fixture->is_holding = true;
    send_request(fixture, "POST", "/v1/issuers", ISSUER);
    assert_int_equal(fixture->status, 0);
    assert_non_null(fixture->gone);
    release_work(fixture);
    assert_status(fixture, 201);
    assert_string_equal(fixture->etag, "\"1\"");
    assert_string_equal(fixture->location, "/v1/issuers/cluster");
    assert_value(fixture, "name", "cluster");
}

static void drops_the_answer_of_a_client_that_left(void **state)
{
    struct fixture *fixture = *state;
    fixture->is_holding = true;
    send_request(fixture, "POST", "/v1/issuers", ISSUER);
    assert_int_equal(fixture->status, 0);
    fixture->gone(fixture->gone_context);
    release_work(fixture);
    assert_int_equal(fixture->status, 0);
    /* The write itself stands. */
    fixture->is_holding = false;
    send_request(fixture, "GET", "/v1/issuers/cluster", NULL);
    assert_status(fixture, 200);
}

/* As much may wait as one body may take, whoever asked for it; what waits no longer makes room. */
static void limits_what_waits(void **state)
{
    struct fixture *fixture = *state;
    const size_t limit = RELY_ADMIN_BODY_BYTES_MAX * (1 + RELY_DOCUMENT_TREE_TIMES) + RELY_DOCUMENT_TREE_BYTES;
    static const char body[] = "{\"groups\":[]}", longer[] = "{\"groups\":[\"a\",\"b\",\"c\",\"d\"]}";
    const size_t bytes = rely_json_measure(rely_slice_of(body)),
                 more = rely_json_measure(rely_slice_of(longer)) - bytes;
    fixture->is_holding = true;
    send_request(fixture, "PUT", "/v1/identities/web", body);
    const size_t held = fixture->admin.waiting_bytes;
    assert_true(held > bytes);
    release_work(fixture);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
    send_request(fixture, "PUT", "/v1/identities/web", longer);
    fixture->gone(fixture->gone_context);
    assert_int_equal(fixture->admin.waiting_bytes, held + more);
    release_work(fixture);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
    fixture->is_holding = false;
    fixture->admin.waiting_bytes = limit - held + 1;
    send_request(fixture, "PUT", "/v1/identities/web", body);
    assert_problem(fixture, 503, "overloaded");
    assert_non_null(strstr(fixture->fault, "overloaded: too many calls wait"));
    fixture->admin.waiting_bytes = limit - held;
    send_request(fixture, "PUT", "/v1/identities/web", body);
    assert_status(fixture, 200);
    fixture->admin.waiting_bytes = limit;
    send_request(fixture, "PUT", "/v1/identities/web", "{"); /* not even read */
    assert_problem(fixture, 503, "overloaded");
    send_request(fixture, "GET", "/v1/identities", NULL);
    assert_problem(fixture, 503, "overloaded");
    send_request(fixture, "GET", "/livez", NULL);
    assert_status(fixture, 200);
    assert_int_equal(fixture->admin.waiting_bytes, limit);
    fixture->admin.waiting_bytes = 0;
    send_request(fixture, "GET", "/v1/identities/web", NULL);
    assert_status(fixture, 200);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
}

static void refuses_the_21st_over_rest(void **state)
{
    struct fixture *fixture = *state;
    make_objects(fixture);
    for (int i = 0; i <= 20; i++) {
        char body[128];
        snprintf(body, sizeof body,
                 "{\"name\":\"number-%d\",\"issuerName\":\"cluster\",\"subject\":\"s%d\",\"audiences\":[\"x\"]}", i, i);
        send_request(fixture, "POST", CREDENTIALS, body);
        if (i < 20)
            assert_status(fixture, 201);
    }
    assert_problem(fixture, 409, "too_many_credentials");
    assert_int_equal(fixture->snapshot->credentials.count, 20);
}

int run_rest_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(creates_and_reads),
        A_TEST(replaces_and_deletes),
        A_TEST(answers_no_change_without_publishing),
        A_TEST(acknowledges_nothing_that_is_not_committed),
        A_TEST(concludes_nothing_from_what_is_not_committed),
        A_TEST(shows_only_what_is_committed),
        A_TEST(gives_each_refusal_its_code),
        A_TEST(lists_what_is_wrong),
        A_TEST(names_the_methods_allowed),
        A_TEST(honours_conditions),
        A_TEST(links_the_next_page),
        A_TEST(deletes_an_issuer_with_its_credentials),
        A_TEST(answers_a_write_only_when_it_is_live),
        A_TEST(drops_the_answer_of_a_client_that_left),
        A_TEST(limits_what_waits),
        A_TEST(refuses_the_21st_over_rest),
    };
    return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}

/*
 * Fixture of the control plane's tests: the faked transport and the service's hooks. See fixture.h.
 */
#include "fixture.h"
#include "../../../src/http/head.h"
#include "relyd/clock.h"
#include "relyd/config.h"
#include "relyd/decide.h"
#include "relyd/edition.h"
#include "relyd/preset.h"
#include "relyd/signature.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct fixture *current; /* what the faked transport talks to */

/* --- the faked transport --------------------------------------------------------------------------------- */

struct rely_slice rely_http_find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    (void)request;
    struct rely_slice first = {NULL, 0};
    size_t seen = 0;
    for (size_t i = 0; i < current->sent_count; i++)
        if (rely_slice_equal(current->sent[i].name, name) && seen++ == 0)
            first = current->sent[i].value;
    if (count != NULL)
        *count = seen;
    return first;
}

void rely_http_peer(const struct rely_http_request *request, char out[RELY_PEER_SIZE])
{
    (void)request;
    snprintf(out, RELY_PEER_SIZE, "127.0.0.1:5555");
}

bool rely_http_peer_is_in(const struct rely_http_request *request, uint32_t group)
{
    (void)request;
    return current->peer_group == group;
}

enum rely_bearer rely_http_bearer_in(const struct rely_http_request *request, struct rely_slice name,
                                     struct rely_slice *token)
{
    size_t count;
    struct rely_slice value = rely_http_find_header(request, name, &count);
    return count == 0 ? RELY_BEARER_NONE : count > 1 ? RELY_BEARER_BAD : rely_http_read_bearer(value, token);
}

static void keep_header(char *out, size_t size, struct rely_slice value)
{
    snprintf(out, size, "%.*s", RELY_ARG(value));
}

void rely_http_respond(struct rely_http_request *request, const struct rely_http_response *response)
{
    assert_ptr_equal(request, &current->request);
    assert_int_equal(current->status, 0); /* exactly one answer */
    current->status = response->status;
    rely_buf_put(&current->body, response->body);
    keep_header(current->content_type, sizeof current->content_type, response->content_type);
    for (size_t i = 0; i < response->header_count; i++) {
        if (rely_slice_equal(response->headers[i].name, RELY_LIT("etag")))
            keep_header(current->etag, sizeof current->etag, response->headers[i].value);
        if (rely_slice_equal(response->headers[i].name, RELY_LIT("location")))
            keep_header(current->location, sizeof current->location, response->headers[i].value);
        if (rely_slice_equal(response->headers[i].name, RELY_LIT("www-authenticate")))
            keep_header(current->challenge, sizeof current->challenge, response->headers[i].value);
        if (rely_slice_equal(response->headers[i].name, RELY_LIT("allow")))
            keep_header(current->allow, sizeof current->allow, response->headers[i].value);
    }
}

void rely_http_defer(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    assert_ptr_equal(request, &current->request);
    current->gone = gone;
    current->gone_context = context;
}

/* --- the service's hooks ----------------------------------------------------------------------------------- */

static void carry_issuer(const union rely_any_record *record, void *context)
{
    struct fixture *fixture = context;
    struct rely_issuer *issuer = rely_issuer_of_record(&record->issuer, true);
    struct rely_err err = {0};
    issuer->keys_fetched_s = record->issuer.jwks_fetched_at;
    issuer->keys_until_s = INT64_MAX;
    if (record->issuer.jwks.ptr != NULL) {
        issuer->keyset = rely_signature_accept(record->issuer.jwks, NULL, &err);
        assert_string_equal(err.message, "");
        fixture->keysets[fixture->keyset_count++] = (struct rely_keyset *)issuer->keyset;
    }
    rely_snapshot_put_issuer(fixture->snapshot, issuer);
}

static void carry_identity(const union rely_any_record *record, void *context)
{
    rely_snapshot_put_identity(((struct fixture *)context)->snapshot, rely_identity_of_record(&record->identity));
}

static void carry_credential(const union rely_any_record *record, void *context)
{
    rely_snapshot_put_credential(((struct fixture *)context)->snapshot, rely_credential_of_record(&record->credential));
}

static void carry_route(const union rely_any_record *record, void *context)
{
    rely_snapshot_carry(((struct fixture *)context)->snapshot, RELY_OBJECT_ROUTE, record);
}

static void carry_group(const union rely_any_record *record, void *context)
{
    rely_snapshot_carry(((struct fixture *)context)->snapshot, RELY_OBJECT_ISSUER_GROUP, record);
}

static void carry_member(const union rely_any_record *record, void *context)
{
    rely_snapshot_carry(((struct fixture *)context)->snapshot, RELY_OBJECT_ISSUER_GROUP_MEMBER, record);
}

static void carry_revocation(const union rely_any_record *record, void *context)
{
    rely_snapshot_carry(((struct fixture *)context)->snapshot, RELY_OBJECT_REVOCATION, record);
}

static void rebuild_snapshot(struct fixture *fixture)
{
    struct rely_err err = {0};
    if (fixture->snapshot != NULL)
        rely_snapshot_free_all(fixture->snapshot);
    fixture->snapshot = rely_snapshot_next(NULL, rely_registry_revision(fixture->registry));
    fixture->snapshot->token_max_bytes = RELY_DEFAULT_token_max_bytes;
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_ISSUER, carry_issuer, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_IDENTITY, carry_identity, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_CREDENTIAL, carry_credential, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_ROUTE, carry_route, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_ISSUER_GROUP, carry_group, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_ISSUER_GROUP_MEMBER, carry_member, fixture, &err));
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_REVOCATION, carry_revocation, fixture, &err));
}

static bool commit_or_lose(struct fixture *fixture, struct rely_work *work, struct rely_err *err)
{
    bool is_lost = work->is_write && fixture->is_disk_full;
    if (work->is_write && !is_lost)
        return rely_registry_commit(fixture->registry, err);
    if (is_lost)
        rely_registry_give_up(fixture->registry);
    return !is_lost || rely_err_set(err, RELY_ERR_IO, "database: disk full");
}

/* The registry's thread, at once: each work has a batch of its own. */
static void do_work(void *service, struct rely_work *work)
{
    struct fixture *fixture = service;
    struct rely_err err = {0};
    if (fixture->is_queueing) {
        fixture->queued = work;
        return;
    }
    assert_true(!work->is_write || rely_registry_begin(fixture->registry, &err));
    work->run(work, fixture->registry);
    *(work->is_write ? &fixture->writes : &fixture->reads) += 1;
    if (!commit_or_lose(fixture, work, &err)) {
        rely_changes_fini(&work->changes);
        work->done(work, &err);
        return;
    }
    if (work->changes.count > 0) {
        fixture->publish_count++;
        rebuild_snapshot(fixture);
    }
    rely_changes_fini(&work->changes);
    fixture->held = work;
    if (!fixture->is_holding)
        release_work(fixture);
}

void release_work(struct fixture *fixture)
{
    struct rely_work *work = fixture->held;
    fixture->held = NULL;
    work->done(work, NULL);
}

void run_queued(struct fixture *fixture)
{
    struct rely_work *work = fixture->queued;
    assert_non_null(work);
    fixture->is_queueing = false;
    fixture->queued = NULL;
    rebuild_snapshot(fixture);
    do_work(fixture, work);
}

static const struct rely_snapshot *find_snapshot(void *service)
{
    return ((struct fixture *)service)->snapshot;
}

static bool find_detail(void *service, size_t number, struct rely_admin_detail *out)
{
    static const struct rely_admin_detail all[] = {{"a_word", "a sentence"}, {"another", "more"}};
    if (number >= ((struct fixture *)service)->details)
        return false;
    *out = all[number];
    return true;
}

static bool tell_ready(void *service)
{
    return !((struct fixture *)service)->is_stopping;
}

static void print_some_metrics(void *service, struct rely_buf *out)
{
    (void)service;
    rely_buf_put(out, RELY_LIT("relyd_revision 7\n"));
}

static void note_fault(void *service, const char *code, const char *message)
{
    struct fixture *fixture = service;
    fixture->fault_count++;
    snprintf(fixture->fault, sizeof fixture->fault, "%s: %s", code, message);
}

static void note_refused(void *service, const char *sentence)
{
    struct fixture *fixture = service;
    fixture->line_count++;
    snprintf(fixture->line, sizeof fixture->line, "%s", sentence);
}

static bool review_caller(void *service, struct rely_http_request *request, const struct rely_review_request *asked,
                          struct rely_review *review)
{
    (void)request;
    rely_review_run(((struct fixture *)service)->snapshot, asked, rely_clock_now_s(), review);
    return false;
}

static bool find_key_status(void *service, int64_t issuer_id, struct rely_key_status *out)
{
    (void)issuer_id;
    *out = ((struct fixture *)service)->key_status;
    return true;
}

static bool find_conditions(void *service, int64_t issuer_id, struct rely_issuer_conditions *out)
{
    *out = ((struct fixture *)service)->conditions;
    return issuer_id != 0 && out->items[0].cause != RELY_CAUSE_NONE;
}

static bool order_issuer(void *service, int64_t issuer_id, struct rely_key_waiter *waiter, struct rely_err *err)
{
    struct fixture *fixture = service;
    (void)issuer_id;
    if (fixture->refuses_orders)
        return rely_err_set(err, RELY_ERR_LIMIT, "too often");
    fixture->waiter = waiter;
    return true;
}

static void forget_waiter(void *service, struct rely_key_waiter *waiter)
{
    assert_ptr_equal(((struct fixture *)service)->waiter, waiter);
    ((struct fixture *)service)->waiter = NULL;
}

/* --- set-up -------------------------------------------------------------------------------------------------- */

int make_fixture(void **state)
{
    struct rely_registry_options options = {.path = ":memory:", .credentials_per_identity = 20};
    struct rely_err err = {0};
    struct fixture *fixture = rely_alloc(sizeof *fixture);
    current = fixture;
    rely_pool_init(&fixture->scratch);
    fixture->registry = rely_registry_open(&options, &err);
    assert_string_equal(err.message, "");
    fixture->presets = rely_presets_new();
    fixture->admin = (struct rely_admin){.service = fixture,
                                         .ask = do_work,
                                         .presets = fixture->presets,
                                         .snapshot = find_snapshot,
                                         .note_fault = note_fault,
                                         .key_status = find_key_status,
                                         .conditions = find_conditions,
                                         .order = order_issuer,
                                         .forget_waiter = forget_waiter,
                                         .find_detail = find_detail,
                                         .review = review_caller,
                                         .caller_rules = &fixture->in_force,
                                         .refused_callers = fixture->refused,
                                         .note_refused = note_refused,
                                         .note_forced = note_refused,
                                         .is_ready = tell_ready,
                                         .print_metrics = print_some_metrics};
    fixture->rules = (struct rely_caller_rules){.audience = RELY_LIT("relyd"), .own_uid = geteuid()};
    fixture->in_force = &fixture->rules;
    fixture->door.admin = &fixture->admin;
    fixture->request = (struct rely_http_request){.is_unix = true, .peer_uid = 0};
    rebuild_snapshot(fixture);
    *state = fixture;
    return 0;
}

int drop_fixture(void **state)
{
    struct fixture *fixture = *state;
    rely_snapshot_free_all(fixture->snapshot);
    for (size_t i = 0; i < fixture->keyset_count; i++)
        rely_keyset_free(fixture->keysets[i]);
    rely_registry_close(fixture->registry);
    rely_presets_free(fixture->presets);
    rely_pool_fini(&fixture->scratch);
    rely_buf_fini(&fixture->body);
    free(fixture);
    return 0;
}

void add_header(struct fixture *fixture, const char *name, const char *value)
{
    fixture->sent[fixture->sent_count++] =
        (struct rely_http_header){.name = rely_slice_of(name), .value = rely_slice_of(value)};
}

void come_by_tcp(struct fixture *fixture)
{
    fixture->request.is_unix = false;
    fixture->door.is_open = true;
}

void come_as(struct fixture *fixture, uint32_t uid)
{
    fixture->request.peer_uid = uid;
}

static void send_to(struct fixture *fixture, rely_http_handler handler, const char *method, const char *target,
                    const char *body)
{
    void *context = handler == rely_health_handle ? (void *)&fixture->admin : (void *)&fixture->door;
    const char *mark = strchr(target, '?');
    fixture->status = 0;
    fixture->body.len = 0;
    fixture->gone = NULL;
    fixture->etag[0] = fixture->location[0] = fixture->allow[0] = fixture->challenge[0] = '\0';
    fixture->request.method = rely_slice_of(method);
    fixture->request.path = rely_slice(target, mark == NULL ? strlen(target) : (size_t)(mark - target));
    fixture->request.query = rely_slice_of(mark == NULL ? NULL : mark + 1);
    fixture->request.body = rely_slice_of(body);
    fixture->request.scratch = &fixture->scratch;
    handler(&fixture->request, context);
    rely_pool_reset(&fixture->scratch);
    fixture->sent_count = 0;
}

void send_request(struct fixture *fixture, const char *method, const char *target, const char *body)
{
    send_to(fixture, rely_admin_handle, method, target, body);
}

void send_probe(struct fixture *fixture, const char *method, const char *target)
{
    send_to(fixture, rely_health_handle, method, target, NULL);
}

/* --- looking at the answer ------------------------------------------------------------------------------------- */

void assert_status(const struct fixture *fixture, int status)
{
    if (fixture->status != status)
        fail_msg("%d, not %d: %.*s", fixture->status, status, RELY_ARG(rely_buf_slice(&fixture->body)));
}

void assert_problem(const struct fixture *fixture, int status, const char *code)
{
    assert_status(fixture, status);
    assert_string_equal(fixture->content_type, "application/problem+json");
    assert_value(fixture, "code", code);
}

static struct rely_json *parse_answer(const struct fixture *fixture)
{
    struct rely_err err = {0};
    struct rely_json *answer = rely_json_parse(rely_buf_slice(&fixture->body), &err);
    if (answer == NULL)
        fail_msg("%s: %.*s", err.message, RELY_ARG(rely_buf_slice(&fixture->body)));
    return answer;
}

static const struct rely_json *find_value(const struct rely_json *value, const char *path)
{
    char part[64];
    while (*path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)len, path);
        value = rely_json_type(value) == RELY_JSON_ARRAY ? rely_json_at(value, (size_t)atoi(part))
                                                         : rely_json_get(value, part);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    return value;
}

static void print_value(const struct rely_json *value, struct rely_buf *out)
{
    if (value == NULL)
        rely_buf_put(out, RELY_LIT("absent"));
    else if (rely_json_type(value) == RELY_JSON_STRING)
        rely_buf_printf(out, "%.*s", RELY_ARG(rely_json_text(value)));
    else if (rely_json_type(value) == RELY_JSON_INTEGER)
        rely_buf_printf(out, "%lld", (long long)rely_json_integer(value));
    else if (rely_json_type(value) == RELY_JSON_BOOL)
        rely_buf_printf(out, "%s", rely_json_true(value) ? "true" : "false");
    else if (rely_json_type(value) == RELY_JSON_NULL)
        rely_buf_put(out, RELY_LIT("null"));
    else
        rely_json_print(value, out);
}

void assert_value(const struct fixture *fixture, const char *path, const char *expected)
{
    struct rely_buf text = {0};
    RELY_JSON_OWNED struct rely_json *answer = parse_answer(fixture);
    print_value(find_value(answer, path), &text);
    if (strcmp(text.ptr, expected) != 0)
        fail_msg("%s is %s, not %s, in %.*s", path, text.ptr, expected, RELY_ARG(rely_buf_slice(&fixture->body)));
    rely_buf_fini(&text);
}

void assert_value_has(const struct fixture *fixture, const char *path, const char *part)
{
    struct rely_buf text = {0};
    RELY_JSON_OWNED struct rely_json *answer = parse_answer(fixture);
    print_value(find_value(answer, path), &text);
    if (strstr(text.ptr, part) == NULL)
        fail_msg("%s is %s, without %s, in %.*s", path, text.ptr, part, RELY_ARG(rely_buf_slice(&fixture->body)));
    rely_buf_fini(&text);
}

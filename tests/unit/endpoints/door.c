/* See door.h. */
#include "door.h"

#include "relyd/text.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

struct rely_data_door door;
bool door_speaks_http2, door_is_unix, door_may_hold;
struct rely_buf played_body;
static struct rely_buf played;
static struct rely_http_request played_request; /* one that waits is answered before the next comes */
static const char *played_headers;
static rely_caller_rules_in_force rules_in_force;
static const char *id_of_decision; /* of the reviewer: as it is when an answer is sent */

/* --- the transport ------------------------------------------------------------------------------------------------ */

static struct rely_slice find_played(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    struct rely_slice first = {NULL, 0};
    size_t found = 0;
    (void)request;
    for (const char *line = played_headers; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n"), name_len = strcspn(line, ":");
        if (rely_slice_equal(rely_slice(line, name_len), name) && found++ == 0)
            first = rely_slice(line + name_len + 2, len - name_len - 2);
        line += len + (line[len] == '\n');
    }
    if (count != NULL)
        *count = found;
    return first;
}

/* With ID for the decision's. */
static void put_played(struct rely_slice text)
{
    struct rely_slice id = rely_slice_of(id_of_decision);
    for (size_t i = 0; i < text.len; i++) {
        if (!rely_slice_starts(rely_slice(text.ptr + i, text.len - i), id)) {
            rely_buf_putc(&played, text.ptr[i]);
            continue;
        }
        rely_buf_put(&played, RELY_LIT("ID"));
        i += id.len - 1;
    }
}

static void put_played_lines(const char *mark, const struct rely_http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rely_buf_printf(&played, "%s%.*s: ", mark, RELY_ARG(headers[i].name));
        put_played(headers[i].value);
        rely_buf_putc(&played, '\n');
    }
}

static void note_played(struct rely_http_request *request, const struct rely_http_response *response)
{
    const struct rely_http_header type = {RELY_LIT("content-type"), response->content_type};
    assert_true(response->trailer_count == 0 || request->has_trailers);
    assert_int_equal(played.len, 0); /* exactly once */
    rely_buf_printf(&played, "%d\n", response->status);
    put_played_lines("", &type, response->content_type.ptr != NULL);
    put_played_lines("", response->headers, response->header_count);
    put_played_lines("> ", response->trailers, response->trailer_count);
    assert_true(response->held_from <= response->body.len);
    if (response->held_from > 0)
        rely_buf_printf(&played, "~ %zu\n", response->held_from);
    rely_buf_putc(&played, '\n');
    put_played(response->body);
    rely_buf_put(&played_body, response->body);
}

static void defer_played(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    (void)request;
    last_gone = gone;
    last_context = context;
}

static void name_played(const struct rely_http_request *request, char *out)
{
    (void)request;
    memcpy(out, "127.0.0.1:5", 12);
}

static bool may_played_hold(const struct rely_http_request *request)
{
    (void)request;
    return door_may_hold;
}

static bool is_played_in_group(const struct rely_http_request *request, uint32_t group)
{
    (void)request;
    return group == 77;
}

static const struct rely_http_transport of_play = {.find_header = find_played,
                                                   .respond = note_played,
                                                   .defer = defer_played,
                                                   .may_hold = may_played_hold,
                                                   .is_in_group = is_played_in_group,
                                                   .peer = name_played};

/* --- requests ------------------------------------------------------------------------------------------------------- */

static void split_line(const char *line, struct rely_http_request *request)
{
    size_t method = strcspn(line, " ");
    const char *target = line + method + 1;
    size_t path = strcspn(target, "?");
    request->method = rely_slice(line, method);
    request->path = rely_slice(target, path);
    if (target[path] == '?')
        request->query = rely_slice_of(target + path + 1);
}

static void begin_play(struct worker *worker, struct rely_http_request *request, const char *line)
{
    *request = (struct rely_http_request){
        .transport = &of_play, .scratch = &worker->scratch, .has_trailers = door_speaks_http2, .is_unix = door_is_unix};
    rely_pool_reset(&worker->scratch);
    id_of_decision = worker->reviewer.decision_id;
    played.len = played_body.len = 0;
    if (line != NULL)
        split_line(line, request);
}

const char *read_answer(void)
{
    rely_buf_put(&played, RELY_LIT("")); /* ends it, where nothing was sent */
    return played.ptr;
}

const char *play_bytes(struct worker *worker, const char *line, const char *headers, struct rely_slice body)
{
    begin_play(worker, &played_request, line);
    played_headers = headers;
    played_request.body = body;
    rely_endpoints_handle(&played_request, &door);
    played_request.body = (struct rely_slice){NULL, 0};
    return read_answer();
}

const char *play(struct worker *worker, const char *line, const char *headers, const char *body)
{
    return play_bytes(worker, line, headers, body == NULL ? rely_slice(NULL, 0) : rely_slice_of(body));
}

const char *play_refused(struct worker *worker, const char *line, const struct rely_http_refusal *refusal)
{
    begin_play(worker, &played_request, line);
    played_headers = NULL;
    rely_endpoints_refuse(&played_request, &door, refusal);
    return read_answer();
}

/* --- its world ------------------------------------------------------------------------------------------------------- */

void put_door_route(struct worker *worker, const char *name, struct rely_route_record record)
{
    static const struct rely_slice audiences[] = {{"relyd", 5}};
    record.record.id = 700 + (int64_t)strlen(name); /* one of its length, which is all that these tests need */
    record.name = rely_slice_of(name);
    if (record.audiences.count == 0)
        record.audiences = (struct rely_texts){audiences, 1};
    rely_snapshot_carry(worker->scene.snapshot, RELY_OBJECT_ROUTE, &record);
}

const char *sign_claims(const char *claims)
{
    return mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      mint_print("{\"iss\":\"" URL "\",\"exp\":4102444799,%s}", claims));
}

const char *sign_app(void)
{
    return sign_claims("\"sub\":\"app\",\"aud\":[\"relyd\",\"more\"]");
}

const char *sign_without_kid(void)
{
    return mint_token(mint_key("p256#other"), "ES256", "{\"alg\":\"ES256\"}",
                      "{\"iss\":\"" URL "\",\"exp\":4102444799,\"sub\":\"app\",\"aud\":\"relyd\"}");
}

const char *bear(const char *token)
{
    return mint_print("authorization: Bearer %s", token);
}

int set_up_door(void **state)
{
    int failed = set_up_worker(state);
    struct worker *worker = *state;
    static const struct rely_caller_rules rules = {.audience = {"relyd-callers", 13}, .own_uid = 1000};
    bring_key(worker, worker->issuer);
    atomic_store(&rules_in_force, &rules);
    worker->reviewer.caller_rules = &rules_in_force;
    door = (struct rely_data_door){.reviewer = &worker->reviewer, .is_open = true, .route = RELY_LIT("default")};
    door_speaks_http2 = door_is_unix = door_may_hold = false;
    put_door_route(worker, "default", (struct rely_route_record){0});
    return failed;
}

/*
 * What POST /v1/explain is asked: a token, when, and as which endpoint it would be judged. Decides which questions no
 * endpoint could ask, and refuses those. Called by explain.c.
 */
#include "explain.h"
#include "relyd/text.h"

/* What an endpoint can ask for. */
struct door {
    enum rely_endpoint endpoint;
    enum rely_answer_form form;
    bool is_single;       /* its answer has room for one identity */
    bool takes_identity;  /* its request may name one */
    size_t audiences_max; /* that its request may name */
};

static const struct door doors[] = {
    {RELY_ENDPOINT_CHECK, RELY_ANSWER_HEADERS, true, true, 1},
    {RELY_ENDPOINT_TOKENREVIEW, RELY_ANSWER_TOKENREVIEW, true, false, RELY_REQUEST_AUDIENCES_MAX},
    {RELY_ENDPOINT_REVIEW, RELY_ANSWER_IDENTITY, false, true, RELY_REQUEST_AUDIENCES_MAX},
    {RELY_ENDPOINT_INTROSPECTION, RELY_ANSWER_IDENTITY, true, false, 0},
};

/* The first one when none is named; NULL with the problem noted. */
static const struct door *read_door(const struct rely_json *value, struct rely_problems *problems)
{
    struct rely_slice name = rely_json_text(value);
    if (value == NULL)
        return &doors[0];
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
        if (rely_slice_equal(name, rely_slice_of(rely_endpoint_name(doors[i].endpoint))))
            return &doors[i];
    rely_problems_add(problems, "endpoint", "invalid_value",
                      "endpoint must be one of check, tokenreview, review, introspection");
    return NULL;
}

static void read_route(const struct rely_json *value, struct rely_slice *out, struct rely_problems *problems)
{
    *out = value == NULL ? RELY_LIT(RELY_BUILT_IN_ROUTE) : rely_json_text(value);
    if (out->ptr == NULL)
        rely_problems_add(problems, "route", "wrong_type", "route must be a string");
}

/* Not before 1970 and not beyond what a token's own times may be: all of it is printed as it is read. */
static void read_moment(const struct rely_json *value, int64_t *out, struct rely_problems *problems)
{
    enum rely_json_type type = rely_json_type(value);
    int64_t at_s = 0;
    if (type == RELY_JSON_ABSENT)
        return;
    if (type == RELY_JSON_INTEGER) {
        at_s = rely_json_integer(value);
    } else if (type != RELY_JSON_STRING || !rely_time_parse(rely_json_text(value), &at_s)) {
        rely_problems_add(problems, "at", "invalid_value",
                          "at must be a time such as 2026-11-22T10:00:00Z, or seconds since 1970");
        return;
    }
    if (at_s < 0 || at_s > RELY_TIME_MAX_S)
        rely_problems_add(problems, "at", "out_of_range",
                          "at must be from 1970-01-01T00:00:00Z to 5138-11-16T09:46:40Z");
    else
        *out = at_s;
}

static void read_accepted(const struct rely_json *list, const struct door *door, struct rely_pool *pool,
                          struct rely_review_request *out, struct rely_problems *problems)
{
    size_t count = rely_json_size(list);
    bool is_good = rely_json_type(list) == RELY_JSON_ARRAY && count <= RELY_REQUEST_AUDIENCES_MAX;
    if (list == NULL)
        return;
    struct rely_slice *accepted = rely_pool_alloc(pool, (is_good ? count : 0) * sizeof *accepted + 1);
    for (size_t i = 0; is_good && i < count; i++) {
        accepted[i] = rely_json_text(rely_json_at(list, i));
        is_good = accepted[i].ptr != NULL;
    }
    if (!is_good)
        rely_problems_add(problems, "audiences", "invalid_value", "audiences must be an array of at most %d strings",
                          RELY_REQUEST_AUDIENCES_MAX);
    else if (door != NULL && count > door->audiences_max)
        rely_problems_add(problems, "audiences", "too_many",
                          "of the endpoint %s audiences has at most %zu; ask with \"endpoint\": \"tokenreview\" or "
                          "\"review\" for more",
                          rely_endpoint_name(door->endpoint), door->audiences_max);
    out->audiences = accepted;
    out->audience_count = is_good ? count : 0;
}

static void read_identity(const struct rely_json *value, const struct door *door, struct rely_slice *out,
                          struct rely_problems *problems)
{
    *out = rely_json_text(value);
    if (value != NULL && out->ptr == NULL)
        rely_problems_add(problems, "identity", "wrong_type", "identity must be a string");
    else if (value != NULL && door != NULL && !door->takes_identity)
        rely_problems_add(problems, "identity", "not_allowed", "what asks the endpoint %s cannot name an identity",
                          rely_endpoint_name(door->endpoint));
}

static void refuse_unknown_members(const struct rely_json *body, struct rely_problems *problems)
{
    static const char *const known[] = {"token", "at", "audiences", "identity", "endpoint", "route"};
    for (const char *name = rely_json_next_name(body, NULL); name != NULL; name = rely_json_next_name(body, name)) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            rely_problems_add(problems, name, "unknown_field",
                              "a question has token, at, audiences, identity, endpoint and route");
    }
}

bool rely_explain_read_question(const struct rely_json *body, struct rely_pool *pool, struct rely_explain_question *out,
                                struct rely_problems *problems)
{
    if (rely_json_type(body) != RELY_JSON_OBJECT) {
        rely_problems_add(problems, "body", "wrong_type", "body must be a JSON object");
        return false;
    }
    refuse_unknown_members(body, problems);
    const struct door *door = read_door(rely_json_get(body, "endpoint"), problems);
    read_route(rely_json_get(body, "route"), &out->route, problems);
    out->review.token = rely_json_text(rely_json_get(body, "token"));
    if (out->review.token.ptr == NULL)
        rely_problems_add(problems, "token", "required", "token is required, and is a string");
    read_moment(rely_json_get(body, "at"), &out->at_s, problems);
    read_accepted(rely_json_get(body, "audiences"), door, pool, &out->review, problems);
    read_identity(rely_json_get(body, "identity"), door, &out->review.identity, problems);
    if (problems->count > 0)
        return false;
    out->endpoint = door->endpoint;
    out->review.route = out->route;
    out->review.form = door->form;
    out->review.is_single = door->is_single;
    out->review.pool = pool;
    return true;
}

/*
 * Reads the bodies of the data plane: small JSON objects from strangers. Wrong types are refused; unknown members are,
 * too, in relyd's own protocol, and not in Kubernetes'. And says of what type a body is. Used by tokenreview,
 * review and introspect.
 */
#include "batch.h"
#include "reviewer.h"

#include "relyd/text.h"

#include <stdio.h>
#include <strings.h>

/* In any case, with parameters or without. */
static bool is_body_type(struct rely_slice value, struct rely_slice type)
{
    if (value.len < type.len || strncasecmp(value.ptr, type.ptr, type.len) != 0)
        return false;
    return value.len == type.len || value.ptr[type.len] == ';' || value.ptr[type.len] == ' ';
}

bool rely_body_is_json(const struct rely_http_request *request)
{
    static const char json[] = "application/json";
    struct rely_slice type = rely_http_find_header(request, RELY_LIT("content-type"), NULL);
    return type.ptr == NULL || is_body_type(type, rely_slice(json, sizeof json - 1));
}

static bool is_only_type(const struct rely_http_request *request, struct rely_slice wanted)
{
    size_t count;
    struct rely_slice type = rely_http_find_header(request, RELY_LIT("content-type"), &count);
    return count == 1 && is_body_type(type, wanted);
}

bool rely_body_is_form(const struct rely_http_request *request)
{
    return is_only_type(request, RELY_LIT("application/x-www-form-urlencoded"));
}

bool rely_body_is_protobuf(const struct rely_http_request *request)
{
    return is_only_type(request, RELY_LIT("application/vnd.kubernetes.protobuf"));
}

static void note_no_list(struct rely_problems *problems)
{
    rely_problems_add(problems, "audiences", "wrong_type", "audiences must be a list of strings");
}

static void read_accepted_audiences(const struct rely_view *body, uint32_t array, struct rely_pool *pool,
                                    struct rely_review_request *out, struct rely_problems *problems)
{
    enum rely_view_type type = rely_view_type(body, array);
    if (type == RELY_VIEW_ABSENT || type == RELY_VIEW_NULL)
        return;
    if (type != RELY_VIEW_ARRAY) {
        note_no_list(problems);
        return;
    }
    uint32_t count = body->nodes[array].count;
    if (count > RELY_REQUEST_AUDIENCES_MAX) {
        rely_problems_add(problems, "audiences", "too_many", "audiences has more than %d entries",
                          RELY_REQUEST_AUDIENCES_MAX);
        return;
    }
    struct rely_slice *audiences = rely_pool_alloc(pool, count * sizeof *audiences);
    size_t at = 0;
    for (uint32_t i = rely_view_first(body, array); i != 0; i = rely_view_next(body, array, i)) {
        if (rely_view_type(body, i) != RELY_VIEW_STRING) {
            note_no_list(problems);
            return;
        }
        audiences[at++] = body->nodes[i].text;
    }
    out->audiences = audiences;
    out->audience_count = at;
}

/* `identity` and `audiences`, which may be left out. */
static void read_review_terms(const struct rely_view *body, uint32_t object, struct rely_pool *pool,
                              struct rely_review_request *out, struct rely_problems *problems)
{
    uint32_t identity = rely_view_member(body, object, RELY_LIT("identity"));
    if (identity != 0 && rely_view_type(body, identity) == RELY_VIEW_STRING)
        out->identity = body->nodes[identity].text;
    else if (identity != 0 && rely_view_type(body, identity) != RELY_VIEW_NULL)
        rely_problems_add(problems, "identity", "wrong_type", "identity must be a string");
    read_accepted_audiences(body, rely_view_member(body, object, RELY_LIT("audiences")), pool, out, problems);
}

bool rely_body_read_review(const struct rely_view *body, uint32_t object, struct rely_pool *pool,
                           struct rely_review_request *out, struct rely_problems *problems)
{
    size_t before = problems->count;
    uint32_t token = rely_view_member(body, object, RELY_LIT("token"));
    if (rely_view_type(body, token) == RELY_VIEW_STRING)
        out->token = body->nodes[token].text;
    else
        rely_problems_add(problems, "token", "required", "token is required, and is a string");
    read_review_terms(body, object, pool, out, problems);
    return problems->count == before;
}

/* --- many tokens ------------------------------------------------------------------------------------------------- */

static bool has_member(const struct rely_view *body, struct rely_slice name)
{
    return rely_view_type(body, rely_view_member(body, 0, name)) > RELY_VIEW_NULL;
}

bool rely_body_has_tokens(const struct rely_view *body)
{
    return has_member(body, RELY_LIT("tokens"));
}

static bool check_token_count(size_t count, struct rely_problems *problems)
{
    if (count == 0)
        rely_problems_add(problems, "tokens", "too_few", "tokens has 0 items; the least is 1");
    else if (count > RELY_BATCH_TOKENS_MAX)
        rely_problems_add(problems, "tokens", "too_many", "tokens has %zu items; the limit is %d", count,
                          RELY_BATCH_TOKENS_MAX);
    return count > 0 && count <= RELY_BATCH_TOKENS_MAX;
}

static void read_tokens(const struct rely_view *body, struct rely_pool *pool, struct rely_batch_tokens *out,
                        struct rely_problems *problems)
{
    uint32_t list = rely_view_member(body, 0, RELY_LIT("tokens"));
    struct rely_problem *problem;
    char field[sizeof problem->field];
    if (rely_view_type(body, list) != RELY_VIEW_ARRAY) {
        rely_problems_add(problems, "tokens", "wrong_type", "tokens must be a list of strings");
        return;
    }
    if (!check_token_count(body->nodes[list].count, problems))
        return;
    struct rely_slice *tokens = rely_pool_alloc(pool, body->nodes[list].count * sizeof *tokens);
    size_t count = 0;
    for (uint32_t at = rely_view_first(body, list); at != 0; at = rely_view_next(body, list, at)) {
        if (rely_view_type(body, at) != RELY_VIEW_STRING) {
            snprintf(field, sizeof field, "tokens[%zu]", count);
            rely_problems_add(problems, field, "wrong_type", "%s must be a string", field);
        }
        tokens[count++] = body->nodes[at].text;
    }
    *out = (struct rely_batch_tokens){tokens, count};
}

void rely_body_read_batch(const struct rely_view *body, struct rely_pool *pool, struct rely_review_request *out,
                          struct rely_batch_tokens *tokens, struct rely_problems *problems)
{
    if (has_member(body, RELY_LIT("token")))
        rely_problems_add(problems, "tokens", "exactly_one", "exactly one of token and tokens says what to review");
    read_tokens(body, pool, tokens, problems);
    read_review_terms(body, 0, pool, out, problems);
}

static bool is_among(const char *names, struct rely_slice name)
{
    for (size_t len; *names != '\0'; names += len + strspn(names + len, " ")) {
        len = strcspn(names, " ");
        if (rely_slice_equal(name, rely_slice(names, len)))
            return true;
    }
    return false;
}

void rely_body_refuse_unknown(const struct rely_view *body, const char *names, struct rely_problems *problems)
{
    for (uint32_t at = rely_view_first(body, 0); at != 0; at = rely_view_next(body, 0, at + 1)) {
        struct rely_slice name = body->nodes[at].text;
        struct rely_problem *problem;
        char field[sizeof problem->field], quoted[RELY_QUOTED_SIZE];
        if (is_among(names, name))
            continue;
        snprintf(field, sizeof field, "%.*s", (int)(name.len < sizeof field ? name.len : sizeof field - 1), name.ptr);
        rely_problems_add(problems, field, "unknown_field", "%.200s is not known here; a review has %s",
                          rely_quote(name, quoted), names);
    }
}

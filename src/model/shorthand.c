/*
 * The shorthands `kubernetes` and `github` of a federated credential: what people know of a workload, made into the
 * subject or the expression that its platform's tokens match. Decides what such a platform never signs; whether what
 * comes of it is a good expression, expression.c does. Called by the reader of bodies.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/pool.h"
#include <stdio.h>

#define PARTS_MAX 5
#define LABEL_MAX 63      /* RFC 1123: a namespace */
#define SUBDOMAIN_MAX 253 /* a service account */
#define REPOSITORY_MAX 255
#define ACCOUNT_SUBJECT "system:serviceaccount:"

/* A member of a shorthand. */
struct part {
    const char *name;
    const char *claim; /* that has it in the platform's tokens */
    size_t most;       /* characters */
    bool is_required;
    bool (*may_be)(struct rely_slice text); /* might the claim match this? NULL: anything may be */
    const char *expected;                   /* what it would have to be */
};

/* What a body has said of each part, in their order; ptr NULL: nothing. Borrowed. */
struct said {
    struct rely_slice texts[PARTS_MAX];
};

static bool is_wildcard(char c)
{
    return c == '*' || c == '?';
}

static bool has_wildcard(struct rely_slice text)
{
    return memchr(text.ptr, '*', text.len) != NULL || memchr(text.ptr, '?', text.len) != NULL;
}

/* --- what a platform may sign ---------------------------------------------------------------------------------- */

/* RFC 1123: of lower case letters and digits, and with `-` between them; with dots several such, one behind the
 * other. A wildcard may stand for any of it. */
static bool may_be_dns(struct rely_slice text, bool may_have_dots)
{
    char before = '.';
    for (size_t i = 0; i <= text.len; i++) {
        bool is_end = i == text.len;
        char c = '.';
        if (!is_end)
            c = text.ptr[i];
        bool is_inner = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || is_wildcard(c);
        bool is_dash = c == '-' && before != '.';
        bool is_dot = c == '.' && before != '.' && before != '-' && (is_end || may_have_dots);
        if (!is_inner && !is_dash && !is_dot)
            return false;
        before = c;
    }
    return true;
}

static bool may_be_namespace(struct rely_slice text)
{
    return may_be_dns(text, false);
}

static bool may_be_account(struct rely_slice text)
{
    return may_be_dns(text, true);
}

/* What stands in front of the slash; the whole text where there is none. */
static struct rely_slice owner_of(struct rely_slice repository)
{
    const char *slash = memchr(repository.ptr, '/', repository.len);
    return rely_slice(repository.ptr, slash == NULL ? repository.len : (size_t)(slash - repository.ptr));
}

/* Its owner says whose the rule is: with a wildcard there others could choose a name that matches. */
static bool may_be_repository(struct rely_slice text)
{
    struct rely_slice owner = owner_of(text);
    size_t slashes = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_inner = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '_' || c == '.';
        slashes += c == '/' ? 1 : 0;
        if (!is_inner && c != '/' && !(is_wildcard(c) && i > owner.len))
            return false;
    }
    return slashes == 1 && owner.len > 0 && owner.len + 1 < text.len;
}

static bool may_be_ref(struct rely_slice text)
{
    return rely_slice_starts(text, RELY_LIT("refs/")) || is_wildcard(text.ptr[0]);
}

static bool may_be_event(struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') && text.ptr[i] != '_' && !is_wildcard(text.ptr[i]))
            return false;
    return true;
}

/* --- what comes of it ------------------------------------------------------------------------------------------ */

/* In both quotes of a term a quote is written twice. */
static void put_doubled(struct rely_buf *out, struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            rely_buf_putc(out, '\'');
        rely_buf_putc(out, text.ptr[i]);
    }
}

static void put_term(struct rely_buf *out, const char *claim, struct rely_slice text)
{
    rely_buf_printf(out, "%sclaims['%s'] %s '", out->len == 0 ? "" : " and ", claim,
                    has_wildcard(text) ? "matches" : "eq");
    put_doubled(out, text);
    rely_buf_putc(out, '\'');
}

static void put_parts(struct rely_buf *out, const struct part *parts, const struct said *said)
{
    for (size_t i = 0; parts[i].name != NULL; i++)
        if (said->texts[i].ptr != NULL)
            put_term(out, parts[i].claim, said->texts[i]);
}

static const struct part kubernetes_parts[] = {
    {"namespace", "/kubernetes.io/namespace", LABEL_MAX, true, may_be_namespace,
     "a namespace: lower case letters, digits and, between them, -; * and ? may stand for some"},
    {"serviceAccount", "/kubernetes.io/serviceaccount/name", SUBDOMAIN_MAX, true, may_be_account,
     "a service account: lower case letters, digits and, between them, - and .; * and ? may stand for some"},
    {.name = NULL},
};

/* The subject's own wildcards may stand for a colon; the two claims have none, and so hold them in their places. */
static void make_kubernetes(const struct rely_body *body, const struct said *said,
                            struct rely_credential_record *credential)
{
    struct rely_buf subject = {0}, expression = {0};
    rely_buf_printf(&subject, ACCOUNT_SUBJECT "%.*s:%.*s", RELY_ARG(said->texts[0]), RELY_ARG(said->texts[1]));
    if (has_wildcard(rely_buf_slice(&subject))) {
        put_term(&expression, "sub", rely_buf_slice(&subject));
        put_parts(&expression, kubernetes_parts, said);
        rely_credential_take_expression(body, rely_buf_slice(&expression), "kubernetes", credential);
    } else {
        credential->subject = rely_pool_copy(body->pool, rely_buf_slice(&subject));
    }
    rely_buf_fini(&subject);
    rely_buf_fini(&expression);
}

static const struct part github_parts[] = {
    {"repository", "repository", REPOSITORY_MAX, true, may_be_repository,
     "OWNER/REPOSITORY, without the ids of either: * and ? may stand for some of the repository, never of the owner"},
    {"environment", "environment", RELY_TEXT_MAX, false, NULL, NULL},
    {"ref", "ref", RELY_TEXT_MAX, false, may_be_ref, "a whole ref, such as refs/heads/main or refs/tags/v*"},
    {"eventName", "event_name", RELY_TEXT_MAX, false, may_be_event,
     "an event as GitHub writes it, such as push or pull_request"},
    {"jobWorkflowRef", "job_workflow_ref", RELY_TEXT_MAX, false, NULL, NULL},
    {.name = NULL},
};

/* `repo:OWNER/...` and the immutable `repo:OWNER@ID/...` begin alike, and so does another owner's `repo:OWNER-x/...`:
 * the claim that has the owner alone tells them apart. */
static void make_github(const struct rely_body *body, const struct said *said,
                        struct rely_credential_record *credential)
{
    struct rely_buf subject = {0}, expression = {0};
    struct rely_slice owner = owner_of(said->texts[0]);
    rely_buf_printf(&subject, "repo:%.*s*", RELY_ARG(owner));
    put_term(&expression, "sub", rely_buf_slice(&subject));
    put_term(&expression, "repository_owner", owner);
    put_parts(&expression, github_parts, said);
    rely_credential_take_expression(body, rely_buf_slice(&expression), "github", credential);
    rely_buf_fini(&subject);
    rely_buf_fini(&expression);
}

/* --- bodies ---------------------------------------------------------------------------------------------------- */

static const struct shorthand {
    const char *json;
    const struct part *parts;
    void (*make)(const struct rely_body *body, const struct said *said, struct rely_credential_record *credential);
} shorthands[] = {{"kubernetes", kubernetes_parts, make_kubernetes}, {"github", github_parts, make_github}};

static const struct shorthand *shorthand_of(const struct rely_field *field)
{
    for (size_t i = 0; i < sizeof shorthands / sizeof shorthands[0]; i++)
        if (strcmp(shorthands[i].json, field->json) == 0)
            return &shorthands[i];
    rely_bug("a shorthand that stands for nothing", __FILE__, __LINE__);
}

static void read_part(const struct rely_body *body, const char *json, const struct part *part, struct rely_slice *out)
{
    char path[64];
    const struct rely_json *value = rely_json_get(rely_json_get(body->json, json), part->name);
    snprintf(path, sizeof path, "%s.%s", json, part->name);
    if (rely_field_read_text(value, path,
                             &(struct rely_text_rule){.min = 1, .max = part->most, .is_required = part->is_required},
                             body->problems, out) &&
        part->may_be != NULL && !part->may_be(*out))
        rely_problems_add(body->problems, path, "invalid_value", "%s must be %s", path, part->expected);
}

void rely_shorthand_read(const struct rely_body *body, const struct rely_field *field,
                         struct rely_credential_record *credential)
{
    const struct shorthand *shorthand = shorthand_of(field);
    struct said said = {.texts = {{NULL, 0}}};
    size_t found_before = body->problems->count;
    if (!rely_own_check_members(body, field))
        return;
    for (size_t i = 0; shorthand->parts[i].name != NULL; i++)
        read_part(body, field->json, &shorthand->parts[i], &said.texts[i]);
    if (body->problems->count == found_before)
        shorthand->make(body, &said, credential);
}

struct rely_json *rely_shorthand_schema(const struct rely_field *field)
{
    const struct part *parts = shorthand_of(field)->parts;
    struct rely_json *schema = rely_json_object(), *properties = rely_json_object(), *required = rely_json_array();
    for (size_t i = 0; parts[i].name != NULL; i++) {
        rely_json_set(properties, parts[i].name, rely_schema_of_text(1, (int64_t)parts[i].most));
        if (parts[i].is_required)
            rely_json_append(required, rely_json_of_text(rely_slice_of(parts[i].name)));
    }
    rely_json_set(schema, "type", rely_json_of_text(RELY_LIT("object")));
    rely_json_set(schema, "properties", properties);
    rely_json_set(schema, "required", required);
    rely_json_set(schema, "additionalProperties", rely_json_of_bool(false));
    rely_json_set(schema, "writeOnly", rely_json_of_bool(true));
    return schema;
}

/*
 * The OpenAPI 3.1 document: the paths from the table of operations, the objects from the table of fields. Decides
 * nothing. Called by main.c (--print-docs openapi) and the tests.
 */
#include "operations.h"
#include "relyd/admin.h"
#include "relyd/compose.h"
#include "relyd/json.h"
#include "relyd/limits.h"
#include "relyd/schema.h"

#include <ctype.h>
#include <stdio.h>

#define SCHEMAS "#/components/schemas/"
#define NAME_SIZE 96

static void set_string(struct rely_json *object, const char *name, const char *text)
{
    rely_json_set(object, name, rely_json_of_text(rely_slice_of(text)));
}

/* {NAME: VALUE} */
static struct rely_json *wrap_in(const char *name, struct rely_json *value)
{
    struct rely_json *object = rely_json_object();
    rely_json_set(object, name, value);
    return object;
}

static struct rely_json *type_schema(const char *type)
{
    return wrap_in("type", rely_json_of_text(rely_slice_of(type)));
}

/* What a kind is called among the schemas: its word with a capital, and in answers `Shown` behind it. */
static const char *name_schema(const struct rely_kind *kind, bool is_answer, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%c%s%s", toupper((unsigned char)kind->word[0]), kind->word + 1, is_answer ? "Shown" : "");
    return out;
}

static struct rely_json *refer_to(const char *name)
{
    char path[sizeof SCHEMAS + NAME_SIZE];
    snprintf(path, sizeof path, SCHEMAS "%s", name);
    return wrap_in("$ref", rely_json_of_text(rely_slice_of(path)));
}

static struct rely_json *refer_to_kind(enum rely_object object, bool is_answer)
{
    char name[NAME_SIZE];
    return refer_to(name_schema(rely_kind_of(object), is_answer, name));
}

/* --- what an operation takes ------------------------------------------------------------------------------ */

static struct rely_json *limit_schema(void)
{
    struct rely_json *schema = type_schema("integer");
    rely_json_set(schema, "minimum", rely_json_of_integer(1));
    rely_json_set(schema, "maximum", rely_json_of_integer(RELY_LIST_MAX));
    rely_json_set(schema, "default", rely_json_of_integer(RELY_LIST_DEFAULT));
    return schema;
}

static struct rely_json *parameter_schema(struct rely_slice name)
{
    if (rely_slice_equal(name, RELY_LIT("limit")))
        return limit_schema();
    static const struct rely_slice switches[] = {{"withCredentials", 15}, {"strict", 6}, {"force", 5}};
    return type_schema(rely_slice_is_among(switches, sizeof switches / sizeof switches[0], name) ? "boolean"
                                                                                                 : "string");
}

static void add_parameter(struct rely_json *list, struct rely_slice name, const char *place)
{
    struct rely_json *parameter = wrap_in("name", rely_json_of_text(name));
    set_string(parameter, "in", place);
    if (strcmp(place, "path") == 0)
        rely_json_set(parameter, "required", rely_json_of_bool(true));
    rely_json_set(parameter, "schema", parameter_schema(name));
    rely_json_append(list, parameter);
}

static struct rely_json *list_parameters(const struct rely_operation *operation, const char *path)
{
    struct rely_json *list = rely_json_array();
    for (const char *open = strchr(path, '{'); open != NULL; open = strchr(open + 1, '{'))
        add_parameter(list, rely_slice(open + 1, strcspn(open + 1, "}")), "path");
    for (const char *name = operation->query; name != NULL && *name != '\0'; name += strspn(name, " ")) {
        size_t len = strcspn(name, " ");
        add_parameter(list, rely_slice(name, len), "query");
        name += len;
    }
    return list;
}

/* A body that is to create an object without a path of its own says what it is called. */
static struct rely_json *require_name(struct rely_json *schema)
{
    struct rely_json *both = rely_json_array(), *names = rely_json_array();
    rely_json_append(names, rely_json_of_text(RELY_LIT("name")));
    rely_json_append(both, schema);
    rely_json_append(both, wrap_in("required", names));
    return wrap_in("allOf", both);
}

/* A body that a preset completes: a part of one, and the preset's parameters. In: whole - taken over. */
static struct rely_json *allow_part(struct rely_json *whole, enum rely_object object)
{
    RELY_JSON_OWNED struct rely_json *schema = rely_kind_show_schema(rely_kind_of(object));
    struct rely_json *either = rely_json_array(), *part = type_schema("object"), *values = type_schema("object");
    struct rely_json *properties = rely_json_share(rely_json_get(schema, "properties"));
    rely_json_set(values, "additionalProperties", type_schema("string"));
    rely_json_set(properties, "presetParameters", values);
    rely_json_set(part, "properties", properties);
    rely_json_set(part, "additionalProperties", rely_json_of_bool(false));
    set_string(part, "description", "With `preset` or `inCluster`: what is left out comes from there.");
    rely_json_append(either, whole);
    rely_json_append(either, require_name(part));
    return wrap_in("anyOf", either);
}

static struct rely_json *parse_own(const char *text)
{
    struct rely_err unused = {0};
    return rely_json_parse(rely_slice_of(text), &unused);
}

static struct rely_json *body_schema(const struct rely_operation *operation)
{
    if (operation->takes == DOCUMENT || operation->takes == DOCUMENT_OR_PROTOBUF)
        return type_schema("object");
    if (operation->takes == TOKEN_FORM)
        return parse_own("{\"type\":\"object\",\"properties\":{\"token\":{\"type\":\"string\"},"
                         "\"token_type_hint\":{\"type\":\"string\"}},\"required\":[\"token\"]}");
    struct rely_json *schema = refer_to_kind(operation->object, false);
    if (strcmp(operation->method, "POST") == 0)
        schema = require_name(schema);
    return strstr(operation->query, "preset") == NULL ? schema : allow_part(schema, operation->object);
}

static struct rely_json *content_of(const char *media_type, struct rely_json *schema)
{
    return wrap_in(media_type, wrap_in("schema", schema));
}

static const char *body_type(const struct rely_operation *operation)
{
    return operation->takes == TOKEN_FORM ? "application/x-www-form-urlencoded" : "application/json";
}

static struct rely_json *body_content(const struct rely_operation *operation)
{
    struct rely_json *content = content_of(body_type(operation), body_schema(operation));
    if (operation->takes == DOCUMENT_OR_PROTOBUF)
        rely_json_set(content, "application/vnd.kubernetes.protobuf", rely_json_object());
    return content;
}

/* --- what it gives ---------------------------------------------------------------------------------------- */

static struct rely_json *page_schema(enum rely_object object)
{
    struct rely_json *schema = type_schema("object"), *properties = rely_json_object(), *required = rely_json_array();
    struct rely_json *value = type_schema("array");
    rely_json_set(value, "items", refer_to_kind(object, true));
    rely_json_set(properties, "value", value);
    rely_json_set(properties, "nextLink", type_schema("string"));
    rely_json_set(schema, "properties", properties);
    rely_json_append(required, rely_json_of_text(RELY_LIT("value")));
    rely_json_set(schema, "required", required);
    rely_json_set(schema, "additionalProperties", rely_json_of_bool(false));
    return schema;
}

static struct rely_json *answer_content(const struct rely_operation *operation)
{
    switch (operation->gives) {
    case NOTHING:
        return NULL;
    case OBJECT:
        return content_of("application/json", refer_to_kind(operation->object, true));
    case PAGE:
        return content_of("application/json", page_schema(operation->object));
    case DOCUMENT:
    case DOCUMENT_OR_PROTOBUF:
        return content_of("application/json", type_schema("object"));
    case TOKEN_FORM: /* nobody gives one */
        return NULL;
    case TEXT:
        return content_of("text/plain", type_schema("string"));
    }
    return NULL;
}

static void add_answer(struct rely_json *answers, const struct rely_operation *operation, const char *status,
                       const char *meaning)
{
    struct rely_json *answer = rely_json_object(), *content = answer_content(operation);
    set_string(answer, "description", meaning);
    if (content != NULL)
        rely_json_set(answer, "content", content);
    rely_json_set(answers, status, answer);
}

/* Protocols of the data plane refuse in words of their own, where they have some. */
static struct rely_json *refusal_content(const struct rely_operation *operation)
{
    struct rely_json *content = content_of("application/problem+json", refer_to("Problem"));
    if (operation->plane == RELY_PLANE_DATA)
        rely_json_set(content, "application/json", wrap_in("schema", type_schema("object")));
    return content;
}

static struct rely_json *list_answers(const struct rely_operation *operation)
{
    struct rely_json *answers = rely_json_object(), *problem = rely_json_object();
    bool may_create = operation->takes == OBJECT;
    if (strcmp(operation->method, "DELETE") == 0)
        add_answer(answers, operation, "204", "Done.");
    else if (!may_create || strcmp(operation->method, "PUT") == 0)
        add_answer(answers, operation, "200", "Done.");
    if (may_create)
        add_answer(answers, operation, "201", "Created.");
    set_string(problem, "description", "Refused, or a fault.");
    rely_json_set(problem, "content", refusal_content(operation));
    rely_json_set(answers, "default", problem);
    return answers;
}

/* --- who asks --------------------------------------------------------------------------------------------- */

/* What proves who asks; at the check Authorization is the workload's. */
static struct rely_json *show_schemes(void)
{
    return parse_own("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\",\"description\":\"A "
                     "token of a registered "
                     "issuer for the audience auth.audience, or a bootstrap token.\"},"
                     "\"callerToken\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-relyd-caller\","
                     "\"description\":\"Bearer and the "
                     "gateway's own token.\"},"
                     "\"certificate\":{\"type\":\"mutualTLS\",\"description\":\"A client certificate with a name of an "
                     "identity, where the "
                     "listener has client_ca.\"}}");
}

/* One of these; or nothing, where the listener asks nobody, or a unix socket's peer is known. */
static struct rely_json *show_security(const struct rely_operation *operation)
{
    if (operation->plane == RELY_PLANE_HEALTH)
        return parse_own("[]");
    return parse_own(strncmp(operation->path, "/check/", 7) == 0 ? "[{\"callerToken\":[]},{\"certificate\":[]},{}]"
                                                                 : "[{\"token\":[]},{\"certificate\":[]},{}]");
}

/* --- the document ----------------------------------------------------------------------------------------- */

static struct rely_json *show_operation(const struct rely_operation *operation, const char *path)
{
    static const char *const tags[RELY_PLANE_COUNT] = {
        [RELY_PLANE_DATA] = "data", [RELY_PLANE_HEALTH] = "health", [RELY_PLANE_CONTROL] = "control"};
    struct rely_json *shown = rely_json_object(), *list = rely_json_array();
    rely_json_append(list, rely_json_of_text(rely_slice_of(tags[operation->plane])));
    rely_json_set(shown, "tags", list);
    set_string(shown, "description", operation->sentence);
    rely_json_set(shown, "security", show_security(operation));
    rely_json_set(shown, "parameters", list_parameters(operation, path));
    if (operation->takes != NOTHING) {
        struct rely_json *body = wrap_in("content", body_content(operation));
        rely_json_set(body, "required", rely_json_of_bool(true));
        rely_json_set(shown, "requestBody", body);
    }
    rely_json_set(shown, "responses", list_answers(operation));
    return shown;
}

/* What takes any method and every path below one is shown by its shortest path and GET: OpenAPI has no word for it. */
static void name_operation(const struct rely_operation *operation, char path[NAME_SIZE], char method[8])
{
    bool is_below = strcmp(operation->method, "ANY") == 0;
    snprintf(path, NAME_SIZE, "%s%.*s", operation->path, (int)strcspn(operation->rest, "["), operation->rest);
    snprintf(method, 8, "%s", is_below ? "GET" : operation->method);
    for (char *c = method; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
}

static struct rely_json *show_paths(void)
{
    struct rely_json *paths = rely_json_object(), *methods = NULL;
    char path[NAME_SIZE], method[8], last[NAME_SIZE] = "";
    const struct rely_operation *operation;
    for (size_t i = 0; (operation = rely_operation_at(i)) != NULL; i++) {
        name_operation(operation, path, method);
        if (strcmp(path, last) != 0) { /* the lines of one path stand together */
            methods = rely_json_object();
            rely_json_set(paths, path, methods);
            snprintf(last, sizeof last, "%s", path);
        }
        rely_json_set(methods, method, show_operation(operation, path));
    }
    return paths;
}

static struct rely_json *problem_schema(void)
{
    return parse_own(
        "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
        "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},"
        "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"field\":{\"type\":"
        "\"string\"},\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}},\"required\":"
        "[\"field\",\"code\",\"message\"]}}},\"required\":[\"type\",\"title\",\"status\",\"code\"]}");
}

static struct rely_json *show_schemas(void)
{
    struct rely_json *schemas = rely_json_object();
    const struct rely_kind *kind;
    char name[NAME_SIZE];
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        if (kind->is_link)
            continue;
        rely_json_set(schemas, name_schema(kind, false, name), rely_kind_show_schema(kind));
        struct rely_json *body = refer_to(name);
        rely_json_set(schemas, name_schema(kind, true, name), rely_kind_show_answer_schema(kind, body));
    }
    rely_json_set(schemas, "Problem", problem_schema());
    return schemas;
}

void rely_admin_print_openapi(struct rely_buf *out)
{
    RELY_JSON_OWNED struct rely_json *document = rely_json_object();
    struct rely_json *info = rely_json_object();
    set_string(document, "openapi", "3.1.0");
    set_string(info, "title", "relyd");
    set_string(info, "version", RELYD_VERSION);
    rely_json_set(document, "info", info);
    rely_json_set(document, "paths", show_paths());
    struct rely_json *components = wrap_in("schemas", show_schemas());
    rely_json_set(components, "securitySchemes", show_schemes());
    rely_json_set(document, "components", components);
    rely_json_print(document, out);
    rely_buf_putc(out, '\n');
}
